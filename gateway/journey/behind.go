package journey

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/outbox"
)

// open is an operation with everything that settling it behind the answer needs.
type open struct {
	op       ledger.Operation
	plan     *bound
	node     *node
	arg      any
	box      func(plain []byte, what string) []byte
	bindings *call.Bindings
	policy   call.Policy
}

// load reads an operation by its key. found is false where it is gone or no longer in one of states.
func (e *Engine) load(ctx context.Context, key string, states ...ledger.OpState) (o open, found bool, err error) {
	var plain []byte
	err = e.ledger.View(ctx, func(q ledger.Querier) (err error) {
		if o.op, found, err = ledger.FindOperation(q, key); err != nil || !found {
			return err
		}
		if found = in(o.op.State, states); !found {
			return nil
		}
		plain, err = e.unseal(q, o.op, o.op.Args, sealedArgs)
		return err
	})
	if err != nil || !found {
		return o, false, err
	}
	if o.plan, o.node, err = e.step(o.op); err != nil {
		return o, false, outbox.Dead(err)
	}
	if o.bindings = e.bindings(o.op.Venue); o.bindings == nil {
		return o, false, fmt.Errorf("cannot settle an operation of step %s: venue %s is not configured", o.op.Step, o.op.Venue)
	}
	if o.arg, err = o.node.effect.decodeArg(plain); err != nil {
		return o, false, outbox.Dead(fmt.Errorf("cannot read the argument of step %s: %w", o.op.Step, err))
	}
	o.policy = late(ctx)
	return o, true, nil
}

// late is the policy of a call that no citizen waits for: all of the attempt's time, once.
func late(ctx context.Context) call.Policy {
	left := 10 * time.Second
	if deadline, ok := ctx.Deadline(); ok {
		left = max(time.Until(deadline), time.Millisecond)
	}
	return call.Policy{Slice: left, AttemptTimeout: left, Attempts: 1}
}

func in(s ledger.OpState, states []ledger.OpState) bool {
	for _, want := range states {
		if s == want {
			return true
		}
	}
	return false
}

// find asks whether an operation has happened. A backend that refuses to have done it says that it has not.
func (e *Engine) find(ctx context.Context, o open) (v any, happened bool, refused *call.Refused, err error) {
	v, happened, err = o.node.effect.find(ctx, e.caller, o.bindings, o.policy, o.op.Key, o.arg)
	if no, ok := errors.AsType[*call.Refused](err); ok {
		return nil, false, no, nil
	}
	return v, happened, nil, err
}

// close settles an operation, if it still stands where it stood.
func (e *Engine) close(ctx context.Context, o open, to ledger.OpState, v any, reason string) error {
	return e.ledger.Commit(ctx, applied(func(tx *ledger.Tx) error { return e.closeIn(tx, o, to, v, reason) }))
}

func (e *Engine) closeIn(tx *ledger.Tx, o open, to ledger.OpState, v any, reason string) error {
	var result []byte
	if to == ledger.OpDone && v != nil {
		plain, err := o.node.effect.encode(v)
		if err != nil {
			return err
		}
		run, _, err := ledger.FindRun(tx, o.op.Run)
		if err != nil {
			return err
		}
		box, err := e.ledger.Keys().OpenBox(run.Key)
		if err != nil {
			return err
		}
		result = box.Seal(plain, sealedResult)
	}
	_, err := tx.SettleOperation(o.op.Key, []ledger.OpState{o.op.State}, to, result, reason)
	return err
}

// deliver brings a deferred operation about: it asks whether it has happened, and does it if not.
func (e *Engine) deliver(ctx context.Context, m ledger.Message) error {
	o, found, err := e.load(ctx, string(m.Payload), ledger.OpDeferred)
	if err != nil || !found {
		return err
	}
	v, happened, refused, err := e.find(ctx, o)
	if err == nil && refused == nil && !happened {
		v, err = o.node.effect.do(ctx, e.caller, o.bindings, o.policy, o.op.Key, o.arg)
		refused, _ = errors.AsType[*call.Refused](err)
	}
	switch {
	case refused != nil:
		if err := e.close(ctx, o, ledger.OpRefused, nil, refused.Reason); err != nil {
			return err
		}
		return outbox.Dead(refused)
	case err != nil:
		return fmt.Errorf("cannot deliver step %s: %w", o.op.Step, err)
	}
	return e.close(ctx, o, ledger.OpDone, v, "")
}

