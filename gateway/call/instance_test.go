package call

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmgate/warmgate/gateway"
)

// state is the breaker's.
func (w *world) state(t *testing.T, want string) {
	t.Helper()
	if s := w.in.Stats(); s.Breaker != want {
		t.Fatalf("the breaker is %s, want %s: %+v", s.Breaker, want, s)
	}
}

var second = Policy{Slice: time.Second}

func failing(context.Context, int, string) (int, error) { return 0, errDown }

func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, InstanceConfig{})
		w.serve = failing
		for range 4 {
			w.call(second)
		}
		w.state(t, "closed")
		w.call(second)
		w.state(t, "open")
		_, s, err := w.call(second)
		want := "cannot call tickets.lookup at octo/west-lake: not sent: breaker is open: circuit breaker is open"
		if !errors.Is(err, ErrBreakerOpen) || OutcomeOf(err) != NotSentOutcome || err.Error() != want || s.State != gateway.Missing {
			t.Fatalf("got %+v %v", s, err)
		}
		if s := w.in.Stats(); w.calls.Load() != 5 || s.BreakerOpen != 1 || s.InFlight != 0 || s.Opened != 1 {
			t.Fatalf("%d backend calls, %+v", w.calls.Load(), s)
		}
		time.Sleep(2*time.Second + 1)
		w.call(second) // a failing probe opens it again
		w.state(t, "open")
		time.Sleep(2*time.Second + 1)
		w.serve = instant
		w.expect(t, second, 7, gateway.Live, 0, 7)
		w.state(t, "half-open")
		w.expect(t, second, 7, gateway.Live, 0, 8)
		w.state(t, "closed")
	})
}

func TestBreakerOpensByShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, InstanceConfig{Breaker: BreakerConfig{MinCalls: 10, FailureShare: 0.5, Consecutive: 1000}})
		w.serve = func(_ context.Context, n int, _ string) (int, error) {
			if n%2 == 0 {
				return 0, errDown
			}
			return n, nil
		}
		for range 9 {
			w.call(second)
			time.Sleep(150 * ms)
		}
		w.state(t, "closed")
		w.call(second)
		w.state(t, "open")
	})
}

// A stall just after the start is most of what is known of the backend; it says no more than a stall later on. Failures
// that go on say it, whatever came between.
func TestBreakerOpensByShareOnlyWhereFailuresLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, InstanceConfig{Breaker: BreakerConfig{Window: 10 * time.Second, Bucket: time.Second, Consecutive: 1000}})
		stall := func() {
			w.serve = failing
			for range 100 {
				w.call(second)
			}
		}
		stall()
		w.state(t, "closed")
		time.Sleep(11 * time.Second) // forgotten
		stall()
		w.state(t, "closed")
		time.Sleep(999 * ms)
		w.call(second)
		w.state(t, "closed")
		time.Sleep(ms)
		w.call(second)
		w.state(t, "open")
	})
}

func TestBreakerForgetsOldFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, InstanceConfig{Breaker: BreakerConfig{Window: 10 * time.Second}})
		w.serve = failing
		for range 40 { // four at a time, each time after the window has passed
			for range 4 {
				w.call(second)
			}
			time.Sleep(11 * time.Second)
		}
		w.state(t, "closed")
	})
}

// The window rolls: it does not forget everything at once.
func TestBreakerWindowRolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, InstanceConfig{Breaker: BreakerConfig{Window: 10 * time.Second}})
		w.serve = failing
		time.Sleep(9 * time.Second)
		w.call(second)
		w.call(second)
		w.call(second)
		time.Sleep(3 * time.Second)
		w.call(second)
		w.state(t, "closed")
		w.call(second)
		w.state(t, "open")
	})
}

// Calls that were under way together and met one stall say one thing, not many: only failures that follow one another
// are in a row.
func TestOneStallIsOneFailureInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, InstanceConfig{Breaker: BreakerConfig{Consecutive: 3, MinCalls: 1000}})
		w.serve = func(ctx context.Context, _ int, _ string) (int, error) { return hold(ctx, time.Hour, 0, nil) }
		together := func(n int) {
			var calls sync.WaitGroup
			for i := range n {
				calls.Go(func() {
					time.Sleep(time.Duration(i) * ms)
					_, _, _ = w.read.Call(context.Background(), w.caller, w.b, Policy{Slice: 100 * ms}, "ticket-"+strconv.Itoa(i))
				})
			}
			calls.Wait()
		}
		together(20)
		w.state(t, "closed")
		together(20)
		w.state(t, "closed")
		together(1)
		w.state(t, "open")
	})
}

