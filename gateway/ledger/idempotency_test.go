package ledger_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/warmgate/warmgate/gateway/ledger"
)

// TestIdempotencyFollowsItsModel lets a few runs fight for a few scopes while time passes.
func TestIdempotencyFollowsItsModel(t *testing.T) {
	b := openBooks(t)
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		round++
		model := map[byte]*ledger.Idempotency{}
		runs := 0
		draw := func(rt *rapid.T) byte { return rapid.ByteRange(0, 2).Draw(rt, "scope") }
		scope := func(s byte) []byte { return fmt.Appendf(nil, "%d/%d", round, s) }
		commit := func(f func(tx *ledger.Tx) error) {
			if err := b.Commit(context.Background(), doing(f)); err != nil {
				rt.Fatal(err)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"begin": func(rt *rapid.T) {
				s := draw(rt)
				runs++
				fresh := ledger.Idempotency{Scope: scope(s), Payload: []byte{s}, Run: fmt.Sprint("run-", runs),
					LeaseUntil: b.Now().Add(time.Second), ExpiresAt: b.Now().Add(24 * time.Hour), Key: []byte{1}}
				held := model[s]
				free := held == nil || held.Ended && !b.Now().Before(held.ExpiresAt)
				commit(func(tx *ledger.Tx) error {
					existing, begun, err := tx.BeginIdempotency(fresh)
					if begun != free || !begun && fmt.Sprint(existing) != fmt.Sprint(*held) {
						rt.Errorf("begun %v, want %v; existing %+v, want %+v", begun, free, existing, held)
					}
					return err
				})
				if free {
					model[s] = &fresh
				}
			},
			"end": func(rt *rapid.T) {
				s := draw(rt)
				run := fmt.Sprint("run-", rapid.IntRange(max(1, runs-3), max(1, runs)).Draw(rt, "run"))
				expires := b.Now().Add(24 * time.Hour)
				commit(func(tx *ledger.Tx) error { return tx.EndIdempotency(scope(s), run, 201, []byte{9}, expires) })
				if held := model[s]; held != nil && held.Run == run && !held.Ended {
					held.Ended, held.Status, held.Body, held.ExpiresAt = true, 201, []byte{9}, expires
				}
			},
			"pass": func(rt *rapid.T) {
				b.pass(time.Duration(rapid.SampledFrom([]int64{1, 3600, 86400}).Draw(rt, "seconds")) * time.Second)
			},
			"sweep": func(rt *rapid.T) {
				commit(func(tx *ledger.Tx) error { _, err := ledger.Sweep(tx, tx.Now()); return err })
				for s, held := range model {
					if held.Ended && !b.Now().Before(held.ExpiresAt) {
						delete(model, s)
					}
				}
			},
			"": func(rt *rapid.T) {
				b.read(t, func(q ledger.Querier) error {
					for s := range byte(3) {
						got, found, err := ledger.FindIdempotency(q, scope(s))
						held := model[s]
						if err != nil || found != (held != nil) || found && fmt.Sprint(got) != fmt.Sprint(*held) {
							rt.Fatalf("scope %d: %+v (%v, %v), want %+v", s, got, found, err, held)
						}
					}
					return nil
				})
			},
		})
	})
}

func TestKeeperSweepsInBoundedSteps(t *testing.T) {
	b := openBooks(t)
	const n = 1234 // more than two sweeps
	b.commit(t, func(tx *ledger.Tx) error {
		for i := range n {
			id := fmt.Sprint(i)
			if _, _, err := tx.BeginIdempotency(ledger.Idempotency{Scope: []byte(id), Payload: []byte{1}, Run: id}); err != nil {
				return err
			}
			if err := tx.EndIdempotency([]byte(id), id, 201, nil, dawn.Add(time.Minute)); err != nil {
				return err
			}
			if err := tx.Enqueue(ledger.Message{Key: id, Kind: "k"}); err != nil {
				return err
			}
			if i%2 == 0 {
				if _, err := tx.FinishMessage(ledger.Message{Key: id}); err != nil {
					return err
				}
			}
		}
		rows, err := ledger.Sweep(tx, tx.Now())
		if rows != 0 {
			t.Errorf("%d rows were swept before their time", rows)
		}
		return err
	})
	b.pass(8 * 24 * time.Hour)
	keeper, err := ledger.StartKeeper(b.Ledger, b.path+".anchors", 10*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	left := func() (idem, messages int) {
		b.read(t, func(q ledger.Querier) error {
			return q.QueryRow(`SELECT (SELECT COUNT(*) FROM idempotency), (SELECT COUNT(*) FROM messages)`).Scan(&idem, &messages)
		})
		return idem, messages
	}
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		if idem, messages := left(); idem == 0 && messages == n/2 {
			break
		}
	}
	if err = keeper.Close(); err != nil {
		t.Fatal(err)
	}
	if idem, messages := left(); idem != 0 || messages != n/2 {
		t.Fatalf("left: %d idempotency records, %d messages", idem, messages)
	}
}
