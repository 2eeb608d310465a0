package twin

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// Speaker is a Backend that has a second address, where it speaks a protocol of its own over TCP: a message broker. That
// address is listed under the kind KIND-PROTOCOL, with the protocol as its scheme, and has dials of its own.
type Speaker interface {
	Backend
	// Protocol is the protocol's name, the same always: "mqtt".
	Protocol() string
	// Speak serves one connection until it ends. The city closes it when the dial changes, and at the end.
	Speak(conn net.Conn)
}

// socket is the second address of a Speaker. A dial is for connections here: Path names nothing, AfterEffect has no effect to be
// after, and the faults that are HTTP's own end the connection at once. When the dial changes, every connection is reset.
type socket struct {
	speak   func(net.Conn)
	scheme  string
	addr    string
	release func()
	closed  <-chan struct{}
	work    sync.WaitGroup

	mu       sync.Mutex
	dial     Dial
	chance   *rand.Rand
	listener net.Listener // nil while connections are refused
	conns    map[net.Conn]struct{}
	stopped  bool
}

func newSocket(b Speaker, chance *rand.Rand, closed <-chan struct{}) *socket {
	return &socket{speak: b.Speak, scheme: b.Protocol(), chance: chance, closed: closed, conns: map[net.Conn]struct{}{}}
}

func (s *socket) url() string { return s.scheme + "://" + s.addr }

// bind reserves a port of host, the one it had before if that is free, and returns it.
func (s *socket) bind(host string, port int) (int, error) {
	l, release, err := reserveAny(host, port)
	if err != nil {
		return 0, err
	}
	s.addr, s.release, s.listener = l.Addr().String(), release, l
	s.accept(l)
	return l.Addr().(*net.TCPAddr).Port, nil
}

func (s *socket) accept(l net.Listener) {
	s.work.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.work.Go(func() { s.serve(conn) })
		}
	})
}

// serve takes a connection as the dial says.
func (s *socket) serve(conn net.Conn) {
	s.mu.Lock()
	d := s.dial
	if d.Rate > 0 && d.Rate < 1 && s.chance.Float64() >= d.Rate {
		d = Dial{}
	}
	if s.stopped || s.listener == nil || d.Fault == Refuse { // the door shut behind it
		s.mu.Unlock()
		reset(conn)
		return
	}
	s.conns[conn] = struct{}{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.conns, conn)
		s.mu.Unlock()
		_ = conn.Close()
	}()
	switch d.Fault {
	case Hang:
		_, _ = io.Copy(io.Discard, conn)
	case Status5, Status4:
	case Garbage:
		_, _ = conn.Write([]byte("<html>\x00\xff{\"uuid\": not the protocol at all"))
	case Endless:
		blank := bytes.Repeat([]byte(" "), 64<<10)
		for _, err := conn.Write(blank); err == nil; _, err = conn.Write(blank) {
			pause(10 * time.Millisecond)
		}
	default:
		s.speak(&dialed{Conn: conn, dial: d, closed: s.closed})
	}
}

// dialed is a connection whose writes are delayed, slow, or cut in the middle.
type dialed struct {
	net.Conn
	dial   Dial
	closed <-chan struct{}
}

// Write implements net.Conn.
func (c *dialed) Write(p []byte) (int, error) {
	pause(c.dial.latency(), c.closed)
	switch c.dial.Fault {
	case Reset:
		_, _ = c.Conn.Write(p[:len(p)/2])
		reset(c.Conn)
		return 0, net.ErrClosed
	case Slow:
		for i := range p {
			if _, err := c.Conn.Write(p[i : i+1]); err != nil {
				return i, err
			}
			pause(100*time.Millisecond, c.closed)
		}
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// set changes the dial, resets what is connected, and opens or shuts the listener.
func (s *socket) set(d Dial) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d == s.dial {
		return nil
	}
	s.dial = d
	s.cut()
	switch {
	case d.shut() && s.listener != nil:
		_ = s.listener.Close()
		s.listener = nil
	case !d.shut() && s.listener == nil:
		l, err := net.Listen("tcp", s.addr)
		if err != nil {
			return fmt.Errorf("cannot open %s again: %w", s.addr, err)
		}
		s.listener = l
		s.accept(l)
	}
	return nil
}

// cut resets every connection. The caller holds mu.
func (s *socket) cut() {
	for c := range s.conns {
		reset(c)
	}
}

func (s *socket) stop() {
	s.mu.Lock()
	s.stopped = true
	if s.listener != nil {
		_ = s.listener.Close()
	}
	s.cut()
	s.mu.Unlock()
	s.work.Wait()
	s.release()
}
