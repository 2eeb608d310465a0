package entry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"pgregory.net/rapid"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// The model of the decisions: tickets, who is inside, and what each scan was told. It knows runs by their ends alone.
type model struct {
	l   *ledger.Ledger
	now *atomic.Int64 // Unix milliseconds
	id  int           // of the next run, scan and place

	spot     string
	capacity int64
	inside   int64
	day      string
	visits   map[string][]*modelVisit // by unit
	scans    map[string]modelScan
	open     []Admitted // admitted, and their runs have not ended
	dead     []Admitted // their runs have died, and nothing has taken them back yet
}

type modelVisit struct {
	admission, run, gate, state, day string
	entry                            int64
	at                               time.Time
	runDone, dead                    bool
}

type modelScan struct {
	claim Claim
	run   string
	said  []string // admissions
}

const (
	modelTickets = 4
	modelSame    = time.Minute
)

var shanghai = time.FixedZone("Asia/Shanghai", 8*3600)

func unit(i int) string { return fmt.Sprintf("unit-%d", i) }

// do commits a decision as a run's step would.
func do[A, O any](t *rapid.T, m *model, d *ledger.Decision[A, O], a A) (O, error) {
	o, err := ledger.Do(context.Background(), m.l, d, a)
	_, err = ledger.IsKept(err)
	if problem := (*gateway.Error)(nil); err != nil && !errors.As(err, &problem) {
		t.Fatalf("%s: %v", d.Name, err)
	}
	return o, err
}

func (m *model) at() time.Time { return time.UnixMilli(m.now.Load()).In(shanghai) }

func (m *model) today() string { return m.at().Format(time.DateOnly) }

// begins enters a run in the ledger, so that its admissions are known to be undecided.
func (m *model) begins(t *rapid.T) string {
	m.id++
	run := fmt.Sprintf("%s-run-%d", m.spot, m.id)
	_, err := ledger.Do(context.Background(), m.l, &ledger.Decision[string, int]{Run: func(tx *ledger.Tx, id string) (int, error) {
		return 0, tx.BeginRun(ledger.Run{ID: id, Plan: "scenic-entry", Tenant: "t", Venue: m.spot, Principal: "p", State: ledger.RunRunning,
			StartedAt: m.at(), LeaseUntil: m.at().AddDate(1, 0, 0)})
	}}, run)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func (m *model) ends(t *rapid.T, run string, as ledger.RunState) {
	_, err := ledger.Do(context.Background(), m.l, &ledger.Decision[string, int]{Run: func(tx *ledger.Tx, id string) (int, error) {
		return 0, tx.EndRun(id, as, true, 201, nil)
	}}, run)
	if err != nil {
		t.Fatal(err)
	}
}

func (m *model) roll() {
	if m.today() != m.day {
		m.day, m.inside = m.today(), 0
	}
}

func (m *model) last(u string) *modelVisit {
	if v := m.visits[u]; len(v) > 0 {
		return v[len(v)-1]
	}
	return nil
}

// claimOf draws a claim: one ticket, or a group.
func (m *model) claimOf(t *rapid.T) Claim {
	first := rapid.IntRange(0, modelTickets-1).Draw(t, "ticket")
	n := rapid.IntRange(1, 2).Draw(t, "tickets")
	c := Claim{
		Spot: m.spot, Gate: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "gate"), People: rapid.IntRange(0, 2).Draw(t, "people"), Most: 20,
		At: m.at(), Day: m.today(), How: byTicketing, Capacity: m.capacity, SameScan: modelSame, Entries: map[string]int64{"p": 2},
	}
	for i := first; i < min(first+n, modelTickets); i++ {
		c.Tickets = append(c.Tickets, Ticket{Supplier: m.spot, Unit: unit(i), Product: "p", Code: "c" + unit(i), Status: StatusValid})
		c.Shown = append(c.Shown, byte(i))
	}
	return c
}

// admits holds a ticket to a gate, in a new scan or in one that came before.
func (m *model) admits(t *rapid.T) {
	m.roll()
	c := m.claimOf(t)
	m.id++
	c.Scan = fmt.Sprintf("scan-%d", m.id)
	m.decides(t, c)
}

