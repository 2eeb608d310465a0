package redis

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/warmgate/warmgate/gateway"
)

// Config says where Redis is; section redis of gateway.yaml. Without an address there is none, and everything works on
// one machine. Credentials are not in it: Open is given them.
type Config struct {
	Addresses        []string      `yaml:"addresses"`         // host:port: of the server, of some nodes of the cluster, or of the sentinels; none: no Redis
	Sentinel         string        `yaml:"sentinel"`          // what the sentinels call the master; empty: the addresses are no sentinels
	Cluster          bool          `yaml:"cluster"`           // the addresses are nodes of a cluster
	Database         int           `yaml:"database"`          // by number; a cluster has only 0
	Username         string        `yaml:"username"`          // empty: the default user
	SentinelUsername string        `yaml:"sentinel_username"` // at the sentinels; empty: the default user
	TLS              TLSConfig     `yaml:"tls"`
	Prefix           string        `yaml:"prefix"`      // of all keys and channels; empty: warmgate
	Connections      int           `yaml:"connections"` // at most, and so many requests may ask at once; 0: 16
	Timeout          time.Duration `yaml:"timeout"`     // of a connection and of each command behind the requests; 0: 500ms
	Breaker          BreakerConfig `yaml:"breaker"`
}

// TLSConfig says how connections are secured.
type TLSConfig struct {
	Enabled     bool   `yaml:"enabled"`
	Authority   string `yaml:"authority"`   // PEM file of whose certificates are trusted; empty: whom the system trusts
	ServerName  string `yaml:"server_name"` // that the certificate has to be for; empty: the host of the address
	Certificate string `yaml:"certificate"` // PEM file of the client's own certificate; empty: none
	Key         string `yaml:"key"`         // PEM file of its key
}

// BreakerConfig says when Redis is left alone. A ping behind the requests finds out that it is back.
type BreakerConfig struct {
	Consecutive int           `yaml:"consecutive"` // so many failures in a row open it; 0: 3
	OpenFor     time.Duration `yaml:"open_for"`    // then it is tried again, by a ping; 0: 1s
}

// Credentials are what Redis is told. Empty: nothing.
type Credentials struct{ Password, SentinelPassword string }

const (
	maxAddresses   = 64
	maxConnections = 1024
	maxTimeout     = 10 * time.Second
	maxPrefix      = 64
)

// Enabled reports whether there is a Redis.
func (c Config) Enabled() bool { return len(c.Addresses) > 0 }

// withDefaults returns the section with each zero replaced by what it means.
func (c Config) withDefaults() Config {
	c.Prefix = or(c.Prefix, "warmgate")
	c.Connections = or(c.Connections, 16)
	c.Timeout = or(c.Timeout, 500*time.Millisecond)
	c.Breaker.Consecutive = or(c.Breaker.Consecutive, 3)
	c.Breaker.OpenFor = or(c.Breaker.OpenFor, time.Second)
	return c
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// mistakes collects what is wrong in a section.
type mistakes []error

func (m *mistakes) add(path, format string, args ...any) {
	*m = append(*m, &gateway.FieldError{Path: path, Message: fmt.Sprintf(format, args...)})
}

// Validate reports every mistake as a *gateway.FieldError, joined; nil if there is none. It opens no file.
func (c Config) Validate() error {
	var m mistakes
	if len(c.Addresses) > maxAddresses {
		m.add("addresses", "at most %d addresses, got %d", maxAddresses, len(c.Addresses))
	}
	for i, a := range c.Addresses {
		if host, port, err := net.SplitHostPort(a); err != nil || host == "" || port == "" {
			m.add(fmt.Sprintf("addresses[%d]", i), "%q is not an address such as 10.0.0.7:6379", a)
		}
	}
	single := c.Sentinel == "" && !c.Cluster
	switch {
	case c.Sentinel != "" && c.Cluster:
		m.add("cluster", "sentinels and a cluster exclude each other")
	case single && len(c.Addresses) > 1:
		m.add("addresses", "%d addresses need sentinel or cluster", len(c.Addresses))
	case c.Cluster && c.Database != 0:
		m.add("database", "a cluster has only database 0, got %d", c.Database)
	}
	if c.Database < 0 {
		m.add("database", "must not be negative, got %d", c.Database)
	}
	if c.SentinelUsername != "" && c.Sentinel == "" {
		m.add("sentinel_username", "has no use without sentinel")
	}
	if !validPrefix(c.Prefix) {
		m.add("prefix", "must be up to %d lower-case letters, digits, dashes and colons, got %q", maxPrefix, c.Prefix)
	}
	m = append(m, c.bounds()...)
	return errors.Join(append(m, c.TLS.mistakes()...)...)
}

func (c Config) bounds() (m mistakes) {
	c = c.withDefaults()
	if c.Connections < 2 || c.Connections > maxConnections {
		m.add("connections", "must be 2 to %d, got %d", maxConnections, c.Connections)
	}
	if c.Timeout < time.Millisecond || c.Timeout > maxTimeout {
		m.add("timeout", "must be 1ms to %v, got %v", maxTimeout, c.Timeout)
	}
	if c.Breaker.Consecutive < 1 || c.Breaker.Consecutive > 1000 {
		m.add("breaker.consecutive", "must be 1 to 1000, got %d", c.Breaker.Consecutive)
	}
	if c.Breaker.OpenFor < 100*time.Millisecond || c.Breaker.OpenFor > 5*time.Minute {
		m.add("breaker.open_for", "must be 100ms to 5m, got %v", c.Breaker.OpenFor)
	}
	return m
}

func (t TLSConfig) mistakes() (m mistakes) {
	if !t.Enabled && t != (TLSConfig{}) {
		m.add("tls.enabled", "must be true where other fields of tls are set")
	}
	if (t.Certificate == "") != (t.Key == "") {
		m.add("tls.key", "certificate and key belong together")
	}
	return m
}

// validPrefix keeps prefixes plain: a brace would move the keys of a cluster.
func validPrefix(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == ':') {
			return false
		}
	}
	return len(s) <= maxPrefix
}

// load reads the files; nil: no TLS. The error is a *gateway.FieldError.
func (t TLSConfig) load() (*tls.Config, error) {
	if !t.Enabled {
		return nil, nil
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.Authority != "" {
		pem, err := os.ReadFile(t.Authority)
		if err != nil {
			return nil, &gateway.FieldError{Path: "tls.authority", Message: "cannot be read: " + err.Error()}
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, &gateway.FieldError{Path: "tls.authority", Message: "holds no certificate"}
		}
	}
	if t.Certificate != "" {
		own, err := tls.LoadX509KeyPair(t.Certificate, t.Key)
		if err != nil {
			return nil, &gateway.FieldError{Path: "tls.certificate", Message: "cannot be loaded: " + err.Error()}
		}
		out.Certificates = []tls.Certificate{own}
	}
	return out, nil
}
