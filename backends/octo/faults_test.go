package octo_test

import (
	"context"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/octo"
	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/backends/twin/twintest"
	"github.com/warmgate/warmgate/backends/wire"
)

// TestEveryFaultHasItsFate is the client's half of the budget matrix.
func TestEveryFaultHasItsFate(t *testing.T) {
	w := newWorld(t, func(c *octo.Config) { c.MaxBody = 64 << 10 })
	for fault, want := range twintest.Fates() {
		for _, kept := range []bool{false, true} {
			name := string(fault)
			if kept {
				name += " on a kept connection"
			}
			t.Run(name, func(t *testing.T) {
				code := w.twin.Fresh().Units[0].Code
				if kept {
					if _, err := w.client.Lookup(twintest.Within(t, 5*time.Second), code); err != nil {
						t.Fatal(err)
					}
				} else {
					w.client.Close()
				}
				w.Dial(t, twin.Dial{Fault: fault})
				twintest.Meet(t, want, 300*time.Millisecond, func(ctx context.Context) error {
					_, err := w.client.Redeem(ctx, code)
					if strings.Contains(err.Error(), code) {
						t.Errorf("the error shows the ticket: %v", err)
					}
					return err
				})
				w.Dial(t, twin.Dial{})
				at, err := w.client.Redeemed(twintest.Within(t, 5*time.Second), code)
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
	for _, loss := range twintest.Losses() {
		code := w.twin.Fresh().Units[0].Code
		w.Dial(t, loss)
		twintest.Lose(t, loss, func(ctx context.Context) error { _, err := w.client.Redeem(ctx, code); return err })
		w.Dial(t, twin.Dial{})
		if at, err := w.client.Redeemed(twintest.Within(t, 5*time.Second), code); err != nil || at.IsZero() {
			t.Errorf("%q: Redeemed = %v, %v", loss.Fault, at, err)
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
		if _, err := w.client.Redeem(twintest.Within(t, 5*time.Second), m.Units[0].Code); err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
		for _, d := range []twin.Dial{{Fault: twin.Refuse}, {}} { // cuts what is open, then opens again
			w.Dial(t, d)
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
	all := map[string]string{"Octo-Capabilities": "octo/content, octo/redemption"}
	maps.Copy(all, header)
	base := twintest.Serve(t, twintest.Answer{Status: status, Header: all, Body: body})
	c, err := octo.New(octo.Config{BaseURL: base + "/octo/", APIKey: testKey, Supplier: "s", MaxBody: 4096})
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
		_, err := client.Lookup(twintest.Within(t, 5*time.Second), "C1")
		if e := twintest.ErrorOf(t, err); e.Fate != wire.Unknown || e.Reason != wire.ReasonGarbage {
			t.Errorf("Lookup %s: %v", body, e)
		}
		_, err = client.Availability(twintest.Within(t, 5*time.Second), octo.AvailabilityQuery{ProductID: "p", OptionID: "o"})
		if e := twintest.ErrorOf(t, err); e.Fate != wire.Unknown || e.Reason != wire.ReasonGarbage {
			t.Errorf("Availability %s: %v", body, e)
		}
	}
	client := answerer(t, 200, nil, `[]`)
	_, err := client.Redeemed(twintest.Within(t, 5*time.Second), "C1")
	if e := twintest.ErrorOf(t, err); e.Fate != wire.Refused || e.Code != octo.CodeUnprocessable {
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
			b, err := client.Redeem(twintest.Within(t, 5*time.Second), "C1")
			if c.fate == 0 {
				if err != nil || b.UnitItems[0].Code() != "C1" {
					t.Fatalf("got %+v, %v", b, err)
				}
				return
			}
			e := twintest.ErrorOf(t, err)
			if e.Fate != c.fate || e.Reason != c.reason {
				t.Fatalf("want %s (%s), got %v", c.fate, c.reason, e)
			}
			if c.status == 503 && e.RetryAfter != 7*time.Second {
				t.Errorf("Retry-After = %s", e.RetryAfter)
			}
		})
	}
}
