// Package limit bounds how often somebody may ask (rates) and how much is done at once (the gate).
package limit

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/warmgate/warmgate/gateway"
)

// Scope says what a rate policy counts by.
type Scope string

// The scopes of a rate policy.
const (
	ByAddress   Scope = "address"   // the client's network address; IPv6 by its /64
	ByPrincipal Scope = "principal" // tenant, issuer and subject of the token
	ByVenue     Scope = "venue"     // the venue that the request acts on
)

// The bounds of a configuration, and what its zero values mean.
const (
	maxPolicies     = 8 // what one Decision holds
	maxBurst        = 1_000_000
	minInterval     = time.Microsecond     // between two requests of one key
	maxWindow       = 366 * 24 * time.Hour // for a burst to be earned again
	minExchange     = 10 * time.Millisecond
	maxExchange     = 10 * time.Second
	defaultExchange = 100 * time.Millisecond
	defaultKeys     = 65_536
	defaultInFlight = 256
	defaultTarget   = 5 * time.Millisecond
	defaultInterval = 100 * time.Millisecond
	defaultMaxWait  = 200 * time.Millisecond
	defaultRetry    = time.Second
)

// Config is the section "limit" of the gateway's file.
type Config struct {
	Policies []Policy   `yaml:"policies"` // at most 8; none: no rate is limited
	Keys     int        `yaml:"keys"`     // keys remembered for each policy; 0: 65536; a key costs about 40 bytes
	Gate     GateConfig `yaml:"gate"`

	// Exchange is the time between two exchanges of what was let through, where replicas share a Redis; 0: 100ms.
	Exchange time.Duration `yaml:"exchange"`
}

// Policy is one limit on the rate of requests.
type Policy struct {
	Name  string `yaml:"name"` // shown to clients: lower-case letters, digits and dashes
	Scope Scope  `yaml:"scope"`
	Rate  `yaml:",inline"`
}

// Rate allows Burst requests at once, and Requests for each Per in the long run.
type Rate struct {
	Requests int           `yaml:"rate"`  // ≥ 1
	Per      time.Duration `yaml:"per"`   // > 0; Per/Requests is at least 1 µs
	Burst    int           `yaml:"burst"` // 1 to 1,000,000
}

// GateConfig bounds the work in flight. The shares leave headroom: work of a priority is admitted while less than its
// share of InFlight is taken, so that what matters more always finds room.
type GateConfig struct {
	InFlight   int           `yaml:"in_flight"`   // requests at once; 0: 256
	Shares     Shares        `yaml:"shares"`      // of InFlight, falling with the priority
	Queue      int           `yaml:"queue"`       // waiting requests of each priority; 0: a quarter of InFlight, at least 1
	Target     time.Duration `yaml:"target"`      // queue delay that is tolerated for ever; 0: 5 ms
	Interval   time.Duration `yaml:"interval"`    // how long a queue may stand before Target counts; 0: 100 ms
	MaxWait    time.Duration `yaml:"max_wait"`    // the longest that anybody waits for room; 0: 200 ms
	RetryAfter time.Duration `yaml:"retry_after"` // told to those who are turned away; 0: 1 s; whole seconds
}

// Shares are parts of InFlight, above 0 and at most 1; 0 means the default. Critical work has all of it.
type Shares struct {
	High   float64 `yaml:"high"`   // 0: 0.9
	Normal float64 `yaml:"normal"` // 0: 0.75
	Low    float64 `yaml:"low"`    // 0: 0.6
}

// mistakes collects what is wrong in a section.
type mistakes []error

func (m *mistakes) add(path, format string, args ...any) {
	*m = append(*m, &gateway.FieldError{Path: path, Message: fmt.Sprintf(format, args...)})
}

