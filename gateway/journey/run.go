package journey

import (
	"fmt"
	"slices"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/seal"
)

// Run takes one journey through the plan and returns its answer before req.Deadline, as far as the functions bound to
// its operations honour their contexts' deadlines. render puts the outcome into
// words; it is pure and may run again inside a ledger commit. The error is ErrKeyReused or ErrKeyRunning where another
// run holds the idempotency key, and otherwise that of an earlier answer that cannot be read any more, or of a request of
// no venue for a plan that needs one.
func (p *Proven[In, Out]) Run(e *Engine, req Request, in In, render func(Outcome[Out]) Answer) (Answer, error) {
	if err := mayRun(p.bound, req); err != nil {
		return Answer{}, err
	}
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

// mayRun refuses a request of no venue where a run may come into the ledger: by an effect, or by an assist.
func mayRun(b *bound, req Request) error {
	if req.Venue == nil && (len(b.effects) > 0 || slices.ContainsFunc(b.nodes, func(n *node) bool { return n.meaning.verdict == assist })) {
		return fmt.Errorf("cannot run plan %s of no venue: the ledger keeps it at one", b.name)
	}
	return nil
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
	ends   []until // by level: when calls have to end; the first one is the ledger's, by when the answer is written
	landed chan landing
	fliers []func() // by node: its calls, on a goroutine of their own
	box    seal.Box // the run's data key, once something has to be kept
	boxed  bool

	at []station // by node; calls in flight read the stations that they depend on, which have ended
	cursor
	inFlight int // calls that have not landed
	steps    []StepTime
	begun    bool          // the run is in the ledger
	unknown  bool          // a commit's fate is unknown: nothing more is promised
	ended    bool          // the answer is in the ledger
	behind   bool          // the answer is out
	looked   bool          // the ledger was read
	spoiled  map[int]error // records that failed and cost a commit: it is made again as if they had been decided
	answer   Answer
	replay   *ledger.Idempotency
}

// cursor is where the run stands: everything that a ledger commit may have to do again from the start.
type cursor struct {
	ready    []int // steps whose dependencies have ended
	queued   []int // of those, the ones that wait for a backend or the ledger and are not started
	open     int   // steps that have not ended
	pivoted  bool
	stop     *stop
	handed   *ledger.Assist
	pending  []string
	sources  []gateway.Source
	writes   []func(r *run, tx *ledger.Tx) error // for the next commit
	firm     bool                                // of those, some are not known to anybody else
	draft    *Answer                             // that the ledger has for the run, should all that it has begun come about
	records  []recorded
	keys     []string // of the operations that the commit at hand begins
	unproved int      // a Record that was the pivot and that nothing in the ledger shows yet; 0: none
}

// station is where one step stands.
type station struct {
	value    any
	err      error
	lack     error         // what it failed with, where the plan went on without it
	spent    time.Duration // of its slice, by earlier candidates
	items    []item        // of an effect, once they are begun
	left     int           // dependencies that have not ended
	try      int           // Choose: the candidate that is on
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

// newRun returns a run at its beginning.
func (e *Engine) newRun(b *bound, req Request) *run {
	r, _ := b.spare.Get().(*run)
	if r == nil {
		r = b.makeRun()
	}
	r.engine, r.req = e, req
	end := time.Now().Add(req.Deadline.Sub(e.now()) - b.timing.Overhead) // calls know no clock but the process's
	values := traced(req.Trace)
	for i, reserve := range b.reserves {
		r.ends[i].Begin(values, end.Add(-reserve))
	}
	for i, left := range b.waits {
		r.at[i].left = left
	}
	r.open = len(b.nodes)
	r.steps, r.sources = make([]StepTime, 0, b.calls), make([]gateway.Source, 0, b.asks)
	return r
}

// makeRun makes what a run of this plan needs, in as few pieces as there can be.
func (b *bound) makeRun() *run {
	n := len(b.nodes)
	r := &run{bound: b, landed: make(chan landing, n), ends: make([]until, len(b.reserves)), fliers: make([]func(), n)}
	for i, node := range b.nodes {
		r.fliers[i] = func() { r.landed <- r.fly(node) }
	}
	ints := make([]int, 2*n)
	r.at, r.ready, r.queued = make([]station, n), ints[:0:n], ints[n:n:2*n]
	return r
}

// recycle keeps a run for the next journey, once all its calls have landed. One that the ledger has seen is not kept: a
// commit that was given up may still look at it; nor one whose contexts somebody has waited for.
func (r *run) recycle() {
	if r.boxed || r.looked {
		return
	}
	for i := range r.ends {
		if r.ends[i].Waited() {
			return
		}
	}
	clear(r.at)
	for i := range r.ends {
		r.ends[i] = until{}
	}
	*r = run{bound: r.bound, landed: r.landed, ends: r.ends, fliers: r.fliers,
		at: r.at, cursor: cursor{ready: r.ready[:0], queued: r.queued[:0]}}
	r.spare.Put(r)
}

// run drives the plan until every step has ended or one has stopped it, and then brings the answer home.
func (r *run) run() (answer Answer, err error) {
	defer r.leave()
	r.end(0, done)
	for r.open > 0 && r.stop == nil {
		r.advance()
		if r.needsLedger() {
			r.commit()
		}
		if r.ended || r.stop != nil || r.open == 0 || r.replay != nil {
			break
		}
		if r.lookDue() {
			if r.look(); r.replay != nil {
				break
			}
		}
		r.launch()
		if r.inFlight > 0 {
			r.land(<-r.landed)
		}
	}
	r.awaitSiblings()
	err = r.conclude()
	return r.answer, err
}

// advance runs every pure step whose dependencies have ended and queues the others that are ready.
func (r *run) advance() {
	for len(r.ready) > 0 && r.stop == nil {
		i := r.ready[len(r.ready)-1]
		r.ready = r.ready[:len(r.ready)-1]
		n := r.nodes[i]
		switch {
		case n.kind.pure():
			r.decide(n)
		default:
			r.queued = append(r.queued, i)
		}
	}
}

// wanted reports whether the condition i, which has ended, lets step n come about.
func (r *run) wanted(n *node, i int) bool {
	for _, g := range n.guards {
		if g.cond == i && (r.at[i].progress != done || value[bool](r, i) != g.want) {
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
		v, err := r.guarded(n, func() (any, error) { return n.decide(r) })
		if err != nil {
			r.fail(n, err)
			return
		}
		r.at[n.index].value = v
		r.end(n.index, done)
	}
}

// guarded calls the flow's own code: a panic of it is a failure like any other.
func (r *run) guarded(n *node, f func() (any, error)) (v any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = r.engine.panicked(n, p)
		}
	}()
	return f()
}

// end marks a step as ended and frees those that waited for it.
func (r *run) end(i int, as progress) {
	r.at[i].progress = as
	r.open--
	for _, k := range r.gated[i] { // what does not come about waits for nothing
		if r.at[k].progress == waiting && !r.wanted(r.nodes[k], i) {
			r.end(k, skipped)
		}
	}
	for _, child := range r.children[i] {
		if r.at[child].left--; r.at[child].left == 0 && r.at[child].progress == waiting {
			r.ready = append(r.ready, child)
		}
	}
}