// repeats sends an earlier scan again: it lets nobody else in.
func (m *model) repeats(t *rapid.T) {
	m.roll()
	if len(m.scans) == 0 {
		t.Skip("no scan yet")
	}
	names := make([]string, 0, len(m.scans))
	for name := range m.scans {
		names = append(names, name)
	}
	slices.Sort(names)
	earlier := m.scans[rapid.SampledFrom(names).Draw(t, "scan")]
	c := earlier.claim
	c.At, c.Day = m.at(), m.today()
	earlier.said = slices.DeleteFunc(slices.Clone(earlier.said), func(id string) bool { return m.visitOf(id) == nil })
	if len(earlier.said) == 0 { // all were taken back: it is as if it had not been
		delete(m.scans, c.Scan)
		m.decides(t, c)
		return
	}
	a, err := m.run(t, c)
	if err != nil {
		if slices.ContainsFunc(earlier.said, func(id string) bool { v := m.visitOf(id); return !v.runDone && !v.dead }) {
			return // its run has not ended
		}
		t.Fatalf("scan %s was admitted and is refused now: %v", c.Scan, err)
	}
	var said []string
	for _, p := range a.People {
		said = append(said, p.Admission)
	}
	if !slices.Equal(said, earlier.said) {
		t.Fatalf("scan %s was told %v and now %v", c.Scan, earlier.said, said)
	}
	if m.adopts(t, a) {
		earlier.run = a.Journey
		m.scans[c.Scan] = earlier
	}
}

// adopts ends a run that has met earlier admissions, or makes those of a dead run its own; then it is still open.
func (m *model) adopts(t *rapid.T, a Admitted) bool {
	own := false
	for _, p := range a.People {
		v := m.visits[p.Unit][m.indexOf(p)]
		if p.Again != v.runDone || p.Again == v.dead {
			t.Fatalf("%s is again: %t; its run is done: %t, dead: %t", p.Unit, p.Again, v.runDone, v.dead)
		}
		if v.dead {
			v.dead, v.run, own = false, a.Journey, true
		}
	}
	if own {
		m.open = append(m.open, a)
	} else {
		m.ends(t, a.Journey, ledger.RunDone)
	}
	return own
}

func (m *model) run(t *rapid.T, c Claim) (Admitted, error) {
	c.Journey = m.begins(t)
	a, err := do(t, m, admit, c)
	if err != nil {
		m.ends(t, c.Journey, ledger.RunRefused)
	}
	return a, err
}

// decides compares one admission with the model's.
func (m *model) decides(t *rapid.T, c Claim) {
	var fresh, again []string
	for _, ticket := range c.Tickets {
		last := m.last(ticket.Unit)
		switch {
		case last == nil:
			fresh = append(fresh, ticket.Unit)
		case last.state == stateIn && last.day == c.Day && last.gate == c.Gate && c.At.Sub(last.at) <= c.SameScan:
			again = append(again, ticket.Unit)
		case (last.state == stateOut || last.day != c.Day) && last.entry < 2:
			fresh = append(fresh, ticket.Unit)
		}
	}
	a, err := m.run(t, c)
	var units []string
	for _, p := range a.People {
		units = append(units, p.Unit)
	}
	n := len(fresh)
	if c.People > 0 {
		n = min(n, c.People)
	}
	switch {
	case len(again) > 0 && c.People <= len(again):
		if c.People > 0 {
			again = again[:c.People]
		}
		undecided := slices.ContainsFunc(again, func(u string) bool { return !m.last(u).runDone && !m.last(u).dead })
		if undecided != (err != nil) || err == nil && !slices.Equal(units, again) {
			t.Fatalf("again %v, undecided %t: %v %v", again, undecided, units, err)
		}
		if err == nil {
			m.adopts(t, a)
			m.keeps(c, a)
		}
	case n == 0 || c.People > n || m.inside+int64(n) > m.capacity:
		if err == nil {
			t.Fatalf("let in %v; fresh %v, %d of %d inside, asked for %d", units, fresh, m.inside, m.capacity, c.People)
		}
	default:
		if err != nil || a.Again || !slices.Equal(units, fresh[:n]) {
			t.Fatalf("want %v let in: %v %v", fresh[:n], units, err)
		}
		for _, p := range a.People {
			m.visits[p.Unit] = append(m.visits[p.Unit], &modelVisit{admission: p.Admission, run: a.Journey, entry: p.Entry,
				gate: c.Gate, state: stateIn, day: c.Day, at: c.At})
		}
		m.inside += int64(n)
		m.keeps(c, a)
		m.open = append(m.open, a)
	}
}

