package sqlite

import (
	"errors"
	"fmt"

	msqlite "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/warmgate/warmgate/gateway/ledger"
)

// primary returns SQLite's primary result code of err (https://sqlite.org/rescode.html), or SQLITE_OK when it has none.
func primary(err error) int {
	if e, ok := errors.AsType[*msqlite.Error](err); ok {
		return e.Code() & 0xff
	}
	return lib.SQLITE_OK
}

// classify says what a failure outside of a flush means: where the database itself cannot go on, nothing can have been
// kept. Everything else is the statement's fault and stays as it is.
func classify(err error) error {
	if err == nil || errors.Is(err, ledger.ErrUnavailable) {
		return err
	}
	switch primary(err) {
	case lib.SQLITE_FULL, lib.SQLITE_READONLY, lib.SQLITE_CANTOPEN, lib.SQLITE_PERM, lib.SQLITE_BUSY, lib.SQLITE_LOCKED,
		lib.SQLITE_PROTOCOL, lib.SQLITE_NOMEM, lib.SQLITE_IOERR, lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		return fmt.Errorf("%w: %w", ledger.ErrUnavailable, err)
	}
	return err
}

// classifyCommit says what a failed COMMIT means. ended says that the transaction is rolled back for certain: then a
// full or read-only disk has kept nothing, because without its commit record a frame of the log counts for nothing.
func classifyCommit(err error, ended bool) error {
	switch primary(err) {
	case lib.SQLITE_IOERR, lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		return fmt.Errorf("%w: %w", ledger.ErrBroken, err)
	case lib.SQLITE_FULL, lib.SQLITE_READONLY, lib.SQLITE_BUSY:
		if ended {
			return fmt.Errorf("%w: %w", ledger.ErrUnavailable, err)
		}
	}
	return err
}
