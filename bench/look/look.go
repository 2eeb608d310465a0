package main

import (
	"context"
	_ "embed"
	"net/http"

	"github.com/warmgate/warmgate/backends/ohip"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/limit"
)

// kind is the kind of venue: a hotel whose bookings, rooms and offers are three systems.
const kind = "looked-at-hotel"

//go:embed openapi.yaml
var document []byte

// look is the journey: twice the same plan, once without a cache and once with one, as the gateway's file says.
type look struct {
	booking *call.Read[Wish, Booking]
	rooms   *call.Read[Wish, []Room]
	offers  *call.Read[Wish, []Offer]
	live    *journey.Live[Wish, Found]
	known   *journey.Live[Wish, Found]
	many    *many
}

// silent is what a system that does not answer is told as.
var silent = &gateway.Problem{Type: "hotel-silent", Kind: gateway.Unavailable, Retryable: true, Title: gateway.Text{Zh: "酒店没有回应", En: "The hotel does not answer"}}

func newLook() (*look, error) {
	l := &look{
		booking: call.NewRead("look.booking", call.ReadSpec[Wish, Booking]{Key: func(k *call.Key, w Wish) {
			k.Text(w.Visit)
			k.Personal([]byte(w.Confirmation))
		}}),
		rooms: call.NewRead("look.rooms", call.ReadSpec[Wish, []Room]{Key: func(k *call.Key, w Wish) { k.Text(w.Visit) }}),
		offers: call.NewRead("look.offers", call.ReadSpec[Wish, []Offer]{Key: func(k *call.Key, w Wish) {
			k.Text(w.Visit)
			k.Text(w.From)
			k.Text(w.To)
		}}),
	}
	for name, into := range map[string]**journey.Live[Wish, Found]{"hotel-look": &l.live, "hotel-look-known": &l.known} {
		plan, err := journey.Define(name, l.plan)
		if err != nil {
			return nil, err
		}
		*into = journey.NewLive(plan)
	}
	var err error
	l.many, err = newMany()
	return l, err
}

func (l *look) plan(b *journey.Builder, in journey.Ref[Wish]) journey.Ref[Found] {
	booking := journey.Ask(b, "booking", l.booking, in, journey.Refuse(silent))
	rooms := journey.Ask(b, "rooms", l.rooms, in, journey.Refuse(silent))
	offers := journey.Ask(b, "offers", l.offers, in, journey.Refuse(silent))
	stay := journey.Join(b, "stay", booking, rooms, func(x Booking, y []Room) (Found, error) { return Found{Booking: x, Rooms: y}, nil })
	return journey.Join(b, "found", stay, offers, func(f Found, o []Offer) (Found, error) { f.Offers = o; return f, nil })
}

func (l *look) flow() *flow.Flow {
	plans := []flow.Plan{l.live, l.known}
	for _, n := range times() {
		plans = append(plans, l.many.plans[n])
	}
	return &flow.Flow{
		Name: "look", Plans: plans, Problems: []*gateway.Problem{silent}, Document: append(document, l.many.document()...),
		Venues: &flow.VenueKind{
			Kind: kind,
			Settings: func(decode func(into any) error) (any, error) {
				none := &struct{}{}
				return none, decode(none)
			},
			Roles: map[string]map[string]flow.Connect{"bookings": {"ohip": l.bookings}, "rooms": {"ohip": l.ready}, "offers": {"ohip": l.sold}},
		},
		Routes: func(rt *flow.Runtime) []edge.Route {
			at := func(name, last string, plan *journey.Live[Wish, Found]) edge.Route {
				return edge.Route{Method: http.MethodGet, Path: "/v1/hotels/{hotel}/" + last, Name: name, Scope: "rooms:read", Venue: "hotel",
					VenueKind: kind, Query: wishes(), Journey: name, Priority: limit.Normal,
					Budget: plan.Budget, Shortest: plan.Shortest, Serve: flow.Serve(rt, plan, readWish, say)}
			}
			return append(l.many.routes(rt), at("hotel-look", "look", l.live), at("hotel-look-known", "known-look", l.known))
		},
	}
}

// wishes are the parameters of a look.
func wishes() []string { return []string{"confirmation", "from", "to", "visit"} }

func readWish(x *edge.Exchange) (w Wish, err error) {
	for name, into := range map[string]*string{"confirmation": &w.Confirmation, "from": &w.From, "to": &w.To, "visit": &w.Visit} {
		value, ok := x.Query(name)
		if !ok || value == "" {
			return w, edge.ProblemFieldMissing.Error(gateway.Text{}).WithField(name)
		}
		*into = value
	}
	return w, nil
}

func say(o journey.Outcome[Found], _ string) flow.Said {
	return flow.Said{Status: http.StatusOK, Body: answer{Found: o.Value, Sources: o.Sources}}
}

// client connects to one of the hotel's systems.
func client(to flow.Connection) (*ohip.Client, error) {
	var opts struct {
		HotelID string `yaml:"hotel_id"`
	}
	if err := to.Options(&opts); err != nil {
		return nil, err
	}
	return ohip.New(ohip.Config{GatewayURL: to.URL, HotelID: opts.HotelID, AppKey: ohip.SandboxAppKey, ClientID: ohip.SandboxClientID,
		ClientSecret: to.Secrets["client_secret"], MaxConns: to.Instance.MaxInFlight()})
}

func (l *look) bookings(_ *gateway.Venue, to flow.Connection, b *call.Bindings) (func(), error) {
	c, err := client(to)
	if err != nil {
		return nil, err
	}
	call.BindRead(b, l.booking, to.Instance, func(ctx context.Context, w Wish) (Booking, error) { return booked(ctx, c, w) })
	l.many.bind(c, to.Instance, b)
	return c.Close, nil
}

func booked(ctx context.Context, c *ohip.Client, w Wish) (Booking, error) {
	all, err := c.ByConfirmation(ctx, w.Confirmation)
	if err != nil || len(all) == 0 {
		return Booking{}, err
	}
	return bookingOf(&all[0]), nil
}

func (l *look) ready(_ *gateway.Venue, to flow.Connection, b *call.Bindings) (func(), error) {
	c, err := client(to)
	if err != nil {
		return nil, err
	}
	call.BindRead(b, l.rooms, to.Instance, func(ctx context.Context, _ Wish) ([]Room, error) {
		var all []Room
		err := c.Rooms(ctx, ohip.RoomQuery{Housekeeping: []ohip.Housekeeping{ohip.Clean, ohip.Inspected}, FrontOffice: ohip.Vacant},
			func(page []ohip.Room) { all = addRooms(all, page) })
		return all, err
	})
	return c.Close, nil
}

func (l *look) sold(_ *gateway.Venue, to flow.Connection, b *call.Bindings) (func(), error) {
	c, err := client(to)
	if err != nil {
		return nil, err
	}
	call.BindRead(b, l.offers, to.Instance, func(ctx context.Context, w Wish) ([]Offer, error) {
		got, err := c.Availability(ctx, ohip.StayQuery{From: w.From, To: w.To, Adults: 2})
		if err != nil {
			return nil, err
		}
		return offersOf(got), nil
	})
	return c.Close, nil
}
