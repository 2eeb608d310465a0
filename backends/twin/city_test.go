package twin_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/warmgate/warmgate/backends/twin"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// net/http lingers half a second over a request that it refused to read.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

// counter is the smallest twin: every request counts, and the count is its book.
type counter struct {
	mu sync.Mutex
	n  uint64
}

func (c *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	c.n++
	n := c.n
	c.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_, _ = fmt.Fprintf(w, `{"n": %d, "got": %q}`, n, body)
}

func (c *counter) count() uint64 { c.mu.Lock(); defer c.mu.Unlock(); return c.n }

func (c *counter) Books() any      { return map[string]uint64{"n": c.count()} }
func (c *counter) Changes() uint64 { return c.count() }
func (c *counter) Make(want []byte) (any, error) {
	if string(want) != `{"more":1}` {
		return nil, errors.New("want more")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n += 100
	return map[string]uint64{"n": c.n}, nil
}
func (c *counter) Save() ([]byte, error) { return []byte(strconv.FormatUint(c.count(), 10)), nil }
func (c *counter) Restore(state []byte) error {
	n, err := strconv.ParseUint(string(state), 10, 64)
	c.n = n
	return err
}

func open(t *testing.T, cfg twin.Config) *twin.City {
	t.Helper()
	city, err := twin.NewCity(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := city.Close(); err != nil {
			t.Error(err)
		}
	})
	return city
}

func add(t *testing.T, city *twin.City, name string) *counter {
	t.Helper()
	c := &counter{}
	if err := city.Add("count", name, c); err != nil {
		t.Fatal(err)
	}
	return c
}

func dial(t *testing.T, city *twin.City, name string, d twin.Dial) {
	t.Helper()
	if err := city.Dial("count", name, d); err != nil {
		t.Fatal(err)
	}
}

// post sends a request over a connection of its own and returns what came back, in a word.
func post(t *testing.T, url string, limit time.Duration) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "POST", url, strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	if err == nil {
		defer resp.Body.Close()
		var body []byte
		body, err = io.ReadAll(io.LimitReader(resp.Body, 256<<10))
		switch {
		case err != nil:
		case len(body) == 256<<10:
			return "endless"
		case !jsontext.Value(body).IsValid() && resp.StatusCode < 300:
			return strconv.Itoa(resp.StatusCode) + " garbage"
		default:
			return strconv.Itoa(resp.StatusCode)
		}
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "late"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.ECONNRESET):
		return "reset"
	default:
		return err.Error()
	}
}

func TestFaults(t *testing.T) {
	city := open(t, twin.Config{Seed: 1})
	c := add(t, city, "a")
	url := city.URL("count", "a")
	for _, test := range []struct {
		dial   twin.Dial
		want   string
		effect uint64
	}{
		{twin.Dial{}, "201", 1},
		{twin.Dial{LatencyMS: 20}, "201", 1},
		{twin.Dial{LatencyMS: 250}, "late", 0},                    // the effect comes later
		{twin.Dial{LatencyMS: 250, AfterEffect: true}, "late", 1}, // the effect is there already
		{twin.Dial{Fault: twin.Hang}, "late", 0},
		{twin.Dial{Fault: twin.Slow}, "late", 1},
		{twin.Dial{Fault: twin.Refuse}, "refused", 0},
		{twin.Dial{Fault: twin.Refuse, Rate: 0.999}, "reset", 0},
		{twin.Dial{Fault: twin.Reset}, "reset", 0},
		{twin.Dial{Fault: twin.Status5}, "500", 0},
		{twin.Dial{Fault: twin.Status4}, "429", 0},
		{twin.Dial{Fault: twin.Garbage}, "200 garbage", 0},
		{twin.Dial{Fault: twin.Endless}, "endless", 0},
		{twin.Dial{Fault: twin.Hang, AfterEffect: true}, "late", 1},
		{twin.Dial{Fault: twin.Reset, AfterEffect: true}, "reset", 1},
		{twin.Dial{Fault: twin.Status5, AfterEffect: true}, "500", 1},
		{twin.Dial{Fault: twin.Status4, AfterEffect: true}, "429", 1},
		{twin.Dial{Fault: twin.Garbage, AfterEffect: true}, "200 garbage", 1},
		{twin.Dial{Fault: twin.Endless, AfterEffect: true}, "endless", 1},
	} {
		t.Run(fmt.Sprintf("%+v", test.dial), func(t *testing.T) {
			dial(t, city, "a", test.dial)
			before := c.count()
			limit := 5 * time.Second
			if test.want == "late" {
				limit = 150 * time.Millisecond
			}
			if got := post(t, url, limit); got != test.want {
				t.Errorf("want %s, got %s", test.want, got)
			}
			if got := c.count() - before; got != test.effect {
				t.Errorf("want %d effects, got %d", test.effect, got)
			}
			if test.dial.LatencyMS > 0 && test.effect == 0 { // nobody waits for it any more, and still it comes
				waitFor(t, func() bool { return c.count() > before })
			}
			dial(t, city, "a", twin.Dial{})
			if got := post(t, url, 5*time.Second); got != "201" {
				t.Errorf("after the fault: %s", got)
			}
		})
	}
}

