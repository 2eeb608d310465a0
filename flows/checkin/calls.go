package checkin

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/limit"
	"github.com/warmgate/warmgate/gateway/seal"
)

// calls are the journey's calls of the API.
type calls struct {
	checkIns  *journey.Live[Arrival, CheckedIn]
	checkOuts *journey.Live[Leaving, Leave]
}

func (c *calls) routes(rt *flow.Runtime) []edge.Route {
	at := func(r edge.Route, last string) edge.Route {
		r.Path, r.Venue, r.VenueKind = "/v1/hotels/{hotel}/"+last, "hotel", Kind
		r.Method, r.Scope, r.Idempotent, r.Looks, r.Priority = http.MethodPost, "hotel:check-in", true, true, limit.High
		return r
	}
	return []edge.Route{
		at(edge.Route{
			Name: planName, Journey: planName, Budget: c.checkIns.Budget, Shortest: c.checkIns.Shortest,
			Serve: flow.Serve(rt, c.checkIns, func(x *edge.Exchange) (Arrival, error) { return readArrival(x, rt) }, sayCheckedIn),
		}, "check-ins"),
		at(edge.Route{
			Name: planLeave, Journey: planLeave, Budget: c.checkOuts.Budget, Shortest: c.checkOuts.Shortest,
			Serve: flow.Serve(rt, c.checkOuts, func(x *edge.Exchange) (Leaving, error) { return readLeaving(x, rt) }, sayCheckedOut),
		}, "check-outs"),
	}
}

// arrivalBody is the body of POST …/check-ins.
type arrivalBody struct {
	Kiosk   string      `json:"kiosk"`
	Booking bookingBody `json:"booking"`
	Guests  []guestBody `json:"guests"`
	Wishes  wishesBody  `json:"wishes"`
	Assist  string      `json:"assist"`
}

type bookingBody struct {
	Confirmation *string `json:"confirmation"`
}

type wishesBody struct {
	Floor string `json:"floor"`
	Near  string `json:"near_room"`
}

type guestBody struct {
	Document documentBody `json:"document"`
	Face     []byte       `json:"face"` // JPEG, base64
}

type documentBody struct {
	Type        string `json:"type"`
	Number      string `json:"number"`
	Name        string `json:"name"`
	LatinName   string `json:"latin_name"`
	Nationality string `json:"nationality"`
	BirthDate   string `json:"birth_date"`
	Sex         string `json:"sex"`
	ExpiresOn   string `json:"expires_on"`
	Portrait    []byte `json:"portrait"` // JPEG, base64: of the document's chip or page
}

// The bounds of what a kiosk sends, in bytes.
const (
	maxText   = 64
	maxName   = 128
	maxNumber = 32
	maxFace   = 36 << 10 // before base64; all of them have to fit the front's bound of a body
)

const assistRequested = "requested"

func readArrival(x *edge.Exchange, rt *flow.Runtime) (Arrival, error) {
	var body arrivalBody
	if err := x.Decode(&body); err != nil {
		return Arrival{}, err
	}
	v := x.Venue()
	at := x.Arrived().In(v.Location)
	a := Arrival{Journey: x.JourneyID(), Hotel: v.ID, Kiosk: body.Kiosk, At: at, Day: dayOf(v, at), venue: v, Person: body.Assist != "",
		Wishes: Wishes{Floor: body.Wishes.Floor, Near: body.Wishes.Near}}
	switch {
	case body.Kiosk == "":
		return a, edge.FieldMissing("kiosk")
	case !slices.Contains(settingsOf(v).Kiosks, body.Kiosk):
		return a, ProblemKioskUnknown.Error(gateway.Text{}).WithField("kiosk")
	case body.Assist != "" && body.Assist != assistRequested:
		return a, edge.FieldInvalid("assist", "只能为 requested", "It may be requested, or be left out.")
	}
	if a.Person {
		return a, nil // whoever asks for a person need not say why, and what they have shown is not needed
	}
	for _, t := range []struct{ path, text string }{{"wishes.floor", body.Wishes.Floor}, {"wishes.near_room", body.Wishes.Near}} {
		if t.text != "" {
			if err := edge.CheckText(t.path, t.text, maxText); err != nil {
				return a, err
			}
		}
	}
	if c := body.Booking.Confirmation; c != nil {
		if err := edge.CheckText("booking.confirmation", *c, maxText); err != nil {
			return a, err
		}
		a.Confirmation = *c
	}
	var err error
	a.Guests, err = readGuests(body.Guests, v, rt.Ledger.Keys(), at)
	return a, err
}

