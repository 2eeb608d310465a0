package edge

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"github.com/valyala/fasthttp"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/ledger/sqlite"
	"github.com/warmgate/warmgate/gateway/limit"
	"github.com/warmgate/warmgate/gateway/seal"
)

// marks are personal data and secrets that a client may send anywhere.
var marks = []string{"11010519491231002X", "ZheA12345", "LiLei", "ticket-7F3K-9Q", "secret-token-value"}

// TestNothingPersonalIsToldOrKept sends marks through every place of a request and looks for them in answers, logs and
// metrics.
func TestNothingPersonalIsToldOrKept(t *testing.T) {
	w := newWorld(t)
	for _, m := range marks {
		for _, c := range []*call{
			entryCall("a").sends(`{"scan_id":"` + m + `","colour":"` + m + `"}`),
			entryCall("a").sends(`{"scan_id":"` + m + `","people":"` + m + `"}`),
			entryCall("a").sends(`{"scan_id":"` + m + `","at":"` + m + `"}`),
			entryCall("a").sends(`{"scan_id":"` + m),
			entryCall("a").sends(m),
			entryCall("a").sends(`{"scan_id":"` + m + `"} ` + m),
			entryCall(m).sends(`{"scan_id":"` + m + `"}`),
			entryCall("a").with("Idempotency-Key", m),
			entryCall("a").with("Authorization", "Bearer "+m),
			entryCall("a").with("Authorization", m),
			entryCall("a").with("Accept-Language", m),
			entryCall("a").with("Journey-Elapsed", m),
			entryCall("a").with("Prefer", "wait="+m),
			entryCall("a").with("traceparent", m),
			entryCall("a").with("Content-Type", m),
			entryCall("a").to("/v1/attractions/" + m + "/entries"),
			get("/v1/rooms?near="+m+"&near="+m, "reader"),
			get("/v1/rooms?id="+m, "reader"),
			get("/v1/journeys/"+m, "reader"),
			get("/"+m, "reader"),
			{method: m[:5], path: "/v1/rooms", header: map[string][]string{}},
		} {
			a := w.do(c)
			for _, told := range []string{a.body, fmt.Sprint(a.header)} {
				if strings.Contains(told, m) {
					t.Errorf("%s %s told %q: %s", c.method, c.path, m, told)
				}
			}
		}
		w.on(func(*Exchange) error { return fmt.Errorf("no such visitor") })
		w.do(entryCall("a").sends(`{"scan_id":"` + m + `"}`))
		w.serve.Store(nil)
	}
	kept := w.logs.String() + w.scrape()
	if len(kept) < 1000 {
		t.Fatalf("nothing is logged or counted: %s", kept)
	}
	for _, m := range marks {
		if strings.Contains(kept, m) {
			t.Errorf("%q is in the logs or metrics", m)
		}
	}
}

// TestNamesThatClientsMakeUpStayOutOfTheLog holds that an unknown field is named to the client alone.
func TestNamesThatClientsMakeUpStayOutOfTheLog(t *testing.T) {
	w := newWorld(t)
	for _, c := range []*call{
		entryCall("a").sends(`{"scan_id":"s","LiLei":1}`),
		entryCall("a").sends(`{"LiLei":1,"LiLei":2}`),
		get("/v1/rooms?LiLei=1", "reader"),
	} {
		if _, field := w.do(c).problem(); !strings.Contains(field, "LiLei") {
			t.Errorf("the client is not told the name: %q", field)
		}
	}
	if logs := w.logs.String(); strings.Contains(logs, "LiLei") || !strings.Contains(logs, "field-unknown") {
		t.Error(logs)
	}
	w.do(entryCall("a").sends(`{"scan_id":7}`))
	if !strings.Contains(w.logs.String(), `"field":"scan_id"`) {
		t.Error("a field of ours is in the log")
	}
}

// scrape returns all metrics as text.
func (w *world) scrape() string {
	w.t.Helper()
	families, err := w.stats.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	var b bytes.Buffer
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&b, f); err != nil {
			w.t.Fatal(err)
		}
	}
	return b.String()
}

