package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/warmgate/warmgate/gateway/ledger"
)

// faultTests are about a database that fails.
var faultTests = map[string]func(*testing.T, Open){
	"no space, then space":         testFull,
	"a disk that hangs":            testHang,
	"a lost commit is unknown":     testLost,
	"a broken disk ends it":        testBroken,
	"a hung Close gives up":        testHungClose,
	"failures beside a lost flush": testLostBesideFailures,
	"audit over failed flushes":    testAuditOverFailures,
}

func testFull(t *testing.T, open Open) {
	for _, fault := range []Fault{Full, ReadOnly} {
		for _, at := range []Point{AtBegin, AtExec, AtCommit} {
			t.Run(fmt.Sprint(fault, " at ", at), func(t *testing.T) {
				l, f := faulty(t, open, ledger.Config{})
				l.must(insert("before"))
				f.Set(at, fault)
				for i := range 3 {
					is(t, "a commit meanwhile", l.commit(insert(fmt.Sprint("lost ", i))), ledger.ErrUnavailable)
				}
				refuse := work(func(tx *ledger.Tx) error { return errors.Join(insert("x")(tx), errNo) })
				if err := l.commit(refuse); at != AtCommit {
					is(t, "a failing item meanwhile", err, ledger.ErrUnavailable)
				}
				if !l.Stats().Down {
					t.Error("the stats do not say that it is down")
				}
				f.Set(at, None)
				l.must(insert("after"))
				if l.Stats().Down {
					t.Error("the stats say that it is still down")
				}
				if ids := l.ids(); !slices.Equal(ids, []string{"after", "before"}) {
					t.Errorf("kept: %v", ids)
				}
				if n := strings.Count(l.log.String(), `msg="the ledger is unavailable`); n != 1 {
					t.Errorf("said %d times that it is unavailable:\n%s", n, l.log.String())
				}
				if !strings.Contains(l.log.String(), "available again") {
					t.Errorf("did not say that it is available again:\n%s", l.log.String())
				}
			})
		}
	}
}

func testHang(t *testing.T, open Open) {
	for at, want := range map[Point]error{
		AtBegin: ledger.ErrUnavailable, AtExec: ledger.ErrUnknown, AtCommit: ledger.ErrUnknown,
	} {
		t.Run(string(at), func(t *testing.T) {
			l, f := faulty(t, open, ledger.Config{})
			f.Set(at, Hang)
			const slice = 50 * time.Millisecond
			short := func() context.Context {
				ctx, cancel := context.WithTimeout(t.Context(), slice)
				t.Cleanup(cancel)
				return ctx
			}
			is(t, "the item that hangs", l.Commit(short(), insert("first")), want)
			var wg sync.WaitGroup
			for i := range 20 {
				wg.Go(func() {
					is(t, "an item behind it", l.Commit(short(), insert(fmt.Sprint("behind ", i))), ledger.ErrUnavailable)
				})
			}
			wg.Wait()
			if d := l.Stats().InFlight; d < slice {
				t.Errorf("in flight for %v", d)
			}
			f.Set(at, None)
			l.must(insert("last"))
			if d := l.Stats().InFlight; d != 0 {
				t.Errorf("still in flight for %v", d)
			}
			ids := l.ids()
			if slices.ContainsFunc(ids, func(id string) bool { return strings.HasPrefix(id, "behind") }) {
				t.Errorf("withdrawn items were kept: %v", ids)
			}
			if got := slices.Contains(ids, "first"); got != errors.Is(want, ledger.ErrUnknown) {
				t.Errorf("kept: %v", ids)
			}
		})
	}
}

// losing is w, whose group's commit will be lost.
func losing(f *Faulty, w work) work {
	return func(tx *ledger.Tx) error { f.Set(AtCommit, Lost); return w(tx) }
}

