package front

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/warmgate/warmgate/gateway"
)

func TestPipelinedRequestsAreJudgedEachByItsOwnHead(t *testing.T) {
	r := start(t, testConfig(), echo)
	c := r.dial(t)
	c.send(post("Content-Length: 26\r\n", "GET /body HTTP/1.1\r\nX: Y\r\n") + get("/second") + post("Content-Length: 2\r\n", "hi") +
		get("/%2f") + smuggled)
	for _, want := range []string{"POST /p 26 127.0.0.1", "GET /second 0 127.0.0.1", "POST /p 2 127.0.0.1"} {
		if a := c.answer("GET"); a.status != 200 || a.body != want {
			t.Fatalf("got %d %q, want %q", a.status, a.body, want)
		}
	}
	if a := c.answer("GET"); !isProblem(a, ProblemPathEncoded) || !c.ended() {
		t.Errorf("got %d %s", a.status, a.body)
	}
}

func TestManyPipelinedRequestsOutgrowTheBuffer(t *testing.T) {
	r := start(t, testConfig(), echo)
	c := r.dial(t)
	const n = 400
	go func() {
		w := bufio.NewWriterSize(c.Conn, 7001) // cuts requests anywhere
		for i := range n {
			body := strings.Repeat("z", i*37%5000)
			fmt.Fprintf(w, "POST /%d HTTP/1.1\r\nHost: a\r\nX-Pad: %s\r\nContent-Length: %d\r\n\r\n%s", i, strings.Repeat("p", i*91%7000), len(body), body)
		}
		_ = w.Flush()
	}()
	for i := range n {
		want := fmt.Sprintf("POST /%d %d 127.0.0.1", i, i*37%5000)
		if a := c.answer("POST"); a.status != 200 || a.body != want {
			t.Fatalf("got %d %q, want %q", a.status, a.body, want)
		}
	}
}

func TestRequestsCutIntoBytes(t *testing.T) {
	r := start(t, testConfig(), echo)
	c := r.dial(t)
	_ = c.Conn.(*net.TCPConn).SetNoDelay(true)
	for _, b := range []byte(post("Content-Length: 5\r\n", "hello")) {
		c.send(string(b))
	}
	if a := c.answer("POST"); a.body != "POST /p 5 127.0.0.1" || !c.kept() {
		t.Errorf("got %d %q", a.status, a.body)
	}
}

func TestHandlersRefusalKeepsTheConnection(t *testing.T) {
	r := start(t, testConfig(), func(ctx *fasthttp.RequestCtx) {
		if string(ctx.Path()) == "/kept" {
			echo(ctx)
			return
		}
		ctx.SetStatusCode(404)
	})
	c := r.dial(t)
	c.send(post("Content-Length: 5\r\n", "hello"))
	if a := c.answer("POST"); a.status != 404 || a.close || !c.kept() {
		t.Errorf("got %d, close %v", a.status, a.close)
	}
}

func TestExpectContinue(t *testing.T) {
	r := start(t, testConfig(), echo)
	c := r.dial(t)
	c.send(post("Content-Length: 5\r\nExpect: 100-Continue\r\n", ""))
	if line, err := c.r.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100") {
		t.Fatalf("got %q, %v", line, err)
	}
	if line, _ := c.r.ReadString('\n'); line != "\r\n" {
		t.Fatalf("got %q", line)
	}
	c.send("hello")
	if a := c.answer("POST"); a.body != "POST /p 5 127.0.0.1" || !c.kept() {
		t.Errorf("got %d %q", a.status, a.body)
	}
}

func TestRefusalOfHeadHasNoBody(t *testing.T) {
	r := start(t, testConfig(), echo)
	c := r.dial(t)
	c.send("HEAD /%2f HTTP/1.1\r\nHost: a\r\n\r\n")
	if a := c.answer("HEAD"); a.status != 400 || !c.ended() {
		t.Errorf("got %d %q", a.status, a.body)
	}
}

