package call

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/warmgate/warmgate/gateway"
)

const ms = time.Millisecond

func TestPolicyValidate(t *testing.T) {
	for want, p := range map[string]Policy{
		"": {Slice: 500 * ms, Min: 50 * ms, Attempts: 2, AttemptTimeout: 200 * ms, Backoff: 100 * ms, HedgeAfter: 150 * ms,
			Cache: CachePolicy{Fresh: time.Second, StaleWhileRevalidate: time.Minute, StaleIfError: time.Hour, Negative: 3 * time.Second}},
		"slice: must be more than 0s and at most 1m0s, is 0s":                                                {},
		"slice: must be more than 0s and at most 1m0s, is 1m1s":                                              {Slice: 61 * time.Second},
		"attempts: must be 1 to 10, is 11":                                                                   {Slice: ms, Attempts: 11},
		"attempts: must be 1 to 10, is -1":                                                                   {Slice: ms, Attempts: -1},
		"min: must be 0s to the slice of 1ms, is 2ms":                                                        {Slice: ms, Min: 2 * ms},
		"attempt_timeout: must be 0s to the slice of 1ms, is -1ns":                                           {Slice: ms, AttemptTimeout: -1},
		"backoff: must be 0s to the slice of 1ms, is 2ms":                                                    {Slice: ms, Attempts: 2, Backoff: 2 * ms},
		"hedge_after: must be 0s to the slice of 1ms, is 1.5ms":                                              {Slice: ms, HedgeAfter: 1500 * time.Microsecond},
		"backoff: has no use with 1 attempt":                                                                 {Slice: 10 * ms, Backoff: ms},
		"slice: 3 attempts × 150ms + 2 back-offs × 30ms = 510ms do not fit the slice of 500ms":               {Slice: 500 * ms, Attempts: 3, AttemptTimeout: 150 * ms, Backoff: 30 * ms},
		"slice: 2 attempts × 500ms + 1 back-offs × 0s = 1s do not fit the slice of 500ms":                    {Slice: 500 * ms, Attempts: 2},
		"min: must be at most the attempt time-out of 100ms, is 101ms":                                       {Slice: 500 * ms, AttemptTimeout: 100 * ms, Min: 101 * ms},
		"hedge_after: 60ms leaves a hedge less than its min of 50ms in the attempt time-out of 100ms":        {Slice: 500 * ms, AttemptTimeout: 100 * ms, Min: 50 * ms, HedgeAfter: 60 * ms},
		"hedge_after: 500ms leaves a hedge less than its min of 0s in the attempt time-out of 500ms":         {Slice: 500 * ms, HedgeAfter: 500 * ms},
		"cache.fresh: must be 0s to 24h0m0s, is -1s":                                                         {Slice: ms, Cache: CachePolicy{Fresh: -time.Second}},
		"cache.stale_while_revalidate: must be 0s to 24h0m0s, is 24h0m1s":                                    {Slice: ms, Cache: CachePolicy{StaleWhileRevalidate: 24*time.Hour + time.Second}},
		"cache.stale_if_error: must be 0s to 24h0m0s, is -1ns":                                               {Slice: ms, Cache: CachePolicy{StaleIfError: -1}},
		"cache.negative: must be 0s to 1m0s, is 1m1s":                                                        {Slice: ms, Cache: CachePolicy{Negative: 61 * time.Second}},
		"slice: 10 attempts × 60ms + 9 back-offs × 0s = 600ms do not fit the slice of 599.999999ms":          {Slice: 600*ms - 1, Attempts: 10, AttemptTimeout: 60 * ms},
		"slice: 10 attempts × 50ms + 9 back-offs × 11.111112ms = 600.000008ms do not fit the slice of 600ms": {Slice: 600 * ms, Attempts: 10, AttemptTimeout: 50 * ms, Backoff: 11111112},
	} {
		checkField(t, want, p.Validate())
	}
}

