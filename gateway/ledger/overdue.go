package ledger

import (
	"fmt"
	"time"
)

// PromiseOperation keeps until when a deferred operation has to have happened. The time stays with it while a person has it
// instead, and goes with every other state.
func (tx *Tx) PromiseOperation(key string, due time.Time) error {
	if _, err := tx.Exec(`UPDATE operations SET due_at = $1 WHERE op_key = $2 AND state = 'deferred'`, millis(due), key); err != nil {
		return fmt.Errorf("cannot keep when an operation is due: %w", err)
	}
	return nil
}

// Overdue is how many operations of a name are past their due time.
type Overdue struct {
	Name   string
	Count  int
	Oldest time.Time // the earliest of their due times
}

// OverdueOperations counts, by name, the operations that were to have happened before now: those that are still left to the
// outbox, and those that it has given up, or that were refused, while nobody has resolved an assist of their run.
func OverdueOperations(q Querier, now time.Time) ([]Overdue, error) {
	rows, err := q.Query(`SELECT o.name, COUNT(*), MIN(o.due_at) FROM operations o
		WHERE o.due_at > 0 AND o.state IN ('deferred', 'assist', 'refused') AND o.due_at <= $1
			AND (o.state = 'deferred' OR EXISTS (SELECT 1 FROM assists a WHERE a.run = o.run AND a.state <> 'resolved'))
		GROUP BY o.name ORDER BY o.name`, millis(now))
	return List(rows, err, func(r Row) (v Overdue, err error) {
		var oldest int64
		err = r.Scan(&v.Name, &v.Count, &oldest)
		v.Oldest = instant(oldest)
		return v, err
	})
}
