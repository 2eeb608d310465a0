package wechatpay_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/backends/wechatpay"
	"github.com/warmgate/warmgate/backends/wire"
)

// today is the day of the provider's books.
func today() string { return time.Now().In(time.FixedZone("CST", 8*3600)).Format(time.DateOnly) }

// stays are what the operations are about: a car that is charged, and one that is not yet.
type stays struct {
	number, plate string // a charge that is paid
	next, other   string // the number and plate of one that is to come
	parking       string
}

func (w *world) stays(t testing.TB, name string, i int) stays {
	s := stays{number: "paid-" + name, plate: fmt.Sprintf("测A%05d", 2*i), next: "next-" + name, other: fmt.Sprintf("测A%05d", 2*i+1)}
	w.paid(t, s.number, s.plate, 500)
	s.parking = w.park(t, "in-"+s.next, s.other).ID
	return s
}

// operations are all that can be asked.
func operations(c *wechatpay.Client, s stays) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"FindPlateService": func(ctx context.Context) error {
			_, err := c.FindPlateService(ctx, wechatpay.PlateQuery{Plate: s.plate, Color: wechatpay.Blue, OpenID: "o1"})
			return err
		},
		"CreateParking": func(ctx context.Context) error {
			_, err := c.CreateParking(ctx, entry("again-"+s.number, s.plate))
			return err
		},
		"CreateTransaction": func(ctx context.Context) error {
			_, err := c.CreateTransaction(ctx, charge(s.next, s.other, s.parking, 700))
			return err
		},
		"QueryTransaction": func(ctx context.Context) error { _, err := c.QueryTransaction(ctx, s.number); return err },
		"CreateRefund": func(ctx context.Context) error {
			_, err := c.CreateRefund(ctx, wechatpay.RefundOrder{OutRefundNo: "back-" + s.number, OutTradeNo: s.number, Refund: 100, Total: 500})
			return err
		},
		"QueryRefund": func(ctx context.Context) error { _, err := c.QueryRefund(ctx, "back-"+s.number); return err },
		"TradeBill":   func(ctx context.Context) error { _, err := c.WholeBill(ctx, today()); return err },
	}
}

// happened reports which of the effects have taken place, in the books.
func happened(w *world, s stays) map[string]bool {
	out := map[string]bool{}
	b := w.twin.ReadBooks()
	for _, e := range b.Entries {
		out["CreateParking"] = out["CreateParking"] || e.OutParkingNo == "again-"+s.number
	}
	for _, c := range b.Charges {
		out["CreateTransaction"] = out["CreateTransaction"] || c.OutTradeNo == s.next
	}
	for _, r := range b.Refunds {
		out["CreateRefund"] = out["CreateRefund"] || r.OutRefundNo == "back-"+s.number
	}
	return out
}

// TestEveryFaultHasItsFate is the client's half of the budget matrix.
func TestEveryFaultHasItsFate(t *testing.T) {
	want := map[twin.Fault]wire.Error{
		twin.Hang:    {Fate: wire.Unknown, Reason: wire.ReasonTimeout},
		twin.Slow:    {Fate: wire.Unknown, Reason: wire.ReasonTimeout},
		twin.Refuse:  {Fate: wire.NotSent, Reason: wire.ReasonDial},
		twin.Reset:   {Fate: wire.Unknown, Reason: wire.ReasonReset},
		twin.Status5: {Fate: wire.Unknown, Reason: wire.ReasonStatus, Status: 500},
		twin.Status4: {Fate: wire.Unknown, Reason: wire.ReasonRateLimited, Status: 429},
		twin.Garbage: {Fate: wire.Unknown, Reason: wechatpay.ReasonSignature, Status: 200}, // nobody signed it
		twin.Endless: {Fate: wire.Unknown, Reason: wire.ReasonTooLarge},
	}
	w := newWorld(t, nil)
	w.do(t, wechatpay.Want{What: wechatpay.MakeBehave, Behaviour: wechatpay.Behaviour{Mute: true}})
	for i, fault := range twin.Faults() {
		limit := 10 * time.Second // for what is noticed at once, on a busy machine too
		if want[fault].Reason == wire.ReasonTimeout {
			limit = 150 * time.Millisecond
		}
		s := w.stays(t, string(fault), i)
		for op, call := range operations(w.client, s) {
			t.Run(string(fault)+" "+op, func(t *testing.T) {
				if err := w.city.Dial("wechatpay", "riverside", twin.Dial{Fault: fault}); err != nil {
					t.Fatal(err)
				}
				begin := time.Now()
				err := call(within(t, limit))
				took := time.Since(begin)
				e, expect := asError(t, err), want[fault]
				if e.Fate != expect.Fate || e.Reason != expect.Reason || e.Status != expect.Status || e.Op != op {
					t.Errorf("want %+v, got %+v", expect, e)
				}
				if took > limit+700*time.Millisecond {
					t.Errorf("took %s, the deadline was %s", took, limit)
				}
				if e.Reason == wire.ReasonTimeout != errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%v: context.DeadlineExceeded belongs to a timeout, and to it alone", err)
				}
				if err := w.city.Dial("wechatpay", "riverside", twin.Dial{}); err != nil {
					t.Fatal(err)
				}
			})
		}
		for op, did := range happened(w, s) {
			if did != (fault == twin.Slow) { // the one that has its effect
				t.Errorf("%s %s: happened = %t", fault, op, did)
			}
		}
	}
}

