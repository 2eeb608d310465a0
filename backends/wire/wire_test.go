package wire_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/warmgate/warmgate/backends/wire"
	"github.com/warmgate/warmgate/gateway/call"
)

func TestMain(m *testing.M) {
	// fasthttp and net/http keep cleaners of their own for a while.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*HostClient).connsCleaner"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func asError(t testing.TB, err error) *wire.Error {
	t.Helper()
	e, ok := errors.AsType[*wire.Error](err)
	if !ok {
		t.Fatalf("want a *wire.Error, got %v", err)
	}
	return e
}

func post(ctx context.Context, c *wire.Client) error {
	a, err := c.Do(ctx, &wire.Request{Op: "Post", Method: "POST", Path: "/x", JSON: struct{}{}})
	if err == nil {
		a.Release()
	}
	return err
}

// client speaks to a server that does what handle does.
func client(t testing.TB, change func(*wire.Config), handle http.HandlerFunc) *wire.Client {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	cfg := wire.Config{Connector: "test", BaseURL: server.URL + "/base/"}
	if change != nil {
		change(&cfg)
	}
	c, err := wire.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestWhatIsSent(t *testing.T) {
	type sent struct {
		method, uri, body string
		header            http.Header
	}
	var got sent
	c := client(t, func(cfg *wire.Config) {
		cfg.Header = []wire.Header{{Name: "Authorization", Value: "Bearer old"}, {Name: "X-App-Key", Value: "k 1"}}
	}, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = sent{r.Method, r.RequestURI, string(body), r.Header}
	})
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for _, test := range []struct {
		name string
		r    wire.Request
		want sent
		kind string
	}{
		{"JSON", wire.Request{Method: "POST", Path: "/a", JSON: map[string]int{"n": 1}}, sent{method: "POST", uri: "/base/a", body: `{"n":1}`}, "application/json"},
		{"a form", wire.Request{Method: "POST", Path: "/token", Form: url.Values{"grant_type": {"client credentials"}, "a&b": {"ä"}}},
			sent{method: "POST", uri: "/base/token", body: "a%26b=%C3%A4&grant_type=client+credentials"}, "application/x-www-form-urlencoded"},
		{"what was signed", wire.Request{Method: "PUT", Path: "/a", Raw: []byte(`{"n": 1}`)}, sent{method: "PUT", uri: "/base/a", body: `{"n": 1}`}, "application/json"},
		{"another type", wire.Request{Method: "PUT", Path: "/a", Raw: []byte(`<a/>`), Type: "text/xml"}, sent{method: "PUT", uri: "/base/a", body: `<a/>`}, "text/xml"},
		{"no body", wire.Request{Method: "DELETE", Path: "/a"}, sent{method: "DELETE", uri: "/base/a"}, ""},
		{"identifiers with slashes and dots", wire.Request{Method: "GET", Path: "/a%2Fb/..%2f/%E6%B5%99A?q=%2F&r=x+y"},
			sent{method: "GET", uri: "/base/a%2Fb/..%2f/%E6%B5%99A?q=%2F&r=x+y"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.r.Header = []wire.Header{{Name: "Authorization", Value: "Bearer new"}}
			a, err := c.Do(call.WithTrace(within(t, 900*time.Millisecond), parent, "a=b"), &test.r)
			if err != nil {
				t.Fatal(err)
			}
			a.Release()
			if got.method != test.want.method || got.uri != test.want.uri || got.body != test.want.body {
				t.Errorf("got %s %s %s", got.method, got.uri, got.body)
			}
			left := got.header.Get("X-Request-Timeout-Ms")
			if got.header.Get("Content-Type") != test.kind || len(got.header["Authorization"]) != 1 || got.header.Get("Authorization") != "Bearer new" ||
				got.header.Get("X-App-Key") != "k 1" || got.header.Get("Accept") != "application/json" || len(left) != 3 || left[0] < '7' ||
				got.header.Get("Traceparent") != parent || got.header.Get("Tracestate") != "a=b" {
				t.Errorf("got %v", got.header)
			}
		})
	}
}

