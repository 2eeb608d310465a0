package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/ledger/sqlite"
)

const (
	benchWriters = 32
	benchPairs   = 9                      // interleaved
	benchRound   = 300 * time.Millisecond // of one measurement
)

// benchTable holds the rows of the benchmarks: about 100 bytes each.
var benchTable = ledger.Migrations{Name: "bench", FS: fstest.MapFS{"00001_bench.sql": {Data: []byte(`-- +goose Up
CREATE TABLE bench_rows (id TEXT NOT NULL PRIMARY KEY, at BIGINT NOT NULL, body BYTEA NOT NULL);
`)}}}

// row is one commit's bytes: a UUID's length of id, a time and a small body.
type row struct {
	id   string
	body []byte
}

var insertRow = ledger.Decision[row, struct{}]{Name: "bench", Run: func(tx *ledger.Tx, r row) (struct{}, error) {
	_, err := tx.Exec(`INSERT INTO bench_rows (id, at, body) VALUES ($1, $2, $3)`, r.id, tx.Now().UnixMilli(), r.body)
	return struct{}{}, err
}}

// nextRow makes rows with ids that grow like UUIDv7 do.
func nextRow(n *atomic.Int64) row {
	return row{id: fmt.Sprintf("%036x", n.Add(1)), body: make([]byte, 56)}
}

func benchLedger(b *testing.B, cfg ledger.Config) *ledger.Ledger {
	b.Helper()
	s, err := sqlite.Open(filepath.Join(b.TempDir(), "ledger.db"), sqlite.Config{})
	if err != nil {
		b.Fatal(err)
	}
	l, err := ledger.Open(b.Context(), s, cfg, nil, slog.New(slog.DiscardHandler), time.Now, benchTable)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := l.Close(); err != nil {
			b.Error(err)
		}
	})
	return l
}

// rawLog appends bytes to a file in groups, each group flushed once, nobody answered before: what a ledger costs beyond
// that is its own.
type rawLog struct {
	f       *os.File
	mu      sync.Mutex
	waiting []rawItem
	wake    chan struct{}
	done    sync.WaitGroup
}

type rawItem struct {
	row  row
	done chan error
}

func benchRaw(b *testing.B) *rawLog {
	b.Helper()
	f, err := os.Create(filepath.Join(b.TempDir(), "raw.log"))
	if err != nil {
		b.Fatal(err)
	}
	r := &rawLog{f: f, wake: make(chan struct{}, 1)}
	r.done.Go(r.loop)
	b.Cleanup(func() { close(r.wake); r.done.Wait(); _ = f.Close() })
	return r
}

func (r *rawLog) loop() {
	var buf []byte
	for range r.wake {
		r.mu.Lock()
		group := r.waiting
		r.waiting = nil
		r.mu.Unlock()
		buf = buf[:0]
		for _, it := range group {
			buf = append(append(append(buf, it.row.id...), "--------"...), it.row.body...)
		}
		_, err := r.f.Write(buf)
		if err = errors.Join(err, r.f.Sync()); err != nil {
			err = fmt.Errorf("raw: %w", err)
		}
		for _, it := range group {
			it.done <- err
		}
	}
}

func (r *rawLog) commit(x row, done chan error) error {
	r.mu.Lock()
	r.waiting = append(r.waiting, rawItem{x, done})
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
	return <-done
}

// rate runs 32 writers for one round and returns commits per second.
func rate(b *testing.B, commit func(writer int) error) float64 {
	b.Helper()
	var n atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for i := range benchWriters {
		wg.Go(func() {
			for time.Since(start) < benchRound {
				if err := commit(i); err != nil {
					b.Error(err)
					return
				}
				n.Add(1)
			}
		})
	}
	wg.Wait()
	return float64(n.Load()) / time.Since(start).Seconds()
}

// BenchmarkWriters compares, in interleaved pairs, one-row commits of 32 writers with a raw append-and-flush of the same
// bytes grouped the same way, and with the same commits ungrouped. Run it with -benchtime=1x.
func BenchmarkWriters(b *testing.B) {
	var ids atomic.Int64
	raw := benchRaw(b)
	grouped := benchLedger(b, ledger.Config{})
	ungrouped := benchLedger(b, ledger.Config{Batch: 1})
	var dones [benchWriters]chan error
	for i := range dones {
		dones[i] = make(chan error, 1)
	}
	rawRate := func() float64 {
		return rate(b, func(i int) error { return raw.commit(nextRow(&ids), dones[i]) })
	}
	var times [benchWriters][]float64 // of grouped commits, in ms
	ledgerRate := func(l *ledger.Ledger) float64 {
		return rate(b, func(i int) error {
			start := time.Now()
			_, err := ledger.Do(context.Background(), l, &insertRow, nextRow(&ids))
			if l == grouped {
				times[i] = append(times[i], time.Since(start).Seconds()*1e3)
			}
			return err
		})
	}
	rawRate()
	ledgerRate(grouped)
	var rates, toRaw, toUngrouped, control []float64
	for b.Loop() {
		for range benchPairs {
			r, g, u, r2 := rawRate(), ledgerRate(grouped), ledgerRate(ungrouped), rawRate()
			rates = append(rates, g)
			toRaw = append(toRaw, g/((r+r2)/2))
			toUngrouped = append(toUngrouped, g/u)
			control = append(control, r/r2)
		}
	}
	s := grouped.Stats()
	b.ReportMetric(median(rates), "commits/s")
	b.ReportMetric(median(toRaw), "×raw")
	b.ReportMetric(median(toUngrouped), "×ungrouped")
	b.ReportMetric(median(control), "A/A")
	all := slices.Concat(times[:]...)
	slices.Sort(all)
	b.ReportMetric(all[len(all)/2], "p50-ms")
	b.ReportMetric(all[len(all)*99/100], "p99-ms")
	b.ReportMetric(float64(s.Items)/float64(s.Batches), "items/flush")
	b.ReportMetric(s.Flushes.Sum/float64(s.Batches)*1e6, "µs/flush")
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// BenchmarkItem is the cost of one item inside large groups: its time and allocations, flush included.
func BenchmarkItem(b *testing.B) {
	var ids atomic.Int64
	l := benchLedger(b, ledger.Config{})
	b.ReportAllocs()
	b.SetParallelism(128)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := ledger.Do(context.Background(), l, &insertRow, nextRow(&ids)); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkView is a snapshot with one read by key, beside nothing else.
func BenchmarkView(b *testing.B) {
	var ids atomic.Int64
	l := benchLedger(b, ledger.Config{})
	r := nextRow(&ids)
	if _, err := ledger.Do(b.Context(), l, &insertRow, r); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	ctx, cancel := context.WithTimeout(b.Context(), time.Hour)
	defer cancel()
	for b.Loop() {
		err := l.View(ctx, func(q ledger.Querier) error {
			var at int64
			return q.QueryRow(`SELECT at FROM bench_rows WHERE id = $1`, r.id).Scan(&at)
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
