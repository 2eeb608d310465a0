package edge

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/limit"
)

// build builds an edge of routes over the document of a fragment, and returns what New says.
func build(t *testing.T, fragment string, routes []Route, problems ...*gateway.Problem) error {
	t.Helper()
	document, err := Merge([]byte(fragment))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, earlier: map[[32]byte]Earlier{}, logs: &safeBuffer{}, stats: prometheus.NewRegistry()}
	deps := w.deps(document, limit.Config{})
	deps.Problems = problems
	deps.Logger = slog.New(slog.DiscardHandler)
	_, err = New(Defaults(), deps, routes)
	return err
}

// TestRoutesThatMustNotStart holds what New refuses, each with its reason.
func TestRoutesThatMustNotStart(t *testing.T) {
	serve := func(x *Exchange) error { return nil }
	get := func(name, path string) Route {
		return Route{Method: "GET", Path: path, Name: name, Priority: limit.Low, Serve: serve}
	}
	change := func(r Route, f func(*Route)) Route { f(&r); return r }
	at := func() time.Duration { return time.Second }
	for _, c := range []struct {
		wants  string
		routes []Route
	}{
		{"has no name", []Route{get("", "/a")}},
		{"two routes are called a", []Route{get("a", "/a"), get("a", "/b")}},
		{"two routes are called openapi", []Route{get("openapi", "/a")}},
		{"clash", []Route{get("a", "/a/{x}"), get("b", "/a/{x}")}},
		{"calls the parameter {y} here {x}", []Route{get("a", "/a/{x}"), get("b", "/a/{y}/b")}},
		{"parameter x is there twice", []Route{get("a", "/{x}/{x}")}},
		{"at most 4 parameters", []Route{get("a", "/{a}/{b}/{c}/{d}/{e}")}},
		{"is not a segment", []Route{get("a", "/a//b")}},
		{"is not a parameter", []Route{get("a", "/a/{b")}},
		{"does not begin with a slash", []Route{get("a", "a")}},
		{"Serve is missing", []Route{{Method: "GET", Path: "/a", Name: "a"}}},
		{"is not GET", []Route{change(get("a", "/a"), func(r *Route) { r.Method = "get" })}},
		{"only a POST takes an idempotency key", []Route{change(get("a", "/a"), func(r *Route) { r.Idempotent = true })}},
		{"an idempotency key needs a principal", []Route{{Method: "POST", Path: "/a", Name: "a", Priority: limit.Low, Serve: serve, Public: true, Idempotent: true}}},
		{"wants the scope", []Route{change(get("a", "/a"), func(r *Route) { r.Public, r.Scope = true, "s" })}},
		{"VenueKind go together", []Route{change(get("a", "/a/{v}"), func(r *Route) { r.Venue = "v" })}},
		{"has no parameter {v}", []Route{change(get("a", "/a"), func(r *Route) { r.Venue, r.VenueKind = "v", "k" })}},
		{"Budget and Shortest go together", []Route{change(get("a", "/a"), func(r *Route) { r.Budget = at })}},
		{"priority 9 is unknown", []Route{change(get("a", "/a"), func(r *Route) { r.Priority = 9 })}},
		{"it has no Priority", []Route{change(get("a", "/a"), func(r *Route) { r.Priority = 0 })}},
		{"query parameter q is there twice", []Route{change(get("a", "/a"), func(r *Route) { r.Query = []string{"q", "q"} })}},
		{"is not a name", []Route{change(get("a", "/a"), func(r *Route) { r.Query = []string{"q=1"} })}},
		{"is not in the OpenAPI document", []Route{get("a", "/a")}},
	} {
		if err := build(t, "paths: {}", c.routes); err == nil || !strings.Contains(err.Error(), c.wants) {
			t.Errorf("want %q, got %v", c.wants, err)
		}
	}
}

func TestRoutesAgreeWithTheDocument(t *testing.T) {
	const fragment = `
paths:
  /a/{x}:
    parameters:
      - { name: x, in: path, required: true, schema: { type: string } }
    post:
      operationId: a
      security: [{ bearer: [s] }]
      parameters:
        - { name: q, in: query, schema: { type: string } }
        - $ref: "#/components/parameters/IdempotencyKey"
      responses: { default: { $ref: "#/components/responses/Problem" } }
`
	good := Route{Method: "POST", Path: "/a/{x}", Name: "a", Scope: "s", Query: []string{"q"}, Idempotent: true, Priority: limit.Low,
		Serve: func(x *Exchange) error { return nil }}
	if err := build(t, fragment, []Route{good}); err != nil {
		t.Fatal(err)
	}
	for wants, change := range map[string]func(*Route){
		`its operationId is "a"`: func(r *Route) { r.Name = "b" },
		"query parameters []":    func(r *Route) { r.Query = nil },
		"Idempotent is false":    func(r *Route) { r.Idempotent = false },
		`needs the scope "t"`:    func(r *Route) { r.Scope = "t" },
		"Public is true":         func(r *Route) { r.Scope, r.Public, r.Idempotent = "", true, false },
		"a (POST /a/{x}) is in the OpenAPI document and has no route": func(r *Route) { r.Method, r.Idempotent = "PUT", false },
	} {
		r := good
		change(&r)
		if err := build(t, fragment, []Route{r}); err == nil || !strings.Contains(err.Error(), wants) {
			t.Errorf("want %q, got %v", wants, err)
		}
	}
}