func TestNothingIsSent(t *testing.T) {
	c := client(t, nil, func(http.ResponseWriter, *http.Request) { t.Error("it was sent") })
	ctx := within(t, 5*time.Second)
	gone, cancel := context.WithCancel(ctx)
	cancel()
	ok := wire.Request{Method: "GET", Path: "/a"}
	for _, test := range []struct {
		name   string
		ctx    context.Context
		r      wire.Request
		reason wire.Reason
	}{
		{"no deadline", context.Background(), ok, wire.ReasonNoTime},
		{"no time", within(t, time.Nanosecond), ok, wire.ReasonNoTime},
		{"cancelled", gone, ok, wire.ReasonNoTime},
		{"no path", ctx, wire.Request{Method: "GET"}, wire.ReasonInput},
		{"another host", ctx, wire.Request{Method: "GET", Path: "@elsewhere/"}, wire.ReasonInput},
		{"a line in the path", ctx, wire.Request{Method: "GET", Path: "/a\r\nX: y"}, wire.ReasonInput},
		{"a space in the path", ctx, wire.Request{Method: "GET", Path: "/a HTTP/1.1"}, wire.ReasonInput},
		{"not escaped", ctx, wire.Request{Method: "GET", Path: "/浙A"}, wire.ReasonInput},
		{"a fragment", ctx, wire.Request{Method: "GET", Path: "/a#b"}, wire.ReasonInput},
		{"a line in a header", ctx, wire.Request{Method: "GET", Path: "/", Header: []wire.Header{{"A", "b\r\nC: d"}}}, wire.ReasonInput},
		{"a header's name that ends early", ctx, wire.Request{Method: "GET", Path: "/", Header: []wire.Header{{"A:b", "c"}}}, wire.ReasonInput},
		{"another frame", ctx, wire.Request{Method: "GET", Path: "/", Header: []wire.Header{{"content-length", "7"}}}, wire.ReasonInput},
		{"another host's name", ctx, wire.Request{Method: "GET", Path: "/", Header: []wire.Header{{"HOST", "elsewhere"}}}, wire.ReasonInput},
		{"a line in the method", ctx, wire.Request{Method: "GET / HTTP/1.1\r\nX: y", Path: "/"}, wire.ReasonInput},
		{"a header without a name", ctx, wire.Request{Method: "GET", Path: "/", Header: []wire.Header{{"", "c"}}}, wire.ReasonInput},
		{"not UTF-8", ctx, wire.Request{Method: "POST", Path: "/", JSON: "\xff"}, wire.ReasonInput},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := c.Do(test.ctx, &test.r)
			if e := asError(t, err); e.Fate != wire.NotSent || e.Reason != test.reason {
				t.Errorf("want %s, got %v", test.reason, e)
			}
		})
	}
}

