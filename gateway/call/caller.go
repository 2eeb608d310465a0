package call

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/cache"
)

// Caller is what all calls of a process share: the cache, the calls under way and the keys of their identities.
// Safe for concurrent use.
type Caller struct {
	cache   *cache.Cache
	keys    Hasher
	pool    sync.Pool // of *Key
	wides   sync.Pool // of *wide
	flights [16]flightShard
	runners atomic.Int64 // goroutines that make the calls of gatherings
	hash    maphash.Seed
	seed    uint64
	drawn   atomic.Uint64
}

// NewCaller makes a Caller. The cache may be nil: then nothing is kept, calls under way are still shared. keys hashes
// the personal parts of identities. The same seed gives the same sequence of back-off pauses.
func NewCaller(c *cache.Cache, keys Hasher, seed uint64) *Caller {
	return &Caller{cache: c, keys: keys, seed: seed, hash: maphash.MakeSeed(), pool: sync.Pool{New: func() any { return new(Key) }}}
}

// jitter draws a pause of half to the whole of most, by splitmix64 over a counter: no lock, and the seed decides it.
func (c *Caller) jitter(most time.Duration) time.Duration {
	if most <= 1 {
		return most
	}
	x := c.seed + c.drawn.Add(1)*0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	x ^= x >> 31
	half := most / 2
	return most - time.Duration(x%uint64(half+1))
}

func (c *Caller) lookup(key string) *cache.Entry {
	if c.cache == nil {
		return nil
	}
	e, _ := c.cache.Get(key)
	return e
}

// flightShard is a part of the table of calls under way, by their key.
type flightShard struct {
	mu sync.Mutex
	m  map[string]any // *flight[O]
}

// flight is one call that several may wait for. done is made when the first one does.
type flight[O any] struct {
	done chan struct{}
	landed[O]
}

// landed is what a call came to.
type landed[O any] struct {
	out  O
	asOf time.Time
	from gateway.State // live, or what the second level's answer is called
	err  error
}

func (c *Caller) shard(key string) *flightShard {
	return &c.flights[maphash.String(c.hash, key)%uint64(len(c.flights))]
}

// join returns the flight of key, to wait for. With lead it begins one where there is none, and the caller has to end
// it; with wait the caller will also wait for its end.
func join[O any](c *Caller, key string, lead, wait bool) (f *flight[O], leads bool) {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	return joinAt[O](s, key, lead, wait)
}

// joinAt is join for who holds s.mu.
func joinAt[O any](s *flightShard, key string, lead, wait bool) (f *flight[O], leads bool) {
	if f, ok := s.m[key].(*flight[O]); ok {
		if f.done == nil {
			f.done = make(chan struct{})
		}
		return f, false
	}
	if !lead {
		return nil, false
	}
	if s.m == nil {
		s.m = make(map[string]any)
	}
	f = &flight[O]{landed: landed[O]{from: gateway.Live}}
	if wait {
		f.done = make(chan struct{})
	}
	s.m[key] = f
	return f, true
}

// end lets those who wait for f go on; whoever comes from now on begins anew.
func (f *flight[O]) end(c *Caller, key string) {
	s := c.shard(key)
	s.mu.Lock()
	if s.m[key] == any(f) {
		delete(s.m, key)
	}
	done := f.done
	s.mu.Unlock()
	if done != nil {
		close(done)
	}
}

// overtake lets whoever comes from now on begin anew, and who waits for what is under way go on waiting.
func (c *Caller) overtake(key string) {
	s := c.shard(key)
	s.mu.Lock()
	delete(s.m, key)
	s.mu.Unlock()
}
