package front

import (
	"bytes"

	"github.com/warmgate/warmgate/gateway"
)

// span is a range of bytes of a head, relative to its start.
type span struct{ from, to int }

// checkTarget judges a request target (RFC 9112 §3.2): origin-form, or absolute-form (http or https), whose authority
// the caller must compare with Host. The authority-form (CONNECT) and the asterisk-form name nothing that is served
// here. skip is the length of what stands before the path: 0 for the origin-form.
func checkTarget(t []byte, r *refusals) (authority []byte, skip int, bad *gateway.Error) {
	rest := t
	if len(t) > 0 && t[0] != '/' {
		switch {
		case len(t) > 7 && equalFold(t[:7], "http://"):
			rest = t[7:]
		case len(t) > 8 && equalFold(t[:8], "https://"):
			rest = t[8:]
		default:
			return nil, 0, r.target
		}
		end := bytes.IndexAny(rest, "/?")
		if end < 0 {
			end = len(rest)
		}
		authority, rest = rest[:end], rest[end:]
		if !isHost(authority) {
			return nil, 0, r.target
		}
		skip = len(t) - len(rest)
	}
	path, q := rest, []byte(nil)
	if i := bytes.IndexByte(rest, '?'); i >= 0 {
		path, q = rest[:i], rest[i+1:]
	}
	if bad = checkPath(path, r); bad == nil && !isQuery(q) {
		bad = r.target
	}
	return authority, skip, bad
}

// checkPath judges a path that begins with a slash (or is empty, in an absolute-form). What a later normalisation
// could change is refused: then every hop sees the same path.
func checkPath(p []byte, r *refusals) *gateway.Error {
	dots, length := 0, 1 // of the segment so far; dots is -1 once it holds anything else
	for i := 0; i < len(p); i++ {
		c := p[i]
		switch {
		case c == '/':
			if dots == 1 || dots == 2 || (length == 0) {
				return r.pathDot
			}
			dots, length = 0, 0
			continue
		case c == '.':
		case class[c]&pchar != 0:
			dots = -1
		case c == '%':
			v, ok := unhex(p[i+1:])
			if !ok {
				return r.target
			}
			if v < ' ' || v == 0x7f || v == '/' || v == '\\' {
				return r.pathEncoded
			}
			if i += 2; v != '.' {
				dots = -1
			}
		default:
			return r.target
		}
		if length++; dots >= 0 {
			dots++
		}
	}
	if dots == 1 || dots == 2 {
		return r.pathDot
	}
	return nil
}

// isQuery reports whether q is a query (RFC 3986 §3.4) with well-formed percent triplets.
func isQuery(q []byte) bool {
	for i := 0; i < len(q); i++ {
		if class[q[i]]&query != 0 {
			continue
		}
		if q[i] != '%' {
			return false
		}
		if _, ok := unhex(q[i+1:]); !ok {
			return false
		}
		i += 2
	}
	return true
}

// isHost reports whether h is a host with an optional port, stricter than RFC 3986: no user, no percent-encoding, no
// empty label, no empty port.
func isHost(h []byte) bool {
	if len(h) == 0 || len(h) > 261 { // a name of 255 bytes, a colon and a port
		return false
	}
	var port []byte
	name, hasPort := h, false
	if h[0] == '[' {
		end := bytes.IndexByte(h, ']')
		if end < 3 || !isIPv6(h[1:end]) {
			return false
		}
		if rest := h[end+1:]; len(rest) > 0 {
			return rest[0] == ':' && isPort(rest[1:])
		}
		return true
	}
	if i := bytes.IndexByte(h, ':'); i >= 0 {
		name, port, hasPort = h[:i], h[i+1:], true
	}
	return all(name, hname) && name[0] != '.' && !bytes.Contains(name, []byte("..")) && (!hasPort || isPort(port))
}

// isIPv6 reports whether b has the letters and about the shape of an IPv6 address: no route depends on which one.
func isIPv6(b []byte) bool {
	colons := 0
	for _, c := range b {
		if c == ':' {
			colons++
		} else if class[c]&hexa == 0 && c != '.' {
			return false
		}
	}
	return colons >= 2 && colons <= 7
}

func isPort(b []byte) bool {
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' || len(b) > 5 {
			return false
		}
		n = n*10 + int(c-'0')
	}
	return len(b) > 0 && n <= 65535
}
