package octo

import (
	"slices"
	"time"
)

func (t *Twin) getProducts(*twinRequest, string) (any, *twinProblem) {
	out := make([]wireProduct, 0, len(t.cfg.Products))
	for i := range t.cfg.Products {
		out = append(out, t.wireProduct(&t.cfg.Products[i]))
	}
	return out, nil
}

func (t *Twin) getProduct(_ *twinRequest, id string) (any, *twinProblem) {
	for i := range t.cfg.Products {
		if t.cfg.Products[i].ID == id {
			return t.wireProduct(&t.cfg.Products[i]), nil
		}
	}
	return nil, (&twinProblem{400, CodeInvalidProduct, "there is no such product", nil}).with("productId", id)
}

// availabilityBody is the request as the schema has it; nil is absent.
type availabilityBody struct {
	ProductID       *string     `json:"productId"`
	OptionID        *string     `json:"optionId"`
	LocalDateStart  *string     `json:"localDateStart"`
	LocalDateEnd    *string     `json:"localDateEnd"`
	AvailabilityIDs []string    `json:"availabilityIds"`
	Units           []unitsBody `json:"units"`
	Currency        *string     `json:"currency"`
}

type unitsBody struct {
	ID       *string `json:"id"`
	Quantity *int    `json:"quantity"`
}

// maxDays bounds one availability check.
const maxDays = 62

func (t *Twin) postAvailability(r *twinRequest, _ string) (any, *twinProblem) {
	var q availabilityBody
	if p := r.strict(&q); p != nil {
		return nil, p
	}
	if q.ProductID == nil || q.OptionID == nil {
		return nil, badRequest("productId and optionId are required")
	}
	people := 0
	for _, u := range q.Units {
		if u.ID == nil || u.Quantity == nil || *u.Quantity < 1 {
			return nil, badRequest("each of units needs an id and a quantity of 1 or more")
		}
		people += *u.Quantity
	}
	product, option := t.product(*q.ProductID, *q.OptionID)
	switch {
	case product == nil:
		return nil, (&twinProblem{400, CodeInvalidProduct, "there is no such product", nil}).with("productId", *q.ProductID)
	case option == nil:
		return nil, (&twinProblem{400, CodeInvalidOption, "the product has no such option", nil}).with("optionId", *q.OptionID)
	}
	days, problem := t.days(&q)
	if problem != nil {
		return nil, problem
	}
	out := []wireAvailability{}
	for _, day := range days {
		for _, s := range t.slots(option, day) {
			if q.AvailabilityIDs == nil || slices.Contains(q.AvailabilityIDs, s.ID) {
				out = append(out, t.wireAvailability(product.ID, option, s, max(people, 1), r.now))
			}
		}
	}
	return out, nil
}

// days returns the local days that a check is about: a range, or those of the ids that can be read.
func (t *Twin) days(q *availabilityBody) ([]time.Time, *twinProblem) {
	if (q.LocalDateStart == nil) != (q.LocalDateEnd == nil) || (q.LocalDateStart == nil) == (q.AvailabilityIDs == nil) {
		return nil, badRequest("either localDateStart with localDateEnd or availabilityIds is required")
	}
	var out []time.Time
	if q.AvailabilityIDs != nil {
		for _, id := range q.AvailabilityIDs {
			at, err := time.Parse(time.RFC3339, id)
			if err == nil && !slices.ContainsFunc(out, func(d time.Time) bool { return sameDay(d, at.In(t.cfg.Location)) }) {
				out = append(out, at.In(t.cfg.Location))
			}
		}
		return out, nil
	}
	from, err1 := time.ParseInLocation(time.DateOnly, *q.LocalDateStart, t.cfg.Location)
	to, err2 := time.ParseInLocation(time.DateOnly, *q.LocalDateEnd, t.cfg.Location)
	if err1 != nil || err2 != nil || to.Before(from) || to.After(from.AddDate(0, 0, maxDays)) {
		return nil, badRequest("localDateStart and localDateEnd must be ordered dates, at most %d days apart", maxDays)
	}
	for d := from; !d.After(to); d = d.AddDate(0, 0, 1) {
		out = append(out, d)
	}
	return out, nil
}

func sameDay(a, b time.Time) bool { return a.Format(time.DateOnly) == b.Format(time.DateOnly) }

func (t *Twin) getBookings(r *twinRequest, _ string) (any, *twinProblem) {
	if len(r.query) == 0 {
		return nil, badRequest("a query parameter is needed")
	}
	from, to := r.query.Get("localDateStart"), r.query.Get("localDateEnd")
	if d := r.query.Get("localDate"); d != "" {
		from, to = d, d
	}
	for _, d := range []string{from, to} {
		if _, err := time.Parse(time.DateOnly, d); err != nil && d != "" {
			return nil, badRequest("a local date must be written YYYY-MM-DD")
		}
	}
	is := func(name, v string) bool { return !r.query.Has(name) || r.query.Get(name) == v }
	out := []*wireBooking{}
	for _, b := range t.candidates(r) {
		day := b.Slot.Start.In(t.cfg.Location).Format(time.DateOnly)
		if is("supplierReference", b.SupplierReference) && is("resellerReference", b.ResellerReference) &&
			is("productId", b.ProductID) && is("optionId", b.OptionID) &&
			(from == "" || day >= from) && (to == "" || day <= to) {
			out = append(out, t.wireBooking(b, r.now))
		}
	}
	return out, nil
}