func (m *model) keeps(c Claim, a Admitted) {
	s := modelScan{claim: c, run: a.Journey}
	for _, p := range a.People {
		s.said = append(s.said, p.Admission)
	}
	m.scans[c.Scan] = s
}

// settles ends a run well, with ticketing's refusal of some.
func (m *model) settles(t *rapid.T) {
	m.roll()
	a := m.takeOpen(t)
	o := outcomes{Admitted: a, refused: map[string]*gateway.Error{}}
	gone := 0
	for _, p := range a.People {
		if p.Entry == 1 && rapid.Bool().Draw(t, "refuse "+p.Unit) {
			o.refused[p.Unit] = ProblemTicketUsed.Error(gateway.Text{})
			if p.own() {
				m.forgets(p)
				gone++
			}
		}
	}
	out, err := do(t, m, settle, o)
	if (err != nil) != (gone == len(a.People)) || err == nil && len(out.People) != len(a.People)-gone {
		t.Fatalf("settled %d of %d with %d refused: %v", len(out.People), len(a.People), gone, err)
	}
	if err != nil {
		if m.scans[a.Scan].run == a.Journey {
			delete(m.scans, a.Scan)
		}
		m.ends(t, a.Journey, ledger.RunRefused)
		return
	}
	s := m.scans[a.Scan]
	s.said = nil
	for _, p := range out.People {
		s.said = append(s.said, p.Admission)
		if v := m.visits[p.Unit][m.indexOf(p)]; v.run == a.Journey {
			v.runDone = true
		}
	}
	m.scans[a.Scan] = s
	m.ends(t, a.Journey, ledger.RunDone)
}

// releases takes a whole run back, twice: the second time changes nothing.
func (m *model) releases(t *rapid.T) {
	m.roll()
	a := m.takeOpen(t)
	m.takesBack(t, a)
	m.ends(t, a.Journey, ledger.RunUndone)
}

func (m *model) takesBack(t *rapid.T, a Admitted) {
	var own []Person
	for _, p := range a.People {
		if i := m.indexOf(p); i >= 0 && m.visits[p.Unit][i].run == a.Journey {
			own = append(own, p)
		}
	}
	for i, want := range []int64{int64(len(own)), 0} {
		if n, err := do(t, m, release, a); err != nil || n != want {
			t.Fatalf("release %d: %d people, want %d: %v", i, n, want, err)
		}
	}
	for _, p := range own {
		m.forgets(p)
	}
	if m.scans[a.Scan].run == a.Journey {
		delete(m.scans, a.Scan)
	}
}

// dies ends a run in the middle; what it has done waits to be taken back, or for the next scan to take it over.
func (m *model) dies(t *rapid.T) {
	a := m.takeOpen(t)
	for _, p := range a.People {
		if i := m.indexOf(p); i >= 0 && m.visits[p.Unit][i].run == a.Journey {
			m.visits[p.Unit][i].dead = true
		}
	}
	m.dead = append(m.dead, a)
	m.ends(t, a.Journey, ledger.RunUndone)
}

// recovers takes back what is left of a run that died.
func (m *model) recovers(t *rapid.T) {
	m.roll()
	if len(m.dead) == 0 {
		t.Skip("no run has died")
	}
	a := m.dead[0]
	m.dead = m.dead[1:]
	m.takesBack(t, a)
}

// visitOf finds a visit by its admission; nil where it was taken back.
func (m *model) visitOf(admission string) *modelVisit {
	for _, all := range m.visits {
		for _, v := range all {
			if v.admission == admission {
				return v
			}
		}
	}
	return nil
}

func (m *model) takeOpen(t *rapid.T) Admitted {
	if len(m.open) == 0 {
		t.Skip("no run is open")
	}
	i := rapid.IntRange(0, len(m.open)-1).Draw(t, "run")
	a := m.open[i]
	m.open = slices.Delete(m.open, i, i+1)
	return a
}

