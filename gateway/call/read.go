package call

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/cache"
)

// ReadSpec says what the engine has to know about a read.
type ReadSpec[A, O any] struct {
	// Key writes the identity of what a asks for: equal keys have equal answers. nil: neither cached nor shared.
	Key func(k *Key, a A)
	// Absent reports an answer that says that there is nothing; such answers follow the policy's negative. nil: none does.
	Absent func(o O) bool
	// Size is about how many bytes o holds, for the cache's bound. nil: those of the type O alone; give it
	// where O has strings, slices, maps or pointers.
	Size func(o O) int
	// Share lets answers be kept in the cache that replicas share, where the policy asks for it. Only for answers that say
	// nothing of a person: what is there is sealed, but erased with nobody. nil: answers stay in this process.
	Share *Codec[O]
}

// Read is one typed question to an outside system: it changes nothing there, so it may be cached, shared, hedged and
// tried again. Declare it once, share it freely.
type Read[A, O any] struct {
	name   string
	domain string // of the keyed hashes in its keys
	spec   ReadSpec[A, O]
	size   int
	shape  uint64 // of O
}

// NewRead declares a read. The name ("tickets.lookup") is unique among all operations of a flow.
func NewRead[A, O any](name string, spec ReadSpec[A, O]) *Read[A, O] {
	t := reflect.TypeFor[O]()
	return &Read[A, O]{name: name, domain: "call-key:" + name, spec: spec, size: int(t.Size()), shape: shapeOf(t)}
}

// Name returns the operation's name.
func (r *Read[A, O]) Name() string { return r.name }

// Bound reports whether b has a system for r.
func (r *Read[A, O]) Bound(b *Bindings) bool {
	_, ok := b.ops[r.name].(*bound[A, O])
	return ok
}

// Validate refuses a policy that r cannot be called under. The error is a *gateway.FieldError.
func (r *Read[A, O]) Validate(p Policy) error {
	if p.Parallel != 0 {
		return field("parallel", "has no use: %s is asked once", r.name)
	}
	return r.validate(p)
}

func (r *Read[A, O]) validate(p Policy) error {
	if err := p.Validate(); err != nil {
		return err
	}
	if p.Cache != (CachePolicy{}) && r.spec.Key == nil {
		return field("cache", "%s cannot be cached: it has no key", r.name)
	}
	if p.Cache.Negative > 0 && r.spec.Absent == nil {
		return field("cache.negative", "%s has no absent answers", r.name)
	}
	if p.Cache.SecondLevel > 0 && r.spec.Share == nil {
		return field("cache.second_level", "answers of %s stay in this process", r.name)
	}
	return nil
}

// Call answers a under the policy p, which Validate accepts, by min(p.Slice, ctx's deadline) from now, as far as bound
// functions honour their contexts. Give it the journey's context: the slice is cut here. Nothing is begun for a ctx that
// is cancelled; a call that has begun is not cancelled. The answer may be shared with others and must not be changed.
// The source is true for errors too: a Refused is a live answer, all else is missing.
func (r *Read[A, O]) Call(ctx context.Context, c *Caller, b *Bindings, p Policy, a A) (O, gateway.Source, error) {
	return r.CallFrom(ctx, c, b, p, time.Now(), a)
}

// CallFrom is Call for who has just looked at the clock: start is now.
func (r *Read[A, O]) CallFrom(ctx context.Context, c *Caller, b *Bindings, p Policy, start time.Time, a A) (O, gateway.Source, error) {
	op, err := find[*bound[A, O]](b, r.name)
	if err != nil {
		var none O
		return none, gateway.Source{System: r.name, State: gateway.Missing}, err
	}
	if cancelled(ctx) {
		var none O
		return r.answer(op, none, time.Time{}, NotSent(fmt.Errorf("not begun: %w", context.Canceled)))
	}
	if r.spec.Key == nil {
		out, asOf, err := newJob(ctx, c, op.in, p, op.f, a, start).do()
		return r.answer(op, out, asOf, err)
	}
	key, personal := r.key(c, op, a)
	var kept O
	var entry *cache.Entry
	if p.Cache != (CachePolicy{}) { // else what is known is of no use
		kept, entry = r.lookup(c, key)
	}
	if entry != nil {
		switch p.Cache.use(entry.Absent, start.Sub(entry.AsOf), c.cache.Doubted(entry)) {
		case useFresh:
			op.in.counters.hits.Add(1)
			return kept, gateway.Source{System: op.in.system, AsOf: entry.AsOf, State: gateway.Cached}, nil
		case useAndRefresh:
			r.refresh(r.newJob(ctx, c, op, p, a, start, personal), key)
			return kept, r.stale(op, entry), nil
		}
	}
	j := r.newJob(ctx, c, op, p, a, start, personal)
	l := r.shared(ctx, j, key)
	if l.err != nil && OutcomeOf(l.err) != RefusedOutcome {
		if kept, entry = r.spare(c, p.Cache, j.second, key, kept, entry); entry != nil {
			return kept, r.stale(op, entry), nil
		}
	}
	if l.from != gateway.Live && l.err == nil {
		out, source := r.fromSecond(ctx, c, op, p, a, key, l)
		return out, source, nil
	}
	return r.answer(op, l.out, l.asOf, l.err)
}

