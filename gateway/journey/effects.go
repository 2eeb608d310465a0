package journey

import (
	"context"
	"reflect"

	"github.com/go-json-experiment/json"

	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// Record decides in the ledger alone: one commit, no network. An error is a declared outcome, as in Check; wrapped in
// ledger.Keep it does not cost its neighbours in the group a second run.
func Record[A, O any](b *Builder, step string, d *ledger.Decision[A, O], arg Ref[A], opts ...Option) Ref[O] {
	var zero O
	n := &node{name: step, kind: kindRecord, shape: shapeOf[O](), zero: zero}
	from := depend(b, n, arg)
	n.apply = func(tx *ledger.Tx, r *run) (any, error) { return d.Run(tx, value[A](r, from)) }
	n.decode = func(plain []byte) (any, error) { return decodeAs[O](plain) }
	return addNode[O](b, n, opts...)
}

// Commit begins an effect in the ledger, calls the backend, and settles it in the ledger.
func Commit[A, O any](b *Builder, step string, op *call.Write[A, O], arg Ref[A], opts ...Option) Ref[O] {
	var zero O
	n := &node{name: step, kind: kindCommit, shape: shapeOf[O](), argShape: shapeOf[A](), zero: zero, effect: typedWrite[A, O]{op: op}, expect: typedWrite[A, O]{}.expected(), validate: op.Validate, max: 1}
	from := depend(b, n, arg)
	n.args = func(r *run) []any { return []any{value[A](r, from)} }
	return addNode[O](b, n, opts...)
}

// Choose commits the first of at most max candidates that the backend grants. The next is tried only after a definite
// "taken" (Taken); any other failure, and an unknown effect above all, stops it.
func Choose[A, O any](b *Builder, step string, op *call.Write[A, O], candidates Ref[[]A], max int, opts ...Option) Ref[O] {
	var zero O
	n := &node{name: step, kind: kindChoose, shape: shapeOf[O](), argShape: shapeOf[A](), zero: zero, effect: typedWrite[A, O]{op: op}, expect: typedWrite[A, O]{}.expected(), validate: op.Validate, max: max}
	from := depend(b, n, candidates)
	n.args = func(r *run) []any { return anys(value[[]A](r, from), max) }
	return addNode[O](b, n, opts...)
}

// CommitEach commits every one of at most max arguments side by side. Each refusal is data in its Result; what could
// not be had in time follows the step's meaning, one by one.
func CommitEach[A, O any](b *Builder, step string, op *call.Write[A, O], args Ref[[]A], max int, opts ...Option) Ref[[]Result[O]] {
	n := &node{name: step, kind: kindCommitEach, shape: shapeOf[[]Result[O]](), argShape: shapeOf[A](), effect: typedWrite[A, O]{op: op}, expect: typedWrite[A, O]{}.expected(), validate: op.Validate, max: max}
	from := depend(b, n, args)
	n.args = func(r *run) []any { return anys(value[[]A](r, from), max) }
	n.gather = func(items []item) any {
		out := make([]Result[O], len(items))
		for i, it := range items {
			out[i] = Result[O]{Err: it.err, Deferred: it.deferred}
			if it.err == nil && it.value != nil {
				out[i].Value, _ = it.value.(O)
			}
		}
		return out
	}
	return addNode[[]Result[O]](b, n, opts...)
}

func anys[A any](from []A, max int) []any {
	out := make([]any, 0, min(len(from), max))
	for i := range from[:min(len(from), max)] {
		out = append(out, from[i])
	}
	return out
}

// typedWrite is the effect of one call.Write.
type typedWrite[A, O any] struct{ op *call.Write[A, O] }

func (w typedWrite[A, O]) name() string                          { return w.op.Name() }
func (w typedWrite[A, O]) key(arg any) string                    { return w.op.Key(arg.(A)) }
func (w typedWrite[A, O]) encode(v any) ([]byte, error)          { return json.Marshal(v) }
func (w typedWrite[A, O]) decodeArg(plain []byte) (any, error)   { return decodeAs[A](plain) }
func (w typedWrite[A, O]) decodeValue(plain []byte) (any, error) { return decodeAs[O](plain) }
func (w typedWrite[A, O]) bound(b *call.Bindings) bool           { return w.op.Bound(b) }

// expected is the value of an effect that brings none; nil where it brings one.
func (w typedWrite[A, O]) expected() func(arg any) any {
	if reflect.TypeFor[O]().Size() > 0 {
		return nil
	}
	return func(any) any { return *new(O) }
}

func (w typedWrite[A, O]) do(ctx context.Context, c *call.Caller, b *call.Bindings, p call.Policy, key string, arg any) (any, error) {
	return w.op.Do(ctx, c, b, p, key, arg.(A))
}

func (w typedWrite[A, O]) find(ctx context.Context, c *call.Caller, b *call.Bindings, p call.Policy, key string, arg any) (any, bool, error) {
	return w.op.Find(ctx, c, b, p, key, arg.(A))
}

func decodeAs[T any](plain []byte) (T, error) {
	var v T
	err := json.Unmarshal(plain, &v)
	return v, err
}

// The reasons of a refusal that the engine itself acts on or gives.
const (
	Taken       = "taken"        // a Choose goes on with its next candidate
	NoCandidate = "no-candidate" // there was nothing to choose from
)
