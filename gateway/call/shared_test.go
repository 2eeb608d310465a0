package call

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmgate/warmgate/gateway"
)

// result is what one of several callers got, and after how long.
type result struct {
	out   int
	state gateway.State
	err   error
	took  time.Duration
}

// crowd makes n calls at once, the i-th with the context that ctx makes, and waits for all.
func (w *world) crowd(p Policy, n int, ctx func(i int) context.Context) []result {
	results := make([]result, n)
	var wg sync.WaitGroup
	begun := time.Now()
	for i := range n {
		wg.Go(func() {
			o, s, err := w.read.Call(ctx(i), w.caller, w.b, p, "ticket-1")
			results[i] = result{o, s.State, err, time.Since(begun)}
		})
	}
	wg.Wait()
	return results
}

func background(int) context.Context { return context.Background() }

func TestEqualReadsShareOneCall(t *testing.T) {
	for _, failing := range []error{nil, errDown, Refuse("cancelled", nil)} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, InstanceConfig{})
			w.serve = func(ctx context.Context, n int, _ string) (int, error) { return hold(ctx, 100*ms, n, failing) }
			for _, r := range w.crowd(Policy{Slice: 500 * ms}, 50, background) {
				if !errors.Is(r.err, failing) || r.took != 100*ms || failing == nil && r.out != 1 {
					t.Fatalf("got %+v, want the shared answer", r)
				}
			}
			if s := w.in.Stats(); w.calls.Load() != 1 || s.Coalesced != 49 {
				t.Fatalf("%d backend calls, %d coalesced", w.calls.Load(), s.Coalesced)
			}
			w.call(Policy{Slice: 500 * ms})
			if w.calls.Load() != 2 {
				t.Fatal("a call after the shared one had landed did not ask anew")
			}
		})
	}
}

func TestDifferentReadsShareNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, InstanceConfig{})
		w.serve = func(ctx context.Context, n int, _ string) (int, error) { return hold(ctx, 100*ms, n, nil) }
		var wg sync.WaitGroup
		for _, a := range []string{"a", "b", "c"} {
			wg.Go(func() { w.read.Call(context.Background(), w.caller, w.b, Policy{Slice: time.Second}, a) })
		}
		wg.Wait()
		if w.calls.Load() != 3 {
			t.Fatalf("%d backend calls, want 3", w.calls.Load())
		}
	})
}

// Whoever leads, the shared call has the whole slice, and each leaves at its own deadline or cancellation.
func TestWaitersLeaveAtTheirOwnDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, InstanceConfig{})
		w.serve = func(ctx context.Context, n int, _ string) (int, error) { return hold(ctx, 300*ms, n, nil) }
		p := Policy{Slice: 500 * ms, Cache: CachePolicy{Fresh: time.Minute}}
		lead, cancel := context.WithTimeout(context.Background(), ms)
		defer cancel()
		go w.read.Call(lead, w.caller, w.b, p, "ticket-1")
		synctest.Wait()
		results := w.crowd(p, 10, func(i int) context.Context {
			if i == 9 {
				ctx, cancel := context.WithCancel(context.Background())
				time.AfterFunc(50*ms, cancel)
				return ctx
			}
			ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i+1)*40*ms)
			t.Cleanup(cancel)
			return ctx
		})
		for i, r := range results {
			switch limit := time.Duration(i+1) * 40 * ms; {
			case i == 9:
				if !errors.Is(r.err, context.Canceled) || r.took != 50*ms || r.state != gateway.Missing {
					t.Errorf("the cancelled one got %+v", r)
				}
			case limit < 300*ms:
				if !errors.Is(r.err, context.DeadlineExceeded) || r.took != limit || r.state != gateway.Missing {
					t.Errorf("%d, with %v, got %+v", i, limit, r)
				}
			case r.err != nil || r.out != 1 || r.took != 300*ms:
				t.Errorf("%d, with %v, got %+v", i, limit, r)
			}
		}
		w.expect(t, p, 1, gateway.Cached, 360*ms-60*ms, 1)
	})
}

func TestAnswerThatNobodyWaitedForIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, InstanceConfig{})
		w.serve = func(ctx context.Context, n int, _ string) (int, error) { return hold(ctx, 300*ms, n, nil) }
		p := Policy{Slice: 500 * ms, Cache: CachePolicy{Fresh: time.Minute}}
		ctx, cancel := context.WithTimeout(context.Background(), 10*ms)
		defer cancel()
		if _, _, err := w.read.Call(ctx, w.caller, w.b, p, "ticket-1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		time.Sleep(300 * ms)
		w.expect(t, p, 1, gateway.Cached, 310*ms, 1)
	})
}

func TestKeysCarryTenantVenueInstanceAndOperation(t *testing.T) {
	w := newWorld(t, InstanceConfig{})
	keyOf := func(tenant, venue, instance, op string, a string) string {
		b := NewBindings(&gateway.Venue{ID: venue, Tenant: tenant})
		r := NewRead(op, w.read.spec)
		BindRead(b, r, newInstance(t, instance, InstanceConfig{}), w.backend)
		bound, err := find[*bound[string, int]](b, op)
		if err != nil {
			t.Fatal(err)
		}
		key, _ := r.key(w.caller, bound, a)
		return key
	}
	seen := map[string]bool{keyOf("t", "v", "i", "o", "a"): true}
	for _, other := range []string{
		keyOf("u", "v", "i", "o", "a"), keyOf("t", "w", "i", "o", "a"), keyOf("t", "v", "j", "o", "a"),
		keyOf("t", "v", "i", "p", "a"), keyOf("t", "v", "i", "o", "b"), keyOf("tv", "", "i", "o", "a"),
	} {
		if seen[other] {
			t.Errorf("two identities share the key %q", other)
		}
		seen[other] = true
	}
	if keyOf("t", "v", "i", "o", "a") != keyOf("t", "v", "i", "o", "a") {
		t.Error("the same identity has two keys")
	}
	if key := keyOf("t", "v", "i", "o", "330102199003070018"); containsAll(key, "330102199003070018") {
		t.Error("personal data are in the key")
	}
}

func TestKeyPartsCannotBeConfused(t *testing.T) {
	parts := func(f func(k *Key)) string {
		k := &Key{keys: testKeys{}, domain: "d"}
		f(k)
		return string(k.buf)
	}
	seen := map[string]bool{}
	for _, key := range []string{
		parts(func(k *Key) { k.Text("ab") }), parts(func(k *Key) { k.Text("a"); k.Text("b") }), parts(func(k *Key) { k.Text("asb") }),
		parts(func(k *Key) { k.Text("a"); k.Int(1) }), parts(func(k *Key) { k.Int(1); k.Text("a") }),
		parts(func(k *Key) { k.Int(-1) }), parts(func(k *Key) { k.Personal([]byte("ab")) }),
		parts(func(k *Key) { k.Personal([]byte("a")); k.Personal([]byte("b")) }), parts(func(k *Key) {}),
		parts(func(k *Key) { k.Text("") }), parts(func(k *Key) { k.domain = "e"; k.Personal([]byte("ab")) }),
	} {
		if seen[key] {
			t.Errorf("two lists of parts make the key %q", key)
		}
		seen[key] = true
	}
}
