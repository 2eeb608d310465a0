package journey

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/cache"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// hotels are many venues of one read, and an engine without a ledger: a search keeps nothing.
type hotels struct {
	t      testing.TB
	engine *Engine
	free   *call.Read[string, int] // by the hotel's id
	serve  func(ctx context.Context, hotel string) (int, error)
	bound  atomic.Pointer[map[string]*call.Bindings]
	calls  atomic.Int64
	cache  *cache.Cache
}

const tick = time.Millisecond

func newHotels(t testing.TB, n int) *hotels {
	t.Helper()
	c, err := cache.New(cache.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	h := &hotels{t: t, cache: c, free: call.NewRead("pms.free", call.ReadSpec[string, int]{Key: func(k *call.Key, a string) { k.Text(a) }})}
	h.serve = func(context.Context, string) (int, error) { return 3, nil }
	h.engine = NewEngine(Config{
		Caller: call.NewCaller(c, nil, 1), Logger: slog.New(slog.DiscardHandler), Now: time.Now,
		Bindings: func(id string) *call.Bindings { return (*h.bound.Load())[id] },
	})
	h.bind(n)
	return h
}

// bind makes new instances for all hotels, as a reload does; h0 belongs to another tenant.
func (h *hotels) bind(n int) {
	all := make(map[string]*call.Bindings, n)
	for i := range n {
		id, tenant := fmt.Sprint("h", i), "hangzhou"
		if i == 0 {
			tenant = "suzhou"
		}
		in, err := call.NewInstance("pms/"+id, "pms", call.InstanceConfig{}, slog.New(slog.DiscardHandler))
		if err != nil {
			h.t.Fatal(err)
		}
		b := call.NewBindings(&gateway.Venue{ID: id, Tenant: tenant})
		call.BindRead(b, h.free, in, func(ctx context.Context, a string) (int, error) {
			h.calls.Add(1)
			return h.serve(ctx, a)
		})
		all[id] = b
	}
	h.bound.Store(&all)
}

func itself(hotel string) string { return hotel }

// search is a plan of one gather whose results are the answer.
func (h *hotels) search(p call.Policy, opts ...Option) *Proven[[]string, []Result[int]] {
	h.t.Helper()
	plan, err := Define("search", func(b *Builder, in Ref[[]string]) Ref[[]Result[int]] {
		return Gather(b, "hotels", h.free, in, append([]Option{At(itself)}, opts...)...)
	})
	if err != nil {
		h.t.Fatal(err)
	}
	t := fast()
	t.Steps["hotels"] = p
	proven, err := plan.Prove(t)
	if err != nil {
		h.t.Fatal(err)
	}
	return proven
}

// ask runs the search for a caller who belongs to no venue, and says how long that took.
func (h *hotels) ask(p *Proven[[]string, []Result[int]], left time.Duration, of ...string) (o Outcome[[]Result[int]], took time.Duration) {
	h.t.Helper()
	begun := time.Now()
	req := Request{ID: "j", Arrived: begun, Deadline: begun.Add(left), Principal: &gateway.Principal{Tenant: "hangzhou"}}
	if _, err := p.Run(h.engine, req, of, func(out Outcome[[]Result[int]]) Answer { o = out; return Answer{Status: 200} }); err != nil {
		h.t.Fatal(err)
	}
	return o, time.Since(begun)
}

func ids(from, to int) (all []string) {
	for i := from; i < to; i++ {
		all = append(all, fmt.Sprint("h", i))
	}
	return all
}

// Each argument is asked at its own venue, in the order of the arguments; what is not asked says why.
func TestGatherAsksEachAtItsVenue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHotels(t, 8)
		h.serve = func(ctx context.Context, hotel string) (int, error) {
			switch hotel {
			case "h2":
				return 0, call.Refuse("closed", nil)
			case "h3":
				<-ctx.Done()
				return 0, ctx.Err()
			}
			time.Sleep(time.Duration('9'-hotel[1]) * tick) // the last one is the first to answer
			return int(hotel[1] - '0'), nil
		}
		p := h.search(call.Policy{Slice: 100 * tick, Cache: call.CachePolicy{Fresh: time.Minute}}, AtMost(6))
		h.ask(p, time.Second, "h7") // known from now on
		asked := time.Now()
		time.Sleep(time.Second)
		o, took := h.ask(p, time.Second, "h1", "h2", "h3", "h0", "nowhere", "h7", "h6")
		if took != 100*tick || len(o.Value) != 7 {
			t.Fatalf("after %v: %+v", took, o)
		}
		for i, want := range []call.Why{call.Here, call.SaidNo, call.TimedOut, call.NotBound, call.NotBound, call.Here, call.NotAsked} {
			if got := o.Value[i].Why(); got != want {
				t.Errorf("%d: %q, want %q: %v", i, got, want, o.Value[i].Err)
			}
		}
		if o.Value[0].Value != 1 || o.Value[5].Value != 7 || o.Value[5].Source.State != gateway.Cached || !o.Value[5].Source.AsOf.Equal(asked.Add(-2*tick)) {
			t.Errorf("got %+v and %+v", o.Value[0], o.Value[5])
		}
		if want := "cannot call pms.free: not sent: there is nobody to ask at venue h0"; o.Value[3].Err.Error() != want {
			t.Errorf("another tenant's hotel: %v", o.Value[3].Err)
		}
		states := map[gateway.State]int{}
		for _, s := range o.Sources {
			states[s.State]++
		}
		if len(o.Sources) != 4 || states[gateway.Live] != 1 || states[gateway.Cached] != 1 || states[gateway.Missing] != 2 {
			t.Errorf("sources %+v", o.Sources)
		}
		h.engine.Wait()
	})
}

