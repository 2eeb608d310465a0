package limit

import (
	"fmt"
	"math/big"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/warmgate/warmgate/gateway"
)

var t0 = time.Date(2026, 5, 1, 9, 0, 0, 0, time.UTC)

// bucket is the slow model: a token bucket counted in exact fractions.
type bucket struct {
	rate   Rate
	tokens *big.Rat
	last   time.Time
}

func (b *bucket) take(now time.Time) bool {
	full := new(big.Rat).SetInt64(int64(b.rate.Burst))
	if b.tokens == nil {
		b.tokens, b.last = full, now
	}
	n := time.Duration(b.rate.Requests)
	perToken := int64((b.rate.Per + n - 1) / n) // whole nanoseconds, as documented
	b.tokens.Add(b.tokens, big.NewRat(int64(now.Sub(b.last)), perToken))
	if b.tokens.Cmp(full) > 0 {
		b.tokens.Set(full)
	}
	b.last = now
	one := big.NewRat(1, 1)
	if b.tokens.Cmp(one) < 0 {
		return false
	}
	b.tokens.Sub(b.tokens, one)
	return true
}

// whole returns the whole tokens that are left.
func (b *bucket) whole() int64 {
	return new(big.Int).Quo(b.tokens.Num(), b.tokens.Denom()).Int64()
}

func TestTableAgreesWithATokenBucket(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := Rate{
			Requests: rapid.IntRange(1, 50).Draw(t, "requests"),
			Per:      time.Duration(rapid.Int64Range(int64(time.Millisecond), int64(time.Minute)).Draw(t, "per")),
			Burst:    rapid.IntRange(1, 20).Draw(t, "burst"),
		}
		if wrong := rate.Mistakes("r"); len(wrong) > 0 {
			t.Fatal(wrong)
		}
		table := NewTable(rate, 1<<10, t0)
		models := map[Key]*bucket{}
		now := t0
		for range rapid.IntRange(1, 200).Draw(t, "requests made") {
			k := Key(rapid.Uint64Range(0, 3).Draw(t, "key") << 32)
			if rapid.Bool().Draw(t, "time passes") {
				now = now.Add(time.Duration(rapid.Int64Range(0, int64(rate.Per)).Draw(t, "pause")))
			}
			if models[k] == nil {
				models[k] = &bucket{rate: rate}
			}
			want, got := models[k].take(now), table.Take(k, now)
			if got.Allowed != want {
				t.Fatalf("key %d at %s: allowed %t, the bucket says %t", k, now.Sub(t0), got.Allowed, want)
			}
			if want && int64(got.Remaining) != models[k].whole() {
				t.Fatalf("remaining %d, the bucket has %d", got.Remaining, models[k].whole())
			}
			if !want {
				probe := *models[k]
				probe.tokens = new(big.Rat).Set(models[k].tokens)
				if probe.take(now.Add(got.Retry - 1)) {
					t.Fatalf("told to wait %s, but could have come before", got.Retry)
				}
				probe.tokens.Set(models[k].tokens)
				probe.last = now
				if !probe.take(now.Add(got.Retry)) {
					t.Fatalf("told to come after %s, and would be refused then", got.Retry)
				}
			}
		}
	})
}

func TestTableForgetsIdleKeysAndIsBounded(t *testing.T) {
	table := NewTable(Rate{Requests: 1, Per: time.Second, Burst: 2}, 1024, t0)
	size := func() (n int) {
		for i := range table.shard {
			n += len(table.shard[i].arrivals)
		}
		return n
	}
	now := t0
	for i := range 100_000 { // each is idle again after 1 s: about 100 are busy at any time
		now = now.Add(10 * time.Millisecond)
		table.Take(NewKeyer().Venue(&gateway.Venue{ID: fmt.Sprint(i)}), now)
	}
	if n := size(); n > 400 {
		t.Errorf("%d keys are kept where about 100 are busy", n)
	}
	keyer := NewKeyer()
	for i := range 10_000 { // all busy
		table.Take(keyer.Venue(&gateway.Venue{ID: fmt.Sprint(i)}), now)
	}
	if n := size(); n > 1024 || n < 900 {
		t.Errorf("%d keys are kept, want about 1024 and no more", n)
	}
}

func TestAFullTableForgetsTheIdlestFirst(t *testing.T) {
	table := NewTable(Rate{Requests: 1, Per: time.Minute, Burst: 10}, 16*8, t0)
	heavy := Key(0) // one shard: keys below 1<<32
	for range 10 {
		table.Take(heavy, t0)
	}
	for i := Key(1); i < 1000; i++ {
		table.Take(i, t0)
	}
	if r := table.Take(heavy, t0); r.Allowed {
		t.Error("a key that had used up its burst was forgotten before keys with one request")
	}
}

func TestKeys(t *testing.T) {
	k := NewKeyer()
	addr := func(s string) Key { return k.Address(netip.MustParseAddr(s)) }
	if addr("192.0.2.1") != addr("::ffff:192.0.2.1") {
		t.Error("an IPv4 address and its mapped form are two keys")
	}
	if addr("2001:db8:1:2::1") != addr("2001:db8:1:2:ffff::9%eth0") {
		t.Error("two addresses of one /64 are two keys")
	}
	if addr("2001:db8:1:2::1") == addr("2001:db8:1:3::1") || addr("192.0.2.1") == addr("192.0.2.2") {
		t.Error("two subscribers are one key")
	}
	p := func(tenant, issuer, subject string) Key {
		return k.Principal(&gateway.Principal{Tenant: tenant, Issuer: issuer, Subject: subject})
	}
	if p("a", "b", "c") != p("a", "b", "c") || p("a", "b", "c") == p("ab", "", "c") || p("a", "b", "c") == p("a", "bc", "") {
		t.Error("principals are not told apart by tenant, issuer and subject")
	}
	if NewKeyer().Venue(&gateway.Venue{ID: "x"}) == k.Venue(&gateway.Venue{ID: "x"}) {
		t.Error("two keyers make the same key")
	}
}
