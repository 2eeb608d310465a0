package call

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/warmgate/warmgate/gateway"
)

// Everything at once, on real time, made for the race detector: several reads and writes of two venues on one shared
// instance and one of their own, with every kind of reply. What must hold then is what holds for every single call.
func TestCallsAtOnce(t *testing.T) {
	w := newWorld(t, InstanceConfig{MaxInFlight: 8, Budget: BudgetConfig{Share: 0.2, Floor: 2},
		Breaker: BreakerConfig{Consecutive: 1000, FailureShare: 0.6, OpenFor: 100 * ms, ProbeTimeout: 5 * ms}})
	var inFlight, most atomic.Int64
	w.serve = func(ctx context.Context, n int, a string) (int, error) {
		now := inFlight.Add(1)
		defer inFlight.Add(-1)
		for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
		}
		if d, ok := ctx.Deadline(); !ok || time.Until(d) > 20*ms {
			t.Errorf("an attempt has %v", time.Until(d))
		}
		return hold(ctx, time.Duration(rand.IntN(4))*ms, len(a),
			[]error{nil, nil, nil, nil, nil, errDown, Refuse("used", nil), NotSent(errDown)}[n%8])
	}
	write := NewWrite[string, int]("tickets.redeem", WriteSpec[string]{Key: func(a string) string { return a }})
	BindWrite(w.b, write, w.in, Effect[string, int]{
		Do: func(ctx context.Context, _, a string) (int, error) { return w.backend(ctx, a) },
		Find: func(ctx context.Context, _, a string) (int, bool, error) {
			o, err := w.backend(ctx, a)
			return o, true, err
		},
	})
	policies := []Policy{
		{Slice: 20 * ms, Min: ms},
		{Slice: 20 * ms, HedgeAfter: 2 * ms, Cache: CachePolicy{Fresh: ms, StaleWhileRevalidate: 2 * ms, StaleIfError: 5 * ms, Negative: ms}},
		{Slice: 20 * ms, Attempts: 2, AttemptTimeout: 8 * ms, Backoff: 2 * ms, Cache: CachePolicy{Fresh: 3 * ms, StaleIfError: 10 * ms}},
		{Slice: 20 * ms, Attempts: 2, AttemptTimeout: 9 * ms, HedgeAfter: 3 * ms},
	}
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(g)))
			for range 150 {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(r.IntN(30))*ms)
				if r.IntN(8) == 0 {
					time.AfterFunc(time.Duration(r.IntN(5))*ms, cancel)
				}
				p, a := policies[r.IntN(len(policies))], fmt.Sprintf("%0*d", 1+r.IntN(4), 0)
				if r.IntN(4) == 0 {
					p.HedgeAfter, p.Cache = 0, CachePolicy{}
					if out, err := write.Do(ctx, w.caller, w.b, p, a, a); err == nil && out != len(a) {
						t.Errorf("write %s: got %d", a, out)
					}
					write.Find(ctx, w.caller, w.b, p, a, a)
				} else {
					out, s, err := w.read.Call(ctx, w.caller, w.b, p, a)
					checkTruth(t, a, p, out, s, err)
				}
				w.in.Stats()
				cancel()
			}
		})
	}
	wg.Wait()
	settle(t, w)
	if most.Load() > 8 {
		t.Errorf("%d attempts at once, the bulkhead has 8 places", most.Load())
	}
}

func checkTruth(t *testing.T, a string, p Policy, out int, s gateway.Source, err error) {
	age := time.Since(s.AsOf)
	switch {
	case err != nil && OutcomeOf(err) == RefusedOutcome:
		if s.State != gateway.Live {
			t.Errorf("a refusal is %s", s.State)
		}
	case err != nil:
		if s.State != gateway.Missing || !s.AsOf.IsZero() || out != 0 {
			t.Errorf("an error is %+v %d", s, out)
		}
	case out != len(a) || s.AsOf.IsZero() || s.State == gateway.Missing:
		t.Errorf("%s: got %d %+v", a, out, s)
	case s.State == gateway.Stale && age < p.Cache.Fresh:
		t.Errorf("stale at %v, fresh for %v", age, p.Cache.Fresh)
	}
}

// settle waits until all that was begun has landed: a losing hedge or a refresh may outlive its call.
func settle(t *testing.T, w *world) {
	for deadline := time.Now().Add(5 * time.Second); ; {
		s := w.in.Stats()
		if s.InFlight == 0 && w.in.extra.Load() == 0 && w.in.calls.Load() == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("never landed: %+v, %d extra, %d calls", s, w.in.extra.Load(), w.in.calls.Load())
		}
		<-time.After(ms)
	}
}

// N callers who disagree about nothing: one backend call for all that arrive while it runs, on real goroutines.
func TestSharedUnderRace(t *testing.T) {
	w := newWorld(t, InstanceConfig{})
	release := make(chan struct{})
	w.serve = func(_ context.Context, n int, _ string) (int, error) { <-release; return n, nil }
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			if o, _, err := w.call(Policy{Slice: 10 * time.Second}); o != 1 || err != nil {
				t.Errorf("got %d %v", o, err)
			}
		})
	}
	for w.in.Stats().Coalesced < 63 {
		<-time.After(ms)
	}
	close(release)
	wg.Wait()
	if w.calls.Load() != 1 {
		t.Errorf("%d backend calls", w.calls.Load())
	}
}
