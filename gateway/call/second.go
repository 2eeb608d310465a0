package call

import (
	"context"
	"fmt"
	"hash/fnv"
	"reflect"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/cache"
)

// Codec turns answers into bytes and back. Both functions are safe for concurrent use; what Decode makes of what Encode
// has made is the same answer.
type Codec[O any] struct {
	Encode func(o O) ([]byte, error)
	Decode func(b []byte) (O, error)
}

// JSON returns the codec of a type that JSON holds wholly.
func JSON[O any]() *Codec[O] {
	return &Codec[O]{
		Encode: func(o O) ([]byte, error) { return json.Marshal(o) },
		Decode: func(b []byte) (o O, err error) {
			err = json.Unmarshal(b, &o, json.RejectUnknownMembers(true))
			return o, err
		},
	}
}

// shapeOf sums up how a type is built, so that an answer is not read as one of another version: names and types of all
// fields, as deep as they go.
func shapeOf(t reflect.Type) uint64 {
	h := fnv.New64a()
	seen := map[reflect.Type]bool{}
	var walk func(t reflect.Type)
	walk = func(t reflect.Type) {
		fmt.Fprintf(h, "%s %s;", t.Kind(), t)
		if seen[t] {
			return
		}
		seen[t] = true
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array:
			walk(t.Elem())
		case reflect.Map:
			walk(t.Key())
			walk(t.Elem())
		case reflect.Struct:
			for f := range t.Fields() {
				fmt.Fprintf(h, "%s %q ", f.Name, f.Tag)
				walk(f.Type)
			}
		}
	}
	walk(t)
	return h.Sum64()
}

// newJob is a call of r that may ask the second level.
func (r *Read[A, O]) newJob(ctx context.Context, c *Caller, op *bound[A, O], p Policy, a A, start time.Time, personal bool) *job[A, O] {
	j := newJob(ctx, c, op.in, p, op.f, a, start)
	j.second, j.part = r.second(c, p, personal), p.Cache.SecondLevel
	return j
}

// second returns what a call of r may ask before the backend, nil: nothing. One that identifies a person asks nobody.
func (r *Read[A, O]) second(c *Caller, p Policy, personal bool) cache.Second {
	if p.Cache.SecondLevel > 0 && !personal && r.spec.Share != nil && c.cache != nil {
		return c.cache.Second()
	}
	return nil
}

// askSecond asks the second level within its part of the slice, and reports whether that is the call's answer. What it
// knows is in the memory afterwards, so that it may still back up a call that fails.
func (r *Read[A, O]) askSecond(j *job[A, O], f *flight[O], key string) bool {
	asked := time.Now()
	if j.part <= 0 || !j.enough(j.deadline.Sub(asked)-j.part) {
		return false
	}
	k, ok := j.second.Get(key, r.shape, j.part)
	j.start = time.Now() // the attempts begin now
	if !ok {
		return false
	}
	out, err := decoded(r.spec.Share.Decode, k.Body)
	k.Keep = j.policy.Cache.keep(k.Absent)
	age := j.start.Sub(k.AsOf)
	if err != nil || age >= k.Keep {
		return false
	}
	if e := j.c.lookup(key); e != nil && e.AsOf.After(k.AsOf) {
		return false // this process has asked since
	}
	r.remember(j, key, out, k, asked)
	switch j.policy.Cache.use(k.Absent, age, false) {
	case useFresh:
		f.from = gateway.Cached
	case useAndRefresh:
		if j.behind {
			return false
		}
		f.from = gateway.Stale
	default:
		return false
	}
	f.out, f.asOf = out, k.AsOf
	return true
}

// decoded turns a panic into an error.
func decoded[O any](decode func([]byte) (O, error), b []byte) (out O, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = newPanicError(v)
		}
	}()
	return decode(b)
}

// fromSecond answers with what the second level knew. Where that is stale it is asked for again behind the answer.
func (r *Read[A, O]) fromSecond(ctx context.Context, c *Caller, op *bound[A, O], p Policy, a A, key string, l landed[O]) (O, gateway.Source) {
	if l.from == gateway.Stale {
		r.refresh(r.newJob(ctx, c, op, p, a, time.Now(), false), key)
	}
	return l.out, r.unasked(op, l)
}

// unasked counts an answer that no backend was asked for, fresh or stale, and says so in its source.
func (r *Read[A, O]) unasked(op *bound[A, O], l landed[O]) gateway.Source {
	if l.from == gateway.Stale {
		op.in.counters.stale.Add(1)
	} else {
		op.in.counters.hits.Add(1)
	}
	return gateway.Source{System: op.in.system, AsOf: l.asOf, State: l.from}
}

// spare returns what may answer after a failure: what was known before, or what the second level has known more; nil:
// nothing may.
func (r *Read[A, O]) spare(c *Caller, p CachePolicy, second cache.Second, key string, kept O, entry *cache.Entry) (O, *cache.Entry) {
	if second != nil {
		if k, e := r.lookup(c, key); e != nil {
			kept, entry = k, e
		}
	}
	if entry == nil || !p.mayBackUp(entry.Absent, time.Since(entry.AsOf)) {
		return kept, nil
	}
	return kept, entry
}

// drop ends what is known under key, also at other replicas where this process knew something that they may know too.
func (r *Read[A, O]) drop(j *job[A, O], key string) {
	known := j.second != nil && j.c.lookup(key) != nil
	j.c.cache.Drop(key)
	if known {
		j.second.Forget(key)
	}
}

// Forget ends what is known of a's answer, here and at all replicas that share a cache: something has changed it. What is
// asked for from now on is asked of the backend, and what was asked for before is not kept, even if it is still under way.
func (r *Read[A, O]) Forget(c *Caller, b *Bindings, a A) error {
	op, err := find[*bound[A, O]](b, r.name)
	if err != nil || r.spec.Key == nil || c.cache == nil {
		return err
	}
	key, personal := r.key(c, op, a)
	c.cache.Forget(key)
	c.overtake(key)
	if second := c.cache.Second(); second != nil && !personal && r.spec.Share != nil {
		second.Forget(key)
	}
	return nil
}
