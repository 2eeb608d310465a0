// Package cache holds what may be lost and rebuilt: answers of outside systems, in memory, bounded by their weight.
package cache

import (
	"fmt"
	"math"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/warmgate/warmgate/gateway"
)

// Config bounds the memory that cached answers take; section cache of gateway.yaml.
type Config struct {
	MaxBytes int64 `yaml:"max_bytes"` // weight of all entries together; 0: 32 MiB
}

const (
	defaultMaxBytes = 32 << 20
	minMaxBytes     = 64 << 10
	entryOverhead   = 160 // bytes that an entry costs beside its key and value: node, table slot, timers
)

// Validate refuses a bound that cannot hold a useful number of answers, as a *gateway.FieldError.
func (c Config) Validate() error {
	if c.MaxBytes != 0 && c.MaxBytes < minMaxBytes {
		return &gateway.FieldError{Path: "max_bytes", Message: fmt.Sprintf("must be at least %d (64 KiB), is %d", minMaxBytes, c.MaxBytes)}
	}
	return nil
}

// Entry is one known answer. It is shared by everyone who reads it: neither it nor Value may be changed after Set.
type Entry struct {
	Value  any           // the decoded Go value itself, never encoded again
	AsOf   time.Time     // when the outside system was asked for it
	Absent bool          // the answer is that there is nothing; Value still says so in its own type
	Keep   time.Duration // from Set on; afterwards the entry is gone
	Size   int           // bytes that Value holds, as far as the operation knows
}

// Cache is a bounded memory of answers, safe for concurrent use. Make it with New.
type Cache struct {
	memory *otter.Cache[string, *Entry]
}

// New makes an empty cache. It runs one goroutine that clears expired entries every second; Close ends it.
func New(cfg Config) (*Cache, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = defaultMaxBytes
	}
	memory, err := otter.New(&otter.Options[string, *Entry]{
		MaximumWeight: uint64(cfg.MaxBytes),
		Weigher:       weigh,
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[string, *Entry]) time.Duration {
			return e.Value.Keep
		}),
	})
	if err != nil {
		return nil, fmt.Errorf("cannot make a cache of %d bytes: %w", cfg.MaxBytes, err)
	}
	return &Cache{memory: memory}, nil
}

// weigh is what an entry counts against MaxBytes.
func weigh(key string, e *Entry) uint32 {
	return uint32(min(int64(len(key))+int64(max(e.Size, 0))+entryOverhead, math.MaxUint32))
}

// Get returns the entry of key, unless it was never set, was evicted or is past its Keep.
func (c *Cache) Get(key string) (*Entry, bool) { return c.memory.GetIfPresent(key) }

// Set keeps e under key, in the place of what was there. An entry whose Keep is not positive is not kept,
// and what was there goes.
func (c *Cache) Set(key string, e *Entry) {
	if e.Keep <= 0 {
		c.Drop(key)
		return
	}
	c.memory.Set(key, e)
}

// Drop forgets key.
func (c *Cache) Drop(key string) { c.memory.Invalidate(key) }

// Stats is what the cache holds at one moment.
type Stats struct {
	Entries  int   // an estimate: some may be expired and not yet cleared
	Bytes    int64 // their weight
	MaxBytes int64
}

// Stats says how full the cache is; the cache weighs a moment behind its writes. It takes the cache's eviction lock:
// meant for metrics, not for requests.
func (c *Cache) Stats() Stats {
	return Stats{Entries: c.memory.EstimatedSize(), Bytes: int64(c.memory.WeightedSize()), MaxBytes: int64(c.memory.GetMaximum())}
}

// Close ends the cache's goroutine. Get and Set still work afterwards.
func (c *Cache) Close() { c.memory.StopAllGoroutines() }
