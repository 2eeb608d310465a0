package journey

import (
	"sync"
	"sync/atomic"
)

// crewSize is how many goroutines a crew keeps at most; whatever comes beyond gets one of its own.
const crewSize = 256

// crew keeps goroutines that have made calls before: their stacks have grown, which is a third of what a call costs.
type crew struct {
	work  chan func()
	hired atomic.Int32
	mu    sync.Mutex // held by who dismisses
}

// run runs f on a goroutine. It never waits.
func (c *crew) run(f func()) {
	select {
	case c.work <- f:
		return
	default:
	}
	if c.hired.Add(1) > crewSize {
		c.hired.Add(-1)
		go f()
		return
	}
	go c.serve(f)
}

func (c *crew) serve(f func()) {
	for f != nil {
		f()
		f = <-c.work
	}
}

// dismiss ends the goroutines, those that are at work after they have done it. The crew may be used again.
func (c *crew) dismiss() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.hired.Add(-1) >= 0 {
		c.work <- nil
	}
	c.hired.Add(1)
}
