package parking_test

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/wechatpay"
)

// TestNotificationsThatAreNotTheProviders leave nothing behind.
func TestNotificationsThatAreNotTheProviders(t *testing.T) {
	w := openTown(t)
	w.post.shutter(true)
	w.do(wechatpay.Want{What: wechatpay.MakeBehave, Behaviour: wechatpay.Behaviour{DecideMS: 1}})
	bill := w.visit(plateA, 2*time.Hour, time.Minute)
	real := w.toldPaid()
	change := func(f func(l *letter)) letter {
		l := letter{path: real.path, header: real.header.Clone(), body: bytes.Clone(real.body)}
		f(&l)
		return l
	}
	before := w.Number(`SELECT COUNT(*) FROM parking_notices`)
	for name, c := range map[string]struct {
		letter letter
		status int
		says   string
	}{
		"nobody signed it":      {change(func(l *letter) { l.header.Del("Wechatpay-Signature") }), 401, "notice-forged"},
		"another body":          {change(func(l *letter) { l.body = bytes.Replace(l.body, []byte("EV-"), []byte("EV_"), 1) }), 401, "notice-forged"},
		"another time":          {change(func(l *letter) { l.header.Set("Wechatpay-Timestamp", "1600000000") }), 401, "notice-forged"},
		"another nonce":         {change(func(l *letter) { l.header.Set("Wechatpay-Nonce", "n") }), 401, "notice-forged"},
		"an unknown key":        {change(func(l *letter) { l.header.Set("Wechatpay-Serial", strings.Repeat("1", 40)) }), 401, "notice-forged"},
		"another lot":           {change(func(l *letter) { l.path = "/v1/webhooks/wechatpay/elsewhere" }), 404, "webhook-unknown"},
		"another connector":     {change(func(l *letter) { l.path = "/v1/webhooks/alipay/" + lotID }), 404, "webhook-unknown"},
		"signed by two at once": {change(func(l *letter) { l.header["Wechatpay-Signature"] = append(l.header["Wechatpay-Signature"], "x") }), 401, "notice-forged"},
	} {
		if status, text := c.letter.send(w.URL); status != c.status || !strings.Contains(string(text), c.says) {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	if n := w.Number(`SELECT COUNT(*) FROM parking_notices`); n != before || w.state(bill) != "pay-pending" {
		t.Errorf("something was left behind: %d notices, the bill is %s", n-before, w.state(bill))
	}
	// The real one counts, however often it is sent.
	for range 3 {
		if status, text := real.send(w.URL); status != http.StatusNoContent {
			t.Errorf("the provider's own: %d %s", status, text)
		}
	}
	if s, n := w.state(bill), w.Number(`SELECT COUNT(*) FROM parking_movements WHERE kind = 'pay'`); s != "paid" || n != 1 {
		t.Errorf("the bill is %s, %d payments", s, n)
	}
	if strings.Contains(w.LogText(), plateA) {
		t.Error("a plate is in the logs")
	}
}

// toldPaid waits until the provider has sent that something is paid.
func (w *town) toldPaid() (l letter) {
	w.T.Helper()
	w.Eventually("a notification was sent", func() bool {
		all := w.post.letters()
		i := slices.IndexFunc(all, func(l letter) bool { return bytes.Contains(l.body, []byte(wechatpay.EventPaid)) })
		if i >= 0 {
			l = all[i]
		}
		return i >= 0
	})
	return l
}

// TestANotificationMovesNothingAtAnotherLot than that whose address it has come to.
func TestANotificationMovesNothingAtAnotherLot(t *testing.T) {
	w := openTown(t)
	w.post.shutter(true)
	bill := w.visit(plateA, 2*time.Hour, time.Minute)
	told := w.toldPaid()
	w.change(`UPDATE parking_collections SET venue = 'elsewhere'`)
	if status, text := told.send(w.URL); status != http.StatusNoContent {
		t.Errorf("it is answered %d %s", status, text)
	}
	if n := w.Number(`SELECT COUNT(*) FROM parking_notices WHERE state = 'parked'`); n != 1 || w.state(bill) != "pay-pending" {
		t.Errorf("%d notices are parked, the bill is %s", n, w.state(bill))
	}
	w.change(`UPDATE parking_collections SET venue = $1`, lotID)
	w.becomes(bill, "paid")
}

// TestANotificationOfSomethingUnknownIsKept: it waits for what it is about, and then for a person.
func TestANotificationOfSomethingUnknownIsKept(t *testing.T) {
	w := openTown(t)
	w.post.shutter(true)
	w.do(wechatpay.Want{What: wechatpay.MakeBehave, Behaviour: wechatpay.Behaviour{Hold: 100}}) // nothing is told yet
	bill := w.visit(plateA, 2*time.Hour, time.Minute)
	w.Eventually("it is charged", func() bool { n, _ := w.charged(); return n == 1 })
	w.Eventually("it is accepted", func() bool { return w.Number(`SELECT COUNT(*) FROM parking_collections WHERE state = 'accepted'`) == 1 })
	w.change(`UPDATE parking_collections SET number = 'x' || number`) // as after a ledger was put back
	w.post.shutter(false)
	w.do(wechatpay.Want{What: wechatpay.MakeBehave})
	if err := w.provider.Do(wechatpay.Want{What: wechatpay.MakeResend, Number: w.provider.ReadBooks().Charges[0].OutTradeNo}); err != nil {
		t.Fatal(err)
	}
	w.Eventually("it is parked", func() bool { return w.Number(`SELECT COUNT(*) FROM parking_notices WHERE state = 'parked'`) == 1 })
	w.change(`UPDATE parking_collections SET number = SUBSTR(number, 2)`)
	w.becomes(bill, "paid")
	w.Eventually("it has counted", func() bool { return w.Number(`SELECT COUNT(*) FROM parking_notices WHERE state = 'parked'`) == 0 })

	w.change(`UPDATE parking_notices SET state = 'parked', received_at = 1, subject = 'nothing'`)
	w.change(`UPDATE parking_collections SET number = 'x' || number`)
	w.Eventually("a person is asked", func() bool {
		return w.Number(`SELECT COUNT(*) FROM assists WHERE kind = 'parking-notice-unmatched'`) == 1
	})
	if a := w.settle("parking-notice-unmatched", "settled", nil); a.Status != 201 {
		t.Errorf("settling it: %d %s", a.Status, a.Text)
	}
}
