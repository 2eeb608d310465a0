package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/warmgate/warmgate/gateway/ledger"
)

// Maintain copies what the write-ahead log holds into the database, beside the writer (PASSIVE). A log that has grown
// past the limit is also cut to nothing (TRUNCATE), for which the writer has to wait; only the rest that the passive
// step left is copied then.
func (s *Store) Maintain(ctx context.Context) (ledger.Upkeep, error) {
	s.keeping.Lock()
	defer s.keeping.Unlock()
	var err error
	if s.keeper == nil {
		if s.keeper, err = connect(ctx, s.upkeep); err != nil {
			return ledger.Upkeep{}, err
		}
	}
	if err = s.checkpoint("PASSIVE"); err == nil && s.walSize() > s.cfg.TruncateAbove {
		err = s.truncate(ctx)
	}
	if err != nil {
		err = fmt.Errorf("cannot make a checkpoint: %w", errors.Join(err, s.keeper.close()))
		s.keeper = nil
	}
	return ledger.Upkeep{WALBytes: s.walSize()}, err
}

// truncate cuts the log to nothing between two transactions. Readers on an old snapshot may prevent it: next time.
func (s *Store) truncate(ctx context.Context) error {
	select {
	case s.writing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.writing }()
	return s.checkpoint("TRUNCATE")
}

// checkpoint runs one checkpoint. That it was kept from finishing by a reader is no error.
func (s *Store) checkpoint(mode string) error {
	rows, err := s.keeper.query(context.Background(), "PRAGMA wal_checkpoint("+mode+")", nil)
	if err != nil {
		return err
	}
	rows.Next()
	return errors.Join(rows.Err(), rows.Close())
}

// walSize returns the size of the write-ahead log, in bytes.
func (s *Store) walSize() int64 {
	info, err := os.Stat(s.path + "-wal")
	if err != nil {
		return 0
	}
	return info.Size()
}
