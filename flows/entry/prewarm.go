package entry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/seal"
)

const (
	prewarmChunk   = 100 // rows in one commit, so that no visitor waits long behind it
	prewarmLook    = time.Second
	prewarmTimeout = 5 * time.Minute // it takes its time: visitors come first
	prewarmRetry   = 15 * time.Second
	sealedCode     = "known_tickets.code"
)

// hashShown is how what was shown is known in the ledger.
func hashShown(keys *seal.Keys, venue, value string) []byte {
	if isIDNumber(value) {
		value = strings.ToUpper(value)
	}
	h := keys.Hash("entry.shown", []byte(venue), []byte(value))
	return h[:]
}

// listing brings in every ticket of a day, each with the hashes of everything that may be shown for it, and ends with the
// error of keep. After another error some are missing.
type listing func(ctx context.Context, day time.Time, keep func(Ticket) error) error

// prewarmer brings today's tickets of every attraction into the ledger, again and again, each beside the others: a
// ticket seller that hangs delays nobody else's.
type prewarmer struct {
	mu    sync.Mutex
	spots map[string][]*warmSpot // by venue; the last one counts
}

type warmSpot struct {
	venue   *gateway.Venue
	tickets listing
	next    time.Time
	busy    bool
	failed  int // times in a row
}

// add begins with a venue in place of what was there for it; stop ends exactly that, and what was there counts again:
// a configuration that is refused after all must not end the one that holds.
func (p *prewarmer) add(v *gateway.Venue, tickets listing) (stop func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.spots == nil {
		p.spots = map[string][]*warmSpot{}
	}
	spot := &warmSpot{venue: v, tickets: tickets}
	p.spots[v.ID] = append(p.spots[v.ID], spot)
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.spots[v.ID] = slices.DeleteFunc(p.spots[v.ID], func(s *warmSpot) bool { return s == spot })
		if len(p.spots[v.ID]) == 0 {
			delete(p.spots, v.ID)
		}
	}
}

