package serve

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/auth"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/limit"
)

// TestMain looks for goroutines that are left. Two are fasthttp's own, which only sleep.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"))
}

// stall is a small journey of the tests: a stall sells a word.
type stall struct {
	mu        sync.Mutex
	connected map[string]int // by venue
	closed    map[string]int
	instances map[string]*call.Instance
	scales    bool // it has a second role
	plan      *journey.Live[string, string]
	worked    chan *gateway.Venue // what Work saw of the first venue
	stubborn  chan struct{}       // Work does not end before it is closed; nil: with its context
	meanwhile func()              // happens once, while a venue is connected; nil: nothing does
}

type stallSettings struct {
	Word string `yaml:"word"`
}

// Validate refuses a stall without a word.
func (s *stallSettings) Validate() error {
	if s.Word == "" {
		return &gateway.FieldError{Path: "word", Message: "must not be empty"}
	}
	return nil
}

const stallDocument = `paths:
  /v1/stalls/{stall}:
    get:
      operationId: stall
      summary: The word
      security:
        - bearer: ["stall:read"]
      parameters:
        - { name: stall, in: path, required: true, schema: { type: string } }
      responses:
        default: { $ref: "#/components/responses/Problem" }
`

func newStall(t *testing.T) *stall {
	s := &stall{connected: map[string]int{}, closed: map[string]int{}, instances: map[string]*call.Instance{}, worked: make(chan *gateway.Venue, 1)}
	ask := call.NewRead("till.word", call.ReadSpec[string, string]{})
	keep := &ledger.Decision[string, string]{Name: "stall.keep", Run: func(_ *ledger.Tx, a string) (string, error) { return a, nil }}
	unanswered := &gateway.Problem{Type: "till-silent", Kind: gateway.Unavailable, Title: gateway.Text{Zh: "没有回应", En: "No answer"}}
	plan, err := journey.Define("stall-word", func(b *journey.Builder, in journey.Ref[string]) journey.Ref[string] {
		return journey.Record(b, "keep", keep, journey.Ask(b, "ask", ask, in, journey.Refuse(unanswered)))
	})
	if err != nil {
		t.Fatal(err)
	}
	s.plan = journey.NewLive(plan)
	return s
}

func (s *stall) flow() *flow.Flow {
	roles := map[string]map[string]flow.Connect{"till": {"drawer": s.connect, "box": s.connect}}
	if s.scales {
		roles["scales"] = map[string]flow.Connect{"brass": s.connect}
	}
	return &flow.Flow{
		Name: "stall", Plans: []flow.Plan{s.plan}, Steps: map[string]gateway.Text{"keep": {Zh: "记下", En: "Keep it"}}, Document: []byte(stallDocument),
		Venues: &flow.VenueKind{
			Kind: "stall",
			Settings: func(decode func(into any) error) (any, error) {
				set := &stallSettings{}
				return set, errors.Join(decode(set), set.Validate())
			},
			Roles: roles,
		},
		Routes: func(rt *flow.Runtime) []edge.Route {
			return []edge.Route{{Method: "GET", Path: "/v1/stalls/{stall}", Name: "stall", Scope: "stall:read", Venue: "stall", VenueKind: "stall",
				Priority: limit.Normal, Serve: func(x *edge.Exchange) error {
					return x.JSON(200, map[string]string{"word": x.Venue().Settings.(*stallSettings).Word})
				}}}
		},
		Work: func(ctx context.Context, rt *flow.Runtime) error {
			s.worked <- rt.Venue("one")
			<-ctx.Done()
			if s.stubborn != nil {
				<-s.stubborn
			}
			return nil
		},
	}
}

func (s *stall) connect(v *gateway.Venue, to flow.Connection, b *call.Bindings) (func(), error) {
	var options struct {
		Drawer int `yaml:"drawer"`
	}
	if err := to.Options(&options); err != nil {
		return nil, err
	}
	if options.Drawer > 3 {
		return nil, &gateway.FieldError{Path: "options.drawer", Message: "must be 0 to 3"}
	}
	_, leave, err := flow.Share(to, func() (string, error) { return "the stall's", nil }, func(string) {})
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.meanwhile != nil {
		s.meanwhile()
		s.meanwhile = nil
	}
	s.connected[v.ID]++
	s.instances[v.ID] = to.Instance
	return func() {
		leave()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.closed[v.ID]++
	}, nil
}

func (s *stall) bound(venue string) *call.Instance {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.instances[venue]
}

func (s *stall) counts(venue string) (connected, closed int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.connected[venue], s.closed[venue]
}

const goodGateway = `listen: 127.0.0.1:0
admin: 127.0.0.1:0
data: data
venues: venues
auth:
  audience: stalls
  issuers:
    - { issuer: one, algorithms: [EdDSA], keys_file: keys/token-keys.json }
limit:
  policies:
    - { name: client, scope: principal, rate: 1000, per: 1s, burst: 1000 }
flows:
  stall-word:
    journey_budget: 5s
    machine_budget: 500ms
    flush: 40ms
    overhead: 60ms
    lease: 3s
    steps:
      ask: { slice: 300ms }
`

