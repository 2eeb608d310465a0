package front

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

func v2(command, family byte, rest ...byte) string {
	b := append([]byte(proxyV2Sig), 0x20|command, family, 0, 0)
	binary.BigEndian.PutUint16(b[14:], uint16(len(rest)))
	return string(append(b, rest...))
}

// Headers as another implementation writes them, with what they say.
func TestProxyHeadersOfAnotherImplementation(t *testing.T) {
	for _, addrs := range [][2]string{{"192.0.2.1:4000", "192.0.2.2:443"}, {"[2001:db8::1]:4000", "[2001:db8::2]:443"}} {
		src, dst := netip.MustParseAddrPort(addrs[0]), netip.MustParseAddrPort(addrs[1])
		for _, version := range []byte{1, 2} {
			h := proxyproto.HeaderProxyFromAddrs(version, net.TCPAddrFromAddrPort(src), net.TCPAddrFromAddrPort(dst))
			b, err := h.Format()
			if err != nil {
				t.Fatal(err)
			}
			r := bytes.NewReader(append(b, "rest"...))
			got, err := readProxyHeader(r)
			rest, _ := io.ReadAll(r)
			if err != nil || got != src.Addr() || string(rest) != "rest" {
				t.Errorf("v%d %s: got %v, %v, left %q", version, addrs[0], got, err, rest)
			}
		}
	}
}

func TestProxyHeaders(t *testing.T) {
	four := []byte{192, 0, 2, 1, 192, 0, 2, 2, 0, 1, 0, 2}
	for name, row := range map[string]struct {
		in   string
		want string // an address, "self" or "error"
	}{
		"v1":                 {"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", "192.0.2.1"},
		"v1 IPv6":            {"PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n", "2001:db8::1"},
		"v1 unknown":         {"PROXY UNKNOWN\r\n", "self"},
		"v1 unknown, more":   {"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", "self"},
		"v1 bare LF":         {"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n", "error"},
		"v1 mixed families":  {"PROXY TCP4 2001:db8::1 192.0.2.2 1 2\r\n", "error"},
		"v1 zone":            {"PROXY TCP6 fe80::1%eth0 fe80::2 1 2\r\n", "error"},
		"v1 bad port":        {"PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n", "error"},
		"v1 missing port":    {"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n", "error"},
		"v1 two spaces":      {"PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n", "error"},
		"v1 UDP":             {"PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n", "error"},
		"v1 endless":         {"PROXY UNKNOWN " + strings.Repeat("x", 200), "error"},
		"v1 longest":         {"PROXY UNKNOWN" + strings.Repeat(" ", 107-15) + "\r\n", "error"},
		"v1 cut":             {"PROXY TCP4 192.0.2.1", "error"},
		"v2":                 {v2(1, 0x11, four...), "192.0.2.1"},
		"v2 with TLVs":       {v2(1, 0x11, append(bytes.Clone(four), 4, 0, 1, 9)...), "192.0.2.1"},
		"v2 local":           {v2(0, 0x11, four...), "self"},
		"v2 unspecified":     {v2(1, 0), "self"},
		"v2 mapped":          {v2(1, 0x21, append(append(make([]byte, 10), 0xff, 0xff, 192, 0, 2, 1), make([]byte, 20)...)...), "192.0.2.1"},
		"v2 short":           {v2(1, 0x11, four[:11]...), "error"},
		"v2 UDP":             {v2(1, 0x12, four...), "error"},
		"v2 unknown command": {v2(2, 0x11, four...), "error"},
		"v2 version 1":       {proxyV2Sig + "\x11\x11\x00\x00", "error"},
		"v2 too long":        {proxyV2Sig + "\x21\x11\xff\xff" + strings.Repeat("x", 1<<16), "error"},
		"v2 cut":             {v2(1, 0x11, four...)[:20], "error"},
		"none":               {"GET / HTTP/1.1\r\n", "error"},
		"nothing":            {"", "error"},
	} {
		got, err := readProxyHeader(strings.NewReader(row.in))
		said := got.String()
		switch {
		case err != nil:
			said = "error"
		case !got.IsValid():
			said = "self"
		}
		if name == "v1 longest" {
			row.want = "self" // words after UNKNOWN are ignored
		}
		if said != row.want {
			t.Errorf("%s: got %s (%v), want %s", name, said, err, row.want)
		}
	}
}

