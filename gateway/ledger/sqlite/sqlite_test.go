package sqlite_test

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/ledger/ledgertest"
	"github.com/warmgate/warmgate/gateway/ledger/sqlite"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		os.Exit(child())
	}
	goleak.VerifyTestMain(m)
}

// open opens the ledger in a folder.
func open(t *testing.T, place string) ledger.Store {
	t.Helper()
	s, err := sqlite.Open(filepath.Join(place, "ledger.db"), sqlite.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSuite(t *testing.T) { ledgertest.Run(t, open) }

// testTable is the one table of these tests.
var testTable = ledger.Migrations{Name: "test", FS: fstest.MapFS{"00001_test.sql": {Data: []byte(`-- +goose Up
CREATE TABLE test_rows (id TEXT NOT NULL PRIMARY KEY, body BYTEA);
`)}}}

// openAt opens a ledger on the file path.
func openAt(tb testing.TB, path string, cfg sqlite.Config) *ledger.Ledger {
	tb.Helper()
	s, err := sqlite.Open(path, cfg)
	if err != nil {
		tb.Fatal(err)
	}
	l, err := ledger.Open(tb.Context(), s, ledger.Config{Upkeep: 20 * time.Millisecond}, nil, slog.New(slog.DiscardHandler),
		time.Now, testTable)
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

// put is a Work that writes one row.
type put struct {
	id   string
	body []byte
}

func (p put) Apply(tx *ledger.Tx) error {
	_, err := tx.Exec(`INSERT INTO test_rows (id, body) VALUES ($1, $2)`, p.id, p.body)
	return err
}

// count returns how many rows there are.
func count(tb testing.TB, l *ledger.Ledger) (n int) {
	tb.Helper()
	err := l.View(tb.Context(), func(q ledger.Querier) error {
		return q.QueryRow(`SELECT COUNT(*) FROM test_rows`).Scan(&n)
	})
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

func closed(tb testing.TB, l *ledger.Ledger) {
	tb.Helper()
	if err := l.Close(); err != nil {
		tb.Error(err)
	}
}

func TestOneProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	l := openAt(t, path, sqlite.Config{})
	_, err := sqlite.Open(path, sqlite.Config{})
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("in use by process %d", os.Getpid())) {
		t.Errorf("a second owner: %v", err)
	}
	closed(t, l)
	closed(t, openAt(t, path, sqlite.Config{}))
}

func TestFilesArePrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a strange %41?name#.db")
	l := openAt(t, path, sqlite.Config{})
	defer closed(t, l)
	if err := l.Commit(t.Context(), put{id: "a"}); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
		info, err := os.Stat(path + suffix)
		if err != nil {
			t.Error(err)
		} else if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", info.Name(), info.Mode())
		}
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 4 {
		t.Errorf("files: %v, %v", entries, err)
	}
}

func TestCannotOpen(t *testing.T) {
	if _, err := sqlite.Open(filepath.Join(t.TempDir(), "nowhere", "ledger.db"), sqlite.Config{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
	garbage := filepath.Join(t.TempDir(), "ledger.db")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(garbage, sqlite.Config{}); err == nil {
		t.Error("a file that is no database was accepted")
	}
	for _, cfg := range []sqlite.Config{{Readers: -1}, {Readers: 65}, {TruncateAbove: 1}, {TruncateAbove: -1}} {
		var field *gateway.FieldError
		if _, err := sqlite.Open(filepath.Join(t.TempDir(), "l.db"), cfg); !errors.As(err, &field) {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}

// TestLogIsCut grows the log past its limit while a reader keeps an old snapshot, and expects it gone after that.
func TestLogIsCut(t *testing.T) {
	const limit = 1 << 20
	path := filepath.Join(t.TempDir(), "ledger.db")
	l := openAt(t, path, sqlite.Config{TruncateAbove: limit})
	defer closed(t, l)
	size := func() int64 {
		info, err := os.Stat(path + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	n := 0
	write := func() {
		n++
		if err := l.Commit(t.Context(), put{id: fmt.Sprint(n), body: make([]byte, 64<<10)}); err != nil {
			t.Fatal(err)
		}
	}
	err := l.View(t.Context(), func(q ledger.Querier) error {
		var before, after int
		err := q.QueryRow(`SELECT COUNT(*) FROM test_rows`).Scan(&before)
		for size() < 2*limit {
			write()
		}
		err = errors.Join(err, q.QueryRow(`SELECT COUNT(*) FROM test_rows`).Scan(&after))
		if before != after {
			t.Errorf("a snapshot moved from %d to %d rows", before, after)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); size() > limit; write() {
		if time.Now().After(end) {
			t.Fatalf("the log still has %d bytes", size())
		}
	}
	if got := count(t, l); got != n {
		t.Errorf("%d rows of %d", got, n)
	}
}

// TestStart opens a ledger of 10⁵ rows whose process left its log behind, within a second: the quickest of three times,
// since the machine may be busy.
func TestStart(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after the other, and a time to keep")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "ledger.db")
	l := openAt(t, path, sqlite.Config{})
	for i := range 100 {
		err := l.Commit(t.Context(), fill(i*1000))
		if err != nil {
			t.Fatal(err)
		}
	}
	var copies []string
	for range 3 {
		copied := filepath.Join(t.TempDir(), "ledger.db") // as a killed process leaves it
		copies = append(copies, copied)
		for _, suffix := range []string{"", "-wal"} {
			b, err := os.ReadFile(path + suffix)
			if err == nil {
				err = os.WriteFile(copied+suffix, b, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	closed(t, l)
	took := time.Hour
	for _, copied := range copies {
		start := time.Now()
		l = openAt(t, copied, sqlite.Config{})
		took = min(took, time.Since(start))
		if n := count(t, l); n != 100_000 {
			t.Errorf("%d rows", n)
		}
		closed(t, l)
	}
	if took > time.Second {
		t.Errorf("opening took %v", took)
	}
	t.Logf("opening took %v", took)
}

// fill writes a thousand rows, from a number on.
type fill int

func (f fill) Apply(tx *ledger.Tx) error {
	for i := range 1000 {
		if err := (put{id: fmt.Sprintf("%036x", int(f)+i), body: make([]byte, 64)}).Apply(tx); err != nil {
			return err
		}
	}
	return nil
}
