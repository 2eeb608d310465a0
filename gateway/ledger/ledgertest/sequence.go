package ledgertest

import (
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/warmgate/warmgate/gateway/ledger"
)

// move is a random item: it adds to a register and then ends in one of several ways.
type move struct {
	register int
	add      int64
	limit    int64 // it fails when the register is above it
	ends     string
}

// The ways that a move ends.
const (
	endsWell   = "well"
	endsLate   = "late"  // looks at the limit after it wrote
	endsEarly  = "early" // looks at the limit before it writes
	endsKept   = "kept"  // looks at the limit after it wrote, and its refusal keeps that
	endsPanics = "panics"
	endsBroken = "broken" // a statement fails and it says nothing
)

// apply is the move on the ledger.
func (m move) apply(place string) work {
	id := fmt.Sprint(place, "/", m.register)
	return func(tx *ledger.Tx) error {
		above := func() error {
			var n int64
			err := tx.QueryRow(`SELECT n FROM suite_rows WHERE id = $1`, id).Scan(&n)
			if err == nil && n > m.limit {
				err = errNo
			}
			return err
		}
		if m.ends == endsEarly {
			if err := above(); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(`UPDATE suite_rows SET n = n + $1 WHERE id = $2`, m.add, id); err != nil {
			return err
		}
		switch m.ends {
		case endsLate:
			return above()
		case endsKept:
			return ledger.Keep(above())
		case endsPanics:
			panic(place)
		case endsBroken:
			_ = insert(id)(tx)
		}
		return nil
	}
}

// expect is the move on the model: the registers, changed or not, and whether it fails.
func (m move) expect(registers []int64) (fails bool) {
	n := &registers[m.register]
	switch m.ends {
	case endsEarly:
		if *n > m.limit {
			return true
		}
	case endsLate:
		if *n+m.add > m.limit {
			return true
		}
	case endsPanics, endsBroken:
		return true
	}
	*n += m.add
	return m.ends == endsKept && *n > m.limit
}

// testSequence commits random groups and expects what the same items come to one after another, alone.
func testSequence(t *testing.T, open Open) {
	l := fresh(t, open)
	moves := rapid.SliceOfN(rapid.Custom(func(r *rapid.T) move {
		return move{
			register: rapid.IntRange(0, 2).Draw(r, "register"), add: rapid.Int64Range(1, 3).Draw(r, "add"),
			limit: rapid.Int64Range(0, 12).Draw(r, "limit"),
			ends:  rapid.SampledFrom([]string{endsWell, endsLate, endsEarly, endsKept, endsPanics, endsBroken}).Draw(r, "ends"),
		}
	}), 1, 30)
	group := 0
	rapid.Check(t, func(r *rapid.T) {
		group++
		place := fmt.Sprint("group ", group)
		registers := make([]int64, 3)
		for i := range registers {
			l.must(func(tx *ledger.Tx) error {
				_, err := tx.Exec(`INSERT INTO suite_rows (id, n) VALUES ($1, 0)`, fmt.Sprint(place, "/", i))
				return err
			})
		}
		list := moves.Draw(r, "moves")
		works := make([]work, len(list))
		for i, m := range list {
			works[i] = m.apply(place)
		}
		for i, err := range l.together(works...) {
			if fails := list[i].expect(registers); fails != (err != nil) ||
				errors.Is(err, ledger.ErrUnavailable) || errors.Is(err, ledger.ErrUnknown) {
				r.Errorf("item %d %+v: %v, expected to fail: %v", i, list[i], err, fails)
			}
		}
		for i, want := range registers {
			if got := l.number(`SELECT n FROM suite_rows WHERE id = $1`, fmt.Sprint(place, "/", i)); got != want {
				r.Errorf("register %d is %d, want %d", i, got, want)
			}
		}
	})
}
