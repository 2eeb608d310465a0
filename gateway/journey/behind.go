package journey

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

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
	bindings *call.Bindings
	policy   call.Policy
}

// load reads an operation of a run by its key. found is false where it is gone, another run's by now, or no longer in one
// of states.
func (e *Engine) load(ctx context.Context, run, key string, states ...ledger.OpState) (o open, found bool, err error) {
	var plain []byte
	err = e.ledger.View(ctx, func(q ledger.Querier) (err error) {
		if o.op, found, err = ledger.FindOperation(q, key); err != nil || !found {
			return err
		}
		if found = o.op.Run == run && slices.Contains(states, o.op.State); !found {
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

// isAsExpected reports whether v is what was expected of the operation when its run drafted the answer.
func (o open) isAsExpected(v any) bool {
	if o.node.expect == nil {
		return false
	}
	came, err := o.node.effect.encode(v)
	usual, failed := o.node.effect.encode(o.node.expect(o.arg))
	return err == nil && failed == nil && bytes.Equal(came, usual)
}

// lateMargin lets a late call end by its own time-out, which the breaker counts, and not by the outbox's.
const lateMargin = 20 * time.Millisecond

// late is the policy of a call that no citizen waits for: all of the attempt's time, once.
func late(ctx context.Context) call.Policy {
	left := 10 * time.Second
	if deadline, ok := ctx.Deadline(); ok {
		left = max(time.Until(deadline)-lateMargin, time.Millisecond)
	}
	return call.Policy{Slice: left, AttemptTimeout: left, Attempts: 1}
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
	return e.ledger.Commit(ctx, applied(func(tx *ledger.Tx) error {
		_, err := e.closeIn(tx, o, to, v, reason)
		return err
	}))
}

func (e *Engine) closeIn(tx *ledger.Tx, o open, to ledger.OpState, v any, reason string) (changed bool, err error) {
	now, found, err := ledger.FindOperation(tx, o.op.Key)
	if err != nil || !found || now.Run != o.op.Run {
		return false, err // another run has taken it over
	}
	var result []byte
	if to == ledger.OpDone && v != nil {
		plain, err := o.node.effect.encode(v)
		if err != nil {
			return false, err
		}
		if result, err = e.reseal(tx, o.op.Run, plain, sealedResult); err != nil {
			return false, err
		}
	}
	return tx.SettleOperation(o.op.Key, []ledger.OpState{o.op.State}, to, result, reason)
}

// reseal encrypts with the data key of a run that is in the ledger.
func (e *Engine) reseal(q ledger.Querier, id string, plain []byte, what string) ([]byte, error) {
	run, found, err := ledger.FindRun(q, id)
	if err != nil {
		return nil, err
	}
	if !found || len(run.Key) == 0 {
		return nil, errErased
	}
	box, err := e.ledger.Keys().OpenBox(run.Key)
	if err != nil {
		return nil, err
	}
	return box.Seal(plain, what), nil
}

// told puts on the audit trail what a call behind the answer has told a backend.
func (e *Engine) told(ctx context.Context, o open, err error) error {
	name := o.node.effect.name()
	if len(o.node.disclose.fields) == 0 || call.OutcomeOf(err) == call.NotSentOutcome || o.bindings.Silent(name) {
		return nil
	}
	system := o.bindings.System(name)
	return e.ledger.Commit(ctx, applied(func(tx *ledger.Tx) error { return o.node.disclose.audit(tx, auditDisclose, o.op.Run, system) }))
}

// deliver brings a deferred operation about: it asks whether it has happened, and does it if not. What the backend
// refuses then is a person's.
func (e *Engine) deliver(ctx context.Context, m ledger.Message) error {
	o, found, err := e.load(ctx, m.Run, string(m.Payload), ledger.OpDeferred, ledger.OpRefused)
	if err != nil || !found {
		return err
	}
	if o.op.State == ledger.OpRefused { // by an attempt that ended before its message did
		return outbox.Dead(&call.Refused{Reason: o.op.Reason})
	}
	v, happened, refused, err := e.find(ctx, o)
	if err == nil && refused == nil && !happened {
		v, err = o.node.effect.do(ctx, e.caller, o.bindings, o.policy, o.op.Key, o.arg)
		refused, _ = errors.AsType[*call.Refused](err)
	}
	if told := e.told(ctx, o, err); told != nil {
		return told
	}
	switch {
	case refused != nil:
		if err := e.close(ctx, o, ledger.OpRefused, nil, refused.Reason); err != nil {
			return err
		}
		return outbox.Dead(&call.Refused{Reason: refused.Reason})
	case err != nil:
		return fmt.Errorf("cannot deliver step %s: %w", o.op.Step, err)
	}
	return e.close(ctx, o, ledger.OpDone, v, "")
}

// settleLate finds out what became of an operation whose answer never came. One that may be deferred and has not happened
// is delivered.
func (e *Engine) settleLate(ctx context.Context, m ledger.Message) error {
	o, found, err := e.load(ctx, m.Run, string(m.Payload), ledger.OpBegun)
	if err != nil || !found {
		return err
	}
	v, happened, refused, err := e.find(ctx, o)
	if told := e.told(ctx, o, err); told != nil {
		return told
	}
	switch {
	case err != nil:
		return fmt.Errorf("cannot find out what became of step %s: %w", o.op.Step, err)
	case happened:
		return e.close(ctx, o, ledger.OpDone, v, "")
	case refused == nil && o.op.Meaning == deferred.String():
		return e.ledger.Commit(ctx, applied(func(tx *ledger.Tx) error { return e.redeliver(tx, o, "") }))
	default:
		return e.close(ctx, o, ledger.OpRefused, nil, "did not happen")
	}
}

// redeliver leaves an operation to the outbox that has not happened.
func (e *Engine) redeliver(tx *ledger.Tx, o open, reason string) error {
	changed, err := e.closeIn(tx, o, ledger.OpDeferred, nil, reason)
	if err != nil || !changed {
		return err
	}
	due := o.node.meaning.dueAt(o.bindings.Venue())
	if err := tx.PromiseOperation(o.op.Key, tx.Now().Add(due)); err != nil {
		return err
	}
	return tx.Enqueue(ledger.Message{
		Key: kindDeliver + ":" + o.op.Run + ":" + o.op.Key, Kind: kindDeliver, Run: o.op.Run, Venue: o.op.Venue, Payload: []byte(o.op.Key),
		NextAt: tx.Now(), DueAt: tx.Now().Add(due),
	})
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
	o, found, err := e.load(ctx, op.Run, op.Key, ledger.OpUndoing)
	if err != nil || !found {
		return err
	}
	_, happened, _, err := e.find(ctx, o)
	if told := e.told(ctx, o, err); told != nil {
		return told
	}
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
