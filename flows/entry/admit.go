package entry

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
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
	Again    bool      `json:"again,omitempty"` // an earlier run has let some of them in
}

// Person is one person let in.
type Person struct {
	Admission string `json:"admission"`
	Supplier  string `json:"supplier"`
	Unit      string `json:"unit"`
	Entry     int64  `json:"entry"`
	Code      string `json:"code"`
	Again     bool   `json:"again,omitempty"` // by an earlier run, and not this one's to take back
}

// own reports whether the admission is this journey's, to be taken back if it fails.
func (p Person) own() bool { return !p.Again }

// Refused is one ticket of several that did not let anybody in.
type Refused struct {
	Unit    string `json:"unit"`
	Problem string `json:"problem"`
}

// admit claims each ticket's visit, exactly once, and counts its holder inside. Where all whom the ticket is for are in, no
// person has to decide about it any more.
var admit = &ledger.Decision[Claim, Admitted]{Name: "entry.admit", Run: func(tx *ledger.Tx, c Claim) (Admitted, error) {
	a, err := claimVisits(tx, c)
	if err == nil && c.How != byStaff && len(a.People) == len(c.Tickets) {
		_, err = tx.SettleAssist(c.Spot, handUnverified.Kind, subjectOf(c.Shown), wordGone)
	}
	return a, err
}}

// claimVisits decides by reading first, so that a refusal lets nobody in.
func claimVisits(tx *ledger.Tx, c Claim) (Admitted, error) {
	a := Admitted{Journey: c.Journey, Spot: c.Spot, Day: c.Day, Gate: c.Gate, Scan: c.Scan, At: c.At, How: c.How, Capacity: c.Capacity}
	if found, err := earlierScan(tx, c, &a); found || err != nil {
		return a, err
	}
	v, err := visits(tx, c)
	if err != nil {
		return a, err
	}
	if len(v.again) > 0 && c.People <= len(v.again) {
		again := v.again
		if c.People > 0 {
			again = again[:c.People]
		}
		return a, repeatVisit(tx, c, again, &a)
	}
	n := min(len(v.fresh), c.Most)
	if c.People > 0 {
		n = min(n, c.People)
	}
	switch {
	case n == 0 && len(v.refusals) > 0:
		return a, ledger.Keep(v.refusals[0])
	case c.People > n:
		return a, ledger.Keep(ProblemTooFewTickets.Error(gateway.Text{
			Zh: fmt.Sprintf("可入园 %d 人", n), En: fmt.Sprintf("These tickets let in %d.", n)}).With("admissible", n))
	}
	a.Refused = v.refused
	return a, enter(tx, c, v.fresh[:n], &a)
}

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
	byHand, err := letInByHand(tx, c)
	if err != nil {
		return v, err
	}
	for _, t := range c.Tickets {
		last, found, err := lastVisit(tx, c, t)
		if err == nil && !found {
			last, found, err = recognise(tx, c, t, &byHand)
		}
		if err != nil {
			return v, err
		}
		var refusal *gateway.Error
		switch {
		case !found && t.Status != StatusUsed:
			v.fresh = append(v.fresh, visit{ticket: t, entry: 1})
			continue
		case !found:
			refusal = sayUsed(t.UsedAt.In(c.At.Location()), "")
		case last.state == stateIn && last.day == c.Day && last.gate == c.Gate && c.At.Sub(last.at) <= c.SameScan:
			v.again = append(v.again, visit{ticket: t, id: last.id, entry: last.entry})
			continue
		case (last.state == stateOut || last.day != c.Day) && last.entry < c.Entries[t.Product]:
			v.fresh = append(v.fresh, visit{ticket: t, entry: last.entry + 1})
			continue
		default:
			if refusal, err = refuseVisit(tx, last); err != nil {
				return v, err
			}
		}
		v.refused = append(v.refused, Refused{Unit: t.Unit, Problem: refusal.Problem.Type})
		v.refusals = append(v.refusals, refusal)
	}
	return v, nil
}

// refuseVisit says why a ticket that has been let in lets nobody in now: used, or not decided yet.
func refuseVisit(tx *ledger.Tx, last lastSeen) (*gateway.Error, error) {
	stands, err := standing(tx, last.run, last.how)
	if isKept, outcome := ledger.IsKept(err); isKept {
		return gateway.AsError(outcome), nil
	}
	switch {
	case err != nil:
		return nil, err
	case !stands: // its run has died or is being taken back
		return journey.ProblemStillRunning.Error(gateway.Text{}).WithRetryAfter(2 * time.Second), nil
	}
	return sayUsed(last.at, last.gate), nil
}

// sayUsed says when and where a ticket was used, as far as it is known, in at's own zone.
func sayUsed(at time.Time, gate string) *gateway.Error {
	e := ProblemTicketUsed.Error(gateway.Text{})
	if at.IsZero() {
		return e
	}
	when := at.Format("2006-01-02 15:04")
	e.Detail = gateway.Text{Zh: "使用时间：" + when, En: "It was used on " + when}
	e = e.With("used_at", at.Format(time.RFC3339))
	if gate != "" {
		e.Detail.Zh += "，闸机：" + gate
		e.Detail.En += " at gate " + gate
		e = e.With("gate", gate)
	}
	e.Detail.En += "."
	return e
}

