package apaleo

import (
	"net/http"
	"slices"
	"time"
)

// denial is why an action is not allowed; the zero value: it is.
type denial struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (d denial) answer() twinAnswer { return invalid("%s", d.Message) }

// deny says whether a reservation allows an action now.
func (t *Twin) deny(r *twinReservation, action string, now time.Time) denial {
	past := !now.Before(r.Departure)
	switch action {
	case ActionCheckIn:
		return t.denyCheckIn(r, now)
	case actionCheckOut:
		switch {
		case r.Status != StatusInHouse:
			return denial{CodeCheckOutStatus, "Only a reservation that is in house can be checked out."}
		case t.day(r.Departure) > t.day(now.AddDate(0, 0, 1)):
			return denial{CodeCheckOutEarly, "The departure is later than tomorrow; shorten the stay first."}
		}
	case actionAssign:
		switch {
		case r.Status != StatusConfirmed && r.Status != StatusInHouse:
			return denial{CodeAssignStatus, "Only a confirmed reservation, or one in house, can be given a unit."}
		case past:
			return denial{CodeAssignPast, "The reservation lies in the past."}
		}
	case actionUnassign:
		switch {
		case r.Status != StatusConfirmed:
			return denial{CodeUnassignStatus, "Only a confirmed reservation can give its unit back."}
		case past:
			return denial{CodeUnassignPast, "The reservation lies in the past."}
		case r.Unit == "":
			return denial{codeUnassignNothing, "The reservation has no unit."}
		}
	}
	return denial{}
}

func (t *Twin) denyCheckIn(r *twinReservation, now time.Time) denial {
	switch {
	case r.Status != StatusConfirmed:
		return denial{CodeCheckInStatus, "Only a confirmed reservation can be checked in."}
	case t.day(now) < t.day(r.Arrival):
		return denial{CodeCheckInEarly, "The date of arrival has not come."}
	case !now.Before(r.Departure):
		return denial{CodeCheckInLate, "The departure has passed."}
	case r.Unit == "":
		return denial{CodeCheckInNoUnit, "The reservation has no unit for its whole stay."}
	}
	return denial{}
}

// attempt finds the reservation of an action and takes down that it was tried.
func (t *Twin) attempt(id string) *twinReservation {
	r := t.byID[id]
	if r != nil {
		r.Tale.Attempts++
		t.changes++
	}
	return r
}

// done takes down who changed a reservation.
func (r *twinReservation) done(req *twinRequest) {
	r.Modified = req.now
	r.Tale.By = append(r.Tale.By, req.by)
}

func (t *Twin) putAssign(req *twinRequest, args []string) twinAnswer {
	r := t.attempt(args[0])
	u := t.byUnit[args[1]]
	if r == nil || u == nil || r.Property != t.cfg.Property {
		return notFound()
	}
	if lock := req.query.Get("lockUnit"); lock != "" && lock != "true" && lock != "false" {
		return invalid("lockUnit is neither true nor false")
	}
	if req.query.Has("from") || req.query.Has("to") {
		return invalid("this twin gives units for whole stays only")
	}
	if d := t.deny(r, actionAssign, req.now); d.Code != "" {
		return d.answer()
	}
	if r.Unit != u.ID {
		if !t.isFree(u, r, req.now) {
			return invalid("The unit is not available for the whole stay.")
		}
		r.Unit = u.ID
		if !slices.Contains(t.inUnit[u.ID], r) {
			t.inUnit[u.ID] = append(t.inUnit[u.ID], r)
		}
		r.Tale.Units = append(r.Tale.Units, u.ID)
		r.done(req)
	}
	return twinAnswer{http.StatusOK, map[string]any{"unit": t.embedUnit(r)}}
}

func (t *Twin) putUnassign(req *twinRequest, args []string) twinAnswer {
	r := t.attempt(args[0])
	if r == nil {
		return notFound()
	}
	switch d := t.deny(r, actionUnassign, req.now); d.Code {
	case "":
		r.Unit = ""
		r.Tale.Unassigned++
		r.done(req)
	case codeUnassignNothing: // nothing happens
	default:
		return d.answer()
	}
	return twinAnswer{http.StatusNoContent, nil}
}

// putCheckIn regards no unit's condition, as the interface does not; the books show it.
func (t *Twin) putCheckIn(req *twinRequest, args []string) twinAnswer {
	r := t.attempt(args[0])
	if r == nil {
		return notFound()
	}
	if tax := req.query.Get("withCityTax"); tax != "" && tax != "true" && tax != "false" {
		return invalid("withCityTax is neither true nor false")
	}
	if d := t.deny(r, ActionCheckIn, req.now); d.Code != "" {
		return d.answer()
	}
	r.Status, r.CheckIn = StatusInHouse, req.now
	r.Tale.CheckIns++
	r.Tale.Into = append(r.Tale.Into, t.byUnit[r.Unit].Condition)
	r.done(req)
	return twinAnswer{http.StatusNoContent, nil}
}

func (t *Twin) putRevert(req *twinRequest, args []string) twinAnswer {
	r := t.attempt(args[0])
	if r == nil {
		return notFound()
	}
	if r.Status != StatusInHouse {
		return invalid("Only a reservation that is in house can have its check-in reverted.")
	}
	r.Status, r.CheckIn = StatusConfirmed, time.Time{}
	r.Tale.Reverts++
	r.done(req)
	return twinAnswer{http.StatusNoContent, nil}
}

func (t *Twin) putCheckOut(req *twinRequest, args []string) twinAnswer {
	r := t.attempt(args[0])
	if r == nil {
		return notFound()
	}
	if d := t.deny(r, actionCheckOut, req.now); d.Code != "" {
		return d.answer()
	}
	r.Status, r.CheckOut = StatusCheckedOut, req.now
	t.byUnit[r.Unit].Condition = Dirty
	r.Tale.CheckOuts++
	r.done(req)
	return twinAnswer{http.StatusNoContent, nil}
}
