package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/warmgate/warmgate/gateway/ledger"
)

// behindTests are about what is kept behind answers.
var behindTests = map[string]func(*testing.T, Open){
	"many share one flush":          testBehindShares,
	"Settled brings it about":       testBehindSettled,
	"by itself, after a while":      testBehindAlone,
	"a decision meets it settled":   testBehindMet,
	"Close keeps it":                testBehindClose,
	"what hangs is waited for":      testBehindHangs,
	"what is refused is told":       testBehindRefused,
	"one that fails is left out":    testBehindFails,
	"more than the queue holds":     testBehindFull,
	"an unknown fate is an unknown": testBehindUnknown,
}

// told is how an item behind an answer has ended.
type told chan error

func (l *lab) behind(w work, names ...string) told {
	t := make(told, 1)
	l.CommitBehind(w, func(err error) { t <- err }, names...)
	return t
}

func (t told) is(tt *testing.T, what string, want error) {
	tt.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case got := <-t:
		is(tt, what, got, want)
	case <-timer.C:
		tt.Errorf("%s: nothing was told", what)
	}
}

// patient is fresh, with a linger that no test comes to.
func patient(t *testing.T, open Open) *lab {
	t.Helper()
	l := newLab(t, open(t, t.TempDir()), ledger.Config{Linger: time.Second})
	l.closeLater()
	return l
}

func testBehindShares(t *testing.T, open Open) {
	l := patient(t, open)
	before := l.Stats().Batches
	var all []told
	for i := range 20 {
		all = append(all, l.behind(insert(fmt.Sprint(i)), fmt.Sprint("run ", i)))
	}
	is(t, "Settled", l.Settled(t.Context(), "run 7"), nil)
	for _, got := range all {
		got.is(t, "an item", nil)
	}
	if n := l.Stats().Batches - before; n != 1 || len(l.ids()) != 20 {
		t.Errorf("%d commits, %d rows", n, len(l.ids()))
	}
}

func testBehindSettled(t *testing.T, open Open) {
	l := patient(t, open)
	is(t, "Settled without anything", l.Settled(t.Context(), "run"), nil)
	got := l.behind(insert("a"), "run", "key")
	l.must(insert("b")) // somebody waits for this one, and not for ours
	if ids := l.ids(); len(ids) != 1 {
		t.Errorf("kept before its time: %v", ids)
	}
	is(t, "Settled by the second name", l.Settled(t.Context(), "key"), nil)
	if ids := l.ids(); len(ids) != 2 {
		t.Errorf("settled: %v", ids)
	}
	got.is(t, "the item", nil)
	is(t, "Settled of everything", l.Settled(t.Context(), ""), nil)
}

func testBehindAlone(t *testing.T, open Open) {
	l := fresh(t, open)
	l.behind(insert("a"), "run").is(t, "the item", nil)
	l.CommitBehind(insert("b"), nil)
	l.behind(insert("c")).is(t, "the third", nil)
	if ids := l.ids(); len(ids) != 3 {
		t.Errorf("kept: %v", ids)
	}
}

func testBehindMet(t *testing.T, open Open) {
	l := patient(t, open)
	const id = "01920000-0000-7000-8000-000000000001"
	run := ledger.Run{ID: id, Plan: "p", State: ledger.RunRunning, IdemScope: []byte("scope"), LeaseUntil: time.Now().Add(time.Hour)}
	l.must(func(tx *ledger.Tx) error {
		_, _, err := tx.BeginOperation(ledger.Operation{Key: "op", Run: id, State: ledger.OpBegun})
		return errors.Join(tx.BeginRun(run), err)
	})
	meets := map[string]work{
		"run": func(tx *ledger.Tx) error {
			r, _, err := ledger.FindRun(tx, id)
			if err == nil && r.Status != 201 {
				err = errNo
			}
			return err
		},
		"operation": func(tx *ledger.Tx) error {
			op, _, err := ledger.FindOperation(tx, "op")
			if err == nil && op.Reason != "201" {
				err = errNo
			}
			return err
		},
		"operations": func(tx *ledger.Tx) error {
			ops, err := ledger.OperationsOf(tx, id)
			if err == nil && ops[0].Reason != "201" {
				err = errNo
			}
			return err
		},
		"a failure that is let pass": func(tx *ledger.Tx) error {
			_, _, _ = ledger.FindRun(tx, id)
			r, _, err := ledger.FindRun(tx, id)
			if err == nil && r.Status != 201 {
				err = errNo
			}
			return err
		},
	}
	for name, meet := range meets {
		got := l.behind(func(tx *ledger.Tx) error {
			_, err := tx.Exec(`UPDATE runs SET status = 201 WHERE id = $1`, id)
			if err == nil {
				_, err = tx.Exec(`UPDATE operations SET reason = '201' WHERE op_key = 'op'`)
			}
			return err
		}, id)
		before := l.Stats().Batches
		errs := l.together(insert("before "+name), meet, insert("after "+name))
		for i, err := range errs {
			is(t, fmt.Sprint(name, ", item ", i), err, nil)
		}
		got.is(t, name+", behind", nil)
		if n := l.Stats().Batches - before; n != 2 {
			t.Errorf("%s: %d commits", name, n)
		}
		l.must(func(tx *ledger.Tx) error {
			_, err := tx.Exec(`UPDATE runs SET status = 0`)
			if err == nil {
				_, err = tx.Exec(`UPDATE operations SET reason = ''`)
			}
			return err
		})
	}
}

