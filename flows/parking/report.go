package parking

import (
	"strconv"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// CarIn tells a system that a car has come in.
type CarIn struct {
	Stay     string    `json:"stay"`
	Plate    string    `json:"plate"`
	Vehicle  string    `json:"vehicle,omitempty"`
	Electric bool      `json:"electric,omitzero"`
	Gate     string    `json:"gate"`
	At       time.Time `json:"at"`
}

func (c CarIn) key() string { return "car-in/" + c.Stay }

// announceKey is another one: the city and the payment provider are two systems.
func (c CarIn) announceKey() string { return "announce/" + c.Stay }

// CarOut tells a system that a car has left, and what it owes. A visit whose exit turns out to be another one is told again.
type CarOut struct {
	Stay     string    `json:"stay"`
	Exit     string    `json:"exit"`
	Plate    string    `json:"plate"`
	Vehicle  string    `json:"vehicle,omitempty"`
	Electric bool      `json:"electric,omitzero"`
	Gate     string    `json:"gate"`
	Entered  time.Time `json:"entered"`
	Left     time.Time `json:"left"`
	Bill     string    `json:"bill"`
	Minor    int64     `json:"minor"`
	Currency string    `json:"currency"`
}

func (c CarOut) key() string { return "car-out/" + c.Stay + "/" + c.Exit }

// Charge asks the payment provider, or the city, to collect a bill. Minor is what was owed when it was ordered: whoever
// carries it out collects what is owed by then, and nothing where the bill is not pay-pending any more.
type Charge struct {
	By        string    `json:"by"` // collectPayment or collectCity
	Bill      string    `json:"bill"`
	Stay      string    `json:"stay"`
	Try       int64     `json:"try"`
	Plate     string    `json:"plate"`
	Minor     int64     `json:"minor"`
	Currency  string    `json:"currency"`
	Entered   time.Time `json:"entered"`
	Left      time.Time `json:"left"`
	Reference string    `json:"reference,omitempty"` // the source's own name for the visit
}

func (c Charge) key() string { return "charge/" + c.Bill + "/" + strconv.FormatInt(c.Try, 10) }

// Received tells the city that a bill was paid otherwise than by its scheme.
type Received struct {
	Number   string    `json:"number"` // of the payment
	Bill     string    `json:"bill"`
	Stay     string    `json:"stay"`
	Plate    string    `json:"plate"`
	Price    int64     `json:"price"`
	Asked    int64     `json:"asked"`
	Minor    int64     `json:"minor"` // what was paid
	Currency string    `json:"currency"`
	Entered  time.Time `json:"entered"`
	Left     time.Time `json:"left"`
	At       time.Time `json:"at"`

	// Of a payment at a pay station: what it was made with, and when it was asked for.
	Means  string    `json:"means,omitempty"`
	Billed time.Time `json:"billed,omitzero"`
}

func (r Received) key() string { return "received/" + r.Number }

// Told is an effect that has nothing to tell: what it has changed stands in the ledger by then.
type Told struct{}

// operations are the journey's decision, and what it needs of other systems in its own words. None of these is called while
// a car waits. The effect of each keeps in the ledger what the system has said, before it returns.
type operations struct {
	pass *ledger.Decision[Passage, Decided]

	carIn    *call.Write[CarIn, Told]    // the city hears that a car is inside
	carOut   *call.Write[CarOut, Told]   // the city hears that it has left
	apply    *call.Write[Charge, Told]   // the city is asked to collect a bill
	received *call.Write[Received, Told] // the city hears that a bill was paid otherwise
	announce *call.Write[CarIn, Told]    // the payment provider is told of a car, and says whether it may pay later
	charge   *call.Write[Charge, Told]   // the payment provider is asked to collect a bill
}

func newOperations() operations {
	return operations{
		pass:     pass,
		carIn:    call.NewWrite[CarIn, Told]("city.car-in", call.WriteSpec[CarIn]{Key: CarIn.key}),
		carOut:   call.NewWrite[CarOut, Told]("city.car-out", call.WriteSpec[CarOut]{Key: CarOut.key}),
		apply:    call.NewWrite[Charge, Told]("city.apply-payment", call.WriteSpec[Charge]{Key: Charge.key}),
		received: call.NewWrite[Received, Told]("city.pay-record", call.WriteSpec[Received]{Key: Received.key}),
		announce: call.NewWrite[CarIn, Told]("payment.announce", call.WriteSpec[CarIn]{Key: CarIn.announceKey}),
		charge:   call.NewWrite[Charge, Told]("payment.charge", call.WriteSpec[Charge]{Key: Charge.key}),
	}
}

// The steps that resolutions and corrections name.
const (
	planEntry    = "parking-entry"
	planExit     = "parking-exit"
	stepEnter    = "enter"
	stepLeave    = "leave"
	stepKeep     = "keep"
	stepCarIn    = "car-in"
	stepCarOut   = "car-out"
	stepApply    = "apply-payment"
	stepAnnounce = "announce"
	stepCharge   = "charge"
	stepReceived = "pay-record"
)

// When what the outbox has not delivered is a person's.
const (
	reportWithin = 24 * time.Hour
	chargeWithin = 72 * time.Hour
)

// Who takes over, and how.
var (
	handReport = journey.Handover{Kind: "parking-report-undelivered", Next: gateway.Text{
		Zh: "车辆进出记录未能上报，请与对方系统核对", En: "A car's entry or exit could not be reported: settle it with the other system"}}
	handCharge = journey.Handover{Kind: "parking-charge-undelivered", Next: gateway.Text{
		Zh: "停车费扣款请求未能送达，请核对账单并决定如何收取", En: "A charge could not be delivered: look at the bill and decide how it is collected"}}
	handOverpaid = journey.Handover{Kind: "parking-overpaid", Next: gateway.Text{
		Zh: "账单更正后已付金额多于应付金额，请办理退款", En: "A corrected bill was paid with more than it comes to: give the difference back"}}
	handUnpriced = journey.Handover{Kind: "parking-unpriced", Next: gateway.Text{
		Zh: "车辆已出场，但费率无法计价，请人工核定", En: "A car has left, and the tariff cannot price its visit: look at it and decide"}}
	handUnmatched = journey.Handover{Kind: "parking-exit-unmatched", Next: gateway.Text{
		Zh: "车辆出场但没有入场记录，请核对车牌或入场时间", En: "A car has left and never came in: check its plate, or when it came in"}}
)

// tellOutside leaves what a decision has ordered to the outbox, in the decision's own commit.
func (o operations) tellOutside(b *journey.Builder, decided journey.Ref[Decided]) {
	report, collect := journey.Later(reportWithin, handReport), journey.Later(chargeWithin, handCharge)
	came := journey.Check(b, "came", func(d Decided) ([]CarIn, error) { return d.Came, nil }, decided)
	left := journey.Check(b, "left", func(d Decided) ([]CarOut, error) { return d.Left, nil }, decided)
	charges := func(step, by string) journey.Ref[[]Charge] {
		return journey.Check(b, step, func(d Decided) (all []Charge, err error) {
			for _, c := range d.Charges {
				if c.By == by {
					all = append(all, c)
				}
			}
			return all, nil
		}, decided)
	}
	journey.CommitEach(b, stepCarIn, o.carIn, came, maxOrders, report, journey.Disclose("report a car inside", "plate"))
	journey.CommitEach(b, stepAnnounce, o.announce, came, maxOrders, report, journey.Disclose("ask whether a car may pay later", "plate"))
	journey.CommitEach(b, stepCarOut, o.carOut, left, maxOrders, report, journey.Disclose("report a car that has left", "plate"))
	journey.CommitEach(b, stepApply, o.apply, charges("for the city", collectCity), maxOrders, collect, journey.Disclose("collect a parking bill", "plate"))
	// A payment comes later than every decision of the plan: it is the clerk who has this step done.
	none := journey.Check(b, "paid by now", func(Decided) ([]Received, error) { return nil, nil }, decided)
	journey.CommitEach(b, stepReceived, o.received, none, maxOrders, report, journey.Disclose("report a payment", "plate"))
	journey.CommitEach(b, stepCharge, o.charge, charges("for the provider", collectPayment), maxOrders, collect, journey.Disclose("collect a parking bill", "plate"))
}
