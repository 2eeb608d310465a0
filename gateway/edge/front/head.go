package front

import (
	"bytes"

	"github.com/warmgate/warmgate/gateway"
)

// verdict is what the reading of a head has come to.
type verdict uint8

const (
	more    verdict = iota // not complete, nothing wrong so far
	good                   // complete and lawful
	refused                // wrong; head.why says how
)

// head reads one request's head (request line, header fields, empty line; RFC 9112) from its raw bytes, line by line
// as they arrive, and judges it by every rule of the strict front. The verdict does not depend on how the bytes were
// cut into reads. It allocates nothing; the zero value is ready.
type head struct {
	rules  *refusals
	limit  int // of the head's bytes, from its request line to its empty line
	body   int64
	start  int // of the request line: 2 where one empty line came before it (RFC 9112 §2.2)
	pos    int // of the line that is being read
	seen   int // bytes already searched for the end of that line
	end    int // of the head, once good
	length int64
	auth   span // the authority of an absolute-form target
	skip   int  // bytes of the target before its path, in the absolute-form
	target int  // where the target begins
	host   span
	why    *gateway.Error

	first     bool // the request line has been read
	isHead    bool // the method is HEAD: a refusal has no body either
	bodyless  bool // the method never has a body
	old       bool // HTTP/1.0
	hosts     bool
	lengths   bool
	encodings bool
	chunked   bool
}

// begin makes h ready for the next head of a connection.
func (h *head) begin(rules *refusals, headLimit int, bodyLimit int64) {
	*h = head{rules: rules, limit: headLimit, body: bodyLimit}
}

// feed looks at b, which holds all bytes since the head began, and must only grow between calls. Bytes after the
// head's end are not looked at.
func (h *head) feed(b []byte) verdict {
	if !h.first && !h.opens(b) {
		return h.after()
	}
	for {
		i := bytes.IndexByte(b[h.seen:], '\n')
		if i < 0 {
			h.seen = len(b)
			if len(b)-h.start >= h.limit {
				return h.refuse(h.rules.headSize)
			}
			return more
		}
		i += h.seen
		if i-h.start >= h.limit {
			return h.refuse(h.rules.headSize)
		}
		line := b[h.pos:i]
		h.pos, h.seen = i+1, i+1
		if len(line) == 0 || line[len(line)-1] != '\r' {
			return h.refuse(h.rules.lineEnding)
		}
		line = line[:len(line)-1]
		switch {
		case !h.first:
			h.first = true
			h.why = h.requestLine(line)
		case len(line) == 0:
			if h.why = h.whole(b); h.why != nil {
				return refused
			}
			h.end = i + 1
			return good
		default:
			h.why = h.field(b, line)
		}
		if h.why != nil {
			return refused
		}
	}
}

func (h *head) refuse(why *gateway.Error) verdict {
	h.why = why
	return refused
}

func (h *head) after() verdict {
	if h.why != nil {
		return refused
	}
	return more
}

// opens skips one empty line before the request line and refuses at once what cannot become one, such as a TLS
// greeting that never sends a line feed. It reports whether there is a first byte to go on with.
func (h *head) opens(b []byte) bool {
	if h.start == 0 && len(b) > 0 && b[0] == '\r' {
		if len(b) == 1 {
			return false
		}
		if b[1] != '\n' {
			h.why = h.rules.requestLine
			return false
		}
		h.start, h.pos, h.seen = 2, 2, 2
	}
	if len(b) <= h.start {
		return false
	}
	if class[b[h.start]]&token == 0 {
		h.why = h.rules.requestLine
		return false
	}
	return true
}

// requestLine judges "METHOD target HTTP/1.1" (RFC 9112 §3): version first, so that another protocol's greeting is
// told the version that is spoken here; then the method; then the target.
func (h *head) requestLine(line []byte) *gateway.Error {
	method, rest, ok := cut(line)
	if !ok || !all(method, token) {
		return h.rules.requestLine
	}
	target, version, ok := cut(rest)
	if len(target) == 0 {
		return h.rules.requestLine
	}
	if !ok {
		return h.rules.version // HTTP/0.9 had none
	}
	switch string(version) {
	case "HTTP/1.1":
	case "HTTP/1.0":
		h.old = true
	default:
		if isVersion(version) {
			return h.rules.version
		}
		return h.rules.requestLine
	}
	switch string(method) {
	case "HEAD":
		h.isHead, h.bodyless = true, true
	case "GET", "TRACE":
		h.bodyless = true
	case "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
	default: // CONNECT too: no resource here can ever be a tunnel
		return h.rules.method
	}
	h.target = h.start + len(method) + 1
	authority, skip, bad := checkTarget(target, h.rules)
	if h.skip = skip; skip > 0 {
		from := h.target + skip - len(authority)
		h.auth = span{from, from + len(authority)}
	}
	return bad
}

