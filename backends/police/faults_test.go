package police_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/police"
	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/backends/twin/twintest"
	"github.com/warmgate/warmgate/backends/wire"
)

// operations are all that can be asked about a stay that is registered.
func operations(c *police.Client, k string) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"Register": func(ctx context.Context) error { _, err := c.Register(ctx, k, stay()); return err },
		"Find":     func(ctx context.Context) error { _, err := c.Find(ctx, k); return err },
		"Correct": func(ctx context.Context) error {
			_, err := c.Correct(ctx, k, 1, police.Correction{Room: "1210"})
			return err
		},
		"Depart": func(ctx context.Context) error { _, err := c.Depart(ctx, k, morning); return err },
	}
}

// TestEveryFaultHasItsFate is the client's half of the budget matrix.
func TestEveryFaultHasItsFate(t *testing.T) {
	w := newWorld(t, nil)
	for fault, want := range twintest.Fates() {
		k := key(string(fault))
		for _, op := range []string{"Register", "Find", "Correct", "Depart"} {
			t.Run(string(fault)+" "+op, func(t *testing.T) {
				if op == "Correct" { // what is asked about the others must be there
					if _, err := w.client.Register(twintest.Within(t, 5*time.Second), k, stay()); err != nil {
						t.Fatal(err)
					}
				}
				w.Dial(t, twin.Dial{Fault: fault})
				want.Op = op
				twintest.Meet(t, want, 200*time.Millisecond, operations(w.client, k)[op])
				w.Dial(t, twin.Dial{})
				r, err := w.client.Find(twintest.Within(t, 5*time.Second), k)
				if err != nil {
					t.Fatalf("after the fault: %v", err)
				}
				slow := fault == twin.Slow // the one that has its effect
				if op == "Register" && (r != nil) != slow || op == "Correct" && (r.Revision == 1) != slow ||
					op == "Depart" && (r.State == police.Departed) != slow {
					t.Errorf("after the fault: %+v", r)
				}
			})
		}
	}
}

// TestTheAnswerIsLostAfterTheEffect: what exactly-once depends on. Asking by the key says that it happened, and sending
// the same again changes nothing.
func TestTheAnswerIsLostAfterTheEffect(t *testing.T) {
	w := newWorld(t, nil)
	happened := map[string]func(r *police.Registration) bool{
		"Register": func(r *police.Registration) bool { return r != nil && r.State == police.Registered && r.Room == "1208" },
		"Correct":  func(r *police.Registration) bool { return r.Revision == 1 && r.Room == "1210" },
		"Depart":   func(r *police.Registration) bool { return r.State == police.Departed && r.LeftAt.Equal(morning) },
	}
	losses := twintest.Losses()
	for _, loss := range losses {
		k := key("lost" + string(loss.Fault))
		for _, op := range []string{"Register", "Correct", "Depart"} {
			w.Dial(t, loss)
			twintest.Lose(t, loss, operations(w.client, k)[op])
			w.Dial(t, twin.Dial{})
			if r, err := w.client.Find(twintest.Within(t, 5*time.Second), k); err != nil || !happened[op](r) {
				t.Errorf("%q %s: Find = %+v, %v", loss.Fault, op, r, err)
			}
			if err := operations(w.client, k)[op](twintest.Within(t, 5*time.Second)); err != nil {
				t.Errorf("%q %s again: %v", loss.Fault, op, err)
			}
		}
	}
	b := w.twin.ReadBooks().Registrations
	if len(b) != len(losses) {
		t.Errorf("%d registrations, want %d", len(b), len(losses))
	}
	for _, r := range b {
		if r.Asked.Register != 2 || len(r.Revisions) != 1 || r.Revisions[0].Asked != 2 || r.Asked.Depart != 2 {
			t.Errorf("a request was sent twice by itself, or had its effect twice: %+v", r)
		}
	}
}

