package journey

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/ledger/ledgertest"
	"github.com/warmgate/warmgate/gateway/ledger/sqlite"
	"github.com/warmgate/warmgate/gateway/seal"
)

// world is a gateway without an edge: a real ledger, and a backend that the test plays.
type world struct {
	t        testing.TB
	config   Config
	ledger   *ledger.Ledger
	fault    *ledgertest.Faulty
	engine   *Engine
	venue    *gateway.Venue
	bindings *call.Bindings
	instance *call.Instance

	mu      sync.Mutex
	shift   time.Duration
	commits int
	dieAt   int // after so many commits the process is dead; 0: never
	failAt  int // so many commits from now on one fails
	failAs  ledgertest.Fault
	dead    bool // nothing reaches the ledger or a backend any more
}

// counting counts a store's commits and lets the world die at one of them.
type counting struct {
	ledger.Store
	w *world
}

func (c counting) Begin(ctx context.Context) (ledger.StoreTx, error) {
	tx, err := c.Store.Begin(ctx)
	return countingTx{tx, c.w}, err
}

type countingTx struct {
	ledger.StoreTx
	w *world
}

func (tx countingTx) Commit() error {
	tx.w.mu.Lock()
	tx.w.failAt--
	fails, as := tx.w.failAt == 0, tx.w.failAs
	tx.w.mu.Unlock()
	if fails && as == ledgertest.Full {
		return errors.Join(ledger.ErrUnavailable, tx.Rollback())
	}
	err := tx.StoreTx.Commit()
	if fails {
		return errors.Join(errLost, err)
	}
	tx.w.mu.Lock()
	defer tx.w.mu.Unlock()
	if err == nil {
		tx.w.commits++
	}
	if tx.w.dieAt > 0 && tx.w.commits >= tx.w.dieAt {
		tx.w.dieAt, tx.w.dead = 0, true
		tx.w.fault.Set(ledgertest.AtBegin, ledgertest.Full)
		tx.w.fault.Set(ledgertest.AtView, ledgertest.Full)
	}
	return err
}

// still waits for everything that goes on behind answers.
func (w *world) still() {
	w.engine.Wait()
	_ = w.ledger.Settled(context.Background(), "")
}

// flushes counts the ledger commits that f makes.
func (w *world) flushes(f func()) int {
	w.still()
	before := w.ledger.Stats().Batches
	f()
	w.still()
	return int(w.ledger.Stats().Batches - before)
}

// dieAfter lets the world die at its n-th commit from now on. revive is the next process on the same ledger.
func (w *world) dieAfter(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dieAt = w.commits + n
}

// faultAt lets one commit fail, the n-th from now on.
func (w *world) faultAt(n int, fault ledgertest.Fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failAt, w.failAs = n, fault
}

// logged returns what the engine logs from now on.
func (w *world) logged() *bytes.Buffer {
	out := new(bytes.Buffer)
	w.still()
	c := w.config
	c.Logger = slog.New(slog.NewTextHandler(out, nil))
	w.engine = NewEngine(c)
	return out
}

func (w *world) isDead() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dead
}

// revive starts the next process, once the leases of the dead one are over.
func (w *world) revive(plans ...Installable) {
	w.t.Helper()
	w.still()
	w.mu.Lock()
	w.dieAt, w.failAt, w.dead = 0, 0, false
	w.mu.Unlock()
	w.heal()
	w.pass(time.Minute)
	w.engine = NewEngine(w.config)
	w.engine.Install(plans...)
}

func newWorld(t testing.TB) *world {
	t.Helper()
	store, err := sqlite.Open(filepath.Join(t.TempDir(), "ledger.db"), sqlite.Config{})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t}
	w.fault = ledgertest.Wrap(counting{store, w})
	keys, err := seal.New(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	set := ledger.Migrations{Name: "holds", FS: holdsSchema}
	w.ledger, err = ledger.Open(t.Context(), w.fault, ledger.Config{}, keys, slog.New(slog.DiscardHandler), w.clock, set)
	if err != nil {
		t.Fatal(err)
	}
	w.venue = &gateway.Venue{ID: "west-lake", Kind: "attraction", Tenant: "hangzhou", Location: time.UTC}
	w.bindings = call.NewBindings(w.venue)
	w.instance, err = call.NewInstance("fake/west-lake", "ticketing", call.InstanceConfig{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	w.config = Config{
		Ledger: w.ledger, Caller: call.NewCaller(nil, keys, 1), Bindings: func(string) *call.Bindings { return w.bindings },
		Logger: slog.New(slog.DiscardHandler), Now: w.clock,
	}
	w.engine = NewEngine(w.config)
	t.Cleanup(func() {
		w.heal()
		w.engine.Wait()
		if err := w.ledger.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.shift)
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.shift += d
}

func (w *world) request() Request {
	now := w.clock()
	return Request{
		ID: uuid.Must(uuid.NewV7()).String(), Arrived: now, Deadline: now.Add(2 * time.Second), Venue: w.venue, Bindings: w.bindings,
		Principal: &gateway.Principal{Subject: "gate-1", Tenant: "hangzhou"}, Lang: gateway.LangEn,
	}
}

func (w *world) view(f func(q ledger.Querier) error) {
	w.t.Helper()
	_ = w.ledger.Settled(context.Background(), "")
	if err := w.ledger.View(context.Background(), f); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) operation(key string) ledger.Operation {
	w.t.Helper()
	var op ledger.Operation
	w.view(func(q ledger.Querier) (err error) {
		var found bool
		if op, found, err = ledger.FindOperation(q, key); err == nil && !found {
			return fmt.Errorf("no operation %s", key)
		}
		return err
	})
	return op
}

// render tells an outcome in one word.
func render[Out any](o Outcome[Out]) Answer {
	switch {
	case o.Err != nil:
		return Answer{Status: 409, Body: []byte(o.Err.Problem.Type), Err: o.Err}
	case o.Assist != nil:
		return Answer{Status: 202, Body: []byte("assist " + o.Assist.Kind)}
	default:
		return Answer{Status: 201, Body: []byte(fmt.Sprint(o.Value, o.Pending))}
	}
}

var problemSold = &gateway.Problem{Type: "sold", Kind: gateway.Conflict}

// inTime asks for one of three times that goes as it should: a machine that stands still for a moment has no time to keep.
func inTime(t *testing.T, once func(t *testing.T) error) {
	t.Helper()
	var errs []error
	for range 3 {
		err := once(t)
		if err == nil {
			return
		}
		errs = append(errs, err)
	}
	t.Error(errors.Join(errs...))
}

// timing gives every step a slice that is long enough for a busy machine.
func timing(steps ...string) Timing {
	t := Timing{Journey: 20 * time.Second, Machine: 2 * time.Second, Flush: 20 * time.Millisecond, Overhead: 50 * time.Millisecond,
		Lease: time.Second, Steps: map[string]call.Policy{}}
	for _, s := range steps {
		t.Steps[s] = call.Policy{Slice: 300 * time.Millisecond}
	}
	return t
}

func prove[In, Out any](t testing.TB, p *Plan[In, Out], err error, tm Timing) *Proven[In, Out] {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	proven, err := p.Prove(tm)
	if err != nil {
		t.Fatal(err)
	}
	return proven
}

var errLost = errors.New("the answer was lost")

func (w *world) heal() {
	for _, p := range []ledgertest.Point{ledgertest.AtBegin, ledgertest.AtExec, ledgertest.AtCommit, ledgertest.AtView} {
		w.fault.Set(p, ledgertest.None)
	}
}
