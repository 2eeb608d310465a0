package parking

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/warmgate/warmgate/flows/parking/books"
	"github.com/warmgate/warmgate/flows/parking/plate"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/limit"
)

// What a pay station is refused with.
var (
	ProblemReferenceReused = &gateway.Problem{Type: "parking-reference-reused", Kind: gateway.Conflict, Title: gateway.Text{
		Zh: "这笔付款已用另一事件编号上报过", En: "This money was reported before, under another event id"}}
	ProblemVisitUnknown = &gateway.Problem{Type: "parking-visit-unknown", Kind: gateway.NotFound, Title: gateway.Text{
		Zh: "该车辆不在场内", En: "This car is not inside"}}
)

const (
	planPrepaid = "parking-prepayment"
	quoteFor    = 10 * time.Minute // an amount that was asked for may be paid so long after
)

// prepaid are the calls of a lot's pay stations.
type prepaid struct {
	reports *journey.Live[Prepayment, Prepaid]
	tills   *tills
}

func newPrepaid(t *tills) (*prepaid, error) {
	reports, err := recordPlan(planPrepaid, takePrepaid)
	return &prepaid{reports, t}, err
}

func (c *prepaid) routes(rt *flow.Runtime) []edge.Route {
	at := func(name, last string, serve func(*edge.Exchange, *flow.Runtime) error) edge.Route {
		return edge.Route{Method: http.MethodPost, Name: name, Path: "/v1/parking-lots/{lot}/" + last, Scope: "parking:gate", Venue: "lot", VenueKind: Kind,
			Idempotent: true, Priority: limit.High, Serve: func(x *edge.Exchange) error { return serve(x, rt) }}
	}
	report := at(planPrepaid, "payments", c.report)
	report.Journey, report.Looks, report.Budget, report.Shortest = planPrepaid, true, c.reports.Budget, c.reports.Shortest
	return []edge.Route{report, at("parking-quote", "quotes", c.quote)}
}

// whoseBody says which visit a pay station means.
type whoseBody struct {
	Plate string `json:"plate"`
	Stay  string `json:"stay"`
}

// reportBody is one payment: the body of POST …/payments.
type reportBody struct {
	whoseBody
	Bill      string      `json:"bill"`
	EventID   string      `json:"event_id"`
	Reference string      `json:"reference"`
	Amount    *amountBody `json:"amount"`
	PaidAt    string      `json:"paid_at"`
	AskedAt   string      `json:"asked_at"`
	Means     string      `json:"means"`
}

type reportSaid struct {
	Journey string  `json:"journey"`
	Event   string  `json:"event_id"`
	State   string  `json:"state"`
	Bill    *Billed `json:"bill,omitempty"`
	Again   bool    `json:"again,omitzero"`
}

// report takes a payment that was made inside the lot.
func (c *prepaid) report(x *edge.Exchange, rt *flow.Runtime) error {
	var body reportBody
	if err := x.Decode(&body); err != nil {
		return err
	}
	p := Prepayment{Journey: x.JourneyID(), Event: body.EventID, Bill: body.Bill, reference: body.Reference, means: body.Means, received: x.Arrived(), by: ledger.Actor(x.Principal()),
		venue: x.Venue(), rt: rt}
	if err := p.read(body); err != nil {
		return err
	}
	if err := p.find(x, body); err != nil {
		return err
	}
	if p.means != "" && c.tills.of(p.venue.ID, collectCity) != nil {
		p.untold = 1
	}
	p.digest = p.sum()
	return flow.Run(rt, x, p.venue, c.reports, p, func(o journey.Outcome[Prepaid], _ string) flow.Said {
		return flow.Said{Status: http.StatusCreated, Body: reportSaid{Journey: o.ID, Event: p.Event, State: o.Value.State, Bill: o.Value.Bill, Again: o.Value.Again}}
	})
}

// sum is the keyed hash of what a payment says.
func (p *Prepayment) sum() []byte {
	said := [][]byte{[]byte(p.venue.ID), p.plate, []byte(p.Bill), []byte(p.reference),
		fmt.Append(nil, p.Amount.Minor, p.Amount.Currency, p.asked.UnixMilli(), p.paid.UnixMilli())}
	if p.means != "" { // those that were kept without the word stay the same
		said = append(said, []byte(p.means))
	}
	sum := p.rt.Ledger.Keys().Hash("parking-prepayment", said...)
	return sum[:]
}

