package front

import (
	"net/netip"
	"strings"

	"github.com/valyala/fasthttp"
)

// trusts reports whether a is one of the trusted proxies.
func (t *TrustedProxies) trusts(a netip.Addr) bool {
	for _, p := range t.From {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// ClientAddr returns the address of the client that sent the request: the connection's own, or the one that trusted
// proxies vouch for (the PROXY header, then the rightmost address of the configured header that is not a trusted
// proxy's). Where a proxy's entry is unreadable or hidden ("unknown", "_name"), the proxy itself is the client. The
// zero Addr where the connection has no IP address. It may be called in a handler only; IPv4 is never IPv4-mapped.
func ClientAddr(ctx *fasthttp.RequestCtx) netip.Addr {
	c := connOf(ctx)
	if c == nil {
		return addrOf(ctx.RemoteAddr())
	}
	t := &c.front.cfg.TrustedProxies
	if t.Header == HeaderNone || !t.trusts(c.client) {
		return c.client
	}
	read, name := readForwardedFor, fasthttp.HeaderXForwardedFor
	if t.Header == HeaderForwarded {
		read, name = readForwarded, fasthttp.HeaderForwarded
	}
	addr, lines := c.client, ctx.Request.Header.PeekAll(name)
	for i := len(lines) - 1; i >= 0; i-- {
		hops := splitList(string(lines[i]))
		for j := len(hops) - 1; j >= 0; j-- {
			a, ok := read(hops[j])
			if !ok {
				return addr
			}
			if addr = a; !t.trusts(a) {
				return addr
			}
		}
	}
	return addr
}

// splitList cuts a header's value at its commas, but not in quoted strings (RFC 9110 §5.6.1).
func splitList(s string) []string {
	var list []string
	from, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			if quoted {
				i++
			}
		case '"':
			quoted = !quoted
		case ',':
			if !quoted {
				list = append(list, s[from:i])
				from = i + 1
			}
		}
	}
	return append(list, s[from:])
}

// readForwarded takes the "for" of one element of Forwarded (RFC 7239 §4): parameters apart by semicolons.
func readForwarded(element string) (netip.Addr, bool) {
	found := ""
	for pair := range strings.SplitSeq(element, ";") {
		name, value, ok := strings.Cut(strings.Trim(pair, " \t"), "=")
		if !ok || !strings.EqualFold(name, "for") {
			continue
		}
		if found != "" {
			return netip.Addr{}, false
		}
		found = value
	}
	if n := len(found); n >= 2 && found[0] == '"' && found[n-1] == '"' {
		found = found[1 : n-1]
	}
	return readNode(found)
}

// readForwardedFor takes one entry of X-Forwarded-For.
func readForwardedFor(entry string) (netip.Addr, bool) { return readNode(strings.Trim(entry, " \t")) }

// readNode reads an address with or without a port: 192.0.2.1, 192.0.2.1:80, 2001:db8::1, [2001:db8::1], [2001:db8::1]:80.
func readNode(s string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Unmap(), a.Zone() == ""
	}
	if n := len(s); n > 2 && s[0] == '[' && s[n-1] == ']' {
		a, err := netip.ParseAddr(s[1 : n-1])
		return a.Unmap(), err == nil && a.Is6() && a.Zone() == ""
	}
	ap, err := netip.ParseAddrPort(s)
	return ap.Addr().Unmap(), err == nil && ap.Addr().Zone() == ""
}
