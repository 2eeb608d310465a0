package apaleo

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (t *Twin) getReservation(req *twinRequest, args []string) twinAnswer {
	r := t.byID[args[0]]
	if r == nil {
		return notFound()
	}
	return twinAnswer{http.StatusOK, t.wireReservation(r, req)}
}

func (t *Twin) getReservations(req *twinRequest, _ []string) twinAnswer {
	match, problem := t.filter(req)
	if problem != nil {
		return *problem
	}
	var found []*twinReservation
	for _, r := range t.reservations {
		if match(r) {
			found = append(found, r)
		}
	}
	page, problem := paged(req, found)
	if problem != nil {
		return *problem
	}
	if len(page) == 0 {
		return twinAnswer{http.StatusNoContent, nil}
	}
	out := make([]any, 0, len(page))
	for _, r := range page {
		out = append(out, t.wireReservation(r, req))
	}
	return twinAnswer{http.StatusOK, map[string]any{"reservations": out, "count": len(found)}}
}

// filter returns what the query asks for.
func (t *Twin) filter(req *twinRequest) (func(*twinReservation) bool, *twinAnswer) {
	q := req.query
	one := func(name, v string) bool { return !q.Has(name) || slices.Contains(strings.Split(q.Get(name), ","), v) }
	for s := range strings.SplitSeq(q.Get("status"), ",") {
		switch Status(s) {
		case "", StatusConfirmed, StatusInHouse, StatusCheckedOut, StatusCanceled, StatusNoShow:
		default:
			a := invalid("there is no status %q", s)
			return nil, &a
		}
	}
	inTime, problem := within(req)
	if problem != nil {
		return nil, problem
	}
	text := strings.ToLower(q.Get("textSearch"))
	return func(r *twinReservation) bool {
		return one("bookingId", r.BookingID) && one("propertyIds", r.Property) && one("unitIds", r.Unit) &&
			one("unitGroupIds", r.Property+"-"+r.Group) && one("status", string(r.Status)) &&
			strings.HasPrefix(r.ExternalCode, q.Get("externalCode")) && inTime(r) && (text == "" || t.holds(r, text))
	}, nil
}

// holds reports whether a text is in what the search looks at.
func (t *Twin) holds(r *twinReservation, text string) bool {
	in := []string{r.ID, r.ExternalCode, r.Guests[0].FirstName, r.Guests[0].LastName}
	if u := t.byUnit[r.Unit]; u != nil {
		in = append(in, u.Name)
	}
	return slices.ContainsFunc(in, func(s string) bool { return strings.Contains(strings.ToLower(s), text) })
}

// within reads the date filter: from is included, to is not.
func within(req *twinRequest) (func(*twinReservation) bool, *twinAnswer) {
	q := req.query
	refuse := func(why string) (func(*twinReservation) bool, *twinAnswer) {
		a := invalid("%s", why)
		return nil, &a
	}
	if q.Has("dateFilter") != (q.Has("from") || q.Has("to")) {
		return refuse("dateFilter needs from or to, and they need it")
	}
	from, to := time.Time{}, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, at := range map[string]*time.Time{"from": &from, "to": &to} {
		if !q.Has(name) {
			continue
		}
		v, err := time.Parse(time.RFC3339, q.Get(name))
		if err != nil || v.Nanosecond() != 0 {
			return refuse(name + " is not a date and time without a fraction of a second, with an offset")
		}
		*at = v
	}
	if !to.After(from) {
		return refuse("to must be larger than from")
	}
	in := func(at time.Time) bool { return !at.Before(from) && at.Before(to) }
	switch q.Get("dateFilter") {
	case "":
		return func(*twinReservation) bool { return true }, nil
	case "Arrival":
		return func(r *twinReservation) bool { return in(r.Arrival) }, nil
	case "Departure":
		return func(r *twinReservation) bool { return in(r.Departure) }, nil
	case "Stay":
		return func(r *twinReservation) bool { return r.Arrival.Before(to) && from.Before(r.Departure) }, nil
	case "Creation":
		return func(r *twinReservation) bool { return in(r.Created) }, nil
	case "Modification":
		return func(r *twinReservation) bool { return in(r.Modified) }, nil
	case "Cancellation":
		return func(r *twinReservation) bool { return in(r.Canceled) }, nil
	}
	return refuse("dateFilter is not one of Arrival, Departure, Stay, Creation, Modification, Cancellation")
}

