package ohip

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// availabilityParameters are those that the twin knows; it refuses the others, since it could not honour them.
func availabilityParameters() map[string]func(string) bool {
	return map[string]func(string) bool{
		"roomStayStartDate": isDay, "roomStayEndDate": isDay, "roomStayQuantity": oneOf("1"), "adults": isCount, "children": isCount,
		"childAge": isCount, "roomType": anyText, "ratePlanCode": anyText, "feature": anyText, "roomTypeInfo": isFlag,
		"limit": isCount, "pagePointerKey": anyText,
	}
}

// twinHouse is what a hotel sells, whatever is booked there.
type twinHouse struct {
	id    string
	seed  uint64
	types []TwinType
}

// asked is a request for availability.
type asked struct {
	from, to       string
	adults, people int
	query          url.Values
}

func readAsked(r *twinRequest) (*asked, *twinProblem) {
	q := r.query
	a := &asked{from: q.Get("roomStayStartDate"), to: q.Get("roomStayEndDate"), adults: 1, query: q}
	for name := range q {
		if len(q[name]) > 1 && !slices.Contains([]string{"childAge", "roomType", "ratePlanCode", "feature"}, name) {
			return nil, unfit(name, "the query parameter %s is there more than once", name)
		}
	}
	switch {
	case a.from == "" || a.to <= a.from:
		return nil, unfit("roomStayEndDate", "roomStayStartDate must come with a later roomStayEndDate")
	case a.to > addDays(a.from, maxNights):
		return nil, unfit("roomStayEndDate", "the stay is longer than 90 days")
	}
	if q.Has("adults") {
		a.adults, _ = strconv.Atoi(q.Get("adults")) // checked by admit
	}
	children, _ := strconv.Atoi(q.Get("children"))
	a.people = a.adults + children
	if a.people < 1 || a.people > 1000 {
		return nil, unfit("adults", "there is nobody to stay, or more people than any room has")
	}
	return a, nil
}

// rate is one type under one plan, for the stay that was asked for.
type rate struct {
	kind *TwinType
	plan twinPlan
	free int
}

func (r *rate) key() string { return r.kind.Code + "," + r.plan.code }

// rates returns what can be had, in the order of the types and plans. free says how many rooms of a type can be.
func (h *twinHouse) rates(a *asked, today string, free func(kind string) int) []rate {
	is := func(name, v string) bool { return !a.query.Has(name) || slices.Contains(a.query[name], v) }
	var all []rate
	for i := range h.types {
		k := &h.types[i]
		if !is("roomType", k.Code) || a.people > k.People || !k.has(a.query["feature"]) {
			continue
		}
		n := free(k.Code)
		for _, p := range plans(h.seed) {
			if n > 0 && is("ratePlanCode", p.code) && p.sells(today, a.from) {
				all = append(all, rate{k, p, n})
			}
		}
	}
	return all
}

// answer answers a request for availability: 204 when nothing can be had.
func (h *twinHouse) answer(a *asked, today string, free func(kind string) int) (int, any, *twinProblem) {
	all := h.rates(a, today, free)
	total := len(all)
	if after := a.query.Get("pagePointerKey"); after != "" {
		at := slices.IndexFunc(all, func(r rate) bool { return r.key() == after })
		if at < 0 {
			return 0, nil, unfit("pagePointerKey", "there is no such record to go on from")
		}
		all = all[at+1:]
	}
	limit, err := strconv.Atoi(a.query.Get("limit"))
	if err != nil || limit > pageSize || limit == 0 {
		limit = pageSize
	}
	more := len(all) > limit
	all = all[:min(limit, len(all))]
	if len(all) == 0 {
		return http.StatusNoContent, nil, nil
	}
	out := shownSegment{HotelID: h.id, HasMore: more, Total: total, Count: len(all), Stays: []shownOffered{{Arrival: a.from,
		Departure: a.to, Counts: shownCounts{a.adults, a.people - a.adults}}}}
	if more {
		out.Next = all[len(all)-1].key()
	}
	if a.query.Get("roomTypeInfo") == "true" {
		out.Master = &shownMaster{shownTypes{HotelID: h.id}}
	}
	for i := range all {
		r := &all[i]
		out.Stays[0].Rates = append(out.Stays[0].Rates, r.shown(a))
		if out.Master != nil && (i == 0 || all[i-1].kind != r.kind) {
			out.Master.Types.All = append(out.Master.Types.All, h.shownType(r.kind))
		}
	}
	return http.StatusOK, shownAvailability{[]shownSegment{out}}, nil
}

func (r *rate) shown(a *asked) shownRate {
	out := shownRate{RoomType: r.kind.Code, RatePlan: r.plan.code, Description: r.plan.name, Status: Offered, Units: r.free,
		TaxIncluded: true, Start: a.from, End: a.to,
		Total: shownTotal{whole(r.plan.total(r.kind, a.from, a.to, a.adults, a.people)), "CNY"}}
	if r.plan.breakfast > 0 {
		out.Meals = []shownMeal{{Code: "BB", Included: true, Breakfast: true}}
	}
	return out
}

func (h *twinHouse) shownType(k *TwinType) shownKind {
	out := shownKind{Code: k.Code, HotelID: h.id, Name: k.Name, Attributes: shownAttributes{k.People}}
	for _, f := range k.Features {
		out.Features = append(out.Features, shownFeature{f})
	}
	return out
}

