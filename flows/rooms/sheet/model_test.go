package sheet_test

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/warmgate/warmgate/flows/rooms/offer"
	"github.com/warmgate/warmgate/flows/rooms/sheet"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
)

// model is a city that keeps what it's told as it is, and goes through all of it for each search.
type model struct {
	currency string
	retry    time.Duration
	hotels   []sheet.Hotel
	known    map[offer.Stay]map[int32]*fact
}

// fact is what is known of a hotel for a stay.
type fact struct {
	found  sheet.Found
	asOf   time.Time
	asked  time.Time // zero: never
	forgot bool
}

func (m *model) put(stay offer.Stay, ordinal int32, f sheet.Found, now time.Time) {
	next := &fact{found: f, asOf: now}
	if f.Answer != nil {
		next.asOf = f.Answer.AsOf
		if next.found.Usable.Before(f.Fresh) {
			next.found.Usable = f.Fresh
		}
		if !now.Before(f.Fresh) {
			next.asked = now
		}
	}
	if m.known[stay] == nil {
		m.known[stay] = map[int32]*fact{}
	}
	old := m.known[stay][ordinal]
	take := old == nil
	if old != nil {
		oldUsable := !old.forgot && now.Before(old.found.Usable)
		switch {
		case old.forgot:
			take = !next.asOf.Before(old.asOf)
		case f.Answer == nil:
			take = old.found.Answer == nil || !oldUsable
		case old.found.Answer == nil:
			take = true
		default:
			take = next.asOf.After(old.asOf) || next.asOf.Equal(old.asOf) && !next.found.Usable.Before(old.found.Usable)
		}
	}
	if take {
		m.known[stay][ordinal] = next
	}
}

func (m *model) forget(ordinal int32, from, to offer.Date, at time.Time) {
	for stay, facts := range m.known {
		old := facts[ordinal]
		night := false
		for n := range offer.Date(stay.Nights) {
			night = night || stay.Arrival+n >= from && stay.Arrival+n < to
		}
		if night && old != nil && (old.asOf.Before(at) || !old.forgot && old.found.Answer == nil) {
			facts[ordinal] = &fact{asOf: at, forgot: true}
		}
	}
}

type (
	wireAnswer struct {
		Complete bool          `json:"complete"`
		Missing  []wireMissing `json:"missing"`
		Hotels   []wireHotel   `json:"hotels"`
		Full     []wireHotel   `json:"full,omitempty"`
		Cursor   string        `json:"cursor,omitzero"`
	}
	wireMissing struct {
		Hotel  string   `json:"hotel"`
		Reason call.Why `json:"reason"`
	}
	wireHotel struct {
		Hotel  string        `json:"hotel"`
		Name   string        `json:"name"`
		Books  bool          `json:"bookable"`
		Metres int           `json:"distance_m"`
		Note   string        `json:"note,omitzero"`
		AsOf   string        `json:"as_of"`
		State  gateway.State `json:"state"`
		Offers []wireOffer   `json:"offers,omitempty"`
		More   bool          `json:"more,omitzero"`

		price int64
		order int
	}
	wireOffer struct {
		Kind        string        `json:"kind"`
		Name        string        `json:"name,omitzero"`
		Plan        string        `json:"plan,omitzero"`
		Free        int           `json:"free"`
		AtLeast     bool          `json:"at_least,omitzero"`
		Total       gateway.Money `json:"total,omitzero"`
		Guests      int           `json:"guests,omitzero"`
		Accessible  bool          `json:"accessible,omitzero"`
		Breakfast   bool          `json:"breakfast,omitzero"`
		TaxIncluded bool          `json:"tax_included,omitzero"`
	}
)

// search answers q. live says for the hotels that were asked for this search what came; open are those to be asked.
func (m *model) search(q *sheet.Query, now time.Time, live map[int32]sheet.Found) (body []byte, open, due []int32) {
	out := wireAnswer{Complete: true, Missing: []wireMissing{}, Hotels: []wireHotel{}}
	for _, i := range m.circle(q) {
		h, f, state := &m.hotels[i], m.known[q.Stay][int32(i)], gateway.Missing
		var found sheet.Found
		switch answer, asked := live[int32(i)]; {
		case asked:
			found, state = answer, answer.State
		case f == nil || f.forgot || !now.Before(f.found.Usable):
			open = append(open, int32(i))
			found.Reason = call.NotAsked
		case f.found.Answer == nil:
			found = f.found
		case now.Before(f.found.Fresh):
			found, state = f.found, gateway.Cached
		default:
			found, state = f.found, gateway.Stale
			if now.Sub(f.asked) >= m.retry {
				f.asked = now
				due = append(due, int32(i))
			}
		}
		if found.Answer == nil {
			out.Complete = false
			out.Missing = append(out.Missing, wireMissing{h.ID, found.Reason})
			continue
		}
		hotel := m.say(h, q, found.Answer)
		hotel.Metres, hotel.State, hotel.order = m.metres(h, q), state, i
		if found.Note != nil {
			hotel.Note = "said"
		}
		whole := m.say(h, &sheet.Query{Stay: q.Stay}, found.Answer)
		switch {
		case len(hotel.Offers) > 0:
			out.Hotels = append(out.Hotels, hotel)
		case len(whole.Offers) == 0 && found.Note != nil:
			hotel.More = false
			out.Full = append(out.Full, hotel)
		}
	}
	m.cut(&out, q)
	body, err := json.Marshal(out)
	if err != nil {
		panic(err)
	}
	return body, open, due
}

