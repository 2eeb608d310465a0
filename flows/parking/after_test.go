package parking_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/wechatpay"
	"github.com/warmgate/warmgate/flows/flowtest"
)

// fails lets every charge of a plate fail, or none.
func (w *town) fails(plate string, fail bool) {
	w.T.Helper()
	want := wechatpay.Want{What: wechatpay.MakePlate, Plate: plate, Color: wechatpay.Blue}
	if fail {
		want.Outcome = wechatpay.PayFail
	}
	w.do(want)
}

// tries waits until a bill has been charged so many times, and the last one has failed.
func (w *town) tries(bill string, n int64) {
	w.T.Helper()
	w.Eventually(fmt.Sprintf("charge %d has failed", n), func() bool {
		return w.Number(`SELECT COUNT(*) FROM parking_collections WHERE bill = $1 AND state = 'failed'`, bill) == n && w.state(bill) == "arrears"
	})
}

// due lets the time come at which a bill is tried again.
func (w *town) due() { w.change(`UPDATE parking_collections SET look_at = 1 WHERE look_at > 0`) }

// lastTry lets a bill that has failed once fail for the last time.
func (w *town) lastTry(bill string) {
	w.T.Helper()
	w.change(`UPDATE parking_collections SET try = 4 WHERE bill = $1`, bill)
	w.change(`UPDATE parking_bills SET tries = 4 WHERE id = $1`, bill)
	w.due()
	w.tries(bill, 2)
}

// reminded is a bill's reminders and receipt as its owner sees them.
type reminded struct {
	Reminders struct {
		Count int       `json:"count"`
		Last  time.Time `json:"last_at"`
		Next  time.Time `json:"next_at"`
	} `json:"reminders"`
	Receipt *struct {
		Paid struct {
			Minor int64 `json:"minor"`
		} `json:"paid"`
		Refunded struct {
			Minor int64 `json:"minor"`
		} `json:"refunded"`
		Payments []paidSeen `json:"payments"`
		Refunds  []paidSeen `json:"refunds"`
	} `json:"receipt"`
}

type paidSeen struct {
	At     time.Time `json:"at"`
	Amount struct {
		Minor int64 `json:"minor"`
	} `json:"amount"`
	Method    string `json:"method"`
	Number    string `json:"number"`
	Reference string `json:"reference"`
	State     string `json:"state"`
}

func (w *town) remindedOf(token, bill string) (r reminded) {
	w.T.Helper()
	w.Do(flowtest.Call{Method: http.MethodGet, Path: "/v1/parking-bills/" + bill, Token: token}).Into(w.T, &r)
	return r
}

// arrears is a bill that has failed once, of a plate that is a person's.
func (w *town) arrears() (zhang, bill string) {
	w.T.Helper()
	zhang = w.person("zhang")
	w.own(zhang, plateA, time.Now().Add(-24*time.Hour))
	w.fails(plateA, true)
	bill = w.visit(plateA, 3*time.Hour, time.Hour)
	w.tries(bill, 1)
	return zhang, bill
}

// TestArrearsAreRemindedOf less and less often, and then a person has them, with all that is known.
func TestArrearsAreRemindedOf(t *testing.T) {
	w := openTown(t)
	zhang, bill := w.arrears()
	for n := int64(1); n < 5; n++ {
		r := w.remindedOf(zhang, bill)
		want := time.Now().Add(24 * time.Hour << (n - 1))
		if r.Reminders.Count != int(n-1) || r.Reminders.Next.Sub(want).Abs() > time.Minute || r.Reminders.Last.IsZero() != (n == 1) || r.Receipt != nil {
			t.Errorf("after failure %d: %+v, want the next at %s", n, r, want)
		}
		w.due()
		w.tries(bill, n+1)
	}
	if r := w.remindedOf(zhang, bill); r.Reminders.Count != 4 || !r.Reminders.Next.IsZero() {
		t.Errorf("after the last: %+v", r)
	}
	w.Eventually("a person has it", func() bool { return w.Number(`SELECT COUNT(*) FROM assists WHERE kind = 'parking-arrears'`) == 1 })
	var id string
	w.text(&id, `SELECT id FROM assists WHERE kind = 'parking-arrears'`)
	staff := w.Token("li", "staff:assist")
	w.send(staff, "/v1/assists/"+id+"/claim", nil)
	facts := w.Do(flowtest.Call{Method: http.MethodGet, Path: "/v1/assists/" + id, Token: staff}).Text
	if !strings.Contains(facts, plateA) || strings.Count(facts, `"why":"pay-fail"`) != 5 || !strings.Contains(facts, `"due":{`) {
		t.Errorf("the facts: %s", facts)
	}
	w.fails(plateA, false)
	wants(t, "trying it again", w.settle("parking-arrears", "again", nil), 201, "")
	w.becomes(bill, "paid")
	if n, total := w.charged(); n != 1 || total != 2000 {
		t.Errorf("charged %d times, %d", n, total)
	}
}

