package known

import (
	"slices"
	"time"

	"github.com/warmgate/warmgate/flows/rooms/offer"
	"github.com/warmgate/warmgate/gateway"
)

// matters is for how long a hotel's own answer that is later may be said to contradict what it has told before.
const matters = 24 * time.Hour

// Kind is what a hotel's configuration says of a kind of room.
type Kind struct {
	Code       string
	Name       string
	Guests     int // how many one room takes; 0: not known
	Accessible bool
}

// takes reports whether the guests of a stay fit, and whether that is known. One always does.
func (k Kind) takes(stay offer.Stay) (fits, sure bool) {
	return int(stay.Guests) <= max(k.Guests, 1), k.Guests > 0 || stay.Guests <= 1
}

// FromPushes answers a stay from what the hotel has told alone. That is possible where it has told of every night of every
// kind that takes the guests, not before since, with a price wherever rooms are free, and where nothing may have been
// missed. Of a kind that is full on one night nothing else need be known; any other has to be known for how many guests it
// is. The answer is as old as the oldest night in it.
func (h *Hotel) FromPushes(stay offer.Stay, kinds []Kind, since time.Time) (answer offer.Answer, ok bool) {
	if h == nil || len(kinds) == 0 || stay.Nights == 0 || h.known.deaf.Load() {
		return offer.Answer{}, false
	}
	oldest := time.Time{}
	asOf := func(t time.Time) {
		if oldest.IsZero() || t.Before(oldest) {
			oldest = t
		}
	}
	for _, k := range kinds {
		fits, sure := k.takes(stay)
		if sure && !fits {
			continue
		}
		t := h.of(k.Code, stay, true).since(since)
		if full := t.full(); full.at != 0 {
			asOf(full.time())
			continue
		}
		price, priced := t.total()
		if !sure || !t.complete() || !priced {
			return offer.Answer{}, false
		}
		for _, c := range t {
			asOf(c.time())
		}
		answer.Offers = append(answer.Offers, k.offer(t.free(), price))
	}
	answer.AsOf = oldest
	return answer, !oldest.IsZero()
}

// offer is a kind at the price that was told.
func (k Kind) offer(free int, total gateway.Money) offer.Offer {
	return offer.Offer{Kind: k.Code, Name: k.Name, Free: free, Total: total, Guests: k.Guests, Accessible: k.Accessible, TaxIncluded: true}
}

// Contradiction is a kind of room that one source calls free and the other full, within a day of one another.
type Contradiction struct {
	Kind   string
	Pushed time.Time // when it was so as the hotel has told on its own
	Free   bool      // the hotel has told that rooms are free; its answer says that none are. false: the other way round
	Wins   bool      // what was told is later than the answer, and counts
}

// Resolve settles by time what the hotel's answer for a stay and what it has told on its own say of each night: the later
// counts. Where what was told counts for some nights alone, the others are as the answer has them: rooms are never more
// than either says, and AtLeast where it may be more. The cheapest offer of a kind gets the price that was told of all
// nights later than the answer; offers of the kind that were cheaper go. A kind that is not in the answer, and was told
// later to be free on all nights with a price, comes into it. The result shares nothing with answer that changes; AsOf
// stays. latest is when the latest of what counted was told; zero: nothing did.
func (h *Hotel) Resolve(stay offer.Stay, kinds []Kind, answer offer.Answer) (out offer.Answer, said []Contradiction, latest time.Time) {
	if h == nil || stay.Nights == 0 {
		return answer, nil, time.Time{}
	}
	out = answer
	out.Offers = slices.Clone(answer.Offers)
	for _, r := range h.rows {
		t := h.of(r.kind, stay, false)
		later := t.since(answer.AsOf.Truncate(time.Microsecond).Add(time.Microsecond))
		i := slices.IndexFunc(kinds, func(k Kind) bool { return k.Code == r.kind })
		fits := false
		if i >= 0 {
			fits, _ = kinds[i].takes(stay)
		}
		free := slices.ContainsFunc(answer.Offers, func(o offer.Offer) bool { return o.Kind == r.kind && o.Free > 0 })
		if c, is := contradiction(t.since(answer.AsOf.Add(-matters)), later, free, fits); is {
			c.Kind = r.kind
			said = append(said, c)
		}
		newest := later.newest()
		if newest.at == 0 {
			continue
		}
		if newest.time().After(latest) {
			latest = newest.time()
		}
		out.Offers = later.into(out.Offers, r.kind)
		price, priced := later.total()
		if !free && fits && priced && later.complete() && later.full().at == 0 {
			out.Offers = slices.DeleteFunc(out.Offers, func(o offer.Offer) bool { return o.Kind == r.kind })
			out.Offers = append(out.Offers, kinds[i].offer(later.free(), price))
		}
	}
	return out, said, latest
}

// contradiction says whether what was told of a kind, t, with what of it is later than the answer, is another thing than
// whether the answer has it free. fits: the guests fit into the kind; what does not fit is not offered, and no wonder.
func contradiction(t, later told, free, fits bool) (c Contradiction, is bool) {
	switch full := t.full(); {
	case full.at != 0 && free:
		return Contradiction{Pushed: full.time(), Wins: later.full().at != 0}, true
	case full.at == 0 && t.complete() && !free && fits:
		_, priced := later.total()
		return Contradiction{Pushed: t.newest().time(), Free: true, Wins: later.complete() && priced}, true
	}
	return Contradiction{}, false
}

// into lets what was told count for the offers of its kind.
func (t told) into(offers []offer.Offer, kind string) []offer.Offer {
	if t.full().at != 0 {
		return slices.DeleteFunc(offers, func(o offer.Offer) bool { return o.Kind == kind })
	}
	rooms, cheapest := t.free(), -1
	for i := range offers {
		o := &offers[i]
		if o.Kind != kind || o.Free == 0 {
			continue
		}
		switch {
		case t.complete(), o.Free >= rooms: // the other nights have as many at least as the answer says of all
			o.Free, o.AtLeast = rooms, false
		default:
			o.AtLeast = true
		}
		if o.Total.Currency != "" && (cheapest < 0 || o.Total.Minor < offers[cheapest].Total.Minor) {
			cheapest = i
		}
	}
	price, priced := t.total()
	if !priced || !t.complete() || cheapest < 0 || offers[cheapest].Total.Currency != price.Currency {
		return offers
	}
	offers[cheapest].Total, offers[cheapest].TaxIncluded = price, true
	keep := offers[cheapest].Plan
	return slices.DeleteFunc(offers, func(o offer.Offer) bool {
		return o.Kind == kind && o.Plan != keep && o.Total.Currency == price.Currency && o.Total.Minor < price.Minor
	})
}
