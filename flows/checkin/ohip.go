package checkin

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/warmgate/warmgate/backends/ohip"
	"github.com/warmgate/warmgate/backends/wire"
	"github.com/warmgate/warmgate/flows/person"
	"github.com/warmgate/warmgate/flows/pms"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/journey"
)

// ohipDesk is a hotel that is run by OPERA Cloud, as this journey needs it.
type ohipDesk struct {
	client *ohip.Client
	venue  *gateway.Venue
	ready  []ohip.Housekeeping
	keys   bool // an encoder cuts them
}

// connectOHIP binds the journey's operations to a hotel that is run by OPERA Cloud.
func connectOHIP(ops operations, v *gateway.Venue, to flow.Connection, b *call.Bindings) (func(), error) {
	hotel, end, err := pms.OpenOHIP(to)
	if err != nil {
		return nil, err
	}
	d := &ohipDesk{client: hotel.Client, venue: v, ready: []ohip.Housekeeping{ohip.Clean, ohip.Inspected}, keys: settingsOf(v).Keys == keysEncoder}
	if hotel.Options.Inspected {
		d.ready = d.ready[1:]
	}
	bindDesk(ops, d, to, b)
	return end, nil
}

// find looks the party's booking up: by its number, or by the leading guest's name among today's arrivals.
func (d *ohipDesk) find(ctx context.Context, a Arrival) ([]Booking, error) {
	var found []ohip.Reservation
	if a.Confirmation != "" {
		all, err := d.client.ByConfirmation(ctx, a.Confirmation)
		if err != nil {
			return nil, d.fate(err)
		}
		return d.bookings(all), nil
	}
	for _, surname := range person.FamilyNames(a.Guests[0].Document.Name, a.Guests[0].Document.LatinName) {
		all, err := d.client.ByName(ctx, ohip.NameQuery{Surname: surname, From: a.Day, To: a.At.In(d.venue.Location).Format(time.DateOnly)})
		if err != nil {
			return nil, d.fate(err)
		}
		for i := range all {
			if !slices.ContainsFunc(found, func(r ohip.Reservation) bool { return r.ID == all[i].ID }) {
				found = append(found, all[i])
			}
		}
	}
	return ownOnly(a, d.bookings(found)), nil
}

func (d *ohipDesk) bookings(all []ohip.Reservation) []Booking {
	out := make([]Booking, 0, len(all))
	for i := range all {
		r := &all[i]
		b := Booking{ID: r.ID, Confirmation: r.Confirmation, Hotel: r.HotelID == "" || r.HotelID == d.client.HotelID(), State: ohipState(r.State()),
			Arrival: r.Arrival, Leaves: r.Departure, People: r.Adults + r.Children, RoomType: r.RoomType, Room: r.RoomID}
		for _, g := range r.Guests {
			b.Guests = append(b.Guests, Booked{Name: orElse(join(g.Surname, g.GivenName), g.FullName), Other: g.Alternate, Birthday: g.BirthDate})
		}
		out = append(out, b)
	}
	return out
}

func ohipState(s ohip.State) State {
	switch s {
	case ohip.Expected:
		return stateDue
	case ohip.InHouse:
		return stateInHouse
	case ohip.Left:
		return stateLeft
	case ohip.Cancelled:
		return stateCancelled
	case ohip.NoShow:
		return stateNoShow
	case ohip.Other:
	}
	return stateOther
}

// rooms lists the rooms that are ready and empty.
func (d *ohipDesk) rooms(ctx context.Context, _ Arrival) (Rooms, error) {
	out := Rooms{}
	err := d.client.Rooms(ctx, ohip.RoomQuery{Housekeeping: d.ready, FrontOffice: ohip.Vacant}, func(page []ohip.Room) {
		out = slices.Grow(out, len(page))
		for i := range page {
			out = append(out, roomOf(&page[i]))
		}
	})
	if err != nil {
		return nil, d.fate(err)
	}
	return out, nil
}

