package apaleo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/wire"
)

// identity is an identity server that numbers its tokens and a hotel that accepts those from a number on.
type identity struct {
	given   atomic.Int64
	least   atomic.Int64
	asked   atomic.Int64         // requests for something else than a token
	waits   chan chan struct{}   // each request for a token that came; nil: they do not wait
	answer  func(n int64) string // nil: as it should be
	stopped chan struct{}
}

func (i *identity) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/connect/token" {
		i.asked.Add(1)
		var n int64
		if _, err := fmt.Sscanf(r.Header.Get("Authorization"), "Bearer T%d", &n); err != nil || n < i.least.Load() {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.WriteHeader(http.StatusNoContent)
		return
	}
	n := i.given.Add(1)
	if i.waits != nil {
		release := make(chan struct{})
		i.waits <- release
		select {
		case <-release:
		case <-i.stopped:
		}
	}
	body := fmt.Sprintf(`{"access_token":"T%d","token_type":"Bearer","expires_in":3600}`, n)
	if i.answer != nil {
		body = i.answer(n)
	}
	_, _ = w.Write([]byte(body))
}

func (i *identity) client(t *testing.T) *Client {
	t.Helper()
	i.stopped = make(chan struct{})
	server := httptest.NewServer(i)
	c, err := New(Config{BaseURL: server.URL, ClientID: "c", ClientSecret: "s", Property: "MUC"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		close(i.stopped)
		server.Close()
		c.Close()
	})
	return c
}

func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// TestManyWaitForOneToken: and whoever cannot wait leaves, without taking the request along.
func TestManyWaitForOneToken(t *testing.T) {
	i := &identity{waits: make(chan chan struct{}, 8)}
	c := i.client(t)
	short, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	e, ok := errors.AsType[*wire.Error](c.CheckIn(short, "A-1")) // it began the request
	if !ok || e.Fate != wire.NotSent || e.Reason != wire.ReasonNoTime {
		t.Errorf("who could not wait: %v", e)
	}
	var all sync.WaitGroup
	for range 30 {
		all.Go(func() {
			if err := c.CheckIn(soon(t), "A-1"); err != nil {
				t.Error(err)
			}
		})
	}
	close(<-i.waits)
	all.Wait()
	if n := i.given.Load(); n != 1 {
		t.Errorf("%d tokens were asked for", n)
	}
}

// TestATokenThatIsNotAccepted is replaced once: a 401 says that nothing was done.
func TestATokenThatIsNotAccepted(t *testing.T) {
	i := &identity{}
	c := i.client(t)
	i.least.Store(2)
	if err := c.CheckIn(soon(t), "A-1"); err != nil {
		t.Fatal(err)
	}
	if i.given.Load() != 2 || i.asked.Load() != 2 {
		t.Errorf("%d tokens, %d requests", i.given.Load(), i.asked.Load())
	}
	i.least.Store(1_000)
	e, ok := errors.AsType[*wire.Error](c.CheckIn(soon(t), "A-1"))
	if !ok || e.Fate != wire.Refused || e.Code != CodeUnauthorized || i.asked.Load() != 4 {
		t.Errorf("%v after %d requests", e, i.asked.Load())
	}
}

func TestWhatIsNoToken(t *testing.T) {
	for _, body := range []string{``, `null`, `{}`, `{"access_token":"","token_type":"Bearer","expires_in":1}`,
		`{"access_token":"a b","token_type":"Bearer","expires_in":1}`, `{"access_token":"a\r\nX: y","token_type":"Bearer","expires_in":1}`,
		`{"access_token":"a","token_type":"mac","expires_in":1}`, `{"access_token":"a","token_type":"Bearer","expires_in":0}`,
		`{"access_token":"a","token_type":"Bearer","expires_in":-1}`, `{"access_token":"a","token_type":"Bearer","expires_in":1e18}`,
		`{"access_token":"` + strings.Repeat("a", 7<<10) + `","token_type":"Bearer","expires_in":1}`} {
		i := &identity{answer: func(int64) string { return body }}
		e, ok := errors.AsType[*wire.Error](i.client(t).CheckIn(soon(t), "A-1"))
		if !ok || e.Fate != wire.NotSent || e.Reason != ReasonToken || i.asked.Load() != 0 {
			t.Errorf("%.60s: %v", body, e)
		}
	}
}
