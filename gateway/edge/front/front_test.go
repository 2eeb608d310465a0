package front

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/valyala/fasthttp"
	"go.uber.org/goleak"

	"github.com/warmgate/warmgate/gateway"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// Two of fasthttp's own goroutines outlive a server: the clock of its Date header lives as long as the process,
		// and the cleaner of a worker pool notices the end of it after up to ten seconds of sleep.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

var statusOf = map[gateway.Kind]int{
	gateway.Internal: 500, gateway.BadRequest: 400, gateway.Timeout: 408, gateway.LengthRequired: 411,
	gateway.TooLarge: 413, gateway.TooMany: 429, gateway.HeadTooLarge: 431, gateway.NotImplemented: 501,
	gateway.Unavailable: 503, gateway.VersionUnknown: 505,
}

// testProblem stands in for the edge's renderer.
func testProblem(ctx *fasthttp.RequestCtx, e *gateway.Error) {
	ctx.SetStatusCode(statusOf[e.Problem.Kind])
	ctx.SetContentType("application/problem+json")
	lang := gateway.LangEn
	if bytes.HasPrefix(ctx.Request.Header.Peek("Accept-Language"), []byte("zh")) {
		lang = gateway.LangZh
	}
	fmt.Fprintf(ctx, `{"type":"/problems/%s","title":%q}`, e.Problem.Type, e.Problem.Title.In(lang))
}

// echo answers with what the front let through, one piece a line.
func echo(ctx *fasthttp.RequestCtx) {
	fmt.Fprintf(ctx, "%s %s %d %s", ctx.Method(), ctx.RequestURI(), len(ctx.PostBody()), ClientAddr(ctx))
}

// logBuffer is a log that a test can read while it is written.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// running is a front under test.
type running struct {
	*Front
	addr string
	log  *logBuffer
	done chan error
}

func testConfig() Config {
	cfg := Defaults()
	cfg.Connections, cfg.ConnectionsPerAddress = 64, 64
	return cfg
}

func start(t testing.TB, cfg Config, handler fasthttp.RequestHandler) *running {
	t.Helper()
	r := &running{log: &logBuffer{}, done: make(chan error, 1)}
	log := slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	f, err := New(cfg, log, handler, testProblem)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.Front, r.addr = f, ln.Addr().String()
	go func() { r.done <- f.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := f.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-r.done; err != nil {
			t.Errorf("serve: %v", err)
		}
		if n := f.Stats().Open(); n != 0 {
			t.Errorf("%d connections still open", n)
		}
	})
	return r
}

// client is one raw connection.
type client struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
}

func (r *running) dial(t testing.TB) *client {
	t.Helper()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	return &client{t: t, Conn: c, r: bufio.NewReader(c)}
}

