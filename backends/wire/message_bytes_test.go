package wire_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/wire"
	"github.com/warmgate/warmgate/gateway/call"
)

// rawServer answers each request on its connection with what answers has next, until it has no more; it counts connections and keeps
// what came, byte by byte.
type rawServer struct {
	address string
	opened  atomic.Int32
	came    chan string
}

func newRawServer(t *testing.T, answers ...string) *rawServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	s := &rawServer{address: l.Addr().String(), came: make(chan string, 32)}
	var next atomic.Int32
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.opened.Add(1)
			go func() {
				defer conn.Close()
				for {
					var seen strings.Builder
					r, err := http.ReadRequest(bufio.NewReaderSize(io.TeeReader(conn, &seen), 1)) // 16 bytes, its least: it reads little ahead
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, r.Body)
					s.came <- seen.String()
					i := int(next.Add(1)) - 1
					if _, err := io.WriteString(conn, answers[min(i, len(answers)-1)]); err != nil {
						return
					}
				}
			}()
		}
	}()
	return s
}

const plainAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

func (s *rawServer) client(t *testing.T, header ...wire.Header) *wire.Client {
	t.Helper()
	c, err := wire.New(wire.Config{Connector: "test", BaseURL: "http://" + s.address + "/base", Header: header, MaxBody: 1024})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// TestMessagesByteByByte: the whole of what is sent, with each field once and in its frame, and nothing that nobody asked for.
func TestMessagesByteByByte(t *testing.T) {
	s := newRawServer(t, plainAnswer)
	c := s.client(t, wire.Header{Name: "X-Key", Value: "k"})
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	head := "Host: " + s.address + "\r\nUser-Agent: warmgate\r\nAccept: application/json\r\nX-Key: k\r\n"
	for _, x := range []struct {
		name          string
		parent, state string
		r             wire.Request
		want          string
	}{
		{"a read", "", "", wire.Request{Method: "GET", Path: "/a"}, "GET /base/a HTTP/1.1\r\n" + head + "X-Request-Timeout-Ms: N\r\n\r\n"},
		{"traced", parent, "", wire.Request{Method: "GET", Path: "/a"}, "GET /base/a HTTP/1.1\r\n" + head + "X-Request-Timeout-Ms: N\r\nTraceparent: " + parent + "\r\n\r\n"},
		{"traced, with a state", parent, "a=b", wire.Request{Method: "GET", Path: "/a"},
			"GET /base/a HTTP/1.1\r\n" + head + "X-Request-Timeout-Ms: N\r\nTraceparent: " + parent + "\r\nTracestate: a=b\r\n\r\n"},
		{"a state of no trace", "", "a=b", wire.Request{Method: "GET", Path: "/a"}, "GET /base/a HTTP/1.1\r\n" + head + "X-Request-Timeout-Ms: N\r\n\r\n"},
		{"a write without a body", "", "", wire.Request{Method: "DELETE", Path: "/a"}, "DELETE /base/a HTTP/1.1\r\n" + head + "X-Request-Timeout-Ms: N\r\nContent-Length: 0\r\n\r\n"},
		{"a write", "", "", wire.Request{Method: "POST", Path: "/a", Raw: []byte("body"), Type: "text/plain"},
			"POST /base/a HTTP/1.1\r\n" + head + "X-Request-Timeout-Ms: N\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nbody"},
		{"fields in any case", "", "", wire.Request{Method: "GET", Path: "/a", Header: []wire.Header{{Name: "x-KEY", Value: "other"}, {Name: "Content-Type", Value: "its own"}}},
			"GET /base/a HTTP/1.1\r\n" + strings.Replace(head, "X-Key: k\r\n", "x-KEY: other\r\nContent-Type: its own\r\n", 1) + "X-Request-Timeout-Ms: N\r\n\r\n"},
	} {
		a, err := c.Do(call.WithTrace(within(t, 5*time.Second), x.parent, x.state), &x.r)
		if err != nil {
			t.Fatalf("%s: %v", x.name, err)
		}
		a.Release()
		if got := regexp.MustCompile(`(Timeout-Ms:) [1-9]\d*`).ReplaceAllString(<-s.came, "$1 N"); got != x.want {
			t.Errorf("%s: sent\n%q, want\n%q", x.name, got, x.want)
		}
	}
	if n := s.opened.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// TestNobodyFramesAMessageAnew: neither a connector's configuration nor a call sets what belongs to the transport, in any case.
func TestNobodyFramesAMessageAnew(t *testing.T) {
	s := newRawServer(t, plainAnswer)
	c := s.client(t)
	for _, name := range []string{"Host", "Connection", "Content-Length", "Transfer-Encoding", "Expect", "Upgrade", "TE", "Trailer"} {
		for _, spelt := range []string{name, strings.ToLower(name), strings.ToUpper(name)} {
			_, err := c.Do(within(t, 5*time.Second), &wire.Request{Method: "GET", Path: "/", Header: []wire.Header{{Name: spelt, Value: "x"}}})
			if e := asError(t, err); e.Fate != wire.NotSent || e.Reason != wire.ReasonInput {
				t.Errorf("%s: %v", spelt, e)
			}
			if _, err := wire.New(wire.Config{Connector: "test", BaseURL: "http://" + s.address, Header: []wire.Header{{Name: spelt, Value: "x"}}}); err == nil {
				t.Errorf("%s is taken from a configuration", spelt)
			}
		}
	}
	if s.opened.Load() > 0 {
		t.Error("something was sent")
	}
}

// TestAConnectionIsUsedAgainOnlyAfterAWholeAnswer, and not where the other side ends it.
func TestAConnectionIsUsedAgainOnlyAfterAWholeAnswer(t *testing.T) {
	for name, x := range map[string]struct {
		first string
		good  bool
		conns int32
	}{
		"a whole answer":            {plainAnswer, true, 1},
		"the last one":              {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}", true, 2},
		"no HTTP":                   {"what?\r\n\r\n", false, 2},
		"a body that is too long":   {"HTTP/1.1 200 OK\r\nContent-Length: 1025\r\n\r\n" + strings.Repeat("x", 1025), false, 2},
		"a body that is unfinished": {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", false, 2},
	} {
		s := newRawServer(t, x.first, plainAnswer)
		c := s.client(t)
		for i := range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
			a, err := c.Do(ctx, &wire.Request{Method: "GET", Path: "/"})
			if (err == nil) != (x.good || i == 1) {
				t.Errorf("%s, call %d: %v", name, i+1, err)
			}
			if err == nil {
				a.Release()
			}
			cancel()
		}
		if n := s.opened.Load(); n != x.conns {
			t.Errorf("%s: %d connections, want %d", name, n, x.conns)
		}
	}
}
