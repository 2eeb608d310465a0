package parking

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/warmgate/warmgate/backends/hangzhou"
	"github.com/warmgate/warmgate/backends/wire"
	"github.com/warmgate/warmgate/flows/parking/plate"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// hangzhouOptions are the connector's own settings in a lot's file.
type hangzhouOptions struct {
	AccessID string `yaml:"access_id"` // who asks, as the city has registered it
	Parking  string `yaml:"parking"`   // the lot's number at the city
	Berths   int    `yaml:"berths"`    // how many cars the lot holds
	Broker   string `yaml:"broker"`    // mqtt(s)://host[:port] of the city's pushes; "": they are not listened to
	ClientID string `yaml:"client_id"` // at the broker; "": the access id
}

// cityTill is Hangzhou's City Brain for one lot, as this journey needs it.
type cityTill struct {
	client *hangzhou.Client
	venue  *gateway.Venue
	ledger *ledger.Ledger
	berths int
}

// connectHangzhou binds what the city does for a lot to Hangzhou's City Brain.
func (o connectors) connectHangzhou(v *gateway.Venue, to flow.Connection, b *call.Bindings) (func(), error) {
	var opts hangzhouOptions
	if err := to.Options(&opts); err != nil {
		return nil, err
	}
	if opts.Berths < 1 || opts.Berths > 1_000_000 {
		return nil, &gateway.FieldError{Path: "options.berths", Message: "must be how many cars the lot holds, 1 to 1000000"}
	}
	client, err := hangzhou.New(hangzhou.Config{BaseURL: to.URL, AccessID: opts.AccessID, PrivateKey: to.Secrets["private_key"],
		CityKey: to.Secrets["city_key"], Parking: opts.Parking, Location: v.Location, MaxConns: to.Instance.MaxInFlight(), Sockets: to.Sockets, Unread: to.Unread,
		Signing: o.signing})
	if err != nil {
		return nil, err
	}
	c := &cityTill{client: client, venue: v, ledger: to.Ledger, berths: opts.Berths}
	call.BindWrite(b, o.carIn, to.Instance, call.Effect[CarIn, Told]{Do: c.carIn, Find: askAgain[CarIn]})
	call.BindWrite(b, o.carOut, to.Instance, call.Effect[CarOut, Told]{Do: c.carOut, Find: askAgain[CarOut]})
	call.BindWrite(b, o.apply, to.Instance, call.Effect[Charge, Told]{Do: c.apply, Find: c.applied})
	call.BindWrite(b, o.received, to.Instance, call.Effect[Received, Told]{Do: c.received, Find: askAgain[Received]})
	t := &till{venue: v, connector: "hangzhou", collector: collectCity, look: c.look,
		account: "hangzhou/" + to.URL + "/" + opts.AccessID + "/" + opts.Parking, zone: v.Location, bill: c.bill}
	if opts.Broker != "" && !to.Unread {
		t.push = func(ctx context.Context, hear func(ctx context.Context, h Heard) error) error {
			return client.Subscribe(ctx, hangzhou.Settings{Broker: opts.Broker, Password: to.Secrets["password"], ClientID: opts.ClientID,
				Logger: to.Logger},
				func(ctx context.Context, p hangzhou.Push) error { return hear(ctx, c.heard(p)) })
		}
	}
	stop := o.tills.add(t)
	return func() { stop(); client.Close() }, nil
}

// stay is a visit as every message of the interface has it.
func (c *cityTill) stay(text, vehicle, gate string, entered time.Time) (s hangzhou.Stay, err error) {
	p, err := plate.Parse(text)
	return hangzhou.Stay{Plate: text, Color: cityColor(colorOf(p, vehicle)), Entry: cityGate(gate), Entered: entered}, err
}

// carIn tells the city that a car is inside. The city may say later, with a push, that it may pay afterwards.
func (c *cityTill) carIn(ctx context.Context, _ string, in CarIn) (none Told, err error) {
	s, err := c.stay(in.Plate, in.Vehicle, in.Gate, in.At)
	if err != nil {
		return none, err
	}
	berths, err := c.free(ctx)
	if err != nil {
		return none, err
	}
	return none, c.told(c.client.Arrive(ctx, hangzhou.Arrival{Stay: s, ID: in.Stay, Parking: hangzhou.Casual, Berths: berths}))
}

