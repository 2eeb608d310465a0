package journey

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
)

// Timing is a plan's section in the configuration: the only place where its time is said.
type Timing struct {
	Journey  time.Duration          `yaml:"journey_budget"` // the citizen's promise, hands and doors included
	Machine  time.Duration          `yaml:"machine_budget"` // what the gateway may use of it
	Flush    time.Duration          `yaml:"flush"`          // allowance for one ledger commit
	Overhead time.Duration          `yaml:"overhead"`       // allowance for scheduling, garbage collection and the answer
	Lease    time.Duration          `yaml:"lease"`          // past the machine budget, after which a run is taken for dead
	Steps    map[string]call.Policy `yaml:"steps"`
}

// Part is one station of a proof: a step on the longest path and what it may cost.
type Part struct {
	Step    string
	Slice   time.Duration // of a call
	Flushes int           // ledger commits
}

// Proof shows that a plan fits its machine budget.
type Proof struct {
	Plan     string
	Path     []Part // the longest path
	Total    time.Duration
	Timing   Timing
	Shortest time.Duration // with less than this left no declared outcome can be had
}

// Proven is a plan whose time is proved: the only thing that can run. It is immutable.
type Proven[In, Out any] struct {
	plan  *Plan[In, Out]
	bound *bound
}

// bound is a plan with its timing.
type bound struct {
	*plan
	spare    *sync.Pool    // of runs that have ended
	calls    int           // steps that wait for a backend
	asks     int           // of those, reads
	policies []call.Policy // by node
	timing   Timing
	proof    Proof
	level    []int           // by node: which of reserves its calls leave untouched
	reserves []time.Duration // for the ledger commits that follow a call; the first one is 0
}

// Prove holds the plan against its timing. It refuses a step without a slice, a slice without a step, a policy that
// doesn't fit its slice, and a longest path past the machine budget, naming the path and the excess.
func (p *Plan[In, Out]) Prove(t Timing) (*Proven[In, Out], error) {
	b, err := p.core.prove(t)
	if err != nil {
		return nil, err
	}
	return &Proven[In, Out]{plan: p, bound: b}, nil
}

// Proof returns what was proved.
func (p *Proven[In, Out]) Proof() Proof { return p.bound.proof }

