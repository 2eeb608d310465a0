package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/warmgate/warmgate/gateway/ledger"
)

// errNo is what the suite's items fail with.
var errNo = errors.New("no")

// groupTests are about what happens inside a group commit.
var groupTests = map[string]func(*testing.T, Open){
	"kept after reopening":             testReopen,
	"many share one flush":             testOneFlush,
	"a failing item is left out":       testLeftOut,
	"a failure without change is free": testCleanFailure,
	"a panic is left out":              testPanic,
	"many failures":                    testManyFailures,
	"Keep keeps":                       testKeep,
	"a statement's failure stands":     testSwallowed,
	"in order":                         testOrder,
	"one instant":                      testInstant,
	"audit of what is kept":            testAudit,
	"a Tx ends with Apply":             testTxOver,
	"rows are closed":                  testOpenRows,
}

func testReopen(t *testing.T, open Open) {
	place := t.TempDir()
	l := newLab(t, open(t, place), ledger.Config{})
	for i := range 20 {
		l.must(insert(fmt.Sprintf("%02d", i)))
	}
	is(t, "Close", l.Close(), nil)
	is(t, "a commit after Close", l.commit(insert("late")), ledger.ErrUnavailable)
	l = newLab(t, open(t, place), ledger.Config{})
	l.closeLater()
	if ids := l.ids(); len(ids) != 20 || ids[0] != "00" || ids[19] != "19" {
		t.Errorf("after reopening: %v", ids)
	}
}

func testOneFlush(t *testing.T, open Open) {
	l := fresh(t, open)
	var works []work
	for i := range 32 {
		works = append(works, insert(fmt.Sprint(i)))
	}
	before := l.Stats()
	for i, err := range l.together(works...) {
		is(t, fmt.Sprint("item ", i), err, nil)
	}
	after := l.Stats()
	if got := after.Batches - before.Batches; got != 2 { // the one that held the writer, and ours
		t.Errorf("%d group commits, want 2", got)
	}
	if got := after.Items - before.Items; got != 33 {
		t.Errorf("%d items, want 33", got)
	}
	if after.Sizes.Sum != float64(after.Items) {
		t.Errorf("sizes add up to %v, items to %d", after.Sizes.Sum, after.Items)
	}
}

func testLeftOut(t *testing.T, open Open) {
	l := fresh(t, open)
	runs := 0
	errs := l.together(
		insert("a"),
		func(tx *ledger.Tx) error {
			runs++
			return errors.Join(insert("left out")(tx), errNo)
		},
		insert("b"),
		func(tx *ledger.Tx) error { // sees the earlier items, not the one that was left out
			var n int64
			if err := tx.QueryRow(`SELECT COUNT(*) FROM suite_rows`).Scan(&n); err != nil {
				return err
			}
			return insert(fmt.Sprint("c after ", n))(tx)
		},
	)
	for i, want := range []error{nil, errNo, nil, nil} {
		is(t, fmt.Sprint("item ", i), errs[i], want)
	}
	if ids := l.ids(); !slices.Equal(ids, []string{"a", "b", "c after 2"}) {
		t.Errorf("kept: %v", ids)
	}
	if runs != 1 || l.Stats().LeftOut != 1 || l.Stats().Reruns != 1 {
		t.Errorf("the failing item ran %d times, stats %+v", runs, l.Stats())
	}
}

func testCleanFailure(t *testing.T, open Open) {
	l := fresh(t, open)
	claim := func(owner string) work {
		return func(tx *ledger.Tx) error {
			n, err := tx.Exec(`INSERT INTO suite_rows (id, s) VALUES ('ticket', $1) ON CONFLICT DO NOTHING`, owner)
			if err == nil && n == 0 {
				return errNo
			}
			return err
		}
	}
	returning := func(tx *ledger.Tx) error {
		var id string
		err := tx.QueryRow(`INSERT INTO suite_rows (id) VALUES ('ticket') ON CONFLICT DO NOTHING RETURNING id`).Scan(&id)
		if errors.Is(err, ledger.ErrNoRows) {
			return errNo
		}
		return err
	}
	errs := l.together(claim("first"), claim("second"), returning, insert("other"))
	for i, want := range []error{nil, errNo, errNo, nil} {
		is(t, fmt.Sprint("item ", i), errs[i], want)
	}
	if s := l.Stats(); s.Reruns != 0 || s.LeftOut != 0 {
		t.Errorf("items that changed nothing cost a run: %+v", s)
	}
	if ids := l.ids(); !slices.Equal(ids, []string{"other", "ticket"}) {
		t.Errorf("kept: %v", ids)
	}
}

