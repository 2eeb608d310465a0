// Package sqlite keeps a ledger in one SQLite file: one process, one writer at a time, any number of readers beside it,
// write-ahead log, every commit flushed to the disk.
package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pressly/goose/v3/database"
	msqlite "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// What the zero values of a Config mean, and the bounds of the others.
const (
	defaultReaders  = 4
	maxReaders      = 64
	defaultTruncate = 64 << 20
	minTruncate     = 1 << 20
	pageBytes       = 4096                  // of a page: of 2048 a commit writes less, and a checkpoint makes others wait longer
	busyWriter      = 2 * time.Second       // for another process that backs up, or a checkpoint's last step
	busyKeeper      = 20 * time.Millisecond // a checkpoint waits no longer for readers; it comes again
)

// Config is the section "ledger.sqlite" of the gateway's file.
type Config struct {
	Readers       int   `yaml:"readers"`        // connections for reading; 1 to 64; 0: 4
	TruncateAbove int64 `yaml:"truncate_above"` // bytes of write-ahead log past which it is cut to nothing; ≥ 1 MiB; 0: 64 MiB

	// Memory keeps the database in memory until Close, without a write-ahead log, and the file empty: for tests that make
	// hundreds of thousands of commits and lose none to a power cut.
	Memory bool `yaml:"-"`
}

// Validate returns every mistake as a *gateway.FieldError, joined.
func (c Config) Validate() error {
	var errs []error
	if c.Readers < 0 || c.Readers > maxReaders {
		errs = append(errs, &gateway.FieldError{Path: "readers",
			Message: fmt.Sprintf("%d is not between 1 and %d", c.Readers, maxReaders)})
	}
	if c.TruncateAbove != 0 && c.TruncateAbove < minTruncate {
		errs = append(errs, &gateway.FieldError{Path: "truncate_above",
			Message: fmt.Sprintf("%d bytes are less than %d", c.TruncateAbove, minTruncate)})
	}
	return errors.Join(errs...)
}

// Store is a ledger's database in one file. It implements ledger.Store.
type Store struct {
	path string
	cfg  Config
	lock *os.File

	writing   chan struct{} // one slot: the write transaction, or the last step of a checkpoint
	connector driver.Connector
	writer    *conn // nil until it is needed, and after a failure that left its state in doubt

	readers chan *conn // idle ones; nil in a slot is one that is not open yet
	source  driver.Connector

	keeping sync.Mutex
	keeper  *conn
	upkeep  driver.Connector
}

// Open makes the process the owner of the ledger at path, which is made (mode 0600) when absent. A second process is
// refused. The folder has to exist.
func Open(path string, cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Readers == 0 {
		cfg.Readers = defaultReaders
	}
	if cfg.TruncateAbove == 0 {
		cfg.TruncateAbove = defaultTruncate
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("cannot open the ledger: %w", err)
	}
	lock, err := lockFile(path)
	if err != nil {
		return nil, err
	}
	s := &Store{path: path, cfg: cfg, lock: lock, writing: make(chan struct{}, 1), readers: make(chan *conn, cfg.Readers)}
	for range cfg.Readers {
		s.readers <- nil
	}
	if err := s.start(); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot open the ledger %s: %w", path, err), s.Close())
	}
	return s, nil
}

// start makes the file when it is absent and opens the writer.
func (s *Store) start() (err error) {
	if err := create(s.path); err != nil {
		return err
	}
	// fdatasync keeps a commit as durable as fsync does and leaves out the file's times. Not everywhere; then it is fsync.
	_, _ = msqlite.Fdatasync(true)
	if s.cfg.Memory {
		const shared = "vfs=memdb" // by every connection of the process that names the same path
		s.connector, s.source, s.upkeep = connector(s.path, busyWriter, shared, "_txlock=immediate"),
			connector(s.path, busyWriter, shared, "_query_only=1"), connector(s.path, busyKeeper, shared)
	} else {
		system, err := useLogSystem()
		if err != nil {
			return fmt.Errorf("cannot gather what is written to the log: %w", err)
		}
		s.connector = connector(s.path, busyWriter, "vfs="+system, "_txlock=immediate")
		s.source = connector(s.path, busyWriter, "_query_only=1")
		s.upkeep = connector(s.path, busyKeeper)
	}
	s.writer, err = connect(context.Background(), s.connector)
	return err
}

// create makes an empty file that only its owner can read, durably.
func create(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return syncDir(path)
}

// syncDir flushes the folder that path is in.
func syncDir(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// opener makes connections of one kind.
type opener string

// Connect opens a connection.
func (dsn opener) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := msqlite.NewConnector(string(dsn))
	if err != nil {
		return nil, err
	}
	return c.Connect(ctx)
}

