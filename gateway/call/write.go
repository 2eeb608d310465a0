package call

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// WriteSpec says what the engine has to know about a write.
type WriteSpec[A any] struct {
	// Key returns the effect's stable key: the same for the same effect, through retries, crashes and replicas.
	Key func(a A) string
}

// Write is one typed effect at an outside system. It is never hedged, cached or shared, and is asked for again only
// when nothing was sent. Declare it once, share it freely.
type Write[A, O any] struct {
	name string
	spec WriteSpec[A]
}

// NewWrite declares a write. The name ("tickets.redeem") is unique among all operations of a flow.
func NewWrite[A, O any](name string, spec WriteSpec[A]) *Write[A, O] {
	return &Write[A, O]{name: name, spec: spec}
}

// Name returns the operation's name.
func (w *Write[A, O]) Name() string { return w.name }

// Key returns the stable key of the effect that a asks for; empty where the spec has none.
func (w *Write[A, O]) Key(a A) string {
	if w.spec.Key == nil {
		return ""
	}
	return w.spec.Key(a)
}

// Bound reports whether b has a system for w.
func (w *Write[A, O]) Bound(b *Bindings) bool {
	_, ok := b.ops[w.name].(*boundWrite[A, O])
	return ok
}

// Validate refuses a policy that w cannot be called under. The error is a *gateway.FieldError.
func (w *Write[A, O]) Validate(p Policy) error {
	if err := p.Validate(); err != nil {
		return err
	}
	if p.Parallel != 0 {
		return field("parallel", "has no use: %s is a write, and only a gather asks many at once", w.name)
	}
	if p.HedgeAfter != 0 {
		return field("hedge_after", "%s is a write: it is never hedged", w.name)
	}
	if p.Cache != (CachePolicy{}) {
		return field("cache", "%s is a write: it is never cached", w.name)
	}
	return nil
}

// Do asks for the effect of key under the policy p, by min(p.Slice, ctx's deadline) from now. Once begun it is not
// cancelled with ctx: only the deadline ends it. It is one attempt, unless that was definitely not sent and p.Attempts
// allows another. OutcomeOf tells what the error says about the effect; after Unknown, ask with Find.
func (w *Write[A, O]) Do(ctx context.Context, c *Caller, b *Bindings, p Policy, key string, a A) (O, error) {
	var none O
	op, err := find[*boundWrite[A, O]](b, w.name)
	if err != nil {
		return none, err
	}
	if key == "" {
		return none, NotSent(fmt.Errorf("cannot call %s at %s: %w", w.name, op.in.name, errNoKey))
	}
	if cancelled(ctx) {
		return none, NotSent(fmt.Errorf("cannot begin %s at %s: %w", w.name, op.in.name, context.Canceled))
	}
	do := func(ctx context.Context, a A) (O, error) { return op.effect.Do(ctx, key, a) }
	j := newJob(ctx, c, op.in, p, do, a, time.Now())
	j.write = true
	out, _, err := j.do()
	if err != nil {
		return none, fmt.Errorf("cannot call %s at %s: %w", w.name, op.in.name, err)
	}
	return out, nil
}

var errNoKey = errors.New("its operation key is empty")

type found[O any] struct {
	out      O
	happened bool
}

// Find asks the backend whether the effect of key has happened, and for its result if so. It is a read: it may be tried
// again as p allows. While it returns an error the effect stays unknown.
func (w *Write[A, O]) Find(ctx context.Context, c *Caller, b *Bindings, p Policy, key string, a A) (O, bool, error) {
	var none O
	op, err := find[*boundWrite[A, O]](b, w.name)
	if err != nil {
		return none, false, err
	}
	ask := func(ctx context.Context, a A) (f found[O], err error) {
		f.out, f.happened, err = op.effect.Find(ctx, key, a)
		return f, err
	}
	f, _, err := newJob(ctx, c, op.in, p, ask, a, time.Now()).do()
	if err != nil {
		return none, false, fmt.Errorf("cannot ask %s at %s what has happened: %w", w.name, op.in.name, err)
	}
	return f.out, f.happened, nil
}
