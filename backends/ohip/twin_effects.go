package ohip

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// linked is what every body may carry beside its own members.
type linked struct {
	Links    jsontext.Value `json:"links"`
	Warnings jsontext.Value `json:"warnings"`
}

// done is the answer of an effect that has nothing to say.
type done struct{}

// assignBody is the request as the schema has it; nil is absent.
type assignBody struct {
	linked `json:",inline"`

	Criteria *struct {
		HotelID        *string         `json:"hotelId"`
		ReservationIDs []wireIDStrict  `json:"reservationIdList"`
		RoomID         *string         `json:"roomId"`
		Override       *assignOverride `json:"overrideInstructions"`
		BackToBack     jsontext.Value  `json:"includedBackToBack"`
		Sharers        jsontext.Value  `json:"includedSharers"`
		ChargedType    *bool           `json:"updateRoomTypeCharged"`
		Departures     *bool           `json:"includeDepartureRooms"`
		MoveOut        *bool           `json:"ignoreMoveOutRooms"`
		Locked         *bool           `json:"roomNumberLocked"`
		Comments       *string         `json:"comments"`
	} `json:"criteria"`
}

type wireIDStrict struct {
	ID   *string `json:"id"`
	Type *string `json:"type"`
}

type assignOverride struct {
	DirtyRoom *bool `json:"dirtyRoom"`
}

// about checks that the hotel and the reservations of a body are those of the path.
func (t *Twin) about(r *twinRequest, hotel *string, ids []wireIDStrict) *twinProblem {
	if hotel != nil && *hotel != t.cfg.HotelID {
		return refuse(http.StatusBadRequest, codeUnknown, "the body is about another hotel")
	}
	if len(ids) == 0 {
		return refuse(http.StatusBadRequest, codeMissing, "the reservation is missing in the body")
	}
	for _, id := range ids {
		if id.ID == nil || id.Type == nil || *id.Type != "Reservation" {
			return unfit("reservationIdList", "an identifier needs an id and the type Reservation")
		}
		if *id.ID != r.id {
			return unfit("reservationIdList", "the body is about another reservation than the path")
		}
	}
	return nil
}

func (t *Twin) postAssignment(r *twinRequest) (int, any, *twinProblem) {
	var q assignBody
	if p := r.strict(&q); p != nil {
		return 0, nil, p
	}
	if q.Criteria == nil || q.Criteria.RoomID == nil || *q.Criteria.RoomID == "" || len(*q.Criteria.RoomID) > maxRoomID {
		return 0, nil, unfit("criteria/roomId", "criteria and in it a roomId of at most %d characters are needed", maxRoomID)
	}
	if p := t.about(r, q.Criteria.HotelID, q.Criteria.ReservationIDs); p != nil {
		return 0, nil, p
	}
	room := *q.Criteria.RoomID
	a := t.ask("assign", r.id, room)
	s, p := t.find(r.id)
	if p != nil {
		return 0, nil, p
	}
	dirty := q.Criteria.Override != nil && q.Criteria.Override.DirtyRoom != nil && *q.Criteria.Override.DirtyRoom
	if p := t.mayAssign(s, room, dirty); p != nil {
		return 0, nil, p
	}
	if s.RoomID != room {
		t.move(s, room)
		t.did(r, a, "assign", s)
	}
	return http.StatusCreated, done{}, nil
}

// mayAssign says what keeps a reservation from a room; nil: nothing.
func (t *Twin) mayAssign(s *twinStay, room string, dirty bool) *twinProblem {
	today := t.today()
	if p := s.refuses(today); p != nil {
		return p
	}
	at := t.byRoom[room]
	switch {
	case at == nil || at.Housekeeping == OutOfOrder || at.Housekeeping == OutOfService:
		return refuse(http.StatusBadRequest, standInNoSuchRoom, "there is no such room, or it is out of order")
	case t.holder(room, s, s.Arrival, s.Departure) != nil:
		return refuse(http.StatusBadRequest, standInTaken, "the room is another's")
	case at.Type != s.RoomType:
		return refuse(http.StatusBadRequest, standInRoomType, "the room is of another type than the one reserved")
	case s.Arrival == today && !ready(at) && !dirty:
		return refuse(http.StatusBadRequest, standInNotClean, "the room is not ready")
	}
	return nil
}

