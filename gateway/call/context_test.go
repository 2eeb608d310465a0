package call

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestAttemptContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &attemptContext{deadline: time.Now().Add(100 * ms)}
		if d, ok := c.Deadline(); !ok || time.Until(d) != 100*ms || c.Err() != nil || c.Value("x") != nil {
			t.Fatal("a new context is wrong")
		}
		done := c.Done()
		select {
		case <-done:
			t.Fatal("done before the deadline")
		case <-time.After(100*ms - 1):
		}
		<-done
		if !errors.Is(c.Err(), context.DeadlineExceeded) || time.Until(c.deadline) != 0 {
			t.Fatalf("got %v at %v", c.Err(), time.Until(c.deadline))
		}
		if c.end(context.Canceled) != context.DeadlineExceeded {
			t.Fatal("it ended twice")
		}
	})
}

func TestAttemptContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, asked := range []bool{true, false} { // for Done before the end
			c := &attemptContext{deadline: time.Now().Add(time.Hour)}
			if asked {
				c.Done()
			}
			c.end(context.Canceled)
			<-c.Done()
			if c.Err() != context.Canceled || c.Done() != c.Done() {
				t.Fatalf("got %v", c.Err())
			}
		}
		c := &attemptContext{deadline: time.Now().Add(ms)}
		time.Sleep(2 * ms)
		if c.Err() != context.DeadlineExceeded {
			t.Fatal("Err does not know the time")
		}
		<-c.Done()
		c = &attemptContext{deadline: time.Now()}
		<-c.Done()
	})
}

func TestAttemptContextHasChildren(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &attemptContext{deadline: time.Now().Add(100 * ms), trace: &trace{"p", "s"}}
		child, cancel := context.WithCancel(c)
		defer cancel()
		if p, s := Trace(child); p != "p" || s != "s" {
			t.Fatalf("got %q %q", p, s)
		}
		<-child.Done()
		if child.Err() != context.DeadlineExceeded {
			t.Fatal(child.Err())
		}
		if p, s := Trace(context.Background()); p+s != "" {
			t.Fatalf("got %q %q", p, s)
		}
	})
}
