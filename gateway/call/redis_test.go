package call

import (
	"context"
	"crypto/rand"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/cache"
	"github.com/warmgate/warmgate/gateway/redis"
	"github.com/warmgate/warmgate/gateway/redis/redistest"
	"github.com/warmgate/warmgate/gateway/seal"
)

// replica is one gateway that shares a cache in a real Redis.
type replica struct {
	caller *Caller
	memory *cache.Cache
	shared *cache.Shared
	client *redis.Client
	b      *Bindings
	read   *Read[string, int]
	calls  atomic.Int64
	down   atomic.Bool
}

func newReplica(t *testing.T, s *redistest.Server, keys *seal.Keys) *replica {
	t.Helper()
	client, err := redis.Open(redis.Config{Addresses: []string{s.Address}, Timeout: 100 * ms,
		Breaker: redis.BreakerConfig{OpenFor: 100 * ms}}, redis.Credentials{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	memory, err := cache.New(cache.Config{})
	if err != nil {
		t.Fatal(err)
	}
	r := &replica{memory: memory, client: client, caller: NewCaller(memory, testKeys{}, 1)}
	if r.shared, err = cache.NewShared(client, keys, memory); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.shared.Close()
		client.Close()
		memory.Close()
	})
	r.read = NewRead("rooms.count", ReadSpec[string, int]{Key: func(k *Key, a string) { k.Text(a) }, Share: JSON[int]()})
	r.b = NewBindings(&gateway.Venue{ID: "west-lake", Tenant: "hangzhou"})
	BindRead(r.b, r.read, newInstance(t, "pms/west-lake", InstanceConfig{}), func(_ context.Context, a string) (int, error) {
		r.calls.Add(1)
		if r.down.Load() {
			return 0, errDown
		}
		return strconv.Atoi(a)
	})
	redistest.Await(t, "it hears", func() bool { return client.Stats().Subscribed })
	return r
}

