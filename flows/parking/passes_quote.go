package parking

import (
	"net/http"
	"time"

	"github.com/warmgate/warmgate/flows/parking/tariff"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// quoteSaid is what an open visit would cost if the car left now.
type quoteSaid struct {
	Stay    string        `json:"stay"`
	Entered time.Time     `json:"entered_at"`
	Asked   time.Time     `json:"asked_at"`
	Until   time.Time     `json:"pay_by"`
	Price   gateway.Money `json:"price"`
	Paid    gateway.Money `json:"paid"`
	Due     gateway.Money `json:"due"`
	Leave   time.Time     `json:"leave_by,omitzero"` // nothing more is owed until then
	Lines   []lineBody    `json:"lines"`
}

// quote tells a pay station what a car that is inside owes at this moment. It keeps nothing.
func (c *prepaid) quote(x *edge.Exchange, rt *flow.Runtime) error {
	var body whoseBody
	if err := x.Decode(&body); err != nil {
		return err
	}
	at := x.Venue()
	text, err := body.find(x, rt, at)
	if err != nil {
		return err
	}
	now := x.Arrived().Truncate(time.Millisecond)
	var said quoteSaid
	err = flow.View(rt, x, func(q ledger.Querier) error {
		all, err := listOf(q, scanStay, `SELECT `+stayColumns+` FROM parking_stays WHERE venue = $1 AND plate = $2 AND state = 'open'`,
			at.ID, hashPlate(rt.Ledger.Keys(), at.Tenant, text))
		switch {
		case err != nil:
			return err
		case len(all) == 0 || body.Stay != "" && all[0].id != body.Stay:
			return ProblemVisitUnknown.Error(gateway.Text{})
		}
		said, _, err = quoteOf(q, at, all[0], now, x.Lang())
		return err
	})
	if err != nil {
		return err
	}
	return x.JSON(http.StatusOK, said)
}

// quoteOf is what a visit that goes on would cost if it ended now; that becomes its left.
func quoteOf(q ledger.Querier, at *gateway.Venue, s *stay, now time.Time, lang string) (quoteSaid, tariff.Price, error) {
	settings := settingsOf(at)
	if s.left = now; s.left.Before(s.entered) { // the barrier's clock is ahead
		s.left = s.entered
	}
	price, paid, err := quoted(q, at, s)
	if err != nil {
		return quoteSaid{}, price, err
	}
	money := func(minor int64) gateway.Money { return gateway.Money{Minor: minor, Currency: settings.Currency} }
	said := quoteSaid{Stay: s.id, Entered: flow.At(at, s.entered), Asked: flow.At(at, now), Until: flow.At(at, now.Add(quoteFor)), Price: money(price.Minor),
		Paid: money(0), Due: money(price.Due), Lines: []lineBody{}}
	for _, m := range paid {
		said.Paid.Minor += m.minor
	}
	if price.Due == 0 && len(paid) > 0 && settings.Tariff.Grace > 0 {
		if by := paid[len(paid)-1].asked.Add(settings.Tariff.Grace); by.After(now) {
			said.Leave = flow.At(at, by)
		}
	}
	for _, l := range price.Lines {
		said.Lines = append(said.Lines, lineBody{Amount: money(l.Minor), Text: l.Text.In(lang)})
	}
	return said, price, nil
}

// quoted prices a visit that goes on as if it ended at its left, with all that is known of it.
func quoted(q ledger.Querier, at *gateway.Venue, s *stay) (tariff.Price, []*prepayment, error) {
	settings := settingsOf(at)
	words, err := passesOf(q, at.ID, s.plate, s.entered, s.left)
	if err != nil {
		return tariff.Price{}, nil, err
	}
	all, err := prepaymentsOf(q, at.ID, s.plate, s.entered, s.left.Add(settings.Leeway))
	if err != nil {
		return tariff.Price{}, nil, err
	}
	var paid []*prepayment
	for _, m := range all {
		if m.bill == "" && m.currency == settings.Currency {
			paid = append(paid, m)
		}
	}
	price, err := settings.price(at, s, terms{passes: words}.passesFor(nil, s.left.Add(settings.Leeway)), payments(paid))
	return price, paid, err
}
