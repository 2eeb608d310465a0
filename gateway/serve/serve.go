package serve

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/cache"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/edge/admin"
	"github.com/warmgate/warmgate/gateway/fleet"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/ledger/sqlite"
	"github.com/warmgate/warmgate/gateway/limit"
	"github.com/warmgate/warmgate/gateway/outbox"
	"github.com/warmgate/warmgate/gateway/redis"
	"github.com/warmgate/warmgate/gateway/seal"
)

// The files in the data folder.
const (
	ledgerFile  = "ledger.db"
	keysFile    = "seal.keys"
	anchorsFile = "audit.anchors"
)

const (
	recoverEvery = time.Second
	keepEvery    = time.Minute
	drainFor     = 8 * time.Second // for the requests in flight
	closeFor     = 4 * time.Second // for what goes on beside and behind them
	moment       = 100 * time.Millisecond
)

// Options are what a Gateway is started with besides its file.
type Options struct {
	Flows  []*flow.Flow
	Env    func(string) (string, bool)
	Logger *slog.Logger
	Now    func() time.Time

	// Store opens the ledger's database; nil: SQLite in the data folder. Tests put faults in here.
	Store func(path string, cfg sqlite.Config) (ledger.Store, error)
	// Fatal ends the process when the disk can't be trusted any more.
	Fatal func(error)
}

// Gateway is a running gateway. Make it with Open, run it with Serve.
type Gateway struct {
	opts   Options
	loader *loader

	errands map[string]admin.Errand

	started Config // what holds from start to end is as it says here
	current atomic.Pointer[Generation]
	reload  sync.Mutex             // one at a time
	tally   sync.Mutex             // held while current changes, and guards gone
	gone    map[string]*call.Stats // by system: what instances have done that a reload has replaced
	read    [sha256.Size]byte      // the files' fingerprint at the last reading; guarded by reload

	ledger  *ledger.Ledger
	keeper  *ledger.Keeper
	engine  *journey.Engine
	outbox  *outbox.Outbox
	cache   *cache.Cache
	redis   *redis.Client // with what goes through it; nil: there is none
	shared  *cache.Shared
	voice   *fleet.Fleet
	fleet   *limit.Fleet
	limiter *liveLimiter
	gate    *limit.Gate
	tokens  *liveVerifier
	edge    *edge.Server
	admin   *admin.Server
	metrics *prometheus.Registry
	reloads *prometheus.CounterVec

	ready  atomic.Bool
	life   context.Context
	stop   context.CancelFunc
	behind sync.WaitGroup
}

// Open reads the configuration at path, opens the ledger and builds everything up to the listeners.
func Open(ctx context.Context, path string, o Options) (g *Gateway, err error) {
	g = &Gateway{opts: o, gone: map[string]*call.Stats{}, loader: &loader{path: path, flows: o.Flows, env: o.Env, logger: o.Logger}}
	g.life, g.stop = context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		if err != nil {
			err = errors.Join(err, g.Close(ctx))
		}
	}()
	g.loader.ledger = &ledger.Ledger{} // the venues are bound to it before it is opened: what does not hold opens nothing
	first, err := g.loader.load(nil, &seen{})
	if err != nil {
		return g, err
	}
	defer func() {
		if g.current.Load() == nil {
			first.closeAll(nil)
		}
	}()
	if err := g.openLedger(ctx, &first.Config); err != nil {
		return g, err
	}
	if g.cache, err = cache.New(first.Config.Cache); err != nil {
		return g, err
	}
	if err := g.openRedis(first); err != nil {
		return g, err
	}
	g.engine = journey.NewEngine(journey.Config{
		Ledger: g.ledger, Caller: call.NewCaller(g.cache, g.ledger.Keys(), uint64(o.Now().UnixNano())), Bindings: g.bindings,
		Logger: o.Logger, Now: o.Now,
	})
	g.started, g.read = first.Config, first.read
	g.take(first)
	if err := g.openDoors(); err != nil {
		return g, err
	}
	return g, g.startBehind()
}

