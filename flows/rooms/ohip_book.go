package rooms

import (
	"context"
	"errors"
	"strings"

	"github.com/warmgate/warmgate/backends/ohip"
	"github.com/warmgate/warmgate/backends/wire"
	"github.com/warmgate/warmgate/flows/person"
	"github.com/warmgate/warmgate/flows/pms"
	"github.com/warmgate/warmgate/flows/rooms/offer"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/flow"
)

// ohipSales is a hotel that is run by OPERA Cloud, as booking needs it.
type ohipSales struct {
	client *ohip.Client
	house  *ohipHouse
	gone   func(Agreed) error // the refusal of a room that cannot be had any more
}

// bindOHIP binds the operations of booking to a hotel's client.
func (o *booking) bindOHIP(h *ohipHouse, to flow.Connection, b *call.Bindings) {
	s := &ohipSales{h.client, h, o.gone}
	h.settings.bookable.Store(true)
	call.BindRead(b, o.look, to.Instance, o.seen(s.look))
	call.BindWrite(b, o.book, to.Instance, heeded(o.moved, keepsLate(to.Ledger, call.Effect[Agreed, Reserved]{Do: s.book, Find: s.booked})))
	call.BindWrite(b, o.unbook, to.Instance, heeded(o.moved, call.Effect[Agreed, Reserved]{Do: s.unbook, Find: neverAsked}))
	call.BindWrite(b, o.cancel, to.Instance, heeded(o.moved, call.Effect[CallingOff, struct{}]{Do: s.cancel, Find: s.cancelled}))
}

// neverAsked is for what takes a booking back: the engine asks whether that booking stands, and not for this.
func neverAsked(context.Context, string, Agreed) (none Reserved, happened bool, err error) {
	return none, false, nil
}

// look asks the hotel what it has of the wish's kind and of others.
func (s *ohipSales) look(ctx context.Context, w Wish) (offer.Answer, error) {
	return s.house.offers(ctx, Ask{Hotel: w.Hotel, Stay: w.Stay})
}

func (s *ohipSales) book(ctx context.Context, _ string, a Agreed) (Reserved, error) {
	surname, given, alternate := nameParts(a.Guest)
	r, err := s.client.Book(ctx, ohip.BookOrder{Reference: a.Reference, RoomType: a.Kind, RatePlan: a.Plan, From: a.Stay.Arrival.String(),
		To: a.Stay.Departure().String(), Adults: int(a.Stay.Guests), Price: a.Offer.Total, TaxIn: a.Offer.TaxIncluded,
		Surname: surname, GivenName: given, Alternate: alternate})
	if err != nil {
		return s.lookAgain(ctx, a, err)
	}
	return reserved(r)
}

// reserved is what the hotel has made. A place on its waiting list is no room.
func reserved(r *ohip.Reservation) (Reserved, error) {
	if r.State() != ohip.Expected || r.Confirmation == "" {
		return Reserved{}, errors.New("the hotel has made something else than a reservation of it")
	}
	return Reserved{Reservation: r.ID, Confirmation: r.Confirmation, Total: r.Total}, nil
}

// lookAgain finds out what an error means. A lost answer is asked for by our reference while there is time; an answer with a
// code that says nothing, since OPERA publishes none for booking, means what the hotel has by now.
func (s *ohipSales) lookAgain(ctx context.Context, a Agreed, err error) (Reserved, error) {
	e, ok := errors.AsType[*wire.Error](err)
	why, refused := ohip.RefusalOf(err)
	switch {
	case refused && why == ohip.RefusedGone:
		return Reserved{}, call.Refuse(refusedGone, s.gone(a))
	case refused && why == ohip.RefusedPrice:
		return Reserved{}, s.nowCosts(ctx, a, call.Refuse(refusedPrice, err))
	case !ok || e.Fate != wire.Unknown:
		return Reserved{}, salesFate(err)
	}
	r, happened, findErr := s.booked(ctx, "", a)
	switch {
	case findErr == nil && happened:
		return r, nil
	case findErr != nil || e.Status != 400 && e.Status != 404: // it may come about yet
		return Reserved{}, err
	}
	return Reserved{}, s.nowCosts(ctx, a, call.Refuse(refusedOther, err))
}

