//go:build !unix

package wire

import "net"

// look is of no use here: a socket cannot be looked into, and a closed kept connection shows itself as a call of unknown outcome.
type look struct{}

func lookAt(net.Conn) look { return look{} }

func (look) isClosed() bool { return false }
