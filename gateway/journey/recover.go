package journey

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/outbox"
)

// errMoved makes a recovery begin again: what it looked at has changed under it.
var errMoved = errors.New("the run's operations have changed meanwhile")

// deliverWithin is when a recovered operation is overdue whose step says nothing of it.
const deliverWithin = time.Hour

// handWithin is when a recovered operation becomes a person's whose failure would have been a person's at once: somebody
// may be waiting for it.
const handWithin = 15 * time.Second

// found is what asking the backends has brought to light about a run that died.
type found struct {
	run      ledger.Run
	plan     *bound
	ops      []ledger.Operation
	open     map[string]open // begun operations by key
	values   map[string]any
	happened map[string]bool
}

// recoverRun settles a run that died: each begun operation by asking the backend; then, with the pivot reached, what is
// missing is delivered; otherwise what has happened is taken back.
func (e *Engine) recoverRun(ctx context.Context, m ledger.Message) error {
	f, err := e.examine(ctx, string(m.Payload))
	if err != nil || f.run.State != ledger.RunRecovering {
		return err
	}
	return e.ledger.Commit(ctx, applied(func(tx *ledger.Tx) error {
		ops, err := ledger.OperationsOf(tx, f.run.ID)
		if err != nil {
			return err
		}
		if !sameStates(ops, f.ops) {
			return errMoved
		}
		if f.pivoted() {
			return e.goForward(tx, f)
		}
		return e.goBack(tx, f)
	}))
}

// examine asks what became of every begun operation of the run.
func (e *Engine) examine(ctx context.Context, id string) (f found, err error) {
	err = e.ledger.View(ctx, func(q ledger.Querier) (err error) {
		if f.run, _, err = ledger.FindRun(q, id); err != nil {
			return err
		}
		f.ops, err = ledger.OperationsOf(q, id)
		return err
	})
	if err != nil {
		return f, err
	}
	e.mu.RLock()
	f.plan = e.plans[f.run.Plan]
	e.mu.RUnlock()
	if f.plan == nil && f.run.Plan != "" {
		return f, outbox.Dead(fmt.Errorf("cannot recover a run of plan %s: there is no such plan", f.run.Plan))
	}
	f.open, f.values, f.happened = map[string]open{}, map[string]any{}, map[string]bool{}
	for _, op := range f.ops {
		if op.State != ledger.OpBegun {
			continue
		}
		o, there, err := e.load(ctx, op.Run, op.Key, ledger.OpBegun)
		if err != nil {
			return f, err
		}
		if !there {
			return f, errMoved
		}
		f.open[op.Key] = o
		f.values[op.Key], f.happened[op.Key], _, err = e.find(ctx, o)
		if told := e.told(ctx, o, err); told != nil {
			return f, told
		}
		if err != nil {
			return f, fmt.Errorf("cannot find out what became of step %s: %w", op.Step, err)
		}
	}
	return f, nil
}

func sameStates(a, b []ledger.Operation) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Key != b[i].Key || a[i].State != b[i].State {
			return false
		}
	}
	return true
}

// pivoted reports whether the plan may only go forward: the pivot has settled, or a step that comes after it has begun. A
// plan that never came to its only effect has no pivot behind it.
func (f *found) pivoted() bool {
	if f.run.Pivot {
		return true
	}
	for _, op := range f.ops {
		if op.Pivot && (op.State == ledger.OpDone || op.State == ledger.OpDeferred || f.happened[op.Key]) || f.plan.isForward(op.Step) {
			return true
		}
	}
	return false
}

// isForward reports whether the step of that name comes after the pivot.
func (b *bound) isForward(step string) bool {
	for _, i := range b.effects {
		if b.nodes[i].name == step {
			return b.forward[i]
		}
	}
	return false
}

// goForward books what has happened and delivers what has not. Effects that were never begun are a person's: their
// arguments are not known, and a plan is never resumed.
func (e *Engine) goForward(tx *ledger.Tx, f found) error {
	begun := map[string]bool{}
	for _, op := range f.ops {
		begun[op.Step] = true
		o, isOpen := f.open[op.Key]
		if !isOpen {
			continue
		}
		var err error
		switch {
		case f.happened[op.Key]:
			_, err = e.closeIn(tx, o, ledger.OpDone, f.values[op.Key], "recovered")
		case op.Meaning == without.String():
			_, err = e.closeIn(tx, o, ledger.OpRefused, nil, "did not happen")
		default:
			err = e.redeliver(tx, o, "recovered")
		}
		if err != nil {
			return err
		}
	}
	state := ledger.RunDone
	if missing := f.plan.missing(begun); len(missing) > 0 {
		state = ledger.RunAssist
		facts, err := e.factsOf(tx, f.run.ID, f.ops)
		if err != nil {
			return err
		}
		if _, err := tx.OpenAssist(e.interrupted(f, missing, facts)); err != nil {
			return err
		}
	} else if f.run.Draft != nil && f.fulfilled() {
		return e.endFulfilled(tx, f.run)
	}
	return e.endRecovery(tx, f.run, state, true)
}