// nowCosts says why a hotel that has given no reason does not book: the room is gone, or costs more; otherwise it is
// instead.
func (s *ohipSales) nowCosts(ctx context.Context, a Agreed, instead error) error {
	seen, err := s.look(ctx, a.Wish)
	if err != nil {
		return instead
	}
	for _, f := range seen.Offers {
		if f.Kind != a.Kind || f.Plan != a.Plan || f.Free < 1 {
			continue
		}
		if f.Total != a.Offer.Total && f.Total.Currency != "" {
			return call.Refuse(refusedPrice, priceChanged(f.Total))
		}
		return instead
	}
	return call.Refuse(refusedGone, s.gone(a))
}

// booked asks by our reference.
func (s *ohipSales) booked(ctx context.Context, _ string, a Agreed) (Reserved, bool, error) {
	all, err := s.client.ByReference(ctx, a.Reference)
	if err != nil {
		return Reserved{}, false, salesFate(err)
	}
	for i := range all {
		if all[i].State() == ohip.Expected {
			r, err := reserved(&all[i])
			return r, err == nil, err
		}
	}
	return Reserved{}, false, nil
}

// unbook cancels whatever is booked under our reference. Whoever is in house stays.
func (s *ohipSales) unbook(ctx context.Context, _ string, a Agreed) (Reserved, error) {
	all, err := s.client.ByReference(ctx, a.Reference)
	if err != nil {
		return Reserved{}, salesFate(err)
	}
	for i := range all {
		if all[i].State() != ohip.Expected {
			continue
		}
		if err := s.off(ctx, all[i].ID); err != nil {
			return Reserved{}, err
		}
	}
	return Reserved{}, nil
}

func (s *ohipSales) cancel(ctx context.Context, _ string, c CallingOff) (struct{}, error) {
	return struct{}{}, s.off(ctx, c.Reservation)
}

// off cancels a reservation; one that is cancelled already is no mistake.
func (s *ohipSales) off(ctx context.Context, reservation string) error {
	err := s.client.CancelBooking(ctx, reservation)
	if why, refused := ohip.RefusalOf(err); refused && why == ohip.RefusedCancelled {
		return nil
	}
	return salesFate(err)
}

func (s *ohipSales) cancelled(ctx context.Context, _ string, c CallingOff) (none struct{}, happened bool, err error) {
	r, err := s.client.Reservation(ctx, c.Reservation)
	if err != nil {
		return none, false, salesFate(err)
	}
	return none, r.State() == ohip.Cancelled, nil
}

// salesFate puts the hotel's no into the words of booking. That our credentials are not accepted is never the guest's matter.
func salesFate(err error) error {
	return pms.Fate(err, func(*wire.Error) string {
		switch why, _ := ohip.RefusalOf(err); why {
		case "", ohip.RefusedCredentials, ohip.RefusedInput:
			return ""
		case ohip.RefusedAlreadyIn, ohip.RefusedAlreadyOut:
			return refusedStayed
		default:
			return refusedOther
		}
	})
}

// nameParts is a guest's name as OPERA has names: the parts in Latin letters where they are known, the whole of it beside.
func nameParts(g Guest) (surname, given, alternate string) {
	words := strings.Fields(g.Latin)
	switch {
	case len(words) > 1:
		surname, given = words[0], strings.Join(words[1:], " ")
	case len(words) == 1:
		surname = words[0]
	default:
		if family := person.FamilyNames(g.Name, ""); len(family) > 0 {
			return family[0], "", g.Name
		}
		return g.Name, "", ""
	}
	if len(given) > maxName {
		given = words[1]
	}
	return surname, given, g.Name
}
