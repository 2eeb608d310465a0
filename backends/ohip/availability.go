package ohip

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/warmgate/warmgate/gateway"
)

// The bounds of what is asked of a hotel's availability, and of what is taken of its answer.
const (
	maxNights    = 90 // the interface's own time span
	maxAdults    = 20
	maxChildren  = 10
	maxTypes     = 50
	offerPages   = 10
	maxOffers    = offerPages * pageSize
	maxFeatures  = 50 // of one room type
	childYearsTo = 17
)

// Offered is the status of an offer that can be booked; others say why not.
const Offered = "Available"

// StayQuery asks what a hotel has for a stay of one room.
type StayQuery struct {
	From      string   // the day of arrival, "2006-01-02"
	To        string   // the day of departure, 1 to 90 nights later
	Adults    int      // 1 to 20
	ChildAges []int    // in years, 0 to 17, at most 10
	Types     []string // of these room types, at most 50; none: any
}

// Availability is what a hotel says that it has for a stay.
type Availability struct {
	AsOf   time.Time // when the hotel was asked for it, by our clock: nothing in it is older
	Closed bool      // the hotel sells nothing for these nights; every Free is 0 then
	Offers []Offer   // at most 2,000, each room type and rate plan once, as the hotel orders them
	More   bool      // the hotel has more than that
}

// Offer is one room type under one rate plan.
type Offer struct {
	RoomType    string
	RoomName    string // the hotel's own description of the type; "" when not said
	RatePlan    string
	Free        int           // rooms of the type that can be had for all nights under this plan; 0 unless Status is Offered
	AtLeast     bool          // there is one, and how many there are is not said
	Status      string        // Offered, or the interface's word for why it is not offered
	Price       gateway.Money // of one room for all nights; no currency: the hotel does not say
	TaxIncluded bool          // the price has all taxes in it; false: not said, or they come on top
	Breakfast   bool          // included, for everybody; false: not said
	Accessible  bool          // the type has one of Config.AccessibleFeatures; false: not said
	Features    []string      // the hotel's codes of what the type has, at most 50
}

// Availability returns what the hotel has free for a stay and at what price, page by page within the one deadline. A hotel
// that has nothing for it answers no offers. A read: nothing is held for anybody.
func (c *Client) Availability(ctx context.Context, q StayQuery) (*Availability, error) {
	const op = "Availability"
	if bad := q.flaw(); bad != "" {
		return nil, c.badInput(op, bad)
	}
	out := &Availability{AsOf: time.Now(), Offers: []Offer{}}
	asked, at := q.query(c.asking("par", "/availability")), "" // the page's key
	var known offers
	got := c.used.availability()
	defer c.used.giveBackAvailability(got)
	for page := range offerPages {
		got.reset()
		empty := false
		paged := asked
		if at != "" {
			paged = asked.with("pagePointerKey", at)
		}
		x := &exchange{op: op, method: "GET", path: string(paged), out: got,
			whole: func() bool { return got.whole(c.hotel, q) }, absent: func() { empty = true }}
		if err := c.do(ctx, x); err != nil {
			return nil, err
		}
		if empty {
			return out, nil
		}
		c.take(out, got, q, &known)
		more, next := got.next()
		switch {
		case !more:
			return out, nil
		case next == "" || next == at || page == offerPages-1 || len(out.Offers) == maxOffers:
			out.More = true
			return out, nil
		}
		at = next
	}
	return out, nil
}

// flaw returns what makes the query one that is not sent, "" when nothing does.
func (q *StayQuery) flaw() string {
	switch {
	case !isDay(q.From) || !isDay(q.To) || q.To <= q.From || q.To > addDays(q.From, maxNights):
		return "nights: want 1 to 90"
	case q.Adults < 1 || q.Adults > maxAdults:
		return "adults: want 1 to 20"
	case len(q.ChildAges) > maxChildren || slices.ContainsFunc(q.ChildAges, func(y int) bool { return y < 0 || y > childYearsTo }):
		return "children: want at most 10, of 0 to 17 years"
	case len(q.Types) > maxTypes || slices.ContainsFunc(q.Types, func(s string) bool { return !isText(s, maxRoomID) }):
		return "room types"
	}
	return ""
}

