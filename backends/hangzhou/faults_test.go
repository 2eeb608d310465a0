package hangzhou_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/hangzhou"
	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/backends/twin/twintest"
	"github.com/warmgate/warmgate/backends/wire"
)

// operations are all that can be asked about the stay number n, each of which can be told from the others in the books.
func operations(w world, n int) map[string]func(context.Context) error {
	s := stay()
	s.Entry = strconv.Itoa(n)
	bill := "bill-" + s.Entry
	c := w.client
	confirm := func(ctx context.Context, topic string, do func(context.Context, string, []byte) error) error {
		id, params := push(w, topic, c.UID(s.Entry, s.Entered), bill)
		return do(ctx, id, params)
	}
	return map[string]func(context.Context) error{
		"Arrive": func(ctx context.Context) error {
			a := arrival()
			a.Stay = s
			return c.Arrive(ctx, a)
		},
		"Depart": func(ctx context.Context) error {
			d := departure()
			d.Stay = s
			return c.Depart(ctx, d)
		},
		"ApplyPayment": func(ctx context.Context) error {
			b := charge()
			b.Stay, b.BillID = s, bill
			return c.ApplyPayment(ctx, b)
		},
		"Pay": func(ctx context.Context) error {
			p := payment()
			p.Stay, p.BillID = s, bill
			return c.Pay(ctx, p)
		},
		"Heartbeat":  c.Heartbeat,
		"State":      func(ctx context.Context) error { return c.State(ctx, berths()) },
		"DailyBills": func(ctx context.Context) error { _, err := c.DailyBills(ctx, "2026-05-02", ""); return err },
		"ConfirmDeparture": func(ctx context.Context) error {
			return confirm(ctx, "/hzcity/v2/departurePayInfo", c.ConfirmDeparture)
		},
		"ConfirmPayResult": func(ctx context.Context) error { return confirm(ctx, "/hzcity/v2/payResult", c.ConfirmPayResult) },
	}
}

// inOrder are the operations in the order in which a stay needs them.
func inOrder() []string {
	return []string{"Arrive", "Depart", "ApplyPayment", "Pay", "Heartbeat", "State", "DailyBills", "ConfirmDeparture", "ConfirmPayResult"}
}

// push finds the push of a topic about a stay or its bill.
func push(w world, topic, uid, bill string) (id string, params []byte) {
	for _, p := range w.twin.ReadBooks().Pushes {
		if p.Topic == topic && (p.About == uid || p.About == bill) {
			return p.RequestID, w.twin.PushData(p.RequestID)
		}
	}
	return "none", []byte(`{}`)
}

// effects counts what an operation leaves in the books.
func effects(b hangzhou.Books, op, uid, bill string) (times int) {
	for _, s := range b.Stays {
		if s.UID == uid && (op == "Arrive" || op == "Depart" && s.Left != "") {
			times++
		}
	}
	for _, x := range b.Bills {
		if x.BillID == bill && op == "ApplyPayment" {
			times++
		}
	}
	for _, x := range b.Payments {
		if x.BillID == bill && op == "Pay" {
			times++
		}
	}
	for _, p := range b.Pushes {
		if p.About == uid && op == "ConfirmDeparture" || p.About == bill && op == "ConfirmPayResult" {
			times += p.Confirmed
		}
	}
	switch op {
	case "Heartbeat":
		times = int(b.Heartbeats)
	case "State":
		times = int(b.States)
	}
	return times
}

// TestEveryFaultHasItsFate is the client's half of the budget matrix.
func TestEveryFaultHasItsFate(t *testing.T) {
	w := newWorld(t)
	fates := twintest.Fates()
	for n, fault := range twin.Faults() {
		want, all := fates[fault], operations(w, n)
		uid, bill := w.client.UID(strconv.Itoa(n), noon), "bill-"+strconv.Itoa(n)
		for _, op := range inOrder() {
			t.Run(string(fault)+" "+op, func(t *testing.T) {
				before := effects(w.twin.ReadBooks(), op, uid, bill)
				dial(t, w, "hangzhou", twin.Dial{Fault: fault})
				want.Op = op
				twintest.Meet(t, want, 200*time.Millisecond, func(ctx context.Context) error {
					err := all[op](ctx)
					asError(t, err)
					return err
				})
				dial(t, w, "hangzhou", twin.Dial{})
				slow := 0
				if fault == twin.Slow && op != "DailyBills" { // the one that has its effect
					slow = 1
				}
				if got := effects(w.twin.ReadBooks(), op, uid, bill) - before; got != slow {
					t.Errorf("it happened %d times", got)
				}
				if err := all[op](twintest.Within(t, 5*time.Second)); err != nil { // the same again, and what the next operation needs
					t.Fatalf("after the fault: %v", err)
				}
			})
		}
	}
}