// TestArrearsThatArePaidAreNobodysAnyMore, whoever pays them and however they are let go.
func TestArrearsThatArePaidAreNobodysAnyMore(t *testing.T) {
	w := openTown(t)
	zhang, bill := w.arrears()
	w.lastTry(bill)
	w.Eventually("a person has it", func() bool { return w.Number(`SELECT COUNT(*) FROM assists WHERE kind = 'parking-arrears'`) == 1 })
	wants(t, "letting go more than is owed", w.settle("parking-arrears", "waive", m{"minor": 2001}), 422, "parking-amount-wrong")
	wants(t, "letting go less than nothing", w.settle("parking-arrears", "waive", m{"minor": -1}), 400, "field-invalid")
	w.fails(plateA, false)
	wants(t, "paying it", w.send(zhang, "/v1/parking-bills/"+bill+"/payments", amount(2000, "CNY")), 202, "")
	w.becomes(bill, "paid")
	var word string
	w.text(&word, `SELECT resolution FROM assists WHERE kind = 'parking-arrears'`)
	if word != "paid" {
		t.Errorf("the assist is settled as %q", word)
	}
}

// TestArrearsThatAreLetGoAreNobodysAnyMore, where staff have done that at the bill itself.
func TestArrearsThatAreLetGoAreNobodysAnyMore(t *testing.T) {
	w := openTown(t)
	_, bill := w.arrears()
	w.lastTry(bill)
	w.Eventually("a person has it", func() bool { return w.Number(`SELECT COUNT(*) FROM assists WHERE kind = 'parking-arrears'`) == 1 })
	wants(t, "letting it go", w.send(w.Token("li", "staff:assist"), "/v1/parking-bills/"+bill+"/waivers", m{"reason": "a guest"}), 201, "")
	var word string
	if w.text(&word, `SELECT resolution FROM assists WHERE kind = 'parking-arrears'`); word != "waive" {
		t.Errorf("the assist is settled as %q", word)
	}
}

// TestAPartOfArrearsIsLetGo, and the rest is paid.
func TestAPartOfArrearsIsLetGo(t *testing.T) {
	w := openTown(t)
	zhang, bill := w.arrears()
	w.lastTry(bill)
	wants(t, "letting a part go", w.settle("parking-arrears", "waive", m{"minor": 500}), 201, "")
	w.fails(plateA, false)
	wants(t, "paying the rest", w.send(zhang, "/v1/parking-bills/"+bill+"/payments", amount(1500, "CNY")), 202, "")
	w.becomes(bill, "paid")
	if n := w.Number(`SELECT COUNT(*) FROM audit_entries WHERE action = 'resolve' AND actor LIKE 'li@%'`); n < 2 {
		t.Errorf("%d resolutions are on the audit trail", n)
	}
}

// TestADisputeOnlyInterruptsReminders: where the bill stands they go on.
func TestADisputeOnlyInterruptsReminders(t *testing.T) {
	w := openTown(t)
	zhang, bill := w.arrears()
	wants(t, "a dispute", w.send(zhang, "/v1/parking-bills/"+bill+"/disputes", m{"reason": "too dear"}), 202, "")
	w.due()
	w.Eventually("its time has come and gone", func() bool { return w.Number(`SELECT COUNT(*) FROM parking_collections WHERE look_at = 0`) == 1 })
	wants(t, "it stands", w.settle("parking-bill-disputed", "stands", nil), 201, "")
	if r := w.remindedOf(zhang, bill); r.Reminders.Next.Before(time.Now().Add(23 * time.Hour)) {
		t.Errorf("after that: %+v", r)
	}
	w.fails(plateA, false)
	w.due()
	w.becomes(bill, "paid")
}