func ready(r *twinRoom) bool { return r.Housekeeping == Clean || r.Housekeeping == Inspected }

// refuses says why a reservation's state does not allow what is done before somebody moves in; nil: it does.
func (s *twinStay) refuses(today string) *twinProblem {
	switch s.computed(today).State() {
	case Expected:
		return nil
	case InHouse:
		return refuse(http.StatusBadRequest, standInAlreadyIn, "the guest is in house already")
	case Left:
		return refuse(http.StatusBadRequest, standInAlreadyOut, "the guest has left already")
	case Cancelled:
		return refuse(http.StatusBadRequest, standInCancelled, "the reservation is cancelled")
	default:
		return refuse(http.StatusBadRequest, standInNoShow, "the guest did not come on the day")
	}
}

func (t *Twin) putUnassignment(r *twinRequest) (int, any, *twinProblem) {
	var q struct {
		linked `json:",inline"`

		Locked    *bool `json:"overrideRoomNumberLocked"`
		Ownership *bool `json:"overrideRoomOwnership"`
	}
	if p := r.strict(&q); p != nil {
		return 0, nil, p
	}
	a := t.ask("unassign", r.id, "")
	s, p := t.find(r.id)
	if p == nil {
		p = s.refuses(t.today())
	}
	if p != nil {
		return 0, nil, p
	}
	if s.RoomID != "" {
		t.move(s, "")
		t.did(r, a, "unassign", s)
	}
	return http.StatusOK, done{}, nil
}

func (t *Twin) postCheckIn(r *twinRequest) (int, any, *twinProblem) {
	var q struct {
		linked `json:",inline"`

		Reservation *struct {
			RoomID          *string    `json:"roomId"`
			CheckOutTime    *time.Time `json:"checkOutTime"`
			Started         *time.Time `json:"startCheckInProcessTime"`
			Ended           *time.Time `json:"endCheckInProcessTime"`
			Lock            *float64   `json:"lockHandle"`
			Privacy         *bool      `json:"profilePrivacyPrompted"`
			Ignore          *bool      `json:"ignoreWarnings"`
			Stop            *bool      `json:"stopCheckin"`
			Print           *bool      `json:"printRegistration"`
			OverridePayment *bool      `json:"overrideAdvancePaymentValidation"`
			By              *string    `json:"checkInInitiatedBy"`
		} `json:"reservation"`
		Fetch         []string `json:"fetchReservationInstruction"`
		Notifications *bool    `json:"includeNotifications"`
	}
	if p := r.strict(&q); p != nil {
		return 0, nil, p
	}
	fetchable := oneOf("ReservationDetail", "AutoFolios", "ExcludeRoomSuggestion")
	if q.Reservation == nil || slices.ContainsFunc(q.Fetch, func(f string) bool { return !fetchable(f) }) {
		return 0, nil, unfit("reservation", "reservation is needed, and only what can be fetched may be asked for")
	}
	room := ""
	if q.Reservation.RoomID != nil {
		room = *q.Reservation.RoomID
	}
	a := t.ask("check-in", r.id, room)
	s, p := t.find(r.id)
	if p == nil {
		p = t.mayCheckIn(s, room)
	}
	if p != nil {
		return 0, nil, p
	}
	s.Status = StatusInHouse
	t.did(r, a, "check-in", s)
	out := shownVerified{Reservation: []shownStay{}}
	if slices.Contains(q.Fetch, "ReservationDetail") {
		out.Reservation = append(out.Reservation, t.shownStay(s))
	}
	return http.StatusCreated, out, nil
}

