package ledger

import (
	"errors"
	"fmt"
)

// What a commit can come to, besides success and the item's own error. Test with errors.Is.
var (
	// ErrUnavailable says that nothing of the item was kept, and that nothing of it ever will be.
	ErrUnavailable = errors.New("the ledger is unavailable, nothing was kept")
	// ErrUnknown says that the item may have been kept: read again by its key.
	ErrUnknown = errors.New("the ledger did not say whether this was kept")
	// ErrBroken is how a Store says that a flush met an I/O error: what the disk holds is not known any more, and the
	// process has to end, so that the next one reads it anew. Items of that flush get ErrUnknown.
	ErrBroken = errors.New("the ledger's disk failed during a flush")
	// ErrNoRows is what Row.Scan returns when the query gave no row.
	ErrNoRows = errors.New("no rows")
	// ErrPanicked is the outcome of an item whose Apply panicked; it was left out.
	ErrPanicked = errors.New("the decision panicked, nothing was kept")
)

// errOver is what a Tx or its Rows say after the Apply that they were made for.
var errOver = errors.New("this transaction is over: a Tx is valid inside Apply alone")

// kept is an error that was marked with Keep.
type kept struct{ err error }

func (k *kept) Error() string { return k.err.Error() }
func (k *kept) Unwrap() error { return k.err }

// isKept reports whether err was marked with Keep.
func isKept(err error) bool {
	_, ok := errors.AsType[*kept](err)
	return ok
}

// Keep marks err, returned by Apply or Decision.Run, as an outcome: what the item wrote is kept, and Commit and Do
// return err itself. Keep(nil) is nil.
func Keep(err error) error {
	if err == nil {
		return nil
	}
	return &kept{err}
}

// unavailable says why nothing was kept.
func unavailable(cause error) error {
	if errors.Is(cause, ErrUnavailable) {
		return cause
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, cause)
}

// unknown says why it is not known whether an item was kept.
func unknown(cause error) error { return fmt.Errorf("%w: %w", ErrUnknown, cause) }
