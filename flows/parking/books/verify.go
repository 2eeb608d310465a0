package books

import (
	"context"
	"fmt"

	"github.com/warmgate/warmgate/gateway/ledger"
)

// Report is what Verify has found. Mismatches name bills and movements, and nothing personal.
type Report struct {
	Bills      int64
	Movements  int64
	Postings   int64
	Mismatches []string // at most maxMismatches of them
}

const maxMismatches = 100

// rule is one thing that holds of the books. Its query lists what breaks it: an id and a word or number about it.
type rule struct{ name, query string }

func rules() []rule {
	const sums = `(SELECT m.bill AS bill, CAST(SUM(CASE WHEN p.account = 'owed' THEN p.minor ELSE 0 END) AS BIGINT) AS owed,
		CAST(SUM(CASE WHEN p.account = 'owed' AND m.kind = 'pay' THEN -p.minor ELSE 0 END) AS BIGINT) AS paid,
		CAST(SUM(CASE WHEN p.account = 'owed' AND m.kind = 'waive' THEN -p.minor ELSE 0 END) AS BIGINT) AS waived,
		CAST(SUM(CASE WHEN p.account = 'owed' AND m.kind = 'refund' THEN p.minor ELSE 0 END) AS BIGINT) AS refunded,
		CAST(SUM(CASE WHEN p.account = 'fees' THEN -p.minor ELSE 0 END) AS BIGINT) AS price
		FROM parking_movements m JOIN parking_postings p ON p.movement = m.id GROUP BY m.bill)`
	return []rule{
		{"a movement's postings do not sum to zero, or are fewer than two", `SELECT m.id, CAST(COALESCE(SUM(p.minor), 0) AS BIGINT) FROM parking_movements m
			LEFT JOIN parking_postings p ON p.movement = m.id GROUP BY m.id HAVING COUNT(p.minor) < 2 OR SUM(p.minor) <> 0`},
		{"a posting belongs to no movement", `SELECT movement, minor FROM parking_postings p
			WHERE NOT EXISTS (SELECT 1 FROM parking_movements m WHERE m.id = p.movement)`},
		{"a movement belongs to no bill, or is in another currency", `SELECT m.id, 0 FROM parking_movements m
			WHERE m.kind NOT IN ('prepay', 'return') AND NOT EXISTS (SELECT 1 FROM parking_bills b WHERE b.id = m.bill AND b.currency = m.currency)`},
		{"a bill holds an amount below zero", `SELECT id, price FROM parking_bills WHERE price < 0 OR paid < 0 OR waived < 0 OR refunded < 0`},
		{"a bill's price is not what is booked as earned", `SELECT b.id, b.price FROM parking_bills b LEFT JOIN ` + sums + ` s ON s.bill = b.id
			WHERE b.price <> COALESCE(s.price, 0)`},
		{"what a bill says of payments is not what is booked", `SELECT b.id, b.paid FROM parking_bills b LEFT JOIN ` + sums + ` s ON s.bill = b.id
			WHERE b.paid <> COALESCE(s.paid, 0) OR b.waived <> COALESCE(s.waived, 0) OR b.refunded <> COALESCE(s.refunded, 0)`},
		{"a bill owes another amount than is booked", `SELECT b.id, b.price - b.paid - b.waived + b.refunded FROM parking_bills b
			LEFT JOIN ` + sums + ` s ON s.bill = b.id WHERE b.price - b.paid - b.waived + b.refunded <> COALESCE(s.owed, 0)`},
		{"a payment inside a lot is not booked as it was told", `SELECT p.event, p.minor FROM parking_prepayments p
			WHERE p.minor <> (SELECT CAST(COALESCE(SUM(o.minor), 0) AS BIGINT) FROM parking_movements m JOIN parking_postings o ON o.movement = m.id
				WHERE m.id = 'prepay/' || p.venue || '/' || p.event AND m.kind = 'prepay' AND m.currency = p.currency AND o.account = 'till')`},
		{"what was paid inside lots is not what is booked as paid in advance", `SELECT 'advance', w.told + b.held FROM
			(SELECT CAST(COALESCE(SUM(minor), 0) AS BIGINT) AS told FROM parking_prepayments WHERE state IN ('waiting', 'asked')) w,
			(SELECT CAST(COALESCE(SUM(minor), 0) AS BIGINT) AS held FROM parking_postings WHERE account = 'advance') b WHERE w.told + b.held <> 0`},
		{"a visit that has ended has no bill", `SELECT s.id, 0 FROM parking_stays s WHERE s.state = 'exited'
			AND NOT EXISTS (SELECT 1 FROM parking_bills b WHERE b.stay = s.id AND b.exit = s.exit)`},
		{"a bill of nothing that has ended is not cancelled", `SELECT b.id, b.price FROM parking_bills b WHERE b.price > 0
			AND NOT EXISTS (SELECT 1 FROM parking_stays s WHERE s.id = b.stay AND s.state = 'exited')`},
	}
}

// Verify holds the books against themselves, and the bills and visits against the books. It reads everything: it is for a
// copy of the ledger, or for a small one.
func Verify(ctx context.Context, q ledger.Querier) (r Report, err error) {
	for _, n := range []struct {
		into  *int64
		table string
	}{{&r.Bills, "parking_bills"}, {&r.Movements, "parking_movements"}, {&r.Postings, "parking_postings"}} {
		if err := q.QueryRow(`SELECT COUNT(*) FROM ` + n.table).Scan(n.into); err != nil {
			return r, fmt.Errorf("cannot read them: %w", err)
		}
	}
	for _, rule := range rules() {
		if err := ctx.Err(); err != nil {
			return r, err
		}
		if err := rule.hold(q, &r); err != nil {
			return r, fmt.Errorf("cannot read them: %w", err)
		}
	}
	return r, nil
}

// hold notes what breaks the rule.
func (u rule) hold(q ledger.Querier, r *Report) error {
	rows, err := q.Query(u.query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var what int64
		if err := rows.Scan(&id, &what); err != nil {
			return err
		}
		if len(r.Mismatches) < maxMismatches {
			r.Mismatches = append(r.Mismatches, fmt.Sprintf("%s: %s (%d)", u.name, id, what))
		}
	}
	return rows.Err()
}
