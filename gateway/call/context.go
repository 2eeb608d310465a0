package call

import (
	"context"
	"sync"
	"time"
)

type traceKey struct{}

// trace is the W3C trace context that an attempt passes on (headers traceparent and tracestate).
type trace struct{ parent, state string }

// WithTrace returns a context whose calls carry the W3C trace context on to their backends.
func WithTrace(ctx context.Context, traceparent, tracestate string) context.Context {
	return context.WithValue(ctx, traceKey{}, &trace{parent: traceparent, state: tracestate})
}

// Trace returns the W3C trace context that a client has to send on; both are empty where there is none.
func Trace(ctx context.Context) (traceparent, tracestate string) {
	if t := traceOf(ctx); t != nil {
		return t.parent, t.state
	}
	return "", ""
}

func traceOf(ctx context.Context) *trace {
	t, _ := ctx.Value(traceKey{}).(*trace)
	return t
}

// EndsOnTime reports whether ctx, which has a deadline, cannot end before it: that of an attempt. Who waits by the
// deadline need not watch its Done, which costs a timer.
func EndsOnTime(ctx context.Context) bool {
	_, ok := ctx.(*attemptContext)
	return ok
}

// attemptContext is the context of one attempt: a deadline and a trace, detached from everything else of the caller.
// Its channel and timer exist only once Done is asked for, which a client that reads Deadline never does.
type attemptContext struct {
	deadline time.Time
	trace    *trace

	mu    sync.Mutex
	done  chan struct{}
	timer *time.Timer
	err   error // set once, before done is closed
}

func (c *attemptContext) Deadline() (time.Time, bool) { return c.deadline, true }

func (c *attemptContext) Value(key any) any {
	if _, ok := key.(traceKey); ok && c.trace != nil {
		return c.trace
	}
	return nil
}

func (c *attemptContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		if c.err != nil {
			close(c.done)
		} else {
			c.timer = time.AfterFunc(time.Until(c.deadline), func() { _ = c.end(context.DeadlineExceeded) })
		}
	}
	return c.done
}

// Err ends the context itself when its deadline has passed, so that it never says more than Done shows.
func (c *attemptContext) Err() error {
	c.mu.Lock()
	err := c.err
	c.mu.Unlock()
	if err == nil && !time.Now().Before(c.deadline) {
		return c.end(context.DeadlineExceeded)
	}
	return err
}

// end closes the context with err unless it has ended already, and returns what it ended with.
func (c *attemptContext) end(err error) error {
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
