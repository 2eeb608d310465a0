package parking

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/warmgate/warmgate/flows/parking/tariff"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/cache"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/ledger/ledgertest"
	"github.com/warmgate/warmgate/gateway/ledger/sqlite"
	"github.com/warmgate/warmgate/gateway/outbox"
	"github.com/warmgate/warmgate/gateway/seal"
)

// mill is a process with the journeys on a ledger, that can be killed, and starts again. Many histories run on it, one after
// the other, each at a lot of its own and by the mill's own clock.
type mill struct {
	planted
	t      testing.TB
	keys   *seal.Keys
	clock  atomic.Int64 // Unix milliseconds
	ops    operations
	venue  *gateway.Venue // of the history at hand
	bound  *call.Bindings
	h      *history
	counts map[string]int // what has happened that no ledger tells

	database *sqlite.Store // outlives the process
	store    *mortal
	ledger   *ledger.Ledger
	engine   *journey.Engine
	cache    *cache.Cache
	rt       *flow.Runtime
	gates    map[string]*journey.Live[Passage, Decided] // by kind
	people   *citizens
}

var (
	errLostAnswer = errors.New("the answer was lost")
	errKilled     = fmt.Errorf("%w: the process is dead", ledger.ErrUnavailable)
)

// mortal is the ledger's store until the process is killed: from then on nothing is kept, and nothing is heard.
type mortal struct {
	*ledgertest.Faulty
	dead atomic.Bool
	left atomic.Int64 // commits that stand before it is killed; below one: it is not
}

func (s *mortal) Begin(ctx context.Context) (ledger.StoreTx, error) {
	if s.dead.Load() {
		return nil, errKilled
	}
	tx, err := s.Faulty.Begin(ctx)
	if err != nil {
		return nil, err
	}
	return &mortalTx{tx, s}, nil
}

func (s *mortal) View(ctx context.Context, f func(ledger.Querier) error) error {
	if s.dead.Load() {
		return errKilled
	}
	return s.Faulty.View(ctx, f)
}

func (s *mortal) Maintain(ctx context.Context) (ledger.Upkeep, error) {
	if s.dead.Load() {
		return ledger.Upkeep{}, errKilled
	}
	return s.Faulty.Maintain(ctx)
}

// Close leaves the database to whoever comes next.
func (s *mortal) Close() error { return nil }

type mortalTx struct {
	ledger.StoreTx
	s *mortal
}

func (tx *mortalTx) Commit() error {
	if tx.s.dead.Load() {
		return errors.Join(errKilled, tx.StoreTx.Rollback())
	}
	err := tx.StoreTx.Commit()
	if tx.s.left.Add(-1) == 0 {
		tx.s.dead.Store(true)
		err = errors.Join(err, errors.New("the process was killed after its commit"))
	}
	return err
}

func newMill(t testing.TB, mistake string, seed uint64) (*mill, func()) {
	t.Helper()
	m := &mill{planted: planted{mistake}, t: t, ops: newOperations(), counts: map[string]int{}}
	var err error
	m.database, err = sqlite.Open(filepath.Join(t.TempDir(), "ledger.db"), sqlite.Config{Memory: true, Readers: 1})
	must(t, err)
	m.clock.Store(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC).UnixMilli())
	m.keys, err = seal.New(random(seed))
	must(t, err)
	m.plant()
	m.open()
	return m, func() {
		m.shut()
		must(t, m.database.Close())
	}
}

// random is what keys are made of, the same for a seed.
func random(seed uint64) io.Reader {
	return rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16), byte(seed >> 24)})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (m *mill) now() time.Time { return time.UnixMilli(m.clock.Load()) }

func (m *mill) pass(d time.Duration) { m.clock.Add(d.Milliseconds()) }

