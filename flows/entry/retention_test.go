package entry

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// keepWorld is a ledger with admissions, at a time that is set by hand.
type keepWorld struct {
	warmWorld
	n int
}

func newKeepWorld(t *testing.T) *keepWorld {
	w := &keepWorld{warmWorld: newWarmWorld(t)}
	w.venue.Settings = &Settings{Capacity: 1000, MaxPeople: 5, SameScan: time.Minute,
		Products: []Product{{ID: "one", Entries: 1}, {ID: "three", Entries: 3}},
		Keep:     Keep{Scans: 48 * time.Hour, Admissions: 90 * 24 * time.Hour, Known: 48 * time.Hour}}
	return w
}

func (w *keepWorld) pass(d time.Duration) { w.now.Add(d.Milliseconds()) }

// claim is what is decided about a ticket that is shown now.
func (w *keepWorld) claim(scan string, t Ticket) Claim {
	w.n++
	at := w.rt.Now().In(shanghai)
	return Claim{Journey: fmt.Sprintf("%s-7%03x-8000-%012x", idBefore(at.UnixMilli()), w.n%4096, w.n), Spot: "v", Gate: "north", Scan: scan,
		Shown: []byte(t.Unit), At: at, Day: at.Format(time.DateOnly), Capacity: 1000, SameScan: time.Minute, Most: 5,
		Entries: settingsOf(w.venue).entries(), Tickets: []Ticket{t}, How: byTicketing}
}

func (w *keepWorld) enter(t rapid.TB, scan string, ticket Ticket) (Admitted, error) {
	t.Helper()
	a, err := ledger.Do(context.Background(), w.rt.Ledger, admit, w.claim(scan, ticket))
	if isKept, outcome := ledger.IsKept(err); isKept {
		err = outcome
	}
	return a, err
}

func (w *keepWorld) leaves(t rapid.TB, scan, unit string) {
	t.Helper()
	at := w.rt.Now().In(shanghai)
	if _, err := ledger.Do(context.Background(), w.rt.Ledger, leave, Leaving{Journey: "j", Spot: "v", Day: at.Format(time.DateOnly), Gate: "out",
		Scan: scan, People: 1, Shown: []byte(unit), At: at}); err != nil {
		t.Fatal(err)
	}
}

