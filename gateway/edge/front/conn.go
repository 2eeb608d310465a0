package front

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"github.com/warmgate/warmgate/gateway"
)

// The states of a connection. Only an idle one is closed by a shutdown.
const (
	idle   int32 = iota // no byte of a request is here
	active              // a request is being read or answered
	gone                // a shutdown has closed it
)

// conn stands between the socket and fasthttp. It holds every head back until it is complete and judged, and hands
// fasthttp the bytes of one request at a time, so that no request is ever read, framed or judged by another's bytes.
// In place of a refused request fasthttp gets a small harmless one, and the handler answers it with the problem:
// nothing of the refused bytes goes further than this file. When in doubt where a request ends, it closes.
//
// Reading, answering and closing happen on one goroutine (fasthttp's worker); state, linger and closed are shared. While
// a stream is answered another one reads, from the socket alone: see stream.
type conn struct {
	net.Conn          // what bytes are read from and written to: the socket or TLS over it
	socket   net.Conn // the socket itself
	front    *Front
	peer     netip.Addr // of the socket
	client   netip.Addr // peer, or who the PROXY header says
	counted  netip.Addr // the address that this connection counts for
	opened   time.Time

	head    head
	buf     []byte // bytes read and not handed on: buf[r:w]; the head is at its start while it is read
	r, w    int
	mark    int       // where in buf the current head began
	left    int64     // bytes of the current request, head and body, that fasthttp has not read
	length  int64     // of the current request's body
	since   time.Time // the current request's first byte was here
	at      time.Time // the current head was complete
	instead []byte    // what fasthttp still has to read in place of a refused request
	why     *gateway.Error
	greeted bool // the PROXY header has been read, where one is due
	used    bool // a request has begun on this connection
	over    bool // no further request is read
	timed   bool // the read deadline of the current request is set

	idleBy  time.Time // the read deadline, if it is that of an idle connection
	writeBy time.Time // the deadline of writing

	first *piece      // of an answer, which is sent with what follows; nil: none
	sent  [2][]byte   // it and what follows
	queue net.Buffers // of sent

	each time.Duration // of a stream: how long the client has to take one write; 0: no stream

	state  atomic.Int32
	linger atomic.Bool // the client may still be sending what was refused: read it away before closing
	closed atomic.Bool
}

// secure is a conn over TLS. fasthttp recognises TLS by these two methods.
type secure struct {
	*conn
	tls *tls.Conn
}

// Handshake reads the PROXY header, where one is due, and shakes hands within ReadTimeout of the connection's start.
func (s *secure) Handshake() error {
	err := s.greet()
	if err == nil {
		err = s.tls.Handshake()
	}
	if err != nil {
		s.over, s.instead, s.why = true, nil, nil // no answer is worth the cost of a handshake
	}
	return err
}

// ConnectionState returns the state of TLS.
func (s *secure) ConnectionState() tls.ConnectionState { return s.tls.ConnectionState() }

// SetReadDeadline does nothing: the connection itself keeps the time of every request, from its first byte.
func (c *conn) SetReadDeadline(time.Time) error { return nil }

// slackOf is how much later than asked for a deadline may be, which is set for each request anew: setting one costs more than
// looking whether the last will do.
func slackOf(timeout time.Duration) time.Duration { return timeout / 8 }

// SetWriteDeadline gives the client until t, or a little longer. The zero time: as long as it takes.
func (c *conn) SetWriteDeadline(t time.Time) error {
	if t.IsZero() {
		c.writeBy = t
		return c.Conn.SetWriteDeadline(t)
	}
	slack := slackOf(c.front.cfg.WriteTimeout)
	if more := c.writeBy.Sub(t); more >= 0 && more <= slack {
		return nil
	}
	c.writeBy = t.Add(slack)
	return c.Conn.SetWriteDeadline(c.writeBy)
}

// SetDeadline sets the deadline of writing, and leaves that of reading to the connection.
func (c *conn) SetDeadline(t time.Time) error { return c.SetWriteDeadline(t) }

// RemoteAddr returns the client's address: the socket's peer, or who the PROXY header says.
func (c *conn) RemoteAddr() net.Addr {
	if c.client == c.peer {
		return c.socket.RemoteAddr()
	}
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(c.client, 0))
}

// Read hands on bytes of the current request; after its last byte, it waits for the next request's whole head.
func (c *conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := c.flush(); err != nil {
		return 0, err
	}
	for {
		switch {
		case len(c.instead) > 0:
			n := copy(p, c.instead)
			c.instead = c.instead[n:]
			return n, nil
		case c.left > 0:
			return c.readOn(p)
		case c.over:
			return 0, io.EOF
		}
		if !c.next() {
			c.over = true
			return 0, io.EOF
		}
	}
}

