package parking

import (
	"slices"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// What a source says of a car while it is inside.
const (
	permitGranted = "granted"
	permitBlocked = "blocked"
)

// Permission is what the city or the payment provider has said of a car: whether it may leave now and pay later, and up to
// what amount. The last one that was said before the car left counts.
type Permission struct {
	Venue     string
	Plate     []byte    // keyed hash
	Source    string    // collectPayment or collectCity
	State     string    // permitGranted or permitBlocked
	Most      int64     // minor units that one bill may be collected with; 0: any
	Reference string    // their own name for the visit
	At        time.Time // when they said it
	By        string    // "subject@issuer" or ledger.ActorGateway
	Stay      string    `json:",omitempty"` // the visit that it is for; "": whichever the car was on
}

// lateFor is how long after a car has left a permission may still have its bill collected.
const lateFor = 24 * time.Hour

// permit keeps a permission. The same one again changes nothing. One that comes after the car has left is looked at by the clerk.
var permit = &ledger.Decision[Permission, struct{}]{Name: "parking.permit", Run: func(tx *ledger.Tx, p Permission) (none struct{}, err error) {
	late := false
	if p.State == permitGranted {
		b, err := p.uncollected(tx)
		if err != nil {
			return none, err
		}
		late = b != nil
	}
	for at := p.At.UnixMilli(); ; at++ { // two words of one moment both count, in the order in which they come
		n, err := tx.Exec(`INSERT INTO parking_permissions (venue, plate, source, said_at, state, most, reference, made_by, stay, late)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING`,
			p.Venue, p.Plate, p.Source, at, p.State, p.Most, p.Reference, p.By, p.Stay, oneIf(late))
		if err != nil || n > 0 {
			return none, err
		}
		var same int64
		err = tx.QueryRow(`SELECT COUNT(*) FROM parking_permissions WHERE venue = $1 AND plate = $2 AND source = $3 AND said_at = $4 AND state = $5
			AND most = $6 AND reference = $7 AND stay = $8`, p.Venue, p.Plate, p.Source, at, p.State, p.Most, p.Reference, p.Stay).Scan(&same)
		if err != nil || same > 0 {
			return none, err
		}
	}
}}

// uncollected finds the bill that nobody collects and that a permission has come too late for; nil: there is none. While a car
// is inside, what does not say which visit it is for is for that one.
func (p Permission) uncollected(q ledger.Querier) (*bill, error) {
	if p.Stay == "" {
		inside, err := listOf(q, func(r ledger.Row) (id string, err error) { return id, r.Scan(&id) },
			`SELECT id FROM parking_stays WHERE venue = $1 AND plate = $2 AND state = 'open'`, p.Venue, p.Plate)
		if err != nil || len(inside) > 0 {
			return nil, err
		}
	}
	return billBy(q, `plate = $1 AND venue = $2 AND state IN ('billed', 'arrears') AND left_at >= $3 AND entered_at <= $4 AND (stay = $5 OR $5 = '')
		ORDER BY left_at DESC LIMIT 1`, p.Plate, p.Venue, p.At.Add(-lateFor).UnixMilli(), p.At.UnixMilli(), p.Stay)
}

// permission is a row of parking_permissions.
type permission struct {
	source, state, reference string
	most                     int64
}

// permitted returns the permission that a bill of minor is collected with; nil: the citizen pays.
func permitted(q ledger.Querier, settings *Settings, s *stay, minor int64) (*permission, error) {
	said, err := listOf(q, func(row ledger.Row) (p permission, err error) {
		return p, row.Scan(&p.source, &p.state, &p.reference, &p.most)
	}, `SELECT source, state, reference, most FROM parking_permissions WHERE venue = $1 AND plate = $2 AND said_at >= $3 AND said_at <= $4
		ORDER BY said_at DESC`, s.venue, s.plate, s.entered.Add(-settings.Leeway).UnixMilli(), s.left.Add(settings.Leeway).UnixMilli())
	if err != nil {
		return nil, err
	}
	for _, source := range settings.Collect {
		for i := range said {
			if said[i].source != source {
				continue
			}
			if p := &said[i]; p.state == permitGranted && (p.most == 0 || minor <= p.most) {
				return p, nil
			}
			break // the last word of this source is no
		}
	}
	return nil, nil
}

// lateCollecting is a look at the permissions of a till that have come after the car had left.
type lateCollecting struct {
	rt    *flow.Runtime
	venue *gateway.Venue
	by    string // the collector
}

// collectLate has bills collected that nobody collects and that a permission has come too late for, each at most once for each
// permission: never beside a charge that is not decided, one that the citizen has asked for, or a dispute.
var collectLate = &ledger.Decision[lateCollecting, int]{Name: "parking.collect-late", Run: func(tx *ledger.Tx, l lateCollecting) (n int, err error) {
	all, err := listOf(tx, func(r ledger.Row) (p Permission, err error) {
		var at int64
		err = r.Scan(&p.Plate, &at, &p.Most, &p.Stay)
		p.Venue, p.Source, p.At = l.venue.ID, l.by, time.UnixMilli(at)
		return p, err
	}, `SELECT plate, said_at, most, stay FROM parking_permissions WHERE venue = $1 AND source = $2 AND late = 1 ORDER BY said_at LIMIT $3`,
		l.venue.ID, l.by, lookAtOnce)
	if err != nil {
		return 0, err
	}
	for _, p := range all {
		if _, err := tx.Exec(`UPDATE parking_permissions SET late = 0 WHERE venue = $1 AND plate = $2 AND source = $3 AND said_at = $4`,
			p.Venue, p.Plate, p.Source, p.At.UnixMilli()); err != nil {
			return n, err
		}
		b, err := p.uncollected(tx)
		if err != nil {
			return n, err
		}
		if b == nil || b.due() <= 0 || p.Most > 0 && b.due() > p.Most || !slices.Contains(settingsOf(l.venue).Collect, l.by) {
			continue
		}
		switch no, err := l.forbids(tx, p, b); {
		case err != nil:
			return n, err
		case no:
			continue
		}
		if err := collectAgain(tx, l.rt, b, l.by); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}}

// forbids reports whether the source has taken its word back since, a charge of the bill is not decided, or it would need an
// entry of its own at a provider that has the car inside.
func (l lateCollecting) forbids(q ledger.Querier, p Permission, b *bill) (bool, error) {
	var blocked, undecided, inside int64
	if gone, err := erased(q, b.run); err != nil || gone {
		return true, err
	}
	err := q.QueryRow(`SELECT (SELECT COUNT(*) FROM parking_permissions WHERE venue = $1 AND plate = $2 AND source = $3 AND said_at > $4 AND state = 'blocked'
		AND (stay = $5 OR $5 = '')), (SELECT COUNT(*) FROM parking_collections WHERE bill = $6 AND state IN ('ordered', 'accepted')),
		(SELECT COUNT(*) FROM parking_stays WHERE plate = $2 AND state = 'open')`, p.Venue, p.Plate, p.Source, p.At.UnixMilli(), p.Stay, b.id).
		Scan(&blocked, &undecided, &inside)
	return blocked > 0 || undecided > 0 || inside > 0 && b.tries > 0, err
}
