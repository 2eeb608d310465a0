package edge

import (
	"encoding/hex"
	"math/rand/v2"
)

// traceparent is a position in a distributed trace (W3C Trace Context, level 1, §3.2).
type traceparent struct {
	trace [16]byte
	span  [8]byte
	flags byte
}

// traceBytes is how long the header's value is.
const traceBytes = 55

// trace returns our own position below the caller's, or in a new trace where the header is absent or not valid. The
// caller's tracestate is not kept: nobody here says what is in it.
func trace(headers [][]byte) traceparent {
	var t traceparent
	if len(headers) == 1 {
		if caller, ok := parseTraceparent(headers[0]); ok {
			t = caller
		}
	}
	if t.trace == ([16]byte{}) {
		putUint64(t.trace[:8], rand.Uint64()|1)
		putUint64(t.trace[8:], rand.Uint64())
	}
	putUint64(t.span[:], rand.Uint64()|1) // never all zero
	return t
}

func putUint64(dst []byte, v uint64) {
	for i := range dst {
		dst[i] = byte(v >> (8 * i))
	}
}

// parseTraceparent reads a header of version 00, or what a later version has in common with it.
func parseTraceparent(h []byte) (t traceparent, ok bool) {
	const length = traceBytes
	if len(h) < length || h[2] != '-' || h[35] != '-' || h[52] != '-' {
		return t, false
	}
	version, ok := lowerHex(h[0:2])
	switch {
	case !ok || version == 0xff:
		return t, false
	case version == 0 && len(h) != length:
		return t, false
	case len(h) > length && h[length] != '-':
		return t, false
	}
	for i := range t.trace {
		if t.trace[i], ok = lowerHex(h[3+2*i : 5+2*i]); !ok {
			return traceparent{}, false
		}
	}
	for i := range t.span {
		if t.span[i], ok = lowerHex(h[36+2*i : 38+2*i]); !ok {
			return traceparent{}, false
		}
	}
	if t.flags, ok = lowerHex(h[53:55]); !ok || t.trace == ([16]byte{}) || t.span == ([8]byte{}) {
		return traceparent{}, false
	}
	t.flags &= 1 // the only flag that version 00 has: sampled
	return t, true
}

// lowerHex reads two lower-case hexadecimal digits.
func lowerHex(h []byte) (byte, bool) {
	var v byte
	for _, c := range h {
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | (c - '0')
		case c >= 'a' && c <= 'f':
			v = v<<4 | (c - 'a' + 10)
		default:
			return 0, false
		}
	}
	return v, true
}

// String returns the header's value.
func (t traceparent) String() string { return string(t.append(make([]byte, 0, traceBytes))) }

// append appends the header's value.
func (t traceparent) append(b []byte) []byte {
	b = append(b, "00-"...)
	b = hex.AppendEncode(b, t.trace[:])
	b = append(b, '-')
	b = hex.AppendEncode(b, t.span[:])
	return append(b, '-', '0', '0'+t.flags) // the flags are 0 or 1
}
