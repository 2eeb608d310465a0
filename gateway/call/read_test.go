package call

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmgate/warmgate/gateway"
)

// expect makes a call and holds its answer, state and age, and the number of backend calls so far, against what is wanted.
func (w *world) expect(t *testing.T, p Policy, want int, state gateway.State, age time.Duration, calls int64) {
	t.Helper()
	o, s, err := w.call(p)
	synctest.Wait()
	if state == gateway.Missing {
		if err == nil || s != (gateway.Source{System: "ticketing", State: gateway.Missing}) || o != 0 {
			t.Fatalf("got %d %+v %v, want an error and the source missing", o, s, err)
		}
	} else if err != nil || o != want || s.State != state || s.System != "ticketing" || time.Since(s.AsOf) != age {
		t.Fatalf("got %d, %+v of age %v, %v; want %d %s of age %v", o, s, time.Since(s.AsOf), err, want, state, age)
	}
	if n := w.calls.Load(); n != calls {
		t.Fatalf("%d backend calls, want %d", n, calls)
	}
}

// numbered answers with the number of the call.
func numbered(_ context.Context, n int, _ string) (int, error) { return n, nil }

func TestFresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, InstanceConfig{})
		w.serve = numbered
		p := Policy{Slice: 100 * ms, Cache: CachePolicy{Fresh: 5 * time.Second}}
		w.expect(t, p, 1, gateway.Live, 0, 1)
		time.Sleep(5*time.Second - 1)
		w.expect(t, p, 1, gateway.Cached, 5*time.Second-1, 1)
		time.Sleep(1)
		w.expect(t, p, 2, gateway.Live, 0, 2)
	})
}

func TestAgeCountsFromAsking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, InstanceConfig{})
		w.serve = func(ctx context.Context, n int, _ string) (int, error) { return hold(ctx, 2*time.Second, n, nil) }
		p := Policy{Slice: 3 * time.Second, Cache: CachePolicy{Fresh: 5 * time.Second}}
		w.expect(t, p, 1, gateway.Live, 2*time.Second, 1)
		time.Sleep(3*time.Second - 1)
		w.expect(t, p, 1, gateway.Cached, 5*time.Second-1, 1)
		time.Sleep(1)
		w.expect(t, p, 2, gateway.Live, 2*time.Second, 2)
	})
}

// What took longer to come than it may be kept is not kept at all.
func TestKeptNoLongerThanUseful(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, InstanceConfig{})
		w.serve = func(ctx context.Context, n int, _ string) (int, error) { return hold(ctx, 400*ms, n, nil) }
		w.call(Policy{Slice: 500 * ms, Cache: CachePolicy{Fresh: 300 * ms}})
		if n := w.caller.cache.Stats().Entries; n != 0 {
			t.Fatalf("%d entries are kept past their time", n)
		}
		w.call(Policy{Slice: 500 * ms, Cache: CachePolicy{Fresh: 500 * ms}})
		time.Sleep(100*ms + 1)
		key, _ := w.read.key(w.caller, w.b.ops[w.read.name].(*bound[string, int]), "ticket-1")
		if e := w.caller.lookup(key); e != nil {
			t.Fatalf("kept past its time: %+v", e)
		}
	})
}

func TestStaleWhileRevalidate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, InstanceConfig{})
		slow := time.Duration(0)
		w.serve = func(ctx context.Context, n int, _ string) (int, error) { return hold(ctx, slow, n, nil) }
		p := Policy{Slice: 500 * ms, Cache: CachePolicy{Fresh: time.Second, StaleWhileRevalidate: 10 * time.Second}}
		w.expect(t, p, 1, gateway.Live, 0, 1)
		time.Sleep(time.Second)
		slow = 300 * ms
		for range 3 { // at once, and one refresh in flight for all
			w.expect(t, p, 1, gateway.Stale, time.Second, 2)
		}
		time.Sleep(300 * ms)
		synctest.Wait()
		w.expect(t, p, 2, gateway.Cached, 300*ms, 2)
		time.Sleep(10700 * ms) // past both windows: nobody waits for what nobody may use
		w.expect(t, p, 3, gateway.Live, 300*ms, 3)
		if s := w.in.Stats(); s.StaleAnswers != 3 || s.Refreshes != 1 || s.CacheHits != 1 || s.OK != 3 {
			t.Fatalf("stats %+v", s)
		}
	})
}

func TestStaleWhileRevalidateEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, InstanceConfig{})
		p := Policy{Slice: 500 * ms, Cache: CachePolicy{Fresh: time.Second, StaleWhileRevalidate: 10 * time.Second}}
		w.serve = numbered
		w.expect(t, p, 1, gateway.Live, 0, 1)
		w.serve = failing
		time.Sleep(11*time.Second - 1)
		w.expect(t, p, 1, gateway.Stale, 11*time.Second-1, 2)
		time.Sleep(1)
		w.expect(t, p, 0, gateway.Missing, 0, 3)
	})
}

// Without a cache everything else holds: equal reads at once are still shared.
func TestWithoutACache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, InstanceConfig{})
		w.caller = NewCaller(nil, testKeys{}, 1)
		w.serve = func(ctx context.Context, n int, _ string) (int, error) { return hold(ctx, 100*ms, n, nil) }
		p := Policy{Slice: 500 * ms, Cache: CachePolicy{Fresh: time.Hour}}
		w.crowd(p, 5, background)
		w.expect(t, p, 2, gateway.Live, 100*ms, 2)
	})
}

func TestSizeCountsAgainstTheCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, InstanceConfig{})
		sized := NewRead("rooms.page", ReadSpec[string, []byte]{Key: func(k *Key, a string) { k.Text(a) }, Size: func(o []byte) int { return len(o) }})
		BindRead(w.b, sized, w.in, func(context.Context, string) ([]byte, error) { return make([]byte, 10000), nil })
		p := Policy{Slice: 500 * ms, Cache: CachePolicy{Fresh: time.Hour}}
		bytes := func() int64 {
			time.Sleep(2 * time.Second) // the cache weighs behind its writes
			return w.caller.cache.Stats().Bytes
		}
		w.call(p)
		before := bytes()
		sized.Call(context.Background(), w.caller, w.b, p, "1")
		if grown := bytes() - before; before == 0 || before > 1000 || grown < 10000 || grown > 10500 {
			t.Errorf("an int weighs %d, ten thousand bytes %d", before, grown)
		}
	})
}

func TestRefreshOutlivesItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, InstanceConfig{})
		p := Policy{Slice: 500 * ms, Cache: CachePolicy{Fresh: time.Second, StaleWhileRevalidate: time.Minute}}
		w.expect(t, p, 7, gateway.Live, 0, 1)
		time.Sleep(2 * time.Second)
		w.serve = func(ctx context.Context, n int, _ string) (int, error) {
			if d, _ := ctx.Deadline(); time.Until(d) != 500*ms {
				t.Errorf("the refresh has %v, want the slice", time.Until(d))
			}
			return hold(ctx, 400*ms, n, nil)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*ms)
		_, s, err := w.read.Call(ctx, w.caller, w.b, p, "ticket-1")
		cancel()
		if err != nil || s.State != gateway.Stale {
			t.Fatalf("got %+v %v", s, err)
		}
		time.Sleep(400 * ms)
		synctest.Wait()
		w.expect(t, p, 2, gateway.Cached, 400*ms, 2)
	})
}

