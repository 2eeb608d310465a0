package edge

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/limit"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// fasthttp keeps one clock for its Date header as long as the process lives, and the sweeper of a server's idle
		// workers notices the server's end only after a nap.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

// TestBadInput holds that each mistake of a client gets its own problem, names what is at fault, reaches no journey and
// never comes back in the answer.
func TestBadInput(t *testing.T) {
	w := newWorld(t)
	deep := strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)
	for _, c := range []struct {
		name   string
		call   *call
		status int
		slug   string
		field  string
	}{
		{"malformed", entryCall("a").sends(`{"scan_id":`), 400, "body-malformed", ""},
		{"not JSON", entryCall("a").sends(`scan_id=4`), 400, "body-malformed", ""},
		{"trailing data", entryCall("a").sends(`{"scan_id":"s"} {}`), 400, "body-malformed", ""},
		{"invalid UTF-8", entryCall("a").sends("{\"scan_id\":\"\xff\"}"), 400, "body-malformed", ""},
		{"no body", entryCall("a").sends(""), 400, "body-malformed", ""},
		{"duplicate key", entryCall("a").sends(`{"scan_id":"s","scan_id":"t"}`), 400, "field-duplicate", "scan_id"},
		{"duplicate key inside", entryCall("a").sends(`{"tickets":[{"code":"x"},{"code":"s","code":"t"}]}`), 400, "field-duplicate", "tickets[1].code"},
		{"deep", entryCall("a").sends(deep), 400, "body-too-deep", ""},
		{"oversized", entryCall("a").sends(`{"scan_id":"` + strings.Repeat("x", 70<<10) + `"}`), 413, "body-too-large", ""},
		{"unknown field", entryCall("a").sends(`{"scan_id":"s","colour":1}`), 400, "field-unknown", "colour"},
		{"unknown field inside", entryCall("a").sends(`{"scan_id":"s","tickets":[{"code":"c","vip":1}]}`), 400, "field-unknown", "tickets[0].vip"},
		{"other case", entryCall("a").sends(`{"Scan_ID":"s"}`), 400, "field-unknown", "Scan_ID"},
		{"a value for a name", entryCall("a").sends(`{"11010519491231002X":"s"}`), 400, "field-unknown", "?"},
		{"a plate for a name", entryCall("a").sends(`{"ZheA12345":"s"}`), 400, "field-unknown", "?"},
		{"wrong type", entryCall("a").sends(`{"scan_id":7}`), 400, "field-invalid", "scan_id"},
		{"wrong type inside", entryCall("a").sends(`{"scan_id":"s","tickets":[{"code":true}]}`), 400, "field-invalid", "tickets[0].code"},
		{"fraction", entryCall("a").sends(`{"scan_id":"s","people":1.5}`), 400, "field-invalid", "people"},
		{"time without offset", entryCall("a").sends(`{"scan_id":"s","at":"2026-01-01T00:00:00"}`), 400, "field-invalid", "at"},
		{"media type", entryCall("a").with("Content-Type", "text/plain"), 415, "media-type-unknown", "header Content-Type"},
		{"coded body", entryCall("a").with("Content-Encoding", "gzip"), 415, "media-type-unknown", "header Content-Encoding"},
		{"no media type", entryCall("a").with("Content-Type", ""), 415, "media-type-unknown", "header Content-Type"},
		{"no key", entryCall("a").with("Idempotency-Key", ""), 400, "idempotency-key-missing", "header Idempotency-Key"},
		{"bare token key", entryCall("a").with("Idempotency-Key", "abc"), 400, "header-invalid", "header Idempotency-Key"},
		{"empty key", entryCall("a").with("Idempotency-Key", `""`), 400, "header-invalid", "header Idempotency-Key"},
		{"key with parameters", entryCall("a").with("Idempotency-Key", `"a";b=1`), 400, "header-invalid", "header Idempotency-Key"},
		{"long key", entryCall(strings.Repeat("k", 256)), 400, "header-invalid", "header Idempotency-Key"},
		{"elapsed", entryCall("a").with("Journey-Elapsed", "-1"), 400, "header-invalid", "header Journey-Elapsed"},
		{"no token", entryCall("a").with("Authorization", ""), 401, "token-missing", ""},
		{"basic", entryCall("a").with("Authorization", "Basic Zm9v"), 401, "token-missing", ""},
		{"bad token", entryCall("a").with("Authorization", "Bearer nobody"), 401, "token-invalid", ""},
		{"no scope", entryCall("a").with("Authorization", "Bearer reader"), 403, "scope-missing", ""},
		{"another venue's token", entryCall("a").with("Authorization", "Bearer other"), 403, "venue-not-yours", ""},
		{"another tenant's token", entryCall("a").with("Authorization", "Bearer far"), 404, "venue-unknown", ""},
		{"unknown spot", entryCall("a").to("/v1/attractions/atlantis/entries"), 404, "venue-unknown", ""},
		{"venue of another kind", entryCall("a").to("/v1/attractions/grand/entries"), 404, "venue-unknown", ""},
		{"unknown path", get("/v1/attraction", "gate"), 404, "route-unknown", ""},
		{"trailing slash", get("/v1/rooms/", "reader"), 404, "route-unknown", ""},
		{"other method", get("/v1/attractions/west-lake/entries", "gate"), 405, "method-not-allowed", ""},
		{"options", &call{method: "OPTIONS", path: "/v1/rooms", header: http.Header{}}, 405, "method-not-allowed", ""},
		{"personal data in the query", get("/v1/rooms?id_number=11010519491231002X", "reader"), 400, "query-invalid", "query id_number"},
		{"personal data as the query", get("/v1/rooms?11010519491231002X", "reader"), 400, "query-invalid", "query ?"},
		{"query on a POST", entryCall("a").to("/v1/attractions/west-lake/entries?plate=ZheA12345"), 400, "query-invalid", "query plate"},
		{"parameter twice", get("/v1/rooms?near=1&near=2", "reader"), 400, "query-invalid", "query near"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := w.serves.Load()
			a := w.do(c.call)
			slug, field := a.problem()
			if a.status != c.status || slug != c.slug || field != c.field {
				t.Fatalf("got %d %s (%s), want %d %s (%s): %s", a.status, slug, field, c.status, c.slug, c.field, a.body)
			}
			if strings.Contains(a.body, "11010519491231002X") || strings.Contains(a.body, "12345") {
				t.Errorf("the answer holds what was sent: %s", a.body)
			}
			if got := a.header.Get("Content-Type"); got != problemMedia {
				t.Errorf("content type %q", got)
			}
			if n := w.serves.Load() - before; n > 1 || (n == 1 && c.slug != "field-unknown" && c.slug != "field-invalid" && c.name != "no body") {
				t.Errorf("%d requests reached the journey", n)
			}
		})
	}
}

