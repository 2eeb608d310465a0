package sheet

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/warmgate/warmgate/flows/rooms/offer"
	"github.com/warmgate/warmgate/flows/rooms/place"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
)

// Query is what is searched for. It has been checked: Lat and Lon lie on the earth, Radius and Limit are above 0.
type Query struct {
	Lat, Lon   float64 // degrees, WGS 84
	Radius     float64 // metres
	Most       int     // hotels that are looked at, the nearest; 0: all of the circle
	Stay       offer.Stay
	MaxPrice   int64     // of the stay, in minor units of the city's currency; 0: any
	Accessible bool      // rooms for a wheelchair alone
	Breakfast  bool      // offers with breakfast alone
	ByPrice    bool      // the cheapest hotel first, by its cheapest offer that passes; false: the nearest first
	Limit      int       // hotels in one answer
	After      *Position // the answer goes on behind it; nil: it is the first
	Lang       string    // zh-CN or en
}

// Position is the last hotel of an answer, from which the next one goes on. It is by what the hotel was ordered, so that a hotel that
// hasn't changed is neither left out nor answered twice, whatever changes at the others. It belongs to its query:
// with another centre, stay, filter or order it says nothing.
type Position struct {
	Price  int64 // by price alone: of its cheapest offer; math.MaxInt64: it has none that compares
	Metres int32
	Hotel  string
}

// Count says how many hotels of the circle are answered from what, whether they have a room or not.
type Count struct{ Live, Cached, Stale, Missing int }

// Page is one search under way. It belongs to one goroutine until its Release.
type Page struct {
	Open []int32 // ordinals of the hotels of which nothing usable is known, the nearest first: to be asked, and told by Found
	Due  []int32 // ordinals of the stale ones that it's this search's turn to have asked again, behind its answer
	More bool    // there are more hotels in the circle than Query.Most

	// These are filled by Write.
	Count Count
	ETag  string // strong (RFC 9110 §8.8.3), of the body, with its quotes

	city  *City
	query Query
	now   int64
	hits  []place.Hit
	rows  []row // of hits
	opens []int // rows of Open

	sheet   *sheet
	version uint64 // of the sheet, before the first row was read
	best    []pick
	full    []int32 // rows without any offer, and with a note
	after   pick
	body    []byte
	tag     [etagBytes]byte
}

// row is one hotel of the circle.
type row struct {
	cell    *cell
	version uint64        // of its slot, before the cell was read
	state   gateway.State // of the answer; Missing: there is none
}

// pick is a hotel that passes, by what it's ordered.
type pick struct {
	price   int64 // 0 where the order is by distance
	metres  int32
	ordinal int32
	row     int32
}

func (p pick) compare(q pick) int {
	return cmp.Or(cmp.Compare(p.price, q.price), cmp.Compare(p.metres, q.metres), cmp.Compare(p.ordinal, q.ordinal))
}

// Look begins a search: it finds the hotels of the circle and what is known of them now. Release ends it.
func (c *City) Look(q *Query, now time.Time) *Page {
	p, _ := c.pages.Get().(*Page)
	if p == nil {
		p = &Page{city: c}
	}
	p.query, p.now = *q, now.UnixNano()
	most := math.MaxInt
	if q.Most > 0 {
		most = q.Most + 1
	}
	p.hits = c.index.Within(p.hits[:0], q.Lat, q.Lon, q.Radius, most)
	if p.More = len(p.hits) == most; p.More {
		p.hits = p.hits[:q.Most]
	}
	p.rows = slices.Grow(p.rows[:0], len(p.hits))[:len(p.hits)]
	if p.sheet = c.sheetOf(q.Stay); p.sheet != nil {
		p.sheet.touch(p.now)
		p.version = p.sheet.version.Load()
	}
	for i := range p.hits {
		p.read(i)
	}
	return p
}

