package ledger

import (
	"fmt"
	"time"
)

// AdoptOperation begins an operation anew for another run, when it is still in state from: the run that began it came to
// nothing. args are sealed with the new run's data key. changed is false when it has moved on meanwhile.
func (tx *Tx) AdoptOperation(key string, from OpState, run string, args []byte) (changed bool, err error) {
	n, err := tx.Exec(`UPDATE operations SET run = $1, state = 'begun', args = $2, result = NULL, begun_at = $3, settled_at = 0, due_at = 0, reason = ''
		WHERE op_key = $4 AND state = $5`, run, args, millis(tx.Now()), key, from)
	if err != nil {
		return false, fmt.Errorf("cannot adopt an operation for run %s: %w", run, err)
	}
	return n > 0, nil
}

// AdoptIdempotency gives a key whose run died (its lease is over and it never ended) to another run, which seals its
// answer under key. It reports false when the key has ended or is held.
func (tx *Tx) AdoptIdempotency(scope []byte, run string, lease time.Time, key []byte) (bool, error) {
	n, err := tx.Exec(`UPDATE idempotency SET run = $1, lease_until = $2, data_key = $3
		WHERE scope = $4 AND NOT ended AND lease_until <= $5`, run, millis(lease), key, scope, millis(tx.Now()))
	if err != nil {
		return false, fmt.Errorf("cannot adopt an idempotency record for run %s: %w", run, err)
	}
	return n > 0, nil
}

// DropIdempotency frees the scope that run holds without an answer, as if the key had never been used.
func (tx *Tx) DropIdempotency(scope []byte, run string) error {
	if _, err := tx.Exec(`DELETE FROM idempotency WHERE scope = $1 AND run = $2 AND NOT ended`, scope, run); err != nil {
		return fmt.Errorf("cannot drop an idempotency record: %w", err)
	}
	return nil
}

// BeginRecovery takes a running run whose lease is over for dead. It reports false when it has ended meanwhile.
func (tx *Tx) BeginRecovery(run string) (bool, error) {
	if err := tx.writeRun(); err != nil {
		return false, err
	}
	n, err := tx.Exec(`UPDATE runs SET state = $1 WHERE id = $2 AND state = 'running' AND lease_until <= $3`,
		RunRecovering, run, millis(tx.Now()))
	if err != nil {
		return false, fmt.Errorf("cannot begin the recovery of run %s: %w", run, err)
	}
	return n > 0, nil
}