func (p *plan) prove(t Timing) (*bound, error) {
	b := &bound{plan: p, timing: t, policies: make([]call.Policy, len(p.nodes)), spare: new(sync.Pool)}
	wrong := b.checkTiming()
	used := map[string]bool{}
	for _, n := range p.nodes {
		if !n.calls() {
			continue
		}
		b.calls++
		if n.kind.reads() {
			b.asks++
		}
		policy, ok := t.Steps[n.name]
		if !ok {
			wrong = append(wrong, field("steps."+n.name, "step %s of plan %s has no slice", n.name, p.name))
			continue
		}
		used[n.name] = true
		if err := n.validate(policy); err != nil {
			wrong = append(wrong, below("steps."+n.name, err))
		}
		b.policies[n.index] = policy
	}
	for _, name := range slices.Sorted(maps.Keys(t.Steps)) {
		if !used[name] {
			wrong = append(wrong, field("steps."+name, "plan %s has no step %s that waits for a backend", p.name, name))
		}
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	b.reserve()
	b.proof = b.measure()
	if excess := b.proof.Total - t.Machine; excess > 0 {
		return nil, field("machine_budget", "plan %s needs %s, which is %s more than its machine budget of %s: %s",
			p.name, b.proof.Total, excess, t.Machine, b.proof.Line())
	}
	return b, nil
}

func (b *bound) checkTiming() (wrong []error) {
	t := b.timing
	for _, v := range []struct {
		path  string
		value time.Duration
	}{{"journey_budget", t.Journey}, {"machine_budget", t.Machine}, {"flush", t.Flush}, {"overhead", t.Overhead}, {"lease", t.Lease}} {
		if v.value <= 0 {
			wrong = append(wrong, field(v.path, "%s of plan %s must be more than 0, it is %s", v.path, b.name, v.value))
		}
	}
	if t.Machine > t.Journey {
		wrong = append(wrong, field("machine_budget", "machine budget %s of plan %s is over its journey budget %s", t.Machine, b.name, t.Journey))
	}
	return wrong
}

// measure finds the longest path, the When's branches included, and the shortest way to a declared outcome.
func (b *bound) measure() Proof {
	full, from := b.walk(b.cost)
	ends := slices.Clone(full)
	for i, n := range b.nodes {
		if n.kind.reads() && b.keeps() {
			ends[i] += b.timing.Flush // the answer needs a commit of its own
		}
	}
	end := 0
	for i := range ends {
		if ends[i] > ends[end] {
			end = i
		}
	}
	proof := Proof{Plan: b.name, Timing: b.timing, Total: ends[end] + b.timing.Overhead, Shortest: b.shortest() + b.timing.Overhead}
	for i := end; i >= 0; i = from[i] {
		n := b.nodes[i]
		if part := b.part(n); part.Slice > 0 || part.Flushes > 0 {
			proof.Path = append(proof.Path, part)
		}
	}
	slices.Reverse(proof.Path)
	if ends[end] > full[end] {
		proof.Path = append(proof.Path, Part{Step: "answer", Flushes: 1})
	}
	return proof
}

// keeps reports whether the plan's outcome may have to be kept: it has effects, or a person may have to take over.
func (b *bound) keeps() bool {
	return len(b.effects) > 0 || slices.ContainsFunc(b.nodes, func(n *node) bool { return n.meaning.verdict == assist })
}

// shortest is the least time in which an outcome can be had: of a When's branches the shorter one counts.
func (b *bound) shortest() (least time.Duration) {
	total := make([]time.Duration, len(b.nodes))
	for i, n := range b.nodes {
		deps := n.deps
		if n.kind == kindWhen { // what it waits for: the branches' ends, after its condition and guards
			ends := n.deps[len(n.deps)-len(n.guards)-2:][:2]
			total[i] = min(total[ends[0]], total[ends[1]])
			deps = n.deps[:len(n.deps)-len(n.guards)-2]
		}
		for _, list := range [][]int{deps, n.after} {
			for _, dep := range list {
				if len(b.nodes[dep].guards) <= len(n.guards) {
					total[i] = max(total[i], total[dep])
				}
			}
		}
		total[i] += b.least(n)
		if len(n.guards) == 0 {
			least = max(least, total[i])
		}
	}
	return least
}

// reserve finds what each call leaves for the ledger commits that have to follow it, so that a plan which is given less
// than its budget can still keep how it ended.
func (b *bound) reserve() {
	after, from := make([]int, len(b.nodes)), make([]int, len(b.nodes)) // commits after the step, and from its beginning on
	for i := len(b.nodes) - 1; i >= 0; i-- {
		for _, child := range b.children[i] {
			after[i] = max(after[i], from[child])
		}
		switch n := b.nodes[i]; {
		case n.kind == kindRecord:
			from[i] = max(1, after[i]) // what follows it at once is begun in its own commit
		case n.later: // what follows it at once is begun in its own commit
			from[i] = max(1, after[i])
		case n.kind.effect():
			after[i] = max(1, after[i])
			from[i] = after[i] + 1
		default:
			from[i] = after[i]
		}
	}
	b.reserves, b.level = []time.Duration{0}, make([]int, len(b.nodes))
	for i, n := range b.nodes {
		if !n.calls() {
			continue
		}
		if b.keeps() {
			after[i] = max(1, after[i]) // the answer's
		}
		d := time.Duration(after[i]) * b.timing.Flush
		if b.level[i] = slices.Index(b.reserves, d); b.level[i] < 0 {
			b.level[i] = len(b.reserves)
			b.reserves = append(b.reserves, d)
		}
	}
}

// walk sums cost along the longest way to each step; from is the step before it on that way.
func (b *bound) walk(cost func(*node) time.Duration) (total []time.Duration, from []int) {
	total, from = make([]time.Duration, len(b.nodes)), make([]int, len(b.nodes))
	for i, n := range b.nodes {
		from[i] = -1
		for _, list := range [][]int{n.deps, n.after} {
			for _, dep := range list {
				if from[i] < 0 || total[dep] > total[from[i]] {
					from[i] = dep
				}
			}
		}
		if from[i] >= 0 {
			total[i] = total[from[i]]
		}
		total[i] += cost(n)
	}
	return total, from
}

// part says what a step may cost: one flush for a Record, two for a Commit, one more for each further candidate.
func (b *bound) part(n *node) Part {
	part := Part{Step: n.name}
	if n.calls() {
		part.Slice = b.policies[n.index].Slice
	}
	switch {
	case n.kind == kindRecord:
		part.Flushes = 1
	case n.later: // it is begun in the commit of what it follows from
	case n.kind == kindCommit, n.kind == kindCommitEach:
		part.Flushes = 2
	case n.kind == kindChoose:
		part.Flushes = n.max + 1
	}
	return part
}

func (b *bound) cost(n *node) time.Duration {
	part := b.part(n)
	return part.Slice + time.Duration(part.Flushes)*b.timing.Flush
}

// least is what a step costs at the very least where an outcome is still to be declared: the flushes, and the minimum
// of a call that the plan cannot go on without.
func (b *bound) least(n *node) time.Duration {
	part := b.part(n)
	least := time.Duration(part.Flushes) * b.timing.Flush
	if v := n.meaning.verdict; n.calls() && n.tried == 0 && (v == refuse || v == assist) {
		least += b.policies[n.index].Min
	}
	return least
}

// Line returns the longest path in one line: "find 250ms → admit 1 flush → …".
func (p Proof) Line() string {
	var s strings.Builder
	for _, part := range p.Path {
		s.WriteString(part.Step)
		if part.Slice > 0 {
			fmt.Fprintf(&s, " %s", part.Slice)
		}
		if part.Flushes > 0 {
			fmt.Fprintf(&s, " + %d × flush %s", part.Flushes, p.Timing.Flush)
		}
		s.WriteString(" → ")
	}
	fmt.Fprintf(&s, "overhead %s", p.Timing.Overhead)
	return s.String()
}

func field(path, format string, args ...any) error {
	return &gateway.FieldError{Path: path, Message: fmt.Sprintf(format, args...)}
}

// below puts the path of a mistake under the path of its section.
func below(path string, err error) error {
	if e, ok := errors.AsType[*gateway.FieldError](err); ok {
		return &gateway.FieldError{Path: path + "." + e.Path, Message: e.Message}
	}
	return &gateway.FieldError{Path: path, Message: err.Error()}
}