// TestAPermissionThatComesLate has the bill collected, and only that one.
func TestAPermissionThatComesLate(t *testing.T) {
	w := openTown(t)
	block := func(plate string, s wechatpay.ParkingState) {
		want := wechatpay.Want{What: wechatpay.MakePlate, Plate: plate, Color: wechatpay.Blue, State: s}
		if s == wechatpay.Blocked {
			want.BlockReason = wechatpay.BlockPaused
		}
		w.do(want)
	}
	block(plateA, wechatpay.Blocked)
	bill := w.visit(plateA, 3*time.Hour, time.Hour)
	if s := w.state(bill); s != "billed" {
		t.Fatalf("it is %s", s)
	}
	late := func(state string, at time.Time) { // as a notification keeps it
		w.change(`INSERT INTO parking_permissions (venue, plate, source, said_at, state, most, reference, made_by, stay, late)
			SELECT venue, plate, 'payment', $1, $2, 0, '', 'gateway', stay, 1 FROM parking_bills WHERE id = $3`, at.UnixMilli(), state, bill)
	}
	seen := func() {
		w.T.Helper()
		w.Eventually("it was looked at", func() bool { return w.Number(`SELECT COUNT(*) FROM parking_permissions WHERE late = 1`) == 0 })
	}
	still := func(what, state string) {
		w.T.Helper()
		seen()
		if s, n := w.state(bill), w.Number(`SELECT COUNT(*) FROM parking_collections`); s != state || n != 0 {
			t.Errorf("%s: it is %s, with %d charges", what, s, n)
		}
	}
	w.change(`UPDATE parking_bills SET state = 'disputed'`)
	late("granted", time.Now().Add(-4*time.Second))
	still("of a disputed bill", "disputed")
	w.change(`UPDATE parking_bills SET state = 'pay-pending'`)
	late("granted", time.Now().Add(-3*time.Second))
	still("while it is paid otherwise", "pay-pending")
	w.change(`UPDATE parking_bills SET state = 'billed', left_at = left_at - 90000000, entered_at = entered_at - 90000000`)
	late("granted", time.Now().Add(-2*time.Second))
	still("a day later", "billed")
	w.change(`UPDATE parking_bills SET left_at = left_at + 90000000, entered_at = entered_at + 90000000`)
	w.change(`INSERT INTO parking_collections (number, bill, try, venue, collector, minor, state, reason, reference, ordered_at, changed_at, looks, look_at)
		VALUES ('other', $1, 9, $2, 'payment', 2000, 'accepted', '', '', 0, 0, 0, 0)`, bill, lotID)
	late("granted", time.Now().Add(-time.Second))
	seen()
	if s, n := w.state(bill), w.Number(`SELECT COUNT(*) FROM parking_collections`); s != "billed" || n != 1 {
		t.Errorf("beside a charge that is not decided: it is %s, with %d charges", s, n)
	}
	w.change(`DELETE FROM parking_collections`)
	block(plateA, wechatpay.Normal) // the provider tells
	w.becomes(bill, "paid")
	if n, total := w.charged(); n != 1 || total != 2000 {
		t.Errorf("charged %d times, %d", n, total)
	}
}

// TestMoneyThatWasGivenBackOtherwise is booked, once.
func TestMoneyThatWasGivenBackOtherwise(t *testing.T) {
	w, _ := openCity(t)
	zhang := w.person("zhang")
	w.own(zhang, plateA, time.Now().Add(-24*time.Hour))
	bill := w.visit(plateA, 3*time.Hour, time.Minute)
	w.becomes(bill, "paid")
	wants(t, "a dispute", w.send(zhang, "/v1/parking-bills/"+bill+"/disputes", m{"reason": "I have a pass"}), 202, "")
	a := w.settle("parking-bill-disputed", "waive", nil)
	if wants(t, "letting it go", a, 201, ""); !strings.Contains(a.Text, `"by_hand":3000`) {
		t.Errorf("what it led to: %s", a.Text)
	}
	if s := w.state(bill); s != "paid" {
		t.Errorf("before anybody has given it back it is %s", s)
	}
	w.settleOne("parking-refund-by-hand", "settled")
	if s, n := w.state(bill), w.Number(`SELECT SUM(minor) FROM parking_postings WHERE account = 'by-hand'`); s != "refunded" || n != -3000 {
		t.Errorf("it is %s, %d given back", s, n)
	}
	r := w.remindedOf(zhang, bill).Receipt
	if r == nil || r.Paid.Minor != 3000 || r.Refunded.Minor != 3000 || len(r.Payments) != 1 || r.Payments[0].Method != "city" || len(r.Refunds) != 1 ||
		r.Refunds[0].Method != "by-hand" || r.Refunds[0].State != "done" {
		t.Errorf("the receipt: %+v", r)
	}
}

