package sqlite

import (
	"context"
	"fmt"

	"github.com/warmgate/warmgate/gateway/ledger"
)

// View runs f on one snapshot, on a connection that cannot write.
func (s *Store) View(ctx context.Context, f func(ledger.Querier) error) (err error) {
	var c *conn
	select {
	case c = <-s.readers:
	case <-ctx.Done():
		return fmt.Errorf("%w: no connection for reading was free: %w", ledger.ErrUnavailable, ctx.Err())
	}
	sound := false
	defer func() {
		if !sound && c != nil { // f panicked, or the transaction did not end: start anew next time
			_ = c.close()
			c = nil
		}
		s.readers <- c
	}()
	if c == nil {
		if c, err = connect(ctx, s.source); err != nil {
			return err
		}
	}
	if _, err := c.exec(context.Background(), "BEGIN", nil); err != nil {
		return err
	}
	err = look(&view{ctx: ctx, c: c}, f)
	if _, rerr := c.exec(context.Background(), "ROLLBACK", nil); rerr == nil {
		sound = true
	}
	return err
}

// look runs f on the snapshot and ends it, also when f panics.
func look(v *view, f func(ledger.Querier) error) error {
	defer v.end()
	return f(v)
}

// view is one snapshot; the first read takes it.
type view struct {
	ctx  context.Context
	c    *conn
	open []ledger.Rows
}

// Query runs a SELECT.
func (v *view) Query(query string, args ...any) (ledger.Rows, error) {
	if v.c == nil {
		return nil, fmt.Errorf("this snapshot is over: it is valid inside View alone")
	}
	rows, err := v.c.query(v.ctx, query, args)
	if err != nil {
		return nil, err
	}
	v.open = append(v.open, rows)
	return rows, nil
}

// QueryRow is Query for at most one row.
func (v *view) QueryRow(query string, args ...any) ledger.Row {
	return ledger.FirstRow(v.Query(query, args...))
}

// end closes what f left open and makes the snapshot unusable.
func (v *view) end() {
	for _, r := range v.open {
		_ = r.Close()
	}
	v.c = nil
}
