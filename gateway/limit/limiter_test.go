package limit

import (
	"net/netip"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/warmgate/warmgate/gateway"
)

func TestLimiterCountsWhatIsKnown(t *testing.T) {
	l := New(Config{Policies: []Policy{
		{Name: "address", Scope: ByAddress, Rate: Rate{Requests: 10, Per: time.Second, Burst: 20}},
		{Name: "caller", Scope: ByPrincipal, Rate: Rate{Requests: 2, Per: time.Minute, Burst: 2}},
		{Name: "place", Scope: ByVenue, Rate: Rate{Requests: 100, Per: time.Second, Burst: 5}},
	}}, t0)
	if got, want := l.PolicyHeader(), `"address";q=20;w=2, "caller";q=2;w=60, "place";q=100;w=1`; got != want {
		t.Errorf("RateLimit-Policy: %s, want %s", got, want)
	}
	who := Who{Address: netip.MustParseAddr("192.0.2.1")}
	d := l.Take(who, t0)
	header := d.AppendHeader(nil)
	if got, want := string(header), `"address";r=19;t=1`; got != want {
		t.Errorf("RateLimit: %s, want %s", got, want)
	}
	who = Who{Principal: &gateway.Principal{Subject: "gate-7"}, Venue: &gateway.Venue{ID: "west-lake"}}
	d = l.Take(who, t0)
	if got, want := string(d.AppendHeader(header)), `"address";r=19;t=1, "caller";r=1;t=30, "place";r=4;t=1`; got != want {
		t.Errorf("RateLimit: %s, want %s", got, want)
	}
	if d = l.Take(who, t0); d.Err() != nil {
		t.Errorf("the second: %v", d.Err())
	}
	d = l.Take(who, t0.Add(100*time.Millisecond))
	e := gateway.AsError(d.Err())
	if e.Problem != ProblemRateLimited || e.RetryAfter != 30*time.Second || e.Extra["policy"] != "caller" || e.Detail.Zh == "" {
		t.Errorf("the third: %+v", e)
	}
	if got, want := string(d.AppendHeader(nil)), `"caller";r=0;t=60`; got != want {
		t.Errorf("RateLimit of a refusal: %s, want %s", got, want)
	}
	who.Principal = &gateway.Principal{Subject: "gate-8"}
	if d = l.Take(who, t0); d.Err() != nil {
		t.Errorf("another caller: %v", d.Err())
	}
	none := New(Config{}, t0)
	if d := none.Take(who, t0); d.Err() != nil || none.PolicyHeader() != "" || len(d.AppendHeader(nil)) != 0 {
		t.Error("without a policy something is limited or said")
	}
}

func TestConfigMistakes(t *testing.T) {
	good := Rate{Requests: 1, Per: time.Second, Burst: 1}
	for _, row := range []struct {
		name   string
		config Config
		want   string
	}{
		{"nothing", Config{}, ""},
		{"good", Config{Policies: []Policy{{"a", ByAddress, good}}, Gate: GateConfig{InFlight: 10, Shares: Shares{1, 1, 1}}}, ""},
		{"name", Config{Policies: []Policy{{`a"b`, ByAddress, good}}}, `policies[0].name: must be lower-case letters, digits and dashes, got "a\"b"`},
		{"twice", Config{Policies: []Policy{{"a", ByAddress, good}, {"a", ByVenue, good}}}, `policies[1].name: is used twice: "a"`},
		{"scope", Config{Policies: []Policy{{"a", "ticket", good}}}, `policies[0].scope: must be address, principal or venue, got "ticket"`},
		{"rate", Config{Policies: []Policy{{"a", ByVenue, Rate{Per: time.Second, Burst: 1}}}}, `policies[0].rate: must be at least 1, got 0`},
		{"per", Config{Policies: []Policy{{"a", ByVenue, Rate{Requests: 1, Burst: 1}}}}, `policies[0].per: must be above 0, got 0s`},
		{"burst", Config{Policies: []Policy{{"a", ByVenue, Rate{Requests: 1, Per: time.Second}}}}, `policies[0].burst: must be 1 to 1000000, got 0`},
		{"too fast", Config{Policies: []Policy{{"a", ByVenue, Rate{Requests: 1_000_001, Per: time.Second, Burst: 1}}}}, `policies[0].rate: at most one request each 1µs, got 1000001 per 1s`},
		{"too long", Config{Policies: []Policy{{"a", ByVenue, Rate{Requests: 1, Per: time.Hour, Burst: 100_000}}}}, `policies[0].burst: a burst of 100000 takes more than 8784h0m0s to be earned again`},
		{"many", Config{Policies: []Policy{{"a", ByVenue, good}, {"b", ByVenue, good}, {"c", ByVenue, good}, {"d", ByVenue, good}, {"e", ByVenue, good}, {"f", ByVenue, good}, {"g", ByVenue, good}, {"h", ByVenue, good}, {"i", ByVenue, good}}}, `policies: at most 8 policies, got 9`},
		{"keys", Config{Keys: -1}, `keys: must not be negative, got -1`},
		{"negative", Config{Gate: GateConfig{InFlight: -1}}, "gate.in_flight: must not be negative"},
		{"share", Config{Gate: GateConfig{Shares: Shares{High: 1.1}}}, "gate.shares.high: must be above 0 and at most 1, got 1.1"},
		{"rising", Config{Gate: GateConfig{Shares: Shares{Low: 0.8}}}, "gate.shares.low: must not be above the share of the priority before it (0.75), got 0.8"},
		{"target", Config{Gate: GateConfig{Target: time.Second}}, "gate.target: must not be above max_wait (200ms), got 1s"},
		{"retry", Config{Gate: GateConfig{RetryAfter: 1500 * time.Millisecond}}, "gate.retry_after: must be whole seconds, got 1.5s"},
	} {
		err := row.config.Validate()
		if got := errText(err); got != row.want {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
		if err == nil {
			continue
		}
		for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
			if _, ok := e.(*gateway.FieldError); !ok {
				t.Errorf("%s: not a field error: %v", row.name, e)
			}
		}
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestConfigIsReadFromYAML(t *testing.T) {
	var c Config
	err := yaml.UnmarshalWithOptions([]byte(`
policies:
  - {name: caller, scope: principal, rate: 50, per: 1s, burst: 100}
keys: 1000
gate: {in_flight: 64, shares: {high: 0.8, normal: 0.5, low: 0.25}, queue: 16, target: 5ms, interval: 100ms, max_wait: 200ms, retry_after: 2s}
`), &c, yaml.Strict())
	if err != nil {
		t.Fatal(err)
	}
	if want := (Policy{"caller", ByPrincipal, Rate{50, time.Second, 100}}); len(c.Policies) != 1 || c.Policies[0] != want {
		t.Errorf("got %+v, want %+v", c.Policies, want)
	}
	if c.Gate.InFlight != 64 || c.Gate.Shares.Low != 0.25 || c.Gate.RetryAfter != 2*time.Second || c.Validate() != nil {
		t.Errorf("got %+v, %v", c, c.Validate())
	}
}