func newSealKeys(t *testing.T) *seal.Keys {
	t.Helper()
	keys, err := seal.New(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// A cold replica answers with what another one has asked, its age kept, while the backend is down.
func TestColdReplicaWarmsFromRedis(t *testing.T) {
	s, keys := redistest.Start(t), newSealKeys(t)
	warm, cold := newReplica(t, s, keys), newReplica(t, s, keys)
	p := Policy{Slice: 3 * time.Second, Cache: CachePolicy{Fresh: time.Minute, SecondLevel: time.Second}}
	const many = 200
	asOf := map[string]time.Time{}
	for n := range many {
		a := strconv.Itoa(n)
		_, source, err := warm.read.Call(t.Context(), warm.caller, warm.b, p, a)
		if err != nil {
			t.Fatal(err)
		}
		asOf[a] = source.AsOf
	}
	redistest.Await(t, "all is written", func() bool { return warm.shared.Stats().Written == many })
	cold.down.Store(true)
	for n := range many {
		a := strconv.Itoa(n)
		o, source, err := cold.read.Call(t.Context(), cold.caller, cold.b, p, a)
		if err != nil || o != n || source.State != gateway.Cached || !source.AsOf.Equal(asOf[a].Truncate(time.Microsecond)) {
			t.Fatalf("%s: got %d, %+v, %v; asked at %v", a, o, source, err, asOf[a])
		}
	}
	if n := cold.calls.Load(); n != 0 {
		t.Errorf("the cold one has asked its backend %d times", n)
	}
	cold.down.Store(false)
	if err := warm.read.Forget(warm.caller, warm.b, "7"); err != nil {
		t.Fatal(err)
	}
	redistest.Await(t, "the other one has forgotten", func() bool { return cold.shared.Stats().Heard == 1 })
	if _, source, err := cold.read.Call(t.Context(), cold.caller, cold.b, p, "7"); err != nil || source.State != gateway.Live {
		t.Errorf("what was forgotten is still known: %+v, %v", source, err)
	}
}

// A cold replica gathers what another one has asked, its age kept, while the backend is down.
func TestColdReplicaGathersFromRedis(t *testing.T) {
	s, keys := redistest.Start(t), newSealKeys(t)
	warm, cold := newReplica(t, s, keys), newReplica(t, s, keys)
	const many = 50
	args := make([]string, many)
	for n := range args {
		args[n] = strconv.Itoa(n)
	}
	// No more at once than may ask Redis at once.
	p := Policy{Slice: 10 * time.Second, Parallel: 8, Cache: CachePolicy{Fresh: time.Minute, SecondLevel: 5 * time.Second}}
	gather := func(r *replica) (sources [many]gateway.Source) {
		var behind sync.WaitGroup
		at := Many[string]{At: func(string) (*Bindings, error) { return r.b, nil }, Go: behind.Go}
		r.read.Gather(t.Context(), r.caller, at, p, time.Now(), args, func(i, o int, source gateway.Source, err error) {
			if sources[i] = source; err != nil || o != i {
				t.Errorf("%d: got %d, %+v, %v", i, o, source, err)
			}
		})
		behind.Wait()
		return sources
	}
	asked := gather(warm)
	redistest.Await(t, "all is written", func() bool { return warm.shared.Stats().Written == many })
	cold.down.Store(true)
	for i, source := range gather(cold) {
		if source.State != gateway.Cached || !source.AsOf.Equal(asked[i].AsOf.Truncate(time.Microsecond)) {
			t.Errorf("%d: %+v; asked at %v", i, source, asked[i].AsOf)
		}
	}
	if n := cold.calls.Load(); n != 0 {
		t.Errorf("the cold one has asked its backend %d times", n)
	}
}

// Redis is killed, emptied, hangs and comes back in the middle of load: every answer is right and none waits for more than
// Redis's part, what waits for a server that hangs is no more than what is under way when it begins to, and afterwards
// Redis answers again.
func TestFaultsInTheMiddleOfLoad(t *testing.T) {
	s := redistest.Start(t)
	r := newReplica(t, s, newSealKeys(t))
	// Who waited on for a server that hangs would wait for the slice. How long the part is, to the millisecond, is shown
	// in virtual time: the machine may be busy.
	const workers, part, slice = 8, 20 * ms, 30 * time.Second
	p := Policy{Slice: slice, Cache: CachePolicy{Fresh: time.Minute, SecondLevel: part}}
	op, err := find[*bound[string, int]](r.b, r.read.name)
	if err != nil {
		t.Fatal(err)
	}
	var slowest, answers atomic.Int64
	stop := make(chan struct{})
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for n := w; ; n += workers {
				select {
				case <-stop:
					return
				default:
				}
				a := strconv.Itoa(n % 50)
				key, _ := r.read.key(r.caller, op, a)
				r.memory.Drop(key) // so that Redis is asked
				began := time.Now()
				o, _, err := r.read.Call(context.Background(), r.caller, r.b, p, a)
				for took := int64(time.Since(began)); ; {
					if old := slowest.Load(); took <= old || slowest.CompareAndSwap(old, took) {
						break
					}
				}
				if err != nil || o != n%50 {
					t.Errorf("%s: got %d, %v", a, o, err)
					return
				}
				answers.Add(1)
			}
		})
	}
	more := func(what string, n func() uint64) {
		t.Helper()
		before := n()
		redistest.Await(t, what, func() bool { return n() > before+100 })
	}
	hits := func() uint64 { return r.shared.Stats().Hits }
	unasked := func() uint64 { return r.shared.Stats().NotAsked }
	more("hits", hits)
	s.Flush()
	more("hits after it was emptied", hits)
	s.Kill()
	more("answers without asking", unasked)
	s.Restart()
	more("hits after the restart", hits)
	late := r.shared.Stats().Late
	s.Pause()
	more("answers without asking", unasked)
	more("and more", unasked)
	if waited := r.shared.Stats().Late - late; waited > 2*workers+3 {
		t.Errorf("%d requests have waited for a server that hangs", waited)
	}
	s.Resume()
	more("hits after it went on", hits)
	close(stop)
	all.Wait()
	t.Logf("%d answers, the slowest after %v; %+v", answers.Load(), time.Duration(slowest.Load()), r.shared.Stats())
	if slowest := time.Duration(slowest.Load()); slowest > slice/3 {
		t.Errorf("the slowest answer took %v", slowest)
	}
}