// run looks every second whose turn it is, until ctx ends.
func (p *prewarmer) run(ctx context.Context, rt *flow.Runtime) error {
	tick := time.NewTicker(prewarmLook)
	defer tick.Stop()
	var busy sync.WaitGroup
	defer busy.Wait()
	for {
		for _, spot := range p.due(rt.Now()) {
			busy.Go(func() { p.once(ctx, rt, spot) })
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// once brings one venue's tickets in. A failure is tried again before its turn, later each time: what is wrong with a
// list is often wrong with the next one.
func (p *prewarmer) once(ctx context.Context, rt *flow.Runtime, spot *warmSpot) {
	within, cancel := context.WithTimeout(ctx, prewarmTimeout)
	n, err := prewarm(within, rt, spot.venue, spot.tickets)
	cancel()
	p.mu.Lock()
	spot.busy = false
	if err == nil {
		spot.failed = 0
	} else {
		spot.next = rt.Now().Add(min(prewarmRetry<<min(spot.failed, 16), settingsOf(spot.venue).Prewarm.Every))
		spot.failed++
	}
	p.mu.Unlock()
	switch {
	case err == nil:
		rt.Logger.Debug("brought today's tickets in", "venue", spot.venue.ID, "tickets", n)
	case ctx.Err() == nil:
		rt.Logger.Warn("cannot bring all of today's tickets in; the last ones stay", "venue", spot.venue.ID, "tickets", n, "error", err)
	}
}

// due returns whose turn it is at now, and sets their next.
func (p *prewarmer) due(now time.Time) (due []*warmSpot) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, all := range p.spots {
		s := all[len(all)-1]
		if !s.busy && !now.Before(s.next) {
			s.busy, s.next = true, now.Add(settingsOf(s.venue).Prewarm.Every)
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

// prewarm brings the day's tickets of v in and forgets those that ticketing no longer lists. It returns how many have
// come in, also where an error has kept the others out: those that came before them stay, and none is forgotten.
func prewarm(ctx context.Context, rt *flow.Runtime, v *gateway.Venue, tickets listing) (int, error) {
	asOf := rt.Now()
	box, err := prewarmBox(ctx, rt, v.ID)
	if err != nil {
		return 0, err
	}
	in := &incoming{ctx: ctx, ledger: rt.Ledger, box: box, known: known{venue: v.ID, asOf: asOf}}
	err = tickets(ctx, asOf.In(v.Location), in.keep)
	if in.err == nil {
		in.flush()
	}
	switch {
	case in.err != nil:
		return in.n, fmt.Errorf("cannot keep the tickets of %s: %w", v.ID, in.err)
	case err != nil:
		err = fmt.Errorf("cannot list the tickets of %s: %w", v.ID, err)
		return in.n, errors.Join(err, forgetKnown(ctx, rt, v.ID, asOf.Add(-settingsOf(v).Keep.Known)))
	}
	if _, err := ledger.Do(ctx, rt.Ledger, endPrewarm, known{venue: v.ID, asOf: asOf}); err != nil {
		return in.n, err
	}
	return in.n, forgetKnown(ctx, rt, v.ID, asOf)
}

// incoming keeps a day's tickets as they come, a chunk at a time.
type incoming struct {
	ctx    context.Context
	ledger *ledger.Ledger
	box    seal.Box
	known  known // the chunk
	n      int   // tickets so far
	err    error // why they cannot be kept
}

func (in *incoming) keep(t Ticket) error {
	in.n++
	code := in.box.Seal([]byte(t.Code), sealedCode)
	forms := t.forms
	t.forms = nil
	for _, form := range forms {
		in.known.rows = append(in.known.rows, knownRow{shown: form, ticket: t, code: code})
		if len(in.known.rows) == prewarmChunk {
			if in.flush(); in.err != nil {
				return in.err
			}
		}
	}
	return nil
}

// flush commits the chunk and rests as long as that took: half of the ledger's time is the visitors' at least.
func (in *incoming) flush() {
	if len(in.known.rows) == 0 {
		return
	}
	begin := time.Now()
	_, in.err = ledger.Do(in.ctx, in.ledger, keepKnown, in.known)
	in.known.rows = nil // not used again: a commit of unknown outcome may still hold it
	flow.Rest(in.ctx, time.Since(begin))
}

// prewarmBox returns the data key of a venue's codes, the one that is there or a new one.
func prewarmBox(ctx context.Context, rt *flow.Runtime, venue string) (seal.Box, error) {
	box, err := rt.Ledger.Keys().NewBox()
	if err != nil {
		return seal.Box{}, err
	}
	wrapped, err := ledger.Do(ctx, rt.Ledger, beginPrewarm, known{venue: venue, key: box.Wrapped()})
	if err != nil {
		return seal.Box{}, err
	}
	return rt.Ledger.Keys().OpenBox(wrapped)
}

// forgetKnown removes what a whole listing did not bring any more, found beside the writer and in small commits.
func forgetKnown(ctx context.Context, rt *flow.Runtime, venue string, asOf time.Time) error {
	for {
		var stale []knownRow
		err := rt.Ledger.View(ctx, func(q ledger.Querier) error {
			stale = nil
			rows, err := q.Query(`SELECT shown, unit FROM known_tickets WHERE venue = $1 AND as_of < $2 LIMIT $3`,
				venue, asOf.UnixMilli(), prewarmChunk)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var r knownRow
				if err := rows.Scan(&r.shown, &r.ticket.Unit); err != nil {
					return err
				}
				stale = append(stale, r)
			}
			return rows.Err()
		})
		if err != nil || len(stale) == 0 {
			return err
		}
		if _, err := ledger.Do(ctx, rt.Ledger, dropKnown, known{venue: venue, rows: stale, asOf: asOf}); err != nil {
			return err
		}
	}
}

// known is a part of a pre-warming for the ledger.
type known struct {
	venue string
	rows  []knownRow
	asOf  time.Time
	key   []byte
}

var beginPrewarm = &ledger.Decision[known, []byte]{Name: "entry.begin-prewarm", Run: func(tx *ledger.Tx, k known) (key []byte, err error) {
	if _, err := tx.Exec(`INSERT INTO prewarms (venue, as_of, data_key) VALUES ($1, 0, $2) ON CONFLICT DO NOTHING`, k.venue, k.key); err != nil {
		return nil, err
	}
	err = tx.QueryRow(`SELECT data_key FROM prewarms WHERE venue = $1`, k.venue).Scan(&key)
	return key, err
}}

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
	return tx.Exec(`UPDATE prewarms SET as_of = $1 WHERE venue = $2 AND as_of < $1`, k.asOf.UnixMilli(), k.venue)
}}

var dropKnown = &ledger.Decision[known, int64]{Name: "entry.drop-known", Run: func(tx *ledger.Tx, k known) (n int64, err error) {
	for _, r := range k.rows {
		gone, err := tx.Exec(`DELETE FROM known_tickets WHERE venue = $1 AND shown = $2 AND unit = $3 AND as_of < $4`,
			k.venue, r.shown, r.ticket.Unit, k.asOf.UnixMilli())
		if err != nil {
			return n, err
		}
		n += gone
	}
	return n, nil
}}

// recall reads what the ledger knows of a shown ticket.
func recall(ctx context.Context, l *ledger.Ledger, s Scan) (out Known, err error) {
	err = l.View(ctx, func(q ledger.Querier) (err error) {
		out, err = knownOf(q, l.Keys(), s.Spot, s.Shown.Hash)
		return err
	})
	return out, err
}

func knownOf(q ledger.Querier, keys *seal.Keys, venue string, shown []byte) (out Known, err error) {
	var asOf int64
	var wrapped []byte
	err = q.QueryRow(`SELECT as_of, data_key FROM prewarms WHERE venue = $1`, venue).Scan(&asOf, &wrapped)
	if errors.Is(err, ledger.ErrNoRows) {
		return out, nil
	}
	if err != nil {
		return out, err
	}
	out.AsOf = instant(asOf)
	rows, err := q.Query(`SELECT supplier, unit, booking, product, status, slot_from, slot_to, code, as_of FROM known_tickets
		WHERE venue = $1 AND shown = $2 ORDER BY unit`, venue, shown)
	if err != nil {
		return out, err
	}
	defer rows.Close()
	for rows.Next() {
		t, err := scanKnown(rows, keys, wrapped)
		if err != nil {
			return out, err
		}
		out.Tickets = append(out.Tickets, t)
	}
	return out, rows.Err()
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
