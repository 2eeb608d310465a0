package ledger

import (
	"context"
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

func (b *behind) find(name string) chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.kept[name]
}

// CommitBehind keeps w behind an answer: it never waits, and w takes part in the next group commit that somebody waits
// for, or in one of its own after the time that the configuration says (Linger). It is for what can be found out again,
// should the process die before. Items are applied in the order in which they were queued, whoever waits for them. then is
// told what Commit would have returned, once, from the writer's goroutine or at once from this one; it may be nil and must
// not wait. Who reads by one of the names waits with Settled first.
func (l *Ledger) CommitBehind(w Work, then func(error), names ...string) {
	end := l.behind.begin(names)
	it := &item{work: w, then: func(err error) {
		end()
		if then != nil {
			then(err)
		}
	}}
	if err := l.queue.push(it); err != nil {
		l.stats.refused()
		it.then(unavailable(err))
	}
}

// Settled returns once nothing that was queued by CommitBehind under the name is on its way any more, or with ctx's error
// where that ends first.
func (l *Ledger) Settled(ctx context.Context, name string) error {
	known := l.behind.find(name)
	if known == nil {
		return nil
	}
	select {
	case <-known:
		return nil
	case <-ctx.Done():
		return unavailable(ctx.Err())
	}
}
