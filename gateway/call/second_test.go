package call

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/cache"
)

// shelf is a second level that a test scripts.
type shelf struct {
	mu      sync.Mutex
	kept    map[string]cache.Kept
	slow    time.Duration // of each answer; past the time given, there is none
	asked   int
	forgot  []string
	written []cache.Kept
}

func (s *shelf) Get(key string, shape uint64, within time.Duration) (cache.Kept, bool) {
	time.Sleep(min(s.slow, within))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	k, ok := s.kept[key]
	return k, ok && s.slow < within && k.Shape == shape
}

func (s *shelf) Set(key string, k cache.Kept, encode func() ([]byte, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if k.Body, err = encode(); err != nil {
		panic(err)
	}
	s.kept[key] = k
	s.written = append(s.written, k)
}

func (s *shelf) Forget(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.kept, key)
	s.forgot = append(s.forgot, key)
}

// fleet is a world with a second level, whose read may be shared.
type fleet struct {
	*world
	shelf *shelf
	key   string
}

func newFleet(t *testing.T, codec *Codec[int]) *fleet {
	f := &fleet{world: newWorld(t, InstanceConfig{}), shelf: &shelf{kept: map[string]cache.Kept{}}}
	f.caller.cache.Back(f.shelf)
	f.read = NewRead("rooms.count", ReadSpec[string, int]{
		Key: func(k *Key, a string) { k.Text(a) }, Absent: func(o int) bool { return o == 0 }, Share: codec})
	BindRead(f.b, f.read, f.in, f.backend)
	op, err := find[*bound[string, int]](f.b, f.read.name)
	if err != nil {
		t.Fatal(err)
	}
	f.key, _ = f.read.key(f.caller, op, "ticket-1")
	return f
}

// put is what another replica has kept.
func (f *fleet) put(body string, age time.Duration, absent bool) {
	f.shelf.kept[f.key] = cache.Kept{Body: []byte(body), Shape: f.read.shape, AsOf: time.Now().Add(-age), Absent: absent}
}

var shared = Policy{Slice: 500 * ms, Min: 10 * ms, Cache: CachePolicy{Fresh: 5 * time.Second, StaleWhileRevalidate: 10 * time.Second,
	StaleIfError: time.Minute, Negative: time.Second, SecondLevel: 20 * ms}}

