package entry

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// Admitted is what the ledger has decided about a claim.
type Admitted struct {
	Journey  string    `json:"journey"`
	Spot     string    `json:"spot"`
	Day      string    `json:"day"`
	Gate     string    `json:"gate"`
	Scan     string    `json:"scan"`
	At       time.Time `json:"at"`
	How      string    `json:"how"`
	People   []Person  `json:"people"`
	Refused  []Refused `json:"refused,omitempty"`
	Inside   int64     `json:"inside"`
	Capacity int64     `json:"capacity"`
	Again    bool      `json:"again,omitempty"` // an earlier run's admission, and not this one's to take back
}

// Person is one person let in.
type Person struct {
	Admission string `json:"admission"`
	Supplier  string `json:"supplier"`
	Unit      string `json:"unit"`
	Entry     int64  `json:"entry"`
	Code      string `json:"code"`
}

// Refused is one ticket of several that did not let anybody in.
type Refused struct {
	Unit    string `json:"unit"`
	Problem string `json:"problem"`
}

// admit claims each ticket's visit, exactly once, and counts its holder inside. It decides by reading first, so that a
// refusal has written nothing.
var admit = &ledger.Decision[Claim, Admitted]{Name: "entry.admit", Run: func(tx *ledger.Tx, c Claim) (Admitted, error) {
	a := Admitted{Journey: c.Journey, Spot: c.Spot, Day: c.Day, Gate: c.Gate, Scan: c.Scan, At: c.At, How: c.How, Capacity: c.Capacity}
	if found, err := earlierScan(tx, c, &a); found || err != nil {
		return a, err
	}
	v, err := visits(tx, c)
	if err != nil {
		return a, err
	}
	if len(v.again) > 0 && (c.People == 0 || c.People <= len(v.again)) {
		again := v.again
		if c.People > 0 {
			again = again[:c.People]
		}
		return a, repeatVisit(tx, c, again, &a)
	}
	n := len(v.fresh)
	if c.People > 0 {
		n = min(n, c.People)
	}
	switch {
	case n == 0:
		return a, ledger.Keep(v.refusals[0])
	case c.People > n:
		return a, ledger.Keep(ProblemTooFewTickets.Error(gateway.Text{
			Zh: fmt.Sprintf("可入园 %d 人", n), En: fmt.Sprintf("These tickets let in %d", n)}).With("admissible", n))
	}
	a.Refused = v.refused
	return a, enter(tx, c, v.fresh[:n], &a)
}}

// visit is a ticket's last visit, or the one that it would make now.
type visit struct {
	ticket Ticket
	id     string
	entry  int64
}

// visited is what the ledger knows about the claim's tickets.
type visited struct {
	fresh, again []visit
	refused      []Refused
	refusals     []*gateway.Error
}

func visits(tx *ledger.Tx, c Claim) (v visited, err error) {
	for _, t := range c.Tickets {
		last, found, err := lastVisit(tx, c, t)
		if err != nil {
			return v, err
		}
		used := ProblemTicketUsed.Error(gateway.Text{})
		switch {
		case !found && t.Status != StatusUsed:
			v.fresh = append(v.fresh, visit{ticket: t, entry: 1})
			continue
		case !found:
			used = sayUsed(t.UsedAt, "")
		case last.state == stateIn && last.day == c.Day && last.gate == c.Gate && c.At.Sub(last.at) <= c.SameScan:
			v.again = append(v.again, visit{ticket: t, id: last.id, entry: last.entry})
			continue
		case (last.state == stateOut || last.day != c.Day) && last.entry < c.Entries[t.Product]:
			v.fresh = append(v.fresh, visit{ticket: t, entry: last.entry + 1})
			continue
		default:
			used = sayUsed(last.at, last.gate)
		}
		v.refused = append(v.refused, Refused{Unit: t.Unit, Problem: used.Problem.Type})
		v.refusals = append(v.refusals, used)
	}
	return v, nil
}

// sayUsed says when and where a ticket was used, as far as it is known.
func sayUsed(at time.Time, gate string) *gateway.Error {
	e := ProblemTicketUsed.Error(gateway.Text{})
	if at.IsZero() {
		return e
	}
	when := at.Format(time.RFC3339)
	e.Detail = gateway.Text{Zh: "使用时间：" + when, En: "It was used at " + when}
	e = e.With("used_at", when)
	if gate != "" {
		e.Detail.Zh += "，闸机：" + gate
		e.Detail.En += " at gate " + gate
		e = e.With("gate", gate)
	}
	return e
}

