package journey

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/warmgate/warmgate/gateway/call"
)

// Live is a plan that runs under the current configuration. A reload proves it anew; a run keeps the timing that it
// began with. Safe for concurrent use.
type Live[In, Out any] struct {
	plan    *Plan[In, Out]
	current atomic.Pointer[Proven[In, Out]]
}

// NewLive returns a plan that cannot run until it is proved.
func NewLive[In, Out any](p *Plan[In, Out]) *Live[In, Out] { return &Live[In, Out]{plan: p} }

// Name returns the plan's name.
func (l *Live[In, Out]) Name() string { return l.plan.Name() }

// Draw returns the plan as text; see Plan.Draw.
func (l *Live[In, Out]) Draw() string { return l.plan.Draw() }

// Effects names the steps of the plan that change something, in the order of their declaration.
func (l *Live[In, Out]) Effects() (steps []string) {
	for _, i := range l.plan.core.effects {
		steps = append(steps, l.plan.core.nodes[i].name)
	}
	return steps
}

// Prove holds the plan against t. Nothing changes until adopt is called, so that all plans change together or none.
func (l *Live[In, Out]) Prove(t Timing) (proof Proof, adopt func(e *Engine), err error) {
	proven, err := l.plan.Prove(t)
	if err != nil {
		return Proof{}, nil, err
	}
	return proven.Proof(), func(e *Engine) {
		e.Install(proven)
		l.current.Store(proven)
	}, nil
}

// Budget returns the machine budget; zero before the plan is proved.
func (l *Live[In, Out]) Budget() time.Duration {
	if p := l.current.Load(); p != nil {
		return p.bound.timing.Machine
	}
	return 0
}

// Shortest returns the shortest way to a declared outcome; zero before the plan is proved.
func (l *Live[In, Out]) Shortest() time.Duration {
	if p := l.current.Load(); p != nil {
		return p.bound.proof.Shortest
	}
	return 0
}

// Policy returns how a step that waits for a backend uses its time; the zero value before the plan is proved, and for any
// other step.
func (l *Live[In, Out]) Policy(step string) call.Policy {
	if p := l.current.Load(); p != nil {
		return p.bound.timing.Steps[step]
	}
	return call.Policy{}
}

// Run takes one journey through the plan; see Proven.Run.
func (l *Live[In, Out]) Run(e *Engine, req Request, in In, render func(Outcome[Out]) Answer) (Answer, error) {
	p := l.current.Load()
	if p == nil {
		return Answer{}, fmt.Errorf("cannot run plan %s: it is not proved", l.Name())
	}
	return p.Run(e, req, in, render)
}
