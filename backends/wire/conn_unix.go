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
	err := l.raw.Control(func(fd uintptr) {
		var one [1]byte
		_, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		closed = err != syscall.EAGAIN && err != syscall.EWOULDBLOCK && err != syscall.EINTR
	})
	return closed || err != nil
}
