package journey

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/ledger/ledgertest"
	"github.com/warmgate/warmgate/gateway/outbox"
)

// stepDraw is one effect of a random plan.
type stepDraw struct {
	name    string
	record  bool
	meaning string // of a commit
	backend string // how it behaves at first
	stops   bool   // a check before it refuses the journey
}

// planDraw is a random plan: effects before the pivot, the pivot, effects after it, the last ones perhaps side by side.
type planDraw struct {
	steps []stepDraw
	pivot int
	side  bool
}

func drawPlan(t *rapid.T) (p planDraw) {
	before, after := rapid.IntRange(0, 2).Draw(t, "before"), rapid.IntRange(0, 2).Draw(t, "after")
	p.pivot, p.side = before, rapid.Bool().Draw(t, "side by side")
	for i := range before + 1 + after {
		s := stepDraw{name: fmt.Sprint("s", i), record: rapid.Bool().Draw(t, "record")}
		meanings := []string{"refuse", "assist", "hold"}
		switch {
		case i == before:
			meanings = []string{"refuse", "assist", "hold", "defer"}
		case i > before:
			meanings = []string{"assist", "defer", "without"}
		}
		s.meaning = rapid.SampledFrom(meanings).Draw(t, "meaning")
		s.backend = rapid.SampledFrom([]string{"done", "done", "done", "refused", "lost before", "lost after", "not sent", "slow"}).Draw(t, "backend")
		s.stops = i <= before && rapid.IntRange(0, 9).Draw(t, "stops") == 0
		p.steps = append(p.steps, s)
	}
	return p
}

// city is the backend of the model, and what it has seen.
type city struct {
	*world
	sell, unsell *call.Write[string, string]

	mu     sync.Mutex
	says   map[string]string // by step
	sold   map[string]int    // by seat: run/step
	wrongs []string
}

func (c *city) bind() {
	bindings := call.NewBindings(c.venue)
	instance, err := call.NewInstance("fake/west-lake", "ticketing", call.InstanceConfig{}, slog.New(slog.DiscardHandler))
	if err != nil {
		c.t.Fatal(err)
	}
	call.BindWrite(bindings, c.sell, instance, call.Effect[string, string]{Do: c.do, Find: c.find})
	call.BindWrite(bindings, c.unsell, instance, call.Effect[string, string]{Do: c.undo, Find: c.find})
	c.bindings = bindings
}

// do brings an effect about, which must have been begun in the ledger before.
func (c *city) do(ctx context.Context, key, seat string) (string, error) {
	if c.isDead() {
		return "", errLost
	}
	begun := false
	_ = c.ledger.View(ctx, func(q ledger.Querier) error {
		op, found, err := ledger.FindOperation(q, key)
		begun = err != nil || found && (op.State == ledger.OpBegun || op.State == ledger.OpDeferred || op.State == ledger.OpUndoing)
		return err
	})
	c.mu.Lock()
	says := c.says[seat[strings.LastIndex(seat, "/")+1:]]
	if says == "slow" {
		c.mu.Unlock()
		<-ctx.Done()
		return "", ctx.Err()
	}
	defer c.mu.Unlock()
	if !begun {
		c.wrongs = append(c.wrongs, "called without an operation: "+key)
	}
	switch says {
	case "refused":
		return "", call.Refuse("no", nil)
	case "lost before":
		return "", errLost
	case "not sent":
		return "", call.NotSent(errLost)
	}
	c.sold[seat] = 1 // the key makes asking twice the same
	if says == "lost after" {
		return "", errLost
	}
	return "ok", nil
}

func (c *city) find(_ context.Context, _, seat string) (string, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead {
		return "", false, errLost
	}
	return "ok", c.sold[seat] > 0, nil
}

func (c *city) undo(_ context.Context, _, seat string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sold[seat] = 0
	return "", nil
}

