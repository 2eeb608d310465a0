package ledgertest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/warmgate/warmgate/gateway/ledger"
)

// dataTests are about values, snapshots and tables.
var dataTests = map[string]func(*testing.T, Open){
	"types":                   testTypes,
	"what does not fit":       testMisfits,
	"a snapshot stands still": testSnapshot,
	"a View cannot write":     testViewWrites,
	"a View has its bounds":   testViewBounds,
	"a View survives a panic": testViewPanic,
	"migrations":              testMigrations,
	"a newer schema":          testNewer,
	"a migration that fails":  testBadMigration,
	"upkeep":                  testUpkeep,
	"what is there is old":    testFresh,
}

// word and mark are named types, as tables use them.
type (
	word string
	mark []byte
	size int32
)

func testTypes(t *testing.T, open Open) {
	l := fresh(t, open)
	l.must(func(tx *ledger.Tx) error {
		const put = `INSERT INTO suite_rows (id, n, b, s, f) VALUES ($1, $2, $3, $4, $5)`
		_, err1 := tx.Exec(put, "full", int64(math.MaxInt64), []byte{0, 1, 255}, "票 \x00'\"", true)
		_, err2 := tx.Exec(put, word("named"), size(-7), mark("m"), word(""), false)
		_, err3 := tx.Exec(put, "null", nil, []byte(nil), nil, nil)
		_, err4 := tx.Exec(put, "empty", 0, []byte{}, "", false)
		return errors.Join(err1, err2, err3, err4)
	})
	get := func(id string, dest ...any) {
		t.Helper()
		err := l.View(t.Context(), func(q ledger.Querier) error {
			return q.QueryRow(`SELECT n, b, s, f FROM suite_rows WHERE id = $1`, id).Scan(dest...)
		})
		if err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	var n int64
	var b []byte
	var s string
	var f bool
	if get("full", &n, &b, &s, &f); n != math.MaxInt64 || !bytes.Equal(b, []byte{0, 1, 255}) || s != "票 \x00'\"" || !f {
		t.Errorf("full: %d %v %q %v", n, b, s, f)
	}
	var w word
	var m mark
	var z size
	if get("named", &z, &m, &w, &f); z != -7 || string(m) != "m" || w != "" || f {
		t.Errorf("named: %d %q %q %v", z, m, w, f)
	}
	np, sp, fp := new(int64), new(string), sql.NullBool{}
	if get("null", &np, &b, &sp, &fp); np != nil || b != nil || sp != nil || fp.Valid {
		t.Errorf("null: %v %v %v %v", np, b, sp, fp)
	}
	if get("full", &np, &m, &sp, &fp); np == nil || *np != math.MaxInt64 || sp == nil || !fp.Bool {
		t.Errorf("pointers: %v %v %v", np, sp, fp)
	}
	var i int
	if get("empty", &i, &b, &s, &f); i != 0 || b == nil || len(b) != 0 || s != "" {
		t.Errorf("empty: %d %v %q", i, b, s)
	}
}

func testMisfits(t *testing.T, open Open) {
	l := fresh(t, open)
	l.must(func(tx *ledger.Tx) error {
		_, err := tx.Exec(`INSERT INTO suite_rows (id, n, s) VALUES ('a', 300, 'secret')`)
		return err
	})
	var s string
	var n int64
	var small int8
	for name, scan := range map[string]func(q ledger.Querier) error{
		"NULL into string": func(q ledger.Querier) error { return q.QueryRow(`SELECT b FROM suite_rows`).Scan(&s) },
		"text into number": func(q ledger.Querier) error { return q.QueryRow(`SELECT s FROM suite_rows`).Scan(&n) },
		"number into text": func(q ledger.Querier) error { return q.QueryRow(`SELECT n FROM suite_rows`).Scan(&s) },
		"too wide":         func(q ledger.Querier) error { return q.QueryRow(`SELECT n FROM suite_rows`).Scan(&small) },
		"too few":          func(q ledger.Querier) error { return q.QueryRow(`SELECT n, s FROM suite_rows`).Scan(&n) },
		"no pointer":       func(q ledger.Querier) error { return q.QueryRow(`SELECT n FROM suite_rows`).Scan(n) },
		"a time as argument": func(q ledger.Querier) error {
			return q.QueryRow(`SELECT n FROM suite_rows WHERE n = $1`, time.Now()).Scan(&n)
		},
		"a float":           func(q ledger.Querier) error { return q.QueryRow(`SELECT n FROM suite_rows WHERE n = $1`, 1.5).Scan(&n) },
		"too few arguments": func(q ledger.Querier) error { return q.QueryRow(`SELECT n FROM suite_rows WHERE n = $1`).Scan(&n) },
	} {
		err := l.View(t.Context(), scan)
		if err == nil || errors.Is(err, ledger.ErrNoRows) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	err := l.View(t.Context(), func(q ledger.Querier) error { return q.QueryRow(`SELECT n FROM suite_rows WHERE n = 1`).Scan(&n) })
	is(t, "no row", err, ledger.ErrNoRows)
}

func testSnapshot(t *testing.T, open Open) {
	l := fresh(t, open)
	l.must(insert("a"))
	const count = `SELECT COUNT(*) FROM suite_rows`
	written, let := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- l.commit(func(tx *ledger.Tx) error {
			err := insert("b")(tx)
			close(written)
			<-let
			return err
		})
	}()
	<-written
	if n := l.number(count); n != 1 {
		t.Errorf("a View saw %d rows while the second was not committed", n)
	}
	err := l.View(t.Context(), func(q ledger.Querier) error {
		var before, after int64
		if err := q.QueryRow(count).Scan(&before); err != nil {
			return err
		}
		close(let)
		if err := <-done; err != nil {
			return err
		}
		err := q.QueryRow(count).Scan(&after)
		if before != 1 || after != 1 {
			t.Errorf("one snapshot: %d rows, then %d", before, after)
		}
		return err
	})
	is(t, "View", err, nil)
	if n := l.number(count); n != 2 {
		t.Errorf("a View after the commit saw %d rows", n)
	}
}

func testViewWrites(t *testing.T, open Open) {
	l := fresh(t, open)
	err := l.View(t.Context(), func(q ledger.Querier) error {
		var id string
		return q.QueryRow(`INSERT INTO suite_rows (id) VALUES ('a') RETURNING id`).Scan(&id)
	})
	if err == nil || errors.Is(err, ledger.ErrNoRows) {
		t.Errorf("a View wrote: %v", err)
	}
	if ids := l.ids(); len(ids) != 0 {
		t.Errorf("a View wrote: %v", ids)
	}
}

func testViewBounds(t *testing.T, open Open) {
	l := fresh(t, open)
	const many = 200 // more than any pool has
	let := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var mu sync.Mutex
	in, refused := 0, 0
	for range many {
		wg.Go(func() {
			err := l.View(ctx, func(ledger.Querier) error { mu.Lock(); in++; mu.Unlock(); <-let; return nil })
			if err != nil {
				mu.Lock()
				refused++
				mu.Unlock()
				is(t, "a View without room", err, ledger.ErrUnavailable)
			}
		})
	}
	l.until(func() bool { mu.Lock(); defer mu.Unlock(); return in > 0 })
	cancel()
	l.until(func() bool { mu.Lock(); defer mu.Unlock(); return in+refused == many })
	close(let)
	wg.Wait()
	if refused == 0 {
		t.Errorf("%d Views at once", in)
	}
	l.ids()
}

func testViewPanic(t *testing.T, open Open) {
	l := fresh(t, open)
	for range 100 {
		func() {
			defer func() { _ = recover() }()
			_ = l.View(t.Context(), func(q ledger.Querier) error { _, _ = q.Query(`SELECT id FROM suite_rows`); panic("x") })
		}()
	}
	l.must(insert("a"))
	if ids := l.ids(); len(ids) != 1 {
		t.Errorf("after panics: %v", ids)
	}
}

// migration makes a set called "later" of files.
func migration(files ...string) ledger.Migrations {
	m := fstest.MapFS{}
	for i, text := range files {
		m[fmt.Sprintf("%05d_later.sql", i+1)] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + text), Mode: fs.ModePerm}
	}
	return ledger.Migrations{Name: "later", FS: m}
}

