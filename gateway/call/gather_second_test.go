package call

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/cache"
)

var sharedByVenue = ReadSpec[int, int]{Key: byVenue.Key, Absent: byVenue.Absent, Share: JSON[int]()}

// newReplicas returns towns that share a second level.
func newReplicas(t *testing.T, replicas, venues int, spec ReadSpec[int, int]) (all []*town, s *shelf) {
	s = &shelf{kept: map[string]cache.Kept{}}
	for range replicas {
		w := newTown(t, venues, InstanceConfig{}, spec)
		w.caller.cache.Back(s)
		all = append(all, w)
	}
	return all, s
}

// warm has all venues asked by w, whose second level then knows them, and lets them become so old.
func (w *town) warm(t *testing.T, p Policy, age time.Duration) {
	t.Helper()
	for v, g := range first(w.gather(context.Background(), p, upTo(len(w.at))...)) {
		if g.err != nil {
			t.Fatalf("%d: %v", v, g.err)
		}
	}
	w.behind.Wait()
	time.Sleep(age)
}

// Who is cold gathers from what another one has asked, as of when that was; then the memory has it.
func TestColdGatherWarmsFromTheSecondLevel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, shelf := newReplicas(t, 2, 50, sharedByVenue)
		warm, cold := all[0], all[1]
		warm.serve = func(_ context.Context, v int) (int, error) { return v + 1, nil }
		warm.warm(t, shared, 2*time.Second)
		asked := shelf.asked
		shelf.slow = 5 * ms
		for _, took := range []time.Duration{5 * ms, 0} {
			got, after := cold.gather(context.Background(), shared, upTo(50)...)
			if after != took {
				t.Errorf("it took %v", after)
			}
			for v, g := range got {
				age := time.Since(g.source.AsOf)
				if g.err != nil || g.out != v+1 || g.source.State != gateway.Cached || g.source.System != "ticketing" || age != 2*time.Second+5*ms {
					t.Errorf("%d, %v old: %+v", v, age, g)
				}
			}
		}
		cold.behind.Wait()
		if s := cold.ins[7].Stats(); cold.called() != 0 || shelf.asked != asked+50 || s.CacheHits != 2 || s.StaleAnswers+s.Refreshes != 0 {
			t.Errorf("%d calls, the second level asked %d times, %+v", cold.called(), shelf.asked-asked, s)
		}
	})
}

// Of each argument by itself it is known whether its key is one of a person: that one is neither asked for there nor kept
// there, also behind the answer, and the ones beside it are.
func TestPersonsOfAGatherStayHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spec := sharedByVenue
		person := func(v int) bool { return v%3 == 1 }
		spec.Key = func(k *Key, v int) {
			if person(v) {
				k.Personal([]byte{byte(v)})
				return
			}
			k.Int(int64(v))
		}
		all, shelf := newReplicas(t, 1, 9, spec)
		w := all[0]
		w.warm(t, shared, 6*time.Second)
		w.warm(t, shared, 0) // stale: asked for again behind
		if w.called() != 18 || shelf.asked != 12 || len(shelf.written) != 12 {
			t.Errorf("%d calls, the second level asked %d times, %d written", w.called(), shelf.asked, len(shelf.written))
		}
		for v := range w.at {
			op, err := find[*bound[int, int]](w.at[v], w.read.name)
			if err != nil {
				t.Fatal(err)
			}
			key, _ := w.read.key(w.caller, op, v)
			if _, kept := shelf.kept[key]; kept == person(v) {
				t.Errorf("%d is kept there: %v", v, kept)
			}
		}
	})
}

// A second level that hangs costs a gather its part and no more, however many rounds it has, and the backends have the rest.
// It is told all the same.
func TestHangingSecondLevelCostsAGatherItsPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, shelf := newReplicas(t, 1, 12, sharedByVenue)
		w := all[0]
		w.serve = func(ctx context.Context, v int) (int, error) { return hold(ctx, 10*ms, 7, nil) }
		shelf.slow = time.Hour
		p := shared
		p.Parallel = 3
		got, took := w.gather(context.Background(), p, upTo(12)...)
		for v, g := range got {
			if g.err != nil || g.source.State != gateway.Live {
				t.Errorf("%d: %+v", v, g)
			}
		}
		w.behind.Wait()
		if took != 60*ms || shelf.asked != 3 || len(shelf.written) != 12 {
			t.Errorf("it took %v, not 20 ms and four rounds; asked %d times, %d written", took, shelf.asked, len(shelf.written))
		}
	})
}

