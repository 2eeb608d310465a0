package journey

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/outbox"
)

// The kinds of outbox messages that the engine handles.
const (
	kindDeliver = "deliver" // bring an operation about: ask whether it happened, then do it
	kindSettle  = "settle"  // find out whether an operation happened
	kindUndo    = "undo"    // take a run's effects back, in reverse
	kindRecover = "recover" // settle a run that died
)

// Engine runs plans, and settles behind the answers what they have left open. Safe for concurrent use.
type Engine struct {
	ledger   *ledger.Ledger
	caller   *call.Caller
	bindings func(venue string) *call.Bindings
	logger   *slog.Logger
	now      func() time.Time
	newID    func() string
	keep     time.Duration // of an idempotent answer
	behind   sync.WaitGroup
	crew     crew

	mu    sync.RWMutex
	plans map[string]*bound
}

// Config is what an Engine is made of.
type Config struct {
	Ledger   *ledger.Ledger
	Caller   *call.Caller
	Bindings func(venue string) *call.Bindings // of the current configuration; nil where the venue is unknown
	Logger   *slog.Logger
	Now      func() time.Time
	KeepFor  time.Duration // how long an idempotent answer is kept; 24 h where zero
}

// NewEngine returns an engine without plans.
func NewEngine(c Config) *Engine {
	if c.KeepFor == 0 {
		c.KeepFor = 24 * time.Hour
	}
	return &Engine{
		ledger: c.Ledger, caller: c.Caller, bindings: c.Bindings, logger: c.Logger, now: c.Now, keep: c.KeepFor,
		newID: func() string { return uuid.Must(uuid.NewV7()).String() }, plans: map[string]*bound{}, crew: crew{work: make(chan func())},
	}
}

// Installable is a Proven plan.
type Installable interface{ proven() *bound }

func (p *Proven[In, Out]) proven() *bound { return p.bound }

// Install makes plans known to the outbox and to recovery. A plan of the same name is replaced.
func (e *Engine) Install(plans ...Installable) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, p := range plans {
		e.plans[p.proven().name] = p.proven()
	}
}

// Deferrable names the operations that the installed plans may leave to the outbox.
func (e *Engine) Deferrable() (names []string) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	for _, b := range e.plans {
		for _, i := range b.effects {
			if n := b.nodes[i]; n.meaning.verdict == deferred && !slices.Contains(names, n.effect.name()) {
				names = append(names, n.effect.name())
			}
		}
	}
	return names
}

// Handlers returns the outbox's handlers for the engine's messages.
func (e *Engine) Handlers() map[string]outbox.Handler {
	return map[string]outbox.Handler{
		kindDeliver: e.deliver, kindSettle: e.settleLate, kindUndo: e.undo, kindRecover: e.recoverRun,
	}
}

// Wait returns once everything that goes on behind answers has ended. No run may begin meanwhile.
func (e *Engine) Wait() {
	e.behind.Wait()
	e.crew.dismiss()
}

// Recover hands the runs that died, their lease over, to the outbox. It returns how many it found. It is called at
// start-up and every second after.
func (e *Engine) Recover(ctx context.Context) (int, error) {
	var dead []ledger.Run
	err := e.ledger.View(ctx, func(q ledger.Querier) (err error) {
		dead, err = ledger.AbandonedRuns(q, e.now(), 256)
		return err
	})
	if err != nil || len(dead) == 0 {
		return 0, err
	}
	err = e.ledger.Commit(ctx, applied(func(tx *ledger.Tx) error {
		for _, run := range dead {
			dead, err := tx.BeginRecovery(run.ID)
			if err != nil {
				return err
			}
			if !dead {
				continue
			}
			m := ledger.Message{Key: kindRecover + ":" + run.ID, Kind: kindRecover, Run: run.ID, Venue: run.Venue, Payload: []byte(run.ID), NextAt: tx.Now()}
			if err := tx.Enqueue(m); err != nil {
				return err
			}
		}
		return nil
	}))
	return len(dead), err
}

// step finds the plan and the step of an operation.
func (e *Engine) step(op ledger.Operation) (*bound, *node, error) {
	e.mu.RLock()
	b := e.plans[op.Plan]
	e.mu.RUnlock()
	if b == nil {
		return nil, nil, fmt.Errorf("cannot settle operation of plan %s: there is no such plan", op.Plan)
	}
	for _, n := range b.nodes {
		if n.name == op.Step && n.kind.effect() {
			return b, n, nil
		}
	}
	return nil, nil, fmt.Errorf("cannot settle operation of step %s: plan %s has no such effect", op.Step, op.Plan)
}

// unseal opens bytes of an operation with its run's data key.
func (e *Engine) unseal(q ledger.Querier, op ledger.Operation, sealed []byte, what string) ([]byte, error) {
	run, found, err := ledger.FindRun(q, op.Run)
	if err != nil {
		return nil, err
	}
	if !found || len(run.Key) == 0 {
		return nil, errErased
	}
	box, err := e.ledger.Keys().OpenBox(run.Key)
	if err != nil {
		return nil, err
	}
	return box.Open(sealed, what)
}
