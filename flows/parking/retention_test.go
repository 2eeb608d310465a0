package parking_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/flows/flowtest"
	"github.com/warmgate/warmgate/flows/parking"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/ledger/ledgertest"
)

const year = 365 * 24 * time.Hour

// forgets lets so much time pass, and says how many rows are forgotten then.
func (g *garage) forgets(after time.Duration) int64 {
	g.t.Helper()
	n, err := parking.Forget(g.Runtime, g.Runtime.Venue(lotID), time.Now().Add(after))
	if err != nil {
		g.t.Fatal(err)
	}
	g.verify()
	return n
}

// personal counts the rows that still say whose something was.
func (g *garage) personal() string {
	g.t.Helper()
	var all []string
	for _, table := range []string{"stays", "events", "bills", "permissions", "prepayments", "passes"} {
		all = append(all, fmt.Sprintf("%s %d", table, g.number(`SELECT COUNT(*) FROM parking_`+table+` WHERE LENGTH(plate) > 0`)))
	}
	return strings.Join(all, ", ")
}

// TestWhatIsOldIsForgotten: nobody can say any more whose a visit was; the visit, its bill and the books stay as they were.
func TestWhatIsOldIsForgotten(t *testing.T) {
	g := start(t, withGrace)
	g.enter(plateA, ago(3*time.Hour))
	g.paid(plateA, ago(2*time.Hour), 1000, nil)
	r := g.paid(plateA, ago(119*time.Minute), 1000, nil)
	run := g.Column(`SELECT run FROM parking_prepayments WHERE event = 'p3'`)
	bill := g.leave(plateA, ago(61*time.Minute)).Bill.ID
	g.hold("M-1", plateB, ago(3*time.Hour), ago(2*time.Hour))
	books := fmt.Sprint(g.Column(`SELECT movement || account || minor FROM parking_postings ORDER BY movement, account`), g.bill(bill), g.lines(bill))
	if r.State != "waiting" || len(run) != 1 || g.bill(bill) != "paid 2000 0 0" {
		t.Fatalf("the bill is %s", g.bill(bill))
	}
	if n := g.forgets(year - 2*time.Hour); n != 0 {
		t.Errorf("%d rows went too early", n)
	}
	if n := g.forgets(year); n == 0 {
		t.Error("nothing was forgotten")
	}
	if now := g.personal(); now != "stays 0, events 0, bills 0, permissions 0, prepayments 0, passes 0" {
		t.Errorf("what still says whose: %s", now)
	}
	if n := g.number(`SELECT COUNT(*) FROM parking_stays WHERE LENGTH(sealed) > 0 OR LENGTH(data_key) > 0`); n != 0 {
		t.Error("a sealed plate is there")
	}
	if now := fmt.Sprint(g.Column(`SELECT movement || account || minor FROM parking_postings ORDER BY movement, account`), g.bill(bill), g.lines(bill)); now != books {
		t.Errorf("the books were\n%s\nand are\n%s", books, now)
	}
	if n := g.number(`SELECT COUNT(*) FROM audit_entries WHERE action = 'erase'`); n == 0 {
		t.Error("nothing on the audit trail")
	}
	if n := g.number(`SELECT COUNT(*) FROM runs WHERE id = $1 AND data_key IS NOT NULL`, run[0]); n != 0 {
		t.Error("what was sealed for a payment can still be read")
	}
	if n := g.forgets(2 * year); n != 0 {
		t.Errorf("%d rows are forgotten twice", n)
	}
	// The same car comes and goes as before, whatever has been forgotten.
	g.enter(plateA, ago(30*time.Minute))
	if due := g.leave(plateA, ago(0)).Bill.Due.Minor; due != 1000 {
		t.Errorf("later it pays %d", due)
	}
}

