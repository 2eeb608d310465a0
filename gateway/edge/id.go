package edge

import (
	"crypto/rand"
	"encoding/hex"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// ids makes the ids of requests. Each of one process is greater than the one before it. Safe for concurrent use.
type ids struct{ last atomic.Int64 } // milliseconds since 1970, and 12 bits of their fraction

// next returns a UUIDv7 (RFC 9562 §5.7) whose time is kept to a 4096th of a millisecond (§6.2, method 3), or one such
// step after the last one's. Without randomness there is nothing that the process could do safely: it ends.
func (s *ids) next(now time.Time) (id uuid.UUID) {
	_, _ = rand.Read(id[8:]) // it never fails
	ms, rest := now.UnixMilli(), int64(now.Nanosecond()%int(time.Millisecond))
	at := ms<<12 | rest<<12/int64(time.Millisecond)
	for {
		last := s.last.Load()
		if at <= last {
			at = last + 1
		}
		if s.last.CompareAndSwap(last, at) {
			break
		}
	}
	ms = at >> 12
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	id[6], id[7] = 0x70|byte(at>>8)&0x0f, byte(at)
	id[8] = 0x80 | id[8]&0x3f
	return id
}

// appendID appends id in its usual form, as id.String has it.
func appendID(dst []byte, id uuid.UUID) []byte {
	from := 0
	for _, to := range [...]int{4, 6, 8, 10, 16} {
		if from > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, id[from:to])
		from = to
	}
	return dst
}