func TestWhoHangsIsCutOffWhenTheDialChanges(t *testing.T) {
	city := open(t, twin.Config{})
	c := add(t, city, "a")
	for _, f := range []twin.Fault{twin.Hang, twin.Endless} {
		dial(t, city, "a", twin.Dial{Fault: f, AfterEffect: true})
		before := c.count()
		done := make(chan error, 1)
		go func() {
			transport := &http.Transport{DisableKeepAlives: true}
			req, _ := http.NewRequest("POST", city.URL("count", "a"), http.NoBody)
			r, err := transport.RoundTrip(req)
			if err == nil {
				_, err = io.Copy(io.Discard, r.Body)
				_ = r.Body.Close()
			}
			done <- err
		}()
		waitFor(t, func() bool { return c.count() > before }) // it has its dial, and hangs or is about to
		dial(t, city, "a", twin.Dial{})
		select {
		case err := <-done:
			if err == nil {
				t.Errorf("%s: the client took the answer for complete", f)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("%s: still waiting", f)
		}
	}
}

// waitFor polls until ok, for at most five seconds.
func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	end := time.After(5 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatal("it never happened")
		}
	}
}

func TestRateIsChanceFromTheSeed(t *testing.T) {
	draw := func(seed uint64) string {
		city := open(t, twin.Config{Seed: seed})
		add(t, city, "a")
		dial(t, city, "a", twin.Dial{Fault: twin.Status5, Rate: 0.3})
		var out strings.Builder
		for range 100 {
			if post(t, city.URL("count", "a"), 5*time.Second) == "500" {
				out.WriteByte('x')
			} else {
				out.WriteByte('.')
			}
		}
		return out.String()
	}
	one := draw(1)
	if n := strings.Count(one, "x"); n < 15 || n > 45 {
		t.Errorf("%d of 100 failed, want some 30", n)
	}
	if one != draw(1) || one == draw(2) {
		t.Error("chance must follow the seed")
	}
}

func TestDialForSomePathsAlone(t *testing.T) {
	city := open(t, twin.Config{})
	add(t, city, "a")
	url := city.URL("count", "a")
	for _, fault := range twin.Faults() {
		dial(t, city, "a", twin.Dial{Fault: fault, Path: "/redemption/redeem"})
		if got := post(t, url+"/redemption/lookup", 5*time.Second); got != "201" {
			t.Errorf("%s: another path answers %s", fault, got)
		}
		if got := post(t, url+"/redemption/redeem", 300*time.Millisecond); got == "201" {
			t.Errorf("%s: the path answers %s", fault, got)
		}
	}
	if err := city.Dial("count", "a", twin.Dial{Fault: twin.Hang, Path: "redeem"}); err == nil {
		t.Error("a path without its slash was taken")
	}
}

func TestDialsOfAllAndOfOne(t *testing.T) {
	city := open(t, twin.Config{})
	add(t, city, "a")
	add(t, city, "b")
	try := func() string {
		return post(t, city.URL("count", "a"), 5*time.Second) + " " + post(t, city.URL("count", "b"), 5*time.Second)
	}
	dial(t, city, "*", twin.Dial{Fault: twin.Refuse})
	dial(t, city, "b", twin.Dial{Fault: twin.Status4})
	if got := try(); got != "refused 429" {
		t.Error(got)
	}
	add(t, city, "c") // a newcomer finds the dial of all
	if got := post(t, city.URL("count", "c"), 5*time.Second); got != "refused" {
		t.Error(got)
	}
	dial(t, city, "b", twin.Dial{})
	if got := try(); got != "refused refused" {
		t.Error(got)
	}
	dial(t, city, "*", twin.Dial{})
	if got := try(); got != "201 201" {
		t.Error(got)
	}
}

// call speaks to the city's own address.
func call(t *testing.T, city *twin.City, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, city.Address()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(out, &v); err != nil {
		t.Errorf("%s %s answers no JSON: %s", method, path, out)
	}
	flat, _ := json.Marshal(v, json.Deterministic(true))
	return resp.StatusCode, string(flat)
}

