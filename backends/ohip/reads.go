package ohip

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/warmgate/warmgate/backends/wire"
)

// How much a search may bring.
const (
	pageSize       = 200
	maxPages       = 20 // of rooms: 4,000, as many as the interface's own lists hold
	maxFound       = 50 // reservations of one search
	maxKeysDecoded = 100
)

// Reservation returns one reservation as it is now. An unknown id is refused with RefusedUnknown. A read.
func (c *Client) Reservation(ctx context.Context, id string) (*Reservation, error) {
	const op = "Reservation"
	if !isText(id, maxID) {
		return nil, c.badInput(op, "reservation id")
	}
	all, err := c.search(ctx, op, c.reservations().with("reservationIdList", id))
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].ID == id {
			return &all[i], nil
		}
	}
	return nil, c.notFound(op, RefusedUnknown)
}

// ByConfirmation returns the reservations with a confirmation number (1 to 80 bytes): none, one, or the rooms of a party.
// A read.
func (c *Client) ByConfirmation(ctx context.Context, number string) ([]Reservation, error) {
	const op = "ByConfirmation"
	if !isText(number, maxID) {
		return nil, c.badInput(op, "confirmation number")
	}
	return c.search(ctx, op, c.reservations().with("confirmationNumberList", number))
}

// ByName returns at most 50 reservations of a guest by name and day of arrival. How a hotel compares names is its own
// affair: whoever asks compares them again. A read.
func (c *Client) ByName(ctx context.Context, q NameQuery) ([]Reservation, error) {
	const op = "ByName"
	switch {
	case !isText(q.Surname, maxName) || q.GivenName != "" && !isText(q.GivenName, maxName):
		return nil, c.badInput(op, "name")
	case !isDay(q.From) || !isDay(q.To) || q.To < q.From:
		return nil, c.badInput(op, "days of arrival")
	}
	asked := c.reservations().with("surname", q.Surname).with("arrivalStartDate", q.From).with("arrivalEndDate", q.To)
	if q.GivenName != "" {
		asked = asked.with("givenName", q.GivenName)
	}
	return c.search(ctx, op, asked)
}

// reservations begins a question for them.
func (c *Client) reservations() query { return c.asking("rsv", "/reservations") }

func (c *Client) search(ctx context.Context, op string, q query) ([]Reservation, error) {
	q = q.with("fetchInstructions", "Reservation").with("limit", strconv.Itoa(maxFound))
	var out wireReservations
	if err := c.get(ctx, op, string(q), &out, out.whole); err != nil {
		return nil, err
	}
	found := make([]Reservation, 0, len(out.Reservations.Info))
	for i := range out.Reservations.Info {
		found = append(found, out.Reservations.Info[i].reservation())
	}
	return found, nil
}

// VerifyCheckIn returns a reservation with the documents that its guests' profiles hold, and what the hotel sees in the
// way of a check-in. An unknown id is refused with RefusedUnknown. A read: it has no effect.
func (c *Client) VerifyCheckIn(ctx context.Context, id string) (*Verified, error) {
	const op = "VerifyCheckIn"
	if !isText(id, maxID) {
		return nil, c.badInput(op, "reservation id")
	}
	var out wireVerified
	found := true
	x := &exchange{op: op, method: "GET", path: c.reservationPath("fof", id, "/verifyCheckIns") +
		"?verifyCheckinInstructions=ExcludeRoomSuggestion", out: &out, whole: out.whole, absent: func() { found = false }}
	switch err := c.do(ctx, x); {
	case err != nil:
		return nil, err
	case !found:
		return nil, c.notFound(op, RefusedUnknown)
	}
	return out.verified(), nil
}

