package cache

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/warmgate/warmgate/gateway/redis"
	"github.com/warmgate/warmgate/gateway/seal"
)

const (
	maxBody     = 64 << 10 // bytes of an encoded value; a larger one is not shared
	maxQueue    = 1024     // writes that wait; one more is left out
	maxForgets  = 4096     // keys that wait to be forgotten; one more is left out, and counted
	maxBatch    = 64       // commands sent together
	lookAgain   = 500 * time.Millisecond
	maxAhead    = time.Second      // by which the clocks of two replicas may differ
	guard       = 10 * time.Second // for so long nothing is written where something was forgotten
	writeWithin = 8 * time.Second  // of asking; later it could be from before a guard that is over

	keyDomain   = "cache.second"
	valueField  = "cache.second.value/"
	forgetField = "cache.second.forget"
	keyBytes    = 16 // of the keyed hash
)

// The first byte of a value. A change of the format is a new number.
const (
	markForgotten = 0
	markSealed    = 1
)

// store keeps a value, unless something was forgotten there a moment ago: what is written now may be from before.
const store = `if redis.pcall('GETRANGE', KEYS[1], 0, 0) == '\0' then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`

// Shared is the second level in Redis. Keys are keyed hashes; values and messages are sealed with the gateway's keys and
// bound to their place, so that replicas with the same keys understand each other, nobody else reads or forges anything,
// and what stands in the wrong place is not there. Make it with NewShared, end it with Close. Safe for concurrent use.
type Shared struct {
	client  *redis.Client
	keys    *seal.Keys
	memory  *Cache
	box     seal.Box // of all that this process seals here
	origin  [8]byte  // tells this process's messages from others'
	channel string

	queue   chan write
	wake    chan struct{}
	mu      sync.Mutex
	forgets map[string]struct{} // what waits to be forgotten; guarded by mu

	life   context.Context
	stop   context.CancelFunc
	behind sync.WaitGroup
	counts sharedCounts
}

// write is one value on its way.
type write struct {
	key    string
	kept   Kept
	encode func() ([]byte, error)
}

// NewShared puts a second level behind the memory, and hears what other replicas have forgotten. Replicas need the same
// keys and the same prefix to share it.
func NewShared(client *redis.Client, keys *seal.Keys, memory *Cache) (*Shared, error) {
	box, err := keys.NewBox()
	if err != nil {
		return nil, err
	}
	s := &Shared{client: client, keys: keys, memory: memory, box: box, channel: client.Key("forget"),
		queue: make(chan write, maxQueue), wake: make(chan struct{}, 1), forgets: map[string]struct{}{}}
	rand.Read(s.origin[:]) // never fails: the runtime ends the process instead
	s.life, s.stop = context.WithCancel(context.Background())
	memory.Back(s)
	client.Listen(s.channel, redis.Ear{Gap: memory.Doubt, Heard: s.hear})
	s.behind.Go(s.work)
	return s, nil
}

// Close ends the work behind the requests, after one try to have forgotten what still waits for it. Close it before the
// client.
func (s *Shared) Close() {
	s.stop()
	s.behind.Wait()
}

// place is where key is kept.
func (s *Shared) place(key string) string {
	h := s.keys.Hash(keyDomain, []byte(key))
	return s.client.Key("c", base64.RawURLEncoding.EncodeToString(h[:keyBytes]))
}

// Get implements Second.
func (s *Shared) Get(key string, shape uint64, within time.Duration) (Kept, bool) {
	place := s.place(key)
	value, err := s.client.Get(place, 2*maxBody, within)
	switch {
	case err != nil:
		s.counts.failed(err)
		return Kept{}, false
	case len(value) == 0 || value[0] == markForgotten:
		s.counts.misses.Add(1)
		return Kept{}, false
	}
	k, err := s.open(place, value)
	if err != nil || k.Shape != shape {
		s.counts.wrong.Add(1)
		return Kept{}, false
	}
	s.counts.hits.Add(1)
	return k, true
}

const headBytes = 8 + 8 + 1 // time, shape, flags

// seal makes the value that is kept.
func (s *Shared) seal(place string, k Kept) []byte {
	plain := binary.BigEndian.AppendUint64(make([]byte, 0, headBytes+len(k.Body)), uint64(k.AsOf.UnixMicro()))
	plain = binary.BigEndian.AppendUint64(plain, k.Shape)
	flags := byte(0)
	if k.Absent {
		flags = 1
	}
	plain = append(append(plain, flags), k.Body...)
	return s.enclose(append(make([]byte, 0, 128+len(plain)), markSealed), plain, valueField+place)
}

// open reads a value; anything that is none for this place is an error.
func (s *Shared) open(place string, value []byte) (Kept, error) {
	if value[0] != markSealed {
		return Kept{}, fmt.Errorf("a value of format %d", value[0])
	}
	plain, err := s.disclose(value[1:], valueField+place)
	if err != nil {
		return Kept{}, err
	}
	if len(plain) < headBytes {
		return Kept{}, fmt.Errorf("a value of %d bytes", len(plain))
	}
	now := time.Now()
	asOf := time.UnixMicro(int64(binary.BigEndian.Uint64(plain)))
	if asOf.After(now.Add(maxAhead)) {
		return Kept{}, fmt.Errorf("a value from the future: %v", asOf.Sub(now))
	}
	if asOf.After(now) {
		asOf = now
	}
	return Kept{Body: plain[headBytes:], Shape: binary.BigEndian.Uint64(plain[8:]), AsOf: asOf, Absent: plain[16] == 1}, nil
}

// enclose appends plain, sealed for its place, to out.
func (s *Shared) enclose(out, plain []byte, place string) []byte {
	return append(append(out, s.box.Wrapped()...), s.box.Seal(plain, place)...)
}

// disclose reads what enclose has made, of whichever replica.
func (s *Shared) disclose(b []byte, place string) ([]byte, error) {
	n := len(s.box.Wrapped())
	if len(b) < n {
		return nil, fmt.Errorf("%d bytes hold no key", len(b))
	}
	box := s.box
	if !bytes.Equal(b[:n], box.Wrapped()) {
		var err error
		if box, err = s.keys.OpenBox(b[:n]); err != nil {
			return nil, err
		}
	}
	return box.Open(b[n:], place)
}

// Set implements Second.
func (s *Shared) Set(key string, k Kept, encode func() ([]byte, error)) {
	if !s.client.Ready() {
		s.counts.dropped.Add(1)
		return
	}
	select {
	case s.queue <- write{key: key, kept: k, encode: encode}:
	default:
		s.counts.dropped.Add(1)
	}
}

// Forget implements Second.
func (s *Shared) Forget(key string) {
	s.mu.Lock()
	if len(s.forgets) < maxForgets {
		s.forgets[key] = struct{}{}
	} else {
		s.counts.unforgotten.Add(1)
	}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
