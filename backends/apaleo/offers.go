package apaleo

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/valyala/fasthttp"

	"github.com/warmgate/warmgate/backends/wire"
	"github.com/warmgate/warmgate/gateway"
)

// The bounds of what is asked of a hotel's offers, and of what is taken of its answer.
const (
	maxNights   = 90
	maxAdults   = 20
	maxChildren = 10
	maxGroups   = 50
	maxOffers   = 2000
)

// StayQuery asks what a hotel has for a stay of one room.
type StayQuery struct {
	Arrival   string   // the day, "2006-01-02"
	Departure string   // the day, 1 to 90 nights later
	Adults    int      // 1 to 20
	ChildAges []int    // in years, 0 to 17, at most 10
	Groups    []string // ids of unit groups, at most 50; none: any
}

// Offers is what a hotel says that it has for a stay.
type Offers struct {
	AsOf time.Time // when the hotel was asked for it, by our clock: nothing in it is older
	All  []Offer   // at most 2,000, as the hotel orders them
	More bool      // it named more than that
}

// Offer is one unit group under one rate plan.
type Offer struct {
	Group      string        // the unit group's id
	GroupName  string        // the hotel's own name of it; "" when not said
	RatePlan   string        // its id
	Free       int           // units of the group that can be had for all nights
	Price      gateway.Money // of one unit for all nights, with taxes, but for a city's own tax
	Breakfast  bool          // the rate plan's code is one of Config.BreakfastRatePlans; false: not said
	Accessible bool          // the unit group's code is one of Config.AccessibleGroups; false: not said
}

// Offers returns what the hotel has free for a stay and at what price, booked directly. One that has nothing answers none. A
// read: nothing is held for anybody. The interface has no pages for it.
func (c *Client) Offers(ctx context.Context, q StayQuery) (*Offers, error) {
	const op = "Offers"
	if !q.fits() {
		return nil, c.api.NotSent(op, wire.ReasonInput, nil)
	}
	out := &Offers{AsOf: time.Now(), All: []Offer{}}
	var got wireOffers
	err := c.do(ctx, &exchange{op: op, method: fasthttp.MethodGet, path: "/booking/v1/offers?" + q.values(c.property).Encode(), list: true,
		out: &got, whole: func() bool { return got.whole(c.property, q) }})
	if err != nil {
		return nil, err
	}
	for i := range got.Offers {
		if len(out.All) == maxOffers {
			out.More = true
			break
		}
		out.All = append(out.All, c.offer(&got.Offers[i]))
	}
	return out, nil
}

func (q *StayQuery) fits() bool {
	from, err := time.Parse(time.DateOnly, q.Arrival)
	to, err2 := time.Parse(time.DateOnly, q.Departure)
	return err == nil && err2 == nil && to.After(from) && !to.After(from.AddDate(0, 0, maxNights)) && q.Adults >= 1 && q.Adults <= maxAdults &&
		len(q.ChildAges) <= maxChildren && !slices.ContainsFunc(q.ChildAges, func(y int) bool { return y < 0 || y > 17 }) &&
		len(q.Groups) <= maxGroups && !slices.ContainsFunc(q.Groups, func(s string) bool { return !isID(s) })
}

func (q *StayQuery) values(property string) url.Values {
	v := url.Values{"propertyId": {property}, "arrival": {q.Arrival}, "departure": {q.Departure}, "adults": {strconv.Itoa(q.Adults)},
		"channelCode": {"Direct"}}
	if len(q.ChildAges) > 0 {
		ages := make([]string, 0, len(q.ChildAges))
		for _, y := range q.ChildAges {
			ages = append(ages, strconv.Itoa(y))
		}
		v.Set("childrenAges", strings.Join(ages, ","))
	}
	if len(q.Groups) > 0 {
		v.Set("unitGroupIds", strings.Join(q.Groups, ","))
	}
	return v
}

// wireOffers is the answer, as far as it is read.
type wireOffers struct {
	Property wireID      `json:"property"`
	Offers   []wireOffer `json:"offers"`
}

type wireOffer struct {
	Arrival   time.Time    `json:"arrival"`
	Departure time.Time    `json:"departure"`
	Group     wireOfferRef `json:"unitGroup"`
	RatePlan  wireOfferRef `json:"ratePlan"`
	Free      *int         `json:"availableUnits"`
	Total     struct {
		Amount   jsontext.Value `json:"amount"`
		Currency string         `json:"currency"`
	} `json:"totalGrossAmount"`
}

type wireOfferRef struct {
	ID   string `json:"id"`
	Code string `json:"code"`
	Name string `json:"name"`
}

// whole holds the answer against what was asked: one about another hotel or other days is none, and one offer that says less
// than it must spoils them all.
func (w *wireOffers) whole(property string, q StayQuery) bool {
	if w.Offers == nil || w.Property.ID != "" && w.Property.ID != property {
		return false
	}
	return !slices.ContainsFunc(w.Offers, func(o wireOffer) bool {
		_, priced := wire.Money(string(o.Total.Amount), o.Total.Currency)
		return !isID(o.Group.ID) || !isID(o.RatePlan.ID) || o.Free == nil || *o.Free < 0 || !priced ||
			!o.Arrival.IsZero() && o.Arrival.Format(time.DateOnly) != q.Arrival ||
			!o.Departure.IsZero() && o.Departure.Format(time.DateOnly) != q.Departure
	})
}

func (c *Client) offer(o *wireOffer) Offer {
	price, _ := wire.Money(string(o.Total.Amount), o.Total.Currency) // checked by whole
	return Offer{Group: o.Group.ID, GroupName: o.Group.Name, RatePlan: o.RatePlan.ID, Free: *o.Free, Price: price,
		Breakfast: slices.Contains(c.breakfast, o.RatePlan.Code), Accessible: slices.Contains(c.accessible, o.Group.Code)}
}
