package serve

import (
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/gateway/redis/redistest"
)

// withRedis adds a section for the server to the gateway's file.
func (w *world) withRedis(s *redistest.Server) {
	w.t.Helper()
	w.edit("gateway.yaml", "auth:\n", `redis:
  addresses: ["`+s.Address+`"]
  password: { env: TILL_KEY }
  breaker: { open_for: 200ms }
auth:
`)
}

// A gateway with a Redis has its figures, is ready without it and says so, and begins to use it when it comes back; limits go
// on where they were.
func TestRedisComesAndGoes(t *testing.T) {
	s := redistest.Start(t, "--requirepass", "a key")
	w := newWorld(t)
	w.withRedis(s)
	w.open()
	ready := func(want string) func() bool {
		return func() bool {
			status, body, _ := w.get(w.admin+"/readyz", nil)
			return status == 200 && body == want
		}
	}
	w.await("it is heard", func() bool { return w.metric("warmgate_redis_deaf 0") })
	w.await("ready", ready(`{"state":"ready"}`))
	w.word("one")
	w.await("what was let through is told", func() bool { return w.g.fleet.Stats().Done > 0 })
	_, body, _ := w.get(w.admin+"/metrics", nil)
	for _, name := range []string{
		"warmgate_redis_breaker_open", "warmgate_redis_breaker_opened_total", "warmgate_redis_subscriptions_lost_total",
		`warmgate_cache_shared_reads_total{outcome="hit"}`, `warmgate_cache_shared_reads_total{outcome="not-asked"}`,
		`warmgate_cache_shared_writes_total{outcome="dropped"}`, `warmgate_cache_forgotten_total{outcome="heard"}`,
		"warmgate_cache_forgets_waiting", `warmgate_limit_exchanges_total{outcome="done"}`, "warmgate_limit_untold_total",
		`warmgate_fleet_messages_total{outcome="heard"}`, "warmgate_fleet_messages_waiting",
	} {
		if !slices.ContainsFunc(strings.Split(body, "\n"), func(line string) bool { return strings.HasPrefix(line, name+" ") }) {
			t.Errorf("no %s", name)
		}
	}
	s.Kill()
	w.await("ready without it", ready(`{"state":"ready","degraded":["redis"]}`))
	if got := w.word("one"); !strings.HasPrefix(got, "200") {
		t.Errorf("without Redis: %s", got)
	}
	w.edit("gateway.yaml", "rate: 1000", "rate: 2000")
	w.edit("gateway.yaml", "open_for: 200ms", "open_for: 300ms")
	if err := w.g.Reload(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(w.log.String(), `"this change needs a restart" section=redis`) {
		t.Errorf("the log does not say that the section needs a restart:\n%s", w.log)
	}
	s.Restart()
	w.await("ready with it", ready(`{"state":"ready"}`))
	w.await("it is heard again", func() bool { return w.metric("warmgate_redis_deaf 0") })
	done := w.g.fleet.Stats().Done
	w.await("the new limits are told", func() bool { return w.g.fleet.Stats().Done > done })
	if strings.Contains(w.log.String(), "a key") {
		t.Error("the log has the password")
	}
}

// A gateway whose Redis was never there starts and serves.
func TestStartsWithoutItsRedis(t *testing.T) {
	s := redistest.Start(t)
	s.Kill()
	w := newWorld(t)
	w.withRedis(s)
	w.open()
	if got := w.word("one"); !strings.HasPrefix(got, "200") {
		t.Errorf("got %s", got)
	}
}

// A file of its TLS section that is none ends the start, by its name.
func TestRedisWithAWrongAuthority(t *testing.T) {
	w := newWorld(t)
	w.edit("gateway.yaml", "auth:\n", "redis: { addresses: [\"127.0.0.1:1\"], tls: { enabled: true, authority: nowhere.pem } }\nauth:\n")
	_, err := Open(t.Context(), w.path("gateway.yaml"), Options{Flows: w.flows(), Env: w.env, Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "cannot open redis: tls.authority: cannot be read: open "+w.path("nowhere.pem")) {
		t.Errorf("got %v", err)
	}
}