// query adds the question to an address.
func (q *StayQuery) query(asked query) query {
	asked = asked.with("adults", strconv.Itoa(q.Adults))
	for _, years := range q.ChildAges {
		asked = asked.with("childAge", strconv.Itoa(years))
	}
	return asked.with("children", strconv.Itoa(len(q.ChildAges))).with("limit", strconv.Itoa(pageSize)).with("roomStayEndDate", q.To).
		with("roomStayQuantity", "1").with("roomStayStartDate", q.From).with("roomType", q.Types...).with("roomTypeInfo", "true")
}

// take adds a page's offers, each once. A later page may begin with what the one before ended with.
func (c *Client) take(out *Availability, page *wireAvailability, q StayQuery, known *offers) {
	out.Offers = slices.Grow(out.Offers, min(len(page.rates), maxOffers-len(out.Offers)))
	for i := range page.Segments {
		s := &page.Segments[i]
		out.Closed = out.Closed || s.Closed
		for j := range s.Stays {
			for k := range s.Stays[j].Rates {
				r := &s.Stays[j].Rates[k]
				switch {
				case r.Pseudo || known.has(out.Offers, r.RoomType, r.RatePlan):
				case len(out.Offers) == maxOffers:
					out.More = true
				default:
					out.Offers = append(out.Offers, c.offer(r, s, q))
				}
			}
		}
	}
	for i := range out.Offers {
		if out.Closed {
			out.Offers[i].Free, out.Offers[i].AtLeast = 0, false
		}
	}
}

// offers tells whether an offer is there already. Few are looked through, many are found by a map.
type offers struct{ many map[[2]string]bool }

const fewOffers = 32

func (o *offers) has(all []Offer, roomType, ratePlan string) bool {
	if len(all) <= fewOffers {
		return slices.ContainsFunc(all, func(o Offer) bool { return o.RoomType == roomType && o.RatePlan == ratePlan })
	}
	if o.many == nil {
		o.many = make(map[[2]string]bool, 4*fewOffers)
		for i := range all[:len(all)-1] {
			o.many[[2]string{all[i].RoomType, all[i].RatePlan}] = true
		}
	}
	last := &all[len(all)-1] // since the question before
	o.many[[2]string{last.RoomType, last.RatePlan}] = true
	return o.many[[2]string{roomType, ratePlan}]
}

func (c *Client) offer(r *wireRoomRate, s *wireSegment, q StayQuery) Offer {
	o := Offer{RoomType: r.RoomType, RatePlan: r.RatePlan, Status: orElse(r.Status, Offered)}
	switch {
	case o.Status != Offered:
	case r.Units == nil:
		o.Free, o.AtLeast = 1, true
	default:
		o.Free = *r.Units
	}
	if r.spans(q) && !r.Suppressed {
		o.Price, o.TaxIncluded = r.Total.price()
		o.TaxIncluded = o.TaxIncluded || r.TaxIncluded
	}
	o.Breakfast = slices.ContainsFunc(r.Meals, func(m wireMeal) bool { return m.Included && m.Breakfast }) ||
		slices.ContainsFunc(r.Packages, func(p wirePackage) bool { return p.Included && slices.Contains(c.breakfast, p.Code) })
	for i := range s.Master.Types.All {
		kind := &s.Master.Types.All[i]
		if kind.Code != r.RoomType {
			continue
		}
		o.RoomName = kind.Name
		for _, f := range kind.Features[:min(len(kind.Features), maxFeatures)] {
			o.Features = append(o.Features, f.Code)
			o.Accessible = o.Accessible || slices.Contains(c.accessible, f.Code)
		}
		break
	}
	return o
}