// read reads the cell of a hit and judges it.
func (p *Page) read(i int) {
	r, ordinal := &p.rows[i], p.hits[i].Ordinal
	*r = row{state: gateway.Missing}
	if p.sheet != nil {
		slot := &p.sheet.slots[ordinal]
		r.version = slot.version.Load()
		r.cell = slot.cell.Load()
	}
	switch c := r.cell; {
	case !c.usableAt(p.now):
		r.cell = nil
		p.Open, p.opens = append(p.Open, ordinal), append(p.opens, i)
	case c.reason != "":
	case p.now < c.fresh:
		r.state = gateway.Cached
	default:
		r.state = gateway.Stale
		if c.claim(p.now, p.city.config.Retry) {
			p.Due = append(p.Due, ordinal)
		}
	}
}

// why says why there is no answer.
func (r *row) why() call.Why {
	if r.cell == nil {
		return call.NotAsked
	}
	return r.cell.reason
}

// Found says what asking Open[k] came to. It goes into this answer as it is, and is kept for other searches as by Put.
func (p *Page) Found(k int, f Found) {
	i := p.opens[k]
	ordinal := p.hits[i].Ordinal
	c := p.city.hotels[ordinal].encode(p.query.Stay, p.city.config.Currency, &f, p.now)
	p.rows[i] = row{cell: c, state: f.State}
	if f.Answer == nil {
		p.rows[i].state = gateway.Missing
	}
	p.city.put(p.query.Stay, ordinal, c, p.now)
}

// Release ends the search. Neither the page nor the body that it wrote may be used afterwards.
func (p *Page) Release() {
	clear(p.rows) // what is replaced must not stay
	p.Open, p.opens, p.Due, p.sheet = p.Open[:0], p.opens[:0], p.Due[:0], nil
	p.query = Query{}
	if cap(p.body) <= maxScratch {
		p.city.pages.Put(p)
	}
}

const maxScratch = 1 << 20

// choose puts the hotels of the answer in their order into p.best: at most one more than Limit, which tells that there are more.
func (p *Page) choose() {
	p.best, p.full = p.best[:0], p.full[:0]
	p.after = pick{price: math.MinInt64}
	if a := p.query.After; a != nil {
		i, _ := p.city.find(a.Hotel) // also where the hotel is gone
		p.after = pick{metres: a.Metres, ordinal: int32(i)}
		if i == len(p.city.hotels) || p.city.hotels[i].id != a.Hotel {
			p.after.ordinal-- // the one before it
		}
		if p.query.ByPrice {
			p.after.price = a.Price
		}
	}
	for i := range p.rows {
		r := &p.rows[i]
		if r.state == gateway.Missing {
			continue
		}
		price, passes := p.query.cheapest(r.cell)
		if !passes {
			if r.cell.noted && len(r.cell.offers) == 0 {
				p.full = append(p.full, int32(i))
			}
			continue
		}
		if !p.query.ByPrice {
			price = 0
		}
		p.offer(pick{price, p.hits[i].Metres, p.hits[i].Ordinal, int32(i)})
	}
}

// offer takes a hotel into best if it's behind the position and before the last of enough.
func (p *Page) offer(x pick) {
	if x.compare(p.after) <= 0 {
		return
	}
	n := len(p.best)
	if n > p.query.Limit { // there is one more than is answered
		if x.compare(p.best[n-1]) > 0 {
			return
		}
		p.best = p.best[:n-1]
		n--
	}
	if n == 0 || x.compare(p.best[n-1]) > 0 {
		p.best = append(p.best, x)
		return
	}
	at, _ := slices.BinarySearchFunc(p.best, x, pick.compare)
	p.best = slices.Insert(p.best, at, x)
}

// cheapest returns the price of the first offer that passes the filters, and whether there is one.
func (q *Query) cheapest(c *cell) (price int64, passes bool) {
	for i := range c.offers {
		if d := &c.offers[i]; q.passes(d) {
			return d.total, true
		}
	}
	return 0, false
}

// passes reports whether an offer passes the filters. One whose price doesn't compare is not below any.
func (q *Query) passes(d *dish) bool {
	return (q.MaxPrice == 0 || d.total <= q.MaxPrice) && (!q.Accessible || d.accessible) && (!q.Breakfast || d.breakfast)
}

// all reports whether everything passes.
func (q *Query) all() bool { return q.MaxPrice == 0 && !q.Accessible && !q.Breakfast }