// carOut tells the city that a car has left.
func (c *cityTill) carOut(ctx context.Context, _ string, out CarOut) (none Told, err error) {
	var v Visited
	if err := c.ledger.View(ctx, func(q ledger.Querier) (err error) { v, err = visited(q, out.Stay); return err }); err != nil {
		return none, err
	}
	s, err := c.stay(out.Plate, out.Vehicle, v.Entry, out.Entered)
	if err != nil {
		return none, err
	}
	berths, err := c.free(ctx)
	if err != nil {
		return none, err
	}
	leave := hangzhou.Departure{Stay: s, ID: out.Stay + "-out", Exit: cityGate(out.Gate), Left: out.Left, Parking: hangzhou.Casual, Berths: berths}
	return none, c.told(c.inside(ctx, s, out.Stay, func() error { return c.client.Depart(ctx, leave) }))
}

// inside tells the city something of a visit. Where it has not heard of that yet, it hears first that the car was inside: what
// goes out does so in any order.
func (c *cityTill) inside(ctx context.Context, s hangzhou.Stay, stay string, tell func() error) error {
	err := tell()
	if e, ok := errors.AsType[*wire.Error](err); !ok || e.Fate != wire.Refused || e.Code != hangzhou.CodeUnknown {
		return err
	}
	berths, err := c.free(ctx)
	if err == nil {
		err = c.client.Arrive(ctx, hangzhou.Arrival{Stay: s, ID: stay, Parking: hangzhou.Casual, Berths: berths})
	}
	if err != nil {
		return err
	}
	return tell()
}

// received tells the city of a payment that it has not collected.
func (c *cityTill) received(ctx context.Context, _ string, r Received) (none Told, err error) {
	var v Visited
	if err := c.ledger.View(ctx, func(q ledger.Querier) (err error) { v, err = visited(q, r.Stay); return err }); err != nil {
		return none, err
	}
	s, err := c.stay(r.Plate, v.Vehicle, v.Entry, r.Entered)
	if err != nil {
		return none, err
	}
	paid := hangzhou.Payment{Stay: s, BillID: r.Number, Price: r.Price, Due: r.Asked, Paid: r.Minor, BilledAt: r.Left, PaidAt: r.At,
		Means: cityMeans(r.Means), Way: hangzhou.PayLater}
	if !r.Billed.IsZero() { // at a pay station
		paid.BilledAt = r.Billed
		if !r.Billed.After(r.Left) {
			paid.Way = hangzhou.Prepaid
		}
	}
	return none, c.told(c.inside(ctx, s, r.Stay, func() error { return c.client.Pay(ctx, paid) }))
}

// cityMeans is what a payment was made with in the city's words. What the payment provider has collected is WeChat's.
func cityMeans(means string) hangzhou.Means {
	switch means {
	case meansCash:
		return hangzhou.Cash
	case meansAlipay:
		return hangzhou.Alipay
	case meansUnionPay:
		return hangzhou.UnionPay
	case meansCardWallet:
		return hangzhou.CardWallet
	case meansCardAccount:
		return hangzhou.CardAccount
	}
	return hangzhou.WeChat
}

// apply asks the city to collect a bill. That it was taken is not that it was paid: a push says that, or the day's bills.
func (c *cityTill) apply(ctx context.Context, _ string, charge Charge) (none Told, err error) {
	o, err := ledger.Do(ledger.Patient(ctx), c.ledger, orderOf, charge)
	switch {
	case err != nil:
		return none, err
	case o.Look:
		return none, errStopped
	case !o.Ask:
		return none, nil
	}
	s, err := c.stay(charge.Plate, o.Visit.Vehicle, o.Visit.Entry, charge.Entered)
	if err != nil {
		return none, err
	}
	v := Verdict{Number: o.Number, State: collectionAccepted}
	ask := hangzhou.Charge{Stay: s, BillID: o.Number, BilledAt: charge.Left, Left: charge.Left, Due: o.Minor}
	err = c.inside(ctx, s, charge.Stay, func() error { return c.client.ApplyPayment(ctx, ask) })
	if e, ok := errors.AsType[*wire.Error](err); ok && e.Fate == wire.Refused && e.Code == hangzhou.CodeForbidden {
		v.State, v.Reason, err = collectionFailed, "forbidden", nil
	}
	if err != nil {
		return none, c.told(err)
	}
	_, err = ledger.Do(ledger.Patient(ctx), c.ledger, settle, v)
	return none, err
}

// applied asks whether the city has the collection of a bill, and keeps how it stands.
func (c *cityTill) applied(ctx context.Context, _ string, charge Charge) (none Told, happened bool, err error) {
	happened, err = collected(ctx, c.ledger, charge, c.look, c.told)
	return none, happened, err
}