// A later attempt that an earlier one left less time than its own: the backend was slow, not the caller hurried.
func TestAttemptCutByTheSliceCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, InstanceConfig{Breaker: BreakerConfig{Consecutive: 2}})
		w.serve = func(ctx context.Context, n int, _ string) (int, error) {
			if n == 1 {
				time.Sleep(130 * ms)
				return 0, errDown
			}
			return hold(ctx, time.Hour, 0, nil)
		}
		if r := w.timed(Policy{Slice: 200 * ms, Attempts: 2, AttemptTimeout: 100 * ms}); r.took != 200*ms {
			t.Fatalf("got %+v", r)
		}
		w.state(t, "open")
	})
}

// What counts for the breaker: five of each in a row.
func TestWhatTheBreakerCounts(t *testing.T) {
	hang := func(ctx context.Context, _ int, _ string) (int, error) { return hold(ctx, time.Hour, 0, nil) }
	early := func(ctx context.Context, _ int, _ string) (int, error) { // as net does, a little before
		d, _ := ctx.Deadline()
		time.Sleep(time.Until(d) - ms)
		return 0, os.ErrDeadlineExceeded
	}
	full := func() (context.Context, context.CancelFunc) { return context.Background(), func() {} }
	short := func() (context.Context, context.CancelFunc) {
		return context.WithTimeout(context.Background(), 10*ms)
	}
	for name, c := range map[string]struct {
		serve func(ctx context.Context, n int, a string) (int, error)
		ctx   func() (context.Context, context.CancelFunc)
		state string
	}{
		"errors":                             {failing, full, "open"},
		"dials refused":                      {func(context.Context, int, string) (int, error) { return 0, NotSent(errDown) }, full, "open"},
		"panics":                             {func(context.Context, int, string) (int, error) { panic("x") }, full, "open"},
		"refusals are answers":               {func(context.Context, int, string) (int, error) { return 0, Refuse("used", nil) }, full, "closed"},
		"time-outs":                          {hang, full, "open"},
		"time-outs of hurried callers":       {hang, short, "closed"},
		"errors met by hurried callers":      {failing, short, "open"},
		"early time-outs":                    {early, full, "open"},
		"early time-outs of hurried callers": {early, short, "closed"},
		"answers after the deadline":         {func(context.Context, int, string) (int, error) { time.Sleep(time.Second); return 1, nil }, full, "open"},
		"late answers to hurried callers":    {func(context.Context, int, string) (int, error) { time.Sleep(time.Second); return 1, nil }, short, "closed"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, InstanceConfig{})
				r := w.plainRead(t)
				w.serve = c.serve
				w.b.ops[r.Name()].(*bound[string, int]).f = w.backend
				for range 5 {
					ctx, cancel := c.ctx()
					r.Call(ctx, w.caller, w.b, second, "t")
					cancel()
				}
				w.state(t, c.state)
			})
		})
	}
}

func TestLosingHedgesSayNothingToTheBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, InstanceConfig{Breaker: BreakerConfig{Consecutive: 1, MinCalls: 1, FailureShare: 0.01}})
		w.serve = func(ctx context.Context, n int, _ string) (int, error) {
			if n%2 == 1 {
				return hold(ctx, 300*ms, 0, errDown)
			}
			return n, nil
		}
		for range 10 {
			if r := w.timed(Policy{Slice: time.Second, HedgeAfter: 100 * ms}); r.err != nil {
				t.Fatal(r.err)
			}
			time.Sleep(time.Second)
		}
		w.state(t, "closed")
		if s := w.in.Stats(); s.Wasted != 10 || s.Hedges != 10 {
			t.Fatalf("stats %+v", s)
		}
	})
}

