package main

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"

	_ "modernc.org/sqlite" // the ledger's own driver
)

// peek reads the ledger of a gateway from outside, while it works: it cannot write.
type peek struct{ db *sql.DB }

// openPeek opens the ledger of a world. The gateway has made it by then.
func openPeek(w *world) (*peek, error) {
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: w.path("data/ledger.db")}).EscapedPath()+"?mode=rw&_pragma=query_only(1)&_pragma=busy_timeout(5000)")
	if err != nil {
		return nil, err
	}
	return &peek{db: db}, nil
}

// number reads a number.
func (p *peek) number(ctx context.Context, query string, args ...any) (n int64, err error) {
	if err = p.db.QueryRowContext(ctx, query, args...).Scan(&n); err != nil {
		err = fmt.Errorf("cannot read the ledger from outside: %w", err)
	}
	return n, err
}

// peekRows reads all rows that a query finds.
func peekRows[T any](ctx context.Context, p *peek, scan func(row *sql.Rows, into *T) error, query string, args ...any) (all []T, err error) {
	rows, err := p.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("cannot read the ledger from outside: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var one T
		if err := scan(rows, &one); err != nil {
			return nil, fmt.Errorf("cannot read the ledger from outside: %w", err)
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

func (p *peek) close() error { return p.db.Close() }
