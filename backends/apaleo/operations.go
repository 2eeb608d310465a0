package apaleo

import (
	"context"
	"net/url"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/warmgate/warmgate/backends/wire"
)

// Reservation returns one reservation, with what it does not allow now (Denied). An unknown id is refused with
// CodeNotFound. It is a read, and how an unknown outcome is settled: then it must not be answered from a cache.
func (c *Client) Reservation(ctx context.Context, id string) (*Reservation, error) {
	const op = "Reservation"
	if !isID(id) {
		return nil, c.api.NotSent(op, wire.ReasonInput, nil)
	}
	var out wireReservation
	// An answer about another reservation is not an answer.
	whole := func() bool { return out.whole() && out.ID == id }
	err := c.do(ctx, &exchange{op: op, method: fasthttp.MethodGet, path: "/booking/v1/reservations/" + id + "?expand=actions",
		out: &out, whole: whole})
	if err != nil {
		return nil, err
	}
	r := out.reservation()
	return &r, nil
}

// ByNumber returns the reservations that a number is one of the own of (Reservation.Is): none, one, or several, when they
// were booked together. A number has 4 to 64 visible ASCII characters. Those of other hotels of the account are among
// them: compare Reservation.Property. A read.
func (c *Client) ByNumber(ctx context.Context, number string) ([]Reservation, error) {
	const op = "ByNumber"
	if len(number) < 4 || !wire.IsVisible(number, maxID) {
		return nil, c.api.NotSent(op, wire.ReasonInput, nil)
	}
	all, err := c.reservations(ctx, op, url.Values{"textSearch": {number}})
	if err != nil {
		return nil, err
	}
	own := all[:0]
	for i := range all { // the search finds whatever contains the text
		if all[i].Is(number) {
			own = append(own, all[i])
		}
	}
	return own, nil
}

// Arrivals returns the hotel's reservations, whatever their status, whose arrival lies in [from, to): among them a guest
// is found by name or document. At most 32 days. A read.
func (c *Client) Arrivals(ctx context.Context, from, to time.Time) ([]Reservation, error) {
	const op = "Arrivals"
	if !to.After(from) || to.Sub(from) > 32*24*time.Hour {
		return nil, c.api.NotSent(op, wire.ReasonInput, nil)
	}
	return c.reservations(ctx, op, url.Values{"propertyIds": {c.property}, "dateFilter": {"Arrival"},
		"from": {stamp(from)}, "to": {stamp(to)}})
}

// stamp writes a time as the interface wants it: no fraction of a second.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func (c *Client) reservations(ctx context.Context, op string, query url.Values) ([]Reservation, error) {
	var out struct {
		Count        int               `json:"count"`
		Reservations []wireReservation `json:"reservations"`
	}
	whole := func() bool {
		if out.Reservations == nil || out.Count > len(out.Reservations) { // a part would pass for the whole
			return false
		}
		for i := range out.Reservations {
			if !out.Reservations[i].whole() {
				return false
			}
		}
		return true
	}
	err := c.do(ctx, &exchange{op: op, method: fasthttp.MethodGet, path: "/booking/v1/reservations?" + query.Encode(), list: true,
		out: &out, whole: whole})
	if err != nil {
		return nil, err
	}
	all := make([]Reservation, 0, len(out.Reservations))
	for i := range out.Reservations {
		all = append(all, out.Reservations[i].reservation())
	}
	return all, nil
}

// Units returns all units of the hotel with their condition and whether somebody is in them. A read; it says nothing
// about reservations to come, as UnitsFor does.
func (c *Client) Units(ctx context.Context) ([]Unit, error) {
	return c.units(ctx, "Units", "/inventory/v1/units?"+url.Values{"propertyId": {c.property}, "expand": {"unitGroup"}}.Encode())
}

// UnitsFor returns the units that a reservation can be given for its whole stay, whatever their condition. A read.
func (c *Client) UnitsFor(ctx context.Context, reservation string) ([]Unit, error) {
	const op = "UnitsFor"
	if !isID(reservation) {
		return nil, c.api.NotSent(op, wire.ReasonInput, nil)
	}
	return c.units(ctx, op, "/availability/v1/reservations/"+reservation+"/units")
}

