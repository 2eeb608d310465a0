package call

import "encoding/binary"

// Hasher makes keyed hashes of personal data; *seal.Keys is one. Safe for concurrent use.
type Hasher interface {
	Hash(domain string, parts ...[]byte) [32]byte
}

// Key collects the identity of one read. The engine has already put tenant, venue, instance and operation in front.
// Every part is written with its kind and length, so no two lists of parts make the same key.
type Key struct {
	buf    []byte
	keys   Hasher
	domain string

	personal bool // it has a part that identifies a person or a ticket
}

// Text adds a part that is no personal data: a product's id, a date.
func (k *Key) Text(s string) { k.buf = appendText(k.buf, s) }

// Int adds a number.
func (k *Key) Int(n int64) {
	k.buf = binary.BigEndian.AppendUint64(append(k.buf, 'i'), uint64(n))
}

// Personal adds a part that identifies a person or a ticket. Only its keyed hash, bound to the operation, enters the key;
// the answer stays in this process.
func (k *Key) Personal(b []byte) {
	k.personal = true
	h := k.keys.Hash(k.domain, b)
	k.buf = append(append(k.buf, 'p'), h[:]...)
}

func appendText(buf []byte, s string) []byte {
	buf = binary.AppendUvarint(append(buf, 's'), uint64(len(s)))
	return append(buf, s...)
}
