package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/ledger/ledgertest"
	"github.com/warmgate/warmgate/gateway/ledger/sqlite"
)

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
