package limit

import (
	"encoding/base64"
	"sync"
	"sync/atomic"
	"time"
)

// Hasher makes keyed hashes; *seal.Keys is one. Safe for concurrent use.
type Hasher interface {
	Hash(domain string, parts ...[]byte) [32]byte
}

const nameBytes = 16 // of the keyed hash

// sums are what this process has let through, by key, and the other replicas do not know of yet. Safe for concurrent use.
type sums struct {
	capacity int // of one shard; what is over it is not told
	untold   atomic.Uint64
	told     time.Time // when the last exchange went well; the exchange's alone
	shard    [shards]sumShard
}

type sumShard struct {
	mu sync.Mutex
	m  map[Key]*sum
}

type sum struct {
	name string // by which the other replicas know the key
	n    int64
}

func newSums(keys int, start time.Time) *sums {
	setDefault(&keys, defaultKeys)
	s := &sums{capacity: max(1, keys/shards), told: start}
	for i := range s.shard {
		s.shard[i].m = make(map[Key]*sum)
	}
	return s
}

func (s *sums) of(k Key) *sumShard { return &s.shard[uint64(k)>>32%shards] }

// add counts one request of k, which l has let through under p.
func (s *sums) add(k Key, l *Limiter, p *policy, who *Who) {
	shard := s.of(k)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	one := shard.m[k]
	if one == nil {
		if len(shard.m) >= s.capacity {
			s.untold.Add(1)
			return
		}
		one = &sum{name: l.name(p, who)}
		shard.m[k] = one
	}
	one.n++
}

// name is how all replicas with the same hash call who under p.
func (l *Limiter) name(p *policy, who *Who) string {
	parts := [][]byte{[]byte(p.name)}
	switch p.scope {
	case ByAddress:
		b, n := subscriber(who.Address)
		parts = append(parts, b[:n])
	case ByPrincipal:
		parts = append(parts, []byte(who.Principal.Tenant), []byte(who.Principal.Issuer), []byte(who.Principal.Subject))
	case ByVenue:
		parts = append(parts, []byte(who.Venue.ID))
	}
	h := l.hash.Hash("limit", parts...)
	return base64.RawURLEncoding.EncodeToString(h[:nameBytes])
}

// told is one sum on its way to the others.
type told struct {
	key  Key
	name string
	n    int64
}

// take takes at most limit sums, and forgets keys that have been quiet since the last time.
func (s *sums) take(limit int) (all []told) {
	for i := range s.shard {
		shard := &s.shard[i]
		shard.mu.Lock()
		for k, one := range shard.m {
			switch {
			case one.n == 0:
				delete(shard.m, k)
			case len(all) < limit:
				all = append(all, told{k, one.name, one.n})
				one.n = 0
			}
		}
		shard.mu.Unlock()
	}
	return all
}

// giveBack counts again what could not be told.
func (s *sums) giveBack(all []told) {
	for _, t := range all {
		shard := s.of(t.key)
		shard.mu.Lock()
		if one := shard.m[t.key]; one != nil { // take alone removes keys, and it is the exchange's
			one.n += t.n
		}
		shard.mu.Unlock()
	}
}

// since returns what was let through since take.
func (s *sums) since(k Key) int64 {
	shard := s.of(k)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if one := shard.m[k]; one != nil {
		return one.n
	}
	return 0
}
