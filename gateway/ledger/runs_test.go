package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/seal"
)

func someRun(id string, lease time.Duration) ledger.Run {
	return ledger.Run{ID: id, Plan: "entry", Tenant: "hz", Venue: "west-lake", Principal: "gate-1", Lang: "zh-CN", State: ledger.RunRunning,
		Key: []byte{1}, IdemScope: []byte{2}, StartedAt: dawn, LeaseUntil: dawn.Add(lease)}
}

func findRun(t testing.TB, b *books, id string) ledger.Run {
	t.Helper()
	var got ledger.Run
	b.read(t, func(q ledger.Querier) error {
		r, found, err := ledger.FindRun(q, id)
		if err == nil && !found {
			err = fmt.Errorf("no run %s", id)
		}
		got = r
		return err
	})
	return got
}

func TestRunBeginsOnceAndEndsOnce(t *testing.T) {
	b := openBooks(t)
	want := someRun("r1", time.Second)
	b.commit(t, func(tx *ledger.Tx) error { return tx.BeginRun(want) })
	if got := findRun(t, b, "r1"); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("read %+v, began %+v", got, want)
	}
	if err := b.Commit(t.Context(), doing(func(tx *ledger.Tx) error { return tx.BeginRun(want) })); err == nil {
		t.Fatal("an id began twice")
	}
	b.pass(time.Second)
	b.commit(t, func(tx *ledger.Tx) error {
		return errors.Join(tx.EndRun("r1", ledger.RunDone, true, 201, []byte{7}), tx.EndRun("r1", ledger.RunRefused, false, 409, nil),
			tx.EndRun("no such run", ledger.RunDone, false, 201, nil))
	})
	want.State, want.Pivot, want.Status, want.Body, want.EndedAt = ledger.RunDone, true, 201, []byte{7}, dawn.Add(time.Second)
	if got := findRun(t, b, "r1"); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("read %+v, want %+v", got, want)
	}
}

func TestAbandonedRunsAreThoseWhoseLeaseIsOver(t *testing.T) {
	b := openBooks(t)
	b.commit(t, func(tx *ledger.Tx) error {
		var errs []error
		for i, id := range []string{"late", "first", "second", "done", "recovering"} {
			errs = append(errs, tx.BeginRun(someRun(id, time.Duration([]int{9, 1, 2, 1, 1}[i])*time.Second)))
		}
		return errors.Join(append(errs, tx.EndRun("done", ledger.RunDone, true, 201, nil), tx.EndRun("recovering", ledger.RunRecovering, false, 0, nil))...)
	})
	for _, c := range []struct {
		after time.Duration
		limit int
		want  string
	}{{0, 9, "[]"}, {time.Second, 9, "[first]"}, {2 * time.Second, 9, "[first second]"}, {2 * time.Second, 1, "[first]"}, {9 * time.Second, 9, "[first second late]"}} {
		b.read(t, func(q ledger.Querier) error {
			runs, err := ledger.AbandonedRuns(q, dawn.Add(c.after), c.limit)
			ids := []string{}
			for _, r := range runs {
				ids = append(ids, r.ID)
			}
			if fmt.Sprint(ids) != c.want {
				t.Errorf("after %v, at most %d: %v, want %s", c.after, c.limit, ids, c.want)
			}
			return err
		})
	}
}

