package parking

import (
	"slices"

	"github.com/warmgate/warmgate/gateway/ledger"
)

// needed holds for a visit s about which somebody may still want to know whose it was: money is owed or on its way, somebody
// disputes it, or a person has something to decide, such as what was paid too much.
const needed = `(EXISTS (SELECT 1 FROM parking_bills b WHERE b.stay = s.id AND (b.state NOT IN ('paid', 'waived', 'refunded', 'cancelled')
		OR EXISTS (SELECT 1 FROM parking_collections c WHERE c.bill = b.id AND c.state IN ('ordered', 'accepted'))
		OR EXISTS (SELECT 1 FROM parking_refunds r WHERE r.bill = b.id AND r.state IN ('ordered', 'accepted'))
		OR EXISTS (SELECT 1 FROM assists a WHERE a.venue = s.venue AND a.subject = b.id AND a.subject <> '' AND a.state <> 'resolved')))
	OR EXISTS (SELECT 1 FROM assists a WHERE a.venue = s.venue AND a.subject = s.id AND a.subject <> '' AND a.state <> 'resolved'))`

// forgetVisits makes visits anonymous: their plates, readings and payments, what was said of the cars while they were inside,
// and all that was sealed for their journeys. The rows of visits, bills, payments and books stay.
var forgetVisits = &ledger.Decision[forgetting, int64]{Name: "parking.forget-visits", Run: func(tx *ledger.Tx, o forgetting) (n int64, err error) {
	for _, id := range o.visits {
		due, err := listOf(tx, scanStay, `SELECT `+stayColumns+` FROM parking_stays s WHERE id = $1 AND forgotten_at = 0 AND state <> 'open'
			AND left_at < $2 AND entered_at < $2 AND NOT `+needed, id, o.before.UnixMilli())
		if err != nil {
			return n, err
		}
		for _, s := range due {
			if err := forgetVisit(tx, s); err != nil {
				return n, err
			}
			n++
		}
	}
	return n, nil
}}

func forgetVisit(tx *ledger.Tx, s *stay) error {
	runs, err := runsOf(tx, `SELECT run FROM parking_events WHERE venue = $1 AND plate = $2 AND stay = $3
		UNION SELECT run FROM parking_bills WHERE stay = $3
		UNION SELECT d.run FROM parking_disputes d JOIN parking_bills b ON b.id = d.bill WHERE b.stay = $3
		UNION SELECT p.run FROM parking_prepayments p JOIN parking_bills b ON b.id = p.bill WHERE b.stay = $3`, s.venue, s.plate, s.id)
	if err != nil {
		return err
	}
	if !slices.Contains(runs, s.run) {
		runs = append(runs, s.run)
	}
	until := max(millis(s.left), millis(s.entered))
	for _, change := range []struct {
		query string
		args  []any
	}{
		{`DELETE FROM parking_events WHERE venue = $1 AND plate = $2 AND stay = $3`, []any{s.venue, s.plate, s.id}},
		{`DELETE FROM parking_permissions WHERE venue = $1 AND plate = $2 AND said_at <= $3`, []any{s.venue, s.plate, until}},
		{`UPDATE parking_prepayments SET plate = $1, data_key = $1, sealed = $1, digest = $1 WHERE bill IN (SELECT id FROM parking_bills WHERE stay = $2)`,
			[]any{[]byte{}, s.id}},
		{`UPDATE parking_bills SET plate = $1 WHERE stay = $2`, []any{[]byte{}, s.id}},
		{`UPDATE parking_stays SET plate = $1, data_key = $1, sealed = $1, forgotten_at = $2 WHERE id = $3`, []any{[]byte{}, tx.Now().UnixMilli(), s.id}},
	} {
		if _, err := tx.Exec(change.query, change.args...); err != nil {
			return err
		}
	}
	return eraseRuns(tx, runs)
}

func runsOf(q ledger.Querier, query string, args ...any) ([]string, error) {
	return listOf(q, func(r ledger.Row) (run string, err error) { return run, r.Scan(&run) }, query, args...)
}

// eraseRuns destroys the data keys of runs that have ended and hold nothing of another visit, and with them what was told
// outside in their names. Those that still deliver or wait for a person keep theirs: they are erased with the run's next visit,
// or not before somebody has looked.
func eraseRuns(tx *ledger.Tx, runs []string) error {
	for _, id := range runs {
		held, err := runsOf(tx, `SELECT id FROM runs r WHERE id = $1 AND (r.state IN ('running', 'recovering')
			OR EXISTS (SELECT 1 FROM operations o WHERE o.run = r.id AND o.state IN ('begun', 'deferred', 'undoing', 'assist'))
			OR EXISTS (SELECT 1 FROM assists a WHERE a.run = r.id AND a.state <> 'resolved')
			OR EXISTS (SELECT 1 FROM parking_events e WHERE e.venue = r.venue AND e.run = r.id))`, id)
		if err != nil {
			return err
		}
		if len(held) > 0 {
			continue
		}
		if _, err := tx.EraseRun(id, ledger.ActorGateway); err != nil {
			return err
		}
	}
	return nil
}

// forgetReadings deletes readings of cars that were turned away, and of exits from which nothing follows.
var forgetReadings = &ledger.Decision[forgetting, int64]{Name: "parking.forget-readings", Run: func(tx *ledger.Tx, o forgetting) (int64, error) {
	type gone struct{ event, run string }
	due, err := listOf(tx, func(r ledger.Row) (g gone, err error) { return g, r.Scan(&g.event, &g.run) },
		`SELECT event, run FROM parking_events WHERE venue = $1 AND state IN ('turned-away', 'settled') AND received_at < $2 ORDER BY received_at LIMIT $3`,
		o.venue, o.before.UnixMilli(), forgetAtOnce)
	if err != nil {
		return 0, err
	}
	var runs []string
	for _, g := range due {
		if _, err := tx.Exec(`DELETE FROM parking_events WHERE venue = $1 AND event = $2`, o.venue, g.event); err != nil {
			return 0, err
		}
		runs = append(runs, g.run)
	}
	return int64(len(due)), eraseRuns(tx, runs)
}}

