package ohip

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warmgate/warmgate/backends/wire"
)

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

func newOffice(t *testing.T, serve func(context.Context, int) (string, time.Duration, error)) (*office, *token) {
	t.Helper()
	w, err := wire.New(wire.Config{Connector: connector, BaseURL: "http://opera.example"})
	if err != nil {
		t.Fatal(err)
	}
	o := &office{serve: serve}
	tok := &token{wire: w, timeout: defaultTokenTimeout}
	tok.ctx, tok.cancel = context.WithCancel(t.Context())
	tok.ask = o.ask
	return o, tok
}

func TestOneRequestHoweverManyWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, tok := newOffice(t, numbered)
		defer tok.close()
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*10*time.Millisecond+5*time.Millisecond)
				defer cancel()
				begin := time.Now()
				value, err := tok.get(ctx)
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
		defer tok.close()
		if _, err := tok.get(t.Context()); err != nil {
			t.Fatal(err)
		}
		first := time.Now()
		for range 24 * 60 { // a day with a call every minute: none of them waits
			time.Sleep(time.Minute)
			begin := time.Now()
			if _, err := tok.get(t.Context()); err != nil || time.Since(begin) != 0 {
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
		defer tok.close()
		if _, err := tok.get(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(48*time.Minute + 20*time.Second) // 1, 2, 4, 8 s after the first failure, then 16, 30, 30, …
		if n := o.times(); n != 6 {
			t.Errorf("%d requests after 20 s of failures", n)
		}
		if value, err := tok.get(t.Context()); value != "T1" || err != nil {
			t.Errorf("the old token is still good: %q, %v", value, err)
		}
		time.Sleep(10 * time.Minute)
		if value, err := tok.get(t.Context()); value != "T20" || err != nil {
			t.Errorf("after the failures: %q, %v", value, err)
		}
	})
}

func TestAClientWithoutATokenDoesNotAskByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, tok := newOffice(t, func(context.Context, int) (string, time.Duration, error) { return "", 0, errors.New("no") })
		defer tok.close()
		for range 3 {
			if _, err := tok.get(t.Context()); err == nil {
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
		defer tok.close()
		old, err := tok.get(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 100 { // all of them were refused with the same token
			wg.Go(func() {
				if !tok.drop(old) {
					t.Error("a new try makes sense")
				}
				if value, err := tok.get(t.Context()); value != "T2" || err != nil {
					t.Errorf("%q, %v", value, err)
				}
			})
		}
		wg.Wait()
		if n := o.times(); n != 2 {
			t.Errorf("%d token requests", n)
		}
		if !tok.drop("T1") || tok.value != "T2" {
			t.Error("a late refusal of the old token dropped the new one")
		}
		if tok.drop("T2") || tok.value != "T2" {
			t.Error("the next token was dropped at once: tokens are not at fault")
		}
		time.Sleep(dropEvery)
		if !tok.drop("T2") || tok.value != "" {
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
		if _, err := tok.get(t.Context()); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != defaultTokenTimeout {
			t.Errorf("%v after %s", err, time.Since(begin))
		}
		go func() { time.Sleep(time.Second); tok.close() }() // closing ends a request that is under way
		if _, err := tok.get(t.Context()); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if _, err := tok.get(t.Context()); !errors.Is(err, context.Canceled) {
			t.Errorf("after close: %v", err)
		}
	})
}

// TestTokensOverTheWire: what the office answers, and that a call without a token is one that was not sent.
func TestTokensOverTheWire(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		body   string
		fate   wire.Fate // of the token request; 0: a token
		life   time.Duration
	}{
		{"an hour", 200, `{"access_token":"s3cret","expires_in":3600,"token_type":"Bearer","oracle_tk_context":"user_assertion"}`, 0, time.Hour},
		{"no life said", 200, `{"access_token":"s3cret"}`, 0, unsaidLife},
		{"a very long life", 200, `{"access_token":"s3cret","expires_in":9000000000000}`, 0, longestLife},
		{"no life", 200, `{"access_token":"s3cret","expires_in":0}`, wire.Unknown, 0},
		{"no token", 200, `{"expires_in":3600}`, wire.Unknown, 0},
		{"a token with a space", 200, `{"access_token":"s3cret x"}`, wire.Unknown, 0},
		{"another type", 200, `{"access_token":"s3cret","token_type":"MAC"}`, wire.Unknown, 0},
		{"another case", 200, `{"Access_Token":"s3cret"}`, wire.Unknown, 0},
		{"not JSON", 200, `s3cret`, wire.Unknown, 0},
		{"not known", 401, `{"error":"s3cret"}`, wire.Refused, 0},
		{"not a grant", 400, `s3cret`, wire.Refused, 0},
		{"broken", 500, `s3cret`, wire.Unknown, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			}))
			defer server.Close()
			client, err := New(Config{GatewayURL: server.URL, HotelID: "H", AppKey: SandboxAppKey, ClientID: "c", ClientSecret: "s3cret"})
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			value, life, err := client.token.request(ctx)
			if c.fate == 0 {
				if value != "s3cret" || life != c.life || err != nil {
					t.Errorf("%q %s %v", value, life, err)
				}
				return
			}
			if e, ok := errors.AsType[*wire.Error](err); !ok || e.Fate != c.fate {
				t.Errorf("%v", err)
			}
			err = client.CheckIn(ctx, "1", "2")
			if e, ok := errors.AsType[*wire.Error](err); !ok || e.Fate != wire.NotSent || e.Reason != ReasonToken || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("a call without a token: %v", err)
			}
		})
	}
}

// TestACallGoesOnWithANewToken: a token that ended early costs no call; a hotel that never accepts one costs one more try.
func TestACallGoesOnWithANewToken(t *testing.T) {
	var good atomic.Value
	good.Store("T1")
	var tokens, calls atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/oauth") {
			_, _ = fmt.Fprintf(w, `{"access_token":"T%d","expires_in":3600}`, tokens.Add(1))
			return
		}
		calls.Add(1)
		if r.Header.Get("Authorization") != "Bearer "+good.Load().(string) {
			w.WriteHeader(401)
			return
		}
		_, _ = io.WriteString(w, `{}`)
	}))
	defer server.Close()
	client, err := New(Config{GatewayURL: server.URL, HotelID: "H", AppKey: SandboxAppKey, ClientID: "c", ClientSecret: "s"})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := client.CheckIn(ctx, "1", "2"); err != nil {
		t.Fatal(err)
	}
	good.Store("T2")
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if err := client.CheckIn(ctx, "1", "2"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := tokens.Load(); n != 2 {
		t.Errorf("%d token requests", n)
	}
	good.Store("never")
	before := calls.Load()
	err = client.CheckIn(ctx, "1", "2")
	if r, ok := RefusalOf(err); !ok || r != RefusedCredentials {
		t.Errorf("%v", err)
	}
	if calls.Load()-before != 1 || tokens.Load() != 2 { // a token was dropped a moment ago: T2 is not at fault
		t.Errorf("%d calls, %d token requests", calls.Load()-before, tokens.Load())
	}
}
