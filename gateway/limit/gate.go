package limit

import (
	"sync"
	"time"

	"github.com/warmgate/warmgate/gateway"
)

// Priority orders work under pressure: the smaller, the sooner. A flow says which its calls have.
type Priority uint8

// The priorities.
const (
	NeverShed  Priority = iota // an exit: admitted at once, whatever else is going on
	Critical                   // somebody stands at a gate
	High                       // somebody stands at a desk
	Normal                     // somebody waits at a screen
	Low                        // nobody waits, or asking again costs nothing
	priorities = iota
)

// Gate bounds the work in flight and decides what goes first when there is too much of it.
//
// Work is admitted at once while less than its priority's share is taken. Otherwise it waits in the bounded queue of
// its priority; room that comes free goes to the oldest of the highest priority. What could not finish is turned away
// at arrival, in well under a microsecond: because its time is too short, because its queue is full, or because a
// queue at or above its priority has been standing for Interval and its oldest has waited longer than Target (the rule
// of CoDel, RFC 8289 §3, applied at the tail, where the answer is cheap). NeverShed work is counted, so others make
// room for it, but it neither waits nor is refused; its number is bounded by the edge's connections alone.
//
// Safe for concurrent use. No goroutine is kept.
type Gate struct {
	config GateConfig
	caps   [priorities]int
	errs   map[Shed]*gateway.Error

	mu       sync.Mutex
	inFlight int
	queues   [priorities]queue
}

// queue holds the waiters of one priority, oldest first.
type queue struct {
	first, last *waiter
	n           int
	standing    time.Time // since when it has not been empty
}

// waiter is one piece of work in a queue. Granted and queued are guarded by the gate's lock.
type waiter struct {
	prev, next *waiter
	since      time.Time
	granted    chan struct{} // closed when there is room
	queued     bool
}

// Slot is room for one piece of work in flight. Release it exactly once.
type Slot struct{ gate *Gate }

// NewGate returns a gate for a valid configuration.
func NewGate(c GateConfig) *Gate {
	c = c.withDefaults()
	share := func(s float64) int { return max(1, int(s*float64(c.InFlight))) }
	g := &Gate{config: c, errs: make(map[Shed]*gateway.Error)}
	g.caps = [priorities]int{Critical: c.InFlight, High: share(c.Shares.High), Normal: share(c.Shares.Normal), Low: share(c.Shares.Low)}
	for _, s := range []Shed{ShedDeadline, ShedFull, ShedDelay, ShedWaited} {
		g.errs[s] = ProblemOverloaded.Error(gateway.Text{
			Zh: "系统繁忙，本次请求未被处理。", En: "The gateway is too busy to do this in time; nothing was done.",
		}).WithRetryAfter(c.RetryAfter).WithCause(s)
	}
	return g
}

// Acquire returns room for a piece of work of priority p at now. Deadline is when its answer is due (zero: never), and
// shortest is the shortest way to an outcome that its flow declares: work that has less time left than that is turned
// away at once, and nobody waits so long that it would have. It may block up to MaxWait. The error is an overloaded
// *gateway.Error whose cause is a Shed; it is shared and must not be changed. An admission without waiting allocates
// nothing.
func (g *Gate) Acquire(p Priority, now, deadline time.Time, shortest time.Duration) (Slot, error) {
	patience := g.config.MaxWait
	if !deadline.IsZero() {
		patience = min(patience, deadline.Sub(now)-shortest)
	}
	g.mu.Lock()
	if p == NeverShed || (patience >= 0 && g.inFlight < g.caps[p]) {
		g.inFlight++
		g.mu.Unlock()
		return Slot{g}, nil
	}
	w, shed := g.enqueue(p, now, patience)
	g.mu.Unlock()
	if w == nil {
		return Slot{}, g.errs[shed]
	}
	return g.wait(w, p, patience)
}

// enqueue puts a waiter at the end of its queue, or says why it may not wait. The lock is held.
func (g *Gate) enqueue(p Priority, now time.Time, patience time.Duration) (*waiter, Shed) {
	if patience <= 0 {
		return nil, ShedDeadline
	}
	for q := Critical; q <= p; q++ {
		queue := &g.queues[q]
		if queue.n > 0 && now.Sub(queue.standing) > g.config.Interval && now.Sub(queue.first.since) > g.config.Target {
			return nil, ShedDelay
		}
	}
	queue := &g.queues[p]
	if queue.n >= g.config.Queue {
		return nil, ShedFull
	}
	w := &waiter{since: now, granted: make(chan struct{}), queued: true}
	queue.push(w)
	return w, ""
}

// wait blocks until there is room for w or its patience ends.
func (g *Gate) wait(w *waiter, p Priority, patience time.Duration) (Slot, error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-w.granted:
		return Slot{g}, nil
	case <-timer.C:
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !w.queued { // room came at the same moment: take it, the work can still be done
		return Slot{g}, nil
	}
	g.queues[p].remove(w)
	return Slot{}, g.errs[ShedWaited]
}

// Release gives the room back, to the oldest waiter of the highest priority that may have it.
func (s Slot) Release() {
	g := s.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inFlight--; g.inFlight < 0 {
		panic("BUG: a slot was released twice")
	}
	// Nobody who waits had room before, so this room is for one of them at most. Shares fall with the priority: where
	// a higher one finds no room, a lower one doesn't either.
	for p := Critical; p <= Low; p++ {
		q := &g.queues[p]
		if w := q.first; w != nil && g.inFlight < g.caps[p] {
			q.remove(w)
			g.inFlight++
			close(w.granted)
			return
		}
	}
}

// Load is what a gate has to do at one moment.
type Load struct {
	InFlight int
	Waiting  int
}

// Load returns the work in flight and waiting, for metrics.
func (g *Gate) Load() Load {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := Load{InFlight: g.inFlight}
	for p := range g.queues {
		l.Waiting += g.queues[p].n
	}
	return l
}

func (q *queue) push(w *waiter) {
	if q.n == 0 {
		q.first, q.standing = w, w.since
	} else {
		q.last.next, w.prev = w, q.last
	}
	q.last = w
	q.n++
}

func (q *queue) remove(w *waiter) {
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		q.first = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	} else {
		q.last = w.prev
	}
	w.prev, w.next, w.queued = nil, nil, false
	q.n--
}