// forget makes all visits anonymous, as retention does once they are old enough.
func (w *town) forget() {
	w.change(`UPDATE parking_stays SET plate = $1, data_key = $1, sealed = $1, forgotten_at = 1`, []byte{})
	w.change(`UPDATE parking_bills SET plate = $1`, []byte{})
}

// TestAVisitThatIsForgottenHoldsUpNobody: the reminder of a bill that staff have let go comes due when nobody knows whose it was.
func TestAVisitThatIsForgottenHoldsUpNobody(t *testing.T) {
	w := openTown(t)
	_, bill := w.arrears()
	wants(t, "letting it go", w.send(w.Token("li", "staff:assist"), "/v1/parking-bills/"+bill+"/waivers", m{"reason": "a guest"}), 201, "")
	w.forget()
	w.due()
	w.do(wechatpay.Want{What: wechatpay.MakeBehave, Behaviour: wechatpay.Behaviour{Mute: true, DecideMS: 100}})
	other := w.visit(plateB, 3*time.Hour, time.Hour)
	w.Eventually("another is accepted", func() bool { return w.Number(`SELECT COUNT(*) FROM parking_collections WHERE state = 'accepted'`) == 1 })
	w.Eventually("it is charged", func() bool { n, _ := w.charged(); return n == 1 })
	w.due()
	w.becomes(other, "paid")
}

// TestTheReceipt shows what the provider shows.
func TestTheReceipt(t *testing.T) {
	w := openTown(t)
	w.do(wechatpay.Want{What: wechatpay.MakeBehave, Behaviour: wechatpay.Behaviour{DaysAgo: 1}})
	zhang := w.person("zhang")
	w.own(zhang, plateA, time.Now().Add(-24*time.Hour))
	bill := w.visit(plateA, 3*time.Hour, time.Hour)
	w.becomes(bill, "paid")
	c := w.provider.ReadBooks().Charges[0]
	r := w.remindedOf(zhang, bill).Receipt
	if r == nil || len(r.Payments) != 1 || len(r.Refunds) != 0 {
		t.Fatalf("the receipt: %+v", r)
	}
	if p := r.Payments[0]; p.Number != c.OutTradeNo || p.Reference != c.ID || p.Amount.Minor != 2000 || p.Method != "payment" || !p.At.Equal(c.SucceededAt) {
		t.Errorf("the payment: %+v, theirs %+v", p, c)
	}
	w.do(wechatpay.Want{What: wechatpay.MakeBehave, Behaviour: wechatpay.Behaviour{DecideMS: 60_000}})
	wants(t, "a dispute", w.send(zhang, "/v1/parking-bills/"+bill+"/disputes", m{"reason": "a pass"}), 202, "")
	wants(t, "letting a part go", w.settle("parking-bill-disputed", "waive", m{"minor": 700}), 201, "")
	r = w.remindedOf(zhang, bill).Receipt
	if r == nil || len(r.Refunds) != 1 || r.Refunds[0].State != "pending" || r.Refunds[0].Amount.Minor != 700 || r.Refunded.Minor != 0 {
		t.Errorf("while it is on its way: %+v", r)
	}
	// What is on its way is not given back a second time by another dispute.
	wants(t, "another dispute", w.send(zhang, "/v1/parking-bills/"+bill+"/disputes", m{"reason": "all of it"}), 202, "")
	wants(t, "letting the rest go", w.settle("parking-bill-disputed", "waive", nil), 201, "")
	w.change(`UPDATE parking_refunds SET look_at = 1`)
	w.Eventually("both are at the provider", func() bool { return len(w.provider.ReadBooks().Refunds) == 2 })
	if all := w.provider.ReadBooks().Refunds; all[0].Refund+all[1].Refund != 2000 {
		t.Errorf("given back: %+v", all)
	}
	if n := w.Number(`SELECT COUNT(*) FROM assists WHERE kind LIKE 'parking-refund-by-hand%'`); n != 0 {
		t.Error("a person is to give back what the provider gives back")
	}
}

