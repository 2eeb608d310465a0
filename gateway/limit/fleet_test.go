package limit

import (
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/redis"
	"github.com/warmgate/warmgate/gateway/redis/redistest"
)

// plainHash is a Hasher for tests.
type plainHash struct{ salt byte }

func (h plainHash) Hash(domain string, parts ...[]byte) (sum [32]byte) {
	at := 0
	for _, p := range append(parts, []byte(domain)) {
		for _, b := range append([]byte{byte(len(p))}, p...) {
			sum[at%16] = sum[at%16]*31 + b + h.salt
			at++
		}
	}
	return sum
}

const period = 20 * time.Millisecond

func testConfig(rate, burst int) Config {
	return Config{Exchange: period, Policies: []Policy{{Name: "client", Scope: ByPrincipal, Rate: Rate{Requests: rate, Per: time.Second, Burst: burst}}}}
}

// member is one replica's limiter.
type member struct {
	*Limiter
	fleet  *Fleet
	client *redis.Client
}

func join(t *testing.T, s *redistest.Server, c Config, cluster bool) *member {
	t.Helper()
	client, err := redis.Open(redis.Config{Addresses: []string{s.Address}, Cluster: cluster, Timeout: 200 * time.Millisecond,
		Breaker: redis.BreakerConfig{OpenFor: 100 * time.Millisecond}}, redis.Credentials{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	m := &member{Limiter: NewShared(c, time.Now(), plainHash{}), client: client}
	m.fleet = StartFleet(client, func() *Limiter { return m.Limiter }, time.Now)
	t.Cleanup(func() {
		m.fleet.Close()
		client.Close()
	})
	m.exchanged(t)
	return m
}

// exchanged waits for an exchange of each policy that begins from now on: behind the one that may be under way.
func (m *member) exchanged(t *testing.T) {
	t.Helper()
	next := m.fleet.Stats().Done + 1 + uint64(len(m.fleet.limiter().policies))
	redistest.Await(t, "an exchange", func() bool { return m.fleet.Stats().Done >= next })
}

func (m *member) take(who Who) bool {
	d := m.Take(who, time.Now())
	return d.Err() == nil
}

func caller(name string) Who { return Who{Principal: &gateway.Principal{Subject: name}} }

// storm lets everybody ask as often as a short pause allows, for so long, and returns how many were let through.
func storm(all []*member, d time.Duration) int {
	var n atomic.Int64
	var wait sync.WaitGroup
	end := time.Now().Add(d)
	for _, m := range all {
		wait.Go(func() {
			tick := time.NewTicker(200 * time.Microsecond)
			defer tick.Stop()
			for now := range tick.C {
				if now.After(end) {
					return
				}
				if m.take(caller("one")) {
					n.Add(1)
				}
			}
		})
	}
	wait.Wait()
	return int(n.Load())
}

// Three replicas together let through what one would, but for the bursts and the exchanges that are on the way. With time to
// spare for a busy machine, an exchange takes up to ten periods.
func TestFleetKeepsTheRateTogether(t *testing.T) {
	s := redistest.Start(t)
	const rate, burst, members = 200, 20, 3
	var all []*member
	for range members {
		all = append(all, join(t, s, testConfig(rate, burst), false))
	}
	const long = 3 * time.Second
	n := storm(all, long)
	most := rate*long.Seconds() + members*(burst+rate*(10*period).Seconds())
	alone := members * (rate*long.Seconds() + burst)
	t.Logf("%d of at most %.0f; each by itself would be %.0f", n, most, alone)
	// Nothing is asked for while the machine stands still; who counts what the others spend twice lets a third through.
	if float64(n) > most || float64(n) < rate*long.Seconds()/2 {
		t.Errorf("%d were let through in %v, want about %d and at most %.0f", n, long, rate*3, most)
	}
}

// What one has let through the others know after an exchange, also where they have never seen the key.
func TestWhatOneSpendsAllHaveSpent(t *testing.T) {
	for name, start := range map[string]func(testing.TB) *redistest.Server{
		"one server": func(t testing.TB) *redistest.Server { return redistest.Start(t) }, "cluster": redistest.StartCluster} {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			c := testConfig(1, 10)
			c.Policies = append(c.Policies, Policy{Name: "address", Scope: ByAddress, Rate: Rate{Requests: 1, Per: time.Minute, Burst: 100}})
			a, b := join(t, s, c, name == "cluster"), join(t, s, c, name == "cluster")
			for range 10 {
				if !a.take(caller("one")) {
					t.Fatal("refused within the burst")
				}
			}
			if a.take(caller("one")) {
				t.Fatal("let through past the burst")
			}
			a.exchanged(t)
			if !b.take(caller("one")) {
				t.Error("what nobody has told yet decides")
			}
			b.exchanged(t)
			if b.take(caller("one")) {
				t.Error("it does not know what the other one has let through")
			}
			if !b.take(caller("two")) {
				t.Error("another key is refused")
			}
			for n := range 600 { // more keys than one script takes
				a.take(Who{Address: netip.AddrFrom4([4]byte{192, 0, byte(n >> 8), byte(n)})})
			}
			a.exchanged(t)
			for n := range 600 {
				d := b.Take(Who{Address: netip.AddrFrom4([4]byte{192, 0, byte(n >> 8), byte(n)})}, time.Now())
				if d.counted[0].Remaining != 99 {
					t.Fatalf("before it is told, %d: %d", n, d.counted[0].Remaining)
				}
			}
			b.exchanged(t)
			d := b.Take(Who{Address: netip.AddrFrom4([4]byte{192, 0, 2, 7})}, time.Now())
			if d.counted[0].Remaining != 97 { // one each, and this one
				t.Errorf("remaining: %d", d.counted[0].Remaining)
			}
		})
	}
}

