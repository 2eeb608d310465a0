package ledger

import (
	"errors"
	"time"
)

// millis is how a time stands in the tables; the zero time is 0.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// instant reverses millis, in UTC.
func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// one reads at most one row; false when there is none.
func one[T any](row Row, scan func(Row) (T, error)) (T, bool, error) {
	v, err := scan(row)
	if errors.Is(err, ErrNoRows) {
		return v, false, nil
	}
	return v, err == nil, err
}

// List reads all rows of a query and closes them; scan reads one. It returns the query's own error, rows and err being what
// that returned, or the first of a row.
func List[T any](rows Rows, err error, scan func(Row) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}
