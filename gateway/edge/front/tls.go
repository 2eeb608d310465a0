package front

import (
	"crypto/tls"
	"errors"
	"fmt"
	"sync/atomic"
)

// certificate is the server's certificate from files, replaceable while connections are served.
type certificate struct {
	files TLS
	now   atomic.Pointer[tls.Certificate]
}

// load reads the files; on error the certificate in use stays.
func (c *certificate) load() error {
	pair, err := tls.LoadX509KeyPair(c.files.Certificate, c.files.Key)
	if err != nil {
		return fmt.Errorf("cannot load the TLS certificate: %w", err)
	}
	c.now.Store(&pair)
	return nil
}

// config returns the server's side of TLS: 1.2 or later, HTTP/1.1 alone.
func (c *certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return c.now.Load(), nil
		},
	}
}

// errNoTLS is Reload's answer where there is nothing to reload.
var errNoTLS = errors.New("cannot reload the TLS certificate: none is configured")

// Reload reads the certificate and key files again. New connections get the new certificate, open ones go on; on
// error the old one stays in use. Safe for concurrent use.
func (f *Front) Reload() error {
	if f.cert == nil {
		return errNoTLS
	}
	return f.cert.load()
}
