package limit

import (
	"sync"
	"time"
)

const (
	shards       = 16 // a power of two
	sweepOnEntry = 4  // keys looked at, at random, for each new key
	sweepOnFull  = 16
)

// Table counts requests of one rate by key: the generic cell rate algorithm (ITU-T I.371), which is a token bucket
// that keeps one number per key, the theoretical arrival time. Memory is bounded: an idle key is forgotten (it has its
// whole burst again anyhow), and where all are busy the one nearest to idle is. Safe for concurrent use.
type Table struct {
	interval time.Duration // between two requests in the long run, rounded up so that the rate is never exceeded
	window   time.Duration // in which a whole burst is earned again
	epoch    time.Time     // arrival times are kept relative to it, so that a monotonic clock stays one
	capacity int           // of one shard
	shard    [shards]shard
}

type shard struct {
	mu       sync.Mutex
	arrivals map[Key]time.Duration
}

// Result says how a key stands after a request.
type Result struct {
	Allowed   bool
	Remaining int           // requests that it could make at once
	Reset     time.Duration // until its whole burst is there again; > 0
	Retry     time.Duration // until its next request passes; 0 where this one did
}

// NewTable returns a table for a valid rate that remembers about keys keys (0: 65536). Start is the present by the
// clock whose times Take will be given.
func NewTable(r Rate, keys int, start time.Time) *Table {
	setDefault(&keys, defaultKeys)
	n := time.Duration(r.Requests)
	interval := (r.Per + n - 1) / n
	t := &Table{interval: interval, window: interval * time.Duration(r.Burst), epoch: start,
		capacity: max(1, keys/shards)}
	for i := range t.shard {
		t.shard[i].arrivals = make(map[Key]time.Duration)
	}
	return t
}

// Take counts one request of k at now; one that is refused costs nothing.
func (t *Table) Take(k Key, now time.Time) Result {
	s := &t.shard[uint64(k)>>32%shards]
	at := now.Sub(t.epoch)
	s.mu.Lock()
	defer s.mu.Unlock()
	arrival, known := s.arrivals[k]
	arrival = max(arrival, at)
	if !known {
		arrival = at
	}
	next := arrival + t.interval
	if next-at > t.window {
		return Result{Reset: arrival - at, Retry: next - at - t.window}
	}
	if !known {
		s.makeRoom(at, t.capacity)
	}
	s.arrivals[k] = next
	return Result{Allowed: true, Remaining: int((t.window - (next - at)) / t.interval), Reset: next - at}
}

// makeRoom forgets idle keys and leaves room for one more. A map is walked from a random place, so each call looks at
// other keys.
func (s *shard) makeRoom(at time.Duration, capacity int) {
	look := sweepOnEntry
	if len(s.arrivals) >= capacity {
		look = sweepOnFull
	}
	var idlest Key
	earliest := time.Duration(1<<63 - 1)
	for k, arrival := range s.arrivals {
		if arrival <= at {
			delete(s.arrivals, k)
		} else if arrival < earliest {
			idlest, earliest = k, arrival
		}
		if look--; look == 0 {
			break
		}
	}
	if len(s.arrivals) >= capacity {
		delete(s.arrivals, idlest)
	}
}

// outstanding returns how many requests of k are not wholly earned back at now.
func (t *Table) outstanding(k Key, now time.Time) int64 {
	s := &t.shard[uint64(k)>>32%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	return int64((max(0, s.arrivals[k]-now.Sub(t.epoch)) + t.interval - 1) / t.interval)
}

// settle takes over what k owes at now by all that is known elsewhere, beside whatever it owes here.
func (t *Table) settle(k Key, debt time.Duration, now time.Time) {
	s := &t.shard[uint64(k)>>32%shards]
	at := now.Sub(t.epoch)
	s.mu.Lock()
	defer s.mu.Unlock()
	arrival, known := s.arrivals[k]
	if arrival >= at+debt || debt <= 0 {
		return
	}
	if !known {
		s.makeRoom(at, t.capacity)
	}
	s.arrivals[k] = at + debt
}
