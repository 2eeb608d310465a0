// Package journey declares, proves and runs a plan: the steps of one citizen's journey, each with its slice of the
// machine budget and with what its failure means.
//
// A plan is declared once with Define, proved against its Timing with Prove, and only a Proven plan can run. A Ref
// exists only after its step, so a cycle cannot be written. Inside a run one goroutine owns all scheduling state;
// steps that wait report to it over one channel.
//
// Effects are begun in the ledger before they are called and settled there after. Before the pivot has settled, a
// failing plan is undone in reverse; after it, a failing step is an assist or a deferral. Recovery never resumes a
// plan: after a crash each begun operation is settled by asking the backend.
//
// An answer waits for the flush of everything that only the ledger would know. What recovery would find out anyway, that
// every effect which was begun has happened, is kept behind the answer, where that answer was drafted with the effects'
// beginnings: so it is the same after a crash.
package journey

import (
	"errors"
	"fmt"
)

// Plan is a declared journey from In to Out. It is immutable and holds no time: Prove gives it its slices.
type Plan[In, Out any] struct{ core *plan }

// plan is what a Plan is without its types.
type plan struct {
	name    string
	nodes   []*node // in declaration order, which is a topological order; nodes[0] is the input
	out     int     // the node whose value is the answer
	effects []int   // records and commits in declaration order

	interrupted *Handover           // who takes over past the pivot where nothing else says so; nil: interruptedKind
	waitsAt     func(r *run) string // where the citizen waits; nil: not said

	children [][]int // by node: the steps that wait for it
	gated    [][]int // by node: the steps that run only if it says so
	waits    []int   // by node: how many endings it waits for
	forward  []bool  // by node: it comes after the pivot
}

// Ref is the value of a step that has been declared. It belongs to the plan that made it.
type Ref[T any] struct {
	n *node
	b *declaration
}

// Builder collects the steps of one plan, or of one branch of a When.
type Builder struct {
	d     *declaration
	guard []guard
}

// declaration is a plan in the making: its nodes and everything that is wrong with it so far.
type declaration struct {
	plan  *plan
	names map[string]bool
	wrong []error
}

// guard says that a node belongs to one branch of a When.
type guard struct {
	cond int
	want bool
}

// Define declares a plan. Everything wrong with the declaration is refused here, all mistakes at once: a name used
// twice, a Ref of another plan, an unused step, a step that says nothing about its failure, an undo after the pivot.
func Define[In, Out any](name string, body func(*Builder, Ref[In]) Ref[Out]) (*Plan[In, Out], error) {
	d := &declaration{plan: &plan{name: name}, names: map[string]bool{}}
	b := &Builder{d: d}
	if name == "" {
		d.refuse("a plan needs a name")
	}
	in := addNode[In](b, &node{name: "input", kind: kindInput, shape: shapeOf[In]()})
	out := body(b, in)
	if out.n == nil || out.b != d {
		d.refuse("plan %s answers with a Ref of another plan", name)
	} else {
		d.plan.out = out.n.index
	}
	if len(d.wrong) == 0 {
		d.validate()
	}
	if len(d.wrong) > 0 {
		return nil, fmt.Errorf("plan %s cannot start: %w", name, errors.Join(d.wrong...))
	}
	d.plan.connect()
	return &Plan[In, Out]{core: d.plan}, nil
}

// connect turns the dependencies around, for the run.
func (p *plan) connect() {
	p.children, p.waits, p.forward = make([][]int, len(p.nodes)), make([]int, len(p.nodes)), make([]bool, len(p.nodes))
	p.gated = make([][]int, len(p.nodes))
	for _, n := range p.nodes {
		for _, g := range n.guards {
			p.gated[g.cond] = append(p.gated[g.cond], n.index)
		}
		for _, list := range [][]int{n.deps, n.after} {
			for _, dep := range list {
				p.children[dep] = append(p.children[dep], n.index)
				p.waits[n.index]++
			}
		}
		if n.pivot {
			for i := range p.descendants(n.index) {
				p.forward[i] = true
			}
		}
	}
}

// Name returns the plan's name, which is also the name of its section in the configuration.
func (p *Plan[In, Out]) Name() string { return p.core.name }

func (d *declaration) refuse(format string, args ...any) {
	d.wrong = append(d.wrong, fmt.Errorf(format, args...))
}

// addNode enters a step into the plan and returns its Ref. A Ref is returned even for a step that is refused, so that
// one mistake doesn't hide the next.
func addNode[T any](b *Builder, n *node, opts ...Option) Ref[T] {
	d := b.d
	n.index = len(d.plan.nodes)
	n.guards = append([]guard(nil), b.guard...)
	for _, g := range n.guards {
		n.deps = append(n.deps, g.cond)
	}
	if n.kind != kindInput {
		switch {
		case n.name == "" || n.name == "input":
			d.refuse("a step may not be called %q", n.name)
		case d.names[n.name]:
			d.refuse("step %s is declared twice", n.name)
		}
		d.names[n.name] = true
	}
	for _, o := range opts {
		o(d, n)
	}
	d.plan.nodes = append(d.plan.nodes, n)
	if n.kind.effect() {
		d.plan.effects = append(d.plan.effects, n.index)
	}
	return Ref[T]{n: n, b: d}
}

// depend makes step n wait for the value of r. A Ref of another plan is refused.
func depend[T any](b *Builder, n *node, r Ref[T]) int {
	if r.n == nil || r.b != b.d {
		b.d.refuse("step %s uses a Ref of another plan", n.name)
		return 0
	}
	if !visible(b.guard, r.n.guards) {
		b.d.refuse("step %s uses step %s, which runs only in another branch", n.name, r.n.name)
	}
	n.deps = append(n.deps, r.n.index)
	r.n.used++
	return r.n.index
}

// visible reports whether a step guarded by have may be used inside a branch guarded by at.
func visible(at, have []guard) bool {
	if len(have) > len(at) {
		return false
	}
	for i, g := range have {
		if at[i] != g {
			return false
		}
	}
	return true
}