// TestTheFileOfABillHasFates: its download is another way, with other connections.
func TestTheFileOfABillHasFates(t *testing.T) {
	w := newWorld(t, func(c *wechatpay.Config) { c.MaxBill = 64 << 10 })
	w.paid(t, "pay-1", plateA, 100)
	for fault, want := range map[twin.Fault]wire.Reason{twin.Hang: wire.ReasonTimeout, twin.Slow: wire.ReasonTimeout, twin.Refuse: wire.ReasonReset,
		twin.Reset: wire.ReasonReset, twin.Status5: wire.ReasonStatus, twin.Status4: wire.ReasonRateLimited, twin.Garbage: wechatpay.ReasonSignature,
		twin.Endless: wire.ReasonTooLarge} {
		if err := w.city.Dial("wechatpay", "riverside", twin.Dial{Fault: fault, Path: "/v3/billdownload/"}); err != nil {
			t.Fatal(err)
		}
		limit := 10 * time.Second
		if want == wire.ReasonTimeout {
			limit = 200 * time.Millisecond
		}
		bill, err := w.client.WholeBill(within(t, limit), today())
		if e := asError(t, err); bill != nil || e.Fate != wire.Unknown || e.Reason != want {
			t.Errorf("%s: %+v, %+v", fault, bill, e)
		}
	}
	if err := w.city.Dial("wechatpay", "riverside", twin.Dial{}); err != nil {
		t.Fatal(err)
	}
	if bill, err := w.client.WholeBill(within(t, 10*time.Second), today()); err != nil || len(bill.Rows) != 1 {
		t.Errorf("after the faults: %+v, %v", bill, err)
	}
}

// TestTheAnswerIsLostAfterTheEffect: what "charged once" depends on. The query says that it happened, and sending the same
// again changes nothing.
func TestTheAnswerIsLostAfterTheEffect(t *testing.T) {
	w := newWorld(t, nil)
	w.do(t, wechatpay.Want{What: wechatpay.MakeBehave, Behaviour: wechatpay.Behaviour{Mute: true}})
	faults := []twin.Fault{"", twin.Hang, twin.Reset, twin.Status5, twin.Status4, twin.Garbage, twin.Endless}
	for i, fault := range faults {
		s := w.stays(t, "lost"+string(fault), i)
		d := twin.Dial{Fault: fault, AfterEffect: true}
		if fault == "" {
			d.LatencyMS = 400
		}
		for _, op := range []string{"CreateParking", "CreateTransaction", "CreateRefund"} {
			if err := w.city.Dial("wechatpay", "*", d); err != nil {
				t.Fatal(err)
			}
			if e := asError(t, operations(w.client, s)[op](within(t, 200*time.Millisecond))); e.Fate != wire.Unknown {
				t.Errorf("%q %s: %+v", fault, op, e)
			}
			if err := w.city.Dial("wechatpay", "*", twin.Dial{}); err != nil {
				t.Fatal(err)
			}
			if !happened(w, s)[op] {
				t.Errorf("%q %s has not happened", fault, op)
			}
			if err := operations(w.client, s)[op](within(t, 5*time.Second)); err != nil {
				t.Errorf("%q %s again: %v", fault, op, err)
			}
		}
		if got, err := w.client.QueryTransaction(within(t, 5*time.Second), s.next); err != nil || got == nil || got.Total != 700 {
			t.Errorf("%q: %+v, %v", fault, got, err)
		}
		if got, err := w.client.QueryRefund(within(t, 5*time.Second), "back-"+s.number); err != nil || got == nil || got.Refund != 100 {
			t.Errorf("%q: %+v, %v", fault, got, err)
		}
	}
	b := w.twin.ReadBooks()
	if len(b.Charges) != 2*len(faults) || len(b.Refunds) != len(faults) {
		t.Errorf("%d charges, %d refunds", len(b.Charges), len(b.Refunds))
	}
	for _, c := range b.Charges {
		if c.Total == 700 && c.Asked.Create != 2 {
			t.Errorf("a request was sent twice by itself: %+v", c)
		}
	}
}