func (c *Client) units(ctx context.Context, op, path string) ([]Unit, error) {
	var out struct {
		Count int        `json:"count"`
		Units []wireUnit `json:"units"`
	}
	whole := func() bool {
		if out.Units == nil || out.Count > len(out.Units) {
			return false
		}
		for i := range out.Units {
			if !out.Units[i].whole() {
				return false
			}
		}
		return true
	}
	err := c.do(ctx, &exchange{op: op, method: fasthttp.MethodGet, path: path, list: true, out: &out, whole: whole})
	if err != nil {
		return nil, err
	}
	all := make([]Unit, 0, len(out.Units))
	for i := range out.Units {
		all = append(all, out.Units[i].unit())
	}
	return all, nil
}

// AssignUnit gives a reservation a unit for its whole stay. A unit that cannot be had is refused with CodeUnitTaken: try
// another. A reservation that can have none is refused with CodeAssignStatus, CodeAssignPast or CodeNotFound. Whether an
// unknown outcome took place: Reservation.Unit.
func (c *Client) AssignUnit(ctx context.Context, reservation, unit string) error {
	const op = "AssignUnit"
	if !isID(reservation) || !isID(unit) {
		return c.api.NotSent(op, wire.ReasonInput, nil)
	}
	var out struct {
		Unit wireID `json:"unit"`
	}
	return c.act(ctx, &exchange{op: op, method: fasthttp.MethodPut, path: actionsPath(reservation, "assign-unit/"+unit), out: &out,
		whole: func() bool { return out.Unit.ID == unit }}, reservation, actionAssign)
}

// UnassignUnits takes a reservation's unit away again: the undo of AssignUnit. It changes nothing where there is none, and
// is refused with CodeUnassignStatus once the guest is in house. Afterwards Reservation.Unit is "".
func (c *Client) UnassignUnits(ctx context.Context, reservation string) error {
	return c.plainAction(ctx, "UnassignUnits", reservation, "unassign-units", actionUnassign, false)
}

// CheckIn marks a confirmed reservation that has a unit as in house. Refused with CodeCheckInStatus, CodeCheckInEarly,
// CodeCheckInLate, CodeCheckInNoUnit or CodeNotFound; a dirty unit is no reason. Whether an unknown outcome took place:
// Reservation.Status and CheckedIn.
func (c *Client) CheckIn(ctx context.Context, reservation string) error {
	return c.plainAction(ctx, "CheckIn", reservation, "checkin", ActionCheckIn, false)
}

// RevertCheckIn takes a check-in back: the undo of CheckIn. The reservation is Confirmed again and keeps its unit. Refused
// with CodeRejected when it is not in house: read the reservation to know whether it has been reverted before.
func (c *Client) RevertCheckIn(ctx context.Context, reservation string) error {
	return c.plainAction(ctx, "RevertCheckIn", reservation, "revert-checkin", "", true)
}

// CheckOut marks a reservation that is in house as checked out; open charges are posted to its folio. Refused with
// CodeCheckOutStatus, CodeCheckOutEarly (departure later than tomorrow) or CodeNotFound. There is no way back. Whether an
// unknown outcome took place: Reservation.Status and CheckedOut.
func (c *Client) CheckOut(ctx context.Context, reservation string) error {
	return c.plainAction(ctx, "CheckOut", reservation, "checkout", actionCheckOut, false)
}

// plainAction does an action that answers nothing.
func (c *Client) plainAction(ctx context.Context, op, reservation, path, action string, loose bool) error {
	if !isID(reservation) {
		return c.api.NotSent(op, wire.ReasonInput, nil)
	}
	x := &exchange{op: op, method: fasthttp.MethodPut, path: actionsPath(reservation, path), loose: loose}
	if action == "" {
		return c.do(ctx, x)
	}
	return c.act(ctx, x, reservation, action)
}

func actionsPath(reservation, action string) string {
	return "/booking/v1/reservation-actions/" + reservation + "/" + action
}
