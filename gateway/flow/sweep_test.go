package flow

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestSweepGoesThroughInPieces: every row that is due goes, a few at a time, and after each piece there is a rest as long as it.
func TestSweepGoesThroughInPieces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pieces := [][]int{{1, 2, 3, 4, 5}, {}, {6, 7}}
		var forgotten [][]int
		began := time.Now()
		n, err := Sweep(t.Context(), 2, func() (due []int, more bool, err error) {
			time.Sleep(time.Second)
			due, pieces = pieces[0], pieces[1:]
			return due, len(pieces) > 0, nil
		}, func(_ context.Context, some []int) (int64, error) {
			forgotten = append(forgotten, slices.Clone(some))
			return int64(len(some)), nil
		})
		if err != nil || n != 7 || !slices.EqualFunc(forgotten, [][]int{{1, 2}, {3, 4}, {5}, {6, 7}}, slices.Equal) {
			t.Errorf("%d rows, %v: %v", n, forgotten, err)
		}
		if took := time.Since(began); took != 5*time.Second { // three looks, and a rest after all but the last
			t.Errorf("took %s", took)
		}
	})
}

// TestSweepEnds with the first error, and with its context in the middle of a rest; what has gone by then counts.
func TestSweepEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wrong := errors.New("no")
		one := func(context.Context, []int) (int64, error) { return 1, nil }
		look := func() ([]int, bool, error) { time.Sleep(time.Minute); return []int{1}, true, nil }
		if n, err := Sweep(t.Context(), 2, func() ([]int, bool, error) { return nil, true, wrong }, one); n != 0 || !errors.Is(err, wrong) {
			t.Errorf("a look: %d, %v", n, err)
		}
		if n, err := Sweep(t.Context(), 2, look, func(context.Context, []int) (int64, error) { return 1, wrong }); n != 1 || !errors.Is(err, wrong) {
			t.Errorf("a commit: %d, %v", n, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
		defer cancel()
		if n, err := Sweep(ctx, 2, look, one); n != 1 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("its context: %d, %v", n, err)
		}
	})
}
