package checkin

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/warmgate/warmgate/backends/apaleo"
	"github.com/warmgate/warmgate/backends/wire"
	"github.com/warmgate/warmgate/flows/pms"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/journey"
)

// apaleoDesk is a hotel that is run by Apaleo, as this journey needs it. Apaleo makes no keys: a person cuts them.
type apaleoDesk struct {
	client    *apaleo.Client
	venue     *gateway.Venue
	inspected bool
}

// connectApaleo binds the journey's operations to a hotel that is run by Apaleo.
func connectApaleo(ops operations, v *gateway.Venue, to flow.Connection, b *call.Bindings) (func(), error) {
	if settingsOf(v).Keys != keysStaff {
		return nil, errors.New("cannot use apaleo: it makes no keys, so settings.keys must be staff")
	}
	hotel, end, err := pms.OpenApaleo(to)
	if err != nil {
		return nil, err
	}
	d := &apaleoDesk{client: hotel.Client, venue: v, inspected: hotel.Options.Inspected}
	bindDesk(ops, d, to, b)
	return end, nil
}

// find looks the party's booking up: by its number, or among today's arrivals. Of one that is due it also asks which units
// it may have.
func (d *apaleoDesk) find(ctx context.Context, a Arrival) ([]Booking, error) {
	var all []apaleo.Reservation
	var err error
	if a.Confirmation != "" {
		if len(a.Confirmation) < 4 || !flow.IsName(a.Confirmation) {
			return nil, nil // no number of theirs
		}
		all, err = d.client.ByNumber(ctx, a.Confirmation)
	} else {
		from, parseErr := time.ParseInLocation(time.DateOnly, a.Day, d.venue.Location)
		if parseErr != nil {
			return nil, parseErr
		}
		all, err = d.client.Arrivals(ctx, from, from.AddDate(0, 0, 2))
	}
	if err != nil {
		return nil, d.fate(err)
	}
	found := make([]Booking, 0, len(all))
	for i := range all {
		found = append(found, d.booking(&all[i]))
	}
	if a.Confirmation == "" {
		found = ownOnly(a, found)
	}
	for i := range found {
		if b := &found[i]; b.State == stateDue && b.Hotel && b.Arrival <= a.At.In(d.venue.Location).Format(time.DateOnly) && len(found) <= 2 {
			if b.Free, err = d.unitsFor(ctx, b.ID); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

func (d *apaleoDesk) unitsFor(ctx context.Context, reservation string) (ids []string, err error) {
	units, err := d.client.UnitsFor(ctx, reservation)
	for i := range units {
		ids = append(ids, units[i].ID)
	}
	return ids, d.fate(err)
}

func (d *apaleoDesk) booking(r *apaleo.Reservation) Booking {
	b := Booking{ID: r.ID, Confirmation: r.BookingID, Hotel: r.Property == d.client.Property(), State: apaleoState(r.Status),
		Arrival: r.Arrival.In(d.venue.Location).Format(time.DateOnly), Leaves: r.Departure.In(d.venue.Location).Format(time.DateOnly),
		People: r.Adults + len(r.ChildrenAges), RoomType: r.UnitGroup, Room: r.Unit}
	for _, g := range r.Guests {
		b.Guests = append(b.Guests, Booked{Name: join(g.LastName, g.FirstName), Number: g.DocumentNumber, Birthday: g.BirthDate})
	}
	return b
}

func apaleoState(s apaleo.Status) State {
	switch s {
	case apaleo.StatusConfirmed:
		return stateDue
	case apaleo.StatusInHouse:
		return stateInHouse
	case apaleo.StatusCheckedOut:
		return stateLeft
	case apaleo.StatusCanceled:
		return stateCancelled
	case apaleo.StatusNoShow:
		return stateNoShow
	}
	return stateOther
}

// rooms lists the units with their condition.
func (d *apaleoDesk) rooms(ctx context.Context, _ Arrival) (Rooms, error) {
	units, err := d.client.Units(ctx)
	if err != nil {
		return nil, d.fate(err)
	}
	out := make(Rooms, 0, len(units))
	for i := range units {
		u := &units[i]
		ready := u.Condition == apaleo.Clean || u.Condition == apaleo.CleanToBeInspected && !d.inspected
		r := Room{ID: u.ID, Number: u.Name, Type: u.Group, Ready: ready && u.Maintenance == "", Free: !u.Occupied}
		for _, name := range u.Attributes {
			if floor, ok := strings.CutPrefix(name, "Floor "); ok {
				r.Floor = floor
			}
		}
		out = append(out, r)
	}
	return out, nil
}

func (d *apaleoDesk) assign(ctx context.Context, _ string, a Assignment) (Assigned, error) {
	if a.Before == a.Room {
		if _, there, err := d.assigned(ctx, "", a); there || err != nil {
			return Assigned{Room: a.Room}, err
		}
	}
	if err := d.client.AssignUnit(ctx, a.Booking, a.Room); err != nil {
		return Assigned{}, d.fate(err)
	}
	return Assigned{Room: a.Room}, nil
}

func (d *apaleoDesk) assigned(ctx context.Context, _ string, a Assignment) (Assigned, bool, error) {
	r, err := d.client.Reservation(ctx, a.Booking)
	if err != nil {
		return Assigned{}, false, d.fate(err)
	}
	return Assigned{Room: a.Room}, r.Unit == a.Room, nil
}

// unassign gives the booking back the unit that it had before, or none. Whoever is in house keeps theirs.
func (d *apaleoDesk) unassign(ctx context.Context, _ string, a Assignment) (Assigned, error) {
	r, err := d.client.Reservation(ctx, a.Booking)
	switch {
	case err != nil:
		return Assigned{}, unlessGone(d.fate(err))
	case r.Status != apaleo.StatusConfirmed || r.Unit != a.Room || a.Before == a.Room:
		return Assigned{}, nil
	case a.Before != "":
		err = d.client.AssignUnit(ctx, a.Booking, a.Before)
		if e, ok := errors.AsType[*wire.Error](err); !ok || e.Code != apaleo.CodeUnitTaken {
			return Assigned{Room: a.Before}, d.fate(err)
		}
	}
	return Assigned{}, d.fate(d.client.UnassignUnits(ctx, a.Booking))
}

func (d *apaleoDesk) enter(ctx context.Context, _ string, e Entrance) (Entered, error) {
	if err := d.client.CheckIn(ctx, e.Booking); err != nil {
		return Entered{}, d.fate(err)
	}
	return Entered{Room: e.Room}, nil
}

func (d *apaleoDesk) entered(ctx context.Context, _ string, e Entrance) (Entered, bool, error) {
	r, err := d.client.Reservation(ctx, e.Booking)
	if err != nil {
		return Entered{}, false, d.fate(err)
	}
	in := r.Status == apaleo.StatusInHouse || r.Status == apaleo.StatusCheckedOut
	if in && r.Unit != "" && r.Unit != e.Room {
		return Entered{}, false, call.Refuse(refusedState, errors.New("the booking is in house in another room"))
	}
	return Entered{Room: e.Room}, in, nil
}

func (d *apaleoDesk) unenter(ctx context.Context, _ string, e Entrance) (Entered, error) {
	return Entered{}, d.fate(d.client.RevertCheckIn(ctx, e.Booking))
}

func (d *apaleoDesk) leave(ctx context.Context, _ string, l Departure) (Done, error) {
	return Done{}, d.fate(d.client.CheckOut(ctx, l.Booking))
}

func (d *apaleoDesk) left(ctx context.Context, _ string, l Departure) (Done, bool, error) {
	r, err := d.client.Reservation(ctx, l.Booking)
	if err != nil {
		return Done{}, false, d.fate(err)
	}
	return Done{}, r.Status == apaleo.StatusCheckedOut, nil
}

// issue says that no machine cuts this hotel's keys: a person does.
func (d *apaleoDesk) issue(context.Context, string, KeyOrder) (Keys, error) {
	return Keys{}, call.Refuse(refusedNoEncoder, nil)
}

func (d *apaleoDesk) issued(context.Context, string, KeyOrder) (Keys, bool, error) {
	return Keys{}, false, nil
}

// keyOff does nothing: what a person has cut, a person takes back.
func (d *apaleoDesk) keyOff(context.Context, string, Departure) (Done, error) { return Done{}, nil }

func (d *apaleoDesk) keysAreOff(context.Context, string, Departure) (Done, bool, error) {
	return Done{}, false, nil
}

// fate puts the hotel's no into this journey's words. That our credentials are not accepted is never the guest's matter.
func (d *apaleoDesk) fate(err error) error {
	return fateOf(err, func(e *wire.Error) string {
		switch {
		case e.Code == apaleo.CodeUnitTaken:
			return journey.Taken
		case slices.Contains([]string{apaleo.CodeBadRequest, apaleo.CodeUnauthorized, apaleo.CodeForbidden}, e.Code):
			return ""
		case slices.Contains([]string{apaleo.CodeCheckInStatus, apaleo.CodeCheckOutStatus, apaleo.CodeAssignStatus}, e.Code):
			return refusedState
		}
		return refusedOther
	})
}