// Without At all are asked at the run's own venue.
func TestGatherAsksAtTheRunsVenue(t *testing.T) {
	w := newWorld(t)
	call.BindRead(w.bindings, look, w.instance, func(_ context.Context, a string) (string, error) { return "seen " + a, nil })
	p, err := Define("here", func(b *Builder, in Ref[string]) Ref[string] { return many(b, in, AtMost(3)) })
	a, err := prove(t, p, err, timing("hotels")).Run(w.engine, w.request(), "A1", render)
	if err != nil || string(a.Body) != "seen A1[]" {
		t.Errorf("%s %v", a.Body, err)
	}
}

// Too few answers are a failure, whose meaning is the step's; a definite no is an answer, and of few asked all are enough.
func TestGatherNeedsEnough(t *testing.T) {
	for _, c := range []struct {
		least, answers int
		of             []string
		fails          bool
	}{{2, 2, ids(1, 6), false}, {3, 2, ids(1, 6), true}, {5, 9, ids(1, 3), false}, {1, 0, nil, false}, {1, 0, ids(1, 2), true}} {
		synctest.Test(t, func(t *testing.T) {
			h := newHotels(t, 6)
			h.serve = func(ctx context.Context, hotel string) (int, error) {
				switch {
				case int(hotel[1]-'0') > c.answers:
					<-ctx.Done()
					return 0, ctx.Err()
				case hotel == "h1":
					return 0, call.Refuse("closed", nil)
				}
				return 1, nil
			}
			o, _ := h.ask(h.search(call.Policy{Slice: 50 * tick}, AtMost(5), AtLeast(c.least), down), time.Second, c.of...)
			if failed := o.Err != nil; failed != c.fails || failed && o.Err.Problem != gateway.ProblemBackendUnavailable || !failed && len(o.Value) != len(c.of) {
				t.Errorf("%+v: %+v", c, o)
			}
			if c.fails && len(c.of) > 0 && len(o.Sources) == 0 {
				t.Error("a failed gather says nothing of its sources")
			}
			h.engine.Wait()
		})
	}
}

// A failure of too few may be data.
func TestGatherMayBeTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHotels(t, 3)
		h.serve = func(context.Context, string) (int, error) { return 0, errPlain }
		plan, err := Define("tried", func(b *Builder, in Ref[[]string]) Ref[string] {
			all := Gather(b, "hotels", h.free, in, At(itself), AtMost(3), AtLeast(1))
			return Check(b, "look", func(r Result[[]Result[int]]) (string, error) { return r.Err.Error(), nil }, Try(b, all))
		})
		p := prove(t, plan, err, fast("hotels"))
		req := Request{Deadline: time.Now().Add(time.Second), Principal: &gateway.Principal{Tenant: "hangzhou"}}
		a, err := p.Run(h.engine, req, []string{"h1", "h2"}, render)
		if want := "0 of 2 answered, at least 1 must: cannot call pms.free at pms/h"; err != nil || !strings.HasPrefix(string(a.Body), want) {
			t.Errorf("%s %v", a.Body, err)
		}
		h.engine.Wait()
	})
}