// The states of an admission.
const (
	stateIn  = "in"
	stateOut = "out"
)

// lastSeen is an admission as it stands in the ledger.
type lastSeen struct {
	id, gate, state, day, run, how string
	shown                          []byte
	entry                          int64
	at                             time.Time
}

const seenColumns = `id, gate, state, day, run, how, shown, entry, admitted_at`

func scanSeen(row ledger.Row, where *time.Location) (last lastSeen, err error) {
	var at int64
	err = row.Scan(&last.id, &last.gate, &last.state, &last.day, &last.run, &last.how, &last.shown, &last.entry, &at)
	last.at = time.UnixMilli(at).In(where)
	return last, err
}

// lastVisit finds the last visit of a ticket.
func lastVisit(tx *ledger.Tx, c Claim, t Ticket) (lastSeen, bool, error) {
	return seen(tx, c, `SELECT `+seenColumns+` FROM admissions WHERE supplier = $1 AND unit = $2 ORDER BY entry DESC LIMIT 1`,
		t.Supplier, t.Unit)
}

// shownBefore finds the last visit of whatever was shown, let in by whomever.
func shownBefore(tx *ledger.Tx, c Claim) (lastSeen, bool, error) {
	return seen(tx, c, `SELECT `+seenColumns+` FROM admissions WHERE venue = $1 AND shown = $2 ORDER BY admitted_at DESC LIMIT 1`,
		c.Spot, c.Shown)
}

func seen(tx *ledger.Tx, c Claim, query string, args ...any) (last lastSeen, found bool, err error) {
	last, err = scanSeen(tx.QueryRow(query, args...), c.At.Location())
	if errors.Is(err, ledger.ErrNoRows) {
		return last, false, nil
	}
	return last, err == nil, err
}

// letInByHand lists whom staff have let in on something that may be shown for the claim's tickets, without knowing which
// ticket it was.
func letInByHand(tx *ledger.Tx, c Claim) (all []lastSeen, err error) {
	if c.How == byStaff {
		return nil, nil
	}
	args := []any{c.Spot, byStaff, c.Shown}
	for _, t := range c.Tickets {
		for _, form := range t.forms {
			if !slices.ContainsFunc(args[2:], func(a any) bool { return string(a.([]byte)) == string(form) }) {
				args = append(args, form)
			}
		}
	}
	var marks strings.Builder
	for i := range args[2:] {
		if i > 0 {
			marks.WriteByte(',')
		}
		marks.WriteString("$" + strconv.Itoa(i+3))
	}
	rows, err := tx.Query(`SELECT `+seenColumns+` FROM admissions WHERE venue = $1 AND supplier = $2 AND shown IN (`+marks.String()+`)
		ORDER BY unit`, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		last, err := scanSeen(rows, c.At.Location())
		if err != nil {
			return nil, err
		}
		all = append(all, last)
	}
	return all, rows.Err()
}

// recognise gives a visit that staff have let in its ticket, now that ticketing says which one was shown: each such
// visit stands for one ticket.
func recognise(tx *ledger.Tx, c Claim, t Ticket, byHand *[]lastSeen) (last lastSeen, found bool, err error) {
	i := slices.IndexFunc(*byHand, func(l lastSeen) bool {
		return string(l.shown) == string(c.Shown) ||
			slices.ContainsFunc(t.forms, func(form []byte) bool { return string(form) == string(l.shown) })
	})
	if i < 0 {
		return last, false, nil
	}
	last = (*byHand)[i]
	*byHand = slices.Delete(*byHand, i, i+1)
	_, err = tx.Exec(`UPDATE admissions SET supplier = $1, unit = $2, over_at = $3 WHERE id = $4`, t.Supplier, t.Unit,
		c.overAt(visit{ticket: t, entry: last.entry}), last.id)
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
		n, err := tx.Exec(`INSERT INTO admissions (id, venue, supplier, unit, entry, gate, run, shown, how, state, day, admitted_at, left_at, over_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, $13) ON CONFLICT DO NOTHING`,
			p.Admission, c.Spot, p.Supplier, p.Unit, p.Entry, c.Gate, c.Journey, c.Shown, c.How, stateIn, c.Day, c.At.UnixMilli(), c.overAt(v))
		if err != nil {
			return err
		}
		if n == 0 { // another writer was faster: what has been written must not be kept
			return ProblemTicketUsed.Error(gateway.Text{})
		}
		if over := c.overAt(v); p.Entry > 1 && over > 0 { // its earlier visits are no longer needed either
			if _, err := tx.Exec(`UPDATE admissions SET over_at = $1 WHERE supplier = $2 AND unit = $3 AND over_at = 0`,
				over, p.Supplier, p.Unit); err != nil {
				return err
			}
		}
		a.People = append(a.People, p)
		ids = append(ids, p.Admission)
	}
	return keepScan(tx, c, ids)
}
