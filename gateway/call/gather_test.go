package call

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/cache"
)

// town is one read at many venues, each with an instance of its own.
type town struct {
	caller *Caller
	ins    []*Instance
	at     []*Bindings
	read   *Read[int, int] // the argument is the venue
	serve  func(ctx context.Context, venue int) (int, error)
	calls  []atomic.Int64 // by venue
	spawns atomic.Int64
	behind sync.WaitGroup
}

var errNoVenue = errors.New("no such venue")

func newTown(t testing.TB, venues int, cfg InstanceConfig, spec ReadSpec[int, int]) *town {
	t.Helper()
	c, err := cache.New(cache.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	w := &town{caller: NewCaller(c, testKeys{}, 1), calls: make([]atomic.Int64, venues), read: NewRead("rooms.free", spec)}
	w.serve = func(context.Context, int) (int, error) { return 7, nil }
	for v := range venues {
		in := newInstance(t, "pms/hotel-"+strconv.Itoa(v), cfg)
		b := NewBindings(&gateway.Venue{ID: "hotel-" + strconv.Itoa(v), Tenant: "hangzhou"})
		BindRead(b, w.read, in, func(ctx context.Context, a int) (int, error) {
			w.calls[v].Add(1)
			return w.serve(ctx, a)
		})
		w.ins, w.at = append(w.ins, in), append(w.at, b)
	}
	return w
}

var byVenue = ReadSpec[int, int]{Key: func(k *Key, a int) { k.Int(int64(a)) }, Absent: func(o int) bool { return o == 0 }}

func (w *town) venue(a int) (*Bindings, error) {
	if a < 0 || a >= len(w.at) {
		return nil, errNoVenue
	}
	return w.at[a], nil
}

func (w *town) spawn(f func()) {
	w.spawns.Add(1)
	w.behind.Go(f)
}

// came is what one argument came to.
type came struct {
	out    int
	source gateway.Source
	err    error
	times  int
}

// gather asks args and says how long it took.
func (w *town) gather(ctx context.Context, p Policy, args ...int) ([]came, time.Duration) {
	all, begun := make([]came, len(args)), time.Now()
	w.read.Gather(ctx, w.caller, Many[int]{At: w.venue, Go: w.spawn}, p, begun, args, func(i, out int, s gateway.Source, err error) {
		all[i] = came{out: out, source: s, err: err, times: all[i].times + 1}
	})
	return all, time.Since(begun)
}

func upTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

func (w *town) called() (n int64) {
	for i := range w.calls {
		n += w.calls[i].Load()
	}
	return n
}

// Each says what came of it, in one word, and one that fails changes nothing for another.
func TestGatherSaysOfEachWhatCameOfIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t, 7, InstanceConfig{MaxInFlight: 1, Breaker: BreakerConfig{Consecutive: 1}}, byVenue)
		w.serve = func(ctx context.Context, v int) (int, error) {
			switch v {
			case 1:
				return 0, Refuse("closed", nil)
			case 2:
				return hold(ctx, time.Hour, 0, nil)
			case 3, 6:
				return 0, errDown
			case 4, 99:
				return hold(ctx, 10*time.Second, 0, nil)
			case 5:
				panic("a mistake")
			}
			return 7, nil
		}
		p := Policy{Slice: 100 * ms}
		w.gather(context.Background(), p, 6) // opens its breaker
		go w.read.Call(context.Background(), w.caller, w.at[4], Policy{Slice: 20 * time.Second}, 99)
		synctest.Wait() // the bulkhead of 4 is full
		got, took := w.gather(context.Background(), p, 0, 1, 2, 3, 4, 5, 6, -1)
		if took != 100*ms {
			t.Errorf("it took %v", took)
		}
		for i, want := range []Why{Here, SaidNo, TimedOut, Failed, BulkheadFull, Failed, BreakerOpen, Failed} {
			state := gateway.Missing
			if want == Here || want == SaidNo {
				state = gateway.Live
			}
			if g := got[i]; WhyOf(g.err) != want || g.source.State != state || g.times != 1 || state == gateway.Live && g.source.AsOf.IsZero() {
				t.Errorf("%d: %q %+v, want %q", i, WhyOf(g.err), g, want)
			}
		}
		if got[0].out != 7 || !errors.Is(got[7].err, errNoVenue) {
			t.Errorf("got %+v and %v", got[0], got[7].err)
		}
		w.behind.Wait()
		time.Sleep(20 * time.Second)
	})
}

