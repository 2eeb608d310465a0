package journey

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/seal"
)

// Run takes one journey through the plan and returns its answer before req.Deadline. render puts the outcome into
// words; it is pure and may run again inside a ledger commit. The error is ErrKeyReused or ErrKeyRunning where another
// run holds the idempotency key, and otherwise that of an earlier answer that cannot be read any more.
func (p *Proven[In, Out]) Run(e *Engine, req Request, in In, render func(Outcome[Out]) Answer) (Answer, error) {
	r := e.newRun(p.bound, req)
	r.at[0].value = in
	r.render = func(r *run) Answer {
		o := Outcome[Out]{ID: r.req.ID, Kept: r.begun, Assist: r.handed, Pending: r.pending, Sources: r.sources}
		switch {
		case r.stop != nil && r.stop.err != nil:
			o.Err = r.stop.err
		case r.stop == nil:
			o.Value = value[Out](r, r.out)
		}
		return render(o)
	}
	return r.run()
}

// progress is the state of one step.
type progress uint8

const (
	waiting progress = iota
	flying
	done
	failed
	skipped
)

// run is one journey on its way. One goroutine owns it; calls in flight report over landed and touch nothing else.
type run struct {
	*bound
	engine *Engine
	req    Request
	render func(r *run) Answer
	ctx    context.Context // ends when the answer has to be written
	cancel context.CancelFunc
	landed chan landing
	box    seal.Box // the run's data key, once something has to be kept
	boxed  bool

	cursor
	inFlight int // calls that have not landed
	steps    []StepTime
	begun    bool // the run is in the ledger
	broken   bool // the ledger failed: what was to be kept may not be
	ended    bool // the answer is in the ledger
	answer   Answer
	replay   *ledger.Idempotency
}

// cursor is where the run stands: everything that a ledger commit may have to do again from the start.
type cursor struct {
	at      []station // by node
	ready   []int     // steps whose dependencies have ended
	queued  []int     // of those, the ones that wait for a backend or the ledger and are not started
	open    int       // steps that have not ended
	pivoted bool
	stop    *stop
	handed  *ledger.Assist
	pending []string
	sources []gateway.Source
	writes  []func(r *run, tx *ledger.Tx) error // for the next commit
	records []recorded
}

// station is where one step stands.
type station struct {
	value    any
	err      error
	items    []item // of an effect, once they are begun
	left     int    // dependencies that have not ended
	try      int    // Choose: the candidate that is on
	progress progress
	later    bool // the effect is deferred
}

// fork returns a run of its own that stands where r stands. A commit works on forks, since its work may run again, and
// may still be running after its caller had to leave.
func (r *run) fork() *run {
	f := *r
	f.at = slices.Clone(r.at)
	f.ready, f.queued = slices.Clone(r.ready), slices.Clone(r.queued)
	f.pending, f.sources = slices.Clone(r.pending), slices.Clone(r.sources)
	f.writes, f.records = slices.Clone(r.writes), slices.Clone(r.records)
	return &f
}

// recorded is a Record of this run that an undo can take back.
type recorded struct {
	node  int
	value any
}

// stop is why a plan ended early.
type stop struct {
	node     int
	err      *gateway.Error // a refusal, or
	handover *Handover      // a person
	cause    error
}

// landing is what a call in flight brings home.
type landing struct {
	node   int
	value  any
	source gateway.Source
	err    error
	items  []item
	took   time.Duration
}

func (e *Engine) newRun(b *bound, req Request) *run {
	n := len(b.nodes)
	r := &run{bound: b, engine: e, req: req, landed: make(chan landing, n)}
	ints := make([]int, 2*n)
	r.cursor = cursor{at: make([]station, n), ready: ints[:0:n], queued: ints[n : n : 2*n], open: n}
	for i, left := range b.waits {
		r.at[i].left = left
	}
	return r
}

// run drives the plan until every step has ended or one has stopped it, and then brings the answer home.
func (r *run) run() (Answer, error) {
	r.ctx, r.cancel = context.WithDeadline(context.Background(), r.req.Deadline.Add(-r.timing.Overhead))
	r.ctx = call.WithTrace(r.ctx, r.req.Trace, "")
	r.end(0, done)
	for r.open > 0 && r.stop == nil {
		r.advance()
		if r.needsLedger() {
			r.commit()
		}
		if r.ended || r.stop != nil || r.open == 0 || r.replay != nil {
			break
		}
		r.launch()
		if r.inFlight > 0 {
			r.land(<-r.landed)
		}
	}
	err := r.conclude()
	r.leave()
	return r.answer, err
}

// advance runs every pure step whose dependencies have ended and queues the others that are ready.
func (r *run) advance() {
	for len(r.ready) > 0 && r.stop == nil {
		i := r.ready[len(r.ready)-1]
		r.ready = r.ready[:len(r.ready)-1]
		n := r.nodes[i]
		switch {
		case !r.wanted(n):
			r.end(i, skipped)
		case n.kind.pure():
			r.decide(n)
		default:
			r.queued = append(r.queued, i)
		}
	}
}

// wanted reports whether the step's branch is taken.
func (r *run) wanted(n *node) bool {
	for _, g := range n.guards {
		if r.at[g.cond].progress != done || value[bool](r, g.cond) != g.want {
			return false
		}
	}
	return true
}