// circle returns the hotels of the circle, the nearest first.
func (m *model) circle(q *sheet.Query) (all []int) {
	for i := range m.hotels {
		if h := &m.hotels[i]; metresTo(h, q) <= q.Radius {
			all = append(all, i)
		}
	}
	slices.SortFunc(all, func(a, b int) int {
		return cmp.Or(cmp.Compare(m.metres(&m.hotels[a], q), m.metres(&m.hotels[b], q)), cmp.Compare(a, b))
	})
	return all
}

func (m *model) metres(h *sheet.Hotel, q *sheet.Query) int { return int(math.Round(metresTo(h, q))) }

// metresTo is the haversine distance.
func metresTo(h *sheet.Hotel, q *sheet.Query) float64 {
	const r, degree = 6_371_008.8, math.Pi / 180
	sinLat, sinLon := math.Sin((h.Lat-q.Lat)*degree/2), math.Sin((h.Lon-q.Lon)*degree/2)
	return 2 * r * math.Asin(math.Sqrt(sinLat*sinLat+math.Cos(h.Lat*degree)*math.Cos(q.Lat*degree)*sinLon*sinLon))
}

// say says what a hotel has that passes.
func (m *model) say(h *sheet.Hotel, q *sheet.Query, a *offer.Answer) wireHotel {
	const none = math.MaxInt64
	price := func(o offer.Offer) int64 {
		if o.Total.Currency == m.currency {
			return o.Total.Minor
		}
		return none
	}
	out := wireHotel{Hotel: h.ID, Name: h.Name.In(q.Lang), Books: h.Bookable, AsOf: a.AsOf.In(cmp.Or(h.Location, time.UTC)).Format("2006-01-02T15:04:05.000Z07:00"), More: a.More, price: none}
	offers := slices.Clone(a.Offers)
	slices.SortStableFunc(offers, func(a, b offer.Offer) int { return cmp.Compare(price(a), price(b)) })
	for _, o := range offers {
		if o.Free < 1 || o.Guests != 0 && o.Guests < int(q.Stay.Guests) || q.MaxPrice > 0 && price(o) > q.MaxPrice ||
			q.Accessible && !o.Accessible || q.Breakfast && !o.Breakfast {
			continue
		}
		if text, ok := h.Kinds[o.Kind]; ok {
			o.Name = text.In(q.Lang)
		}
		if o.Total.Currency == "" {
			o.Total = gateway.Money{}
		}
		out.price = min(out.price, price(o))
		out.Offers = append(out.Offers, wireOffer(o))
	}
	return out
}

// cut orders the hotels and leaves those of one page.
func (m *model) cut(out *wireAnswer, q *sheet.Query) {
	order := func(a, b wireHotel) int {
		if q.ByPrice && a.price != b.price {
			return cmp.Compare(a.price, b.price)
		}
		return cmp.Or(cmp.Compare(a.Metres, b.Metres), cmp.Compare(a.Hotel, b.Hotel))
	}
	slices.SortFunc(out.Hotels, order)
	if after := q.After; after != nil {
		last := wireHotel{Hotel: after.Hotel, Metres: int(after.Metres), price: after.Price}
		out.Hotels = slices.DeleteFunc(out.Hotels, func(h wireHotel) bool { return order(h, last) <= 0 })
	}
	if len(out.Hotels) > q.Limit {
		out.Hotels = out.Hotels[:q.Limit]
		last := out.Hotels[q.Limit-1]
		p := sheet.Position{Metres: int32(last.Metres), Hotel: last.Hotel}
		if q.ByPrice {
			p.Price = last.price
		}
		out.Cursor = string(cursor(nil, p))
	}
}

// cursor writes a position as text that read reads.
func cursor(dst []byte, p sheet.Position) []byte {
	return fmt.Appendf(dst, "%d.%d.%s", p.Price, p.Metres, p.Hotel)
}

func read(text string) *sheet.Position {
	var p sheet.Position
	if _, err := fmt.Sscanf(text, "%d.%d.%s", &p.Price, &p.Metres, &p.Hotel); err != nil {
		panic(err)
	}
	return &p
}