func TestMergeRefuses(t *testing.T) {
	for fragment, wants := range map[string]string{
		"paths: { /problems: {} }":                   "/problems is there twice",
		"components: { schemas: { Problem: {} } }":   "schemas.Problem is there twice",
		"components: { securitySchemes: { x: {} } }": "may be in the base document only",
		"info: { title: x }":                         "may be in the base document only",
		"paths: []":                                  "paths is not an object",
		"components: []":                             "components is not an object",
		"paths: { /a: {}, /a: {} }":                  "already defined",
		"paths: {":                                   "cannot read fragment 1",
	} {
		if _, err := Merge([]byte(fragment)); err == nil || !strings.Contains(err.Error(), wants) {
			t.Errorf("%s: want %q, got %v", fragment, wants, err)
		}
	}
	a, err := Merge(apiFragment)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if b, err := Merge(apiFragment); err != nil || string(a) != string(b) {
			t.Fatal("the document differs from one start to the next")
		}
	}
}

func TestProblemsAreUnique(t *testing.T) {
	twin := *ProblemFieldUnknown
	for wants, problems := range map[string][]*gateway.Problem{
		"two problems have the type field-unknown": {&twin},
		"has no title":         {{Type: "x", Title: gateway.Text{En: "x"}}},
		"is not in lower-case": {{Type: "X", Title: gateway.Text{En: "x", Zh: "x"}}},
	} {
		if err := build(t, "paths: {}", nil, problems...); err == nil || !strings.Contains(err.Error(), wants) {
			t.Errorf("want %q, got %v", wants, err)
		}
	}
	if err := build(t, "paths: {}", nil, problemUsed, problemUsed); err != nil {
		t.Errorf("the same problem may come from two rooms: %v", err)
	}
}

func TestPages(t *testing.T) {
	w := newWorld(t)
	doc := w.do(get("/openapi.json", "").good())
	if doc.status != 200 || !strings.Contains(doc.body, `"operationId":"scenic-entry"`) || !strings.Contains(doc.body, `"openapi":"3.1.0"`) {
		t.Fatalf("%d %.200s", doc.status, doc.body)
	}
	if a := w.do(get("/openapi.json", "").with("If-None-Match", `"x", W/`+doc.header.Get("ETag")).good()); a.status != 304 || a.body != "" {
		t.Errorf("%d %q", a.status, a.body)
	}
	all := w.do(get("/problems", "").good())
	var catalogue struct{ Problems []entry }
	if err := json.Unmarshal([]byte(all.body), &catalogue, json.MatchCaseInsensitiveNames(true)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"internal", "venue-unknown", "field-unknown", "body-too-large", "overloaded", "test-used"} {
		if !slices.ContainsFunc(catalogue.Problems, func(e entry) bool { return e.Type == "/problems/"+want }) {
			t.Errorf("the catalogue has no %s", want)
		}
	}
	for _, e := range catalogue.Problems { // the type of every problem is a page
		if a := w.do(get(e.Type, "").good()); a.status != 200 {
			t.Errorf("%s: %d", e.Type, a.status)
		}
	}
	if a := w.do(get("/problems/internal", "").with("Accept", "text/html,*/*").good()); !strings.Contains(a.body, "<table>") || a.header.Get("Content-Security-Policy") != catalogueCSP {
		t.Errorf("%s", a.body)
	}
	if a := w.do(get("/problems/nothing", "").good()); a.status != 404 {
		t.Errorf("%d", a.status)
	}
}

func TestDocsNeedNoOtherHost(t *testing.T) {
	w := newWorld(t)
	page := w.do(get("/docs", ""))
	csp := page.header.Get("Content-Security-Policy")
	if page.status != 200 || !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "script-src 'self' 'unsafe") || strings.Contains(csp, "http") {
		t.Fatalf("%d, policy %s", page.status, csp)
	}
	if n := strings.Count(page.body, "<script>"); n == 0 || strings.Count(csp, "'sha256-")-strings.Count(page.body, "<style>") != n {
		t.Errorf("%d inline scripts, policy %s", n, csp)
	}
	for part := range strings.SplitSeq(page.body, `"`) {
		if strings.HasPrefix(part, "http") && part != "http://" && part != "https://" {
			t.Errorf("the page names %s", part)
		}
		if strings.HasPrefix(part, "/docs/") && strings.Contains(part, ".") {
			if a := w.do(get(part, "")); a.status != http.StatusOK || len(a.body) == 0 || a.header.Get("ETag") != "" {
				t.Errorf("%s: %d", part, a.status)
			}
		}
	}
	if a := w.do(get("/docs/nothing", "")); a.status != 404 || a.header.Get("Content-Type") != problemMedia {
		t.Errorf("%d", a.status)
	}
}

func TestConfig(t *testing.T) {
	if err := Defaults().Validate(); err != nil {
		t.Fatal(err)
	}
	err := Config{Language: "fr", Budget: time.Hour, Overhead: time.Hour}.Validate()
	for _, want := range []string{"language: ", "budget: ", "overhead: ", "streams: ", "heartbeat: ", "log_success: ", "front.head_limit: "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in: %v", want, err)
		}
	}
}
