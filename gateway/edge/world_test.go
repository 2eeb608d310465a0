package edge

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/auth"
	"github.com/warmgate/warmgate/gateway/edge/edgetest"
	"github.com/warmgate/warmgate/gateway/limit"
)

//go:embed testdata/api.yaml
var apiFragment []byte

// entryIn is a body like a flow's.
type entryIn struct {
	ScanID  string    `json:"scan_id"`
	Gate    string    `json:"gate"`
	People  int       `json:"people"`
	At      time.Time `json:"at"`
	Tickets []struct {
		Code string `json:"code"`
	} `json:"tickets"`
}

var problemUsed = &gateway.Problem{Type: "test-used", Kind: gateway.Conflict, Title: gateway.Text{Zh: "已使用", En: "Used"}}

// world is an edge on a real socket, with tokens, venues and earlier requests that a test controls.
type world struct {
	t      *testing.T
	url    string
	addr   string
	server *Server
	client *http.Client
	logs   *safeBuffer
	stats  *prometheus.Registry

	serve   atomic.Pointer[func(x *Exchange) error] // of scenic-entry
	serves  atomic.Int64
	budget  atomic.Int64
	mu      sync.Mutex
	earlier map[[32]byte]Earlier
	failing error                         // of the look for earlier requests
	changed map[string]*gateway.Principal // tokens that are not what they were; nil: revoked

	stream  atomic.Pointer[func(s *Stream)]           // of watch
	looking atomic.Pointer[func(ctx context.Context)] // while an earlier request is looked for
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// tokens are whom the world knows.
var tokens = map[string]gateway.Principal{
	"gate":   {Issuer: "i", Subject: "gate-7", Tenant: "hangzhou", Scopes: []string{"scenic:gate"}, Venues: []string{"west-lake"}},
	"both":   {Issuer: "i", Subject: "gate-3", Tenant: "hangzhou", Scopes: []string{"scenic:gate"}, Venues: []string{"*"}},
	"gate-2": {Issuer: "i", Subject: "gate-8", Tenant: "hangzhou", Scopes: []string{"scenic:gate"}, Venues: []string{"west-lake"}},
	"other":  {Issuer: "i", Subject: "gate-9", Tenant: "hangzhou", Scopes: []string{"scenic:gate"}, Venues: []string{"lingyin"}},
	"far":    {Issuer: "i", Subject: "gate-1", Tenant: "suzhou", Scopes: []string{"scenic:gate"}, Venues: []string{"*"}},
	"reader": {Issuer: "i", Subject: "app", Tenant: "hangzhou", Scopes: []string{"rooms:read"}, Venues: []string{"*"}},
	"staff":  {Issuer: "i", Subject: "li", Tenant: "hangzhou", Scopes: []string{"staff:assist"}, Venues: []string{"*"}},
}

// Verify makes the world an edge's Verifier.
func (w *world) Verify(token []byte, _ netip.Addr, _ time.Time) (*gateway.Principal, error) {
	w.mu.Lock()
	changed, is := w.changed[string(token)]
	w.mu.Unlock()
	if is && changed == nil {
		return nil, auth.ProblemTokenRevoked.Error(gateway.Text{}).WithCause(auth.ClassRevoked)
	}
	if is {
		return changed, nil
	}
	p, ok := tokens[string(token)]
	if !ok {
		return nil, auth.ProblemTokenInvalid.Error(gateway.Text{}).WithCause(auth.ClassSignature)
	}
	return &p, nil
}

var venues = map[string]*gateway.Venue{
	"west-lake": {ID: "west-lake", Kind: "attraction", Tenant: "hangzhou"},
	"lingyin":   {ID: "lingyin", Kind: "attraction", Tenant: "hangzhou"},
	"grand":     {ID: "grand", Kind: "hotel", Tenant: "hangzhou"},
}

// testHash stands for the keyed hash.
func testHash(domain string, parts ...[]byte) [32]byte {
	h := sha256.New()
	fmt.Fprintf(h, "%q%q", domain, parts)
	return [32]byte(h.Sum(nil))
}

type setup struct {
	looks  bool // scenic-entry's plan looks for earlier requests itself
	config Config
	limit  limit.Config
}

func newWorld(t *testing.T, change ...func(*setup)) *world {
	t.Helper()
	set := setup{config: Defaults()}
	for _, f := range change {
		f(&set)
	}
	w := &world{t: t, logs: &safeBuffer{}, earlier: map[[32]byte]Earlier{}, changed: map[string]*gateway.Principal{}, stats: prometheus.NewRegistry()}
	w.budget.Store(int64(800 * time.Millisecond))
	document, err := Merge(apiFragment)
	if err != nil {
		t.Fatal(err)
	}
	routes := w.routes()
	routes[0].Looks = set.looks
	w.server, err = New(set.config, w.deps(document, set.limit), routes)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- w.server.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := w.server.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	w.addr = ln.Addr().String()
	w.url = "http://" + w.addr
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	w.client = &http.Client{Transport: edgetest.New(t, document, transport), Timeout: 5 * time.Second}
	return w
}

func (w *world) deps(document []byte, l limit.Config) Deps {
	return Deps{
		Verifier: w, Limiter: limit.New(l, w.now()), Gate: limit.NewGate(l.Gate),
		Venues: func(id string) *gateway.Venue { return venues[id] }, Hash: testHash, Earlier: w.lookup,
		Problems: []*gateway.Problem{problemUsed},
		Document: document, Metrics: w.stats, Now: w.now,
		Logger: slog.New(slog.NewJSONHandler(w.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

// now is a clock that is far from the system's.
func (w *world) now() time.Time { return time.Now().Add(-1000 * time.Hour) }

// turn makes a token one of p; nil: revoked.
func (w *world) turn(token string, p *gateway.Principal) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changed[token] = p
}

func (w *world) lookup(ctx context.Context, scope [32]byte) (Earlier, bool, error) {
	if f := w.looking.Load(); f != nil {
		(*f)(ctx)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	e, ok := w.earlier[scope]
	return e, ok, w.failing
}

// keep plays the journey's part: the record of x's key begins as e.
func (w *world) keep(x *Exchange, e Earlier) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e.Payload = x.idem.Payload
	w.earlier[x.idem.Scope] = e
}

func (w *world) routes() []Route {
	timing := func() time.Duration { return time.Duration(w.budget.Load()) }
	shortest := func() time.Duration { return 50 * time.Millisecond }
	answer := func(x *Exchange) error { return x.JSON(200, map[string]string{}) }
	return []Route{
		{Method: "POST", Path: "/v1/attractions/{spot}/entries", Name: "scenic-entry", Scope: "scenic:gate", Venue: "spot", VenueKind: "attraction",
			Idempotent: true, Journey: "entry", Priority: limit.Critical, Budget: timing, Shortest: shortest, Serve: w.entry},
		{Method: "POST", Path: "/v1/attractions/{spot}/exits", Name: "scenic-exit", Scope: "scenic:gate", Venue: "spot", VenueKind: "attraction",
			Journey: "exit", Priority: limit.NeverShed, Budget: timing, Shortest: shortest,
			Serve: func(x *Exchange) error { return x.JSON(201, map[string]string{}) }},
		{Method: "GET", Path: "/v1/rooms", Name: "rooms-search", Scope: "rooms:read", Query: []string{"near", "radius"}, Priority: limit.Low, Serve: answer},
		{Method: "GET", Path: "/v1/journeys/{id}", Name: "journey", Priority: limit.Normal, Serve: answer},
		{Method: "GET", Path: "/v1/watch", Name: "watch", Scope: "staff:assist", Priority: limit.High, Serve: func(x *Exchange) error {
			last, err := x.LastEventID()
			if err != nil {
				return err
			}
			return x.Stream(func(s *Stream) {
				if f := w.stream.Load(); f != nil {
					(*f)(s)
					return
				}
				_ = s.Event("1", "assist", []byte(`{"last":"`+last+`"}`))
				for s.Wait(nil) {
				}
			})
		}},
	}
}

// entry decodes and opens, unless the test has its own way.
func (w *world) entry(x *Exchange) error {
	w.serves.Add(1)
	if f := w.serve.Load(); f != nil {
		return (*f)(x)
	}
	var in entryIn
	if err := x.Decode(&in); err != nil {
		return err
	}
	return x.JSON(201, map[string]string{"decision": "open"})
}

func (w *world) on(f func(x *Exchange) error) { w.serve.Store(&f) }

// call is a request in the making.
type call struct {
	method, path, body string
	header             http.Header
	valid              bool
}

// entryCall returns a good entry under a key of its own.
func entryCall(key string) *call {
	return (&call{method: "POST", path: "/v1/attractions/west-lake/entries", body: `{"scan_id":"s1"}`, header: http.Header{}}).
		with("Authorization", "Bearer gate", "Idempotency-Key", `"`+key+`"`, "Content-Type", "application/json", "Accept-Language", "en")
}

func get(path, token string) *call {
	c := &call{method: "GET", path: path, header: http.Header{}}
	if token != "" {
		c.with("Authorization", "Bearer "+token)
	}
	return c.with("Accept-Language", "en")
}

// with sets headers; an empty value takes one away.
func (c *call) with(pairs ...string) *call {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			c.header.Del(pairs[i])
		} else {
			c.header[http.CanonicalHeaderKey(pairs[i])] = []string{pairs[i+1]}
		}
	}
	return c
}

func (c *call) sends(body string) *call { c.body = body; return c }

func (c *call) to(path string) *call { c.path = path; return c }

// good says that the request is right too, so it is held against the document.
func (c *call) good() *call { c.valid = true; return c }

type answer struct {
	status int
	header http.Header
	body   string
}

// problem returns the slug and the field of a problem document.
func (a *answer) problem() (slug, field string) {
	var p struct {
		Type  string `json:"type"`
		Field string `json:"field"`
	}
	_ = json.Unmarshal([]byte(a.body), &p)
	return strings.TrimPrefix(p.Type, "/problems/"), p.Field
}

func (w *world) do(c *call) *answer {
	w.t.Helper()
	r, err := http.NewRequest(c.method, w.url+c.path, strings.NewReader(c.body))
	if err != nil {
		w.t.Fatal(err)
	}
	if c.body == "" {
		r.Body = http.NoBody
	}
	r.Header = c.header.Clone()
	if !c.valid {
		r = edgetest.Invalid(r)
	}
	response, err := w.client.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return &answer{response.StatusCode, response.Header, string(body)}
}
