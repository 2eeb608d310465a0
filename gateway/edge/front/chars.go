package front

import "encoding/binary"

// Classes of bytes, one bit each.
const (
	token uint8 = 1 << iota // RFC 9110 §5.6.2, of methods and header names
	pchar                   // RFC 3986 §3.3 without "%", of paths
	query                   // RFC 3986 §3.4 without "%"
	hname                   // of a host name or an IPv4 address, as strict as DNS plus "_"
	hexa                    // hexadecimal digit
)

// class holds the classes of every byte. It is computed once and never changed.
var class = classes()

func classes() (t [256]uint8) {
	mark := func(bits uint8, set string) {
		for i := range len(set) {
			t[set[i]] |= bits
		}
	}
	mark(token|pchar|query|hname, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
	mark(token, "!#$%&'*+-.^_`|~")
	mark(pchar|query, "-._~!$&'()*+,;=:@")
	mark(query, "/?")
	mark(hname, "-._")
	mark(hexa, "0123456789abcdefABCDEF")
	return t
}

// all reports whether every byte of b is of class bits. An empty b is not.
func all(b []byte, bits uint8) bool {
	for _, c := range b {
		if class[c]&bits == 0 {
			return false
		}
	}
	return len(b) > 0
}

// isValue reports whether b is a header field's value: printable, space, tab or obs-text (RFC 9110 §5.5).
func isValue(b []byte) bool {
	for len(b) >= 8 {
		if mayHoldControl(binary.LittleEndian.Uint64(b)) && !isPlain(b[:8]) {
			return false
		}
		b = b[8:]
	}
	return isPlain(b)
}

func isPlain(b []byte) bool {
	for _, c := range b {
		if (c < ' ' && c != '\t') || c == 0x7f {
			return false
		}
	}
	return true
}

// mayHoldControl reports whether one of x's eight bytes is below a space or is DEL. It may say yes too often (a tab
// is one), never too seldom.
func mayHoldControl(x uint64) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	del := x ^ ones*0x7f
	return ((x-ones*' ')&^x|(del-ones)&^del)&tops != 0
}

// equalFold reports whether b is s but for the case of ASCII letters; s is lower-case.
func equalFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != s[i] {
			return false
		}
	}
	return true
}

// trim returns b without spaces and tabs at its ends.
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// unhex returns the value of the two hexadecimal digits at the start of b; false if they are not there.
func unhex(b []byte) (byte, bool) {
	if len(b) < 2 || class[b[0]]&hexa == 0 || class[b[1]]&hexa == 0 {
		return 0, false
	}
	return nibble(b[0])<<4 | nibble(b[1]), true
}

func nibble(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}