// open starts the process on what is there.
func (m *mill) open() {
	files, err := fs.Sub(migrationFiles, "migrations")
	must(m.t, err)
	if m.mistake == noUniqueExit {
		files = withoutKeys(m.t, files)
	}
	m.store = &mortal{Faulty: ledgertest.Wrap(m.database)}
	logger := slog.New(slog.DiscardHandler)
	m.ledger, err = ledger.Open(context.Background(), m.store, ledger.Config{Upkeep: 2 * time.Second}, m.keys, logger, m.now,
		ledger.Migrations{Name: "parking", FS: files})
	must(m.t, err)
	m.cache, err = cache.New(cache.Config{})
	must(m.t, err)
	bindings := func(string) *call.Bindings { return m.bound }
	m.engine = journey.NewEngine(journey.Config{Ledger: m.ledger, Caller: call.NewCaller(m.cache, m.keys, 1), Bindings: bindings, Logger: logger, Now: m.now})
	m.rt = &flow.Runtime{Engine: m.engine, Ledger: m.ledger, Bindings: bindings, Venue: func(string) *gateway.Venue { return m.venue },
		Logger: logger, Now: m.now}
	m.gates = map[string]*journey.Live[Passage, Decided]{}
	for kind, name := range map[string]string{kindEntry: planEntry, kindExit: planExit} {
		plan, err := m.ops.passPlan(name, map[string]string{kindEntry: stepEnter, kindExit: stepLeave}[kind])
		if m.mistake == hastyAnswer && kind == kindExit {
			plan, err = hastyPlan(m.ops)
		}
		must(m.t, err)
		m.gates[kind] = journey.NewLive(plan)
		adopt(m, m.gates[kind])
	}
	m.people, err = newCitizens(&tills{})
	must(m.t, err)
	adopt(m, m.people.vehicles)
	adopt(m, m.people.payments)
	adopt(m, m.people.disputes)
	adopt(m, m.people.waivers)
}

const modelLease = time.Minute

func adopt[In, Out any](m *mill, l *journey.Live[In, Out]) {
	_, adopt, err := l.Prove(journey.Timing{Journey: time.Minute, Machine: 20 * time.Second, Flush: time.Second, Overhead: time.Second, Lease: modelLease})
	must(m.t, err)
	adopt(m.engine)
}

// shut ends the process in peace.
func (m *mill) shut() {
	m.engine.Wait()
	m.cache.Close()
	if err := m.ledger.Close(); err != nil {
		m.t.Error(err)
	}
}

// kill lets the process die where it stands.
func (m *mill) kill() { m.store.dead.Store(true) }

// revive starts the process again where it was killed, on what it had committed.
func (m *mill) revive(ctx context.Context) error {
	if !m.store.dead.Load() {
		m.store.left.Store(0)
		return nil
	}
	m.shut()
	m.open()
	m.pass(modelLease + time.Second)
	_, err := m.engine.Recover(ctx)
	return err
}

// lot opens a lot of a history's own.
func (m *mill) lot(h *history, seed uint64, zone *time.Location) *gateway.Venue {
	s := UsualSettings()
	s.Arrears.Over = []int64{-1, 2000, 6000}[h.r.IntN(3)]
	s.Tariff.Rounding = tariff.Rounding{To: modelTo, Way: "up"}
	if m.mistake == roundedBefore {
		s.Tariff.Rounding.At = "unit"
	}
	rates := s.Tariff.Vehicles[vehicleCar]
	rates.Caps.Hours24 = modelCap
	rates.Periods[0].Steps[0].Price = modelHour
	s.Tariff.Vehicles[vehicleCar] = rates
	must(m.t, s.Validate())
	m.h, m.venue = h, &gateway.Venue{ID: fmt.Sprintf("lot-%d", seed), Kind: Kind, Tenant: "hangzhou", Location: zone, Settings: s}
	never := call.BreakerConfig{MinCalls: 10000, FailureShare: 1, Consecutive: 1000}
	in, err := call.NewInstance("mill", "outside", call.InstanceConfig{Breaker: never}, slog.New(slog.DiscardHandler))
	must(m.t, err)
	b := call.NewBindings(m.venue)
	silent(in, m.ops.carIn, b)
	silent(in, m.ops.carOut, b)
	silent(in, m.ops.received, b)
	call.BindWrite(b, m.ops.announce, in, call.Effect[CarIn, Told]{Do: m.announce, Find: askAgain[CarIn]})
	for _, w := range []*call.Write[Charge, Told]{m.ops.charge, m.ops.apply} {
		call.BindWrite(b, w, in, call.Effect[Charge, Told]{Do: m.collect, Find: m.collected})
	}
	m.bound = b
	return m.venue
}

// journey runs a plan for a person or a machine.
func runPlan[In, Out any](m *mill, id string, plan *journey.Live[In, Out], who *gateway.Principal, in In) (o journey.Outcome[Out], err error) {
	now := m.now()
	req := journey.Request{ID: id, Arrived: now, Deadline: now.Add(20 * time.Second), Venue: m.venue, Bindings: m.bound, Principal: who, Lang: "en"}
	_, err = plan.Run(m.engine, req, in, func(said journey.Outcome[Out]) journey.Answer {
		o = said
		return journey.Answer{Status: 201, Body: []byte("{}")}
	})
	return o, err
}

