package journey

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// byHand is the reason of an operation that a person has brought about, or has had moved on.
const byHand = "by hand"

// Begin begins an effect of a run by a person's decision, in the commit of tx, and leaves it to the outbox. arg is the
// argument of one call of the step. An operation that is there already is delivered as it stands.
func (e *Engine) Begin(tx *ledger.Tx, run, step string, arg any, due time.Duration) error {
	op, err := e.operation(tx, run, step, arg)
	if err != nil {
		return err
	}
	if _, _, err = tx.BeginOperation(op); err != nil {
		return err
	}
	return e.Deliver(tx, op.Key, due)
}

// DoneByHand keeps that a person has brought an effect of a run about, in the commit of tx, whether it had begun or not: no
// recovery, no delivery and no later run does it again. arg is the argument of one call of the step. The error is
// ProblemStillRunning while a run may be calling for it, or the outbox is taking it back.
func (e *Engine) DoneByHand(tx *ledger.Tx, run, step string, arg any) error {
	op, err := e.operation(tx, run, step, arg)
	if err != nil {
		return err
	}
	op.State, op.SettledAt, op.Reason = ledger.OpDone, tx.Now(), byHand
	there, begun, err := tx.BeginOperation(op)
	if err != nil || begun {
		return err
	}
	if there.Run != run && (there.State == ledger.OpRefused || there.State == ledger.OpUndone) { // that run has nothing to do with it any more
		if _, err := tx.AdoptOperation(op.Key, there.State, run, op.Args); err != nil {
			return err
		}
		there.Run, there.State = run, ledger.OpBegun
		return closeByHand(tx, there)
	}
	return e.settleByHand(tx, there)
}

// SettledByHand keeps, in the commit of tx, that a person has seen to everything that a step of the run was to do and did
// not.
func (e *Engine) SettledByHand(tx *ledger.Tx, run, step string) error {
	ops, err := ledger.OperationsOf(tx, run)
	for _, op := range ops {
		if err == nil && op.Step == step && (op.State == ledger.OpAssist || op.State == ledger.OpRefused) {
			err = closeByHand(tx, op)
		}
	}
	return err
}

// settleByHand keeps that an operation which is in the ledger has been done by a person.
func (e *Engine) settleByHand(tx *ledger.Tx, op ledger.Operation) error {
	switch op.State {
	case ledger.OpDone:
		return nil
	case ledger.OpUndoing:
		return ProblemStillRunning.Error(gateway.Text{}).WithRetryAfter(2 * time.Second)
	case ledger.OpBegun:
		run, found, err := ledger.FindRun(tx, op.Run)
		if err != nil {
			return err
		}
		if found && (run.State == ledger.RunRunning || run.State == ledger.RunRecovering) {
			return ProblemStillRunning.Error(gateway.Text{}).WithRetryAfter(2 * time.Second)
		}
	}
	return closeByHand(tx, op)
}

func closeByHand(tx *ledger.Tx, op ledger.Operation) error {
	_, err := tx.SettleOperation(op.Key, []ledger.OpState{op.State}, ledger.OpDone, nil, byHand)
	return err
}

// IsByHand reports whether a person has brought the operation about, so that its backend may not know it by its key.
func IsByHand(op ledger.Operation) bool { return op.State == ledger.OpDone && op.Reason == byHand }

// operation is an effect of a run that is begun by a person's decision.
func (e *Engine) operation(tx *ledger.Tx, run, step string, arg any) (op ledger.Operation, err error) {
	row, found, err := ledger.FindRun(tx, run)
	if err != nil {
		return op, err
	}
	if !found || len(row.Key) == 0 {
		return op, fmt.Errorf("cannot keep step %s by hand: its run has been erased", step)
	}
	_, n, err := e.step(ledger.Operation{Plan: row.Plan, Step: step})
	if err != nil {
		return op, err
	}
	plain, err := n.effect.encode(arg)
	if err != nil {
		return op, fmt.Errorf("cannot keep the argument of step %s: %w", step, err)
	}
	box, err := e.ledger.Keys().OpenBox(row.Key)
	if err != nil {
		return op, err
	}
	return ledger.Operation{
		Key: n.effect.key(arg), Run: run, Plan: row.Plan, Step: step, Name: n.effect.name(), Venue: row.Venue, Ord: n.index, Kind: ledger.OpWrite,
		State: ledger.OpBegun, Pivot: n.pivot, Args: box.Seal(plain, sealedArgs), Undo: n.undo.name, Meaning: deferred.String(),
		BegunAt: tx.Now(),
	}, nil
}

// Deliver leaves an operation to the outbox by a person's decision, in the commit of tx, also one that was found not to
// have happened. One that is done already stays as it is.
func (e *Engine) Deliver(tx *ledger.Tx, key string, due time.Duration) error {
	op, found, err := ledger.FindOperation(tx, key)
	if err != nil || !found {
		return err
	}
	from := []ledger.OpState{ledger.OpBegun, ledger.OpAssist, ledger.OpRefused, ledger.OpUndone}
	changed, err := tx.SettleOperation(key, from, ledger.OpDeferred, nil, byHand)
	if err != nil || !changed {
		return err
	}
	if err := tx.PromiseOperation(key, tx.Now().Add(due)); err != nil {
		return err
	}
	return tx.Enqueue(ledger.Message{
		Key: kindDeliver + ":by hand:" + e.newID() + ":" + key, Kind: kindDeliver, Run: op.Run, Venue: op.Venue,
		Payload: []byte(key), NextAt: tx.Now(), DueAt: tx.Now().Add(due),
	})
}

// SealFacts seals with the data key of a run what a person is to see of an assist that the flow opens in the run's name. Of a
// run that has been erased nothing is known: nil.
func (e *Engine) SealFacts(q ledger.Querier, run string, facts any) ([]byte, error) {
	plain, err := json.Marshal(facts)
	if err != nil {
		return nil, fmt.Errorf("cannot seal the facts of an assist: %w", err)
	}
	sealed, err := e.reseal(q, run, plain, sealedFacts)
	if errors.Is(err, errErased) {
		return nil, nil
	}
	return sealed, err
}

// TakeBack leaves it to the outbox to undo a run's calls by a person's decision, in the commit of tx. What the run has
// recorded in the ledger is the caller's to release.
func (e *Engine) TakeBack(tx *ledger.Tx, run string) error {
	ops, err := ledger.OperationsOf(tx, run)
	if err != nil {
		return err
	}
	venue := ""
	for _, op := range ops {
		if op.Kind != ledger.OpWrite || op.Undo == "" {
			continue
		}
		from := []ledger.OpState{ledger.OpBegun, ledger.OpDone, ledger.OpDeferred, ledger.OpAssist}
		changed, err := tx.SettleOperation(op.Key, from, ledger.OpUndoing, nil, byHand)
		if err != nil {
			return err
		}
		if changed {
			venue = op.Venue
		}
	}
	if venue == "" {
		return nil
	}
	return tx.Enqueue(ledger.Message{
		Key: kindUndo + ":by hand:" + e.newID() + ":" + run, Kind: kindUndo, Run: run, Venue: venue, Payload: []byte(run), NextAt: tx.Now(),
	})
}
