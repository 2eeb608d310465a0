package ledger

import (
	"context"
)

// A Decision is one durable choice: what it reads, decides and writes is one item of a group commit.
type Decision[A, O any] struct {
	Name string // for logs and metrics
	// Run decides. It is pure towards the outside and may run again, so it overwrites and never accumulates; it waits
	// for nothing but the database. A conflict is a result, or an error marked with Keep where writes belong to it.
	Run func(tx *Tx, a A) (O, error)
}

// Do commits d with the argument a and returns what it decided. The errors are those of Commit. With an error marked by
// Keep the output is returned too; with any other error it is the zero value.
func Do[A, O any](ctx context.Context, l *Ledger, d *Decision[A, O], a A) (O, error) {
	w := &decided[A, O]{d: d, a: a}
	isKept, err := l.commit(ctx, w)
	if err != nil && !isKept {
		var zero O // after ErrUnknown the writer may still be writing w.o
		return zero, err
	}
	return w.o, err
}

// decided is a decision on its way through the writer.
type decided[A, O any] struct {
	d *Decision[A, O]
	a A
	o O
}

// Apply runs the decision.
func (w *decided[A, O]) Apply(tx *Tx) (err error) {
	w.o, err = w.d.Run(tx, w.a)
	return err
}

// String names the decision in log lines.
func (w *decided[A, O]) String() string { return w.d.Name }
