package call

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/warmgate/warmgate/gateway"
)

// Many says how a read is asked of many at once.
type Many[A any] struct {
	// At returns the bindings of whom a is asked. Its error, or a panic of it, is a's alone. It is called before Gather
	// returns, for one argument after the other.
	At func(a A) (*Bindings, error)
	// Go runs f on a goroutine and returns at once; f may call it too. f may outlast Gather: it ends, as far as bound functions honour their
	// contexts, within the policy's slice of its last beginning, which is before Gather's end.
	Go func(f func())
}

// Land takes what came of args[i]: as Call returns it.
type Land[O any] func(i int, out O, source gateway.Source, err error)

// ValidateMany refuses a policy that r cannot be gathered under. The error is a *gateway.FieldError.
func (r *Read[A, O]) ValidateMany(p Policy) error { return r.validate(p) }

// AtOnce returns how many calls of a gather may be under way at once.
func (p Policy) AtOnce() int { return p.normal().Parallel }

// Gather asks all of args at once, each of its own instance, under the policy p, which ValidateMany accepts. It returns
// once every one has come to something and never after min(start + p.Slice, ctx's deadline), whatever bound functions do;
// start is now. Each of args lands exactly once, on the caller's goroutine, in no particular order.
//
// What is fresh, or stale and still usable, costs neither a goroutine nor memory of its own. What is missing is asked for
// by at most p.Parallel goroutines, those behind Many.Go; calls under way for others are waited for without one. An
// instance whose last attempt failed is asked after all others, so that it keeps no place from them. Then, behind the
// answer, what was stale is asked for again.
//
// The second level is asked as by Call, within one part of the slice that all of args share: what begins after the first
// half of it asks its backend.
//
// A call that the gather has begun has the whole slice, as every shared one: what comes too late for this gather is kept
// for the next. It lands in memory of its own, never in what the caller was given.
func (r *Read[A, O]) Gather(ctx context.Context, c *Caller, m Many[A], p Policy, start time.Time, args []A, land Land[O]) {
	g := gathering[A, O]{read: r, c: c, policy: p.normal(), args: args, start: start, end: start.Add(p.Slice), trace: traceOf(ctx)}
	if d, ok := ctx.Deadline(); ok && d.Before(g.end) {
		g.end = d
	}
	open, behind := g.look(m.At, land)
	if len(open)+len(behind) == 0 {
		return
	}
	e := &errands[A, O]{gathering: g, all: append(open, behind...), open: len(open), begun: make(chan int, len(open)), spawn: m.Go}
	e.run(land)
}

// gathering is one Gather.
type gathering[A, O any] struct {
	read       *Read[A, O]
	c          *Caller
	policy     Policy // normal
	args       []A
	start, end time.Time
	trace      *trace
}

// look lands everything that is known well enough. What is open has to be asked for; what is stale was landed and is to be
// asked for behind the answer.
func (g *gathering[A, O]) look(at func(a A) (*Bindings, error), land Land[O]) (open, stale []errand[A, O]) {
	w := g.c.wide()
	defer g.c.narrow(w)
	for i := range g.args {
		op, err := g.address(w, at, i)
		if err != nil {
			var none O
			land(i, none, gateway.Source{System: g.read.name, State: gateway.Missing}, fmt.Errorf("cannot call %s: %w", g.read.name, err))
			w.asked = append(w.asked, addressed{end: len(w.key.buf)})
			continue
		}
		w.asked = append(w.asked, addressed{op: op, end: len(w.key.buf), personal: w.key.personal})
	}
	keys, from := string(w.key.buf), 0 // one for all: a key of its own is made for what is asked for
	var suspect []errand[A, O]
	for i, to := range w.asked {
		op, asked := to.op.(*bound[A, O])
		key := keys[from:to.end]
		if from = to.end; !asked {
			continue
		}
		e := errand[A, O]{i: i, op: op, personal: to.personal}
		use := g.use(&e, key)
		switch use {
		case useFresh:
			op.in.counters.hits.Add(1)
			land(i, e.kept, gateway.Source{System: op.in.system, AsOf: e.entry.AsOf, State: gateway.Cached}, nil)
			continue
		case useAndRefresh:
			land(i, e.kept, g.read.stale(op, e.entry), nil)
		}
		e.key = strings.Clone(key)
		switch {
		case use == useAndRefresh:
			stale = append(stale, e)
		case op.in.failsNow():
			suspect = append(suspect, e)
		default:
			open = append(open, e)
		}
	}
	return append(open, suspect...), stale
}

// use looks up what is known for key and judges it.
func (g *gathering[A, O]) use(e *errand[A, O], key string) use {
	if key == "" {
		return useNot
	}
	if e.kept, e.entry = g.read.lookup(g.c, key); e.entry == nil {
		return useNot
	}
	return g.policy.Cache.use(e.entry.Absent, g.start.Sub(e.entry.AsOf), g.c.cache.Doubted(e.entry))
}

// address finds whom argument i is asked of and appends its key to w's. A panic of the flow's own code is the error.
func (g *gathering[A, O]) address(w *wide, at func(a A) (*Bindings, error), i int) (op *bound[A, O], err error) {
	n := len(w.key.buf)
	defer func() {
		if v := recover(); v != nil {
			w.key.buf, err = w.key.buf[:n], newPanicError(v)
		}
	}()
	b, err := at(g.args[i])
	if err != nil {
		return nil, err
	}
	if op, err = find[*bound[A, O]](b, g.read.name); err != nil || g.read.spec.Key == nil {
		return op, err
	}
	w.key.domain, w.key.personal = g.read.domain, false
	w.key.buf = append(w.key.buf, op.prefix...)
	g.read.spec.Key(&w.key, g.args[i])
	return op, nil
}

// wide is what looking up many keys needs; a Caller keeps some.
type wide struct {
	key   Key // all keys, one after the other
	asked []addressed
}

// addressed is whom one argument is asked of.
type addressed struct {
	op       served // nil: nobody
	end      int    // of its key
	personal bool
}

func (c *Caller) wide() *wide {
	w, _ := c.wides.Get().(*wide)
	if w == nil {
		w = new(wide)
	}
	w.key.keys = c.keys
	return w
}

func (c *Caller) narrow(w *wide) {
	clear(w.asked) // what a reload replaces must not stay
	w.key.buf, w.asked = w.key.buf[:0], w.asked[:0]
	c.wides.Put(w)
}
