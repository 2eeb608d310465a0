package ledger_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/warmgate/warmgate/gateway/ledger"
)

// note commits n entries as one link.
func (b *books) note(t testing.TB, n int) {
	t.Helper()
	b.commit(t, func(tx *ledger.Tx) error {
		for i := range n {
			err := tx.Audit(ledger.AuditEntry{
				Run: fmt.Sprintf("run-%d", i), Actor: "gateway", Action: "disclose", System: "ticketing", Purpose: "redeem",
				Fields: []string{"code", "date"}, Subject: []byte{1, 2, byte(i)}, Payload: []byte{9, byte(i)},
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *books) verify(t testing.TB, anchors []ledger.Anchor) ledger.Report {
	t.Helper()
	var r ledger.Report
	b.read(t, func(q ledger.Querier) (err error) {
		r, err = ledger.VerifyAudit(t.Context(), q, anchors)
		return err
	})
	return r
}

// trail makes an audit trail of two chains, anchored at the end of each, and returns its ledger, closed.
func trail(t testing.TB) (*books, string) {
	b := openBooks(t)
	anchors := b.path + ".anchors"
	for range 2 {
		for i := range 300 { // more than a page of the verifier
			b.note(t, 1+i%3)
		}
		keeper, err := ledger.StartKeeper(b.Ledger, anchors, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if err = keeper.Close(); err != nil {
			t.Fatal(err)
		}
		b.close()
		b.open(t)
	}
	b.close()
	return b, anchors
}

func readAnchors(t testing.TB, path string) []ledger.Anchor {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := ledger.ReadAnchors(f)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestAuditTrailVerifies(t *testing.T) {
	b, anchors := trail(t)
	b.open(t)
	want := ledger.Report{Chains: 2, Links: 600, Entries: 1200, Anchors: 2}
	if got := b.verify(t, readAnchors(t, anchors)); got != want {
		t.Fatalf("verified %+v, want %+v", got, want)
	}
	b.commit(t, func(tx *ledger.Tx) error { return nil })
	if got := b.verify(t, nil); got.Links != 600 {
		t.Fatalf("a commit without entries made a link: %+v", got)
	}
}

func TestAuditTrailFindsTampering(t *testing.T) {
	whole, anchorPath := trail(t)
	anchors := readAnchors(t, anchorPath)
	file, err := os.ReadFile(whole.path)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, sql, want string }{
		{"an entry's actor", `UPDATE audit_entries SET actor = 'nobody' WHERE chain = 1 AND link = 7 AND ord = 0`, "link 7 of chain 1 does not match"},
		{"an entry's bytes", `UPDATE audit_entries SET payload = x'0a' WHERE chain = 2 AND link = 300 AND ord = 1`, "link 300 of chain 2 does not match"},
		{"bytes moved to the next field", `UPDATE audit_entries SET actor = 'gatewa', action = 'ydisclose' WHERE chain = 1 AND link = 1`, "link 1 of chain 1 does not match"},
		{"a removed entry", `DELETE FROM audit_entries WHERE chain = 1 AND link = 9 AND ord = 2`, "link 9 of chain 1 sealed 3 entries, 2 are there"},
		{"a removed first entry", `DELETE FROM audit_entries WHERE chain = 1 AND link = 9 AND ord = 0`, "entry 0 of link 9 of chain 1 stands in place 1"},
		{"an added entry", `INSERT INTO audit_entries SELECT chain, link, 3, run, actor, action, system, purpose, fields, subject, payload
			FROM audit_entries WHERE chain = 1 AND link = 9 AND ord = 0`, "link 9 of chain 1 sealed 3 entries, 4 are there"},
		{"reordered entries", `UPDATE audit_entries SET ord = ord + 100 WHERE chain = 1 AND link = 9;
			UPDATE audit_entries SET ord = 102 - ord WHERE chain = 1 AND link = 9`, "link 9 of chain 1 does not match"},
		{"entries moved to another link", `UPDATE audit_entries SET link = 11, ord = 2 WHERE chain = 1 AND link = 10`, "link 10 of chain 1 sealed 1 entries, 0 are there"},
		{"exchanged links", `UPDATE audit_links SET link = 1000 WHERE chain = 1 AND link = 5; UPDATE audit_links SET link = 5 WHERE chain = 1 AND link = 8;
			UPDATE audit_links SET link = 8 WHERE chain = 1 AND link = 1000`, "link 5 of chain 1 does not follow"},
		{"a removed link", `DELETE FROM audit_links WHERE chain = 1 AND link = 5`, "link 5 of chain 1 was removed: entries of it are there"},
		{"a removed link with its entries", cut("chain = 1 AND link IN (256, 257)"), "links 256 to 257 of chain 1 were removed"},
		{"a removed beginning", cut("chain = 1 AND link < 4"), "links 1 to 3 of chain 1 were removed"},
		{"a removed first chain", cut("chain = 1"), "chains 1 to 1 were removed"},
		{"the end of the chain before", cut("chain = 1 AND link > 298"), "link 300 of chain 1 was removed: chain 2 was begun on it"},
		{"a link's time", `UPDATE audit_links SET at = at + 1 WHERE chain = 1 AND link = 5`, "link 5 of chain 1 does not match"},
		{"a link's hash", `UPDATE audit_links SET hash = x'00' WHERE chain = 2 AND link = 5`, "link 5 of chain 2 does not match"},
		{"another base", `UPDATE audit_links SET onto = 299 WHERE chain = 2 AND link = 1`, "chain 2 does not follow link 299 of chain 1"},
		{"the end", cut("chain = 2 AND link > 290"), "link 300 of chain 2 was anchored at"},
		{"the end without its entries", `DELETE FROM audit_links WHERE chain = 2 AND link > 290`, "link 291 of chain 2 was removed: entries of it are there"},
		{"the last chain", cut("chain = 2"), "link 300 of chain 2 was anchored at"},
		{"everything", cut("TRUE"), "link 300 of chain 1 was anchored at"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := &books{clock: newClock(), path: filepath.Join(t.TempDir(), "ledger.db"), keys: whole.keys}
			if err := os.WriteFile(b.path, file, 0o600); err != nil {
				t.Fatal(err)
			}
			tamper(t, b.path, c.sql)
			b.open(t)
			if got := b.verify(t, anchors); !strings.HasPrefix(got.Mismatch, c.want) {
				t.Errorf("found %q, want %q", got.Mismatch, c.want)
			}
		})
	}
}

// cut removes links and entries alike.
func cut(where string) string {
	return "DELETE FROM audit_links WHERE " + where + "; DELETE FROM audit_entries WHERE " + where
}

func tamper(t testing.TB, path, statements string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec(statements)
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestAuditKeepsWhatItsItemKeeps(t *testing.T) {
	b := openBooks(t)
	entry := ledger.AuditEntry{Run: "r", Actor: "gateway", Action: "disclose"}
	failure := errors.New("no")
	refused := b.Commit(t.Context(), doing(func(tx *ledger.Tx) error { return errors.Join(tx.Audit(entry), failure) }))
	if !errors.Is(refused, failure) {
		t.Fatal(refused)
	}
	kept := b.Commit(t.Context(), doing(func(tx *ledger.Tx) error { return errors.Join(tx.Audit(entry), ledger.Keep(failure)) }))
	if !errors.Is(kept, failure) {
		t.Fatal(kept)
	}
	for _, bad := range []ledger.AuditEntry{{Action: "disclose"}, {Actor: "gateway"}, {Actor: "gateway", Action: "disclose", Fields: []string{"a,b"}}} {
		if err := b.Commit(t.Context(), doing(func(tx *ledger.Tx) error { return tx.Audit(bad) })); err == nil {
			t.Errorf("%+v was written", bad)
		}
	}
	if got := b.verify(t, nil); got != (ledger.Report{Chains: 1, Links: 1, Entries: 1}) {
		t.Fatalf("verified %+v", got)
	}
}

func TestAuditSealsOneLinkForAGroup(t *testing.T) {
	b := openBooks(t)
	hold, held := make(chan struct{}), make(chan struct{})
	errs := make(chan error)
	go func() {
		errs <- b.Commit(context.Background(), doing(func(tx *ledger.Tx) error {
			close(held)
			<-hold
			return nil
		}))
	}()
	<-held
	const n = 20
	for i := range n {
		go func() {
			errs <- b.Commit(context.Background(), doing(func(tx *ledger.Tx) error {
				return tx.Audit(ledger.AuditEntry{Actor: "gateway", Action: fmt.Sprint("a", i)})
			}))
		}()
	}
	for b.Stats().Queue < n {
		runtime.Gosched()
	}
	close(hold)
	for range n + 1 {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	if got := b.verify(t, nil); got.Links != 1 || got.Entries != n || got.Mismatch != "" {
		t.Fatalf("verified %+v", got)
	}
}

func TestAuditHoldsExactlyWhatWasKeptUnderLoad(t *testing.T) {
	b := openBooks(t)
	errNo := errors.New("no")
	var kept atomic.Int64
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for i := range 40 {
				err := b.Commit(context.Background(), doing(func(tx *ledger.Tx) error {
					entry := ledger.AuditEntry{Run: fmt.Sprint(g, "/", i), Actor: "gateway", Action: "disclose"}
					if err := tx.Audit(entry); err != nil {
						return err
					}
					switch (g + i) % 5 {
					case 0: // fails after it has written
						return errors.Join(tx.Enqueue(ledger.Message{Key: fmt.Sprint(g, "/", i), Kind: "k"}), errNo)
					case 1:
						return errNo
					case 2:
						panic("secret")
					}
					return tx.Audit(entry)
				}))
				switch {
				case err == nil:
					kept.Add(2)
				case !errors.Is(err, errNo) && !errors.Is(err, ledger.ErrPanicked):
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := b.verify(t, nil); got.Mismatch != "" || int64(got.Entries) != kept.Load() || got.Entries != 16*40*2*2/5 {
		t.Fatalf("verified %+v, %d were kept", got, kept.Load())
	}
}

func TestAnchorsAreKeptAndMended(t *testing.T) {
	b := openBooks(t)
	path := b.path + ".anchors"
	keep := func() {
		t.Helper()
		k, err := ledger.StartKeeper(b.Ledger, path, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if err = k.Close(); err != nil {
			t.Fatal(err)
		}
	}
	keep()
	if got := readAnchors(t, path); len(got) != 0 {
		t.Fatalf("an empty trail has anchors: %v", got)
	}
	b.note(t, 1)
	keep()
	keep() // the same head is not written twice
	if got := readAnchors(t, path); len(got) != 1 || got[0].Chain != 1 || got[0].Link != 1 || !got[0].At.Equal(dawn) {
		t.Fatalf("anchors: %v", got)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = f.WriteString("1 2 abcdef"); err != nil { // the machine died while it wrote
		t.Fatal(err)
	}
	f.Close()
	if got := readAnchors(t, path); len(got) != 1 {
		t.Fatalf("a line without its end counts: %v", got)
	}
	b.note(t, 1)
	keep()
	if got := readAnchors(t, path); len(got) != 2 || got[1].Link != 2 {
		t.Fatalf("anchors: %v", got)
	}
}

func TestContradictingAnchorsAreNamed(t *testing.T) {
	b := openBooks(t)
	b.note(t, 1)
	a := ledger.Anchor{Chain: 1, Link: 1, Hash: make([]byte, 32), At: dawn}
	other := a
	other.Hash = bytes.Repeat([]byte{1}, 32)
	if got := b.verify(t, []ledger.Anchor{a}); !strings.Contains(got.Mismatch, "not the one that was anchored at 2026-05-01T08:00:00Z") {
		t.Error(got.Mismatch)
	}
	if got := b.verify(t, []ledger.Anchor{a, other}); !strings.Contains(got.Mismatch, "two anchors of link 1 of chain 1") {
		t.Error(got.Mismatch)
	}
}

func FuzzReadAnchors(f *testing.F) {
	good := ledger.Anchor{Chain: 1, Link: 2, Hash: bytes.Repeat([]byte{7}, 32), At: dawn}.String()
	for _, s := range []string{"", good, good + good, good[:20], "1 2 3 4\n", strings.ToUpper(good), "-1" + good, good + "\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		all, err := ledger.ReadAnchors(strings.NewReader(s))
		if err != nil {
			return
		}
		var b strings.Builder
		for _, a := range all {
			b.WriteString(a.String())
		}
		if !strings.HasPrefix(s, b.String()) || strings.Contains(s[b.Len():], "\n") {
			t.Fatalf("read %q as %q", s, b.String())
		}
	})
}