// TestWhatIsStillNeededStays, however old it is.
func TestWhatIsStillNeededStays(t *testing.T) {
	for _, c := range []struct {
		what  string
		do    func(g *garage)
		stays string // those of the four tables that are left
	}{
		{"a bill that is owed", func(g *garage) { g.enter(plateA, ago(3*time.Hour)); g.leave(plateA, ago(time.Hour)) }, "stays 1, events 2, bills 1"},
		{"a car that is inside", func(g *garage) { g.enter(plateA, ago(3*time.Hour)) }, "stays 1, events 1, bills 0"},
		{"an exit that waits for its entry", func(g *garage) { g.leave(plateA, ago(time.Hour)) }, "stays 0, events 1, bills 0"},
		{"what was paid too much", func(g *garage) {
			g.enter(plateA, ago(3*time.Hour))
			g.paid(plateA, ago(2*time.Hour), 9000, nil)
			g.leave(plateA, ago(time.Hour))
		}, "stays 1, events 2, bills 1"},
		{"a disputed bill", func(g *garage) {
			g.enter(plateA, ago(10*time.Minute))
			g.leave(plateA, ago(9*time.Minute))
			g.Write(func(tx *ledger.Tx) error {
				_, err := tx.Exec(`UPDATE parking_bills SET state = 'disputed'`)
				return err
			})
		}, "stays 1, events 2, bills 1"},
		{"a bill with a person", func(g *garage) {
			g.enter(plateA, ago(10*time.Minute))
			b := g.leave(plateA, ago(9*time.Minute)).Bill.ID
			g.Write(func(tx *ledger.Tx) error {
				_, err := tx.OpenAssist(ledger.Assist{Run: "r", Kind: "parking-overpaid", Tenant: "hangzhou", Venue: lotID, Subject: b})
				return err
			})
		}, "stays 1, events 2, bills 1"},
		{"nothing of a free visit", func(g *garage) { g.enter(plateA, ago(10*time.Minute)); g.leave(plateA, ago(9*time.Minute)) }, "stays 0, events 0, bills 0"},
		{"nothing of a visit that nobody saw end", func(g *garage) { g.enter(plateA, ago(3*time.Hour)); g.enter(plateA, ago(time.Hour)) }, "stays 1, events 1, bills 0"},
		{"nothing of a bill whose visit turned out to be none", func(g *garage) {
			g.enter(plateA, ago(60*time.Minute))
			g.leave(plateA, ago(50*time.Minute))
			g.leave(plateA, ago(55*time.Minute)) // the exit of that visit; the other one has no entry
			g.Write(func(tx *ledger.Tx) error {
				_, err := tx.Exec(`UPDATE parking_bills SET stay = 'none/' || id, exit = 'none/' || id, state = 'cancelled'`)
				if err == nil {
					_, err = tx.Exec(`UPDATE parking_stays SET state = 'void'`)
				}
				return err
			})
		}, "stays 0, events 1, bills 0"},
		{"nothing of a car that was turned away", func(g *garage) {
			g.enter(plateA, ago(30*time.Hour))
			bill := g.leave(plateA, ago(20*time.Hour)).Bill
			g.post("entries", g.event(plateA, time.Time{}))
			g.paid("", ago(0), bill.Due.Minor, m{"plate": nil, "bill": bill.ID})
		}, "stays 0, events 0, bills 0"},
	} {
		t.Run(c.what, func(t *testing.T) {
			g := start(t, func(s *parking.Settings) { s.Arrears = parking.Arrears{Over: 2000, Older: 0} })
			c.do(g)
			g.forgets(5 * year)
			if now := g.personal(); !strings.HasPrefix(now, c.stays+",") {
				t.Errorf("left are %s, want %s", now, c.stays)
			}
		})
	}
}

// TestForgettingGoesInPieces: many visits go in small commits, and none is left or counted twice.
func TestForgettingGoesInPieces(t *testing.T) {
	g := start(t, nil)
	var in, out []m
	for i := range 100 {
		plate := fmt.Sprintf("浙A%05d", i)
		in, out = append(in, g.event(plate, ago(12*time.Minute))), append(out, g.event(plate, ago(10*time.Minute)))
	}
	for direction, events := range map[string][]m{"entries": in, "exits": out} {
		if a := g.post(direction, m{"events": events}); a.Status != 201 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
	}
	if n := g.forgets(5 * year); n != 100 {
		t.Errorf("%d are forgotten", n)
	}
	if n := g.number(`SELECT COUNT(*) FROM runs WHERE data_key IS NOT NULL AND NOT EXISTS (SELECT 1 FROM operations o WHERE o.run = runs.id AND o.state <> 'done')`); n != 0 {
		t.Errorf("%d requests can still be read", n)
	}
}

// TestKeep: it is never shorter than events may come late.
func TestKeep(t *testing.T) {
	for what, change := range map[string]func(s *parking.Settings){
		"keep.visits":  func(s *parking.Settings) { s.Keep.Visits = s.Oldest + s.ParkedFor - 1 },
		"keep.passes":  func(s *parking.Settings) { s.Keep.Passes = 11 * year },
		"keep.notices": func(s *parking.Settings) { s.Keep.Notices = time.Hour },
	} {
		s := parking.UsualSettings()
		change(s)
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestAnOwnerLosesSightOfWhatIsForgotten, and of whose the plate was; the collector's money stays in the books.
func TestAnOwnerLosesSightOfWhatIsForgotten(t *testing.T) {
	w := openTown(t)
	zhang := w.person("zhang")
	w.own(zhang, plateA, time.Now().Add(-24*time.Hour))
	bill := w.visit(plateA, 3*time.Hour, time.Hour)
	w.becomes(bill, "paid")
	w.Eventually("everything is told", func() bool { return w.provider.ReadBooks().Untold == 0 })
	if _, a := w.look(zhang, bill); a.Status != 200 {
		t.Fatalf("before: %d", a.Status)
	}
	w.change(`UPDATE parking_stays SET entered_at = entered_at - $1, left_at = left_at - $1`, (2 * year).Milliseconds())
	w.Stop()
	w.Run() // it forgets at once
	w.Eventually("it is forgotten", func() bool { return w.Number(`SELECT COUNT(*) FROM parking_stays WHERE forgotten_at > 0`) == 1 })
	if a := w.Do(flowtest.Call{Method: "GET", Path: "/v1/parking-bills/" + bill, Token: zhang}); a.Status != 404 {
		t.Errorf("after: %d %s", a.Status, a.Text)
	}
	if ids := w.found(zhang, plateA); len(ids) != 0 {
		t.Errorf("found %v", ids)
	}
}

// TestForgettingNeverScans holds the plans of the statements to their indexes: a lot has a million bills, and cars wait meanwhile.
func TestForgettingNeverScans(t *testing.T) {
	g := start(t, withGrace)
	for statement, index := range parking.Forgotten() {
		var plan string
		err := g.Runtime.Ledger.View(t.Context(), func(q ledger.Querier) (err error) {
			plan, err = ledgertest.PlanOf(q, statement, "x", 1, 1)
			return err
		})
		if err != nil || !strings.Contains(plan, index) || strings.Contains(plan, "SCAN") {
			t.Errorf("%s: %s, %v", statement, plan, err)
		}
	}
}
