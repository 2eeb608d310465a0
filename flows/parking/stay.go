package parking

import (
	"fmt"
	"time"

	"github.com/warmgate/warmgate/gateway/ledger"
)

// The states of a visit.
const (
	stayOpen   = "open"   // the car is inside
	stayUnseen = "unseen" // it came again, and nobody had seen it leave: it owes nothing for that
	stayExited = "exited" // it has left, and has a bill
	stayVoid   = "void"   // it turned out to be a part of another visit, or of none
)

// stay is a visit as the ledger keeps it.
type stay struct {
	id, tenant, venue string
	plate             []byte
	dataKey, sealed   []byte
	vehicle           string
	electric          bool
	state, run        string
	entry, gate       string
	entered           time.Time
	exit, exitGate    string
	left              time.Time // zero: not
}

const stayColumns = `id, tenant, venue, plate, data_key, sealed, vehicle, electric, state, run, entry, gate, entered_at, exit, exit_gate, left_at`

func scanStay(row ledger.Row) (*stay, error) {
	s := &stay{}
	var electric, entered, left int64
	err := row.Scan(&s.id, &s.tenant, &s.venue, &s.plate, &s.dataKey, &s.sealed, &s.vehicle, &electric, &s.state, &s.run, &s.entry, &s.gate,
		&entered, &s.exit, &s.exitGate, &left)
	s.electric, s.entered = electric != 0, time.UnixMilli(entered)
	if left > 0 {
		s.left = time.UnixMilli(left)
	}
	return s, err
}

// findStays reads visits by their ids.
func findStays(q ledger.Querier, ids []string) (map[string]*stay, error) {
	out := make(map[string]*stay, len(ids))
	for _, id := range ids {
		all, err := listOf(q, scanStay, `SELECT `+stayColumns+` FROM parking_stays WHERE id = $1`, id)
		if err != nil {
			return nil, err
		}
		if len(all) == 0 {
			return nil, fmt.Errorf("visit %s of a reading is not there", id)
		}
		out[id] = all[0]
	}
	return out, nil
}

func listOf[T any](q ledger.Querier, scan func(ledger.Row) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.Query(query, args...)
	return ledger.List(rows, err, scan)
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// insertStay keeps a visit that is new.
func insertStay(tx *ledger.Tx, s *stay) error {
	n, err := tx.Exec(`INSERT INTO parking_stays (`+stayColumns+`, changed_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) ON CONFLICT DO NOTHING`,
		s.id, s.tenant, s.venue, s.plate, s.dataKey, s.sealed, s.vehicle, oneIf(s.electric), s.state, s.run, s.entry, s.gate,
		millis(s.entered), s.exit, s.exitGate, millis(s.left), tx.Now().UnixMilli())
	if err == nil && n == 0 {
		err = fmt.Errorf("a visit of this plate is open at lot %s already", s.venue)
	}
	return err
}

// updateStay keeps a visit that is another one now.
func updateStay(tx *ledger.Tx, s *stay) error {
	_, err := tx.Exec(`UPDATE parking_stays SET state = $1, vehicle = $2, electric = $3, entry = $4, gate = $5, entered_at = $6, exit = $7,
		exit_gate = $8, left_at = $9, changed_at = $10 WHERE id = $11`, s.state, s.vehicle, oneIf(s.electric), s.entry, s.gate,
		millis(s.entered), s.exit, s.exitGate, millis(s.left), tx.Now().UnixMilli(), s.id)
	return err
}
