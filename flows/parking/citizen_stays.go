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

// insideBody is a visit that goes on, as the owner of the car sees it.
type insideBody struct {
	Lot string `json:"lot"`
	quoteSaid
	Collect string `json:"collected_by,omitempty"` // payment, city or nobody, if the car left now; left out: nothing is owed
}

// staysMost bounds in how many lots of a tenant one car may be inside at once: all but one have missed its exit.
const staysMost = 20

// inside tells where a car of the caller's is inside now, the latest visit first, what each would cost if it left now, and who
// would collect that. Of another's car there is nothing. It keeps nothing.
func (c *citizens) inside(x *edge.Exchange, rt *flow.Runtime) error {
	var body struct {
		Plate string `json:"plate"`
	}
	if err := x.Decode(&body); err != nil {
		return err
	}
	text, err := readPlate("plate", body.Plate)
	if err != nil {
		return err
	}
	keys, who, now := rt.Ledger.Keys(), x.Principal(), x.Arrived().Truncate(time.Millisecond)
	plate := hashPlate(keys, who.Tenant, text)
	out := struct {
		Stays []insideBody `json:"stays"`
	}{Stays: []insideBody{}}
	err = flow.View(rt, x, func(q ledger.Querier) error {
		out.Stays = out.Stays[:0] // it may be read again
		owned, err := ownedAt(q, ledger.Subject(keys, who), plate, now)
		if err != nil || !owned {
			return err
		}
		all, err := listOf(q, scanStay, `SELECT `+stayColumns+` FROM parking_stays WHERE plate = $1 AND tenant = $2 AND state = 'open'
			ORDER BY entered_at DESC LIMIT $3`, plate, who.Tenant, staysMost)
		if err != nil {
			return err
		}
		for _, s := range all {
			at := rt.Venue(s.venue)
			if at == nil { // the lot has gone from the configuration
				continue
			}
			b, err := insideNow(q, at, s, now, x.Lang())
			if err != nil {
				return err
			}
			out.Stays = append(out.Stays, b)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return x.JSON(http.StatusOK, out)
}

// insideNow is a visit that goes on as it stands now.
func insideNow(q ledger.Querier, at *gateway.Venue, s *stay, now time.Time, lang string) (b insideBody, err error) {
	b.Lot = s.venue
	var price tariff.Price
	if b.quoteSaid, price, err = quoteOf(q, at, s, now, lang); err != nil || price.Due == 0 {
		return b, err
	}
	allowed, err := permitted(q, settingsOf(at), s, price.Due)
	b.Collect = collectNobody
	if allowed != nil {
		b.Collect = allowed.source
	}
	return b, err
}