// deliver makes one attempt at what the outbox of the lot has ready, and books it as the gateway's outbox does.
func (m *mill) deliver(ctx context.Context) error {
	handlers := m.engine.Handlers()
	var ready []ledger.Message
	err := m.commit(ctx, func(tx *ledger.Tx) (err error) {
		ready, err = tx.LeaseMessages(m.venue.ID, m.now(), m.now().Add(modelLease), 50)
		return err
	})
	failed := make([]error, len(ready))
	for i, msg := range ready {
		failed[i] = handlers[msg.Kind](ctx, msg)
	}
	if err != nil || len(ready) == 0 {
		return err
	}
	return m.commit(ctx, func(tx *ledger.Tx) error {
		for i, msg := range ready {
			if err := m.book(tx, msg, failed[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (m *mill) book(tx *ledger.Tx, msg ledger.Message, failure error) error {
	due := msg.DueAt
	if due.IsZero() {
		due = msg.QueuedAt.Add(24 * time.Hour)
	}
	switch {
	case failure == nil:
		_, err := tx.FinishMessage(msg)
		return err
	case outbox.IsDead(failure) || !m.now().Before(due):
		killed, err := tx.KillMessage(msg, failure.Error())
		if err == nil && killed {
			err = m.engine.Dead(tx, msg, failure.Error())
		}
		return err
	}
	next := m.now().Add(min(time.Second<<min(msg.Attempts, 12), time.Hour))
	if next.After(due) {
		next = due
	}
	_, err := tx.RetryMessage(msg, next, failure.Error())
	return err
}

type work func(tx *ledger.Tx) error

func (w work) Apply(tx *ledger.Tx) error { return w(tx) }

func (m *mill) commit(ctx context.Context, f func(tx *ledger.Tx) error) error {
	return m.ledger.Commit(ctx, work(f))
}

// census counts what the ledger holds, for whoever wants to know that the histories were full.
func (m *mill) census() error {
	return m.ledger.View(context.Background(), func(q ledger.Querier) error {
		for what, query := range map[string]string{
			"event":      `SELECT kind || ' ' || state, COUNT(*) FROM parking_events GROUP BY 1`,
			"visit":      `SELECT state, COUNT(*) FROM parking_stays GROUP BY 1`,
			"bill":       `SELECT state, COUNT(*) FROM parking_bills GROUP BY 1`,
			"booked":     `SELECT kind, COUNT(*) FROM parking_movements GROUP BY 1`,
			"charge":     `SELECT state || CASE WHEN try > 1 THEN ', again' ELSE '' END, COUNT(*) FROM parking_collections GROUP BY 1`,
			"refund":     `SELECT state, COUNT(*) FROM parking_refunds GROUP BY 1`,
			"dispute":    `SELECT CASE outcome WHEN '' THEN 'open' ELSE outcome END, COUNT(*) FROM parking_disputes GROUP BY 1`,
			"notice":     `SELECT state, COUNT(*) FROM parking_notices GROUP BY 1`,
			"binding":    `SELECT 'verified', COUNT(*) FROM parking_vehicles`,
			"assist":     `SELECT kind, COUNT(*) FROM assists WHERE kind NOT LIKE '%-_' AND kind NOT LIKE '%-__' GROUP BY 1`,
			"message":    `SELECT kind || ' ' || state, COUNT(*) FROM messages GROUP BY 1`,
			"correction": `SELECT why, COUNT(*) FROM parking_corrections GROUP BY 1`,
		} {
			type counted struct {
				what string
				n    int64
			}
			all, err := listOf(q, func(r ledger.Row) (c counted, err error) { return c, r.Scan(&c.what, &c.n) }, query)
			if err != nil {
				return err
			}
			for _, c := range all {
				m.counts[what+" "+c.what] += int(c.n)
			}
		}
		return nil
	})
}

// tallies are the counts of all mills.
type tallies struct {
	mu  sync.Mutex
	all map[string]int
}

func (t *tallies) add(counts map[string]int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for what, n := range counts {
		t.all[what] += n
	}
}

func (t *tallies) say() (lines []string) {
	for _, what := range slices.Sorted(maps.Keys(t.all)) {
		lines = append(lines, fmt.Sprintf("%9d %s", t.all[what], what))
	}
	return lines
}

// newID makes a journey's id that is the same whenever the history is replayed.
func (h *history) newID() string {
	var id uuid.UUID
	for i := range id {
		id[i] = byte(h.r.Uint32())
	}
	ms := h.m.clock.Load()
	for i := range 6 {
		id[i] = byte(ms >> (8 * (5 - i)))
	}
	id[6], id[8] = id[6]&0x0f|0x70, id[8]&0x3f|0x80
	return id.String()
}