func readGuests(bodies []guestBody, v *gateway.Venue, keys *seal.Keys, at time.Time) ([]Guest, error) {
	most := settingsOf(v).MaxGuests
	switch {
	case len(bodies) == 0:
		return nil, edge.FieldMissing("guests")
	case len(bodies) > most:
		return nil, edge.FieldInvalid("guests", fmt.Sprintf("最多 %d 人", most), fmt.Sprintf("At most %d guests with one check-in.", most))
	}
	all := make([]Guest, 0, len(bodies))
	for i, b := range bodies {
		path := fmt.Sprintf("guests[%d].", i)
		d, err := readDocument(b.Document, path+"document.", at)
		if err != nil {
			return nil, err
		}
		switch {
		case len(b.Face) == 0:
			return nil, edge.FieldMissing(path + "face")
		case len(b.Face) > maxFace:
			return nil, edge.FieldInvalid(path+"face", fmt.Sprintf("最多 %d 字节", maxFace), fmt.Sprintf("It may have at most %d bytes.", maxFace))
		case !isJPEG(b.Face):
			return nil, edge.FieldInvalid(path+"face", "须为 JPEG 照片", "It must be a JPEG picture.")
		case len(b.Document.Portrait) > maxFace || len(b.Document.Portrait) > 0 && !isJPEG(b.Document.Portrait):
			return nil, edge.FieldInvalid(path+"document.portrait", fmt.Sprintf("须为 JPEG 照片，最多 %d 字节", maxFace),
				fmt.Sprintf("It must be a JPEG picture of at most %d bytes.", maxFace))

		}
		g := Guest{Hash: hashDocument(keys, v.ID, d.Type, d.Number), Document: d, face: b.Face, portrait: b.Document.Portrait}
		if slices.ContainsFunc(all, func(other Guest) bool { return string(other.Hash) == string(g.Hash) }) {
			return nil, edge.FieldInvalid(path+"document.number", "证件重复", "This document is there twice.")
		}
		all = append(all, g)
	}
	return all, nil
}

func isJPEG(b []byte) bool { return len(b) > 3 && b[0] == 0xFF && b[1] == 0xD8 && b[2] == 0xFF }

// hashDocument is what the ledger knows a guest by.
func hashDocument(keys *seal.Keys, hotel, kind, number string) []byte {
	sum := keys.Hash("checkin-document", []byte(hotel), []byte(kind), []byte(number))
	return sum[:]
}

// leavingBody is the body of POST …/check-outs.
type leavingBody struct {
	Kiosk    string `json:"kiosk"`
	Document struct {
		Type   string `json:"type"`
		Number string `json:"number"`
	} `json:"document"`
	Room string `json:"room"`
}

func readLeaving(x *edge.Exchange, rt *flow.Runtime) (Leaving, error) {
	var body leavingBody
	if err := x.Decode(&body); err != nil {
		return Leaving{}, err
	}
	v := x.Venue()
	l := Leaving{Journey: x.JourneyID(), Hotel: v.ID, Kiosk: body.Kiosk, At: x.Arrived().In(v.Location), Room: body.Room}
	switch {
	case body.Kiosk == "":
		return l, edge.FieldMissing("kiosk")
	case !slices.Contains(settingsOf(v).Kiosks, body.Kiosk):
		return l, ProblemKioskUnknown.Error(gateway.Text{}).WithField("kiosk")
	}
	if body.Room != "" {
		if err := edge.CheckText("room", body.Room, maxText); err != nil {
			return l, err
		}
	}
	number, err := readNumber(body.Document.Type, body.Document.Number, "document.")
	l.Guest = hashDocument(rt.Ledger.Keys(), v.ID, body.Document.Type, number)
	return l, err
}
