package known

import (
	"slices"
	"strings"
	"time"

	"github.com/warmgate/warmgate/flows/rooms/offer"
	"github.com/warmgate/warmgate/gateway"
)

// Hotel is what one hotel has told, as it was at one moment: it never changes. A nil Hotel has told nothing.
type Hotel struct {
	known   *Known
	version uint64
	rows    []row // by kind
}

// row is one kind of room: blocks of 32 nights from block number first on; nil where nothing was told.
type row struct {
	kind   string
	first  int32
	blocks []*block
}

// block is 32 nights. What is sure was told in this epoch.
type block struct {
	epoch uint64
	sure  uint32
	cells [perBlock]cell
}

// cell is one night in 16 bytes.
type cell struct {
	at       int64 // microseconds since 1970; 0: nothing was told
	price    uint32
	free     uint16
	currency uint16 // 0: no price
}

// Version grows with each change of the hotel, and no two hotels have the same; 0: nothing was told.
func (h *Hotel) Version() uint64 {
	if h == nil {
		return 0
	}
	return h.version
}

// with returns the hotel with n in it; nil where that changes nothing.
func (h *Hotel) with(k *Known, n Night, today offer.Date) (Fate, *Hotel) {
	next := &Hotel{known: k}
	if h != nil {
		next.rows = h.rows
	}
	i, there := slices.BinarySearchFunc(next.rows, n.Kind, func(r row, kind string) int { return strings.Compare(r.kind, kind) })
	if !there && len(next.rows) >= MaxKinds {
		return Full, nil
	}
	r := row{kind: strings.Clone(n.Kind), first: number(today)}
	if there {
		r = next.rows[i]
	}
	fate, changed := r.with(k, n, today)
	if changed == nil {
		return fate, nil
	}
	next.version = k.versions.Add(1)
	next.rows = slices.Clone(next.rows)
	if there {
		next.rows[i] = *changed
	} else {
		next.rows = slices.Insert(next.rows, i, *changed)
	}
	return fate, next
}

// since returns the hotel without the blocks that end before today; itself where there are none.
func (h *Hotel) since(k *Known, today offer.Date) *Hotel {
	first := number(today)
	if h == nil || !slices.ContainsFunc(h.rows, func(r row) bool { return r.first < first }) {
		return h
	}
	next := &Hotel{known: k, version: k.versions.Add(1)}
	for _, r := range h.rows {
		gone := min(max(int(first-r.first), 0), len(r.blocks))
		for _, b := range r.blocks[:gone] {
			if b != nil {
				k.used.Add(-1)
			}
		}
		if r.blocks = r.blocks[gone:]; len(r.blocks) > 0 {
			r.first += int32(gone)
			next.rows = append(next.rows, r)
		}
	}
	return next
}

// number is the block that a night is in.
func number(night offer.Date) int32 { return int32(night) >> 5 }

// with returns the row with n in it; nil where that changes nothing. What is told of nights far ahead finds no room sooner, so that
// there is room for those that are searched most.
func (r row) with(k *Known, n Night, today offer.Date) (Fate, *row) {
	fresh := cellOf(n)
	epoch := k.epoch.Load()
	bit := uint32(1) << (uint32(n.Night) % perBlock)
	at := int(number(n.Night) - r.first)
	room := int64(blocks)
	if n.Night >= today+soon {
		room = blocks / 2
	}
	var b block
	switch old := r.block(n.Night); {
	case old != nil:
		b = *old
	case k.used.Add(1) > room:
		k.used.Add(-1)
		return Full, nil
	}
	if b.epoch != epoch {
		b.epoch, b.sure = epoch, 0
	}
	c := &b.cells[uint32(n.Night)%perBlock]
	switch {
	case *c == fresh && b.sure&bit != 0:
		return Same, nil
	case *c != fresh && !fresh.later(*c):
		return Older, nil
	}
	*c, b.sure = fresh, b.sure|bit
	if at < 0 { // a row of its own begins where today is; a hotel's day may go back by a change of its zone
		r.blocks = append(make([]*block, -at), r.blocks...)
		r.first, at = r.first+int32(at), 0
	}
	grown := slices.Clone(r.blocks)
	if more := at + 1 - len(grown); more > 0 {
		grown = append(grown, make([]*block, more)...)
	}
	grown[at] = &b
	r.blocks = grown
	return Taken, &r
}

