package twintest

import (
	"bytes"
	"encoding/base64"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/warmgate/warmgate/backends/twin"
)

// Main runs the tests of a connector and fails where they leave a goroutine behind.
func Main(m *testing.M) {
	// fasthttp and net/http keep cleaners of their own for a while.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*HostClient).connsCleaner"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

// Shanghai returns the twins' time zone.
func Shanghai() *time.Location { return time.FixedZone("CST", 8*3600) }

// Site is a city with one twin in it. The world of a connector's tests embeds it, beside its twin and its client.
type Site struct {
	City *twin.City
	URL  string // of the twin

	kind, name string
}

// Open opens a city with a twin in it: kind is the connector, name the instance. It is closed at the test's end.
func Open(t testing.TB, kind, name string, b twin.Backend) Site {
	t.Helper()
	city := City(t)
	if err := city.Add(kind, name, b); err != nil {
		t.Fatal(err)
	}
	return Site{city, city.URL(kind, name), kind, name}
}

// Dial sets how the twin behaves.
func (s Site) Dial(t testing.TB, d twin.Dial) {
	t.Helper()
	if err := s.City.Dial(s.kind, s.name, d); err != nil {
		t.Fatal(err)
	}
}

// Ask sends one request to a twin as it stands, over a connection of its own, and returns the answer with its body. A body is
// JSON where header doesn't say otherwise; a field of header that is "" is not sent.
func Ask(t testing.TB, method, to, body string, header map[string]string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(Within(t, patience), method, to, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", twin.JSON)
	}
	for k, v := range header {
		r.Header.Set(k, v)
		if v == "" {
			r.Header.Del(k)
		}
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(out)
}

// Basic returns the field Authorization of a user with a password (RFC 7617).
func Basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// Between stands between a client and the twin at to until the test's end, and returns its own base URL. It shows every
// exchange to see: the request, which can be read again, its body, and the answer, whose body see may replace.
func Between(t testing.TB, to string, see func(r *http.Request, body []byte, answer *httptest.ResponseRecorder)) string {
	t.Helper()
	at, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(at)
	proxy.Transport = &http.Transport{DisableKeepAlives: true}
	return Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		rec := httptest.NewRecorder()
		proxy.ServeHTTP(rec, r)
		r.Body = io.NopCloser(bytes.NewReader(body))
		see(r, body, rec)
		rec.Header().Del("Content-Length") // of what it was
		maps.Copy(w.Header(), rec.Header())
		w.WriteHeader(rec.Code)
		_, _ = w.Write(rec.Body.Bytes())
	}))
}
