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
	anchors, err := readAnchors(filepath.Join(data, anchorsFile)) // before the copy, which then holds all that they saw
	if err != nil {
		return report, err
	}
	err = ViewCopy(ctx, data, func(q ledger.Querier) error {
		report, err = ledger.VerifyAudit(ctx, q, anchors)
		return err
	})
	if err != nil {
		err = fmt.Errorf("cannot verify the audit trail: %w", err)
	}
	return report, err
}

// ViewCopy lets f read a copy of the ledger in the data folder, made beside it and removed, so that a gateway may go on
// working. f's error is returned as it is.
func ViewCopy(ctx context.Context, data string, f func(q ledger.Querier) error) (err error) {
	if _, err := os.Stat(filepath.Join(data, ledgerFile)); err != nil {
		return fmt.Errorf("there is no ledger: %w", err)
	}
	folder, err := os.MkdirTemp(data, ".verify-*") // mode 0700
	if err != nil {
		return fmt.Errorf("cannot copy the ledger: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	copied := filepath.Join(folder, ledgerFile)
	if err := sqlite.Backup(ctx, filepath.Join(data, ledgerFile), copied); err != nil {
		return err
	}
	store, err := sqlite.Open(copied, sqlite.Config{Readers: 1})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return store.View(ctx, f)
}

// readAnchors reads the anchors; a ledger that is younger than its first anchor has none.
func readAnchors(path string) ([]ledger.Anchor, error) {
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot read the anchors: %w", err)
	}
	return ledger.ReadAnchors(bytes.NewReader(text))
}
