package parking

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/warmgate/warmgate/flows/parking/books"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// asked is an entry, and what the collector says of it when it is asked.
type asked struct {
	Entry
	asked   bool
	verdict *Verdict // nil: it does not know it
	missed  bool     // it is not in the bill: it is one of ours
}

// matching is a look at entries.
type matching struct {
	r       *reconciling
	entries []asked
}

// matched is what has come of that.
type matched struct {
	open                        []asked // to be asked about first
	settled, differences, fresh int
}

// matchEntries holds entries of a bill against the books. What they do not explain is asked about first, and is a difference
// where that does not explain it either.
var matchEntries = &ledger.Decision[matching, matched]{Name: "parking.reconcile", Run: func(tx *ledger.Tx, in matching) (m matched, err error) {
	for _, e := range in.entries {
		l := &line{reconciling: in.r, tx: tx, asked: e, out: &m}
		if err := l.match(); err != nil {
			return m, err
		}
	}
	return m, nil
}}

// line is one entry beside what is here.
type line struct {
	*reconciling
	asked

	tx   *ledger.Tx
	out  *matched
	ours *own // nil: nothing
}

// own is a payment or a refund as it stands here.
type own struct {
	table, bill, state, reference string
	minor                         int64 // what is booked, or else was ordered
	day, in                       string
}

// match decides about one.
func (l *line) match() (err error) {
	if err := l.find(); err != nil {
		return err
	}
	o := l.ours
	switch {
	case o == nil:
		return l.differs(whatUnknown, 0)
	case l.missed:
		return l.miss()
	case o.in == l.token, o.day != "" && o.day != l.day:
		return l.differs(whatTwice, o.minor)
	}
	agree := o.state == l.State || l.Refund && l.State == collectionAccepted // it has been decided since
	if l.asked.asked {
		if agree = agree || l.verdict != nil && l.verdict.State == o.state; agree {
			l.out.settled++
		}
	}
	if !agree && !l.asked.asked {
		l.out.open = append(l.out.open, l.asked)
		return nil
	}
	if _, err := l.tx.Exec(`UPDATE `+o.table+` SET reconciled_day = $1, reconciled_in = $2 WHERE number = $3`, l.day, l.token, l.Number); err != nil {
		return err
	}
	switch {
	case !agree:
		return l.differs(whatState, o.minor)
	case o.state != collectionPaid:
		return nil
	case o.minor != l.Minor:
		return l.differs(whatAmount, o.minor)
	case l.Reference != "" && o.reference != "" && o.reference != l.Reference:
		return l.differs(whatReference, o.minor)
	}
	return nil
}

// miss decides about what is paid here and is not in the bill. One that stands in the bill of another day is explained, unless
// that was read already, and had it not.
func (l *line) miss() error {
	l.Minor = 0
	v := l.verdict
	if v == nil || v.State != collectionPaid || v.At.IsZero() {
		return l.differs(whatMissing, l.ours.minor)
	}
	day := v.At.In(l.tills[0].zone).Format(time.DateOnly)
	var read int64
	err := l.tx.QueryRow(`SELECT COUNT(*) FROM parking_reconciliations WHERE account = $1 AND day = $2`, l.tills[0].account, day).Scan(&read)
	if err != nil {
		return err
	}
	if day == l.day || read > 0 {
		return l.differs(whatMissing, l.ours.minor)
	}
	l.out.settled++
	return standsIn(l.tx, l.ours.table, l.Number, v.At)
}

// find reads what is here under the number.
func (l *line) find() error {
	query := `SELECT 'parking_collections', c.bill, c.state, c.reference, CAST(COALESCE((SELECT -p.minor FROM parking_postings p
		WHERE p.movement = 'pay/' || c.bill || '/' || c.try AND p.account = $3), c.minor) AS BIGINT), c.reconciled_day, c.reconciled_in
		FROM parking_collections c WHERE c.number = $1 AND c.collector = $2`
	if l.Refund {
		query = `SELECT 'parking_refunds', r.bill, r.state, COALESCE((SELECT m.reference FROM parking_movements m
			WHERE m.id = 'refund/' || r.bill || '/' || r.n), ''), CAST(COALESCE((SELECT p.minor FROM parking_postings p
			WHERE p.movement = 'refund/' || r.bill || '/' || r.n AND p.account = $3), r.minor) AS BIGINT), r.reconciled_day, r.reconciled_in
			FROM parking_refunds r JOIN parking_collections c ON c.number = r.collection WHERE r.number = $1 AND c.collector = $2`
	}
	all, err := listOf(l.tx, func(row ledger.Row) (o *own, err error) {
		o = &own{}
		return o, row.Scan(&o.table, &o.bill, &o.state, &o.reference, &o.minor, &o.day, &o.in)
	}, query, l.Number, l.tills[0].collector, string(books.Owed))
	if err != nil || len(all) == 0 {
		return err
	}
	l.ours = all[0]
	if l.Refund { // the books put the collector before it
		l.ours.reference = trimCollector(l.ours.reference)
	}
	return nil
}

