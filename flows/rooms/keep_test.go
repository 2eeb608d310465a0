package rooms

import (
	"context"
	"crypto/rand"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/flows/rooms/offer"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/ledger/sqlite"
	"github.com/warmgate/warmgate/gateway/seal"
)

// keepBooks is a ledger in which bookings of hotels are kept: of one for two days, of the other for as long as is usual.
type keepBooks struct {
	t   *testing.T
	rt  *flow.Runtime
	now time.Time
}

func newKeepBooks(t *testing.T) *keepBooks {
	t.Helper()
	store, err := sqlite.Open(filepath.Join(t.TempDir(), "ledger.db"), sqlite.Config{})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := seal.New(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	w := &keepBooks{t: t, now: time.Date(2026, 11, 30, 17, 0, 0, 0, time.UTC)} // at the hotels it is the first of December
	clock := func() time.Time { return w.now }
	l, err := ledger.Open(context.Background(), store, ledger.Config{}, keys, slog.New(slog.DiscardHandler), clock, ledger.Migrations{Name: "rooms", FS: files})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	venues := map[string]*gateway.Venue{}
	for id, keep := range map[string]BookingKeep{"short": {48 * time.Hour}, "long": usualBookingKeep()} {
		venues[id] = &gateway.Venue{ID: id, Location: time.FixedZone("CST", 8*60*60), Sections: map[string]any{Section: &Settings{Keep: keep}}}
	}
	w.rt = &flow.Runtime{Ledger: l, Logger: slog.New(slog.DiscardHandler), Now: clock, Venue: func(id string) *gateway.Venue { return venues[id] }}
	return w
}

// exec changes the ledger.
func (w *keepBooks) exec(f func(tx *ledger.Tx) error) {
	w.t.Helper()
	d := &ledger.Decision[struct{}, struct{}]{Name: "test", Run: func(tx *ledger.Tx, _ struct{}) (none struct{}, err error) { return none, f(tx) }}
	if _, err := ledger.Do(context.Background(), w.rt.Ledger, d, struct{}{}); err != nil {
		w.t.Fatal(err)
	}
}

// booked enters a booking whose guest leaves on a day; its run is called as it is.
func (w *keepBooks) booked(id, hotel, leaves string) {
	w.t.Helper()
	day, err := offer.ParseDate(leaves)
	if err != nil {
		w.t.Fatal(err)
	}
	a := Agreed{Wish: Wish{Journey: id, Hotel: hotel, Reference: id, Alike: []byte(id), Owner: []byte("li"), At: w.now, Stay: offer.Stay{Arrival: day - 1, Nights: 1, Guests: 1}}}
	w.exec(func(tx *ledger.Tx) error { _, err := hold.Run(tx, a); return err })
}

// left says which bookings are left after a sweep.
func (w *keepBooks) left() string {
	w.t.Helper()
	if _, err := (forgetter{w.rt}).sweep(context.Background()); err != nil {
		w.t.Fatal(err)
	}
	var all []string
	err := w.rt.Ledger.View(context.Background(), func(q ledger.Querier) error {
		rows, err := q.Query(`SELECT id FROM room_bookings ORDER BY id`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id string
			if err := rows.Scan(&id); err != nil {
				return err
			}
			all = append(all, id)
		}
		return rows.Err()
	})
	if err != nil {
		w.t.Fatal(err)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// TestBookingsAreForgotten when their time is over, by the days of their hotel, and not before; what a journey or a person
// is at work on stays.
func TestBookingsAreForgotten(t *testing.T) {
	w := newKeepBooks(t)
	w.booked("a", "short", "2026-11-29") // two days ago: today is the last day
	w.booked("b", "short", "2026-11-28")
	w.booked("c", "long", "2026-09-02") // ninety days ago
	w.booked("d", "long", "2026-09-01")
	w.booked("e", "gone", "2026-09-01") // a hotel that is configured no more, where it is still November
	w.booked("f", "gone", "2026-08-31")
	w.booked("g", "short", "2026-12-24")
	w.booked("run", "short", "2026-11-01")
	w.booked("assist", "short", "2026-11-01")
	w.exec(func(tx *ledger.Tx) error {
		if err := tx.BeginRun(ledger.Run{ID: "run", Plan: planBooking, Tenant: "t", Venue: "short", State: ledger.RunRunning, Key: []byte{1}, LeaseUntil: w.now.Add(time.Minute)}); err != nil {
			return err
		}
		_, err := tx.OpenAssist(ledger.Assist{ID: "x", Run: "assist", Plan: planBooking, Kind: handUnclear.Kind, Tenant: "t", Venue: "short", NextAction: handUnclear.Next})
		return err
	})
	if got := w.left(); got != "a assist c e g run" {
		t.Errorf("left: %s", got)
	}
	w.now = w.now.Add(24 * time.Hour)
	if got := w.left(); got != "assist g run" {
		t.Errorf("a day later: %s", got)
	}
}

// TestBookingsAreForgottenAPieceAtATime, however many there are.
func TestBookingsAreForgottenAPieceAtATime(t *testing.T) {
	w := newKeepBooks(t)
	w.exec(func(tx *ledger.Tx) error {
		for i := range 3*forgetLook + 7 {
			id := string(rune('A'+i%26)) + strings.Repeat("x", i/26)
			a := Agreed{Wish: Wish{Journey: id, Hotel: []string{"short", "long"}[i%2], Reference: id, Alike: []byte(id), Owner: []byte("li"), Stay: offer.Stay{Arrival: 20000 + offer.Date(i%3), Nights: 1}}}
			if i%2 == 1 {
				a.Stay.Arrival = offer.DateOf(w.now) - 10
			}
			if _, err := hold.Run(tx, a); err != nil {
				return err
			}
		}
		return nil
	})
	if got := len(strings.Fields(w.left())); got != (3*forgetLook+7)/2 {
		t.Errorf("%d are left", got)
	}
}
