package outbox

import (
	"context"
	"errors"

	"github.com/warmgate/warmgate/gateway/ledger"
)

// Handler delivers one message. nil: it is done; Dead(err): it never will be; any other error, a panic, or no return before
// ctx ends: again, later. It may be called again for a message that it has delivered, and must then come to the same.
// Its errors hold no personal data: their text is kept and logged.
type Handler func(ctx context.Context, m ledger.Message) error

// DeadLetter opens the assist of a message that is given up, in the transaction that kills it. It runs as a ledger.Work
// does: perhaps more than once, waiting for nothing but the database. cause says why, without personal data.
type DeadLetter func(tx *ledger.Tx, m ledger.Message, cause string) error

// Dead marks an error after which trying again is of no use: the message becomes an assist. Dead(nil) is nil.
func Dead(err error) error {
	if err == nil {
		return nil
	}
	return &deadError{err}
}

// IsDead reports whether err was marked by Dead.
func IsDead(err error) bool {
	_, ok := errors.AsType[*deadError](err)
	return ok
}

type deadError struct{ err error }

func (d *deadError) Error() string { return d.err.Error() }
func (d *deadError) Unwrap() error { return d.err }
