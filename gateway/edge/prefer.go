package edge

import (
	"bytes"
	"strconv"
	"strings"
	"time"
)

const (
	maxWait    = 24 * 3600      // seconds; a longer Prefer: wait is as good as none
	maxElapsed = 24 * time.Hour // of a citizen's clock
)

// preferredWait returns the wait preference (RFC 7240 §4.3) in whole seconds, as the RFC has it; 0 where there is none.
// A preference is a wish: what is ill-formed, zero or absurd is passed over. The first one counts (§2).
func preferredWait(headers [][]byte) time.Duration {
	for _, h := range headers {
		for rest := string(h); rest != ""; {
			var item string
			item, rest = nextPreference(rest)
			token, _, _ := strings.Cut(item, ";")
			name, value, _ := strings.Cut(token, "=")
			if !strings.EqualFold(strings.TrimSpace(name), "wait") {
				continue
			}
			value = strings.TrimSpace(value)
			if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
				value = value[1 : len(value)-1]
			}
			return delta(value)
		}
	}
	return 0
}

// delta reads delta-seconds (RFC 9110 §10.2.3) of at most a day; 0 for anything else.
func delta(s string) time.Duration {
	if s == "" || len(s) > 10 || strings.Trim(s, "0123456789") != "" {
		return 0
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n > maxWait {
		return 0
	}
	return time.Duration(n) * time.Second
}

// nextPreference splits a list at the first comma outside a quoted string.
func nextPreference(s string) (item, rest string) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ',' && !quoted:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// journeyElapsed reads Journey-Elapsed: seconds since the citizen's first touch, at most a day, with at most three
// decimals. It is the gateway's own header, so what is ill-formed is an error and not a wish.
func journeyElapsed(headers [][]byte) (time.Duration, error) {
	if len(headers) == 0 {
		return 0, nil
	}
	wrong := headerInvalid("Journey-Elapsed", "应为秒数，例如 4.5，最多一天。", "It must be seconds, such as 4.5, and at most a day.")
	if len(headers) > 1 {
		return 0, wrong
	}
	whole, fraction, dotted := bytes.Cut(headers[0], []byte("."))
	if len(whole) == 0 || len(whole) > 5 || len(fraction) > 3 || (dotted && len(fraction) == 0) {
		return 0, wrong
	}
	ms := 0
	for _, c := range whole {
		if c < '0' || c > '9' {
			return 0, wrong
		}
		ms = ms*10 + int(c-'0')
	}
	for i := range 3 {
		ms *= 10
		if i < len(fraction) {
			if fraction[i] < '0' || fraction[i] > '9' {
				return 0, wrong
			}
			ms += int(fraction[i] - '0')
		}
	}
	if d := time.Duration(ms) * time.Millisecond; d <= maxElapsed {
		return d, nil
	}
	return 0, wrong
}