func TestStaleIfError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, InstanceConfig{})
		p := Policy{Slice: 500 * ms, Min: 10 * ms, Cache: CachePolicy{Fresh: time.Second, StaleIfError: 10 * time.Second}}
		w.expect(t, p, 7, gateway.Live, 0, 1)
		time.Sleep(2 * time.Second)
		w.serve = func(context.Context, int, string) (int, error) { return 0, errDown }
		w.expect(t, p, 7, gateway.Stale, 2*time.Second, 2)
		w.serve = func(ctx context.Context, _ int, _ string) (int, error) { return hold(ctx, time.Hour, 0, nil) }
		w.expect(t, p, 7, gateway.Stale, 2500*ms, 3)
		ctx, cancel := context.WithTimeout(context.Background(), 9*ms)
		defer cancel()
		if _, s, err := w.read.Call(ctx, w.caller, w.b, p, "ticket-1"); err != nil || s.State != gateway.Stale {
			t.Fatalf("too late to ask: %+v %v, want stale", s, err)
		}
		time.Sleep(8500*ms - 1)
		w.serve = failing
		w.expect(t, p, 7, gateway.Stale, 11*time.Second-1, 4)
		time.Sleep(1) // the window is over
		w.expect(t, p, 0, gateway.Missing, 0, 5)
		w.serve = numbered
		w.expect(t, p, 6, gateway.Live, 0, 6)
	})
}

func TestErrorsAreNeverKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, InstanceConfig{})
		p := Policy{Slice: 500 * ms, Cache: CachePolicy{Fresh: time.Hour, StaleWhileRevalidate: time.Hour, StaleIfError: time.Hour, Negative: time.Minute}}
		for i, err := range []error{errDown, NotSent(errDown), Refuse("cancelled", nil), context.DeadlineExceeded} {
			w.serve = func(context.Context, int, string) (int, error) { return 9, err }
			if _, _, got := w.call(p); !errors.Is(got, err) || w.calls.Load() != int64(i+1) {
				t.Fatalf("got %v with %d calls, want %v", got, w.calls.Load(), err)
			}
		}
		w.serve = numbered
		w.expect(t, p, 5, gateway.Live, 0, 5)
	})
}

func TestRefusalIsALiveAnswerThatEndsWhatWasKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, InstanceConfig{})
		p := Policy{Slice: 500 * ms, Cache: CachePolicy{Fresh: time.Second, StaleIfError: time.Hour}}
		w.expect(t, p, 7, gateway.Live, 0, 1)
		time.Sleep(2 * time.Second)
		w.serve = func(context.Context, int, string) (int, error) { return 0, Refuse("cancelled", nil) }
		_, s, err := w.call(p)
		if OutcomeOf(err) != RefusedOutcome || s != (gateway.Source{System: "ticketing", AsOf: time.Now(), State: gateway.Live}) {
			t.Fatalf("got %+v %v, want a live refusal", s, err)
		}
		if want := "cannot call tickets.lookup at octo/west-lake: refused: cancelled"; err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
		w.serve = func(context.Context, int, string) (int, error) { return 0, errDown }
		w.expect(t, p, 0, gateway.Missing, 0, 3)
	})
}

func TestNegative(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, InstanceConfig{})
		p := Policy{Slice: 500 * ms, Cache: CachePolicy{Fresh: time.Hour, StaleWhileRevalidate: time.Hour, StaleIfError: time.Hour, Negative: 2 * time.Second}}
		w.serve = func(context.Context, int, string) (int, error) { return 0, nil }
		w.expect(t, p, 0, gateway.Live, 0, 1)
		time.Sleep(2*time.Second - 1)
		w.expect(t, p, 0, gateway.Cached, 2*time.Second-1, 1)
		time.Sleep(1)
		w.serve = func(context.Context, int, string) (int, error) { return 0, errDown }
		w.expect(t, p, 0, gateway.Missing, 0, 2) // absent is never stale
		w.serve = func(context.Context, int, string) (int, error) { return 0, nil }
		w.expect(t, p, 0, gateway.Live, 0, 3)
		w.serve = failing
		none := Policy{Slice: 500 * ms, Cache: CachePolicy{Fresh: time.Hour, StaleIfError: time.Hour}}
		w.expect(t, none, 0, gateway.Missing, 0, 4) // nor used by a step that wants none
	})
}

