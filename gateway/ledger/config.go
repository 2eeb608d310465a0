package ledger

import (
	"errors"
	"fmt"
	"time"

	"github.com/warmgate/warmgate/gateway"
)

// What the zero values of a Config mean, and the bounds of the others.
const (
	defaultQueue  = 4096
	defaultBatch  = 256
	defaultLinger = 20 * time.Millisecond
	defaultUpkeep = 200 * time.Millisecond
	maxQueue      = 1 << 20
	maxBatch      = 4096
	minLinger     = time.Millisecond
	maxLinger     = time.Second
	minUpkeep     = 10 * time.Millisecond
	maxUpkeep     = time.Hour
	closeWait     = 5 * time.Second // how long Close waits for what is in flight
)

// Config is the section "ledger" of the gateway's file.
type Config struct {
	Queue  int           `yaml:"queue"`  // items that may wait for the writer; 1 to 1,048,576; 0: 4096
	Batch  int           `yaml:"batch"`  // items in one group commit, at most, of those that somebody waits for; 1 to 4096; 0: 256
	Linger time.Duration `yaml:"linger"` // that items lie beside which are kept behind answers; 1 ms to 1 s; 0: 20 ms
	Upkeep time.Duration `yaml:"upkeep"` // between two checkpoints in the background; 10 ms to 1 h; 0: 200 ms

	// Fatal is told, once, that a flush met an I/O error; it ends the process. Where it returns, or is nil, the ledger
	// refuses everything from then on. It is called in the writer's goroutine, before anybody is answered.
	Fatal func(error) `yaml:"-"`
}

// Validate returns every mistake as a *gateway.FieldError, joined.
func (c Config) Validate() error {
	var errs []error
	within := func(path string, v, low, high int64, show func(int64) string) {
		if v != 0 && (v < low || v > high) {
			errs = append(errs, &gateway.FieldError{Path: path,
				Message: fmt.Sprintf("%s is not between %s and %s", show(v), show(low), show(high))})
		}
	}
	number := func(v int64) string { return fmt.Sprint(v) }
	within("queue", int64(c.Queue), 1, maxQueue, number)
	within("batch", int64(c.Batch), 1, maxBatch, number)
	span := func(v int64) string { return time.Duration(v).String() }
	within("linger", int64(c.Linger), int64(minLinger), int64(maxLinger), span)
	within("upkeep", int64(c.Upkeep), int64(minUpkeep), int64(maxUpkeep), span)
	return errors.Join(errs...)
}

// withDefaults fills in what is not set.
func (c Config) withDefaults() Config {
	if c.Queue == 0 {
		c.Queue = defaultQueue
	}
	if c.Batch == 0 {
		c.Batch = defaultBatch
	}
	if c.Linger == 0 {
		c.Linger = defaultLinger
	}
	if c.Upkeep == 0 {
		c.Upkeep = defaultUpkeep
	}
	return c
}