// declare makes the plan. Each step's argument is the run's name and its own.
func (c *city) declare(p planDraw) (*Plan[string, string], error) {
	return Define("model", func(b *Builder, in Ref[string]) Ref[string] {
		last := in
		var ends []Ref[string]
		for i, s := range p.steps {
			stops := s.stops
			arg := Join(b, "arg "+s.name, in, last, func(run, _ string) (string, error) {
				if stops {
					return "", problemHeld.Error(gateway.Text{})
				}
				return run + "/" + s.name, nil
			})
			var end Ref[string]
			if s.record {
				var opts []Option
				if i == p.pivot {
					opts = append(opts, Pivot())
				}
				if i < p.pivot {
					opts = append(opts, UndoRecord(release))
				}
				end = Record(b, s.name, hold, arg, opts...)
			} else {
				end = Commit(b, s.name, c.sell, arg, c.options(i, s, p)...)
			}
			if i >= p.pivot && p.side {
				ends = append(ends, end)
				if i > p.pivot {
					continue // the next one too follows the pivot
				}
			}
			last = end
		}
		for _, end := range ends {
			last = Join(b, "sum "+end.n.name, last, end, both)
		}
		return last
	})
}

func (c *city) options(i int, s stepDraw, p planDraw) []Option {
	opts := []Option{map[string]Option{
		"refuse": Refuse(problemSold), "assist": Assist(handover), "defer": later, "without": Without(),
		"hold": Assist(Handover{Kind: "held", Next: handover.Next, Hold: true}),
	}[s.meaning]}
	if i <= p.pivot {
		opts = append(opts, Undo(c.unsell), sold)
	}
	if i == p.pivot {
		opts = append(opts, Pivot())
	}
	return opts
}

// settle lets the outbox and recovery run until nothing is left to do.
func (c *city) settle(t *rapid.T, proven Installable) {
	c.mu.Lock()
	c.says = nil
	c.mu.Unlock()
	c.revive(proven)
	handlers := c.engine.Handlers()
	for range 20 {
		c.pass(2 * time.Minute)
		if _, err := c.engine.Recover(context.Background()); err != nil {
			t.Fatal(err)
		}
		var due []ledger.Message
		err := c.ledger.Commit(context.Background(), applied(func(tx *ledger.Tx) (err error) {
			due, err = tx.LeaseMessages(c.venue.ID, c.clock(), c.clock().Add(time.Second), 100)
			return err
		}))
		if err != nil {
			t.Fatal(err)
		}
		if len(due) == 0 {
			return
		}
		for _, m := range due {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			failure := handlers[m.Kind](ctx, m)
			cancel()
			err := c.ledger.Commit(context.Background(), applied(func(tx *ledger.Tx) error {
				switch {
				case failure == nil:
					_, err := tx.FinishMessage(m)
					return err
				case outbox.IsDead(failure):
					if _, err := tx.KillMessage(m, ""); err != nil {
						return err
					}
					return c.engine.Dead(tx, m, failure.Error())
				}
				_, err := tx.RetryMessage(m, c.clock(), "")
				return err
			}))
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Fatal("the outbox never ends")
}

// TestPlansKeepTheirWordWhateverFails runs random plans against random failures, and lets them crash anywhere.
func TestPlansKeepTheirWordWhateverFails(t *testing.T) {
	c := &city{world: newWorld(t)}
	key := func(seat string) string { return "sell/" + seat }
	c.sell = call.NewWrite[string, string]("model.sell", call.WriteSpec[string]{Key: key})
	c.unsell = call.NewWrite[string, string]("model.unsell", call.WriteSpec[string]{Key: key})
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlan(t)
		c.bind()
		c.says, c.sold, c.wrongs = map[string]string{}, map[string]int{}, nil
		tm := timing()
		for _, s := range p.steps {
			c.says[s.name] = s.backend
			if !s.record {
				tm.Steps[s.name] = call.Policy{Slice: 40 * time.Millisecond}
			}
		}
		plan, err := c.declare(p)
		if err != nil {
			t.Fatal(err)
		}
		proven, err := plan.Prove(tm)
		if err != nil {
			t.Fatal(err)
		}
		c.engine.Install(proven)
		req := c.request()
		req.Idempotency = &Idempotency{Scope: [32]byte([]byte(req.ID[4:])[:32])}
		crash := rapid.SampledFrom([]string{"", "", "crash", "lost", "full"}).Draw(t, "ledger")
		at := rapid.IntRange(1, 6).Draw(t, "at commit")
		switch crash {
		case "crash":
			c.dieAfter(at)
		case "lost":
			c.faultAt(at, ledgertest.Lost)
		case "full":
			c.faultAt(at, ledgertest.Full)
		}
		from := time.Now()
		a, err := proven.Run(c.engine, req, req.ID, render)
		if took := time.Since(from); err != nil || took > 2*time.Second {
			t.Fatalf("answered after %s: %v", took, err)
		}
		died := c.isDead()
		c.settle(t, proven)
		if died {
			a = Answer{Status: 503}
		} else if a.Err != nil && a.Err.Problem == gateway.ProblemLedgerUnavailable {
			a.Status = 503
		}
		c.judge(t, p, req.ID, a)
	})
}

