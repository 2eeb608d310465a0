package ledger

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
)

// behind knows what is being kept behind answers, by the names of what it is about.
type behind struct {
	mu   sync.Mutex
	kept map[string]chan struct{} // closed once the fate of what was queued under the name is known
}

// begin enters an item under its names; the function that it returns takes it out again.
func (b *behind) begin(names []string) (end func()) {
	known := make(chan struct{})
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.kept == nil {
		b.kept = map[string]chan struct{}{}
	}
	for _, name := range names {
		b.kept[name] = known
	}
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, name := range names {
			if b.kept[name] == known {
				delete(b.kept, name)
			}
		}
		close(known)
	}
}

// find returns what is waited for under the name; "" is everything.
func (b *behind) find(name string) (known []chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if name == "" {
		return slices.Collect(maps.Values(b.kept))
	}
	if c := b.kept[name]; c != nil {
		known = append(known, c)
	}
	return known
}

// CommitBehind keeps w behind an answer. It never waits: w lies beside until the time that the configuration says is over
// (Linger), until somebody asks for it (Settled), or until a decision meets one of its names (see catchUp), and then goes
// with the group at hand. It is for what can be found out again, should the process die before. then is told what Commit
// would have returned, once, from the writer's goroutine or at once from this one; it may be nil and must not wait.
func (l *Ledger) CommitBehind(w Work, then func(error), names ...string) {
	end := l.behind.begin(names)
	it := &item{work: w, names: names, then: func(err error) {
		end()
		if then != nil {
			then(err)
		}
	}}
	if err := l.queue.lay(it); err != nil {
		l.stats.refused()
		it.then(unavailable(err))
	}
}

// Settled returns once nothing that was laid beside under the name is on its way any more, or with ErrUnavailable where ctx
// ends first. Whoever reads with View what may have been kept behind an answer calls it before. The empty name stands for
// everything.
func (l *Ledger) Settled(ctx context.Context, name string) error {
	known := l.behind.find(name)
	if len(known) == 0 {
		return nil
	}
	l.queue.hurry(name)
	for _, c := range known {
		select {
		case <-c:
		case <-ctx.Done():
			return unavailable(ctx.Err())
		}
	}
	return nil
}

// errCatchUp makes the writer run its group again, with what lies beside in front.
var errCatchUp = errors.New("what the decision has met is being kept behind an answer")

// catchUp fails the item at hand where something lies beside under the name: a decision must not go by a row that is about
// to change although its change was told.
func catchUp(q Querier, name string) error {
	if tx, ok := q.(*Tx); ok && tx.queue != nil && tx.queue.lies(name) {
		return tx.note(errCatchUp)
	}
	return nil
}
