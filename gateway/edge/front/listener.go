package front

import (
	"bufio"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/warmgate/warmgate/gateway"
)

// Bounds of turning connections away.
const (
	turnedAwayRetry = time.Second // Retry-After
	turningAtOnce   = 64          // answers under way; past it connections are closed without one
)

// listener hands fasthttp the connections that the front takes.
type listener struct {
	net.Listener
	front *Front
}

// Accept waits for a connection within the front's bounds; others are turned away. It outlives passing shortages of
// the system, such as file descriptors.
func (l *listener) Accept() (net.Conn, error) {
	for wait := time.Duration(0); ; {
		socket, err := l.Listener.Accept()
		if err == nil {
			wait = 0
			if c := l.front.admit(socket); c != nil {
				return c, nil
			}
			continue
		}
		if !passes(err) {
			return nil, err
		}
		wait = min(max(2*wait, 5*time.Millisecond), time.Second)
		l.front.log.Error("cannot accept a connection; trying again", "error", err, "wait", wait)
		select {
		case <-time.After(wait):
		case <-l.front.stopping:
		}
	}
}

// passes reports whether an accept error is about one connection or a shortage, not about the listener.
func passes(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.EINTR} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// admit makes a connection of socket, or turns it away: over Connections with 503, over ConnectionsPerAddress with
// 429. A trusted proxy's connections do not count for the proxy's address; where it sends PROXY headers, each counts
// for its client as soon as that is known.
func (f *Front) admit(socket net.Conn) net.Conn {
	f.stats.accepted.Add(1)
	if f.stats.open.Add(1) > int64(f.cfg.Connections) {
		f.stats.open.Add(-1)
		f.turnAway(socket, f.refusals.full)
		return nil
	}
	peer := addrOf(socket.RemoteAddr())
	c := &conn{Conn: socket, socket: socket, front: f, peer: peer, client: peer, opened: time.Now()}
	f.table.add(c)
	if peer.IsValid() && !f.cfg.TrustedProxies.trusts(peer) && !f.table.count(c, peer) {
		f.forget(c)
		f.turnAway(socket, f.refusals.addressFull)
		return nil
	}
	c.buf = f.buffers.Get().([]byte)
	if f.cert == nil {
		return c
	}
	over := tls.Server(socket, f.tls)
	c.Conn = over
	return &secure{conn: c, tls: over}
}

// forget ends the accounting of a connection.
func (f *Front) forget(c *conn) {
	f.table.remove(c)
	f.stats.open.Add(-1)
}

// turnAway answers a connection that is not taken, off the accepting goroutine, and closes it. Over TLS there is no
// answer: it would cost a handshake.
func (f *Front) turnAway(socket net.Conn, why *gateway.Error) {
	f.stats.refuse(why.Problem)
	if f.cert != nil {
		_ = socket.Close()
		return
	}
	select {
	case f.turning <- struct{}{}:
	default:
		_ = socket.Close()
		return
	}
	go func() {
		defer func() { <-f.turning }()
		var ctx fasthttp.RequestCtx
		ctx.Init(&fasthttp.Request{}, socket.RemoteAddr(), quiet{f.log})
		f.render(&ctx, why)
		ctx.SetConnectionClose()
		_ = socket.SetWriteDeadline(time.Now().Add(f.cfg.WriteTimeout))
		w := bufio.NewWriter(socket)
		if ctx.Response.Write(w) == nil && w.Flush() == nil {
			lingerOn(socket, socket)
		}
		_ = socket.Close()
	}()
}

// table knows every open connection, and how many of them each address has.
type table struct {
	mu    sync.Mutex
	limit int
	conns map[*conn]struct{}
	addrs map[netip.Addr]int
}

func (t *table) add(c *conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.conns[c] = struct{}{}
}

// count counts c for address a; false if a has its fill.
func (t *table) count(c *conn, a netip.Addr) bool {
	if a.Is6() { // one household or phone has a /64 to itself
		p, _ := a.WithZone("").Prefix(64) // never fails for IPv6
		a = p.Addr()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.addrs[a] >= t.limit {
		return false
	}
	t.addrs[a]++
	c.counted = a
	return true
}

func (t *table) remove(c *conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.conns, c)
	if !c.counted.IsValid() {
		return
	}
	if t.addrs[c.counted]--; t.addrs[c.counted] == 0 {
		delete(t.addrs, c.counted)
	}
}

// each calls do for every open connection.
func (t *table) each(do func(*conn)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for c := range t.conns {
		do(c)
	}
}

// addrOf returns the IP address of a, IPv4 never IPv4-mapped; the zero Addr if it has none.
func addrOf(a net.Addr) netip.Addr {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}
