package entry

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/limit"
)

// calls are the journey's calls of the API.
type calls struct {
	entries     *journey.Live[Scan, Admission]
	exits       *journey.Live[Leaving, Left]
	corrections *journey.Live[Correction, Corrected]
}

func (c *calls) routes(rt *flow.Runtime) []edge.Route {
	at := func(r edge.Route, last string) edge.Route {
		r.Path, r.Venue, r.VenueKind = "/v1/attractions/{spot}/"+last, "spot", Kind
		return r
	}
	return []edge.Route{
		at(edge.Route{
			Method: http.MethodPost, Name: "scenic-entry", Scope: "scenic:gate", Journey: "scenic-entry", Idempotent: true, Looks: true,
			Priority: limit.Critical, Budget: c.entries.Budget, Shortest: c.entries.Shortest,
			Serve: flow.Serve(rt, c.entries, func(x *edge.Exchange) (Scan, error) { return readScan(x, rt) }, sayAdmission),
		}, "entries"),
		at(edge.Route{
			Method: http.MethodPost, Name: "scenic-exit", Scope: "scenic:gate", Journey: "scenic-exit", Idempotent: true, Looks: true,
			Priority: limit.NeverShed, Budget: c.exits.Budget, Shortest: c.exits.Shortest,
			Serve: flow.Serve(rt, c.exits, func(x *edge.Exchange) (Leaving, error) { return readLeaving(x, rt) }, sayLeft),
		}, "exits"),
		at(edge.Route{
			Method: http.MethodGet, Name: "scenic-occupancy", Scope: "scenic:read", Priority: limit.Normal,
			Serve: func(x *edge.Exchange) error { return sayOccupancy(x, rt) },
		}, "occupancy"),
		at(edge.Route{
			Method: http.MethodPost, Name: "scenic-occupancy-correction", Scope: "staff:assist", Journey: "scenic-occupancy",
			Idempotent: true, Looks: true, Priority: limit.High, Budget: c.corrections.Budget, Shortest: c.corrections.Shortest,
			Serve: flow.Serve(rt, c.corrections, func(x *edge.Exchange) (Correction, error) { return readCorrection(x, rt) }, sayCorrected),
		}, "occupancy"),
	}
}

// entryBody is the body of POST …/entries.
type entryBody struct {
	Gate   string     `json:"gate"`
	ScanID string     `json:"scan_id"`
	People *int       `json:"people"`
	Ticket ticketBody `json:"ticket"`
}

// ticketBody is a shown ticket: exactly one member.
type ticketBody struct {
	Code      *string `json:"code"`
	Reference *string `json:"reference"`
	Signed    *string `json:"signed"`
	IDNumber  *string `json:"id_number"`
}

const (
	maxShown  = 256
	maxSigned = 4096
)

func readScan(x *edge.Exchange, rt *flow.Runtime) (Scan, error) {
	var body entryBody
	if err := x.Decode(&body); err != nil {
		return Scan{}, err
	}
	v := x.Venue()
	s := Scan{Journey: x.JourneyID(), Spot: v.ID, Gate: body.Gate, ID: body.ScanID, At: x.Arrived().In(v.Location), venue: v}
	if err := checkGate(v, body.Gate, body.ScanID); err != nil {
		return s, err
	}
	var err error
	if s.People, err = readPeople(v, body.People); err != nil {
		return s, err
	}
	s.Shown, err = readShown(body.Ticket, v, rt, s.At)
	return s, err
}

// readPeople reads how many people the turnstile lets through; 0 where it doesn't say.
func readPeople(v *gateway.Venue, people *int) (int, error) {
	most := settingsOf(v).MaxPeople
	switch {
	case people == nil:
		return 0, nil
	case *people < 1 || *people > most:
		return 0, edge.FieldInvalid("people", fmt.Sprintf("须为 1 至 %d", most), fmt.Sprintf("It must be 1 to %d, or be left out.", most))
	}
	return *people, nil
}

// checkGate holds the names that a turnstile sends against the venue's file.
func checkGate(v *gateway.Venue, gate, scan string) error {
	switch {
	case gate == "":
		return edge.FieldMissing("gate")
	case scan == "":
		return edge.FieldMissing("scan_id")
	case !flow.IsName(scan):
		return edge.FieldInvalid("scan_id", "须为 1 至 64 个字母、数字或 . - _ :", "It must be 1 to 64 letters, digits, dots, dashes, underscores or colons.")
	case !slices.Contains(settingsOf(v).Gates, gate):
		return ProblemGateUnknown.Error(gateway.Text{}).WithField("gate")
	}
	return nil
}

