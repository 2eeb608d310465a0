// Package ledger keeps what was promised: decisions committed in groups, durable before anybody is answered, in a SQL
// database that is the only truth.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/warmgate/warmgate/gateway/seal"
)

// Work is one item of a group commit.
type Work interface {
	// Apply decides and writes. It may run more than once, each time as if the runs before had not been. It waits for
	// nothing but the database. An error leaves the item out (its writes are undone), unless it is marked with Keep.
	Apply(tx *Tx) error
}

// Ledger commits decisions through one writer and reads beside it. Safe for concurrent use.
type Ledger struct {
	store Store
	cfg   Config
	keys  *seal.Keys
	log   *slog.Logger
	now   func() time.Time

	queue   queue
	behind  behind
	delays  delays // of those that somebody waits for
	scopes  scopes
	stats   recorder
	stop    context.CancelFunc // ends upkeep, and a Begin that waits
	written chan struct{}      // closed when the writer has ended
	upkept  sync.WaitGroup     // upkeep
}

// Open migrates the store, the engine's own tables first and then the sets in order, and starts the writer. The ledger
// owns the store from then on; after an error it is closed. now gives the time (time.Now outside of tests).
func Open(
	ctx context.Context, store Store, cfg Config, keys *seal.Keys, logger *slog.Logger, now func() time.Time,
	sets ...Migrations,
) (*Ledger, error) {
	l := &Ledger{}
	if err := l.Open(ctx, store, cfg, keys, logger, now, sets...); err != nil {
		return nil, err
	}
	return l, nil
}

// Open is the function Open for a ledger that others know already. It is called once, before anything else of l.
func (l *Ledger) Open(
	ctx context.Context, store Store, cfg Config, keys *seal.Keys, logger *slog.Logger, now func() time.Time,
	sets ...Migrations,
) error {
	if err := cfg.Validate(); err != nil {
		return errors.Join(err, store.Close())
	}
	if err := store.Migrate(ctx, append([]Migrations{EngineMigrations()}, sets...)...); err != nil {
		return errors.Join(fmt.Errorf("cannot open the ledger: %w", err), store.Close())
	}
	l.store, l.cfg, l.keys, l.log, l.now = store, cfg.withDefaults(), keys, logger, now
	l.queue.init(l.cfg.Queue, l.cfg.Linger)
	var life context.Context
	life, l.stop = context.WithCancel(context.WithoutCancel(ctx))
	l.written = make(chan struct{})
	w := &writer{l: l, ctx: life, tx: Tx{queue: &l.queue, scopes: &l.scopes}}
	go w.loop()
	l.upkept.Go(func() { l.upkeep(life) })
	if s, ok := store.(sole); ok && s.Sole() {
		l.scopes.begin(l.Now(), scopesKept)
		l.upkept.Go(func() { l.loadScopes(life) })
	}
	return nil
}

// Commit applies w in a group commit and waits for the flush. It returns
//   - nil when w is kept, durably;
//   - w's own error: it was left out, nothing of it is kept (or, marked with Keep, its writes are kept);
//   - ErrUnavailable: nothing was kept, because the ledger is closed, the queue is full, the database refuses (no
//     space, read-only), or ctx ended before the item was begun;
//   - ErrUnknown: the commit failed, or ctx ended while it was in flight; read again by key.
//
// Only after ErrUnknown may Apply still be running when Commit returns.
func (l *Ledger) Commit(ctx context.Context, w Work) error {
	_, err := l.commit(ctx, w)
	return err
}

// commit is Commit; isKept says that err is an outcome whose writes are kept.
func (l *Ledger) commit(ctx context.Context, w Work) (isKept bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, unavailable(err)
	}
	it := l.queue.item(w, isPatient(ctx))
	if err := l.queue.push(it); err != nil {
		l.stats.refused()
		return false, unavailable(err)
	}
	select {
	case <-it.done:
		isKept, err = it.isKept, it.err
		if now := time.Now(); !it.patient {
			l.delays.add(now.Sub(it.since)-it.flush, now)
		}
		l.queue.recycle(it)
		return isKept, err
	case <-ctx.Done():
	}
	// From here on the item is left to the garbage collector: the writer may still hold it.
	if it.state.CompareAndSwap(queued, withdrawn) {
		l.queue.withdrew(it)
		l.stats.withdrew()
		return false, unavailable(ctx.Err())
	}
	select {
	case <-it.done:
		return it.isKept, it.err
	default:
		return false, unknown(ctx.Err())
	}
}

// View runs f on a snapshot of what was committed, beside the writer, in a bounded pool; ctx bounds the wait for room
// and interrupts a query. f's error is returned as it is.
func (l *Ledger) View(ctx context.Context, f func(q Querier) error) error {
	return l.store.View(ctx, f)
}

// Keys returns the keys that personal fields are sealed and looked up with.
func (l *Ledger) Keys() *seal.Keys { return l.keys }

// Now returns the ledger's time, in UTC, with the precision that it stores: milliseconds.
func (l *Ledger) Now() time.Time { return l.now().UTC().Truncate(time.Millisecond) }

// Stats returns what the ledger counted since it was opened.
func (l *Ledger) Stats() Stats {
	s := l.stats.snapshot()
	s.Queue = l.queue.length()
	return s
}

// Close refuses new items, finishes those that wait and closes the store. Where the disk hangs it gives up after five
// seconds and leaves the store open.
func (l *Ledger) Close() error {
	l.queue.close(errClosed)
	defer l.stop()
	done := make(chan struct{})
	go func() {
		<-l.written
		l.stop()
		l.upkept.Wait()
		close(done)
	}()
	timer := time.NewTimer(closeWait)
	defer timer.Stop()
	select {
	case <-done:
		return l.store.Close()
	case <-timer.C:
		return fmt.Errorf("cannot close the ledger: a commit is still in flight after %v", closeWait)
	}
}

// errClosed is why a closed ledger refuses.
var errClosed = errors.New("it is closed")

// upkeep lets the store do its background work after commits, until life ends.
func (l *Ledger) upkeep(life context.Context) {
	ticker := time.NewTicker(l.cfg.Upkeep)
	defer ticker.Stop()
	var seen uint64
	failing := false
	for {
		select {
		case <-life.Done():
			return
		case <-ticker.C:
		}
		batches := l.stats.batches()
		if batches == seen {
			continue
		}
		up, err := l.store.Maintain(life)
		if err != nil {
			if !failing && life.Err() == nil {
				l.log.Warn("the ledger's checkpoint failed; it will be tried again", "error", err)
			}
			failing = true
			continue
		}
		failing, seen = false, batches
		l.stats.upkeep(up)
	}
}
