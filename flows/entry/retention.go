package entry

import (
	"context"
	"fmt"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// Keep is how long the ledger keeps what a journey has left there.
type Keep struct {
	Scans      Duration `yaml:"scans"`      // a scan that comes again later is a new one
	Admissions Duration `yaml:"admissions"` // from the moment at which nobody can come in on the ticket any more
	Known      Duration `yaml:"known"`      // pre-warmed tickets that ticketing has not listed again
}

const (
	sweepEvery = 10 * time.Minute
	sweepPage  = 500 // rows looked at in one piece, beside the writer
	sweepChunk = 100 // rows in one commit, so that no visitor waits long behind it
)

// sweeper forgets what no longer has to be kept, of every venue.
type sweeper struct{ kind string }

// run sweeps at once and every sweepEvery, until ctx ends.
func (s sweeper) run(ctx context.Context, rt *flow.Runtime) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		for _, v := range rt.Venues(s.kind) {
			n, err := sweepVenue(ctx, rt, v)
			switch {
			case ctx.Err() != nil:
				return
			case err != nil:
				rt.Logger.Warn("cannot forget what need not be kept any more; it will be tried again", "venue", v.ID, "error", err)
			case n > 0:
				rt.Logger.Debug("forgot what need not be kept any more", "venue", v.ID, "rows", n)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// sweepVenue forgets a venue's scans and admissions that are old enough, and returns how many rows that were.
func sweepVenue(ctx context.Context, rt *flow.Runtime, v *gateway.Venue) (int64, error) {
	keep, now := settingsOf(v).Keep, rt.Now()
	scans, err := sweepTable(ctx, rt, oldScans, sweep{venue: v.ID, before: now.Add(-keep.Scans).UnixMilli()})
	if err != nil {
		return scans, fmt.Errorf("cannot sweep scans: %w", err)
	}
	admissions, err := sweepTable(ctx, rt, oldAdmissions, sweep{venue: v.ID, before: now.Add(-keep.Admissions).UnixMilli()})
	if err != nil {
		return scans + admissions, fmt.Errorf("cannot sweep admissions: %w", err)
	}
	return scans + admissions, nil
}

// place is the key of a row: that of a scan, or an admission's id alone.
type place [3]string

// sweep is a part of a sweeping for the ledger.
type sweep struct {
	venue  string
	before int64 // ms
	rows   []place
}

// old is how a table is swept: page reads a piece of it behind a place in key order, with which of its rows are old;
// forget deletes rows unless they are needed again or still.
type old struct {
	page   func(q ledger.Querier, s sweep, after place) (last place, more bool, due []place, err error)
	forget *ledger.Decision[sweep, int64]
}

// sweepTable walks through a table.
func sweepTable(ctx context.Context, rt *flow.Runtime, o old, s sweep) (int64, error) {
	var after place
	return flow.Sweep(ctx, sweepChunk, func() (due []place, more bool, err error) {
		err = rt.Ledger.View(ctx, func(q ledger.Querier) (err error) {
			after, more, due, err = o.page(q, s, after)
			return err
		})
		return due, more, err
	}, func(ctx context.Context, rows []place) (int64, error) {
		s.rows = rows
		return ledger.Do(ctx, rt.Ledger, o.forget, s)
	})
}

// undecided holds for a row of table T whose run is not over, or with a person.
const undecided = `(EXISTS (SELECT 1 FROM runs r WHERE r.id = T.run AND r.state IN ('running', 'recovering'))
	OR EXISTS (SELECT 1 FROM assists a WHERE a.run = T.run AND a.state <> 'resolved'))`

var oldScans = old{
	page: func(q ledger.Querier, s sweep, after place) (place, bool, []place, error) {
		return readPage(q, after, s.before, func(row ledger.Row, p *place, at *int64) error { return row.Scan(&p[0], &p[1], &p[2], at) },
			`SELECT direction, gate, scan, at FROM scans WHERE venue = $1 AND (direction, gate, scan) > ($2, $3, $4)
				ORDER BY direction, gate, scan LIMIT $5`, s.venue, after[0], after[1], after[2], sweepPage)
	},
	forget: &ledger.Decision[sweep, int64]{Name: "entry.forget-scans", Run: func(tx *ledger.Tx, s sweep) (n int64, err error) {
		for _, p := range s.rows {
			gone, err := tx.Exec(`DELETE FROM scans AS T WHERE venue = $1 AND direction = $2 AND gate = $3 AND scan = $4 AND at < $5
				AND NOT `+undecided, s.venue, p[0], p[1], p[2], s.before)
			if err != nil {
				return n, err
			}
			n += gone
		}
		return n, nil
	}},
}

// oldAdmissions are found by their ids, which begin with the time at which they were made (UUIDv7). A ticket's visits go
// in their order: the last one says how often it has let somebody in.
var oldAdmissions = old{
	page: func(q ledger.Querier, s sweep, after place) (place, bool, []place, error) {
		return readPage(q, after, s.before, func(row ledger.Row, p *place, at *int64) error {
			var over, left int64
			err := row.Scan(&p[0], at, &over, &left)
			if *at = max(*at, over, left); over == 0 {
				*at = s.before // somebody may still come in on it
			}
			return err
		}, `SELECT id, admitted_at, over_at, left_at FROM admissions WHERE id > $1 AND id < $2 AND venue = $3 ORDER BY id LIMIT $4`,
			after[0], idBefore(s.before), s.venue, sweepPage)
	},
	forget: &ledger.Decision[sweep, int64]{Name: "entry.forget-admissions", Run: func(tx *ledger.Tx, s sweep) (n int64, err error) {
		for _, p := range s.rows {
			gone, err := tx.Exec(`DELETE FROM admissions AS T WHERE id = $1 AND admitted_at < $2 AND over_at > 0 AND over_at < $2 AND left_at < $2
				AND NOT EXISTS (SELECT 1 FROM admissions e WHERE e.supplier = T.supplier AND e.unit = T.unit AND e.entry < T.entry)
				AND NOT `+undecided, p[0], s.before)
			if err != nil {
				return n, err
			}
			n += gone
		}
		return n, nil
	}},
}

// idBefore is above every UUIDv7 (RFC 9562, 5.7) that was made before ms, and below the others.
func idBefore(ms int64) string { return fmt.Sprintf("%08x-%04x", ms>>16, ms&0xffff) }

// readPage reads rows with their times, and returns which of them are from before.
func readPage(q ledger.Querier, after place, before int64, scan func(row ledger.Row, p *place, at *int64) error,
	query string, args ...any) (last place, more bool, due []place, err error) {
	rows, err := q.Query(query, args...)
	if err != nil {
		return after, false, nil, err
	}
	defer rows.Close()
	n := 0
	for last = after; rows.Next(); n++ {
		var at int64
		if err := scan(rows, &last, &at); err != nil {
			return after, false, nil, err
		}
		if at < before {
			due = append(due, last)
		}
	}
	return last, n == sweepPage, due, rows.Err()
}

// overAt is when nobody can come in on the ticket of a visit any more, in milliseconds; 0: that cannot be said.
func (c Claim) overAt(v visit) int64 {
	switch {
	case !v.ticket.To.IsZero():
		return max(v.ticket.To.UnixMilli(), c.At.UnixMilli())
	case v.entry >= c.Entries[v.ticket.Product]:
		return c.At.UnixMilli()
	}
	return 0
}
