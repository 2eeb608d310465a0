//go:build unix

package wire

import (
	"net"
	"syscall"
)

// look looks at a socket.
type look struct{ raw syscall.RawConn } // nil: at one of another kind, of which nothing is known

func lookAt(conn net.Conn) look {
	sys, ok := conn.(syscall.Conn)
	if !ok {
		return look{}
	}
	raw, err := sys.SyscallConn()
	if err != nil {
		return look{}
	}
	return look{raw}
}

// isClosed looks into the socket without taking anything and without waiting. End of stream or an error means closed, and
// so do bytes that nobody asked for: under TLS they are the notice of closing, else nothing to build a call on.
func (l look) isClosed() bool {
	if l.raw == nil {
		return false
	}
	closed := false
	// Control and not Read: a deadline of the last call may have passed, which says nothing about the connection.
	err := l.raw.Control(func(fd uintptr) { closed = isClosed(fd) })
	return closed || err != nil
}

func isClosed(fd uintptr) bool {
	var one [1]byte
	_, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	return err != syscall.EAGAIN && err != syscall.EWOULDBLOCK && err != syscall.EINTR
}

// ask writes a whole request and returns once something of the answer is here. Whoever writes and then reads tries to read first
// what cannot have come yet: here the wait has begun before the request is out, and one look less is made at the socket. Only in
// the clear, where what is written is the request and what comes is its answer.
func (c *keptConn) ask(request []byte) error {
	if !c.clear || c.look.raw == nil {
		_, err := c.Write(request)
		return err
	}
	c.out, c.asked, c.failed = request, false, nil
	err := c.look.raw.Read(c.step)
	rest := c.out
	c.out = nil
	switch {
	case c.failed != nil:
		return c.failed
	case err != nil:
		return err
	case len(rest) > 0: // more than the socket takes at once
		_, err = c.Conn.Write(rest)
	}
	return err
}

// exchange is ask's dealing with the socket: it returns false to wait until there is something to read.
func (c *keptConn) exchange(fd uintptr) bool {
	if c.asked {
		return true
	}
	c.asked = true
	if c.read && isClosed(fd) {
		c.failed = errStale
		return true
	}
	c.read = false
	n, err := syscall.Write(int(fd), c.out)
	for err == syscall.EINTR {
		n, err = syscall.Write(int(fd), c.out)
	}
	if err != nil && err != syscall.EAGAIN {
		c.failed = err
		return true
	}
	c.out = c.out[max(n, 0):]
	return len(c.out) > 0
}
