package serve

import (
	"fmt"

	"github.com/warmgate/warmgate/gateway/cache"
	"github.com/warmgate/warmgate/gateway/fleet"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/limit"
	"github.com/warmgate/warmgate/gateway/redis"
)

// openRedis puts the cache that replicas share behind the memory, and opens the way to tell them something, where the
// configuration has a Redis. It need not be up.
func (g *Gateway) openRedis(first *Generation) (err error) {
	cfg := first.Config.Redis.Config
	if !cfg.Enabled() {
		return nil
	}
	if g.redis, err = redis.Open(cfg, first.redis, g.opts.Logger); err != nil {
		return fmt.Errorf("cannot open redis: %w", err)
	}
	if g.shared, err = cache.NewShared(g.redis, g.ledger.Keys(), g.cache); err != nil {
		return err
	}
	g.voice, err = fleet.New(g.redis, g.ledger.Keys())
	return err
}

// others are the other replicas, as a flow may speak to them; nil: there are none.
func (g *Gateway) others() flow.Fleet {
	if g.voice == nil {
		return nil
	}
	return g.voice
}

// openLimits makes the limiter and the gate, and lets replicas keep their rates together.
func (g *Gateway) openLimits() {
	c, now := g.started.Limit, g.opts.Now
	g.gate = limit.NewGate(c.Gate)
	if g.redis == nil {
		g.limiter = newLiveLimiter(c, now(), nil)
		return
	}
	g.limiter = newLiveLimiter(c, now(), g.ledger.Keys())
	g.fleet = limit.StartFleet(g.redis, g.limiter.current.Load, now)
}

// closeRedis ends what goes through Redis, then the connection.
func (g *Gateway) closeRedis() {
	if g.fleet != nil {
		g.fleet.Close()
	}
	if g.shared != nil {
		g.shared.Close()
	}
	if g.voice != nil {
		g.voice.Close()
	}
	if g.redis != nil {
		g.redis.Close()
	}
}

// redis are the figures of Redis and of what goes through it.
func (f *figures) redis(out sender) {
	away, deaf := 0.0, 1.0
	if !f.g.redis.Ready() {
		away = 1
	}
	c := f.g.redis.Stats()
	if c.Subscribed {
		deaf = 0
	}
	out.gauge("warmgate_redis_breaker_open", "Whether Redis is left alone: its breaker is open or half open.", away)
	out.count("warmgate_redis_breaker_opened_total", "Times that its breaker opened.", float64(c.Opened))
	out.gauge("warmgate_redis_deaf", "Whether what other replicas forget is not heard: there is no subscription.", deaf)
	out.count("warmgate_redis_subscriptions_lost_total", "Subscriptions that broke off.", float64(c.Lost))
	s := f.g.shared.Stats()
	for outcome, n := range map[string]uint64{"hit": s.Hits, "miss": s.Misses, "wrong": s.Wrong, "late": s.Late, "failed": s.Failed, "not-asked": s.NotAsked} {
		out.count("warmgate_cache_shared_reads_total", "Reads of the cache that replicas share, by outcome; wrong: altered, or of another version.",
			float64(n), "outcome", outcome)
	}
	for outcome, n := range map[string]uint64{"written": s.Written, "failed": s.WriteFailed, "dropped": s.Dropped} {
		out.count("warmgate_cache_shared_writes_total", "Writes to it behind the answers, by outcome.", float64(n), "outcome", outcome)
	}
	for outcome, n := range map[string]uint64{"told": s.Forgotten, "heard": s.Heard, "dropped": s.Unforgotten} {
		out.count("warmgate_cache_forgotten_total", "Entries that were forgotten at all replicas, by who began; dropped ones end with their time.",
			float64(n), "outcome", outcome)
	}
	out.gauge("warmgate_cache_forgets_waiting", "Entries to be forgotten elsewhere that wait for Redis.", float64(s.Waiting))
	v := f.g.voice.Stats()
	for outcome, n := range map[string]uint64{"told": v.Told, "heard": v.Heard, "wrong": v.Wrong, "dropped": v.Dropped} {
		out.count("warmgate_fleet_messages_total", "What replicas tell one another, such as events; of what was dropped they are told that it is missing.",
			float64(n), "outcome", outcome)
	}
	out.gauge("warmgate_fleet_messages_waiting", "Messages to other replicas that wait for Redis.", float64(v.Waiting))
	l := f.g.fleet.Stats()
	out.count("warmgate_limit_exchanges_total", "Exchanges with other replicas of what was let through.", float64(l.Done), "outcome", "done")
	out.count("warmgate_limit_exchanges_total", "Exchanges with other replicas of what was let through.", float64(l.Failed), "outcome", "failed")
	out.count("warmgate_limit_untold_total", "Requests let through that were not told to other replicas: too many keys at once.", float64(l.Untold))
}