// A gather ends with its slice even where a bound function looks at no clock, and what that brings is for the next one.
func TestGatherNeverWaitsPastItsSlice(t *testing.T) {
	for _, spec := range []ReadSpec[int, int]{byVenue, {}} {
		synctest.Test(t, func(t *testing.T) {
			w := newTown(t, 3, InstanceConfig{}, spec)
			w.serve = func(_ context.Context, v int) (int, error) {
				time.Sleep(time.Duration(v) * 80 * ms)
				return v + 1, nil
			}
			p := Policy{Slice: 100 * ms}
			if spec.Key != nil {
				p.Cache.Fresh = time.Minute
			}
			ctx, cancel := context.WithTimeout(context.Background(), 90*ms)
			defer cancel()
			got, took := w.gather(ctx, p, 0, 1, 2)
			if took != 90*ms || got[0].out != 1 || got[1].out != 2 || got[1].source.State != gateway.Live || WhyOf(got[2].err) != TimedOut {
				t.Errorf("after %v: %+v", took, got)
			}
			w.behind.Wait()
			if got[2].out != 0 || got[2].times != 1 {
				t.Errorf("what came too late was written to the caller's: %+v", got[2])
			}
		})
	}
}

// A call that misses the slice goes on for the next gather, which then needs nobody.
func TestGatherLeavesWhatComesLateToTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t, 4, InstanceConfig{}, byVenue)
		w.serve = func(ctx context.Context, v int) (int, error) { return hold(ctx, 150*ms, v+1, nil) }
		p := Policy{Slice: 200 * ms, Cache: CachePolicy{Fresh: time.Minute}}
		ctx, cancel := context.WithTimeout(context.Background(), 100*ms)
		defer cancel()
		if got, took := w.gather(ctx, p, upTo(4)...); took != 100*ms || WhyOf(got[0].err) != TimedOut {
			t.Fatalf("after %v: %+v", took, got)
		}
		w.behind.Wait()
		got, took := w.gather(context.Background(), p, upTo(4)...)
		if took != 0 || got[3].out != 4 || got[3].source.State != gateway.Cached || w.called() != 4 {
			t.Errorf("after %v, %d calls: %+v", took, w.called(), got)
		}
	})
}

// At most parallel calls are under way at once, and those whose turn does not come are said not to have been asked.
func TestGatherIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t, 20, InstanceConfig{}, byVenue)
		var now, most atomic.Int64
		w.serve = func(ctx context.Context, v int) (int, error) {
			n := now.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			defer now.Add(-1)
			return hold(ctx, 30*ms, v, nil)
		}
		got, took := w.gather(context.Background(), Policy{Slice: 100 * ms, Min: 20 * ms, Parallel: 4}, upTo(20)...)
		count := map[Why]int{}
		for _, g := range got {
			count[WhyOf(g.err)]++
		}
		// Rounds begin at 0, 30 and 60 ms; at 90 ms less than min is left.
		if count[Here] != 12 || count[NotAsked] != 8 || took != 90*ms || most.Load() != 4 || w.called() != 12 {
			t.Errorf("after %v: %v, %d calls, %d at once", took, count, w.called(), most.Load())
		}
		w.behind.Wait()
	})
}

// Two hundred gathers of the same hotels make one call to each.
func TestGathersShareTheirCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t, 200, InstanceConfig{}, byVenue)
		w.serve = func(ctx context.Context, v int) (int, error) { return hold(ctx, 50*ms, v+1, nil) }
		var crowd sync.WaitGroup
		for range 200 {
			crowd.Go(func() {
				got, took := w.gather(context.Background(), Policy{Slice: time.Second, Parallel: 50, Cache: CachePolicy{Fresh: time.Minute}}, upTo(200)...)
				for v, g := range got {
					if g.err != nil || g.out != v+1 || took > 200*ms {
						t.Errorf("after %v: %+v", took, g)
						return
					}
				}
			})
		}
		crowd.Wait()
		if n := w.called(); n != 200 {
			t.Errorf("%d calls to 200 hotels", n)
		}
		if n := w.spawns.Load(); n > 200*50 {
			t.Errorf("%d goroutines", n)
		}
	})
}

// What is under way for others is waited for without a goroutine.
func TestGatherJoinsWithoutAGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t, 50, InstanceConfig{}, byVenue)
		w.serve = func(ctx context.Context, v int) (int, error) { return hold(ctx, 50*ms, v+1, nil) }
		go w.gather(context.Background(), second, upTo(50)...)
		time.Sleep(10 * ms)
		spawned := w.spawns.Load()
		got, took := w.gather(context.Background(), second, upTo(50)...)
		if took != 40*ms || got[49].out != 50 || w.spawns.Load() != spawned || w.ins[49].Stats().Coalesced != 1 {
			t.Errorf("after %v, %d goroutines more: %+v", took, w.spawns.Load()-spawned, got[49])
		}
	})
}

