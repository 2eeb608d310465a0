package wechatpay

import (
	"crypto/sha256"
	"sync"
	"time"
)

// maxSeen bounds each of memory's two generations; 1 << 16 answers in ten minutes are more than a hundred a second.
const maxSeen = 1 << 16

// memory remembers for a span what was seen, so that it does not count a second time. When there is too much in a span it
// forgets the oldest sooner. Safe for concurrent use.
type memory struct {
	span time.Duration

	mu     sync.Mutex
	since  time.Time // the younger generation's begin
	young  map[[16]byte]struct{}
	former map[[16]byte]struct{}
}

func newMemory(span time.Duration) *memory {
	return &memory{span: span, young: map[[16]byte]struct{}{}}
}

// first remembers s and reports whether it was not seen before.
func (m *memory) first(s string, now time.Time) bool {
	sum := sha256.Sum256([]byte(s))
	id := [16]byte(sum[:16])
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.young) >= maxSeen || now.Sub(m.since) >= m.span {
		m.young, m.former, m.since = map[[16]byte]struct{}{}, m.young, now
	}
	_, young := m.young[id]
	_, former := m.former[id]
	m.young[id] = struct{}{}
	return !young && !former
}
