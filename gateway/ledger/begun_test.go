package ledger_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/warmgate/warmgate/gateway/ledger"
)

// What an item says of the run that it begins is written with it, and is seen by whatever reads it in the same item: it is
// as if each had been a statement of its own.
func TestRunIsWrittenWithWhatIsSaidOfIt(t *testing.T) {
	other := func(tx *ledger.Tx) error { return tx.BeginRun(someRun("other", time.Minute)) }
	draft := func(tx *ledger.Tx) error { return tx.DraftRun("r", 201, []byte{5}) }
	end := func(tx *ledger.Tx) error { return tx.EndRun("r", ledger.RunRefused, true, 409, []byte{6}) }
	undone := func(tx *ledger.Tx) error { return tx.EndRun("r", ledger.RunUndone, false, 503, nil) }
	fulfil := func(tx *ledger.Tx) error { return tx.FulfilRun("r", true) }
	look := func(tx *ledger.Tx) error {
		_, found, err := ledger.FindRun(tx, "r")
		if err == nil && !found {
			err = errors.New("the item does not see the run that it has begun")
		}
		return err
	}
	recovery := func(tx *ledger.Tx) error { _, err := tx.BeginRecovery("r"); return err }
	abandoned := func(tx *ledger.Tx) error {
		all, err := ledger.AbandonedRuns(tx, dawn.Add(time.Hour), 9)
		if err == nil && len(all) == 0 {
			err = errors.New("the item does not see that the run is running")
		}
		return err
	}
	none := func(*ledger.Tx) error { return nil }
	for i, steps := range [][]func(*ledger.Tx) error{
		{none}, {draft}, {end}, {draft, end}, {end, draft}, {end, undone}, {draft, fulfil}, {fulfil}, {look, draft}, {draft, look, end}, {draft, draft},
		{other, draft}, {draft, other, end}, {recovery, draft}, {abandoned, end}, {end, fulfil},
	} {
		run := someRun("r", time.Millisecond)
		begin := func(tx *ledger.Tx) error { return tx.BeginRun(run) }
		var rows [2]ledger.Run
		for way := range rows { // in one item; each in one of its own
			b := openBooks(t)
			b.pass(time.Second)
			items := [][]func(*ledger.Tx) error{append([]func(*ledger.Tx) error{begin}, steps...)}
			if way == 1 {
				items = items[:0]
				for _, step := range append([]func(*ledger.Tx) error{begin}, steps...) {
					items = append(items, []func(*ledger.Tx) error{step})
				}
			}
			for _, item := range items {
				b.commit(t, func(tx *ledger.Tx) error {
					for _, step := range item {
						if err := step(tx); err != nil {
							return err
						}
					}
					return nil
				})
			}
			rows[way] = findRun(t, b, "r")
		}
		if got, want := fmt.Sprintf("%+v", rows[0]), fmt.Sprintf("%+v", rows[1]); got != want {
			t.Errorf("%d: in one item\n%s, in several\n%s", i, got, want)
		}
	}
}

// A run whose id is taken costs its item, whatever else that has done, and one of an item that fails is not written.
func TestRunThatIsNotWritten(t *testing.T) {
	b := openBooks(t)
	b.commit(t, func(tx *ledger.Tx) error { return tx.BeginRun(someRun("taken", time.Minute)) })
	no := errors.New("no")
	for name, c := range map[string]struct {
		run  string
		fate error
	}{"taken": {"taken", nil}, "taken, of an item whose failure is kept": {"taken", ledger.Keep(no)}, "of an item that fails": {"fails", no}} {
		err := b.Commit(t.Context(), doing(func(tx *ledger.Tx) error {
			err := errors.Join(tx.About("beside", []byte{1}), tx.BeginRun(someRun(c.run, time.Minute)), tx.DraftRun(c.run, 201, []byte{1}))
			return errors.Join(err, c.fate)
		}))
		if err == nil || c.run == "taken" && errors.Is(err, no) {
			t.Errorf("%s: %v", name, err)
		}
	}
	kept := b.Commit(t.Context(), doing(func(tx *ledger.Tx) error {
		return errors.Join(tx.BeginRun(someRun("kept", time.Minute)), ledger.Keep(no))
	}))
	if !errors.Is(kept, no) || findRun(t, b, "kept").ID != "kept" {
		t.Errorf("a failure that is kept: %v", kept)
	}
	b.read(t, func(q ledger.Querier) error {
		var runs, beside int
		err := errors.Join(q.QueryRow(`SELECT COUNT(*) FROM runs`).Scan(&runs), q.QueryRow(`SELECT COUNT(*) FROM run_subjects`).Scan(&beside))
		if err == nil && (runs != 2 || beside != 0) {
			err = fmt.Errorf("%d runs and %d subjects", runs, beside)
		}
		return err
	})
	if findRun(t, b, "taken").Draft != nil {
		t.Error("the draft of another run was written")
	}
}
