package parking_test

import (
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/backends/wechatpay"
)

// charges are the provider's charges that were paid, by number.
func (w *town) charged() (paid int, total int64) {
	for _, c := range w.provider.ReadBooks().Charges {
		if c.State == wechatpay.Success {
			paid, total = paid+1, total+c.Total
		}
	}
	return paid, total
}

func TestABillIsCollectedOnce(t *testing.T) {
	for name, behaves := range map[string]wechatpay.Behaviour{
		"told once":                      {},
		"told before the charge is done": {Early: true, Copies: 2},
		"told five times":                {Copies: 5, GapMS: 1},
		"decided late":                   {DecideMS: 300, Copies: 2},
	} {
		t.Run(name, func(t *testing.T) {
			w := openTown(t)
			w.do(wechatpay.Want{What: wechatpay.MakeBehave, Behaviour: behaves})
			bill := w.visit(plateA, 3*time.Hour, time.Minute)
			w.becomes(bill, "paid")
			w.Eventually("everything is told", func() bool { return w.provider.ReadBooks().Untold == 0 })
			w.do(wechatpay.Want{What: wechatpay.MakeResend, Number: w.provider.ReadBooks().Charges[0].OutTradeNo}) // under another id
			w.Eventually("it is told once more", func() bool { return w.provider.ReadBooks().Untold == 0 })
			if n, total := w.charged(); n != 1 || total != 3000 {
				t.Errorf("charged %d times, %d", n, total)
			}
			if n := w.Number(`SELECT COUNT(*) FROM parking_movements WHERE kind = 'pay'`); n != 1 {
				t.Errorf("%d payments are booked", n)
			}
			if n := w.Number(`SELECT COUNT(*) FROM assists`); n != 0 {
				t.Errorf("%d persons are asked about it", n)
			}
		})
	}
}

// TestABillIsCollectedOnceUnderFaults: the same charge is sent again until the provider has it, and is paid once.
func TestABillIsCollectedOnceUnderFaults(t *testing.T) {
	w := openTown(t)
	w.do(wechatpay.Want{What: wechatpay.MakeBehave, Behaviour: wechatpay.Behaviour{Mute: true}})
	before := w.Number(`SELECT COUNT(*) FROM parking_permissions`)
	w.pass("entries", plateA, ago(2*time.Hour))
	w.Eventually("the provider's word", func() bool { return w.Number(`SELECT COUNT(*) FROM parking_permissions`) > before })
	if err := w.Twins.Dial("wechatpay", lotID, twin.Dial{Fault: twin.Reset, AfterEffect: true, Path: "/v3/vehicle/transactions/parking"}); err != nil {
		t.Fatal(err)
	}
	bill := w.pass("exits", plateA, ago(time.Minute)).Bill.ID
	w.Eventually("the charge was made, and nobody heard", func() bool { return len(w.provider.ReadBooks().Charges) == 1 })
	if err := w.Twins.Dial("wechatpay", lotID, twin.Dial{}); err != nil {
		t.Fatal(err)
	}
	w.becomes(bill, "paid") // found by its number: nothing is told
	if n, total := w.charged(); n != 1 || total != 2000 {
		t.Errorf("charged %d times, %d", n, total)
	}
}

// TestWhatIsNotToldIsAskedFor: the provider decides late and tells nothing.
func TestWhatIsNotToldIsAskedFor(t *testing.T) {
	w := openTown(t)
	w.do(wechatpay.Want{What: wechatpay.MakeBehave, Behaviour: wechatpay.Behaviour{Mute: true, DecideMS: 100}})
	bill := w.visit(plateA, 2*time.Hour, time.Minute)
	w.Eventually("it is accepted", func() bool { return w.Number(`SELECT COUNT(*) FROM parking_collections WHERE state = 'accepted'`) == 1 })
	if s := w.state(bill); s != "pay-pending" {
		t.Errorf("accepted is not paid: %s", s)
	}
	w.Eventually("the provider has decided", func() bool { n, _ := w.charged(); return n == 1 })
	w.change(`UPDATE parking_collections SET look_at = 1`)
	w.becomes(bill, "paid")
}

func TestABillThatCannotBeCollectedFallsIntoArrears(t *testing.T) {
	w := openTown(t)
	w.do(wechatpay.Want{What: wechatpay.MakePlate, Plate: plateA, Color: wechatpay.Blue, Outcome: wechatpay.PayFail})
	w.do(wechatpay.Want{What: wechatpay.MakePlate, Plate: plateB, Color: wechatpay.Blue, Refuse: "RULE_LIMIT"})
	a, b := w.visit(plateA, 2*time.Hour, time.Minute), w.visit(plateB, 2*time.Hour, time.Minute)
	w.becomes(a, "arrears")
	w.becomes(b, "arrears")
	if n := w.Number(`SELECT COUNT(*) FROM assists`); n != 0 {
		t.Errorf("%d assists for what is nobody's mistake", n)
	}
	// Later it is tried again, under another number.
	w.do(wechatpay.Want{What: wechatpay.MakePlate, Plate: plateA, Color: wechatpay.Blue})
	w.do(wechatpay.Want{What: wechatpay.MakePlate, Plate: plateB, Color: wechatpay.Blue})
	w.change(`UPDATE parking_collections SET look_at = 1`)
	w.becomes(a, "paid")
	w.becomes(b, "paid")
	if n, total := w.charged(); n != 2 || total != 4000 {
		t.Errorf("charged %d times, %d", n, total)
	}
}

// TestACarThatMayNotPayLater has a bill that nobody collects.
func TestACarThatMayNotPayLater(t *testing.T) {
	w := openTown(t)
	w.do(wechatpay.Want{What: wechatpay.MakePlate, Plate: plateA, Color: wechatpay.Blue, State: wechatpay.Blocked, BlockReason: wechatpay.BlockOverdue})
	bill := w.visit(plateA, 2*time.Hour, time.Minute)
	if s := w.state(bill); s != "billed" {
		t.Errorf("it is %s", s)
	}
	// The provider changes its mind while the next car is inside.
	w.pass("entries", plateB, ago(2*time.Hour))
	w.Eventually("the provider's word", func() bool { return w.Number(`SELECT COUNT(*) FROM parking_permissions`) == 2 })
	w.do(wechatpay.Want{What: wechatpay.MakePlate, Plate: plateB, Color: wechatpay.Blue, State: wechatpay.Blocked, BlockReason: wechatpay.BlockPaused})
	w.Eventually("the provider's other word", func() bool { return w.Number(`SELECT COUNT(*) FROM parking_permissions`) == 3 })
	if s := w.state(w.pass("exits", plateB, time.Now()).Bill.ID); s != "billed" {
		t.Errorf("after its last word was no: %s", s)
	}
}