// whole writes fen as yuan.
func whole(fen int64) jsontext.Value {
	return jsontext.Value(fmt.Sprintf("%d.%02d", fen/100, fen%100))
}

// getAvailability answers from the rooms and reservations that there are.
func (t *Twin) getAvailability(r *twinRequest) (int, any, *twinProblem) {
	a, problem := readAsked(r)
	if problem != nil {
		return 0, nil, problem
	}
	free := t.free(nightsOf(a.from, a.to))
	return t.house().answer(a, t.today(), func(kind string) int { return free[kind] })
}

// house returns what the hotel sells: its types in the order in which its rooms have them.
func (t *Twin) house() *twinHouse {
	h := &twinHouse{id: t.cfg.HotelID, seed: t.seed()}
	known := map[string]bool{}
	for _, r := range t.rooms {
		if known[r.Type] {
			continue
		}
		known[r.Type] = true
		k := TwinType{Code: r.Type}
		if at := slices.IndexFunc(t.cfg.Types, func(k TwinType) bool { return k.Code == r.Type }); at >= 0 {
			k = t.cfg.Types[at]
		}
		if price := t.prices[r.Type]; price > 0 {
			k.Price = price
		}
		h.types = append(h.types, typed(h.seed, k))
	}
	return h
}

// free returns how many rooms of each type can be had for all of these nights, 0 where more are promised than there are.
// Rooms that are out of order are nobody's, those out of service can be sold.
func (t *Twin) free(nights []string) map[string]int {
	all, rooms, taken := map[string]int{}, map[string]int{}, map[string][]int{}
	for _, r := range t.rooms {
		all[r.Type]++
		if r.Housekeeping != OutOfOrder {
			rooms[r.Type]++
		}
	}
	add := func(kind string, night, n int) {
		if taken[kind] == nil {
			taken[kind] = make([]int, len(nights))
		}
		taken[kind][night] += n
	}
	today := t.today()
	for _, s := range t.stays {
		kind := s.RoomType
		if r := t.byRoom[s.RoomID]; r != nil {
			kind = r.Type
			if r.Housekeeping == OutOfOrder && s.Status == StatusInHouse {
				continue // who lives there needs no other room
			}
		}
		for i, night := range nights {
			if s.takes(today, night) {
				add(kind, i, 1)
			}
		}
	}
	if t.sold != nil {
		for kind, n := range all {
			for i, night := range nights {
				add(kind, i, t.sold(kind, night, n))
			}
		}
	}
	for kind, n := range rooms {
		if each := taken[kind]; each != nil {
			rooms[kind] = max(n-slices.Max(each), 0)
		}
	}
	return rooms
}

// takes reports whether the reservation needs a room for a night. Who should have left on an earlier day still has tonight's.
func (s *twinStay) takes(today, night string) bool {
	switch s.computed(today).State() {
	case InHouse:
		return s.Arrival <= night && night < s.Departure || night == today && s.Departure < today
	case Expected:
		return s.Arrival <= night && night < s.Departure
	default:
		return false
	}
}

// The answers, in the schema's names.

type shownAvailability struct {
	Segments []shownSegment `json:"hotelAvailability"`
}

type shownSegment struct {
	Stays   []shownOffered `json:"roomStays"`
	Master  *shownMaster   `json:"masterInfo,omitzero"`
	HotelID string         `json:"hotelId"`
	HasMore bool           `json:"hasMore"`
	Total   int            `json:"totalResults"`
	Count   int            `json:"count"`
	Next    string         `json:"pagingKey,omitzero"`
}

type shownOffered struct {
	Rates     []shownRate `json:"roomRates"`
	Counts    shownCounts `json:"guestCounts"`
	Arrival   string      `json:"arrivalDate"`
	Departure string      `json:"departureDate"`
}

type shownRate struct {
	Total       shownTotal  `json:"total"`
	Meals       []shownMeal `json:"mealPlans,omitzero"`
	RoomType    string      `json:"roomType"`
	RatePlan    string      `json:"ratePlanCode"`
	Start       string      `json:"start"`
	End         string      `json:"end"`
	Status      string      `json:"availability"`
	Units       int         `json:"numberOfUnits"`
	TaxIncluded bool        `json:"taxIncluded"`
	Description string      `json:"rateDescription"`
}

type shownTotal struct {
	After    jsontext.Value `json:"amountAfterTax"`
	Currency string         `json:"currencyCode"`
}

type shownMeal struct {
	Code      string `json:"code"`
	Included  bool   `json:"included"`
	Breakfast bool   `json:"breakfastIncluded"`
}

type shownMaster struct {
	Types shownTypes `json:"roomTypes"`
}

type shownTypes struct {
	All     []shownKind `json:"roomType"`
	HotelID string      `json:"hotelId"`
}

type shownKind struct {
	Code       string          `json:"roomType"`
	HotelID    string          `json:"hotelId"`
	Name       string          `json:"description"`
	Features   []shownFeature  `json:"roomFeatures,omitzero"`
	Attributes shownAttributes `json:"roomTypeAttributes"`
}

type shownFeature struct {
	Code string `json:"code"`
}

type shownAttributes struct {
	People int `json:"maximumOccupancy"`
}