// What another replica knows answers as if it were known here, by its age; then the memory has it.
func TestSecondLevel(t *testing.T) {
	for name, row := range map[string]struct {
		body   string
		age    time.Duration
		absent bool
		serve  func(ctx context.Context, n int, a string) (int, error)
		want   int
		state  gateway.State
		asOf   time.Duration // age of the answer
		calls  int64
		then   gateway.State // of the next one
	}{
		"fresh":                     {"42", 2 * time.Second, false, nil, 42, gateway.Cached, 2 * time.Second, 0, gateway.Cached},
		"stale":                     {"42", 6 * time.Second, false, nil, 42, gateway.Stale, 6 * time.Second, 1, gateway.Cached},
		"stale, backend down":       {"42", 6 * time.Second, false, failing, 42, gateway.Stale, 6 * time.Second, 1, gateway.Stale},
		"too stale":                 {"42", 20 * time.Second, false, nil, 7, gateway.Live, 0, 1, gateway.Cached},
		"too stale, backend down":   {"42", 20 * time.Second, false, failing, 42, gateway.Stale, 20 * time.Second, 1, gateway.Stale},
		"over":                      {"42", 2 * time.Minute, false, nil, 7, gateway.Live, 0, 1, gateway.Cached},
		"over, backend down":        {"42", 2 * time.Minute, false, failing, 0, gateway.Missing, 0, 1, gateway.Missing},
		"absent":                    {"0", 500 * ms, true, nil, 0, gateway.Cached, 500 * ms, 0, gateway.Cached},
		"absent for too long":       {"0", 2 * time.Second, true, nil, 7, gateway.Live, 0, 1, gateway.Cached},
		"no value":                  {"nonsense", 0, false, nil, 7, gateway.Live, 0, 1, gateway.Cached},
		"no value, backend down":    {"nonsense", 0, false, failing, 0, gateway.Missing, 0, 1, gateway.Missing},
		"a decoder panics":          {"panic", 0, false, nil, 7, gateway.Live, 0, 1, gateway.Cached},
		"nothing there":             {"", 0, false, nil, 7, gateway.Live, 0, 1, gateway.Cached},
		"refused, and known before": {"42", 20 * time.Second, false, func(context.Context, int, string) (int, error) { return 0, Refuse("gone", nil) }, 0, "", 0, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				codec := JSON[int]()
				f := newFleet(t, &Codec[int]{Encode: codec.Encode, Decode: func(b []byte) (int, error) {
					if string(b) == "panic" {
						panic("no")
					}
					return codec.Decode(b)
				}})
				if row.serve != nil {
					f.serve = row.serve
				}
				if row.body != "" {
					f.put(row.body, row.age, row.absent)
				}
				if row.state == "" {
					if _, _, err := f.call(shared); OutcomeOf(err) != RefusedOutcome {
						t.Fatalf("got %v", err)
					}
					if len(f.shelf.forgot) != 1 || f.caller.lookup(f.key) != nil {
						t.Errorf("forgot %q", f.shelf.forgot)
					}
					return
				}
				f.expect(t, shared, row.want, row.state, row.asOf, row.calls)
				if _, s, _ := f.call(shared); s.State != row.then {
					t.Errorf("then it is %s, want %s", s.State, row.then)
				}
				if len(f.shelf.forgot) != 0 {
					t.Errorf("forgot %q", f.shelf.forgot)
				}
			})
		})
	}
}

// An answer of the backend is kept there with the moment in which it was asked for, an absent one too; errors and what came from
// there are not.
func TestSecondLevelIsToldBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, JSON[int]())
		f.serve = func(ctx context.Context, n int, _ string) (int, error) { return hold(ctx, 100*ms, 8, nil) }
		f.expect(t, shared, 8, gateway.Live, 100*ms, 1)
		k := f.shelf.written[0]
		if string(k.Body) != "8" || k.Absent || time.Since(k.AsOf) != 100*ms || k.Keep != 65*time.Second || k.Shape != f.read.shape {
			t.Errorf("kept %+v", k)
		}
		f.caller.cache.Drop(f.key)
		f.expect(t, shared, 8, gateway.Cached, 100*ms, 1)
		f.caller.cache.Drop(f.key)
		delete(f.shelf.kept, f.key)
		f.serve = func(context.Context, int, string) (int, error) { return 0, nil }
		f.expect(t, shared, 0, gateway.Live, 0, 2)
		if k := f.shelf.written[1]; !k.Absent || k.Keep != time.Second {
			t.Errorf("absent: kept %+v", k)
		}
		f.caller.cache.Drop(f.key)
		delete(f.shelf.kept, f.key)
		f.serve = failing
		f.expect(t, shared, 0, gateway.Missing, 0, 3)
		if len(f.shelf.written) != 2 {
			t.Errorf("written %+v", f.shelf.written)
		}
	})
}

// It has its part of the slice and no more, and the backend what is left; a caller with less leaves at its own deadline.
func TestSecondLevelIsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, JSON[int]())
		f.put("42", 0, false)
		f.shelf.slow = time.Hour
		var left time.Duration
		f.serve = func(ctx context.Context, n int, _ string) (int, error) {
			end, _ := ctx.Deadline()
			left = time.Until(end)
			return hold(ctx, time.Hour, 0, nil)
		}
		began := time.Now()
		if _, _, err := f.call(shared); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != shared.Slice || left != 480*ms {
			t.Errorf("after %v, with %v for the backend: %v", time.Since(began), left, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 25*ms)
		defer cancel()
		began = time.Now()
		_, _, err := f.read.Call(ctx, f.caller, f.b, shared, "ticket-1")
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 25*ms {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		time.Sleep(shared.Slice) // the call goes on for whoever else comes
	})
}