// mayCheckIn says what keeps a guest out of the room; nil: nothing. room is what the caller believes it to be, "" when it
// does not say.
func (t *Twin) mayCheckIn(s *twinStay, room string) *twinProblem {
	today := t.today()
	if p := s.refuses(today); p != nil {
		return p
	}
	at := t.byRoom[s.RoomID]
	switch {
	case s.Arrival != today:
		return refuse(http.StatusBadRequest, standInDate, "the arrival is on another day")
	case at == nil || room != "" && room != s.RoomID:
		return refuse(http.StatusBadRequest, standInNoRoom, "the reservation holds no room, or another one")
	case t.holder(s.RoomID, s, s.Arrival, s.Departure) != nil:
		return refuse(http.StatusBadRequest, standInTaken, "the room is another's")
	case !ready(at):
		return refuse(http.StatusBadRequest, standInNotClean, "the room is not ready")
	}
	return nil
}

func (t *Twin) deleteCheckIn(r *twinRequest) (int, any, *twinProblem) {
	a := t.ask("undo-check-in", r.id, "")
	s, p := t.find(r.id)
	if p != nil {
		return 0, nil, p
	}
	switch {
	case s.Status != StatusInHouse:
		return 0, nil, refuse(http.StatusBadRequest, standInNotIn, "the guest is not in house")
	case s.Arrival != t.today():
		return 0, nil, refuse(http.StatusBadRequest, standInDate, "the guest came on another day")
	}
	if status := r.query.Get("roomStatus"); status != "" {
		t.byRoom[s.RoomID].Housekeeping = Housekeeping(status)
	}
	s.Status = StatusReserved
	if r.query.Get("unassignRoom") == "true" {
		t.move(s, "")
	}
	t.did(r, a, "undo-check-in", s)
	return http.StatusOK, done{}, nil
}

func (t *Twin) postCheckOut(r *twinRequest) (int, any, *twinProblem) {
	var q struct {
		linked `json:",inline"`

		Reservation *struct {
			HotelID        *string        `json:"hotelId"`
			ReservationIDs []wireIDStrict `json:"reservationIdList"`
			Event          *string        `json:"eventType"`
			Instructions   jsontext.Value `json:"checkoutInstr"`
			Email          *string        `json:"mobileCheckoutFolioEmail"`
			OpenFolio      *bool          `json:"checkoutWithOpenFolio"`
			Cashier        *float64       `json:"cashierId"`
			Mobile         *bool          `json:"mobileCheckout"`
			Auto           *bool          `json:"autoCheckout"`
			Stop           *bool          `json:"stopCheckout"`
		} `json:"reservation"`
		VerifyOnly *bool `json:"verificationOnly"`
	}
	if p := r.strict(&q); p != nil {
		return 0, nil, p
	}
	if q.Reservation == nil {
		return 0, nil, refuse(http.StatusBadRequest, codeMissing, "the reservation is missing in the body")
	}
	if p := t.about(r, q.Reservation.HotelID, q.Reservation.ReservationIDs); p != nil {
		return 0, nil, p
	}
	a := t.ask("check-out", r.id, "")
	s, p := t.find(r.id)
	if p != nil {
		return 0, nil, p
	}
	switch {
	case s.Status != StatusInHouse:
		return 0, nil, refuse(http.StatusBadRequest, codeStatus, "the reservation is not in a status for it")
	case s.Departure > t.today():
		return 0, nil, refuse(http.StatusBadRequest, codeDate, "the departure is not today")
	case s.Balance > 0:
		return 0, nil, refuse(http.StatusBadRequest, codeBalance, "something is still to be paid")
	case q.VerifyOnly == nil || !*q.VerifyOnly:
		s.Status = StatusCheckedOut
		t.byRoom[s.RoomID].Housekeeping = Dirty
		t.did(r, a, "check-out", s)
	}
	return http.StatusCreated, done{}, nil
}