func roomOf(r *ohip.Room) Room {
	out := Room{ID: r.ID, Number: r.ID, Type: r.Type, Floor: r.Floor, Ready: true, Free: r.Free(), Doors: slices.Clone(r.Connecting)}
	for _, s := range r.Stays {
		out.For = append(out.For, s.ReservationID)
	}
	return out
}

func (d *ohipDesk) assign(ctx context.Context, _ string, a Assignment) (Assigned, error) {
	if a.Before == a.Room {
		if _, there, err := d.assigned(ctx, "", a); there || err != nil {
			return Assigned{Room: a.Room}, err
		}
	}
	if err := d.client.AssignRoom(ctx, a.Booking, a.Room); err != nil {
		return d.lookAgain(ctx, a, err)
	}
	return Assigned{Room: a.Room}, nil
}

// lookAgain finds out what an error means whose code says nothing: OPERA publishes none for a room that was given away.
func (d *ohipDesk) lookAgain(ctx context.Context, a Assignment, err error) (Assigned, error) {
	e, ok := errors.AsType[*wire.Error](err)
	if !ok || e.Fate != wire.Unknown || e.Status != 400 && e.Status != 404 {
		return Assigned{}, d.fate(err)
	}
	r, lookErr := d.client.Reservation(ctx, a.Booking)
	if lookErr != nil {
		return Assigned{}, err
	}
	if r.RoomID == a.Room {
		return Assigned{Room: a.Room}, nil
	}
	room, lookErr := d.client.Room(ctx, a.Room)
	if lookErr != nil {
		return Assigned{}, err
	}
	another := slices.ContainsFunc(room.Stays, func(s ohip.Stay) bool { return s.ReservationID != a.Booking })
	if another || room.FrontOffice == ohip.Occupied || !slices.Contains(d.ready, room.Housekeeping) {
		return Assigned{}, call.Refuse(journey.Taken, err)
	}
	return Assigned{}, call.Refuse(refusedOther, err) // it holds no room of ours: it was not done
}

func (d *ohipDesk) assigned(ctx context.Context, _ string, a Assignment) (Assigned, bool, error) {
	r, err := d.client.Reservation(ctx, a.Booking)
	if err != nil {
		return Assigned{}, false, d.fate(err)
	}
	return Assigned{Room: a.Room}, r.RoomID == a.Room, nil
}

// unassign gives the booking back the room that it held before, or none. Whoever is in house keeps theirs.
func (d *ohipDesk) unassign(ctx context.Context, _ string, a Assignment) (Assigned, error) {
	r, err := d.client.Reservation(ctx, a.Booking)
	switch {
	case err != nil:
		return Assigned{}, unlessGone(d.fate(err))
	case r.State() == ohip.InHouse || r.State() == ohip.Left || r.RoomID != a.Room || a.Before == a.Room:
		return Assigned{}, nil
	case a.Before != "":
		err = d.client.AssignRoom(ctx, a.Booking, a.Before)
		if why, ok := ohip.RefusalOf(err); !ok || why != ohip.RefusedTaken && why != ohip.RefusedNotClean {
			return Assigned{Room: a.Before}, d.fate(err)
		}
	}
	err = d.fate(d.client.UnassignRoom(ctx, a.Booking))
	if r.State() != ohip.Expected { // a night has passed: the hotel's own night lets go of the room
		err = unlessGone(err)
	}
	return Assigned{}, err
}

func (d *ohipDesk) enter(ctx context.Context, _ string, e Entrance) (Entered, error) {
	if err := d.client.CheckIn(ctx, e.Booking, e.Room); err != nil {
		return Entered{}, d.fate(err)
	}
	return Entered{Room: e.Room}, nil
}

func (d *ohipDesk) entered(ctx context.Context, _ string, e Entrance) (Entered, bool, error) {
	r, err := d.client.Reservation(ctx, e.Booking)
	if err != nil {
		return Entered{}, false, d.fate(err)
	}
	in := r.State() == ohip.InHouse || r.State() == ohip.Left
	if in && r.RoomID != "" && r.RoomID != e.Room {
		return Entered{}, false, call.Refuse(refusedState, errors.New("the booking is in house in another room"))
	}
	return Entered{Room: e.Room}, in, nil
}