func TestAnswersCarryTheirHeaders(t *testing.T) {
	w := newWorld(t)
	w.on(func(x *Exchange) error {
		x.serverTiming("find the ticket", 1500*time.Microsecond)
		x.Sources([]gateway.Source{{System: "ticketing", State: gateway.Live}, {System: "occupancy", State: gateway.Stale}})
		return x.JSON(201, map[string]string{"decision": "open"})
	})
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	a := w.do(entryCall("h").with("traceparent", parent, "Prefer", "wait=2").good())
	if a.status != 201 {
		t.Fatal(a.status, a.body)
	}
	for name, pattern := range map[string]string{
		"Request-Id":             `^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`,
		"Traceparent":            `^00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}-01$`,
		"Server-Timing":          `^find-the-ticket;dur=1\.5, total;dur=[0-9.]+$`,
		"Cache-Status":           `^ticketing;fwd=miss, occupancy;hit;detail=stale$`,
		"Cache-Control":          `^no-store$`,
		"Preference-Applied":     `^wait=2$`,
		"Content-Type":           `^application/json$`,
		"X-Content-Type-Options": `^nosniff$`,
		"Idempotent-Replayed":    `^$`,
	} {
		if got := a.header.Get(name); !regexp.MustCompile(pattern).MatchString(got) {
			t.Errorf("%s is %q, want %s", name, got, pattern)
		}
	}
	if strings.Contains(a.header.Get("Traceparent"), "00f067aa0ba902b7") {
		t.Error("the answer has the caller's span, not ours")
	}
	for name := range a.header {
		if strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("no other origin is let in, but %s is there", name)
		}
	}
}

