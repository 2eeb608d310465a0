package ledger

import (
	"sync"
	"time"
)

// Stats is what a ledger counted since it was opened.
type Stats struct {
	Queue     int           // items waiting now
	InFlight  time.Duration // how long the group commit at hand has taken so far; 0: none is
	Down      bool          // the last group commit was refused by the database, or its outcome is unknown; until the next succeeds
	Batches   uint64        // group commits flushed
	Items     uint64        // items in them, kept or refused without a change
	LeftOut   uint64        // items left out because they failed
	Reruns    uint64        // groups run again because of them
	Failed    uint64        // items told "unavailable" or "unknown" by the database
	Refused   uint64        // items refused at the queue
	Withdrawn uint64        // items whose callers left before they were begun
	Sizes     Histogram     // items in a group commit
	Flushes   Histogram     // seconds that a commit took
	WALBytes  int64         // at the last upkeep
}

// Histogram counts values into buckets. Bounds are the buckets' upper ends, inclusive; Counts has one bucket more, for
// what is above.
type Histogram struct {
	Bounds []float64
	Counts []uint64
	Sum    float64
}

// sizeBounds and flushBounds are the bounds of the two histograms. They are never changed.
var (
	sizeBounds  = []float64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024}
	flushBounds = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1}
)

// add counts v.
func (h *Histogram) add(bounds []float64, v float64) {
	if h.Counts == nil {
		h.Bounds, h.Counts = bounds, make([]uint64, len(bounds)+1)
	}
	i := 0
	for i < len(bounds) && v > bounds[i] {
		i++
	}
	h.Counts[i]++
	h.Sum += v
}

// clone returns a copy that shares nothing that changes.
func (h Histogram) clone() Histogram {
	h.Counts = append([]uint64(nil), h.Counts...)
	return h
}

// recorder keeps the stats.
type recorder struct {
	mu    sync.Mutex
	s     Stats
	began time.Time // of the group at hand; zero: none
}

// begin notes that a group is at hand.
func (r *recorder) begin() {
	r.mu.Lock()
	r.began = time.Now()
	r.mu.Unlock()
}

// end notes that it was answered, or is about to be: down says that the database refused it.
func (r *recorder) end(down bool) {
	r.mu.Lock()
	r.began, r.s.Down = time.Time{}, down
	r.mu.Unlock()
}

func (r *recorder) flushed(items, left, runs int, took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.s.Batches++
	r.s.Items += uint64(items)
	r.s.LeftOut += uint64(left)
	r.s.Reruns += uint64(runs)
	r.s.Sizes.add(sizeBounds, float64(items))
	r.s.Flushes.add(flushBounds, took.Seconds())
}

func (r *recorder) failed(items int) {
	r.mu.Lock()
	r.s.Failed += uint64(items)
	r.mu.Unlock()
}

func (r *recorder) refused() {
	r.mu.Lock()
	r.s.Refused++
	r.mu.Unlock()
}

func (r *recorder) withdrew() {
	r.mu.Lock()
	r.s.Withdrawn++
	r.mu.Unlock()
}

func (r *recorder) upkeep(u Upkeep) {
	r.mu.Lock()
	r.s.WALBytes = u.WALBytes
	r.mu.Unlock()
}

func (r *recorder) batches() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.s.Batches
}

func (r *recorder) snapshot() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.s
	if !r.began.IsZero() {
		s.InFlight = time.Since(r.began)
	}
	s.Sizes, s.Flushes = s.Sizes.clone(), s.Flushes.clone()
	return s
}
