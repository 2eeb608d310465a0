package apaleo

import (
	"hash/fnv"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// twinPlan is a rate plan of the twin's: all have one that can be changed and the same with breakfast.
type twinPlan struct {
	code, name string
	breakfast  int64 // fen for each person and night
}

func twinPlans() []twinPlan {
	return []twinPlan{{"FLEX", "Flexible", 0}, {"FLEXBB", "Flexible with breakfast", 48_00}}
}

// nightPrice returns what a unit costs a night without breakfast, in fen: made from the seed, 15 % more on Friday and Saturday.
func (t *Twin) nightPrice(g twinGroup, night time.Time) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte("price"))
	price := (180 + int64((t.seed()^h.Sum64())>>20%260) + 90*int64(g.persons)) * 100
	if w := night.Weekday(); w == time.Friday || w == time.Saturday {
		price = price * 115 / 100
	}
	return price
}

// stayAsked is a request for offers.
type stayAsked struct {
	from, to time.Time // days
	people   int
}

func readStay(req *twinRequest) (*stayAsked, *twinAnswer) {
	q := req.query
	refuse := func(format string, args ...any) *twinAnswer {
		a := invalid(format, args...)
		return &a
	}
	for _, name := range []string{"propertyId", "arrival", "departure", "adults", "channelCode"} {
		if !q.Has(name) {
			return nil, refuse("%s is needed", name)
		}
	}
	from, err1 := time.Parse(time.DateOnly, q.Get("arrival"))
	to, err2 := time.Parse(time.DateOnly, q.Get("departure"))
	if err1 != nil || err2 != nil || !to.After(from) || to.After(from.AddDate(1, 0, 0)) {
		return nil, refuse("arrival and departure are not two days in this order, at most a year apart")
	}
	if !slices.Contains([]string{"Direct", "Ibe", "BookingCom", "ChannelManager", "Expedia"}, q.Get("channelCode")) {
		return nil, refuse("there is no channelCode %q", q.Get("channelCode"))
	}
	people, err := strconv.Atoi(q.Get("adults"))
	if err != nil || people < 1 || people > 1000 {
		return nil, refuse("adults is not a number from 1")
	}
	if q.Has("childrenAges") {
		for s := range strings.SplitSeq(q.Get("childrenAges"), ",") {
			if age, err := strconv.Atoi(s); err != nil || age < 0 || age > 17 {
				return nil, refuse("childrenAges are not ages of 0 to 17")
			}
			people++
		}
	}
	return &stayAsked{from, to, people}, nil
}

// getOffers answers from the units and reservations that there are.
func (t *Twin) getOffers(req *twinRequest, _ []string) twinAnswer {
	stay, problem := readStay(req)
	if problem != nil {
		return *problem
	}
	if req.query.Get("propertyId") != t.cfg.Property {
		return notFound()
	}
	var offers []object
	today := t.day(req.now)
	for _, g := range twinGroups() {
		wanted := !req.query.Has("unitGroupIds") || slices.Contains(strings.Split(req.query.Get("unitGroupIds"), ","), t.groupID(g.code))
		if !wanted || stay.people > g.persons || stay.from.Format(time.DateOnly) < today {
			continue
		}
		if free := t.freeUnits(g.code, stay, req.now); free > 0 {
			for _, p := range twinPlans() {
				offers = append(offers, t.wireOffer(g, p, stay, free))
			}
		}
	}
	if len(offers) == 0 {
		return twinAnswer{http.StatusNoContent, nil}
	}
	return twinAnswer{http.StatusOK, object{"property": embedProperty(t.cfg.Property), "offers": offers}}
}

func (t *Twin) wireOffer(g twinGroup, p twinPlan, stay *stayAsked, free int) object {
	total := int64(0)
	for night := stay.from; night.Before(stay.to); night = night.AddDate(0, 0, 1) {
		total += t.nightPrice(g, night) + int64(stay.people)*p.breakfast
	}
	at := func(day time.Time, hour int) string {
		return t.show(time.Date(day.Year(), day.Month(), day.Day(), hour, 0, 0, 0, t.cfg.Location))
	}
	yuan := object{"amount": jsontext.Value(strconv.FormatInt(total/100, 10) + "." + strconv.FormatInt(total%100/10, 10) +
		strconv.FormatInt(total%10, 10)), "currency": "CNY"}
	return object{"arrival": at(stay.from, 15), "departure": at(stay.to, 11), "unitGroup": embedGroup(t.cfg.Property, g.code),
		"ratePlan": object{"id": t.cfg.Property + "-" + p.code, "code": p.code, "name": p.name, "description": p.name,
			"isSubjectToCityTax": false},
		"minGuaranteeType": "PM6Hold", "availableUnits": free, "totalGrossAmount": yuan}
}

// freeUnits returns how many units of a group can be had for all nights of a stay, 0 where more are promised than there are.
// Units out of order or of the inventory are nobody's; those out of service can be sold.
func (t *Twin) freeUnits(group string, stay *stayAsked, now time.Time) int {
	least := len(t.units)
	for night := stay.from; night.Before(stay.to); night = night.AddDate(0, 0, 1) {
		free := 0
		for _, u := range t.units {
			if u.Group == group && u.Maintenance != OutOfOrder && u.Maintenance != OutOfInventory {
				free++
			}
		}
		for _, r := range t.reservations {
			if r.Property == t.cfg.Property && r.Group == group && t.takes(r, night.Format(time.DateOnly), t.day(now)) {
				free--
			}
		}
		least = min(least, free)
	}
	return max(least, 0)
}

// takes reports whether the reservation needs a unit for a night. Who should have left on an earlier day still has tonight's, and
// who lives in a unit that is out of order needs no other one.
func (t *Twin) takes(r *twinReservation, night, today string) bool {
	from, to := t.day(r.Arrival), t.day(r.Departure)
	switch r.Status {
	case StatusInHouse:
		if u := t.byUnit[r.Unit]; u != nil && (u.Maintenance == OutOfOrder || u.Maintenance == OutOfInventory) {
			return false
		}
		return from <= night && night < to || night == today && to < today
	case StatusConfirmed:
		return from <= night && night < to
	default:
		return false
	}
}