func testLost(t *testing.T, open Open) {
	l, f := faulty(t, open, ledger.Config{})
	for i, err := range l.together(losing(f, insert("a")), insert("b")) {
		is(t, fmt.Sprint("item ", i), err, ledger.ErrUnknown)
	}
	f.Set(AtCommit, None)
	if ids := l.ids(); !slices.Equal(ids, []string{"a", "b"}) {
		t.Errorf("kept: %v", ids)
	}
	is(t, "the next", l.commit(insert("c")), nil)
}

func testLostBesideFailures(t *testing.T, open Open) {
	l, f := faulty(t, open, ledger.Config{})
	errs := l.together(losing(f, insert("a")),
		func(tx *ledger.Tx) error { return errors.Join(insert("b")(tx), errNo) },
		func(*ledger.Tx) error { return errNo },
		func(tx *ledger.Tx) error { return errors.Join(insert("d")(tx), ledger.Keep(errNo)) })
	for i, want := range []error{ledger.ErrUnknown, ledger.ErrUnavailable, ledger.ErrUnavailable, ledger.ErrUnknown} {
		is(t, fmt.Sprint("item ", i), errs[i], want)
	}
	f.Set(AtCommit, None)
}

func testBroken(t *testing.T, open Open) {
	told := make(chan error, 2)
	l, f := faulty(t, open, ledger.Config{Fatal: func(err error) { told <- err }})
	l.must(insert("before"))
	f.Set(AtCommit, Broken)
	is(t, "the flush that failed", l.commit(insert("a")), ledger.ErrUnknown)
	is(t, "what Fatal was told", <-told, ledger.ErrBroken)
	f.Set(AtCommit, None)
	is(t, "afterwards", l.commit(insert("b")), ledger.ErrUnavailable)
	if len(told) != 0 {
		t.Error("Fatal was told twice")
	}
	if ids := l.ids(); !slices.Equal(ids, []string{"before"}) {
		t.Errorf("kept: %v", ids)
	}
}

func testHungClose(t *testing.T, open Open) {
	if testing.Short() {
		t.Skip("waits five seconds")
	}
	store := Wrap(open(t, t.TempDir()))
	l := newLab(t, store, ledger.Config{})
	store.Set(AtCommit, Hang)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	is(t, "the item that hangs", l.Commit(ctx, insert("a")), ledger.ErrUnknown)
	if err := l.Close(); err == nil || !strings.Contains(err.Error(), "in flight") {
		t.Errorf("Close of a hung ledger: %v", err)
	}
	store.Set(AtCommit, None)
	is(t, "Close again", l.Close(), nil)
}

// testAuditOverFailures lets flushes fail in every way between others that succeed: the chain goes on from what was kept.
func testAuditOverFailures(t *testing.T, open Open) {
	l, f := faulty(t, open, ledger.Config{})
	entry := func(run string, err error) work {
		return func(tx *ledger.Tx) error {
			return errors.Join(insert(run)(tx), tx.Audit(ledger.AuditEntry{Run: run, Actor: "suite", Action: "disclose"}), err)
		}
	}
	links := int64(0)
	for i, fault := range []Fault{None, Lost, Full, None, Lost, Lost, ReadOnly, Full, None, None} {
		f.Set(AtCommit, fault)
		_ = l.commit(entry(fmt.Sprint("fails ", i), errNo)) // has its group run again
		_ = l.commit(entry(fmt.Sprint("entry ", i), nil))
		if fault == None || fault == Lost {
			links++
		}
	}
	f.Set(AtCommit, None)
	if n := l.number(`SELECT COUNT(*) FROM audit_links`); n != links {
		t.Errorf("%d links, want %d", n, links)
	}
	err := l.View(t.Context(), func(q ledger.Querier) error {
		report, err := ledger.VerifyAudit(t.Context(), q, nil)
		if err == nil && (report.Mismatch != "" || report.Links != int(links)) {
			err = fmt.Errorf("the trail is not as it was sealed: %+v", report)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
