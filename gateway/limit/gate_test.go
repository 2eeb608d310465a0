package limit

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/warmgate/warmgate/gateway"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shedBy returns why err turned work away, or "".
func shedBy(err error) Shed {
	s, _ := errors.AsType[Shed](err)
	return s
}

func mustHave(t *testing.T, g *Gate, p Priority, now time.Time) Slot {
	t.Helper()
	s, err := g.Acquire(p, now, time.Time{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestHeadroomByPriority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(GateConfig{InFlight: 10, Shares: Shares{High: 0.8, Normal: 0.5, Low: 0.2}, MaxWait: time.Second, Queue: 1})
		now := time.Now()
		for p, n := range map[Priority]int{Low: 2, Normal: 5, High: 8, Critical: 10} {
			var held []Slot
			for range n {
				held = append(held, mustHave(t, g, p, now))
			}
			began := time.Now()
			if _, err := g.Acquire(p, now, now.Add(time.Millisecond), 0); shedBy(err) != ShedWaited || time.Since(began) != time.Millisecond {
				t.Errorf("priority %d: number %d got %v after %s", p, n+1, err, time.Since(began))
			}
			exit := mustHave(t, g, NeverShed, now) // at once, whatever is in flight
			if l := g.Load(); l.InFlight != n+1 || l.Waiting != 0 {
				t.Errorf("priority %d: load %+v", p, l)
			}
			exit.Release()
			for _, s := range held {
				s.Release()
			}
		}
		if l := g.Load(); l != (Load{}) {
			t.Errorf("in the end the load is %+v", l)
		}
	})
}

func TestTooLittleTimeIsRefusedAtArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(GateConfig{})
		now := time.Now()
		if _, err := g.Acquire(Critical, now, now.Add(299*time.Millisecond), 300*time.Millisecond); shedBy(err) != ShedDeadline {
			t.Errorf("1 ms too late: %v", err)
		}
		if s, err := g.Acquire(Critical, now, now.Add(300*time.Millisecond), 300*time.Millisecond); err != nil {
			t.Errorf("just in time: %v", err)
		} else {
			s.Release()
		}
		s, err := g.Acquire(NeverShed, now, now.Add(-time.Second), 300*time.Millisecond)
		if err != nil {
			t.Fatalf("an exit was shed: %v", err)
		}
		s.Release()
		if time.Since(now) != 0 {
			t.Error("somebody waited")
		}
	})
}

// TestNobodyWaitsPastItsTime: a waiter leaves while the shortest outcome still fits.
func TestNobodyWaitsPastItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(GateConfig{InFlight: 1, MaxWait: time.Second})
		now := time.Now()
		s := mustHave(t, g, Critical, now)
		_, err := g.Acquire(Critical, now, now.Add(500*time.Millisecond), 200*time.Millisecond)
		if waited := time.Since(now); shedBy(err) != ShedWaited || waited != 300*time.Millisecond {
			t.Errorf("got %v after %s, want to leave after 300ms", err, waited)
		}
		e := gateway.AsError(err)
		if e.Problem != ProblemOverloaded || e.RetryAfter != time.Second || e.Detail.Zh == "" {
			t.Errorf("got %+v", e)
		}
		s.Release()
	})
}

func TestRoomGoesToTheHighestThenOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(GateConfig{InFlight: 1, Queue: 10, MaxWait: time.Minute, Interval: time.Minute})
		s := mustHave(t, g, Critical, time.Now())
		var order []string
		for _, w := range []struct {
			name string
			p    Priority
		}{{"low", Low}, {"normal", Normal}, {"critical 1", Critical}, {"high", High}, {"critical 2", Critical}} {
			go func() {
				s, err := g.Acquire(w.p, time.Now(), time.Time{}, 0)
				if err != nil {
					t.Error(err)
					return
				}
				order = append(order, w.name) // one at a time: there is one slot
				s.Release()
			}()
			synctest.Wait()
			time.Sleep(time.Millisecond)
		}
		s.Release()
		synctest.Wait()
		if want := []string{"critical 1", "critical 2", "high", "normal", "low"}; !slices.Equal(order, want) {
			t.Errorf("got %v, want %v", order, want)
		}
	})
}

func TestRoomKeptFreeIsNotGivenToWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(GateConfig{InFlight: 3, Shares: Shares{High: 1, Normal: 1, Low: 0.5}, MaxWait: time.Second})
		a, b := mustHave(t, g, Critical, time.Now()), mustHave(t, g, Critical, time.Now())
		began := time.Now()
		done := make(chan time.Duration)
		go func() {
			s, err := g.Acquire(Low, began, time.Time{}, 0)
			if err != nil {
				t.Error(err)
			} else {
				s.Release()
			}
			done <- time.Since(began)
		}()
		synctest.Wait()
		a.Release() // one is left in flight, which is all that low may share
		time.Sleep(100 * time.Millisecond)
		b.Release()
		if waited := <-done; waited != 100*time.Millisecond {
			t.Errorf("low waited %s, want 100ms", waited)
		}
	})
}

