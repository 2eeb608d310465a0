package serve

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/ledger/sqlite"
)

// VerifyAudit holds the audit trail in the data folder against itself and its anchors. It works on a copy of the ledger,
// made beside it and removed, so that a gateway may go on working. The error says that the trail could not be read; what
// is wrong with it is the report's Mismatch.
func VerifyAudit(ctx context.Context, data string) (report ledger.Report, err error) {
	if _, err := os.Stat(filepath.Join(data, ledgerFile)); err != nil {
		return report, fmt.Errorf("cannot verify the audit trail: there is no ledger: %w", err)
	}
	anchors, err := readAnchors(filepath.Join(data, anchorsFile)) // before the copy, which then holds all that they saw
	if err != nil {
		return report, err
	}
	folder, err := os.MkdirTemp(data, ".verify-*") // mode 0700
	if err != nil {
		return report, fmt.Errorf("cannot verify the audit trail: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	copied := filepath.Join(folder, ledgerFile)
	if err := sqlite.Backup(ctx, filepath.Join(data, ledgerFile), copied); err != nil {
		return report, err
	}
	store, err := sqlite.Open(copied, sqlite.Config{Readers: 1})
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	err = store.View(ctx, func(q ledger.Querier) error {
		report, err = ledger.VerifyAudit(ctx, q, anchors)
		return err
	})
	return report, err
}

// readAnchors reads the anchors; a ledger that is younger than its first anchor has none.
func readAnchors(path string) ([]ledger.Anchor, error) {
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot read the anchors: %w", err)
	}
	return ledger.ReadAnchors(bytes.NewReader(text))
}
