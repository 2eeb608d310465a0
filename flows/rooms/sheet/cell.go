package sheet

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/warmgate/warmgate/flows/rooms/offer"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
)

// Found is what one hotel's answer for a stay came to.
type Found struct {
	Answer *offer.Answer // nil: there is none, and Reason says why
	State  gateway.State // of this answer where it is given at once (Page.Found): live, cached or stale
	Reason call.Why      // why there is none
	Fresh  time.Time     // the answer is cached until then
	Usable time.Time     // and stale until then; where there is no answer, until then that is said without asking again
	Note   []byte        // further members of the hotel's object, each with a comma before it; nil: none
}

// cell is what a hotel said for a stay, encoded. It is immutable but for asked.
type cell struct {
	fresh, usable int64        // until, in nanoseconds since 1970
	asOf          int64        // the same
	asked         atomic.Int64 // when somebody last set out to ask again
	offers        []dish       // cheapest first; those without a price that compares come last, in the hotel's order
	stamp         []byte       // the note, then ,"as_of":…,"state":"
	text          [2][]byte    // the offers with commas between them, by language; often the same bytes
	more          bool
	noted         bool     // the stamp has a note
	reason        call.Why // why there is no answer; "": there is one
	forgotten     bool     // nothing of before asOf is to be believed
}

// dish is an offer as a filter sees it.
type dish struct {
	total                 int64     // minor units of the city's currency, or unpriced
	end                   [2]uint32 // of its text
	accessible, breakfast bool
}

const (
	unpriced     = math.MaxInt64
	cellOverhead = 192 // bytes of a cell beside what it holds
	dishBytes    = 24
)

// size is what a cell counts against Config.MaxBytes.
func (c *cell) size() int64 {
	if c == nil {
		return 0
	}
	n := cellOverhead + len(c.stamp) + len(c.offers)*dishBytes + cap(c.text[0])
	if !c.sameText() {
		n += cap(c.text[1])
	}
	return int64(n)
}

func (c *cell) sameText() bool {
	return len(c.text[0]) == 0 && len(c.text[1]) == 0 || len(c.text[1]) > 0 && len(c.text[0]) > 0 && &c.text[0][0] == &c.text[1][0]
}

// usableAt reports whether there is an answer, or the knowledge that there is none, that may be given.
func (c *cell) usableAt(now int64) bool { return c != nil && now < c.usable }

// claim reports whether it's for the caller to have a stale cell asked again: for one in each retry.
func (c *cell) claim(now int64, retry time.Duration) bool {
	last := c.asked.Load()
	return now-last >= int64(retry) && c.asked.CompareAndSwap(last, now)
}

// encode makes the cell of what was found.
func (h *hotel) encode(stay offer.Stay, currency string, f *Found, now int64) *cell {
	c := &cell{usable: f.Usable.UnixNano()}
	if f.Answer == nil {
		c.asOf, c.reason = now, cmp.Or(f.Reason, call.NotAsked)
		return c
	}
	c.fresh, c.asOf, c.more, c.noted = f.Fresh.UnixNano(), f.Answer.AsOf.UnixNano(), f.Answer.More, len(f.Note) > 0
	c.usable = max(c.usable, c.fresh)
	if c.fresh <= now {
		c.asked.Store(now) // it has just been asked for, and this is what came of it
	}
	c.stamp = append(append(c.stamp, f.Note...), `,"as_of":"`...)
	c.stamp = f.Answer.AsOf.In(h.zone).AppendFormat(c.stamp, stampLayout)
	c.stamp = append(c.stamp, `","state":"`...)
	c.stamp = slices.Clip(c.stamp)
	fit := menu(f.Answer.Offers, stay, currency)
	c.offers = make([]dish, len(fit))
	named := false
	for i, o := range fit {
		c.offers[i] = dish{total: comparable(o, currency), accessible: o.Accessible, breakfast: o.Breakfast}
		_, has := h.kinds[o.Kind]
		named = named || has
	}
	c.text[0] = h.write(fit, c.offers, 0)
	if named {
		c.text[1] = h.write(fit, c.offers, 1)
		return c
	}
	c.text[1] = c.text[0]
	for i := range c.offers {
		c.offers[i].end[1] = c.offers[i].end[0]
	}
	return c
}

const stampLayout = "2006-01-02T15:04:05.000Z07:00"

// menu returns what can be had for the stay, the cheapest first.
func menu(all []offer.Offer, stay offer.Stay, currency string) []*offer.Offer {
	fit := make([]*offer.Offer, 0, len(all))
	for i := range all {
		if o := &all[i]; o.Free > 0 && (o.Guests == 0 || o.Guests >= int(stay.Guests)) {
			fit = append(fit, o)
		}
	}
	slices.SortStableFunc(fit, func(a, b *offer.Offer) int { return cmp.Compare(comparable(a, currency), comparable(b, currency)) })
	return fit
}

// comparable returns the price of an offer where it's in the currency, or unpriced.
func comparable(o *offer.Offer, currency string) int64 {
	if o.Total.Currency != currency {
		return unpriced
	}
	return o.Total.Minor
}

// write encodes offers in a language and notes where each ends.
func (h *hotel) write(offers []*offer.Offer, dishes []dish, lang int) []byte {
	var b []byte
	for i, o := range offers {
		if i > 0 {
			b = append(b, ',')
		}
		name := o.Name
		if text, ok := h.kinds[o.Kind]; ok {
			name = text.In(languages[lang])
		}
		b = appendOffer(b, o, name)
		dishes[i].end[lang] = uint32(len(b))
	}
	return slices.Clip(slices.Clone(b))
}

// appendOffer appends an offer as JSON. What the hotel doesn't say is left out.
func appendOffer(b []byte, o *offer.Offer, name string) []byte {
	b = appendText(append(b, `{"kind":`...), o.Kind)
	if name != "" {
		b = appendText(append(b, `,"name":`...), name)
	}
	if o.Plan != "" {
		b = appendText(append(b, `,"plan":`...), o.Plan)
	}
	b = strconv.AppendInt(append(b, `,"free":`...), int64(o.Free), 10)
	if o.AtLeast {
		b = append(b, `,"at_least":true`...)
	}
	if o.Total.Currency != "" {
		b = strconv.AppendInt(append(b, `,"total":{"minor":`...), o.Total.Minor, 10)
		b = append(appendText(append(b, `,"currency":`...), o.Total.Currency), '}')
	}
	if o.Guests != 0 {
		b = strconv.AppendInt(append(b, `,"guests":`...), int64(o.Guests), 10)
	}
	for _, said := range [...]struct {
		yes  bool
		text string
	}{{o.Accessible, `,"accessible":true`}, {o.Breakfast, `,"breakfast":true`}, {o.TaxIncluded, `,"tax_included":true`}} {
		if said.yes {
			b = append(b, said.text...)
		}
	}
	return append(b, '}')
}
