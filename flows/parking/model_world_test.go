package parking

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"

	"github.com/warmgate/warmgate/flows/parking/books"
	"github.com/warmgate/warmgate/flows/parking/tariff"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/cache"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/ledger/ledgertest"
	"github.com/warmgate/warmgate/gateway/ledger/sqlite"
	"github.com/warmgate/warmgate/gateway/seal"
)

// mill is a ledger with the journey's plans on it, and a provider outside that keeps books of its own. Many histories run
// on it, one after the other, each at a lot of its own.
type mill struct {
	ledger *ledger.Ledger
	fault  *ledgertest.Faulty
	engine *journey.Engine
	rt     *flow.Runtime
	ops    operations
	plans  map[string]*journey.Live[Passage, Decided]
	planted

	mu       sync.Mutex
	venues   map[string]*gateway.Venue
	provider map[string]map[string]int64 // by bill and key: what was taken
	flaky    func(key string) (before, after error)
}

// planted is a mistake in the journey, for the test of whoever is to find it.
type planted struct {
	mistake string
}

// The mistakes.
const (
	noUniqueExit   = "no unique key on the exit"
	hastyAnswer    = "an answer before the commit"
	roundedBefore  = "rounding before the cap"
	chargeNoKey    = "a charge without its key"
	silentEdit     = "a bill that is edited without the books"
	parkedDropped  = "a parked exit that is dropped"
	chargedWithout = "a charge of what was blocked"
)

var errLostAnswer = errors.New("the answer was lost")

