package journey

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/outbox"
)

// errMoved makes a recovery begin again: what it looked at has changed under it.
var errMoved = errors.New("the run's operations have changed meanwhile")

// deliverWithin is when a recovered operation is overdue whose step says nothing of it.
const deliverWithin = time.Hour

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
		o, there, err := e.load(ctx, op.Key, ledger.OpBegun)
		if err != nil {
			return f, err
		}
		if !there {
			return f, errMoved
		}
		f.open[op.Key] = o
		if f.values[op.Key], f.happened[op.Key], _, err = e.find(ctx, o); err != nil {
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

// pivoted reports whether the plan may only go forward. A plan that never came to its only effect has no pivot behind it.
func (f *found) pivoted() bool {
	if f.run.Pivot {
		return true
	}
	for _, op := range f.ops {
		if op.Pivot && (op.State == ledger.OpDone || op.State == ledger.OpDeferred || f.happened[op.Key]) {
			return true
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
		switch {
		case !isOpen:
			continue
		case f.happened[op.Key]:
			if err := e.closeIn(tx, o, ledger.OpDone, f.values[op.Key], "recovered"); err != nil {
				return err
			}
			continue
		}
		if err := e.closeIn(tx, o, ledger.OpDeferred, nil, "recovered"); err != nil {
			return err
		}
		due := deliverWithin
		if o.node.meaning.due > 0 {
			due = o.node.meaning.due
		}
		err := tx.Enqueue(ledger.Message{
			Key: kindDeliver + ":" + op.Run + ":" + op.Key, Kind: kindDeliver, Run: op.Run, Venue: op.Venue, Payload: []byte(op.Key),
			NextAt: tx.Now(), DueAt: tx.Now().Add(due),
		})
		if err != nil {
			return err
		}
	}
	state := ledger.RunDone
	if missing := f.plan.missing(begun); len(missing) > 0 {
		state = ledger.RunAssist
		if _, err := tx.OpenAssist(e.interrupted(f.run, missing)); err != nil {
			return err
		}
	}
	return e.endRecovery(tx, f, state, true)
}

// missing names the calls that every run of the plan makes and that this one has not begun.
func (b *bound) missing(begun map[string]bool) (names []string) {
	for _, i := range b.effects {
		n := b.nodes[i]
		if n.kind != kindRecord && len(n.guards) == 0 && !begun[n.name] {
			names = append(names, n.name)
		}
	}
	return names
}

func (e *Engine) interrupted(run ledger.Run, missing []string) ledger.Assist {
	return ledger.Assist{
		ID: e.newID(), Run: run.ID, Plan: run.Plan, Kind: "interrupted", Tenant: run.Tenant, Venue: run.Venue, NotDone: missing,
		Tried: []string{"the gateway was interrupted"}, NextAction: gateway.Text{
			Zh: "办理过程中断，请人工完成剩余步骤", En: "The journey was interrupted; please finish the steps that are missing"},
	}
}

// goBack books what has not happened and takes back what has, so that the citizen can begin anew.
func (e *Engine) goBack(tx *ledger.Tx, f found) error {
	back := false
	for _, op := range f.ops {
		o, isOpen := f.open[op.Key]
		if isOpen && !f.happened[op.Key] {
			if err := e.closeIn(tx, o, ledger.OpRefused, nil, "did not happen"); err != nil {
				return err
			}
			continue
		}
		if !isOpen && op.State != ledger.OpDone || op.Undo == "" {
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
	return e.endRecovery(tx, f, ledger.RunUndone, false)
}

// endRecovery frees the idempotency key: a retry runs anew and meets, by the natural keys, what this run has left.
func (e *Engine) endRecovery(tx *ledger.Tx, f found, state ledger.RunState, pivot bool) error {
	if f.run.IdemScope != nil {
		if err := tx.DropIdempotency(f.run.IdemScope, f.run.ID); err != nil {
			return err
		}
	}
	return tx.EndRun(f.run.ID, state, pivot, 0, nil)
}