// Validate reports every mistake as a *gateway.FieldError, joined; nil if there is none.
func (c Config) Validate() error {
	var m mistakes
	if len(c.Policies) > maxPolicies {
		m.add("policies", "at most %d policies, got %d", maxPolicies, len(c.Policies))
	}
	if c.Keys < 0 {
		m.add("keys", "must not be negative, got %d", c.Keys)
	}
	if c.Exchange != 0 && (c.Exchange < minExchange || c.Exchange > maxExchange) {
		m.add("exchange", "must be %v to %v, got %v", minExchange, maxExchange, c.Exchange)
	}
	seen := make(map[string]bool)
	for i, p := range c.Policies {
		path := fmt.Sprintf("policies[%d]", i)
		if !validName(p.Name) {
			m.add(path+".name", "must be lower-case letters, digits and dashes, got %q", p.Name)
		}
		if seen[p.Name] {
			m.add(path+".name", "is used twice: %q", p.Name)
		}
		seen[p.Name] = true
		if !slices.Contains([]Scope{ByAddress, ByPrincipal, ByVenue}, p.Scope) {
			m.add(path+".scope", "must be address, principal or venue, got %q", p.Scope)
		}
		m = append(m, p.Rate.Mistakes(path)...)
	}
	m = append(m, c.Gate.mistakes()...)
	return errors.Join(m...)
}

// Mistakes returns every mistake as a *gateway.FieldError below path, for the section that holds the rate.
func (r Rate) Mistakes(path string) []error {
	var m mistakes
	if r.Requests < 1 {
		m.add(path+".rate", "must be at least 1, got %d", r.Requests)
	}
	if r.Per <= 0 {
		m.add(path+".per", "must be above 0, got %s", r.Per)
	}
	if r.Burst < 1 || r.Burst > maxBurst {
		m.add(path+".burst", "must be 1 to %d, got %d", maxBurst, r.Burst)
	}
	if len(m) > 0 {
		return m
	}
	if r.Per/time.Duration(r.Requests) < minInterval {
		m.add(path+".rate", "at most one request each %s, got %d per %s", minInterval, r.Requests, r.Per)
	} else if float64(r.Per)/float64(r.Requests)*float64(r.Burst) > float64(maxWindow) {
		m.add(path+".burst", "a burst of %d takes more than %s to be earned again", r.Burst, maxWindow)
	}
	return m
}

func (g GateConfig) mistakes() mistakes {
	var m mistakes
	for _, f := range []struct {
		name  string
		value int64
	}{
		{"in_flight", int64(g.InFlight)}, {"queue", int64(g.Queue)}, {"target", int64(g.Target)},
		{"interval", int64(g.Interval)}, {"max_wait", int64(g.MaxWait)}, {"retry_after", int64(g.RetryAfter)},
	} {
		if f.value < 0 {
			m.add("gate."+f.name, "must not be negative")
		}
	}
	if g.RetryAfter%time.Second != 0 {
		m.add("gate.retry_after", "must be whole seconds, got %s", g.RetryAfter)
	}
	s := g.withDefaults().Shares
	upper := 1.0
	for _, f := range []struct {
		name  string
		share float64
	}{{"high", s.High}, {"normal", s.Normal}, {"low", s.Low}} {
		if !(f.share > 0 && f.share <= 1) {
			m.add("gate.shares."+f.name, "must be above 0 and at most 1, got %g", f.share)
		} else if f.share > upper {
			m.add("gate.shares."+f.name, "must not be above the share of the priority before it (%g), got %g", upper, f.share)
		}
		upper = f.share
	}
	if g := g.withDefaults(); g.Target > g.MaxWait {
		m.add("gate.target", "must not be above max_wait (%s), got %s", g.MaxWait, g.Target)
	}
	return m
}

// withDefaults returns the section with each zero replaced by what it means.
func (g GateConfig) withDefaults() GateConfig {
	setDefault(&g.InFlight, defaultInFlight)
	setDefault(&g.Queue, max(1, g.InFlight/4))
	setDefault(&g.Target, defaultTarget)
	setDefault(&g.Interval, defaultInterval)
	setDefault(&g.MaxWait, defaultMaxWait)
	setDefault(&g.RetryAfter, defaultRetry)
	setDefault(&g.Shares.High, 0.9)
	setDefault(&g.Shares.Normal, 0.75)
	setDefault(&g.Shares.Low, 0.6)
	return g
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// validName keeps policy names plain inside a structured-field string (RFC 8941 §3.3.3).
func validName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}
