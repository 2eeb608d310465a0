package call

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// timed makes a call and returns its result with the time it took.
func (w *world) timed(p Policy) result {
	begun := time.Now()
	o, s, err := w.call(p)
	return result{o, s.State, err, time.Since(begun)}
}

func TestHedgeWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, InstanceConfig{})
		w.serve = func(ctx context.Context, n int, _ string) (int, error) {
			if d, _ := ctx.Deadline(); n == 2 && time.Until(d) != 400*ms {
				t.Errorf("the hedge has %v, want the rest of the attempt", time.Until(d))
			}
			return hold(ctx, []time.Duration{0, 450 * ms, 30 * ms}[n], n, nil)
		}
		if r := w.timed(Policy{Slice: 500 * ms, HedgeAfter: 100 * ms}); r.err != nil || r.out != 2 || r.took != 130*ms {
			t.Fatalf("got %+v", r)
		}
		if s := w.in.Stats(); s.InFlight != 1 || s.Hedges != 1 || s.Wasted != 0 || w.in.extra.Load() != 1 {
			t.Fatalf("while the loser is in flight: %+v", s)
		}
		time.Sleep(320 * ms)
		synctest.Wait()
		if s := w.in.Stats(); s.InFlight != 0 || s.Wasted != 1 || w.in.extra.Load() != 0 {
			t.Fatalf("after the loser has landed: %+v", s)
		}
	})
}

func TestHedgeIsNotStarted(t *testing.T) {
	for name, c := range map[string]struct {
		latency time.Duration
		err     error
		min     time.Duration
	}{
		"landed before":      {latency: 99 * ms},
		"failed before":      {latency: 99 * ms, err: errDown},
		"refused before":     {latency: 99 * ms, err: Refuse("used", nil)},
		"less than min left": {latency: 300 * ms, min: 450 * ms},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, InstanceConfig{})
				w.serve = func(ctx context.Context, n int, _ string) (int, error) { return hold(ctx, c.latency, n, c.err) }
				r := w.timed(Policy{Slice: 500 * ms, HedgeAfter: 100 * ms, Min: c.min})
				if !errors.Is(r.err, c.err) || r.took != c.latency || w.calls.Load() != 1 {
					t.Fatalf("got %+v with %d calls", r, w.calls.Load())
				}
			})
		})
	}
}

func TestHedgedOutcomes(t *testing.T) {
	type try struct {
		latency time.Duration
		err     error
	}
	refused := Refuse("used", nil)
	for name, c := range map[string]struct {
		first, second try
		want          int
		err           error
		took          time.Duration
	}{
		"first still wins":       {try{150 * ms, nil}, try{100 * ms, nil}, 1, nil, 150 * ms},
		"first fails":            {try{150 * ms, errDown}, try{100 * ms, nil}, 2, nil, 200 * ms},
		"hedge fails":            {try{350 * ms, nil}, try{100 * ms, errDown}, 1, nil, 350 * ms},
		"hedge is refused":       {try{350 * ms, nil}, try{100 * ms, refused}, 0, refused, 200 * ms},
		"both fail":              {try{150 * ms, errDown}, try{100 * ms, errors.New("other")}, 0, errDown, 200 * ms},
		"both hang":              {try{time.Hour, nil}, try{time.Hour, nil}, 0, context.DeadlineExceeded, 500 * ms},
		"first fails, one hangs": {try{150 * ms, errDown}, try{time.Hour, nil}, 0, context.DeadlineExceeded, 500 * ms},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, InstanceConfig{})
				w.serve = func(ctx context.Context, n int, _ string) (int, error) {
					step := []try{{}, c.first, c.second}[n]
					return hold(ctx, step.latency, n, step.err)
				}
				r := w.timed(Policy{Slice: 500 * ms, HedgeAfter: 100 * ms})
				if name == "first fails, one hangs" && errors.Is(r.err, errDown) {
					r.err = context.DeadlineExceeded // both land at the deadline: either may be told
				}
				if !errors.Is(r.err, c.err) || r.took != c.took || c.err == nil && r.out != c.want {
					t.Fatalf("got %+v, want %+v", r, c)
				}
				time.Sleep(time.Second)
				if w.in.inFlight.Load() != 0 || w.in.extra.Load() != 0 || w.in.calls.Load() != 0 {
					t.Fatalf("left behind: %d in flight, %d extra, %d calls", w.in.inFlight.Load(), w.in.extra.Load(), w.in.calls.Load())
				}
			})
		})
	}
}

// A hedged call leaves a bound function that ignores its deadline behind.
func TestHedgedCallEndsInTimeWhateverTheClientDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, InstanceConfig{})
		w.serve = func(context.Context, int, string) (int, error) { time.Sleep(time.Hour); return 1, nil }
		r := w.timed(Policy{Slice: 500 * ms, HedgeAfter: 100 * ms})
		if !errors.Is(r.err, context.DeadlineExceeded) || r.took != 500*ms || w.in.Stats().InFlight != 2 {
			t.Fatalf("got %+v with %d in flight", r, w.in.Stats().InFlight)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if s := w.in.Stats(); s.InFlight != 0 || s.Timeouts != 2 || s.Wasted != 0 || w.in.extra.Load() != 0 {
			t.Fatalf("after landing: %+v", s)
		}
	})
}

