package ledger

import (
	"context"
	"io/fs"
)

// Store is a database that a ledger can live in. ledgertest.Run is the suite that each has to pass.
//
// A store says what its errors mean: it wraps ErrUnavailable where nothing can have been kept (no space, read-only,
// locked), ErrBroken where an I/O error met a flush. Any other error of Exec or Query is a mistake in the statement;
// any other error of Commit means that the outcome is unknown. Exec, Query and Commit return after a failure with the
// transaction in need of Rollback, or of nothing more when Commit itself failed.
type Store interface {
	// Migrate brings each set to its newest version, in order, and refuses a database that is newer than the set.
	Migrate(ctx context.Context, sets ...Migrations) error
	// Begin opens the one write transaction. The ledger's writer alone calls it, one at a time; ctx bounds the wait.
	Begin(ctx context.Context) (StoreTx, error)
	// View runs f on one snapshot of what was committed, read-only. Safe for concurrent use; waits for room until ctx
	// ends. f's Querier is valid inside f alone.
	View(ctx context.Context, f func(Querier) error) error
	// Maintain does what the database needs from time to time, beside the writer (a checkpoint).
	Maintain(ctx context.Context) (Upkeep, error)
	// Close frees everything. Nothing else of the store may run.
	Close() error
}

// StoreTx is the store's open write transaction, used by one goroutine.
type StoreTx interface {
	// Exec runs one statement and returns how many rows it changed. The arguments are nil, int, int64, bool, string,
	// []byte (nil is NULL), or named types of these kinds.
	Exec(query string, args []any) (int64, error)
	// Query runs one statement that returns rows: a SELECT, or a write with RETURNING.
	Query(query string, args []any) (Rows, error)
	// Commit returns nil only after the flush.
	Commit() error
	// Rollback undoes everything.
	Rollback() error
}

// Migrations is an ordered set of schema changes with one owner: the engine, or a journey.
type Migrations struct {
	Name string // lower-case letters, digits and underscores; the versions are kept in table "schema_<name>"
	FS   fs.FS  // holds NNNNN_word.sql, in goose's notation ("-- +goose Up"), written for every database
	// A table whose rows are small may end in "/* in the order of its key */": a store that can keep it so, does.
}

// Upkeep says what Maintain found.
type Upkeep struct {
	WALBytes int64 // size of the write-ahead log after it; 0 where there is none
}

// Querier reads: a *Tx inside a decision, a snapshot inside View. Both methods take the arguments that StoreTx.Exec takes.
type Querier interface {
	Query(query string, args ...any) (Rows, error)
	QueryRow(query string, args ...any) Row
}

// Rows is the result of a query; close it before the next statement. Not safe for concurrent use.
type Rows interface {
	Next() bool
	// Scan copies the row into *int, *int64, *bool, *string, *[]byte, *any, pointers to named types of these kinds,
	// pointers to such pointers (nil for NULL) or sql.Scanner. NULL into []byte is nil; into the others an error.
	Scan(dest ...any) error
	Err() error
	Close() error
}

// Row is the first row of a query. Scan returns ErrNoRows when there is none.
type Row interface {
	Scan(dest ...any) error
}

// FirstRow makes a Row of what a query returned; stores use it for QueryRow.
func FirstRow(rows Rows, err error) Row { return &firstRow{rows, err} }

type firstRow struct {
	rows Rows
	err  error
}

// Scan copies the first row, and closes the rows.
func (r *firstRow) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	if !r.rows.Next() {
		err := r.rows.Err()
		if cerr := r.rows.Close(); err == nil {
			err = cerr
		}
		if err == nil {
			err = ErrNoRows
		}
		return err
	}
	err := r.rows.Scan(dest...)
	if cerr := r.rows.Close(); err == nil {
		err = cerr
	}
	return err
}