// checkField holds err against the text of a *gateway.FieldError; empty: none.
func checkField(t *testing.T, want string, err error) {
	t.Helper()
	if want == "" {
		if err != nil {
			t.Errorf("refused: %v", err)
		}
		return
	}
	if _, ok := errors.AsType[*gateway.FieldError](err); !ok || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

func TestOperationsValidatePolicies(t *testing.T) {
	bare := NewRead("tickets.bare", ReadSpec[string, int]{})
	keyed := NewRead("tickets.keyed", ReadSpec[string, int]{Key: func(k *Key, a string) { k.Text(a) }})
	write := NewWrite[string, int]("tickets.redeem", WriteSpec[string]{})
	plain := Policy{Slice: time.Second}
	fresh := Policy{Slice: time.Second, Cache: CachePolicy{Fresh: time.Second}}
	negative := Policy{Slice: time.Second, Cache: CachePolicy{Negative: time.Second}}
	checkField(t, "", bare.Validate(plain))
	checkField(t, "", keyed.Validate(fresh))
	checkField(t, "", write.Validate(plain))
	checkField(t, "cache: tickets.bare cannot be cached: it has no key", bare.Validate(fresh))
	checkField(t, "cache.negative: tickets.keyed has no absent answers", keyed.Validate(negative))
	checkField(t, "cache: tickets.redeem is a write: it is never cached", write.Validate(fresh))
	checkField(t, "hedge_after: tickets.redeem is a write: it is never hedged", write.Validate(Policy{Slice: time.Second, HedgeAfter: ms}))
	checkField(t, "slice: must be more than 0s and at most 1m0s, is 0s", keyed.Validate(Policy{}))
	checkField(t, "slice: must be more than 0s and at most 1m0s, is 0s", write.Validate(Policy{}))
}

func TestPolicyFromYAML(t *testing.T) {
	const text = `
slice: 250ms
min: 20ms
attempts: 2
attempt_timeout: 100ms
backoff: 10ms
hedge_after: 50ms
cache: {fresh: 5s, stale_while_revalidate: 1m, stale_if_error: 1h, negative: 2s}
`
	want := Policy{Slice: 250 * ms, Min: 20 * ms, Attempts: 2, AttemptTimeout: 100 * ms, Backoff: 10 * ms, HedgeAfter: 50 * ms,
		Cache: CachePolicy{Fresh: 5 * time.Second, StaleWhileRevalidate: time.Minute, StaleIfError: time.Hour, Negative: 2 * time.Second}}
	var got Policy
	if err := yaml.UnmarshalWithOptions([]byte(text), &got, yaml.Strict()); err != nil || got != want {
		t.Fatalf("got %+v, %v", got, err)
	}
	if err := yaml.UnmarshalWithOptions([]byte("slice: 1s\nhedge: 5ms\n"), &got, yaml.Strict()); err == nil {
		t.Fatal("an unknown field was accepted")
	}
}

func TestInstanceConfigValidate(t *testing.T) {
	with := func(f func(b *BreakerConfig)) InstanceConfig {
		var c InstanceConfig
		f(&c.Breaker)
		return c
	}
	for want, c := range map[string]InstanceConfig{
		"": {},
		"max_in_flight: must be 1 to 65536, is -1":                         {MaxInFlight: -1},
		"breaker.window: must be 1s to 10m, is 1ms":                        with(func(b *BreakerConfig) { b.Window = ms }),
		"breaker.bucket: must be 100ms to the window of 10s, is 11s":       with(func(b *BreakerConfig) { b.Bucket = 11 * time.Second }),
		"breaker.min_calls: must be 1 to 10000, is -1":                     with(func(b *BreakerConfig) { b.MinCalls = -1 }),
		"breaker.failure_share: must be more than 0 and at most 1, is NaN": with(func(b *BreakerConfig) { b.FailureShare = math.NaN() }),
		"breaker.failure_share: must be more than 0 and at most 1, is 1.1": with(func(b *BreakerConfig) { b.FailureShare = 1.1 }),
		"breaker.consecutive: must be 1 to 1000, is -3":                    with(func(b *BreakerConfig) { b.Consecutive = -3 }),
		"breaker.open_for: must be 100ms to 5m, is 6m0s":                   with(func(b *BreakerConfig) { b.OpenFor = 6 * time.Minute }),
		"breaker.probes: must be 1 to 10, is 11":                           with(func(b *BreakerConfig) { b.Probes = 11 }),
		"breaker.probe_timeout: must be 0s to 1m0s, is -1ns":               with(func(b *BreakerConfig) { b.ProbeTimeout = -1 }),
		"budget.share: must be more than 0 and at most 1, is -0.1":         {Budget: BudgetConfig{Share: -0.1}},
		"budget.floor: must be 1 to 1000, is 1001":                         {Budget: BudgetConfig{Floor: 1001}},
	} {
		checkField(t, want, c.Validate())
	}
	if _, err := NewInstance("octo/x", "ticketing", InstanceConfig{MaxInFlight: -1}, nil); err == nil ||
		err.Error() != "cannot make instance octo/x: max_in_flight: must be 1 to 65536, is -1" {
		t.Errorf("got %v", err)
	}
	if _, err := NewInstance("", "ticketing", InstanceConfig{}, nil); err == nil {
		t.Error("an instance without a name was made")
	}
}
