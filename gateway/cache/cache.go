// Package cache holds what may be lost and rebuilt: answers of outside systems, in memory, bounded by their weight, and
// behind the memory in a second level that the replicas of a gateway share.
package cache

import (
	"fmt"
	"math"
	"sync/atomic"
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
	entryOverhead   = 160         // bytes that an entry costs beside its key and value: node, table slot, timers
	forgottenFor    = time.Minute // longer than any call is under way
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
	Asked  time.Time     // when this process began to ask for it, by its own clock; zero: AsOf

	kept      time.Time // when it came into the memory
	forgotten bool      // there is no answer: whatever was asked for before kept is not kept
}

// asked is when this process began to ask for it.
func (e *Entry) asked() time.Time {
	if e.Asked.IsZero() {
		return e.AsOf
	}
	return e.Asked
}

// Cache is a bounded memory of answers, safe for concurrent use. Make it with New.
type Cache struct {
	memory *otter.Cache[string, *Entry]
	second Second
	doubt  atomic.Pointer[time.Time]
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

// Get returns the entry of key, unless it was never set, was evicted, forgotten or is past its Keep.
func (c *Cache) Get(key string) (*Entry, bool) {
	e, ok := c.memory.GetIfPresent(key)
	if !ok || e.forgotten {
		return nil, false
	}
	return e, true
}

// Set keeps e under key, in the place of what was there. An entry whose Keep is not positive is not kept, and what was
// there goes. What was asked for before key was forgotten is not kept either.
func (c *Cache) Set(key string, e *Entry) {
	if e.Keep <= 0 {
		c.Drop(key)
		return
	}
	e.kept = time.Now()
	c.memory.Compute(key, func(old *Entry, found bool) (*Entry, otter.ComputeOp) {
		if found && old.forgotten && !e.asked().After(old.kept) {
			return nil, otter.CancelOp
		}
		return e, otter.WriteOp
	})
}

// Drop ends what is known under key. Calls under way may bring it back; see Forget.
func (c *Cache) Drop(key string) {
	c.memory.ComputeIfPresent(key, func(old *Entry) (*Entry, otter.ComputeOp) {
		if old.forgotten {
			return nil, otter.CancelOp
		}
		return nil, otter.InvalidateOp
	})
}

// Forget ends what is known under key for good: what was asked for before now is not kept, even if it comes later.
func (c *Cache) Forget(key string) {
	c.memory.Set(key, &Entry{Keep: forgottenFor, kept: time.Now(), forgotten: true})
}

// Doubt says that something may have changed unheard: of what is in the memory now, nothing is certain any more.
func (c *Cache) Doubt() {
	now := time.Now()
	c.doubt.Store(&now)
}

// Doubted reports whether e was in the memory when Doubt was last called: it has to be asked for again before it is
// called fresh.
func (c *Cache) Doubted(e *Entry) bool {
	at := c.doubt.Load()
	return at != nil && !e.kept.After(*at)
}

// Back puts a second level behind the memory. Call it before anything else.
func (c *Cache) Back(s Second) { c.second = s }

// Second returns the second level; nil: there is none.
func (c *Cache) Second() Second { return c.second }

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