// postKeysBody is the request as the schema has it; nil is absent.
type postKeysBody struct {
	linked `json:",inline"`

	ReservationIDs []wireIDStrict `json:"reservationIdList"`
	Room           *string        `json:"roomNumber"`
	OriginalRoom   *string        `json:"originalRoomNumber"`
	Track          jsontext.Value `json:"keyTrack"`
	Hotel          *string        `json:"resort"`
	Count          *int           `json:"noOfKeys"`
	From           *time.Time     `json:"keyValidityStart"`
	To             *time.Time     `json:"keyValidityEnd"`
	Terminal       *string        `json:"encoderTerminal"`
	Encoder        *wireIDStrict  `json:"encoderId"`
	Type           *string        `json:"keyType"`
	CardType       *string        `json:"keyCardType"`
	CardUID        *string        `json:"keyCardUId"`
	Options        *string        `json:"keyOptions"`
	Additional     []string       `json:"additionalRooms"`
	Guests         jsontext.Value `json:"roomKeyGuests"`
}

func (t *Twin) postKeys(r *twinRequest) (int, any, *twinProblem) {
	var q postKeysBody
	if p := r.strict(&q); p != nil {
		return 0, nil, p
	}
	if p := t.about(r, q.Hotel, q.ReservationIDs); p != nil {
		return 0, nil, p
	}
	switch {
	case q.Room == nil || q.Type == nil || *q.Type != "New" && *q.Type != "Duplicate" && *q.Type != "Remove":
		return 0, nil, unfit("keyType", "roomNumber and keyType are needed; this hotel's locks know New, Duplicate and Remove")
	case *q.Type != "Remove" && (q.Count == nil || *q.Count < 1 || *q.Count > 8 || q.From == nil || q.To == nil || !q.To.After(*q.From)):
		return 0, nil, unfit("noOfKeys", "1 to 8 keys and a validity that ends after it begins are needed")
	}
	if *q.Type == "Remove" {
		return t.removeKeys(r, *q.Room)
	}
	a := t.ask("issue-keys", r.id, *q.Room)
	s, p := t.find(r.id)
	switch {
	case p != nil:
		return 0, nil, p
	case s.Status != StatusInHouse:
		return 0, nil, refuse(http.StatusBadRequest, standInNotIn, "keys are for guests in house")
	case s.RoomID != *q.Room:
		return 0, nil, refuse(http.StatusBadRequest, standInNoRoom, "the guest lives in another room")
	}
	if *q.Type == "New" { // a lock forgets its old keys when it meets the first new one
		s.lock(*q.Room, r.now)
	}
	first := len(s.Keys)
	chance := rand.New(rand.NewPCG(t.seed(), uint64(len(t.effects))))
	for range *q.Count {
		s.Keys = append(s.Keys, TwinKey{Track: fmt.Sprintf("K%016X", chance.Uint64()), RoomID: *q.Room, At: r.now, From: *q.From,
			To: *q.To, By: r.by})
	}
	t.did(r, a, "issue-keys", s)
	return http.StatusCreated, wireIssued{Track: wireTrack{One: s.Keys[first].Track}}, nil
}

func (t *Twin) removeKeys(r *twinRequest, room string) (int, any, *twinProblem) {
	a := t.ask("remove-keys", r.id, room)
	s, p := t.find(r.id)
	if p != nil {
		return 0, nil, p
	}
	if s.lock(room, r.now) {
		t.did(r, a, "remove-keys", s)
	}
	return http.StatusCreated, done{}, nil
}

// lock switches the keys of a room off and reports whether there were any.
func (s *twinStay) lock(room string, now time.Time) bool {
	any := false
	for i := range s.Keys {
		if k := &s.Keys[i]; k.RoomID == room && k.Off.IsZero() {
			k.Off, any = now, true
		}
	}
	return any
}