const (
	firstFile  = "CREATE TABLE later (id TEXT NOT NULL PRIMARY KEY);\n"
	secondFile = "ALTER TABLE later ADD COLUMN n BIGINT NOT NULL DEFAULT 7;\n"
)

// openWith opens a ledger at place with one more set, and closes it with the test or with shut.
func openWith(t *testing.T, open Open, place string, set ledger.Migrations) (*ledger.Ledger, error) {
	t.Helper()
	return ledger.Open(t.Context(), open(t, place), ledger.Config{}, nil, slog.New(slog.DiscardHandler), time.Now, set)
}

func testMigrations(t *testing.T, open Open) {
	place := t.TempDir()
	for i, set := range []ledger.Migrations{migration(firstFile), migration(firstFile), migration(firstFile, secondFile)} {
		l, err := openWith(t, open, place, set)
		if err != nil {
			t.Fatalf("opening number %d: %v", i+1, err)
		}
		err = l.Commit(t.Context(), work(func(tx *ledger.Tx) error {
			_, err := tx.Exec(`INSERT INTO later (id) VALUES ($1)`, fmt.Sprint(i))
			return err
		}))
		is(t, "a row", err, nil)
		if i == 2 {
			var n int64
			err := l.View(t.Context(), func(q ledger.Querier) error {
				return q.QueryRow(`SELECT CAST(SUM(n) AS BIGINT) FROM later`).Scan(&n)
			})
			if err != nil || n != 21 {
				t.Errorf("after the second file: %d, %v", n, err)
			}
		}
		is(t, "Close", l.Close(), nil)
	}
	if _, err := openWith(t, open, place, ledger.Migrations{Name: "Robert'); --", FS: fstest.MapFS{}}); err == nil {
		t.Error("a set with a wrong name was accepted")
	}
}

