package hangzhou_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/hangzhou"
	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/backends/twin/twintest"
)

const (
	departureTopic = "/hzcity/v2/departurePayInfo"
	resultTopic    = "/hzcity/v2/payResult"
	feeTopic       = "/hzcity/v2/fee"
)

const permission = `{"plateNo":"浙A12345","parkingCode":"riverside","noSense":1,"departurePay":1,"moneyLimit":5000}`

// arrive tells of the arrival number n.
func arrive(t testing.TB, w world, n int) {
	t.Helper()
	if err := operations(w, n)["Arrive"](twintest.Within(t, 5*time.Second)); err != nil {
		t.Fatal(err)
	}
}

// sealed makes a message as the city does.
func sealed(t testing.TB, w world, id, data string) []byte {
	t.Helper()
	m, err := w.twin.Seal(id, []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestPushesAreKeptUntilTheLotIsThere: before the first connection, while the broker is gone, while the city is.
func TestPushesAreKeptUntilTheLotIsThere(t *testing.T) {
	w := newWorld(t)
	arrive(t, w, 1)
	ear := w.listen(t, w.settings(), nil)
	if p := ear.next(); p.Departure == nil {
		t.Fatalf("push = %+v", p)
	}
	w.await(t, "the first", allConfirmed(1))
	dial(t, w, "hangzhou-mqtt", twin.Dial{Fault: twin.Refuse})
	arrive(t, w, 2)
	arrive(t, w, 3)
	if b := w.twin.ReadBooks(); b.Pushes[1].Confirmed != 0 {
		t.Fatalf("pushes = %+v", b.Pushes)
	}
	dial(t, w, "hangzhou-mqtt", twin.Dial{})
	for range 2 {
		if p := ear.next(); p.Departure == nil {
			t.Fatalf("push = %+v", p)
		}
	}
	w.await(t, "after the broker came back", allConfirmed(3))
	if text := w.log.String(); !strings.Contains(text, "the city's broker is lost") || !strings.Contains(text, "the city's broker is there") {
		t.Errorf("log:\n%s", text)
	}
	ear.close()
	arrive(t, w, 4)
	again := w.listen(t, w.settings(), nil)
	if p := again.next(); p.Departure == nil {
		t.Fatalf("push = %+v", p)
	}
	w.await(t, "a new subscriber", allConfirmed(4))
}

// TestTheLotIsToldAgainAfterTheCityWasRestored: what a city has in its books and nobody acknowledged.
func TestTheLotIsToldAgainAfterTheCityWasRestored(t *testing.T) {
	w := newWorld(t)
	arrive(t, w, 1)
	hold := hangzhou.Policy{NoSense: true, LeaveFirst: true, Limit: 5000, DelayMS: 3_600_000}
	if err := w.twin.Do(hangzhou.Want{Policy: &hold}); err != nil { // the result is an hour away
		t.Fatal(err)
	}
	if err := operations(w, 1)["ApplyPayment"](twintest.Within(t, 5*time.Second)); err != nil {
		t.Fatal(err)
	}
	state, err := w.twin.Save()
	if err != nil {
		t.Fatal(err)
	}
	other := newWorld(t)
	if err := other.twin.Restore(state); err != nil {
		t.Fatal(err)
	}
	ear := other.listen(t, other.settings(), nil)
	departures, results := 0, 0
	for range 3 { // two permissions, one result: what was being collected is settled by then
		switch p := ear.next(); {
		case p.Departure != nil:
			departures++
		case p.Result != nil && p.Result.Status == hangzhou.Paid:
			results++
		}
	}
	if departures != 2 || results != 1 {
		t.Errorf("%d permissions, %d results", departures, results)
	}
	other.await(t, "all acknowledged", allConfirmed(3))
}

// TestAPushIsAcknowledgedOnlyOnceItIsHandled: an error of the handler's brings it again, and holds nobody else up.
func TestAPushIsAcknowledgedOnlyOnceItIsHandled(t *testing.T) {
	w := newWorld(t)
	var failures atomic.Int32
	var second atomic.Bool
	ear := w.listen(t, w.settings(), func(p hangzhou.Push) error {
		if p.Departure.Limit == 2 {
			second.Store(true)
		}
		if p.Departure.Limit == 1 && (failures.Add(1) <= 3 || !second.Load()) {
			return fmt.Errorf("the ledger is full: %s", p.Departure.Plate)
		}
		return nil
	})
	w.await(t, "the subscriber is there", func(hangzhou.Books) bool { return strings.Contains(w.log.String(), "is there") })
	low := hangzhou.Policy{NoSense: true, LeaveFirst: true, Limit: 1}
	if err := w.twin.Do(hangzhou.Want{Policy: &low}); err != nil {
		t.Fatal(err)
	}
	arrive(t, w, 1)
	if p := ear.next(); p.Departure.Limit != 1 {
		t.Fatalf("push = %+v", p)
	}
	high := hangzhou.Policy{NoSense: true, LeaveFirst: true, Limit: 2}
	if err := w.twin.Do(hangzhou.Want{Plate: plate, Policy: &high}); err != nil { // another push, of the same stay
		t.Fatal(err)
	}
	for p := ear.next(); p.Departure.Limit != 2; p = ear.next() { // the first one fails until it comes: it is not held up
	}
	w.await(t, "both acknowledged in the end", allConfirmed(2))
	if n := failures.Load(); n < 4 {
		t.Errorf("the handler was asked %d times for the first", n)
	}
	for _, p := range w.twin.ReadBooks().Pushes {
		if p.Confirmed != 1 {
			t.Errorf("acknowledged %d times: %+v", p.Confirmed, p)
		}
	}
	if strings.Contains(w.log.String(), plate) {
		t.Errorf("the log shows the plate:\n%s", w.log)
	}
}

// TestAnAcknowledgementThatIsLostIsSentAgain: and what was handled is not handled again.
func TestAnAcknowledgementThatIsLostIsSentAgain(t *testing.T) {
	for _, d := range []twin.Dial{{Fault: twin.Status5}, {Fault: twin.Reset, AfterEffect: true}, {Fault: twin.Garbage}, {Fault: twin.Refuse}, {Fault: twin.Status4}} {
		t.Run(string(d.Fault), func(t *testing.T) {
			w := newWorld(t)
			arrive(t, w, 1)
			if d.Fault != twin.Refuse {
				d.Path = "/api/v2/cp/confirm"
			}
			dial(t, w, "hangzhou", d)
			ear := w.listen(t, w.settings(), nil)
			ear.next()
			w.await(t, "it was tried more than once", func(hangzhou.Books) bool { return strings.Count(w.log.String(), "not acknowledged") > 1 })
			dial(t, w, "hangzhou", twin.Dial{})
			w.await(t, "acknowledged", allConfirmed(1))
			arrive(t, w, 2)
			if p := ear.next(); p.Departure == nil {
				t.Errorf("push = %+v", p)
			}
			w.await(t, "the next one", allConfirmed(2))
			select {
			case p := <-ear.heard:
				t.Errorf("handled twice: %s", p.RequestID)
			default:
			}
		})
	}
}

// TestEveryFaultOfTheBroker: whatever it does, the lot comes back and hears what it missed.
func TestEveryFaultOfTheBroker(t *testing.T) {
	for _, fault := range twin.Faults() {
		t.Run(string(fault), func(t *testing.T) {
			w := newWorld(t)
			dial(t, w, "hangzhou-mqtt", twin.Dial{Fault: fault})
			s := w.settings()
			s.Timeout = 100 * time.Millisecond
			if fault == twin.Slow {
				s.Timeout = 10 * time.Second
			}
			ear := w.listen(t, s, nil)
			arrive(t, w, 1)
			if fault != twin.Slow {
				w.await(t, "the broker is lost", func(hangzhou.Books) bool { return strings.Count(w.log.String(), "is lost") > 1 })
			}
			dial(t, w, "hangzhou-mqtt", twin.Dial{})
			if p := ear.next(); p.Departure == nil {
				t.Errorf("push = %+v", p)
			}
			w.await(t, "acknowledged", allConfirmed(1))
		})
	}
}

// TestWhatIsNoPushIsDropped: forged, garbage, oversized, another's, or of a kind that is none. What is real after it is heard.
func TestWhatIsNoPushIsDropped(t *testing.T) {
	w := newWorld(t)
	s := w.settings()
	s.MaxMessage = 2048
	ear := w.listen(t, s, nil)
	w.await(t, "the subscriber is there", func(hangzhou.Books) bool { return strings.Contains(w.log.String(), "is there") })
	both, err := keys()
	if err != nil {
		t.Fatal(err)
	}
	real := sealed(t, w, "R1", permission)
	forged := func(key, data string) []byte {
		form, err := hangzhou.SealForm(key, lot, data)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Appendf(nil, `{"requestId":"R1","cipher":%q,"sign":%q}`, form.Get("cipher"), form.Get("sign"))
	}
	own, another := departureTopic+"/riverside/riverside", departureTopic+"/riverside/hillside"
	for _, bad := range []struct {
		name, topic string
		message     []byte
		why         string // in the log
	}{
		{"forged with the lot's own key", own, forged(both.Lot, permission), "signature"},
		{"a signature that is another message's", own, bytes.Replace(real, []byte(`"sign":"`), []byte(`"sign":"AAAA`), 1), "signature"},
		{"a message that was changed", own, bytes.Replace(real, []byte(`"cipher":"`), []byte(`"cipher":"AAAA`), 1), "signature"},
		{"no signature", own, []byte(`{"requestId":"R1","cipher":"AAAA"}`), "signature"},
		{"not base64", own, []byte(`{"requestId":"R1","cipher":"AAAA","sign":"?"}`), "base64"},
		{"no number", own, sealed(t, w, "", permission), "requestId"},
		{"a number that is a plate", own, sealed(t, w, plate, permission), "requestId"},
		{"garbage", own, []byte("<html>\x00\xff"), "no message"},
		{"nothing", own, nil, "no message"},
		{"null", own, []byte("null"), "requestId"},
		{"over the bound", own, sealed(t, w, "R1", permission+strings.Repeat(" ", 8000)), "over the bound"},
		{"not JSON inside", own, sealed(t, w, "R1", "plate"), "does not fit"},
		{"bytes after the end", own, sealed(t, w, "R1", permission+"x"), "does not fit"},
		{"another's topic", departureTopic + "/riverside2/riverside", real, ""}, // the broker's own rule keeps it away
		{"a topic with too much", departureTopic + "/riverside/riverside/x", real, "none of the interface"},
		{"another lot's topic", another, sealed(t, w, "R1", strings.ReplaceAll(permission, "riverside", "hillside")), ""},
		{"another lot's topic and this one's data", another, real, ""},
		{"another lot's data", own, sealed(t, w, "R1", strings.ReplaceAll(permission, "riverside", "hillside")), ""},
		{"a permission as a result", resultTopic + "/riverside/riverside", real, "does not fit"},
		{"no limit", own, sealed(t, w, "R1", strings.Replace(permission, `,"moneyLimit":5000`, ``, 1)), "does not fit"},
		{"a limit of a fraction", own, sealed(t, w, "R1", strings.Replace(permission, `5000`, `50.5`, 1)), "does not fit"},
		{"a negative limit", own, sealed(t, w, "R1", strings.Replace(permission, `5000`, `-1`, 1)), "does not fit"},
		{"a limit past all bounds", own, sealed(t, w, "R1", strings.Replace(permission, `5000`, `9007199254740993`, 1)), "does not fit"},
		{"neither yes nor no", own, sealed(t, w, "R1", strings.Replace(permission, `"noSense":1`, `"noSense":2`, 1)), "does not fit"},
		{"a plate that is none", own, sealed(t, w, "R1", strings.Replace(permission, plate, "", 1)), "does not fit"},
		{"a paid result without a number", resultTopic + "/riverside/riverside", sealed(t, w, "R1", `{"billID":"b","payStatus":1,"actualPay":3000}`), "does not fit"},
		{"a paid result without an amount", resultTopic + "/riverside/riverside", sealed(t, w, "R1", `{"billID":"b","payStatus":1,"orderCode":"C1"}`), "does not fit"},
		{"a result of no bill", resultTopic + "/riverside/riverside", sealed(t, w, "R1", `{"payStatus":1,"actualPay":3000,"orderCode":"C1"}`), "does not fit"},
	} {
		lines := len(w.log.String())
		if err := w.twin.Publish(bad.topic, bad.message); err != nil {
			t.Fatal(bad.name, err)
		}
		arrive(t, w, len(w.twin.ReadBooks().Pushes)+1)
		if p := ear.next(); p.Departure == nil || p.Departure.Limit != hangzhou.DefaultLimit {
			t.Errorf("%s: it was taken: %+v", bad.name, p)
		}
		if text := w.log.String()[lines:]; bad.why != "" && !strings.Contains(text, bad.why) || bad.why == "" && text != "" {
			t.Errorf("%s: log: %s", bad.name, text)
		}
	}
	n := len(w.twin.ReadBooks().Pushes)
	w.await(t, "what was real", allConfirmed(n))
	if b := w.twin.ReadBooks(); len(b.Refused) != 0 {
		t.Errorf("what was dropped was acknowledged: %+v", b.Refused)
	}
	if text := w.log.String(); strings.Contains(text, "12345") || strings.Contains(text, "lost") {
		t.Errorf("log:\n%s", text)
	}
}

// TestWhatIsTaken: encodings that public clients convert, and words that are new.
func TestWhatIsTaken(t *testing.T) {
	w := newWorld(t)
	for _, test := range []struct {
		topic, data string
		want        hangzhou.Push
	}{
		{departureTopic + "/riverside", strings.Replace(permission, `"noSense":1`, `"noSense":"1","new":[1]`, 1), hangzhou.Push{Departure: &hangzhou.DeparturePay{Plate: plate, NoSense: true, LeaveFirst: true, Limit: 5000}}},
		{departureTopic + "/riverside/riverside", `{"plateNo":"浙A12345","noSense":true,"departurePay":"0","moneyLimit":"0"}`, hangzhou.Push{Departure: &hangzhou.DeparturePay{Plate: plate, NoSense: true}}},
		{resultTopic + "/riverside", `{"billID":"b","payStatus":"1","actualPay":"3000","orderCode":2026050222001}`, hangzhou.Push{Result: &hangzhou.PayResult{BillID: "b", Status: hangzhou.Paid, Paid: 3000, Order: "2026050222001"}}},
		{resultTopic + "/riverside/riverside", `{"billID":"b","payStatus":7}`, hangzhou.Push{Result: &hangzhou.PayResult{BillID: "b", Status: hangzhou.Failed}}},
		{resultTopic + "/riverside/riverside", `{"billID":"b","payStatus":0,"orderCode":""}`, hangzhou.Push{Result: &hangzhou.PayResult{BillID: "b"}}},
		{feeTopic + "/riverside/riverside", `{"plateNo":"浙A12345"}`, hangzhou.Push{Fee: &hangzhou.FeeQuery{Plate: plate}}},
	} {
		got, err := w.client.Read(test.topic, sealed(t, w, "R1", test.data))
		test.want.RequestID = "R1"
		if err != nil || fmt.Sprint(text(got)) != fmt.Sprint(text(test.want)) {
			t.Errorf("%s %s: got %v, %v", test.topic, test.data, text(got), err)
		}
	}
}

// text shows what a push points to.
func text(p hangzhou.Push) []any {
	out := []any{p.RequestID}
	if p.Departure != nil {
		out = append(out, *p.Departure)
	}
	if p.Result != nil {
		out = append(out, *p.Result)
	}
	if p.Fee != nil {
		out = append(out, *p.Fee)
	}
	return out
}

// TestAReplayedPush: the same message is handled once and acknowledged each time. Under another number it is another message: the
// number is not signed, so handlers must judge by what a push says.
func TestAReplayedPush(t *testing.T) {
	w := newWorld(t)
	ear := w.listen(t, w.settings(), nil)
	arrive(t, w, 1)
	first := ear.next()
	w.await(t, "acknowledged", allConfirmed(1))
	data := w.twin.PushData(first.RequestID)
	topic := departureTopic + "/riverside/riverside"
	for range 3 {
		if err := w.twin.Publish(topic, sealed(t, w, first.RequestID, string(data))); err != nil {
			t.Fatal(err)
		}
	}
	w.await(t, "acknowledged each time", func(b hangzhou.Books) bool { return b.Pushes[0].Confirmed == 4 })
	if err := w.twin.Publish(topic, sealed(t, w, "R-of-mine", string(data))); err != nil {
		t.Fatal(err)
	}
	if p := ear.next(); p.RequestID != "R-of-mine" {
		t.Errorf("push = %+v", p)
	}
	w.await(t, "a number that the city doesn't know", func(b hangzhou.Books) bool { return len(b.Refused) == 1 })
	// A number that was used does not shield another message.
	if err := w.twin.Publish(topic, sealed(t, w, first.RequestID, permission)); err != nil {
		t.Fatal(err)
	}
	if p := ear.next(); p.RequestID != first.RequestID || p.Departure.Limit != 5000 {
		t.Errorf("push = %+v", p)
	}
}

// TestTheFeeIsAskedForOnce: and wants no acknowledgement.
func TestTheFeeIsAskedForOnce(t *testing.T) {
	w := newWorld(t)
	ear := w.listen(t, w.settings(), nil)
	arrive(t, w, 1)
	ear.next()
	if err := w.twin.Do(hangzhou.Want{Fee: plate}); err != nil {
		t.Fatal(err)
	}
	if p := ear.next(); p.Fee == nil || p.Fee.Plate != plate {
		t.Errorf("push = %+v", p)
	}
}

// TestSubscribeEndsWithItsContext: wherever it is.
func TestSubscribeEndsWithItsContext(t *testing.T) {
	for _, fault := range append(twin.Faults(), "") {
		w := newWorld(t)
		dial(t, w, "hangzhou-mqtt", twin.Dial{Fault: fault})
		s := w.settings()
		s.Timeout, s.BackOff, s.MaxBackOff = time.Minute, time.Minute, time.Minute
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		begin := time.Now()
		err := w.client.Subscribe(ctx, s, func(context.Context, hangzhou.Push) error { return errors.New("no") })
		cancel()
		if err != nil || time.Since(begin) > 5*time.Second {
			t.Errorf("%q: %v after %s", fault, err, time.Since(begin))
		}
	}
}

func TestSettingsAreValidated(t *testing.T) {
	w := newWorld(t)
	for field, change := range map[string]func(*hangzhou.Settings){
		"options.broker":      func(s *hangzhou.Settings) { s.Broker = "http://127.0.0.1:1" },
		"options.broker ":     func(s *hangzhou.Settings) { s.Broker = "mqtt://u:p@127.0.0.1:1" },
		"options.broker  ":    func(s *hangzhou.Settings) { s.Broker = "" },
		"secrets.password":    func(s *hangzhou.Settings) { s.Password = "a\nb" },
		"options.client_id":   func(s *hangzhou.Settings) { s.ClientID = "a/b" },
		"options.max_message": func(s *hangzhou.Settings) { s.MaxMessage = 10 },
		"options.keep_alive":  func(s *hangzhou.Settings) { s.KeepAlive = time.Millisecond },
		"options.timeout":     func(s *hangzhou.Settings) { s.Timeout = time.Hour },
		"options.back_off":    func(s *hangzhou.Settings) { s.BackOff = time.Minute },
	} {
		s := w.settings()
		change(&s)
		err := w.client.Subscribe(twintest.Within(t, 5*time.Second), s, nil)
		if err == nil || !strings.Contains(err.Error(), strings.TrimSpace(field)) || s.Password == "a\nb" && strings.Contains(err.Error(), "a\nb") {
			t.Errorf("%s: %v", field, err)
		}
	}
	s := w.settings()
	s.Password = "another"
	if err := w.client.SessionOf(twintest.Within(t, 5*time.Second), s, nil); err == nil || !strings.Contains(err.Error(), "code 4") && !strings.Contains(err.Error(), "code 5") {
		t.Errorf("another password: %v", err)
	}
}
