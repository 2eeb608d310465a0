package ohip

import (
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/warmgate/warmgate/backends/wire"
	"github.com/warmgate/warmgate/gateway"
)

// wireAvailability is one page of what a hotel has. It is used again and again.
type wireAvailability struct {
	Segments []wireSegment `json:"hotelAvailability"`

	rates   []wireRoomRate // of all stays, each of which has a part of them
	amounts []byte         // likewise
}

// reset makes room for another page, and forgets the one before.
func (w *wireAvailability) reset() {
	clear(w.Segments)
	clear(w.rates)
	clear(w.amounts)
	*w = wireAvailability{Segments: w.Segments[:0], rates: w.rates[:0], amounts: w.amounts[:0]}
}

type wireSegment struct {
	HotelID string        `json:"hotelId"`
	Closed  bool          `json:"closed"`
	HasMore bool          `json:"hasMore"`
	Next    string        `json:"pagingKey"`
	Stays   []wireOffered `json:"roomStays"`
	Master  struct {
		Types struct {
			All []wireRoomType `json:"roomType"`
		} `json:"roomTypes"`
	} `json:"masterInfo"`
}

type wireOffered struct {
	Arrival   string         `json:"arrivalDate"`
	Departure string         `json:"departureDate"`
	Rates     []wireRoomRate `json:"roomRates"`
}

type wireRoomType struct {
	Code     string        `json:"roomType"`
	Name     string        `json:"description"`
	Features []wireFeature `json:"roomFeatures"`
}

type wireFeature struct {
	Code string `json:"code"`
}

type wireRoomRate struct {
	RoomType    string        `json:"roomType"`
	RatePlan    string        `json:"ratePlanCode"`
	Status      string        `json:"availability"`
	Units       *int          `json:"numberOfUnits"`
	Start       string        `json:"start"`
	End         string        `json:"end"`
	Pseudo      bool          `json:"pseudoRoom"`   // no room: where accounts are kept
	Suppressed  bool          `json:"suppressRate"` // its price is nobody's business
	TaxIncluded bool          `json:"taxIncluded"`
	Total       wireTotal     `json:"total"`
	Meals       []wireMeal    `json:"mealPlans"`
	Packages    []wirePackage `json:"packages"`
}

type wireMeal struct {
	Included  bool `json:"included"`
	Breakfast bool `json:"breakfastIncluded"`
}

type wirePackage struct {
	Code     string `json:"packageCode"`
	Included bool   `json:"includedInRate"`
}

// wireTotal is an amount of whole units of its currency.
type wireTotal struct {
	Before   jsontext.Value `json:"amountBeforeTax"`
	After    jsontext.Value `json:"amountAfterTax"`
	Currency string         `json:"currencyCode"`
}

// whole holds a page against what was asked: an answer about another hotel or other days is none, one that says nothing
// about any hotel neither, and an amount that cannot be read spoils the page.
func (w *wireAvailability) whole(hotel string, q StayQuery) bool {
	return len(w.Segments) > 0 && !slices.ContainsFunc(w.Segments, func(s wireSegment) bool {
		if s.HotelID != "" && s.HotelID != hotel {
			return true
		}
		for i := range s.Stays {
			stay := &s.Stays[i]
			if stay.Arrival != "" && stay.Arrival != q.From || stay.Departure != "" && stay.Departure != q.To ||
				slices.ContainsFunc(stay.Rates, func(r wireRoomRate) bool { return !r.whole() }) {
				return true
			}
		}
		return false
	})
}

func (r *wireRoomRate) whole() bool {
	return isText(r.RoomType, maxRoomID) && isText(r.RatePlan, maxRoomID) && (r.Units == nil || *r.Units >= 0) && r.Total.whole()
}

// whole reports whether the amounts can be read, where there are any. Without a currency they say nothing.
func (t *wireTotal) whole() bool {
	if t.Currency == "" {
		return true
	}
	for _, amount := range []jsontext.Value{t.Before, t.After} {
		if len(amount) == 0 || amount.Kind() == 'n' {
			continue
		}
		if _, ok := wire.Money(string(amount), t.Currency); !ok {
			return false
		}
	}
	return true
}

// price returns what is to be paid, and whether that is said to have the taxes in it; without a currency when nothing is said.
func (t *wireTotal) price() (gateway.Money, bool) {
	if after, ok := wire.Money(string(t.After), t.Currency); ok {
		return after, true
	}
	before, _ := wire.Money(string(t.Before), t.Currency)
	return before, false
}

// spans reports whether a rate says nothing of the days that it is for, or that they are the whole stay: the amount of a
// part of it is no price. Whether its end is the last night or the departure is not documented.
func (r *wireRoomRate) spans(q StayQuery) bool {
	return (r.Start == "" || r.Start <= q.From) && (r.End == "" || r.End >= q.To || r.End >= addDays(q.To, -1))
}

// next returns whether the hotel has more than this page, and the key of the next one.
func (w *wireAvailability) next() (more bool, key string) {
	for i := range w.Segments {
		if w.Segments[i].HasMore {
			more, key = true, w.Segments[i].Next
		}
	}
	return more, key
}
