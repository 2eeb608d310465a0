package call

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/warmgate/warmgate/gateway/cache"
)

// order is what is asked, of whom, under which policy and until when.
type order[A, O any] struct {
	c        *Caller
	in       *Instance
	f        func(ctx context.Context, a A) (O, error)
	arg      A
	policy   Policy // normal
	trace    *trace
	start    time.Time
	deadline time.Time
	cut      bool          // deadline is the caller's, sooner than the slice's
	write    bool          // tried again only when definitely not sent, never hedged
	second   cache.Second  // asked before the backend, told behind it; nil: neither
	part     time.Duration // in which it is asked; 0 or less: it is only told
	behind   bool          // nobody waits: only a fresh answer of the second level will do
}

// job is one call on its way to the backend. It lies in one piece of memory with its first attempt, which most calls
// need and nothing else.
type job[A, O any] struct {
	order[A, O]
	first attempt[A, O]
}

func newJob[A, O any](ctx context.Context, c *Caller, in *Instance, p Policy, f func(ctx context.Context, a A) (O, error),
	a A, start time.Time) *job[A, O] {
	j := &job[A, O]{order: order[A, O]{
		c: c, in: in, f: f, arg: a, policy: p.normal(), trace: traceOf(ctx), start: start, deadline: start.Add(p.Slice),
	}}
	if d, ok := ctx.Deadline(); ok && d.Before(j.deadline) {
		j.deadline, j.cut = d, true
	}
	return j
}

// detached returns j with the whole slice, whatever its caller has left.
func (j *job[A, O]) detached() *job[A, O] {
	d := &job[A, O]{order: j.order}
	d.deadline, d.cut = j.start.Add(j.policy.Slice), false
	return d
}

// do makes the attempts. It returns the answer of the last one and when that was begun; it ends by j.deadline as far as
// the bound function honours its context.
func (j *job[A, O]) do() (O, time.Time, error) {
	now := j.start
	if left := j.deadline.Sub(now); !j.enough(left) {
		var none O
		return none, now, j.tooLate(left)
	}
	j.in.calls.Add(1)
	defer j.in.calls.Add(-1)
	for n := 1; ; n++ {
		out, err := j.attempt(now)
		if n > 1 {
			j.in.giveExtra()
		}
		if err == nil || n >= j.policy.Attempts || !j.again(err) || !j.in.takeExtra() {
			return out, now, err
		}
		if !j.pause() {
			j.in.giveExtra()
			return out, now, err
		}
		j.in.counters.retries.Add(1)
		now = time.Now()
	}
}

// pause backs off before another attempt and reports whether there is still enough time for one. It does not begin
// a pause that ends too late.
func (j *job[A, O]) pause() bool {
	pause := j.c.jitter(j.policy.Backoff)
	if !j.enough(time.Until(j.deadline) - pause) {
		return false
	}
	<-time.After(pause) // bounded by the slice; nobody may cut it short, since what waits is the attempt itself
	return j.enough(time.Until(j.deadline))
}

// enough reports whether an attempt may start with so much time left.
func (j *job[A, O]) enough(left time.Duration) bool { return left > 0 && left >= j.policy.Min }

func (j *job[A, O]) tooLate(left time.Duration) error {
	j.in.counters.late.Add(1)
	return NotSent(fmt.Errorf("%w: %v, min is %v", ErrTooLate, max(left, 0), j.policy.Min))
}

// again reports whether another attempt may help and do no harm. An open breaker will not close within a slice.
func (j *job[A, O]) again(err error) bool {
	if errors.Is(err, ErrBreakerOpen) {
		return false
	}
	switch OutcomeOf(err) {
	case NotSentOutcome:
		return true
	case Unknown:
		return !j.write
	}
	return false
}

// attempt makes one attempt, with its hedge where the policy has one.
func (j *job[A, O]) attempt(now time.Time) (O, error) {
	end, whole := now.Add(j.policy.AttemptTimeout), true
	if end.After(j.deadline) {
		end, whole = j.deadline, !j.cut
	}
	if j.policy.HedgeAfter > 0 && !j.write {
		return j.duel(now, end, whole)
	}
	t := j.prepare(now, end, whole, nil)
	t.run()
	return t.out, t.err
}

// prepare returns an attempt that begins now. The first one is used once: its context may be looked at after it has ended.
func (j *job[A, O]) prepare(now, end time.Time, whole bool, race *atomic.Int32) *attempt[A, O] {
	t := &j.first
	if t.order != nil {
		t = new(attempt[A, O])
	}
	t.order, t.began, t.whole, t.race = &j.order, now, whole, race
	t.ctx.at, t.ctx.trace = end, j.trace
	return t
}

// What is in the air of a duel: one attempt, or a marked pair, so that the last of a pair knows that it is.
const (
	alone = 1
	pair  = 12
	ended = 10 // a pair, both landed
)

// duel makes an attempt and, when it has not landed after HedgeAfter, a second one beside it; the first answer wins.
// The loser keeps its place in the bulkhead, and the hedge its share of the budget, until both have landed.
func (j *job[A, O]) duel(now, end time.Time, whole bool) (O, error) {
	race, flying := new(atomic.Int32), new(atomic.Int32)
	landed := make(chan *attempt[A, O], 2)
	start := func(now time.Time) {
		t := j.prepare(now, end, whole, race)
		go func() {
			t.run()
			if flying.Add(-1) == ended {
				j.in.giveExtra()
			}
			landed <- t
		}()
	}
	flying.Store(alone)
	start(now)
	hedge, limit := time.NewTimer(j.policy.HedgeAfter), time.NewTimer(time.Until(end))
	defer hedge.Stop()
	defer limit.Stop()
	var failed *attempt[A, O]
	for waiting := 1; ; {
		select {
		case t := <-landed:
			waiting--
			if t.err == nil || OutcomeOf(t.err) == RefusedOutcome {
				return t.out, t.err
			}
			if failed == nil {
				failed = t
			}
			if waiting == 0 {
				return failed.out, failed.err
			}
		case <-hedge.C:
			if j.mayHedge(end, flying) {
				waiting++
				start(time.Now())
			}
		case <-limit.C:
			if race.CompareAndSwap(raceOpen, raceOver) {
				var none O
				return none, fmt.Errorf("no answer within the attempt's time: %w", context.DeadlineExceeded)
			}
			// Somebody has won and is about to arrive.
		}
	}
}

// mayHedge takes a share of the budget for a hedge, unless it would come too late or the first attempt has landed.
func (j *job[A, O]) mayHedge(end time.Time, flying *atomic.Int32) bool {
	if !j.enough(time.Until(end)) || !j.in.closed.Load() || !j.in.takeExtra() {
		return false
	}
	if !flying.CompareAndSwap(alone, pair) {
		j.in.giveExtra()
		return false
	}
	j.in.counters.hedges.Add(1)
	return true
}