// Many that miss at once ask it once, and the backend not at all.
func TestSecondLevelIsAskedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, JSON[int]())
		f.put("42", time.Second, false)
		f.shelf.slow = 5 * ms
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				if o, s, err := f.call(shared); o != 42 || s.State != gateway.Cached || err != nil {
					t.Errorf("got %d %+v %v", o, s, err)
				}
			})
		}
		all.Wait()
		if f.shelf.asked != 1 || f.calls.Load() != 0 {
			t.Errorf("asked %d times, the backend %d times", f.shelf.asked, f.calls.Load())
		}
	})
}

// What identifies a person stays here, whatever the policy says; so does what has no codec, or a policy that does not ask.
func TestWhatStaysHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, JSON[int]())
		personal := NewRead("tickets.shared", ReadSpec[string, int]{
			Key: func(k *Key, a string) { k.Personal([]byte(a)) }, Share: JSON[int]()})
		BindRead(f.b, personal, f.in, f.backend)
		p := shared
		p.Cache.Negative = 0
		_, _, err := personal.Call(t.Context(), f.caller, f.b, p, "a person")
		if err := errors.Join(err, personal.Validate(p), personal.Forget(f.caller, f.b, "a person")); err != nil {
			t.Fatal(err)
		}
		p.Cache.SecondLevel = 0
		if _, _, err := f.call(p); err != nil {
			t.Fatal(err)
		}
		if f.shelf.asked != 0 || len(f.shelf.written) != 0 || len(f.shelf.forgot) != 0 {
			t.Errorf("asked %d times, written %+v, forgot %q", f.shelf.asked, f.shelf.written, f.shelf.forgot)
		}
	})
}

// Forgotten everywhere; what is under way is waited for by those who came before, and kept by nobody.
func TestForget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, JSON[int]())
		f.serve = func(ctx context.Context, n int, _ string) (int, error) { return hold(ctx, 100*ms, n, nil) }
		var before sync.WaitGroup
		before.Go(func() {
			if o, _, err := f.call(shared); o != 1 || err != nil {
				t.Errorf("who came before: %d %v", o, err)
			}
		})
		time.Sleep(50 * ms)
		if err := f.read.Forget(f.caller, f.b, "ticket-1"); err != nil {
			t.Fatal(err)
		}
		f.expect(t, shared, 2, gateway.Live, 100*ms, 2)
		before.Wait()
		f.expect(t, shared, 2, gateway.Cached, 100*ms, 2)
		if fmt.Sprint(f.shelf.forgot) != fmt.Sprint([]string{f.key}) {
			t.Errorf("forgot %q", f.shelf.forgot)
		}
		if err := NewRead("never.bound", ReadSpec[string, int]{}).Forget(f.caller, f.b, "x"); err == nil {
			t.Error("a read that is not bound is forgotten")
		}
	})
}

// After a gap in what is heard, nothing that was known is called fresh before it was asked for again; and if that fails, it
// answers as stale.
func TestDoubtedIsAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := Policy{Slice: 100 * ms, Cache: CachePolicy{Fresh: 5 * time.Second}}
		w := newWorld(t, InstanceConfig{})
		w.serve = numbered
		w.expect(t, p, 1, gateway.Live, 0, 1)
		w.caller.cache.Doubt()
		time.Sleep(1)
		w.serve = failing
		w.expect(t, p, 1, gateway.Stale, 1, 2)
		w.serve = numbered
		w.expect(t, p, 3, gateway.Live, 0, 3)
		w.expect(t, p, 3, gateway.Cached, 0, 3)
		w.caller.cache.Doubt()
		time.Sleep(1)
		p.Cache.StaleWhileRevalidate = time.Second
		w.expect(t, p, 3, gateway.Stale, 1, 4)
		w.expect(t, p, 4, gateway.Cached, 0, 4)
		w.caller.cache.Doubt()
		time.Sleep(6 * time.Second) // past both
		w.serve = failing
		w.expect(t, p, 0, gateway.Missing, 0, 5)
	})
}