func testNewer(t *testing.T, open Open) {
	place := t.TempDir()
	l, err := openWith(t, open, place, migration(firstFile, secondFile))
	if err != nil {
		t.Fatal(err)
	}
	is(t, "Close", l.Close(), nil)
	_, err = openWith(t, open, place, migration(firstFile))
	if err == nil || !strings.Contains(err.Error(), `"later"`) || !strings.Contains(err.Error(), "newer program") {
		t.Errorf("an older program on a newer schema: %v", err)
	}
}

func testBadMigration(t *testing.T, open Open) {
	place := t.TempDir()
	if _, err := openWith(t, open, place, migration(firstFile, secondFile+"ALTER TABLE nowhere ADD COLUMN n BIGINT;\n")); err == nil {
		t.Fatal("a migration that fails was accepted")
	}
	l, err := openWith(t, open, place, migration(firstFile, secondFile)) // nothing of the failed file is there
	if err != nil {
		t.Fatal(err)
	}
	is(t, "Close", l.Close(), nil)
}

func testUpkeep(t *testing.T, open Open) {
	store := open(t, t.TempDir())
	l := newLab(t, store, ledger.Config{Upkeep: 10 * time.Millisecond})
	l.closeLater()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 50 {
				is(t, "a commit beside upkeep", l.commit(insert(fmt.Sprint(i, "/", j))), nil)
			}
		})
	}
	wg.Wait()
	if _, err := store.Maintain(t.Context()); err != nil {
		t.Errorf("upkeep: %v", err)
	}
	if n := len(l.ids()); n != 400 {
		t.Errorf("%d rows of 400", n)
	}
}

// A scope that is there is never called fresh, not after a restart either; a new one is, on a store of one process, once what
// was there has been read.
func testFresh(t *testing.T, open Open) {
	const rows = 6000
	scope := func(i int) []byte { h := sha256.Sum256([]byte(fmt.Sprint(i))); return h[:] }
	place := t.TempDir()
	store := open(t, place)
	one, _ := store.(interface{ Sole() bool })
	l := newLab(t, store, ledger.Config{})
	l.must(func(tx *ledger.Tx) error {
		for i := range rows {
			if _, _, err := tx.BeginIdempotency(ledger.Idempotency{Scope: scope(i), Payload: scope(i), Run: fmt.Sprint(i)}); err != nil {
				return err
			}
		}
		return nil
	})
	is(t, "Close", l.Close(), nil)
	l = newLab(t, open(t, place), ledger.Config{})
	l.closeLater()
	old := func() {
		for i := range rows {
			if l.Fresh(scope(i)) {
				t.Fatalf("scope %d is called fresh", i)
			}
		}
	}
	old()
	if one == nil || !one.Sole() {
		return
	}
	for end := time.Now().Add(patience); !l.Fresh(scope(-1)); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("a new scope is never called fresh")
		}
	}
	old()
	l.must(func(tx *ledger.Tx) error {
		_, _, err := tx.BeginIdempotency(ledger.Idempotency{Scope: scope(-1), Payload: scope(-1), Run: "new"})
		return err
	})
	if l.Fresh(scope(-1)) {
		t.Error("a scope that was begun is called fresh")
	}
}
