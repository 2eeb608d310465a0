package call

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmgate/warmgate/gateway"
)

// cache → coalesce → hedge | retry → for each attempt: deadline, bulkhead, breaker, transport, decode → cache.
// Each station is shown to come before the next one: with the next one shut, the earlier one still decides.
func TestOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, InstanceConfig{MaxInFlight: 1, Breaker: BreakerConfig{Consecutive: 2}})
		p := Policy{Slice: time.Second, Min: 10 * ms, Attempts: 2, AttemptTimeout: 400 * ms, Backoff: 100 * ms,
			Cache: CachePolicy{Fresh: 10 * time.Second}}
		other := func(ctx context.Context, p Policy) error {
			_, _, err := w.read.Call(ctx, w.caller, w.b, p, "ticket-2")
			return err
		}
		once := Policy{Slice: time.Second}
		late, cancel := context.WithTimeout(context.Background(), 5*ms)
		defer cancel()
		w.serve = func(ctx context.Context, n int, _ string) (int, error) { return hold(ctx, 200*ms, n, nil) }

		// The bulkhead is full with ticket-1: an equal read is coalesced before it, another one stands before it.
		go w.call(p)
		synctest.Wait()
		equal := make(chan error)
		go func() { _, _, err := w.call(p); equal <- err }()
		if err := other(context.Background(), once); !errors.Is(err, ErrBulkheadFull) {
			t.Fatalf("bulkhead: %v", err)
		}
		// Retry is outside the attempt: the second attempt finds the place free again.
		time.Sleep(120 * ms)
		if err := other(context.Background(), Policy{Slice: time.Second, Attempts: 2, AttemptTimeout: 400 * ms, Backoff: 200 * ms}); err != nil {
			t.Fatalf("retry: %v", err)
		}
		if err := <-equal; err != nil || w.in.Stats().Coalesced != 1 {
			t.Fatalf("coalesce: %v", err)
		}
		// The deadline comes before the bulkhead, the bulkhead before the breaker.
		w.serve = failing
		w.read.Call(context.Background(), w.caller, w.b, once, "ticket-3")
		w.read.Call(context.Background(), w.caller, w.b, once, "ticket-3")
		w.state(t, "open")
		w.in.inFlight.Add(1)
		if err := other(late, Policy{Slice: time.Second, Min: 10 * ms}); !errors.Is(err, ErrTooLate) {
			t.Fatalf("deadline: %v", err)
		}
		if err := other(context.Background(), once); !errors.Is(err, ErrBulkheadFull) {
			t.Fatalf("bulkhead before breaker: %v", err)
		}
		w.in.inFlight.Add(-1)
		if err := other(context.Background(), once); !errors.Is(err, ErrBreakerOpen) {
			t.Fatalf("breaker before transport: %v", err)
		}
		// The cache comes before all of it, and for those who are late too; it was filled last.
		calls := w.calls.Load()
		if o, s, err := w.read.Call(late, w.caller, w.b, p, "ticket-1"); o != 1 || s.State != gateway.Cached || err != nil {
			t.Fatalf("cache: %d %+v %v", o, s, err)
		}
		if w.calls.Load() != calls {
			t.Fatal("the backend was asked")
		}
	})
}

// The hedge is outside the attempt: it takes a place in the bulkhead of its own.
func TestHedgeTakesItsOwnPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, InstanceConfig{MaxInFlight: 1})
		w.serve = func(ctx context.Context, n int, _ string) (int, error) { return hold(ctx, 200*ms, n, nil) }
		if r := w.timed(Policy{Slice: time.Second, HedgeAfter: 50 * ms}); r.err != nil || r.took != 200*ms {
			t.Fatalf("got %+v", r)
		}
		if s := w.in.Stats(); s.BulkheadFull != 1 || w.calls.Load() != 1 {
			t.Fatalf("%d backend calls, %+v", w.calls.Load(), s)
		}
	})
}