// What others have brought since a gather began is not asked for again when its turn comes.
func TestGatherAsksForNothingThatIsKnownByNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t, 10, InstanceConfig{}, byVenue)
		w.serve = func(ctx context.Context, v int) (int, error) { return hold(ctx, 10*ms, v+1, nil) }
		p := Policy{Slice: time.Second, Parallel: 1, Cache: CachePolicy{Fresh: time.Minute}}
		var crowd sync.WaitGroup
		for range 3 {
			crowd.Go(func() {
				for v, g := range first(w.gather(context.Background(), p, upTo(10)...)) {
					if g.err != nil || g.out != v+1 {
						t.Errorf("%d: %+v", v, g)
					}
				}
			})
		}
		crowd.Wait()
		if n := w.called(); n != 10 {
			t.Errorf("%d calls to 10 hotels", n)
		}
		answers := uint64(0) // each is counted as what it was: a call, another's call, or known
		for _, in := range w.ins {
			s := in.Stats()
			answers += s.OK + s.Coalesced + s.CacheHits
		}
		if answers != 3*10 {
			t.Errorf("%d answers are counted", answers)
		}
	})
}

func first[A, B any](a A, _ B) A { return a }

// What is stale counts at once and is asked for again behind the answer, by no more at once than the policy says.
func TestGatherRefreshesBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t, 10, InstanceConfig{}, byVenue)
		p := Policy{Slice: 100 * ms, Parallel: 2, Cache: CachePolicy{Fresh: time.Second, StaleWhileRevalidate: time.Minute}}
		w.gather(context.Background(), p, upTo(10)...)
		time.Sleep(2 * time.Second)
		w.serve = func(ctx context.Context, v int) (int, error) { return hold(ctx, 30*ms, 8, nil) }
		w.spawns.Store(0)
		got, took := w.gather(context.Background(), p, upTo(10)...)
		if took != 0 || got[9].out != 7 || got[9].source.State != gateway.Stale || time.Since(got[9].source.AsOf) != 2*time.Second || w.spawns.Load() != 2 {
			t.Errorf("after %v, %d goroutines: %+v", took, w.spawns.Load(), got[9])
		}
		w.behind.Wait() // two at a time, begun at 0, 30, 60 and 90 ms: eight
		if n := w.called(); n != 18 {
			t.Errorf("%d calls, want the first ten and eight more", n)
		}
		if got, _ = w.gather(context.Background(), p, 0); got[0].out != 8 || got[0].source.State != gateway.Cached {
			t.Errorf("after the refresh: %+v", got[0])
		}
	})
}

// Those that failed last are asked last: hotels that hang keep no place from the others.
func TestHangingInstancesKeepNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t, 12, InstanceConfig{Breaker: BreakerConfig{Consecutive: 1000, MinCalls: 1000}}, byVenue)
		w.serve = func(ctx context.Context, v int) (int, error) {
			if v < 4 {
				return hold(ctx, time.Hour, 0, nil)
			}
			return hold(ctx, 10*ms, v, nil)
		}
		p := Policy{Slice: 100 * ms, Parallel: 4}
		w.gather(context.Background(), p, upTo(12)...)
		w.behind.Wait()
		got, _ := w.gather(context.Background(), p, upTo(12)...)
		for v, g := range got {
			if v >= 4 && g.err != nil {
				t.Errorf("%d had to wait for those that hang: %v", v, g.err)
			}
		}
		w.behind.Wait()
	})
}

func TestGatherFallsBackWhereItMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t, 3, InstanceConfig{}, byVenue)
		p := Policy{Slice: 100 * ms, Cache: CachePolicy{Fresh: time.Second, StaleIfError: time.Minute}}
		w.gather(context.Background(), p, upTo(3)...)
		time.Sleep(2 * time.Second)
		w.serve = func(ctx context.Context, v int) (int, error) {
			switch v {
			case 0:
				return 0, errDown
			case 1:
				return hold(ctx, time.Hour, 0, nil)
			}
			return 0, Refuse("closed", nil)
		}
		got, _ := w.gather(context.Background(), p, upTo(3)...)
		for v, g := range got {
			if v < 2 && (g.err != nil || g.out != 7 || g.source.State != gateway.Stale) || v == 2 && WhyOf(g.err) != SaidNo {
				t.Errorf("%d: %+v", v, g)
			}
		}
		w.behind.Wait()
	})
}

