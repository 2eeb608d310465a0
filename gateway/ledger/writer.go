package ledger

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"time"
)

// maxRuns bounds how often one group is run again without an item that failed. Past it the group is cut before the
// next such item, so that many failures cost a flush more and not a run each over everything.
const maxRuns = 8

// writer is the one goroutine that writes.
type writer struct {
	l   *Ledger
	ctx context.Context // ends when the ledger closes
	tx  Tx

	trail trail // the chain of the audit trail that this writer adds to

	live    []*item // of the group at hand, in order
	left    []*item // left out of it
	verdict []error // of live, from the last run
	down    bool    // the last group found the store unavailable
}

// loop drains what waits into one transaction after another, until the queue is closed and empty.
func (w *writer) loop() {
	defer close(w.l.written)
	var batch []*item
	for {
		var more bool
		if batch, more = w.l.queue.take(batch[:0], w.l.cfg.Batch); !more {
			return
		}
		for rest := batch; len(rest) > 0; {
			rest = w.group(rest)
		}
		clear(batch)
	}
}

// group commits items as one transaction and answers them; it returns those that it cut off.
func (w *writer) group(items []*item) (rest []*item) {
	w.left, w.live, w.verdict = w.left[:0], w.live[:0], w.verdict[:0]
	w.tx.now = w.l.Now()
	w.l.stats.begin()
	stx, err := w.l.store.Begin(w.ctx)
	for _, it := range items {
		// An item of a group that was cut is taken already.
		if it.state.CompareAndSwap(queued, taken) || it.state.Load() == taken {
			w.live = append(w.live, it)
		}
	}
	runs := 0
	for ; err == nil; runs++ {
		bad, failure := w.run(stx)
		if bad < 0 {
			err = failure
			break
		}
		if err = stx.Rollback(); err != nil {
			break
		}
		if errors.Is(failure, errCatchUp) {
			w.live = append(w.l.queue.pick(nil), w.live...)
		} else {
			rest = w.leaveOut(bad, failure, runs >= maxRuns, rest)
		}
		stx, err = w.l.store.Begin(w.ctx)
	}
	if err != nil {
		w.refuse(stx, err)
		for _, it := range rest {
			it.answer(unavailable(err), false)
		}
		return nil
	}
	w.flush(stx, runs)
	return rest
}

// leaveOut takes the item at bad out of the group; with cut, what comes behind it too, in front of rest.
func (w *writer) leaveOut(bad int, failure error, cut bool, rest []*item) []*item {
	w.left = append(w.left, w.live[bad])
	w.live[bad].err = failure
	if cut {
		rest = append(slices.Clone(w.live[bad+1:]), rest...)
		w.live = w.live[:bad]
		return rest
	}
	w.live = slices.Delete(w.live, bad, bad+1)
	return rest
}

// run applies the live items in order. It returns the index of one that has to be left out, with its error; or -1 with
// the error that makes the store unavailable, or nil when the transaction is ready to be flushed.
func (w *writer) run(stx StoreTx) (bad int, failure error) {
	w.verdict = w.verdict[:0]
	w.tx.store, w.tx.over, w.tx.audit = stx, false, w.tx.audit[:0]
	defer func() { w.tx.store, w.tx.over = nil, true }()
	for i, it := range w.live {
		err := w.apply(it)
		if errors.Is(w.tx.failed, ErrUnavailable) || errors.Is(w.tx.failed, ErrBroken) {
			return -1, w.tx.failed
		}
		if errors.Is(err, errCatchUp) || err != nil && !isKept(err) && w.tx.changed {
			return i, err
		}
		// An item that failed before it changed anything has nothing to undo: it only keeps its error.
		w.verdict = append(w.verdict, err)
	}
	w.tx.begin()
	return -1, w.tx.end(w.trail.seal(&w.tx, w.tx.audit))
}

// apply runs one item; a panic becomes an error, with its stack in the log.
func (w *writer) apply(it *item) (err error) {
	w.tx.begin()
	defer func() {
		p := recover()
		if p != nil {
			w.logPanic(it, p)
			w.tx.changed = true // it may have happened in the middle of a statement
			err = ErrPanicked
		}
		err = w.tx.end(err)
	}()
	return it.work.Apply(&w.tx)
}

// logPanic logs where an item panicked. The value of the panic is shown only where it is the runtime's own: anything
// else may hold personal data.
func (w *writer) logPanic(it *item, p any) {
	value := fmt.Sprintf("%T", p)
	if e, ok := p.(interface{ RuntimeError() }); ok {
		value = fmt.Sprint(e)
	}
	w.l.log.Error("a decision panicked and was left out", "decision", nameOf(it.work), "panic", value,
		"stack", string(debug.Stack()))
}

// nameOf returns a work's own name, or its type.
func nameOf(work Work) string {
	if s, ok := work.(fmt.Stringer); ok {
		return s.String()
	}
	return fmt.Sprintf("%T", work)
}

// flush commits the transaction and answers everybody in it.
func (w *writer) flush(stx StoreTx, runs int) {
	start := time.Now()
	err := stx.Commit()
	took := time.Since(start)
	w.trail.flushed(err == nil)
	switch {
	case err == nil:
		w.recovered()
		w.l.stats.flushed(len(w.live), len(w.left), runs, took)
		for i, it := range w.live {
			it.flush = took
			if k, ok := errors.AsType[*kept](w.verdict[i]); ok {
				it.answer(k.err, true)
				continue
			}
			it.answer(w.verdict[i], false)
		}
		for _, it := range w.left {
			it.answer(it.err, false)
		}
		runtime.Gosched() // whoever was answered goes on before the next group keeps this processor
	case errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrBroken):
		w.refuse(nil, err)
	default:
		w.lost(err)
	}
}

// lost answers a group whose commit failed: what was applied is unknown, what had failed is certainly not kept (but
// what it saw before it failed may be gone, so its own error is no answer any more).
func (w *writer) lost(err error) {
	w.l.stats.failed(len(w.live) + len(w.left))
	w.l.stats.end(true)
	w.l.log.Error("a group commit failed, its outcome is unknown", "items", len(w.live), "error", err)
	if errors.Is(err, ErrBroken) {
		w.l.queue.close(err)
		if w.l.cfg.Fatal != nil {
			w.l.cfg.Fatal(err)
		}
	}
	for i, it := range w.live {
		if w.verdict[i] == nil || isKept(w.verdict[i]) {
			it.answer(unknown(err), false)
			continue
		}
		it.answer(unavailable(err), false)
	}
	for _, it := range w.left {
		it.answer(unavailable(err), false)
	}
}

// refuse undoes the transaction, if there is one, and tells everybody that nothing was kept.
func (w *writer) refuse(stx StoreTx, err error) {
	if stx != nil {
		if rerr := stx.Rollback(); rerr != nil {
			err = errors.Join(err, rerr)
		}
	}
	w.l.stats.failed(len(w.live) + len(w.left))
	if !w.down {
		w.l.log.Error("the ledger is unavailable; it will be tried again with each commit", "error", err)
	}
	w.down = true
	w.l.stats.end(true)
	err = unavailable(err)
	for _, it := range w.live {
		it.answer(err, false)
	}
	for _, it := range w.left {
		it.answer(err, false)
	}
}

// recovered notes that the store works.
func (w *writer) recovered() {
	if w.down {
		w.l.log.Info("the ledger is available again")
	}
	w.down = false
	w.l.stats.end(false)
}
