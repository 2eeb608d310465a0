package call

import (
	"sync/atomic"
	"time"
)

// latencyBounds are the upper ends of the histogram's buckets; a last one holds what is slower.
var latencyBounds = [...]time.Duration{
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond,
	50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond, time.Second,
	2500 * time.Millisecond, 5 * time.Second,
}

// class is how an attempt ended.
type class uint8

const (
	classOK class = iota
	classRefused
	classTimeout
	classNotSent
	classFailed
	classes
)

// counters are an instance's, all monotonic, written without a lock.
type counters struct {
	ended                             [classes]atomic.Uint64
	latency                           [len(latencyBounds) + 1]atomic.Uint64
	latencySum                        atomic.Int64 // nanoseconds
	breakerOpen, bulkheadFull, late   atomic.Uint64
	hedges, wasted, retries, denied   atomic.Uint64
	coalesced, hits, stale, refreshes atomic.Uint64
	opened                            atomic.Uint64
}

// Stats is what an instance has done since it was made, for the second listener. Counts only grow.
type Stats struct {
	Name, System string
	Breaker      string // "closed", "half-open", "open"
	InFlight     int64  // attempts that have not landed, losing hedges included
	MaxInFlight  int

	OK, Refused, Timeouts, NotSent, Failed uint64 // attempts by how they ended; NotSent: said so by the client
	BreakerOpen, BulkheadFull, TooLate     uint64 // attempts that were not started
	Opened                                 uint64 // times that the breaker opened
	Hedges, Wasted, Retries                uint64 // extra attempts; Wasted: landed after another one had won
	BudgetDenied                           uint64 // extra attempts that the budget did not allow
	Coalesced                              uint64 // calls that waited for another's attempt
	CacheHits, StaleAnswers, Refreshes     uint64 // answers from the cache, stale ones, and reads behind an answer

	Latency    []Bucket      // of all attempts that were sent
	LatencySum time.Duration // of the same
}

// Bucket counts the attempts that took at most UpTo and are in no smaller bucket; UpTo 0 is the last one, of all the rest.
type Bucket struct {
	UpTo  time.Duration
	Count uint64
}

// Stats returns a snapshot. Single counts are exact, together they may be an instant apart.
func (in *Instance) Stats() Stats {
	n := &in.counters
	s := Stats{
		Name: in.name, System: in.system, Breaker: in.state(),
		InFlight: in.inFlight.Load(), MaxInFlight: in.cfg.MaxInFlight,
		OK: n.ended[classOK].Load(), Refused: n.ended[classRefused].Load(), Timeouts: n.ended[classTimeout].Load(),
		NotSent: n.ended[classNotSent].Load(), Failed: n.ended[classFailed].Load(),
		BreakerOpen: n.breakerOpen.Load(), BulkheadFull: n.bulkheadFull.Load(), TooLate: n.late.Load(),
		Opened: n.opened.Load(), Hedges: n.hedges.Load(), Wasted: n.wasted.Load(), Retries: n.retries.Load(),
		BudgetDenied: n.denied.Load(), Coalesced: n.coalesced.Load(),
		CacheHits: n.hits.Load(), StaleAnswers: n.stale.Load(), Refreshes: n.refreshes.Load(),
		Latency: make([]Bucket, len(n.latency)), LatencySum: time.Duration(n.latencySum.Load()),
	}
	for i := range s.Latency {
		if i < len(latencyBounds) {
			s.Latency[i].UpTo = latencyBounds[i]
		}
		s.Latency[i].Count = n.latency[i].Load()
	}
	return s
}

// Add adds what another instance has done to s, which then has no name: a sum.
func (s *Stats) Add(o *Stats) {
	s.InFlight, s.MaxInFlight = s.InFlight+o.InFlight, s.MaxInFlight+o.MaxInFlight
	for _, n := range []struct{ sum, more *uint64 }{
		{&s.OK, &o.OK}, {&s.Refused, &o.Refused}, {&s.Timeouts, &o.Timeouts}, {&s.NotSent, &o.NotSent}, {&s.Failed, &o.Failed},
		{&s.BreakerOpen, &o.BreakerOpen}, {&s.BulkheadFull, &o.BulkheadFull}, {&s.TooLate, &o.TooLate}, {&s.Opened, &o.Opened},
		{&s.Hedges, &o.Hedges}, {&s.Wasted, &o.Wasted}, {&s.Retries, &o.Retries}, {&s.BudgetDenied, &o.BudgetDenied},
		{&s.Coalesced, &o.Coalesced}, {&s.CacheHits, &o.CacheHits}, {&s.StaleAnswers, &o.StaleAnswers}, {&s.Refreshes, &o.Refreshes},
	} {
		*n.sum += *n.more
	}
	if s.Latency == nil {
		s.Latency = make([]Bucket, len(o.Latency))
	}
	for i, b := range o.Latency {
		s.Latency[i].UpTo = b.UpTo
		s.Latency[i].Count += b.Count
	}
	s.LatencySum += o.LatencySum
}

// landed counts one attempt that was sent.
func (n *counters) landed(c class, took time.Duration) {
	i := 0
	for i < len(latencyBounds) && took > latencyBounds[i] {
		i++
	}
	n.ended[c].Add(1)
	n.latency[i].Add(1)
	n.latencySum.Add(int64(took))
}
