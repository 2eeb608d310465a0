package rooms

import (
	"context"
	"errors"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// How an unclear booking is settled.
const (
	wordBooked = "booked" // by the gateway itself: the hotel has it
	wordAgain  = "again"  // likewise, where the guest has booked anew meanwhile; else by staff
)

// late is a booking that a hotel turns out to have made after all.
type late struct {
	Agreed
	made Reserved
}

// keepsLate has an effect keep what is found to be booked once its journey has ended unclear.
func keepsLate(l *ledger.Ledger, e call.Effect[Agreed, Reserved]) call.Effect[Agreed, Reserved] {
	find := e.Find
	e.Find = func(ctx context.Context, key string, a Agreed) (Reserved, bool, error) {
		made, happened, err := find(ctx, key, a)
		if err != nil || !happened {
			return made, happened, err
		}
		if _, err := ledger.Do(ctx, l, keepLate, late{a, made}); err != nil {
			return made, false, err // it is asked for again
		}
		return made, true, nil
	}
	return e
}

// keepLate gives the guest what the hotel has booked, and settles the person's help. Where the journey is being taken back,
// or the hotel has made it dearer than was agreed, a person or recovery decides.
var keepLate = &ledger.Decision[late, bool]{Name: "booking.keep-late", Run: func(tx *ledger.Tx, l late) (bool, error) {
	run, found, err := ledger.FindRun(tx, l.Journey)
	if err != nil || !found || run.State != ledger.RunAssist {
		return false, err
	}
	op, found, err := bookingOf(tx, l.Journey)
	if err != nil || !found || op.State != ledger.OpBegun && op.State != ledger.OpDone {
		return false, err
	}
	b, err := confirm(l.Agreed, l.made)
	if err != nil {
		return false, nil // it stays with the person
	}
	n, err := keepHeld(tx, b)
	if err != nil || n == 0 {
		return false, err
	}
	_, err = tx.SettleAssist(l.Hotel, handUnclear.Kind, l.Reference, wordBooked)
	return true, err
}}

// bookingOf finds the operation by which a journey books.
func bookingOf(q ledger.Querier, run string) (op ledger.Operation, found bool, err error) {
	all, err := ledger.OperationsOf(q, run)
	for _, one := range all {
		if one.Step == stepBook {
			return one, true, err
		}
	}
	return op, false, err
}

// bookedBefore refuses a wish that is booked, or may be, before the hotel is asked: it may be full by now, or dearer, and whoever
// has a room of it is not to hear that.
func bookedBefore(q ledger.Querier, w *Wish) error {
	k, found, err := scanBooking(q.QueryRow(`SELECT `+bookingColumns+` FROM room_bookings WHERE venue = $1 AND alike = $2`, w.Hotel, w.Alike))
	switch {
	case err != nil || !found:
		return err
	case k.state == bookingBooked:
		return ProblemBookedAlready.Error(gateway.Text{}).With("confirmation", k.confirmation)
	case k.state == bookingHeld:
		if free, err := isFree(q, k); err != nil || free {
			return err
		}
		return journey.ProblemStillRunning.Error(gateway.Text{}).WithRetryAfter(2 * time.Second)
	}
	return nil
}

// isFree reports whether the hotel is known not to have booked what an unclear journey holds.
func isFree(q ledger.Querier, k kept) (bool, error) {
	run, found, err := ledger.FindRun(q, k.run)
	if err != nil || !found || run.State != ledger.RunAssist {
		return false, err
	}
	op, found, err := bookingOf(q, k.run)
	return found && op.State == ledger.OpRefused, err
}

// freed gives up a wish that an unclear journey holds, once it is known that the hotel has not booked it.
func freed(tx *ledger.Tx, k kept) (bool, error) {
	if free, err := isFree(tx, k); err != nil || !free {
		return false, err
	}
	if _, err := tx.Exec(`DELETE FROM room_bookings WHERE id = $1 AND run = $2 AND state = $3`, k.id, k.run, bookingHeld); err != nil {
		return false, err
	}
	_, err := tx.SettleAssist(k.venue, handUnclear.Kind, k.id, wordAgain)
	return true, err
}

// giveUp lets a wish go whose booking is unclear: what the hotel may have is taken back, and it may be booked anew.
func giveUp(tx *ledger.Tx, rt *flow.Runtime, a flow.Opened, _ []byte) (any, error) {
	kept, err := isKept(tx, a)
	if err == nil && kept {
		err = ProblemBookedAlready.Error(gateway.Text{})
	}
	if err != nil {
		return nil, err
	}
	if _, err := tx.Exec(`DELETE FROM room_bookings WHERE run = $1 AND venue = $2 AND state = $3`, a.Run, a.Assist.Venue, bookingHeld); err != nil {
		return nil, err
	}
	return nil, rt.Engine.TakeBack(tx, a.Run)
}

// isBooked is what staff may say only once the gateway knows it too.
func isBooked(tx *ledger.Tx, _ *flow.Runtime, a flow.Opened, _ []byte) (any, error) {
	kept, err := isKept(tx, a)
	if err == nil && !kept {
		err = journey.ProblemStillRunning.Error(gateway.Text{
			Zh: "尚不知酒店是否已订上，查明后会自动办结。", En: "It is not known yet whether the hotel has it; once it is, this settles itself."}).WithRetryAfter(2 * time.Second)
	}
	return nil, err
}

// isKept reports whether the booking of an unclear journey is the guest's.
func isKept(tx *ledger.Tx, a flow.Opened) (bool, error) {
	var n int
	err := tx.QueryRow(`SELECT count(*) FROM room_bookings WHERE run = $1 AND venue = $2 AND state <> $3`, a.Run, a.Assist.Venue, bookingHeld).Scan(&n)
	return n > 0, err
}

// keepHeld keeps the confirmation number of a wish that is held.
func keepHeld(tx *ledger.Tx, b Booked) (int64, error) {
	return tx.Exec(`UPDATE room_bookings SET state = $1, reservation = $2, confirmation = $3, price = $4, currency = $5, booked_at = $6
		WHERE id = $7 AND run = $8 AND state = $9`,
		bookingBooked, b.Reservation, b.Confirmation, b.Total.Minor, b.Total.Currency, tx.Now().UnixMilli(), b.Reference, b.Journey, bookingHeld)
}

// enter enters a wish; it is an error if one that is alike is there.
func enter(tx *ledger.Tx, a Agreed) error {
	n, err := tryEnter(tx, a)
	if err == nil && n == 0 {
		err = errors.New("cannot enter a wish: one that is alike is there still")
	}
	return err
}

// tryEnter is enter; 0: one that is alike is there.
func tryEnter(tx *ledger.Tx, a Agreed) (int64, error) {
	return tx.Exec(`INSERT INTO room_bookings (id, venue, run, state, alike, owner, reservation, confirmation, arrival, departure, price, currency,
		free_until, held_at, booked_at, off_at, off_run)
		VALUES ($1, $2, $3, $4, $5, $6, '', '', $7, $8, $9, $10, $11, $12, 0, 0, '') ON CONFLICT DO NOTHING`,
		a.Reference, a.Hotel, a.Journey, bookingHeld, a.Alike, a.Owner, a.Stay.Arrival.String(), a.Stay.Departure().String(),
		a.Offer.Total.Minor, a.Offer.Total.Currency, a.FreeUntil.UnixMilli(), a.At.UnixMilli())
}
