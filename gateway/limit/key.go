package limit

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"

	"github.com/warmgate/warmgate/gateway"
)

// Key stands for whom a request is counted against.
//
// What must not be put in a key: an ID number, a name, a face, a plate, a ticket code, or anything else that a person
// typed or showed. A table of keys outlives the request, turns up in memory dumps, and is bounded by number, not by a
// retention rule; and a limit counted by what is shown would let a stranger lock that person out by showing it often.
// Keys are made of who asks (an address, a principal, a venue) and only a seeded hash of that is kept, which cannot be
// compared across processes or turned back. Replicas that count together name a key to each other by a keyed hash.
type Key uint64

// Keyer makes keys under one random seed. The zero value is not usable. Safe for concurrent use.
type Keyer struct{ seed maphash.Seed }

// NewKeyer returns a keyer with a seed of its own: keys of two keyers never match on purpose.
func NewKeyer() Keyer { return Keyer{maphash.MakeSeed()} }

// Address returns the key of a client address. IPv4-mapped addresses count as IPv4; an IPv6 address counts by its
// /64, since one subscriber has all of it.
func (k Keyer) Address(addr netip.Addr) Key {
	b, n := subscriber(addr)
	return Key(maphash.Bytes(k.seed, b[:n]))
}

// subscriber is whose address it is: the first n bytes.
func subscriber(addr netip.Addr) (b [16]byte, n int) {
	addr = addr.Unmap()
	if addr.Is6() {
		return addr.As16(), 8
	}
	return addr.As16(), 16
}

// Principal returns the key of a principal: tenant, issuer and subject.
func (k Keyer) Principal(p *gateway.Principal) Key {
	var b [24]byte
	binary.LittleEndian.PutUint64(b[0:], maphash.String(k.seed, p.Tenant))
	binary.LittleEndian.PutUint64(b[8:], maphash.String(k.seed, p.Issuer))
	binary.LittleEndian.PutUint64(b[16:], maphash.String(k.seed, p.Subject))
	return Key(maphash.Bytes(k.seed, b[:]))
}

// Venue returns the key of a venue.
func (k Keyer) Venue(v *gateway.Venue) Key { return Key(maphash.String(k.seed, v.ID)) }
