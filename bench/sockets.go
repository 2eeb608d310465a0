package main

import (
	"context"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// sockets serves twins and keeps, for each call, the time from its first byte's arrival at the socket to the last byte's
// departure, by the trace that the gateway passes on.
type sockets struct {
	latency time.Duration // of each call, before it is looked at
	step    func(method, path string) string
	servers []*http.Server

	mu    sync.Mutex
	calls map[string]calls
}

// calls is what a journey has asked for: the sum of the times of each step's calls.
type calls map[string]time.Duration

type connKey struct{}

// newSockets keeps times by what step says of a call: the word for the journey's step that makes it.
func newSockets(latency time.Duration, step func(method, path string) string) *sockets {
	return &sockets{latency: latency, step: step, calls: map[string]calls{}}
}

// serve opens an address for a twin.
func (s *sockets) serve(behind http.Handler) (url string, err error) {
	server := &http.Server{Handler: s.timed(behind), ReadHeaderTimeout: 10 * time.Second, ConnContext: func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, connKey{}, c)
	}}
	l, err := listen()
	if err != nil {
		return "", err
	}
	s.servers = append(s.servers, server)
	go func() { _ = server.Serve(timedListener{l}) }()
	return "http://" + l.Addr().String(), nil
}

func (s *sockets) close() {
	for _, server := range s.servers {
		_ = server.Close()
	}
}

// timed answers as the twin does, and has the call's time kept when the answer leaves.
func (s *sockets) timed(behind http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := r.Context().Value(connKey{}).(*timedConn)
		parts := strings.Split(r.Header.Get("Traceparent"), "-")
		step := s.step(r.Method, r.URL.Path)
		c.expect(func(took time.Duration) {
			if len(parts) == 4 {
				s.keep(parts[1], step, took)
			}
		})
		pause(s.latency)
		behind.ServeHTTP(w, r)
	})
}

func (s *sockets) keep(trace, step string, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls[trace] == nil {
		s.calls[trace] = calls{}
	}
	s.calls[trace][step] += took
}

// of returns the calls of a trace.
func (s *sockets) of(trace string) calls {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.calls[trace])
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