func cut(b []byte) (before, after []byte, ok bool) {
	if i := bytes.IndexByte(b, ' '); i >= 0 {
		return b[:i], b[i+1:], true
	}
	return b, nil, false
}

func isVersion(v []byte) bool {
	return len(v) == 8 && string(v[:5]) == "HTTP/" && v[6] == '.' &&
		'0' <= v[5] && v[5] <= '9' && '0' <= v[7] && v[7] <= '9'
}

// field judges one header field's line and remembers what the whole head is judged by.
func (h *head) field(b, line []byte) *gateway.Error {
	if line[0] == ' ' || line[0] == '\t' {
		return h.rules.headerFolded
	}
	colon := bytes.IndexByte(line, ':')
	if colon < 0 || !all(line[:colon], token) {
		return h.rules.headerName
	}
	name, value := line[:colon], line[colon+1:]
	if !isValue(value) {
		return h.rules.headerValue
	}
	switch len(name) {
	case len("host"):
		if equalFold(name, "host") {
			return h.hostField(b, trim(value))
		}
	case len("expect"):
		if equalFold(name, "expect") && !h.old && !equalFold(trim(value), "100-continue") {
			return h.rules.expectation
		}
	case len("content-length"):
		if equalFold(name, "content-length") {
			return h.lengthField(trim(value))
		}
	case len("transfer-encoding"):
		if equalFold(name, "transfer-encoding") {
			if h.encodings || h.old { // RFC 9112 §6.1: faulty framing in HTTP/1.0
				return h.rules.framing
			}
			h.encodings, h.chunked = true, equalFold(trim(value), "chunked")
		}
	}
	return nil
}

func (h *head) hostField(b, value []byte) *gateway.Error {
	if h.hosts || !isHost(value) {
		return h.rules.host
	}
	h.hosts = true
	from := cap(b) - cap(value) // value is a part of b
	h.host = span{from, from + len(value)}
	return nil
}

// lengthField takes one Content-Length of digits alone. A second one is refused even where it says the same: a hop
// before us may have read the other.
func (h *head) lengthField(value []byte) *gateway.Error {
	if h.lengths || len(value) == 0 || len(value) > 18 { // 18 digits fit an int64
		return h.rules.framing
	}
	for _, c := range value {
		if c < '0' || c > '9' {
			return h.rules.framing
		}
		h.length = h.length*10 + int64(c-'0')
	}
	h.lengths = true
	return nil
}

// whole judges what can only be seen once all fields are there.
func (h *head) whole(b []byte) *gateway.Error {
	switch {
	case h.encodings && (h.lengths || !h.chunked):
		return h.rules.framing
	case h.encodings:
		return h.rules.length
	case !h.hosts && h.old:
		return h.rules.version
	case !h.hosts:
		return h.rules.host
	case h.skip > 0 && !bytes.EqualFold(b[h.auth.from:h.auth.to], b[h.host.from:h.host.to]):
		return h.rules.host
	case h.length > 0 && h.bodyless:
		return h.rules.bodyUnexpected
	case h.length > h.body:
		return h.rules.bodySize
	}
	return nil
}

// plain returns where in b a good head begins for the next reader, after an absolute-form target has been rewritten
// to its origin-form in place: the routes see one form only. b is what feed was given last.
func (h *head) plain(b []byte) int {
	if h.skip == 0 {
		return h.start
	}
	from, path := h.target, h.target+h.skip
	if b[path] != '/' { // "http://host" and "http://host?q" mean its root
		path--
		b[path] = '/'
	}
	begin := h.start + path - from
	copy(b[begin:path], b[h.start:from])
	return begin
}