// The states of an admission.
const (
	stateIn  = "in"
	stateOut = "out"
)

type lastSeen struct {
	id, gate, state, day string
	entry                int64
	at                   time.Time
}

// lastVisit finds the last visit of a ticket; one that staff have let in is known by what was shown.
func lastVisit(tx *ledger.Tx, c Claim, t Ticket) (last lastSeen, found bool, err error) {
	last, found, err = seen(tx, c, `SELECT id, gate, state, entry, admitted_at FROM admissions
		WHERE supplier = $1 AND unit = $2 ORDER BY entry DESC LIMIT 1`, t.Supplier, t.Unit)
	if err != nil || found || c.How == byStaff {
		return last, found, err
	}
	return seen(tx, c, `SELECT id, gate, state, entry, admitted_at FROM admissions
		WHERE venue = $1 AND shown = $2 AND how = $3 ORDER BY entry DESC LIMIT 1`, c.Spot, c.Shown, byStaff)
}

// shownBefore finds the last visit of whatever was shown, let in by whomever.
func shownBefore(tx *ledger.Tx, c Claim) (lastSeen, bool, error) {
	return seen(tx, c, `SELECT id, gate, state, entry, admitted_at FROM admissions
		WHERE venue = $1 AND shown = $2 ORDER BY admitted_at DESC LIMIT 1`, c.Spot, c.Shown)
}

func seen(tx *ledger.Tx, c Claim, query string, args ...any) (last lastSeen, found bool, err error) {
	var at int64
	err = tx.QueryRow(query, args...).Scan(&last.id, &last.gate, &last.state, &last.entry, &at)
	if errors.Is(err, ledger.ErrNoRows) {
		return last, false, nil
	}
	last.at = time.UnixMilli(at).In(c.At.Location())
	last.day = last.at.Format(time.DateOnly)
	return last, err == nil, err
}

// enter counts the visitors inside and writes their admissions.
func enter(tx *ledger.Tx, c Claim, visits []visit, a *Admitted) error {
	inside, fits, err := count(tx, c.Spot, c.Day, int64(len(visits)), c.Capacity, c.At)
	if err != nil {
		return err
	}
	if !fits {
		return ledger.Keep(ProblemSpotFull.Error(gateway.Text{}).WithRetryAfter(time.Minute))
	}
	a.Inside = inside
	var ids []string
	for i, v := range visits {
		p := Person{Admission: fmt.Sprintf("%s-%d", c.Journey, i+1), Supplier: v.ticket.Supplier, Unit: v.ticket.Unit,
			Entry: v.entry, Code: v.ticket.Code}
		n, err := tx.Exec(`INSERT INTO admissions (id, venue, supplier, unit, entry, gate, run, shown, how, state, admitted_at, left_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0) ON CONFLICT DO NOTHING`,
			p.Admission, c.Spot, p.Supplier, p.Unit, p.Entry, c.Gate, c.Journey, c.Shown, c.How, stateIn, c.At.UnixMilli())
		if err != nil {
			return err
		}
		if n == 0 { // another writer was faster: what has been written must not be kept
			return ProblemTicketUsed.Error(gateway.Text{})
		}
		a.People = append(a.People, p)
		ids = append(ids, p.Admission)
	}
	return keepScan(tx, c, ids)
}

// keepScan remembers what a scan led to.
func keepScan(tx *ledger.Tx, c Claim, ids []string) error {
	n, err := tx.Exec(`INSERT INTO scans (venue, direction, gate, scan, shown, people, run, admissions, at)
		VALUES ($1, 'entry', $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING`,
		c.Spot, c.Gate, c.Scan, c.Shown, c.People, c.Journey, strings.Join(ids, " "), c.At.UnixMilli())
	if err == nil && n == 0 {
		return ProblemScanReused.Error(gateway.Text{}).WithField("scan_id")
	}
	return err
}

