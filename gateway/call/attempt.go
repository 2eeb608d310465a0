package call

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"
)

// The state of a race between an attempt and its hedge.
const (
	raceOpen int32 = iota
	raceWon        // what lands now has lost: it says nothing to the breaker
	raceOver       // nobody won in time: what lands now is judged as any other
)

// attempt is one try of a bound function: deadline, bulkhead, breaker, transport and decode.
type attempt[A, O any] struct {
	*order[A, O]
	ctx   attemptContext
	whole bool          // it had its whole time-out: running into it speaks against the backend
	race  *atomic.Int32 // nil: there is none
	began time.Time

	passed bool // the breaker let it through
	out    O
	err    error
}

// run makes the attempt on the caller's goroutine and reports in t.out and t.err. The bound function must honour the
// deadline of its context; only a probe is left behind when it does not.
func (t *attempt[A, O]) run() {
	if !t.in.enter() {
		t.in.counters.bulkheadFull.Add(1)
		t.err = NotSent(fmt.Errorf("%w: %d attempts in flight", ErrBulkheadFull, t.in.cfg.MaxInFlight))
		return
	}
	_, err := t.in.guard().Execute(t.pass)
	if t.passed {
		return
	}
	t.in.leave()
	t.in.counters.breakerOpen.Add(1)
	t.err = NotSent(fmt.Errorf("%w: %w", ErrBreakerOpen, err))
}

// pass is what the breaker lets through.
func (t *attempt[A, O]) pass() (struct{}, error) {
	t.passed = true
	if t.in.half.Load() {
		return struct{}{}, t.probe()
	}
	return struct{}{}, t.fire()
}

// fire calls the bound function, gives the bulkhead's place back and returns the verdict for the breaker.
func (t *attempt[A, O]) fire() error {
	t.out, t.err = guarded(&t.ctx, t.f, t.arg)
	now := time.Now()
	_ = t.ctx.End(context.Canceled)
	t.in.leave()
	return t.judge(now)
}

// guarded turns a panic of f into an error: it must not end the process, nor leave others waiting.
func guarded[A, O any](ctx context.Context, f func(ctx context.Context, a A) (O, error), a A) (out O, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = newPanicError(v)
		}
	}()
	return f(ctx, a)
}

// judge counts the landing and says what it means to the breaker. Too slow is a failure, even with an answer.
func (t *attempt[A, O]) judge(now time.Time) error {
	c, verdict := t.classify(!now.Before(t.ctx.at))
	t.in.counters.landed(c, now.Sub(t.began))
	if t.race == nil {
		return t.tell(verdict, now)
	}
	answered := c == classOK || c == classRefused
	if answered && t.race.CompareAndSwap(raceOpen, raceWon) || t.race.Load() != raceWon {
		return t.tell(verdict, now)
	}
	t.in.counters.wasted.Add(1)
	return errExcluded
}

// tell keeps the row of failures.
func (t *attempt[A, O]) tell(verdict error, now time.Time) error {
	switch {
	case verdict == nil:
		t.in.row.success()
	case errors.Is(verdict, errFailed):
		t.in.row.failure(t.began, now, t.in.cfg.Breaker.Window)
	}
	return verdict
}

func (t *attempt[A, O]) classify(late bool) (class, error) {
	outcome := OutcomeOf(t.err)
	switch {
	case late && !t.whole:
		return classTimeout, errExcluded
	case late:
		return classTimeout, errFailed
	case outcome == Done:
		return classOK, nil
	case outcome == RefusedOutcome:
		return classRefused, nil
	case outcome == NotSentOutcome:
		return classNotSent, errFailed
	case isTimeout(t.err) && !t.whole:
		return classTimeout, errExcluded
	case isTimeout(t.err):
		return classTimeout, errFailed
	}
	return classFailed, errFailed
}

func isTimeout(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	n, ok := errors.AsType[net.Error](err)
	return ok && n.Timeout()
}

// probe makes the attempt with a hard end, so that a bound function which ignores its deadline cannot keep the breaker
// half open for ever. The bulkhead's place comes back when it lands.
func (t *attempt[A, O]) probe() error {
	if d := t.in.cfg.Breaker.ProbeTimeout; d > 0 && d < time.Until(t.ctx.at) {
		t.ctx.at, t.whole = time.Now().Add(d), true
	}
	p := &attempt[A, O]{order: t.order, began: t.began, whole: t.whole, race: t.race}
	p.ctx.at, p.ctx.trace = t.ctx.at, t.ctx.trace
	verdict := make(chan error, 1)
	go func() { verdict <- p.fire() }()
	timer := time.NewTimer(time.Until(t.ctx.at))
	defer timer.Stop()
	select {
	case v := <-verdict:
		t.out, t.err = p.out, p.err
		return v
	case <-timer.C:
	}
	t.err = fmt.Errorf("no answer to a probe: %w", context.DeadlineExceeded)
	if !t.whole {
		return errExcluded
	}
	return errFailed
}
