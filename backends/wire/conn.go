package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/warmgate/warmgate/gateway/sockets"
)

// errStale: a kept connection was closed by the other side before a byte of this request was written to it.
var errStale = errors.New("the kept connection is closed")

// errNoPlace: with all the connections of other systems there are too many.
var errNoPlace = errors.New("all places for connections are taken")

// dialError marks a failure to connect, which is how the client knows that nothing was sent.
type dialError struct{ err error }

func (e *dialError) Error() string { return e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// target is where a client connects to, and how.
type target struct {
	addr     string
	tls      *tls.Config // nil: in the clear
	maxConns int
	maxBody  int
	idle     time.Duration
	share    *sockets.Share
}

// dial connects for calls whose connections are kept.
func (to *target) dial(addr string, timeout time.Duration) (net.Conn, error) {
	return to.connect(context.Background(), addr, timeout, func(net.Conn) {})
}

// connect connects, and shakes hands where there is TLS, within the timeout that fasthttp passes on from the deadline.
// opened has the socket before anything is waited for on it.
func (to *target) connect(ctx context.Context, addr string, timeout time.Duration, opened func(raw net.Conn)) (net.Conn, error) {
	if !to.share.Open() {
		return nil, errNoPlace
	}
	deadline := time.Now().Add(timeout)
	raw, err := (&net.Dialer{Deadline: deadline}).DialContext(ctx, "tcp", addr)
	if err != nil {
		to.share.Closed()
		return nil, &dialError{err}
	}
	conn := &keptConn{Conn: raw, look: lookAt(raw), clear: to.tls == nil, closed: sync.OnceFunc(to.share.Closed)}
	conn.step = conn.exchange
	opened(conn)
	if to.tls == nil {
		return conn, nil
	}
	secure := tls.Client(conn, to.tls)
	if err = secure.SetDeadline(deadline); err == nil {
		err = secure.Handshake()
	}
	if err != nil {
		_ = conn.Close()
		return nil, &dialError{err}
	}
	conn.read = false // a session ticket may be under way; the connection is new anyhow
	return secure, nil
}

// keptConn looks at the socket before it writes to a connection that has been idle. A server closes kept connections
// when it likes, restarts among them; without the look a request would vanish into a closed one and its fate would be
// unknown for no reason. It is used by one goroutine at a time, as fasthttp does.
type keptConn struct {
	net.Conn
	look   look   // at the socket
	closed func() // gives its place back; may be called again
	clear  bool   // no TLS is over it
	read   bool   // something was read since the last write: the next write begins a request

	step   func(fd uintptr) bool // exchange
	out    []byte                // of a request that is asked, what is not written
	asked  bool                  // it was begun
	failed error                 // why it could not be written
}

// Close closes the connection, after which another may have its place.
func (c *keptConn) Close() error {
	defer c.closed()
	return c.Conn.Close()
}

func (c *keptConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.read = c.read || n > 0
	return n, err
}

func (c *keptConn) Write(p []byte) (int, error) {
	if c.read && c.look.isClosed() {
		return 0, errStale
	}
	c.read = false
	return c.Conn.Write(p)
}

// ask writes a request over a connection of the client's.
func ask(conn net.Conn, request []byte) error {
	if own, ok := conn.(*keptConn); ok {
		return own.ask(request)
	}
	_, err := conn.Write(request) // TLS
	return err
}
