package ledger

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// The states of an item. Whoever moves it out of queued decides its fate: the caller (withdrawn) or the writer (taken).
const (
	queued uint32 = iota
	taken
	withdrawn
)

// item is one Work on its way through the writer.
type item struct {
	work  Work
	state atomic.Uint32
	done  chan struct{} // one slot; the writer's last touch of the item
	then  func(error)   // instead of done, where nobody waits
	names []string      // of what it is about, where nobody waits

	patient bool      // it lets the others go first
	since   time.Time // it waits; of a patient one it is not kept

	// written by the writer before done
	err    error
	isKept bool
	flush  time.Duration // that its group took to be flushed
}

// answer tells the caller.
func (it *item) answer(err error, isKept bool) {
	if it.then != nil {
		it.then(err)
		return
	}
	it.err, it.isKept = err, isKept
	it.done <- struct{}{}
}

// lane holds items in the order in which they came.
type lane struct {
	items     []*item
	limit     int
	withdrawn bool // it may hold some whose callers have left
}

// push appends it, unless the lane is full.
func (l *lane) push(it *item) error {
	if len(l.items) >= l.limit && l.withdrawn {
		l.items = slices.DeleteFunc(l.items, func(it *item) bool { return it.state.Load() == withdrawn })
		l.withdrawn = false
	}
	if len(l.items) >= l.limit {
		return fmt.Errorf("its queue is full (%d items)", l.limit)
	}
	l.items = append(l.items, it)
	return nil
}

// take moves the first n items, or as many as there are, to the end of into.
func (l *lane) take(into []*item, n int) []*item {
	n = min(n, len(l.items))
	into = append(into, l.items[:n]...)
	l.items = slices.Delete(l.items, 0, n)
	return into
}

// patientMost is how many patient items one group takes, at most: so few that nobody who comes meanwhile waits long for
// them, and never none, so that they get on however many are in front.
const patientMost = 8

// queue holds the items that wait, bounded: those that somebody waits for, first come first served; behind them, as they
// came too, the patient ones. What nobody waits for at all lies beside: until it is due, or is asked for, so that many of
// them share one flush.
type queue struct {
	mu      sync.Mutex
	prompt  lane
	patient lane
	limit   int
	behind  []*item // that nobody waits for
	names   map[string]int
	linger  time.Duration
	timed   bool  // a timer runs for them
	due     bool  // they go with the next group
	closed  error // why nothing more is accepted
	wake    chan struct{}

	pool sync.Pool
}

func (q *queue) init(limit int, linger time.Duration) {
	q.limit, q.linger = limit, linger
	q.prompt.limit, q.patient.limit = limit, limit
	q.names = map[string]int{}
	q.wake = make(chan struct{}, 1)
	q.pool.New = func() any { return &item{done: make(chan struct{}, 1)} }
}

// item returns a fresh item for w.
func (q *queue) item(w Work, patient bool) *item {
	it := q.pool.Get().(*item)
	it.work, it.patient = w, patient
	return it
}

// recycle takes back an item whose done was received: nobody else holds it.
func (q *queue) recycle(it *item) {
	it.work, it.err, it.isKept, it.flush = nil, nil, false, 0
	it.state.Store(queued)
	q.pool.Put(it)
}

// push appends it to its lane, unless that is full or the queue is closed.
func (q *queue) push(it *item) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed != nil {
		return q.closed
	}
	if !it.patient {
		it.since = time.Now()
	}
	if err := q.lane(it).push(it); err != nil {
		return err
	}
	q.signal()
	return nil
}

// lane is where an item waits.
func (q *queue) lane(it *item) *lane {
	if it.patient {
		return &q.patient
	}
	return &q.prompt
}

// lay puts an item beside that nobody waits for, unless there are too many or the queue is closed.
func (q *queue) lay(it *item) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed != nil:
		return q.closed
	case len(q.behind) >= q.limit:
		return fmt.Errorf("its queue is full (%d items behind answers)", q.limit)
	}
	q.behind = append(q.behind, it)
	for _, name := range it.names {
		q.names[name]++
	}
	switch {
	case len(q.behind) >= behindMost:
		q.fall()
	case !q.timed:
		q.timed = true
		time.AfterFunc(q.linger, func() {
			q.mu.Lock()
			defer q.mu.Unlock()
			q.timed = false
			q.fall()
		})
	}
	return nil
}

// behindMost is how many items lie beside at most before they are due.
const behindMost = 64

// fall makes what lies beside due. The caller holds mu.
func (q *queue) fall() {
	if len(q.behind) > 0 && !q.due {
		q.due = true
		q.signal()
	}
}

// hurry makes what lies beside due now, if something of that name does; "" is anything.
func (q *queue) hurry(name string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if name == "" || q.names[name] > 0 {
		q.fall()
	}
}

// lies reports whether something of that name lies beside.
func (q *queue) lies(name string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.names[name] > 0
}

// pick appends what lies beside to into, all of it, and has it marked as taken.
func (q *queue) pick(into []*item) []*item {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.pickLocked(into)
}

func (q *queue) pickLocked(into []*item) []*item {
	for _, it := range q.behind {
		it.state.Store(taken)
	}
	into = append(into, q.behind...)
	clear(q.behind)
	clear(q.names)
	q.behind, q.due = q.behind[:0], false
	return into
}

// signal wakes the writer.
func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// withdrew notes that an item's caller left.
func (q *queue) withdrew(it *item) {
	q.mu.Lock()
	q.lane(it).withdrawn = true
	q.mu.Unlock()
}

// take moves a group to the end of into, waiting for the first item: all that lay beside and is due, up to n items that
// somebody waits for, and a few patient ones. None are left, ever, when it returns false.
func (q *queue) take(into []*item, n int) ([]*item, bool) {
	for {
		q.mu.Lock()
		closed := q.closed != nil
		if q.due || closed {
			into = q.pickLocked(into)
		}
		into = q.prompt.take(into, n)
		into = q.patient.take(into, min(n, patientMost))
		q.mu.Unlock()
		if len(into) > 0 {
			return into, true
		}
		if closed {
			return into, false
		}
		<-q.wake
	}
}

// close refuses new items from now on; the first reason stays.
func (q *queue) close(why error) {
	q.mu.Lock()
	if q.closed == nil {
		q.closed = why
	}
	q.signal()
	q.mu.Unlock()
}

// length returns how many items wait.
func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.prompt.items) + len(q.patient.items)
}
