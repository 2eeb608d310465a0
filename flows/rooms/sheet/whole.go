package sheet

import (
	"hash/maphash"
	"slices"
	"sync/atomic"
	"time"

	"github.com/warmgate/warmgate/gateway"
)

const (
	wholeWays     = 4        // places that an answer may stand at
	wholeBytes    = 64 << 10 // of the longest answer that is kept, with its key
	seenPerAnswer = 32       // keys that are remembered as asked once, for each answer that is kept
)

// Whole is an answer that is kept. It is shared: nothing of it may be changed.
type Whole struct {
	Body  []byte
	ETag  string
	Count Count

	key   string
	hash  uint64
	until int64 // nanoseconds since 1970: from then on a hotel's state is another one
	used  atomic.Int64

	sheet    *sheet        // nil: the circle has no hotel
	version  atomic.Uint64 // of the sheet, at which all slots were as in versions
	ordinals []int32       // of the circle
	versions []uint64      // of their slots
	stale    []due
}

// due is a hotel whose answer is stale.
type due struct {
	ordinal int32
	cell    *cell
}

// wholes is where whole answers stand, by the hashes of their keys.
type wholes struct {
	seed maphash.Seed
	sets [][wholeWays]atomic.Pointer[Whole]
	seen []atomic.Uint64 // hashes of keys that were asked once
}

func (w *wholes) init(answers int) {
	w.seed = maphash.MakeSeed()
	w.sets = make([][wholeWays]atomic.Pointer[Whole], (answers+wholeWays-1)/wholeWays)
	w.seen = make([]atomic.Uint64, seenPerAnswer*answers)
}

// Kept returns the whole answer that is kept for key, nil where there is none or a hotel of its circle has changed, or has
// grown old, since. Key is all of a search that has an influence on its answer: query, language. It is not kept.
func (c *City) Kept(key []byte, now time.Time) *Whole {
	if len(c.wholes.sets) == 0 {
		return nil
	}
	hash, at := maphash.Bytes(c.wholes.seed, key), now.UnixNano()
	set := &c.wholes.sets[hash%uint64(len(c.wholes.sets))]
	for i := range set {
		if w := set[i].Load(); w != nil && w.hash == hash && w.key == string(key) {
			if !w.holds(at) {
				return nil
			}
			if at-w.used.Load() > int64(time.Second) {
				w.used.Store(at)
			}
			return w
		}
	}
	return nil
}

// holds reports whether nothing of the circle has changed: by one look while nothing of the stay has, otherwise by one at each of
// its hotels.
func (w *Whole) holds(now int64) bool {
	s := w.sheet
	if now >= w.until || s == nil || s.gone.Load() {
		return false
	}
	version := s.version.Load()
	if version != w.version.Load() {
		for i, ordinal := range w.ordinals {
			if s.slots[ordinal].version.Load() != w.versions[i] {
				return false
			}
		}
		w.version.Store(version)
	}
	s.touch(now)
	return true
}

// Due appends to dst the ordinals of w's stale hotels that it's the caller's turn to have asked again, behind its answer.
func (c *City) Due(dst []int32, w *Whole, now time.Time) []int32 {
	for i := range w.stale {
		if w.stale[i].cell.claim(now.UnixNano(), c.config.Retry) {
			dst = append(dst, w.stale[i].ordinal)
		}
	}
	return dst
}

// Keep keeps what p has written as the whole answer for key, from the second time on that the same key comes: most searches come
// once. What was asked for is not kept, only what came from the sheet alone. It reports whether the answer is kept.
func (c *City) Keep(key []byte, p *Page) bool {
	w := &c.wholes
	if len(w.sets) == 0 || len(p.Open) > 0 || p.sheet == nil || len(p.body)+len(key) > wholeBytes {
		return false
	}
	hash := maphash.Bytes(w.seed, key)
	if seen := &w.seen[hash%uint64(len(w.seen))]; seen.Swap(hash) != hash {
		return false
	}
	w.place(p.whole(string(key), hash))
	if p.sheet.gone.Load() { // it went while its answers were dropped
		w.drop(p.sheet)
	}
	return true
}

// whole makes what p has written an answer of its own.
func (p *Page) whole(key string, hash uint64) *Whole {
	w := &Whole{Body: slices.Clone(p.body), ETag: p.ETag, Count: p.Count, key: key, hash: hash, sheet: p.sheet,
		ordinals: make([]int32, len(p.rows)), versions: make([]uint64, len(p.rows)), until: int64(^uint64(0) >> 1)}
	w.version.Store(p.version)
	w.used.Store(p.now)
	for i := range p.rows {
		r := &p.rows[i]
		w.ordinals[i], w.versions[i] = p.hits[i].Ordinal, r.version
		if r.state == gateway.Cached {
			w.until = min(w.until, r.cell.fresh)
		} else {
			w.until = min(w.until, r.cell.usable)
		}
		if r.state == gateway.Stale {
			w.stale = append(w.stale, due{p.hits[i].Ordinal, r.cell})
		}
	}
	return w
}

// place puts an answer in the place of one with the same key, else where there is none, else of the least recently used.
func (w *wholes) place(x *Whole) {
	set := &w.sets[x.hash%uint64(len(w.sets))]
	to := &set[0]
	oldest := int64(^uint64(0) >> 1)
	for i := range set {
		switch old := set[i].Load(); {
		case old == nil:
			if oldest > 0 {
				to, oldest = &set[i], 0
			}
		case old.key == x.key:
			set[i].Store(x)
			return
		case old.used.Load() < oldest:
			to, oldest = &set[i], old.used.Load()
		}
	}
	to.Store(x)
}

// drop ends the answers of a sheet.
func (w *wholes) drop(s *sheet) {
	for i := range w.sets {
		for j := range w.sets[i] {
			if old := w.sets[i][j].Load(); old != nil && old.sheet == s {
				w.sets[i][j].CompareAndSwap(old, nil)
			}
		}
	}
}

// count returns how many answers there are.
func (w *wholes) count() (n int) {
	for i := range w.sets {
		for j := range w.sets[i] {
			if w.sets[i][j].Load() != nil {
				n++
			}
		}
	}
	return n
}
