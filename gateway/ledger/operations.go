package ledger

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// OpKind says what an operation changes.
type OpKind string

// The kinds of operations.
const (
	OpRecord OpKind = "record" // the ledger alone
	OpWrite  OpKind = "write"  // an outside system
)

// OpState is where an operation stands.
type OpState string

// The states of an operation.
const (
	OpBegun    OpState = "begun"    // may have happened: ask the backend
	OpDone     OpState = "done"     // has happened
	OpRefused  OpState = "refused"  // has certainly not happened
	OpDeferred OpState = "deferred" // left to the outbox
	OpUndoing  OpState = "undoing"  // being taken back by the outbox
	OpUndone   OpState = "undone"   // taken back
	OpAssist   OpState = "assist"   // a person settles it
)

// Operation is one effect of a run, kept before it is attempted.
type Operation struct {
	Key                          string // stable and unique: two runs that mean the same effect have the same key
	Run, Plan, Step, Name, Venue string
	Ord                          int // position in its run
	Kind                         OpKind
	State                        OpState
	Pivot                        bool
	Args, Result                 []byte    // sealed with the run's data key, or nil
	Undo                         string    // name of what takes it back, or ""
	Meaning                      string    // what its failure means: "refuse", "assist", "defer", "without"
	DueAt, BegunAt, SettledAt    time.Time // DueAt: see PromiseOperation
	Reason                       string    // the flow's word for a refusal; no personal data
}

const opColumns = `op_key, run, plan, step, name, venue, ord, kind, state, pivot, args, result, undo, meaning, due_at, begun_at, settled_at, reason`

func scanOperation(r Row) (Operation, error) {
	var v Operation
	var due, begun, settled int64
	err := r.Scan(&v.Key, &v.Run, &v.Plan, &v.Step, &v.Name, &v.Venue, &v.Ord, &v.Kind, &v.State, &v.Pivot, &v.Args, &v.Result,
		&v.Undo, &v.Meaning, &due, &begun, &settled, &v.Reason)
	v.DueAt, v.BegunAt, v.SettledAt = instant(due), instant(begun), instant(settled)
	return v, err
}

// BeginOperation enters op. Where its key is taken nothing changes: begun is false and existing is what stands there.
func (tx *Tx) BeginOperation(op Operation) (existing Operation, begun bool, err error) {
	n, err := tx.Exec(`INSERT INTO operations (`+opColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
		ON CONFLICT (op_key) DO NOTHING`,
		op.Key, op.Run, op.Plan, op.Step, op.Name, op.Venue, op.Ord, op.Kind, op.State, op.Pivot, op.Args, op.Result,
		op.Undo, op.Meaning, millis(op.DueAt), millis(op.BegunAt), millis(op.SettledAt), op.Reason)
	if err != nil {
		return Operation{}, false, fmt.Errorf("cannot begin an operation of step %s: %w", op.Step, err)
	}
	if n > 0 {
		return Operation{}, true, nil
	}
	existing, found, err := FindOperation(tx, op.Key)
	if err == nil && !found {
		err = fmt.Errorf("cannot begin an operation of step %s: its key is taken and cannot be read", op.Step)
	}
	return existing, false, err
}

// SettleOperation moves an operation to state to, if it stands in one of from. A nil result keeps the one that is there.
// changed is false when it stands elsewhere: somebody else has settled it.
func (tx *Tx) SettleOperation(key string, from []OpState, to OpState, result []byte, reason string) (changed bool, err error) {
	args := append(make([]any, 0, 8), to, result, millis(tx.Now()), reason, key)
	query := `UPDATE operations SET state = $1, result = COALESCE($2, result), settled_at = $3, reason = $4, due_at = 0 WHERE op_key = $5 AND state IN (`
	if to == OpAssist || to == OpRefused { // it is still owed
		query = `UPDATE operations SET state = $1, result = COALESCE($2, result), settled_at = $3, reason = $4 WHERE op_key = $5 AND state IN (`
	}
	query, args = inList(query, args, from)
	n, err := tx.Exec(query, args...)
	if err != nil {
		return false, fmt.Errorf("cannot settle an operation as %s: %w", to, err)
	}
	return n > 0, nil
}

// FindOperation reads an operation; false when there is none.
func FindOperation(q Querier, key string) (Operation, bool, error) {
	op, found, err := one(q.QueryRow(`SELECT `+opColumns+` FROM operations WHERE op_key = $1`, key), scanOperation)
	if err == nil && found {
		err = catchUp(q, op.Run)
	}
	return op, found, err
}

// OperationsOf returns a run's operations by Ord.
func OperationsOf(q Querier, run string) ([]Operation, error) {
	if err := catchUp(q, run); err != nil {
		return nil, err
	}
	rows, err := q.Query(`SELECT `+opColumns+` FROM operations WHERE run = $1 ORDER BY ord, op_key`, run)
	return List(rows, err, scanOperation)
}

// inList closes a query that ends in "IN (" with a parameter for each value. No value at all is a list that nothing is in.
func inList[T any](query string, args []any, values []T) (string, []any) {
	if len(values) == 0 {
		return query + "NULL)", args
	}
	var b strings.Builder
	b.WriteString(query)
	for i, v := range values {
		if i > 0 {
			b.WriteByte(',')
		}
		args = append(args, v)
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(len(args)))
	}
	b.WriteByte(')')
	return b.String(), args
}