func (g *Gateway) openLedger(ctx context.Context, c *Config) error {
	folder := g.loader.beside(c.Data)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("cannot make the data folder: %w", err)
	}
	keys, err := seal.OpenFile(filepath.Join(folder, keysFile))
	if err != nil {
		return err
	}
	open := g.opts.Store
	if open == nil {
		open = func(path string, cfg sqlite.Config) (ledger.Store, error) { return sqlite.Open(path, cfg) }
	}
	store, err := open(filepath.Join(folder, ledgerFile), c.Ledger.SQLite)
	if err != nil {
		return err
	}
	cfg := c.Ledger.Config
	cfg.Fatal = g.opts.Fatal
	var sets []ledger.Migrations
	for _, f := range g.opts.Flows {
		sets = append(sets, f.Migrations...)
	}
	if err := g.loader.ledger.Open(ctx, store, cfg, keys, g.opts.Logger, g.opts.Now, sets...); err != nil {
		return err
	}
	g.ledger = g.loader.ledger
	g.keeper, err = ledger.StartKeeper(g.ledger, filepath.Join(folder, anchorsFile), keepEvery)
	return err
}

// openDoors makes the two listeners' servers.
func (g *Gateway) openDoors() (err error) {
	c := &g.started
	g.metrics = prometheus.NewRegistry()
	g.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	g.reloads = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "warmgate_reloads_total", Help: "Times that the configuration was read again, by outcome."}, []string{"outcome"})
	g.reloads.WithLabelValues("taken")
	g.reloads.WithLabelValues("refused")
	g.metrics.MustRegister(g.reloads, &figures{g})
	if g.tokens, err = newLiveVerifier(c.Auth, g.opts.Logger, g.opts.Now); err != nil {
		return err
	}
	g.openLimits()
	rt := &flow.Runtime{
		Engine: g.engine, Ledger: g.ledger, Bindings: g.bindings, Venue: g.venue, Venues: g.venuesOf, Fleet: g.others(),
		Logger: g.opts.Logger, Now: g.opts.Now,
	}
	g.errands = map[string]admin.Errand{}
	var routes []edge.Route
	problems := append(gateway.Problems(), journey.Problems()...)
	var documents [][]byte
	for _, f := range g.opts.Flows {
		routes = append(routes, routesOf(f, rt)...)
		problems = append(problems, f.Problems...)
		if len(f.Document) > 0 {
			documents = append(documents, f.Document)
		}
		for _, e := range f.Errands {
			g.errands[e.Name] = func(ctx context.Context, arg []byte) (any, error) { return e.Run(ctx, rt, arg) }
		}
		if f.Work != nil {
			g.startWork(f, rt)
		}
	}
	document, err := edge.Merge(documents...)
	if err != nil {
		return err
	}
	g.edge, err = edge.New(c.Edge, edge.Deps{
		Verifier: g.tokens, Limiter: g.limiter, Gate: g.gate, Venues: g.venue, Hash: g.ledger.Keys().Hash,
		Earlier: edge.EarlierIn(g.ledger), Problems: problems, Document: document, Metrics: g.metrics, Logger: g.opts.Logger, Now: g.opts.Now,
	}, routes)
	g.admin = admin.New(g.metrics, g.Ready, g.Degraded, g.errands, g.opts.Logger)
	return err
}

// routesOf returns the calls of a flow. Those at a venue of its kind are known only where it serves the venue.
func routesOf(f *flow.Flow, rt *flow.Runtime) []edge.Route {
	if f.Routes == nil {
		return nil
	}
	routes := f.Routes(rt)
	for i := range routes {
		if f.Venues != nil && routes[i].VenueKind == f.Venues.Kind {
			routes[i].VenueSection = f.Venues.SectionName()
		}
	}
	return routes
}

func (g *Gateway) startWork(f *flow.Flow, rt *flow.Runtime) {
	g.behind.Go(func() {
		if err := f.Work(g.life, rt); err != nil && g.life.Err() == nil {
			g.opts.Logger.Error("a flow's work beside the requests has ended", "flow", f.Name, "error", err)
		}
	})
}

