package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/warmgate/warmgate/gateway/ledger"
)

const (
	ledgerTailRate = 500 // commits a second
	ledgerTailEach = 500 // commits in a turn
)

// provesLedgerTail compares how long one-row commits take that come at fixed times with the raw append of the same bytes: raw,
// ledger, raw, ledger, each in turn.
func provesLedgerTail(r *run) (err error) {
	raw, err := newRawFile(filepath.Join(r.dir, "raw"))
	if err != nil {
		return err
	}
	defer raw.close()
	l, err := openLedger(r.ctx, filepath.Join(r.dir, "ledger.db"), nil, ledger.Config{}, rowTable())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	var rows atomic.Int64
	write := func() error { return raw.append(nextRow(&raw.rows)) }
	commit := func() error { return l.Commit(context.Background(), insertRow(nextRow(&rows))) }
	var of [4][]*hdrhistogram.Histogram
	for round := -1; round < r.n; round++ { // the first one warms up
		for turn, one := range []func() error{write, commit, write, commit} {
			h, err := commitsAtRate(r.ctx, one)
			if err != nil {
				return err
			}
			if round >= 0 {
				of[turn] = append(of[turn], h)
			}
		}
		fmt.Fprintf(r.progress, "ledger-tail: round %d of %d\n", round+1, r.n)
	}
	sayLedgerTail(r.report, of)
	return nil
}

// commitsAtRate lets commits begin at fixed times and returns how long they took, in microseconds from then.
func commitsAtRate(ctx context.Context, commit func() error) (*hdrhistogram.Histogram, error) {
	took := make([]time.Duration, ledgerTailEach)
	var failed atomic.Pointer[error]
	err := openLoop(ctx, ledgerTailEach, ledgerTailRate, func(i int, intended time.Time) {
		if err := commit(); err != nil {
			failed.Store(&err)
		}
		took[i] = time.Since(intended)
	})
	if f := failed.Load(); f != nil {
		err = errors.Join(err, *f)
	}
	h := hdrhistogram.New(1, 10_000_000, 3)
	for _, d := range took {
		err = errors.Join(err, h.RecordValue(max(1, d.Microseconds())))
	}
	return h, err
}

func sayLedgerTail(to *report, of [4][]*hdrhistogram.Histogram) {
	p99 := func(turn, i int) float64 { return at(of[turn][i], 99) }
	var control, ratios, p50 []float64
	for i := range of[0] {
		control = append(control, p99(2, i)/p99(0, i))
		ratios = append(ratios, (p99(1, i)+p99(3, i))/(p99(0, i)+p99(2, i)))
		p50 = append(p50, (at(of[1][i], 50)+at(of[3][i], 50))/(at(of[0][i], 50)+at(of[2][i], 50)))
	}
	t := table{title: "A commit of one row, open loop", columns: []string{"", "p50 / p99 / p99.9, ms", overFloor},
		note:  fmt.Sprintf("Load: %d commits a second, open loop, %d rounds in turn. The ratio is of the p99, medians with the quartiles.", ledgerTailRate, len(of[0])),
		lines: lines{unit: "ms", x: "percentile"}}
	for k, one := range []struct {
		name  string
		turns [][]*hdrhistogram.Histogram
	}{{"raw grouped append", [][]*hdrhistogram.Histogram{of[0], of[2]}}, {"ledger", [][]*hdrhistogram.Histogram{of[1], of[3]}}} {
		name, all := one.name, hdrhistogram.New(1, 10_000_000, 3)
		for _, h := range slices.Concat(one.turns...) {
			all.Merge(h)
		}
		ratio := spread{1, 1, 1}
		if k == 1 {
			ratio = spreadOf(ratios)
		}
		t.rows = append(t.rows, []string{name, quantiles(all), ratio.text(2)})
		t.lines.all = append(t.lines.all, quantileLine(name, all))
	}
	t.rows = append(t.rows, []string{"A/A control: raw grouped append", "", spreadOf(control).text(2)})
	to.tables = append(to.tables, t)
	to.note("A/A: p99, raw over raw, median", "%.2f×", median(control))
	to.note("p50 of one-row commits at 500/s ÷ raw grouped append's, median", "%.2f×", median(p50))
	to.atMost("p99 of one-row commits at 500/s ÷ raw grouped append's, median", "×", median(ratios), 3, 2)
	to.aim("×", 1.5)
}
