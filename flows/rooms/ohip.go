package rooms

import (
	"context"

	"github.com/warmgate/warmgate/backends/ohip"
	"github.com/warmgate/warmgate/backends/wire"
	"github.com/warmgate/warmgate/flows/pms"
	"github.com/warmgate/warmgate/flows/rooms/offer"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/flow"
)

// ohipHouse is a hotel that is run by OPERA Cloud, as this journey needs it.
type ohipHouse struct {
	client   *ohip.Client
	settings *Settings
}

// connectOHIP binds the journey's operations to a hotel that is run by OPERA Cloud.
func connectOHIP(ops operations, v *gateway.Venue, to flow.Connection, b *call.Bindings) (func(), error) {
	hotel, end, err := pms.OpenOHIP(to)
	if err != nil {
		return nil, err
	}
	h := &ohipHouse{client: hotel.Client, settings: settingsOf(v)}
	call.BindRead(b, ops.offers, to.Instance, h.offers)
	ops.booking.bindOHIP(h, to, b)
	return end, nil
}

// offers asks what there is for a stay.
func (h *ohipHouse) offers(ctx context.Context, a Ask) (offer.Answer, error) {
	got, err := h.client.Availability(ctx, ohip.StayQuery{From: a.Stay.Arrival.String(), To: a.Stay.Departure().String(), Adults: int(a.Stay.Guests)})
	if err != nil {
		return offer.Answer{}, h.fate(err)
	}
	out := offer.Answer{AsOf: got.AsOf, More: got.More, Offers: make([]offer.Offer, 0, len(got.Offers))}
	for i := range got.Offers {
		o := &got.Offers[i]
		said := offer.Offer{Kind: o.RoomType, Name: o.RoomName, Plan: o.RatePlan, Free: o.Free, AtLeast: o.AtLeast, Total: o.Price,
			Accessible: o.Accessible, Breakfast: o.Breakfast, TaxIncluded: o.TaxIncluded}
		h.settings.complete(&said)
		out.Offers = append(out.Offers, said)
	}
	return out, nil
}

// fate puts the hotel's no into this journey's words. That our credentials are not accepted, or what we ask, is our matter.
func (h *ohipHouse) fate(err error) error {
	return pms.Fate(err, func(*wire.Error) string {
		switch why, _ := ohip.RefusalOf(err); why {
		case "", ohip.RefusedCredentials, ohip.RefusedInput:
			return ""
		default:
			return refusedStay
		}
	})
}