// TestGatherHistories holds random gathers against what has to come of them: exactly what had arrived by the end.
func TestGatherHistories(t *testing.T) {
	for seed := range uint64(300) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { history(t, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

// history is one cold gather, whose instances each answer, refuse or fail after a time of their own. In no two of its
// moments does anything end together with the slice: those are odd, the slice is even.
func history(t *testing.T, random *rand.Rand) {
	n := 1 + random.IntN(40)
	w := newTown(t, n, InstanceConfig{}, byVenue)
	delays, fails := make([]time.Duration, n), make([]error, n)
	for v := range n {
		delays[v] = time.Duration(1+2*random.IntN(150)) * ms
		fails[v] = []error{nil, nil, nil, errDown, Refuse("closed", nil), NotSent(errDown)}[random.IntN(6)]
	}
	deaf := random.IntN(2) == 0
	w.serve = func(ctx context.Context, v int) (int, error) {
		if deaf {
			time.Sleep(delays[v])
			return v + 1, fails[v]
		}
		return hold(ctx, delays[v], v+1, fails[v])
	}
	slice, left := time.Duration(2+2*random.IntN(150))*ms, time.Duration(2+2*random.IntN(150))*ms
	p := Policy{Slice: slice, Parallel: n}
	if random.IntN(2) == 0 {
		p.Cache.Fresh = time.Minute
	}
	ctx, cancel := context.WithTimeout(context.Background(), left)
	defer cancel()
	args := random.Perm(n)
	got, took := w.gather(ctx, p, args...)
	end, last := min(slice, left), time.Duration(0)
	for i, v := range args {
		want, g := fails[v], got[i]
		last = max(last, delays[v])
		switch {
		case g.times != 1:
			t.Fatalf("%d landed %d times", v, g.times)
		case delays[v] > end:
			if WhyOf(g.err) != TimedOut || g.source.State != gateway.Missing {
				t.Fatalf("%d came after %v of %v: %+v", v, delays[v], end, g)
			}
		case !errors.Is(g.err, want) || WhyOf(g.err) != WhyOf(want) || want == nil && (g.out != v+1 || g.source.State != gateway.Live):
			t.Fatalf("%d came after %v of %v: %+v", v, delays[v], end, g)
		}
	}
	if took != min(end, last) {
		t.Fatalf("it took %v: the slice was %v, the last came after %v", took, end, last)
	}
	before := append([]came(nil), got...)
	w.behind.Wait()
	for i := range got {
		if got[i] != before[i] {
			t.Fatalf("%d was written after the end", i)
		}
	}
}

// A gather of what is known costs a handful of allocations in all, and no goroutine.
func TestWarmGatherCostsNothing(t *testing.T) {
	w := newTown(t, 200, InstanceConfig{}, byVenue)
	p := Policy{Slice: time.Minute, Cache: CachePolicy{Fresh: time.Hour}}
	args, got := upTo(200), 0
	many := Many[int]{At: w.venue, Go: w.spawn}
	land := func(_, out int, _ gateway.Source, err error) {
		if err == nil {
			got += out
		}
	}
	ask := func() { w.read.Gather(context.Background(), w.caller, many, p, time.Now(), args, land) }
	ask()
	w.behind.Wait()
	w.spawns.Store(0)
	n := testing.AllocsPerRun(200, ask)
	if n > 3 && !raceEnabled {
		t.Errorf("%.0f allocations for 200 items", n)
	}
	if w.spawns.Load() != 0 || w.called() != 200 || got != 7*200*202 {
		t.Errorf("%d goroutines, %d calls, %d", w.spawns.Load(), w.called(), got)
	}
}

// BenchmarkWarmGather: at most 0.5 µs an item.
func BenchmarkWarmGather(b *testing.B) {
	w := newTown(b, 200, InstanceConfig{}, byVenue)
	p := Policy{Slice: time.Minute, Cache: CachePolicy{Fresh: time.Hour}}
	args, many := upTo(200), Many[int]{At: w.venue, Go: w.spawn}
	land := func(int, int, gateway.Source, error) {}
	w.read.Gather(context.Background(), w.caller, many, p, time.Now(), args, land)
	w.behind.Wait()
	b.ReportAllocs()
	for b.Loop() {
		w.read.Gather(context.Background(), w.caller, many, p, time.Now(), args, land)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/200, "ns/item")
}
