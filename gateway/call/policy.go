package call

import (
	"fmt"
	"time"

	"github.com/warmgate/warmgate/gateway"
)

// Policy is one step's share of time and how it is used: section flows.PLAN.steps.STEP of gateway.yaml.
// Zero values are the defaults named here. A Policy is a value; calls never change it.
type Policy struct {
	Slice          time.Duration `yaml:"slice"`           // the whole step: attempts, hedges and back-off; required
	Min            time.Duration `yaml:"min"`             // an attempt is not started when less is left
	Attempts       int           `yaml:"attempts"`        // the first one included; 0: 1
	AttemptTimeout time.Duration `yaml:"attempt_timeout"` // of each attempt; 0: the slice without cache.second_level
	Backoff        time.Duration `yaml:"backoff"`         // longest pause before another attempt; the shortest is half of it
	HedgeAfter     time.Duration `yaml:"hedge_after"`     // a read's second, parallel try inside the attempt; 0: none
	Parallel       int           `yaml:"parallel"`        // of a gather alone: so many calls at once; 0: 256
	Cache          CachePolicy   `yaml:"cache"`
}

// CachePolicy says how long an answer may be used, counted from the moment the backend was asked (RFC 9111, RFC 5861).
type CachePolicy struct {
	Fresh                time.Duration `yaml:"fresh"`                  // used without asking
	StaleWhileRevalidate time.Duration `yaml:"stale_while_revalidate"` // past fresh: used at once, asked again behind the answer
	StaleIfError         time.Duration `yaml:"stale_if_error"`         // past fresh: used when asking again fails
	Negative             time.Duration `yaml:"negative"`               // an absent answer is used that long, never stale; 0: not kept
	SecondLevel          time.Duration `yaml:"second_level"`           // of the slice, to ask the cache that replicas share before the backend; 0: it is not asked
}

const (
	maxAttempts = 10
	maxParallel = 4096
	maxSlice    = time.Minute
	maxNegative = time.Minute
	maxCached   = 24 * time.Hour
)

// normal returns p with the defaults filled in.
func (p Policy) normal() Policy {
	if p.Attempts == 0 {
		p.Attempts = 1
	}
	if p.AttemptTimeout == 0 {
		p.AttemptTimeout = p.Slice - p.Cache.SecondLevel
	}
	if p.Parallel == 0 {
		p.Parallel = 256
	}
	return p
}

// Validate refuses a policy that cannot be kept. The error is a *gateway.FieldError whose path is below the step.
func (p Policy) Validate() error {
	if p.Slice <= 0 || p.Slice > maxSlice {
		return field("slice", "must be more than 0s and at most %v, is %v", maxSlice, p.Slice)
	}
	if p.Parallel < 0 || p.Parallel > maxParallel {
		return field("parallel", "must be 1 to %d, is %d", maxParallel, p.Parallel)
	}
	if p.Attempts < 0 || p.Attempts > maxAttempts {
		return field("attempts", "must be 1 to %d, is %d", maxAttempts, p.Attempts)
	}
	for _, d := range []struct {
		path string
		d    time.Duration
	}{{"min", p.Min}, {"attempt_timeout", p.AttemptTimeout}, {"backoff", p.Backoff}, {"hedge_after", p.HedgeAfter},
		{"cache.second_level", p.Cache.SecondLevel}} {
		if d.d < 0 || d.d > p.Slice {
			return field(d.path, "must be 0s to the slice of %v, is %v", p.Slice, d.d)
		}
	}
	if err := p.normal().fits(); err != nil {
		return err
	}
	return p.Cache.validate()
}

// fits holds attempts, hedges and back-offs against the slice; p is normal.
func (p Policy) fits() error {
	if p.Backoff > 0 && p.Attempts == 1 {
		return field("backoff", "has no use with 1 attempt")
	}
	pauses, second := p.Attempts-1, p.Cache.SecondLevel
	if second > 0 && second == p.Slice {
		return field("cache.second_level", "%v leaves nothing of the slice to ask the backend", second)
	}
	if sum := second + time.Duration(p.Attempts)*p.AttemptTimeout + time.Duration(pauses)*p.Backoff; sum > p.Slice {
		also := ""
		if second > 0 {
			also = fmt.Sprintf("second_level %v + ", second)
		}
		return field("slice", "%s%d attempts × %v + %d back-offs × %v = %v do not fit the slice of %v",
			also, p.Attempts, p.AttemptTimeout, pauses, p.Backoff, sum, p.Slice)
	}
	if p.Min > p.AttemptTimeout {
		return field("min", "must be at most the attempt time-out of %v, is %v", p.AttemptTimeout, p.Min)
	}
	if p.HedgeAfter > 0 && (p.HedgeAfter+p.Min > p.AttemptTimeout || p.HedgeAfter == p.AttemptTimeout) {
		return field("hedge_after", "%v leaves a hedge less than its min of %v in the attempt time-out of %v",
			p.HedgeAfter, p.Min, p.AttemptTimeout)
	}
	return nil
}

func (c CachePolicy) validate() error {
	for _, d := range []struct {
		path string
		d    time.Duration
		most time.Duration
	}{
		{"cache.fresh", c.Fresh, maxCached},
		{"cache.stale_while_revalidate", c.StaleWhileRevalidate, maxCached},
		{"cache.stale_if_error", c.StaleIfError, maxCached},
		{"cache.negative", c.Negative, maxNegative},
	} {
		if d.d < 0 || d.d > d.most {
			return field(d.path, "must be 0s to %v, is %v", d.most, d.d)
		}
	}
	if c.SecondLevel > 0 && c.keep(false) == 0 && c.Negative == 0 {
		return field("cache.second_level", "has no use where nothing is kept")
	}
	return nil
}

// keep is how long an entry can be of any use under the policy.
func (c CachePolicy) keep(absent bool) time.Duration {
	if absent {
		return c.Negative
	}
	return c.Fresh + max(c.StaleWhileRevalidate, c.StaleIfError)
}

// use is what may be done with an entry.
type use uint8

const (
	useNot use = iota
	useFresh
	useAndRefresh
)

// use judges an entry of the given age before anything is asked. A doubted one is stale at once.
func (c CachePolicy) use(absent bool, age time.Duration, doubted bool) use {
	switch {
	case absent:
		if age < c.Negative && !doubted {
			return useFresh
		}
		return useNot
	case age < c.Fresh && !doubted:
		return useFresh
	case c.StaleWhileRevalidate > 0 && age < c.Fresh+c.StaleWhileRevalidate:
		return useAndRefresh
	}
	return useNot
}

// mayBackUp reports whether an entry may answer after asking again has failed. Below fresh it was only doubted.
func (c CachePolicy) mayBackUp(absent bool, age time.Duration) bool {
	return !absent && age < c.Fresh+c.StaleIfError
}

func field(path, format string, args ...any) error {
	return &gateway.FieldError{Path: path, Message: fmt.Sprintf(format, args...)}
}
