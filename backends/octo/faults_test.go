package octo_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/octo"
	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/backends/wire"
)

// TestEveryFaultHasItsFate is the client's half of the budget matrix.
func TestEveryFaultHasItsFate(t *testing.T) {
	want := map[twin.Fault]struct {
		fate   wire.Fate
		reason wire.Reason
		status int
	}{
		twin.Hang:    {wire.Unknown, wire.ReasonTimeout, 0},
		twin.Slow:    {wire.Unknown, wire.ReasonTimeout, 0},
		twin.Refuse:  {wire.NotSent, wire.ReasonDial, 0},
		twin.Reset:   {wire.Unknown, wire.ReasonReset, 0},
		twin.Status5: {wire.Unknown, wire.ReasonStatus, 500},
		twin.Status4: {wire.Unknown, wire.ReasonRateLimited, 429},
		twin.Garbage: {wire.Unknown, wire.ReasonGarbage, 200},
		twin.Endless: {wire.Unknown, wire.ReasonTooLarge, 0},
	}
	w := newWorld(t, func(c *octo.Config) { c.MaxBody = 64 << 10 })
	for _, fault := range twin.Faults() {
		limit := 10 * time.Second // for what is noticed at once, on a busy machine too
		if want[fault].reason == wire.ReasonTimeout {
			limit = 300 * time.Millisecond
		}
		for _, kept := range []bool{false, true} {
			name := string(fault)
			if kept {
				name += " on a kept connection"
			}
			t.Run(name, func(t *testing.T) {
				made := w.twin.Fresh()
				if kept {
					if _, err := w.client.Lookup(within(t, 5*time.Second), made.Units[0].Code); err != nil {
						t.Fatal(err)
					}
				} else {
					w.client.Close()
				}
				if err := w.city.Dial("octo", "west-lake", twin.Dial{Fault: fault}); err != nil {
					t.Fatal(err)
				}
				begin := time.Now()
				_, err := w.client.Redeem(within(t, limit), made.Units[0].Code)
				took := time.Since(begin)
				e := asError(t, err)
				if expect := want[fault]; e.Fate != expect.fate || e.Reason != expect.reason || e.Status != expect.status {
					t.Errorf("want %+v, got %+v", expect, e)
				}
				if took > limit+700*time.Millisecond {
					t.Errorf("took %s, the deadline was %s", took, limit)
				}
				if e.Reason == wire.ReasonTimeout != errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%v: context.DeadlineExceeded belongs to a timeout, and to it alone", err)
				}
				if strings.Contains(err.Error(), made.Units[0].Code) {
					t.Errorf("the error shows the ticket: %v", err)
				}
				if err := w.city.Dial("octo", "west-lake", twin.Dial{}); err != nil {
					t.Fatal(err)
				}
				at, err := w.client.Redeemed(within(t, 5*time.Second), made.Units[0].Code)
				if err != nil || at.IsZero() == (fault == twin.Slow) {
					t.Errorf("after the fault: redeemed at %v, %v", at, err)
				}
			})
		}
	}
}

// TestTheAnswerIsLostAfterTheEffect: what exactly-once depends on.
func TestTheAnswerIsLostAfterTheEffect(t *testing.T) {
	w := newWorld(t, nil)
	for _, fault := range []twin.Fault{"", twin.Hang, twin.Reset, twin.Status5, twin.Status4, twin.Garbage, twin.Endless} {
		made := w.twin.Fresh()
		d := twin.Dial{Fault: fault, AfterEffect: true}
		if fault == "" {
			d.LatencyMS = 400
		}
		if err := w.city.Dial("octo", "*", d); err != nil {
			t.Fatal(err)
		}
		_, err := w.client.Redeem(within(t, 200*time.Millisecond), made.Units[0].Code)
		if e := asError(t, err); e.Fate != wire.Unknown {
			t.Errorf("%q: %+v", fault, e)
		}
		if err := w.city.Dial("octo", "*", twin.Dial{}); err != nil {
			t.Fatal(err)
		}
		if at, err := w.client.Redeemed(within(t, 5*time.Second), made.Units[0].Code); err != nil || at.IsZero() {
			t.Errorf("%q: Redeemed = %v, %v", fault, at, err)
		}
	}
	for _, r := range w.twin.ReadBooks().Redemptions {
		if r.Attempts != 1 || r.Effects != 1 {
			t.Errorf("the client sent a request twice: %+v", r)
		}
	}
}

