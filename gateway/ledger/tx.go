package ledger

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// Tx is one item's view of the running transaction: what earlier items of the same group wrote is visible.
// It is valid inside Apply alone, in Apply's goroutine.
type Tx struct {
	store  StoreTx
	now    time.Time
	over   bool
	audit  []AuditEntry // of the items so far
	queue  *queue       // where changes may lie beside
	scopes *scopes      // of idempotency records that may be there

	// of the item at hand
	changed bool      // it wrote something, or a statement of it failed: leaving it out takes a new run
	failed  error     // its first failed statement
	open    []*txRows // not closed yet
	audited int       // entries of the items before it
	run     *Run      // that it has begun and that is not written yet
}

// Now returns the instant of the group commit, in UTC, with millisecond precision. It is the same for every item of a
// group and for every run of it.
func (tx *Tx) Now() time.Time { return tx.now }

// Exec runs one statement and returns how many rows it changed. See StoreTx.Exec for the arguments. A statement that
// fails makes the item fail, whatever Apply returns: a conflict has to be a result (ON CONFLICT DO NOTHING).
func (tx *Tx) Exec(query string, args ...any) (int64, error) {
	if tx.over {
		return 0, errOver
	}
	n, err := tx.store.Exec(query, args)
	if n > 0 {
		tx.changed = true
	}
	return n, tx.note(err)
}

// Query runs one statement that returns rows: a SELECT, or a write with RETURNING.
func (tx *Tx) Query(query string, args ...any) (Rows, error) {
	if tx.over {
		return nil, errOver
	}
	rows, err := tx.store.Query(query, args)
	if err != nil {
		return nil, tx.note(err)
	}
	r := &txRows{tx: tx, rows: rows, writes: !isSelect(query)}
	tx.open = append(tx.open, r)
	return r, nil
}

// QueryRow is Query for at most one row.
func (tx *Tx) QueryRow(query string, args ...any) Row { return FirstRow(tx.Query(query, args...)) }

// note remembers that a statement failed.
func (tx *Tx) note(err error) error {
	if err != nil {
		tx.changed = true
		if tx.failed == nil {
			tx.failed = err
		}
	}
	return err
}

// begin makes the Tx ready for the next item.
func (tx *Tx) begin() { tx.changed, tx.failed, tx.audited, tx.run = false, nil, len(tx.audit), nil }

// end closes what the item left open and returns the item's error: its own, or that of a statement it let pass. An item
// that is not kept has nothing on the audit trail.
func (tx *Tx) end(err error) error {
	if err == nil || isKept(err) {
		err = cmp.Or(tx.writeRun(), err)
	}
	err = tx.settle(err)
	if err != nil && !isKept(err) {
		tx.audit = tx.audit[:tx.audited]
	}
	return err
}

// settle is the first half of end.
func (tx *Tx) settle(err error) error {
	for _, r := range tx.open {
		_ = r.Close()
	}
	clear(tx.open)
	tx.open = tx.open[:0]
	if tx.failed == nil {
		return err
	}
	if errors.Is(err, tx.failed) && !isKept(err) {
		return err
	}
	return fmt.Errorf("a statement failed: %w", tx.failed)
}

// txRows are rows that belong to an item.
type txRows struct {
	tx     *Tx
	rows   Rows
	writes bool // a write with RETURNING: a row means that something changed
	ended  bool // Next said so
	closed bool
}

// Next moves to the next row.
func (r *txRows) Next() bool {
	if r.closed {
		return false
	}
	if r.rows.Next() {
		r.tx.changed = r.tx.changed || r.writes
		return true
	}
	r.ended = true
	_ = r.tx.note(r.rows.Err())
	return false
}

// Scan copies the row.
func (r *txRows) Scan(dest ...any) error {
	if r.closed {
		return errOver
	}
	return r.rows.Scan(dest...)
}

// Err returns the error that ended Next.
func (r *txRows) Err() error { return r.rows.Err() }

// Close frees the statement.
func (r *txRows) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	r.tx.changed = r.tx.changed || r.writes && !r.ended
	return r.tx.note(r.rows.Close())
}

// isSelect reports whether query only reads, by its first word.
func isSelect(query string) bool {
	const word = "select"
	i := 0
	for i < len(query) && (query[i] == ' ' || query[i] == '\n' || query[i] == '\t' || query[i] == '\r') {
		i++
	}
	if len(query)-i < len(word) {
		return false
	}
	for j := range len(word) {
		if query[i+j]|0x20 != word[j] {
			return false
		}
	}
	return true
}
