package entry

import (
	"errors"
	"fmt"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// count adds n people inside, if they fit. Yesterday's rest does not count.
func count(tx *ledger.Tx, spot, day string, n, capacity int64, at time.Time) (inside int64, fits bool, err error) {
	for range 2 {
		err = tx.QueryRow(`UPDATE occupancy SET inside = CASE WHEN day = $1 THEN inside + $2 ELSE $2 END, day = $1, changed_at = $3
			WHERE venue = $4 AND CASE WHEN day = $1 THEN inside + $2 ELSE $2 END <= $5 RETURNING inside`,
			day, n, at.UnixMilli(), spot, capacity).Scan(&inside)
		if !errors.Is(err, ledger.ErrNoRows) {
			return inside, err == nil, err
		}
		made, err := tx.Exec(`INSERT INTO occupancy (venue, day, inside, changed_at) VALUES ($1, $2, 0, $3) ON CONFLICT DO NOTHING`,
			spot, day, at.UnixMilli())
		if err != nil || made == 0 {
			return 0, false, err // it is there, and full
		}
	}
	return 0, false, nil
}

// countOut takes n people off, never below zero: a turnstile that counts out more than came in is corrected by that.
func countOut(tx *ledger.Tx, spot, day string, n int64, at time.Time) error {
	_, err := tx.Exec(`UPDATE occupancy SET inside = CASE WHEN inside > $1 THEN inside - $1 ELSE 0 END, changed_at = $2
		WHERE venue = $3 AND day = $4`, n, at.UnixMilli(), spot, day)
	return err
}

// occupancyOf reads how many are inside on the venue's day, and when that last changed.
func occupancyOf(q ledger.Querier, spot, day string) (inside int64, changed time.Time, err error) {
	var at int64
	var on string
	err = q.QueryRow(`SELECT inside, day, changed_at FROM occupancy WHERE venue = $1`, spot).Scan(&inside, &on, &at)
	if errors.Is(err, ledger.ErrNoRows) {
		return 0, time.Time{}, nil
	}
	if on != day {
		inside = 0
	}
	return inside, time.UnixMilli(at), err
}

// Correction is what staff say about how many people are inside.
type Correction struct {
	Journey  string    `json:"journey"`
	Spot     string    `json:"spot"`
	Day      string    `json:"day"`
	Inside   int64     `json:"inside"`
	Reason   []byte    `json:"reason"` // a wrapped data key, and the reason sealed with it
	By       string    `json:"by"`
	At       time.Time `json:"at"`
	Capacity int64     `json:"capacity"`
}

// Corrected is the count before and after.
type Corrected struct {
	Before   int64
	Inside   int64
	Capacity int64
	At       time.Time
}

var correct = &ledger.Decision[Correction, Corrected]{Name: "entry.correct", Run: func(tx *ledger.Tx, c Correction) (Corrected, error) {
	out := Corrected{Inside: c.Inside, Capacity: c.Capacity, At: c.At}
	before, _, err := occupancyOf(tx, c.Spot, c.Day)
	if err != nil {
		return out, err
	}
	out.Before = before
	if _, err := tx.Exec(`INSERT INTO occupancy (venue, day, inside, changed_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (venue) DO UPDATE SET day = excluded.day, inside = excluded.inside, changed_at = excluded.changed_at`,
		c.Spot, c.Day, c.Inside, c.At.UnixMilli()); err != nil {
		return out, err
	}
	return out, tx.Audit(ledger.AuditEntry{
		Run: c.Journey, Actor: c.By, Action: "correct", Payload: c.Reason,
		Purpose: fmt.Sprintf("occupancy of %s from %d to %d", c.Spot, before, c.Inside),
	})
}}

func correctionPlan() (*journey.Plan[Correction, Corrected], error) {
	return journey.Define("scenic-occupancy", func(b *journey.Builder, in journey.Ref[Correction]) journey.Ref[Corrected] {
		return journey.Record(b, stepCorrect, correct, in)
	})
}

// Leaving is somebody going out.
type Leaving struct {
	Journey string
	Spot    string
	Day     string
	Gate    string
	Scan    string
	People  int64
	Shown   []byte // nil: the turnstile only counts
	At      time.Time
}

// Left is what an exit has changed.
type Left struct {
	People int64
	Inside int64
	Again  bool
}

// leave counts people out. With a ticket shown its visit ends, so that a ticket for several entries may come back.
var leave = &ledger.Decision[Leaving, Left]{Name: "entry.leave", Run: func(tx *ledger.Tx, l Leaving) (out Left, err error) {
	if found, err := leftBefore(tx, l, &out); found || err != nil {
		return out, err
	}
	out.People = l.People
	counted := l.People
	if l.Shown != nil {
		if out.People, counted, err = endVisits(tx, l); err != nil {
			return out, err
		}
	}
	n, err := tx.Exec(`INSERT INTO scans (venue, direction, gate, scan, shown, people, run, admissions, at)
		VALUES ($1, 'exit', $2, $3, $4, $5, $6, '', $7) ON CONFLICT DO NOTHING`,
		l.Spot, l.Gate, l.Scan, l.shown(), out.People, l.Journey, l.At.UnixMilli())
	if err == nil && n == 0 { // another writer was faster
		err = ProblemScanReused.Error(gateway.Text{}).WithField("scan_id")
	}
	if err != nil {
		return out, err
	}
	if err := countOut(tx, l.Spot, l.Day, counted, l.At); err != nil {
		return out, err
	}
	out.Inside, _, err = occupancyOf(tx, l.Spot, l.Day)
	return out, err
}}

func (l Leaving) shown() []byte {
	if l.Shown == nil {
		return []byte{}
	}
	return l.Shown
}

// leftBefore answers a scan that came twice.
func leftBefore(tx *ledger.Tx, l Leaving, out *Left) (bool, error) {
	var shown []byte
	err := tx.QueryRow(`SELECT shown, people FROM scans WHERE venue = $1 AND direction = 'exit' AND gate = $2 AND scan = $3`,
		l.Spot, l.Gate, l.Scan).Scan(&shown, &out.People)
	switch {
	case errors.Is(err, ledger.ErrNoRows):
		return false, nil
	case err != nil:
		return false, err
	case string(shown) != string(l.Shown):
		return true, ledger.Keep(ProblemScanReused.Error(gateway.Text{}).WithField("scan_id"))
	}
	out.Again = true
	out.Inside, _, err = occupancyOf(tx, l.Spot, l.Day)
	return true, err
}

// endVisits ends up to l.People visits of what was shown, or of a ticket that it is known for, and returns how many it
// has ended and how many of those are counted inside today. A ticket that the gateway has not let in counts as the
// people that the turnstile has seen; one whose visits have all ended counts nobody a second time.
func endVisits(tx *ledger.Tx, l Leaving) (ended, counted int64, err error) {
	rows, err := tx.Query(`UPDATE admissions SET state = $1, left_at = $2 WHERE id IN (SELECT id FROM (
			SELECT id, unit, entry FROM admissions WHERE venue = $3 AND shown = $4 AND state = $5
			UNION SELECT a.id, a.unit, a.entry FROM known_tickets k JOIN admissions a ON a.supplier = k.supplier AND a.unit = k.unit
				WHERE k.venue = $3 AND k.shown = $4 AND a.venue = $3 AND a.state = $5
		) AS open ORDER BY unit, entry LIMIT $6) RETURNING day`, stateOut, l.At.UnixMilli(), l.Spot, l.Shown, stateIn, l.People)
	if err != nil {
		return 0, 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var day string
		if err := rows.Scan(&day); err != nil {
			return 0, 0, err
		}
		ended++
		if day == l.Day {
			counted++
		}
	}
	if err := rows.Err(); err != nil || ended > 0 {
		return ended, counted, err
	}
	var one int
	err = tx.QueryRow(`SELECT 1 FROM admissions WHERE venue = $1 AND shown = $2 LIMIT 1`, l.Spot, l.Shown).Scan(&one)
	if errors.Is(err, ledger.ErrNoRows) {
		return l.People, l.People, nil
	}
	return 0, 0, err
}

func exitPlan() (*journey.Plan[Leaving, Left], error) {
	return journey.Define("scenic-exit", func(b *journey.Builder, in journey.Ref[Leaving]) journey.Ref[Left] {
		return journey.Record(b, stepLeave, leave, in)
	})
}
