package auth

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
)

// revocation is one line of a revocations file.
type revocation struct{ kind, issuer, value string }

// The kinds of revocation.
const (
	revokedID      = "jti"
	revokedKey     = "kid"
	revokedSubject = "sub"
)

const anyIssuer = "*"

// revocations is a set of them, never changed once made; a reload makes a new one.
type revocations struct{ set map[revocation]struct{} }

// hold reports whether a token is revoked by its id, its key or its subject.
func (r *revocations) hold(issuer, id, keyID, subject string) bool {
	if len(r.set) == 0 {
		return false
	}
	for _, i := range [...]string{issuer, anyIssuer} {
		for _, v := range [...]revocation{{revokedID, i, id}, {revokedKey, i, keyID}, {revokedSubject, i, subject}} {
			if _, ok := r.set[v]; ok {
				return true
			}
		}
	}
	return false
}

// loadRevocations reads a revocations file; no path, no revocations.
func loadRevocations(path string) (*revocations, error) {
	if path == "" {
		return &revocations{}, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot open the revocations: %w", err)
	}
	defer f.Close()
	r, err := parseRevocations(f)
	if err != nil {
		return nil, fmt.Errorf("cannot use the revocations in %s: %w", path, err)
	}
	return r, nil
}

// parseRevocations reads the format that Config.RevocationsFile describes. An error names the line and not what is on
// it, which may be a subject.
func parseRevocations(r io.Reader) (*revocations, error) {
	out := &revocations{set: make(map[revocation]struct{})}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		kind, rest, _ := strings.Cut(line, " ")
		issuer, value, _ := strings.Cut(rest, " ")
		if kind != revokedID && kind != revokedKey && kind != revokedSubject {
			return nil, fmt.Errorf("line %d: must begin with jti, kid or sub", n)
		}
		if issuer == "" || value == "" {
			return nil, fmt.Errorf("line %d: must be a kind, an issuer or *, and a value", n)
		}
		out.set[revocation{kind, issuer, value}] = struct{}{}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("cannot read them: %w", err)
	}
	return out, nil
}
