package front

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// writeCertificate makes a self-signed certificate named name in cfg's files.
func writeCertificate(t *testing.T, files TLS, name string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{files.Certificate: {Type: "CERTIFICATE", Bytes: der}, files.Key: {Type: "PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func tlsConfig(t *testing.T) Config {
	cfg := testConfig()
	dir := t.TempDir()
	cfg.TLS = TLS{Certificate: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	writeCertificate(t, cfg.TLS, "one")
	return cfg
}

// dialTLS shakes hands after having sent before in the clear.
func (r *running) dialTLS(t *testing.T, before string) (*client, string) {
	t.Helper()
	c := r.dial(t)
	c.send(before)
	over := tls.Client(c.Conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}}) // the names are compared below
	if err := over.Handshake(); err != nil {
		t.Fatal(err)
	}
	state := over.ConnectionState()
	if state.NegotiatedProtocol != "http/1.1" {
		t.Errorf("negotiated %q", state.NegotiatedProtocol)
	}
	return &client{t: t, Conn: over, r: bufio.NewReader(over)}, state.PeerCertificates[0].Subject.CommonName
}

func TestTLSIsReloadedUnderOpenConnections(t *testing.T) {
	cfg := tlsConfig(t)
	r := start(t, cfg, func(ctx *fasthttp.RequestCtx) {
		if !ctx.IsTLS() || ctx.TLSConnectionState() == nil {
			t.Error("the handler does not see TLS")
		}
		echo(ctx)
	})
	old, name := r.dialTLS(t, "")
	if name != "one" || !old.kept() {
		t.Fatalf("certificate %q", name)
	}
	writeCertificate(t, cfg.TLS, "two")
	if err := r.Reload(); err != nil {
		t.Fatal(err)
	}
	fresh, name := r.dialTLS(t, "")
	if name != "two" || !fresh.kept() || !old.kept() {
		t.Errorf("certificate %q", name)
	}
	if err := os.WriteFile(cfg.TLS.Key, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.Reload(); err == nil {
		t.Error("a broken key is taken")
	}
	if after, name := r.dialTLS(t, ""); name != "two" || !after.kept() {
		t.Errorf("certificate %q after a failed reload", name)
	}
	fresh.send(get("/%2f") + smuggled)
	if a := fresh.answer("GET"); !isProblem(a, ProblemPathEncoded) || !fresh.ended() {
		t.Errorf("got %d %s", a.status, a.body)
	}
}

func TestTLSBehindAProxy(t *testing.T) {
	cfg := tlsConfig(t)
	cfg.TrustedProxies = TrustedProxies{From: loopback, ProxyProtocol: true}
	cfg.ConnectionsPerAddress = 1
	r := start(t, cfg, echo)
	const proxy = "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"
	c, _ := r.dialTLS(t, proxy)
	c.send(get("/"))
	if a := c.answer("GET"); a.body != "GET / 0 192.0.2.1" {
		t.Errorf("got %d %q", a.status, a.body)
	}
	over := r.dial(t)
	over.send(proxy)
	if !over.ended() {
		t.Error("a connection too many goes on")
	}
}

func TestTLSConnectionsAreBounded(t *testing.T) {
	cfg := tlsConfig(t)
	cfg.Connections, cfg.ConnectionsPerAddress = 1, 1
	r := start(t, cfg, echo)
	c, _ := r.dialTLS(t, "")
	if over := r.dial(t); !over.ended() || !c.kept() {
		t.Error("a connection too many goes on")
	}
}

func TestPlainHTTPOnATLSPort(t *testing.T) {
	cfg := tlsConfig(t)
	cfg.ReadTimeout = 200 * time.Millisecond
	r := start(t, cfg, func(*fasthttp.RequestCtx) { t.Error("it reached the handler") })
	for _, in := range []string{get("/"), "", "\x16\x03\x01"} {
		c := r.dial(t)
		c.send(in)
		buf := make([]byte, 64)
		for {
			if _, err := c.Read(buf); err != nil {
				var netErr net.Error
				if errors.As(err, &netErr) && netErr.Timeout() {
					t.Errorf("%q goes on", in)
				}
				break
			}
		}
	}
}

func TestTLSFilesAreNeeded(t *testing.T) {
	cfg := testConfig()
	cfg.TLS = TLS{Certificate: filepath.Join(t.TempDir(), "none.pem"), Key: "none.key"}
	if _, err := New(cfg, discard(), echo, testProblem); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	f, err := New(testConfig(), discard(), echo, testProblem)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Reload(); !errors.Is(err, errNoTLS) {
		t.Errorf("got %v", err)
	}
}
