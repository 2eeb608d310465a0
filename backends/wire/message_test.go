package wire_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/wire"
)

// TestWhoeverAsksSaysWhatItTakes: what a connector or a call says of itself stands in the place of the client's own, once.
func TestWhoeverAsksSaysWhatItTakes(t *testing.T) {
	var got http.Header
	c := client(t, func(cfg *wire.Config) {
		cfg.Header = []wire.Header{{Name: "accept", Value: "application/vnd.test"}, {Name: "X-Version", Value: "1"}}
	}, func(_ http.ResponseWriter, r *http.Request) { got = r.Header })
	a, err := c.Do(within(t, 5*time.Second), &wire.Request{Method: "POST", Path: "/a", Raw: []byte("x"), Type: "text/plain",
		Header: []wire.Header{{Name: "x-version", Value: "2"}, {Name: "Content-Type", Value: "text/other"}, {Name: "User-Agent", Value: "me"}}})
	if err != nil {
		t.Fatal(err)
	}
	a.Release()
	for name, want := range map[string]string{"Accept": "application/vnd.test", "X-Version": "2", "Content-Type": "text/plain", "User-Agent": "me", "Content-Length": "1"} {
		if all := got.Values(name); strings.Join(all, "|") != want {
			t.Errorf("%s: %q, want %q", name, all, want)
		}
	}
}

// TestMoreThanAnAnswerEndsTheConnection: what nobody asked for must not be taken for the answer to the next call.
func TestMoreThanAnAnswerEndsTheConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	ended := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			ended <- err
			return
		}
		defer conn.Close()
		buf := make([]byte, 4096)
		if _, err = conn.Read(buf); err == nil {
			_, err = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")
		}
		if err == nil {
			err = conn.SetReadDeadline(time.Now().Add(time.Second))
		}
		if err == nil {
			_, err = conn.Read(buf)
		}
		ended <- err
	}()
	c, err := wire.New(wire.Config{Connector: "test", BaseURL: "http://" + l.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	a, err := c.Do(within(t, 5*time.Second), &wire.Request{Method: "GET", Path: "/"})
	if err != nil || string(a.Body()) != "{}" {
		t.Fatal(err)
	}
	a.Release()
	if err := <-ended; err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection is kept")
	}
}
