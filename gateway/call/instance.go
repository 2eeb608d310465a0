package call

import (
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
)

// InstanceConfig bounds the traffic to one outside system. Zero values are the defaults named here.
// It is comparable, so that a reload can tell whether an instance may live on with its state.
type InstanceConfig struct {
	MaxInFlight int           `yaml:"max_in_flight"` // attempts at once; 0: 64. One more is refused at once, never queued
	Breaker     BreakerConfig `yaml:"breaker"`
	Budget      BudgetConfig  `yaml:"budget"`
}

// BreakerConfig says when an instance is left alone and how it is tried again.
type BreakerConfig struct {
	Window       time.Duration `yaml:"window"`        // failures are counted over this rolling window; 0: 10s
	Bucket       time.Duration `yaml:"bucket"`        // the window's step; 0: 1s
	MinCalls     int           `yaml:"min_calls"`     // fewer attempts in the window never open it by share; 0: 20
	FailureShare float64       `yaml:"failure_share"` // this share of failures opens it, once there have been some for a bucket; 0: 0.5
	Consecutive  int           `yaml:"consecutive"`   // so many failures, each begun after the one before, open it whatever the share; 0: 5
	OpenFor      time.Duration `yaml:"open_for"`      // then probes are let through; 0: 2s
	Probes       int           `yaml:"probes"`        // so many must succeed to close it, the first failure opens it again; 0: 2
	ProbeTimeout time.Duration `yaml:"probe_timeout"` // hard end of a probe, where sooner than its attempt's own; 0: that one
}

// BudgetConfig bounds hedges and retries of all operations of an instance together.
type BudgetConfig struct {
	Share float64 `yaml:"share"` // of the calls under way; 0: 0.1
	Floor int     `yaml:"floor"` // so many are allowed however few calls are under way; 0: 1
}

// normal returns c with the defaults filled in.
func (c InstanceConfig) normal() InstanceConfig {
	b := &c.Breaker
	c.MaxInFlight = or(c.MaxInFlight, 64)
	b.Window, b.Bucket = or(b.Window, 10*time.Second), or(b.Bucket, time.Second)
	b.MinCalls, b.FailureShare, b.Consecutive = or(b.MinCalls, 20), or(b.FailureShare, 0.5), or(b.Consecutive, 5)
	b.OpenFor, b.Probes = or(b.OpenFor, 2*time.Second), or(b.Probes, 2)
	c.Budget.Share, c.Budget.Floor = or(c.Budget.Share, 0.1), or(c.Budget.Floor, 1)
	return c
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// Validate refuses bounds that protect nothing. The error is a *gateway.FieldError whose path is below the instance.
func (c InstanceConfig) Validate() error {
	c = c.normal()
	b := c.Breaker
	switch {
	case c.MaxInFlight < 1 || c.MaxInFlight > 65536:
		return field("max_in_flight", "must be 1 to 65536, is %d", c.MaxInFlight)
	case b.Window < time.Second || b.Window > 10*time.Minute:
		return field("breaker.window", "must be 1s to 10m, is %v", b.Window)
	case b.Bucket < 100*time.Millisecond || b.Bucket > b.Window:
		return field("breaker.bucket", "must be 100ms to the window of %v, is %v", b.Window, b.Bucket)
	case b.MinCalls < 1 || b.MinCalls > 10000:
		return field("breaker.min_calls", "must be 1 to 10000, is %d", b.MinCalls)
	case !(b.FailureShare > 0 && b.FailureShare <= 1):
		return field("breaker.failure_share", "must be more than 0 and at most 1, is %v", b.FailureShare)
	case b.Consecutive < 1 || b.Consecutive > 1000:
		return field("breaker.consecutive", "must be 1 to 1000, is %d", b.Consecutive)
	case b.OpenFor < 100*time.Millisecond || b.OpenFor > 5*time.Minute:
		return field("breaker.open_for", "must be 100ms to 5m, is %v", b.OpenFor)
	case b.Probes < 1 || b.Probes > 10:
		return field("breaker.probes", "must be 1 to 10, is %d", b.Probes)
	case b.ProbeTimeout < 0 || b.ProbeTimeout > maxSlice:
		return field("breaker.probe_timeout", "must be 0s to %v, is %v", maxSlice, b.ProbeTimeout)
	case !(c.Budget.Share > 0 && c.Budget.Share <= 1):
		return field("budget.share", "must be more than 0 and at most 1, is %v", c.Budget.Share)
	case c.Budget.Floor < 1 || c.Budget.Floor > 1000:
		return field("budget.floor", "must be 1 to 1000, is %d", c.Budget.Floor)
	}
	return nil
}

// breaker leaves an instance alone that has failed.
type breaker = gobreaker.CircuitBreaker[struct{}]

// Instance is one outside system as one or several venues reach it: its breaker, bulkhead, budget and counters.
// What goes wrong with it changes nothing for another instance. Safe for concurrent use.
type Instance struct {
	name, system string
	cfg          InstanceConfig
	logger       *slog.Logger
	breaker      atomic.Pointer[breaker] // made by the first attempt: most of many instances have none
	half         atomic.Bool             // the breaker is half open: what goes through is a probe
	closed       atomic.Bool             // the breaker is closed: hedges and retries make sense
	inFlight     atomic.Int64            // attempts that have not landed, losing hedges included
	calls        atomic.Int64            // calls under way, back-off included
	extra        atomic.Int64            // hedges and retries that hold a share of the budget
	row          row                     // of failures
	counters     counters
}

// NewInstance makes an instance with its breaker closed. name tells it apart ("octo/west-lake"), system is its word in
// the sources of an answer ("ticketing"). logger gets a line when the breaker changes its state.
func NewInstance(name, system string, cfg InstanceConfig, logger *slog.Logger) (*Instance, error) {
	if name == "" || system == "" {
		return nil, fmt.Errorf("cannot make an instance: name %q and system %q must not be empty", name, system)
	}
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("cannot make instance %s: %w", name, err)
	}
	in := &Instance{name: name, system: system, cfg: cfg.normal(), logger: logger}
	in.closed.Store(true)
	return in, nil
}

