package call

import (
	"context"
	"errors"
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

// attemptContext is the context of one attempt: a deadline and a trace, detached from everything else of the caller. It
// ends sooner only when the attempt has.
type attemptContext struct{ Until }

// Until is a context that ends at a time of the process's clock, or sooner by End, and carries a trace. Its channel and
// timer exist only once Done is asked for, which a client that reads Deadline never does. It is used once Begin has
// returned, and safe for concurrent use from then on.
type Until struct {
	at    time.Time
	trace *trace

	mu    sync.Mutex
	done  chan struct{}
	timer *time.Timer
	err   error // set once, before done is closed
}

// Begin sets when the context ends, and takes the trace of from (WithTrace).
func (c *Until) Begin(from context.Context, at time.Time) { c.at, c.trace = at, traceOf(from) }

// Sooner returns a context that ends at the given time already, if that is before c's own; else c.
func (c *Until) Sooner(at time.Time) *Until {
	if !at.Before(c.at) {
		return c
	}
	return &Until{at: at, trace: c.trace}
}

// Deadline implements context.Context.
func (c *Until) Deadline() (time.Time, bool) { return c.at, true }

// Value implements context.Context: the trace is all there is.
func (c *Until) Value(key any) any {
	if _, ok := key.(traceKey); ok && c.trace != nil {
		return c.trace
	}
	return nil
}

// Done implements context.Context.
func (c *Until) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		if c.err != nil {
			close(c.done)
		} else {
			c.timer = time.AfterFunc(time.Until(c.at), func() { _ = c.End(context.DeadlineExceeded) })
		}
	}
	return c.done
}

// cancelled reports whether ctx was given up, which is another thing than running out of time. It reads no clock where
// it can.
func cancelled(ctx context.Context) bool {
	c, ok := ctx.(*Until)
	if !ok {
		return ctx.Err() == context.Canceled
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return errors.Is(c.err, context.Canceled)
}

// Waited reports whether Done has been asked for: somebody may still look at the context.
func (c *Until) Waited() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.done != nil
}

// Err implements context.Context. It ends the context itself when its time has come, so that it never says more than
// Done shows.
func (c *Until) Err() error {
	c.mu.Lock()
	err := c.err
	c.mu.Unlock()
	if err == nil && !time.Now().Before(c.at) {
		return c.End(context.DeadlineExceeded)
	}
	return err
}

// End ends the context with err (context.Canceled, context.DeadlineExceeded) unless it has ended already, and returns
// what it ended with.
func (c *Until) End(err error) error {
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
