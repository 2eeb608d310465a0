package entry

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/seal"
)

const (
	prewarmChunk   = 100 // tickets in one commit, so that no visitor waits long behind it
	prewarmLook    = time.Second
	prewarmTimeout = 2 * time.Minute
	sealedCode     = "known_tickets.code"
)

// hashShown is how what was shown is known in the ledger.
func hashShown(keys *seal.Keys, venue, value string) []byte {
	h := keys.Hash("entry.shown", []byte(venue), []byte(value))
	return h[:]
}

// listing brings in every ticket of a day; keep gets each with everything that may be shown for it.
type listing func(ctx context.Context, day time.Time, keep func(t Ticket, shown ...string)) error

// prewarmer brings today's tickets of every attraction into the ledger, again and again. It may hold several of one
// attraction while a configuration replaces another: only the one whose venue is in force runs.
type prewarmer struct {
	mu    sync.Mutex
	spots map[*warmSpot]bool
}

type warmSpot struct {
	venue   *gateway.Venue
	tickets listing
	next    time.Time
}

// add begins with a venue, as soon as it is in force; stop ends exactly that.
func (p *prewarmer) add(v *gateway.Venue, tickets listing) (stop func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.spots == nil {
		p.spots = map[*warmSpot]bool{}
	}
	spot := &warmSpot{venue: v, tickets: tickets}
	p.spots[spot] = true
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.spots, spot)
	}
}