// readShown finds out in which form the ticket was shown and refuses what cannot be one.
func readShown(b ticketBody, v *gateway.Venue, rt *flow.Runtime, at time.Time) (Shown, error) {
	var s Shown
	n := 0
	for _, form := range []struct {
		form  Form
		value *string
		most  int
	}{{FormCode, b.Code, maxShown}, {FormReference, b.Reference, maxShown}, {FormSigned, b.Signed, maxSigned}, {FormIDNumber, b.IDNumber, idNumberLength}} {
		if form.value == nil {
			continue
		}
		n++
		s.Form, s.Value = form.form, *form.value
		if err := checkShown(s, form.most); err != nil {
			return s, err
		}
	}
	if n == 0 {
		return s, edge.FieldMissing("ticket")
	}
	if n > 1 {
		return s, edge.FieldInvalid("ticket", "code、reference、signed、id_number 只能有一个", "Exactly one of code, reference, signed and id_number is needed.")
	}
	if isIDNumber(s.Value) {
		s.Form = FormIDNumber
	}
	if s.Form == FormSigned {
		var err error
		if s.Signed, err = verifySigned(s.Value, v, at); err != nil {
			return s, err
		}
	}
	s.hash(rt.Ledger.Keys(), v.ID)
	return s, nil
}

// checkShown refuses what no ticket holds.
func checkShown(s Shown, most int) error {
	field := "ticket." + string(s.Form)
	unprintable := func(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError }
	switch {
	case s.Form == FormIDNumber && !isIDNumber(s.Value):
		return ProblemIDNumberInvalid.Error(gateway.Text{}).WithField(field)
	case s.Value == "":
		return edge.FieldMissing(field)
	case len(s.Value) > most:
		return edge.FieldInvalid(field, fmt.Sprintf("最多 %d 个字节", most), fmt.Sprintf("It may have at most %d bytes.", most))
	case strings.ContainsFunc(s.Value, unprintable):
		return edge.FieldInvalid(field, "含有无法识别的字符", "It holds characters that cannot be printed.")
	}
	return nil
}

// exitBody is the body of POST …/exits.
type exitBody struct {
	Gate   string      `json:"gate"`
	ScanID string      `json:"scan_id"`
	People *int        `json:"people"`
	Ticket *ticketBody `json:"ticket"`
}

func readLeaving(x *edge.Exchange, rt *flow.Runtime) (Leaving, error) {
	var body exitBody
	if err := x.Decode(&body); err != nil {
		return Leaving{}, err
	}
	v := x.Venue()
	at := x.Arrived().In(v.Location)
	l := Leaving{Journey: x.JourneyID(), Spot: v.ID, Day: at.Format(time.DateOnly), Gate: body.Gate, Scan: body.ScanID, At: at}
	if err := checkGate(v, body.Gate, body.ScanID); err != nil {
		return l, err
	}
	people, err := readPeople(v, body.People)
	if err != nil {
		return l, err
	}
	l.People = int64(max(people, 1))
	if body.Ticket != nil {
		shown, err := readShown(*body.Ticket, v, rt, at)
		if err != nil {
			return l, err
		}
		l.Shown = shown.Hash
	}
	return l, nil
}

// correctionBody is the body of POST …/occupancy.
type correctionBody struct {
	Inside *int64 `json:"inside"`
	Reason string `json:"reason"`
}

func readCorrection(x *edge.Exchange, rt *flow.Runtime) (Correction, error) {
	var body correctionBody
	if err := x.Decode(&body); err != nil {
		return Correction{}, err
	}
	v := x.Venue()
	at := x.Arrived().In(v.Location)
	switch capacity := settingsOf(v).Capacity; {
	case body.Inside == nil:
		return Correction{}, edge.FieldMissing("inside")
	case *body.Inside < 0 || *body.Inside > capacity:
		return Correction{}, edge.FieldInvalid("inside", fmt.Sprintf("须为 0 至 %d", capacity), fmt.Sprintf("It must be 0 to the capacity of %d.", capacity))
	case body.Reason == "":
		return Correction{}, edge.FieldMissing("reason")
	case len(body.Reason) > maxShown:
		return Correction{}, edge.FieldInvalid("reason", fmt.Sprintf("最多 %d 个字节", maxShown), fmt.Sprintf("It may have at most %d bytes.", maxShown))
	}
	box, err := rt.Ledger.Keys().NewBox() // a person writes what they like: it is kept as personal data are
	if err != nil {
		return Correction{}, err
	}
	return Correction{Journey: x.JourneyID(), Spot: v.ID, Day: at.Format(time.DateOnly), Inside: *body.Inside,
		Reason: append(box.Wrapped(), box.Seal([]byte(body.Reason), "reason")...), By: ledger.Actor(x.Principal()), At: at,
		Capacity: settingsOf(v).Capacity}, nil
}

func sayOccupancy(x *edge.Exchange, rt *flow.Runtime) error {
	v := x.Venue()
	now := x.Arrived().In(v.Location)
	ctx, cancel := context.WithTimeout(context.Background(), x.Deadline().Sub(rt.Now())) // contexts know no clock but the process's
	defer cancel()
	var inside int64
	var changed time.Time
	err := rt.Ledger.View(ctx, func(q ledger.Querier) (err error) {
		inside, changed, err = occupancyOf(q, v.ID, now.Format(time.DateOnly))
		return err
	})
	if err != nil {
		return gateway.ProblemLedgerUnavailable.Error(gateway.Text{}).WithRetryAfter(time.Second).WithCause(err)
	}
	body := occupancyBody{Inside: inside, Capacity: settingsOf(v).Capacity, AsOf: flow.At(v, now)}
	if !changed.IsZero() {
		body.ChangedAt = flow.At(v, changed)
	}
	return x.JSON(http.StatusOK, body)
}