// Rooms gives the rooms that q asks for to take, page by page within the one deadline, at most 4,000 in all. take may keep
// strings of a room, but nothing else of it; where Rooms fails, what it has given is not all. A read.
func (c *Client) Rooms(ctx context.Context, q RoomQuery, take func(page []Room)) error {
	const op = "Rooms"
	if (q.From == "") != (q.To == "") || q.From != "" && (!isDay(q.From) || !isDay(q.To) || q.To <= q.From) {
		return c.badInput(op, "nights")
	}
	asked := c.asking("fof", "/rooms").with("limit", strconv.Itoa(pageSize)).with("roomType", q.Types...)
	for _, h := range q.Housekeeping {
		asked = asked.with("hotelRoomStatus", string(h))
	}
	if q.FrontOffice != "" {
		asked = asked.with("hotelFORoomStatus", string(q.FrontOffice))
	}
	if q.Floor != "" {
		asked = asked.with("floor", q.Floor)
	}
	if q.From != "" {
		asked = asked.with("hotelRoomStartDate", q.From).with("hotelRoomEndDate", q.To)
	}
	return c.rooms(ctx, op, asked, take)
}

// Room returns one room. A number that the hotel does not have is refused with RefusedNoSuchRoom. A read.
func (c *Client) Room(ctx context.Context, id string) (*Room, error) {
	const op = "Room"
	if !isText(id, maxRoomID) {
		return nil, c.badInput(op, "room id")
	}
	asked := c.asking("fof", "/rooms").with("fromRoomNumber", id).with("toRoomNumber", id).with("limit", strconv.Itoa(pageSize))
	var found *Room
	err := c.rooms(ctx, op, asked, func(page []Room) {
		if i := slices.IndexFunc(page, func(r Room) bool { return r.ID == id }); i >= 0 && found == nil {
			found = page[i].clone()
		}
	})
	if err == nil && found == nil {
		err = c.notFound(op, RefusedNoSuchRoom)
	}
	if err != nil {
		return nil, err
	}
	return found, nil
}

func (c *Client) rooms(ctx context.Context, op string, q query, take func(page []Room)) error {
	q = q.with("includeAllRoomConditions", "true")
	page := c.used.page()
	defer c.used.giveBack(page)
	for n := range maxPages {
		page.reset()
		if err := c.get(ctx, op, string(q.with("offset", strconv.Itoa(n*pageSize))), page, page.whole); err != nil {
			return err
		}
		take(page.rooms)
		if !page.hasMore || len(page.rooms) == 0 {
			break
		}
	}
	return nil
}

// Keys returns the keys of a reservation that open a room now, none when there are none. This is how keys of unknown
// outcome are settled. A read.
func (c *Client) Keys(ctx context.Context, reservationID string) ([]Key, error) {
	const op = "Keys"
	if !isText(reservationID, maxID) {
		return nil, c.badInput(op, "reservation id")
	}
	var out wireKeys
	whole := func() bool { return len(out.Keys) <= maxKeysDecoded }
	if err := c.get(ctx, op, c.reservationPath("fof", reservationID, "/roomKeys"), &out, whole); err != nil {
		return nil, err
	}
	keys := make([]Key, 0, len(out.Keys))
	for _, k := range out.Keys {
		count, err := strconv.Atoi(k.Count)
		if err != nil {
			count = 0
		}
		keys = append(keys, Key{RoomID: k.RoomID, Count: count, From: instant(k.From), To: instant(k.To), Track: k.Track.One})
	}
	return keys, nil
}

// isText reports whether s is 1 to limit bytes of UTF-8 without control characters, and no step in a path.
func isText(s string, limit int) bool {
	return s != "" && s != "." && s != ".." && len(s) <= limit && utf8.ValidString(s) &&
		strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) < 0
}

// stamp writes a time as OHIP's date-time.
func stamp(t time.Time) string { return t.Format(time.RFC3339) }

// reservationIDs names one reservation as bodies do.
func reservationIDs(id string) []wireID { return []wireID{{ID: id, Type: "Reservation"}} }

// anything is the answer of an effect of which only its being an object is asked.
type anything struct{}

// effect makes an exchange with an effect.
func (c *Client) effect(ctx context.Context, op, method, path string, body any) error {
	return c.do(ctx, &exchange{op: op, method: method, path: path, body: body, out: &anything{}})
}

// garbage is the error of an answer that contradicts itself.
func garbage(op string) *wire.Error {
	return &wire.Error{Connector: connector, Op: op, Fate: wire.Unknown, Reason: wire.ReasonGarbage, Status: 201}
}