// TestTheReceiptOfAPayStation has what was paid inside the lot, by the station's own number and clock.
func TestTheReceiptOfAPayStation(t *testing.T) {
	w := openTown(t)
	zhang := w.person("zhang")
	w.own(zhang, plateA, time.Now().Add(-24*time.Hour))
	w.pass("entries", plateA, ago(115*time.Minute))
	paid := ago(time.Minute)
	wants(t, "paying", w.send(w.Token("station", "parking:gate"), "/v1/parking-lots/"+lotID+"/payments", m{"event_id": "p1", "reference": "r1", "plate": plateA,
		"amount": m{"minor": 2000, "currency": "CNY"}, "paid_at": paid.Format(time.RFC3339)}), 201, "")
	bill := w.pass("exits", plateA, time.Now()).Bill.ID
	r := w.remindedOf(zhang, bill).Receipt
	if r == nil || r.Paid.Minor != 2000 || len(r.Payments) != 1 || len(r.Refunds) != 0 {
		t.Fatalf("the receipt: %+v", r)
	}
	if p := r.Payments[0]; p.Method != "station" || p.Reference != "r1" || p.Amount.Minor != 2000 || !p.At.Equal(paid) || p.State != "done" || p.Number != "" {
		t.Errorf("the payment: %+v", p)
	}
}

// TestARefundThatFails is a person's: they have it made again, or have given the money back otherwise. It is never given twice.
func TestARefundThatFails(t *testing.T) {
	w := openTown(t)
	end := func(s wechatpay.RefundState) {
		w.do(wechatpay.Want{What: wechatpay.MakeBehave, Behaviour: wechatpay.Behaviour{Refunds: s}})
	}
	failed := func(n int64) {
		w.T.Helper()
		w.Eventually("it has failed", func() bool {
			return w.Number(`SELECT COUNT(*) FROM assists WHERE kind LIKE 'parking-refund-failed%' AND state <> 'resolved'`) == n
		})
	}
	zhang := w.person("zhang")
	w.own(zhang, plateA, time.Now().Add(-24*time.Hour))
	bill := w.visit(plateA, 3*time.Hour, time.Hour)
	w.becomes(bill, "paid")
	end(wechatpay.RefundClosed)
	wants(t, "a dispute", w.send(zhang, "/v1/parking-bills/"+bill+"/disputes", m{"reason": "a pass"}), 202, "")
	wants(t, "letting it go", w.settle("parking-bill-disputed", "waive", nil), 201, "")
	failed(1)
	end(wechatpay.RefundAbnormal)
	wants(t, "once more", w.settle("parking-refund-failed", "try-again", nil), 201, "")
	failed(1) // the provider has given the first one up, and has a second one that it may yet make
	wants(t, "and again", w.settle("parking-refund-failed-2", "try-again", nil), 201, "")
	failed(1)
	if all := w.provider.ReadBooks().Refunds; len(all) != 2 {
		t.Errorf("the provider has %d refunds, one of which may come about", len(all))
	}
	wants(t, "given back otherwise", w.settle("parking-refund-failed-3", "settled", nil), 201, "")
	if s, n := w.state(bill), w.Number(`SELECT SUM(minor) FROM parking_postings WHERE account = 'by-hand'`); s != "refunded" || n != -2000 {
		t.Errorf("it is %s, %d given back", s, n)
	}
}