func dial(t testing.TB, w world, kind string, d twin.Dial) {
	t.Helper()
	if err := w.City.Dial(kind, lot, d); err != nil {
		t.Fatal(err)
	}
}

// TestTheAnswerIsLostAfterTheEffect: what exactly-once depends on. The same again succeeds and changes nothing.
func TestTheAnswerIsLostAfterTheEffect(t *testing.T) {
	w := newWorld(t)
	losses := twintest.Losses()
	for n, loss := range losses {
		fault, all := loss.Fault, operations(w, n)
		uid, bill := w.client.UID(strconv.Itoa(n), noon), "bill-"+strconv.Itoa(n)
		for _, op := range []string{"Arrive", "Depart", "ApplyPayment", "Pay"} {
			dial(t, w, "hangzhou", loss)
			twintest.Lose(t, loss, all[op])
			dial(t, w, "hangzhou", twin.Dial{})
			if got := effects(w.twin.ReadBooks(), op, uid, bill); got != 1 {
				t.Errorf("%q %s happened %d times", fault, op, got)
			}
			if err := all[op](twintest.Within(t, 5*time.Second)); err != nil {
				t.Errorf("%q %s again: %v", fault, op, err)
			}
			if got := effects(w.twin.ReadBooks(), op, uid, bill); got != 1 {
				t.Errorf("%q %s happened %d times", fault, op, got)
			}
		}
	}
	b := w.twin.ReadBooks()
	if len(b.Stays) != len(losses) || len(b.Bills) != len(losses) || len(b.Payments) != len(losses) || len(b.Refused) != 0 {
		t.Errorf("books = %+v", b)
	}
	for i := range b.Stays {
		if b.Stays[i].InAsked != 2 || b.Stays[i].OutAsked != 2 || b.Bills[i].Asked != 2 || b.Payments[i].Asked != 2 {
			t.Errorf("a request was sent twice by itself: %+v %+v %+v", b.Stays[i], b.Bills[i], b.Payments[i])
		}
	}
}

// answerer is a city that answers every request with one prepared answer.
func answerer(t testing.TB, status int, body string) *hangzhou.Client {
	t.Helper()
	base := twintest.Serve(t, twintest.Answer{Status: status, Body: body})
	return newClient(t, base+"/city/", func(c *hangzhou.Config) { c.MaxBody = 4096 })
}