// TestRoomAtTheLastMomentIsTaken: the slot was granted after the timer fired and before the lock was had.
func TestRoomAtTheLastMomentIsTaken(t *testing.T) {
	g := NewGate(GateConfig{})
	g.inFlight = 1
	s, err := g.wait(&waiter{granted: make(chan struct{})}, Low, time.Nanosecond)
	if err != nil {
		t.Fatalf("a granted slot was lost: %v", err)
	}
	s.Release()
	if l := g.Load(); l != (Load{}) {
		t.Errorf("load %+v", l)
	}
}

func TestAStandingQueueTurnsArrivalsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(GateConfig{InFlight: 1, Queue: 100, Target: 5 * time.Millisecond, Interval: 50 * time.Millisecond, MaxWait: time.Second})
		s := mustHave(t, g, Critical, time.Now())
		var wg sync.WaitGroup
		wait := func(p Priority) {
			wg.Go(func() {
				if s, err := g.Acquire(p, time.Now(), time.Time{}, 0); err == nil {
					s.Release()
				}
			})
			synctest.Wait()
		}
		wait(High)
		time.Sleep(50 * time.Millisecond)
		wait(High) // not longer than Interval yet: it may wait
		if l := g.Load(); l.Waiting != 2 {
			t.Fatalf("load %+v, want 2 waiting", l)
		}
		time.Sleep(time.Millisecond)
		for p, want := range map[Priority]Shed{High: ShedDelay, Normal: ShedDelay, Low: ShedDelay} {
			began := time.Now()
			if _, err := g.Acquire(p, began, time.Time{}, 0); shedBy(err) != want || time.Since(began) != 0 {
				t.Errorf("priority %d: got %v after %s", p, err, time.Since(began))
			}
		}
		wait(Critical) // what matters more than the standing queue may wait
		if l := g.Load(); l.Waiting != 3 {
			t.Errorf("load %+v, want 3 waiting", l)
		}
		s.Release()
		wg.Wait()
	})
}

func TestAFullQueueTurnsArrivalsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(GateConfig{InFlight: 1, Queue: 2, MaxWait: time.Second})
		s := mustHave(t, g, Critical, time.Now())
		for range 2 {
			go func() {
				if s, err := g.Acquire(Low, time.Now(), time.Time{}, 0); err == nil {
					s.Release()
				}
			}()
		}
		synctest.Wait()
		if _, err := g.Acquire(Low, time.Now(), time.Time{}, 0); shedBy(err) != ShedFull {
			t.Errorf("got %v", err)
		}
		s.Release()
	})
}

func TestReleasedTwicePanics(t *testing.T) {
	g := NewGate(GateConfig{})
	s := mustHave(t, g, Low, time.Now())
	s.Release()
	defer func() {
		if recover() == nil {
			t.Error("a slot was released twice in silence")
		}
	}()
	s.Release()
}

// tally is what became of the work of one priority.
type tally struct {
	arrived, done, shed int
	waits               []time.Duration // of what was done
	refusals            []time.Duration // how long those turned away waited to hear it
}

// TestFiveTimesOverload offers five times what can be done, in virtual time: a quarter of the capacity critical, as
// much high as would fill it alone, and search for the rest.
func TestFiveTimesOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const (
			slots    = 20
			work     = 10 * time.Millisecond // so capacity is 2000 a second
			duration = 3 * time.Second
			offered  = 10_000 // a second
		)
		g := NewGate(GateConfig{InFlight: slots})
		var mu sync.Mutex
		var wg sync.WaitGroup
		tallies := make(map[Priority]*tally)
		for p := NeverShed; p <= Low; p++ {
			tallies[p] = &tally{}
		}
		running, most := 0, 0
		one := func(p Priority) {
			arrived := time.Now()
			s, err := g.Acquire(p, arrived, arrived.Add(800*time.Millisecond), 100*time.Millisecond)
			mu.Lock()
			tl := tallies[p]
			tl.arrived++
			if err != nil {
				tl.shed++
				tl.refusals = append(tl.refusals, time.Since(arrived))
				mu.Unlock()
				return
			}
			tl.waits = append(tl.waits, time.Since(arrived))
			if p != NeverShed {
				running++
				most = max(most, running)
			}
			mu.Unlock()
			time.Sleep(work)
			mu.Lock()
			tl.done++
			if p != NeverShed {
				running--
			}
			mu.Unlock()
			s.Release()
		}
		began := time.Now()
		for i := 0; time.Since(began) < duration; i++ {
			p := Low
			switch n := i % 100; {
			case n < 1:
				p = NeverShed
			case n < 6:
				p = Critical
			case n < 26:
				p = High
			case n < 60:
				p = Normal
			}
			wg.Go(func() { one(p) })
			time.Sleep(time.Second / offered)
		}
		wg.Wait()
		report(t, tallies)
		done := 0
		var refusals []time.Duration
		for _, tl := range tallies {
			done += tl.done
			refusals = append(refusals, tl.refusals...)
		}
		if capacity := int(duration/work) * slots; done < capacity*9/10 {
			t.Errorf("goodput %d of %d", done, capacity)
		}
		if most > slots {
			t.Errorf("%d in flight, the limit is %d", most, slots)
		}
		if tallies[NeverShed].shed > 0 || slices.Max(tallies[NeverShed].waits) > 0 {
			t.Error("an exit waited or was shed")
		}
		if c := tallies[Critical]; c.shed > 0 || quantile(c.waits, 0.99) > work {
			t.Errorf("critical: %d shed, p99 wait %s", c.shed, quantile(c.waits, 0.99))
		}
		if h, l := tallies[High], tallies[Low]; h.done*l.arrived <= 4*l.done*h.arrived {
			t.Errorf("high got %d of %d, low %d of %d: not the higher first", h.done, h.arrived, l.done, l.arrived)
		}
		if m := quantile(refusals, 0.5); m > 2*time.Millisecond {
			t.Errorf("half of those turned away heard it after more than %s", m)
		}
	})
}

