package apaleo

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// The answers of the twin, with every member that the published descriptions require. Money is there because it must be:
// the twin knows no prices.

type object map[string]any

func (t *Twin) groupID(code string) string { return t.cfg.Property + "-" + code }

func embedGroup(property, code string) object {
	name := code
	for _, g := range twinGroups() {
		if g.code == code {
			name = g.name
		}
	}
	return object{"id": property + "-" + code, "code": code, "name": name, "description": name}
}

func embedProperty(id string) object {
	return object{"id": id, "code": id, "name": "Hotel " + id, "description": "A hotel of the sandbox"}
}

// embedUnit is a reservation's unit, nil when it has none.
func (t *Twin) embedUnit(r *twinReservation) object {
	u := t.byUnit[r.Unit]
	if u == nil {
		return nil
	}
	return object{"id": u.ID, "name": u.Name, "description": "Room " + u.Name, "unitGroupId": t.groupID(u.Group)}
}

func money(amount int) object { return object{"amount": amount, "currency": "CNY"} }

// wireReservation is a reservation as both the list and the single read show it.
func (t *Twin) wireReservation(r *twinReservation, req *twinRequest) object {
	nights := int(r.Departure.Sub(r.Arrival).Hours()/24) + 1
	out := object{
		"id": r.ID, "bookingId": r.BookingID, "status": r.Status, "property": embedProperty(r.Property),
		"ratePlan": object{"id": r.Property + "-FLEX", "code": "FLEX", "name": "Flexible", "description": "Flexible",
			"isSubjectToCityTax": false},
		"unitGroup": embedGroup(r.Property, r.Group), "totalGrossAmount": money(500 * nights), "balance": money(0),
		"arrival": t.show(r.Arrival), "departure": t.show(r.Departure), "created": t.show(r.Created), "modified": t.show(r.Modified),
		"adults": r.Adults, "channelCode": "Direct", "guaranteeType": "Prepayment", "hasCityTax": false,
		"allFoliosHaveInvoice": false, "isUnitAssignmentLocked": false,
		"cancellationFee": object{"code": "FLEX", "name": "Flexible", "description": "None", "dueDateTime": t.show(r.Arrival), "fee": money(0)},
		"noShowFee":       object{"code": "NOSHOW", "fee": money(0)},
		"primaryGuest":    wireGuestOf(&r.Guests[0]),
	}
	if u := t.embedUnit(r); u != nil {
		out["unit"] = u
	}
	if r.ExternalCode != "" {
		out["externalCode"], out["channelCode"] = r.ExternalCode, "ChannelManager"
	}
	if len(r.ChildrenAges) > 0 {
		out["childrenAges"] = r.ChildrenAges
	}
	for name, at := range map[string]time.Time{"checkInTime": r.CheckIn, "checkOutTime": r.CheckOut, "cancellationTime": r.Canceled,
		"noShowTime": r.NoShow} {
		if !at.IsZero() {
			out[name] = t.show(at)
		}
	}
	if len(r.Guests) > 1 {
		var more []object
		for i := range r.Guests[1:] {
			more = append(more, wireGuestOf(&r.Guests[i+1]))
		}
		out["additionalGuests"] = more
	}
	if slices.Contains(strings.Split(req.query.Get("expand"), ","), "actions") {
		out["actions"] = t.wireActions(r, req.now)
	}
	return out
}

func (t *Twin) show(at time.Time) string { return at.In(t.cfg.Location).Format(time.RFC3339) }

func (t *Twin) wireActions(r *twinReservation, now time.Time) []object {
	var out []object
	for _, action := range []string{ActionCheckIn, actionCheckOut, actionAssign, actionUnassign} {
		a := object{"action": action, "isAllowed": true}
		if d := t.deny(r, action, now); d.Code != "" {
			a["isAllowed"], a["reasons"] = false, []denial{d}
		}
		out = append(out, a)
	}
	return out
}

func wireGuestOf(g *MadeGuest) object {
	out := object{"lastName": g.LastName}
	for name, v := range map[string]string{"firstName": g.FirstName, "birthDate": g.BirthDate, "nationalityCountryCode": g.Nationality,
		"identificationType": g.DocumentType, "identificationNumber": g.DocumentNumber} {
		if v != "" {
			out[name] = v
		}
	}
	return out
}

func (t *Twin) wireUnit(u *twinUnit) object {
	status := object{"isOccupied": t.isOccupied(u.ID), "condition": u.Condition}
	if u.Maintenance != "" {
		status["maintenance"] = object{"id": u.ID + "-M", "type": u.Maintenance}
	}
	floor := fmt.Sprintf("Floor %d", u.Floor)
	return object{"id": u.ID, "name": u.Name, "description": "Room " + u.Name, "property": embedProperty(t.cfg.Property),
		"unitGroup": embedGroup(t.cfg.Property, u.Group), "status": status, "maxPersons": u.MaxPersons, "created": "2020-01-01T00:00:00Z",
		"attributes": []object{{"id": fmt.Sprintf("%s-F%d", t.cfg.Property, u.Floor), "name": floor, "description": floor}}}
}