func (w *keepWorld) sweep(t rapid.TB) int64 {
	t.Helper()
	n, err := sweepVenue(context.Background(), w.rt, w.venue)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (w *keepWorld) count(t rapid.TB, query string, args ...any) (n int) {
	t.Helper()
	err := w.rt.Ledger.View(context.Background(), func(q ledger.Querier) error { return q.QueryRow(query, args...).Scan(&n) })
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (w *keepWorld) rows(t rapid.TB, table string) int {
	return w.count(t, `SELECT count(*) FROM `+table)
}

func (w *keepWorld) commit(t rapid.TB, f func(tx *ledger.Tx) error) {
	t.Helper()
	d := &ledger.Decision[int, int]{Name: "test", Run: func(tx *ledger.Tx, _ int) (int, error) { return 0, f(tx) }}
	if _, err := ledger.Do(context.Background(), w.rt.Ledger, d, 0); err != nil {
		t.Fatal(err)
	}
}

func of(product, unit string) Ticket {
	return Ticket{Supplier: "s", Unit: unit, Product: product, Status: StatusValid}
}

// TestWhatIsOldIsForgotten, a moment after it may be, and not a moment before.
func TestWhatIsOldIsForgotten(t *testing.T) {
	w := newKeepWorld(t)
	if _, err := w.enter(t, "scan", of("one", "u")); err != nil {
		t.Fatal(err)
	}
	w.pass(48 * time.Hour)
	if n := w.sweep(t); n != 0 {
		t.Fatalf("%d rows went too early", n)
	}
	w.pass(time.Millisecond)
	if n := w.sweep(t); n != 1 || w.rows(t, "scans") != 0 || w.rows(t, "admissions") != 1 {
		t.Fatalf("%d rows went", n)
	}
	w.pass(88*24*time.Hour - time.Millisecond)
	if n := w.sweep(t); n != 0 {
		t.Fatalf("%d rows went too early", n)
	}
	w.pass(time.Millisecond)
	if n := w.sweep(t); n != 1 || w.rows(t, "admissions") != 0 {
		t.Fatalf("%d rows went", n)
	}
}

// TestAForgottenScanIsANewOne: the same scan_id with another ticket is a mistake before, and another scan after.
func TestAForgottenScanIsANewOne(t *testing.T) {
	w := newKeepWorld(t)
	if _, err := w.enter(t, "scan", of("one", "first")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.enter(t, "scan", of("one", "second")); gateway.AsError(err).Problem != ProblemScanReused {
		t.Fatal(err)
	}
	w.pass(48*time.Hour + time.Millisecond)
	w.sweep(t)
	if a, err := w.enter(t, "scan", of("one", "second")); err != nil || a.Again || len(a.People) != 1 {
		t.Errorf("%+v, %v", a, err)
	}
	if _, err := w.enter(t, "other", of("one", "first")); gateway.AsError(err).Problem != ProblemTicketUsed {
		t.Errorf("the first ticket's admission is not forgotten with its scan: %v", err)
	}
}

// TestWhatIsNeededStays, however old it is.
func TestWhatIsNeededStays(t *testing.T) {
	long := 400 * 24 * time.Hour
	for _, test := range []struct {
		name         string
		ticket       func(w *keepWorld) Ticket
		then         func(w *keepWorld, a Admitted)
		scans, stays int
	}{
		{"nothing", func(*keepWorld) Ticket { return of("one", "u") }, nil, 0, 0},
		{"entries left, and no end", func(*keepWorld) Ticket { return of("three", "u") }, nil, 0, 1},
		{"entries left, and a slot that has ended", func(w *keepWorld) Ticket {
			ticket := of("three", "u")
			ticket.From, ticket.To = w.rt.Now(), w.rt.Now().Add(time.Hour)
			return ticket
		}, nil, 0, 0},
		{"a slot that has not ended long enough", func(w *keepWorld) Ticket {
			ticket := of("one", "u")
			ticket.From, ticket.To = w.rt.Now(), w.rt.Now().Add(long-89*24*time.Hour)
			return ticket
		}, nil, 0, 1},
		{"an open assist", func(*keepWorld) Ticket { return of("one", "u") }, func(w *keepWorld, a Admitted) {
			w.commit(w.t, func(tx *ledger.Tx) error {
				_, err := tx.OpenAssist(ledger.Assist{Run: a.Journey, Plan: "scenic-entry", Kind: handRedeemLate.Kind, Tenant: "t", Venue: "v"})
				return err
			})
		}, 1, 1},
		{"a run that goes on", func(*keepWorld) Ticket { return of("one", "u") }, func(w *keepWorld, a Admitted) {
			w.commit(w.t, func(tx *ledger.Tx) error {
				return tx.BeginRun(ledger.Run{ID: a.Journey, Plan: "scenic-entry", Tenant: "t", Venue: "v", State: ledger.RunRunning,
					StartedAt: w.rt.Now(), LeaseUntil: w.rt.Now().Add(time.Second)})
			})
		}, 1, 1},
		{"a late exit", func(*keepWorld) Ticket { return of("one", "u") }, func(w *keepWorld, _ Admitted) {
			w.pass(long - 30*24*time.Hour)
			w.leaves(w.t, "out", "u")
			w.pass(-(long - 30*24*time.Hour))
		}, 0, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newKeepWorld(t)
			a, err := w.enter(t, "scan", test.ticket(w))
			if err != nil {
				t.Fatal(err)
			}
			if test.then != nil {
				test.then(w, a)
			}
			w.pass(long)
			w.sweep(t)
			if scans, stays := w.rows(t, "scans"), w.rows(t, "admissions"); scans != test.scans || stays != test.stays {
				t.Errorf("%d scans and %d admissions are left, want %d and %d", scans, stays, test.scans, test.stays)
			}
		})
	}
}

// TestTheLastVisitGoesLast: an earlier visit that is still needed must not become the last one again.
func TestTheLastVisitGoesLast(t *testing.T) {
	w := newKeepWorld(t)
	for i := range 3 { // on three days, with no exit between them
		if _, err := w.enter(t, fmt.Sprint("scan", i), of("three", "u")); err != nil {
			t.Fatal(err)
		}
		w.pass(24 * time.Hour)
	}
	w.pass(60 * 24 * time.Hour)
	w.leaves(t, "out", "u") // ends the first
	w.pass(60 * 24 * time.Hour)
	w.sweep(t)
	used := of("three", "u")
	used.Status = StatusUsed
	if _, err := w.enter(t, "again", used); gateway.AsError(err).Problem != ProblemTicketUsed {
		t.Errorf("it comes in a fourth time: %v", err)
	}
	w.pass(31 * 24 * time.Hour)
	w.sweep(t)
	if n := w.rows(t, "admissions"); n != 0 {
		t.Errorf("%d admissions are left", n)
	}
}

// TestManyRowsGoInPieces: more than a page of each, with others of another venue among them.
func TestManyRowsGoInPieces(t *testing.T) {
	w := newKeepWorld(t)
	const n = sweepPage + sweepPage/2
	w.commit(t, func(tx *ledger.Tx) error {
		for i := range n {
			for _, venue := range []string{"v", "other"} {
				c := w.claim(fmt.Sprint("scan", i), of("one", fmt.Sprint(venue, i)))
				c.Spot, c.Capacity = venue, 1_000_000
				if _, err := admit.Run(tx, c); err != nil {
					return err
				}
			}
		}
		return nil
	})
	w.pass(100 * 24 * time.Hour)
	if got := w.sweep(t); got != 2*n || w.rows(t, "scans") != n || w.rows(t, "admissions") != n {
		t.Errorf("%d rows went, %d scans and %d admissions are left", got, w.rows(t, "scans"), w.rows(t, "admissions"))
	}
}

// TestNoTicketComesInMoreOften for being forgotten: visits, exits and sweeps in any order, against what ticketing says.
func TestNoTicketComesInMoreOften(t *testing.T) {
	w := newKeepWorld(t) // of all walks, each with tickets of its own
	rapid.Check(t, func(r *rapid.T) {
		walk := w.n
		visits, most := map[string]int64{}, settingsOf(w.venue).entries()
		for range rapid.IntRange(5, 25).Draw(r, "steps") {
			product := rapid.SampledFrom([]string{"one", "three"}).Draw(r, "product")
			unit := fmt.Sprint(walk, product, "-", rapid.IntRange(0, 2).Draw(r, "unit"))
			switch rapid.IntRange(0, 3).Draw(r, "what") {
			case 0, 1:
				ticket := of(product, unit)
				if visits[unit] > 0 {
					ticket.Status = StatusUsed // redeemed at its first visit
				}
				w.n++
				_, err := w.enter(r, fmt.Sprint("scan", w.n), ticket)
				if err == nil {
					if visits[unit]++; visits[unit] > most[product] {
						r.Fatalf("%s has come in %d times", unit, visits[unit])
					}
				} else if p := gateway.AsError(err).Problem; p != ProblemTicketUsed {
					r.Fatal(err)
				} else if n := w.count(r, `SELECT count(*) FROM admissions WHERE unit = $1 AND state = 'in'`, unit); n == 0 && visits[unit] < most[product] {
					r.Fatalf("%s is refused after %d visits", unit, visits[unit])
				}
			case 2:
				w.n++
				w.leaves(r, fmt.Sprint("out", w.n), unit)
			case 3:
				w.sweep(r)
			}
			w.pass(time.Duration(rapid.IntRange(2, 60*24).Draw(r, "hours")) * time.Hour)
		}
	})
}

func TestKeepHasBounds(t *testing.T) {
	for field, bad := range map[string]Keep{
		"keep.scans":      {Scans: time.Hour - 1, Admissions: minKeepAdmissions, Known: time.Hour},
		"keep.admissions": {Scans: time.Hour, Admissions: minKeepAdmissions - 1, Known: time.Hour},
		"keep.known":      {Scans: time.Hour, Admissions: maxKeep, Known: time.Hour - 1},
	} {
		s := &Settings{Capacity: 1, Gates: []string{"g"}, Products: []Product{{ID: "p", Entries: 1}}, SameScan: time.Minute, MaxPeople: 1,
			TicketingLate: lateOpen, Prewarm: Prewarm{Every: time.Minute, MaxAge: time.Hour}, Keep: bad}
		if err := s.Validate(); err == nil || !strings.HasPrefix(err.Error(), field) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", field, err)
		}
	}
}