// block returns the block of a night; nil where nothing was told of it.
func (r row) block(night offer.Date) *block {
	if i := int(number(night) - r.first); i >= 0 && i < len(r.blocks) {
		return r.blocks[i]
	}
	return nil
}

// later reports whether c counts and not o: it happened later. Of what happened at once fewer rooms count, then the higher
// price, so that nothing is said to be free that may not be, and all replicas come to the same.
func (c cell) later(o cell) bool {
	switch {
	case c.at != o.at:
		return c.at > o.at
	case c.free != o.free:
		return c.free < o.free
	case c.currency != o.currency:
		return c.currency > o.currency
	}
	return c.price > o.price
}

func cellOf(n Night) cell {
	return cell{at: n.At.UnixMicro(), free: uint16(n.Free), price: uint32(n.Price.Minor), currency: packed(n.Price.Currency)}
}

func (c cell) time() time.Time { return time.UnixMicro(c.at) }

// packed is a currency of three capitals in two bytes; 0: none.
func packed(currency string) uint16 {
	if len(currency) != 3 {
		return 0
	}
	n := uint16(0)
	for i := range 3 {
		n = n*letters + uint16(currency[i]-'A')
	}
	return n + 1
}

// unpacked is what packed has packed.
func unpacked(n uint16) string {
	if n == 0 {
		return ""
	}
	n--
	return string([]byte{'A' + byte(n/letters/letters), 'A' + byte(n/letters%letters), 'A' + byte(n%letters)})
}

// told is what one kind was told to have on the nights of a stay, one cell each; those of which nothing was told are zero.
type told []cell

// of returns what was told of a kind for the nights of a stay; sure: in this epoch alone.
func (h *Hotel) of(kind string, stay offer.Stay, sure bool) told {
	t := make(told, stay.Nights)
	i, there := slices.BinarySearchFunc(h.rows, kind, func(r row, kind string) int { return strings.Compare(r.kind, kind) })
	if !there {
		return t
	}
	epoch := h.known.epoch.Load()
	for n := range t {
		night := stay.Arrival + offer.Date(n)
		b, at := h.rows[i].block(night), uint32(night)%perBlock
		if b != nil && (!sure || b.epoch == epoch && b.sure&(1<<at) != 0) {
			t[n] = b.cells[at]
		}
	}
	return t
}

// since returns what was told to be so not before a time.
func (t told) since(at time.Time) told {
	out := slices.Clone(t)
	for i, c := range out {
		if c.at < at.UnixMicro() {
			out[i] = cell{}
		}
	}
	return out
}

// complete reports whether something was told of every night.
func (t told) complete() bool { return !slices.ContainsFunc(t, func(c cell) bool { return c.at == 0 }) }

// full returns the latest night without a room; zero: there is none.
func (t told) full() (latest cell) {
	for _, c := range t {
		if c.at > latest.at && c.free == 0 {
			latest = c
		}
	}
	return latest
}

// newest returns what happened last; zero: nothing was told.
func (t told) newest() (latest cell) {
	for _, c := range t {
		if c.at > latest.at {
			latest = c
		}
	}
	return latest
}

// free is how many rooms there are on all nights of which something was told.
func (t told) free() int {
	least := uint16(MaxFree)
	for _, c := range t {
		if c.at != 0 {
			least = min(least, c.free)
		}
	}
	return int(least)
}

// total is what one room costs for all nights; false where one of them has no price, or they are not in one currency.
func (t told) total() (sum gateway.Money, priced bool) {
	sum.Currency = unpacked(t[0].currency)
	for _, c := range t {
		if c.currency == 0 || c.currency != t[0].currency {
			return gateway.Money{}, false
		}
		sum.Minor += int64(c.price)
	}
	return sum, true
}
