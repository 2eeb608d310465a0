package twin

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash/fnv"
)

// Seed mixes the name of a twin, or of something in it, into a seed: no two of a city make the same things up.
func Seed(seed uint64, name string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	return seed ^ h.Sum64()
}

// Hash returns a keyed hash of parts, 32 hexadecimal digits, so that books can be compared and do not show what they are of:
// HMAC-SHA-256 under the twin's seed and its credential. Where one part ends and the next begins counts.
func Hash(seed uint64, credential string, parts ...string) string {
	h := hmac.New(sha256.New, append(binary.BigEndian.AppendUint64(nil, seed), credential...))
	for _, p := range parts {
		_, _ = h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(p))))
		_, _ = h.Write([]byte(p))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
