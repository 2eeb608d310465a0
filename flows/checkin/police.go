package checkin

import (
	"context"
	"errors"

	"github.com/warmgate/warmgate/backends/police"
	"github.com/warmgate/warmgate/backends/wire"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/flow"
)

// policeOptions are the connector's own settings in a venue's file.
type policeOptions struct {
	Hotel string `yaml:"hotel"` // the hotel's number at the bureau; "": the venue's id
}

// connectPolice binds registrations and departures.
func connectPolice(ops operations, v *gateway.Venue, to flow.Connection, b *call.Bindings) (func(), error) {
	opts := policeOptions{Hotel: v.ID}
	if err := to.Options(&opts); err != nil {
		return nil, err
	}
	client, err := police.New(police.Config{BaseURL: to.URL, APIKey: to.Secrets["api_key"], Hotel: opts.Hotel, MaxConns: to.Instance.MaxInFlight(), Sockets: to.Sockets})
	if err != nil {
		return nil, err
	}
	o := &policeDesk{client: client}
	call.BindWrite(b, ops.register, to.Instance, call.Effect[Registration, Done]{Do: o.register, Find: o.registered})
	call.BindWrite(b, ops.depart, to.Instance, call.Effect[Farewell, Done]{Do: o.depart, Find: o.departed})
	return client.Close, nil
}

// policeDesk is a bureau, as this journey needs it.
type policeDesk struct{ client *police.Client }

func (o *policeDesk) register(ctx context.Context, _ string, r Registration) (Done, error) {
	d := r.Document
	_, err := o.client.Register(ctx, r.Key, police.Stay{Room: r.Room, ArrivedAt: r.ArrivedAt, ExpectedDeparture: r.Leaves, SeenByStaff: r.Seen,
		Guest: police.Guest{Name: d.Name, LatinName: d.LatinName, DocumentType: police.DocumentType(d.Type), DocumentNumber: d.Number,
			Nationality: d.Nationality, BirthDate: d.BirthDate, Sex: police.Sex(d.Sex)}})
	return Done{}, fateOf(err, whyNotRegistered)
}

func (o *policeDesk) registered(ctx context.Context, _ string, r Registration) (Done, bool, error) {
	got, err := o.client.Find(ctx, r.Key)
	if err != nil || got == nil {
		return Done{}, false, fateOf(err, whyNotRegistered)
	}
	return Done{}, true, nil
}

// whyNotRegistered: what is an operator's matter is tried again until it is due, and then a person's.
func whyNotRegistered(e *wire.Error) string {
	switch e.Code {
	case police.CodeUnauthorized, police.CodeHotelUnknown:
		return ""
	case police.CodeSeeStaff:
		return refusedSeeStaff
	case police.CodeBadDocument:
		return refusedDocument
	}
	return refusedOther
}

// depart tells of a departure. A guest whose registration is still on its way cannot be told of yet.
func (o *policeDesk) depart(ctx context.Context, _ string, f Farewell) (Done, error) {
	_, err := o.client.Depart(ctx, f.Key, f.LeftAt)
	e, ok := errors.AsType[*wire.Error](err)
	if ok && e.Fate == wire.Refused && e.Code == police.CodeConflict { // another time is known: they know
		return Done{}, nil
	}
	return Done{}, fateOf(err, func(*wire.Error) string { return "" })
}

func (o *policeDesk) departed(ctx context.Context, _ string, f Farewell) (Done, bool, error) {
	got, err := o.client.Find(ctx, f.Key)
	if err != nil || got == nil {
		return Done{}, false, fateOf(err, func(*wire.Error) string { return "" })
	}
	return Done{}, got.State == police.Departed, nil
}