func TestRefusalSpeaksTheClientsLanguage(t *testing.T) {
	cfg := testConfig()
	cfg.ReadTimeout = 100 * time.Millisecond
	r := start(t, cfg, echo)
	for name, row := range map[string]struct{ in, want string }{
		"head":     {"GET /%2f HTTP/1.1\r\nHost: a\r\naccept-LANGUAGE: zh-CN, en;q=0.5\r\n\r\n", ProblemPathEncoded.Title.Zh},
		"body":     {post("Accept-Language: zh-CN\r\nContent-Length: 5\r\n", "hell"), ProblemClientTooSlow.Title.Zh},
		"slow":     {"GET / HTTP/1.1\r\nAccept-Language: zh-CN\r\nX: ", ProblemClientTooSlow.Title.Zh},
		"not said": {"GET /%2f HTTP/1.1\r\nHost: a\r\n\r\n", ProblemPathEncoded.Title.En},
		"rubbish":  {"GET /%2f HTTP/1.1\r\nHost: a\r\nAccept-Language: zh\x01\r\n\r\n", ProblemPathEncoded.Title.En},
	} {
		c := r.dial(t)
		c.send(row.in)
		if a := c.answer("GET"); !strings.Contains(a.body, row.want) {
			t.Errorf("%s: got %s, want %s", name, a.body, row.want)
		}
	}
}

// The client sends a byte now and then, for ever: the request's time is up all the same.
func TestSlowClients(t *testing.T) {
	cfg := testConfig()
	cfg.ReadTimeout, cfg.IdleTimeout = 150*time.Millisecond, 10*time.Second
	r := start(t, cfg, echo)
	rows := map[string]struct{ before, then string }{
		"first head":  {"", "GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 10000)},
		"second head": {get("/"), "GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 10000)},
		"body":        {"", post("Content-Length: 60000\r\n", strings.Repeat("b", 60000))},
		"empty line":  {get("/"), "\r\n"},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begin := time.Now() // before the server's clock begins to run
			c := r.dial(t)
			if row.before != "" {
				c.send(row.before)
				c.answer("GET")
			}
			stop, stopped := make(chan struct{}), make(chan struct{})
			defer func() { close(stop); <-stopped }()
			go trickle(c.Conn, row.then, stop, stopped)
			a := c.answer("GET")
			if took := time.Since(begin); took < 100*time.Millisecond || took > 2*time.Second {
				t.Errorf("answered after %v", took)
			}
			if !isProblem(a, ProblemClientTooSlow) || !a.close {
				t.Errorf("got %d %s", a.status, a.body)
			}
		})
	}
}

// trickle sends the first half at once (all of a short text) and then a byte every 20 ms.
func trickle(c net.Conn, s string, stop, stopped chan struct{}) {
	defer close(stopped)
	half := min(len(s), 40)
	_, err := c.Write([]byte(s[:half]))
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for i := half; i < len(s) && err == nil; i++ {
		select {
		case <-tick.C:
			_, err = c.Write([]byte{s[i]})
		case <-stop:
			return
		}
	}
}

func TestSilentConnectionsAreClosedWithoutAWord(t *testing.T) {
	cfg := testConfig()
	cfg.ReadTimeout, cfg.IdleTimeout = 100*time.Millisecond, 200*time.Millisecond
	r := start(t, cfg, echo)
	if c := r.dial(t); !c.ended() {
		t.Error("a connection that sends nothing goes on after ReadTimeout")
	}
	c := r.dial(t)
	begin := time.Now() // before the server's clock begins to run
	c.send(get("/"))
	c.answer("GET")
	if !c.ended() || time.Since(begin) < 150*time.Millisecond {
		t.Errorf("an idle connection ended after %v", time.Since(begin))
	}
}

func TestHalfABody(t *testing.T) {
	r := start(t, testConfig(), echo)
	c := r.dial(t)
	c.send(post("Content-Length: 5\r\n", "hell"))
	_ = c.Conn.(*net.TCPConn).CloseWrite()
	if a := c.answer("POST"); !isProblem(a, ProblemBodyIncomplete) || !c.ended() {
		t.Errorf("got %d %s", a.status, a.body)
	}
	c = r.dial(t)
	c.send("GET / HTTP/1.1\r\nHo")
	_ = c.Conn.(*net.TCPConn).CloseWrite()
	if !c.ended() {
		t.Error("half a head goes on")
	}
}

func TestRefusalArrivesThoughTheClientIsStillSending(t *testing.T) {
	r := start(t, testConfig(), echo)
	c := r.dial(t)
	c.send(post("Content-Length: 200000\r\n", strings.Repeat("b", 200000)))
	if a := c.answer("POST"); !isProblem(a, ProblemBodyTooLarge) || !c.ended() {
		t.Errorf("got %d %s", a.status, a.body)
	}
}

