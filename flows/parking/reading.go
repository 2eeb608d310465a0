package parking

import (
	"slices"
	"time"

	"github.com/warmgate/warmgate/gateway/ledger"
)

// reading is a car that a barrier has read, as the ledger keeps it.
type reading struct {
	id, kind, gate     string
	digest, plate      []byte
	dataKey, sealed    []byte
	vehicle            string
	electric           bool
	at, received       time.Time
	run, state, stay   string
	answer             string
	keptState, keptFor string // state and stay as they stand in the ledger; "": it is not there yet
}

// The states of a reading.
const (
	readCounted    = "counted"     // it has a part in a visit
	readParked     = "parked"      // an exit whose entry is not known (yet)
	readAsked      = "asked"       // such an exit that a person looks at
	readTurnedAway = "turned-away" // the barrier stayed shut
	readSettled    = "settled"     // a person has decided that nothing follows from it
)

const readingColumns = `event, kind, gate, digest, plate, data_key, sealed, vehicle, electric, occurred_at, received_at, run, state, stay, answer`

func scanReading(row ledger.Row) (*reading, error) {
	r := &reading{}
	var electric, at, received int64
	err := row.Scan(&r.id, &r.kind, &r.gate, &r.digest, &r.plate, &r.dataKey, &r.sealed, &r.vehicle, &electric, &at, &received,
		&r.run, &r.state, &r.stay, &r.answer)
	r.electric, r.at, r.received = electric != 0, time.UnixMilli(at), time.UnixMilli(received)
	r.keptState, r.keptFor = r.state, r.stay
	return r, err
}

// kept reports whether the reading stands in the ledger.
func (r *reading) kept() bool { return r.keptState != "" }

// hasPart reports whether the reading is one of those that visits are made of.
func (r *reading) hasPart() bool {
	return r.state == readCounted || r.state == readParked || r.state == readAsked
}

// findReading reads one event of a lot; nil where there is none.
func findReading(q ledger.Querier, venue, event string) (*reading, error) {
	rows, err := q.Query(`SELECT `+readingColumns+` FROM parking_events WHERE venue = $1 AND event = $2`, venue, event)
	all, err := ledger.List(rows, err, scanReading)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return all[0], nil
}

func oneIf(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// insertReading keeps a reading that is new. It reports false where its id is taken.
func insertReading(tx *ledger.Tx, venue string, r *reading) (bool, error) {
	n, err := tx.Exec(`INSERT INTO parking_events (venue, `+readingColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) ON CONFLICT DO NOTHING`,
		venue, r.id, r.kind, r.gate, r.digest, r.plate, r.dataKey, r.sealed, r.vehicle, oneIf(r.electric), r.at.UnixMilli(),
		r.received.UnixMilli(), r.run, r.state, r.stay, r.answer)
	r.keptState, r.keptFor = r.state, r.stay
	return n > 0, err
}

// keepReadings keeps what has changed of readings that stand in the ledger.
func keepReadings(tx *ledger.Tx, venue string, all []*reading) error {
	for _, r := range all {
		if !r.kept() || r.state == r.keptState && r.stay == r.keptFor {
			continue
		}
		if _, err := tx.Exec(`UPDATE parking_events SET state = $1, stay = $2 WHERE venue = $3 AND event = $4`,
			r.state, r.stay, venue, r.id); err != nil {
			return err
		}
		r.keptState, r.keptFor = r.state, r.stay
	}
	return nil
}

// page is how many readings of a plate are looked at in one piece.
const page = 16

// near are the readings of a plate around a moment, in their order, cut into passages.
type near struct {
	chains []chain
	partly bool // there may be more before the first passage: it is not to be touched, but it is of its kind
	opens  bool // there may be more after the last one
}

// around reads the passages of a plate before and after at, three of each side where there are so many: what happens at
// that moment changes nothing beyond them. extra is a reading that is not kept yet, or nil.
func around(q ledger.Querier, venue string, plate []byte, at time.Time, window time.Duration, extra *reading) (n near, err error) {
	before, more, err := pages(q, window, `occurred_at <= $3 AND occurred_at > $4 ORDER BY occurred_at DESC, kind DESC, event DESC`,
		venue, plate, at.UnixMilli(), int64(-1), true)
	if err != nil {
		return n, err
	}
	after, opens, err := pages(q, window, `occurred_at > $3 AND occurred_at < $4 ORDER BY occurred_at, kind, event`,
		venue, plate, at.UnixMilli(), int64(1<<62), false)
	if err != nil {
		return n, err
	}
	all := slices.Concat(before, after)
	if extra != nil {
		all = append(all, extra)
	}
	inOrder(all)
	return near{chains: chains(all, window), partly: more, opens: opens}, nil
}

// pages reads readings page by page until they make more than three passages. more says that there may be others beyond.
func pages(q ledger.Querier, window time.Duration, where, venue string, plate []byte, from, to int64, back bool) (all []*reading, more bool, err error) {
	for limit := page; ; limit *= 4 {
		rows, err := q.Query(`SELECT `+readingColumns+` FROM parking_events WHERE venue = $1 AND plate = $2 AND `+where+` LIMIT $5`,
			venue, plate, from, to, limit)
		if all, err = ledger.List(rows, err, scanReading); err != nil {
			return nil, false, err
		}
		more = len(all) == limit
		all = slices.DeleteFunc(all, func(r *reading) bool { return !r.hasPart() })
		if back {
			slices.Reverse(all)
		}
		if !more || len(chains(all, window)) > 3 {
			return all, more, nil
		}
	}
}