func report(t *testing.T, tallies map[Priority]*tally) {
	for p := NeverShed; p <= Low; p++ {
		tl := tallies[p]
		t.Logf("priority %d: arrived %d done %d shed %d; wait p50 %s p99 %s; refused after p50 %s p99 %s", p, tl.arrived, tl.done, tl.shed,
			quantile(tl.waits, .5), quantile(tl.waits, .99), quantile(tl.refusals, .5), quantile(tl.refusals, .99))
	}
}

func quantile(d []time.Duration, q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[int(q*float64(len(d)-1))]
}

// event is one thing that happens to a gate: an arrival, the end of the oldest work, or a pause.
type event struct {
	kind int // 0, 1: arrival; 2: end; 3: pause
	p    Priority
	time time.Duration // the arrival's patience, or the pause
}

// TestGateInvariants draws events and holds the gate against what must always be true.
func TestGateInvariants(t *testing.T) {
	events := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) event {
		return event{rapid.IntRange(0, 3).Draw(t, "kind"), Priority(rapid.IntRange(int(NeverShed), int(Low)).Draw(t, "priority")),
			time.Duration(rapid.IntRange(1, 300).Draw(t, "ms")) * time.Millisecond}
	}), 1, 80)
	rapid.Check(t, func(rt *rapid.T) {
		c := GateConfig{InFlight: rapid.IntRange(1, 6).Draw(rt, "in flight"), Queue: rapid.IntRange(1, 4).Draw(rt, "queue")}
		drawn := events.Draw(rt, "events")
		var err error
		synctest.Test(t, func(*testing.T) { err = playGate(NewGate(c), drawn) })
		if err != nil {
			rt.Fatal(err)
		}
	})
}

// playGate runs in a bubble and returns the first thing that is wrong.
func playGate(g *Gate, events []event) error {
	var mu sync.Mutex
	var held []Slot
	var wrong []error
	var wg sync.WaitGroup
	exits := 0
	arrive := func(e event) {
		s, err := g.Acquire(e.p, time.Now(), time.Now().Add(e.time), 0)
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			held = append(held, s)
		} else if e.p == NeverShed {
			wrong = append(wrong, fmt.Errorf("an exit was shed: %w", err))
		}
	}
	for _, e := range events {
		switch {
		case e.kind < 2:
			if e.p == NeverShed {
				exits++
			}
			wg.Go(func() { arrive(e) })
		case e.kind == 3:
			time.Sleep(e.time)
		default:
			mu.Lock()
			if len(held) > 0 {
				held[0].Release()
				held = held[1:]
			}
			mu.Unlock()
		}
		synctest.Wait()
		mu.Lock()
		wrong = append(wrong, checkGate(g, len(held), exits))
		mu.Unlock()
	}
	wg.Wait()
	for _, s := range held {
		s.Release()
	}
	if l := g.Load(); l != (Load{}) {
		wrong = append(wrong, fmt.Errorf("in the end the load is %+v", l))
	}
	return errors.Join(wrong...)
}

// checkGate returns what is wrong with a gate that nobody is changing.
func checkGate(g *Gate, held, exits int) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inFlight != held {
		return fmt.Errorf("%d in flight, %d slots held", g.inFlight, held)
	}
	if held > g.config.InFlight+exits {
		return fmt.Errorf("%d in flight: more than %d and %d exits", held, g.config.InFlight, exits)
	}
	for p := Critical; p <= Low; p++ {
		q := &g.queues[p]
		if q.n > g.config.Queue {
			return fmt.Errorf("priority %d: %d wait, the queue holds %d", p, q.n, g.config.Queue)
		}
		if q.n > 0 && g.inFlight < g.caps[p] {
			return fmt.Errorf("priority %d waits while there is room for it", p)
		}
		n := 0
		for w := q.first; w != nil; w = w.next {
			n++
		}
		if n != q.n {
			return fmt.Errorf("priority %d: %d in the list, %d counted", p, n, q.n)
		}
	}
	return nil
}