func (c *client) send(s string) {
	c.t.Helper()
	if _, err := io.WriteString(c.Conn, s); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

// answer is one response: its status, its problem's type or its body, and its headers.
type answer struct {
	status int
	body   string
	header http.Header
	close  bool
}

func (c *client) answer(method string) answer {
	c.t.Helper()
	resp, err := http.ReadResponse(c.r, &http.Request{Method: method})
	if err != nil {
		c.t.Fatalf("no response: %v", err)
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatalf("no body: %v", err)
	}
	return answer{resp.StatusCode, string(b), resp.Header, resp.Close}
}

// ended reports that the server closed the connection with nothing more on it.
func (c *client) ended() bool {
	rest, err := io.ReadAll(c.r)
	if len(rest) > 0 {
		c.t.Errorf("more bytes before the end: %q", rest)
	}
	return err == nil
}

// kept reports that the connection serves another request.
func (c *client) kept() bool {
	c.send("GET /kept HTTP/1.1\r\nHost: a\r\n\r\n")
	a := c.answer("GET")
	return a.status == 200 && strings.HasPrefix(a.body, "GET /kept 0")
}

func isProblem(a answer, p *gateway.Problem) bool {
	return a.status == statusOf[p.Kind] && strings.Contains(a.body, `"/problems/`+p.Type+`"`) &&
		a.header.Get("Content-Type") == "application/problem+json"
}

func TestConfigIsValidated(t *testing.T) {
	if err := Defaults().Validate(); err != nil {
		t.Errorf("defaults: %v", err)
	}
	cfg := Config{TLS: TLS{Key: "k"}, TrustedProxies: TrustedProxies{Header: "via"}, ConnectionsPerAddress: 5, Connections: 2, HeadLimit: 1 << 20, BodyLimit: -1}
	err := cfg.Validate()
	for _, path := range []string{"head_limit", "body_limit", "read_timeout", "write_timeout", "idle_timeout",
		"connections_per_address", "tls.certificate", "trusted_proxies.header", "trusted_proxies.from"} {
		if err == nil || !strings.Contains(err.Error(), path+": ") {
			t.Errorf("%s is not reported in %v", path, err)
		}
	}
	if _, ok := errors.AsType[*gateway.FieldError](err); !ok {
		t.Errorf("%T holds no FieldError", err)
	}
	if _, err := New(cfg, slog.Default(), echo, testProblem); err == nil {
		t.Error("New takes an invalid configuration")
	}
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestConfigIsReadFromYAML(t *testing.T) {
	cfg := Defaults()
	text := "tls: {certificate: c.pem, key: k.pem}\nread_timeout: 2s\nconnections: 10\nconnections_per_address: 5\n" +
		"trusted_proxies:\n  from: [10.0.0.0/8, \"2001:db8::/32\"]\n  proxy_protocol: true\n  header: forwarded\n"
	if err := yaml.UnmarshalWithOptions([]byte(text), &cfg, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
	if cfg.ReadTimeout != 2*time.Second || len(cfg.TrustedProxies.From) != 2 || cfg.TrustedProxies.From[0].String() != "10.0.0.0/8" ||
		!cfg.TrustedProxies.ProxyProtocol || cfg.TrustedProxies.Header != HeaderForwarded || cfg.HeadLimit != 8192 || cfg.TLS.Key != "k.pem" {
		t.Errorf("read as %+v", cfg)
	}
	if err := yaml.UnmarshalWithOptions([]byte("trusted_proxies: {from: [10.0.0.300/8]}\n"), &cfg, yaml.Strict()); err == nil {
		t.Error("an impossible network is taken")
	}
}

func TestTheLoggerKeepsNoArguments(t *testing.T) {
	const marker = "MARKER330106"
	var out bytes.Buffer
	q := quiet{slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	q.Printf("error when serving connection %q<->%q: %v", marker, marker, fmt.Errorf("bad head %s: %w", marker, os.ErrDeadlineExceeded))
	q.Printf("error: %v", fmt.Errorf("%s: %w", marker, net.ErrClosed))
	q.Printf("error: %v", tls.RecordHeaderError{Msg: marker})
	q.Printf("Permanent error when accepting new connections: %v", errors.New(marker))
	q.Printf("%s", marker)
	log := out.String()
	if strings.Contains(log, marker) || strings.Count(log, "\n") != 5 {
		t.Errorf("log:\n%s", log)
	}
	for _, want := range []string{"class=timeout", "class=closed", "class=tls", "level=ERROR", "class=none"} {
		if !strings.Contains(log, want) {
			t.Errorf("no %s in log:\n%s", want, log)
		}
	}
}

func TestAConnectionIsCountedOutOnce(t *testing.T) {
	f, err := New(testConfig(), discard(), echo, testProblem)
	if err != nil {
		t.Fatal(err)
	}
	near, far := net.Pipe()
	defer far.Close()
	c := f.admit(near)
	if n := f.Stats().Open(); n != 1 {
		t.Errorf("%d open", n)
	}
	_, _ = c.Close(), c.Close()
	if n := f.Stats().Open(); n != 0 {
		t.Errorf("%d open", n)
	}
}

func TestProblemsAreComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range Problems() {
		if seen[p.Type] || p.Title.Zh == "" || p.Title.En == "" || statusOf[p.Kind] == 0 {
			t.Errorf("%+v", p)
		}
		seen[p.Type] = true
	}
	cfg := testConfig()
	r := newRefusals(cfg)
	v := reflect.ValueOf(r).Elem()
	for i := range v.NumField() {
		e := (*gateway.Error)(v.Field(i).UnsafePointer())
		if e == nil || !seen[e.Problem.Type] && e != r.internal {
			t.Errorf("refusal %s is not in the catalogue", v.Type().Field(i).Name)
		}
	}
}

// shortListener fails as a system out of file descriptors does, and then works.
type shortListener struct {
	net.Listener
	failures int
}

func (l *shortListener) Accept() (net.Conn, error) {
	if l.failures--; l.failures >= 0 {
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	return l.Listener.Accept()
}

func TestAcceptingOutlivesAShortage(t *testing.T) {
	f, err := New(testConfig(), discard(), echo, testProblem)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &running{Front: f, addr: ln.Addr().String(), done: make(chan error, 1)}
	go func() { r.done <- f.Serve(&shortListener{ln, 3}) }()
	if !r.dial(t).kept() {
		t.Error("it is not served")
	}
	if err := f.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if err := <-r.done; err != nil {
		t.Error(err)
	}
}

func TestABrokenListenerEndsServing(t *testing.T) {
	f, err := New(testConfig(), discard(), echo, testProblem)
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	if err := f.Serve(brokenListener{broken}); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

type brokenListener struct{ err error }

func (l brokenListener) Accept() (net.Conn, error) { return nil, l.err }
func (l brokenListener) Close() error              { return nil }
func (l brokenListener) Addr() net.Addr            { return &net.TCPAddr{} }
