package event

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/warmgate/warmgate/gateway/flow"
)

const (
	remember = 1 << 16   // events, at least
	keepFor  = time.Hour // at least, as long as no more come
)

// key names an event: the venue that it is about, its source and its id, hashed.
type key [16]byte

func keyOf(venue string, e flow.Event) key {
	return key(digest([]byte(venue), []byte(e.Source), []byte(e.ID)))
}

// contentOf is what may not change when an event is sent again: its type, its time and its data, however they are written.
func contentOf(e flow.Event) [8]byte {
	data := jsontext.Value(append([]byte(nil), e.Data...))
	if len(data) > 0 {
		_ = data.Canonicalize() // it was JSON
	}
	at := binary.BigEndian.AppendUint64(nil, uint64(e.Time.UnixNano()))
	return [8]byte(digest([]byte(e.Type), at, data))
}

// digest hashes parts such that no two lists of parts are the same.
func digest(parts ...[]byte) []byte {
	h := sha256.New()
	for _, p := range parts {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(p))))
		h.Write(p)
	}
	return h.Sum(nil)
}

// seen remembers events: two generations of up to remember each. The younger one becomes the older when it is full, or when
// it has been the younger for keepFor; what was in the older is forgotten then. It never takes more than 131,072 entries of
// 24 bytes and their maps. Safe for concurrent use.
type seen struct {
	mu         sync.Mutex
	young, old map[key][8]byte
	since      time.Time // when young began
}

func newSeen() *seen { return &seen{young: map[key][8]byte{}} }

// find returns the content of an event that has come before.
func (s *seen) find(k key) (content [8]byte, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if content, known = s.young[k]; known {
		return content, true
	}
	content, known = s.old[k]
	return content, known
}

// clear forgets everything.
func (s *seen) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.old, s.young = nil, map[key][8]byte{}
}

// add remembers an event.
func (s *seen) add(k key, content [8]byte, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.young) >= remember || now.Sub(s.since) >= keepFor {
		s.old, s.young, s.since = s.young, map[key][8]byte{}, now
	}
	s.young[k] = content
}
