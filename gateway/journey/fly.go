package journey

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
)

// landing is what a call in flight brings home.
type landing struct {
	node   int
	value  any
	source gateway.Source
	many   []gateway.Source // of a Gather
	err    error
	items  []item
	took   time.Duration
}

// lookDue reports whether an earlier run may hold the idempotency key, before anybody is asked anything. A plan that asks
// nobody finds out in its commit.
func (r *run) lookDue() bool {
	i := r.req.Idempotency
	return i != nil && !r.looked && !r.begun && len(r.queued) > 0 && !r.engine.ledger.Fresh(i.Scope[:])
}

// look looks it up. It takes no longer than a flush may: the commit finds out in any case.
func (r *run) look() {
	ctx := r.ends[0].Sooner(time.Now().Add(r.timing.Flush))
	r.replay, _ = r.heldKey(ctx)
	if ctx != &r.ends[0] {
		_ = ctx.End(context.Canceled)
	}
}

// launch sets off the queued calls. One alone runs on the owner's goroutine, since there is nothing else to wait for.
func (r *run) launch() {
	queued := r.queued
	r.queued = r.queued[:0]
	alone := len(queued) == 1 && r.inFlight == 0
	r.inFlight += len(queued)
	for _, i := range queued {
		r.at[i].progress = flying
		if alone {
			r.fliers[i]()
			return
		}
		r.engine.crew.run(r.fliers[i])
	}
}

// until returns the context of a step's calls: it ends early enough for the ledger commits that have to follow.
func (r *run) until(n *node) *until { return &r.ends[r.level[n.index]] }

// fly makes the calls of one step. It reads values that have ended and writes only what it returns.
func (r *run) fly(n *node) (l landing) {
	from := time.Now()
	l.node = n.index
	defer func() {
		if p := recover(); p != nil {
			l.err = r.engine.panicked(n, p)
		}
		l.took = time.Since(from)
	}()
	switch n.kind {
	case kindAsk:
		l.value, l.source, l.err = n.ask(r.until(n), r, from)
		return l
	case kindGather:
		l.many, l.value, l.err = n.askAll(r, from)
		return l
	}
	l.items = append(l.items, r.at[n.index].items...)
	open := 0
	for i := range l.items {
		if l.items[i].flies() {
			open++
		}
	}
	var wg sync.WaitGroup
	for i := range l.items {
		it := &l.items[i]
		switch {
		case !it.flies():
		case open == 1:
			r.do(n, it, from)
		default:
			wg.Go(func() { r.do(n, it, from) })
		}
	}
	wg.Wait()
	return l
}

// flies reports whether the item still has to be called.
func (it *item) flies() bool {
	return it.begun && !it.known && !it.deferred && it.err == nil && it.value == nil
}

// do calls the backend for one item. An operation taken over from a run that died is asked for first. Everything that a
// step calls, one after the other, shares its one slice.
func (r *run) do(n *node, it *item, from time.Time) {
	defer func() {
		if p := recover(); p != nil {
			it.err = r.engine.panicked(n, p)
		}
	}()
	policy, ctx := r.policies[n.index], r.until(n)
	if spent := r.at[n.index].spent; it.adopted || spent > 0 {
		ctx = ctx.Sooner(from.Add(policy.Slice - spent))
	}
	if it.adopted {
		v, happened, err := n.effect.find(ctx, r.engine.caller, r.req.Bindings, policy, it.key, it.arg)
		if err != nil || happened {
			it.value, it.err = v, unsettled(err)
			return
		}
	}
	it.value, it.err = n.effect.do(ctx, r.engine.caller, r.req.Bindings, policy, it.key, it.arg)
}

// unsettled is the error of a question about an earlier call's effect: that the question was not sent says nothing of it.
func unsettled(err error) error {
	if call.OutcomeOf(err) == call.NotSentOutcome {
		return fmt.Errorf("the effect stays unknown: %v", err) //nolint:errorlint // its mark must not show through
	}
	return err
}

// panicked notes where a step panicked. The value is shown only where it is the runtime's own: anything else may hold
// personal data.
func (e *Engine) panicked(n *node, p any) error {
	value := fmt.Sprintf("%T", p)
	if own, ok := p.(runtime.Error); ok {
		value = own.Error()
	}
	e.logger.Error("a step panicked", "step", n.name, "panic", value, "stack", string(debug.Stack()))
	return fmt.Errorf("step %s panicked: %s", n.name, value)
}