// Each that begins in the first half of the part has what is left of it; what begins later asks its backend.
func TestSecondLevelHasOnePartOfAGather(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, shelf := newReplicas(t, 2, 6, sharedByVenue)
		all[0].warm(t, shared, 0)
		shelf.slow = 4 * ms // from 0, 4 and 8 ms on; at 12 ms less than half is left
		p := shared
		p.Parallel = 1
		got, took := all[1].gather(context.Background(), p, upTo(6)...)
		for v, g := range got {
			if want := []gateway.State{gateway.Cached, gateway.Live}[v/3]; g.err != nil || g.source.State != want {
				t.Errorf("%d: %+v", v, g)
			}
		}
		if took != 12*ms {
			t.Errorf("it took %v", took)
		}
		all[1].behind.Wait()
	})
	synctest.Test(t, func(t *testing.T) {
		all, shelf := newReplicas(t, 1, 2, sharedByVenue)
		w, p := all[0], shared
		w.serve = func(ctx context.Context, v int) (int, error) {
			shelf.slow = time.Hour // from now on: the second one waits for what is left, 12 ms
			return hold(ctx, time.Duration(1-v)*8*ms, 7, nil)
		}
		p.Parallel = 1
		if got, took := w.gather(context.Background(), p, 0, 1); took != 20*ms || got[1].source.State != gateway.Live || shelf.asked != 2 {
			t.Errorf("it took %v, asked %d times: %+v", took, shelf.asked, got)
		}
		w.behind.Wait()
	})
}

// What the second level knows stale counts at once and is asked for again behind the answer, of the backends and by no more at once
// than the policy says.
func TestGatherRefreshesWhatTheSecondLevelKnowsStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, shelf := newReplicas(t, 2, 10, sharedByVenue)
		all[0].warm(t, shared, 6*time.Second)
		w, p := all[1], shared
		var now, most atomic.Int64
		w.serve = func(ctx context.Context, v int) (int, error) {
			n := now.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			defer now.Add(-1)
			return hold(ctx, 30*ms, 8, nil)
		}
		shelf.slow, p.Parallel = ms, 2
		got, took := w.gather(context.Background(), p, upTo(10)...)
		if took != 5*ms || w.spawns.Load() != 2 {
			t.Errorf("it took %v, with %d goroutines", took, w.spawns.Load())
		}
		for v, g := range got {
			if age := time.Since(g.source.AsOf); g.err != nil || g.out != 7 || g.source.State != gateway.Stale || age != 6*time.Second+5*ms {
				t.Errorf("%d, %v old: %+v", v, age, g)
			}
		}
		w.behind.Wait()
		if s := w.ins[9].Stats(); w.called() != 10 || most.Load() != 2 || s.StaleAnswers != 1 || s.Refreshes != 1 || s.CacheHits != 0 {
			t.Errorf("%d calls, %d at once, %+v", w.called(), most.Load(), s)
		}
		if got, took = w.gather(context.Background(), p, upTo(10)...); took != 0 || got[9].out != 8 || got[9].source.State != gateway.Cached {
			t.Errorf("after the refresh, after %v: %+v", took, got[9])
		}
		// What is stale in another's memory is refreshed with what this one has brought.
		before := all[0].called()
		got, _ = all[0].gather(context.Background(), p, upTo(10)...)
		all[0].behind.Wait()
		again, _ := all[0].gather(context.Background(), p, upTo(10)...)
		if got[9].out != 7 || got[9].source.State != gateway.Stale || again[9].out != 8 || again[9].source.State != gateway.Cached || all[0].called() != before {
			t.Errorf("%+v, then %+v; %d calls", got[9], again[9], all[0].called()-before)
		}
	})
}

