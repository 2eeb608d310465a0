// Package auth finds out who is asking: it verifies access tokens (RFC 9068, RFC 8725) and remembers those it has.
package auth

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/limit"
)

// The bounds of a configuration, and what its zero values mean.
const (
	maxLeeway         = 30 * time.Second
	minTokenBytes     = 256
	maxTokenBytes     = 4096
	defaultRemembered = 8192
	defaultRefresh    = 5 * time.Minute
	minRefresh        = 10 * time.Second
)

// Config is the section "auth" of the gateway's file.
type Config struct {
	Audience      string         `yaml:"audience"`        // what a token's "aud" must hold
	Leeway        time.Duration  `yaml:"leeway"`          // for clocks that differ: exp, nbf, iat; 0 to 30 s
	MaxTokenBytes int            `yaml:"max_token_bytes"` // 256 to 4096; 0: 4096
	Issuers       []IssuerConfig `yaml:"issuers"`         // at least one
	// RevocationsFile names a text file with one revocation a line: a kind (jti, kid or sub), an issuer or * for all,
	// and the value, with a space between each. Empty lines and lines that begin with # are skipped. Empty: none.
	RevocationsFile string `yaml:"revocations_file"`
	// Remembered is how many verified tokens are kept in memory, about 1 KiB each; 0: 8192.
	Remembered int `yaml:"remembered"`
	// FirstSeenPerAddress bounds how often an address may show a token that must be verified at full cost.
	// All zero: 20 each second, 200 at once.
	FirstSeenPerAddress limit.Rate `yaml:"first_seen_per_address"`
}

// IssuerConfig is one issuer whose tokens are accepted.
type IssuerConfig struct {
	Issuer     string        `yaml:"issuer"`     // the exact "iss" of its tokens
	Tenant     string        `yaml:"tenant"`     // of all its tokens; empty: each token has a "tenant" claim
	Algorithms []string      `yaml:"algorithms"` // of EdDSA (Ed25519), ES256, RS256, PS256
	KeysFile   string        `yaml:"keys_file"`  // a JWK set (RFC 7517); this or JWKSURL
	JWKSURL    string        `yaml:"jwks_url"`   // https, or http on this machine; redirects are not followed
	Refresh    time.Duration `yaml:"refresh"`    // between two looks at JWKSURL; at least 10 s; 0: 5 min
}

// mistakes collects what is wrong in a section.
type mistakes []error

func (m *mistakes) add(path, format string, args ...any) {
	*m = append(*m, &gateway.FieldError{Path: path, Message: fmt.Sprintf(format, args...)})
}

// Validate reports every mistake as a *gateway.FieldError, joined; nil if there is none. It reads no file.
func (c Config) Validate() error {
	var m mistakes
	if c.Audience == "" {
		m.add("audience", "must name who the tokens are for")
	}
	if c.Leeway < 0 || c.Leeway > maxLeeway {
		m.add("leeway", "must be 0 to %s, got %s", maxLeeway, c.Leeway)
	}
	if n := c.withDefaults().MaxTokenBytes; n < minTokenBytes || n > maxTokenBytes {
		m.add("max_token_bytes", "must be %d to %d, got %d", minTokenBytes, maxTokenBytes, n)
	}
	if c.Remembered < 0 {
		m.add("remembered", "must not be negative, got %d", c.Remembered)
	}
	m = append(m, c.withDefaults().FirstSeenPerAddress.Mistakes("first_seen_per_address")...)
	if len(c.Issuers) == 0 {
		m.add("issuers", "must have at least one entry")
	}
	seen := make(map[string]bool)
	for i, is := range c.Issuers {
		path := fmt.Sprintf("issuers[%d]", i)
		if seen[is.Issuer] {
			m.add(path+".issuer", "is used twice: %q", is.Issuer)
		}
		seen[is.Issuer] = true
		m = append(m, is.mistakes(path)...)
	}
	return errors.Join(m...)
}

func (c IssuerConfig) mistakes(path string) mistakes {
	var m mistakes
	if c.Issuer == "" {
		m.add(path+".issuer", "must be the \"iss\" of the issuer's tokens")
	}
	if len(c.Algorithms) == 0 {
		m.add(path+".algorithms", "must name at least one of EdDSA, ES256, RS256, PS256")
	}
	for _, a := range c.Algorithms {
		if !slices.Contains([]string{algEdDSA, algES256, algRS256, algPS256}, a) {
			m.add(path+".algorithms", "must be EdDSA, ES256, RS256 or PS256, got %q", a)
		}
	}
	if (c.KeysFile == "") == (c.JWKSURL == "") {
		m.add(path, "needs either keys_file or jwks_url")
	}
	if c.JWKSURL != "" && !safeURL(c.JWKSURL) {
		m.add(path+".jwks_url", "must be an https address without user or fragment, or http on a loopback address")
	}
	if c.Refresh != 0 && c.Refresh < minRefresh {
		m.add(path+".refresh", "must be at least %s, got %s", minRefresh, c.Refresh)
	}
	return m
}

// safeURL reports whether keys may be had from s: nobody between us and the issuer can change them.
func safeURL(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return false
	}
	addr, err := netip.ParseAddr(u.Hostname())
	loopback := u.Hostname() == "localhost" || (err == nil && addr.IsLoopback())
	return u.Scheme == "https" || (u.Scheme == "http" && loopback)
}

// withDefaults returns the section with each zero replaced by what it means.
func (c Config) withDefaults() Config {
	if c.MaxTokenBytes == 0 {
		c.MaxTokenBytes = maxTokenBytes
	}
	if c.Remembered == 0 {
		c.Remembered = defaultRemembered
	}
	if c.FirstSeenPerAddress == (limit.Rate{}) {
		c.FirstSeenPerAddress = limit.Rate{Requests: 20, Per: time.Second, Burst: 200}
	}
	c.Issuers = slices.Clone(c.Issuers)
	for i := range c.Issuers {
		if c.Issuers[i].Refresh == 0 {
			c.Issuers[i].Refresh = defaultRefresh
		}
	}
	return c
}
