package parking

import (
	"time"

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
}

// permit keeps a permission. The same one again changes nothing.
var permit = &ledger.Decision[Permission, struct{}]{Name: "parking.permit", Run: func(tx *ledger.Tx, p Permission) (none struct{}, err error) {
	_, err = tx.Exec(`INSERT INTO parking_permissions (venue, plate, source, said_at, state, most, reference, made_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING`,
		p.Venue, p.Plate, p.Source, p.At.UnixMilli(), p.State, p.Most, p.Reference, p.By)
	return none, err
}}

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