func TestHeadAt(t *testing.T) {
	at := make(chan time.Time, 1)
	r := start(t, testConfig(), func(ctx *fasthttp.RequestCtx) { at <- HeadAt(ctx) })
	c := r.dial(t)
	before := time.Now()
	c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
	if _, err := c.r.ReadString('\n'); err != nil { // 100 Continue: the head is complete
		t.Fatal(err)
	}
	complete := time.Now()
	_, _ = c.r.ReadString('\n')
	c.send("hello")
	c.answer("POST")
	if got := <-at; got.Before(before) || got.After(complete) {
		t.Errorf("%v is not between %v and %v", got, before, complete)
	}
	var alone fasthttp.RequestCtx
	alone.Init(&fasthttp.Request{}, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7)}, nil)
	if got := HeadAt(&alone); !got.Equal(alone.Time()) {
		t.Errorf("without a front: %v", got)
	}
	if got := ClientAddr(&alone).String(); got != "192.0.2.7" {
		t.Errorf("without a front: %v", got)
	}
}

func TestPanics(t *testing.T) {
	const marker = "ID-330106199001011234"
	values := map[string]any{"text": marker, "error": errors.New(marker), "runtime": nil}
	r := start(t, testConfig(), func(ctx *fasthttp.RequestCtx) {
		switch v := values[string(ctx.Path()[1:])]; v {
		case nil:
			var m map[string]int
			m["x"] = 1
		default:
			ctx.SetBodyString(marker)
			panic(v)
		}
	})
	for name := range values {
		c := r.dial(t)
		c.send("POST /" + name + " HTTP/1.1\r\nHost: a\r\nX: " + marker + "\r\n\r\n" + smuggled)
		a := c.answer("POST")
		if !isProblem(a, gateway.ProblemInternal) || strings.Contains(a.body, marker) || !a.close {
			t.Errorf("%s: got %d %s", name, a.status, a.body)
		}
	}
	log := r.log.String()
	if strings.Contains(log, marker) || strings.Count(log, "a handler panicked") != len(values) ||
		!strings.Contains(log, "assignment to entry in nil map") || !strings.Contains(log, "TestPanics") {
		t.Errorf("log:\n%s", log)
	}
	if n := r.Stats().Panics(); n != int64(len(values)) {
		t.Errorf("%d panics counted", n)
	}
}

func TestPanicOfTheRenderer(t *testing.T) {
	f, err := New(testConfig(), discard(), echo, func(*fasthttp.RequestCtx, *gateway.Error) { panic("no words") })
	if err != nil {
		t.Fatal(err)
	}
	var ctx fasthttp.RequestCtx
	f.render(&ctx, f.refusals.host)
	if got := ctx.Response.StatusCode(); got != 500 {
		t.Errorf("got %d", got)
	}
}

// Whatever is refused, and whatever panics: none of the request's bytes may be in the log.
func TestNothingOfARefusedRequestIsLogged(t *testing.T) {
	cfg := testConfig()
	cfg.ReadTimeout = 100 * time.Millisecond
	r := start(t, cfg, echo)
	const marker = "MARKER330106"
	for _, row := range refusedRows {
		c := r.dial(t)
		c.send(strings.Replace(row.in, " HTTP/", "?"+marker+" HTTP/", 1) + marker)
		c.answer("GET")
	}
	for _, in := range []string{
		"GET /" + marker,
		post("X: "+marker+"\r\nContent-Length: 50\r\n", marker),
		"GET / HTTP/1.1\r\nHost: " + marker + "..\r\n\r\n",
		marker + " / HTTP/1.1\r\nHost: a\r\n\r\n",
		field("X: " + marker + "\x00"),
	} {
		c := r.dial(t)
		c.send(in)
		if a := c.answer("GET"); strings.Contains(a.body, marker) {
			t.Errorf("answered with %s", a.body)
		}
	}
	if log := r.log.String(); strings.Contains(log, marker) {
		t.Errorf("log:\n%s", log)
	}
}

