package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/warmgate/warmgate/gateway/ledger"
)

// Backup writes a consistent copy of the ledger at src to dst, also while a gateway works on it: the copy is what was
// committed at one moment. dst appears whole and flushed, or not at all; an existing file is never overwritten. The keys
// that open the sealed fields are not part of a ledger: back them up apart.
func Backup(ctx context.Context, src, dst string) error {
	if err := backup(ctx, src, dst); err != nil {
		return fmt.Errorf("cannot back up the ledger %s to %s: %w", src, dst, err)
	}
	return nil
}

func backup(ctx context.Context, src, dst string) error {
	if err := absent(dst); err != nil {
		return err
	}
	return copyTo(ctx, src, dst)
}

// Restore makes the ledger dst from the backup src. It refuses while a gateway works on dst, and where a ledger (or its
// write-ahead log) is there: move that away first. The copy is checked whole before it gets its name.
func Restore(ctx context.Context, src, dst string) error {
	if err := restore(ctx, src, dst); err != nil {
		return fmt.Errorf("cannot restore the ledger %s from %s: %w", dst, src, err)
	}
	return nil
}

func restore(ctx context.Context, src, dst string) (err error) {
	lock, err := lockFile(dst)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := absent(dst + suffix); err != nil {
			return err
		}
	}
	return copyTo(ctx, src, dst)
}

// absent refuses a path where something is.
func absent(path string) error {
	_, err := os.Lstat(path)
	if err == nil {
		return fmt.Errorf("%s exists and is not overwritten", path)
	}
	if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// copyTo copies one moment of the database src into a new file, checks it, flushes it and gives it the name dst.
func copyTo(ctx context.Context, src, dst string) (err error) {
	src, err = filepath.Abs(src)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(dst), filepath.Base(dst)+".part-*") // mode 0600
	if err != nil {
		return err
	}
	part := f.Name()
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(part))
		}
	}()
	if err := f.Close(); err != nil {
		return err
	}
	if err := vacuumInto(ctx, src, part); err != nil {
		return err
	}
	if err := check(ctx, part); err != nil {
		return err
	}
	if err := flushFile(part); err != nil {
		return err
	}
	if err := os.Rename(part, dst); err != nil {
		return err
	}
	return syncDir(dst)
}

// vacuumInto copies one snapshot of src into the empty file dst.
func vacuumInto(ctx context.Context, src, dst string) (err error) {
	if _, err := os.Stat(src); err != nil { // SQLite would make an empty one
		return err
	}
	c, err := connect(ctx, opener(address(src, "mode=rw", fmt.Sprintf("_pragma=busy_timeout(%d)", busyWriter.Milliseconds()))))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	_, err = c.exec(ctx, "VACUUM INTO $1", []any{dst})
	return err
}

// check reads the whole database at path and refuses it when it is damaged or no ledger.
func check(ctx context.Context, path string) (err error) {
	c, err := connect(ctx, opener(address(path, "mode=ro", "immutable=1")))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	var verdict string
	if err := ledger.FirstRow(c.query(ctx, "PRAGMA integrity_check(1)", nil)).Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return fmt.Errorf("it is damaged: %s", verdict)
	}
	const engine = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name = 'schema_engine'"
	if err := ledger.FirstRow(c.query(ctx, engine, nil)).Scan(&verdict); err != nil {
		if errors.Is(err, ledger.ErrNoRows) {
			return errors.New("it is no ledger: it has no table schema_engine")
		}
		return err
	}
	return nil
}

// flushFile flushes a file.
func flushFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