// piece is the beginning of an answer that is longer.
type piece [pieceOfAnswer]byte

// Write sends a part of the answer. fasthttp hands on the head with as much of the body as fills its buffer, and then the rest as
// it lies in memory: the first waits for the second, so that both are one system call and the body is not copied. Each part of a
// stream is sent at once, and has a deadline of its own.
func (c *conn) Write(p []byte) (int, error) {
	switch {
	case c.each > 0:
		if err := c.Conn.SetWriteDeadline(time.Now().Add(c.each)); err != nil {
			return 0, err
		}
	case c.first != nil:
		err := c.send(p)
		if err != nil {
			return 0, err
		}
		return len(p), nil
	case len(p) == pieceOfAnswer:
		c.first, _ = c.front.pieces.Get().(*piece)
		if c.first == nil {
			c.first = new(piece)
		}
		return copy(c.first[:], p), nil
	}
	return c.Conn.Write(p)
}

// flush sends what waits for more, of which there is none.
func (c *conn) flush() error {
	if c.first == nil {
		return nil
	}
	return c.send(nil)
}

// send sends the piece that has waited, and rest behind it.
func (c *conn) send(rest []byte) error {
	c.sent = [2][]byte{c.first[:], rest}
	c.queue = c.sent[:]
	_, err := c.queue.WriteTo(c.Conn)
	c.front.pieces.Put(c.first)
	c.first, c.sent = nil, [2][]byte{}
	return err
}

// watchBytes bounds what a client may send after the request that is answered with a stream.
const watchBytes = 64 << 10

// stream makes the current request the connection's last, and watches the client while it is answered.
func (c *conn) stream(each time.Duration, gone func()) {
	c.each, c.over = each, true
	_ = c.Conn.SetReadDeadline(time.Time{}) // a failure shows in the read
	over := c.Conn
	go func() {
		defer gone()
		_, _ = io.CopyN(io.Discard, over, watchBytes) // it ends with the connection at the latest
	}()
}

// readOn hands on what is left of the current request: from buf, then straight from the socket.
func (c *conn) readOn(p []byte) (int, error) {
	if int64(len(p)) > c.left {
		p = p[:c.left]
	}
	if c.r < c.w {
		n := copy(p, c.buf[c.r:c.w])
		c.r += n
		c.left -= int64(n)
		return n, nil
	}
	c.limit()
	n, err := c.Conn.Read(p)
	c.left -= int64(n)
	return n, err // after an error fasthttp reads no more
}

// next waits for the next head and judges it. False ends the connection without an answer: nobody waits for one.
func (c *conn) next() bool {
	if !c.greeted {
		if err := c.greet(); err != nil {
			return c.why != nil
		}
	}
	c.head.begin(c.front.refusals, c.front.cfg.HeadLimit, int64(c.front.cfg.BodyLimit))
	c.timed = false
	if c.r == c.w {
		if !c.await() {
			return false
		}
	} else { // it came with the request before it
		c.since = time.Now()
	}
	c.at, c.mark = c.since, c.r
	for {
		switch c.head.feed(c.buf[c.r:c.w]) {
		case good:
			c.begin()
			return true
		case refused:
			c.refuse(c.head.why)
			return true
		}
		if n, err := c.fill(); n == 0 && err != nil {
			if !isTimeout(err) {
				return false
			}
			c.refuse(c.front.refusals.slow)
			return true
		}
		c.at = time.Now()
	}
}

// begin makes what follows in buf the current request.
func (c *conn) begin() {
	start := c.head.plain(c.buf[c.r:c.w])
	c.length = c.head.length
	c.left = int64(c.head.end-start) + c.length
	c.r += start
}

// await waits for the first byte of a request: ReadTimeout from its start on a new connection, else IdleTimeout or a little longer.
func (c *conn) await() bool {
	c.r, c.w, c.mark = 0, 0, 0
	if !c.idles() {
		return false
	}
	if c.hasUntil() != nil {
		return false
	}
	n, _ := c.Conn.Read(c.buf)
	if n == 0 || !c.state.CompareAndSwap(idle, active) {
		return false
	}
	c.w, c.used, c.since = n, true, time.Now()
	return true
}

// hasUntil sets how long the client has for the first byte of its next request.
func (c *conn) hasUntil() error {
	if !c.used {
		return c.Conn.SetReadDeadline(c.opened.Add(c.front.cfg.ReadTimeout))
	}
	until := time.Now().Add(c.front.cfg.IdleTimeout)
	if !c.idleBy.Before(until) {
		return nil
	}
	c.idleBy = until.Add(slackOf(c.front.cfg.IdleTimeout))
	return c.Conn.SetReadDeadline(c.idleBy)
}

// idles marks the connection as one that a shutdown may close; false if a shutdown has begun.
func (c *conn) idles() bool {
	if c.state.Load() == gone {
		return false
	}
	c.state.Store(idle)
	return !c.front.draining.Load() || !c.state.CompareAndSwap(idle, gone)
}

