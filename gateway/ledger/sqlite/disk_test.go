package sqlite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	msqlite "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/warmgate/warmgate/gateway/ledger"
)

// diskTable is the one table of these tests.
var diskTable = ledger.Migrations{Name: "disk", FS: fstest.MapFS{"00001_disk.sql": {Data: []byte(`-- +goose Up
CREATE TABLE disk_rows (id TEXT NOT NULL PRIMARY KEY, body BYTEA);
`)}}}

// diskLedger opens a ledger in dir and gives its store too. Upkeep is off for as long as a test takes.
func diskLedger(t *testing.T, dir string) (*ledger.Ledger, *Store) {
	t.Helper()
	return diskLedgerWith(t, dir, func(err error) { t.Errorf("told that the disk is broken: %v", err) })
}

// diskLedgerWith is diskLedger that tells fatal what ends the process.
func diskLedgerWith(t *testing.T, dir string, fatal func(error)) (*ledger.Ledger, *Store) {
	t.Helper()
	s, err := Open(filepath.Join(dir, "ledger.db"), Config{})
	if err != nil {
		t.Fatal(err)
	}
	cfg := ledger.Config{Upkeep: time.Hour, Fatal: fatal}
	l, err := ledger.Open(t.Context(), s, cfg, nil, slog.New(slog.DiscardHandler), time.Now, diskTable)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l, s
}

// blob is a Work that writes one row of a size.
type blob struct {
	id   string
	size int
}

func (b blob) Apply(tx *ledger.Tx) error {
	_, err := tx.Exec(`INSERT INTO disk_rows (id, body) VALUES ($1, $2)`, b.id, make([]byte, b.size))
	return err
}

// rowsIn returns how many rows have the id.
func rowsIn(t *testing.T, l *ledger.Ledger, id string) (n int) {
	t.Helper()
	err := l.View(t.Context(), func(q ledger.Querier) error {
		return q.QueryRow(`SELECT COUNT(*) FROM disk_rows WHERE id = $1`, id).Scan(&n)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// pragma runs a PRAGMA on the writer's connection, between two transactions.
func (s *Store) pragma(t *testing.T, text string) {
	t.Helper()
	s.writing <- struct{}{}
	defer func() { <-s.writing }()
	if s.writer == nil {
		return
	}
	rows, err := s.writer.query(context.Background(), "PRAGMA "+text, nil)
	if err == nil {
		rows.Next()
		err = errors.Join(rows.Err(), rows.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestSettings holds every kind of connection against what the ledger promises.
func TestSettings(t *testing.T) {
	l, s := diskLedger(t, t.TempDir())
	if err := l.Commit(t.Context(), blob{"a", 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	reader := <-s.readers
	if reader == nil {
		var err error
		if reader, err = connect(t.Context(), s.source); err != nil {
			t.Fatal(err)
		}
	}
	defer func() { s.readers <- reader }()
	for name, c := range map[string]*conn{"writer": s.writer, "reader": reader, "keeper": s.keeper} {
		want := map[string]string{"journal_mode": "wal", "synchronous": "2", "wal_autocheckpoint": "0", "foreign_keys": "1", "query_only": "0",
			"page_size": fmt.Sprint(pageBytes)}
		if name == "reader" {
			want["query_only"] = "1"
		}
		for pragma, value := range want {
			var got any
			if err := ledger.FirstRow(c.query(t.Context(), "PRAGMA "+pragma, nil)).Scan(&got); err != nil || fmt.Sprint(got) != value {
				t.Errorf("%s: %s is %v, want %s (%v)", name, pragma, got, value, err)
			}
		}
	}
	if !msqlite.FdatasyncEnabled() {
		t.Log("commits are flushed with fsync")
	}
}

// A ledger that was made with pages of another size keeps them, and its rows.
func TestOldPages(t *testing.T) {
	dir := t.TempDir()
	old, err := connect(t.Context(), opener(address(filepath.Join(dir, "ledger.db"), "_pragma=page_size(2048)", "_journal_mode=WAL")))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := old.exec(t.Context(), "CREATE TABLE before (id TEXT)", nil); err != nil {
		t.Fatal(err)
	}
	if err := old.close(); err != nil {
		t.Fatal(err)
	}
	l, s := diskLedger(t, dir)
	for _, id := range []string{"a", "b"} {
		if err := l.Commit(t.Context(), blob{id, 9000}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Maintain(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	var size int64
	if err := ledger.FirstRow(s.writer.query(t.Context(), "PRAGMA page_size", nil)).Scan(&size); err != nil || size != 2048 {
		t.Errorf("pages of %d bytes (%v)", size, err)
	}
	if rowsIn(t, l, "a") != 1 || rowsIn(t, l, "b") != 1 {
		t.Error("rows are missing")
	}
}

// TestRealFull fills SQLite's own limit of pages.
func TestRealFull(t *testing.T) {
	l, s := diskLedger(t, t.TempDir())
	s.pragma(t, "max_page_count = 1") // the present size
	err := l.Commit(t.Context(), blob{"lost", 1 << 20})
	if !errors.Is(err, ledger.ErrUnavailable) || primary(err) != lib.SQLITE_FULL {
		t.Errorf("full: %v", err)
	}
	s.pragma(t, "max_page_count = 1000000")
	if err := l.Commit(t.Context(), blob{"kept", 1 << 20}); err != nil {
		t.Errorf("with space again: %v", err)
	}
	if rowsIn(t, l, "lost") != 0 || rowsIn(t, l, "kept") != 1 {
		t.Error("the wrong rows were kept")
	}
}

// TestRealReadOnly makes the connection read-only.
func TestRealReadOnly(t *testing.T) {
	l, s := diskLedger(t, t.TempDir())
	s.pragma(t, "query_only = 1")
	err := l.Commit(t.Context(), blob{"lost", 1})
	if !errors.Is(err, ledger.ErrUnavailable) || primary(err) != lib.SQLITE_READONLY {
		t.Errorf("read-only: %v", err)
	}
	s.pragma(t, "query_only = 0")
	if err := l.Commit(t.Context(), blob{"kept", 1}); err != nil {
		t.Errorf("writable again: %v", err)
	}
}

// TestMistake sees that a statement's own mistake is nobody else's: it is neither unavailable nor a broken disk.
func TestMistake(t *testing.T) {
	_, s := diskLedger(t, t.TempDir())
	s.writing <- struct{}{}
	defer func() { <-s.writing }()
	_, err := s.writer.exec(t.Context(), "INSERT INTO nowhere VALUES (1)", nil)
	for _, err := range []error{err, classifyCommit(err, true)} {
		if err == nil || errors.Is(err, ledger.ErrUnavailable) || errors.Is(err, ledger.ErrBroken) {
			t.Errorf("a wrong statement: %v", err)
		}
	}
}