func TestSecondLevelPolicy(t *testing.T) {
	r := NewRead("rooms.count", ReadSpec[string, int]{Key: func(k *Key, a string) { k.Text(a) }, Share: JSON[int]()})
	fresh := CachePolicy{Fresh: time.Second, SecondLevel: 20 * ms}
	for name, row := range map[string]struct {
		read *Read[string, int]
		p    Policy
		want string
	}{
		"good":     {r, Policy{Slice: 100 * ms, Attempts: 2, AttemptTimeout: 40 * ms, Cache: fresh}, ""},
		"one":      {r, Policy{Slice: 100 * ms, Cache: fresh}, ""},
		"no room":  {r, Policy{Slice: 100 * ms, Attempts: 2, AttemptTimeout: 45 * ms, Cache: fresh}, "slice: second_level 20ms + 2 attempts × 45ms + 1 back-offs × 0s = 110ms do not fit the slice of 100ms"},
		"all":      {r, Policy{Slice: 20 * ms, Cache: fresh}, "cache.second_level: 20ms leaves nothing of the slice to ask the backend"},
		"more":     {r, Policy{Slice: 10 * ms, Cache: fresh}, "cache.second_level: must be 0s to the slice of 10ms, is 20ms"},
		"negative": {r, Policy{Slice: 10 * ms, Cache: CachePolicy{Fresh: time.Second, SecondLevel: -1}}, "cache.second_level: must be 0s to the slice of 10ms, is -1ns"},
		"useless":  {r, Policy{Slice: 100 * ms, Cache: CachePolicy{SecondLevel: 20 * ms}}, "cache.second_level: has no use where nothing is kept"},
		"min":      {r, Policy{Slice: 100 * ms, Min: 90 * ms, Cache: fresh}, "min: must be at most the attempt time-out of 80ms, is 90ms"},
		"own": {NewRead("rooms.own", ReadSpec[string, int]{Key: func(k *Key, a string) { k.Text(a) }}), Policy{Slice: 100 * ms, Cache: fresh},
			"cache.second_level: answers of rooms.own stay in this process"},
	} {
		err := row.read.Validate(row.p)
		if got := fmt.Sprint(err); row.want != "" && got != row.want || row.want == "" && err != nil {
			t.Errorf("%s: got %v, want %q", name, err, row.want)
		}
	}
}

// Types that are built differently have different shapes, also deep inside; the same type always has the same.
func TestShapes(t *testing.T) {
	type inner struct{ A int }
	type renamed struct{ B int }
	type tagged struct {
		A int `json:"b"`
	}
	type loop struct{ Next *loop }
	seen := map[uint64]reflect.Type{}
	for _, typ := range []reflect.Type{
		reflect.TypeFor[int](), reflect.TypeFor[int64](), reflect.TypeFor[inner](), reflect.TypeFor[renamed](), reflect.TypeFor[tagged](),
		reflect.TypeFor[[]inner](), reflect.TypeFor[[]renamed](), reflect.TypeFor[map[string]inner](), reflect.TypeFor[*loop](),
		reflect.TypeFor[struct{ X inner }](), reflect.TypeFor[struct{ X renamed }](), reflect.TypeFor[[2]int](), reflect.TypeFor[[3]int](),
	} {
		h := shapeOf(typ)
		if other := seen[h]; other != nil || h != shapeOf(typ) {
			t.Errorf("%v has the shape of %v", typ, other)
		}
		seen[h] = typ
	}
}
