package entry

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/ledger/sqlite"
	"github.com/warmgate/warmgate/gateway/seal"
)

// TestDecisionsFollowTheModel walks through admissions, settlements, releases, exits and corrections at random, with
// the days changing, against a real ledger: no ticket is admitted twice, the capacity holds, whoever came in and has not
// gone out is inside, and a scan that comes again hears the same.
func TestDecisionsFollowTheModel(t *testing.T) {
	var now atomic.Int64
	l := openModelLedger(t, func() time.Time { return time.UnixMilli(now.Load()) })
	longer(t, map[string]string{"rapid.checks": "300", "rapid.steps": "80"})
	walks := 0
	rapid.Check(t, func(t *rapid.T) {
		walks++
		begin := rapid.SampledFrom([]time.Time{
			time.Date(2026, 6, 1, 9, 0, 0, 0, shanghai), time.Date(2026, 6, 1, 23, 59, 30, 0, shanghai)}).Draw(t, "begin")
		now.Store(begin.UnixMilli())
		m := &model{l: l, now: &now, spot: fmt.Sprintf("spot-%d", walks), capacity: int64(rapid.IntRange(1, 4).Draw(t, "capacity")),
			visits: map[string][]*modelVisit{}, scans: map[string]modelScan{}}
		m.day = m.today()
		t.Repeat(map[string]func(*rapid.T){
			"admit": m.admits, "admit more": m.admits, "repeat": m.repeats, "settle": m.settles, "settle more": m.settles, "release": m.releases, "die": m.dies, "recover": m.recovers,
			"leave": m.leaves, "correct": m.corrects, "pass": m.passes, "": m.check,
		})
	})
}

// longer sets rapid's flags, unless the command has.
func longer(t *testing.T, flags map[string]string) {
	t.Helper()
	flag.Visit(func(f *flag.Flag) { delete(flags, f.Name) })
	for name, value := range flags {
		before := flag.Lookup(name).DefValue
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = flag.Set(name, before) })
	}
}

func openModelLedger(t *testing.T, now func() time.Time) *ledger.Ledger {
	t.Helper()
	folder := t.TempDir()
	if memory, err := os.MkdirTemp("/dev/shm", "entry-model"); err == nil { //nolint:usetesting // in memory: a model needs no flush
		t.Cleanup(func() { _ = os.RemoveAll(memory) })
		folder = memory
	}
	store, err := sqlite.Open(filepath.Join(folder, "ledger.db"), sqlite.Config{})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := seal.New(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(context.Background(), store, ledger.Config{}, keys, slog.New(slog.DiscardHandler), now, ledger.Migrations{Name: "entry", FS: files})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}