// goodVenue is a venue's file with NAME in place of its id.
const goodVenue = `id: NAME
kind: stall
tenant: hangzhou
name: { zh: 摊位, en: A stall }
time_zone: Asia/Shanghai
connectors:
  till:
    connector: drawer
    url: ${TILL:-http://127.0.0.1:1}
    secrets:
      key: { env: TILL_KEY }
    options:
      drawer: 1
settings:
  word: hello
`

// world is a folder of configuration, and a gateway on it once it is opened.
type world struct {
	t      *testing.T
	folder string
	stall  *stall
	issuer *auth.Issuer
	log    *lockedBuffer
	g      *Gateway
	client *http.Client
	tokens map[*auth.Issuer]string
	also   []*flow.Flow // besides the stall's
	base   string
	admin  string
	end    func() error // ends Serve
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, folder: t.TempDir(), stall: newStall(t), log: &lockedBuffer{}, client: &http.Client{Timeout: 5 * time.Second},
		tokens: map[*auth.Issuer]string{}}
	w.write("gateway.yaml", goodGateway)
	w.write("venues/one.yaml", strings.ReplaceAll(goodVenue, "NAME", "one"))
	w.write("venues/two.yaml", strings.ReplaceAll(goodVenue, "NAME", "two"))
	w.issuer = w.newIssuer("keys", "one")
	return w
}

func (w *world) newIssuer(folder, name string) *auth.Issuer {
	w.t.Helper()
	dir := filepath.Join(w.folder, folder)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		w.t.Fatal(err)
	}
	i, err := auth.NewIssuer(dir, name, "stalls")
	if err != nil {
		w.t.Fatal(err)
	}
	return i
}

func (w *world) path(name string) string { return filepath.Join(w.folder, filepath.FromSlash(name)) }

func (w *world) write(name, text string) {
	w.t.Helper()
	err := os.MkdirAll(filepath.Dir(w.path(name)), 0o700)
	if err == nil {
		err = os.WriteFile(w.path(name), []byte(text), 0o600)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// edit replaces a part of a file that has to be there.
func (w *world) edit(name, from, to string) {
	w.t.Helper()
	text, err := os.ReadFile(w.path(name))
	if err != nil {
		w.t.Fatal(err)
	}
	if !strings.Contains(string(text), from) {
		w.t.Fatalf("%s has no %q", name, from)
	}
	w.write(name, strings.Replace(string(text), from, to, 1))
}

func (w *world) env(name string) (string, bool) {
	if name == "TILL_KEY" {
		return "a key", true
	}
	return "", false
}

func (w *world) flows() []*flow.Flow { return append([]*flow.Flow{w.stall.flow()}, w.also...) }

func (w *world) check() error {
	_, err := Check(w.path("gateway.yaml"), w.flows(), w.env, true)
	return err
}

// open opens the gateway and serves it until the test ends.
func (w *world) open() {
	w.t.Helper()
	g, err := Open(w.t.Context(), w.path("gateway.yaml"), Options{
		Flows: w.flows(), Env: w.env, Now: time.Now, Logger: slog.New(slog.NewTextHandler(w.log, nil)),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.g = g
	api, second := w.listen(), w.listen()
	w.base, w.admin = "http://"+api.Addr().String(), "http://"+second.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- g.Serve(ctx, api, second) }()
	w.end = sync.OnceValue(func() error {
		w.client.CloseIdleConnections()
		cancel()
		return errors.Join(<-served, g.Close(context.Background()))
	})
	w.t.Cleanup(func() {
		if err := w.end(); err != nil {
			w.t.Error(err)
		}
	})
}

func (w *world) listen() net.Listener {
	w.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	return ln
}

// token returns the issuer's token of this test: another one each time would be too many that were never seen.
func (w *world) token(i *auth.Issuer) string {
	w.t.Helper()
	if token, ok := w.tokens[i]; ok {
		return token
	}
	token, err := i.Mint(auth.Grant{Subject: "tester", Tenant: "hangzhou", Scopes: []string{"stall:read"}, Venues: []string{"*"}, TTL: time.Minute}, time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	w.tokens[i] = token
	return token
}

// get asks with a token of the issuer; nil: without one.
func (w *world) get(url string, i *auth.Issuer) (int, string, http.Header) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if i != nil {
		req.Header.Set("Authorization", "Bearer "+w.token(i))
	}
	resp, err := w.client.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, string(body), resp.Header
}

// word asks what a stall says.
func (w *world) word(stall string) string {
	w.t.Helper()
	status, body, _ := w.get(w.base+"/v1/stalls/"+stall, w.issuer)
	return fmt.Sprint(status, " ", body)
}

// metric reports whether a scrape has the line.
func (w *world) metric(line string) bool {
	w.t.Helper()
	status, body, _ := w.get(w.admin+"/metrics", nil)
	if status != http.StatusOK {
		w.t.Fatalf("a scrape: %d %s", status, body)
	}
	return slices.Contains(strings.Split(body, "\n"), line)
}

// await polls until ok, some two thousand times at most.
func (w *world) await(what string, ok func() bool) {
	w.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for looks := 0; !ok(); looks++ { // counted, since a machine that stands still for seconds gives nobody time
		if looks == 2000 {
			w.t.Fatalf("still not: %s\n%s", what, w.log)
		}
		<-tick.C
	}
}