// TestAStaleConnectionIsNotUnknown: a supplier that restarts between two calls must not make the second one's fate unclear.
func TestAStaleConnectionIsNotUnknown(t *testing.T) {
	w := newWorld(t, nil)
	made, err := w.twin.Issue(octo.Want{Count: 9})
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range made {
		if _, err := w.client.Redeem(within(t, 5*time.Second), m.Units[0].Code); err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
		for _, d := range []twin.Dial{{Fault: twin.Refuse}, {}} { // cuts what is open, then opens again
			if err := w.city.Dial("octo", "west-lake", d); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, r := range w.twin.ReadBooks().Redemptions {
		if r.Attempts != 1 {
			t.Errorf("%+v", r)
		}
	}
}

// answerer is a supplier that answers every request with one prepared answer.
func answerer(t *testing.T, status int, header map[string]string, body string) *octo.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Octo-Capabilities", "octo/content, octo/redemption")
		for k, v := range header {
			w.Header().Set(k, v)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	c, err := octo.New(octo.Config{BaseURL: server.URL + "/octo/", APIKey: testKey, Supplier: "s", MaxBody: 4096})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

const aBooking = `{"id":"b","uuid":"9f3c2a1e-0000-4000-8000-000000000001","status":"REDEEMED","productId":"entry","optionId":"day",` +
	`"unitItems":[{"uuid":"u","unitId":"adult","status":"REDEEMED","utcRedeemedAt":"2026-05-02T05:00:00Z",` +
	`"ticket":{"deliveryOptions":[{"deliveryFormat":"QRCODE","deliveryValue":"C1"}]}}],"new":{"member":[1]}}`

// TestAnswersInListsAreJudged: one bad entry spoils the list.
func TestAnswersInListsAreJudged(t *testing.T) {
	for _, body := range []string{`null`, `{}`, `[null]`, `[{}]`, `[` + aBooking + `,{"uuid":"x"}]`} {
		client := answerer(t, 200, nil, body)
		_, err := client.Lookup(within(t, 5*time.Second), "C1")
		if e := asError(t, err); e.Fate != wire.Unknown || e.Reason != wire.ReasonGarbage {
			t.Errorf("Lookup %s: %v", body, e)
		}
		_, err = client.Availability(within(t, 5*time.Second), octo.AvailabilityQuery{ProductID: "p", OptionID: "o"})
		if e := asError(t, err); e.Fate != wire.Unknown || e.Reason != wire.ReasonGarbage {
			t.Errorf("Availability %s: %v", body, e)
		}
	}
	client := answerer(t, 200, nil, `[]`)
	_, err := client.Redeemed(within(t, 5*time.Second), "C1")
	if e := asError(t, err); e.Fate != wire.Refused || e.Code != octo.CodeUnprocessable {
		t.Errorf("Redeemed of a code that nobody knows: %v", e)
	}
}

func TestAnswersAreJudged(t *testing.T) {
	cases := []struct {
		name   string
		status int
		header map[string]string
		body   string
		fate   wire.Fate // 0: success
		reason wire.Reason
	}{
		{"a booking with members that are new", 200, nil, aBooking, 0, ""},
		{"an empty object", 200, nil, `{}`, wire.Unknown, wire.ReasonGarbage},
		{"null", 200, nil, " null", wire.Unknown, wire.ReasonGarbage},
		{"nothing", 200, nil, ``, wire.Unknown, wire.ReasonGarbage},
		{"an array", 200, nil, `[]`, wire.Unknown, wire.ReasonGarbage},
		{"a duplicate member", 200, nil, `{"id":"a",` + aBooking[1:], wire.Unknown, wire.ReasonGarbage},
		{"bytes after the end", 200, nil, aBooking + `x`, wire.Unknown, wire.ReasonGarbage},
		{"a success that is none", 200, nil, strings.Replace(aBooking, `"2026-05-02T05:00:00Z"`, "null", 1), wire.Unknown, wire.ReasonGarbage},
		{"no capability in the answer", 200, map[string]string{"Octo-Capabilities": "octo/content"}, aBooking, wire.Unknown, wire.ReasonGarbage},
		{"another 2xx", 202, nil, aBooking, wire.Unknown, wire.ReasonStatus},
		{"a redirect", 302, map[string]string{"Location": "/octo/elsewhere"}, aBooking, wire.Unknown, wire.ReasonStatus},
		{"an OCTO error", 400, nil, `{"error":"UNPROCESSABLE_ENTITY","errorMessage":"no"}`, wire.Refused, wire.ReasonRefused},
		{"an OCTO error as 404", 404, nil, `{"error":"INVALID_BOOKING_UUID","errorMessage":"no","uuid":"x"}`, wire.Refused, wire.ReasonRefused},
		{"an internal error under 400", 400, nil, `{"error":"INTERNAL_SERVER_ERROR","errorMessage":"no"}`, wire.Unknown, wire.ReasonStatus},
		{"a proxy's 404", 404, nil, `<html>`, wire.Unknown, wire.ReasonGarbage},
		{"a code that is none", 400, nil, `{"error":"no such 10010119","errorMessage":""}`, wire.Unknown, wire.ReasonGarbage},
		{"a request timeout", 408, nil, `{"error":"BAD_REQUEST","errorMessage":"no"}`, wire.Unknown, wire.ReasonStatus},
		{"a gateway's 503", 503, map[string]string{"Retry-After": "7"}, `{}`, wire.Unknown, wire.ReasonStatus},
		{"a large body", 200, nil, `[` + strings.Repeat(" ", 8192) + `]`, wire.Unknown, wire.ReasonTooLarge},
		{"a large head", 200, map[string]string{"X": strings.Repeat("x", 16<<10)}, aBooking, wire.Unknown, wire.ReasonReset},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			client := answerer(t, c.status, c.header, c.body)
			b, err := client.Redeem(within(t, 5*time.Second), "C1")
			if c.fate == 0 {
				if err != nil || b.UnitItems[0].Code() != "C1" {
					t.Fatalf("got %+v, %v", b, err)
				}
				return
			}
			e := asError(t, err)
			if e.Fate != c.fate || e.Reason != c.reason {
				t.Fatalf("want %s (%s), got %v", c.fate, c.reason, e)
			}
			if c.status == 503 && e.RetryAfter != 7*time.Second {
				t.Errorf("Retry-After = %s", e.RetryAfter)
			}
		})
	}
}
