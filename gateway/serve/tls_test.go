package serve

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// certificate writes a certificate with a serial number, and its key.
func (w *world) certificate(serial int64) {
	w.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		w.t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		w.t.Fatal(err)
	}
	w.write("tls/cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})))
	w.write("tls/key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
}

// A reload takes a new certificate, for new connections; one that can't be loaded stops the whole reload.
func TestReloadOfTheCertificate(t *testing.T) {
	w := newWorld(t)
	w.certificate(1)
	w.edit("gateway.yaml", "auth:\n", "edge: { front: { tls: { certificate: tls/cert.pem, key: tls/key.pem } } }\nauth:\n")
	w.open()
	w.base = strings.Replace(w.base, "http:", "https:", 1)
	w.client.Transport = &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	serial := func() int64 {
		conn, err := tls.Dial("tcp", strings.TrimPrefix(w.base, "https://"), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if got := serial(); got != 1 {
		t.Fatalf("the first certificate is %d", got)
	}
	w.certificate(2)
	if err := w.g.Reload(); err != nil {
		t.Fatal(err)
	}
	if got := serial(); got != 2 {
		t.Errorf("after the reload the certificate is %d", got)
	}
	w.write("tls/cert.pem", "no certificate")
	w.edit("venues/one.yaml", "word: hello", "word: goodbye")
	if err := w.g.Reload(); err == nil || !strings.Contains(err.Error(), "cannot load the TLS certificate") {
		t.Errorf("got %v", err)
	}
	if got := serial(); got != 2 {
		t.Errorf("after a refused reload the certificate is %d", got)
	}
	if got := w.word("one"); got != `200 {"word":"hello"}` {
		t.Errorf("a refused reload took a venue: %s", got)
	}
	w.certificate(3)
	w.write("keys/token-keys.json", "{")
	if err := w.g.Reload(); err == nil {
		t.Error("wrong keys were taken")
	}
	if got := serial(); got != 2 {
		t.Errorf("a reload refused for its keys took certificate %d", got)
	}
}
