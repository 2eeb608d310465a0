//go:build !unix

package twin

import (
	"net"
	"strconv"
)

// reserve listens on a port of host (0: any). Here the port is not held while connections are refused.
func reserve(host string, port int) (net.Listener, func(), error) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	return l, func() {}, err
}
