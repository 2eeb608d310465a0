package rooms

import (
	"bytes"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"math"

	"github.com/warmgate/warmgate/flows/rooms/sheet"
)

// A cursor is a keyed MAC and what it seals: the version of its form, and the position of the last hotel of the page, by what
// the hotels are ordered by. Its MAC is over the query as well, so that nobody goes on with another one. The position is the
// client's: nothing is kept here for a search that nobody may go on with.
const (
	cursorForm   = 1
	cursorDomain = "rooms.cursor"
	macBytes     = 16
	maxCursor    = 256 // characters
)

// hasher makes keyed hashes; *seal.Keys is one.
type hasher interface {
	Hash(domain string, parts ...[]byte) [32]byte
}

// appendCursor appends the cursor of a position of query q at a tenant, in characters that need no escape anywhere.
func appendCursor(dst []byte, keys hasher, tenant string, q *sheet.Query, at sheet.Position) []byte {
	sealed := binary.AppendVarint(append(make([]byte, 0, maxCursor), cursorForm), at.Price)
	sealed = binary.AppendVarint(sealed, int64(at.Metres))
	sealed = append(sealed, at.Hotel...)
	mac := keys.Hash(cursorDomain, []byte(tenant), sameQuery(q), sealed)
	return base64.RawURLEncoding.AppendEncode(dst, append(append(make([]byte, 0, maxCursor), mac[:macBytes]...), sealed...))
}

// readCursor returns the position that a cursor of the query q at a tenant holds; false: it is none of ours, or of another
// query.
func readCursor(text string, keys hasher, tenant string, q *sheet.Query) (at sheet.Position, ok bool) {
	if len(text) > maxCursor {
		return at, false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) <= macBytes {
		return at, false
	}
	mac, sealed := raw[:macBytes], raw[macBytes:]
	if want := keys.Hash(cursorDomain, []byte(tenant), sameQuery(q), sealed); subtle.ConstantTimeCompare(mac, want[:macBytes]) == 0 || sealed[0] != cursorForm {
		return at, false
	}
	from := bytes.NewReader(sealed[1:])
	price, err := binary.ReadVarint(from)
	metres, err2 := binary.ReadVarint(from)
	if err != nil || err2 != nil || metres < 0 || metres > math.MaxInt32 {
		return at, false
	}
	return sheet.Position{Price: price, Metres: int32(metres), Hotel: string(sealed[len(sealed)-from.Len():])}, true
}

// sameQuery returns what two searches have in common where one goes on with the other: all but how many hotels are in an
// answer, in which language, and from where.
func sameQuery(q *sheet.Query) []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 64), math.Float64bits(q.Lat+0)) // -0 is 0
	b = binary.BigEndian.AppendUint64(b, math.Float64bits(q.Lon+0))
	b = binary.BigEndian.AppendUint64(b, math.Float64bits(q.Radius))
	b = binary.BigEndian.AppendUint32(b, uint32(q.Stay.Arrival))
	b = binary.BigEndian.AppendUint16(b, q.Stay.Nights)
	b = append(b, q.Stay.Guests)
	b = binary.BigEndian.AppendUint64(b, uint64(q.MaxPrice))
	for _, yes := range []bool{q.Accessible, q.Breakfast, q.ByPrice} {
		if yes {
			b = append(b, 1)
		} else {
			b = append(b, 0)
		}
	}
	return b
}
