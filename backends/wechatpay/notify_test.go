package wechatpay_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/twin/twintest"
	"github.com/warmgate/warmgate/backends/wechatpay"
)

// note makes the body of a notification, as the documents have it.
func note(event, plain, apiKey string) string {
	ciphertext, nonce := sealed(apiKey, plain, "transaction")
	return fmt.Sprintf(`{"id":"EV-1","create_time":"2026-05-02T10:00:04+08:00","resource_type":"encrypt-resource","event_type":%q,"summary":"s",`+
		`"resource":{"original_type":"transaction","algorithm":"AEAD_AES_256_GCM","ciphertext":%q,"associated_data":"transaction","nonce":%q}}`, event, ciphertext, nonce)
}

func TestNotificationsAreRead(t *testing.T) {
	c := newClient(t, fakeConfig("http://127.0.0.1:1", goodSigner()))
	key := credentials().APIv3Key
	parking := `{"sp_mchid":"1900000001","parking_id":"5K1","out_parking_no":"in-1","plate_number":"测A12345","plate_color":"BLUE","start_time":"2026-05-02T08:00:00+08:00",` +
		`"parking_name":"p","free_duration":900,"parking_state":"BLOCKED","blocked_state_description":"OVERDUE","state_update_time":"2026-05-02T09:00:00.123+08:00"}`
	refund := `{"mchid":"1900000001","out_trade_no":"pay-1","transaction_id":"42","out_refund_no":"back-1","refund_id":"50","refund_status":"SUCCESS",` +
		`"success_time":"2026-05-02T09:00:00+08:00","user_received_account":"a","amount":{"total":100,"refund":40,"payer_total":100,"payer_refund":40}}`
	fail := strings.NewReplacer(`"SUCCESS"`, `"FAIL"`, `"transaction_id":"4200000001",`, ``).Replace(aTransaction)
	for _, test := range []struct {
		name, body string
		why        error // nil: it is taken
	}{
		{"paid", note("TRANSACTION.SUCCESS", aTransaction, key), nil},
		{"not paid", note("TRANSACTION.FAIL", fail, key), nil},
		{"repaid", note("TRANSACTION.PAY_BACK", aTransaction, key), nil},
		{"blocked", note("VEHICLE.ENTRANCE_STATE_CHANGE", parking, key), nil},
		{"refunded", note("REFUND.SUCCESS", refund, key), nil},
		{"refunded, and how much is not said", note("REFUND.SUCCESS", refund[:strings.Index(refund, `,"amount"`)]+"}", key), nil},
		{"not refunded", note("REFUND.ABNORMAL", strings.Replace(refund, "SUCCESS", "ABNORMAL", 1), key), nil},
		{"another event", note("PAYSCORE.USER_OPEN_SERVICE", `{"x":1}`, key), nil},
		{"paid and it says otherwise", note("TRANSACTION.SUCCESS", fail, key), wechatpay.ErrUnreadable},
		{"not paid and it says otherwise", note("TRANSACTION.FAIL", aTransaction, key), wechatpay.ErrUnreadable},
		{"another merchant's", note("TRANSACTION.SUCCESS", strings.Replace(aTransaction, "1900000001", "1900000002", 1), key), wechatpay.ErrUnreadable},
		{"another merchant's car", note("VEHICLE.ENTRANCE_STATE_CHANGE", strings.Replace(parking, "1900000001", "1", 1), key), wechatpay.ErrUnreadable},
		{"another merchant's refund", note("REFUND.SUCCESS", strings.Replace(refund, "1900000001", "1", 1), key), wechatpay.ErrUnreadable},
		{"an empty transaction", note("TRANSACTION.SUCCESS", `{}`, key), wechatpay.ErrUnreadable},
		{"encrypted with another key", note("TRANSACTION.SUCCESS", aTransaction, strings.Repeat("k", 32)), wechatpay.ErrUnreadable},
		{"other data beside it", strings.Replace(note("TRANSACTION.SUCCESS", aTransaction, key), `"associated_data":"transaction"`, `"associated_data":"other"`, 1), wechatpay.ErrUnreadable},
		{"another algorithm", strings.Replace(note("TRANSACTION.SUCCESS", aTransaction, key), "AEAD_AES_256_GCM", "AES", 1), wechatpay.ErrUnreadable},
		{"a byte changed", strings.Replace(note("TRANSACTION.SUCCESS", aTransaction, key), `"ciphertext":"`, `"ciphertext":"AAAA`, 1), wechatpay.ErrUnreadable},
		{"a short nonce", `{"id":"EV-1","create_time":"2026-05-02T10:00:04+08:00","resource_type":"encrypt-resource","event_type":"TRANSACTION.SUCCESS","resource":{"algorithm":"AEAD_AES_256_GCM","ciphertext":"AAAA","nonce":"x"}}`, wechatpay.ErrUnreadable},
		{"no id", strings.Replace(note("TRANSACTION.SUCCESS", aTransaction, key), `"EV-1"`, `""`, 1), wechatpay.ErrUnreadable},
		{"another resource", strings.Replace(note("TRANSACTION.SUCCESS", aTransaction, key), "encrypt-resource", "plain", 1), wechatpay.ErrUnreadable},
		{"a duplicate member", `{"id":"EV-2",` + note("TRANSACTION.SUCCESS", aTransaction, key)[1:], wechatpay.ErrUnreadable},
		{"no object", `[]`, wechatpay.ErrUnreadable},
		{"nothing", ``, wechatpay.ErrUnreadable},
		{"too much", `"` + strings.Repeat("a", wechatpay.MaxNotification) + `"`, wechatpay.ErrForged},
	} {
		header := goodSigner().headers(time.Now(), test.body)
		n, err := c.Notification(twintest.Within(t, 5*time.Second), header.Get, []byte(test.body))
		if !errors.Is(err, test.why) || (err == nil) != (test.why == nil) {
			t.Errorf("%s: want %v, got %v", test.name, test.why, err)
		}
		if err != nil && (strings.Contains(err.Error(), "12345") || n != nil) {
			t.Errorf("%s: %+v, %v", test.name, n, err)
		}
	}
	body := note("VEHICLE.ENTRANCE_STATE_CHANGE", parking, key)
	n, err := c.Notification(twintest.Within(t, time.Second), goodSigner().headers(time.Now(), body).Get, []byte(body))
	if err != nil || n.Parking.State != wechatpay.Blocked || n.Parking.BlockReason != wechatpay.BlockOverdue || n.Parking.OutParkingNo != "in-1" || n.Transaction != nil {
		t.Errorf("%+v, %v", n, err)
	}
}