// TestAProblemIsNeverKept, also where the answer that was begun might have been.
func TestAProblemIsNeverKept(t *testing.T) {
	for refused, want := range map[bool]string{false: "private, no-cache", true: "no-store"} {
		w := newWorld(t)
		w.on(func(x *Exchange) error {
			if x.Unchanged(`"1"`) {
				t.Error("the client has nothing yet")
			}
			if refused {
				return ProblemQueryInvalid.Error(gateway.Text{})
			}
			return x.JSON(201, map[string]string{"decision": "open"})
		})
		if got := w.do(entryCall("h").good()).header.Get("Cache-Control"); got != want {
			t.Errorf("refused %v: it is %q, want %q", refused, got, want)
		}
	}
}

func TestProblemsSpeakTheCitizensLanguage(t *testing.T) {
	w := newWorld(t)
	for header, want := range map[string]string{
		"": gateway.LangZh, "en-GB": gateway.LangEn, "fr": gateway.LangZh, "en;q=0.2, zh;q=0.9": gateway.LangZh,
		"zh;q=0.2, en;q=0.9": gateway.LangEn, "*": gateway.LangZh, "zh-TW": gateway.LangZh, "zh;q=0": gateway.LangEn, "en, zh": gateway.LangEn, "en;q=0.5, zh;q=0.5": gateway.LangEn,
	} {
		a := w.do(get("/nowhere", "").with("Accept-Language", header, "Accept", "image/png"))
		if got := a.header.Get("Content-Language"); got != want {
			t.Errorf("Accept-Language %q: answered in %s, want %s", header, got, want)
		}
		if !strings.Contains(a.body, ProblemRouteUnknown.Title.In(want)) {
			t.Errorf("Accept-Language %q: %s", header, a.body)
		}
	}
}

func TestRefusalsSayHowToGoOn(t *testing.T) {
	w := newWorld(t)
	if a := w.do(get("/v1/attractions/west-lake/entries", "gate")); a.header.Get("Allow") != "POST" {
		t.Errorf("Allow is %q", a.header.Get("Allow"))
	}
	if a := w.do(&call{method: "POST", path: "/v1/rooms", header: http.Header{}}); a.header.Get("Allow") != "GET, HEAD" {
		t.Errorf("Allow is %q", a.header.Get("Allow"))
	}
	if a := w.do(get("/v1/rooms", "")); a.header.Get("WWW-Authenticate") != `Bearer realm="warmgate"` {
		t.Errorf("WWW-Authenticate is %q", a.header.Get("WWW-Authenticate"))
	}
	if a := w.do(get("/v1/rooms", "gate")); !strings.Contains(a.header.Get("WWW-Authenticate"), `scope="rooms:read"`) {
		t.Errorf("WWW-Authenticate is %q", a.header.Get("WWW-Authenticate"))
	}
	head := get("/v1/rooms", "reader")
	head.method = "HEAD"
	if a := w.do(head); a.status != 200 || a.body != "" {
		t.Errorf("HEAD: %d %q", a.status, a.body)
	}
}