// startBehind starts the outbox, and recovery: at once and every second.
func (g *Gateway) startBehind() (err error) {
	g.outbox, err = outbox.New(g.ledger, g.started.Outbox, g.engine.Handlers(), g.engine.Dead, g.opts.Logger, uint64(g.opts.Now().UnixNano()))
	if err != nil {
		return err
	}
	g.outbox.Start(context.WithoutCancel(g.life)) // Close ends it, in peace
	g.behind.Go(func() {
		tick := time.NewTicker(recoverEvery)
		defer tick.Stop()
		for {
			n, err := g.engine.Recover(g.life)
			switch {
			case g.life.Err() != nil:
				return
			case err != nil:
				g.opts.Logger.Warn("cannot look for runs that died", "error", err)
			case n > 0:
				g.opts.Logger.Info("recovering runs that died", "runs", n)
				g.outbox.Kick()
			}
			select {
			case <-g.life.Done():
				return
			case <-tick.C:
			}
		}
	})
	return nil
}

// Config returns the configuration in force.
func (g *Gateway) Config() Config { return g.current.Load().Config }

// Serve answers on both listeners until ctx ends, then finishes what is in flight. It closes the listeners.
func (g *Gateway) Serve(ctx context.Context, api, second net.Listener) error {
	failed := make(chan error, 2)
	g.behind.Go(func() { failed <- g.edge.Serve(api) })
	g.behind.Go(func() { failed <- g.admin.Serve(second) })
	g.ready.Store(true)
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	g.ready.Store(false)
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainFor)
	defer cancel()
	return errors.Join(err, g.edge.Shutdown(within), g.admin.Shutdown(within))
}

// Ready says why the gateway cannot take requests: nil when it can.
func (g *Gateway) Ready(ctx context.Context) error {
	if !g.ready.Load() {
		return errors.New("the gateway is not serving")
	}
	return g.ledger.View(ctx, func(q ledger.Querier) error {
		var one int64
		return q.QueryRow(`SELECT 1`).Scan(&one)
	})
}

// Degraded names what is away that the gateway can do without.
func (g *Gateway) Degraded() []string {
	if g.redis != nil && !g.redis.Ready() {
		return []string{"redis"}
	}
	return nil
}

// Settled returns once everything is in the ledger that answers so far have left to be kept behind them.
func (g *Gateway) Settled(ctx context.Context) error { return g.ledger.Settled(ctx, "") }

// Close stops everything and closes the ledger. Serve must have returned. What has begun may end in peace for closeFor;
// then deliveries are cancelled, and runs that still go on behind their answers are left to recovery, as after a crash.
func (g *Gateway) Close(ctx context.Context) error {
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeFor)
	defer cancel()
	g.stop() // pre-warming, recovery and their like begin nothing any more
	var errs []error
	if g.engine != nil && !ends(within, g.engine.Wait) {
		g.opts.Logger.Warn("runs that went on behind their answers are left to recovery", "after", closeFor)
	}
	if g.outbox != nil {
		errs = append(errs, g.outbox.Close(within))
	}
	if !ends(within, g.behind.Wait) {
		errs = append(errs, fmt.Errorf("cannot end the work beside the requests within %s", closeFor))
	}
	if g.keeper != nil {
		errs = append(errs, g.keeper.Close())
	}
	if g.ledger != nil {
		errs = append(errs, g.ledger.Close())
	}
	if old := g.current.Load(); old != nil {
		old.closeAll(nil)
	}
	if g.tokens != nil {
		g.tokens.close()
	}
	g.closeRedis()
	if g.cache != nil {
		g.cache.Close()
	}
	return errors.Join(errs...)
}

// ends reports whether wait returns before ctx ends, or a moment later: ctx may have been spent by what came before.
func ends(ctx context.Context, wait func()) bool {
	done := make(chan struct{})
	go func() {
		defer close(done)
		wait()
	}()
	select {
	case <-done:
		return true
	case <-ctx.Done():
	}
	timer := time.NewTimer(moment)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}

func (g *Gateway) venue(id string) *gateway.Venue {
	if v := g.current.Load().venues[id]; v != nil {
		return v.Venue
	}
	return nil
}

func (g *Gateway) bindings(id string) *call.Bindings {
	if v := g.current.Load().venues[id]; v != nil {
		return v.bindings
	}
	return nil
}

func (g *Gateway) venuesOf(kind string) []*gateway.Venue {
	var all []*gateway.Venue
	for _, v := range g.current.Load().venues {
		if v.Kind == kind {
			all = append(all, v.Venue)
		}
	}
	return all
}
