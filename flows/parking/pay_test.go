package parking_test

import (
	"fmt"
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

// TestTheSameIsAskedForAgain where nobody knows whether it has arrived, though the bill comes to less by then: the difference is given back.
func TestTheSameIsAskedForAgain(t *testing.T) {
	w := openTown(t)
	w.do(wechatpay.Want{What: wechatpay.MakePlate, Plate: plateA, Color: wechatpay.Blue, Refuse: "SYSTEM_ERROR"})
	bill := w.visit(plateA, 3*time.Hour, time.Hour)
	w.Eventually("it was sent", func() bool { return w.Number(`SELECT COUNT(*) FROM parking_collections`) == 1 })
	w.pass("entries", plateA, ago(119*time.Minute)) // it had come later
	if n := w.Number(`SELECT price FROM parking_bills WHERE id = $1`, bill); n != 1000 {
		t.Fatalf("the bill comes to %d", n)
	}
	w.do(wechatpay.Want{What: wechatpay.MakePlate, Plate: plateA, Color: wechatpay.Blue})
	w.becomes(bill, "paid")
	if n, total := w.charged(); n != 1 || total != 2000 {
		t.Errorf("charged %d times, %d", n, total)
	}
	wants(t, "the difference", w.settle("parking-overpaid", "refund", nil), 201, "")
	w.Eventually("it is given back", func() bool { return w.Number(`SELECT refunded FROM parking_bills WHERE id = $1`, bill) == 1000 })
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

// TestWhatTheProviderRefuses: its definite no lets a bill fall into arrears, under its own word. Where it says nothing about the
// charge the same is sent again, and is paid once.
func TestWhatTheProviderRefuses(t *testing.T) {
	w := openTown(t)
	refuse := func(plate, code string) {
		w.do(wechatpay.Want{What: wechatpay.MakePlate, Plate: plate, Color: wechatpay.Blue, Refuse: code})
	}
	for i, c := range []struct{ code, why string }{{"RULE_LIMIT", "limit"}, {"NOT_FOUND", "not-found"}, {"ACCOUNT_ERROR", "payer"}, {"INVALID_REQUEST", "state"}} {
		plate := fmt.Sprintf("浙A1%04d", i)
		refuse(plate, c.code)
		bill := w.visit(plate, 2*time.Hour-time.Duration(i)*time.Second, time.Minute)
		w.becomes(bill, "arrears")
		var why string
		if w.text(&why, `SELECT reason FROM parking_collections WHERE bill = $1`, bill); why != c.why {
			t.Errorf("%s: it has failed for %q", c.code, why)
		}
	}
	if n := w.Number(`SELECT COUNT(*) FROM assists`); n != 0 {
		t.Errorf("%d assists for what is nobody's mistake", n)
	}
	for i, code := range []string{"FREQUENCY_LIMITED", "SYSTEM_ERROR", "NO_AUTH"} {
		plate := fmt.Sprintf("浙A2%04d", i)
		refuse(plate, code)
		bill := w.visit(plate, 3*time.Hour-time.Duration(i)*time.Second, time.Minute)
		w.Eventually(code+": it was asked for more than once", func() bool {
			return w.Number(`SELECT MAX(m.attempts) FROM messages m JOIN operations o ON m.msg_key LIKE '%:' || o.op_key WHERE o.op_key = $1`, "charge/"+bill+"/1") > 1
		})
		if s := w.state(bill); s != "pay-pending" {
			t.Errorf("%s: it is %s", code, s)
		}
		refuse(plate, "")
		w.becomes(bill, "paid")
		if n := w.Number(`SELECT COUNT(*) FROM parking_collections WHERE bill = $1`, bill); n != 1 {
			t.Errorf("%s: %d charges", code, n)
		}
	}
	if n, total := w.charged(); n != 3 || total != 3*3000 {
		t.Errorf("charged %d times, %d", n, total)
	}
	refuse(plateA, "PARAM_ERROR") // our own mistake is a person's, and the bill goes on without it
	bill := w.visit(plateA, 4*time.Hour, time.Minute)
	w.Eventually("a person is asked", func() bool {
		return w.Number(`SELECT COUNT(*) FROM assists WHERE kind = 'parking-charge-undelivered'`) == 1
	})
	w.due()
	w.becomes(bill, "arrears")
}

// TestAChargeThatIsGivenUp is a person's; but how it stands is asked for once more, and one that the provider does not have
// leaves the bill to the citizen and to the next try.
func TestAChargeThatIsGivenUp(t *testing.T) {
	w := openTown(t)
	zhang := w.person("zhang")
	w.own(zhang, plateA, time.Now().Add(-24*time.Hour))
	w.dial(twin.Dial{Fault: twin.Refuse, Path: "/v3/vehicle/transactions/"})
	bill := w.visit(plateA, 3*time.Hour, time.Hour)
	w.Eventually("it was sent", func() bool { return w.Number(`SELECT COUNT(*) FROM parking_collections`) == 1 })
	if n := w.Number(`SELECT (look_at - ordered_at) / 3600000 FROM parking_collections`); n != 73 {
		t.Errorf("it is looked at after %d hours", n)
	}
	w.Eventually("a person has it", func() bool {
		w.change(`UPDATE messages SET due_at = 1, next_at = 1 WHERE state = 'waiting' AND msg_key LIKE '%:charge/%'`)
		return w.Number(`SELECT COUNT(*) FROM assists WHERE kind = 'parking-charge-undelivered'`) == 1
	})
	if s := w.state(bill); s != "pay-pending" {
		t.Errorf("before anybody has asked it is %s", s)
	}
	w.dial(twin.Dial{})
	w.due()
	w.becomes(bill, "arrears")
	wants(t, "paying it", w.send(zhang, "/v1/parking-bills/"+bill+"/payments", amount(2000, "CNY")), 202, "")
	w.becomes(bill, "paid")
	wants(t, "what the person says", w.settle("parking-charge-undelivered", "settled", nil), 201, "")
	if n, total := w.charged(); n != 1 || total != 2000 {
		t.Errorf("charged %d times, %d", n, total)
	}
}

// TestAChargeThatIsGivenUpMayHaveArrived, and counts then: nothing is charged beside it.
func TestAChargeThatIsGivenUpMayHaveArrived(t *testing.T) {
	w := openTown(t)
	w.do(wechatpay.Want{What: wechatpay.MakeBehave, Behaviour: wechatpay.Behaviour{Mute: true, DecideMS: 300}})
	bill := w.visit(plateA, 3*time.Hour, time.Hour)
	w.Eventually("it is accepted", func() bool { return w.Number(`SELECT COUNT(*) FROM parking_collections WHERE state = 'accepted'`) == 1 })
	w.change(`UPDATE operations SET state = 'assist' WHERE op_key = $1`, "charge/"+bill+"/1") // as if its answers had all been lost
	w.change(`UPDATE parking_collections SET state = 'ordered'`)
	w.Eventually("it is paid", func() bool { n, _ := w.charged(); return n == 1 })
	w.due()
	w.becomes(bill, "paid")
	if n := w.Number(`SELECT COUNT(*) FROM parking_collections`); n != 1 {
		t.Errorf("%d charges", n)
	}
}

// TestAChargeThatIsStillSentHasNotFailed, whatever the provider says of its number meanwhile.
func TestAChargeThatIsStillSentHasNotFailed(t *testing.T) {
	w := openTown(t)
	w.do(wechatpay.Want{What: wechatpay.MakePlate, Plate: plateA, Color: wechatpay.Blue, Refuse: "SYSTEM_ERROR"})
	bill := w.visit(plateA, 3*time.Hour, time.Hour)
	w.Eventually("it was sent", func() bool { return w.Number(`SELECT COUNT(*) FROM parking_collections`) == 1 })
	w.due()
	w.Eventually("it is looked at", func() bool { return w.Number(`SELECT looks FROM parking_collections`) > 0 })
	if s := w.state(bill); s != "pay-pending" {
		t.Errorf("it is %s", s)
	}
	w.fails(plateA, false)
	w.becomes(bill, "paid")
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
