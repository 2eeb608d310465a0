// Package worldtest puts a test's own flows behind a real edge, engine and ledger, without any configuration file, and
// holds every exchange against their OpenAPI document.
package worldtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/auth"
	"github.com/warmgate/warmgate/gateway/cache"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/edge/edgetest"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/ledger/ledgertest"
	"github.com/warmgate/warmgate/gateway/ledger/sqlite"
	"github.com/warmgate/warmgate/gateway/limit"
	"github.com/warmgate/warmgate/gateway/seal"
)

// Budget is the machine budget of every plan and of every call without one.
const Budget = slower * 600 * time.Millisecond

// Late is what no answer takes that keeps to Budget, however busy the machine is.
const Late = 2 * Budget

// World is a gateway in front of flows. Its venues and who holds a token change as the test says.
type World struct {
	T       testing.TB
	Ledger  *ledger.Ledger
	Fault   *ledgertest.Faulty
	Runtime *flow.Runtime

	setup  Setup
	url    string
	client *http.Client
	held   *edgetest.Transport
	logs   *logs

	mu       sync.Mutex
	venues   map[string]*gateway.Venue
	bindings map[string]*call.Bindings
	tokens   map[string]*gateway.Principal
	minted   int
}

// logs collects log lines from every goroutine.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write adds to the lines.
func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// Setup is what flows that call systems need. The zero value is for flows that call none.
type Setup struct {
	Steps map[string]map[string]call.Policy // by plan and step
	Bind  func(b *call.Bindings)            // binds the operations of a venue
	Edge  func(c *edge.Config)              // changes the edge's configuration
}

// Start starts a world of flows that call no system. Everything ends with the test.
func Start(t testing.TB, flows ...*flow.Flow) *World {
	t.Helper()
	return Setup{}.Start(t, flows...)
}

// Start is the function Start for flows that call systems.
func (s Setup) Start(t testing.TB, flows ...*flow.Flow) *World {
	t.Helper()
	w := &World{T: t, setup: s, logs: &logs{}, venues: map[string]*gateway.Venue{}, bindings: map[string]*call.Bindings{}, tokens: map[string]*gateway.Principal{}}
	logger := slog.New(slog.NewJSONHandler(w.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w.openLedger(logger, flows)
	c, err := cache.New(cache.Config{})
	w.must(err)
	t.Cleanup(c.Close)
	engine := journey.NewEngine(journey.Config{Ledger: w.Ledger, Caller: call.NewCaller(c, w.Ledger.Keys(), 1), Bindings: w.bound,
		Logger: logger, Now: time.Now})
	t.Cleanup(engine.Wait)
	w.Runtime = &flow.Runtime{Engine: engine, Ledger: w.Ledger, Bindings: w.bound, Venue: w.venue, Logger: logger, Now: time.Now}
	w.serve(logger, flows)
	return w
}

func (w *World) must(err error) {
	w.T.Helper()
	if err != nil {
		w.T.Fatal(err)
	}
}

func (w *World) openLedger(logger *slog.Logger, flows []*flow.Flow) {
	store, err := sqlite.Open(filepath.Join(w.T.TempDir(), "ledger.db"), sqlite.Config{})
	w.must(err)
	w.Fault = ledgertest.Wrap(store)
	keys, err := seal.New(rand.Reader)
	w.must(err)
	var sets []ledger.Migrations
	for _, f := range flows {
		sets = append(sets, f.Migrations...)
	}
	w.Ledger, err = ledger.Open(context.Background(), w.Fault, ledger.Config{}, keys, logger, time.Now, sets...)
	w.must(err)
	w.T.Cleanup(func() {
		w.Heal()
		if err := w.Ledger.Close(); err != nil {
			w.T.Error(err)
		}
	})
}

// serve proves the plans and opens the edge.
func (w *World) serve(logger *slog.Logger, flows []*flow.Flow) {
	var routes []edge.Route
	var problems []*gateway.Problem
	var parts [][]byte
	for _, f := range flows {
		for _, p := range f.Plans {
			_, adopt, err := p.Prove(journey.Timing{Journey: 20 * time.Second, Machine: Budget, Flush: 20 * time.Millisecond,
				Overhead: 60 * time.Millisecond, Lease: 2 * time.Second, Steps: w.setup.Steps[p.Name()]})
			w.must(err)
			adopt(w.Runtime.Engine)
		}
		routes, problems = append(routes, f.Routes(w.Runtime)...), append(problems, f.Problems...)
		parts = append(parts, f.Document)
	}
	document, err := edge.Merge(parts...)
	w.must(err)
	config := edge.Defaults()
	config.Language, config.Budget = gateway.LangEn, Budget
	if w.setup.Edge != nil {
		w.setup.Edge(&config)
	}
	server, err := edge.New(config, edge.Deps{
		Verifier: w, Limiter: limit.New(limit.Config{}, time.Now()), Gate: limit.NewGate(limit.GateConfig{}), Venues: w.venue,
		Hash: w.Ledger.Keys().Hash, Earlier: edge.EarlierIn(w.Ledger), Problems: problems, Document: document,
		Metrics: prometheus.NewRegistry(), Logger: logger, Now: time.Now,
	}, routes)
	w.must(err)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	w.must(err)
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	w.T.Cleanup(func() {
		w.Heal()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			w.T.Error(err)
		}
		if err := <-served; err != nil {
			w.T.Error(err)
		}
	})
	w.url = "http://" + ln.Addr().String()
	transport := &http.Transport{MaxIdleConnsPerHost: 32}
	w.T.Cleanup(transport.CloseIdleConnections)
	w.held = edgetest.New(w.T, document, transport)
	w.client = &http.Client{Transport: w.held, Timeout: 30 * time.Second}
}

// Heal takes every fault of the ledger away.
func (w *World) Heal() {
	for _, at := range []ledgertest.Point{ledgertest.AtBegin, ledgertest.AtExec, ledgertest.AtCommit, ledgertest.AtView} {
		w.Fault.Set(at, ledgertest.None)
	}
}

// Put puts a venue into the configuration, in place of one of the same id.
func (w *World) Put(v *gateway.Venue) {
	w.T.Helper()
	b := call.NewBindings(v)
	if w.setup.Bind != nil {
		w.setup.Bind(b)
	}
	w.must(b.Err())
	w.mu.Lock()
	defer w.mu.Unlock()
	w.venues[v.ID], w.bindings[v.ID] = v, b
}

// Drop takes a venue away, as a reload does; with bindings only, as one does in the middle of a request.
func (w *World) Drop(id string, bindingsOnly bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.bindings, id)
	if !bindingsOnly {
		delete(w.venues, id)
	}
}

