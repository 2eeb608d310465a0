package parking_test

import (
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/backends/wechatpay"
)

// TestStaffSettleExitsWithoutAnEntry at the human door, in each of its ways.
func TestStaffSettleExitsWithoutAnEntry(t *testing.T) {
	w := openTown(t)
	w.pass("entries", plateA, ago(3*time.Hour))
	w.pass("exits", "浙A99999", ago(time.Hour)) // e2 is the same car, misread
	w.pass("exits", plateB, ago(time.Hour))    // e3 was not seen when it came
	w.pass("exits", plateE, ago(time.Hour))    // e4 has come with a lorry
	w.change(`UPDATE parking_events SET received_at = 1 WHERE state = 'parked'`)
	w.Stop()
	w.Run() // it looks for what has waited too long at once
	for _, c := range []struct {
		exit, word string
		details    m
		status     int
		says       string // in the answer
	}{
		{"e2", "plate", nil, 400, "field-invalid"},
		{"e2", "plate", m{"plate": "XX"}, 422, "plate-invalid"},
		{"e2", "plate", m{"plate": plateA, "entry_event_id": "none"}, 400, "details.entry_event_id"},
		{"e2", "bill", m{}, 422, "resolution-unknown"},
		{"e2", "plate", m{"plate": plateA}, 201, `"minor":2000`},
		{"e3", "entered", m{"at": ago(4 * time.Hour)}, 400, "field-invalid"},
		{"e3", "entered", m{"entered_at": ago(4 * time.Hour)}, 201, `"minor":3000`},
		{"e4", "let-go", nil, 201, `"state":"settled"`},
	} {
		var details any
		if c.details != nil {
			details = c.details
		}
		if a := w.settleWhere("subject", c.exit, c.word, details); a.Status != c.status || !strings.Contains(a.Text, c.says) {
			t.Errorf("%s %s %v: %d %s, want %d %s", c.exit, c.word, c.details, a.Status, a.Text, c.status, c.says)
		}
	}
	if n, total := w.Number(`SELECT COUNT(*) FROM parking_bills`), w.Number(`SELECT SUM(price) FROM parking_bills`); n != 2 || total != 5000 {
		t.Errorf("%d bills, of %d", n, total)
	}
	if n := w.Number(`SELECT COUNT(*) FROM assists WHERE kind = 'parking-exit-unmatched' AND state = 'resolved' AND reason IS NOT NULL`); n != 3 {
		t.Errorf("%d are settled with a reason", n)
	}
}

// TestStaffSettleWhatCollectorsLeave at the human door: what could not be told, what is not decided, and what differs.
func TestStaffSettleWhatCollectorsLeave(t *testing.T) {
	w := openTown(t)
	w.dial(twin.Dial{Fault: twin.Refuse, Path: "/v3/vehicle/parking/parkings"})
	w.pass("entries", plateB, ago(2*time.Hour))
	w.Eventually("it is given up", func() bool {
		w.change(`UPDATE messages SET due_at = 1, next_at = 1 WHERE state = 'waiting' AND msg_key LIKE '%:announce/%'`)
		return w.Number(`SELECT COUNT(*) FROM assists`) == 1
	})
	wants(t, "a report", w.settle("parking-report-undelivered", "settled", nil), 201, "")
	w.dial(twin.Dial{})

	accepted := func(plate string, decideMS int) (bill string) {
		w.do(wechatpay.Want{What: wechatpay.MakeBehave, Behaviour: wechatpay.Behaviour{DecideMS: decideMS, Mute: true}})
		bill = w.visit(plate, 3*time.Hour, time.Hour)
		w.Eventually("it is accepted", func() bool {
			return w.Number(`SELECT COUNT(*) FROM parking_collections WHERE bill = $1 AND state = 'accepted'`, bill) == 1
		})
		return bill
	}
	bill := accepted(plateA, 600_000)
	w.change(`UPDATE parking_collections SET ordered_at = 1, look_at = 1 WHERE bill = $1`, bill)
	wants(t, "what is not decided", w.settle("parking-payment-undecided", "settled", nil), 201, "")
	w.change(`UPDATE parking_collections SET look_at = 1 WHERE bill = $1`, bill)
	w.Eventually("it is asked again", func() bool { return w.Number(`SELECT looks FROM parking_collections WHERE bill = $1`, bill) > 1 })
	if n := w.Number(`SELECT COUNT(*) FROM assists WHERE state <> 'resolved'`); n != 0 || w.state(bill) != "pay-pending" {
		t.Errorf("%d persons are asked the same again about a bill that is %s", n, w.state(bill))
	}

	bill = accepted(plateE, 300)
	w.change(`UPDATE parking_collections SET minor = 1999 WHERE bill = $1`, bill) // as if another amount had been asked for
	w.Eventually("it is paid", func() bool { n, _ := w.charged(); return n == 1 })
	w.change(`UPDATE parking_collections SET look_at = 1 WHERE bill = $1`, bill)
	wants(t, "what differs", w.settle("parking-payment-differs", "settled", nil), 201, "")
	if s := w.state(bill); s != "paid" {
		t.Errorf("it is %s", s)
	}
	if n := w.Number(`SELECT COUNT(*) FROM assists WHERE state = 'resolved' AND reason IS NOT NULL`); n != 3 {
		t.Errorf("%d are settled with a reason", n)
	}
}

// TestStaffGiveBackWhatWasPaidTooMuch at the human door, the way that it came, once.
func TestStaffGiveBackWhatWasPaidTooMuch(t *testing.T) {
	w := openTown(t)
	bill := w.visit(plateA, 6*time.Hour, time.Hour)
	w.becomes(bill, "paid") // with 50.00
	w.pass("entries", plateA, ago(3*time.Hour))
	a := w.settle("parking-overpaid", "refund", nil)
	if wants(t, "a refund", a, 201, ""); !strings.Contains(a.Text, `"refund":3000`) {
		t.Errorf("what it led to: %s", a.Text)
	}
	w.Eventually("it is given back", func() bool { return w.Number(`SELECT refunded FROM parking_bills WHERE id = $1`, bill) == 3000 })
	if all := w.provider.ReadBooks().Refunds; len(all) != 1 || all[0].Refund != 3000 {
		t.Errorf("given back: %+v", all)
	}
	if n := w.Number(`SELECT COUNT(*) FROM assists WHERE kind = 'parking-overpaid' AND resolution = 'refund' AND reason IS NOT NULL`); n != 1 {
		t.Error("the reason is not kept")
	}
}
