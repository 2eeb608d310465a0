package call

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestUntil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &Until{at: time.Now().Add(100 * ms)}
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
		if !errors.Is(c.Err(), context.DeadlineExceeded) || time.Until(c.at) != 0 {
			t.Fatalf("got %v at %v", c.Err(), time.Until(c.at))
		}
		if c.End(context.Canceled) != context.DeadlineExceeded {
			t.Fatal("it ended twice")
		}
	})
}

func TestUntilEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, asked := range []bool{true, false} { // for Done before the end
			c := &Until{at: time.Now().Add(time.Hour)}
			if asked {
				c.Done()
			}
			c.End(context.Canceled)
			<-c.Done()
			if c.Err() != context.Canceled || c.Done() != c.Done() {
				t.Fatalf("got %v", c.Err())
			}
		}
		c := &Until{at: time.Now().Add(ms)}
		time.Sleep(2 * ms)
		if c.Err() != context.DeadlineExceeded {
			t.Fatal("Err does not know the time")
		}
		<-c.Done()
		c = &Until{at: time.Now()}
		<-c.Done()
	})
}

func TestUntilHasChildren(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &Until{at: time.Now().Add(100 * ms), trace: &trace{"p", "s"}}
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

// An attempt's context ends on time; whatever may be cancelled does not, and is watched.
func TestEndsOnTime(t *testing.T) {
	attempt := &attemptContext{}
	attempt.Begin(WithTrace(context.Background(), "p", "s"), time.Now().Add(time.Hour))
	if p, s := Trace(attempt); p != "p" || s != "s" || !EndsOnTime(attempt) || attempt.Waited() {
		t.Error("an attempt's context is wrong")
	}
	child, cancel := context.WithCancel(attempt)
	defer cancel()
	for _, ctx := range []context.Context{context.Background(), child, &attempt.Until} {
		if EndsOnTime(ctx) {
			t.Errorf("%T may be cancelled", ctx)
		}
	}
	if !attempt.Waited() {
		t.Error("its child waits for it")
	}
	if s := attempt.Sooner(time.Now()); s == &attempt.Until || s.Err() != context.DeadlineExceeded || attempt.Err() != nil {
		t.Error("sooner is not sooner")
	}
	if attempt.Sooner(time.Now().Add(2*time.Hour)) != &attempt.Until {
		t.Error("later is sooner")
	}
}