func (w *World) venue(id string) *gateway.Venue {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.venues[id]
}

func (w *World) bound(id string) *call.Bindings {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.bindings[id]
}

// Token makes a token of p. The issuer is "i" where p has none.
func (w *World) Token(p gateway.Principal) string {
	slices.Sort(p.Scopes)
	slices.Sort(p.Venues)
	if p.Issuer == "" {
		p.Issuer = "i"
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.minted++
	token := fmt.Sprintf("token-%d", w.minted)
	w.tokens[token] = &p
	return token
}

// Revoke makes a token invalid.
func (w *World) Revoke(token string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.tokens, token)
}

// Verify makes the world an edge.Verifier.
func (w *World) Verify(token []byte, _ netip.Addr, _ time.Time) (*gateway.Principal, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p := w.tokens[string(token)]; p != nil {
		return p, nil
	}
	return nil, auth.ProblemTokenInvalid.Error(gateway.Text{}).WithCause(auth.ClassSignature)
}

// View reads the ledger, with what was being kept behind answers.
func (w *World) View(f func(q ledger.Querier) error) {
	w.T.Helper()
	w.must(w.Ledger.Settled(context.Background(), ""))
	w.must(w.Ledger.View(context.Background(), f))
}

// Write changes the ledger.
func (w *World) Write(f func(tx *ledger.Tx) error) {
	w.T.Helper()
	_, err := ledger.Do(context.Background(), w.Ledger, &ledger.Decision[int, int]{Name: "test",
		Run: func(tx *ledger.Tx, _ int) (int, error) { return 0, f(tx) }}, 0)
	w.must(err)
}

// Column reads one column of text.
func (w *World) Column(query string, args ...any) (all []string) {
	w.T.Helper()
	w.View(func(q ledger.Querier) (err error) {
		all, err = ledgertest.Texts(q, query, args...)
		return err
	})
	return all
}

// Logs returns what was logged so far.
func (w *World) Logs() string {
	w.logs.mu.Lock()
	defer w.logs.mu.Unlock()
	return w.logs.b.String()
}