func TestAnswersAreJudged(t *testing.T) {
	var status int
	header := http.Header{}
	body := ""
	c := client(t, nil, func(w http.ResponseWriter, _ *http.Request) {
		for name := range header {
			w.Header().Set(name, header.Get(name))
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
	get := func(code int, text string) wire.Answer {
		t.Helper()
		status, body = code, text
		a, err := c.Do(within(t, 5*time.Second), &wire.Request{Op: "Get", Method: "GET", Path: "/a"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(a.Release)
		return a
	}
	for code, reason := range map[int]wire.Reason{200: "", 201: "", 204: "", 400: "", 404: "", 409: "", 422: "",
		301: wire.ReasonStatus, 302: wire.ReasonStatus, 408: wire.ReasonStatus, 429: wire.ReasonRateLimited, 500: wire.ReasonStatus, 503: wire.ReasonStatus} {
		switch e := get(code, "").Unclear(); {
		case reason == "" && e != nil, reason != "" && (e == nil || e.Reason != reason || e.Fate != wire.Unknown || e.Status != code):
			t.Errorf("%d: %v", code, e)
		}
	}
	header.Set("Retry-After", "7")
	header.Set("X-Kind", "a")
	a := get(429, `{"x":1}`)
	if e := a.Unclear(); e.RetryAfter != 7*time.Second || a.Header("x-kind") != "a" || string(a.Body()) != `{"x":1}` || a.Status() != 429 {
		t.Errorf("%v, %q", e, a.Body())
	}
	header.Set("Retry-After", "99999999999")
	if e := get(503, "").Unclear(); e.RetryAfter > time.Hour {
		t.Errorf("wait %s", e.RetryAfter)
	}
	e := get(409, "").Refused("ROOM_TAKEN", strings.Repeat("ä", 300)+"secret")
	if want := "test Get: refused (refused) status 409 ROOM_TAKEN"; e.Error() != want || e.Fate != wire.Refused || len(e.Message) > 512 {
		t.Errorf("got %q, want %q; message of %d bytes", e, want, len(e.Message))
	}
	for _, code := range []string{"no such 1001", "浙A12345", strings.Repeat("c", 65)} {
		if e := get(400, "").Refused(code, ""); e.Code != "" {
			t.Errorf("%q stands in a log line", e)
		}
	}
	var out struct {
		N int `json:"n"`
	}
	for text, want := range map[string]bool{`{"n":1,"new":2}`: true, `{"n":1,"n":2}`: false, ` null`: false, ``: false, `{"n":1}x`: false, `[]`: false} {
		if got := get(200, text).Decode(&out); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
	if out.N = 0; !get(200, `{"N":1}`).Decode(&out) || out.N != 0 {
		t.Error("names are case-sensitive")
	}
}

func TestBoundsHold(t *testing.T) {
	c := client(t, func(cfg *wire.Config) { cfg.MaxBody = 2048; cfg.MaxConns = 1 }, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/base/body":
			_, _ = io.WriteString(w, strings.Repeat("x", 2049))
		case "/base/most":
			_, _ = io.WriteString(w, strings.Repeat("x", 2048))
		case "/base/head":
			w.Header().Set("X", strings.Repeat("x", 16<<10))
		case "/base/hang":
			<-r.Context().Done()
		}
	})
	do := func(path string, d time.Duration) error {
		a, err := c.Do(within(t, d), &wire.Request{Op: "Get", Method: "GET", Path: path})
		if err == nil {
			a.Release()
		}
		return err
	}
	if err := do("/most", 5*time.Second); err != nil {
		t.Error(err)
	}
	if e := asError(t, do("/body", 5*time.Second)); e.Fate != wire.Unknown || e.Reason != wire.ReasonTooLarge {
		t.Error(e)
	}
	if e := asError(t, do("/head", 5*time.Second)); e.Fate != wire.Unknown || e.Reason != wire.ReasonReset {
		t.Error(e)
	}
	if err := do("/hang", 300*time.Millisecond); asError(t, err).Reason != wire.ReasonTimeout || !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	good := wire.Config{Connector: "ohip", BaseURL: "https://pms.example/api"}
	if _, err := wire.New(good); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*wire.Config){
		"url: is no base_url that ohip can use": func(c *wire.Config) { c.BaseURL = "pms.example" },
		"no user":                               func(c *wire.Config) { c.BaseURL = "http://u:p@pms.example" },
		"query":                                 func(c *wire.Config) { c.BaseURL = "http://pms.example?x=1" },
		"ohip max_conns":                        func(c *wire.Config) { c.MaxConns = -1 },
		"ohip max_body":                         func(c *wire.Config) { c.MaxBody = 1 },
		"ohip idle":                             func(c *wire.Config) { c.Idle = -1 },
		"ohip header":                           func(c *wire.Config) { c.Header = []wire.Header{{"A", "u:p\n"}} },
	} {
		cfg := good
		change(&cfg)
		if _, err := wire.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		} else if strings.Contains(err.Error(), "u:p") {
			t.Errorf("%s: the error shows a secret: %v", want, err)
		}
	}
}