// fill reads more of a head, within the time of its request.
func (c *conn) fill() (int, error) {
	if c.w == len(c.buf) { // the head is at most as long as buf: there is room before it
		c.w = copy(c.buf, c.buf[c.r:c.w])
		c.r, c.mark = 0, 0
	}
	c.limit()
	n, err := c.Conn.Read(c.buf[c.w:])
	c.w += n
	return n, err
}

// limit sets the read deadline of the current request once: ReadTimeout after its first byte. A client that sends a
// byte now and then gains nothing.
func (c *conn) limit() {
	if !c.timed {
		c.timed, c.idleBy = true, time.Time{}
		_ = c.Conn.SetReadDeadline(c.since.Add(c.front.cfg.ReadTimeout)) // a failure shows in the read
	}
}

// greet takes the connection's first steps: the deadline of the first request, and the PROXY header from a proxy that
// owes one. An error ends the connection; with c.why set, after an answer.
func (c *conn) greet() error {
	c.greeted = true
	if err := c.socket.SetReadDeadline(c.opened.Add(c.front.cfg.ReadTimeout)); err != nil {
		return err
	}
	if c.counted.IsValid() || !c.front.owesHeader(c.peer) {
		return nil
	}
	addr, err := readProxyHeader(c.socket)
	if err != nil {
		c.front.warnProxy(c.peer, err)
		return err
	}
	if !addr.IsValid() {
		return nil
	}
	c.client = addr
	if !c.front.table.count(c, addr) {
		c.refuse(c.front.refusals.addressFull)
		return errAddressFull
	}
	return nil
}

var errAddressFull = errors.New("cannot take the connection: there are too many from its address")

// refuse puts a harmless request in the place of the current one. Its handler answers with why and closes.
func (c *conn) refuse(why *gateway.Error) {
	method := "GET"
	if c.head.isHead {
		method = "HEAD"
	}
	b := append(make([]byte, 0, 160), method...)
	b = append(b, " / HTTP/1.1\r\nHost: refused\r\nConnection: close\r\n"...)
	if lang := c.language(); lang != nil {
		b = append(append(append(b, "Accept-Language: "...), lang...), "\r\n"...)
	}
	b = append(b, "\r\n"...)
	c.instead = b
	c.why, c.over, c.left, c.length = why, true, 0, 0
	if c.at.IsZero() {
		c.at = time.Now()
	}
	c.state.Store(active)
}

// language returns the value of the first Accept-Language among the bytes of the head that are here, if it is short
// and plain: a refusal too is read by people.
func (c *conn) language() []byte {
	const name = "accept-language:"
	for rest := c.buf[c.mark:c.w]; ; {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			return nil
		}
		if rest = rest[i+1:]; len(rest) < len(name) || !equalFold(rest[:len(name)], name) {
			continue
		}
		value, _, whole := bytes.Cut(rest[len(name):], []byte("\r\n"))
		if value = trim(value); !whole || len(value) == 0 || len(value) > 64 {
			return nil
		}
		for _, ch := range value {
			if class[ch]&token == 0 && ch != ' ' && ch != ',' && ch != ';' && ch != '=' {
				return nil
			}
		}
		return value
	}
}

func isTimeout(err error) bool {
	var netErr net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || (errors.As(err, &netErr) && netErr.Timeout())
}

// Bounds of what is read away after a refusal, so that the answer arrives: closing a socket with unread bytes resets
// the connection, and the client may lose what it was about to read.
const (
	lingerTime  = 500 * time.Millisecond
	lingerBytes = 256 << 10
)

// Close ends the connection; after a refusal, once the client has had the chance to read it.
func (c *conn) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	_ = c.flush() // nobody is left to hear of it
	if c.linger.Load() {
		lingerOn(c.Conn, c.socket)
	}
	err := c.Conn.Close()
	c.front.forget(c)
	return err
}

// lingerOn says goodbye on conn and reads socket dry, within its bounds.
func lingerOn(conn, socket net.Conn) {
	deadline := time.Now().Add(lingerTime)
	_ = socket.SetDeadline(deadline)
	type closer interface{ CloseWrite() error }
	for _, end := range []net.Conn{conn, socket} {
		if half, ok := end.(closer); ok {
			_ = half.CloseWrite()
		}
		if conn == socket {
			break
		}
	}
	_, _ = io.CopyN(io.Discard, socket, lingerBytes)
}

// kill closes the socket under whatever still uses the connection.
func (c *conn) kill() { _ = c.socket.Close() }

// drain closes the connection if no request is on it.
func (c *conn) drain() {
	if c.state.CompareAndSwap(idle, gone) {
		c.kill()
	}
}
