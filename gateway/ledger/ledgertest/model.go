package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/warmgate/warmgate/gateway/ledger"
)

// modelTests are about many at once.
var modelTests = map[string]func(*testing.T, Open){
	"one ticket, many gates": testClaim,
	"capacity":               testCapacity,
	"linearizable":           testLinearizable,
	"a group is a sequence":  testSequence,
}

func testClaim(t *testing.T, open Open) {
	l := fresh(t, open)
	claim := &ledger.Decision[string, string]{Name: "claim", Run: func(tx *ledger.Tx, gate string) (owner string, err error) {
		_, err = tx.Exec(`INSERT INTO suite_rows (id, s) VALUES ('ticket', $1) ON CONFLICT DO NOTHING`, gate)
		if err != nil {
			return "", err
		}
		return owner, tx.QueryRow(`SELECT s FROM suite_rows WHERE id = 'ticket'`).Scan(&owner)
	}}
	var mine atomic.Int64
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			gate := fmt.Sprint("gate ", i)
			owner, err := ledger.Do(t.Context(), l.Ledger, claim, gate)
			is(t, gate, err, nil)
			if owner == gate {
				mine.Add(1)
			}
		})
	}
	wg.Wait()
	if mine.Load() != 1 {
		t.Errorf("%d gates have the ticket", mine.Load())
	}
}

func testCapacity(t *testing.T, open Open) {
	l := fresh(t, open)
	l.must(func(tx *ledger.Tx) error {
		_, err := tx.Exec(`INSERT INTO suite_places (name, inside, capacity) VALUES ('garden', 0, 100)`)
		return err
	})
	enter := func(n int64) work {
		return func(tx *ledger.Tx) error {
			changed, err := tx.Exec(`UPDATE suite_places SET inside = inside + $1 WHERE name = 'garden' AND inside + $1 <= capacity`, n)
			if err == nil && changed == 0 {
				return errNo
			}
			return err
		}
	}
	var inside atomic.Int64
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(i)))
			for range 10 {
				n := r.Int64N(4) + 1
				switch err := l.commit(enter(n)); {
				case err == nil:
					inside.Add(n)
				case !errors.Is(err, errNo):
					t.Errorf("enter: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if n := l.number(`SELECT inside FROM suite_places`); n != inside.Load() || n > 100 || n < 97 {
		t.Errorf("inside: %d, admitted: %d, capacity 100", n, inside.Load())
	}
}

// step is one operation on one register of the model: put the value where the register holds expect, or read it.
type step struct {
	put           bool
	register      int
	expect, value int64
}

// outcome is what the ledger answered: the value that was read, whether it was put, or that nobody knows.
type outcome struct {
	value   int64
	done    bool
	unknown bool
}

// registers is the model: each register by itself, as porcupine.Model wants it.
var registers = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		parts := map[int][]porcupine.Operation{}
		for _, op := range history {
			r := op.Input.(step).register
			parts[r] = append(parts[r], op)
		}
		var all [][]porcupine.Operation
		for _, p := range parts {
			all = append(all, p)
		}
		return all
	},
	Init: func() any { return int64(0) },
	Step: func(state, input, output any) (bool, any) {
		s, in, out := state.(int64), input.(step), output.(outcome)
		if !in.put {
			return out.value == s, s
		}
		if out.unknown { // it came to pass, or its time never comes: its operation ends after all others
			if s == in.expect {
				return true, in.value
			}
			return true, s
		}
		if out.done != (s == in.expect) {
			return false, s
		}
		if out.done {
			return true, in.value
		}
		return true, s
	},
}

// do runs one step on the ledger.
func (l *lab) do(ctx context.Context, s step) (outcome, error) {
	id := fmt.Sprint(s.register)
	if !s.put {
		var o outcome
		err := l.View(ctx, func(q ledger.Querier) error {
			return q.QueryRow(`SELECT n FROM suite_rows WHERE id = $1`, id).Scan(&o.value)
		})
		return o, err
	}
	d := &ledger.Decision[step, outcome]{Name: "put", Run: func(tx *ledger.Tx, s step) (outcome, error) {
		n, err := tx.Exec(`UPDATE suite_rows SET n = $1 WHERE id = $2 AND n = $3`, s.value, id, s.expect)
		return outcome{done: n == 1}, err
	}}
	return ledger.Do(ctx, l.Ledger, d, s)
}

// testLinearizable lets many clients read and compare-and-set a few registers, some leaving early, some commits lost,
// some items of others failing, and asks porcupine for an order that explains every answer.
func testLinearizable(t *testing.T, open Open) {
	l, f := faulty(t, open, ledger.Config{})
	const clients, steps, names = 12, 60, 4
	for i := range names {
		l.must(func(tx *ledger.Tx) error {
			_, err := tx.Exec(`INSERT INTO suite_rows (id, n) VALUES ($1, 0)`, fmt.Sprint(i))
			return err
		})
	}
	start := time.Now()
	var mu sync.Mutex
	var history []porcupine.Operation
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(7, uint64(c)))
			for range steps {
				op, ok := l.one(t, f, r, start)
				if !ok {
					continue
				}
				op.ClientId = c
				mu.Lock()
				history = append(history, op)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if res, _ := porcupine.CheckOperationsVerbose(registers, history, patience); res != porcupine.Ok {
		t.Errorf("%d operations are not linearizable: %v", len(history), res)
	}
}

// one runs one random step; false when it is certain that nothing happened.
func (l *lab) one(t *testing.T, f *Faulty, r *rand.Rand, start time.Time) (porcupine.Operation, bool) {
	s := step{register: r.IntN(4), put: r.IntN(3) > 0, expect: r.Int64N(3), value: r.Int64N(3)}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	switch r.IntN(12) {
	case 0: // leaves early
		ctx, cancel = context.WithTimeout(ctx, time.Duration(r.IntN(500))*time.Microsecond)
		defer cancel()
	case 1:
		f.Set(AtCommit, Lost)
	case 2, 3:
		f.Set(AtCommit, None)
	case 4: // another's failure beside it
		_ = l.commit(func(tx *ledger.Tx) error {
			_, err := tx.Exec(`UPDATE suite_rows SET n = 99`)
			return errors.Join(err, errNo)
		})
	}
	called := time.Since(start).Nanoseconds()
	out, err := l.do(ctx, s)
	op := porcupine.Operation{Input: s, Call: called, Output: out, Return: time.Since(start).Nanoseconds()}
	switch {
	case err == nil:
	case errors.Is(err, ledger.ErrUnknown):
		op.Output, op.Return = outcome{unknown: true}, int64(1)<<62
	case errors.Is(err, ledger.ErrUnavailable) || ctx.Err() != nil:
		return op, false
	default:
		t.Errorf("%+v: %v", s, err)
	}
	return op, true
}