// stale counts a stale answer and says so in its source.
func (r *Read[A, O]) stale(op *bound[A, O], e *cache.Entry) gateway.Source {
	op.in.counters.stale.Add(1)
	return gateway.Source{System: op.in.system, AsOf: e.AsOf, State: gateway.Stale}
}

func (r *Read[A, O]) answer(op *bound[A, O], out O, asOf time.Time, err error) (O, gateway.Source, error) {
	source := gateway.Source{System: op.in.system, AsOf: asOf, State: gateway.Live}
	if err == nil {
		return out, source, nil
	}
	if OutcomeOf(err) != RefusedOutcome {
		source.AsOf, source.State = time.Time{}, gateway.Missing
	}
	var none O
	return none, source, fmt.Errorf("cannot call %s at %s: %w", r.name, op.in.name, err)
}

// key returns the identity of a for this venue, instance and operation, and whether it is one of a person.
func (r *Read[A, O]) key(c *Caller, op *bound[A, O], a A) (key string, personal bool) {
	k := c.pool.Get().(*Key)
	k.buf, k.keys, k.domain, k.personal = append(k.buf[:0], op.prefix...), c.keys, r.domain, false
	r.spec.Key(k, a)
	key, personal = string(k.buf), k.personal
	c.pool.Put(k)
	return key, personal
}

// lookup returns what is known for key, however old.
func (r *Read[A, O]) lookup(c *Caller, key string) (O, *cache.Entry) {
	if e := c.lookup(key); e != nil {
		if kept, ok := e.Value.(O); ok {
			return kept, e
		}
	}
	var none O
	return none, nil
}

// shared joins the call under way for key or makes it, for whoever else comes. The call has the whole slice, detached
// from its caller; a caller who has less leaves it behind. Only then does it need a goroutine of its own.
func (r *Read[A, O]) shared(ctx context.Context, j *job[A, O], key string) landed[O] {
	left := j.deadline.Sub(j.start)
	f, leads := join[O](j.c, key, j.enough(left), j.cut)
	if f == nil {
		return landed[O]{err: j.tooLate(left)}
	}
	if leads && !j.cut {
		r.fly(j, f, key)
		return f.landed
	}
	if leads {
		go r.fly(j.detached(), f, key)
	} else {
		j.in.counters.coalesced.Add(1)
	}
	timer := time.NewTimer(time.Until(j.deadline))
	defer timer.Stop()
	select {
	case <-f.done:
		return f.landed
	case <-timer.C:
		return landed[O]{err: fmt.Errorf("no answer within %v: %w", j.deadline.Sub(j.start), context.DeadlineExceeded)}
	case <-ctx.Done():
		return landed[O]{err: fmt.Errorf("no longer waited for: %w", ctx.Err())}
	}
}

// refresh asks again behind an answer, unless that is under way.
func (r *Read[A, O]) refresh(j *job[A, O], key string) {
	if f, leads := join[O](j.c, key, true, false); leads {
		j.in.counters.refreshes.Add(1)
		d := j.detached()
		d.behind = true
		go r.fly(d, f, key)
	}
}

// fly makes the call of f, keeps its answer and lets those who wait go on, whatever happens.
func (r *Read[A, O]) fly(j *job[A, O], f *flight[O], key string) {
	defer f.end(j.c, key)
	defer func() {
		if v := recover(); v != nil {
			f.err = newPanicError(v)
		}
	}()
	if j.second != nil && r.askSecond(j, f, key) {
		return
	}
	f.out, f.asOf, f.err = j.do()
	r.keep(j, f, key)
}

// keep remembers an answer. A refusal and an absent answer that is not kept also end what was known before;
// any other error changes nothing.
func (r *Read[A, O]) keep(j *job[A, O], f *flight[O], key string) {
	if j.c.cache == nil || f.err != nil && OutcomeOf(f.err) != RefusedOutcome {
		return
	}
	absent := f.err == nil && r.spec.Absent != nil && r.spec.Absent(f.out)
	keep := j.policy.Cache.keep(absent)
	if f.err != nil || keep <= time.Since(f.asOf) {
		r.drop(j, key)
		return
	}
	r.remember(j, key, f.out, cache.Kept{AsOf: f.asOf, Absent: absent, Keep: keep}, f.asOf)
	if j.second != nil {
		out := f.out
		j.second.Set(key, cache.Kept{Shape: r.shape, AsOf: f.asOf, Absent: absent, Keep: keep},
			func() ([]byte, error) { return r.spec.Share.Encode(out) })
	}
}

// remember keeps an answer in the memory.
func (r *Read[A, O]) remember(j *job[A, O], key string, out O, k cache.Kept, asked time.Time) {
	size := r.size
	if r.spec.Size != nil {
		size = r.spec.Size(out)
	}
	j.c.cache.Set(key, &cache.Entry{Value: out, AsOf: k.AsOf, Absent: k.Absent, Keep: k.Keep - time.Since(k.AsOf), Size: size, Asked: asked})
}
