package parking

import (
	"context"
	"fmt"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// Keep is how long the ledger keeps what is personal of a lot. Then plates, and whatever was sealed for the journeys of a
// visit, are destroyed; the visit, its bill and the books stay, and nobody can say any more whose they were.
type Keep struct {
	// Visits is from when the car has left, once nothing is owed and nobody decides about it; and, for what says whose a
	// plate is, from its end.
	Visits Duration `yaml:"visits"`
	Passes Duration `yaml:"passes"` // from when a pass, or what was said of it before, holds no longer: it is deleted
	// Notices is from when a collector has told something and it was done: it is deleted. One that comes again later is
	// taken for a new one, and changes nothing.
	Notices Duration `yaml:"notices"`
}

const maxKeep = 3660 * 24 * time.Hour

// check refuses what would forget a visit while events of it may still come.
func (k Keep) check(s *Settings, refuse func(bad bool, path, format string, args ...any)) {
	least := s.Oldest + s.ParkedFor
	refuse(k.Visits < least || k.Visits > maxKeep, "keep.visits", "must be oldest and parked_for together, %s, to %s, is %s", least, maxKeep, k.Visits)
	refuse(k.Passes < least || k.Passes > maxKeep, "keep.passes", "must be oldest and parked_for together, %s, to %s, is %s", least, maxKeep, k.Passes)
	refuse(k.Notices < 24*time.Hour || k.Notices > maxKeep, "keep.notices", "must be 24h to %s, is %s", maxKeep, k.Notices)
}

const (
	forgetEvery  = 10 * time.Minute
	forgetLook   = 200 // visits looked at in one piece, beside the writer
	forgetAtOnce = 20  // in one commit, so that no car waits long behind it
)

// forgetter forgets what no longer has to be kept, of every lot.
type forgetter struct{ rt *flow.Runtime }

// run forgets at once and every forgetEvery, until ctx ends.
func (f forgetter) run(ctx context.Context) {
	tick := time.NewTicker(forgetEvery)
	defer tick.Stop()
	for {
		longest := map[string]time.Duration{} // of a tenant's lots
		for _, v := range f.rt.Venues(Kind) {
			longest[v.Tenant] = max(longest[v.Tenant], settingsOf(v).Keep.Visits)
			f.note(ctx, v.ID, func() (int64, error) { return f.lot(ctx, v) })
		}
		for tenant, keep := range longest {
			f.note(ctx, tenant, func() (int64, error) {
				return f.sweep(ctx, forgetVehicles, forgetting{tenant: tenant, before: f.rt.Now().Add(-keep)})
			})
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (f forgetter) note(ctx context.Context, of string, do func() (int64, error)) {
	switch n, err := do(); {
	case ctx.Err() != nil:
	case err != nil:
		f.rt.Logger.Warn("cannot forget what need not be kept any more; it will be tried again", "of", of, "error", err)
	case n > 0:
		f.rt.Logger.Debug("forgot what need not be kept any more", "of", of, "rows", n)
	}
}

// lot forgets what is old enough of a lot, and returns how many rows that were.
func (f forgetter) lot(ctx context.Context, v *gateway.Venue) (n int64, err error) {
	keep, now := settingsOf(v).Keep, f.rt.Now()
	n, err = f.visits(ctx, forgetting{tenant: v.Tenant, venue: v.ID, before: now.Add(-keep.Visits)})
	for _, part := range []struct {
		what *ledger.Decision[forgetting, int64]
		keep time.Duration
	}{{forgetReadings, keep.Visits}, {forgetReturned, keep.Visits}, {forgetCancelled, keep.Visits}, {forgetPasses, keep.Passes}, {forgetNotices, keep.Notices}} {
		if err != nil {
			return n, err
		}
		var gone int64
		gone, err = f.sweep(ctx, part.what, forgetting{tenant: v.Tenant, venue: v.ID, before: now.Add(-part.keep)})
		n += gone
	}
	return n, err
}

// forgetting is a part of it for the ledger.
type forgetting struct {
	tenant, venue string
	before        time.Time
	visits        []string
}

// sweep forgets a few rows at a time until there are no more, and rests after each commit for as long as that took: cars come
// first.
func (f forgetter) sweep(ctx context.Context, what *ledger.Decision[forgetting, int64], o forgetting) (n int64, err error) {
	for more := true; more; {
		began := time.Now()
		gone, err := ledger.Do(ledger.Patient(ctx), f.rt.Ledger, what, o)
		n += gone
		if err != nil {
			return n, fmt.Errorf("%s: %w", what.Name, err)
		}
		if more = gone >= forgetAtOnce; more && !flow.Rest(ctx, time.Since(began)) {
			return n, ctx.Err()
		}
	}
	return n, nil
}

// visits walks through the visits that are old enough in the order in which they began. Those that have to stay are passed over.
func (f forgetter) visits(ctx context.Context, o forgetting) (int64, error) {
	type row struct {
		id string
		at int64
	}
	var from row
	return flow.Sweep(ctx, forgetAtOnce, func() (due []string, more bool, err error) {
		var all []row
		err = f.rt.Ledger.View(ctx, func(q ledger.Querier) (err error) {
			all, err = listOf(q, func(r ledger.Row) (v row, err error) { return v, r.Scan(&v.id, &v.at) },
				`SELECT id, entered_at FROM parking_stays WHERE forgotten_at = 0 AND state <> 'open' AND venue = $1
				AND (entered_at > $2 OR entered_at = $2 AND id > $3) AND entered_at < $4 ORDER BY entered_at, id LIMIT $5`,
				o.venue, from.at, from.id, o.before.UnixMilli(), forgetLook)
			return err
		})
		for _, v := range all {
			due, from = append(due, v.id), v
		}
		return due, len(all) == forgetLook, err
	}, func(ctx context.Context, ids []string) (int64, error) {
		o.visits = ids
		return ledger.Do(ctx, f.rt.Ledger, forgetVisits, o)
	})
}
