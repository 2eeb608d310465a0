package outbox_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/ledger/ledgertest"
	"github.com/warmgate/warmgate/gateway/ledger/sqlite"
	"github.com/warmgate/warmgate/gateway/outbox"
	"github.com/warmgate/warmgate/gateway/seal"
)

// world is a ledger on a real SQLite file, an outbox on it, and a backend that follows a script. It lives in a synctest
// bubble: its time is virtual, its disk is real.
type world struct {
	t       testing.TB
	ledger  *ledger.Ledger
	store   *ledgertest.Faulty
	cfg     outbox.Config
	box     *outbox.Outbox
	kill    context.CancelFunc
	scripts map[string][]string // by message key: what its attempts come to; the last one for ever

	mu        sync.Mutex
	tries     map[string]int // attempts begun
	successes map[string]int // attempts that delivered
	flying    map[string]int // attempts in flight, by key
	venues    map[string]int // attempts in flight, by venue
	all       int
	wrong     []string
}

func newWorld(t testing.TB, cfg outbox.Config) *world {
	t.Helper()
	w := &world{t: t, cfg: cfg, scripts: map[string][]string{}, tries: map[string]int{}, successes: map[string]int{},
		flying: map[string]int{}, venues: map[string]int{}}
	keys, err := seal.New(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	store, err := sqlite.Open(filepath.Join(t.TempDir(), "ledger.db"), sqlite.Config{})
	if err != nil {
		t.Fatal(err)
	}
	w.store = ledgertest.Wrap(store)
	w.ledger, err = ledger.Open(context.Background(), w.store, ledger.Config{}, keys, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	w.start()
	return w
}

func (w *world) start() {
	w.t.Helper()
	var err error
	handlers := map[string]outbox.Handler{"deliver": w.handle}
	w.box, err = outbox.New(w.ledger, w.cfg, handlers, openAssist, slog.New(slog.DiscardHandler), 1)
	if err != nil {
		w.t.Fatal(err)
	}
	var ctx context.Context
	ctx, w.kill = context.WithCancel(context.Background())
	w.box.Start(ctx)
}

func openAssist(tx *ledger.Tx, m ledger.Message, cause string) error {
	_, err := tx.OpenAssist(ledger.Assist{Run: m.Run, Plan: "entry", Kind: m.Kind, Tenant: "hz", Venue: m.Venue, Tried: []string{cause}})
	return err
}

// crash ends the outbox as kill -9 does: nothing that is in flight is booked any more.
func (w *world) crash() {
	w.store.Set(ledgertest.AtBegin, ledgertest.Full)
	w.kill()
	if err := w.box.Close(context.Background()); err != nil {
		w.t.Error(err)
	}
	w.store.Set(ledgertest.AtBegin, ledgertest.None)
}

func (w *world) close() {
	if err := errors.Join(w.box.Close(context.Background()), w.ledger.Close()); err != nil {
		w.t.Error(err)
	}
}

// enqueue adds a message that is due after so long (0: never) and whose attempts follow script.
func (w *world) enqueue(key, venue string, due time.Duration, script ...string) {
	w.t.Helper()
	w.mu.Lock()
	if w.scripts[key] == nil {
		w.scripts[key] = script
	}
	w.mu.Unlock()
	err := w.ledger.Commit(context.Background(), doing(func(tx *ledger.Tx) error {
		m := ledger.Message{Key: key, Kind: "deliver", Run: "run-" + key, Venue: venue}
		if due > 0 {
			m.DueAt = tx.Now().Add(due)
		}
		return tx.Enqueue(m)
	}))
	if err != nil {
		w.t.Error(err)
	}
}

// doing is a Work made of a function.
type doing func(tx *ledger.Tx) error

func (f doing) Apply(tx *ledger.Tx) error { return f(tx) }

// handle is the backend.
func (w *world) handle(ctx context.Context, m ledger.Message) error {
	act := w.enter(m)
	defer w.leave(m)
	switch act {
	case "ok":
	case "slow": // delivered, after a while
		select {
		case <-time.After(w.cfg.AttemptTimeout / 2):
		case <-ctx.Done():
			return ctx.Err()
		}
	case "hang":
		<-ctx.Done()
		return ctx.Err()
	case "dead":
		return outbox.Dead(errors.New("never"))
	case "panic":
		panic("secret")
	default:
		return errors.New("not this time")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.successes[m.Key]++
	return nil
}

func (w *world) enter(m ledger.Message) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all++
	w.flying[m.Key]++
	w.venues[m.Venue]++
	if w.flying[m.Key] > 1 || w.venues[m.Venue] > w.cfg.PerVenue || w.all > w.cfg.Workers {
		w.wrong = append(w.wrong, fmt.Sprintf("in flight at once: %d of %s, %d of venue %q, %d in all", w.flying[m.Key], m.Key, w.venues[m.Venue], m.Venue, w.all))
	}
	script := w.scripts[m.Key]
	n := min(w.tries[m.Key], len(script)-1)
	w.tries[m.Key]++
	return script[n]
}

func (w *world) leave(m ledger.Message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all--
	w.flying[m.Key]--
	w.venues[m.Venue]--
}

// tried returns how many attempts of a message have begun, and how many have delivered it.
func (w *world) tried(key string) (tries, successes int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.tries[key], w.successes[key]
}

// state reads a message, and how many assists its run has.
func (w *world) state(key string) (m ledger.Message, assists int) {
	w.t.Helper()
	err := w.ledger.View(context.Background(), func(q ledger.Querier) (err error) {
		if m, _, err = ledger.FindMessage(q, key); err != nil {
			return err
		}
		all, err := ledger.ListAssists(q, "hz", []string{"*"}, "", 0, 1000)
		for _, a := range all {
			if a.Run == m.Run {
				assists++
			}
		}
		return err
	})
	if err != nil {
		w.t.Error(err)
	}
	return m, assists
}