func testPanic(t *testing.T, open Open) {
	l := fresh(t, open)
	errs := l.together(insert("a"), func(tx *ledger.Tx) error {
		_ = insert("left out")(tx)
		panic("the guest's name")
	}, insert("b"), func(tx *ledger.Tx) error {
		var none []int
		return fmt.Errorf("%d", none[len(none)])
	})
	for i, want := range []error{nil, ledger.ErrPanicked, nil, ledger.ErrPanicked} {
		is(t, fmt.Sprint("item ", i), errs[i], want)
	}
	if ids := l.ids(); !slices.Equal(ids, []string{"a", "b"}) {
		t.Errorf("kept: %v", ids)
	}
	if n := l.Stats().LeftOut; n != 2 {
		t.Errorf("%d left out", n)
	}
	log := l.log.String()
	if !strings.Contains(log, "ledgertest.testPanic") || !strings.Contains(log, "index out of range") {
		t.Errorf("the log does not say where: %s", log)
	}
	if strings.Contains(log, "guest") {
		t.Errorf("the log holds the panic's own words: %s", log)
	}
}

func testManyFailures(t *testing.T, open Open) {
	l := fresh(t, open)
	var works []work
	var want []string
	runs := 0
	for i := range 120 {
		id := fmt.Sprintf("%03d", i)
		if i%3 == 1 {
			works = append(works, func(tx *ledger.Tx) error { runs++; return errors.Join(insert(id)(tx), errNo) })
			continue
		}
		want = append(want, id)
		works = append(works, func(tx *ledger.Tx) error { runs++; return insert(id)(tx) })
	}
	for i, err := range l.together(works...) {
		if failed := i%3 == 1; failed != errors.Is(err, errNo) || !failed && err != nil {
			t.Errorf("item %d: %v", i, err)
		}
	}
	if ids := l.ids(); !slices.Equal(ids, want) {
		t.Errorf("kept %d of %d: %v", len(ids), len(want), ids)
	}
	if most := 12 * len(works); runs > most {
		t.Errorf("%d items were run %d times, more than %d", len(works), runs, most)
	}
}

func testKeep(t *testing.T, open Open) {
	l := fresh(t, open)
	errs := l.together(insert("a"), func(tx *ledger.Tx) error {
		return ledger.Keep(errors.Join(insert("refused")(tx), errNo))
	}, insert("b"))
	for i, want := range []error{nil, errNo, nil} {
		is(t, fmt.Sprint("item ", i), errs[i], want)
	}
	if ids := l.ids(); !slices.Equal(ids, []string{"a", "b", "refused"}) {
		t.Errorf("kept: %v", ids)
	}
	d := &ledger.Decision[string, int]{Name: "suite", Run: func(tx *ledger.Tx, id string) (int, error) {
		return 7, ledger.Keep(errors.Join(insert(id)(tx), errNo))
	}}
	out, err := ledger.Do(t.Context(), l.Ledger, d, "c")
	if marked, _ := ledger.IsKept(err); out != 7 || !errors.Is(err, errNo) || marked {
		t.Errorf("Do: %d, %v (still marked: %v)", out, err, marked)
	}
	if ledger.Keep(nil) != nil {
		t.Error("Keep(nil) is not nil")
	}
	fail := &ledger.Decision[string, int]{Name: "suite", Run: func(*ledger.Tx, string) (int, error) { return 7, errNo }}
	if out, err := ledger.Do(t.Context(), l.Ledger, fail, ""); out != 0 || !errors.Is(err, errNo) {
		t.Errorf("Do that fails: %d, %v", out, err)
	}
}

func testSwallowed(t *testing.T, open Open) {
	l := fresh(t, open)
	l.must(insert("a"))
	swallow := func(tx *ledger.Tx) error {
		_ = insert("b")(tx)
		_ = insert("a")(tx) // exists: the statement fails
		return nil
	}
	keep := func(tx *ledger.Tx) error { return ledger.Keep(errors.Join(swallow(tx), errNo)) }
	errs := l.together(insert("c"), swallow, keep, insert("d"))
	is(t, "before", errs[0], nil)
	is(t, "after", errs[3], nil)
	for _, err := range errs[1:3] {
		if err == nil || errors.Is(err, ledger.ErrUnavailable) || errors.Is(err, ledger.ErrUnknown) {
			t.Errorf("a failed statement was let pass: %v", err)
		}
	}
	if ids := l.ids(); !slices.Equal(ids, []string{"a", "c", "d"}) {
		t.Errorf("kept: %v", ids)
	}
}

