package checkin

import (
	"errors"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// The states of a stay.
const (
	stayHeld    = "held"    // a journey is about to check the booking in, or a person is
	stayIn      = "in"      // in house
	stayLeaving = "leaving" // a journey is about to check it out, or a person is
	stayOut     = "out"     // over, for ever
)

// stay is a booking's stay as the ledger has it.
type stay struct {
	id, venue, booking, run, state, room, door string
	arrival, leaves                            string
	heldAt, inAt, outAt                        time.Time
	outRun                                     string
}

const stayColumns = `id, venue, booking, run, state, room, door, arrival, leaves, held_at, in_at, out_at, out_run`

func scanStay(row ledger.Row) (s stay, found bool, err error) {
	var held, in, out int64
	err = row.Scan(&s.id, &s.venue, &s.booking, &s.run, &s.state, &s.room, &s.door, &s.arrival, &s.leaves, &held, &in, &out, &s.outRun)
	if errors.Is(err, ledger.ErrNoRows) {
		return s, false, nil
	}
	s.heldAt, s.inAt, s.outAt = time.UnixMilli(held), time.UnixMilli(in), time.UnixMilli(out)
	return s, err == nil, err
}

// stayOf finds the stay of a booking.
func stayOf(q ledger.Querier, venue, booking string) (stay, bool, error) {
	return scanStay(q.QueryRow(`SELECT `+stayColumns+` FROM stays WHERE venue = $1 AND booking = $2`, venue, booking))
}

// guestsOf lists the guests of a stay: keyed hash to the key that the police know them by.
func guestsOf(q ledger.Querier, id string) (hashes, registrations []string, err error) {
	rows, err := q.Query(`SELECT guest, registration FROM stay_guests WHERE stay = $1 ORDER BY n`, id)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var hash []byte
		var registration string
		if err := rows.Scan(&hash, &registration); err != nil {
			return nil, nil, err
		}
		hashes, registrations = append(hashes, string(hash)), append(registrations, registration)
	}
	return hashes, registrations, rows.Err()
}

// standing says what an earlier stay of the booking means for whoever comes with it now: nil where its guests are in house,
// and else a kept problem.
func standing(tx *ledger.Tx, s stay) error {
	switch s.state {
	case stayOut:
		return ledger.Keep(ProblemStayOver.Error(gateway.Text{}).WithField("booking"))
	case stayLeaving:
		run, found, err := ledger.FindRun(tx, s.outRun)
		switch {
		case err != nil:
			return err
		case !found || run.State == ledger.RunDone || run.Pivot: // recovery has finished it
			return ledger.Keep(ProblemStayOver.Error(gateway.Text{}).WithField("booking"))
		}
		return decidedBy(tx, s.outRun, stepLeave)
	case stayHeld:
		run, found, err := ledger.FindRun(tx, s.run)
		switch {
		case err != nil:
			return err
		case !found || run.State != ledger.RunDone && !run.Pivot:
			return decidedBy(tx, s.run, stepHold)
		}
	}
	waits, err := waitsForStaff(tx, s.run)
	if err == nil && waits {
		err = withStaff()
	}
	return err
}

// decidedBy says who is at work on a stay: a journey, or staff where it has left to them what it holds.
func decidedBy(tx *ledger.Tx, run, step string) error {
	op, found, err := ledger.FindOperation(tx, run+"/"+step)
	if err != nil {
		return err
	}
	waits, err := waitsForStaff(tx, run)
	switch {
	case err != nil:
		return err
	case waits && found && op.State != ledger.OpUndoing && op.State != ledger.OpUndone:
		return withStaff()
	}
	return ledger.Keep(journey.ProblemStillRunning.Error(gateway.Text{}).WithRetryAfter(2 * time.Second))
}

func withStaff() error {
	return ledger.Keep(ProblemWithFrontDesk.Error(gateway.Text{}).WithRetryAfter(10 * time.Second))
}

// waitsForStaff reports whether an assist of a run is not settled yet.
func waitsForStaff(q ledger.Querier, run string) (bool, error) {
	var one int
	err := q.QueryRow(`SELECT 1 FROM assists WHERE run = $1 AND state <> $2 LIMIT 1`, run, string(ledger.AssistResolved)).Scan(&one)
	if errors.Is(err, ledger.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}
