package journey

import (
	"context"
	"testing"
	"time"

	"github.com/warmgate/warmgate/gateway/call"
)

// sixCalls is a plan of the usual shape: a, b and c side by side, then d and e on what they brought, then f.
func sixCalls() (*Plan[string, string], error) {
	return Define("six-calls", func(b *Builder, in Ref[string]) Ref[string] {
		x := Join(b, "join", Join(b, "ab", Ask(b, "a", look, in, down), Ask(b, "b", look, in, down), both), Ask(b, "c", look, in, down), both)
		y := Join(b, "de", Ask(b, "d", look, x, down), Ask(b, "e", look, x, down), both)
		return Ask(b, "f", look, y, down)
	})
}

// sixCallsReady returns what runs the plan against backends that answer at once.
func sixCallsReady(t testing.TB) func() {
	w := newWorld(t)
	call.BindRead(w.bindings, look, w.instance, func(_ context.Context, a string) (string, error) { return a, nil })
	p, err := sixCalls()
	proven := prove(t, p, err, timing("a", "b", "c", "d", "e", "f"))
	answer := func(Outcome[string]) Answer { return Answer{Status: 200} }
	req := w.request()
	return func() {
		req.Arrived = time.Now()
		req.Deadline = req.Arrived.Add(2 * time.Second)
		if a, err := proven.Run(w.engine, req, "A1", answer); err != nil || a.Status != 200 {
			t.Fatal(a, err)
		}
	}
}

func TestPlanOfSixCallsAllocatesLittle(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	if n := testing.AllocsPerRun(1000, sixCallsReady(t)); n > 25 {
		t.Errorf("%.0f allocations, at most 25", n)
	} else {
		t.Logf("%.0f allocations", n)
	}
}

// BenchmarkPlanOfSixCalls: at most 8 µs.
func BenchmarkPlanOfSixCalls(b *testing.B) {
	run := sixCallsReady(b)
	b.ReportAllocs()
	for b.Loop() {
		run()
	}
}
