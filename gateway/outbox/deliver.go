package outbox

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/warmgate/warmgate/gateway/ledger"
)

// errPanicked is what a panicking handler comes to. The panic's own value may hold personal data.
var errPanicked = errors.New("the handler panicked")

// deliver makes one attempt and books what came of it.
func (o *Outbox) deliver(m ledger.Message) {
	if m.Attempts > o.cfg.MaxAttempts { // every attempt so far ended with the process
		o.settle(m, Dead(fmt.Errorf("%d attempts have come to nothing", m.Attempts-1)))
		return
	}
	o.settle(m, o.attempt(m))
}

// attempt calls the handler under its time-out.
func (o *Outbox) attempt(m ledger.Message) (err error) {
	handle := o.handlers[m.Kind]
	if handle == nil {
		return fmt.Errorf("nothing here delivers messages of kind %q", m.Kind)
	}
	ctx, cancel := context.WithTimeout(o.life, o.cfg.AttemptTimeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			o.count(func(c *Counts) { c.Panicked++ })
			o.log.Error("a delivery panicked", "kind", m.Kind, "venue", m.Venue, "panic", fmt.Sprintf("%T", p),
				"stack", string(debug.Stack()))
			err = errPanicked
		}
	}()
	return handle(ctx, m)
}

// settle books an attempt. Where the ledger does not keep it the lease runs out and the message is delivered again.
func (o *Outbox) settle(m ledger.Message, failure error) {
	w := &settlement{message: m, dead: o.dead}
	if failure != nil {
		o.count(func(c *Counts) { c.Failed++ })
		w.failure = failure.Error()
		w.kill, w.next = o.verdict(m, IsDead(failure))
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(o.life), commitWait)
	defer cancel()
	err := o.ledger.Commit(ctx, w)
	switch {
	case err != nil:
		o.log.Warn("an attempt could not be booked; the message comes back when its lease ends", "kind", m.Kind,
			"venue", m.Venue, "attempts", m.Attempts, "error", err)
	case !w.changed: // another attempt has overtaken it
	case failure == nil:
		o.count(func(c *Counts) { c.Delivered++ })
	case w.kill:
		o.count(func(c *Counts) { c.Killed++ })
		o.log.Warn("a message is given up and handed to a person", "kind", m.Kind, "venue", m.Venue, "run", m.Run,
			"attempts", m.Attempts, "error", failure)
	default:
		o.log.Debug("a delivery failed and will be tried again", "kind", m.Kind, "venue", m.Venue, "run", m.Run,
			"attempts", m.Attempts, "error", failure)
	}
}

// verdict says whether a message that failed is given up, or else when it is tried again: after a back-off, and a last time
// when it is due.
func (o *Outbox) verdict(m ledger.Message, final bool) (kill bool, next time.Time) {
	now := o.ledger.Now()
	due := m.DueAt
	if due.IsZero() {
		due = m.QueuedAt.Add(o.cfg.GiveUpAfter)
	}
	if final || m.Attempts >= o.cfg.MaxAttempts || !now.Before(due) {
		return true, time.Time{}
	}
	if next = now.Add(o.backoff(m.Attempts)); next.After(due) {
		next = due
	}
	return false, next
}

// backoff is the wait after the n-th attempt: doubled each time up to the most, the upper half of it by chance, so that
// messages that failed together do not come back together.
func (o *Outbox) backoff(n int) time.Duration {
	d := o.cfg.BackoffMax
	if n <= 32 && o.cfg.BackoffMin<<(n-1) > 0 {
		d = min(d, o.cfg.BackoffMin<<(n-1))
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return d/2 + time.Duration(o.random.Int64N(int64(d/2)+1))
}

func (o *Outbox) count(f func(*Counts)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f(&o.counts)
}

// settlement is the commit that books an attempt.
type settlement struct {
	message ledger.Message
	failure string // "": delivered
	kill    bool
	next    time.Time
	dead    DeadLetter
	changed bool
}

// Apply books the attempt; a message that is given up gets its assist with it.
func (w *settlement) Apply(tx *ledger.Tx) (err error) {
	switch {
	case w.failure == "":
		w.changed, err = tx.FinishMessage(w.message)
	case !w.kill:
		w.changed, err = tx.RetryMessage(w.message, w.next, w.failure)
	default:
		if w.changed, err = tx.KillMessage(w.message, w.failure); w.changed && err == nil {
			err = w.dead(tx, w.message, w.failure)
		}
	}
	return err
}

// String names the work in the ledger's log lines.
func (w *settlement) String() string { return "outbox settlement of " + w.message.Kind }