// forgets takes a person's visit back; whoever has left is counted out already.
func (m *model) forgets(p Person) {
	i := m.indexOf(p)
	last := m.visits[p.Unit][i]
	m.visits[p.Unit] = slices.Delete(m.visits[p.Unit], i, i+1)
	if last.state == stateIn && last.day == m.day {
		m.inside--
	}
}

func (m *model) indexOf(p Person) int {
	return slices.IndexFunc(m.visits[p.Unit], func(v *modelVisit) bool { return v.admission == p.Admission })
}

// leaves shows a ticket at the exit, and sends that scan again.
func (m *model) leaves(t *rapid.T) {
	m.roll()
	c := m.claimOf(t)
	c.Tickets = c.Tickets[:1]
	u := c.Tickets[0].Unit
	last := m.last(u)
	if last == nil || last.state != stateIn || !last.runDone || last.admission == "" {
		t.Skip("not inside")
	}
	shown, err := m.shownOf(last.admission)
	if err != nil {
		t.Fatal(err)
	}
	m.id++
	l := Leaving{Journey: m.begins(t), Spot: m.spot, Day: m.today(), Gate: "out", Scan: fmt.Sprint(m.id), People: 1, Shown: shown, At: m.at()}
	out, err := do(t, m, leave, l)
	// of several tickets under one form the first in is the first out
	gone := m.firstInside(t, shown)
	gone.state = stateOut
	if gone.day == m.day {
		m.inside = max(m.inside-1, 0) // staff may have corrected them away
	}
	if err != nil || out.People != 1 || out.Inside != m.inside {
		t.Fatalf("left %+v, model %d: %v", out, m.inside, err)
	}
	again, err := do(t, m, leave, l)
	if err != nil || !again.Again || again.People != out.People || again.Inside != out.Inside {
		t.Fatalf("the same scan: %+v, first %+v: %v", again, out, err)
	}
	m.ends(t, l.Journey, ledger.RunDone)
}

func (m *model) shownOf(admission string) (shown []byte, err error) {
	err = m.l.View(context.Background(), func(q ledger.Querier) error {
		return q.QueryRow(`SELECT shown FROM admissions WHERE id = $1`, admission).Scan(&shown)
	})
	return shown, err
}

func (m *model) firstInside(t *rapid.T, shown []byte) *modelVisit {
	for i := range modelTickets {
		for _, v := range m.visits[unit(i)] {
			if s, err := m.shownOf(v.admission); err == nil && v.state == stateIn && string(s) == string(shown) {
				return v
			}
		}
	}
	t.Fatal("nobody is inside on it")
	return nil
}

func (m *model) corrects(t *rapid.T) {
	m.roll()
	n := rapid.Int64Range(0, m.capacity).Draw(t, "inside")
	c := Correction{Journey: m.begins(t), Spot: m.spot, Day: m.today(), Inside: n, By: "li", At: m.at(), Capacity: m.capacity}
	out, err := do(t, m, correct, c)
	if err != nil || out.Before != m.inside || out.Inside != n {
		t.Fatalf("corrected %+v, model %d: %v", out, m.inside, err)
	}
	m.inside = n
	m.ends(t, c.Journey, ledger.RunDone)
}

// passes lets time go by: past the minute of the same scan, or past midnight.
func (m *model) passes(t *rapid.T) {
	by := rapid.SampledFrom([]time.Duration{time.Second, modelSame, modelSame + time.Second, 8 * time.Hour}).Draw(t, "by")
	m.now.Add(by.Milliseconds())
}

// check compares what is true of every state.
func (m *model) check(t *rapid.T) {
	m.roll()
	m.inside = max(m.inside, 0)
	var inside int64
	err := m.l.View(context.Background(), func(q ledger.Querier) (err error) {
		if inside, _, err = occupancyOf(q, m.spot, m.today()); err != nil {
			return err
		}
		for i := range modelTickets {
			var n int64
			err := q.QueryRow(`SELECT count(*) FROM admissions WHERE supplier = $1 AND unit = $2`, m.spot, unit(i)).Scan(&n)
			if err == nil && n != int64(len(m.visits[unit(i)])) {
				err = fmt.Errorf("%s has %d admissions, want %d", unit(i), n, len(m.visits[unit(i)]))
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || inside != m.inside || inside > m.capacity || inside < 0 {
		t.Fatalf("%d inside, want %d, capacity %d: %v", inside, m.inside, m.capacity, err)
	}
}
