package sqlite_test

import (
	"testing"
	"testing/fstest"

	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/ledger/sqlite"
)

// A table that is marked lies in the tree of its key, and no other one does.
func TestMarkedTablesAreKeptInTheOrderOfTheirKeys(t *testing.T) {
	text := `-- +goose Up
CREATE TABLE marked (id TEXT NOT NULL PRIMARY KEY) /* in the order of its key */;
CREATE TABLE plain (id TEXT NOT NULL PRIMARY KEY);
`
	s, err := sqlite.Open(t.TempDir()+"/ledger.db", sqlite.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if err := s.Migrate(t.Context(), ledger.Migrations{Name: "order", FS: fstest.MapFS{"00001_order.sql": {Data: []byte(text)}}}); err != nil {
		t.Fatal(err)
	}
	tx, err := s.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	for name, want := range map[string]bool{"marked": true, "plain": false} {
		var got bool
		rows, err := tx.Query(`SELECT wr FROM pragma_table_list WHERE name = $1`, []any{name})
		if err != nil {
			t.Fatal(err)
		}
		if !rows.Next() {
			t.Fatalf("no table %s", name)
		}
		if err := rows.Scan(&got); err != nil || got != want {
			t.Errorf("%s is kept in the order of its key: %v, %v", name, got, err)
		}
		if err := rows.Close(); err != nil {
			t.Error(err)
		}
	}
}
