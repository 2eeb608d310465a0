package main

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// sockets serves a twin and keeps, for each call, the time from its first byte's arrival at the socket to the last byte's
// departure, by the trace that the gateway passes on.
type sockets struct {
	behind  http.Handler
	latency time.Duration // of each call, before it is looked at
	server  *http.Server

	mu    sync.Mutex
	calls map[string]*calls
}

// calls is what a journey has asked for: the sum of each kind's times.
type calls struct{ find, day, redeem time.Duration }

// longest is the longest path through the journey's calls: ticket and day are asked for at once, then it is redeemed.
func (c calls) longest() time.Duration { return max(c.find, c.day) + c.redeem }

type connKey struct{}

func serveSockets(behind http.Handler, latency time.Duration) (*sockets, string, error) {
	s := &sockets{behind: behind, latency: latency, calls: map[string]*calls{}}
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second, ConnContext: func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, connKey{}, c)
	}}
	l, err := listen()
	if err != nil {
		return nil, "", err
	}
	go func() { _ = s.server.Serve(timedListener{l}) }()
	return s, "http://" + l.Addr().String(), nil
}

func (s *sockets) close() { _ = s.server.Close() }

// ServeHTTP answers as the twin does, and has the call's time kept when the answer leaves.
func (s *sockets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := r.Context().Value(connKey{}).(*timedConn)
	parts := strings.Split(r.Header.Get("Traceparent"), "-")
	path := r.URL.Path
	c.expect(func(took time.Duration) {
		if len(parts) == 4 {
			s.keep(parts[1], path, took)
		}
	})
	pause(s.latency)
	s.behind.ServeHTTP(w, r)
}

func (s *sockets) keep(trace, path string, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.calls[trace]
	if c == nil {
		c = &calls{}
		s.calls[trace] = c
	}
	switch {
	case strings.HasPrefix(path, "/availability"):
		c.day += took
	case strings.HasSuffix(path, "/redeem"):
		c.redeem += took
	default:
		c.find += took
	}
}

// of returns the calls of a trace.
func (s *sockets) of(trace string) (calls, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.calls[trace]; c != nil {
		return *c, true
	}
	return calls{}, false
}

type timedListener struct{ net.Listener }

// Accept returns a connection that keeps its times.
func (l timedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &timedConn{Conn: c}, nil
}

// timedConn knows when a request's first byte came. Its client sends the next request after the answer to the last.
type timedConn struct {
	net.Conn
	mu   sync.Mutex
	came time.Time // of the first byte since the last answer; zero: none yet
	tell func(took time.Duration)
}

func (c *timedConn) expect(tell func(took time.Duration)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tell = tell
}

// Read notes when the first byte came.
func (c *timedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if n > 0 && c.came.IsZero() {
		c.came = now
	}
	return n, err
}

// Write sends an answer, which these twins do in one piece, and tells how long the call took. The time is told before the
// bytes leave, so that whoever has read the answer finds it kept.
func (c *timedConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	if c.tell != nil && !c.came.IsZero() {
		c.tell(time.Since(c.came))
	}
	c.tell, c.came = nil, time.Time{}
	c.mu.Unlock()
	return c.Conn.Write(b)
}