func FuzzProxyHeader(f *testing.F) {
	f.Add([]byte("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"))
	f.Add([]byte("PROXY UNKNOWN\r\n"))
	f.Add([]byte(v2(1, 0x11, 192, 0, 2, 1, 192, 0, 2, 2, 0, 1, 0, 2)))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := readProxyHeader(bytes.NewReader(b))
		if err != nil || !got.IsValid() {
			return
		}
		h, err := proxyproto.Read(bufio.NewReader(bytes.NewReader(b)))
		if err != nil {
			t.Fatalf("%q: taken as %v, another implementation says %v", b, got, err)
		}
		if src, _, ok := h.TCPAddrs(); !ok || addrOf(src) != got {
			t.Fatalf("%q: taken as %v, another implementation says %v", b, got, src)
		}
	})
}

func TestTrustedProxySpeaksForItsClients(t *testing.T) {
	cfg := testConfig()
	cfg.ConnectionsPerAddress = 1
	cfg.TrustedProxies = TrustedProxies{From: loopback, ProxyProtocol: true}
	r := start(t, cfg, echo)
	a1 := r.dial(t)
	a1.send("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + get("/a") + get("/b"))
	for _, want := range []string{"GET /a 0 192.0.2.1", "GET /b 0 192.0.2.1"} {
		if a := a1.answer("GET"); a.body != want {
			t.Errorf("got %d %q, want %q", a.status, a.body, want)
		}
	}
	a2 := r.dial(t)
	a2.send(v2(1, 0x11, 192, 0, 2, 1, 192, 0, 2, 2, 0, 1, 0, 2) + get("/"))
	if a := a2.answer("GET"); !isProblem(a, ProblemTooManyConnections) || !a2.ended() {
		t.Errorf("second connection of one client: got %d %s", a.status, a.body)
	}
	b := r.dial(t)
	b.send("PROXY TCP4 192.0.2.9 192.0.2.2 1 2\r\n" + get("/"))
	if a := b.answer("GET"); a.body != "GET / 0 192.0.2.9" {
		t.Errorf("another client: got %d %q", a.status, a.body)
	}
	self := r.dial(t)
	self.send("PROXY UNKNOWN\r\n" + get("/"))
	if a := self.answer("GET"); a.body != "GET / 0 127.0.0.1" || !self.kept() {
		t.Errorf("the proxy itself: got %d %q", a.status, a.body)
	}
	for range 2 {
		bare := r.dial(t)
		bare.send(get("/without"))
		if _, err := bare.r.ReadByte(); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
			t.Error("a trusted proxy's connection without a header goes on")
		}
	}
	if log := r.log.String(); strings.Contains(log, "/without") || strings.Count(log, "closed a trusted proxy's connection") != 1 {
		t.Errorf("log:\n%s", log)
	}
}

func TestUntrustedProxyIsRefused(t *testing.T) {
	cfg := testConfig()
	cfg.TrustedProxies = TrustedProxies{From: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, ProxyProtocol: true, Header: HeaderForwarded}
	r := start(t, cfg, echo)
	c := r.dial(t)
	c.send("PROXY TCP4 10.0.0.1 192.0.2.2 1 2\r\n" + get("/"))
	if a := c.answer("GET"); !isProblem(a, ProblemRequestLineInvalid) || !c.ended() {
		t.Errorf("got %d %s", a.status, a.body)
	}
	c = r.dial(t)
	c.send("GET / HTTP/1.1\r\nHost: a\r\nForwarded: for=192.0.2.1\r\n\r\n")
	if a := c.answer("GET"); a.body != "GET / 0 127.0.0.1" {
		t.Errorf("got %d %q", a.status, a.body)
	}
}