// differs keeps a difference, and asks a person about one that was not known. A bill may have the same more than once: each is
// a difference of its own.
func (l *line) differs(what string, ours int64) error {
	l.out.differences++
	name := what
	if l.Refund {
		name = "refund-" + what
	}
	for n := 1; ; n++ {
		seen, err := listOf(l.tx, func(row ledger.Row) (in string, err error) { return in, row.Scan(&in) },
			`SELECT seen_in FROM parking_differences WHERE account = $1 AND day = $2 AND number = $3 AND what = $4 AND theirs = $5 AND ours = $6 AND n = $7`,
			l.tills[0].account, l.day, l.Number, name, l.Minor, ours, n)
		switch {
		case err != nil:
			return err
		case len(seen) == 0:
			return l.keep(name, ours, n)
		case seen[0] == l.token:
			continue
		}
		_, err = l.tx.Exec(`UPDATE parking_differences SET seen_in = $8 WHERE account = $1 AND day = $2 AND number = $3 AND what = $4 AND theirs = $5
			AND ours = $6 AND n = $7`, l.tills[0].account, l.day, l.Number, name, l.Minor, ours, n, l.token)
		return err
	}
}

// keep keeps a difference that is new, and opens its assist.
func (l *line) keep(what string, ours int64, n int) error {
	l.out.fresh++
	at := l.tills[0].venue
	var b *bill
	if l.ours != nil {
		var err error
		if b, err = findBill(l.tx, l.ours.bill); err != nil {
			return err
		}
		if b != nil {
			if i := slices.IndexFunc(l.tills, func(t *till) bool { return t.venue.ID == b.venue }); i >= 0 {
				at = l.tills[i].venue
			}
		}
	}
	box, err := l.rt.Ledger.Keys().NewBox()
	if err != nil {
		return err
	}
	run := ledger.Run{ID: l.newID(what, ours, n), Plan: planExit, Tenant: at.Tenant, Venue: at.ID, Principal: ledger.ActorGateway, State: ledger.RunAssist,
		Key: box.Wrapped(), StartedAt: l.tx.Now(), EndedAt: l.tx.Now(), Pivot: true}
	if err := l.tx.BeginRun(run); err != nil {
		return err
	}
	facts, err := l.facts(what, ours, b)
	if err != nil {
		return err
	}
	sealed, err := l.rt.Engine.SealFacts(l.tx, run.ID, facts)
	if err != nil {
		return err
	}
	a, err := l.tx.OpenAssist(ledger.Assist{Run: run.ID, Plan: planExit, Kind: kindDifference, Tenant: at.Tenant, Venue: at.ID, NextAction: sayDifference(what),
		NotDone: []string{taskDifference}, Tried: []string{fmt.Sprintf("%s of %s: theirs %d, ours %d", l.Number, l.day, l.Minor, ours)}, Facts: sealed})
	if err != nil {
		return err
	}
	_, err = l.tx.Exec(`INSERT INTO parking_differences (account, day, number, what, theirs, ours, n, assist, seen_in, found_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		l.tills[0].account, l.day, l.Number, what, l.Minor, ours, n, a.ID, l.token, l.tx.Now().UnixMilli())
	return err
}

// differenceFacts are what a person sees of a difference.
type differenceFacts struct {
	Account   string       `json:"account"`
	Day       string       `json:"day"`
	What      string       `json:"what"`
	Number    string       `json:"number"`
	Reference string       `json:"reference,omitempty"` // the collector's own
	Theirs    int64        `json:"theirs"`              // minor units
	Ours      int64        `json:"ours"`
	State     string       `json:"state"`            // as their bill has it
	Here      string       `json:"here,omitempty"`   // as it stands here
	Answer    string       `json:"answer,omitempty"` // what they say when they are asked
	Bill      *differsBill `json:"bill,omitempty"`
}

// differsBill is the bill that a difference is about.
type differsBill struct {
	ID      string    `json:"id"`
	State   string    `json:"state"`
	Plate   string    `json:"plate"`
	Entered time.Time `json:"entered_at"`
	Left    time.Time `json:"left_at"`
	Price   int64     `json:"price"`
	Paid    int64     `json:"paid"`
	Back    int64     `json:"refunded"`
}

func (l *line) facts(what string, ours int64, b *bill) (differenceFacts, error) {
	f := differenceFacts{Account: l.tills[0].account, Day: l.day, What: what, Number: l.Number, Reference: l.Reference, Theirs: l.Minor, Ours: ours,
		State: cmp.Or(l.State, "not there")}
	if l.ours != nil {
		f.Here = l.ours.state
	}
	if l.asked.asked {
		if f.Answer = "unknown"; l.verdict != nil {
			f.Answer = l.verdict.State
		}
	}
	if b == nil {
		return f, nil
	}
	plate, err := plateOf(l.tx, l.rt, b.stay)
	f.Bill = &differsBill{ID: b.id, State: b.state, Plate: plate, Entered: b.entered, Left: b.left, Price: b.price, Paid: b.paid, Back: b.refunded}
	return f, err
}

// newID names the run of a difference, with a UUIDv8 (RFC 9562, 5.8): the same each time that the decision runs.
func (l *line) newID(what string, ours int64, n int) string {
	return uuid.NewHash(sha256.New(), uuid.Nil, fmt.Appendf(nil, "%s %s %s %s %d %d %d", l.tills[0].account, l.day, l.Number, what, l.Minor, ours, n), 8).String()
}

// endReconciling keeps that a day's bill was read to its end.
var endReconciling = &ledger.Decision[*reconciling, struct{}]{Name: "parking.end-reconciling", Run: func(tx *ledger.Tx, r *reconciling) (none struct{}, err error) {
	_, err = tx.Exec(`INSERT INTO parking_reconciliations (account, day, ended_at) VALUES ($1, $2, $3)
		ON CONFLICT (account, day) DO UPDATE SET ended_at = excluded.ended_at`, r.tills[0].account, r.day, tx.Now().UnixMilli())
	return none, err
}}
