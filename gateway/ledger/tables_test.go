package ledger_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/ledger/sqlite"
	"github.com/warmgate/warmgate/gateway/seal"
)

// dawn is when the tests' clocks start.
var dawn = time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)

// clock is a clock that a test moves.
type clock struct{ ms atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.ms.Store(dawn.UnixMilli())
	return c
}

func (c *clock) now() time.Time       { return time.UnixMilli(c.ms.Load()) }
func (c *clock) pass(d time.Duration) { c.ms.Add(d.Milliseconds()) }

// books is a ledger on a real SQLite file with a clock of its own.
type books struct {
	*ledger.Ledger
	*clock
	path string
	keys *seal.Keys
}

func openBooks(t testing.TB) *books {
	t.Helper()
	keys, err := seal.New(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b := &books{clock: newClock(), path: filepath.Join(t.TempDir(), "ledger.db"), keys: keys}
	b.open(t)
	return b
}

// open opens the ledger's file, perhaps again.
func (b *books) open(t testing.TB) {
	t.Helper()
	store, err := sqlite.Open(b.path, sqlite.Config{})
	if err != nil {
		t.Fatal(err)
	}
	b.Ledger, err = ledger.Open(t.Context(), store, ledger.Config{}, b.keys, slog.New(slog.DiscardHandler), b.now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.close)
}

// close closes the ledger, if it is open.
func (b *books) close() {
	if b.Ledger != nil {
		_ = b.Ledger.Close()
		b.Ledger = nil
	}
}

// doing is a Work made of a function.
type doing func(tx *ledger.Tx) error

func (f doing) Apply(tx *ledger.Tx) error { return f(tx) }

// commit applies f and fails the test where it is not kept.
func (b *books) commit(t testing.TB, f func(tx *ledger.Tx) error) {
	t.Helper()
	if err := b.Commit(context.Background(), doing(f)); err != nil {
		t.Fatal(err)
	}
}

// read gives f a snapshot.
func (b *books) read(t testing.TB, f func(q ledger.Querier) error) {
	t.Helper()
	if err := b.View(context.Background(), f); err != nil {
		t.Fatal(err)
	}
}