// TestForgedNotifications: who else may send, and what is sent again later.
func TestForgedNotifications(t *testing.T) {
	now := time.Now()
	clock := now
	cfg := fakeConfig("http://127.0.0.1:1", goodSigner())
	cfg.Clock = func() time.Time { return clock }
	c := newClient(t, cfg)
	body := note("TRANSACTION.SUCCESS", aTransaction, credentials().APIv3Key)
	forger := newSigner(t, 0xA1B2C3, now.Add(-time.Hour), now.Add(time.Hour))
	set := func(name, value string) http.Header {
		h := goodSigner().headers(now, body)
		h.Set(name, value)
		return h
	}
	for name, test := range map[string]struct {
		header http.Header
		why    error
	}{
		"another key of the same serial": {forger.headers(now, body), wechatpay.ErrForged},
		"no signature":                   {http.Header{}, wechatpay.ErrForged},
		"the signature of another body":  {goodSigner().headers(now, body+" "), wechatpay.ErrForged},
		"a probe of the provider's":      {set("Wechatpay-Signature", "WECHATPAY/SIGNTEST/x"), wechatpay.ErrForged},
		"another nonce":                  {set("Wechatpay-Nonce", "x"), wechatpay.ErrForged},
		"another time":                   {set("Wechatpay-Timestamp", fmt.Sprint(now.Unix()+1)), wechatpay.ErrForged},
		"too old":                        {goodSigner().headers(now.Add(-6*time.Minute), body), wechatpay.ErrStale},
		"of the future":                  {goodSigner().headers(now.Add(6*time.Minute), body), wechatpay.ErrStale},
		"no time":                        {set("Wechatpay-Timestamp", "x"), wechatpay.ErrStale},
		"an odd serial":                  {set("Wechatpay-Serial", "''"), wechatpay.ErrForged},
		"a serial when nobody answers":   {set("Wechatpay-Serial", "BEEF"), wechatpay.ErrUnverified},
	} {
		n, err := c.Notification(twintest.Within(t, 5*time.Second), test.header.Get, []byte(body))
		if n != nil || !errors.Is(err, test.why) {
			t.Errorf("%s: want %v, got %+v, %v", name, test.why, n, err)
		}
	}
	header := goodSigner().headers(now, body)
	for range 2 { // the provider may deliver the very same twice: the id tells
		if n, err := c.Notification(twintest.Within(t, time.Second), header.Get, []byte(body)); err != nil || n.ID != "EV-1" {
			t.Errorf("delivered again: %+v, %v", n, err)
		}
	}
	clock = now.Add(6 * time.Minute)
	if _, err := c.Notification(twintest.Within(t, time.Second), header.Get, []byte(body)); !errors.Is(err, wechatpay.ErrStale) {
		t.Errorf("replayed after the leeway: %v", err)
	}
}

// FuzzNotification: whatever arrives, a notification is whole or an error, never a panic; and an error shows nothing of it.
func FuzzNotification(f *testing.F) {
	key := credentials().APIv3Key
	c := newClient(f, fakeConfig("http://127.0.0.1:1", goodSigner()))
	for _, seed := range []string{aTransaction, `{}`, `[]`, `null`, ``, `{"amount":null}`, `{"out_trade_no":"secret 9f3c"}`, strings.Repeat(`[`, 20000)} {
		for _, event := range []string{wechatpay.EventPaid, wechatpay.EventParking, wechatpay.EventRefunded, "secret 9f3c"} {
			f.Add(event, []byte(seed), true)
			f.Add(event, []byte(seed), false)
		}
	}
	f.Fuzz(func(t *testing.T, event string, plain []byte, encrypt bool) {
		body := string(plain)
		if encrypt {
			body = note(event, body, key)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		n, err := c.Notification(ctx, goodSigner().headers(time.Now(), body).Get, []byte(body))
		switch {
		case err != nil && (n != nil || strings.Contains(err.Error(), "9f3c")):
			t.Errorf("%+v, %v", n, err)
		case err == nil && (n.ID == "" || n.Event == "" || n.Event == wechatpay.EventPaid && (n.Transaction == nil || n.Transaction.Total <= 0 || n.Transaction.ID == "")):
			t.Errorf("half a notification: %+v", n)
		}
	})
}
