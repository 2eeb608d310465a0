package auth

import (
	"encoding/binary"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warmgate/warmgate/gateway"
)

const (
	memoryShards = 16
	sweepOnFull  = 8 // tokens looked at, at random, when room is needed
)

// verified is a token that was found good, with all that can make it bad again.
type verified struct {
	token     []byte // the whole of it
	principal *gateway.Principal
	id        string
	key       *key
	expires   time.Time                   // leeway included
	checked   atomic.Pointer[revocations] // the set that it was last checked against
}

// memory keeps verified tokens, a bounded number of them. Safe for concurrent use.
type memory struct {
	seed     maphash.Seed
	capacity int // of one shard
	shard    [memoryShards]struct {
		sync.RWMutex
		tokens map[uint64]*verified
	}
}

func newMemory(tokens int) *memory {
	m := &memory{seed: maphash.MakeSeed(), capacity: max(1, tokens/memoryShards)}
	for i := range m.shard {
		m.shard[i].tokens = make(map[uint64]*verified)
	}
	return m
}

// get returns what is known of a token, or nil. The hash only finds the place: the whole token is compared, in a time
// that does not depend on where a wrong one differs.
func (m *memory) get(token []byte) *verified {
	hash := maphash.Bytes(m.seed, token)
	s := &m.shard[hash>>32%memoryShards]
	s.RLock()
	v := s.tokens[hash]
	s.RUnlock()
	if v == nil || !same(v.token, token) {
		return nil
	}
	return v
}

// same reports whether a and b are equal, in a time that depends on their length alone. It takes eight bytes at a step:
// crypto/subtle takes one, which for a token of 4 KiB costs more than all else on the way of a request together.
func same(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	var differ uint64
	for len(a) >= 8 && len(b) >= 8 {
		differ |= binary.LittleEndian.Uint64(a) ^ binary.LittleEndian.Uint64(b)
		a, b = a[8:], b[8:]
	}
	for i := range min(len(a), len(b)) {
		differ |= uint64(a[i] ^ b[i])
	}
	return differ == 0
}

// put remembers v. Where there is no room it forgets one of a few others, the one that ends first.
func (m *memory) put(v *verified) {
	hash := maphash.Bytes(m.seed, v.token)
	s := &m.shard[hash>>32%memoryShards]
	s.Lock()
	defer s.Unlock()
	if _, known := s.tokens[hash]; !known && len(s.tokens) >= m.capacity {
		var victim uint64
		var first *verified
		look := sweepOnFull
		for h, o := range s.tokens {
			if first == nil || o.expires.Before(first.expires) {
				victim, first = h, o
			}
			if look--; look == 0 {
				break
			}
		}
		delete(s.tokens, victim)
	}
	s.tokens[hash] = v
}

// drop forgets v.
func (m *memory) drop(v *verified) {
	hash := maphash.Bytes(m.seed, v.token)
	s := &m.shard[hash>>32%memoryShards]
	s.Lock()
	defer s.Unlock()
	if s.tokens[hash] == v {
		delete(s.tokens, hash)
	}
}