func TestAbsentAnswerNotKeptEndsWhatWasKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, InstanceConfig{})
		p := Policy{Slice: 500 * ms, Cache: CachePolicy{Fresh: time.Second, StaleIfError: time.Hour}}
		w.expect(t, p, 7, gateway.Live, 0, 1)
		time.Sleep(time.Second)
		w.serve = func(context.Context, int, string) (int, error) { return 0, nil }
		w.expect(t, p, 0, gateway.Live, 0, 2)
		w.serve = func(context.Context, int, string) (int, error) { return 0, errDown }
		w.expect(t, p, 0, gateway.Missing, 0, 3)
	})
}

// Two steps may read one operation under different policies: the reader's own decides.
func TestReaderJudgesFreshness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, InstanceConfig{})
		w.serve = numbered
		long := Policy{Slice: 500 * ms, Cache: CachePolicy{Fresh: time.Minute}}
		short := Policy{Slice: 500 * ms, Cache: CachePolicy{Fresh: time.Second}}
		w.expect(t, long, 1, gateway.Live, 0, 1)
		time.Sleep(2 * time.Second)
		w.expect(t, long, 1, gateway.Cached, 2*time.Second, 1)
		w.expect(t, Policy{Slice: 500 * ms}, 2, gateway.Live, 0, 2) // no cache policy: asks, and keeps nothing
		w.expect(t, short, 3, gateway.Live, 0, 3)
	})
}

func TestTooLateIsNotStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, InstanceConfig{})
		for _, r := range []*Read[string, int]{w.read, w.plainRead(t)} {
			ctx, cancel := context.WithTimeout(context.Background(), 99*ms)
			_, s, err := r.Call(ctx, w.caller, w.b, Policy{Slice: 500 * ms, Min: 100 * ms}, "ticket-1")
			cancel()
			want := "cannot call " + r.Name() + " at octo/west-lake: not sent: too little time is left: 99ms, min is 100ms"
			if !errors.Is(err, ErrTooLate) || OutcomeOf(err) != NotSentOutcome || err.Error() != want || s.State != gateway.Missing {
				t.Errorf("got %+v %v, want %s", s, err, want)
			}
			_, _, err = r.Call(ctx, w.caller, w.b, Policy{Slice: 500 * ms}, "ticket-1")
			if !errors.Is(err, context.Canceled) || OutcomeOf(err) != NotSentOutcome {
				t.Errorf("cancelled: got %v", err)
			}
		}
		if w.calls.Load() != 0 {
			t.Errorf("%d backend calls", w.calls.Load())
		}
	})
}

func TestPanicIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, InstanceConfig{})
		for _, p := range []Policy{{Slice: time.Second}, {Slice: time.Second, HedgeAfter: 500 * ms}} {
			w.serve = func(context.Context, int, string) (int, error) { panic("ticket-1 of Ms Li") }
			_, _, err := w.call(p)
			if pe, ok := errors.AsType[*panicError](err); !ok || OutcomeOf(err) != Unknown || pe.value == nil {
				t.Fatalf("got %v", err)
			}
			if text := err.Error(); !containsAll(text, "panic of type string", "world_test.go") || containsAll(text, "Ms Li") {
				t.Errorf("the error says %q", text)
			}
		}
		if s := w.in.Stats(); s.InFlight != 0 || s.Failed != 2 {
			t.Errorf("stats %+v", s)
		}
		odd := NewRead("tickets.odd", ReadSpec[string, int]{Key: func(*Key, string) {}, Absent: func(int) bool { panic("odd") }})
		BindRead(w.b, odd, w.in, func(context.Context, string) (int, error) { return 1, nil })
		for range 2 { // the second one is not left waiting for the first
			if _, _, err := odd.Call(context.Background(), w.caller, w.b, Policy{Slice: time.Second}, ""); err == nil {
				t.Error("a panic of Absent was lost")
			}
		}
		w.serve = func(context.Context, int, string) (int, error) { var m map[string]int; m["x"] = 1; return 0, nil }
		if _, _, err := w.call(Policy{Slice: time.Second}); !containsAll(err.Error(), "assignment to entry in nil map") {
			t.Errorf("got %v", err)
		}
	})
}