// TestARefundMayYetComeAbout that has failed for now: beside it no more is ordered than the payment has left.
func TestARefundMayYetComeAbout(t *testing.T) {
	w := openTown(t)
	w.do(wechatpay.Want{What: wechatpay.MakeBehave, Behaviour: wechatpay.Behaviour{Refunds: wechatpay.RefundAbnormal}})
	zhang := w.person("zhang")
	w.own(zhang, plateA, time.Now().Add(-24*time.Hour))
	bill := w.visit(plateA, 3*time.Hour, time.Hour)
	w.becomes(bill, "paid")
	wants(t, "a dispute", w.send(zhang, "/v1/parking-bills/"+bill+"/disputes", m{"reason": "a pass"}), 202, "")
	wants(t, "letting a part go", w.settle("parking-bill-disputed", "waive", m{"minor": 700}), 201, "")
	w.Eventually("it has failed", func() bool { return w.Number(`SELECT COUNT(*) FROM parking_refunds WHERE state = 'failed'`) == 1 })
	w.do(wechatpay.Want{What: wechatpay.MakeBehave})
	wants(t, "another dispute", w.send(zhang, "/v1/parking-bills/"+bill+"/disputes", m{"reason": "all of it"}), 202, "")
	a := w.settle("parking-bill-disputed", "waive", nil)
	if wants(t, "letting the rest go", a, 201, ""); !strings.Contains(a.Text, `"refund":1300,"by_hand":700`) {
		t.Errorf("what it led to: %s", a.Text)
	}
	w.Eventually("the rest is given back", func() bool { return w.Number(`SELECT COUNT(*) FROM parking_refunds WHERE state = 'paid'`) == 1 })
}

// TestWhatWasPaidTooMuchIsGivenBackOtherwise: a person who has done so says so; it is booked, and the bill is nobody's concern any more.
func TestWhatWasPaidTooMuchIsGivenBackOtherwise(t *testing.T) {
	w := openTown(t)
	bill := w.visit(plateA, 6*time.Hour, time.Hour)
	w.becomes(bill, "paid") // with 50.00
	w.pass("entries", plateA, ago(3*time.Hour))
	w.Eventually("a person is asked about what was paid too much", func() bool {
		return w.Number(`SELECT COUNT(*) FROM assists WHERE kind = 'parking-overpaid'`) == 1
	})
	wants(t, "saying that nothing is left", w.settle("parking-overpaid", "nothing-left", nil), 409, "parking-bill-overpaid")
	wants(t, "given back otherwise", w.settle("parking-overpaid", "settled", nil), 201, "")
	over := w.Number(`SELECT price - waived - paid + refunded FROM parking_bills WHERE id = $1`, bill)
	if byHand := w.Number(`SELECT SUM(minor) FROM parking_postings WHERE account = 'by-hand'`); over != 0 || byHand != -3000 {
		t.Errorf("it is %s, %d owed, %d given back by hand", w.state(bill), over, byHand)
	}
}

// TestARefundWaitsForTheDispute, which decides about the money: it is given back once.
func TestARefundWaitsForTheDispute(t *testing.T) {
	w := openTown(t)
	zhang := w.person("zhang")
	w.own(zhang, plateA, time.Now().Add(-24*time.Hour))
	bill := w.visit(plateA, 6*time.Hour, time.Hour)
	w.becomes(bill, "paid") // with 50.00
	w.pass("entries", plateA, ago(3*time.Hour))
	w.Eventually("a person is asked about what was paid too much", func() bool {
		return w.Number(`SELECT COUNT(*) FROM assists WHERE kind = 'parking-overpaid'`) == 1
	})
	wants(t, "a dispute", w.send(zhang, "/v1/parking-bills/"+bill+"/disputes", m{"reason": "I have a pass"}), 202, "")
	wants(t, "giving back meanwhile", w.settle("parking-overpaid", "refund", nil), 409, "parking-bill-disputed")
	wants(t, "saying that nothing is left", w.settle("parking-overpaid", "nothing-left", nil), 409, "parking-bill-disputed")
	if n := w.Number(`SELECT COUNT(*) FROM parking_refunds`); n != 0 {
		t.Errorf("%d refunds", n)
	}
	w.do(wechatpay.Want{What: wechatpay.MakeBehave, Behaviour: wechatpay.Behaviour{DecideMS: 300}})
	wants(t, "letting it go", w.settle("parking-bill-disputed", "waive", nil), 201, "")
	wants(t, "giving by hand what is on its way", w.settle("parking-overpaid", "settled", nil), 409, "parking-bill-settled")
	wants(t, "nothing is left to give back", w.settle("parking-overpaid", "nothing-left", nil), 201, "")
	w.becomes(bill, "refunded")
	if all := w.provider.ReadBooks().Refunds; len(all) != 1 || all[0].Refund != 5000 {
		t.Errorf("given back: %+v", all)
	}
	if n := w.Number(`SELECT COUNT(*) FROM assists WHERE kind LIKE 'parking-%' AND state = 'resolved' AND reason IS NULL`); n != 0 {
		t.Errorf("%d decisions without their reason", n)
	}
}
