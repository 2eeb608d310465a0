package limit

import (
	"net/netip"
	"testing"
	"time"

	"github.com/warmgate/warmgate/gateway"
)

func fastLimiter() (*Limiter, Who) {
	rate := Rate{Requests: 1_000_000, Per: time.Second, Burst: 1_000_000}
	l := New(Config{Policies: []Policy{{"address", ByAddress, rate}, {"caller", ByPrincipal, rate}, {"place", ByVenue, rate}}}, t0)
	return l, Who{netip.MustParseAddr("2001:db8::1"), &gateway.Principal{Tenant: "hangzhou", Issuer: "https://login.city.example", Subject: "gate-7"}, &gateway.Venue{ID: "west-lake"}}
}

func TestHotPathsDoNotAllocate(t *testing.T) {
	l, who := fastLimiter()
	header := make([]byte, 0, 256)
	if n := testing.AllocsPerRun(1000, func() {
		d := l.Take(who, t0)
		header = d.AppendHeader(header[:0])
	}); n != 0 {
		t.Errorf("a limit check allocates %g times", n)
	}
	g := NewGate(GateConfig{})
	now := time.Now()
	if n := testing.AllocsPerRun(1000, func() {
		s, err := g.Acquire(Critical, now, now.Add(time.Second), time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		s.Release()
	}); n != 0 {
		t.Errorf("an admission allocates %g times", n)
	}
	if n := testing.AllocsPerRun(1000, func() {
		if _, err := g.Acquire(Critical, now, now, time.Millisecond); err == nil {
			t.Fatal("admitted")
		}
	}); n != 0 {
		t.Errorf("a refusal allocates %g times", n)
	}
}

func BenchmarkLimitCheck(b *testing.B) {
	l, who := fastLimiter()
	b.ReportAllocs()
	for b.Loop() {
		d := l.Take(who, t0)
		if d.Err() != nil {
			l, who = fastLimiter()
		}
	}
}

func BenchmarkTableTake(b *testing.B) {
	l, who := fastLimiter()
	table, k := l.policies[0].table, l.keyer.Address(who.Address)
	now := t0
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Microsecond)
		table.Take(k, now)
	}
}

func BenchmarkGateAcquire(b *testing.B) {
	g := NewGate(GateConfig{})
	now := time.Now()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			s, err := g.Acquire(Critical, now, now.Add(time.Second), time.Millisecond)
			if err != nil {
				b.Fatal(err)
			}
			s.Release()
		}
	})
}

func BenchmarkGateRefuse(b *testing.B) {
	g := NewGate(GateConfig{})
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		_, _ = g.Acquire(Low, now, now, time.Millisecond)
	}
}
