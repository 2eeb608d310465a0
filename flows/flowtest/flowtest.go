// Package flowtest starts a whole gateway and a whole city inside a test: real sockets, a real ledger, twins with dials,
// and a client whose every exchange is held against the API's description.
package flowtest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/warmgate/warmgate/backends/octo"
	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/gateway/auth"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/edge/edgetest"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/ledger/ledgertest"
	"github.com/warmgate/warmgate/gateway/ledger/sqlite"
	"github.com/warmgate/warmgate/gateway/serve"
)

// City is a city with one gateway in front of it.
type City struct {
	T       testing.TB
	URL     string // of the API
	Admin   string // of the second listener
	Twins   *twin.City
	Tickets map[string]*octo.Twin // by venue
	Ledger  *ledgertest.Faulty
	Folder  string

	Gateway *serve.Gateway
	issuer  *auth.Issuer
	client  *http.Client
	logs    *lockedWriter
	stop    context.CancelFunc
	served  chan error
	flows   []*flow.Flow
	level   slog.Level
}

// Spot is an attraction of the city.
type Spot struct {
	ID       string
	Settings string // YAML, indented by two spaces; "" for DefaultSettings
}

// DefaultSettings are those of a spot that says nothing.
const DefaultSettings = `  prewarm: { every: 1s, max_age: 1h }
  capacity: 1000
  gates: [north-1, north-2, south-1]
  products:
    - { id: entry, entries: 1 }
    - { id: boat, entries: 3 }
`

// APIKey is the twins' credential.
const APIKey = "a-key-for-twins"

// Options change what Start does. The zero value changes nothing.
type Options struct {
	Gateway func(file string) string // the text of gateway.yaml, from the usual one
	Before  func(c *City)            // is called once the twins are there, before the gateway starts
	Quiet   bool                     // no answer has a line in the log: warnings are what is logged
}

// Start starts a city of spots with the given journeys in front of it.
func Start(t testing.TB, flows []*flow.Flow, spots ...Spot) *City {
	t.Helper()
	return Options{}.Start(t, flows, spots...)
}

// Start is the function Start with options.
func (o Options) Start(t testing.TB, flows []*flow.Flow, spots ...Spot) *City {
	t.Helper()
	c := &City{T: t, Folder: folder(t), Tickets: map[string]*octo.Twin{}, logs: &lockedWriter{}, flows: flows, level: slog.LevelDebug}
	if o.Quiet {
		c.level = slog.LevelWarn
	}
	var err error
	if c.Twins, err = twin.NewCity(twin.Config{Seed: 1}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Twins.Close() })
	if c.issuer, err = auth.NewIssuer(c.Folder, "https://id.city.example", "warmgate"); err != nil {
		t.Fatal(err)
	}
	file := fmt.Sprintf(gatewayFile, c.Folder+"/data", c.issuer.KeysFile()) + budgets(flows)
	if o.Gateway != nil {
		file = o.Gateway(file)
	}
	c.Write("gateway.yaml", file)
	for _, s := range spots {
		c.AddSpot(s)
	}
	if o.Before != nil {
		o.Before(c)
	}
	c.Run()
	t.Cleanup(c.Stop)
	return c
}

// folder is where the city's files are: in memory where the tests are to be short, so that they don't wait for a disk.
func folder(t testing.TB) string {
	t.Helper()
	if testing.Short() {
		if memory, err := os.MkdirTemp("/dev/shm", "warmgate-test"); err == nil { //nolint:usetesting // in memory
			t.Cleanup(func() { _ = os.RemoveAll(memory) })
			return memory
		}
	}
	return t.TempDir()
}

// AddSpot opens a ticketing office and writes the file of its spot.
func (c *City) AddSpot(s Spot) {
	c.T.Helper()
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		c.T.Fatal(err)
	}
	desk, err := octo.NewTwin(octo.TwinConfig{Supplier: s.ID + "-tickets", APIKey: APIKey, Seed: 1, Clock: time.Now, Location: zone,
		Products: octo.DefaultProducts()})
	if err != nil {
		c.T.Fatal(err)
	}
	if err := c.Twins.Add("octo", s.ID, desk); err != nil {
		c.T.Fatal(err)
	}
	c.Tickets[s.ID] = desk
	if s.Settings == "" {
		s.Settings = DefaultSettings
	}
	c.WriteSpot(s)
}