// Without Redis each keeps the rate by itself and nobody waits; when it is back, what was let through meanwhile locks
// nobody out.
func TestFleetWithoutRedis(t *testing.T) {
	s := redistest.Start(t)
	const rate, burst = 100, 10
	all := []*member{join(t, s, testConfig(rate, burst), false), join(t, s, testConfig(rate, burst), false)}
	s.Pause()
	const long = 1500 * time.Millisecond
	n := float64(storm(all, long))
	if least := rate * long.Seconds(); n < least { // half: nothing is asked for while the machine stands still
		t.Errorf("%.0f were let through by two that are alone, want at least %.0f", n, least)
	}
	quickest := time.Hour // of three: the machine may be busy
	for range 3 {
		began := time.Now()
		for range 10_000 {
			all[0].take(caller("one"))
		}
		quickest = min(quickest, time.Since(began))
	}
	if quickest > 500*time.Millisecond {
		t.Errorf("10000 decisions took %v", quickest)
	}
	s.Kill()
	s.Restart()
	for _, m := range all {
		m.exchanged(t)
	}
	for _, m := range all {
		if d := m.Take(caller("one"), time.Now()); !d.counted[0].Allowed && d.counted[0].Retry > 3*burst*time.Second/rate {
			t.Errorf("locked out for %v", d.counted[0].Retry)
		}
	}
}

// Nothing in Redis locks anybody out for long: neither nonsense, nor another kind, nor a time in a far future.
func TestPoisonedRates(t *testing.T) {
	s := redistest.Start(t)
	m := join(t, s, testConfig(10, 10), false)
	key := m.client.Tagged("l:client", func() string { who := caller("one"); return m.name(&m.policies[0], &who) }())
	for _, poison := range []redis.Command{
		{"SET", key, "nonsense"}, {"SET", key, "nan"}, {"SET", key, "inf"}, {"SET", key, "1e300"}, {"SET", key, "-inf"},
		{"RPUSH", key, "a", "list"},
	} {
		if err := m.client.Send(t.Context(), []redis.Command{{"DEL", key}, poison}); err != nil {
			t.Fatal(err)
		}
		failed := m.fleet.Stats().Failed
		m.take(caller("one"))
		m.exchanged(t)
		if d := m.Take(caller("one"), time.Now()); d.counted[0].Retry > maxDebt*time.Second {
			t.Errorf("%v: locked out for %v", poison, d.counted[0].Retry)
		}
		if m.fleet.Stats().Failed != failed {
			t.Errorf("%v: the exchange fails", poison)
		}
	}
}

