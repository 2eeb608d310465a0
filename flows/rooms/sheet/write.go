package sheet

import (
	"encoding/hex"
	"strconv"

	"github.com/cespare/xxhash/v2"

	"github.com/warmgate/warmgate/gateway"
)

const etagBytes = 18 // 64 bits in hexadecimal, and quotes

// Write answers the search as JSON:
//
//	{"complete":…,"missing":[{"hotel":…,"reason":…}],"hotels":[{"hotel":…,"name":…,"distance_m":…,"as_of":…,"state":…,
//	 "offers":[{"kind":…,"name":…,"plan":…,"free":…,"at_least":true,"total":{"minor":…,"currency":…},"guests":…,
//	 "accessible":true,"breakfast":true,"tax_included":true}],"more":true}],
//	 "full":[{"hotel":…,"name":…,"distance_m":…,"as_of":…,"state":…}],"cursor":…}
//
// full has those hotels of the circle that have nothing at all for the stay and a note.
// What is not known of an offer is left out, and more, full and cursor where there is none. complete says that no hotel of the circle is
// missing; what was not asked although it is open counts as missing. cursor appends a text for a position, of characters
// that need no escape in JSON; it is called where there are more hotels. The body is the page's and good until Release.
func (p *Page) Write(cursor func(dst []byte, last Position) []byte) []byte {
	p.choose()
	p.Count = Count{}
	for i := range p.rows {
		switch p.rows[i].state {
		case gateway.Live:
			p.Count.Live++
		case gateway.Cached:
			p.Count.Cached++
		case gateway.Stale:
			p.Count.Stale++
		case gateway.Missing:
			p.Count.Missing++
		}
	}
	b := p.body[:0]
	b = append(b, `{"complete":`...)
	b = strconv.AppendBool(b, p.Count.Missing == 0)
	b = p.appendMissing(append(b, `,"missing":[`...))
	b = append(b, `],"hotels":[`...)
	shown := p.best[:min(len(p.best), p.query.Limit)]
	lang := languageOf(p.query.Lang)
	for i, x := range shown {
		if i > 0 {
			b = append(b, ',')
		}
		b = p.appendHotel(b, x, lang)
	}
	b = p.appendFull(append(b, ']'), lang)
	if len(p.best) > len(shown) {
		b = cursor(append(b, `,"cursor":"`...), p.position(shown[len(shown)-1]))
		b = append(b, '"')
	}
	b = append(b, '}')
	p.body = b
	p.tagBody()
	return p.body
}

// tagBody makes the ETag: equal bytes have the same one at every replica.
func (p *Page) tagBody() {
	var sum [8]byte
	for i, x := 0, xxhash.Sum64(p.body); i < len(sum); i++ {
		sum[i] = byte(x >> (56 - 8*i))
	}
	p.tag[0], p.tag[etagBytes-1] = '"', '"'
	hex.Encode(p.tag[1:etagBytes-1], sum[:])
	p.ETag = string(p.tag[:])
}

func (p *Page) position(x pick) Position {
	return Position{Price: x.price, Metres: x.metres, Hotel: p.city.hotels[x.ordinal].id}
}

func (p *Page) appendMissing(b []byte) []byte {
	if p.Count.Missing == 0 {
		return b
	}
	first := true
	for i := range p.rows {
		r := &p.rows[i]
		if r.state != gateway.Missing {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(b, p.city.hotels[p.hits[i].Ordinal].missing...)
		b = append(appendText(b, string(r.why())), '}')
	}
	return b
}

// appendFull appends the hotels that are full and have something to say of it.
func (p *Page) appendFull(b []byte, lang int) []byte {
	if len(p.full) == 0 {
		return b
	}
	b = append(b, `,"full":[`...)
	for i, row := range p.full {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(p.appendOpening(b, row, lang), `"}`...)
	}
	return append(b, ']')
}

// appendOpening appends a hotel's object up to its state.
func (p *Page) appendOpening(b []byte, row int32, lang int) []byte {
	r, hit := &p.rows[row], p.hits[row]
	b = append(b, p.city.hotels[hit.Ordinal].opening[lang]...)
	b = strconv.AppendInt(b, int64(hit.Metres), 10)
	b = append(b, r.cell.stamp...)
	return append(b, r.state...)
}

func (p *Page) appendHotel(b []byte, x pick, lang int) []byte {
	r := &p.rows[x.row]
	b = append(p.appendOpening(b, x.row, lang), `","offers":[`...)
	b = p.query.appendOffers(b, r.cell, lang)
	if r.cell.more {
		return append(b, `],"more":true}`...)
	}
	return append(b, `]}`...)
}

// appendOffers appends the offers that pass: runs of them at once, commas included.
func (q *Query) appendOffers(b []byte, c *cell, lang int) []byte {
	if q.all() {
		return append(b, c.text[lang]...)
	}
	begun, from := false, uint32(0) // where the next offer begins
	for i := range c.offers {
		d := &c.offers[i]
		if q.passes(d) {
			if begun {
				b = append(b, ',')
			}
			b = append(b, c.text[lang][from:d.end[lang]]...)
			begun = true
		}
		from = d.end[lang] + 1 // behind the comma
	}
	return b
}
