package ohip

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// What a query parameter may hold.
func anyText(s string) bool { return s != "" && len(s) <= 2000 }

func isFlag(s string) bool { return s == "true" || s == "false" }

func isCount(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= 0
}

func oneOf(all ...string) func(string) bool {
	return func(s string) bool { return slices.Contains(all, s) }
}

// searchParameters are those of the interface that the twin knows; it refuses the others, since it could not honour them.
func searchParameters() map[string]func(string) bool {
	return map[string]func(string) bool{
		"limit": isCount, "offset": isCount, "reservationIdList": anyText, "confirmationNumberList": anyText,
		"externalReferenceIds": anyText, "externalSystemCodes": anyText, "resvExternalReferencesToFetch": anyText,
		"arrivalStartDate": isDay, "arrivalEndDate": isDay, "surname": anyText, "givenName": anyText, "roomId": anyText,
		"fetchInstructions": oneOf("Reservation", "ReservationID", "Indicators", "ReservationPreferences"),
		"reservationStatuses": oneOf("Cancelled", "CheckedOut", "CheckedIn", "DueIn", "DueOut", "InHouse", "NoShow",
			"WaitList"),
	}
}

func roomParameters() map[string]func(string) bool {
	return map[string]func(string) bool{
		"limit": isCount, "offset": isCount, "roomType": anyText, "floor": anyText, "fromRoomNumber": anyText, "toRoomNumber": anyText,
		"hotelRoomStatus":    oneOf("Clean", "Dirty", "Pickup", "Inspected", "OutOfOrder", "OutOfService"),
		"hotelFORoomStatus":  oneOf("Vacant", "Occupied"),
		"hotelRoomStartDate": isDay, "hotelRoomEndDate": isDay, "includeAllRoomConditions": isFlag,
	}
}

// page cuts a list to what the query asks for, and says whether there is more.
func page[T any](query url.Values, all []T) (cut []T, offset, limit int, more bool) {
	offset, _ = strconv.Atoi(query.Get("offset")) // checked by admit
	limit, err := strconv.Atoi(query.Get("limit"))
	if err != nil || limit > pageSize || limit == 0 {
		limit = pageSize
	}
	from := min(offset, len(all))
	to := min(from+limit, len(all))
	return all[from:to], offset, limit, to < len(all)
}

func (t *Twin) getReservations(r *twinRequest) (int, any, *twinProblem) {
	found := slices.DeleteFunc(t.candidates(r.query), func(s *twinStay) bool { return !t.matches(r.query, s) })
	if len(found) == 0 {
		return http.StatusNoContent, nil, nil
	}
	cut, offset, limit, more := page(r.query, found)
	infos := make([]shownInfo, 0, len(cut))
	for _, s := range cut {
		info := t.shownInfo(s)
		for _, ref := range s.References {
			if slices.Contains(r.query["resvExternalReferencesToFetch"], ref.Context) {
				info.References = append(info.References, ref)
			}
		}
		infos = append(infos, info)
	}
	return http.StatusOK, shownSearch{Reservations: shownInfos{Info: infos, Offset: offset, Limit: limit, HasMore: more,
		Count: len(infos), Total: len(found)}}, nil
}

// candidates returns the reservations that can match: a few by key, else all of them. The list is the caller's.
func (t *Twin) candidates(query url.Values) []*twinStay {
	var found []*twinStay
	switch {
	case query.Has("reservationIdList"):
		for _, id := range query["reservationIdList"] {
			found = append(found, t.byID[id])
		}
	case query.Has("confirmationNumberList"):
		for _, number := range query["confirmationNumberList"] {
			found = append(found, t.byConfirmation[number])
		}
	case query.Has("externalReferenceIds"):
		for _, id := range query["externalReferenceIds"] {
			found = append(found, t.byReference[id]...)
		}
	case query.Has("surname"):
		found = slices.Clone(t.byName[strings.ToLower(query.Get("surname"))])
	default:
		found = slices.Clone(t.stays)
	}
	return slices.DeleteFunc(found, func(s *twinStay) bool { return s == nil })
}

