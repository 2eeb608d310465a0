package call

import (
	"context"
	"errors"
	"fmt"

	"github.com/warmgate/warmgate/gateway"
)

// Bindings are the operations of one venue in one generation of the configuration: which instance serves each, and how.
// Build them with BindRead and BindWrite, look at Err once, then share them: they are immutable from then on.
type Bindings struct {
	venue *gateway.Venue
	ops   map[string]any // *bound[...] or *boundWrite[...] by operation name
	errs  []error
}

// NewBindings begins the bindings of a venue, with nothing bound.
func NewBindings(venue *gateway.Venue) *Bindings {
	return &Bindings{venue: venue, ops: make(map[string]any)}
}

// Venue returns the venue whose operations these are.
func (b *Bindings) Venue() *gateway.Venue { return b.venue }

// Err returns what is wrong with what was bound: an operation bound twice, or without an instance or a function.
func (b *Bindings) Err() error { return errors.Join(b.errs...) }

func (b *Bindings) add(name string, in *Instance, complete bool, op any) {
	_, twice := b.ops[name]
	switch {
	case twice:
		b.errs = append(b.errs, fmt.Errorf("cannot bind %s of venue %s: it is bound already", name, b.venue.ID))
	case in == nil || !complete:
		b.errs = append(b.errs, fmt.Errorf("cannot bind %s of venue %s: its instance or a function is missing", name, b.venue.ID))
	default:
		b.ops[name] = op
	}
}

// bound is a read of a venue. prefix begins all its keys.
type bound[A, O any] struct {
	in     *Instance
	f      func(ctx context.Context, a A) (O, error)
	prefix []byte
}

// BindRead binds r to what f does at the instance. f must be safe for concurrent use and end by its context's deadline;
// it keeps a and the context no longer than it runs.
func BindRead[A, O any](b *Bindings, r *Read[A, O], in *Instance, f func(ctx context.Context, a A) (O, error)) {
	op := &bound[A, O]{in: in, f: f}
	if in != nil {
		for _, part := range []string{b.venue.Tenant, b.venue.ID, in.name, r.name} {
			op.prefix = appendText(op.prefix, part)
		}
	}
	b.add(r.name, in, f != nil, op)
}

// Effect is how a Write is done at a backend.
type Effect[A, O any] struct {
	// Do asks for the effect. key is the same each time the same effect is asked for, so that the backend can tell.
	Do func(ctx context.Context, key string, a A) (O, error)
	// Find asks whether the effect of key has happened, and for its result. An error means that it is still not known.
	Find func(ctx context.Context, key string, a A) (O, bool, error)
	// Silent says that there is no system behind it: nobody is told anything, so nothing is disclosed.
	Silent bool
}

type boundWrite[A, O any] struct {
	in     *Instance
	effect Effect[A, O]
}

// BindWrite binds w to its effect at the instance. Both functions are held to what BindRead says of f.
func BindWrite[A, O any](b *Bindings, w *Write[A, O], in *Instance, e Effect[A, O]) {
	b.add(w.name, in, e.Do != nil && e.Find != nil, &boundWrite[A, O]{in: in, effect: e})
}

// find returns what name is bound to, as T. Without bindings nothing is.
func find[T any](b *Bindings, name string) (T, error) {
	if b == nil {
		var none T
		return none, NotSent(notBound(fmt.Sprintf("cannot call %s: the call is of no venue", name)))
	}
	op, ok := b.ops[name].(T)
	if ok {
		return op, nil
	}
	if b.ops[name] == nil {
		return op, NotSent(notBound(fmt.Sprintf("cannot call %s: venue %s has no system bound to it", name, b.venue.ID)))
	}
	return op, NotSent(notBound(fmt.Sprintf("cannot call %s: venue %s has it bound with other types", name, b.venue.ID)))
}