// judge holds what is left at the end against what was answered.
func (c *city) judge(t *rapid.T, p planDraw, run string, a Answer) {
	for _, w := range c.wrongs {
		t.Error(w)
	}
	there := make([]bool, len(p.steps))
	assisted := false
	c.view(func(q ledger.Querier) error {
		r, found, err := ledger.FindRun(q, run)
		if found && (r.State == ledger.RunRunning || r.State == ledger.RunRecovering) {
			t.Errorf("the run is still %s", r.State)
		}
		assisted = r.State == ledger.RunAssist
		for i, s := range p.steps {
			seat, n := run+"/"+s.name, 0
			if s.record {
				err = q.QueryRow(`SELECT COUNT(*) FROM holds WHERE seat = $1`, seat).Scan(&n)
			} else {
				n = c.sold[seat]
			}
			there[i] = n > 0
			if err != nil || n > 1 {
				t.Errorf("step %s has happened %d times (%v)", s.name, n, err)
			}
		}
		ops, err := ledger.OperationsOf(q, run)
		for _, op := range ops {
			c.judgeOperation(t, op, run)
		}
		return err
	})
	pivot := there[p.pivot]
	for i, s := range p.steps {
		switch {
		case there[i] && a.Status == 409:
			t.Errorf("refused, and step %s stands", s.name)
		case i < p.pivot && pivot && !there[i]:
			t.Errorf("the pivot stands, and step %s is undone", s.name)
		case i < p.pivot && !pivot && there[i] && !assisted:
			t.Errorf("the pivot came to nothing, and step %s stands", s.name)
		case i <= p.pivot && a.Status == 201 && !there[i]:
			t.Errorf("done, and step %s is not", s.name)
		case i > p.pivot && a.Status == 201 && !there[i] && s.meaning != "without":
			t.Errorf("done, and step %s after the pivot is not", s.name)
		}
	}
	if t.Failed() {
		t.Logf("plan %+v, answer %d %q", p, a.Status, a.Body)
	}
}

func (c *city) judgeOperation(t *rapid.T, op ledger.Operation, run string) {
	happened := op.Kind == ledger.OpWrite && c.sold[run+"/"+op.Step] > 0
	switch op.State {
	case ledger.OpDone:
		if op.Kind == ledger.OpWrite && !happened {
			t.Errorf("step %s is done in the ledger alone", op.Step)
		}
	case ledger.OpRefused, ledger.OpUndone:
		if happened {
			t.Errorf("step %s is %s in the ledger and has happened", op.Step, op.State)
		}
	case ledger.OpAssist:
	default:
		t.Errorf("step %s is still %s", op.Step, op.State)
	}
}