// A panic in what says the venue is that argument's alone.
func TestGatherSurvivesAMistakeOfTheFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHotels(t, 3)
		plan, err := Define("mistaken", func(b *Builder, in Ref[[]string]) Ref[[]Result[int]] {
			return Gather(b, "hotels", h.free, in, AtMost(3), At(func(hotel string) string { return hotel[:2] }))
		})
		o, _ := h.ask(prove(t, plan, err, fast("hotels")), time.Second, "h1", "", "h2")
		if o.Value[0].Err != nil || o.Value[1].Why() != call.Failed || o.Value[2].Err != nil {
			t.Errorf("got %+v", o)
		}
		h.engine.Wait()
	})
}

// A reload in the middle of a gather replaces every instance and takes nothing from it.
func TestGatherEndsOnTheInstancesItBeganWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHotels(t, 2000)
		h.serve = func(context.Context, string) (int, error) {
			time.Sleep(50 * tick)
			return 3, nil
		}
		p := h.search(call.Policy{Slice: 100 * tick, Parallel: 2000}, AtMost(2000))
		var asking sync.WaitGroup
		asking.Go(func() {
			o, _ := h.ask(p, time.Second, ids(1, 2000)...)
			for i, r := range o.Value {
				if r.Err != nil || r.Value != 3 {
					t.Errorf("%d: %+v", i, r)
					return
				}
			}
		})
		time.Sleep(20 * tick)
		h.bind(2000)
		if o, _ := h.ask(p, time.Second, ids(1, 3)...); o.Value[0].Err != nil {
			t.Errorf("on the new instances: %+v", o)
		}
		asking.Wait()
		h.engine.Wait()
		if n := h.calls.Load(); n != 1999 {
			t.Errorf("%d calls: what was under way was not shared over the reload", n)
		}
	})
}

// TestGatherRunHistories takes random searches through the engine, several at once and one after the other, so that runs
// are used again while calls of earlier ones are still to land. What arrived by the end of the slice, and nothing else, is
// the answer; a hotel is never asked twice at once.
func TestGatherRunHistories(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { searches(t, rand.New(rand.NewPCG(seed, 2))) })
		})
	}
}

// deafHotels answer whenever they do, whatever their context says: at odd milliseconds of the whole history.
type deafHotels struct {
	t    *testing.T
	zero time.Time

	mu      sync.Mutex
	arrives map[string]time.Time
	asking  map[string]int
	delays  map[string]*rand.Rand // of each hotel: which goroutine comes first changes nothing
}

func (d *deafHotels) serve(_ context.Context, hotel string) (int, error) {
	d.mu.Lock()
	d.asking[hotel]++
	if d.asking[hotel] > 1 {
		d.t.Errorf("%s is asked %d times at once", hotel, d.asking[hotel])
	}
	at := time.Now().Add(time.Duration(d.delays[hotel].IntN(120)) * tick)
	if at.Sub(d.zero)/tick%2 == 0 {
		at = at.Add(tick)
	}
	d.arrives[hotel] = at
	d.mu.Unlock()
	time.Sleep(time.Until(at))
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asking[hotel]--
	return 1 + int(at.Sub(d.zero)), nil
}

// judge holds what a search of these hotels has found to what had arrived by its end.
func (d *deafHotels) judge(of []string, found []Result[int], end time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, r := range found {
		arrived := d.arrives[of[i]]
		switch {
		case r.Err == nil && (r.Source.State == gateway.Missing || d.zero.Add(time.Duration(r.Value-1)).After(end)):
			d.t.Errorf("%s: %+v came after the end", of[i], r)
		case r.Err != nil && (r.Why() != call.TimedOut || !arrived.After(end)):
			d.t.Errorf("%s: missing (%q, %v), although it arrived %v before the end", of[i], r.Why(), r.Err, end.Sub(arrived))
		}
	}
}

