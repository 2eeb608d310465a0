package call

import (
	"sync"
	"sync/atomic"
	"time"
)

// row counts failures in a row. Attempts that were under way together when the backend, the network or this machine
// stalled fail together, and are one failure of the row: the next one has to begin after it. Without that, a hiccup of
// a tenth of a second under load would shut the instance for seconds. Safe for concurrent use.
type row struct {
	n    atomic.Int64
	mu   sync.Mutex
	last time.Time // when the last counted failure ended; guarded by mu

	since time.Time // of the first failure that no pause of a window lies behind; guarded by mu
	until time.Time // of the last one; guarded by mu
}

// lasts reports whether there have been failures for so long.
func (r *row) lasts(d time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.until.Sub(r.since) >= d
}

// success ends the row.
func (r *row) success() {
	if r.n.Load() != 0 {
		r.mu.Lock()
		r.n.Store(0)
		r.mu.Unlock()
	}
}

// failure counts an attempt that began and ended then, unless it was under way with one that is counted. What is older
// than window is forgotten.
func (r *row) failure(began, ended time.Time, window time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ended.Sub(r.last) > window {
		r.n.Store(0)
	}
	if ended.Sub(r.until) > window {
		r.since = ended
	}
	r.until = ended
	if r.n.Load() == 0 || !began.Before(r.last) {
		r.n.Add(1)
		r.last = ended
	}
}

// failsNow reports whether the last attempt has failed.
func (in *Instance) failsNow() bool { return in.row.n.Load() > 0 }
