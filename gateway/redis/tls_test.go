package redis

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/warmgate/warmgate/gateway/redis/redistest"
)

// certificate makes a certificate for 127.0.0.1 that is its own authority, and its key, as PEM files.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "redis"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", secret)
}

// Over TLS the server shows a certificate of the authority, and is shown the client's own; a stranger's is not spoken to.
func TestTLS(t *testing.T) {
	cert, key := certificate(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := ln.Addr().String()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	redistest.Start(t, "--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert)
	works(t, open(t, Config{Addresses: []string{address}, TLS: TLSConfig{Enabled: true, Authority: cert, Certificate: cert, Key: key}}, Credentials{}))
	other, otherKey := certificate(t)
	for name, tls := range map[string]TLSConfig{
		"another authority":     {Enabled: true, Authority: other, Certificate: cert, Key: key},
		"another's certificate": {Enabled: true, Authority: cert, Certificate: other, Key: otherKey},
		"another name":          {Enabled: true, Authority: cert, ServerName: "redis.example", Certificate: cert, Key: key},
		"none":                  {Enabled: true, Authority: cert},
		"not secured":           {},
	} {
		c := open(t, Config{Addresses: []string{address}, TLS: tls, Timeout: 200 * ms}, Credentials{})
		if err := c.Send(t.Context(), []Command{{"PING"}}); err == nil {
			t.Errorf("%s: it is spoken to", name)
		}
	}
}