// paged returns the page that is asked for: all, without a page size.
func paged[T any](req *twinRequest, all []T) ([]T, *twinAnswer) {
	n, size := 1, len(all)
	for name, at := range map[string]*int{"pageNumber": &n, "pageSize": &size} {
		if !req.query.Has(name) {
			continue
		}
		v, err := strconv.Atoi(req.query.Get(name))
		if err != nil || v < 1 {
			a := invalid("%s is not a number from 1", name)
			return nil, &a
		}
		*at = v
	}
	if !req.query.Has("pageSize") {
		return all, nil
	}
	from := min((n-1)*size, len(all))
	return all[from:min(from+size, len(all))], nil
}

func (t *Twin) getUnits(req *twinRequest, _ []string) twinAnswer {
	q := req.query
	if v := q.Get("isOccupied"); v != "" && v != "true" && v != "false" {
		return invalid("isOccupied is neither true nor false")
	}
	if problem := checkUnitWords(q.Get("condition"), q.Get("maintenanceType")); problem != nil {
		return *problem
	}
	var found []*twinUnit
	for _, u := range t.units {
		is := func(name, v string) bool { return !q.Has(name) || q.Get(name) == v }
		if is("propertyId", t.cfg.Property) && is("unitGroupId", t.groupID(u.Group)) && is("condition", string(u.Condition)) &&
			is("maintenanceType", string(u.Maintenance)) && is("isOccupied", strconv.FormatBool(t.isOccupied(u.ID))) {
			found = append(found, u)
		}
	}
	return t.listUnits(req, found)
}

// getAvailable lists the units that a reservation can be given, the one that it has among them.
func (t *Twin) getAvailable(req *twinRequest, args []string) twinAnswer {
	r := t.byID[args[0]]
	if r == nil {
		return notFound()
	}
	condition, broken := req.query.Get("unitCondition"), req.query.Get("includeOutOfService")
	if problem := checkUnitWords(condition, ""); problem != nil {
		return *problem
	}
	if broken != "" && broken != "true" && broken != "false" {
		return invalid("includeOutOfService is neither true nor false")
	}
	var found []*twinUnit
	for _, u := range t.units {
		if r.Property == t.cfg.Property && t.isFree(u, r, req.now) && (condition == "" || condition == string(u.Condition)) &&
			(u.Maintenance != OutOfService || broken == "true") {
			found = append(found, u)
		}
	}
	return t.listUnits(req, found)
}

// checkUnitWords refuses conditions and kinds of maintenance that there are not.
func checkUnitWords(condition, maintenance string) *twinAnswer {
	var a twinAnswer
	switch {
	case condition != "" && !isCondition(Condition(condition)):
		a = invalid("there is no condition %q", condition)
	case maintenance != "" && !isMaintenance(Maintenance(maintenance)):
		a = invalid("there is no maintenance %q", maintenance)
	default:
		return nil
	}
	return &a
}

func isCondition(c Condition) bool { return c == Clean || c == CleanToBeInspected || c == Dirty }

func isMaintenance(m Maintenance) bool {
	return m == OutOfService || m == OutOfOrder || m == OutOfInventory
}

func (t *Twin) listUnits(req *twinRequest, found []*twinUnit) twinAnswer {
	page, problem := paged(req, found)
	if problem != nil {
		return *problem
	}
	if len(page) == 0 {
		return twinAnswer{http.StatusNoContent, nil}
	}
	out := make([]any, 0, len(page))
	for _, u := range page {
		out = append(out, t.wireUnit(u))
	}
	return twinAnswer{http.StatusOK, map[string]any{"units": out, "count": len(found)}}
}