func TestIdempotencyKey(t *testing.T) {
	w := newWorld(t)
	w.on(func(x *Exchange) error {
		body := []byte(`{"decision":"open","n":1}`)
		w.keep(x, Earlier{Ended: true, Status: 202, Body: body, Run: "run-1"})
		x.SetHeader("Location", "/v1/journeys/run-1")
		x.Raw(202, jsonMedia, body)
		return nil
	})
	first := w.do(entryCall("k").sends(`{"scan_id":"s","gate":"g"}`).good())
	again := w.do(entryCall("k").sends(` { "gate" : "g", "scan_id":"\u0073" } `).good())
	if first.status != 202 || again.status != 202 || first.body != again.body || w.serves.Load() != 1 {
		t.Fatalf("first %d %s, again %d %s, %d runs", first.status, first.body, again.status, again.body, w.serves.Load())
	}
	if first.header.Get("Idempotent-Replayed") != "" || again.header.Get("Idempotent-Replayed") != "true" {
		t.Error("Idempotent-Replayed must be on the replay alone")
	}
	if again.header.Get("Location") != "/v1/journeys/run-1" {
		t.Errorf("Location %q", again.header.Get("Location"))
	}
	other := w.do(entryCall("k").sends(`{"scan_id":"t"}`))
	if slug, field := other.problem(); other.status != 422 || slug != "idempotency-key-reused" || field != "header Idempotency-Key" {
		t.Errorf("another payload: %d %s", other.status, other.body)
	}
	w.do(entryCall("k").with("Authorization", "Bearer both").good())
	if a := w.do(entryCall("k").with("Authorization", "Bearer both").to("/v1/attractions/lingyin/entries").good()); a.status != 422 {
		t.Errorf("another venue is another payload: %d %s", a.status, a.body)
	}
	if a := w.do(entryCall("k").sends(`{"scan_id":"t"}`).with("Authorization", "Bearer gate-2").good()); a.status != 202 || a.header.Get("Idempotent-Replayed") != "" {
		t.Errorf("another principal has keys of its own: %d %s", a.status, a.body)
	}
}

func TestIdempotencyKeyOfARunningRequest(t *testing.T) {
	w := newWorld(t)
	lease := w.now().Add(time.Hour)
	w.on(func(x *Exchange) error {
		w.keep(x, Earlier{LeaseUntil: lease})
		return x.JSON(201, map[string]string{"decision": "open"})
	})
	w.do(entryCall("r").good())
	a := w.do(entryCall("r").good())
	if slug, _ := a.problem(); a.status != 409 || slug != "request-running" || a.header.Get("Retry-After") != "1" {
		t.Errorf("running: %d %s, Retry-After %q", a.status, a.body, a.header.Get("Retry-After"))
	}
	lease = w.now().Add(-time.Second) // as after a crash
	w.on(func(x *Exchange) error { return x.JSON(201, map[string]string{"decision": "open"}) })
	w.mu.Lock()
	for scope, e := range w.earlier {
		e.LeaseUntil = lease
		w.earlier[scope] = e
	}
	w.mu.Unlock()
	if a := w.do(entryCall("r").good()); a.status != 201 || w.serves.Load() != 2 {
		t.Errorf("a record whose lease is over goes to the journey: %d %s", a.status, a.body)
	}
}

func TestReplayOfAProblemIsAProblem(t *testing.T) {
	w := newWorld(t)
	w.on(func(x *Exchange) error {
		status, body := RenderProblem(problemUsed.Error(gateway.Text{}), x.Lang(), x.instance())
		w.keep(x, Earlier{Ended: true, Status: status, Body: body})
		x.Raw(status, problemMedia, body)
		return nil
	})
	first, again := w.do(entryCall("p").good()), w.do(entryCall("p").good())
	if again.status != 409 || again.body != first.body || again.header.Get("Content-Type") != problemMedia {
		t.Errorf("replayed %d %s (%s)", again.status, again.body, again.header.Get("Content-Type"))
	}
}

// A plan that looks for earlier requests itself is begun at once. What fails before it comes to that, although an earlier
// request under the key was answered, is answered as that one was.
func TestPlanThatLooksItself(t *testing.T) {
	w := newWorld(t, func(s *setup) { s.looks = true })
	w.on(func(x *Exchange) error {
		w.keep(x, Earlier{Ended: true, Status: 201, Body: []byte(`{"decision":"open"}`)})
		return x.JSON(201, map[string]string{"decision": "open"})
	})
	first, second := w.do(entryCall("k").good()), w.do(entryCall("k").good())
	if first.status != 201 || second.status != 201 || w.serves.Load() != 2 {
		t.Errorf("%d and %d, served %d times", first.status, second.status, w.serves.Load())
	}
	failing := problemUsed.Error(gateway.Text{})
	w.on(func(*Exchange) error { return failing })
	if a := w.do(entryCall("k").good()); a.status != 201 || a.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("what failed since: %d %s", a.status, a.body)
	}
	if a := w.do(entryCall("k").sends(`{"scan_id":"other"}`).good()); a.status != 422 {
		t.Errorf("another payload: %d %s", a.status, a.body)
	}
	if a := w.do(entryCall("new").good()); a.status != 409 {
		t.Errorf("a new key: %d %s", a.status, a.body)
	}
	w.mu.Lock()
	w.failing = errors.New("the disk is gone")
	w.mu.Unlock()
	if slug, _ := w.do(entryCall("k").good()).problem(); slug != "test-used" {
		t.Errorf("a look that fails changes nothing: %s", slug)
	}
}

