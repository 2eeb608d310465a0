package sqlite

import (
	"errors"
	"fmt"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	lib "modernc.org/sqlite/lib"

	"github.com/warmgate/warmgate/gateway/ledger"
)

// TestRealDisk fills a real, small file system, where the flush itself meets the end of it, and makes room again.
func TestRealDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("cannot mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	l, s := diskLedger(t, dir)
	var err error
	kept, small := 0, 0
	for ; err == nil && kept < 1000; kept++ {
		err = l.Commit(t.Context(), blob{fmt.Sprint("big ", kept), 20 << 10})
	}
	if !errors.Is(err, ledger.ErrUnavailable) || primary(err) != lib.SQLITE_FULL {
		t.Fatalf("a full disk, after %d rows: %v", kept, err)
	}
	for range 20 { // it goes on trying, and what it says is true
		id := fmt.Sprint("small ", small)
		switch err := l.Commit(t.Context(), blob{id, 1}); {
		case err == nil && rowsIn(t, l, id) == 1:
		case errors.Is(err, ledger.ErrUnavailable) && rowsIn(t, l, id) == 0:
		default:
			t.Errorf("%s on a full disk: %v, %d rows", id, err, rowsIn(t, l, id))
		}
		small++
	}
	if n := rowsIn(t, l, fmt.Sprint("big ", kept-1)); n != 0 {
		t.Errorf("the row that found no space is there")
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=32m"); err != nil {
		t.Fatal(err)
	}
	if err := l.Commit(t.Context(), blob{"after", 20 << 10}); err != nil {
		t.Errorf("with space again: %v", err)
	}
	if _, err := s.Maintain(t.Context()); err != nil {
		t.Errorf("checkpoint with space again: %v", err)
	}
	if rowsIn(t, l, "after") != 1 || rowsIn(t, l, "big 0") != 1 {
		t.Error("rows are missing")
	}
}

// TestRealBreak lets the operating system refuse the write of a flush: nobody is told that it was kept, and the process
// is told to end.
func TestRealBreak(t *testing.T) {
	told := make(chan error, 1)
	l, s := diskLedgerWith(t, t.TempDir(), func(err error) { told <- err })
	if err := l.Commit(t.Context(), blob{"before", 1}); err != nil {
		t.Fatal(err)
	}
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Skipf("cannot limit the size of files: %v", err)
	}
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	limit := syscall.Rlimit{Cur: uint64(s.walSize()) + 8192, Max: was.Max}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Skipf("cannot limit the size of files: %v", err)
	}
	err := l.Commit(t.Context(), blob{"a", 200 << 10})
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(err, ledger.ErrUnknown) || primary(err) != lib.SQLITE_IOERR {
		t.Errorf("the flush: %v", err)
	}
	select {
	case err := <-told: // before the answer
		if !errors.Is(err, ledger.ErrBroken) {
			t.Errorf("told: %v", err)
		}
	default:
		t.Error("nobody was told to end the process")
	}
	if err := l.Commit(t.Context(), blob{"b", 1}); !errors.Is(err, ledger.ErrUnavailable) {
		t.Errorf("afterwards: %v", err)
	}
	if _, err := Open(filepath.Clean(s.path), Config{}); err == nil {
		t.Error("a broken ledger let go of its lock before it was closed")
	}
}