// searches never lets an answer come together with the end of a slice: answers come at odd milliseconds of the whole
// history, slices end at even ones.
func searches(t *testing.T, random *rand.Rand) {
	n := 3 + random.IntN(30)
	h := newHotels(t, n)
	d := &deafHotels{t: t, zero: time.Now(), arrives: map[string]time.Time{}, asking: map[string]int{}, delays: map[string]*rand.Rand{}}
	for _, hotel := range ids(1, n) {
		d.delays[hotel] = rand.New(rand.NewPCG(random.Uint64(), 3))
	}
	h.serve = d.serve
	policy := call.Policy{Slice: time.Duration(2+2*random.IntN(50)) * tick, Parallel: n}
	if random.IntN(2) == 0 {
		policy.Cache = call.CachePolicy{Fresh: time.Duration(random.IntN(200)+1) * tick}
	}
	p := h.search(policy, AtMost(n))
	for range 4 {
		var crowd sync.WaitGroup
		for range 1 + random.IntN(4) {
			of := ids(1, n)
			random.Shuffle(len(of), func(i, k int) { of[i], of[k] = of[k], of[i] })
			crowd.Go(func() {
				begun := time.Now()
				o, took := h.ask(p, time.Second, of...)
				if took > policy.Slice {
					t.Errorf("a slice of %v took %v", policy.Slice, took)
				}
				d.judge(of, o.Value, begun.Add(policy.Slice))
			})
		}
		crowd.Wait()
		if pause := time.Since(d.zero) / tick % 2; pause == 1 { // back to an even moment
			time.Sleep(tick)
		}
		time.Sleep(time.Duration(2*random.IntN(80)) * tick)
	}
	h.engine.Wait()
	for hotel, n := range d.asking {
		if n != 0 {
			t.Errorf("the engine did not wait for the call to %s", hotel)
		}
	}
}

// A caller who has less than the slice gets what has arrived by then. What that leaves behind is waited for before the
// engine's end, however much it is.
func TestEngineWaitsForWhatAGatherHasLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 2 * crewSize
		h := newHotels(t, n)
		var landed atomic.Int64
		h.serve = func(context.Context, string) (int, error) {
			time.Sleep(time.Minute)
			return int(landed.Add(1)), nil
		}
		o, took := h.ask(h.search(call.Policy{Slice: 50 * tick, Parallel: n}, AtMost(n)), 45*tick, ids(1, n)...) // less the overhead: 25 ms
		if took != 25*tick || o.Value[0].Why() != call.TimedOut {
			t.Errorf("after %v: %+v", took, o.Value[0])
		}
		h.engine.Wait()
		if landed.Load() != int64(n)-1 {
			t.Errorf("%d of %d calls have landed", landed.Load(), n-1)
		}
	})
}

// A run whose gather knows everything costs a handful of allocations in all.
func TestWarmGatherAllocatesLittle(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	h := newHotels(t, 201)
	p := h.search(call.Policy{Slice: 100 * tick, Cache: call.CachePolicy{Fresh: time.Hour}}, AtMost(200))
	of := ids(1, 201)
	req := Request{Principal: &gateway.Principal{Tenant: "hangzhou"}}
	known := 0
	render := func(o Outcome[[]Result[int]]) Answer {
		for i := range o.Value {
			known += o.Value[i].Value
		}
		return Answer{Status: 200}
	}
	run := func() {
		req.Arrived = time.Now()
		req.Deadline = req.Arrived.Add(time.Second)
		if _, err := p.Run(h.engine, req, of, render); err != nil {
			t.Fatal(err)
		}
	}
	run()
	h.engine.Wait()
	if n := testing.AllocsPerRun(200, run); n > 15 || h.calls.Load() != 200 || known != 3*200*202 {
		t.Errorf("%.0f allocations, at most 15; %d calls; %d", n, h.calls.Load(), known)
	} else {
		t.Logf("%.0f allocations", n)
	}
}

// What a gather has brought is among the facts of an assist, as what an ask has.
func TestGatherIsToldToStaff(t *testing.T) {
	s := newShop(t)
	a := s.once("A1", []string{"hotels"}, func(b *Builder, in Ref[string]) Ref[string] {
		all := Gather(b, "hotels", s.find, Check(b, "list", asList, in), AtMost(3))
		return Check(b, "decide", func([]Result[string]) (string, error) { return "", errors.Join(errPlain, handover) }, all)
	})
	if a.Status != 202 || s.asks.Load() != 1 {
		t.Fatalf("answer %+v", a)
	}
	if facts := s.factsOf(s.assists()[0]); !strings.Contains(facts, `"hotels":[{"Value":"A1"`) || !strings.Contains(facts, `"Source":{"system":"ticketing"`) {
		t.Errorf("facts %s", facts)
	}
}

// factsOf opens what an assist holds.
func (s *shop) factsOf(a ledger.Assist) (facts string) {
	s.view(func(q ledger.Querier) error {
		run, _, err := ledger.FindRun(q, a.Run)
		if err != nil {
			return err
		}
		plain, err := OpenFacts(s.ledger.Keys(), run.Key, a.Facts)
		facts = string(plain)
		return err
	})
	return facts
}
