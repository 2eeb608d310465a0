package journey

import (
	"fmt"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
)

// maxGathered bounds how many one step may ask.
const maxGathered = 10_000

// Gather asks all of args at once and goes on when each has come to something, or the step's slice is over: what arrived
// in time counts. The results are in the order of args. Each is a value or an error and says in its Source where it comes
// from and as of when; Why says in one word why there is no value.
//
// What the cache has fresh, or stale and still usable, is taken from there; stale is asked for again behind the answer.
// At most the policy's parallel calls are under way at once. AtMost is required; AtLeast makes too few answers a failure,
// and without it the step cannot fail. Each of args is asked at the run's own venue unless At says otherwise. Like an
// Ask's, the results are kept in the ledger only as facts of an assist.
func Gather[A, O any](b *Builder, step string, op *call.Read[A, O], args Ref[[]A], opts ...Option) Ref[[]Result[O]] {
	n := &node{name: step, kind: kindGather, shape: shapeOf[[]Result[O]](), argShape: shapeOf[A](), zero: []Result[O](nil)}
	n.validate = func(p call.Policy) error {
		if err := op.ValidateMany(p); err != nil {
			return err
		}
		return n.fitsRounds(p)
	}
	from := depend(b, n, args)
	n.askAll = func(r *run, start time.Time) ([]gateway.Source, any, error) {
		return gather(r, n, op, value[[]A](r, from), start)
	}
	return addNode[[]Result[O]](b, n, opts...)
}

// Why says in one word why there is no value; call.Here where there is one.
func (r *Result[O]) Why() call.Why { return call.WhyOf(r.Err) }

// AtMost bounds how many a Gather asks, 1 to 10,000. What comes after in its args is not asked, and says so.
func AtMost(most int) Option {
	return func(d *declaration, n *node) {
		if n.kind != kindGather {
			d.refuse("step %s bounds how many it asks: only a gather asks many", n.name)
		}
		if most < 1 || most > maxGathered {
			d.refuse("step %s asks at most %d: it must be 1 to %d", n.name, most, maxGathered)
			most = 1
		}
		n.max = most
	}
}

// AtLeast says how many answers a Gather needs, or all where fewer are asked; with less it fails, and the step says what
// that means. A backend's definite no is an answer.
func AtLeast(least int) Option {
	return func(d *declaration, n *node) {
		if n.kind != kindGather {
			d.refuse("step %s says how many answers are enough: only a gather asks many", n.name)
		}
		if least < 1 {
			d.refuse("step %s needs at least %d answers: it must be 1 or more", n.name, least)
		}
		n.least = least
	}
}

// At says at which venue each argument of a Gather is asked. Venues of another tenant are unknown to it.
func At[A any](venue func(a A) string) Option {
	return func(d *declaration, n *node) {
		if n.kind != kindGather || n.argShape != shapeOf[A]() || venue == nil {
			d.refuse("step %s says at which venue another thing is asked", n.name)
			return
		}
		n.at = venue
	}
}

// canFail reports whether a step of n's kind can fail by itself.
func (n *node) canFail() bool { return n.kind != kindGather || n.least > 0 }

// validateGather: a bound is no detail, and a meaning that never holds is a mistake.
func (d *declaration) validateGather(n *node) {
	if n.kind != kindGather {
		return
	}
	if n.max < 1 {
		d.refuse("step %s does not say how many it asks: AtMost", n.name)
	}
	if n.least > n.max && n.max > 0 {
		d.refuse("step %s needs at least %d answers and asks at most %d", n.name, n.least, n.max)
	}
	if n.least == 0 && (n.tried > 0 || n.meaning.verdict != silent) {
		d.refuse("step %s says what its failure means, and cannot fail: AtLeast", n.name)
	}
	if len(n.disclose.fields) > 0 {
		d.refuse("step %s discloses to many at once: only a step that asks one may", n.name)
	}
}

// fitsRounds refuses a slice in which the last of the step's calls could not even begin. The second level has one part
// of it, however many rounds there are.
func (n *node) fitsRounds(p call.Policy) error {
	rounds, second := (n.max+p.AtOnce()-1)/p.AtOnce(), p.Cache.SecondLevel
	if least := time.Duration(rounds) * p.Min; second+least > p.Slice {
		also := ""
		if second > 0 {
			also = fmt.Sprintf(" after second_level %s", second)
		}
		return field("slice", "%d calls, %d at once, are %d rounds of at least %s, which do not fit the slice of %s%s",
			n.max, p.AtOnce(), rounds, p.Min, p.Slice, also)
	}
	return nil
}

// gatherWords says what the options of a Gather mean.
func (n *node) gatherWords() (words []string) {
	if n.at != nil {
		words = append(words, "each at its venue")
	}
	if n.least > 0 {
		words = append(words, fmt.Sprintf("at least %d", n.least))
	}
	return words
}

// gather asks, and sums up where the answers come from.
func gather[A, O any](r *run, n *node, op *call.Read[A, O], args []A, start time.Time) ([]gateway.Source, any, error) {
	results := make([]Result[O], len(args))
	for i := n.max; i < len(args); i++ {
		results[i] = Result[O]{Err: errOverBound, Source: gateway.Source{System: op.Name(), State: gateway.Missing}}
	}
	asked := args[:min(len(args), n.max)]
	answers := 0
	var lacking error
	many := call.Many[A]{At: venuesOf[A](r, n.at), Go: r.engine.aside}
	op.Gather(r.until(n), r.engine.caller, many, r.policies[n.index], start, asked, func(i int, o O, s gateway.Source, err error) {
		results[i] = Result[O]{Value: o, Err: err, Source: s}
		switch {
		case s.State != gateway.Missing:
			answers++
		case lacking == nil:
			lacking = err
		}
	})
	sources := summary(results)
	if least := min(n.least, len(asked)); answers < least {
		return sources, nil, fmt.Errorf("%d of %d answered, at least %d must: %w", answers, len(asked), least, lacking)
	}
	return sources, results, nil
}

// errOverBound is the error of what a Gather was given past its bound.
var errOverBound = call.NotSent(fmt.Errorf("%w: there are more than the step may ask", call.ErrNotTaken))

// venuesOf returns whom each argument is asked of.
func venuesOf[A any](r *run, at any) func(a A) (*call.Bindings, error) {
	venue, _ := at.(func(a A) string)
	return func(a A) (*call.Bindings, error) {
		if venue == nil {
			return r.req.Bindings, nil
		}
		id := venue(a)
		b := r.engine.bindings(id)
		if b == nil || b.Venue().Tenant != r.tenant() {
			return nil, call.NotSent(fmt.Errorf("%w at venue %s", call.ErrNotBound, id))
		}
		return b, nil
	}
}

// tenant is whose run it is.
func (r *run) tenant() string {
	if r.req.Venue != nil {
		return r.req.Venue.Tenant
	}
	return r.req.Principal.Tenant
}

// aside runs f, which may outlast its run, on a goroutine. Wait waits for it.
func (e *Engine) aside(f func()) {
	e.behind.Add(1)
	e.crew.run(func() {
		defer e.behind.Done()
		f()
	})
}

// summary has one source for each system and state of the results: as of the oldest of them.
func summary[O any](results []Result[O]) (sources []gateway.Source) {
next:
	for i := range results {
		s := results[i].Source
		for k := range sources {
			if have := &sources[k]; have.System == s.System && have.State == s.State {
				if s.AsOf.Before(have.AsOf) {
					have.AsOf = s.AsOf
				}
				continue next
			}
		}
		sources = append(sources, s)
	}
	return sources
}