func newMill(t testing.TB, mistake string) (*mill, func()) {
	t.Helper()
	folder, err := os.MkdirTemp("/dev/shm", "warmgate-parking") //nolint:usetesting // in memory
	if err != nil {
		folder = t.TempDir()
	}
	store, err := sqlite.Open(filepath.Join(folder, "ledger.db"), sqlite.Config{})
	must(t, err)
	keys, err := seal.New(rand.Reader)
	must(t, err)
	m := &mill{fault: ledgertest.Wrap(store), plans: map[string]*journey.Live[Passage, Decided]{}, planted: planted{mistake},
		venues: map[string]*gateway.Venue{}, provider: map[string]map[string]int64{}}
	files, err := fs.Sub(migrationFiles, "migrations")
	must(t, err)
	if mistake == noUniqueExit {
		files = withoutKeys(t, files)
	}
	logger := slog.New(slog.DiscardHandler)
	m.ledger, err = ledger.Open(context.Background(), m.fault, ledger.Config{}, keys, logger, time.Now, ledger.Migrations{Name: "parking", FS: files})
	must(t, err)
	c, err := cache.New(cache.Config{})
	must(t, err)
	m.engine = journey.NewEngine(journey.Config{Ledger: m.ledger, Caller: call.NewCaller(c, keys, 1), Bindings: m.bound, Logger: logger, Now: time.Now})
	m.rt = &flow.Runtime{Engine: m.engine, Ledger: m.ledger, Bindings: m.bound, Venue: m.venue, Logger: logger, Now: time.Now}
	m.ops = newOperations()
	m.plant()
	for name, step := range map[string]string{planEntry: "enter", planExit: "leave"} {
		plan, err := m.ops.passPlan(name, step)
		if mistake == hastyAnswer && name == planExit {
			plan, err = hastyPlan(m.ops)
		}
		must(t, err)
		m.plans[name] = journey.NewLive(plan)
		_, adopt, err := m.plans[name].Prove(journey.Timing{Journey: time.Minute, Machine: 20 * time.Second, Flush: time.Second, Overhead: time.Second, Lease: time.Minute})
		must(t, err)
		adopt(m.engine)
	}
	return m, func() {
		m.engine.Wait()
		c.Close()
		if err := m.ledger.Close(); err != nil {
			t.Error(err)
		}
		_ = os.RemoveAll(folder)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (m *mill) venue(id string) *gateway.Venue {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.venues[id]
}

func (m *mill) bound(id string) *call.Bindings {
	v := m.venue(id)
	if v == nil {
		return nil
	}
	b := call.NewBindings(v)
	in, err := call.NewInstance("mill", "outside", call.InstanceConfig{}, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil
	}
	silent(in, m.ops.carIn, b)
	silent(in, m.ops.carOut, b)
	silent(in, m.ops.announce, b)
	for _, w := range []*call.Write[Charge, Told]{m.ops.charge, m.ops.apply} {
		call.BindWrite(b, w, in, call.Effect[Charge, Told]{Do: m.take, Find: m.taken})
	}
	return b
}

// take takes the money of a bill, once for each key, and has it booked: what a provider and its adapter do together.
func (m *mill) take(ctx context.Context, key string, c Charge) (Told, error) {
	if m.mistake == chargeNoKey {
		key = uuid.NewString()
	}
	before, after := error(nil), error(nil)
	if m.flaky != nil {
		before, after = m.flaky(key)
	}
	if before != nil {
		return Told{}, before
	}
	due, err := m.dueOf(ctx, c.Bill)
	if err != nil || due <= 0 {
		return Told{}, err
	}
	m.mu.Lock()
	if m.provider[c.Bill] == nil {
		m.provider[c.Bill] = map[string]int64{}
	}
	if _, taken := m.provider[c.Bill][key]; !taken {
		m.provider[c.Bill][key] = due
	}
	minor := m.provider[c.Bill][key]
	m.mu.Unlock()
	if after != nil {
		return Told{}, after
	}
	_, err = ledger.Do(ctx, m.ledger, payDecision, payment{c.Bill, key, minor})
	return Told{}, err
}

func (m *mill) taken(context.Context, string, Charge) (Told, bool, error) { return Told{}, false, nil }

func (m *mill) dueOf(ctx context.Context, id string) (due int64, err error) {
	err = m.ledger.View(ctx, func(q ledger.Querier) error {
		b, err := findBill(q, id)
		if err == nil && b != nil && b.state == billPayPending {
			due = b.due()
		}
		return err
	})
	return due, err
}

// payment is money that the provider of the model has taken.
type payment struct {
	bill, key string
	minor     int64
}

var payDecision = &ledger.Decision[payment, struct{}]{Name: "model.pay", Run: func(tx *ledger.Tx, p payment) (none struct{}, err error) {
	b, err := findBill(tx, p.bill)
	if err != nil || b == nil {
		return none, err
	}
	m := b.movement(books.Pay, b.tries, ledger.ActorGateway, books.Transfer(books.Owed, books.Provider, p.minor))
	m.ID, m.Reference = "pay/"+p.key, p.key
	posted, err := books.Post(tx, m)
	if err != nil || !posted {
		return none, err
	}
	b.paid += p.minor
	if b.state = billPaid; b.due() > 0 {
		b.state = billBilled
	}
	return none, updateBill(tx, b)
}}

// deliver runs the outbox of a lot until nothing waits, and tries again what fails.
func (m *mill) deliver(ctx context.Context, venue string) error {
	handlers := m.engine.Handlers()
	for range 200 {
		var due []ledger.Message
		err := m.commit(ctx, func(tx *ledger.Tx) (err error) {
			due, err = tx.LeaseMessages(venue, time.Now(), time.Now().Add(-time.Second), 50)
			return err
		})
		if err != nil {
			return err
		}
		if len(due) == 0 {
			return nil
		}
		for _, msg := range due {
			if err := handlers[msg.Kind](ctx, msg); err != nil {
				continue // its lease is over already
			}
			if err := m.commit(ctx, func(tx *ledger.Tx) error { _, err := tx.FinishMessage(msg); return err }); err != nil {
				return err
			}
		}
	}
	return errors.New("the outbox does not come to an end")
}

type work func(tx *ledger.Tx) error

func (w work) Apply(tx *ledger.Tx) error { return w(tx) }

func (m *mill) commit(ctx context.Context, f func(tx *ledger.Tx) error) error {
	return m.ledger.Commit(ctx, work(f))
}

// withoutKeys is the migrations without what keeps a visit and an exit from having two bills.
func withoutKeys(t testing.TB, files fs.FS) fs.FS {
	t.Helper()
	all := fstest.MapFS{}
	names, err := fs.Glob(files, "*.sql")
	must(t, err)
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		must(t, err)
		changed := string(text)
		if name == "00001_parking.sql" {
			for _, key := range []string{"stay       TEXT   NOT NULL UNIQUE,", "    changed_at BIGINT NOT NULL,\n    UNIQUE (venue, exit)\n"} {
				without := strings.Replace(strings.Replace(key, " UNIQUE,", ",", 1), ",\n    UNIQUE (venue, exit)", "", 1)
				if !strings.Contains(changed, key) {
					t.Fatalf("the migrations have no key %q any more", key)
				}
				changed = strings.Replace(changed, key, without, 1)
			}
		}
		all[name] = &fstest.MapFile{Data: []byte(changed)}
	}
	return all
}

// hastyPlan answers an exit whether the commit stands or not.
func hastyPlan(o operations) (*journey.Plan[Passage, Decided], error) {
	told := &ledger.Decision[Passage, Decided]{Name: o.pass.Name, Run: func(tx *ledger.Tx, in Passage) (Decided, error) {
		in.Batch = true // what is refused is told with its event
		return o.pass.Run(tx, in)
	}}
	return journey.Define(planExit, func(b *journey.Builder, in journey.Ref[Passage]) journey.Ref[Decided] {
		decided := journey.Record(b, "leave", told, in, journey.Pivot(), journey.Without())
		return journey.When(b, "kept", journey.Check(b, "stands", func(d Decided) (bool, error) { return len(d.Results) > 0, nil }, decided),
			func(b *journey.Builder) journey.Ref[Decided] {
				o.tellOutside(b, decided)
				return journey.Check(b, "say", func(d Decided) (Decided, error) { return d, nil }, decided)
			},
			func(b *journey.Builder) journey.Ref[Decided] {
				return journey.Check(b, "say so", func(in Passage) (d Decided, err error) {
					for _, e := range in.Events {
						d.Results = append(d.Results, Result{Event: e.ID, Decision: decideOpen})
					}
					return d, nil
				}, in)
			})
	})
}

// plant changes what the journey decides.
func (m *mill) plant() {
	right := m.ops.pass
	after := func(f func(tx *ledger.Tx, in Passage, d *Decided) error) {
		m.ops.pass = &ledger.Decision[Passage, Decided]{Name: right.Name, Run: func(tx *ledger.Tx, in Passage) (Decided, error) {
			d, err := right.Run(tx, in)
			if err == nil {
				err = f(tx, in, &d)
			}
			return d, err
		}}
	}
	switch m.mistake {
	case noUniqueExit: // an exit that comes again is billed again
		after(func(tx *ledger.Tx, _ Passage, d *Decided) error {
			for _, r := range d.Results {
				if !r.Again || r.Bill == nil {
					continue
				}
				b, err := findBill(tx, r.Bill.ID)
				if err != nil || b == nil {
					return err
				}
				b.id = strings.Repeat("0", 16) + fmt.Sprintf("%016x", tx.Now().UnixNano()+int64(len(r.Event)))
				b.paid, b.tries, b.state = 0, 0, billBilled
				if err := issue(tx, b); err != nil {
					return err
				}
			}
			return nil
		})
	case silentEdit:
		after(func(tx *ledger.Tx, in Passage, _ *Decided) error {
			_, err := tx.Exec(`UPDATE parking_bills SET price = price - 1000 WHERE venue = $1 AND corrected > 0 AND price > 1000`, in.Lot)
			return err
		})
	case parkedDropped:
		after(func(tx *ledger.Tx, in Passage, _ *Decided) error {
			_, err := tx.Exec(`UPDATE parking_events SET state = 'settled' WHERE venue = $1 AND state = 'parked'`, in.Lot)
			return err
		})
	case chargedWithout:
		after(func(tx *ledger.Tx, in Passage, d *Decided) error {
			for _, out := range d.Left {
				if b, err := findBill(tx, out.Bill); err != nil || b == nil || b.collect != collectNobody || b.price == 0 {
					continue
				}
				d.Charges = append(d.Charges, Charge{By: collectPayment, Bill: out.Bill, Stay: out.Stay, Try: 1, Minor: out.Minor, Currency: out.Currency})
				if _, err := tx.Exec(`UPDATE parking_bills SET state = 'pay-pending', tries = 1 WHERE id = $1`, out.Bill); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// lot opens a lot of a history's own.
func (m *mill) lot(id string, zone *time.Location) *gateway.Venue {
	s := UsualSettings()
	s.Arrears.Over = -1
	s.Tariff.Rounding = tariff.Rounding{To: modelTo, Way: "up"}
	if m.mistake == roundedBefore {
		s.Tariff.Rounding.At = "unit"
	}
	rates := s.Tariff.Vehicles[vehicleCar]
	rates.Caps.Hours24 = modelCap
	rates.Periods[0].Steps[0].Price = modelHour
	s.Tariff.Vehicles[vehicleCar] = rates
	if err := s.Validate(); err != nil {
		panic(err)
	}
	v := &gateway.Venue{ID: id, Kind: Kind, Tenant: "hangzhou", Location: zone, Settings: s}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.venues[id] = v
	return v
}