// WriteSpot writes a spot's file anew, for a reload.
func (c *City) WriteSpot(s Spot) {
	c.T.Helper()
	c.Write("venues/"+s.ID+".yaml", fmt.Sprintf(venueFile, s.ID, c.Twins.URL("octo", s.ID), s.ID, s.Settings))
}

// Write writes a file of the gateway's, by its name below the city's folder.
func (c *City) Write(name, text string) {
	c.T.Helper()
	path := filepath.Join(c.Folder, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		c.T.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		c.T.Fatal(err)
	}
}

// Run starts the gateway, again after Stop.
func (c *City) Run() {
	c.T.Helper()
	logger := slog.New(slog.NewJSONHandler(c.logs, &slog.HandlerOptions{Level: c.level}))
	var err error
	c.Gateway, err = serve.Open(context.Background(), filepath.Join(c.Folder, "gateway.yaml"), serve.Options{
		Flows: c.flows, Env: env, Logger: logger, Now: time.Now,
		Store: func(path string, cfg sqlite.Config) (ledger.Store, error) {
			store, err := sqlite.Open(path, cfg)
			if err != nil {
				return nil, err
			}
			c.Ledger = ledgertest.Wrap(store)
			return c.Ledger, nil
		},
	})
	if err != nil {
		c.T.Fatal(err)
	}
	api, admin := listen(c.T), listen(c.T)
	c.URL, c.Admin = "http://"+api.Addr().String(), "http://"+admin.Addr().String()
	var ctx context.Context
	ctx, c.stop = context.WithCancel(context.Background())
	c.served = make(chan error, 1)
	go func() { c.served <- c.Gateway.Serve(ctx, api, admin) }()
	c.client = &http.Client{Transport: edgetest.New(c.T, c.document(), &http.Transport{MaxIdleConnsPerHost: 64}), Timeout: 30 * time.Second}
}

func env(name string) (string, bool) {
	if name == "OCTO_KEY" {
		return APIKey, true
	}
	return "", false
}

func (c *City) document() []byte {
	var parts [][]byte
	for _, f := range c.flows {
		if len(f.Document) > 0 {
			parts = append(parts, f.Document)
		}
	}
	document, err := edge.Merge(parts...)
	if err != nil {
		c.T.Fatal(err)
	}
	return document
}

// Stop stops the gateway in peace.
func (c *City) Stop() {
	if c.Gateway == nil {
		return
	}
	for _, at := range []ledgertest.Point{ledgertest.AtBegin, ledgertest.AtExec, ledgertest.AtCommit, ledgertest.AtView} {
		c.Ledger.Set(at, ledgertest.None)
	}
	c.stop()
	if err := <-c.served; err != nil {
		c.T.Errorf("serving: %v", err)
	}
	if err := c.Gateway.Close(context.Background()); err != nil {
		c.T.Errorf("closing: %v", err)
	}
	c.client.CloseIdleConnections()
	c.Gateway = nil
	if c.T.Failed() {
		for line := range strings.Lines(c.LogText()) {
			if strings.Contains(line, `"level":"ERROR"`) || strings.Contains(line, `"level":"WARN"`) {
				c.T.Log(strings.TrimSpace(line))
			}
		}
	}
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Token mints a token of the city's tenant for everything at every venue but what g says.
func (c *City) Token(subject string, scopes ...string) string {
	c.T.Helper()
	return c.Mint(auth.Grant{Subject: subject, Tenant: "hangzhou", Scopes: scopes, Venues: []string{"*"}, TTL: time.Hour})
}

// Mint mints any token.
func (c *City) Mint(g auth.Grant) string {
	c.T.Helper()
	return c.MintAt(g, time.Now())
}

// MintAt mints any token as if it were another time.
func (c *City) MintAt(g auth.Grant, now time.Time) string {
	c.T.Helper()
	token, err := c.issuer.Mint(g, now)
	if err != nil {
		c.T.Fatal(err)
	}
	return token
}

// Call is one request. Key is made where it is empty; "-" sends none.
type Call struct {
	Method, Path, Token, Key string
	Body                     any // marshalled; a string is sent as it is
	Header                   map[string]string
	Invalid                  bool // the request is meant not to fit the description
}

// Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Text   string
	Took   time.Duration
}

