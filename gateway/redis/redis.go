// Package redis is the connection to what the replicas of a gateway share and may lose at any moment: one server, one
// behind sentinels, or a cluster.
//
// No request waits for it as a rule. Get, which alone is meant for requests, returns by its own clock whatever the server
// or the network does, and at once while the breaker is open; everything else runs behind the requests. What finds out
// that Redis is back is a ping of this package, never a request.
package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
	"github.com/sony/gobreaker/v2"
)

// Why nothing was asked, or no answer came in time.
var (
	ErrUnavailable = errors.New("redis is left alone: its breaker is open")
	ErrBusy        = errors.New("too many ask redis at once")
	ErrLate        = errors.New("redis did not answer in time")
)

const (
	pulse      = 500 * time.Millisecond // between two pings
	window     = 10 * time.Second       // after which the breaker forgets what it has counted
	handshakes = 2                      // connections that are kept open for whoever asks next
)

// Client is the connection. Make it with Open, end it with Close. Safe for concurrent use.
type Client struct {
	cfg     Config // with defaults
	uni     goredis.UniversalClient
	breaker *gobreaker.CircuitBreaker[struct{}]
	closed  atomic.Bool  // the breaker is: requests may ask
	asking  atomic.Int64 // requests that ask, the late ones included
	logger  *slog.Logger

	life   context.Context
	stop   context.CancelFunc
	behind sync.WaitGroup
	counts counts
}

// Open makes a client of a valid configuration that has an address. It waits for no connection: Redis may be down. The
// error, about a file of the section's tls, is a *gateway.FieldError.
func Open(cfg Config, credentials Credentials, logger *slog.Logger) (*Client, error) {
	cfg = cfg.withDefaults()
	secure, err := cfg.TLS.load()
	if err != nil {
		return nil, err
	}
	logging.Disable() // the library writes to standard error by itself; what matters is the breaker's line
	c := &Client{cfg: cfg, logger: logger}
	c.life, c.stop = context.WithCancel(context.Background())
	c.uni = goredis.NewUniversalClient(&goredis.UniversalOptions{
		Addrs: cfg.Addresses, MasterName: cfg.Sentinel, IsClusterMode: cfg.Cluster, DB: cfg.Database,
		Username: cfg.Username, Password: credentials.Password,
		SentinelUsername: cfg.SentinelUsername, SentinelPassword: credentials.SentinelPassword,
		TLSConfig: secure, Protocol: 2, DisableIdentity: true,
		ContextTimeoutEnabled: true, MaxRetries: -1, MaxRedirects: 2, DialerRetries: 1,
		DialTimeout: cfg.Timeout, ReadTimeout: cfg.Timeout, WriteTimeout: cfg.Timeout, PoolTimeout: cfg.Timeout,
		PoolSize: cfg.Connections, MinIdleConns: handshakes, PipelinePoolSize: -1,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	c.closed.Store(true)
	c.breaker = gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name: "redis", MaxRequests: 1, Interval: window, Timeout: cfg.Breaker.OpenFor,
		ReadyToTrip:   func(n gobreaker.Counts) bool { return n.ConsecutiveFailures >= uint32(cfg.Breaker.Consecutive) },
		IsSuccessful:  func(err error) bool { return err == nil },
		IsExcluded:    func(error) bool { return c.life.Err() != nil },
		OnStateChange: c.changed,
	})
	c.behind.Go(c.watch)
	return c, nil
}

// changed follows the breaker.
func (c *Client) changed(_ string, from, to gobreaker.State) {
	c.closed.Store(to == gobreaker.StateClosed)
	if to == gobreaker.StateOpen {
		c.counts.opened.Add(1)
	}
	c.logger.Warn("breaker changed", "instance", "redis", "from", from.String(), "to", to.String())
}

// Close ends what goes on and closes all connections. Get and Run fail afterwards.
func (c *Client) Close() {
	c.stop()
	_ = c.uni.Close() // how a connection ends says nothing any more
	c.behind.Wait()
}

// Ready reports whether the breaker is closed.
func (c *Client) Ready() bool { return c.closed.Load() }

// Key returns the name of a key or a channel of ours: the prefix and its parts, with colons between.
func (c *Client) Key(parts ...string) string {
	return c.cfg.Prefix + ":" + strings.Join(parts, ":")
}

// Tagged returns the name of a key that lies beside all others of its group in a cluster, so that one script may touch
// them together: the group is the hash tag (https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/, Hash tags).
func (c *Client) Tagged(group, name string) string {
	return "{" + c.cfg.Prefix + ":" + group + "}:" + name
}

// watch pings, so that the breaker knows how Redis is when nobody asks.
func (c *Client) watch() {
	tick := time.NewTicker(pulse)
	defer tick.Stop()
	for {
		_ = c.guarded(c.life, c.cfg.Timeout, func(ctx context.Context) error { return c.uni.Ping(ctx).Err() }) // the breaker remembers
		select {
		case <-c.life.Done():
			return
		case <-tick.C:
		}
	}
}

// guarded lets f talk to Redis if the breaker does, within the time-out, and counts how that went.
func (c *Client) guarded(ctx context.Context, within time.Duration, f func(ctx context.Context) error) error {
	var said error
	asked := false
	_, err := c.breaker.Execute(func() (struct{}, error) {
		asked = true
		ctx, cancel := context.WithTimeout(ctx, within)
		defer cancel()
		said = f(ctx)
		return struct{}{}, verdict(said)
	})
	if !asked {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return said
}

// verdict is what an error says about Redis: nil where it works. That nothing is there is an answer, and so is that
// something of another kind is.
func verdict(err error) error {
	if errors.Is(err, goredis.Nil) || goredis.HasErrorPrefix(err, "WRONGTYPE") {
		return nil
	}
	return err
}