// earlierScan finds what the same scan led to before.
func earlierScan(tx *ledger.Tx, c Claim, a *Admitted) (bool, error) {
	var shown []byte
	var ids string
	var at int64
	err := tx.QueryRow(`SELECT shown, admissions, at FROM scans WHERE venue = $1 AND direction = 'entry' AND gate = $2 AND scan = $3`,
		c.Spot, c.Gate, c.Scan).Scan(&shown, &ids, &at)
	switch {
	case errors.Is(err, ledger.ErrNoRows):
		return false, nil
	case err != nil:
		return false, err
	case string(shown) != string(c.Shown):
		return true, ledger.Keep(ProblemScanReused.Error(gateway.Text{}).WithField("scan_id"))
	}
	a.At = time.UnixMilli(at).In(c.At.Location())
	if err := adoptAdmissions(tx, c, strings.Fields(ids), a); err != nil || a.Again {
		return true, err
	}
	_, err = tx.Exec(`UPDATE scans SET run = $1 WHERE venue = $2 AND direction = 'entry' AND gate = $3 AND scan = $4`,
		c.Journey, c.Spot, c.Gate, c.Scan)
	return true, err
}

// repeatVisit answers another scan of the same ticket at the same gate with the admission that it already has.
func repeatVisit(tx *ledger.Tx, c Claim, again []visit, a *Admitted) error {
	var ids []string
	for _, v := range again {
		ids = append(ids, v.id)
	}
	if err := keepScan(tx, c, ids); err != nil {
		return err
	}
	return adoptAdmissions(tx, c, ids, a)
}

// adoptAdmissions answers with admissions that are there already. Those of a run that died become this journey's own,
// to be taken back if it fails too; those of a run that has ended well stay as they are.
func adoptAdmissions(tx *ledger.Tx, c Claim, ids []string, a *Admitted) error {
	codes := map[string]string{}
	for _, t := range c.Tickets {
		codes[t.Supplier+"/"+t.Unit] = t.Code
	}
	for _, id := range ids {
		p := Person{Admission: id}
		var run, how string
		err := tx.QueryRow(`SELECT supplier, unit, entry, run, how FROM admissions WHERE id = $1`, id).
			Scan(&p.Supplier, &p.Unit, &p.Entry, &run, &how)
		if errors.Is(err, ledger.ErrNoRows) { // it was released meanwhile
			continue
		}
		if err != nil {
			return err
		}
		if how == byStaff {
			a.Again = true
		} else if err := takeOver(tx, c, id, run, a); err != nil {
			return err
		}
		p.Code = codes[p.Supplier+"/"+p.Unit]
		a.People = append(a.People, p)
	}
	inside, _, err := occupancyOf(tx, c.Spot, c.Day)
	a.Inside = inside
	if err == nil && len(a.People) == 0 {
		return ledger.Keep(ProblemTicketUsed.Error(gateway.Text{}))
	}
	return err
}

// takeOver decides what the earlier run of an admission means for this one.
func takeOver(tx *ledger.Tx, c Claim, id, run string, a *Admitted) error {
	earlier, found, err := ledger.FindRun(tx, run)
	switch {
	case err != nil:
		return err
	case found && earlier.State == ledger.RunDone:
		a.Again = true
		return nil
	case found && earlier.State == ledger.RunRunning && tx.Now().Before(earlier.LeaseUntil):
		return ledger.Keep(journey.ProblemStillRunning.Error(gateway.Text{}).WithRetryAfter(time.Second))
	}
	_, err = tx.Exec(`UPDATE admissions SET run = $1 WHERE id = $2`, c.Journey, id)
	return err
}

// release takes an admission back, unless another journey has made it its own.
var release = &ledger.Decision[Admitted, int64]{Name: "entry.release", Run: func(tx *ledger.Tx, a Admitted) (int64, error) {
	if a.Again {
		return 0, nil
	}
	if _, err := tx.Exec(`DELETE FROM scans WHERE venue = $1 AND direction = 'entry' AND gate = $2 AND scan = $3 AND run = $4`,
		a.Spot, a.Gate, a.Scan, a.Journey); err != nil {
		return 0, err
	}
	var n int64
	for _, p := range a.People {
		gone, err := releasePerson(tx, a, p)
		if err != nil {
			return n, err
		}
		n += gone
	}
	return n, nil
}}

// releasePerson takes one person's admission back and counts them out.
func releasePerson(tx *ledger.Tx, a Admitted, p Person) (int64, error) {
	gone, err := tx.Exec(`DELETE FROM admissions WHERE id = $1 AND run = $2`, p.Admission, a.Journey)
	if err != nil || gone == 0 {
		return 0, err
	}
	return gone, countOut(tx, a.Spot, a.Day, gone, a.At)
}
