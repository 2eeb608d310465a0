//go:build unix

package twin

import (
	"fmt"
	"net"
	"strconv"
	"syscall"
)

// reserve listens on a port of host (0: any) and holds the port beyond the listener's life: a second socket stays bound
// to it and never listens. While only that one is left the kernel refuses connections, and nobody else is given the port.
func reserve(host string, port int) (net.Listener, func(), error) {
	addr, err := net.ResolveTCPAddr("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return nil, nil, err
	}
	if addr.IP == nil {
		addr.IP = net.IPv4(127, 0, 0, 1)
	}
	family, to := syscall.AF_INET6, syscall.Sockaddr(&syscall.SockaddrInet6{Port: port, Addr: [16]byte(addr.IP.To16())})
	if v4 := addr.IP.To4(); v4 != nil {
		family, to = syscall.AF_INET, &syscall.SockaddrInet4{Port: port, Addr: [4]byte(v4)}
	}
	syscall.ForkLock.RLock()
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, fmt.Errorf("cannot reserve a port: %w", err)
	}
	release := func() { _ = syscall.Close(fd) }
	if err = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err == nil {
		err = syscall.Bind(fd, to)
	}
	if err != nil {
		release()
		return nil, nil, fmt.Errorf("cannot reserve port %d of %s: %w", port, host, err)
	}
	if bound, err := syscall.Getsockname(fd); err == nil {
		switch a := bound.(type) {
		case *syscall.SockaddrInet4:
			addr.Port = a.Port
		case *syscall.SockaddrInet6:
			addr.Port = a.Port
		}
	}
	l, err := net.Listen("tcp", addr.String())
	if err != nil {
		release()
		return nil, nil, err
	}
	return l, release, nil
}