func TestErasureDestroysTheKeyAndKeepsTheBooks(t *testing.T) {
	b := openBooks(t)
	box, err := b.Keys().NewBox()
	if err != nil {
		t.Fatal(err)
	}
	control, err := b.Keys().NewBox()
	if err != nil {
		t.Fatal(err)
	}
	run := someRun("r1", time.Second)
	run.Key = box.Wrapped()
	b.commit(t, func(tx *ledger.Tx) error {
		_, _, err := tx.BeginIdempotency(ledger.Idempotency{Scope: run.IdemScope, Payload: []byte{1}, Run: "r1", Key: box.Wrapped()})
		errs := []error{err, tx.BeginRun(run)}
		for i := range 40 { // neighbours on the pages, with keys that stay
			other := someRun(fmt.Sprint("other", i), time.Second)
			other.Key = control.Wrapped()
			errs = append(errs, tx.BeginRun(other))
		}
		return errors.Join(errs...)
	})
	erase := doing(func(tx *ledger.Tx) error {
		_, err := tx.EraseRun("r1", "ann@city")
		return err
	})
	if err = b.Commit(t.Context(), erase); err == nil {
		t.Fatal("a running run was erased")
	}
	b.commit(t, func(tx *ledger.Tx) error {
		body := box.Seal([]byte("secret"), "answer")
		return errors.Join(tx.EndRun("r1", ledger.RunDone, true, 201, body), tx.EndIdempotency(run.IdemScope, "r1", 201, body, dawn.Add(time.Hour)))
	})
	for range 2 { // erasing again changes nothing
		if err = b.Commit(t.Context(), erase); err != nil {
			t.Fatal(err)
		}
	}
	got := findRun(t, b, "r1")
	if got.State != ledger.RunDone || got.Status != 201 || len(got.Body) == 0 {
		t.Errorf("the books are gone: %+v", got)
	}
	if _, err = b.Keys().OpenBox(got.Key); !errors.Is(err, seal.ErrErased) {
		t.Errorf("the run's key: %v", err)
	}
	b.read(t, func(q ledger.Querier) error {
		i, found, err := ledger.FindIdempotency(q, run.IdemScope)
		if !found || i.Key != nil {
			t.Errorf("the idempotency record's key is there: %+v", i)
		}
		return err
	})
	if got := b.verify(t, nil); got.Entries != 1 || got.Mismatch != "" {
		t.Errorf("the audit trail: %+v", got)
	}
	var overwrites int
	b.read(t, func(q ledger.Querier) error { return q.QueryRow(`PRAGMA secure_delete`).Scan(&overwrites) })
	if overwrites == 0 {
		t.Fatal("the store does not overwrite what it deletes: the key's old bytes may stay in the file")
	}
	b.close() // the log is written back and gone: what is left is the file
	for _, name := range []string{b.path, b.path + "-wal"} {
		file, err := os.ReadFile(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		if bytes.Contains(file, box.Wrapped()) {
			t.Errorf("%s still holds the data key", filepath.Base(name))
		}
		if name == b.path && !bytes.Contains(file, control.Wrapped()) {
			t.Error("the other runs' key cannot be seen either: this proves nothing")
		}
	}
}

func TestOperationIsBegunOnceAndSettledFromItsState(t *testing.T) {
	b := openBooks(t)
	op := ledger.Operation{Key: "redeem/oct-1/7", Run: "r1", Plan: "entry", Step: "redeem", Name: "redeem", Venue: "west-lake", Ord: 3,
		Kind: ledger.OpWrite, State: ledger.OpBegun, Pivot: true, Args: []byte{1}, Undo: "unredeem", Meaning: "defer", DueAt: dawn.Add(time.Hour), BegunAt: dawn}
	b.commit(t, func(tx *ledger.Tx) error {
		if existing, begun, err := tx.BeginOperation(op); !begun || err != nil || existing.Key != "" {
			t.Errorf("first: %+v, %v, %v", existing, begun, err)
		}
		other := op
		other.Run, other.Args = "r2", nil
		existing, begun, err := tx.BeginOperation(other)
		if begun || fmt.Sprint(existing) != fmt.Sprint(op) {
			t.Errorf("second: %+v, %v", existing, begun)
		}
		return err
	})
	b.pass(time.Second)
	settle := func(from []ledger.OpState, to ledger.OpState, result []byte, want bool) {
		t.Helper()
		b.commit(t, func(tx *ledger.Tx) error {
			changed, err := tx.SettleOperation(op.Key, from, to, result, "word")
			if changed != want {
				t.Errorf("from %v to %s: %v, want %v", from, to, changed, want)
			}
			return err
		})
	}
	settle(nil, ledger.OpRefused, nil, false)
	settle([]ledger.OpState{ledger.OpDone, ledger.OpUndoing}, ledger.OpUndone, nil, false)
	settle([]ledger.OpState{ledger.OpDeferred, ledger.OpBegun}, ledger.OpDone, []byte{5}, true)
	settle([]ledger.OpState{ledger.OpBegun}, ledger.OpRefused, nil, false)
	settle([]ledger.OpState{ledger.OpDone}, ledger.OpUndoing, nil, true)
	second := op
	second.Key, second.Ord = "another", 1
	b.commit(t, func(tx *ledger.Tx) error { _, _, err := tx.BeginOperation(second); return err })
	b.read(t, func(q ledger.Querier) error {
		ops, err := ledger.OperationsOf(q, "r1")
		if err != nil || len(ops) != 2 || ops[0].Key != "another" {
			t.Fatalf("the run's operations: %+v, %v", ops, err)
		}
		got := ops[1]
		if got.State != ledger.OpUndoing || !bytes.Equal(got.Result, []byte{5}) || got.Reason != "word" || !got.SettledAt.Equal(dawn.Add(time.Second)) {
			t.Errorf("read %+v", got)
		}
		_, found, err := ledger.FindOperation(q, "no such key")
		if found {
			t.Error("found what is not there")
		}
		return err
	})
}

// BenchmarkFirstCommit is what an admission writes before it is answered: key, run, operation and disclosure.
func BenchmarkFirstCommit(b *testing.B) {
	books := openBooks(b)
	b.SetParallelism(128)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			id := newID()
			box, err := books.keys.NewBox()
			if err != nil {
				b.Fatal(err)
			}
			run := someRun(id, time.Second)
			run.Key = box.Wrapped()
			scope := books.keys.Hash("scope", []byte(id))
			args := box.Seal(make([]byte, 120), "args")
			err = books.Commit(context.Background(), doing(func(tx *ledger.Tx) error {
				_, _, err := tx.BeginIdempotency(ledger.Idempotency{Scope: scope[:], Payload: scope[:], Run: id, Key: box.Wrapped()})
				if err != nil {
					return err
				}
				run.IdemScope = scope[:]
				if err = tx.BeginRun(run); err != nil {
					return err
				}
				_, _, err = tx.BeginOperation(ledger.Operation{Key: id + "/redeem", Run: id, Plan: "entry", Step: "redeem", Name: "redeem",
					Venue: "west-lake", Kind: ledger.OpWrite, State: ledger.OpBegun, Args: args, Meaning: "defer"})
				if err != nil {
					return err
				}
				return tx.Audit(ledger.AuditEntry{Run: id, Actor: "gateway", Action: "disclose", System: "ticketing", Purpose: "redeem", Fields: []string{"code"}})
			}))
			if err != nil {
				b.Error(err)
				return
			}
		}
	})
	s := books.Stats()
	b.ReportMetric(float64(s.Items)/max(1, float64(s.Batches)), "items/batch")
}