// Is reports whether NewInstance would make another one like in, but for what it has been through.
func (in *Instance) Is(name, system string, cfg InstanceConfig) bool {
	return in.name == name && in.system == system && in.cfg == cfg.normal()
}

// guard returns the breaker, which it makes where there is none yet.
func (in *Instance) guard() *breaker {
	if b := in.breaker.Load(); b != nil {
		return b
	}
	in.breaker.CompareAndSwap(nil, in.newBreaker())
	return in.breaker.Load()
}

func (in *Instance) newBreaker() *breaker {
	b := in.cfg.Breaker
	return gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name:         in.name,
		MaxRequests:  uint32(b.Probes),
		Interval:     b.Window,
		BucketPeriod: b.Bucket,
		Timeout:      b.OpenFor,
		ReadyToTrip: func(n gobreaker.Counts) bool {
			judged := n.TotalSuccesses + n.TotalFailures
			return n.ConsecutiveFailures >= uint32(b.Consecutive) && in.row.n.Load() >= int64(b.Consecutive) ||
				judged >= uint32(b.MinCalls) && float64(n.TotalFailures) >= b.FailureShare*float64(judged) && in.row.lasts(b.Bucket)
		},
		IsSuccessful: func(err error) bool { return err == nil },
		IsExcluded:   func(err error) bool { return errors.Is(err, errExcluded) },
		OnStateChange: func(_ string, from, to gobreaker.State) {
			in.half.Store(to == gobreaker.StateHalfOpen)
			in.closed.Store(to == gobreaker.StateClosed)
			if to == gobreaker.StateOpen {
				in.counters.opened.Add(1)
			}
			in.logger.Warn("breaker changed", "instance", in.name, "from", from.String(), "to", to.String())
		},
	})
}

// state is the breaker's, in a word.
func (in *Instance) state() string {
	if b := in.breaker.Load(); b != nil {
		return b.State().String()
	}
	return gobreaker.StateClosed.String()
}

// Name returns the instance's name.
func (in *Instance) Name() string { return in.name }

// MaxInFlight returns how many attempts may be under way at once. A client needs as many connections.
func (in *Instance) MaxInFlight() int { return in.cfg.MaxInFlight }

// The breaker's view of an attempt: nil is a success.
var (
	errFailed   = errors.New("failed")
	errExcluded = errors.New("says nothing about the backend")
)

// enter takes a place in the bulkhead. There is no queue: waiting would spend the slice and hide the overload,
// and a read that may be tried again comes back after its back-off.
func (in *Instance) enter() bool { return take(&in.inFlight, int64(in.cfg.MaxInFlight)) }

func (in *Instance) leave() { in.inFlight.Add(-1) }

// takeExtra takes one hedge or retry from the budget; giveExtra brings it back once that attempt has landed.
func (in *Instance) takeExtra() bool {
	allowed := max(int64(in.cfg.Budget.Floor), int64(in.cfg.Budget.Share*float64(in.calls.Load())))
	if !take(&in.extra, allowed) {
		in.counters.denied.Add(1)
		return false
	}
	return true
}

func (in *Instance) giveExtra() { in.extra.Add(-1) }

// take adds one to n unless that would be more than limit; n is never more, not even for a moment.
func take(n *atomic.Int64, limit int64) bool {
	for v := n.Load(); v < limit; v = n.Load() {
		if n.CompareAndSwap(v, v+1) {
			return true
		}
	}
	return false
}