func TestRetry(t *testing.T) {
	for name, c := range map[string]struct {
		errs  []error
		want  error
		calls int64
	}{
		"unknown, then well":  {[]error{errDown, nil}, nil, 2},
		"not sent, then well": {[]error{NotSent(errDown), errDown, nil}, nil, 3},
		"never well":          {[]error{errDown, errDown, errDown}, errDown, 3},
		"refused":             {[]error{Refuse("used", nil)}, Refuse("used", nil), 1},
		"refused at last":     {[]error{errDown, Refuse("used", nil)}, Refuse("used", nil), 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, InstanceConfig{})
				w.serve = func(_ context.Context, n int, _ string) (int, error) { return n, c.errs[n-1] }
				r := w.timed(Policy{Slice: 500 * ms, Attempts: 3, AttemptTimeout: 100 * ms, Backoff: 20 * ms})
				if OutcomeOf(r.err) != OutcomeOf(c.want) || w.calls.Load() != c.calls {
					t.Fatalf("got %+v with %d calls", r, w.calls.Load())
				}
				pauses := time.Duration(c.calls - 1)
				if r.took < pauses*10*ms || r.took > pauses*20*ms {
					t.Fatalf("took %v for %d pauses of 10ms to 20ms", r.took, pauses)
				}
				if w.in.extra.Load() != 0 || w.in.calls.Load() != 0 || w.in.Stats().Retries != uint64(pauses) {
					t.Fatalf("%d extra, %d calls, %d retries left", w.in.extra.Load(), w.in.calls.Load(), w.in.Stats().Retries)
				}
			})
		})
	}
}

func TestEachAttemptHasItsOwnDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, InstanceConfig{})
		w.serve = func(ctx context.Context, _ int, _ string) (int, error) {
			d, ok := ctx.Deadline()
			if !ok || time.Until(d) != 100*ms {
				t.Errorf("an attempt has %v, want 100ms", time.Until(d))
			}
			if p, s := Trace(ctx); p != "00-parent" || s != "state" {
				t.Errorf("an attempt carries the trace %q %q", p, s)
			}
			return hold(ctx, time.Hour, 0, nil)
		}
		ctx := WithTrace(context.Background(), "00-parent", "state")
		begun := time.Now()
		_, _, err := w.read.Call(ctx, w.caller, w.b, Policy{Slice: 300 * ms, Attempts: 3, AttemptTimeout: 100 * ms}, "t")
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != 300*ms || w.calls.Load() != 3 {
			t.Fatalf("got %v after %v with %d calls", err, time.Since(begun), w.calls.Load())
		}
	})
}

// With less than min left after the pause the pause is not even begun, and the last error is told.
func TestRetryIsNotStartedTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, InstanceConfig{})
		r := w.plainRead(t)
		ctx, cancel := context.WithTimeout(context.Background(), 250*ms)
		defer cancel()
		w.b.ops[r.Name()].(*bound[string, int]).f = func(ctx context.Context, _ string) (int, error) { return hold(ctx, 100*ms, 0, errDown) }
		begun := time.Now()
		_, _, err := r.Call(ctx, w.caller, w.b, Policy{Slice: time.Second, Min: 150 * ms, Attempts: 3, AttemptTimeout: 200 * ms, Backoff: 10 * ms}, "t")
		if !errors.Is(err, errDown) || time.Since(begun) != 100*ms {
			t.Fatalf("got %v after %v", err, time.Since(begun))
		}
		if w.in.extra.Load() != 0 {
			t.Fatal("the budget was not given back")
		}
	})
}

func TestJitterIsSeeded(t *testing.T) {
	a, b, other := NewCaller(nil, testKeys{}, 42), NewCaller(nil, testKeys{}, 42), NewCaller(nil, testKeys{}, 43)
	low, high, differs := time.Hour, time.Duration(0), false
	for range 10000 {
		x := a.jitter(100 * ms)
		if y := b.jitter(100 * ms); x != y {
			t.Fatalf("the same seed drew %v and %v", x, y)
		}
		differs = differs || other.jitter(100*ms) != x
		low, high = min(low, x), max(high, x)
	}
	if low < 50*ms || low > 51*ms || high > 100*ms || high < 99*ms || !differs {
		t.Errorf("drawn from %v to %v, want 50ms to 100ms", low, high)
	}
	if a.jitter(0) != 0 || a.jitter(1) != 1 {
		t.Error("no pause became one")
	}
}

func TestBudgetBoundsHedgesAndRetries(t *testing.T) {
	for name, p := range map[string]Policy{
		"hedges":  {Slice: 500 * ms, HedgeAfter: 100 * ms},
		"retries": {Slice: 500 * ms, Attempts: 3, AttemptTimeout: 150 * ms, Backoff: 20 * ms},
	} {
		for calls, want := range map[int]int64{1: 2, 30: 3, 100: 10} { // floor 2, share 0.1
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, InstanceConfig{MaxInFlight: 1000, Budget: BudgetConfig{Share: 0.1, Floor: 2},
						Breaker: BreakerConfig{Consecutive: 1000, MinCalls: 10000}})
					r := w.plainRead(t)
					var mu sync.Mutex
					var most int64
					w.b.ops[r.Name()].(*bound[string, int]).f = func(ctx context.Context, _ string) (int, error) {
						mu.Lock()
						most = max(most, w.in.extra.Load())
						mu.Unlock()
						return hold(ctx, 150*ms, 0, errDown)
					}
					w.read = r
					w.crowd(p, calls, background)
					time.Sleep(time.Second)
					if most > want || calls > 1 && most != want {
						t.Errorf("%d calls: at most %d extra at once, want %d", calls, most, want)
					}
					if s := w.in.Stats(); calls > 2 && s.BudgetDenied == 0 || w.in.extra.Load() != 0 {
						t.Errorf("%d calls: %d denied, %d extra left", calls, s.BudgetDenied, w.in.extra.Load())
					}
				})
			})
		}
	}
}