// Driver returns SQLite's.
func (dsn opener) Driver() driver.Driver { return &msqlite.Driver{} }

// address is a database's address for the driver. Percent signs and question marks of the path are escaped in it, and a
// relative path stays one: without a host it would be read as such.
func address(path string, options ...string) string {
	return (&url.URL{Scheme: "file", Path: path, OmitHost: true}).String() + "?" + strings.Join(options, "&")
}

// connector describes a connection as every one of a ledger has to be: write-ahead log, flushed with every commit, what is
// deleted overwritten (an erased data key must not linger in a free page), checkpoints made by us. A database that is there
// keeps the size of its pages. The driver sorts the pragmas: the log's, which would settle that size, is asked for by its
// own word, and comes after them.
func connector(path string, busy time.Duration, more ...string) driver.Connector {
	return opener(address(path, append([]string{fmt.Sprintf("_pragma=busy_timeout(%d)", busy.Milliseconds()),
		fmt.Sprintf("_pragma=page_size(%d)", pageBytes), "_journal_mode=WAL", "_pragma=synchronous(FULL)", "_pragma=wal_autocheckpoint(0)",
		"_pragma=foreign_keys(1)", "_pragma=temp_store(MEMORY)", "_pragma=secure_delete(ON)"}, more...)...))
}

// Sole reports that no other process writes to the database: its lock is held from Open to Close.
func (s *Store) Sole() bool { return true }

// Migrate brings each set of tables to its newest version.
func (s *Store) Migrate(ctx context.Context, sets ...ledger.Migrations) error {
	db := sql.OpenDB(s.connector)
	db.SetMaxOpenConns(1)
	sets = slices.Clone(sets)
	for i := range sets {
		sets[i].FS = ordered{sets[i].FS}
	}
	return errors.Join(ledger.Migrate(ctx, db, database.DialectSQLite3, sets...), db.Close())
}

// Begin opens the write transaction (BEGIN IMMEDIATE).
func (s *Store) Begin(ctx context.Context) (ledger.StoreTx, error) {
	select {
	case s.writing <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ledger.ErrUnavailable, ctx.Err())
	}
	if err := s.begin(ctx); err != nil {
		s.discard()
		<-s.writing
		return nil, err
	}
	return &tx{s: s}, nil
}

// begin starts the transaction on the writer's connection.
func (s *Store) begin(ctx context.Context) (err error) {
	if s.writer == nil {
		if s.writer, err = connect(ctx, s.connector); err != nil {
			return err
		}
	}
	_, err = s.writer.exec(context.Background(), "BEGIN IMMEDIATE", nil)
	return err
}

// discard closes the writer's connection: the next transaction gets a fresh one.
func (s *Store) discard() {
	if s.writer != nil {
		_ = s.writer.close()
		s.writer = nil
	}
}

// tx is the open write transaction. It runs without a context: whoever waits for it leaves at its own deadline.
type tx struct {
	s     *Store
	ended bool
}

// Exec runs one statement.
func (t *tx) Exec(query string, args []any) (int64, error) {
	return t.s.writer.exec(context.Background(), query, args)
}

// Query runs one statement that returns rows.
func (t *tx) Query(query string, args []any) (ledger.Rows, error) {
	return t.s.writer.query(context.Background(), query, args)
}

// Commit flushes the transaction.
func (t *tx) Commit() error {
	_, err := t.s.writer.execRaw(context.Background(), "COMMIT", nil)
	if err == nil {
		t.end()
		return nil
	}
	// SQLite may have rolled back by itself; then there is nothing left to undo, and closing the connection makes sure.
	_, rerr := t.s.writer.execRaw(context.Background(), "ROLLBACK", nil)
	t.s.discard()
	t.end()
	return classifyCommit(err, rerr == nil || primary(rerr) == lib.SQLITE_ERROR)
}

// Rollback undoes the transaction. Where SQLite has already done so, it does nothing.
func (t *tx) Rollback() error {
	if t.ended {
		return nil
	}
	if _, err := t.s.writer.exec(context.Background(), "ROLLBACK", nil); err != nil {
		t.s.discard() // which undoes whatever was left
	}
	t.end()
	return nil
}

// end lets the next transaction in.
func (t *tx) end() {
	if !t.ended {
		t.ended = true
		<-t.s.writing
	}
}

// Close frees the connections and the lock. It waits for nothing: the ledger has ended what it began.
func (s *Store) Close() error {
	var errs []error
	if s.writer != nil {
		errs = append(errs, s.writer.close())
	}
	for range s.cfg.Readers {
		if c := <-s.readers; c != nil {
			errs = append(errs, c.close())
		}
	}
	if s.keeper != nil {
		errs = append(errs, s.keeper.close())
	}
	return errors.Join(append(errs, s.lock.Close())...)
}
