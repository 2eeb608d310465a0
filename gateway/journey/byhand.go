package journey

import (
	"fmt"
	"time"

	"github.com/warmgate/warmgate/gateway/ledger"
)

// Begin begins an effect of a run by a person's decision, in the commit of tx, and leaves it to the outbox. arg is the
// argument of one call of the step. An operation that is there already is delivered as it stands.
func (e *Engine) Begin(tx *ledger.Tx, run, step string, arg any, due time.Duration) error {
	row, found, err := ledger.FindRun(tx, run)
	if err != nil {
		return err
	}
	if !found || len(row.Key) == 0 {
		return fmt.Errorf("cannot begin step %s by hand: its run has been erased", step)
	}
	_, n, err := e.step(ledger.Operation{Plan: row.Plan, Step: step})
	if err != nil {
		return err
	}
	plain, err := n.effect.encode(arg)
	if err != nil {
		return fmt.Errorf("cannot keep the argument of step %s: %w", step, err)
	}
	box, err := e.ledger.Keys().OpenBox(row.Key)
	if err != nil {
		return err
	}
	key := n.effect.key(arg)
	_, _, err = tx.BeginOperation(ledger.Operation{
		Key: key, Run: run, Plan: row.Plan, Step: step, Name: n.effect.name(), Venue: row.Venue, Ord: n.index, Kind: ledger.OpWrite,
		State: ledger.OpBegun, Pivot: n.pivot, Args: box.Seal(plain, sealedArgs), Undo: n.undo.name, Meaning: deferred.String(),
		BegunAt: tx.Now(),
	})
	if err != nil {
		return err
	}
	return e.Deliver(tx, key, due)
}

// Deliver leaves an operation to the outbox by a person's decision, in the commit of tx, also one that was found not to
// have happened. One that is done already stays as it is.
func (e *Engine) Deliver(tx *ledger.Tx, key string, due time.Duration) error {
	op, found, err := ledger.FindOperation(tx, key)
	if err != nil || !found {
		return err
	}
	from := []ledger.OpState{ledger.OpBegun, ledger.OpAssist, ledger.OpRefused, ledger.OpUndone}
	changed, err := tx.SettleOperation(key, from, ledger.OpDeferred, nil, "by hand")
	if err != nil || !changed {
		return err
	}
	return tx.Enqueue(ledger.Message{
		Key: kindDeliver + ":by hand:" + e.newID() + ":" + key, Kind: kindDeliver, Run: op.Run, Venue: op.Venue,
		Payload: []byte(key), NextAt: tx.Now(), DueAt: tx.Now().Add(due),
	})
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
		changed, err := tx.SettleOperation(op.Key, from, ledger.OpUndoing, nil, "by hand")
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
