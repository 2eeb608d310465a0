package wechatpay_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/backends/twin/twintest"
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
	w := newWorld(t, nil)
	w.do(t, wechatpay.Want{What: wechatpay.MakeBehave, Behaviour: wechatpay.Behaviour{Mute: true}})
	fates := twintest.Fates()
	for i, fault := range twin.Faults() {
		want := fates[fault]
		if fault == twin.Garbage { // nobody signed it
			want.Reason = wechatpay.ReasonSignature
		}
		s := w.stays(t, string(fault), i)
		for op, call := range operations(w.client, s) {
			t.Run(string(fault)+" "+op, func(t *testing.T) {
				w.Dial(t, twin.Dial{Fault: fault})
				want.Op = op
				twintest.Meet(t, want, 150*time.Millisecond, call)
				w.Dial(t, twin.Dial{})
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
		w.Dial(t, twin.Dial{Fault: fault, Path: "/v3/billdownload/"})
		limit := 10 * time.Second
		if want == wire.ReasonTimeout {
			limit = 200 * time.Millisecond
		}
		bill, err := w.client.WholeBill(twintest.Within(t, limit), today())
		if e := twintest.ErrorOf(t, err); bill != nil || e.Fate != wire.Unknown || e.Reason != want {
			t.Errorf("%s: %+v, %+v", fault, bill, e)
		}
	}
	w.Dial(t, twin.Dial{})
	if bill, err := w.client.WholeBill(twintest.Within(t, 10*time.Second), today()); err != nil || len(bill.Rows) != 1 {
		t.Errorf("after the faults: %+v, %v", bill, err)
	}
}

// TestTheAnswerIsLostAfterTheEffect: what "charged once" depends on. The query says that it happened, and sending the same
// again changes nothing.
func TestTheAnswerIsLostAfterTheEffect(t *testing.T) {
	w := newWorld(t, nil)
	w.do(t, wechatpay.Want{What: wechatpay.MakeBehave, Behaviour: wechatpay.Behaviour{Mute: true}})
	losses := twintest.Losses()
	for i, loss := range losses {
		fault := loss.Fault
		s := w.stays(t, "lost"+string(fault), i)
		for _, op := range []string{"CreateParking", "CreateTransaction", "CreateRefund"} {
			w.Dial(t, loss)
			twintest.Lose(t, loss, operations(w.client, s)[op])
			w.Dial(t, twin.Dial{})
			if !happened(w, s)[op] {
				t.Errorf("%q %s has not happened", fault, op)
			}
			if err := operations(w.client, s)[op](twintest.Within(t, 5*time.Second)); err != nil {
				t.Errorf("%q %s again: %v", fault, op, err)
			}
		}
		if got, err := w.client.QueryTransaction(twintest.Within(t, 5*time.Second), s.next); err != nil || got == nil || got.Total != 700 {
			t.Errorf("%q: %+v, %v", fault, got, err)
		}
		if got, err := w.client.QueryRefund(twintest.Within(t, 5*time.Second), "back-"+s.number); err != nil || got == nil || got.Refund != 100 {
			t.Errorf("%q: %+v, %v", fault, got, err)
		}
	}
	b := w.twin.ReadBooks()
	if len(b.Charges) != 2*len(losses) || len(b.Refunds) != len(losses) {
		t.Errorf("%d charges, %d refunds", len(b.Charges), len(b.Refunds))
	}
	for _, c := range b.Charges {
		if c.Total == 700 && c.Asked.Create != 2 {
			t.Errorf("a request was sent twice by itself: %+v", c)
		}
	}
}