// run looks every second whose turn it is, until ctx ends.
func (p *prewarmer) run(ctx context.Context, rt *flow.Runtime) error {
	tick := time.NewTicker(prewarmLook)
	defer tick.Stop()
	for {
		for _, spot := range p.due(rt) {
			within, cancel := context.WithTimeout(ctx, prewarmTimeout)
			n, err := prewarm(within, rt, spot.venue, spot.tickets)
			cancel()
			if err != nil && ctx.Err() == nil {
				rt.Logger.Warn("cannot bring today's tickets in; the last ones stay", "venue", spot.venue.ID, "error", err)
			} else if err == nil {
				rt.Logger.Debug("brought today's tickets in", "venue", spot.venue.ID, "tickets", n)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// due returns whose turn it is, and sets their next.
func (p *prewarmer) due(rt *flow.Runtime) (due []*warmSpot) {
	now := rt.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	for s := range p.spots {
		if rt.Venue(s.venue.ID) == s.venue && !now.Before(s.next) {
			s.next = now.Add(settingsOf(s.venue).Prewarm.Every)
			due = append(due, s)
		}
	}
	return due
}

// knownRow is one ticket under one of the things that may be shown for it.
type knownRow struct {
	shown  []byte
	ticket Ticket
	code   []byte
}

// prewarm brings the day's tickets of v in and forgets those that ticketing no longer lists.
func prewarm(ctx context.Context, rt *flow.Runtime, v *gateway.Venue, tickets listing) (int, error) {
	asOf := rt.Now()
	box, err := prewarmBox(ctx, rt, v.ID)
	if err != nil {
		return 0, err
	}
	var rows []knownRow
	n := 0
	err = tickets(ctx, asOf.In(v.Location), func(t Ticket, shown ...string) {
		n++
		code := box.Seal([]byte(t.Code), sealedCode)
		for _, s := range shown {
			if s != "" {
				rows = append(rows, knownRow{shown: hashShown(rt.Ledger.Keys(), v.ID, s), ticket: t, code: code})
			}
		}
	})
	if err != nil {
		return 0, fmt.Errorf("cannot list the tickets of %s: %w", v.ID, err)
	}
	for len(rows) > 0 {
		chunk := rows[:min(prewarmChunk, len(rows))]
		rows = rows[len(chunk):]
		if _, err := ledger.Do(ctx, rt.Ledger, keepKnown, known{venue: v.ID, rows: chunk, asOf: asOf}); err != nil {
			return 0, err
		}
	}
	_, err = ledger.Do(ctx, rt.Ledger, endPrewarm, known{venue: v.ID, asOf: asOf, key: box.Wrapped()})
	return n, err
}

// prewarmBox returns the data key of a venue's codes, the one that is there or a new one.
func prewarmBox(ctx context.Context, rt *flow.Runtime, venue string) (seal.Box, error) {
	var wrapped []byte
	err := rt.Ledger.View(ctx, func(q ledger.Querier) error {
		return q.QueryRow(`SELECT data_key FROM prewarms WHERE venue = $1`, venue).Scan(&wrapped)
	})
	if errors.Is(err, ledger.ErrNoRows) {
		return rt.Ledger.Keys().NewBox()
	}
	if err != nil {
		return seal.Box{}, err
	}
	return rt.Ledger.Keys().OpenBox(wrapped)
}

type known struct {
	venue string
	rows  []knownRow
	asOf  time.Time
	key   []byte
}

var keepKnown = &ledger.Decision[known, int]{Name: "entry.keep-known", Run: func(tx *ledger.Tx, k known) (int, error) {
	for _, r := range k.rows {
		t := r.ticket
		if _, err := tx.Exec(`INSERT INTO known_tickets (venue, shown, supplier, unit, booking, product, status, slot_from, slot_to, code, as_of)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
			ON CONFLICT (venue, shown, unit) DO UPDATE SET supplier = excluded.supplier, booking = excluded.booking,
				product = excluded.product, status = excluded.status, slot_from = excluded.slot_from, slot_to = excluded.slot_to,
				code = excluded.code, as_of = excluded.as_of`,
			k.venue, r.shown, t.Supplier, t.Unit, t.Booking, t.Product, string(t.Status), millis(t.From), millis(t.To), r.code,
			k.asOf.UnixMilli()); err != nil {
			return 0, err
		}
	}
	return len(k.rows), nil
}}

var endPrewarm = &ledger.Decision[known, int64]{Name: "entry.end-prewarm", Run: func(tx *ledger.Tx, k known) (int64, error) {
	if _, err := tx.Exec(`INSERT INTO prewarms (venue, as_of, data_key) VALUES ($1, $2, $3)
		ON CONFLICT (venue) DO UPDATE SET as_of = excluded.as_of`, k.venue, k.asOf.UnixMilli(), k.key); err != nil {
		return 0, err
	}
	return tx.Exec(`DELETE FROM known_tickets WHERE venue = $1 AND as_of < $2`, k.venue, k.asOf.UnixMilli())
}}

// recall reads what the ledger knows of a shown ticket.
func recall(ctx context.Context, l *ledger.Ledger, s Scan) (out Known, err error) {
	err = l.View(ctx, func(q ledger.Querier) error {
		out = Known{}
		var asOf int64
		var wrapped []byte
		err := q.QueryRow(`SELECT as_of, data_key FROM prewarms WHERE venue = $1`, s.Spot).Scan(&asOf, &wrapped)
		if errors.Is(err, ledger.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		out.AsOf = time.UnixMilli(asOf)
		rows, err := q.Query(`SELECT supplier, unit, booking, product, status, slot_from, slot_to, code, as_of FROM known_tickets
			WHERE venue = $1 AND shown = $2 ORDER BY unit`, s.Spot, s.Shown.Hash)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			t, err := scanKnown(rows, l.Keys(), wrapped)
			if err != nil {
				return err
			}
			out.Tickets = append(out.Tickets, t)
		}
		return rows.Err()
	})
	return out, err
}

func scanKnown(row ledger.Row, keys *seal.Keys, wrapped []byte) (t Ticket, err error) {
	var status string
	var code []byte
	var from, to, asOf int64
	if err := row.Scan(&t.Supplier, &t.Unit, &t.Booking, &t.Product, &status, &from, &to, &code, &asOf); err != nil {
		return t, err
	}
	box, err := keys.OpenBox(wrapped)
	if err != nil {
		return t, err
	}
	plain, err := box.Open(code, sealedCode)
	t.Code, t.Status, t.From, t.To, t.AsOf = string(plain), Status(status), instant(from), instant(to), time.UnixMilli(asOf)
	return t, err
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