func testBehindClose(t *testing.T, open Open) {
	place := t.TempDir()
	l := newLab(t, open(t, place), ledger.Config{Linger: time.Second})
	got := l.behind(insert("a"), "run")
	is(t, "Close", l.Close(), nil)
	got.is(t, "the item", nil)
	l.behind(insert("late"), "run").is(t, "after Close", ledger.ErrUnavailable)
	l = newLab(t, open(t, place), ledger.Config{})
	l.closeLater()
	if ids := l.ids(); len(ids) != 1 {
		t.Errorf("after reopening: %v", ids)
	}
}

func testBehindHangs(t *testing.T, open Open) {
	l, f := faulty(t, open, ledger.Config{Linger: time.Second})
	f.Set(AtCommit, Hang)
	got := l.behind(insert("a"), "run")
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	is(t, "Settled", l.Settled(short, "run"), ledger.ErrUnavailable)
	f.Set(AtCommit, None)
	is(t, "Settled then", l.Settled(t.Context(), "run"), nil)
	got.is(t, "the item", nil)
}

func testBehindRefused(t *testing.T, open Open) {
	l, f := faulty(t, open, ledger.Config{})
	f.Set(AtBegin, Full)
	got := l.behind(insert("a"), "run")
	got.is(t, "the item", ledger.ErrUnavailable)
	is(t, "Settled", l.Settled(t.Context(), "run"), nil)
	f.Set(AtBegin, None)
	if ids := l.ids(); len(ids) != 0 {
		t.Errorf("kept: %v", ids)
	}
}

func testBehindFails(t *testing.T, open Open) {
	l := patient(t, open)
	bad := l.behind(func(tx *ledger.Tx) error { return errors.Join(insert("bad")(tx), errNo) }, "bad")
	good := l.behind(insert("good"), "good")
	is(t, "Settled", l.Settled(t.Context(), "good"), nil)
	bad.is(t, "the bad one", errNo)
	good.is(t, "the good one", nil)
	if ids := l.ids(); len(ids) != 1 || ids[0] != "good" {
		t.Errorf("kept: %v", ids)
	}
}

func testBehindFull(t *testing.T, open Open) {
	l, f := faulty(t, open, ledger.Config{Queue: 2, Linger: time.Second})
	f.Set(AtCommit, Hang)
	first := l.behind(insert("first"), "first")
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	is(t, "Settled", l.Settled(short, "first"), ledger.ErrUnavailable) // the writer has it
	l.behind(insert("a"))
	l.behind(insert("b"))
	l.behind(insert("c"), "c").is(t, "one too many", ledger.ErrUnavailable)
	is(t, "its name", l.Settled(t.Context(), "c"), nil)
	f.Set(AtCommit, None)
	first.is(t, "the first", nil)
}

func testBehindUnknown(t *testing.T, open Open) {
	l, f := faulty(t, open, ledger.Config{})
	l.behind(losing(f, insert("a")), "run").is(t, "the item", ledger.ErrUnknown)
	f.Set(AtCommit, None)
	is(t, "the next", l.commit(insert("b")), nil)
}