// A server that forgets scripts is told them again.
func TestForgottenScript(t *testing.T) {
	s := redistest.Start(t)
	m := join(t, s, testConfig(10, 10), false)
	for range 2 {
		m.take(caller("one"))
		m.exchanged(t)
		if said := s.Say("SCRIPT FLUSH"); said != "+OK" {
			t.Fatal(said)
		}
	}
	if st := m.fleet.Stats(); st.Failed != 0 {
		t.Errorf("stats %+v", st)
	}
}

// Sums are bounded, quiet keys go, and what could not be told is told the next time.
func TestSums(t *testing.T) {
	c := testConfig(1_000_000, 1_000_000)
	c.Keys = 64
	l := NewShared(c, t0, plainHash{})
	for n := range 1000 {
		l.Take(caller(fmt.Sprint(n)), t0)
	}
	s := l.policies[0].sums
	all := s.take(1000)
	if len(all) > 64 || uint64(len(all))+s.untold.Load() != 1000 {
		t.Errorf("%d are told and %d are not", len(all), s.untold.Load())
	}
	l.Take(caller("0"), t0)
	s.giveBack(all)
	sum := int64(0)
	for _, one := range s.take(1000) {
		sum += one.n
	}
	if sum < int64(len(all)) {
		t.Errorf("%d of %d are told the next time", sum, len(all))
	}
	if left := s.take(1000); len(left) != 0 {
		t.Errorf("told twice: %v", left)
	}
	for i := range s.shard {
		if n := len(s.shard[i].m); n != 0 {
			t.Errorf("%d quiet keys are kept", n)
		}
	}
}

// Names do not depend on the process, and tell apart what the rates tell apart.
func TestNames(t *testing.T) {
	c := Config{Policies: []Policy{
		{"a", ByAddress, Rate{1, time.Second, 1}}, {"p", ByPrincipal, Rate{1, time.Second, 1}}, {"v", ByVenue, Rate{1, time.Second, 1}}}}
	one, two, other := NewShared(c, t0, plainHash{}), NewShared(c, t0, plainHash{}), NewShared(c, t0, plainHash{1})
	who := Who{netip.MustParseAddr("2001:db8::1"), &gateway.Principal{Tenant: "t", Issuer: "i", Subject: "s"}, &gateway.Venue{ID: "v"}}
	seen := map[string]bool{}
	for i := range c.Policies {
		name := one.name(&one.policies[i], &who)
		if name != two.name(&two.policies[i], &who) || name == other.name(&other.policies[i], &who) || seen[name] {
			t.Errorf("policy %d: %s", i, name)
		}
		seen[name] = true
	}
	neighbour := who
	neighbour.Address = netip.MustParseAddr("2001:db8::2")
	if one.name(&one.policies[0], &who) != one.name(&one.policies[0], &neighbour) {
		t.Error("two addresses of one /64 have two names")
	}
}

// A caller who keeps to the rate is never refused for it, even where more passes between two exchanges than the burst holds:
// what is told late was let through before.
func TestAQuietCallerOwesNothing(t *testing.T) {
	s := redistest.Start(t)
	c := testConfig(1000, 20)
	c.Exchange = 5 * period
	m := join(t, s, c, false)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for n := range 400 {
		<-tick.C
		if !m.take(caller("one")) {
			t.Fatalf("request %d is refused at half the rate", n)
		}
	}
}

// What could not be told while Redis was away is told when it is back.
func TestToldAfterAnOutage(t *testing.T) {
	s := redistest.Start(t)
	c := testConfig(1, 10)
	c.Policies[0].Per = time.Minute
	a, b := join(t, s, c, false), join(t, s, c, false)
	s.Kill()
	redistest.Await(t, "it is left alone", func() bool { return !a.client.Ready() && !b.client.Ready() })
	for range 10 {
		a.take(caller("one"))
	}
	failed := a.fleet.Stats().Failed
	redistest.Await(t, "an exchange fails", func() bool { return a.fleet.Stats().Failed > failed+1 })
	s.Restart()
	a.exchanged(t)
	b.take(caller("one"))
	b.exchanged(t)
	if b.take(caller("one")) {
		t.Error("the other one has not been told")
	}
}
