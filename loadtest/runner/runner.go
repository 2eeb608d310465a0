// Package runner executes k6 load scripts without k6, at a small scale and against this machine alone, so that a
// script which no longer fits the program fails a Go test.
//
// It bundles the script's ES modules with esbuild and runs them in goja, one runtime for each virtual user, with shims
// of `k6`, `k6/http`, `k6/metrics`, `k6/execution` and `k6/data` written here. What a script asks of k6 and the shims
// do not know fails by name: a missing import when the script is bundled, a missing property when it is read, an
// unknown option or request parameter when it is given. Three things are stricter than k6, because the verdict is a
// test's: an exception that the script did not raise through fail() ends the run with an error, a threshold over a
// trend or a rate without a single sample is crossed, and handleSummary's files are handed back instead of written.
package runner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Config says what to run, how large, and with what.
type Config struct {
	Script string            // path of the script; its relative imports and open() start at its folder
	Env    map[string]string // the script's __ENV; the process's own environment is not passed on
	Scale  Scale

	// HTTPClient makes the requests. Nil is a client of this run alone. Whichever it is, a request or a redirect to a
	// host that is not a loopback address ends the run.
	HTTPClient *http.Client

	Logger *slog.Logger // the script's console and the iterations that fail() ended; nil discards
}

// Scale makes a script smaller than it is written, for tests. The zero value changes nothing.
type Scale struct {
	Rate     float64       // multiplies arrival rates and numbers of iterations; 0 is 1
	Duration time.Duration // no scenario's duration is longer; stages shrink in proportion; 0 is no bound
}

// errInterrupted is what a running iteration sees when its time is over.
var errInterrupted = errors.New("interrupted: the scenario's time and its gracefulStop are over")

// test is one run: what all its virtual users share. It is safe for concurrent use.
type test struct {
	cfg     Config
	dir     string
	program *program
	options options
	metrics *registry
	client  *http.Client
	log     *slog.Logger
	started time.Time
	setup   string // what setup() returned, as JSON; "" is undefined

	sharedMu sync.Mutex
	shared   map[string]string // SharedArray's name → JSON

	vus         atomic.Int64 // made so far, the id of the youngest
	interrupted atomic.Int64
	ctx         context.Context // the whole run; its cause is the reason of an abort
	abort       context.CancelCauseFunc
}

// Run executes the script and returns what it measured. The error says why the script could not be run to its end: it
// does not bundle, uses something unknown, throws, aborts, or ctx is over. A crossed threshold is no error of Run; ask
// Summary.Err. Every goroutine that Run started has ended when it returns.
func Run(ctx context.Context, cfg Config) (*Summary, error) {
	t, err := newTest(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("cannot load %s: %w", cfg.Script, err)
	}
	defer t.abort(nil)
	if cfg.HTTPClient == nil {
		defer t.client.CloseIdleConnections()
	}
	first, err := t.load()
	if err != nil {
		return nil, fmt.Errorf("cannot load %s: %w", cfg.Script, err)
	}
	sum, err := t.run(first)
	if err != nil {
		return nil, fmt.Errorf("cannot run %s: %w", cfg.Script, err)
	}
	return sum, nil
}

// Thresholds reads what a script promises, by series, as it writes them; nothing of it runs but its init code.
func Thresholds(ctx context.Context, cfg Config) (map[string][]string, error) {
	t, err := newTest(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("cannot load %s: %w", cfg.Script, err)
	}
	defer t.abort(nil)
	if _, err := t.load(); err != nil {
		return nil, fmt.Errorf("cannot load %s: %w", cfg.Script, err)
	}
	return t.options.thresholds, nil
}

func newTest(ctx context.Context, cfg Config) (*test, error) {
	prog, err := bundle(cfg.Script)
	if err != nil {
		return nil, err
	}
	t := &test{
		cfg: cfg, dir: prog.dir, program: prog, metrics: newRegistry(), client: loopbackClient(cfg.HTTPClient),
		log: cfg.Logger, shared: map[string]string{},
	}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	t.ctx, t.abort = context.WithCancelCause(ctx)
	return t, nil
}

// load runs the script's init code once, and reads its options.
func (t *test) load() (*vu, error) {
	first, err := newVU(t, 0)
	if err != nil {
		return nil, err
	}
	if t.options, err = first.options(t.cfg.Scale); err != nil {
		return nil, err
	}
	for _, sc := range t.options.scenarios {
		if _, err := first.function(sc.exec); err != nil {
			return nil, fmt.Errorf("scenario %q: %w", sc.name, err)
		}
	}
	return first, t.metrics.watch(t.options.thresholds)
}

// run does setup, all scenarios side by side, teardown and the summary.
func (t *test) run(first *vu) (*Summary, error) {
	var err error
	if t.setup, err = first.hook(t.ctx, "setup", t.options.setupTimeout); err != nil {
		return nil, err
	}
	t.started = time.Now()
	var all sync.WaitGroup
	for _, sc := range t.options.scenarios {
		all.Go(func() { sc.run(t) })
	}
	all.Wait()
	took := time.Since(t.started)
	if err := context.Cause(t.ctx); err != nil {
		return nil, err
	}
	if _, err := first.hook(t.ctx, "teardown", t.options.teardownTimeout); err != nil {
		return nil, err
	}
	return first.summarise(took)
}
