package sheet

import (
	"maps"
	"math"
	"sync/atomic"
	"time"

	"github.com/warmgate/warmgate/flows/rooms/offer"
)

// sheet is what is known for one stay.
type sheet struct {
	slots   []slot        // by ordinal
	version atomic.Uint64 // grows after each change of a slot
	used    atomic.Int64  // when it was last searched, nanoseconds since 1970, to a second
	gone    atomic.Bool   // it is kept no more, and hears of nothing
	bytes   int64         // guarded by City.mu
}

// slot holds a hotel's cell. Who reads its version before its cell and finds that version again later, knows that the cell
// is still the same.
type slot struct {
	cell    atomic.Pointer[cell]
	version atomic.Uint64 // grows after each change of cell
}

const slotBytes = 16

// sheetOf returns the sheet of a stay, nil where none is kept.
func (c *City) sheetOf(stay offer.Stay) *sheet { return (*c.sheets.Load())[stay] }

// touch notes that the sheet is searched.
func (s *sheet) touch(now int64) {
	if now-s.used.Load() > int64(time.Second) {
		s.used.Store(now)
	}
}

// Put keeps what was found of a hotel for a stay, unless what is there is newer by its AsOf, or was forgotten since, or it
// doesn't fit into Config.MaxBytes: then other stays go first, the least recently searched ones. That nothing was found
// replaces nothing that is still usable. It reports whether it is kept.
func (c *City) Put(stay offer.Stay, ordinal int32, f Found, now time.Time) bool {
	return c.put(stay, ordinal, c.hotels[ordinal].encode(stay, c.config.Currency, &f, now.UnixNano()), now.UnixNano())
}

func (c *City) put(stay offer.Stay, ordinal int32, next *cell, now int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.sheetOf(stay)
	if s == nil {
		if s = c.begin(stay, now); s == nil {
			return false
		}
	}
	to := &s.slots[ordinal]
	old := to.cell.Load()
	if !next.follows(old, now) || !c.room(s, next.size()-old.size()) {
		return false
	}
	s.set(to, next)
	return true
}

// follows reports whether c takes the place of old.
func (c *cell) follows(old *cell, now int64) bool {
	switch {
	case old == nil:
		return true
	case old.forgotten:
		return c.asOf >= old.asOf
	case c.reason != "":
		return !old.usableAt(now) || old.reason != ""
	case old.reason != "":
		return true
	}
	return c.asOf > old.asOf || c.asOf == old.asOf && c.usable >= old.usable
}

func (s *sheet) set(to *slot, next *cell) {
	to.cell.Store(next)
	to.version.Add(1)
	s.version.Add(1)
}

// room makes sure that s may grow by so much, and books it. Other sheets go for it.
func (c *City) room(s *sheet, growth int64) bool {
	for growth > 0 && c.bytes+growth > c.config.MaxBytes {
		if !c.end(s) {
			return false
		}
	}
	c.bytes += growth
	s.bytes += growth
	return true
}

// begin makes the sheet of a stay; nil where there is no room for one.
func (c *City) begin(stay offer.Stay, now int64) *sheet {
	if len(*c.sheets.Load()) >= c.config.Stays {
		c.end(nil)
	}
	s := &sheet{}
	if !c.room(s, int64(len(c.hotels))*slotBytes) {
		return nil
	}
	s.slots = make([]slot, len(c.hotels))
	s.used.Store(now)
	all := maps.Clone(*c.sheets.Load())
	all[stay] = s
	c.sheets.Store(&all)
	return s
}

// end lets the least recently searched sheet but one go; false where there is none.
func (c *City) end(but *sheet) bool {
	var stay offer.Stay
	var oldest *sheet
	for k, s := range *c.sheets.Load() {
		if s != but && (oldest == nil || s.used.Load() < oldest.used.Load()) {
			stay, oldest = k, s
		}
	}
	if oldest == nil {
		return false
	}
	all := maps.Clone(*c.sheets.Load())
	delete(all, stay)
	c.sheets.Store(&all)
	oldest.gone.Store(true)
	c.bytes -= oldest.bytes
	c.wholes.drop(oldest)
	return true
}

// Forget ends what is known of a hotel for all stays that have a night from the day from to the day before to: what is put
// from now on and is of before at by its AsOf is not kept either. Of a stay that isn't kept nothing is noted: who combines an answer with
// something that may change meanwhile looks again after Put.
func (c *City) Forget(ordinal int32, from, to offer.Date, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for stay, s := range *c.sheets.Load() {
		slot := &s.slots[ordinal]
		old := slot.cell.Load()
		if !overlaps(stay, from, to) || old == nil || old.asOf >= at.UnixNano() && old.reason == "" {
			continue
		}
		none := &cell{asOf: at.UnixNano(), forgotten: true}
		c.bytes += none.size() - old.size()
		s.bytes += none.size() - old.size()
		s.set(slot, none)
	}
}

// Drop ends what is known of a hotel for all stays that have a night from the day from to the day before to; anything may be
// put in its place. Who combines an answer with something that may change meanwhile looks again after Put.
func (c *City) Drop(ordinal int32, from, to offer.Date) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for stay, s := range *c.sheets.Load() {
		slot := &s.slots[ordinal]
		old := slot.cell.Load()
		if !overlaps(stay, from, to) || old == nil || old.forgotten {
			continue
		}
		none := &cell{asOf: math.MinInt64, forgotten: true}
		c.bytes += none.size() - old.size()
		s.bytes += none.size() - old.size()
		s.set(slot, none)
	}
}

// Stays appends to dst the stays of which something is known of a hotel, and that have a night from the day from to the
// day before to.
func (c *City) Stays(dst []offer.Stay, ordinal int32, from, to offer.Date) []offer.Stay {
	for stay, s := range *c.sheets.Load() {
		if overlaps(stay, from, to) && s.slots[ordinal].cell.Load() != nil {
			dst = append(dst, stay)
		}
	}
	return dst
}

func overlaps(stay offer.Stay, from, to offer.Date) bool {
	return max(stay.Arrival, from) < min(stay.Departure(), to)
}

// Stats is what a city keeps at one moment.
type Stats struct {
	Stays    int
	Bytes    int64 // of their sheets
	MaxBytes int64
	Answers  int // whole ones
}

// Stats says how full the city is. It waits for those who write: meant for metrics.
func (c *City) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Stats{Stays: len(*c.sheets.Load()), Bytes: c.bytes, MaxBytes: c.config.MaxBytes, Answers: c.wholes.count()}
}