func TestLedgerUnavailableWhileLookingForAKey(t *testing.T) {
	w := newWorld(t)
	w.failing = errors.New("disk is full")
	a := w.do(entryCall("x").good())
	if slug, _ := a.problem(); a.status != 503 || slug != "ledger-unavailable" || a.header.Get("Retry-After") == "" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if strings.Contains(a.body, "disk") || !strings.Contains(w.logs.String(), "disk is full") {
		t.Error("the cause is for the log alone")
	}
}

func TestDeadlineFollowsBudgetAndPreference(t *testing.T) {
	w := newWorld(t)
	var budget, elapsed time.Duration
	w.on(func(x *Exchange) error {
		budget, elapsed = x.deadline.Sub(x.Arrived()), x.elapsed
		return x.JSON(201, map[string]string{"decision": "open"})
	})
	for _, c := range []struct {
		prefer, elapsed string
		machine, want   time.Duration
	}{
		{"", "", 800 * time.Millisecond, 800 * time.Millisecond},
		{"wait=1", "4.5", 3 * time.Second, time.Second},
		{"wait=60", "0", 3 * time.Second, 3 * time.Second},
		{"wait=0", "86400", 3 * time.Second, 3 * time.Second},
		{"respond-async, wait=2", "", 3 * time.Second, 2 * time.Second},
		{"wait=soon", "", 3 * time.Second, 3 * time.Second},
	} {
		w.budget.Store(int64(c.machine))
		a := w.do(entryCall("d").with("Prefer", c.prefer, "Journey-Elapsed", c.elapsed).good())
		if a.status != 201 || budget != c.want {
			t.Errorf("Prefer %q with %s: %d, %s, want %s", c.prefer, c.machine, a.status, budget, c.want)
		}
		if c.elapsed == "4.5" && elapsed != 4500*time.Millisecond {
			t.Errorf("elapsed %s", elapsed)
		}
	}
}

func TestPanicIsAProblemAndALogLine(t *testing.T) {
	w := newWorld(t)
	w.on(func(*Exchange) error { panic("visitor 11010519491231002X") })
	a := w.do(entryCall("p").good())
	if slug, _ := a.problem(); a.status != 500 || slug != "internal" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	w.on(func(*Exchange) error { var m map[string]int; m["x"] = 1; return nil })
	w.do(entryCall("p").good())
	logs := w.logs.String()
	if !strings.Contains(logs, "panicked") || !strings.Contains(logs, "assignment to entry in nil map") || strings.Contains(logs, "11010519491231002X") {
		t.Errorf("logs: %s", logs)
	}
	w.on(func(*Exchange) error { return nil })
	if a := w.do(entryCall("p").good()); a.status != 500 {
		t.Errorf("no answer at all: %d", a.status)
	}
	if a := w.do(get("/v1/rooms", "reader").good()); a.status != 200 {
		t.Errorf("the process goes on: %d", a.status)
	}
}

