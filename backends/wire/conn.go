package wire

import (
	"crypto/tls"
	"errors"
	"net"
	"time"

	"github.com/valyala/fasthttp"
)

// errStale: a kept connection was closed by the other side before a byte of this request was written to it.
var errStale = errors.New("the kept connection is closed")

// dialError marks a failure to connect, which is how the client knows that nothing was sent.
type dialError struct{ err error }

func (e *dialError) Error() string { return e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// dialer connects, and shakes hands when conf is given, within the timeout that fasthttp passes on from the deadline.
func dialer(conf *tls.Config) fasthttp.DialFuncWithTimeout {
	return func(addr string, timeout time.Duration) (net.Conn, error) {
		deadline := time.Now().Add(timeout)
		raw, err := (&net.Dialer{Deadline: deadline}).Dial("tcp", addr)
		if err != nil {
			return nil, &dialError{err}
		}
		conn := &keptConn{Conn: raw}
		if conf == nil {
			return conn, nil
		}
		secure := tls.Client(conn, conf)
		if err = secure.SetDeadline(deadline); err == nil {
			err = secure.Handshake()
		}
		if err != nil {
			_ = raw.Close()
			return nil, &dialError{err}
		}
		conn.read = false // a session ticket may be under way; the connection is new anyhow
		return secure, nil
	}
}

// keptConn looks at the socket before it writes to a connection that has been idle. A server closes kept connections
// when it likes, restarts among them; without the look a request would vanish into a closed one and its fate would be
// unknown for no reason. It is used by one goroutine at a time, as fasthttp does.
type keptConn struct {
	net.Conn
	read bool // something was read since the last write: the next write begins a request
}

func (c *keptConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.read = c.read || n > 0
	return n, err
}

func (c *keptConn) Write(p []byte) (int, error) {
	if c.read && isClosed(c.Conn) {
		return 0, errStale
	}
	c.read = false
	return c.Conn.Write(p)
}
