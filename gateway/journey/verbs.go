package journey

import (
	"context"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
)

// Ask reads from a backend. It may be cached, hedged and retried inside its slice.
func Ask[A, O any](b *Builder, step string, op *call.Read[A, O], arg Ref[A], opts ...Option) Ref[O] {
	var zero O
	n := &node{name: step, kind: kindAsk, shape: shapeOf[O](), zero: zero, validate: op.Validate}
	from := depend(b, n, arg)
	n.ask = func(ctx context.Context, r *run, start time.Time) (any, gateway.Source, error) {
		o, source, err := op.CallFrom(ctx, r.engine.caller, r.req.Bindings, r.policies[n.index], start, value[A](r, from))
		return o, source, err
	}
	return addNode[O](b, n, opts...)
}

// Check decides from one value, purely and without blocking. An error is a declared outcome: a *gateway.Error is
// answered as it is, a Handover calls a person. A Check may run again inside a ledger commit.
func Check[A, O any](b *Builder, step string, f func(A) (O, error), arg Ref[A], opts ...Option) Ref[O] {
	n := &node{name: step, kind: kindCheck, shape: shapeOf[O]()}
	from := depend(b, n, arg)
	n.decide = func(r *run) (any, error) { return f(value[A](r, from)) }
	return addNode[O](b, n, opts...)
}

// Join decides from two values, with the rules of Check.
func Join[A, B, O any](b *Builder, step string, x Ref[A], y Ref[B], f func(A, B) (O, error), opts ...Option) Ref[O] {
	n := &node{name: step, kind: kindJoin, shape: shapeOf[O]()}
	left, right := depend(b, n, x), depend(b, n, y)
	n.decide = func(r *run) (any, error) { return f(value[A](r, left), value[B](r, right)) }
	return addNode[O](b, n, opts...)
}

// When takes one of two branches. The proof takes the longer one.
func When[O any](b *Builder, step string, cond Ref[bool], then, otherwise func(*Builder) Ref[O]) Ref[O] {
	n := &node{name: step, kind: kindWhen, shape: shapeOf[O]()}
	c := depend(b, n, cond)
	var ends [2]int
	for i, branch := range []func(*Builder) Ref[O]{then, otherwise} {
		inner := &Builder{d: b.d, guard: append(append([]guard(nil), b.guard...), guard{cond: c, want: i == 0})}
		end := branch(inner)
		ends[i] = depend(inner, n, end)
	}
	n.branch = func(r *run) int {
		if value[bool](r, c) {
			return ends[0]
		}
		return ends[1]
	}
	return addNode[O](b, n)
}

// Result is the value of a step that may have failed.
type Result[O any] struct {
	Value    O
	Err      error // nil where Value counts
	Deferred bool  // the outbox will see to it

	Source gateway.Source `json:",omitzero"` // of a Gather: where Value comes from, and as of when
}

// Try turns a failure into data: the step it wraps needs no other meaning.
func Try[O any](b *Builder, r Ref[O]) Ref[Result[O]] {
	if r.n == nil {
		b.d.refuse("a Try wraps a Ref of another plan")
		return addNode[Result[O]](b, &node{name: "try", kind: kindTry})
	}
	n := &node{name: "try " + r.n.name, kind: kindTry, shape: shapeOf[Result[O]]()}
	depend(b, n, r)
	r.n.tried++
	n.result = func(v any, err error, later bool) any {
		res := Result[O]{Err: err, Deferred: later}
		if v != nil {
			res.Value, _ = v.(O)
		}
		return res
	}
	return addNode[Result[O]](b, n)
}

// value returns the value of node i. The types were fixed when the plan was declared.
func value[T any](r *run, i int) T {
	v, _ := r.at[i].value.(T) // a nil interface value has no dynamic type; it is T's zero
	return v
}