// missing names the calls that every run makes which comes past the pivot, and that this one has not begun.
func (b *bound) missing(begun map[string]bool) (names []string) {
	var at []guard // the branch that the pivot is in
	for _, i := range b.effects {
		if b.nodes[i].pivot {
			at = b.nodes[i].guards
		}
	}
	for _, i := range b.effects {
		n := b.nodes[i]
		if n.kind != kindRecord && visible(at, n.guards) && !begun[n.name] {
			names = append(names, n.name)
		}
	}
	return names
}

func (e *Engine) interrupted(f found, missing []string, facts []byte) ledger.Assist {
	h := f.plan.interruption()
	a := ledger.Assist{
		ID: e.newID(), Run: f.run.ID, Plan: f.run.Plan, Kind: h.Kind, Tenant: f.run.Tenant, Venue: f.run.Venue, NotDone: missing,
		Tried: []string{"the gateway was interrupted"}, NextAction: h.Next, Facts: facts,
		Place: f.run.Place,
	}
	for _, op := range f.ops {
		if op.State == ledger.OpDone || f.happened[op.Key] {
			a.Done = append(a.Done, op.Step)
		}
	}
	return a
}

// goBack books what has not happened and takes back what has, so that the citizen can begin anew.
func (e *Engine) goBack(tx *ledger.Tx, f found) error {
	back := false
	for _, op := range f.ops {
		o, isOpen := f.open[op.Key]
		switch {
		case isOpen && !f.happened[op.Key]:
			if _, err := e.closeIn(tx, o, ledger.OpRefused, nil, "did not happen"); err != nil {
				return err
			}
			continue
		case isOpen && op.Undo == "": // no undo was declared: it stands
			if _, err := e.closeIn(tx, o, ledger.OpDone, f.values[op.Key], "recovered"); err != nil {
				return err
			}
			continue
		case op.Undo == "" || !isOpen && op.State != ledger.OpDone && op.State != ledger.OpDeferred:
			continue
		}
		if _, err := tx.SettleOperation(op.Key, []ledger.OpState{op.State}, ledger.OpUndoing, nil, "recovered"); err != nil {
			return err
		}
		back = true
	}
	if back {
		err := tx.Enqueue(ledger.Message{
			Key: kindUndo + ":" + f.run.ID, Kind: kindUndo, Run: f.run.ID, Venue: f.run.Venue, Payload: []byte(f.run.ID), NextAt: tx.Now(),
		})
		if err != nil {
			return err
		}
	}
	return e.endRecovery(tx, f.run, ledger.RunUndone, false)
}

// fulfilled reports whether everything that the run had begun has happened, and has brought what its draft says.
func (f *found) fulfilled() bool {
	return !slices.ContainsFunc(f.ops, func(op ledger.Operation) bool {
		return op.State != ledger.OpDone && !(f.happened[op.Key] && f.open[op.Key].isAsExpected(f.values[op.Key]))
	})
}

// endFulfilled ends a run with the answer that it had drafted, for the retry under its key.
func (e *Engine) endFulfilled(tx *ledger.Tx, run ledger.Run) error {
	if run.IdemScope != nil {
		if err := tx.EndIdempotency(run.IdemScope, run.ID, run.DraftStatus, run.Draft, tx.Now().Add(e.keep)); err != nil {
			return err
		}
	}
	return tx.FulfilRun(run.ID, true)
}

// endRecovery frees the idempotency key: a retry runs anew and meets, by the natural keys, what this run has left.
func (e *Engine) endRecovery(tx *ledger.Tx, run ledger.Run, state ledger.RunState, pivot bool) error {
	if run.IdemScope != nil {
		if err := tx.DropIdempotency(run.IdemScope, run.ID); err != nil {
			return err
		}
	}
	return tx.EndRun(run.ID, state, pivot, 0, nil)
}
