//go:build unix

package wire

import (
	"net"
	"syscall"
)

// isClosed looks into the socket without taking anything and without waiting. End of stream or an error means closed, and
// so do bytes that nobody asked for: under TLS they are the notice of closing, else nothing to build a call on.
func isClosed(conn net.Conn) bool {
	sys, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sys.SyscallConn()
	if err != nil {
		return true
	}
	closed := false
	// Control and not Read: a deadline of the last call may have passed, which says nothing about the connection.
	err = raw.Control(func(fd uintptr) {
		var one [1]byte
		_, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		closed = err != syscall.EAGAIN && err != syscall.EWOULDBLOCK && err != syscall.EINTR
	})
	return closed || err != nil
}
