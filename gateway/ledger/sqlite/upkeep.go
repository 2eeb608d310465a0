package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/warmgate/warmgate/gateway/ledger"
)

// How the log is kept short.
const (
	catchUps     = 4       // passive steps in one upkeep, each for what was written during the one before
	restFrames   = 256     // so few frames are left to a step that the writer waits for
	restartAbove = 4 << 20 // bytes of log in use past which it is begun anew
)

// Maintain copies what the write-ahead log holds into the database, beside the writer (PASSIVE), again for what was
// written meanwhile. Then the log is begun anew (RESTART), for which the writer has to wait while the little that is
// left is copied. The file keeps its length: a flush into blocks that are there already is cheaper than one that has to
// take new ones. Only a log that readers have let grow past the limit is cut to nothing (TRUNCATE).
func (s *Store) Maintain(ctx context.Context) (ledger.Upkeep, error) {
	s.keeping.Lock()
	defer s.keeping.Unlock()
	var err error
	if s.keeper == nil {
		if s.keeper, err = connect(ctx, s.upkeep); err != nil {
			return ledger.Upkeep{}, err
		}
	}
	if err = s.shorten(ctx); err != nil {
		err = fmt.Errorf("cannot make a checkpoint: %w", errors.Join(err, s.keeper.close()))
		s.keeper = nil
	}
	return ledger.Upkeep{WALBytes: s.walSize()}, err
}

func (s *Store) shorten(ctx context.Context) error {
	var log, copied int64
	for range catchUps {
		var err error
		if log, copied, err = s.checkpoint("PASSIVE"); err != nil {
			return err
		}
		if log-copied <= restFrames {
			break
		}
	}
	switch {
	case s.walSize() > s.cfg.TruncateAbove:
		return s.between(ctx, "TRUNCATE")
	case log*frameBytes > restartAbove:
		return s.between(ctx, "RESTART")
	}
	return nil
}

// frameBytes is a page in the log.
const frameBytes = pageBytes + 24

// between runs a checkpoint between two write transactions. Readers on an old snapshot may prevent it: next time.
func (s *Store) between(ctx context.Context, mode string) error {
	select {
	case s.writing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.writing }()
	_, _, err := s.checkpoint(mode)
	return err
}

// checkpoint runs one checkpoint and returns how many frames the log holds and how many of them are copied. That it was
// kept from finishing by a reader is no error.
func (s *Store) checkpoint(mode string) (log, copied int64, err error) {
	rows, err := s.keeper.query(context.Background(), "PRAGMA wal_checkpoint("+mode+")", nil)
	if err != nil {
		return 0, 0, err
	}
	var busy int64
	if rows.Next() {
		err = rows.Scan(&busy, &log, &copied)
	}
	return log, copied, errors.Join(err, rows.Err(), rows.Close())
}

// walSize returns the size of the write-ahead log, in bytes.
func (s *Store) walSize() int64 {
	info, err := os.Stat(s.path + "-wal")
	if err != nil {
		return 0
	}
	return info.Size()
}
