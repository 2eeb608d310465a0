package ohip

import (
	"context"
	"strconv"
)

// AssignRoom gives a reservation a room, or another one than it held. It overrides nothing: another's room is refused with
// RefusedTaken, one that is not ready with RefusedNotClean, where the hotel's codes are known (see the package comment).
// Not idempotent: after an unknown outcome ask Reservation whether RoomID is the room.
func (c *Client) AssignRoom(ctx context.Context, reservationID, roomID string) error {
	const op = "AssignRoom"
	if !isText(reservationID, maxID) || !isText(roomID, maxRoomID) {
		return c.badInput(op, "reservation or room id")
	}
	type criteria struct {
		HotelID        string   `json:"hotelId"`
		ReservationIDs []wireID `json:"reservationIdList"`
		RoomID         string   `json:"roomId"`
	}
	body := struct {
		Criteria criteria `json:"criteria"`
	}{criteria{c.hotel, reservationIDs(reservationID), roomID}}
	return c.effect(ctx, op, "POST", c.reservationPath("fof", reservationID, "/roomAssignments"), body)
}

// UnassignRoom takes a reservation's room back, while its guest has not checked in. After an unknown outcome ask
// Reservation whether RoomID is empty.
func (c *Client) UnassignRoom(ctx context.Context, reservationID string) error {
	const op = "UnassignRoom"
	if !isText(reservationID, maxID) {
		return c.badInput(op, "reservation id")
	}
	body := struct {
		OverrideLocked bool `json:"overrideRoomNumberLocked"`
	}{false}
	return c.effect(ctx, op, "PUT", c.reservationPath("fof", reservationID, "/rooms"), body)
}

// CheckIn marks a reservation in house in the room that it holds; the hotel compares the room with roomID. It ignores no
// warning. Not idempotent: after an unknown outcome ask Reservation for its State and RoomID.
func (c *Client) CheckIn(ctx context.Context, reservationID, roomID string) error {
	const op = "CheckIn"
	if !isText(reservationID, maxID) || !isText(roomID, maxRoomID) {
		return c.badInput(op, "reservation or room id")
	}
	type criteria struct {
		RoomID         string `json:"roomId"`
		IgnoreWarnings bool   `json:"ignoreWarnings"`
	}
	body := struct {
		Reservation criteria `json:"reservation"`
		Fetch       []string `json:"fetchReservationInstruction"`
	}{criteria{RoomID: roomID}, []string{"ReservationDetail"}}
	var out wireVerified
	err := c.do(ctx, &exchange{op: op, method: "POST", path: c.reservationPath("fof", reservationID, "/checkIns"), body: body,
		out: &out})
	if err != nil {
		return err
	}
	for i := range out.Reservation { // a success that contradicts itself is no success
		s := &out.Reservation[i]
		in := s.Status.State() == InHouse || s.Computed.State() == InHouse
		if idOf(s.IDs, "Reservation") == reservationID && (s.Status != "" && !in || s.Stay.Room.RoomID != "" && s.Stay.Room.RoomID != roomID) {
			return garbage(op)
		}
	}
	return nil
}

// UndoCheckIn makes a reservation that was checked in today an expected one again, and gives its room back if unassign.
// After an unknown outcome ask Reservation for its State. It leaves keys alone.
func (c *Client) UndoCheckIn(ctx context.Context, reservationID string, unassign bool) error {
	const op = "UndoCheckIn"
	if !isText(reservationID, maxID) {
		return c.badInput(op, "reservation id")
	}
	path := c.reservationPath("fof", reservationID, "/checkIns?unassignRoom="+strconv.FormatBool(unassign))
	return c.effect(ctx, op, "DELETE", path, nil)
}

// CheckOut marks a reservation as left. An open balance is refused with RefusedBalance, a departure on another day with
// RefusedWrongDate, another state with RefusedStatus. After an unknown outcome ask Reservation for its State.
func (c *Client) CheckOut(ctx context.Context, reservationID string) error {
	const op = "CheckOut"
	if !isText(reservationID, maxID) {
		return c.badInput(op, "reservation id")
	}
	type criteria struct {
		HotelID        string   `json:"hotelId"`
		ReservationIDs []wireID `json:"reservationIdList"`
	}
	body := struct {
		Reservation criteria `json:"reservation"`
		VerifyOnly  bool     `json:"verificationOnly"`
	}{criteria{c.hotel, reservationIDs(reservationID)}, false}
	return c.effect(ctx, op, "POST", c.reservationPath("csh", reservationID, "/checkOuts"), body)
}

// keyBody is the request for keys and for their end.
type keyBody struct {
	ReservationIDs []wireID `json:"reservationIdList"`
	Room           string   `json:"roomNumber"`
	Hotel          string   `json:"resort"`
	Type           string   `json:"keyType"`
	Count          int      `json:"noOfKeys,omitzero"`
	From           string   `json:"keyValidityStart,omitzero"`
	To             string   `json:"keyValidityEnd,omitzero"`
	Encoder        *wireID  `json:"encoderId,omitzero"`
}

// IssueKeys has new keys made; they end those that opened the room before. Not idempotent, though doing it twice leaves
// one set that works: after an unknown outcome ask Keys.
func (c *Client) IssueKeys(ctx context.Context, o KeyOrder) (*IssuedKey, error) {
	const op = "IssueKeys"
	switch {
	case !isText(o.ReservationID, maxID) || !isText(o.RoomID, maxRoomID):
		return nil, c.badInput(op, "reservation or room id")
	case o.Count < 1 || o.Count > 8:
		return nil, c.badInput(op, "count: want 1 to 8")
	case o.From.IsZero() || !o.To.After(o.From):
		return nil, c.badInput(op, "validity")
	case o.Encoder != "" && !isText(o.Encoder, maxID):
		return nil, c.badInput(op, "encoder")
	}
	body := keyBody{ReservationIDs: reservationIDs(o.ReservationID), Room: o.RoomID, Hotel: c.hotel, Type: "New",
		Count: o.Count, From: stamp(o.From), To: stamp(o.To)}
	if o.Encoder != "" {
		body.Encoder = &wireID{ID: o.Encoder, Type: "Encoder"}
	}
	var out wireIssued
	err := c.do(ctx, &exchange{op: op, method: "POST", path: c.reservationPath("fof", o.ReservationID, "/roomKeys"), body: body,
		out: &out})
	if err != nil {
		return nil, err
	}
	return &IssuedKey{Data: out.Data, Pin: out.Pin, Track: out.Track.One}, nil
}

// RemoveKeys switches every key of a reservation for a room off. It is idempotent: where there is none, nothing changes.
// After an unknown outcome ask Keys.
func (c *Client) RemoveKeys(ctx context.Context, reservationID, roomID string) error {
	const op = "RemoveKeys"
	if !isText(reservationID, maxID) || !isText(roomID, maxRoomID) {
		return c.badInput(op, "reservation or room id")
	}
	return c.effect(ctx, op, "POST", c.reservationPath("fof", reservationID, "/roomKeys"),
		keyBody{ReservationIDs: reservationIDs(reservationID), Room: roomID, Hotel: c.hotel, Type: "Remove"})
}