func TestTheCityFromOutside(t *testing.T) {
	city := open(t, twin.Config{})
	add(t, city, "a")
	for _, test := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/twins", "", 200, `{"count":{"a":"` + city.URL("count", "a") + `"}}`},
		{"GET", "/dials", "", 200, `{"count":{"*":{},"a":{}}}`},
		{"PUT", "/dials/count/a", `{"fault":"hang","latency_ms":5,"after_effect":true,"rate":0.5}`, 200, `{"after_effect":true,"fault":"hang","latency_ms":5,"rate":0.5}`},
		{"PUT", "/dials/count/*", `{"latency_ms":9}`, 200, `{"latency_ms":9}`},
		{"GET", "/dials", "", 200, `{"count":{"*":{"latency_ms":9},"a":{"after_effect":true,"fault":"hang","latency_ms":5,"rate":0.5}}}`},
		{"PUT", "/dials/count/a", `{}`, 200, `{}`},
		{"PUT", "/dials/count/*", `{}`, 200, `{}`},
		{"GET", "/dials", "", 200, `{"count":{"*":{},"a":{}}}`},
		{"PUT", "/dials/count/b", `{}`, 404, `there is no such twin: count/b`},
		{"PUT", "/dials/other/*", `{}`, 404, `there is no such twin: other/*`},
		{"PUT", "/dials/count/a", ``, 400, `a JSON body is needed`},
		{"PUT", "/dials/count/a", `null`, 400, `cannot read the dial`},
		{"PUT", "/dials/count/a", `{"faults":"hang"}`, 400, `faults`},
		{"PUT", "/dials/count/a", `{"fault":"explode"}`, 400, `want one of [hang slow refuse`},
		{"PUT", "/dials/count/a", `{"latency_ms":60001}`, 400, `want 0 to 60000, got 60001`},
		{"PUT", "/dials/count/a", `{"latency_ms":"5"}`, 400, `latency_ms`},
		{"PUT", "/dials/count/a", `{"rate":1.1}`, 400, `want 0 to 1, got 1.1`},
		{"PUT", "/dials/count/a", `{"fault":"refuse","after_effect":true}`, 400, `no request to have an effect`},
		{"PUT", "/dials/count/a", strings.Repeat(" ", 65<<10), 413, `at most 65536`},
		{"POST", "/dials/count/a", `{}`, 404, `there is no such address`},
		{"GET", "/books/count", "", 200, `{"a":{"n":0}}`},
		{"GET", "/books/other", "", 404, `there is no such twin`},
		{"POST", "/make/count/a", `{"more":1}`, 201, `{"n":100}`},
		{"POST", "/make/count/a", `{"more":2}`, 400, `want more`},
		{"POST", "/make/count/b", `{}`, 404, `there is no such twin`},
	} {
		status, got := call(t, city, test.method, test.path, test.body)
		if status != test.status || (status < 300 && got != test.want) || !strings.Contains(got, test.want) {
			t.Errorf("%s %s %.60s: got %d %s, want %d %s", test.method, test.path, test.body, status, got, test.status, test.want)
		}
	}
}

func TestWhatIsKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "city")
	cfg := twin.Config{DataDir: dir}
	first := open(t, cfg)
	add(t, first, "a")
	url := first.URL("count", "a")
	for range 3 {
		if got := post(t, url, 5*time.Second); got != "201" {
			t.Fatal(got)
		}
	}
	if status, _ := call(t, first, "POST", "/make/count/a", `{"more":1}`); status != 201 {
		t.Fatal(status)
	}
	file := filepath.Join(dir, "count.a.json")
	if kept, err := os.ReadFile(file); err != nil || string(kept) != "103" {
		t.Fatalf("what was made must be kept at once: %s, %v", kept, err)
	}
	if got := post(t, url, 5*time.Second); got != "201" {
		t.Fatal(got)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}

	second := open(t, cfg)
	if c := add(t, second, "a"); c.count() != 104 || second.URL("count", "a") != url {
		t.Errorf("got %d at %s, want 104 at %s", c.count(), second.URL("count", "a"), url)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("103 and rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := open(t, cfg).Add("count", "a", &counter{}); err == nil || !strings.Contains(err.Error(), "cannot restore twin count/a") {
		t.Errorf("rubbish must not become an empty twin: %v", err)
	}
}

func TestAddRefuses(t *testing.T) {
	city := open(t, twin.Config{})
	add(t, city, "a")
	for _, bad := range [][3]string{{"count", "a", "there already"}, {"Count", "b", "lower-case"}, {"count", "../b", "lower-case"}, {"count", "*", "lower-case"}} {
		if err := city.Add(bad[0], bad[1], &counter{}); err == nil || !strings.Contains(err.Error(), bad[2]) {
			t.Errorf("%v: %v", bad, err)
		}
	}
	if city.URL("count", "b") != "" || city.Books("other") != nil {
		t.Error("what is not there must not be found")
	}
	if err := city.Close(); err != nil {
		t.Fatal(err)
	}
	if err := city.Add("count", "z", &counter{}); err == nil {
		t.Error("a closed city takes nobody")
	}
	if _, err := twin.NewCity(twin.Config{Listen: "nowhere"}); err == nil {
		t.Error("an address without a port")
	}
}

// TestLargeRequestsAreCutOff: a twin is not a place to fill the memory of the machine.
func TestLargeRequestsAreCutOff(t *testing.T) {
	city := open(t, twin.Config{})
	c := add(t, city, "a")
	transport := &http.Transport{DisableKeepAlives: true}
	req, _ := http.NewRequest("POST", city.URL("count", "a"), bytes.NewReader(make([]byte, 2<<20)))
	if resp, err := transport.RoundTrip(req); err == nil {
		if resp.StatusCode != 400 {
			t.Error(resp.Status)
		}
		_ = resp.Body.Close()
	}
	if c.count() != 0 {
		t.Error("it had an effect")
	}
}
