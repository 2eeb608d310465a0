package flow

import (
	"context"
	"time"

	"github.com/warmgate/warmgate/gateway/ledger"
)

// Sweep walks through what need not be kept any more, and returns how many rows went. Look finds the next piece of a table: which
// of it is due, and whether there is more behind it. Forget forgets up to atOnce of them in one commit, for which nobody waits
// (ledger.Patient). After each piece Sweep rests for as long as that took: citizens come first. It ends with an error of either,
// or with ctx.
func Sweep[T any](ctx context.Context, atOnce int, look func() (due []T, more bool, err error), forget func(ctx context.Context, some []T) (int64, error)) (n int64, err error) {
	for more := true; more; {
		began := time.Now()
		var due []T
		if due, more, err = look(); err != nil {
			return n, err
		}
		for len(due) > 0 {
			some := due[:min(len(due), atOnce)]
			gone, err := forget(ledger.Patient(ctx), some)
			if n += gone; err != nil {
				return n, err
			}
			due = due[len(some):]
		}
		if more && !Rest(ctx, time.Since(began)) {
			return n, ctx.Err()
		}
	}
	return n, nil
}

// Rest waits for d; false: ctx has ended.
func Rest(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