func (t *Twin) matches(query url.Values, s *twinStay) bool {
	is := func(name, v string) bool { return !query.Has(name) || slices.Contains(query[name], v) }
	surname, given := strings.ToLower(query.Get("surname")), strings.ToLower(query.Get("givenName"))
	named := slices.ContainsFunc(s.Guests, func(g WantGuest) bool {
		return (surname == "" || strings.ToLower(g.Surname) == surname) && (given == "" || strings.ToLower(g.GivenName) == given)
	})
	systems := query["externalSystemCodes"]
	if len(systems) == 0 {
		systems = []string{"External"}
	}
	referred := !query.Has("externalReferenceIds") || slices.ContainsFunc(s.References, func(r wireReference) bool {
		return slices.Contains(query["externalReferenceIds"], r.ID) && slices.Contains(systems, r.Context)
	})
	status := string(s.computed(t.today()))
	return named && referred && is("reservationIdList", s.ID) && is("confirmationNumberList", s.Confirmation) && is("roomId", s.RoomID) &&
		is("reservationStatuses", status) &&
		(!query.Has("arrivalStartDate") || s.Arrival >= query.Get("arrivalStartDate")) &&
		(!query.Has("arrivalEndDate") || s.Arrival <= query.Get("arrivalEndDate"))
}

func (t *Twin) getRooms(r *twinRequest) (int, any, *twinProblem) {
	q := r.query
	from, to := q.Get("hotelRoomStartDate"), q.Get("hotelRoomEndDate")
	if from != "" && to <= from {
		return 0, nil, unfit("hotelRoomEndDate", "hotelRoomStartDate must come with a later hotelRoomEndDate")
	}
	is := func(name, v string) bool { return !q.Has(name) || slices.Contains(q[name], v) }
	var found []*twinRoom
	for _, room := range t.rooms {
		frontOffice := Vacant
		if t.occupant(room.ID) != nil {
			frontOffice = Occupied
		}
		if is("roomType", room.Type) && is("floor", room.Floor) && is("hotelRoomStatus", string(room.Housekeeping)) &&
			is("hotelFORoomStatus", string(frontOffice)) &&
			(!q.Has("fromRoomNumber") || compareRooms(room.ID, q.Get("fromRoomNumber")) >= 0) &&
			(!q.Has("toRoomNumber") || compareRooms(room.ID, q.Get("toRoomNumber")) <= 0) &&
			(from == "" || t.holder(room.ID, nil, from, to) == nil) {
			found = append(found, room)
		}
	}
	if len(found) == 0 {
		return http.StatusNoContent, nil, nil
	}
	cut, offset, limit, more := page(q, found)
	rooms := make([]shownRoom, 0, len(cut))
	for _, room := range cut {
		rooms = append(rooms, t.shownRoom(room))
	}
	return http.StatusOK, shownRooms{Details: shownRoomList{Rooms: rooms, HotelID: t.cfg.HotelID}, Offset: offset, Limit: limit,
		HasMore: more, Total: len(found), Count: len(rooms)}, nil
}

// compareRooms orders room numbers as numbers: 99 comes before 101.
func compareRooms(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}

func (t *Twin) getVerify(r *twinRequest) (int, any, *twinProblem) {
	s := t.byID[r.id]
	if s == nil {
		return http.StatusNoContent, nil, nil
	}
	out := shownVerified{Reservation: []shownStay{t.shownStay(s)}}
	if p := t.mayCheckIn(s, s.RoomID); p != nil {
		out.Warnings = []shownWarning{{Code: p.code, ShortText: p.detail}}
	}
	return http.StatusOK, out, nil
}

func (t *Twin) getKeys(r *twinRequest) (int, any, *twinProblem) {
	s, p := t.find(r.id)
	if p != nil {
		return 0, nil, p
	}
	out := shownKeys{Keys: []shownKey{}}
	for i := range s.Keys {
		k := &s.Keys[i]
		if k.Off.IsZero() {
			out.Keys = append(out.Keys, shownKey{HotelID: t.cfg.HotelID, ReservationID: wireID{s.ID, "Reservation"}, RoomID: k.RoomID,
				Count: "1", From: stamp(k.From), To: stamp(k.To), Track: wireTrack{One: k.Track}})
		}
	}
	return http.StatusOK, out, nil
}

// find returns a reservation of this hotel.
func (t *Twin) find(id string) (*twinStay, *twinProblem) {
	if s := t.byID[id]; s != nil {
		return s, nil
	}
	return nil, refuse(http.StatusNotFound, codeUnknown, "this hotel has no such reservation")
}