func TestShutdownDrains(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	r := start(t, testConfig(), func(ctx *fasthttp.RequestCtx) {
		if string(ctx.Path()) == "/slow" {
			close(entered)
			<-release
		}
		echo(ctx)
	})
	unused, kept, busy := r.dial(t), r.dial(t), r.dial(t)
	kept.send(get("/"))
	kept.answer("GET")
	busy.send(get("/slow"))
	<-entered
	done := make(chan error, 1)
	begin := time.Now()
	go func() { done <- r.Shutdown(context.Background()) }()
	if !unused.ended() || !kept.ended() || time.Since(begin) > 2*time.Second {
		t.Errorf("an idle connection went on for %v", time.Since(begin))
	}
	if _, err := net.Dial("tcp", r.addr); err == nil {
		t.Error("a new connection is accepted")
	}
	select {
	case err := <-done:
		t.Fatalf("shutdown did not wait: %v", err)
	default:
	}
	close(release)
	if a := busy.answer("GET"); a.status != 200 || !a.close || !busy.ended() {
		t.Errorf("got %d %s, close %v", a.status, a.body, a.close)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Serve(ln); err != nil {
		t.Errorf("serve after shutdown: %v", err)
	}
}

func TestShutdownHasADeadline(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	r := start(t, testConfig(), func(*fasthttp.RequestCtx) { close(entered); <-release })
	c := r.dial(t)
	c.send(get("/"))
	<-entered
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	err := r.Shutdown(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "cannot finish 1 connections") {
		t.Errorf("got %v", err)
	}
	if _, err := c.r.ReadByte(); err == nil || isTimeout(err) {
		t.Errorf("the connection was not closed: %v", err)
	}
	close(release)
}

func TestConnectionsAreBounded(t *testing.T) {
	cfg := testConfig()
	cfg.Connections, cfg.ConnectionsPerAddress = 3, 3
	r := start(t, cfg, echo)
	var open []*client
	for range 3 {
		c := r.dial(t)
		if !c.kept() {
			t.Fatal("refused too early")
		}
		open = append(open, c)
	}
	c := r.dial(t)
	a := c.answer("GET")
	if !isProblem(a, ProblemConnectionsFull) || !c.ended() {
		t.Errorf("got %d %s", a.status, a.body)
	}
	_ = open[0].Close()
	for { // the front notices the close in its own time
		c := r.dial(t)
		c.send(get("/again"))
		if c.answer("GET").status == 200 {
			break
		}
	}
}

func TestConnectionsOfAnAddressAreBounded(t *testing.T) {
	cfg := testConfig()
	cfg.ConnectionsPerAddress = 1
	r := start(t, cfg, echo)
	first := r.dial(t)
	if !first.kept() {
		t.Fatal("refused too early")
	}
	c := r.dial(t)
	a := c.answer("GET")
	if !isProblem(a, ProblemTooManyConnections) || !c.ended() {
		t.Errorf("got %d %s", a.status, a.body)
	}
	other, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}).Dial("tcp", r.addr)
	if err != nil {
		t.Skip("no second loopback address here")
	}
	defer other.Close()
	if !(&client{t: t, Conn: other, r: bufio.NewReader(other)}).kept() {
		t.Error("another address is refused")
	}
	if got := r.Stats().Accepted(); got != 3 {
		t.Errorf("%d accepted", got)
	}
}

// Should fasthttp ever frame a request differently, it is refused and not guessed at.
func TestDisagreementAboutFraming(t *testing.T) {
	f, err := New(testConfig(), discard(), func(*fasthttp.RequestCtx) { t.Error("it reached the handler") }, testProblem)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*conn{{front: f, length: 5}, {front: f, left: 1}} {
		var ctx fasthttp.RequestCtx
		ctx.Init2(c, quiet{discard()}, false)
		f.serve(&ctx)
		if !strings.Contains(string(ctx.Response.Body()), ProblemFramingAmbiguous.Type) || !ctx.Response.ConnectionClose() || !c.over {
			t.Errorf("got %s", ctx.Response.Body())
		}
	}
}

func TestFailures(t *testing.T) {
	f, err := New(testConfig(), discard(), echo, testProblem)
	if err != nil {
		t.Fatal(err)
	}
	timeout := fmt.Errorf("reading: %w", &net.OpError{Op: "read", Err: context.DeadlineExceeded})
	for _, row := range []struct {
		err  error
		left int64
		want *gateway.Problem
	}{
		{timeout, 1, ProblemClientTooSlow},
		{fmt.Errorf("x: %w", fasthttp.ErrBodyTooLarge), 0, ProblemBodyTooLarge},
		{&fasthttp.ErrSmallBuffer{}, 0, ProblemHeadTooLarge},
		{errors.New("unexpected EOF"), 1, ProblemBodyIncomplete},
		{errors.New("anything"), 0, ProblemFramingAmbiguous},
	} {
		if got := f.reason(&conn{left: row.left}, row.err); got.Problem != row.want {
			t.Errorf("%v: got %s, want %s", row.err, got.Problem.Type, row.want.Type)
		}
	}
}
