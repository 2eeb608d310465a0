package call

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/cache"
)

// errand is one argument of a gathering for which the cache was not enough.
type errand[A, O any] struct {
	i        int
	op       *bound[A, O]
	key      string       // "": not shared
	personal bool         // key is one of a person
	entry    *cache.Entry // what is known, too old to be enough; nil: nothing
	kept     O            // its value

	f      *flight[O] // the call that it waits for; nil once begun: too little time was left
	begun  bool       // the gathering's own goroutine knows f
	landed bool
}

// errands are what a gathering asks for. Its own goroutine waits for the open ones and owns what has begun; until then an
// errand is its runner's.
type errands[A, O any] struct {
	gathering[A, O]
	all   []errand[A, O] // the open ones first
	open  int
	begun chan int // open ones, once it is known whom they wait for; it has room for all

	spawn  func(f func())
	wanted atomic.Int64 // runners that were not hired yet
	next   atomic.Int64 // the errand that no runner has taken
}

// run sets the runners off and lands what comes in time.
func (g *errands[A, O]) run(land Land[O]) {
	waiting := g.joined()
	g.wanted.Store(int64(min(g.policy.Parallel, len(g.all)-len(waiting))))
	g.hire(true)
	if g.open == 0 {
		return
	}
	timer := time.NewTimer(time.Until(g.end))
	defer timer.Stop()
	for len(waiting) < g.open {
		select {
		case k := <-g.begun:
			g.all[k].begun = true
			waiting = append(waiting, k)
		case <-timer.C:
			g.sweep(land)
			return
		}
	}
	for _, k := range waiting {
		e := &g.all[k]
		if e.f != nil {
			select {
			case <-e.f.done:
			case <-timer.C:
				g.sweep(land)
				return
			}
		}
		g.land(e, land)
	}
}

// maxRunners bounds the calls that all gatherings of a process make at once, and with them goroutines and connections.
const maxRunners = 4096

// hire sets the runners off that are still wanted, or fewer where all gatherings together have as many as there may be: but
// the first one always, so that each gathering goes on. Runners hire others as soon as there is room.
func (g *errands[A, O]) hire(first bool) {
	for ; g.wanted.Load() > 0 && int(g.next.Load()) < len(g.all); first = false {
		if !take(&g.c.runners, maxRunners) {
			if !first {
				return
			}
			g.c.runners.Add(1)
		}
		if g.wanted.Add(-1) < 0 { // another runner was quicker
			g.c.runners.Add(-1)
			return
		}
		g.spawn(g.runner)
	}
}

// joined finds the open errands for which a call is under way already.
func (g *errands[A, O]) joined() []int {
	waiting := make([]int, 0, g.open)
	for k := range g.all[:g.open] {
		e := &g.all[k]
		if e.key == "" {
			continue
		}
		if e.f, _ = join[O](g.c, e.key, false, true); e.f != nil {
			e.op.in.counters.coalesced.Add(1)
			e.begun, waiting = true, append(waiting, k)
		}
	}
	return waiting
}

// sweep ends the waiting: what has arrived counts, all else is missing.
func (g *errands[A, O]) sweep(land Land[O]) {
	for drained := false; !drained; {
		select {
		case k := <-g.begun:
			g.all[k].begun = true
		default:
			drained = true
		}
	}
	for k := range g.all[:g.open] {
		if e := &g.all[k]; !e.landed {
			g.land(e, land)
		}
	}
}

// land lands an errand as far as it has come.
func (g *errands[A, O]) land(e *errand[A, O], land Land[O]) {
	e.landed = true
	var out O
	var asOf time.Time
	var err error
	switch {
	case !e.begun || e.f == nil:
		e.op.in.counters.late.Add(1)
		err = NotSent(fmt.Errorf("%w: its turn did not come within %v", ErrTooLate, g.end.Sub(g.start)))
	case !isOver(e.f.done):
		err = fmt.Errorf("no answer within %v: %w", g.end.Sub(g.start), context.DeadlineExceeded)
	case e.f.from != gateway.Live && e.f.err == nil:
		land(e.i, e.f.out, g.read.unasked(e.op, e.f.landed), nil)
		return
	default:
		out, asOf, err = e.f.out, e.f.asOf, e.f.err
	}
	if err != nil && OutcomeOf(err) != RefusedOutcome {
		second := g.read.second(g.c, g.policy, e.personal)
		if kept, entry := g.read.spare(g.c, g.policy.Cache, second, e.key, e.kept, e.entry); entry != nil {
			land(e.i, kept, g.read.stale(e.op, entry), nil)
			return
		}
	}
	out, source, err := g.read.answer(e.op, out, asOf, err)
	land(e.i, out, source, err)
}

