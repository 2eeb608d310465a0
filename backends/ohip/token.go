package ohip

import (
	"context"
	"encoding/base64"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/warmgate/warmgate/backends/wire"
)

// How a token is held.
const (
	unsaidLife   = 5 * time.Minute // where the answer does not say how long it lasts
	longestLife  = 24 * time.Hour
	maxToken     = 16 << 10
	maxTokenBody = 64 << 10
	lastMoments  = 5 * time.Second  // a token that ends within this is not used any more, nor within a tenth of its life
	firstRetry   = time.Second      // after a renewal that failed
	longestRetry = 30 * time.Second // the pause doubles up to this
	dropEvery    = 5 * time.Second  // where each new token is refused as well, tokens are not at fault
)

// token is the one access token of a client. It is fetched by the first call that needs it, and from then on renewed in
// the background when four fifths of its life are over, so that calls do not wait. Whoever has none waits for the same
// request, each to its own deadline; the request itself runs under its own time limit. A token that the hotel refuses is
// dropped, once for all who met it, and not again at once. It is never logged.
type token struct {
	wire    *wire.Client
	form    wire.Request
	timeout time.Duration
	ask     func(context.Context) (string, time.Duration, error) // request; a test has its own

	ctx    context.Context // ends with close
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

func newToken(cfg Config) (*token, error) {
	w, err := wire.New(wire.Config{Connector: connector, BaseURL: cfg.GatewayURL, MaxConns: 2, MaxBody: maxTokenBody,
		Idle: cfg.Idle, RootCAs: cfg.RootCAs})
	if err != nil {
		return nil, err
	}
	if cfg.TokenTimeout == 0 {
		cfg.TokenTimeout = defaultTokenTimeout
	}
	t := &token{wire: w, timeout: cfg.TokenTimeout, form: tokenRequest(cfg)}
	t.ask = t.request
	t.ctx, t.cancel = context.WithCancel(context.Background())
	return t, nil
}

func tokenRequest(cfg Config) wire.Request {
	scope := cfg.Scope
	if scope == "" {
		scope = DefaultScope
	}
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {scope}}
	if cfg.Username != "" {
		form = url.Values{"grant_type": {"password"}, "username": {cfg.Username}, "password": {cfg.Password}}
	}
	header := []wire.Header{{Name: "x-app-key", Value: cfg.AppKey}, {Name: "Authorization", Value: "Basic " +
		base64.StdEncoding.EncodeToString([]byte(cfg.ClientID+":"+cfg.ClientSecret))}}
	if cfg.EnterpriseID != "" {
		header = append(header, wire.Header{Name: "enterpriseId", Value: cfg.EnterpriseID})
	}
	return wire.Request{Op: "Token", Method: "POST", Path: "/oauth/v1/tokens", Header: header, Form: form}
}

// get returns a token that can still be used, or waits for one until ctx ends.
func (t *token) get(ctx context.Context) (string, error) {
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

// drop forgets a token that the hotel refused, unless it has been replaced, or another was dropped a moment ago. It reports
// whether a new try makes sense.
func (t *token) drop(refused string) bool {
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
func (t *token) fetch() *fetch {
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
func (t *token) settle(f *fetch, value string, life time.Duration, err error) {
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
func (t *token) renew() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed {
		t.fetch()
	}
}

// request makes one token request.
func (t *token) request(ctx context.Context) (string, time.Duration, error) {
	r := t.form
	a, err := t.wire.Do(ctx, &r)
	if err != nil {
		return "", 0, err
	}
	defer a.Release()
	if e := a.Unclear(); e != nil {
		return "", 0, e
	}
	if a.Status() != 200 {
		e := a.Refused("", "")
		e.Cause = RefusedCredentials
		return "", 0, e
	}
	var out tokenAnswer
	if !a.Decode(&out) || !out.whole() {
		return "", 0, a.Unknown(wire.ReasonGarbage)
	}
	return out.Token, out.life(), nil
}

func (t *token) close() {
	t.mu.Lock()
	t.closed = true
	if t.renewal != nil {
		t.renewal.Stop()
	}
	t.mu.Unlock()
	t.cancel()
	t.tasks.Wait()
	t.wire.Close()
}

// tokenAnswer is what the token endpoint answers.
type tokenAnswer struct {
	Token   string `json:"access_token"`
	Expires *int64 `json:"expires_in"` // seconds; nil where it is not said
	Type    string `json:"token_type"`
}

func (a *tokenAnswer) whole() bool {
	return wire.IsVisible(a.Token, maxToken) && (a.Type == "" || strings.EqualFold(a.Type, "Bearer")) &&
		(a.Expires == nil || *a.Expires > 0)
}

func (a *tokenAnswer) life() time.Duration {
	if a.Expires == nil {
		return unsaidLife
	}
	return time.Duration(min(*a.Expires, int64(longestLife/time.Second))) * time.Second
}

// isBasicUser reports whether s can be the user of Basic authentication (RFC 7617).
func isBasicUser(s string) bool { return !strings.Contains(s, ":") }