func TestSlowProxyHeader(t *testing.T) {
	cfg := testConfig()
	cfg.ReadTimeout = 100 * time.Millisecond
	cfg.TrustedProxies = TrustedProxies{From: loopback, ProxyProtocol: true}
	r := start(t, cfg, echo)
	c := r.dial(t)
	c.send("PROXY TCP4 192.0.2.1")
	if !c.ended() {
		t.Error("half a PROXY header goes on")
	}
}

func TestForwarded(t *testing.T) {
	cfg := testConfig()
	cfg.TrustedProxies = TrustedProxies{From: append(loopback[:1:1], netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:1::/48"))}
	const self = "127.0.0.1"
	for _, row := range []struct {
		header ForwardHeader
		lines  string
		want   string
	}{
		{HeaderNone, "Forwarded: for=192.0.2.1\r\nX-Forwarded-For: 192.0.2.2\r\n", self},
		{HeaderForwarded, "X-Forwarded-For: 192.0.2.2\r\n", self},
		{HeaderForwarded, "Forwarded: for=192.0.2.1\r\nX-Forwarded-For: 192.0.2.2\r\n", "192.0.2.1"},
		{HeaderForwarded, "Forwarded: proto=https; For=\"192.0.2.1:80\" ;by=10.0.0.1\r\n", "192.0.2.1"},
		{HeaderForwarded, "Forwarded: for=\"[2001:db8::1]:80\"\r\n", "2001:db8::1"},
		{HeaderForwarded, "Forwarded: for=\"[2001:db8::1]\"\r\n", "2001:db8::1"},
		{HeaderForwarded, "Forwarded: for=198.51.100.1, for=192.0.2.1, for=10.0.0.7\r\n", "192.0.2.1"},
		{HeaderForwarded, "Forwarded: for=198.51.100.1\r\nForwarded: for=192.0.2.1\r\nForwarded: for=10.0.0.7\r\n", "192.0.2.1"},
		{HeaderForwarded, "Forwarded: for=192.0.2.1, for=unknown, for=10.0.0.7\r\n", "10.0.0.7"},
		{HeaderForwarded, "Forwarded: for=192.0.2.1, for=_hidden\r\n", self},
		{HeaderForwarded, "Forwarded: for=10.0.0.8, for=10.0.0.7\r\n", "10.0.0.8"},
		{HeaderForwarded, "Forwarded: for=192.0.2.1;for=192.0.2.2\r\n", self},
		{HeaderForwarded, "Forwarded: host=\"a, for=192.0.2.9\\\", for=192.0.2.8\";for=192.0.2.1\r\n", "192.0.2.1"},
		{HeaderForwarded, "Forwarded: \r\n", self},
		{HeaderXForwardedFor, "X-Forwarded-For: 192.0.2.9, 192.0.2.1 , 10.0.0.7,2001:db8:1::5\r\n", "192.0.2.1"},
		{HeaderXForwardedFor, "X-Forwarded-For: 192.0.2.1:4711\r\n", "192.0.2.1"},
		{HeaderXForwardedFor, "X-Forwarded-For: ::ffff:192.0.2.1\r\n", "192.0.2.1"},
		{HeaderXForwardedFor, "X-Forwarded-For: fe80::1%eth0\r\n", self},
		{HeaderXForwardedFor, "X-Forwarded-For: 192.0.2.1, rubbish\r\n", self},
	} {
		cfg.TrustedProxies.Header = row.header
		r := start(t, cfg, echo)
		c := r.dial(t)
		c.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + row.lines + "\r\n")
		if a := c.answer("GET"); a.body != "GET / 0 "+row.want {
			t.Errorf("%s %q: got %d %q, want %s", row.header, row.lines, a.status, a.body, row.want)
		}
		_ = c.Close()
	}
}
