package wire

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// tokenLimit is how long one request for a token may take here.
const tokenLimit = 10 * time.Second

// office is a token office of which a test says what each request brings, and when.
type office struct {
	mu    sync.Mutex
	asked []time.Time
	serve func(ctx context.Context, n int) (string, time.Duration, error)
}

func (o *office) ask(ctx context.Context) (string, time.Duration, error) {
	o.mu.Lock()
	o.asked = append(o.asked, time.Now())
	n := len(o.asked)
	o.mu.Unlock()
	return o.serve(ctx, n)
}

func (o *office) times() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.asked)
}

// numbered brings T1, T2, … for an hour each, after a second.
func numbered(_ context.Context, n int) (string, time.Duration, error) {
	time.Sleep(time.Second)
	return fmt.Sprintf("T%d", n), time.Hour, nil
}

func newOffice(t *testing.T, serve func(context.Context, int) (string, time.Duration, error)) (*office, *Token) {
	t.Helper()
	o := &office{serve: serve}
	return o, NewToken(tokenLimit, o.ask)
}

func TestOneRequestHoweverManyWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, tok := newOffice(t, numbered)
		defer tok.Close()
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*10*time.Millisecond+5*time.Millisecond)
				defer cancel()
				begin := time.Now()
				value, err := tok.Get(ctx)
				switch {
				case i < 100 && (!errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Duration(i)*10*time.Millisecond+5*time.Millisecond):
					t.Errorf("waiter %d did not leave at its own deadline: %q, %v after %s", i, value, err, time.Since(begin))
				case i >= 100 && (value != "T1" || err != nil || time.Since(begin) != time.Second):
					t.Errorf("waiter %d: %q, %v after %s", i, value, err, time.Since(begin))
				}
			})
		}
		wg.Wait()
		if n := o.times(); n != 1 {
			t.Errorf("%d token requests", n)
		}
	})
}

func TestATokenIsRenewedBeforeItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, tok := newOffice(t, numbered)
		defer tok.Close()
		if _, err := tok.Get(t.Context()); err != nil {
			t.Fatal(err)
		}
		first := time.Now()
		for range 24 * 60 { // a day with a call every minute: none of them waits
			time.Sleep(time.Minute)
			begin := time.Now()
			if _, err := tok.Get(t.Context()); err != nil || time.Since(begin) != 0 {
				t.Fatalf("a call waited %s: %v", time.Since(begin), err)
			}
		}
		if due := o.asked[1].Sub(first); due != 48*time.Minute {
			t.Errorf("renewed after %s, want four fifths of an hour", due)
		}
		if n := o.times(); n < 29 || n > 31 {
			t.Errorf("%d token requests in a day", n)
		}
	})
}

func TestARenewalThatFailsIsTriedAgainBehindTheCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, tok := newOffice(t, func(ctx context.Context, n int) (string, time.Duration, error) {
			if n > 1 && n < 20 {
				return "", 0, errors.New("no")
			}
			return numbered(ctx, n)
		})
		defer tok.Close()
		if _, err := tok.Get(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(48*time.Minute + 20*time.Second) // 1, 2, 4, 8 s after the first failure, then 16, 30, 30, …
		if n := o.times(); n != 6 {
			t.Errorf("%d requests after 20 s of failures", n)
		}
		if value, err := tok.Get(t.Context()); value != "T1" || err != nil {
			t.Errorf("the old token is still good: %q, %v", value, err)
		}
		time.Sleep(10 * time.Minute)
		if value, err := tok.Get(t.Context()); value != "T20" || err != nil {
			t.Errorf("after the failures: %q, %v", value, err)
		}
	})
}

func TestAClientWithoutATokenDoesNotAskByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, tok := newOffice(t, func(context.Context, int) (string, time.Duration, error) { return "", 0, errors.New("no") })
		defer tok.Close()
		for range 3 {
			if _, err := tok.Get(t.Context()); err == nil {
				t.Fatal("a token from nowhere")
			}
		}
		time.Sleep(time.Hour)
		if n := o.times(); n != 3 {
			t.Errorf("%d requests for three calls", n)
		}
	})
}

func TestARefusedTokenIsDroppedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, tok := newOffice(t, numbered)
		defer tok.Close()
		old, err := tok.Get(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 100 { // all of them were refused with the same token
			wg.Go(func() {
				if !tok.Drop(old) {
					t.Error("a new try makes sense")
				}
				if value, err := tok.Get(t.Context()); value != "T2" || err != nil {
					t.Errorf("%q, %v", value, err)
				}
			})
		}
		wg.Wait()
		if n := o.times(); n != 2 {
			t.Errorf("%d token requests", n)
		}
		if !tok.Drop("T1") || tok.value != "T2" {
			t.Error("a late refusal of the old token dropped the new one")
		}
		if tok.Drop("T2") || tok.value != "T2" {
			t.Error("the next token was dropped at once: tokens are not at fault")
		}
		time.Sleep(dropEvery)
		if !tok.Drop("T2") || tok.value != "" {
			t.Error("later a token may be at fault again")
		}
	})
}

func TestAHangingTokenOfficeEndsAtItsTimeLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, tok := newOffice(t, func(ctx context.Context, _ int) (string, time.Duration, error) {
			<-ctx.Done()
			return "", 0, ctx.Err()
		})
		begin := time.Now()
		if _, err := tok.Get(t.Context()); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != tokenLimit {
			t.Errorf("%v after %s", err, time.Since(begin))
		}
		go func() { time.Sleep(time.Second); tok.Close() }() // closing ends a request that is under way
		if _, err := tok.Get(t.Context()); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if _, err := tok.Get(t.Context()); !errors.Is(err, context.Canceled) {
			t.Errorf("after close: %v", err)
		}
	})
}
