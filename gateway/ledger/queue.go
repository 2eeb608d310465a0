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

	// written by the writer before done
	err    error
	isKept bool
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

// queue holds the items that wait, bounded, first come first served. Those that nobody waits for do not wake the writer
// before their time: they go with the next item that somebody waits for.
type queue struct {
	mu        sync.Mutex
	items     []*item
	awaited   int // of items
	limit     int
	linger    time.Duration
	late      bool  // a timer runs for items that nobody waits for
	due       bool  // and has ended
	withdrawn bool  // items may hold some whose callers have left
	closed    error // why nothing more is accepted
	wake      chan struct{}

	pool sync.Pool
}

func (q *queue) init(limit int, linger time.Duration) {
	q.limit, q.linger = limit, linger
	q.wake = make(chan struct{}, 1)
	q.pool.New = func() any { return &item{done: make(chan struct{}, 1)} }
}

// item returns a fresh item for w.
func (q *queue) item(w Work) *item {
	it := q.pool.Get().(*item)
	it.work = w
	return it
}

// recycle takes back an item whose done was received: nobody else holds it.
func (q *queue) recycle(it *item) {
	it.work, it.err, it.isKept = nil, nil, false
	it.state.Store(queued)
	q.pool.Put(it)
}

// push appends it, unless the queue is full or closed.
func (q *queue) push(it *item) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed != nil {
		return q.closed
	}
	if len(q.items) >= q.limit && q.withdrawn {
		q.items = slices.DeleteFunc(q.items, func(it *item) bool { return it.state.Load() == withdrawn })
		q.awaited = 0
		for _, it := range q.items {
			if it.then == nil {
				q.awaited++
			}
		}
		q.withdrawn = false
	}
	if len(q.items) >= q.limit {
		return fmt.Errorf("its queue is full (%d items)", q.limit)
	}
	q.items = append(q.items, it)
	if it.then != nil {
		if !q.late {
			q.late = true
			time.AfterFunc(q.linger, q.fall)
		}
		return nil
	}
	if q.awaited++; q.awaited == 1 {
		q.signal()
	}
	return nil
}

// fall makes what nobody waits for due.
func (q *queue) fall() {
	q.mu.Lock()
	q.late, q.due = false, true
	q.signal()
	q.mu.Unlock()
}

// signal wakes the writer.
func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// withdrew notes that a caller left.
func (q *queue) withdrew() {
	q.mu.Lock()
	q.withdrawn = true
	q.mu.Unlock()
}

// take moves up to n items to the end of into, waiting for the first. None are left, ever, when it returns false.
func (q *queue) take(into []*item, n int) ([]*item, bool) {
	for {
		q.mu.Lock()
		closed := q.closed != nil
		n := min(n, len(q.items))
		if q.awaited == 0 && !q.due && !closed {
			n = 0
		}
		for _, it := range q.items[:n] {
			if it.then == nil {
				q.awaited--
			}
		}
		into = append(into, q.items[:n]...)
		q.items = slices.Delete(q.items, 0, n)
		q.due = q.due && len(q.items) > 0
		q.mu.Unlock()
		if n > 0 {
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
	return len(q.items)
}