func TestAnswersAreJudged(t *testing.T) {
	const bill = `{"resultCode":"200","data":[{"billID":"b1","shouldPay":"3000","actualPay":3000,"payStatus":1,"orderCode":"C1","more":[]}]}`
	for _, test := range []struct {
		name   string
		status int
		body   string
		op     string
		fate   wire.Fate // 0: success
		reason wire.Reason
		code   string
	}{
		{"a success", 200, `{"resultCode":200,"msg":"ok"}`, "Arrive", 0, "", ""},
		{"a success in quotes, with members that are new", 200, `{"resultCode":"200","msg":null,"data":1,"trace":{}}`, "Arrive", 0, "", ""},
		{"a refusal", 200, `{"resultCode":409,"msg":"浙A12345 is known"}`, "Arrive", wire.Refused, wire.ReasonRefused, "409"},
		{"a refusal without words", 200, `{"resultCode":40301}`, "Arrive", wire.Refused, wire.ReasonRefused, "40301"},
		{"a refusal under its own status", 400, `{"resultCode":400,"msg":"no"}`, "Arrive", wire.Refused, wire.ReasonRefused, "400"},
		{"a failure of the city's own", 200, `{"resultCode":500,"msg":"no"}`, "Arrive", wire.Unknown, wire.ReasonStatus, ""},
		{"a failure that has no number", 200, `{"resultCode":0}`, "Arrive", wire.Unknown, wire.ReasonStatus, ""},
		{"a negative number", 200, `{"resultCode":-1}`, "Arrive", wire.Unknown, wire.ReasonStatus, ""},
		{"too many requests, in its words", 200, `{"resultCode":429}`, "Arrive", wire.Unknown, wire.ReasonRateLimited, ""},
		{"a success that contradicts itself", 400, `{"resultCode":200}`, "Arrive", wire.Unknown, wire.ReasonStatus, ""},
		{"no code", 200, `{"msg":"success"}`, "Arrive", wire.Unknown, wire.ReasonGarbage, ""},
		{"a code that is none", 200, `{"resultCode":"yes"}`, "Arrive", wire.Unknown, wire.ReasonGarbage, ""},
		{"a fraction", 200, `{"resultCode":200.5}`, "Arrive", wire.Unknown, wire.ReasonGarbage, ""},
		{"two codes", 200, `{"resultCode":200,"resultCode":400}`, "Arrive", wire.Unknown, wire.ReasonGarbage, ""},
		{"null", 200, ` null`, "Arrive", wire.Unknown, wire.ReasonGarbage, ""},
		{"nothing", 200, ``, "Arrive", wire.Unknown, wire.ReasonGarbage, ""},
		{"bytes after the end", 200, `{"resultCode":200}x`, "Arrive", wire.Unknown, wire.ReasonGarbage, ""},
		{"a proxy's 404", 404, `<html>`, "Arrive", wire.Unknown, wire.ReasonGarbage, ""},
		{"a redirect", 302, `{"resultCode":200}`, "Arrive", wire.Unknown, wire.ReasonStatus, ""},
		{"a gateway's 503", 503, `{"resultCode":400}`, "Arrive", wire.Unknown, wire.ReasonStatus, ""},
		{"a large body", 200, `[` + strings.Repeat(" ", 8192) + `]`, "Arrive", wire.Unknown, wire.ReasonTooLarge, ""},
		{"bills", 200, bill, "DailyBills", 0, "", ""},
		{"no bills", 200, `{"resultCode":200,"data":[]}`, "DailyBills", 0, "", ""},
		{"bills that are missing", 200, `{"resultCode":200}`, "DailyBills", wire.Unknown, wire.ReasonGarbage, ""},
		{"bills that are null", 200, `{"resultCode":200,"data":null}`, "DailyBills", wire.Unknown, wire.ReasonGarbage, ""},
		{"bills that are none", 200, `{"resultCode":200,"data":{}}`, "DailyBills", wire.Unknown, wire.ReasonGarbage, ""},
		{"a bill without number", 200, strings.Replace(bill, "b1", "", 1), "DailyBills", wire.Unknown, wire.ReasonGarbage, ""},
		{"a bill of a negative amount", 200, strings.Replace(bill, `"3000"`, `-1`, 1), "DailyBills", wire.Unknown, wire.ReasonGarbage, ""},
		{"a bill of a fraction", 200, strings.Replace(bill, `"3000"`, `30.5`, 1), "DailyBills", wire.Unknown, wire.ReasonGarbage, ""},
		{"a bill past all bounds", 200, strings.Replace(bill, `"3000"`, `9007199254740993`, 1), "DailyBills", wire.Unknown, wire.ReasonGarbage, ""},
		{"a paid bill without a number of the city's", 200, strings.Replace(bill, `C1`, ``, 1), "DailyBills", wire.Unknown, wire.ReasonGarbage, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := answerer(t, test.status, test.body)
			err := operations(world{client: c}, 1)[test.op](twintest.Within(t, 5*time.Second))
			if test.fate == 0 {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if e := asError(t, err); e.Fate != test.fate || e.Reason != test.reason || e.Code != test.code {
				t.Fatalf("want %s (%s) %s, got %v", test.fate, test.reason, test.code, e)
			}
		})
	}
}

// FuzzAnswer: whatever a city sends, the client makes whole bills or an error of it, never a panic; and an error's text never
// holds what was sent.
func FuzzAnswer(f *testing.F) {
	for _, body := range []string{`{"resultCode":200,"data":[{"billID":"b1","shouldPay":3000,"actualPay":3000,"payStatus":1,"orderCode":"C1"}]}`,
		`{"resultCode":"200","data":[]}`, `{"resultCode":400,"msg":"secret"}`, `{}`, `[]`, `null`, ``, `{"resultCode":"secret"}`,
		`{"resultCode":200,"data":[null]}`, strings.Repeat(`[`, 20000)} {
		for _, status := range []int{200, 404, 429, 500} {
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
	c := newClient(f, server.URL, nil)
	f.Fuzz(func(t *testing.T, s int, b []byte) {
		status, body = 200+((s%400)+400)%400, b
		if status == 204 || status == 304 {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		bills, err := c.DailyBills(ctx, "2026-05-02", plate)
		for _, x := range bills {
			if x.BillID == "" || x.Due < 0 || x.Paid < 0 || x.Status < hangzhou.Pending || x.Status > hangzhou.Failed {
				t.Errorf("%d: %+v", status, x)
			}
		}
		switch {
		case err == nil && (bills == nil || status != 200):
			t.Errorf("%d: %+v", status, bills)
		case err != nil && (asError(t, err).Fate == wire.NotSent || strings.Contains(err.Error(), "secret")):
			t.Errorf("%d: %v", status, err)
		}
	})
}
