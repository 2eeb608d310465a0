// Package seal keeps personal data unreadable at rest: one data key per record, wrapped by a master key, and keyed hashes
// to find a record again without knowing what it says.
//
// Destroying a record's wrapped data key is erasure: what the key sealed can never be read again, in any copy.
// Nothing that this package returns as an error or prints holds key material or personal data.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"
)

const (
	keyBytes  = 32                           // AES-256, HMAC-SHA256
	boxFormat = 1                            // first byte of a wrapped data key; a change of the algorithms changes it
	boxBytes  = 1 + 4 + keyBytes + wrapExtra // format, master key id, wrapped data key
)

// The ways in which something sealed cannot be read.
var (
	ErrErased     = errors.New("the data key was destroyed")
	ErrUnreadable = errors.New("sealed bytes are altered, or belong to another record or key")
)

// Keys holds the master keys by id and the lookup key. It is immutable and safe for concurrent use.
// It never shows what it holds: printing it gives a fixed word.
type Keys struct {
	masters map[uint32]cipher.Block
	current uint32
	lookup  sync.Pool // of hash.Hash keyed with the lookup key
}

// New makes a fresh set of one master key, id 1, and a lookup key from random (32 bytes each).
func New(random io.Reader) (*Keys, error) {
	f, err := newFile(random)
	if err != nil {
		return nil, err
	}
	return f.keys()
}

// Hash returns HMAC-SHA256 of domain and parts under the lookup key. Every part is length-prefixed, so moving a byte from
// one part to the next gives another hash; two domains never meet. The lookup key does not rotate: hashes stay valid.
func (k *Keys) Hash(domain string, parts ...[]byte) (sum [32]byte) {
	h := k.lookup.Get().(hash.Hash)
	defer k.lookup.Put(h)
	h.Reset()
	var buf [64]byte
	b := binary.BigEndian.AppendUint64(buf[:0], uint64(len(domain)))
	h.Write(append(b, domain...))
	for _, p := range parts {
		h.Write(binary.BigEndian.AppendUint64(buf[:0], uint64(len(p))))
		h.Write(p)
	}
	h.Sum(sum[:0])
	return sum
}

// NewBox makes a new data key, wrapped by the current master key. One box for each record that is erased as a whole.
func (k *Keys) NewBox() (Box, error) {
	var key [keyBytes]byte
	rand.Read(key[:]) // never fails: the runtime ends the process instead
	aead, err := newAEAD(key[:])
	if err != nil {
		return Box{}, err
	}
	wrapped := make([]byte, 0, boxBytes)
	wrapped = append(wrapped, boxFormat)
	wrapped = binary.BigEndian.AppendUint32(wrapped, k.current)
	wrapped = wrapKey(wrapped, k.masters[k.current], key)
	return Box{aead: aead, wrapped: wrapped}, nil
}

// OpenBox unwraps the data key of a record. An empty wrapped is ErrErased; a master key id that the key file lacks is
// named; anything else that does not unwrap is ErrUnreadable.
func (k *Keys) OpenBox(wrapped []byte) (Box, error) {
	if len(wrapped) == 0 {
		return Box{}, ErrErased
	}
	if len(wrapped) != boxBytes || wrapped[0] != boxFormat {
		return Box{}, fmt.Errorf("cannot unwrap a data key of %d bytes: %w", len(wrapped), ErrUnreadable)
	}
	id := binary.BigEndian.Uint32(wrapped[1:])
	master, ok := k.masters[id]
	if !ok {
		return Box{}, fmt.Errorf("cannot unwrap a data key: master key %d is not in the key file", id)
	}
	key, ok := unwrapKey(master, wrapped[5:])
	if !ok {
		return Box{}, fmt.Errorf("cannot unwrap a data key with master key %d: %w", id, ErrUnreadable)
	}
	aead, err := newAEAD(key[:])
	if err != nil {
		return Box{}, err
	}
	return Box{aead: aead, wrapped: append([]byte(nil), wrapped...)}, nil
}

// String returns a fixed word, whatever the keys are.
func (k *Keys) String() string { return "seal.Keys" }

// GoString returns a fixed word, whatever the keys are.
func (k *Keys) GoString() string { return "seal.Keys" }

// Box seals the fields of one record with AES-256-GCM under its own data key. The zero Box seals nothing: it panics.
// Safe for concurrent use. Random nonces are safe for 2³² fields of one box.
type Box struct {
	aead    cipher.AEAD
	wrapped []byte
}

// Wrapped returns the data key as it is stored beside the record (45 bytes: format, master key id, key wrapped by RFC 3394).
// The caller must not change it.
func (b Box) Wrapped() []byte { return b.wrapped }

// Seal encrypts plain (28 bytes longer). aad names the place that the value belongs to, such as "run.body": sealed bytes
// moved to another field do not open.
func (b Box) Seal(plain []byte, aad string) []byte {
	return b.aead.Seal(make([]byte, 0, len(plain)+b.aead.Overhead()), nil, plain, []byte(aad))
}

// Open decrypts what Seal made with the same box and aad; anything else is ErrUnreadable.
func (b Box) Open(sealed []byte, aad string) ([]byte, error) {
	plain, err := b.aead.Open(nil, nil, sealed, []byte(aad))
	if err != nil {
		return nil, fmt.Errorf("cannot open %q: %w", aad, ErrUnreadable)
	}
	return plain, nil
}

// String returns a fixed word, whatever the key is.
func (b Box) String() string { return "seal.Box" }

// GoString returns a fixed word, whatever the key is.
func (b Box) GoString() string { return "seal.Box" }

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("cannot make a cipher: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("cannot make a cipher: %w", err)
	}
	return aead, nil
}

func newLookup(key []byte) func() any {
	return func() any { return hmac.New(sha256.New, key) }
}
