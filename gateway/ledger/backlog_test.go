package ledger_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/warmgate/warmgate/gateway/ledger"
)

// BenchmarkBacklog is one look of the outbox at 100,000 waiting messages of 100 venues, and the lease of 32 of them.
func BenchmarkBacklog(b *testing.B) {
	books := openBooks(b)
	for v := range 100 {
		books.commit(b, func(tx *ledger.Tx) error {
			for i := range 1000 {
				err := tx.Enqueue(ledger.Message{Key: fmt.Sprint(v, "/", i), Kind: "deliver", Venue: fmt.Sprint("venue-", v), NextAt: tx.Now().Add(time.Duration(i) * time.Millisecond)})
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	books.pass(time.Hour)
	b.Run("venues", func(b *testing.B) {
		for b.Loop() {
			books.read(b, func(q ledger.Querier) error {
				venues, err := ledger.WaitingVenues(q)
				if len(venues) != 100 {
					b.Errorf("%d venues", len(venues))
				}
				return err
			})
		}
	})
	b.Run("lease", func(b *testing.B) {
		n := 0
		for b.Loop() {
			books.commit(b, func(tx *ledger.Tx) error {
				for range 4 {
					n++
					got, err := tx.LeaseMessages(fmt.Sprint("venue-", n%100), tx.Now(), tx.Now().Add(time.Millisecond), 8)
					if err != nil || len(got) != 8 {
						return fmt.Errorf("leased %d: %w", len(got), err)
					}
				}
				return nil
			})
		}
	})
	b.Run("count", func(b *testing.B) {
		for b.Loop() {
			books.read(b, func(q ledger.Querier) error { _, err := ledger.CountMessages(q, books.Now()); return err })
		}
	})
}
