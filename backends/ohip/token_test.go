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
	"time"

	"github.com/warmgate/warmgate/backends/wire"
)

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