// unenter takes a check-in back; the room stays with the booking, for its own undo.
func (d *ohipDesk) unenter(ctx context.Context, _ string, e Entrance) (Entered, error) {
	return Entered{}, d.fate(d.client.UndoCheckIn(ctx, e.Booking, false))
}

func (d *ohipDesk) issue(ctx context.Context, _ string, k KeyOrder) (Keys, error) {
	if !d.keys {
		return Keys{}, call.Refuse(refusedNoEncoder, nil)
	}
	made, err := d.client.IssueKeys(ctx, ohip.KeyOrder{ReservationID: k.Booking, RoomID: k.Room, Count: k.Count, From: k.From, To: k.To, Encoder: k.Encoder})
	if err != nil {
		return Keys{}, d.fate(err)
	}
	return Keys{Count: k.Count, Data: made.Data, PIN: made.Pin}, nil
}

// issued asks for the keys. Where nobody is in house there must be none.
func (d *ohipDesk) issued(ctx context.Context, _ string, k KeyOrder) (Keys, bool, error) {
	if !d.keys {
		return Keys{}, false, nil
	}
	r, err := d.client.Reservation(ctx, k.Booking)
	switch {
	case err != nil:
		return Keys{}, false, d.fate(err)
	case r.State() != ohip.InHouse:
		return Keys{}, false, call.Refuse(refusedState, nil)
	}
	keys, err := d.client.Keys(ctx, k.Booking)
	if err != nil {
		return Keys{}, false, d.fate(err)
	}
	for _, key := range keys {
		if key.RoomID == k.Room {
			return Keys{Count: k.Count}, true, nil
		}
	}
	return Keys{}, false, nil
}

func (d *ohipDesk) leave(ctx context.Context, _ string, l Departure) (Done, error) {
	return Done{}, d.fate(d.client.CheckOut(ctx, l.Booking))
}

func (d *ohipDesk) left(ctx context.Context, _ string, l Departure) (Done, bool, error) {
	r, err := d.client.Reservation(ctx, l.Booking)
	if err != nil {
		return Done{}, false, d.fate(err)
	}
	return Done{}, r.State() == ohip.Left, nil
}

func (d *ohipDesk) keyOff(ctx context.Context, _ string, l Departure) (Done, error) {
	if !d.keys {
		return Done{}, nil // cut by hand, handed in by hand
	}
	return Done{}, d.fate(d.client.RemoveKeys(ctx, l.Booking, l.Room))
}

func (d *ohipDesk) keysAreOff(ctx context.Context, _ string, l Departure) (Done, bool, error) {
	if !d.keys {
		return Done{}, false, nil
	}
	keys, err := d.client.Keys(ctx, l.Booking)
	return Done{}, err == nil && len(keys) == 0, d.fate(err)
}

// fate puts the hotel's no into this journey's words. That our credentials are not accepted is never the guest's matter.
func (d *ohipDesk) fate(err error) error {
	return fateOf(err, func(*wire.Error) string {
		why, ok := ohip.RefusalOf(err)
		if !ok {
			return ""
		}
		switch why {
		case ohip.RefusedCredentials, ohip.RefusedInput:
			return ""
		case ohip.RefusedTaken, ohip.RefusedNotClean, ohip.RefusedNoSuchRoom, ohip.RefusedRoomType:
			return journey.Taken
		case ohip.RefusedUnknown, ohip.RefusedCancelled, ohip.RefusedNoShow, ohip.RefusedWrongDate, ohip.RefusedNoRoom, ohip.RefusedAlreadyIn,
			ohip.RefusedAlreadyOut, ohip.RefusedNotIn, ohip.RefusedStatus, ohip.RefusedBalance:
			return string(why)
		}
		return refusedOther
	})
}
