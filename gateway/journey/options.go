package journey

import (
	"reflect"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// Option says how a step stands in its plan: what it waits for, what undoes it, and what its failure means.
type Option func(*declaration, *node)

// verdict is what a failure means for the plan.
type verdict uint8

const (
	silent   verdict = iota // nothing was said: refused at start-up where a step can fail without words of its own
	refuse                  // the plan ends with a problem
	assist                  // a person takes over with what is known
	deferred                // the outbox delivers it later, the plan goes on
	without                 // the plan goes on with the zero value
)

// String returns the word of the option.
func (v verdict) String() string {
	return [...]string{"silent", "refuse", "assist", "defer", "without"}[v]
}

// meaning is everything that a step says about its own failure.
type meaning struct {
	verdict  verdict
	problem  *gateway.Problem
	handover Handover
	due      time.Duration
	choose   func(r *run) bool                    // Defer and Assist under a policy: true means the first one declared
	second   *meaning                             // what holds where choose says false
	refusals map[string]*gateway.Problem          // a backend's definite no, by its reason
	handed   map[string]Handover                  // likewise, where a person takes over
	dueBy    func(v *gateway.Venue) time.Duration // due as the venue says; nil: due
}

// Handover is how a person takes over: what kind of help is needed and what to do next, in words for staff.
// As an error, returned by a Check, a Join or a Record, it is the declared outcome "a person decides".
type Handover struct {
	Kind string       // slug, stable: "identity-mismatch"
	Next gateway.Text // the next action
	Hold bool         // what is settled stays for the person to finish or undo; otherwise a plan before its pivot is undone

	// Of one that a step returns as its error: what it is about, at the venue. While that is not settled, another run that
	// is handed over for the same waits for the same person. "": nothing that two runs could share. No personal data.
	Subject string
	Place   string // where the citizen waits, in the flow's words: the last one's counts
}

// Error makes a Handover an error.
func (h Handover) Error() string { return "a person is needed: " + h.Kind }

// Refuse ends the plan with problem p when the step fails.
func Refuse(p *gateway.Problem) Option {
	return func(d *declaration, n *node) {
		if p == nil {
			d.refuse("step %s refuses without a problem", n.name)
			p = gateway.ProblemInternal
		}
		d.mean(n, meaning{verdict: refuse, problem: p})
	}
}

// Assist hands the journey to a person when the step fails: the answer is 202 with what is done and what is not.
func Assist(h Handover) Option {
	return func(d *declaration, n *node) {
		d.checkHandover(n, h)
		d.mean(n, meaning{verdict: assist, handover: h})
	}
}

// Defer leaves the effect to the outbox when it could not be had in time: the plan goes on, and an operation that is
// still open after due becomes an assist described by h.
func Defer(due time.Duration, h Handover) Option {
	return func(d *declaration, n *node) {
		if !n.kind.effect() || n.kind == kindRecord {
			d.refuse("step %s cannot be deferred: only a commit can", n.name)
		}
		if due <= 0 {
			d.refuse("step %s is deferred without a due time", n.name)
		}
		d.checkHandover(n, h)
		d.mean(n, meaning{verdict: deferred, due: due, handover: h})
	}
}

// Later leaves the effect to the outbox from the beginning, in the very commit that begins it: no call is made while
// anybody waits, so the step owns no slice. An operation that is still open after due becomes an assist described by h.
func Later(due time.Duration, h Handover) Option {
	return func(d *declaration, n *node) {
		Defer(due, h)(d, n)
		n.later = true
	}
}

// DeferBy is Defer with a due time that each venue says for itself; by must return more than 0.
func DeferBy(by func(v *gateway.Venue) time.Duration, h Handover) Option {
	return func(d *declaration, n *node) {
		Defer(deliverWithin, h)(d, n)
		if by == nil {
			d.refuse("step %s leaves its due time to the venue and does not say how", n.name)
		}
		n.meaning.dueBy = by
	}
}

// DeferOrAssist lets the venue's policy decide: Defer where wait says true of the step's venue, else Assist.
func DeferOrAssist(wait func(v *gateway.Venue) bool, due time.Duration, late, ask Handover) Option {
	return func(d *declaration, n *node) {
		Defer(due, late)(d, n)
		d.checkHandover(n, ask)
		if wait == nil {
			d.refuse("step %s leaves it to the venue and does not say how", n.name)
		}
		n.meaning.choose = func(r *run) bool { return wait(r.req.Venue) }
		n.meaning.second = &meaning{verdict: assist, handover: ask}
	}
}

// Without goes on with the zero value when the step fails. An effect that may have happened is still settled, behind
// the answer.
func Without() Option {
	return func(d *declaration, n *node) { d.mean(n, meaning{verdict: without}) }
}

// Refusals maps a backend's definite no, by its reason, to a problem; the reason "" stands for all others. It goes before
// what other failures mean. After the pivot there are none: only forward.
func Refusals(byReason map[string]*gateway.Problem) Option {
	return func(d *declaration, n *node) {
		if n.kind != kindCommit && n.kind != kindChoose {
			d.refuse("step %s cannot map refusals: only a commit or a choose can", n.name)
		}
		if byReason[""] == nil {
			d.refuse("step %s maps refusals without one for the reason \"\"", n.name)
		}
		n.meaning.refusals = byReason
	}
}

// RefusedAssist hands the journey to a person where the backend definitely says no, by its reason; the reason "" stands
// for all others. It goes before what other failures mean. What had happened is taken back unless the Handover holds it.
func RefusedAssist(byReason map[string]Handover) Option {
	return func(d *declaration, n *node) {
		if n.kind != kindCommit && n.kind != kindChoose {
			d.refuse("step %s cannot map refusals: only a commit or a choose can", n.name)
		}
		if _, there := byReason[""]; !there {
			d.refuse("step %s maps refusals without one for the reason \"\"", n.name)
		}
		for _, h := range byReason {
			d.checkHandover(n, h)
		}
		n.meaning.handed = byReason
	}
}

// Interrupted says how a person takes over where the plan has passed its pivot and cannot go on: after a crash, or a
// failure that no step has words for. Without it the kind is "interrupted". It is an option of the pivot.
func Interrupted(h Handover) Option {
	return func(d *declaration, n *node) {
		d.checkHandover(n, h)
		h.Hold = true
		d.plan.interrupted = &h
	}
}

// Expect says what an effect brings where nothing is out of the ordinary. The answer is then drafted before the effect has
// come about, and where it comes out the same it does not wait for its last flush. An effect without a value, a struct{},
// needs no word.
func Expect[A, O any](usually func(A) O) Option {
	return func(d *declaration, n *node) {
		if _, fits := n.effect.(typedWrite[A, O]); !fits || usually == nil {
			d.refuse("step %s says what is expected of another effect", n.name)
			return
		}
		n.expect = func(arg any) any { return usually(arg.(A)) }
	}
}

// Waits says where the citizen of a run waits, by its input: the place of every assist that calls somebody to them, unless
// its Handover has one.
func Waits[In any](b *Builder, in Ref[In], where func(In) string) {
	if in.b != b.d || in.n.kind != kindInput || where == nil {
		b.d.refuse("where the citizen waits is said by a function of the plan's input")
		return
	}
	b.d.plan.waitsAt = func(r *run) string { return where(value[In](r, in.n.index)) }
}

// StepRef is any Ref, for After.
type StepRef interface {
	node() *node
	declaration() *declaration
}

func (r Ref[T]) node() *node               { return r.n }
func (r Ref[T]) declaration() *declaration { return r.b }

// After makes the step wait until the given steps have ended, whatever their values.
func After(steps ...StepRef) Option {
	return func(d *declaration, n *node) {
		for _, s := range steps {
			if s.node() == nil || s.declaration() != d {
				d.refuse("step %s comes after a Ref of another plan", n.name)
				continue
			}
			n.after = append(n.after, s.node().index)
			s.node().awaited++
		}
	}
}

// Pivot marks the step after whose settlement the plan only goes forward.
func Pivot() Option {
	return func(d *declaration, n *node) {
		if !n.kind.effect() {
			d.refuse("step %s cannot be the pivot: it has no effect", n.name)
		}
		n.pivot = true
	}
}

// Disclose says which of the citizen's fields the step tells to the backend, and why; each call puts it on the audit
// trail.
func Disclose(purpose string, fields ...string) Option {
	return func(d *declaration, n *node) {
		if purpose == "" || len(fields) == 0 {
			d.refuse("step %s discloses without a purpose and fields", n.name)
		}
		if !n.kind.calls() {
			d.refuse("step %s discloses nothing: it calls no backend", n.name)
		}
		n.disclose = disclosure{purpose: purpose, fields: fields}
	}
}

// disclosure is what a call tells a backend about a citizen.
type disclosure struct {
	purpose string
	fields  []string
}

// undoer is what takes an effect back: a write with the step's argument, or a decision with the step's value.
type undoer struct {
	name   string
	shape  reflect.Type
	write  effect
	decide func(tx *ledger.Tx, plain []byte) error
	fresh  func(tx *ledger.Tx, value any) error
}

// Undo takes a Commit back with op, which gets the step's own argument.
func Undo[A, O any](op *call.Write[A, O]) Option {
	return func(d *declaration, n *node) {
		if n.kind != kindCommit && n.kind != kindChoose && n.kind != kindCommitEach {
			d.refuse("step %s cannot be undone by a write: it is a %s", n.name, n.kind)
		}
		n.undo = undoer{name: op.Name(), shape: shapeOf[A](), write: typedWrite[A, O]{op: op}}
	}
}

// UndoRecord takes a Record back with d, which gets the step's value.
func UndoRecord[A, O any](decision *ledger.Decision[A, O]) Option {
	return func(d *declaration, n *node) {
		if n.kind != kindRecord {
			d.refuse("step %s cannot be undone by a decision: it is a %s", n.name, n.kind)
		}
		n.undo = undoer{
			name: decision.Name, shape: shapeOf[A](),
			decide: func(tx *ledger.Tx, plain []byte) error {
				a, err := decodeAs[A](plain)
				if err != nil {
					return err
				}
				_, err = decision.Run(tx, a)
				return err
			},
			fresh: func(tx *ledger.Tx, value any) error {
				_, err := decision.Run(tx, value.(A))
				return err
			},
		}
	}
}

func (d *declaration) checkHandover(n *node, h Handover) {
	if h.Kind == "" || h.Next.En == "" || h.Next.Zh == "" {
		d.refuse("step %s hands over without a kind and a next action in both languages", n.name)
	}
}

func (d *declaration) mean(n *node, m meaning) {
	if n.meaning.verdict != silent {
		d.refuse("step %s says twice what its failure means: %s and %s", n.name, n.meaning.verdict, m.verdict)
	}
	m.refusals, m.handed = n.meaning.refusals, n.meaning.handed
	n.meaning = m
}
