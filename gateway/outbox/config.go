package outbox

import (
	"errors"
	"fmt"
	"time"

	"github.com/warmgate/warmgate/gateway"
)

// commitWait bounds one commit or read of the outbox. A lease outlasts an attempt by at least as much.
const commitWait = 2 * time.Second

// Config is the section "outbox" of the gateway's file. A zero value means the default.
type Config struct {
	Workers        int           `yaml:"workers"`         // deliveries in flight at once; 1 to 1024; default 32
	PerVenue       int           `yaml:"per_venue"`       // of these, for one venue; 1 to workers; default 8, or workers if fewer
	Lease          time.Duration `yaml:"lease"`           // after a crash a message is delivered again past it; ≥ attempt_timeout + 2 s; default 10 s
	AttemptTimeout time.Duration `yaml:"attempt_timeout"` // for one delivery; 1 ms to 10 min; default 5 s
	BackoffMin     time.Duration `yaml:"backoff_min"`     // after the first failure, doubled after each; ≥ 1 ms; default 250 ms
	BackoffMax     time.Duration `yaml:"backoff_max"`     // ≥ backoff_min, at most 24 h; default 15 s
	MaxAttempts    int           `yaml:"max_attempts"`    // then a person takes over, before the due time; 1 to 1,000,000; default 10,000
	GiveUpAfter    time.Duration `yaml:"give_up_after"`   // the due time of a message that has none; ≥ 1 s; default 24 h
	Poll           time.Duration `yaml:"poll"`            // longest wait before it looks again; 10 ms to 1 min; default 1 s
}

// Validate returns every mistake as a *gateway.FieldError, joined.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	refuse := func(path, format string, args ...any) {
		errs = append(errs, &gateway.FieldError{Path: path, Message: fmt.Sprintf(format, args...)})
	}
	if c.Workers < 1 || c.Workers > 1024 {
		refuse("workers", "%d is not between 1 and 1024", c.Workers)
	} else if c.PerVenue < 1 || c.PerVenue > c.Workers {
		refuse("per_venue", "%d is not between 1 and workers (%d)", c.PerVenue, c.Workers)
	}
	if c.AttemptTimeout < time.Millisecond || c.AttemptTimeout > 10*time.Minute {
		refuse("attempt_timeout", "%v is not between 1ms and 10m", c.AttemptTimeout)
	} else if c.Lease < c.AttemptTimeout+commitWait {
		refuse("lease", "%v is shorter than attempt_timeout + %v = %v: a delivery could lose its lease while it runs",
			c.Lease, commitWait, c.AttemptTimeout+commitWait)
	}
	if c.BackoffMin < time.Millisecond {
		refuse("backoff_min", "%v is less than 1ms", c.BackoffMin)
	}
	if c.BackoffMax < c.BackoffMin || c.BackoffMax > 24*time.Hour {
		refuse("backoff_max", "%v is not between backoff_min (%v) and 24h", c.BackoffMax, c.BackoffMin)
	}
	if c.MaxAttempts < 1 || c.MaxAttempts > 1_000_000 {
		refuse("max_attempts", "%d is not between 1 and 1000000", c.MaxAttempts)
	}
	if c.GiveUpAfter < time.Second {
		refuse("give_up_after", "%v is less than 1s", c.GiveUpAfter)
	}
	if c.Poll < 10*time.Millisecond || c.Poll > time.Minute {
		refuse("poll", "%v is not between 10ms and 1m", c.Poll)
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	or(&c.Workers, 32)
	or(&c.PerVenue, min(8, c.Workers))
	or(&c.AttemptTimeout, 5*time.Second)
	or(&c.Lease, max(10*time.Second, c.AttemptTimeout+commitWait))
	or(&c.BackoffMin, 250*time.Millisecond)
	or(&c.BackoffMax, max(15*time.Second, c.BackoffMin))
	or(&c.MaxAttempts, 10_000)
	or(&c.GiveUpAfter, 24*time.Hour)
	or(&c.Poll, time.Second)
	return c
}

func or[T comparable](v *T, fallback T) {
	var zero T
	if *v == zero {
		*v = fallback
	}
}