// Once its time is over, a gather asks for nothing again.
func TestGatherRefreshesNothingPastItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, shelf := newReplicas(t, 2, 1, sharedByVenue)
		all[0].warm(t, shared, 6*time.Second)
		shelf.slow = 5 * ms
		ctx, cancel := context.WithTimeout(context.Background(), 4*ms)
		defer cancel()
		p := shared
		p.Min = 0
		if got, took := all[1].gather(ctx, p, 0); took != 4*ms || WhyOf(got[0].err) != TimedOut {
			t.Errorf("after %v: %+v", took, got[0])
		}
		all[1].behind.Wait()
		if all[1].called() != 0 {
			t.Error("it was asked for again past the end")
		}
	})
}

// Where asking fails, or takes too long, what the second level has brought may answer if it is not too old for that.
func TestGatherFallsBackOnTheSecondLevel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, _ := newReplicas(t, 2, 4, sharedByVenue)
		all[0].warm(t, shared, 20*time.Second)
		w := all[1]
		w.serve = func(ctx context.Context, v int) (int, error) {
			switch v {
			case 0:
				return 0, errDown
			case 1:
				return hold(ctx, time.Hour, 0, nil)
			case 2:
				time.Sleep(time.Minute) // looks at no clock
			}
			return 0, Refuse("closed", nil)
		}
		got, took := w.gather(context.Background(), shared, upTo(4)...)
		for v, g := range got[:3] {
			age := time.Since(g.source.AsOf)
			if g.err != nil || g.out != 7 || g.source.State != gateway.Stale || age != 20*time.Second+took || w.ins[v].Stats().StaleAnswers != 1 {
				t.Errorf("%d, %v old: %+v", v, age, g)
			}
		}
		if WhyOf(got[3].err) != SaidNo || took != shared.Slice {
			t.Errorf("after %v: %+v", took, got[3])
		}
		w.behind.Wait()
		p := shared
		p.Cache.StaleIfError = 0
		w.serve = func(context.Context, int) (int, error) { return 0, errDown }
		if got, _ := w.gather(context.Background(), p, 0); !errors.Is(got[0].err, errDown) {
			t.Errorf("too old to answer: %+v", got[0])
		}
	})
}

// Gathers and single reads wait for each other's calls, and say the same of what the second level has answered.
func TestGathersAndSingleReadsShareTheSecondLevel(t *testing.T) {
	for state, age := range map[gateway.State]time.Duration{gateway.Cached: time.Second, gateway.Stale: 6 * time.Second} {
		for _, gatherLeads := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				all, shelf := newReplicas(t, 2, 1, sharedByVenue)
				all[0].warm(t, shared, age)
				w, asked := all[1], shelf.asked
				shelf.slow = 5 * ms
				both := []func() (int, gateway.Source, error){
					func() (int, gateway.Source, error) {
						got, _ := w.gather(context.Background(), shared, 0)
						return got[0].out, got[0].source, got[0].err
					},
					func() (int, gateway.Source, error) {
						return w.read.Call(context.Background(), w.caller, w.at[0], shared, 0)
					},
				}
				if !gatherLeads {
					both[0], both[1] = both[1], both[0]
				}
				check := func(o int, s gateway.Source, err error) {
					if o != 7 || s.State != state || time.Since(s.AsOf) != age+5*ms || err != nil {
						t.Errorf("want %s: got %d, %+v, %v", state, o, s, err)
					}
				}
				w.behind.Go(func() { check(both[0]()) })
				time.Sleep(ms)
				check(both[1]())
				w.behind.Wait()
				time.Sleep(time.Second) // what a single read asks for again ends by itself
				calls, s := int64(0), w.ins[0].Stats()
				if state == gateway.Stale {
					calls = 1
				}
				if w.called() != calls || s.Coalesced != 1 || s.StaleAnswers != 2*uint64(calls) || s.CacheHits != 2-s.StaleAnswers || shelf.asked != asked+1+int(calls) {
					t.Errorf("%s: %d calls, asked %d times, %+v", state, w.called(), shelf.asked-asked, s)
				}
			})
		}
	}
}