// Into reads the body.
func (a Answer) Into(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.Text), v); err != nil {
		t.Fatalf("cannot read %q: %v", a.Text, err)
	}
}

// Problem returns the slug of a problem; "" where the answer is none.
func (a Answer) Problem() string {
	var p struct {
		Type string `json:"type"`
	}
	if a.Status < 400 || json.Unmarshal([]byte(a.Text), &p) != nil {
		return ""
	}
	return strings.TrimPrefix(p.Type, "/problems/")
}

// Do sends a call.
func (c *City) Do(call Call) Answer {
	c.T.Helper()
	r := c.request(call)
	from := time.Now()
	res, err := c.client.Do(r)
	if err != nil {
		c.T.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		c.T.Fatal(err)
	}
	return Answer{Status: res.StatusCode, Header: res.Header, Text: string(text), Took: time.Since(from)}
}

func (c *City) request(call Call) *http.Request {
	c.T.Helper()
	var body io.Reader = http.NoBody
	switch b := call.Body.(type) {
	case nil:
	case string:
		body = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		if err != nil {
			c.T.Fatal(err)
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(context.Background(), call.Method, c.URL+call.Path, body)
	if err != nil {
		c.T.Fatal(err)
	}
	if call.Body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if call.Token != "" {
		r.Header.Set("Authorization", "Bearer "+call.Token)
	}
	switch {
	case call.Key == "" && call.Method == http.MethodPost:
		call.Key = uuid.NewString()
		fallthrough
	case call.Key != "" && call.Key != "-":
		r.Header.Set("Idempotency-Key", `"`+call.Key+`"`)
	}
	for name, value := range call.Header {
		r.Header.Set(name, value)
	}
	if call.Invalid {
		r = edgetest.Invalid(r)
	}
	return r
}

// Eventually waits until ok says so; what is said where it never does.
func (c *City) Eventually(what string, ok func() bool) {
	c.T.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			c.T.Fatalf("never: %s", what)
		case <-tick.C:
		}
	}
}

// View reads the ledger, with what was being kept behind answers.
func (c *City) View(f func(q ledger.Querier) error) {
	c.T.Helper()
	if c.Gateway != nil {
		_ = c.Gateway.Settled(context.Background())
	}
	if err := c.Ledger.View(context.Background(), f); err != nil {
		c.T.Fatal(err)
	}
}

// Journey tells how the journey of an answer stands for the machine whose token it was: its state, and what people have decided.
func (c *City) Journey(token string, a Answer) string {
	c.T.Helper()
	var answered struct {
		Journey string `json:"journey"`
	}
	a.Into(c.T, &answered)
	var j struct {
		State    string `json:"state"`
		Decision string `json:"decision"`
	}
	c.Do(Call{Method: http.MethodGet, Path: "/v1/journeys/" + answered.Journey, Token: token}).Into(c.T, &j)
	return j.State + " " + j.Decision
}

// Number reads one number from the ledger.
func (c *City) Number(query string, args ...any) (n int64) {
	c.T.Helper()
	c.View(func(q ledger.Querier) error { return q.QueryRow(query, args...).Scan(&n) })
	return n
}

// LogText returns what the gateway has logged so far.
func (c *City) LogText() string { return c.logs.text() }

// Flows returns the journeys that the gateway was started with.
func (c *City) Flows() []*flow.Flow { return c.flows }

// Env returns the environment that the configuration was read in.
func (c *City) Env() func(string) (string, bool) { return env }
