package main

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/warmgate/warmgate/flows"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/ledger/sqlite"
	"github.com/warmgate/warmgate/gateway/seal"
)

const (
	startTimes = 9               // starts for a median; three at a small scale
	idleAfter  = 3 * time.Second // of doing nothing, memory is read
)

// provesStart starts the real program on an empty data folder and on one with many rows, kills it under load and starts it
// again. Ready is what /readyz says, from before the process is made.
func provesStart(r *run) error {
	program, err := r.program()
	if err != nil {
		return err
	}
	w, err := newWorld(r.dir, r.seed, nil)
	if err != nil {
		return err
	}
	defer w.close()
	serve, err := newChild(w, program)
	if err != nil {
		return err
	}
	first, err := serve.start()
	if err != nil {
		return err
	}
	if err := wait(r.ctx, idleAfter); err != nil {
		return err
	}
	empty := serve.memory()
	if err := serve.stop(); err != nil {
		return err
	}
	r.report.atMost("ready, first start on an empty folder", "ms", millis(first), 1000, 3)
	r.report.atMost("idle memory (RSS), empty ledger", "MiB", empty, 60, 1)
	if err := fill(r.ctx, w, r.n); err != nil {
		return err
	}
	if serve, err = newChild(w, program); err != nil {
		return err
	}
	full, err := startAgain(r, w, serve)
	if err != nil {
		_ = serve.stop()
		return err
	}
	r.report.note("rows in each of admissions, operations and runs", "%d", r.n)
	r.report.atMost(fmt.Sprintf("ready after kill -9 under load, median of %d", len(full)), "ms", median(full), 1000, 3)
	r.report.atMost("the slowest of them", "ms", slices.Max(full), 1000, 3)
	if err := wait(r.ctx, idleAfter); err != nil {
		return err
	}
	r.report.atMost("idle memory (RSS) after the last of them", "MiB", serve.memory(), 60, 1)
	return serve.stop()
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// wait lets time pass.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// startAgain kills the program in the midst of entries and starts it again, several times.
func startAgain(r *run, w *world, serve *child) (took []float64, err error) {
	token, err := w.mint("gate", "scenic:gate")
	if err != nil {
		return nil, err
	}
	if _, err := serve.start(); err != nil {
		return nil, err
	}
	const entries = 200
	for range max(3, min(startTimes, r.n/5000)) {
		tickets, err := w.issue(entries, 1)
		if err != nil {
			return nil, err
		}
		api := newClient(serve.api.Addr().String(), 16)
		loaded := make(chan struct{})
		go func() {
			defer close(loaded)
			closedLoop(r.ctx, 8, 500*time.Millisecond, func(i int) {
				_, _ = api.do(entry(token, "north-1", uuid.NewString(), shown(tickets[i%entries])), time.Second)
			})
		}()
		if err := wait(r.ctx, 250*time.Millisecond); err != nil {
			return nil, err
		}
		if err := serve.kill(); err != nil {
			return nil, err
		}
		<-loaded
		d, err := serve.start()
		if err != nil {
			return nil, err
		}
		took = append(took, millis(d))
	}
	return took, nil
}

// fill writes rows of journeys that have ended into the ledger of a world that nobody works on.
func fill(ctx context.Context, w *world, rows int) error {
	keys, err := seal.OpenFile(filepath.Join(w.path("data"), "seal.keys"))
	if err != nil {
		return err
	}
	store, err := sqlite.Open(filepath.Join(w.path("data"), "ledger.db"), sqlite.Config{})
	if err != nil {
		return err
	}
	journeys, err := flows.All()
	if err != nil {
		return err
	}
	var sets []ledger.Migrations
	for _, f := range journeys {
		sets = append(sets, f.Migrations...)
	}
	l, err := ledger.Open(ctx, store, ledger.Config{}, keys, slog.New(slog.DiscardHandler), time.Now, sets...)
	if err != nil {
		return err
	}
	const batch = 1000
	for done := 0; done < rows && err == nil; done += batch {
		err = l.Commit(ctx, filler{keys: keys, rows: min(batch, rows-done)})
	}
	if closed := l.Close(); err == nil {
		err = closed
	}
	return err
}

// filler writes journeys as an entry leaves them.
type filler struct {
	keys *seal.Keys
	rows int
}

// Apply writes the rows.
func (f filler) Apply(tx *ledger.Tx) error {
	box, err := f.keys.NewBox()
	if err != nil {
		return err
	}
	for range f.rows {
		id, unit := uuid.Must(uuid.NewV7()).String(), uuid.NewString()
		scope := f.keys.Hash("scope", []byte(id))
		shown := f.keys.Hash("shown", []byte(unit))
		if err := tx.BeginRun(ledger.Run{ID: id, Plan: "scenic-entry", Tenant: "hangzhou", Venue: spot, Principal: "gate@issuer", Lang: "zh-CN",
			State: ledger.RunRunning, Key: box.Wrapped(), IdemScope: scope[:], StartedAt: tx.Now(), LeaseUntil: tx.Now()}); err != nil {
			return err
		}
		if _, _, err := tx.BeginOperation(ledger.Operation{Key: "redeem/" + spot + "/" + unit, Run: id, Plan: "scenic-entry", Step: "redeem",
			Name: "ticketing.redeem", Venue: spot, Ord: 7, Kind: ledger.OpWrite, State: ledger.OpDone, Pivot: true,
			Args: box.Seal(make([]byte, 160), "args"), Result: box.Seal(make([]byte, 40), "result"), BegunAt: tx.Now(), SettledAt: tx.Now()}); err != nil {
			return err
		}
		if _, err := tx.Exec(`INSERT INTO admissions (id, venue, supplier, unit, entry, gate, run, shown, how, state, day, admitted_at, left_at)
			VALUES ($1, $2, $3, $4, 1, 'north-1', $5, $6, 'ticketing', 'in', $7, $8, 0)`,
			id+"-1", spot, spot, unit, id, shown[:], tx.Now().Format(time.DateOnly), tx.Now().UnixMilli()); err != nil {
			return err
		}
		if err := tx.EndRun(id, ledger.RunDone, true, 201, box.Seal(make([]byte, 500), "answer")); err != nil {
			return err
		}
	}
	return nil
}
