package checkin

import (
	"context"
	"errors"
	"sync"

	"github.com/warmgate/warmgate/backends/identity"
	"github.com/warmgate/warmgate/backends/wire"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/flow"
)

// noOptions are those of a connector that has none.
type noOptions struct{}

// connectIdentity binds the verification of guests.
func connectIdentity(ops operations, _ *gateway.Venue, to flow.Connection, b *call.Bindings) (func(), error) {
	if err := to.Options(&noOptions{}); err != nil {
		return nil, err
	}
	client, err := identity.New(identity.Config{BaseURL: to.URL, APIKey: to.Secrets["api_key"], MaxConns: min(to.Instance.MaxInFlight()*maxGuestsLimit, maxConns), Sockets: to.Sockets})
	if err != nil {
		return nil, err
	}
	call.BindRead(b, ops.verify, to.Instance, func(ctx context.Context, a Arrival) ([]Verified, error) { return verify(ctx, client, a) })
	return client.Close, nil
}

// maxConns is what a client may have. An attempt asks for all guests of a party side by side, so it needs a connection for each.
const maxConns = 10_000

// purpose is told to the service.
const purpose = "hotel-check-in"

// verify compares every guest whom staff have not looked at with their document, side by side.
func verify(ctx context.Context, client *identity.Client, a Arrival) ([]Verified, error) {
	out, errs := make([]Verified, len(a.Guests)), make([]error, len(a.Guests))
	var wg sync.WaitGroup
	for i := range a.Guests {
		if a.Guests[i].Vouched {
			continue
		}
		wg.Go(func() { out[i], errs[i] = verifyOne(ctx, client, a.Guests[i]) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func verifyOne(ctx context.Context, client *identity.Client, g Guest) (Verified, error) {
	d := g.Document
	v, err := client.Verify(ctx, identity.Request{Purpose: purpose, Face: g.face, Document: identity.Document{
		Type: identity.DocumentType(d.Type), Number: d.Number, Name: d.Name, LatinName: d.LatinName, BirthDate: d.BirthDate,
		ExpiresOn: d.ExpiresOn, Nationality: d.Nationality, Portrait: g.portrait}})
	if err != nil {
		err = fateOf(err, unmeasured)
		if refused, ok := errors.AsType[*call.Refused](err); ok {
			return Verified{Refused: refused.Reason}, nil
		}
		return Verified{}, err
	}
	return Verified{Score: v.Score, Live: v.Liveness == identity.LivenessPassed, Valid: v.Document == identity.Valid,
		Expired: v.Document == identity.Expired, Adult: v.AgeBand == identity.Adult}, nil
}

// unmeasured says why nothing could be measured, where that is the guest's matter.
func unmeasured(e *wire.Error) string {
	switch e.Code {
	case identity.CodeFaceMissing, identity.CodeFaceTooLarge, identity.CodeFaceUnreadable:
		return faceUnreadable
	case identity.CodeSeveralFaces:
		return severalFaces
	case identity.CodeNumberInvalid:
		return numberInvalid
	case identity.CodeDocumentUnreadable:
		return documentUnclear
	}
	return ""
}
