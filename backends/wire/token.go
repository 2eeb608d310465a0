package wire

import (
	"context"
	"sync"
	"time"
)

// How a token is held.
const (
	lastMoments  = 5 * time.Second  // a token that ends within this is not used any more, nor within a tenth of its life
	firstRetry   = time.Second      // after a renewal that failed
	longestRetry = 30 * time.Second // the pause doubles up to this
	dropEvery    = 5 * time.Second  // where each new token is refused as well, tokens are not at fault
)

// Token is the one access token of a client (RFC 6749). It is fetched by the first call that needs it, and from then on
// renewed in the background when four fifths of its life are over, so that calls do not wait. Whoever has none waits for the
// same request, each to its own deadline; the request itself runs under its own time limit. A token that the backend refuses
// is dropped, once for all who met it, and not again at once. It is never logged. Safe for concurrent use.
type Token struct {
	timeout time.Duration
	ask     func(context.Context) (string, time.Duration, error)

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	tasks  sync.WaitGroup

	mu       sync.Mutex
	value    string
	dropped  time.Time // the last drop
	until    time.Time // not used from here on
	retry    time.Duration
	renewal  *time.Timer
	fetching *fetch
	closed   bool
}

// fetch is one token request under way.
type fetch struct {
	done  chan struct{}
	value string // after done
	err   error  // after done
}

// NewToken returns a token that ask brings, with how long it lasts, each time within timeout.
func NewToken(timeout time.Duration, ask func(context.Context) (string, time.Duration, error)) *Token {
	t := &Token{timeout: timeout, ask: ask}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	return t
}

// Get returns a token that can still be used, or waits for one until ctx ends. The error is ctx's, or that of the request.
func (t *Token) Get(ctx context.Context) (string, error) {
	t.mu.Lock()
	if t.value != "" && time.Now().Before(t.until) {
		defer t.mu.Unlock()
		return t.value, nil
	}
	f := t.fetch()
	t.mu.Unlock()
	select {
	case <-f.done:
		return f.value, f.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// Drop forgets a token that the backend refused, unless it has been replaced, or another was dropped a moment ago. It reports
// whether a new try makes sense.
func (t *Token) Drop(refused string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.value != refused {
		return true
	}
	if time.Since(t.dropped) < dropEvery {
		return false
	}
	t.value, t.dropped = "", time.Now()
	return true
}

// fetch joins the request that is under way, or begins one. The caller holds mu.
func (t *Token) fetch() *fetch {
	if t.fetching != nil {
		return t.fetching
	}
	f := &fetch{done: make(chan struct{})}
	if t.closed {
		f.err = context.Canceled
		close(f.done)
		return f
	}
	t.fetching = f
	t.tasks.Go(func() {
		ctx, cancel := context.WithTimeout(t.ctx, t.timeout)
		defer cancel()
		value, life, err := t.ask(ctx)
		t.settle(f, value, life, err)
	})
	return f
}

// settle takes over what a request brought and says when the next one is due.
func (t *Token) settle(f *fetch, value string, life time.Duration, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f.value, f.err = value, err
	t.fetching = nil
	next := life * 4 / 5
	if err == nil {
		t.value = value
		t.until = time.Now().Add(life - min(lastMoments, life/10))
		t.retry = firstRetry
	} else {
		next = max(t.retry, firstRetry)
		t.retry = min(2*next, longestRetry)
	}
	if t.renewal != nil {
		t.renewal.Stop()
		t.renewal = nil
	}
	// A client that has never had a token waits for its next call instead of asking in the background for ever.
	if !t.closed && (err == nil || t.value != "") {
		t.renewal = time.AfterFunc(next, t.renew)
	}
	close(f.done)
}

// renew is what the timer calls.
func (t *Token) renew() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed {
		t.fetch()
	}
}

// Close ends a request that is under way, and every one after it.
func (t *Token) Close() {
	t.mu.Lock()
	t.closed = true
	if t.renewal != nil {
		t.renewal.Stop()
	}
	t.mu.Unlock()
	t.cancel()
	t.tasks.Wait()
}
