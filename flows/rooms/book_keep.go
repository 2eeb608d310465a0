package rooms

import (
	"context"
	"time"

	"github.com/warmgate/warmgate/flows/rooms/offer"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// BookingKeep is how long the ledger keeps what bookings have left there.
type BookingKeep struct {
	Bookings time.Duration `yaml:"bookings"` // from the day of departure on: then nobody can call the booking off, or ask for it
}

// usualBookingKeep is a quarter of a year.
func usualBookingKeep() BookingKeep { return BookingKeep{Bookings: 90 * 24 * time.Hour} }

const maxBookingKeep = 3660 * 24 * time.Hour

// check reports every mistake.
func (k *BookingKeep) check(wrong *flow.Mistakes) {
	wrong.Refuse(k.Bookings < 24*time.Hour || k.Bookings > maxBookingKeep, "keep.bookings", "must be 24h to %s, is %s", maxBookingKeep, k.Bookings)
}

const (
	forgetEvery  = time.Hour
	forgetLook   = 500 // bookings looked at in one piece, beside the writer
	forgetAtOnce = 100 // in one commit, so that nobody waits long behind it
)

// forgetter forgets bookings that no longer have to be kept, of every hotel.
type forgetter struct{ rt *flow.Runtime }

// run forgets at once and every forgetEvery, until ctx ends.
func (f forgetter) run(ctx context.Context) {
	tick := time.NewTicker(forgetEvery)
	defer tick.Stop()
	for {
		switch n, err := f.sweep(ctx); {
		case ctx.Err() != nil:
			return
		case err != nil:
			f.rt.Logger.Warn("cannot forget bookings that need not be kept any more; it will be tried again", "error", err)
		case n > 0:
			f.rt.Logger.Debug("forgot bookings that need not be kept any more", "rows", n)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// overBooking is a booking that is old enough to be forgotten.
type overBooking struct{ id, departure string }

// sweep forgets what is old enough, by each hotel's own days, and returns how many bookings that were.
func (f forgetter) sweep(ctx context.Context) (int64, error) {
	var last overBooking
	return flow.Sweep(ctx, forgetAtOnce, func() (due []overBooking, more bool, err error) {
		err = f.rt.Ledger.View(ctx, func(q ledger.Querier) (err error) {
			due, more, err = f.page(q, &last)
			return err
		})
		return due, more, err
	}, func(ctx context.Context, some []overBooking) (int64, error) {
		return ledger.Do(ctx, f.rt.Ledger, forgetBookings, some)
	})
}

// page reads the bookings behind last whose guests have left, and returns those that are old enough.
func (f forgetter) page(q ledger.Querier, last *overBooking) (due []overBooking, more bool, err error) {
	latest := offer.DateOf(f.rt.Now().UTC()).String()
	rows, err := q.Query(`SELECT id, departure, venue FROM room_bookings WHERE (departure, id) > ($1, $2) AND departure < $3
		ORDER BY departure, id LIMIT $4`, last.departure, last.id, latest, forgetLook)
	if err != nil {
		return nil, false, err
	}
	defer rows.Close()
	n := 0
	for ; rows.Next(); n++ {
		var venue string
		if err := rows.Scan(&last.id, &last.departure, &venue); err != nil {
			return nil, false, err
		}
		if last.departure < f.before(venue) {
			due = append(due, *last)
		}
	}
	return due, n == forgetLook, rows.Err()
}

// before is the day at a hotel: who has left before it is forgotten. A hotel that is gone keeps them for as long as is usual.
func (f forgetter) before(venue string) string {
	keep, at := usualBookingKeep(), time.UTC
	if v := f.rt.Venue(venue); v != nil {
		at = v.Location
		if s, there := v.Section(Section).(*Settings); there {
			keep = s.Keep
		}
	}
	return offer.DateOf(f.rt.Now().Add(-keep.Bookings).In(at)).String()
}

// forgetBookings forgets those that no journey is at work on and no person has.
var forgetBookings = &ledger.Decision[[]overBooking, int64]{Name: "booking.forget", Run: func(tx *ledger.Tx, all []overBooking) (n int64, err error) {
	for _, b := range all {
		gone, err := tx.Exec(`DELETE FROM room_bookings AS T WHERE id = $1 AND departure = $2
			AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.id IN (T.run, T.off_run) AND r.state IN ('running', 'recovering'))
			AND NOT EXISTS (SELECT 1 FROM assists a WHERE a.run IN (T.run, T.off_run) AND a.state <> 'resolved')`, b.id, b.departure)
		if err != nil {
			return n, err
		}
		n += gone
	}
	return n, nil
}}
