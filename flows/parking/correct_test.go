package parking_test

import (
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/wechatpay"
)

// unmatched lets the exits that wait be a person's.
func (w *town) unmatched() {
	w.T.Helper()
	w.change(`UPDATE parking_events SET received_at = 1 WHERE state = 'parked'`)
	w.Stop()
	w.Run() // it looks for what has waited too long at once
	w.Eventually("a person has them", func() bool { return w.Number(`SELECT COUNT(*) FROM parking_events WHERE state = 'parked'`) == 0 })
}

// plateIs has staff say which plate an exit has, or the entry that is said to be its own.
func (w *town) plateIs(plate, entry string) (status int, text string) {
	w.T.Helper()
	details := m{"plate": plate}
	if entry != "" {
		details["entry_event_id"] = entry
	}
	a := w.settle("parking-exit-unmatched", "plate", details)
	return a.Status, a.Text
}

// TestStaffCorrectAPlate of an exit, and of an entry: the visit and its bill are those of the car that was there, and of whoever
// it belongs to. Whom the wrong plate is bound to owes nothing and hears of nothing.
func TestStaffCorrectAPlate(t *testing.T) {
	w := openTown(t)
	zhang, chen := w.person("zhang"), w.person("chen")
	w.own(zhang, plateA, time.Now().Add(-24*time.Hour))
	w.own(chen, plateB, time.Now().Add(-24*time.Hour))
	for _, plate := range []string{plateA, plateB} {
		w.do(wechatpay.Want{What: wechatpay.MakePlate, Plate: plate, Color: wechatpay.Blue, State: wechatpay.Blocked, BlockReason: wechatpay.BlockOut})
	}
	whose := func(what string, zhangs, chens int) (bills []string) {
		t.Helper()
		bills = w.found(zhang, plateA)
		if n := len(w.found(chen, plateB)); len(bills) != zhangs || n != chens {
			t.Errorf("%s: one has %d bills and the other %d, want %d and %d", what, len(bills), n, zhangs, chens)
		}
		return bills
	}
	w.pass("entries", plateA, ago(5*time.Hour))
	if r := w.pass("exits", plateB, ago(3*time.Hour)); r.State != "parked" {
		t.Fatalf("an exit that is misread: %+v", r)
	}
	w.unmatched()
	for what, c := range map[string]struct{ plate, entry, field string }{
		"no plate":           {"浙I12345", "", "details.plate"},
		"its own plate":      {plateB, "", "details.plate"},
		"an unknown entry":   {plateB, "e-none", "details.entry_event_id"},
		"an exit as entry":   {plateA, "e2", "details.entry_event_id"},
		"nothing":            {"", "", "details.plate"},
		"the entry's plate ": {plateA, "e1", "details.plate"},
	} {
		if status, text := w.plateIs(c.plate, c.entry); status/100 != 4 || !strings.Contains(text, c.field) {
			t.Errorf("%s: %d %s", what, status, text)
		}
	}
	whose("before anybody has corrected it", 0, 0)
	if status, text := w.plateIs(plateA, ""); status != 201 || !strings.Contains(text, `"minor":2000`) {
		t.Errorf("the exit was another car's: %d %s", status, text)
	}
	first := whose("the exit was another car's", 1, 0)[0]

	w.pass("entries", plateB, ago(2*time.Hour)) // it was the same car as before
	w.pass("exits", plateA, ago(time.Hour))
	w.unmatched()
	if status, text := w.plateIs(plateA, "e3"); status != 201 || !strings.Contains(text, `"minor":1000`) {
		t.Errorf("the entry was another car's: %d %s", status, text)
	}
	bills := whose("the entry was another car's", 2, 0)
	if bills[1] != first || w.state(bills[0]) != "billed" {
		t.Errorf("the bills are %v, %s", bills, w.state(bills[0]))
	}
	open := w.Number(`SELECT COUNT(*) FROM parking_stays WHERE state = 'open'`)
	void := w.Number(`SELECT COUNT(*) FROM parking_stays WHERE state = 'void'`)
	if open != 0 || void != 1 {
		t.Errorf("%d cars are inside, %d visits turned out to be none", open, void)
	}
	by := w.Number(`SELECT COUNT(*) FROM audit_entries WHERE action = 'resolve' AND actor LIKE 'li@%'`)
	if by < 2 || strings.Contains(w.LogText(), "12345") {
		t.Errorf("%d decisions are on the audit trail, or the log holds a plate", by)
	}
}