func testOrder(t *testing.T, open Open) {
	l := fresh(t, open)
	var works []work
	for i := range 50 {
		works = append(works, func(tx *ledger.Tx) error {
			_, err := tx.Exec(`INSERT INTO suite_order (n, id) SELECT COUNT(*), $1 FROM suite_order`, fmt.Sprint(i))
			return err
		})
	}
	l.together(works...)
	for i := range 50 {
		if n := l.number(`SELECT n FROM suite_order WHERE id = $1`, fmt.Sprint(i)); n != int64(i) {
			t.Fatalf("item %d came as number %d", i, n)
		}
	}
}

func testInstant(t *testing.T, open Open) {
	l := fresh(t, open)
	var seen []int64
	note := func(tx *ledger.Tx) error {
		if now := tx.Now(); now.Nanosecond()%1e6 != 0 || now.Location().String() != "UTC" {
			return fmt.Errorf("%v is not UTC in milliseconds", now)
		}
		seen = append(seen, tx.Now().UnixMilli())
		return nil
	}
	fail := func(tx *ledger.Tx) error { return errors.Join(insert("x")(tx), errNo) }
	for i, err := range l.together(note, note, fail, note) {
		if i != 2 {
			is(t, fmt.Sprint("item ", i), err, nil)
		}
	}
	if len(seen) != 5 || slices.Max(seen) != slices.Min(seen) {
		t.Errorf("instants of one group: %v", seen)
	}
}

func testAudit(t *testing.T, open Open) {
	l := fresh(t, open)
	entry := func(run string, err error) work {
		return func(tx *ledger.Tx) error {
			return errors.Join(insert(run)(tx), tx.Audit(ledger.AuditEntry{Run: run, Actor: "suite", Action: "disclose"}), err)
		}
	}
	only := func(tx *ledger.Tx) error { // fails before it changes anything else
		return errors.Join(tx.Audit(ledger.AuditEntry{Run: "d", Actor: "suite", Action: "disclose"}), errNo)
	}
	l.together(entry("a", nil), entry("b", errNo), entry("c", ledger.Keep(errNo)), only)
	for run, want := range map[string]int64{"a": 1, "b": 0, "c": 1, "d": 0} {
		if n := l.number(`SELECT COUNT(*) FROM audit_entries WHERE run = $1`, run); n != want {
			t.Errorf("%d entries of %s, want %d", n, run, want)
		}
	}
	if n := l.number(`SELECT COUNT(*) FROM audit_links`); n != 1 {
		t.Errorf("%d links of one group commit", n)
	}
}

func testTxOver(t *testing.T, open Open) {
	l := fresh(t, open)
	var stolen *ledger.Tx
	l.must(func(tx *ledger.Tx) error { stolen = tx; return nil })
	if _, err := stolen.Exec(`DELETE FROM suite_rows`); err == nil {
		t.Error("a Tx outlived its Apply")
	}
	var old ledger.Querier
	is(t, "View", l.View(t.Context(), func(q ledger.Querier) error { old = q; return nil }), nil)
	if _, err := old.Query(`SELECT 1`); err == nil {
		t.Error("a snapshot outlived its View")
	}
}

func testOpenRows(t *testing.T, open Open) {
	l := fresh(t, open)
	for _, id := range []string{"a", "b", "c"} {
		l.must(insert(id))
	}
	const all = `SELECT id FROM suite_rows ORDER BY id`
	pairs := 0
	nested := func(q ledger.Querier) error {
		outer, err := q.Query(all)
		if err != nil {
			return err
		}
		for outer.Next() {
			inner, err := q.Query(all) // the same text while the first is open; both are left to the ledger to close
			if err != nil {
				return err
			}
			for inner.Next() {
				pairs++
			}
		}
		return outer.Err()
	}
	l.must(func(tx *ledger.Tx) error { pairs = 0; return nested(tx) })
	if pairs != 9 {
		t.Errorf("%d pairs of 9", pairs)
	}
	pairs = 0
	if err := l.View(context.Background(), nested); err != nil || pairs != 9 {
		t.Errorf("in a View: %d pairs of 9, %v", pairs, err)
	}
	l.must(func(tx *ledger.Tx) error { _, err := tx.Query(all); return err })
	l.must(insert("d"))
}
