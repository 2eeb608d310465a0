package rooms

import (
	"context"
	"slices"

	"github.com/warmgate/warmgate/backends/apaleo"
	"github.com/warmgate/warmgate/backends/wire"
	"github.com/warmgate/warmgate/flows/pms"
	"github.com/warmgate/warmgate/flows/rooms/offer"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/flow"
)

// apaleoHouse is a hotel that is run by Apaleo, as this journey needs it.
type apaleoHouse struct {
	client   *apaleo.Client
	settings *Settings
}

// connectApaleo binds the journey's operations to a hotel that is run by Apaleo.
func connectApaleo(ops operations, v *gateway.Venue, to flow.Connection, b *call.Bindings) (func(), error) {
	hotel, end, err := pms.OpenApaleo(to)
	if err != nil {
		return nil, err
	}
	h := &apaleoHouse{client: hotel.Client, settings: settingsOf(v)}
	call.BindRead(b, ops.offers, to.Instance, h.offers)
	return end, nil
}

// offers asks what there is for a stay.
func (h *apaleoHouse) offers(ctx context.Context, a Ask) (offer.Answer, error) {
	got, err := h.client.Offers(ctx, apaleo.StayQuery{Arrival: a.Stay.Arrival.String(), Departure: a.Stay.Departure().String(), Adults: int(a.Stay.Guests)})
	if err != nil {
		return offer.Answer{}, h.fate(err)
	}
	out := offer.Answer{AsOf: got.AsOf, More: got.More, Offers: make([]offer.Offer, 0, len(got.All))}
	for i := range got.All {
		o := &got.All[i]
		said := offer.Offer{Kind: o.Group, Name: o.GroupName, Plan: o.RatePlan, Free: o.Free, Total: o.Price, Accessible: o.Accessible, Breakfast: o.Breakfast}
		h.settings.complete(&said)
		out.Offers = append(out.Offers, said)
	}
	return out, nil
}

// fate puts the hotel's no into this journey's words. That our credentials are not accepted, or what we ask, is our matter.
func (h *apaleoHouse) fate(err error) error {
	return pms.Fate(err, func(e *wire.Error) string {
		if slices.Contains([]string{apaleo.CodeBadRequest, apaleo.CodeUnauthorized, apaleo.CodeForbidden}, e.Code) {
			return ""
		}
		return refusedStay
	})
}
