package call

import (
	"context"
	"testing"
	"time"
)

var instant = func(context.Context, int, string) (int, error) { return 7, nil }

// plainRead is a read that is neither cached nor shared.
func (w *world) plainRead(b testing.TB) *Read[string, int] {
	r := NewRead("tickets.plain", ReadSpec[string, int]{})
	BindRead(w.b, r, w.in, func(context.Context, string) (int, error) { return 7, nil })
	if err := w.b.Err(); err != nil {
		b.Fatal(err)
	}
	return r
}

// textRead is shared and cached by an identity that is not personal.
func (w *world) textRead(b testing.TB) *Read[string, int] {
	r := NewRead("tickets.text", ReadSpec[string, int]{Key: func(k *Key, a string) { k.Text(a) }})
	BindRead(w.b, r, w.in, func(context.Context, string) (int, error) { return 7, nil })
	if err := w.b.Err(); err != nil {
		b.Fatal(err)
	}
	return r
}

type speedCase struct {
	name   string
	allocs float64 // at most
	read   func(w *world, tb testing.TB) *Read[string, int]
	policy Policy
}

var speedCases = []speedCase{
	{"hit", 1, (*world).textRead, Policy{Slice: time.Minute, Cache: CachePolicy{Fresh: time.Hour}}},
	{"hit by a personal key", 16, func(w *world, _ testing.TB) *Read[string, int] { return w.read },
		Policy{Slice: time.Minute, Cache: CachePolicy{Fresh: time.Hour}}},
	{"plain", 2, (*world).plainRead, Policy{Slice: time.Second}},
	{"shared", 4, (*world).textRead, Policy{Slice: time.Second}},
	{"hedged", 14, (*world).plainRead, Policy{Slice: time.Second, HedgeAfter: 500 * time.Millisecond}},
}

func TestAllocations(t *testing.T) {
	for _, c := range speedCases {
		w := newWorld(t, InstanceConfig{})
		w.serve = instant
		r := c.read(w, t)
		ctx := context.Background()
		if n := testing.AllocsPerRun(1000, func() {
			if _, _, err := r.Call(ctx, w.caller, w.b, c.policy, "product-1"); err != nil {
				t.Fatal(err)
			}
		}); n > c.allocs {
			t.Errorf("%s: %v allocations, want at most %v", c.name, n, c.allocs)
		}
	}
}

func BenchmarkCall(b *testing.B) {
	for _, c := range speedCases {
		b.Run(c.name, func(b *testing.B) {
			w := newWorld(b, InstanceConfig{})
			w.serve = instant
			r := c.read(w, b)
			ctx := context.Background()
			b.ReportAllocs()
			for b.Loop() {
				r.Call(ctx, w.caller, w.b, c.policy, "product-1")
			}
		})
	}
}

func BenchmarkCallParallel(b *testing.B) {
	for _, c := range []speedCase{speedCases[0], speedCases[2]} {
		b.Run(c.name, func(b *testing.B) {
			w := newWorld(b, InstanceConfig{})
			w.serve = instant
			r := c.read(w, b)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					r.Call(context.Background(), w.caller, w.b, c.policy, "product-1")
				}
			})
		})
	}
}
