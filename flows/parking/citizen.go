package parking

import (
	"fmt"
	"net/http"
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

// What citizens are refused with.
var (
	ProblemLotUnknown = &gateway.Problem{Type: "parking-lot-unknown", Kind: gateway.NotFound, Title: gateway.Text{
		Zh: "没有这个停车场", En: "There is no such lot"}}
	ProblemBillUnknown = &gateway.Problem{Type: "parking-bill-unknown", Kind: gateway.NotFound, Title: gateway.Text{
		Zh: "没有找到该账单", En: "There is no such bill"}}
	ProblemBillSettled = &gateway.Problem{Type: "parking-bill-settled", Kind: gateway.Conflict, Title: gateway.Text{
		Zh: "该账单无需再付款", En: "Nothing is owed for this bill"}}
	ProblemBillPending = &gateway.Problem{Type: "parking-bill-pending", Kind: gateway.Conflict, Retryable: true, Title: gateway.Text{
		Zh: "该账单正在扣款，请稍候", En: "This bill is being paid already; please wait a moment"}}
	ProblemBillDisputed = &gateway.Problem{Type: "parking-bill-disputed", Kind: gateway.Conflict, Title: gateway.Text{
		Zh: "该账单已提出异议，等待人工处理", En: "This bill is disputed, and a person decides about it"}}
	ProblemBillOverpaid = &gateway.Problem{Type: "parking-bill-overpaid", Kind: gateway.Conflict, Title: gateway.Text{
		Zh: "该账单仍有多付款项", En: "More was paid for this bill than it comes to"}}
	ProblemAmountWrong = &gateway.Problem{Type: "parking-amount-wrong", Kind: gateway.Unprocessable, Title: gateway.Text{
		Zh: "金额与应付金额不符", En: "This is not the amount that is owed"}}
	ProblemCurrencyWrong = &gateway.Problem{Type: "parking-currency-wrong", Kind: gateway.Unprocessable, Title: gateway.Text{
		Zh: "币种与账单不符", En: "The bill is in another currency"}}
	ProblemPayAtLot = &gateway.Problem{Type: "parking-pay-at-lot", Kind: gateway.Conflict, Title: gateway.Text{
		Zh: "该停车场不支持在线付款，请到现场支付", En: "This lot collects nothing online; please pay there"}}
)

func citizenProblems() []*gateway.Problem {
	return []*gateway.Problem{ProblemLotUnknown, ProblemBillUnknown, ProblemBillSettled, ProblemBillPending, ProblemBillDisputed, ProblemBillOverpaid, ProblemAmountWrong,
		ProblemCurrencyWrong, ProblemPayAtLot, ProblemWebhookUnknown, ProblemNoticeForged, ProblemNoticeUnreadable, ProblemNoticeUnverified, ProblemNoticeChanged}
}

// The plans of the citizens' side. Each is one commit.
const (
	planVehicle = "parking-vehicle"
	planPayment = "parking-payment"
	planDispute = "parking-dispute"
	planWaiver  = "parking-waiver"
)

// citizens is what those do whose cars they are, and staff for them.
type citizens struct {
	tills    *tills
	vehicles *journey.Live[Binding, Bound]
	payments *journey.Live[Paying, Billed]
	disputes *journey.Live[Disputing, Disputed]
	waivers  *journey.Live[Waiving, Billed]
}

func newCitizens(t *tills) (*citizens, error) {
	c := &citizens{tills: t}
	var err error
	if c.vehicles, err = recordPlan(planVehicle, bind); err != nil {
		return nil, err
	}
	if c.payments, err = recordPlan(planPayment, payBill); err != nil {
		return nil, err
	}
	if c.disputes, err = recordPlan(planDispute, disputeBill); err != nil {
		return nil, err
	}
	c.waivers, err = recordPlan(planWaiver, waiveBill)
	return c, err
}

// recordPlan declares a plan of one decision.
func recordPlan[A, O any](name string, d *ledger.Decision[A, O]) (*journey.Live[A, O], error) {
	plan, err := journey.Define(name, func(b *journey.Builder, in journey.Ref[A]) journey.Ref[O] {
		return journey.Record(b, stepKeep, d, in)
	})
	if err != nil {
		return nil, err
	}
	return journey.NewLive(plan), nil
}

func (c *citizens) plans() []flow.Plan {
	return []flow.Plan{c.vehicles, c.payments, c.disputes, c.waivers}
}

const (
	scopePay   = "parking:pay"
	scopeStaff = "staff:assist"
)

func (c *citizens) routes(rt *flow.Runtime) []edge.Route {
	post := func(path, scope string, plan interface {
		flow.Plan
		Budget() time.Duration
		Shortest() time.Duration
	}, serve func(*edge.Exchange, *flow.Runtime) error) edge.Route {
		return edge.Route{Method: http.MethodPost, Name: plan.Name(), Path: path, Scope: scope, Journey: plan.Name(), Idempotent: true, Looks: true,
			Priority: limit.Normal, Budget: plan.Budget, Shortest: plan.Shortest, Serve: func(x *edge.Exchange) error { return serve(x, rt) }}
	}
	return []edge.Route{
		webhook(rt, c.tills),
		post("/v1/me/vehicles", scopePay, c.vehicles, c.bindVehicle),
		{Method: http.MethodPost, Name: "parking-stay-search", Path: "/v1/parking-stays/search", Scope: scopePay, Idempotent: true, Priority: limit.Normal,
			Serve: func(x *edge.Exchange) error { return c.inside(x, rt) }},
		{Method: http.MethodPost, Name: "parking-bill-search", Path: "/v1/parking-bills/search", Scope: scopePay, Idempotent: true, Priority: limit.Normal,
			Serve: func(x *edge.Exchange) error { return c.search(x, rt) }},
		{Method: http.MethodGet, Name: "parking-bill", Path: "/v1/parking-bills/{id}", Scope: scopePay, Priority: limit.Normal,
			Serve: func(x *edge.Exchange) error { return c.one(x, rt) }},
		post("/v1/parking-bills/{id}/payments", scopePay, c.payments, c.pay),
		post("/v1/parking-bills/{id}/disputes", scopePay, c.disputes, c.dispute),
		post("/v1/parking-bills/{id}/waivers", scopeStaff, c.waivers, c.waive),
	}
}

// ownBill finds a bill of the caller's, and the lot that it is of. Another's is unknown.
func ownBill(x *edge.Exchange, rt *flow.Runtime) (b *bill, at *gateway.Venue, err error) {
	err = flow.View(rt, x, func(q ledger.Querier) (err error) {
		b, err = findOwnBill(q, ledger.Subject(rt.Ledger.Keys(), x.Principal()), x.Principal().Tenant, x.Param("id"))
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	if at = rt.Venue(b.venue); at == nil { // the lot has gone from the configuration
		return nil, nil, gateway.ProblemVenueUnknown.Error(gateway.Text{})
	}
	return b, at, nil
}

// findOwnBill reads a bill whose plate was the owner's when the car left.
func findOwnBill(q ledger.Querier, owner []byte, tenant, id string) (*bill, error) {
	b, err := findBill(q, id)
	if err != nil {
		return nil, err
	}
	if b != nil && b.tenant == tenant {
		owned, err := ownedAt(q, owner, b.plate, b.left)
		if err != nil {
			return nil, err
		}
		if owned {
			return b, nil
		}
	}
	return nil, ledger.Keep(ProblemBillUnknown.Error(gateway.Text{}))
}

const maxReason = 500 // characters

// readReason reads a sentence of a person's.
func readReason(field, s string) (string, error) {
	s = strings.TrimSpace(s)
	switch {
	case s == "":
		return "", edge.FieldMissing(field)
	case utf8.RuneCountInString(s) > maxReason:
		return "", edge.FieldInvalid(field, fmt.Sprintf("最多 %d 个字符。", maxReason), fmt.Sprintf("It may have at most %d characters.", maxReason))
	}
	return s, nil
}

// staffMaySee reports whether a member of staff acts for the lot of a bill.
func staffMaySee(p *gateway.Principal, b *bill) bool {
	return b != nil && p.ActsFor(&gateway.Venue{ID: b.venue, Tenant: b.tenant})
}