func (r *run) decide(n *node) {
	switch n.kind {
	case kindTry:
		from := n.deps[0]
		r.at[n.index].value = n.result(r.at[from].value, r.at[from].err, r.at[from].later)
		r.end(n.index, done)
	case kindWhen:
		from := n.branch(r)
		r.at[n.index].value, r.at[n.index].err = r.at[from].value, r.at[from].err
		r.end(n.index, r.at[from].progress)
	default:
		v, err := n.decide(r)
		if err != nil {
			r.fail(n, err)
			return
		}
		r.at[n.index].value = v
		r.end(n.index, done)
	}
}

// end marks a step as ended and frees those that waited for it.
func (r *run) end(i int, as progress) {
	r.at[i].progress = as
	r.open--
	for _, child := range r.children[i] {
		if r.at[child].left--; r.at[child].left == 0 {
			r.ready = append(r.ready, child)
		}
	}
}

// fail gives a step's error its meaning.
func (r *run) fail(n *node, err error) {
	r.at[n.index].err = err
	m := n.meaning.under(r)
	if declared, ok := errors.AsType[Handover](err); ok {
		r.halt(n, &stop{node: n.index, handover: &declared, cause: err})
		return
	}
	switch {
	case m.verdict == without:
		r.at[n.index].value, r.at[n.index].err = n.zero, nil
		r.end(n.index, done)
	case n.tried > 0 && n.tried == n.used:
		r.end(n.index, failed)
	case m.verdict == assist:
		r.halt(n, &stop{node: n.index, handover: &m.handover, cause: err})
	default:
		r.halt(n, &stop{node: n.index, err: m.say(n, err), cause: err})
	}
}

// halt stops the plan. After the pivot there is no way back: a refusal that nobody declared is a person's to decide.
func (r *run) halt(n *node, s *stop) {
	r.end(n.index, failed)
	if r.stop != nil {
		return
	}
	if r.pivoted && s.err != nil && s.err.Problem.Kind == gateway.Internal {
		s.err, s.handover = nil, &Handover{Kind: "interrupted", Hold: true, Next: gateway.Text{
			Zh: "办理过程中断，请人工完成剩余步骤", En: "The journey was interrupted; please finish the steps that are missing"}}
	}
	r.stop = s
}

// say puts an error into the problem that the step declared for it.
func (m *meaning) say(n *node, err error) *gateway.Error {
	if declared, ok := errors.AsType[*gateway.Error](err); ok {
		return declared
	}
	if refused, ok := errors.AsType[*call.Refused](err); ok && m.refusals != nil {
		p := m.refusals[refused.Reason]
		if p == nil {
			p = m.refusals[""]
		}
		return p.Error(gateway.Text{}).WithCause(err)
	}
	if m.verdict == refuse {
		return m.problem.Error(gateway.Text{}).WithCause(err)
	}
	if errors.Is(err, ledger.ErrUnavailable) || errors.Is(err, ledger.ErrUnknown) {
		return ledgerUnavailable(err)
	}
	return gateway.AsError(fmt.Errorf("step %s: %w", n.name, err))
}

// under returns the meaning that the venue's policy chooses.
func (m *meaning) under(r *run) *meaning {
	if m.choose != nil && !m.choose(r) {
		return m.second
	}
	return m
}

// launch sets off the queued calls. One alone runs on the owner's goroutine, since there is nothing else to wait for.
func (r *run) launch() {
	queued := r.queued
	r.queued = r.queued[:0]
	alone := len(queued) == 1 && r.inFlight == 0
	r.inFlight += len(queued)
	for _, i := range queued {
		n := r.nodes[i]
		r.at[i].progress = flying
		if alone {
			r.landed <- r.fly(n)
			return
		}
		go func() { r.landed <- r.fly(n) }()
	}
}

// fly makes the calls of one step. It reads values that have ended and writes only what it returns.
func (r *run) fly(n *node) (l landing) {
	from := r.engine.now()
	l.node = n.index
	defer func() {
		if p := recover(); p != nil {
			l.err = r.engine.panicked(n, p)
			for i := range l.items {
				if l.items[i].err == nil && l.items[i].value == nil {
					l.items[i].err = l.err
				}
			}
		}
		l.took = r.engine.now().Sub(from)
	}()
	if n.kind == kindAsk {
		l.value, l.source, l.err = n.ask(r.ctx, r)
		return l
	}
	l.items = append(l.items, r.at[n.index].items...)
	open := 0
	for i := range l.items {
		if l.items[i].flies() {
			open++
		}
	}
	var wg sync.WaitGroup
	for i := range l.items {
		it := &l.items[i]
		switch {
		case !it.flies():
		case open == 1:
			r.do(n, it)
		default:
			wg.Go(func() { r.do(n, it) })
		}
	}
	wg.Wait()
	return l
}

// flies reports whether the item still has to be called.
func (it *item) flies() bool {
	return it.begun && !it.known && !it.deferred && it.err == nil && it.value == nil
}

// do calls the backend for one item. An operation taken over from a run that died is asked for first.
func (r *run) do(n *node, it *item) {
	defer func() {
		if p := recover(); p != nil {
			it.err = r.engine.panicked(n, p)
		}
	}()
	policy := r.policies[n.index]
	if it.adopted {
		v, happened, err := n.effect.find(r.ctx, r.engine.caller, r.req.Bindings, policy, it.key, it.arg)
		if err != nil || happened {
			it.value, it.err = v, err
			return
		}
	}
	it.value, it.err = n.effect.do(r.ctx, r.engine.caller, r.req.Bindings, policy, it.key, it.arg)
}
