package journey

import (
	"time"

	"github.com/warmgate/warmgate/gateway/ledger"
)

// Deliver leaves an operation to the outbox by a person's decision, in the commit of tx. One that is done already stays
// as it is.
func (e *Engine) Deliver(tx *ledger.Tx, key string, due time.Duration) error {
	op, found, err := ledger.FindOperation(tx, key)
	if err != nil || !found {
		return err
	}
	from := []ledger.OpState{ledger.OpBegun, ledger.OpAssist}
	changed, err := tx.SettleOperation(key, from, ledger.OpDeferred, nil, "by hand")
	if err != nil || !changed {
		return err
	}
	return tx.Enqueue(ledger.Message{
		Key: kindDeliver + ":by hand:" + op.Run + ":" + key, Kind: kindDeliver, Run: op.Run, Venue: op.Venue,
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
		Key: kindUndo + ":by hand:" + run, Kind: kindUndo, Run: run, Venue: venue, Payload: []byte(run), NextAt: tx.Now(),
	})
}
