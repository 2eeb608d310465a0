package front

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/warmgate/warmgate/gateway"
)

// Config bounds what the front takes from clients. The zero value is not valid: begin with Defaults.
type Config struct {
	TLS                   TLS            `yaml:"tls"`
	TrustedProxies        TrustedProxies `yaml:"trusted_proxies"`
	HeadLimit             int            `yaml:"head_limit"`              // bytes of a request line and its header fields; 512 to 65536
	BodyLimit             int            `yaml:"body_limit"`              // bytes of a body; 0 to 16 MiB
	ReadTimeout           time.Duration  `yaml:"read_timeout"`            // from a request's first byte to its last; then 408
	WriteTimeout          time.Duration  `yaml:"write_timeout"`           // to take one response, or up to an eighth longer; streams extend theirs
	IdleTimeout           time.Duration  `yaml:"idle_timeout"`            // between two requests of a connection, or up to an eighth longer
	Connections           int            `yaml:"connections"`             // open at once; one more gets 503
	ConnectionsPerAddress int            `yaml:"connections_per_address"` // open at once from one address (IPv6: one /64); one more gets 429
}

// TLS names the PEM files of the server's certificate chain and its key. Both empty: plain HTTP.
type TLS struct {
	Certificate string `yaml:"certificate"`
	Key         string `yaml:"key"`
}

// Enabled reports whether the front speaks TLS.
func (t TLS) Enabled() bool { return t.Certificate != "" || t.Key != "" }

// TrustedProxies says which balancers may speak for the clients behind them, and how they do it. Everyone else's
// PROXY header is a malformed request, and everyone else's Forwarded and X-Forwarded-For are ignored.
type TrustedProxies struct {
	From          []netip.Prefix `yaml:"from"`           // their addresses
	ProxyProtocol bool           `yaml:"proxy_protocol"` // they begin every connection with a PROXY header (v1 or v2); one without it is closed
	Header        ForwardHeader  `yaml:"header"`         // the one header that they write themselves; the other may be the client's own invention
}

// ForwardHeader is the header by which a trusted proxy names its client.
type ForwardHeader string

// The headers by which proxies name their clients.
const (
	HeaderNone          ForwardHeader = "none"
	HeaderForwarded     ForwardHeader = "forwarded"       // RFC 7239
	HeaderXForwardedFor ForwardHeader = "x-forwarded-for" // by custom
)

// Defaults returns the configuration of DESIGN's strict front: 8 KiB heads, 64 KiB bodies, 5 s to send a request,
// 5 s to take a response, 30 s idle, 4096 connections, 1024 from one address, no TLS, nobody trusted.
func Defaults() Config {
	return Config{
		TrustedProxies:        TrustedProxies{Header: HeaderNone},
		HeadLimit:             8 << 10,
		BodyLimit:             64 << 10,
		ReadTimeout:           5 * time.Second,
		WriteTimeout:          5 * time.Second,
		IdleTimeout:           30 * time.Second,
		Connections:           4096,
		ConnectionsPerAddress: 1024,
	}
}

// Bounds of the configuration's values.
const (
	headLimitMin, headLimitMax = 512, 64 << 10
	bodyLimitMax               = 16 << 20
	timeoutMin, timeoutMax     = time.Millisecond, 10 * time.Minute
	connectionsMax             = 1 << 20
)

// Validate returns every mistake of the configuration, each a *gateway.FieldError, joined; nil if there is none.
// It reads no file: New reports certificates that cannot be loaded.
func (c Config) Validate() error {
	var errs []error
	bad := func(path, format string, args ...any) {
		errs = append(errs, &gateway.FieldError{Path: path, Message: fmt.Sprintf(format, args...)})
	}
	within := func(path string, v, lo, hi int) {
		if v < lo || v > hi {
			bad(path, "must be between %d and %d, not %d", lo, hi, v)
		}
	}
	lasts := func(path string, v time.Duration) {
		if v < timeoutMin || v > timeoutMax {
			bad(path, "must be between %v and %v, not %v", timeoutMin, timeoutMax, v)
		}
	}
	within("head_limit", c.HeadLimit, headLimitMin, headLimitMax)
	within("body_limit", c.BodyLimit, 0, bodyLimitMax)
	lasts("read_timeout", c.ReadTimeout)
	lasts("write_timeout", c.WriteTimeout)
	lasts("idle_timeout", c.IdleTimeout)
	within("connections", c.Connections, 1, connectionsMax)
	within("connections_per_address", c.ConnectionsPerAddress, 1, connectionsMax)
	if c.ConnectionsPerAddress > c.Connections && c.Connections >= 1 {
		bad("connections_per_address", "must not exceed connections (%d), is %d", c.Connections, c.ConnectionsPerAddress)
	}
	if c.TLS.Certificate == "" && c.TLS.Key != "" {
		bad("tls.certificate", "is missing beside tls.key")
	}
	if c.TLS.Key == "" && c.TLS.Certificate != "" {
		bad("tls.key", "is missing beside tls.certificate")
	}
	t := c.TrustedProxies
	switch t.Header {
	case HeaderNone, HeaderForwarded, HeaderXForwardedFor, "":
	default:
		bad("trusted_proxies.header", "must be %q, %q or %q, not %q", HeaderNone, HeaderForwarded, HeaderXForwardedFor, t.Header)
	}
	for i, p := range t.From {
		if !p.IsValid() {
			bad(fmt.Sprintf("trusted_proxies.from[%d]", i), "must be a network such as 10.0.0.0/8")
		}
	}
	if len(t.From) == 0 && (t.ProxyProtocol || (t.Header != HeaderNone && t.Header != "")) {
		bad("trusted_proxies.from", "is empty: name the proxies' networks")
	}
	return errors.Join(errs...)
}