// candidates returns the bookings that can match: a few by reference, else all of them.
func (t *Twin) candidates(r *twinRequest) []*twinBooking {
	for _, name := range []string{"supplierReference", "resellerReference"} {
		if !r.query.Has(name) {
			continue
		}
		var out []*twinBooking
		for _, ref := range t.byShown[r.query.Get(name)] {
			if ref.unit < 0 {
				out = append(out, ref.booking)
			}
		}
		return out
	}
	return t.bookings
}

func (t *Twin) find(uuid string) (*twinBooking, *twinProblem) {
	if b := t.byUUID[uuid]; b != nil {
		return b, nil
	}
	return nil, (&twinProblem{400, CodeInvalidBooking, "there is no such booking", nil}).with("uuid", uuid)
}

func (t *Twin) getBooking(r *twinRequest, uuid string) (any, *twinProblem) {
	b, p := t.find(uuid)
	if p != nil {
		return nil, p
	}
	return t.wireBooking(b, r.now), nil
}

// contactBody is a contact as requests may hold one. The twin takes it and keeps nothing of it.
type contactBody struct {
	FullName     *string  `json:"fullName"`
	FirstName    *string  `json:"firstName"`
	LastName     *string  `json:"lastName"`
	EmailAddress *string  `json:"emailAddress"`
	PhoneNumber  *string  `json:"phoneNumber"`
	Locales      []string `json:"locales"`
	PostalCode   *string  `json:"postalCode"`
	Country      *string  `json:"country"`
	Notes        *string  `json:"notes"`
}

type unitItemBody struct {
	UUID              *string      `json:"uuid"`
	UnitID            *string      `json:"unitId"`
	ResellerReference *string      `json:"resellerReference"`
	Contact           *contactBody `json:"contact"`
}

func (t *Twin) postConfirm(r *twinRequest, uuid string) (any, *twinProblem) {
	var q struct {
		EmailReceipt      *bool          `json:"emailReceipt"`
		ResellerReference *string        `json:"resellerReference"`
		Contact           *contactBody   `json:"contact"`
		UnitItems         []unitItemBody `json:"unitItems"`
	}
	if p := r.strict(&q); p != nil {
		return nil, p
	}
	if q.Contact == nil {
		return nil, badRequest("contact is required")
	}
	for _, u := range q.UnitItems {
		if u.UnitID == nil {
			return nil, badRequest("each of unitItems needs a unitId")
		}
	}
	b, p := t.find(uuid)
	if p != nil {
		return nil, p
	}
	switch s := b.status(r.now); s {
	case StatusConfirmed, StatusRedeemed: // done before: idempotent by uuid
	case StatusOnHold:
		b.Status, b.Expires, b.Confirmed, b.Updated, b.ConfirmedHere = StatusConfirmed, time.Time{}, r.now, r.now, true
		if q.ResellerReference != nil && *q.ResellerReference != "" && b.ResellerReference == "" {
			b.ResellerReference = *q.ResellerReference
			t.byShown[b.ResellerReference] = append(t.byShown[b.ResellerReference], twinRef{b, -1})
		}
		t.changes++
	default:
		return nil, unprocessable("a booking that is %s cannot be confirmed", s)
	}
	return t.wireBooking(b, r.now), nil
}

func (t *Twin) postCancel(r *twinRequest, uuid string) (any, *twinProblem) {
	var q struct {
		Reason *string `json:"reason"`
		Force  *bool   `json:"force"`
	}
	if p := r.strict(&q); p != nil {
		return nil, p
	}
	b, p := t.find(uuid)
	if p != nil {
		return nil, p
	}
	used := slices.ContainsFunc(b.Units, func(u twinUnit) bool { return !u.Redeemed.IsZero() })
	switch s := b.status(r.now); {
	case s == StatusCancelled: // done before: idempotent by uuid
	case used, s == StatusExpired, s == StatusRejected:
		return nil, unprocessable("a booking that is used, expired or rejected cannot be cancelled")
	default:
		t.sold[b.slotKey()] -= len(b.Units)
		b.Status, b.Cancelled, b.Updated, b.CancelledHere = StatusCancelled, r.now, r.now, true
		if q.Reason != nil {
			b.Reason = *q.Reason
		}
		t.changes++
	}
	return t.wireBooking(b, r.now), nil
}