// look asks how a collection stands: the city lists the bills of a day, by the time that they were made out.
func (c *cityTill) look(ctx context.Context, of *collection, plate string, left time.Time) (*Verdict, error) {
	bills, err := c.client.DailyBills(ctx, left.In(c.venue.Location).Format(time.DateOnly), plate)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(bills, func(b hangzhou.DailyBill) bool { return b.BillID == of.number })
	if i < 0 {
		return nil, nil
	}
	v := cityVerdict(of.number, bills[i].Status, bills[i].Paid, bills[i].Order)
	return &v, nil
}

// bill reads the collections that the city has of a day, by when the cars left. The client bounds the list.
func (c *cityTill) bill(ctx context.Context, day string, take func(Entry) error) error {
	asking, cancel := context.WithTimeout(ctx, billWithin)
	defer cancel()
	all, err := c.client.DailyBills(asking, day, "")
	if err != nil {
		return err
	}
	for _, b := range all {
		v := cityVerdict(b.BillID, b.Status, b.Paid, b.Order)
		if v.State != collectionPaid {
			v.Minor = b.Due
		}
		if err := take(Entry{Number: v.Number, Reference: v.Reference, Minor: v.Minor, State: v.State}); err != nil {
			return err
		}
	}
	return nil
}

func cityVerdict(number string, s hangzhou.Status, paid int64, order string) Verdict {
	v := Verdict{Number: number, State: collectionAccepted, Minor: paid, Reference: order}
	switch s {
	case hangzhou.Paid:
		v.State = collectionPaid
	case hangzhou.Failed:
		v.State, v.Reason = collectionFailed, "failed"
	case hangzhou.Pending:
	}
	return v
}

// heard is a push in this journey's words. What a car would pay now the lot's own machines show.
func (c *cityTill) heard(p hangzhou.Push) (h Heard) {
	h.ID = p.RequestID
	switch {
	case p.Result != nil:
		v := cityVerdict(p.Result.BillID, p.Result.Status, p.Result.Paid, p.Result.Order)
		h.Verdict, h.Subject = &v, v.Number
	case p.Departure != nil:
		n, err := plate.Parse(p.Departure.Plate)
		if err != nil {
			return h
		}
		h.Permission = &Permission{Venue: c.venue.ID, Plate: hashPlate(c.ledger.Keys(), c.venue.Tenant, n), Source: collectCity,
			State: permitBlocked, Most: p.Departure.Limit, At: c.ledger.Now(), By: ledger.ActorGateway}
		if p.Departure.NoSense && p.Departure.LeaveFirst && p.Departure.Limit > 0 {
			h.Permission.State = permitGranted
		}
	}
	return h
}

// free is how full the lot is, as far as the ledger knows.
func (c *cityTill) free(ctx context.Context) (b hangzhou.Berths, err error) {
	var inside int
	err = c.ledger.View(ctx, func(q ledger.Querier) error {
		return q.QueryRow(`SELECT COUNT(*) FROM parking_stays WHERE venue = $1 AND state = 'open'`, c.venue.ID).Scan(&inside)
	})
	return hangzhou.Berths{Total: c.berths, Open: c.berths, Free: max(c.berths-inside, 0)}, err
}

// told says what an error of the client means for a report. The city's definite no is a person's, but for credentials.
func (c *cityTill) told(err error) error {
	e, ok := errors.AsType[*wire.Error](err)
	switch {
	case !ok:
		return err
	case e.Fate == wire.NotSent:
		return call.NotSent(err)
	case e.Fate == wire.Refused && e.Code != hangzhou.CodeUnauthorized:
		return call.Refuse("refused", err)
	}
	return err
}

// cityGate is a gate as the interface takes it: 1 to 32 letters, digits, dashes and underscores.
func cityGate(gate string) string {
	gate = strings.NewReplacer(".", "-", ":", "-").Replace(gate)
	if gate == "" {
		return "0"
	}
	return gate[:min(len(gate), hangzhou.MaxCode)]
}

// cityColor is a plate's colour in the interface's numbers.
func cityColor(c color) hangzhou.PlateColor {
	return [...]hangzhou.PlateColor{blue: hangzhou.Blue, yellow: hangzhou.Yellow, white: hangzhou.White, black: hangzhou.Black,
		green: hangzhou.Green, yellowGreen: hangzhou.Green}[c]
}
