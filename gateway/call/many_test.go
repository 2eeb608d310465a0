package call

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmgate/warmgate/gateway"
)

// manyInstances is how many outside systems a city may have.
const manyInstances = 10_000

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// An instance that nobody calls, with its venue's bindings, costs little memory and no goroutine; one that has been
// called has a breaker as well.
func TestManyInstancesCostLittle(t *testing.T) {
	read := NewRead("rooms.free", byVenue)
	logger := slog.New(slog.DiscardHandler)
	goroutines, before := runtime.NumGoroutine(), heap()
	ins, at := make([]*Instance, manyInstances), make([]*Bindings, manyInstances)
	for i := range ins {
		name := fmt.Sprint("hotel-", i)
		in, err := NewInstance("pms/"+name, "pms", InstanceConfig{}, logger)
		if err != nil {
			t.Fatal(err)
		}
		b := NewBindings(&gateway.Venue{ID: name, Tenant: "hangzhou"})
		BindRead(b, read, in, func(context.Context, int) (int, error) { return 1, nil })
		ins[i], at[i] = in, b
	}
	idle := (heap() - before) / manyInstances
	w := &town{caller: NewCaller(nil, testKeys{}, 1), ins: ins, at: at, read: read}
	if got, _ := w.gather(context.Background(), Policy{Slice: 20 * time.Second}, upTo(manyInstances)...); got[manyInstances-1].out != 1 {
		t.Fatalf("got %+v", got[manyInstances-1])
	}
	w.behind.Wait()
	used := (heap() - before) / manyInstances
	t.Logf("%d bytes idle, %d used", idle, used)
	if idle > 1536 || used > 2560 {
		t.Errorf("%d bytes idle, at most 1,536; %d used, at most 2,560", idle, used)
	}
	if n := runtime.NumGoroutine() - goroutines; n > 2 {
		t.Errorf("%d goroutines for %d instances", n, manyInstances)
	}
	runtime.KeepAlive(at)
}

// All gatherings together make a bounded number of calls at once, and each goes on.
func TestGatheringsAreBoundedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t, 1000, InstanceConfig{}, ReadSpec[int, int]{}) // nothing is shared
		now, most, answers := atomic.Int64{}, atomic.Int64{}, atomic.Int64{}
		w.serve = func(ctx context.Context, v int) (int, error) {
			n := now.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			defer now.Add(-1)
			return hold(ctx, 30*ms, v, nil)
		}
		const crowd = 20
		var asking sync.WaitGroup
		for range crowd {
			asking.Go(func() {
				got, _ := w.gather(context.Background(), Policy{Slice: 100 * ms, Parallel: 1000}, upTo(1000)...)
				own := int64(0)
				for _, g := range got {
					if g.err == nil {
						own++
					}
				}
				if answers.Add(own); own < 3 {
					t.Errorf("a gathering got %d answers: its first runner alone has time for 3", own)
				}
			})
		}
		asking.Wait()
		w.behind.Wait()
		if n := most.Load(); n < maxRunners || n > maxRunners+crowd {
			t.Errorf("%d calls at once, want %d and at most one for each of %d more", n, maxRunners, crowd)
		}
		// A place that one gathering leaves is taken once a runner of another looks again: of three rounds two are full.
		if n := w.caller.runners.Load(); n != 0 || answers.Load() < 2*maxRunners {
			t.Errorf("%d runners are left; %d answers", n, answers.Load())
		}
	})
}

// One instance that comes and goes changes nothing for its neighbours: no call of theirs fails, waits or is left out, and
// their breakers stay closed.
func TestAFlappingInstanceIsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t, 30, InstanceConfig{MaxInFlight: 2, Breaker: BreakerConfig{OpenFor: 300 * ms, Window: time.Second, Bucket: 100 * ms}}, byVenue)
		down := func() bool { return time.Now().UnixMilli()/500%2 == 0 }
		w.serve = func(ctx context.Context, v int) (int, error) {
			switch {
			case v != 0 || !down():
				return hold(ctx, 5*ms, v+1, nil)
			case time.Now().UnixMilli()%3 == 0:
				return hold(ctx, time.Hour, 0, nil)
			}
			return 0, errDown
		}
		seen := map[Why]int{}
		for range 400 {
			got, took := w.gather(context.Background(), Policy{Slice: 20 * ms, Parallel: 12}, upTo(30)...)
			seen[WhyOf(got[0].err)]++
			for v, g := range got[1:] {
				if g.err != nil || g.out != v+2 {
					t.Fatalf("%d: %+v", v+1, g)
				}
			}
			if took > 20*ms {
				t.Fatalf("it took %v", took)
			}
			time.Sleep(3 * ms)
		}
		w.behind.Wait()
		if seen[Here] == 0 || seen[BreakerOpen] == 0 || seen[Failed] == 0 || w.ins[0].Stats().Opened < 2 {
			t.Errorf("it did not flap: %v", seen)
		}
		for v, in := range w.ins[1:] {
			if s := in.Stats(); s.Opened+s.Failed+s.Timeouts+s.BreakerOpen+s.BulkheadFull+s.TooLate > 0 {
				t.Errorf("%d: %+v", v+1, s)
			}
		}
	})
}
