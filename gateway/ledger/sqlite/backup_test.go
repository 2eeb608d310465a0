package sqlite_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/ledger/sqlite"
)

// TestBackup copies a ledger while it is written to, pairs of rows at a time, and restores the copy.
func TestBackup(t *testing.T) {
	dir := t.TempDir()
	path, copied, restored := filepath.Join(dir, "ledger.db"), filepath.Join(dir, "copy.db"), filepath.Join(dir, "restored.db")
	l := openAt(t, path, sqlite.Config{})
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				_ = l.Commit(ctx, pair(fmt.Sprint(w, "/", i)))
			}
		})
	}
	for count(t, l) < 100 {
	}
	if err := sqlite.Backup(t.Context(), path, copied); err != nil {
		t.Error(err)
	}
	stop()
	wg.Wait()
	if err := sqlite.Restore(t.Context(), copied, path); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a live ledger was restored over: %v", err)
	}
	all := count(t, l)
	closed(t, l)
	if err := sqlite.Restore(t.Context(), copied, path); err == nil || !strings.Contains(err.Error(), "not overwritten") {
		t.Errorf("a ledger was restored over: %v", err)
	}
	if err := sqlite.Backup(t.Context(), path, copied); err == nil || !strings.Contains(err.Error(), "not overwritten") {
		t.Errorf("a backup was overwritten: %v", err)
	}
	if err := sqlite.Restore(t.Context(), copied, restored); err != nil {
		t.Fatal(err)
	}
	r := openAt(t, restored, sqlite.Config{})
	defer closed(t, r)
	n := count(t, r)
	if n < 100 || n > all || n%2 != 0 {
		t.Errorf("the copy has %d rows, the ledger %d, and they come in pairs", n, all)
	}
	if err := r.Commit(t.Context(), put{id: "new"}); err != nil {
		t.Error(err)
	}
	noParts(t, dir)
}

// pair is a Work that writes two rows.
type pair string

func (p pair) Apply(tx *ledger.Tx) error {
	if err := (put{id: string(p) + "a"}).Apply(tx); err != nil {
		return err
	}
	return put{id: string(p) + "b"}.Apply(tx)
}

// noParts fails where an unfinished copy was left behind.
func noParts(t *testing.T, dir string) {
	t.Helper()
	if left, _ := filepath.Glob(filepath.Join(dir, "*.part-*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestBackupOfStopped(t *testing.T) {
	dir := t.TempDir()
	path, copied := filepath.Join(dir, "ledger.db"), filepath.Join(dir, "copy.db")
	l := openAt(t, path, sqlite.Config{})
	if err := l.Commit(t.Context(), put{id: "a"}); err != nil {
		t.Fatal(err)
	}
	closed(t, l)
	if err := sqlite.Backup(t.Context(), path, copied); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(copied); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the copy: %v, %v", info, err)
	}
}

func TestRestoreRefuses(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good.db")
	l := openAt(t, filepath.Join(dir, "ledger.db"), sqlite.Config{})
	for i := range 2 {
		if err := l.Commit(t.Context(), fill(i*1000)); err != nil {
			t.Fatal(err)
		}
	}
	if err := sqlite.Backup(t.Context(), filepath.Join(dir, "ledger.db"), good); err != nil {
		t.Fatal(err)
	}
	closed(t, l)
	b, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	file := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	damaged := append([]byte(nil), b...)
	for i := len(damaged) / 2; i < len(damaged)/2+8192; i++ {
		damaged[i] ^= 0xff
	}
	for name, src := range map[string]string{
		"absent": filepath.Join(dir, "nowhere.db"), "damaged": file("damaged.db", damaged),
		"cut short": file("short.db", b[:len(b)/2]), "empty": file("empty.db", nil), "text": file("text.db", []byte(strings.Repeat("x", 9000))),
	} {
		dst := filepath.Join(dir, "restored-"+name)
		if err := sqlite.Restore(t.Context(), src, dst); err == nil {
			t.Errorf("%s: restored", name)
		}
		if _, err := os.Stat(dst); err == nil {
			t.Errorf("%s: left a ledger behind", name)
		}
	}
	dst := filepath.Join(dir, "stale.db")
	file("stale.db-wal", []byte("of another ledger"))
	if err := sqlite.Restore(t.Context(), good, dst); err == nil {
		t.Error("restored beside a stale log")
	}
	noParts(t, dir)
}

// TestBackupOfRelativePath copies and restores by paths that are relative to the working folder.
func TestBackupOfRelativePath(t *testing.T) {
	t.Chdir(t.TempDir())
	closed(t, openAt(t, "ledger.db", sqlite.Config{}))
	if err := sqlite.Backup(t.Context(), "ledger.db", "copy.db"); err != nil {
		t.Fatal(err)
	}
	if err := sqlite.Restore(t.Context(), "copy.db", "restored.db"); err != nil {
		t.Fatal(err)
	}
}