// forgetReturned makes payments anonymous that were given back.
var forgetReturned = &ledger.Decision[forgetting, int64]{Name: "parking.forget-returned", Run: func(tx *ledger.Tx, o forgetting) (int64, error) {
	type gone struct{ event, run string }
	due, err := listOf(tx, func(r ledger.Row) (g gone, err error) { return g, r.Scan(&g.event, &g.run) },
		`SELECT event, run FROM parking_prepayments WHERE venue = $1 AND state = 'returned' AND received_at < $2 AND plate <> $3 LIMIT $4`,
		o.venue, o.before.UnixMilli(), []byte{}, forgetAtOnce)
	if err != nil {
		return 0, err
	}
	var runs []string
	for _, g := range due {
		if _, err := tx.Exec(`UPDATE parking_prepayments SET plate = $1, data_key = $1, sealed = $1, digest = $1 WHERE venue = $2 AND event = $3`,
			[]byte{}, o.venue, g.event); err != nil {
			return 0, err
		}
		runs = append(runs, g.run)
	}
	return int64(len(due)), eraseRuns(tx, runs)
}}

// What is looked for among all bills and all bindings, by indexes of their own.
const (
	cancelledDue = `SELECT b.id, b.run FROM parking_bills b WHERE b.stay >= 'none/' AND b.stay < 'none0' AND LENGTH(b.plate) > 0 AND b.venue = $1
		AND b.changed_at < $2 AND b.state IN ('paid', 'waived', 'refunded', 'cancelled')
		AND NOT EXISTS (SELECT 1 FROM assists a WHERE a.venue = b.venue AND a.subject = b.id AND a.subject <> '' AND a.state <> 'resolved') LIMIT $3`
	vehiclesDue = `SELECT id, run FROM parking_vehicles v WHERE tenant = $1 AND until_at < $2
		AND NOT EXISTS (SELECT 1 FROM parking_bills b WHERE b.plate = v.plate AND b.left_at >= v.from_at AND b.left_at < v.until_at) LIMIT $3`
)

// forgetCancelled makes bills anonymous for which there is no visit any more.
var forgetCancelled = &ledger.Decision[forgetting, int64]{Name: "parking.forget-cancelled", Run: func(tx *ledger.Tx, o forgetting) (int64, error) {
	type gone struct{ id, run string }
	due, err := listOf(tx, func(r ledger.Row) (g gone, err error) { return g, r.Scan(&g.id, &g.run) },
		cancelledDue, o.venue, o.before.UnixMilli(), forgetAtOnce)
	if err != nil {
		return 0, err
	}
	var runs []string
	for _, g := range due {
		if _, err := tx.Exec(`UPDATE parking_bills SET plate = $1 WHERE id = $2`, []byte{}, g.id); err != nil {
			return 0, err
		}
		if _, err := tx.Exec(`UPDATE parking_prepayments SET plate = $1, data_key = $1, sealed = $1, digest = $1 WHERE bill = $2`, []byte{}, g.id); err != nil {
			return 0, err
		}
		runs = append(runs, g.run)
	}
	return int64(len(due)), eraseRuns(tx, runs)
}}

// forgetPasses deletes what was said of passes that hold no longer. The last word on a pass is the last one to go.
var forgetPasses = &ledger.Decision[forgetting, int64]{Name: "parking.forget-passes", Run: func(tx *ledger.Tx, o forgetting) (int64, error) {
	return tx.Exec(`DELETE FROM parking_passes WHERE venue = $1 AND (id, n) IN (SELECT id, n FROM parking_passes p WHERE p.venue = $1
		AND (p.until_at < $2 OR p.replaced_at > 0 AND p.replaced_at < $2) AND p.made_at < $2 ORDER BY p.id, p.n LIMIT $3)`,
		o.venue, o.before.UnixMilli(), forgetAtOnce)
}}

// forgetNotices deletes what collectors have told and was done.
var forgetNotices = &ledger.Decision[forgetting, int64]{Name: "parking.forget-notices", Run: func(tx *ledger.Tx, o forgetting) (int64, error) {
	return tx.Exec(`DELETE FROM parking_notices WHERE account = $1 AND (connector, notice) IN (SELECT connector, notice FROM parking_notices
		WHERE account = $1 AND state = 'settled' AND received_at < $2 ORDER BY received_at LIMIT $3)`, o.venue, o.before.UnixMilli(), forgetAtOnce)
}}

// forgetVehicles deletes who had which plate, once that is over and the bills of that time are forgotten.
var forgetVehicles = &ledger.Decision[forgetting, int64]{Name: "parking.forget-vehicles", Run: func(tx *ledger.Tx, o forgetting) (int64, error) {
	type gone struct{ id, run string }
	due, err := listOf(tx, func(r ledger.Row) (g gone, err error) { return g, r.Scan(&g.id, &g.run) },
		vehiclesDue, o.tenant, o.before.UnixMilli(), forgetAtOnce)
	if err != nil {
		return 0, err
	}
	var runs []string
	for _, g := range due {
		if _, err := tx.Exec(`DELETE FROM parking_vehicles WHERE id = $1`, g.id); err != nil {
			return 0, err
		}
		runs = append(runs, g.run)
	}
	return int64(len(due)), eraseRuns(tx, runs)
}}