func TestMetricsAndLog(t *testing.T) {
	w := newWorld(t)
	w.do(entryCall("a").with("Journey-Elapsed", "4.5").good())
	w.do(get("/nowhere", ""))
	w.on(func(x *Exchange) error {
		w.keep(x, Earlier{Ended: true, Status: 201, Body: []byte(`{"decision":"open"}`)})
		return problemUsed.Error(gateway.Text{})
	})
	w.do(entryCall("b").good())
	w.do(entryCall("b").good())
	w.on(func(x *Exchange) error {
		w.keep(x, Earlier{Ended: true, Status: 202, Body: []byte(`{"decision":"wait"}`)})
		x.settled(202, []byte(`{"decision":"wait"}`), "", false)
		return nil
	})
	w.do(entryCall("c").good())
	w.do(entryCall("c").good()) // the same person, still waiting
	got := w.scrape()
	for _, want := range []string{
		`warmgate_requests_total{class="2xx",route="scenic-entry"} 4`,
		`warmgate_requests_total{class="4xx",route="scenic-entry"} 1`,
		`warmgate_requests_total{class="4xx",route="unknown"} 1`,
		`warmgate_journey_duration_seconds_bucket{journey="entry",venue_kind="attraction",le="5"} 3`,
		`warmgate_journey_duration_seconds_bucket{journey="entry",venue_kind="attraction",le="3"} 2`,
		`warmgate_problems_total{type="test-used"} 1`,
		`warmgate_idempotent_replays_total{route="scenic-entry"} 2`,
		`warmgate_handed_over_total{route="scenic-entry"} 1`,
		`warmgate_budget_exceeded_total{route="scenic-entry"} 0`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	logs := w.logs.String()
	for _, want := range []string{`"route":"scenic-entry","status":201`, `"venue":"west-lake"`, `"problem":"test-used"`, `"replayed":true`, `"level":"INFO"`} {
		if !strings.Contains(logs, want) {
			t.Errorf("no %s in\n%s", want, logs)
		}
	}
}

func TestLateAnswersAreCounted(t *testing.T) {
	w := newWorld(t)
	w.on(func(x *Exchange) error {
		<-time.After(x.deadline.Sub(w.now()) + time.Millisecond)
		return x.JSON(201, map[string]string{"decision": "open"})
	})
	w.budget.Store(int64(100 * time.Millisecond))
	w.do(entryCall("a").good())
	if got := w.scrape(); !strings.Contains(got, `warmgate_budget_exceeded_total{route="scenic-entry"} 1`) {
		t.Error(got)
	}
}

func TestLogSampling(t *testing.T) {
	w := newWorld(t, func(s *setup) { s.config.LogSuccess = 10 })
	for range 20 {
		w.do(get("/v1/rooms", "reader").good())
	}
	if n := strings.Count(w.logs.String(), `"route":"rooms-search"`); n != 2 {
		t.Errorf("%d lines of 20 answers, want 2", n)
	}
	w.on(func(*Exchange) error { return fmt.Errorf("broken") })
	w.do(entryCall("a").good())
	if logs := w.logs.String(); !strings.Contains(logs, `"level":"ERROR"`) || !strings.Contains(logs, `"cause":"broken"`) {
		t.Error("a fault of ours is always logged")
	}
}

func TestAnswerOfAPlan(t *testing.T) {
	w := newWorld(t)
	w.on(func(x *Exchange) error {
		r := x.Request()
		if r.ID != x.JourneyID() || r.Venue.ID != "west-lake" || r.Idempotency == nil || r.Lang != "en" || !r.Deadline.After(r.Arrived) {
			t.Errorf("request %+v", r)
		}
		x.Answer(journey.Answer{Status: 202, Body: []byte(`{}`), ID: r.ID, Assisted: true,
			Steps:   []journey.StepTime{{Step: "find", Took: time.Millisecond}},
			Sources: []gateway.Source{{System: "ticketing", State: gateway.Missing}}})
		return nil
	})
	a := w.do(entryCall("a").good())
	if a.status != 202 || a.header.Get("Location") != "/v1/journeys/"+a.header.Get("Request-Id") ||
		!strings.HasPrefix(a.header.Get("Server-Timing"), "find;dur=1, total") || a.header.Get("Cache-Status") != "ticketing;fwd=miss;detail=missing" {
		t.Errorf("%d %v", a.status, a.header)
	}
	w.on(func(x *Exchange) error {
		x.Answer(Refusal(problemUsed.Error(gateway.Text{}).WithRetryAfter(time.Second), x.Lang(), x.JourneyID()))
		return nil
	})
	a = w.do(entryCall("b").good())
	if a.status != 409 || !strings.Contains(a.body, `"instance":"/v1/journeys/`+a.header.Get("Request-Id")) || a.header.Get("Retry-After") != "1" {
		t.Errorf("%d %s", a.status, a.body)
	}
	for err, want := range map[error]string{journey.ErrKeyReused: "idempotency-key-reused", journey.ErrKeyRunning: "request-running"} {
		w.on(func(*Exchange) error { return fmt.Errorf("cannot run: %w", err) })
		if slug, _ := w.do(entryCall("c").good()).problem(); slug != want {
			t.Errorf("%v became %s", err, slug)
		}
	}
}

func TestEarlierInALedger(t *testing.T) {
	ctx := context.Background()
	store, err := sqlite.Open(filepath.Join(t.TempDir(), "ledger.db"), sqlite.Config{})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := seal.OpenFile(filepath.Join(t.TempDir(), "keys"))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Truncate(time.Millisecond)
	l, err := ledger.Open(ctx, store, ledger.Config{}, keys, slog.New(slog.DiscardHandler), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	box, err := keys.NewBox()
	if err != nil {
		t.Fatal(err)
	}
	scope, payload := testHash("scope"), testHash("payload")
	earlier := EarlierIn(l)
	look := func() (Earlier, bool) {
		t.Helper()
		e, found, err := earlier(ctx, scope)
		if err != nil {
			t.Fatal(err)
		}
		return e, found
	}
	if _, found := look(); found {
		t.Fatal("there is none yet")
	}
	commit := func(f work) {
		t.Helper()
		if err := l.Commit(ctx, f); err != nil {
			t.Fatal(err)
		}
	}
	commit(func(tx *ledger.Tx) error {
		_, _, err := tx.BeginIdempotency(ledger.Idempotency{Scope: scope[:], Payload: payload[:], Run: "run-1", Key: box.Wrapped(),
			LeaseUntil: now.Add(time.Second), ExpiresAt: now.Add(time.Hour)})
		return err
	})
	if e, found := look(); !found || e.Ended || e.Payload != payload || !e.LeaseUntil.Equal(now.Add(time.Second)) {
		t.Errorf("running: %+v %t", e, found)
	}
	commit(func(tx *ledger.Tx) error {
		return tx.EndIdempotency(scope[:], "run-1", 201, box.Seal([]byte(`{"decision":"open"}`), "answer"), now.Add(time.Hour))
	})
	if e, found := look(); !found || !e.Ended || e.Status != 201 || e.Run != "run-1" || string(e.Body) != `{"decision":"open"}` {
		t.Errorf("ended: %+v %t", e, found)
	}
	now = now.Add(2 * time.Hour)
	if e, found := look(); found {
		t.Errorf("its time is over: %+v", e)
	}
}

// work makes a ledger.Work of a function.
type work func(tx *ledger.Tx) error

func (w work) Apply(tx *ledger.Tx) error { return w(tx) }

// TestAllocations bounds what the edge itself costs a request, from the route to the answer's headers.
func TestAllocations(t *testing.T) {
	if raced {
		t.Skip("the race detector allocates")
	}
	s, ctx := bare(t)
	n := testing.AllocsPerRun(200, func() {
		ctx.Response.Reset()
		s.handle(ctx)
	})
	if ctx.Response.StatusCode() != 200 {
		t.Fatal(ctx.Response.String())
	}
	t.Logf("%.0f allocations", n)
	if n > maxAllocs {
		t.Errorf("%.0f allocations, at most %d are right", n, maxAllocs)
	}
}

const maxAllocs = 2 // the path parameter and the test's own verifier

func BenchmarkHandle(b *testing.B) {
	s, ctx := bare(b)
	b.ReportAllocs()
	for b.Loop() {
		ctx.Response.Reset()
		s.handle(ctx)
	}
}

// BenchmarkShed is what turning a request away costs, with its problem document.
func BenchmarkShed(b *testing.B) {
	s, ctx := bare(b)
	s.deps.Gate = fullGate{}
	b.ReportAllocs()
	for b.Loop() {
		ctx.Response.Reset()
		s.handle(ctx)
	}
}

// fullGate has room for nothing.
type fullGate struct{}

func (fullGate) Acquire(limit.Priority, time.Time, time.Time, time.Duration) (limit.Slot, error) {
	return limit.Slot{}, limit.ProblemOverloaded.Error(gateway.Text{}).WithRetryAfter(time.Second).WithCause(limit.ShedFull)
}

// bare returns an edge without sockets, whose log is off, and a request for its trivial route.
func bare(t testing.TB) (*Server, *fasthttp.RequestCtx) {
	t.Helper()
	document, err := Merge([]byte(`{ paths: { "/v1/things/{spot}": { get: { operationId: thing, responses: {} } } } }`))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{}
	w.stats = prometheus.NewRegistry()
	deps := w.deps(document, limit.Config{})
	deps.Logger = slog.New(slog.DiscardHandler)
	body := []byte("{}")
	config := Defaults()
	config.Budget = maxBudget // the request is as old as the benchmark
	s, err := New(config, deps, []Route{{Method: "GET", Path: "/v1/things/{spot}", Name: "thing", Priority: limit.Normal, Venue: "spot", VenueKind: "attraction",
		Serve: func(x *Exchange) error { x.Raw(200, jsonMedia, body); return nil }}})
	if err != nil {
		t.Fatal(err)
	}
	var ctx fasthttp.RequestCtx
	var r fasthttp.Request
	r.Header.SetMethod("GET")
	r.SetRequestURI("/v1/things/west-lake")
	r.Header.Set("Authorization", "Bearer gate")
	r.Header.Set("Accept-Language", "zh-CN,zh;q=0.9,en;q=0.8")
	r.Header.Set("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	ctx.Init(&r, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, nil)
	return s, &ctx
}
