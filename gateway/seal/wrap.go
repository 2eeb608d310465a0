package seal

import (
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
)

// A data key is wrapped with AES Key Wrap (RFC 3394, NIST SP 800-38F) and not with AES-GCM: it needs no nonce, so the number
// of records under one master key has no bound, where GCM with random nonces ends at 2³² (twelve days at 4,000/s).

const (
	wrapExtra = 8                  // bytes that wrapping adds
	wrapCheck = 0xA6A6A6A6A6A6A6A6 // the initial value of RFC 3394 §2.2.3.1, checked when unwrapping
	wrapParts = keyBytes / 8
)

// wrapKey appends key, wrapped by master, to dst.
func wrapKey(dst []byte, master cipher.Block, key [keyBytes]byte) []byte {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], wrapCheck)
	for j := range 6 {
		for i := range wrapParts {
			part := key[8*i : 8*i+8]
			copy(b[8:], part)
			master.Encrypt(b[:], b[:])
			copy(part, b[8:])
			step := uint64(wrapParts*j + i + 1)
			binary.BigEndian.PutUint64(b[:8], binary.BigEndian.Uint64(b[:8])^step)
		}
	}
	return append(append(dst, b[:8]...), key[:]...)
}

// unwrapKey reverses wrapKey; false when wrapped is altered or the master key another.
func unwrapKey(master cipher.Block, wrapped []byte) (key [keyBytes]byte, ok bool) {
	var b [16]byte
	copy(b[:8], wrapped)
	copy(key[:], wrapped[wrapExtra:])
	for j := 5; j >= 0; j-- {
		for i := wrapParts - 1; i >= 0; i-- {
			part := key[8*i : 8*i+8]
			step := uint64(wrapParts*j + i + 1)
			binary.BigEndian.PutUint64(b[:8], binary.BigEndian.Uint64(b[:8])^step)
			copy(b[8:], part)
			master.Decrypt(b[:], b[:])
			copy(part, b[8:])
		}
	}
	var want [8]byte
	binary.BigEndian.PutUint64(want[:], wrapCheck)
	if subtle.ConstantTimeCompare(b[:8], want[:]) != 1 {
		return [keyBytes]byte{}, false
	}
	return key, true
}