// A bound function that never comes back must not keep the breaker half open.
func TestProbesHaveAHardEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, InstanceConfig{Breaker: BreakerConfig{ProbeTimeout: 50 * ms}})
		w.serve = failing
		for range 5 {
			w.call(second)
		}
		time.Sleep(2*time.Second + 1)
		w.serve = func(ctx context.Context, _ int, _ string) (int, error) {
			if d, _ := ctx.Deadline(); time.Until(d) != 50*ms {
				t.Errorf("the probe has %v, want 50ms", time.Until(d))
			}
			time.Sleep(time.Minute)
			return 1, nil
		}
		r := w.timed(second)
		if !errors.Is(r.err, context.DeadlineExceeded) || r.took != 50*ms || OutcomeOf(r.err) != Unknown {
			t.Fatalf("got %+v", r)
		}
		w.state(t, "open")
		synctest.Wait()
		if n := w.in.Stats().InFlight; n != 1 {
			t.Fatalf("%d in flight, want the probe that hangs", n)
		}
		time.Sleep(2*time.Second + 1)
		w.serve = func(context.Context, int, string) (int, error) { return 0, Refuse("used", nil) }
		w.call(second)
		w.call(second)
		w.state(t, "closed")
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := w.in.Stats().InFlight; n != 0 {
			t.Fatalf("%d in flight after all have landed", n)
		}
	})
}

// A hurried caller's probe says nothing: the breaker stays half open, with its place free for the next.
func TestHurriedProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, InstanceConfig{Breaker: BreakerConfig{Probes: 1}})
		w.read = w.plainRead(t)
		w.b.ops[w.read.Name()].(*bound[string, int]).f = w.backend
		w.serve = failing
		for range 5 {
			w.call(second)
		}
		time.Sleep(2*time.Second + 1)
		w.serve = func(context.Context, int, string) (int, error) { time.Sleep(time.Minute); return 1, nil }
		ctx, cancel := context.WithTimeout(context.Background(), 10*ms)
		defer cancel()
		if _, _, err := w.read.Call(ctx, w.caller, w.b, second, "t"); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		synctest.Wait()
		w.state(t, "half-open")
		w.serve = instant
		if r := w.timed(second); r.err != nil {
			t.Fatal(r.err)
		}
		w.state(t, "closed")
		time.Sleep(time.Minute)
	})
}

// Without a time-out of their own, probes have a hard end too: the attempt's.
func TestProbesEndWithTheirAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, InstanceConfig{})
		w.serve = failing
		for range 5 {
			w.call(second)
		}
		time.Sleep(2*time.Second + 1)
		w.serve = func(context.Context, int, string) (int, error) { time.Sleep(time.Minute); return 1, nil }
		if r := w.timed(second); !errors.Is(r.err, context.DeadlineExceeded) || r.took != time.Second {
			t.Fatalf("got %+v", r)
		}
		w.state(t, "open")
		time.Sleep(2 * time.Minute)
	})
}

func TestProbesAreFewAndNeverHedged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, InstanceConfig{Breaker: BreakerConfig{Probes: 2}})
		w.read = w.plainRead(t)
		w.b.ops[w.read.Name()].(*bound[string, int]).f = w.backend
		w.serve = failing
		w.crowd(second, 5, background)
		time.Sleep(2*time.Second + 1)
		w.calls.Store(0)
		w.serve = func(ctx context.Context, n int, _ string) (int, error) { return hold(ctx, 300*ms, n, nil) }
		w.crowd(Policy{Slice: time.Second, HedgeAfter: 100 * ms}, 20, background)
		if n := w.calls.Load(); n != 2 {
			t.Fatalf("%d attempts while half open, want 2", n)
		}
		w.state(t, "closed")
	})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, InstanceConfig{Breaker: BreakerConfig{Probes: 10}})
		w.serve = failing
		for range 5 {
			w.call(second)
		}
		time.Sleep(2*time.Second + 1)
		w.serve = func(ctx context.Context, n int, _ string) (int, error) { return hold(ctx, 300*ms, n, nil) }
		if r := w.timed(Policy{Slice: time.Second, HedgeAfter: 100 * ms}); r.err != nil || w.in.Stats().Hedges != 0 {
			t.Fatalf("got %+v, %d hedges", r, w.in.Stats().Hedges)
		}
	})
}

func TestBulkhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, InstanceConfig{MaxInFlight: 3})
		w.read = w.plainRead(t)
		w.b.ops[w.read.Name()].(*bound[string, int]).f = func(ctx context.Context, _ string) (int, error) { return hold(ctx, 100*ms, 1, nil) }
		full := 0
		for _, r := range w.crowd(second, 10, background) {
			if r.err == nil {
				continue
			}
			full++
			want := "cannot call tickets.plain at octo/west-lake: not sent: bulkhead is full: 3 attempts in flight"
			if !errors.Is(r.err, ErrBulkheadFull) || OutcomeOf(r.err) != NotSentOutcome || r.err.Error() != want || r.took != 0 {
				t.Fatalf("got %+v", r)
			}
		}
		if s := w.in.Stats(); full != 7 || s.BulkheadFull != 7 || s.OK != 3 || s.InFlight != 0 {
			t.Fatalf("%d refused, %+v", full, s)
		}
		w.state(t, "closed") // our own limit says nothing about the backend
	})
}

// A read with another attempt comes back after its pause.
func TestBulkheadFullIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, InstanceConfig{MaxInFlight: 1})
		w.read = w.plainRead(t)
		w.b.ops[w.read.Name()].(*bound[string, int]).f = func(ctx context.Context, _ string) (int, error) { return hold(ctx, 10*ms, 1, nil) }
		for _, r := range w.crowd(Policy{Slice: 200 * ms, Attempts: 2, AttemptTimeout: 50 * ms, Backoff: 40 * ms}, 2, background) {
			if r.err != nil {
				t.Fatalf("got %+v", r)
			}
		}
	})
}

func TestOneBrokenInstanceChangesNothingForItsNeighbour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken, well := newWorld(t, InstanceConfig{MaxInFlight: 4}), newWorld(t, InstanceConfig{MaxInFlight: 4})
		well.caller = broken.caller // one process
		well.in = newInstance(t, "octo/xixi", InstanceConfig{MaxInFlight: 4})
		well.b = NewBindings(&gateway.Venue{ID: "xixi", Tenant: "hangzhou"})
		BindRead(well.b, well.read, well.in, well.backend)
		broken.serve = func(ctx context.Context, _ int, _ string) (int, error) { time.Sleep(time.Minute); return 0, errDown }
		p := Policy{Slice: 500 * ms, Attempts: 2, AttemptTimeout: 200 * ms, HedgeAfter: 100 * ms, Backoff: 10 * ms}
		for range 20 {
			go broken.call(p)
			if r := well.timed(p); r.err != nil || r.out != 7 || r.took != 0 {
				t.Fatalf("the neighbour got %+v", r)
			}
			time.Sleep(300 * ms)
		}
		if s := well.in.Stats(); s.OK != 20 || s.Failed+s.Timeouts+s.BulkheadFull+s.BreakerOpen != 0 || s.Breaker != "closed" {
			t.Fatalf("the neighbour: %+v", s)
		}
		if s := broken.in.Stats(); s.BulkheadFull == 0 || s.InFlight != 4 {
			t.Fatalf("the broken one: %+v", s)
		}
		time.Sleep(2 * time.Minute)
	})
}

func TestBreakerChangesAreLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		in, err := NewInstance("octo/west-lake", "ticketing", InstanceConfig{}, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		w := newWorld(t, InstanceConfig{})
		b := NewBindings(w.b.Venue())
		BindRead(b, w.read, in, func(context.Context, string) (int, error) { return 0, errDown })
		for range 5 {
			w.read.Call(context.Background(), w.caller, b, second, "ticket-1")
		}
		if !containsAll(log.String(), "level=WARN", "octo/west-lake", "from=closed", "to=open") || containsAll(log.String(), "ticket-1") {
			t.Errorf("the log says %q", log.String())
		}
	})
}

func TestLatencyHistogram(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, InstanceConfig{})
		for _, d := range []time.Duration{0, ms, ms + 1, 30 * ms, 7 * time.Second} {
			w.serve = func(ctx context.Context, n int, _ string) (int, error) { return hold(ctx, d, n, nil) }
			w.call(Policy{Slice: 10 * time.Second})
		}
		s := w.in.Stats()
		got := map[time.Duration]uint64{}
		for _, b := range s.Latency {
			if b.Count > 0 {
				got[b.UpTo] = b.Count
			}
		}
		if got[ms] != 2 || got[2500*time.Microsecond] != 1 || got[50*ms] != 1 || got[0] != 1 || s.LatencySum != 7*time.Second+32*ms+1 {
			t.Errorf("buckets %v, sum %v", got, s.LatencySum)
		}
	})
}
