package journey

import (
	"context"
	"sync"
	"time"

	"github.com/warmgate/warmgate/gateway/call"
)

// until is a context that ends at a time and carries the trace. Its channel and timer exist only once Done is asked for,
// which a call rarely does.
type until struct {
	at     time.Time       // of the process's clock
	values context.Context // the trace

	mu    sync.Mutex
	done  chan struct{}
	timer *time.Timer
	err   error // set once, before done is closed
}

// traced holds what the run's contexts carry.
func traced(parent string) context.Context {
	if parent == "" {
		return context.Background()
	}
	return call.WithTrace(context.Background(), parent, "")
}

func (c *until) Deadline() (time.Time, bool) { return c.at, true }
func (c *until) Value(key any) any           { return c.values.Value(key) }

func (c *until) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		if c.err != nil {
			close(c.done)
		} else {
			c.timer = time.AfterFunc(time.Until(c.at), func() { _ = c.end(context.DeadlineExceeded) })
		}
	}
	return c.done
}

func (c *until) Err() error {
	c.mu.Lock()
	err := c.err
	c.mu.Unlock()
	if err == nil && !time.Now().Before(c.at) {
		return c.end(context.DeadlineExceeded)
	}
	return err
}

// end closes the context with err unless it has ended already, and returns what it ended with.
func (c *until) end(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
		if c.done != nil {
			c.timer.Stop()
			close(c.done)
		}
	}
	return c.err
}

// sooner returns a context that ends at the given time already, if that is before c's own.
func (c *until) sooner(at time.Time) *until {
	if !at.Before(c.at) {
		return c
	}
	return &until{at: at, values: c.values}
}