// answerer is a bureau that answers every request with one prepared answer.
func answerer(t testing.TB, answer twintest.Answer) *police.Client {
	t.Helper()
	c, err := police.New(police.Config{BaseURL: twintest.Serve(t, answer) + "/bureau/", APIKey: testKey, Hotel: "h", MaxBody: 4096})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

const aRegistration = `{"key":"stay-one-0123456789","number":"PR-1","state":"registered","hotel":"h","room":"1208","revision":0,` +
	`"registered_at":"2026-05-02T19:30:00+08:00","arrived_at":"2026-05-02T19:30:00+08:00","expected_departure":"2026-05-04","new":[1]}`

func TestAnswersAreJudged(t *testing.T) {
	without := func(old, now string) string { return strings.Replace(aRegistration, old, now, 1) }
	for _, test := range []struct {
		name   string
		status int
		header map[string]string
		body   string
		fate   wire.Fate // 0: success
		reason wire.Reason
	}{
		{"a registration with members that are new", 200, nil, aRegistration, 0, ""},
		{"a new registration", 201, nil, aRegistration, 0, ""},
		{"another's registration", 200, nil, without("stay-one", "stay-two"), wire.Unknown, wire.ReasonGarbage},
		{"no number", 200, nil, without("PR-1", ""), wire.Unknown, wire.ReasonGarbage},
		{"no room", 200, nil, without("1208", ""), wire.Unknown, wire.ReasonGarbage},
		{"another state", 200, nil, without(`"registered"`, `"pending"`), wire.Unknown, wire.ReasonGarbage},
		{"departed and not left", 200, nil, without(`"registered"`, `"departed"`), wire.Unknown, wire.ReasonGarbage},
		{"left and not departed", 200, nil, without(`"new"`, `"left_at":"2026-05-04T10:05:00+08:00","new"`), wire.Unknown, wire.ReasonGarbage},
		{"an empty object", 200, nil, `{}`, wire.Unknown, wire.ReasonGarbage},
		{"null", 200, nil, ` null`, wire.Unknown, wire.ReasonGarbage},
		{"nothing", 200, nil, ``, wire.Unknown, wire.ReasonGarbage},
		{"nothing, and so it says", 204, nil, ``, wire.Unknown, wire.ReasonStatus},
		{"accepted for later", 202, nil, aRegistration, wire.Unknown, wire.ReasonStatus},
		{"a duplicate member", 200, nil, `{"number":"PR-1",` + aRegistration[1:], wire.Unknown, wire.ReasonGarbage},
		{"bytes after the end", 200, nil, aRegistration + `x`, wire.Unknown, wire.ReasonGarbage},
		{"a redirect", 302, map[string]string{"Location": "/elsewhere"}, aRegistration, wire.Unknown, wire.ReasonStatus},
		{"a refusal", 422, nil, `{"reason":"bad-document","message":"no"}`, wire.Refused, wire.ReasonRefused},
		{"a refusal with a word of its own", 422, nil, `{"reason":"closed","message":"no"}`, wire.Refused, wire.ReasonRefused},
		{"an internal error under 400", 400, nil, `{"reason":"internal","message":"no"}`, wire.Unknown, wire.ReasonStatus},
		{"a proxy's 404", 404, nil, `<html>`, wire.Unknown, wire.ReasonGarbage},
		{"a refusal without a word", 409, nil, `{"message":"no"}`, wire.Unknown, wire.ReasonGarbage},
		{"a word that is none", 422, nil, `{"reason":"no such 99000019900502001X","message":""}`, wire.Unknown, wire.ReasonGarbage},
		{"a request timeout", 408, nil, `{"reason":"bad-request","message":"no"}`, wire.Unknown, wire.ReasonStatus},
		{"a gateway's 503", 503, map[string]string{"Retry-After": "7"}, `{}`, wire.Unknown, wire.ReasonStatus},
		{"a large body", 200, nil, `[` + strings.Repeat(" ", 8192) + `]`, wire.Unknown, wire.ReasonTooLarge},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := answerer(t, twintest.Answer{Status: test.status, Header: test.header, Body: test.body})
			r, err := c.Register(twintest.Within(t, 5*time.Second), key("one"), stay())
			if test.fate == 0 {
				if err != nil || r.Number != "PR-1" {
					t.Fatalf("got %+v, %v", r, err)
				}
				return
			}
			e := twintest.ErrorOf(t, err)
			if e.Fate != test.fate || e.Reason != test.reason {
				t.Fatalf("want %s (%s), got %v", test.fate, test.reason, e)
			}
			if test.status == 503 && e.RetryAfter != 7*time.Second {
				t.Errorf("Retry-After = %s", e.RetryAfter)
			}
			if r, err := c.Find(twintest.Within(t, 5*time.Second), key("one")); r != nil || err == nil {
				t.Errorf("Find takes it for an answer: %+v, %v", r, err)
			}
		})
	}
}

// FuzzAnswer: whatever a bureau sends, the client makes a whole registration or an error of it, and never a panic; and an
// error's text never holds what was sent.
func FuzzAnswer(f *testing.F) {
	for _, body := range []string{aRegistration, `{}`, `[]`, `null`, ``, `{"reason":"secret 9f3c"}`, `{"reason":"see-staff","message":"secret"}`,
		`{"registered_at":"x"}`, strings.Repeat(`[`, 20000)} {
		for _, status := range []int{200, 201, 404, 422, 429, 500} {
			f.Add(status, []byte(body))
		}
	}
	var status int
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write(body)
	}))
	f.Cleanup(server.Close)
	c, err := police.New(police.Config{BaseURL: server.URL, APIKey: testKey, Hotel: "h"})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(c.Close)
	f.Fuzz(func(t *testing.T, s int, b []byte) {
		status, body = 200+((s%400)+400)%400, b
		if strings.HasPrefix(http.StatusText(status), "Switching") || status == 204 || status == 304 {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		r, err := c.Find(ctx, key("one"))
		switch {
		case r != nil && (err != nil || status > 201 || r.Key != key("one") || r.Number == "" || r.Room == ""):
			t.Errorf("%d: %+v, %v", status, r, err)
		case err != nil && (twintest.ErrorOf(t, err).Fate == wire.NotSent || strings.Contains(err.Error(), "secret ")):
			t.Errorf("%d: %v", status, err)
		}
	})
}