// settleLate finds out what became of an operation whose answer never came.
func (e *Engine) settleLate(ctx context.Context, m ledger.Message) error {
	o, found, err := e.load(ctx, string(m.Payload), ledger.OpBegun)
	if err != nil || !found {
		return err
	}
	v, happened, _, err := e.find(ctx, o)
	switch {
	case err != nil:
		return fmt.Errorf("cannot find out what became of step %s: %w", o.op.Step, err)
	case happened:
		return e.close(ctx, o, ledger.OpDone, v, "")
	default:
		return e.close(ctx, o, ledger.OpRefused, nil, "did not happen")
	}
}

// undo takes the effects of a run back, the last one first. It goes on where an earlier attempt has stopped.
func (e *Engine) undo(ctx context.Context, m ledger.Message) error {
	var ops []ledger.Operation
	err := e.ledger.View(ctx, func(q ledger.Querier) (err error) {
		ops, err = ledger.OperationsOf(q, string(m.Payload))
		return err
	})
	if err != nil {
		return err
	}
	for i := len(ops) - 1; i >= 0; i-- {
		if ops[i].State != ledger.OpUndoing {
			continue
		}
		take := e.undoCall
		if ops[i].Kind == ledger.OpRecord {
			take = e.undoRecord
		}
		if err := take(ctx, ops[i]); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) undoRecord(ctx context.Context, op ledger.Operation) error {
	_, n, err := e.step(op)
	if err != nil || n.undo.decide == nil {
		return outbox.Dead(errors.Join(err, fmt.Errorf("cannot take back step %s", op.Step)))
	}
	return e.ledger.Commit(ctx, applied(func(tx *ledger.Tx) error {
		plain, err := e.unseal(tx, op, op.Result, sealedResult)
		if err != nil {
			return err
		}
		changed, err := tx.SettleOperation(op.Key, []ledger.OpState{ledger.OpUndoing}, ledger.OpUndone, nil, "")
		if err != nil || !changed {
			return err
		}
		return n.undo.decide(tx, plain)
	}))
}

// undoCall asks first: an effect that never happened must not be taken back.
func (e *Engine) undoCall(ctx context.Context, op ledger.Operation) error {
	o, found, err := e.load(ctx, op.Key, ledger.OpUndoing)
	if err != nil || !found {
		return err
	}
	_, happened, _, err := e.find(ctx, o)
	if err != nil {
		return fmt.Errorf("cannot find out what became of step %s: %w", op.Step, err)
	}
	if happened {
		if o.node.undo.write == nil {
			return outbox.Dead(fmt.Errorf("cannot take back step %s: it has no undo any more", op.Step))
		}
		_, err = o.node.undo.write.do(ctx, e.caller, o.bindings, o.policy, "undo/"+op.Key, o.arg)
		if call.OutcomeOf(err) == call.RefusedOutcome {
			return outbox.Dead(fmt.Errorf("cannot take back step %s: %w", op.Step, err))
		}
		if err != nil {
			return fmt.Errorf("cannot take back step %s: %w", op.Step, err)
		}
	}
	return e.close(ctx, o, ledger.OpUndone, nil, "")
}

// Dead opens the assist of a message that the outbox has given up, in the commit that kills it.
func (e *Engine) Dead(tx *ledger.Tx, m ledger.Message, cause string) error {
	run, found, err := ledger.FindRun(tx, m.Run)
	if err != nil || !found {
		return err
	}
	a := ledger.Assist{
		ID: e.newID(), Run: m.Run, Plan: run.Plan, Kind: "undelivered", Tenant: run.Tenant, Venue: run.Venue,
		NotDone: []string{m.Kind}, Tried: []string{cause}, NextAction: gateway.Text{
			Zh: "系统未能完成此项操作，请人工核对并处理", En: "The system could not finish this; check by hand what stands and settle it"},
	}
	op, found, err := ledger.FindOperation(tx, string(m.Payload))
	if err != nil {
		return err
	}
	if found {
		a.NotDone, a.Kind = []string{op.Step}, op.Step+"-undelivered"
		if _, n, err := e.step(op); err == nil && n.meaning.handover.Kind != "" {
			a.Kind, a.NextAction = n.meaning.handover.Kind, n.meaning.handover.Next
		}
		if _, err := tx.SettleOperation(op.Key, []ledger.OpState{ledger.OpDeferred, ledger.OpBegun, ledger.OpUndoing}, ledger.OpAssist, nil, ""); err != nil {
			return err
		}
	}
	_, err = tx.OpenAssist(a)
	return err
}
