package rooms

import (
	"bytes"
	"errors"
	"time"

	"github.com/warmgate/warmgate/flows/rooms/offer"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// The states of a booking.
const (
	bookingHeld    = "held"    // a journey is about to book it
	bookingBooked  = "booked"  // the citizen has its confirmation number
	bookingLeaving = "leaving" // a journey is about to call it off
	bookingOff     = "off"     // called off, for ever
)

// kept is a booking as the ledger has it.
type kept struct {
	id, venue, run, state     string
	owner                     []byte
	reservation, confirmation string
	arrival, departure        string
	freeUntil                 time.Time
	offAt                     time.Time
	offRun                    string
}

const bookingColumns = `id, venue, run, state, owner, reservation, confirmation, arrival, departure, free_until, off_at, off_run`

func scanBooking(row ledger.Row) (k kept, found bool, err error) {
	var until, off int64
	err = row.Scan(&k.id, &k.venue, &k.run, &k.state, &k.owner, &k.reservation, &k.confirmation, &k.arrival, &k.departure, &until, &off, &k.offRun)
	if errors.Is(err, ledger.ErrNoRows) {
		return k, false, nil
	}
	k.freeUntil, k.offAt = time.UnixMilli(until), time.UnixMilli(off)
	return k, err == nil, err
}

// stay is the nights of a booking; the zero one where they cannot be read.
func (k *kept) stay() offer.Stay {
	from, err := offer.ParseDate(k.arrival)
	to, err2 := offer.ParseDate(k.departure)
	if err != nil || err2 != nil || to <= from || to > from+maxNights {
		return offer.Stay{}
	}
	return offer.Stay{Arrival: from, Nights: uint16(to - from)}
}

// hold enters a wish: one that is alike and stands already is not booked again, whatever key it comes under.
var hold = &ledger.Decision[Agreed, Agreed]{Name: "booking.hold", Run: func(tx *ledger.Tx, a Agreed) (Agreed, error) {
	n, err := tryEnter(tx, a)
	if err != nil || n > 0 {
		return a, err
	}
	k, found, err := scanBooking(tx.QueryRow(`SELECT `+bookingColumns+` FROM room_bookings WHERE venue = $1 AND alike = $2`, a.Hotel, a.Alike))
	if err != nil {
		return a, err
	}
	over := false
	switch {
	case found && k.state == bookingHeld:
		over, err = freed(tx, k)
	case found && k.state == bookingLeaving:
		over, err = ended(tx, k, a.At)
	case found:
		return a, ledger.Keep(ProblemBookedAlready.Error(gateway.Text{}).With("confirmation", k.confirmation))
	}
	switch {
	case err != nil:
		return a, err
	case over:
		return a, enter(tx, a)
	}
	return a, ledger.Keep(journey.ProblemStillRunning.Error(gateway.Text{}).WithRetryAfter(2 * time.Second))
}}

// release forgets a wish that came to nothing. What was kept in the meantime stays.
var release = &ledger.Decision[Agreed, int64]{Name: "booking.release", Run: func(tx *ledger.Tx, a Agreed) (int64, error) {
	return tx.Exec(`DELETE FROM room_bookings WHERE id = $1 AND run = $2 AND state = $3`, a.Reference, a.Journey, bookingHeld)
}}

// keep keeps the confirmation number: from here on the booking stands.
var keep = &ledger.Decision[Booked, Booked]{Name: "booking.keep", Run: func(tx *ledger.Tx, b Booked) (Booked, error) {
	n, err := keepHeld(tx, b)
	if err == nil && n == 0 {
		err = errors.New("cannot keep a booking: what was held for it is not there any more")
	}
	return b, err
}}

// CallOff is somebody who wants to call a booking of theirs off.
type CallOff struct {
	Journey      string    `json:"journey"`
	Hotel        string    `json:"hotel"`
	Owner        []byte    `json:"owner"`
	Confirmation string    `json:"confirmation"`
	At           time.Time `json:"at"`
}

// CallingOff is a booking that may be called off.
type CallingOff struct {
	Journey      string     `json:"journey"`
	Hotel        string     `json:"hotel"`
	Reference    string     `json:"reference"`
	Reservation  string     `json:"reservation"`
	Confirmation string     `json:"confirmation"`
	Stay         offer.Stay `json:"stay,omitzero"` // its nights alone; zero: not known
	At           time.Time  `json:"at"`
	Again        bool       `json:"again,omitzero"` // it was called off before
}

func (c CallingOff) key() string { return "cancel/" + c.Hotel + "/" + c.Reference }

// CalledOff is a booking that is called off.
type CalledOff struct{ CallingOff }

// callOffPlan declares how a booking is called off: by the hotel's rule, in the ledger and at its system. A system that does not
// answer learns of it later.
func (o *booking) callOffPlan() (*journey.Plan[CallOff, CalledOff], error) {
	return journey.Define(planCallOff, func(b *journey.Builder, in journey.Ref[CallOff]) journey.Ref[CalledOff] {
		off := journey.Record(b, stepCallOff, beginCallOff, in, journey.UndoRecord(callOffUndone))
		return journey.When(b, "answer", journey.Check(b, "again", func(c CallingOff) (bool, error) { return c.Again, nil }, off),
			func(b *journey.Builder) journey.Ref[CalledOff] {
				return journey.Check(b, "said", func(c CallingOff) (CalledOff, error) { return CalledOff{c}, nil }, off)
			},
			func(b *journey.Builder) journey.Ref[CalledOff] {
				done := journey.Commit(b, stepCancel, o.cancel, off, journey.Pivot(), journey.Defer(cancelDue, handCancelLate),
					journey.Interrupted(handCancelInterrupted), journey.Refusals(map[string]*gateway.Problem{
						"": ProblemCancelRefused, refusedStayed: ProblemStayBegun}))
				return journey.Record(b, stepEnd, endCallOff, journey.Join(b, "cancelled", off, done,
					func(c CallingOff, _ struct{}) (CallingOff, error) { return c, nil }))
			})
	})
}

// cancelDue is by when a hotel has to know of a cancellation.
const cancelDue = 10 * time.Minute

// beginCallOff finds the booking and decides by the hotel's rule whether it may be called off.
var beginCallOff = &ledger.Decision[CallOff, CallingOff]{Name: "booking.call-off", Run: func(tx *ledger.Tx, c CallOff) (CallingOff, error) {
	out := CallingOff{Journey: c.Journey, Hotel: c.Hotel, Confirmation: c.Confirmation, At: c.At}
	k, found, err := scanBooking(tx.QueryRow(`SELECT `+bookingColumns+` FROM room_bookings WHERE venue = $1 AND confirmation = $2`, c.Hotel, c.Confirmation))
	switch {
	case err != nil:
		return out, err
	case !found || !bytes.Equal(k.owner, c.Owner):
		return out, ledger.Keep(ProblemBookedUnknown.Error(gateway.Text{}))
	}
	out.Reference, out.Reservation, out.Stay = k.id, k.reservation, k.stay()
	switch k.state {
	case bookingOff:
		out.Again, out.At = true, k.offAt.In(c.At.Location())
		return out, nil
	case bookingLeaving:
		return out, leaving(tx, k, &out)
	}
	if !c.At.Before(k.freeUntil) {
		until := k.freeUntil.In(c.At.Location())
		return out, ledger.Keep(ProblemTooLateToCancel.Error(freeUntilWords(until)).With("free_until", until))
	}
	_, err = tx.Exec(`UPDATE room_bookings SET state = $1, off_run = $2 WHERE id = $3 AND state = $4`, bookingLeaving, c.Journey, k.id, bookingBooked)
	return out, err
}}

// leaving says what another journey that calls the booking off means for this one: where recovery has finished it, it is off.
func leaving(tx *ledger.Tx, k kept, out *CallingOff) error {
	over, err := ended(tx, k, out.At)
	if err == nil && !over {
		err = ledger.Keep(journey.ProblemStillRunning.Error(gateway.Text{}).WithRetryAfter(2 * time.Second))
	}
	out.Again = true
	return err
}

// ended ends a booking whose journey has called it off at the hotel and died before it could keep that; false: that journey
// is at work still.
func ended(tx *ledger.Tx, k kept, at time.Time) (bool, error) {
	run, found, err := ledger.FindRun(tx, k.offRun)
	if err != nil || found && !run.Pivot {
		return false, err
	}
	return true, endIn(tx, k.id, k.offRun, at)
}

// callOffUndone: the hotel has not called it off, so it stands.
var callOffUndone = &ledger.Decision[CallingOff, int64]{Name: "booking.call-off-undone", Run: func(tx *ledger.Tx, c CallingOff) (int64, error) {
	return tx.Exec(`UPDATE room_bookings SET state = $1, off_run = '' WHERE id = $2 AND state = $3 AND off_run = $4`,
		bookingBooked, c.Reference, bookingLeaving, c.Journey)
}}

// endCallOff keeps that the booking is off: the same wish may be booked again.
var endCallOff = &ledger.Decision[CallingOff, CalledOff]{Name: "booking.end", Run: func(tx *ledger.Tx, c CallingOff) (CalledOff, error) {
	return CalledOff{c}, endIn(tx, c.Reference, c.Journey, c.At)
}}

func endIn(tx *ledger.Tx, id, run string, at time.Time) error {
	_, err := tx.Exec(`UPDATE room_bookings SET state = $1, off_at = $2, alike = $3 WHERE id = $4 AND state = $5 AND off_run = $6`,
		bookingOff, at.UnixMilli(), []byte(id), id, bookingLeaving, run)
	return err
}

// settledByHand: staff have seen to what a step could not do.
func settledByHand(step string) func(*ledger.Tx, *flow.Runtime, flow.Opened, []byte) (any, error) {
	return func(tx *ledger.Tx, rt *flow.Runtime, a flow.Opened, _ []byte) (any, error) {
		return nil, rt.Engine.SettledByHand(tx, a.Run, step)
	}
}