// read reads all but whose visit it is.
func (p *Prepayment) read(body reportBody) (err error) {
	settings := settingsOf(p.venue)
	for _, name := range []struct{ field, value string }{{"event_id", body.EventID}, {"reference", body.Reference}} {
		switch {
		case name.value == "":
			return edge.FieldMissing(name.field)
		case !flow.IsName(name.value):
			return edge.FieldInvalid(name.field, "须为 1 至 64 个字母、数字或 . - _ :", "It must be 1 to 64 letters, digits, dots, dashes, underscores or colons.")
		}
	}
	if body.Means != "" && !isMeans(body.Means) {
		return edge.FieldInvalid("means", "须为 cash、alipay、wechat、unionpay、citizen-card-wallet 或 citizen-card-account",
			"It must be cash, alipay, wechat, unionpay, citizen-card-wallet or citizen-card-account.")
	}
	if p.Amount, err = body.Amount.read("amount"); err != nil {
		return err
	}
	switch {
	case p.Amount.Minor == books.MaxMinor: // a tariff counts to one below it
		return edge.FieldInvalid("amount.minor", "须小于 2⁵³", "It must be below 2⁵³.")
	case p.Amount.Currency != settings.Currency:
		return ProblemCurrencyWrong.Error(gateway.Text{}).WithField("amount.currency").With("currency", settings.Currency)
	}
	if p.paid, err = p.readTime("paid_at", body.PaidAt); err != nil {
		return err
	}
	if p.asked = p.paid; body.AskedAt != "" {
		if p.asked, err = p.readTime("asked_at", body.AskedAt); err != nil {
			return err
		}
	}
	if p.asked.After(p.paid) || p.asked.Before(p.paid.Add(-quoteFor)) {
		return edge.FieldInvalid("asked_at", "须不晚于 paid_at，且不早于其前十分钟", fmt.Sprintf("It must not be after paid_at, nor more than %s before it.", quoteFor))
	}
	return nil
}

// readTime reads a moment by the same rules as that of a barrier's event.
func (p *Prepayment) readTime(field, s string) (time.Time, error) {
	settings := settingsOf(p.venue)
	at, err := time.Parse(time.RFC3339, strings.ToUpper(s))
	switch {
	case s == "":
		return at, edge.FieldMissing(field)
	case err != nil:
		return at, edge.FieldInvalid(field, "须为带时区的时间，如 2026-11-25T08:30:00+08:00", "It must be a time with its offset, like 2026-11-25T08:30:00+08:00 (RFC 3339).")
	case at.After(p.received.Add(settings.Leeway)):
		return at, ProblemClockWrong.Error(gateway.Text{}).WithField(field)
	case at.Before(p.received.Add(-settings.Oldest)):
		return at, ProblemClockWrong.Error(gateway.Text{}).WithField(field)
	}
	return at.Truncate(time.Millisecond), nil
}

// find finds out whose visit or which bill it is, and seals the plate.
func (p *Prepayment) find(x *edge.Exchange, body reportBody) error {
	if body.Bill == "" {
		text, err := body.find(x, p.rt, p.venue)
		if err != nil {
			return err
		}
		p.plate = hashPlate(p.rt.Ledger.Keys(), p.venue.Tenant, text)
		p.dataKey, p.sealed, err = sealPlate(p.rt.Ledger.Keys(), text)
		return err
	}
	if body.Plate != "" || body.Stay != "" {
		return edge.FieldInvalid("bill", "plate、stay、bill 只能有一个", "Say one of plate, stay and bill.")
	}
	p.dataKey, p.sealed = []byte{}, []byte{} // the bill knows whose it is
	return flow.View(p.rt, x, func(q ledger.Querier) error {
		b, err := findBill(q, body.Bill)
		switch {
		case err != nil:
			return err
		case b == nil || b.venue != p.venue.ID || b.tenant != p.venue.Tenant:
			return ProblemBillUnknown.Error(gateway.Text{}).WithField("bill")
		case b.currency != p.Amount.Currency:
			return ProblemCurrencyWrong.Error(gateway.Text{}).WithField("amount.currency").With("currency", b.currency)
		}
		p.plate = b.plate
		return nil
	})
}

// find reads the plate, or finds the visit and with it the plate.
func (w whoseBody) find(x *edge.Exchange, rt *flow.Runtime, at *gateway.Venue) (text plate.Plate, err error) {
	if w.Stay == "" {
		return readPlate("plate", w.Plate)
	}
	if w.Plate != "" {
		return text, edge.FieldInvalid("stay", "plate 与 stay 只能有一个", "Say one of plate and stay.")
	}
	var of *stay
	err = flow.View(rt, x, func(q ledger.Querier) error {
		all, err := listOf(q, scanStay, `SELECT `+stayColumns+` FROM parking_stays WHERE id = $1 AND venue = $2`, w.Stay, at.ID)
		if err == nil && len(all) == 0 {
			err = ProblemVisitUnknown.Error(gateway.Text{}).WithField("stay")
		}
		if err == nil {
			of = all[0]
		}
		return err
	})
	if err != nil {
		return text, err
	}
	plain, err := openPlate(rt.Ledger.Keys(), of.dataKey, of.sealed)
	if err != nil { // its plate has been forgotten: the visit is long over
		return text, ProblemVisitUnknown.Error(gateway.Text{}).WithField("stay").WithCause(err)
	}
	return plate.Parse(plain)
}
