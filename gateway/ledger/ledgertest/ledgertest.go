// Package ledgertest is the suite that makes a store a ledger's store, and a store whose faults can be dialled.
package ledgertest

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/warmgate/warmgate/gateway/ledger"
)

// Open opens a store. The same place (an absolute path of a temporary folder) is the same database.
type Open func(t *testing.T, place string) ledger.Store

// Run holds a store against everything that a ledger promises. Whatever passes it is a ledger.
func Run(t *testing.T, open Open) {
	groups := []struct {
		name  string
		tests map[string]func(*testing.T, Open)
	}{
		{"group", groupTests}, {"faults", faultTests}, {"callers", callerTests}, {"data", dataTests}, {"model", modelTests},
		{"behind", behindTests}, {"patient", patientTests},
	}
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			for name, test := range g.tests {
				t.Run(name, func(t *testing.T) { t.Parallel(); test(t, open) })
			}
		})
	}
}

// patience bounds every wait of the suite; a ledger that works needs a small part of it.
const patience = 20 * time.Second

// tables are the suite's own.
var tables = ledger.Migrations{Name: "suite", FS: fstest.MapFS{"00001_suite.sql": {Data: []byte(`-- +goose Up
CREATE TABLE suite_rows (id TEXT NOT NULL PRIMARY KEY, n BIGINT, b BYTEA, s TEXT, f BOOLEAN);
CREATE TABLE suite_places (name TEXT NOT NULL PRIMARY KEY, inside BIGINT NOT NULL, capacity BIGINT NOT NULL);
CREATE TABLE suite_order (n BIGINT NOT NULL PRIMARY KEY, id TEXT NOT NULL);
`)}}}

// lab is a ledger under test.
type lab struct {
	*ledger.Ledger
	t   *testing.T
	log *syncBuffer
}

// newLab opens a ledger on a store.
func newLab(t *testing.T, store ledger.Store, cfg ledger.Config) *lab {
	t.Helper()
	log := &syncBuffer{}
	l, err := ledger.Open(t.Context(), store, cfg, nil, slog.New(slog.NewTextHandler(log, nil)), time.Now, tables)
	if err != nil {
		t.Fatalf("cannot open: %v", err)
	}
	return &lab{Ledger: l, t: t, log: log}
}

// fresh opens a ledger on a new database and closes it with the test.
func fresh(t *testing.T, open Open) *lab {
	t.Helper()
	l := newLab(t, open(t, t.TempDir()), ledger.Config{})
	l.closeLater()
	return l
}

// faulty is fresh on a store whose faults can be dialled; they are cleared before it is closed.
func faulty(t *testing.T, open Open, cfg ledger.Config) (*lab, *Faulty) {
	t.Helper()
	f := Wrap(open(t, t.TempDir()))
	l := newLab(t, f, cfg)
	l.closeLater()
	t.Cleanup(func() {
		for _, p := range []Point{AtBegin, AtExec, AtCommit, AtView} {
			f.Set(p, None)
		}
	})
	return l, f
}

// closeLater closes the ledger with the test.
func (l *lab) closeLater() {
	l.t.Cleanup(func() {
		if err := l.Close(); err != nil {
			l.t.Errorf("cannot close: %v", err)
		}
	})
}

// work makes a Work of a function.
type work func(tx *ledger.Tx) error

func (w work) Apply(tx *ledger.Tx) error { return w(tx) }

// insert writes one row with the id.
func insert(id string) work {
	return func(tx *ledger.Tx) error {
		_, err := tx.Exec(`INSERT INTO suite_rows (id) VALUES ($1)`, id)
		return err
	}
}

// commit commits w with the suite's patience.
func (l *lab) commit(w work) error {
	ctx, cancel := context.WithTimeout(l.t.Context(), patience)
	defer cancel()
	return l.Commit(ctx, w)
}

// must commits w and ends the test if that fails.
func (l *lab) must(w work) {
	l.t.Helper()
	if err := l.commit(w); err != nil {
		l.t.Fatalf("cannot commit: %v", err)
	}
}

// ids returns the ids of all rows, sorted.
func (l *lab) ids() []string {
	l.t.Helper()
	var ids []string
	err := l.View(l.t.Context(), func(q ledger.Querier) (err error) {
		ids, err = Texts(q, `SELECT id FROM suite_rows ORDER BY id`)
		return err
	})
	if err != nil {
		l.t.Fatalf("cannot read: %v", err)
	}
	return ids
}

// Texts reads a query of one column of text.
func Texts(q ledger.Querier, query string, args ...any) ([]string, error) {
	rows, err := q.Query(query, args...)
	return ledger.List(rows, err, func(row ledger.Row) (s string, err error) {
		err = row.Scan(&s)
		return s, err
	})
}

// number reads one number.
func (l *lab) number(query string, args ...any) (n int64) {
	l.t.Helper()
	err := l.View(l.t.Context(), func(q ledger.Querier) error { return q.QueryRow(query, args...).Scan(&n) })
	if err != nil {
		l.t.Fatalf("cannot read: %v", err)
	}
	return n
}

// hold keeps the writer busy with one item until release is called; release waits until that item is answered.
func (l *lab) hold() (release func()) {
	entered, let, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	var once sync.Once
	go func() {
		done <- l.Commit(context.Background(), work(func(*ledger.Tx) error {
			once.Do(func() { close(entered) })
			<-let
			return nil
		}))
	}()
	<-entered
	return func() {
		close(let)
		if err := <-done; err != nil {
			l.t.Errorf("the item that held the writer: %v", err)
		}
	}
}

// together commits the works as one group, in order, and returns their errors.
func (l *lab) together(works ...work) []error {
	release := l.hold()
	errs := make([]error, len(works))
	var wg sync.WaitGroup
	for i, w := range works {
		wg.Go(func() { errs[i] = l.commit(w) })
		l.until(func() bool { return l.Stats().Queue == i+1 })
	}
	release()
	wg.Wait()
	return errs
}

// until waits for what another goroutine is about to do.
func (l *lab) until(ok func() bool) {
	l.t.Helper()
	for end := time.Now().Add(patience); !ok(); runtime.Gosched() {
		if time.Now().After(end) {
			l.t.Fatal("it did not happen")
		}
	}
}

// is fails the test where err is not want.
func is(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) || (want == nil) != (err == nil) {
		t.Errorf("%s: got %v, want %v", what, err, want)
	}
}

// syncBuffer keeps what was logged.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
