package ledgertest

import (
	"strings"

	"github.com/warmgate/warmgate/gateway/ledger"
)

// PlanOf returns how SQLite would answer a statement, a line for each step: which index it takes, what it scans.
func PlanOf(q ledger.Querier, statement string, args ...any) (string, error) {
	rows, err := q.Query("EXPLAIN QUERY PLAN "+statement, args...)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	var steps []string
	for rows.Next() {
		var id, parent, unused int64
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			return "", err
		}
		steps = append(steps, detail)
	}
	return strings.Join(steps, "\n"), rows.Err()
}
