package wechatpay_test

import (
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/twin/twintest"
	"github.com/warmgate/warmgate/backends/wechatpay"
)

func TestAPlateIsBlockedWhileItIsInside(t *testing.T) {
	w := newWorld(t, nil)
	ctx := twintest.Within(t, 20*time.Second)
	p := w.park(t, "in-1", plateA)
	w.do(t, wechatpay.Want{What: wechatpay.MakePlate, Plate: plateA, Color: wechatpay.Blue, State: wechatpay.Blocked, BlockReason: wechatpay.BlockPaused})
	n := w.inbox.next(t).read
	if n.Event != wechatpay.EventParking || n.Parking.State != wechatpay.Blocked || n.Parking.BlockReason != wechatpay.BlockPaused || n.Parking.ID != p.ID || n.Parking.At.IsZero() {
		t.Errorf("told %+v", n.Parking)
	}
	if again := w.park(t, "in-1", plateA); again.State != wechatpay.Blocked || again.ID != p.ID {
		t.Errorf("the entry is %+v", again)
	}
	service, err := w.client.FindPlateService(ctx, wechatpay.PlateQuery{Plate: plateA, Color: wechatpay.Blue, OpenID: "o1"})
	if err != nil || service.State != wechatpay.ServicePaused {
		t.Errorf("the service is %+v, %v", service, err)
	}
	_, err = w.client.CreateTransaction(ctx, charge("pay-1", plateA, p.ID, 100))
	refusedWith(t, err, wechatpay.RefusedLimit, "RULE_LIMIT")
	w.do(t, wechatpay.Want{What: wechatpay.MakePlate, Plate: plateA, Color: wechatpay.Blue})
	if n := w.inbox.next(t).read; n.Parking.State != wechatpay.Normal {
		t.Errorf("told %+v", n.Parking)
	}
	w.do(t, wechatpay.Want{What: wechatpay.MakePlate, Plate: plateB, Color: wechatpay.Blue, State: wechatpay.Blocked, BlockReason: wechatpay.BlockOut})
	if p := w.park(t, "in-2", plateB); p.State != wechatpay.Blocked || p.BlockReason != wechatpay.BlockOut {
		t.Errorf("the entry is %+v", p)
	}
	if service, err := w.client.FindPlateService(ctx, wechatpay.PlateQuery{Plate: plateB, Color: wechatpay.Blue, OpenID: "o1"}); err != nil || service.State != wechatpay.ServiceOut {
		t.Errorf("the service is %+v, %v", service, err)
	}
}

func TestTheTwinTellsEarlyTwiceLateAndInAnotherOrder(t *testing.T) {
	w := newWorld(t, nil)
	ctx := twintest.Within(t, 30*time.Second)
	pay := func(number, plate string) {
		t.Helper()
		p := w.park(t, "in-"+number, plate)
		if got, err := w.client.CreateTransaction(ctx, charge(number, plate, p.ID, 100)); err != nil || got.State != wechatpay.Accepted {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	w.do(t, wechatpay.Want{What: wechatpay.MakeBehave, Behaviour: wechatpay.Behaviour{Early: true}})
	pay("early", plateA)
	select {
	case d := <-w.inbox.got: // it was here before the answer was
		if d.err != nil || d.read.Transaction.OutTradeNo != "early" {
			t.Errorf("told %+v", d)
		}
	default:
		t.Error("nothing was told early")
	}
	w.do(t, wechatpay.Want{What: wechatpay.MakeBehave, Behaviour: wechatpay.Behaviour{Copies: 2, GapMS: 5}})
	pay("twice", plateA)
	if one, two := w.inbox.next(t), w.inbox.next(t); one.read.ID != two.read.ID || one.header.Get("Wechatpay-Nonce") == two.header.Get("Wechatpay-Nonce") {
		t.Errorf("told %+v and %+v", one.read, two.read)
	}
	w.do(t, wechatpay.Want{What: wechatpay.MakeBehave, Behaviour: wechatpay.Behaviour{NotifyMS: 150}})
	begin := time.Now()
	pay("late", plateA)
	if w.inbox.next(t); time.Since(begin) < 150*time.Millisecond {
		t.Errorf("told after %s", time.Since(begin))
	}
	w.do(t, wechatpay.Want{What: wechatpay.MakeBehave, Behaviour: wechatpay.Behaviour{Hold: 3}})
	for _, number := range []string{"o1", "o2", "o3"} {
		pay(number, plateA)
		w.reached(t, number, wechatpay.Success)
	}
	for _, want := range []string{"o3", "o2", "o1"} {
		if got := w.inbox.next(t).read.Transaction.OutTradeNo; got != want {
			t.Errorf("told %s, want %s", got, want)
		}
	}
	w.do(t, wechatpay.Want{What: wechatpay.MakeBehave})
	w.do(t, wechatpay.Want{What: wechatpay.MakeResend, Number: "early"})
	if got := w.inbox.next(t).read; got.Transaction.OutTradeNo != "early" {
		t.Errorf("told %+v", got.Transaction)
	}
	w.do(t, wechatpay.Want{What: wechatpay.MakePlate, Plate: plateB, Color: wechatpay.Blue, Outcome: wechatpay.PayFail})
	pay("fails", plateB)
	if got := w.inbox.next(t).read; got.Event != wechatpay.EventNotPaid || got.Transaction.State != wechatpay.PayFail || got.Transaction.ID != "" {
		t.Errorf("told %+v", got.Transaction)
	}
	if got, err := w.client.QueryTransaction(ctx, "fails"); err != nil || got.State != wechatpay.PayFail {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestTheTwinTellsUntilItIsHeard: what is not taken comes again, with the same id.
func TestTheTwinTellsUntilItIsHeard(t *testing.T) {
	w := newWorld(t, nil)
	w.inbox.status = func(n int) int { return []int{500, 302, 201, 204}[min(n, 4)-1] }
	w.do(t, wechatpay.Want{What: wechatpay.MakeBehave, Behaviour: wechatpay.Behaviour{RetryMS: 5}})
	w.paid(t, "pay-1", plateA, 100)
	id := w.inbox.next(t).read.ID
	for range 3 {
		if again := w.inbox.next(t).read.ID; again != id {
			t.Errorf("told as %s and as %s", id, again)
		}
	}
	until(t, func() bool { return w.twin.ReadBooks().Untold == 0 })
	if told := w.twin.ReadBooks().Charges[0].Told; told.Sent != 4 || told.Taken != 1 {
		t.Errorf("told %+v", told)
	}
}
