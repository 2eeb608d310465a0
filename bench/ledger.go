package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing/fstest"
	"time"

	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/ledger/sqlite"
	"github.com/warmgate/warmgate/gateway/seal"
)

const (
	writers   = 32
	pairRound = 150 * time.Millisecond // of one measurement
	rowBody   = 64                     // bytes, beside an id of 36 and a time of 8
)

// provesLedger compares one-row commits with an append to a plain file: the same bytes, from as many writers, grouped by
// the same rule (whatever waits shares a flush), nobody told before it. In turn raw, ledger, raw, ledger: both raws come after a ledger, so that one over the other is the control.
func provesLedger(r *run) error {
	raw, err := newRawFile(filepath.Join(r.dir, "raw"))
	if err != nil {
		return err
	}
	defer raw.close()
	l, err := openLedger(r.ctx, filepath.Join(r.dir, "ledger.db"), nil, ledger.Config{}, rowTable())
	if err != nil {
		return err
	}
	rawRate := func() (float64, error) { return rateOf(func() error { return raw.append(nextRow(&raw.rows)) }) }
	var rows atomic.Int64
	ledgerRate := func() (float64, error) {
		return rateOf(func() error { return l.Commit(context.Background(), insertRow(nextRow(&rows))) })
	}
	err = func() error {
		for _, warm := range []func() (float64, error){rawRate, ledgerRate} {
			if _, err := warm(); err != nil {
				return err
			}
		}
		t, err := takePairs(r.ctx, r.n, rawRate, ledgerRate, rawRate, ledgerRate)
		if err != nil {
			return err
		}
		var ratios, control []float64
		for i := range t[0] {
			ratios = append(ratios, (t[1][i]+t[3][i])/(t[0][i]+t[2][i]))
			control = append(control, t[0][i]/t[2][i])
		}
		s := l.Stats()
		r.report.note("raw append-and-flush, median", "%.0f rows/s in groups of %.1f", median(append(t[0], t[2]...)), raw.perFlush())
		r.report.note("ledger, median", "%.0f commits/s in groups of %.1f", median(append(t[1], t[3]...)), float64(s.Items)/float64(max(1, s.Batches)))
		r.report.control("A/A control: raw over raw, median", median(control))
		r.report.atLeast("one-row commits over raw, median", "×", median(ratios), 0.30, 1.5)
		r.report.aim("×", 0.45)
		return nil
	}()
	return errors.Join(err, l.Close())
}

// takePairs measures each rate in turn, n times.
func takePairs(ctx context.Context, n int, rates ...func() (float64, error)) ([][]float64, error) {
	all := make([][]float64, len(rates))
	for range n {
		for i, rate := range rates {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			v, err := rate()
			if err != nil {
				return nil, err
			}
			all[i] = append(all[i], v)
		}
	}
	return all, nil
}

// rateOf lets the writers commit for one round and returns commits a second.
func rateOf(commit func() error) (float64, error) {
	var n atomic.Int64
	var failed atomic.Pointer[error]
	var all sync.WaitGroup
	began := time.Now()
	for range writers {
		all.Go(func() {
			for time.Since(began) < pairRound {
				if err := commit(); err != nil {
					failed.Store(&err)
					return
				}
				n.Add(1)
			}
		})
	}
	all.Wait()
	took := time.Since(began)
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return float64(n.Load()) / took.Seconds(), nil
}

func openLedger(ctx context.Context, path string, keys *seal.Keys, cfg ledger.Config, sets ...ledger.Migrations) (*ledger.Ledger, error) {
	store, err := sqlite.Open(path, sqlite.Config{})
	if err != nil {
		return nil, err
	}
	return ledger.Open(ctx, store, cfg, keys, slog.New(slog.DiscardHandler), time.Now, sets...)
}

func rowTable() ledger.Migrations {
	return ledger.Migrations{Name: "bench", FS: fstest.MapFS{"00001_rows.sql": {Data: []byte("-- +goose Up\n" +
		"CREATE TABLE bench_rows (id TEXT NOT NULL PRIMARY KEY, at BIGINT NOT NULL, body BYTEA NOT NULL);\n")}}}
}

// row is what one commit keeps. Ids grow, as a UUIDv7 does.
type row struct {
	id   string
	body []byte
}

func nextRow(n *atomic.Int64) row { return row{fmt.Sprintf("%036d", n.Add(1)), make([]byte, rowBody)} }

type insertRow row

// Apply inserts the row.
func (r insertRow) Apply(tx *ledger.Tx) error {
	_, err := tx.Exec(`INSERT INTO bench_rows (id, at, body) VALUES ($1, $2, $3)`, r.id, tx.Now().UnixMilli(), r.body)
	return err
}

// rawFile appends rows in groups, one flush each.
type rawFile struct {
	file    *os.File
	rows    atomic.Int64
	waiting chan rawRow
	ended   chan struct{}
	flushes atomic.Int64
}

type rawRow struct {
	row  row
	done chan error
}

func newRawFile(path string) (*rawFile, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	r := &rawFile{file: f, waiting: make(chan rawRow, writers), ended: make(chan struct{})}
	go r.write()
	return r, nil
}

func (r *rawFile) close() {
	close(r.waiting)
	<-r.ended
	_ = r.file.Close()
}

func (r *rawFile) perFlush() float64 {
	return float64(r.rows.Load()) / float64(max(1, r.flushes.Load()))
}

// append returns when the row is on the disk.
func (r *rawFile) append(x row) error {
	done := make(chan error, 1)
	r.waiting <- rawRow{x, done}
	return <-done
}

// write drains what waits into one write and one flush.
func (r *rawFile) write() {
	defer close(r.ended)
	var text []byte
	for first := range r.waiting {
		group := []rawRow{first}
		for more := true; more; {
			select {
			case x, open := <-r.waiting:
				if more = open; open {
					group = append(group, x)
				}
			default:
				more = false
			}
		}
		text = text[:0]
		for _, x := range group {
			text = append(append(append(text, x.row.id...), "12345678"...), x.row.body...)
		}
		_, err := r.file.Write(text)
		if err == nil {
			err = r.file.Sync()
		}
		r.flushes.Add(1)
		for _, x := range group {
			x.done <- err
		}
	}
}
