package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"

	"github.com/warmgate/warmgate/gateway/ledger"
)

// maxStatements bounds the prepared statements that one connection keeps. A program has a fixed, smaller number; a text
// beyond it is prepared for one use.
const maxStatements = 512

// conn is one connection with its prepared statements. It works on the driver itself: database/sql would cost a third
// of a short statement's time in locks and allocations. Used by one goroutine at a time.
type conn struct {
	dc    driver.Conn
	stmts map[string]*stmt
	args  []driver.NamedValue // reused: the driver copies what it binds
}

// stmt is a prepared statement. busy says that its rows are open: the same text needs a second statement meanwhile.
type stmt struct {
	driver.Stmt
	busy   bool
	cached bool
}

// connect opens a connection.
func connect(ctx context.Context, connector driver.Connector) (*conn, error) {
	dc, err := connector.Connect(ctx)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", ledger.ErrUnavailable, ctx.Err())
	}
	if err != nil {
		return nil, classify(err)
	}
	return &conn{dc: dc, stmts: make(map[string]*stmt)}, nil
}

// close frees the statements and the connection.
func (c *conn) close() error {
	var errs []error
	for _, st := range c.stmts {
		errs = append(errs, st.Close())
	}
	return errors.Join(append(errs, c.dc.Close())...)
}

// prepare returns the statement for query, prepared at most once.
func (c *conn) prepare(ctx context.Context, query string) (*stmt, error) {
	st := c.stmts[query]
	if st != nil && !st.busy {
		return st, nil
	}
	ds, err := c.dc.(driver.ConnPrepareContext).PrepareContext(ctx, unnumbered(query))
	if err != nil {
		return nil, err
	}
	fresh := &stmt{Stmt: ds}
	if st == nil && len(c.stmts) < maxStatements {
		fresh.cached = true
		c.stmts[query] = fresh
	}
	return fresh, nil
}

// unnumbered writes the parameters $1, $2, … of a statement as marks without numbers, which mean the same where each is
// there once and in order; another statement stays as it is. The driver looks a number up for each value that it binds.
func unnumbered(query string) string {
	out := make([]byte, 0, len(query))
	n := 0
	for i := 0; i < len(query); {
		c, end := query[i], i+1
		switch c {
		case '\'', '"': // a text, or a name
			closing := strings.IndexByte(query[end:], c)
			if closing < 0 {
				return query
			}
			end += closing + 1
		case '?', '-', '/': // another notation; what may be a comment
			return query
		case '$':
			for end < len(query) && query[end] >= '0' && query[end] <= '9' {
				end++
			}
			if n++; query[i+1:end] != strconv.Itoa(n) {
				return query
			}
			out = append(out, '?')
			i = end
			continue
		}
		out = append(out, query[i:end]...)
		i = end
	}
	return string(out)
}

// release gives a statement back after its use.
func (c *conn) release(st *stmt) error {
	st.busy = false
	if st.cached {
		return nil
	}
	return st.Close()
}

// exec runs a statement and returns how many rows it changed.
func (c *conn) exec(ctx context.Context, query string, args []any) (int64, error) {
	n, err := c.execRaw(ctx, query, args)
	return n, classify(err)
}

// execRaw is exec with the driver's own error.
func (c *conn) execRaw(ctx context.Context, query string, args []any) (int64, error) {
	named, err := c.bind(args)
	if err != nil {
		return 0, err
	}
	st, err := c.prepare(ctx, query)
	if err != nil {
		return 0, err
	}
	res, err := st.Stmt.(driver.StmtExecContext).ExecContext(ctx, named)
	if rerr := c.release(st); err == nil {
		err = rerr
	}
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// query runs a statement that returns rows.
func (c *conn) query(ctx context.Context, query string, args []any) (ledger.Rows, error) {
	named, err := c.bind(args)
	if err != nil {
		return nil, err
	}
	st, err := c.prepare(ctx, query)
	if err != nil {
		return nil, classify(err)
	}
	dr, err := st.Stmt.(driver.StmtQueryContext).QueryContext(ctx, named)
	if err != nil {
		return nil, classify(errors.Join(err, c.release(st)))
	}
	st.busy = true
	return &rows{c: c, st: st, dr: dr, values: make([]driver.Value, len(dr.Columns()))}, nil
}

// bind makes driver values of the arguments. The result is valid until the next call.
func (c *conn) bind(args []any) ([]driver.NamedValue, error) {
	c.args = c.args[:0]
	for i, a := range args {
		v, err := value(a)
		if err != nil {
			return nil, fmt.Errorf("argument $%d: %w", i+1, err)
		}
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return c.args, nil
}

// value makes a driver value of one argument, strictly: what another database would refuse is refused here.
func value(a any) (driver.Value, error) {
	switch a := a.(type) {
	case nil:
		return nil, nil
	case int64, string, bool:
		return a, nil
	case int:
		return int64(a), nil
	case []byte:
		if a == nil {
			return nil, nil
		}
		return a, nil
	}
	switch v := reflect.ValueOf(a); v.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int(), nil
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return int64(v.Uint()), nil
	case reflect.String:
		return v.String(), nil
	case reflect.Bool:
		return v.Bool(), nil
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return value(v.Bytes())
		}
	}
	return nil, fmt.Errorf("a %T cannot be stored: use int64 (milliseconds for times), string, bool, []byte or nil", a)
}

// rows are open rows of one statement.
type rows struct {
	c      *conn
	st     *stmt
	dr     driver.Rows
	values []driver.Value
	err    error
	closed bool
}

// Next moves to the next row.
func (r *rows) Next() bool {
	if r.closed || r.err != nil {
		return false
	}
	switch err := r.dr.Next(r.values); {
	case err == nil:
		return true
	case !errors.Is(err, io.EOF):
		r.err = classify(err)
	}
	return false
}

// Scan copies the row.
func (r *rows) Scan(dest ...any) error {
	if len(dest) != len(r.values) {
		return fmt.Errorf("the query gives %d columns, Scan has room for %d", len(r.values), len(dest))
	}
	for i, d := range dest {
		if err := assign(d, r.values[i]); err != nil {
			return fmt.Errorf("column %d: %w", i+1, err)
		}
	}
	return nil
}

// Err returns the error that ended Next.
func (r *rows) Err() error { return r.err }

// Close frees the statement. It may be called twice.
func (r *rows) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	return classify(errors.Join(r.dr.Close(), r.c.release(r.st)))
}