func isOver(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// runner makes calls until nothing is left to ask for: at last again for what it was told stale by the second level.
func (g *errands[A, O]) runner() {
	defer g.c.runners.Add(-1)
	var again []int
	for k := int(g.next.Add(1)) - 1; k < len(g.all); k = int(g.next.Add(1)) - 1 {
		g.hire(false)
		switch e := &g.all[k]; {
		case k >= g.open:
			g.refresh(e)
		case e.f == nil:
			if g.ask(k, e) == gateway.Stale {
				again = append(again, k)
			}
		}
	}
	for _, k := range again {
		g.refresh(&g.all[k])
	}
}

// ask makes the call of an open errand, unless another one is under way, and returns where its answer is from. Once begun
// says so the errand is not the runner's any more, but for what never changes in it.
func (g *errands[A, O]) ask(k int, e *errand[A, O]) gateway.State {
	now := time.Now()
	if left := g.end.Sub(now); left <= 0 || left < g.policy.Min {
		g.begun <- k
		return gateway.Missing
	}
	j := g.job(e, now)
	if e.key == "" {
		f := &flight[O]{done: make(chan struct{}), landed: landed[O]{from: gateway.Live}}
		e.f = f
		g.begun <- k
		j.alone(f)
		return gateway.Live
	}
	j.part = g.part(now)
	f, leads, known := g.join(e.key, now, true)
	e.f = f
	g.begun <- k
	switch {
	case known:
		return gateway.Cached
	case !leads:
		e.op.in.counters.coalesced.Add(1)
		return gateway.Live // whoever makes it asks again
	}
	g.read.fly(j, f, e.key)
	return f.from
}

// refresh asks again for what was stale, unless that is under way, or done by now, or the gathering's time is over.
func (g *errands[A, O]) refresh(e *errand[A, O]) {
	now := time.Now()
	if !now.Before(g.end) {
		return
	}
	f, leads, known := g.join(e.key, now, false)
	if !leads || known {
		return
	}
	e.op.in.counters.refreshes.Add(1)
	j := g.job(e, now)
	j.behind = true
	g.read.fly(j, f, e.key)
}

// join returns the flight of key, which it begins where there is none; but where others have made the cache fresh by now,
// a flight that is over. It looks there while no flight of key can begin or end: so nobody joins what was known already,
// and each answer is counted once, as what it was.
func (g *errands[A, O]) join(key string, now time.Time, wait bool) (f *flight[O], leads, known bool) {
	s := g.c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m[key] == nil {
		if f = g.known(key, now); f != nil {
			return f, false, true
		}
	}
	f, leads = joinAt[O](s, key, true, wait)
	return f, leads, false
}

// known returns what the cache holds fresh for key, as a flight that is over; nil: nothing.
func (g *errands[A, O]) known(key string, now time.Time) *flight[O] {
	kept, entry := g.read.lookup(g.c, key)
	if entry == nil || g.policy.Cache.use(entry.Absent, now.Sub(entry.AsOf), g.c.cache.Doubted(entry)) != useFresh {
		return nil
	}
	over := make(chan struct{})
	close(over)
	return &flight[O]{done: over, landed: landed[O]{out: kept, asOf: entry.AsOf, from: gateway.Cached}}
}

// part is how long the second level may be asked from now on, for an errand that is waited for: all of them share one
// part of the slice. Less than half of it is nothing, since what has no time to answer would be taken for out of order.
func (g *errands[A, O]) part(now time.Time) time.Duration {
	whole := g.policy.Cache.SecondLevel
	if left := whole - now.Sub(g.start); left >= whole/2 {
		return left
	}
	return 0
}

// job returns the call of e that begins now. A shared one has the whole slice; one that nobody else can have any use of
// ends with the gathering.
func (g *errands[A, O]) job(e *errand[A, O], now time.Time) *job[A, O] {
	j := &job[A, O]{order: order[A, O]{
		c: g.c, in: e.op.in, f: e.op.f, arg: g.args[e.i], policy: g.policy, trace: g.trace, start: now, deadline: now.Add(g.policy.Slice),
		second: g.read.second(g.c, g.policy, e.personal), part: g.policy.Cache.SecondLevel,
	}}
	if e.key == "" && g.end.Before(j.deadline) {
		j.deadline, j.cut = g.end, true
	}
	return j
}

// alone makes a call that is not shared.
func (j *job[A, O]) alone(f *flight[O]) {
	defer close(f.done)
	defer func() {
		if v := recover(); v != nil {
			f.err = newPanicError(v)
		}
	}()
	f.out, f.asOf, f.err = j.do()
}
