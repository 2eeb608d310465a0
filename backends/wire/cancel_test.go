package wire_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/wire"
)

// tooLong is what nobody waits for whose context was cancelled, and far below the deadline of these calls.
const tooLong = 5 * time.Second

// hanging is a client with one connection, and a server that says when it has a request and never answers in time;
// with "/head" it begins to.
func hanging(t *testing.T) (c *wire.Client, reached chan struct{}, gone chan struct{}) {
	reached, gone = make(chan struct{}, 8), make(chan struct{}, 8)
	end := make(chan struct{})
	c = client(t, func(cfg *wire.Config) { cfg.MaxConns = 1 }, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/base/now" {
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		if r.URL.Path == "/base/head" {
			_, _ = io.WriteString(w, "[")
			_ = http.NewResponseController(w).Flush()
		}
		reached <- struct{}{}
		select {
		case <-r.Context().Done():
			gone <- struct{}{}
		case <-end:
		}
	})
	t.Cleanup(func() { close(end) }) // before the server's end, which waits for its handlers
	return c, reached, gone
}

// leave cancels a call once its server has it, and returns what it came to.
func leave(t *testing.T, reached chan struct{}, do func(ctx context.Context) error) error {
	t.Helper()
	ctx, cancel := context.WithCancel(within(t, time.Minute))
	defer cancel()
	came := make(chan error, 1)
	go func() { came <- do(ctx) }()
	<-reached
	cancel()
	select {
	case err := <-came:
		return err
	case <-time.After(tooLong):
		t.Fatal("a cancelled call is still waited for")
		return nil
	}
}

func isLeft(t *testing.T, err error) {
	t.Helper()
	if e := asError(t, err); e.Fate != wire.Unknown || e.Reason != wire.ReasonTimeout || !errors.Is(e, context.Canceled) {
		t.Errorf("got %v", e)
	}
}

// Whoever waits for a call is free at once, and what was sent is not touched any more; the connection counts until the
// call has landed.
func TestACancelledCallIsLeft(t *testing.T) {
	c, reached, _ := hanging(t)
	raw := []byte(`{"n": 1}`)
	isLeft(t, leave(t, reached, func(ctx context.Context) error {
		a, err := c.Do(ctx, &wire.Request{Op: "Post", Method: "POST", Path: "/hang", Raw: raw})
		if err == nil {
			a.Release()
		}
		return err
	}))
	clear(raw)
	if e := asError(t, post(within(t, time.Minute), c)); e.Reason != wire.ReasonNoConn || e.Fate != wire.NotSent {
		t.Errorf("the connection that is in use: %v", e)
	}
}

// A stream is closed, whether its head or its body is waited for: the server sees it, and there is room for another.
func TestACancelledStreamIsClosed(t *testing.T) {
	c, reached, gone := hanging(t)
	for _, path := range []string{"/hang", "/head", "/hang"} {
		isLeft(t, leave(t, reached, func(ctx context.Context) error {
			a, err := c.Stream(ctx, &wire.Request{Op: "List", Method: "GET", Path: path})
			if err != nil {
				return err
			}
			defer a.Release()
			_, err = io.Copy(io.Discard, a.Read(ctx))
			return err
		}))
		select {
		case <-gone:
		case <-time.After(tooLong):
			t.Fatalf("%s: the connection is still open", path)
		}
	}
}

// There are no more streams at once than connections; one that has ended makes room, and calls have theirs.
func TestStreamsAreBounded(t *testing.T) {
	c, reached, _ := hanging(t)
	open := func(path string) (wire.Answer, error) {
		return c.Stream(within(t, time.Minute), &wire.Request{Op: "List", Method: "GET", Path: path})
	}
	one, err := open("/head")
	if err != nil {
		t.Fatal(err)
	}
	<-reached
	_, err = open("/now")
	if e := asError(t, err); e.Reason != wire.ReasonNoConn || e.Fate != wire.NotSent {
		t.Errorf("got %v", e)
	}
	if a, err := c.Do(within(t, time.Minute), &wire.Request{Op: "Get", Method: "GET", Path: "/now"}); err != nil {
		t.Errorf("a call beside a stream: %v", err)
	} else {
		a.Release()
	}
	one.Release()
	for range 3 {
		a, err := open("/now")
		if err != nil {
			t.Fatal(err)
		}
		a.Release()
	}
}

// Under TLS the handshake is waited for as well: a server that never shakes hands.
func TestACancelledHandshakeIsLeft(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	reached := make(chan struct{}, 2)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = conn.Close() })
			if _, err := conn.Read(make([]byte, 1)); err == nil { // it has begun
				reached <- struct{}{}
			}
		}
	}()
	c, err := wire.New(wire.Config{Connector: "test", BaseURL: "https://" + l.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	err = leave(t, reached, func(ctx context.Context) error {
		_, err := c.Stream(ctx, &wire.Request{Op: "List", Method: "GET", Path: "/"})
		return err
	})
	if e := asError(t, err); e.Fate != wire.NotSent || e.Reason != wire.ReasonDial {
		t.Errorf("got %v", e)
	}
}
