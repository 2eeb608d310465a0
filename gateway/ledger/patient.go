package ledger

import (
	"context"
	"sync"
	"time"
)

// patientKey is the key of what Patient leaves in a context.
type patientKey struct{}

// Patient returns a context for what no person and no car waits for, such as a delivery: a commit under it lets every commit
// go first that is not, as far as they wait together. It is never passed over: each group commit has room for some.
func Patient(ctx context.Context) context.Context { return context.WithValue(ctx, patientKey{}, true) }

// isPatient reports whether ctx comes from Patient.
func isPatient(ctx context.Context) bool {
	is, _ := ctx.Value(patientKey{}).(bool)
	return is
}

// Waited returns how long commits that somebody waits for have lately taken besides their flush, on average; 0 where none has
// ended for a tenth of a second. Where this grows the writer or the processors have too much to do, and whatever may wait
// had better be left for later.
func (l *Ledger) Waited() time.Duration { return l.delays.lately(time.Now()) }

// What a mean of delays forgets: one part of delaysShare with each wait, and everything once none has come for delaysAge.
const (
	delaysShare = 8
	delaysAge   = 100 * time.Millisecond
)

// delays is a running mean of how long items have waited.
type delays struct {
	mu   sync.Mutex
	mean time.Duration
	last time.Time
}

// add counts a wait that ends now.
func (d *delays) add(waited time.Duration, now time.Time) {
	mean := d.lately(now)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mean, d.last = mean+(max(waited, 1)-mean)/delaysShare, now
}

// lately returns the mean, as long as it is of account.
func (d *delays) lately(now time.Time) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	if now.Sub(d.last) > delaysAge {
		return 0
	}
	return max(d.mean, 1)
}