func TestRateLimits(t *testing.T) {
	w := newWorld(t, func(s *setup) {
		s.limit.Policies = []limit.Policy{
			{Name: "address", Scope: limit.ByAddress, Rate: limit.Rate{Requests: 1000, Per: time.Minute, Burst: 1000}},
			{Name: "caller", Scope: limit.ByPrincipal, Rate: limit.Rate{Requests: 1, Per: time.Hour, Burst: 2}},
		}
	})
	first := w.do(entryCall("1").good())
	if got := first.header.Get("RateLimit"); !regexp.MustCompile(`^"address";r=999;t=\d+, "caller";r=1;t=\d+$`).MatchString(got) {
		t.Errorf("RateLimit %q", got)
	}
	if first.header.Get("RateLimit-Policy") == "" {
		t.Error("RateLimit-Policy is missing")
	}
	w.do(entryCall("2").good())
	a := w.do(entryCall("3").good())
	if slug, _ := a.problem(); a.status != 429 || slug != "rate-limited" || a.header.Get("Retry-After") == "" || a.header.Get("RateLimit") == "" {
		t.Errorf("%d %s %v", a.status, a.body, a.header)
	}
	exit := entryCall("").to("/v1/attractions/west-lake/exits").with("Idempotency-Key", "", "Content-Type", "").sends("").good()
	if a := w.do(exit); a.status != 201 {
		t.Errorf("an exit is never told that it asks too often: %d %s", a.status, a.body)
	}
	if got := w.do(get("/v1/rooms", "")).header.Get("RateLimit"); !strings.HasPrefix(got, `"address"`) {
		t.Errorf("without a token the address counts: %q", got)
	}
}

func TestShedding(t *testing.T) {
	w := newWorld(t, func(s *setup) {
		s.limit.Gate = limit.GateConfig{InFlight: 1, Queue: 1, MaxWait: 20 * time.Millisecond, Target: time.Millisecond}
	})
	entered, leave := make(chan struct{}), make(chan struct{})
	w.on(func(x *Exchange) error {
		close(entered)
		<-leave
		return x.JSON(201, map[string]string{"decision": "open"})
	})
	done := make(chan *answer, 1)
	go func() { done <- w.do(entryCall("slow").good()) }()
	<-entered
	a := w.do(get("/v1/rooms", "reader").good())
	if slug, _ := a.problem(); a.status != 503 || slug != "overloaded" || a.header.Get("Retry-After") != "1" {
		t.Errorf("%d %s", a.status, a.body)
	}
	exit := entryCall("").to("/v1/attractions/west-lake/exits").with("Idempotency-Key", "", "Content-Type", "").sends("").good()
	if a := w.do(exit); a.status != 201 {
		t.Errorf("an exit is never shed: %d", a.status)
	}
	close(leave)
	if a := <-done; a.status != 201 {
		t.Errorf("%d %s", a.status, a.body)
	}
	await(t, "the room comes free again", func() bool { return w.do(get("/v1/rooms", "reader").good()).status == 200 })
	w.budget.Store(int64(40 * time.Millisecond)) // less than the shortest path
	a = w.do(entryCall("late").good())
	if slug, _ := a.problem(); a.status != 503 || slug != "overloaded" {
		t.Errorf("no time for any outcome: %d %s", a.status, a.body)
	}
	if w.serves.Load() != 1 {
		t.Errorf("%d requests reached the journey", w.serves.Load())
	}
}

// TestFrontSpeaksLikeTheEdge holds that what the front refuses is a problem document like any other, and is counted.
func TestFrontSpeaksLikeTheEdge(t *testing.T) {
	w := newWorld(t)
	for raw, want := range map[string]string{
		"GET /v1/rooms HTTP/2.0\r\nHost: a\r\nAccept-Language: en\r\n\r\n":                                         "http-version",
		"POST /v1/rooms HTTP/1.1\r\nHost: a\r\nAccept-Language: en\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n": "length-required",
		"GET /v1/%2e%2e/rooms HTTP/1.1\r\nHost: a\r\nAccept-Language: en\r\n\r\n":                                  "path-dot-segment",
	} {
		conn, err := net.Dial("tcp", w.addr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte(raw)); err != nil {
			t.Fatal(err)
		}
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		_ = conn.Close()
		a := answer{response.StatusCode, response.Header, string(body)}
		if slug, _ := a.problem(); err != nil || slug != want || a.header.Get("Content-Type") != problemMedia || a.header.Get("Content-Language") != "en" {
			t.Errorf("%q: %d %s %v", raw, a.status, a.body, err)
		}
		if !strings.Contains(w.scrape(), `warmgate_problems_total{type="`+want+`"} 1`) {
			t.Errorf("%s is not counted", want)
		}
	}
}
