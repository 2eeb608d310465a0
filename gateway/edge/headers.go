package edge

import (
	"strconv"
	"time"

	"github.com/warmgate/warmgate/gateway"
)

// appendTiming appends an entry of Server-Timing (W3C): the name, and the duration in milliseconds with microseconds.
// What is no token in the name becomes a dash.
func appendTiming(dst []byte, name string, d time.Duration) []byte {
	if len(dst) > 0 {
		dst = append(dst, ", "...)
	}
	dst = appendToken(dst, name)
	dst = append(dst, ";dur="...)
	return strconv.AppendFloat(dst, float64(d.Microseconds())/1000, 'f', -1, 64)
}

// appendCacheStatus appends the value of Cache-Status (RFC 9211 §2), one member for each source: a hit for what was
// known, with the detail "stale" where it was past its freshness; forwarded for what was asked or could not be had.
func appendCacheStatus(dst []byte, sources []gateway.Source) []byte {
	for _, s := range sources {
		if len(dst) > 0 {
			dst = append(dst, ", "...)
		}
		dst = appendToken(dst, s.System)
		switch s.State {
		case gateway.Live:
			dst = append(dst, ";fwd=miss"...)
		case gateway.Cached:
			dst = append(dst, ";hit"...)
		case gateway.Stale:
			dst = append(dst, ";hit;detail=stale"...)
		case gateway.Missing:
			dst = append(dst, ";fwd=miss;detail=missing"...)
		}
	}
	return dst
}

// appendToken appends s as a token that begins with a letter (RFC 8941 §3.3.4), so that it needs no quotes.
func appendToken(dst []byte, s string) []byte {
	if s == "" || !(s[0] >= 'a' && s[0] <= 'z' || s[0] >= 'A' && s[0] <= 'Z') {
		dst = append(dst, 'x')
	}
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.') {
			c = '-'
		}
		dst = append(dst, c)
	}
	return dst
}

// retryAfter returns the value of Retry-After (RFC 9110 §10.2.3).
func retryAfter(d time.Duration) string { return strconv.Itoa(wholeSeconds(d)) }
