package sqlite_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/ledger/sqlite"
)

// TestLogStaysShort writes far more than the log may hold, while readers come and go so that there is always one, and
// nothing but beginning the log anew keeps it short: its cut is a gigabyte away.
func TestLogStaysShort(t *testing.T) {
	const (
		body = 32 << 10
		stay = 2 * time.Millisecond // of one reader
	)
	total := int64(96 << 20) // bytes, of bodies alone
	if testing.Short() {
		total /= 2
	}
	bound := total / 2 // how far it gets meanwhile is the disk's
	path := filepath.Join(t.TempDir(), "ledger.db")
	l := openAt(t, path, sqlite.Config{TruncateAbove: 1 << 30})
	defer closed(t, l)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var left, read, longest atomic.Int64
	left.Store(total / body)
	var readers, writers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for left.Load() > 0 && ctx.Err() == nil {
				err := l.View(ctx, func(q ledger.Querier) error {
					var n int
					if err := q.QueryRow(`SELECT COUNT(*) FROM test_rows WHERE id = '1'`).Scan(&n); err != nil {
						return err
					}
					<-time.After(stay) // on its snapshot
					return nil
				})
				if err != nil {
					t.Error(err)
					return
				}
				read.Add(1)
			}
		})
	}
	for range 16 {
		writers.Go(func() {
			for n := left.Add(-1); n >= 0; n = left.Add(-1) {
				if err := l.Commit(ctx, put{id: fmt.Sprint(n), body: make([]byte, body)}); err != nil {
					t.Error(err)
					return
				}
				if info, err := os.Stat(path + "-wal"); err == nil && info.Size() > longest.Load() {
					longest.Store(info.Size())
				}
			}
		})
	}
	writers.Wait()
	readers.Wait()
	if got := longest.Load(); got > bound || got == 0 || read.Load() < 100 {
		t.Errorf("a log of %d bytes, at most %d, after %d were written and %d times read", got, bound, total, read.Load())
	} else {
		t.Logf("a log of %d bytes after %d were written and %d times read", got, total, read.Load())
	}
	if got := count(t, l); int64(got) != total/body {
		t.Errorf("%d rows of %d", got, total/body)
	}
}
