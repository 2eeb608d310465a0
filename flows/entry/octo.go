package entry

import (
	"context"
	"errors"
	"time"

	"github.com/warmgate/warmgate/backends/octo"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/flow"
)

// octoOptions are the connector's own settings in a venue's file.
type octoOptions struct {
	Supplier string `yaml:"supplier"` // whose tickets: half of a ticket's identity
	Option   string `yaml:"option"`   // of the products, for today's opening; "": DEFAULT
}

// redeemSkew is how much the clocks of ticketing and the gateway may differ when it is to be told whether a redemption
// is ours.
const redeemSkew = 2 * time.Minute

// octoDesk is a supplier that speaks OCTO, as this journey needs it.
type octoDesk struct {
	client *octo.Client
	venue  *gateway.Venue
	option string
}

// connectOCTO binds the journey's operations to a supplier that speaks OCTO.
func connectOCTO(ops operations, warm *prewarmer, v *gateway.Venue, to flow.Connection, b *call.Bindings) (func(), error) {
	opts := octoOptions{Option: "DEFAULT"}
	if err := to.Options(&opts); err != nil {
		return nil, err
	}
	client, err := octo.New(octo.Config{BaseURL: to.URL, APIKey: to.Secrets["api_key"], Supplier: opts.Supplier})
	if err != nil {
		return nil, err
	}
	d := &octoDesk{client: client, venue: v, option: opts.Option}
	call.BindRead(b, ops.find, to.Instance, d.find)
	call.BindRead(b, ops.day, to.Instance, d.day)
	call.BindRead(b, ops.recall, to.Own("ledger"), func(ctx context.Context, s Scan) (Known, error) { return recall(ctx, to.Ledger, s) })
	call.BindWrite(b, ops.redeem, to.Instance, call.Effect[Redemption, Redeemed]{Do: d.redeem, Find: d.redeemed})
	call.BindWrite(b, ops.unredeem, to.Instance, call.Effect[Redemption, Redeemed]{Do: d.unredeem, Find: d.unredeemed})
	stop := warm.add(v, d.tickets)
	return func() { stop(); client.Close() }, nil
}

// find looks a shown ticket up.
func (d *octoDesk) find(ctx context.Context, aim Aim) ([]Ticket, error) {
	if aim.Booking != "" {
		b, err := d.client.Booking(ctx, aim.Booking)
		if isUnknown(err) {
			return nil, nil
		}
		if err != nil {
			return nil, fateOf(err)
		}
		return d.ticketsOf(b, b.UnitItems, aim.Unit), nil
	}
	bookings, err := d.client.Lookup(ctx, aim.Reference)
	if isUnknown(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fateOf(err)
	}
	var all []Ticket
	for i := range bookings {
		all = append(all, d.ticketsOf(&bookings[i], bookings[i].Shown(aim.Reference), "")...)
	}
	return all, nil
}

func (d *octoDesk) ticketsOf(b *octo.Booking, units []octo.UnitItem, only string) []Ticket {
	var all []Ticket
	for i := range units {
		u := &units[i]
		if only != "" && u.UUID != only {
			continue
		}
		t := Ticket{Supplier: d.client.Supplier(), Unit: u.UUID, Booking: b.UUID, Product: b.ProductID, Code: u.Code(),
			Status: statusOf(b, u), UsedAt: u.UTCRedeemedAt, AsOf: time.Now()}
		if t.Code == "" {
			t.Code = u.SupplierReference
		}
		if b.Availability != nil {
			t.From, t.To = b.Availability.Start, b.Availability.End
		}
		all = append(all, t)
	}
	return all
}

func statusOf(b *octo.Booking, u *octo.UnitItem) Status {
	for _, s := range []octo.Status{b.Status, u.Status} {
		switch s {
		case octo.StatusCancelled, octo.StatusRejected:
			return StatusCancelled
		case octo.StatusOnHold, octo.StatusPending:
			return StatusOnHold
		case octo.StatusExpired:
			return StatusExpired
		case octo.StatusConfirmed, octo.StatusRedeemed:
		default:
			return Status(s)
		}
	}
	if !u.UTCRedeemedAt.IsZero() {
		return StatusUsed
	}
	return StatusValid
}

// day asks for today's slots of every product that opens the gates.
func (d *octoDesk) day(ctx context.Context, s Scan) (Day, error) {
	date := s.At.In(d.venue.Location).Format(time.DateOnly)
	var out Day
	for _, p := range settingsOf(d.venue).Products {
		slots, err := d.client.Availability(ctx, octo.AvailabilityQuery{ProductID: p.ID, OptionID: d.option, From: date, To: date})
		if err != nil {
			return Day{}, fateOf(err)
		}
		for _, slot := range slots {
			out.Open = true
			out.Slots = append(out.Slots, Span{From: slot.Start, To: slot.End})
		}
	}
	return out, nil
}

func (d *octoDesk) redeem(ctx context.Context, _ string, r Redemption) (Redeemed, error) {
	b, err := d.client.Redeem(ctx, r.Code)
	if err != nil {
		return Redeemed{}, fateOf(err)
	}
	for _, u := range b.UnitItems {
		if u.UUID == r.Unit {
			return Redeemed{At: u.UTCRedeemedAt}, nil
		}
	}
	return Redeemed{}, errors.New("the redeemed booking does not hold the ticket")
}

// redeemed asks whether our redemption has happened. OCTO knows no keys, so one that is older than the scan is another's.
func (d *octoDesk) redeemed(ctx context.Context, _ string, r Redemption) (Redeemed, bool, error) {
	at, err := d.client.Redeemed(ctx, r.Code)
	switch {
	case err != nil:
		return Redeemed{}, false, fateOf(err)
	case at.IsZero():
		return Redeemed{}, false, nil
	case at.Before(r.At.Add(-redeemSkew)):
		return Redeemed{}, false, call.Refuse(refusedUsed, usedAt(at))
	}
	return Redeemed{At: at}, true, nil
}

func (d *octoDesk) unredeem(ctx context.Context, _ string, r Redemption) (Redeemed, error) {
	_, err := d.client.Unredeem(ctx, r.Code)
	return Redeemed{}, fateOf(err)
}

func (d *octoDesk) unredeemed(ctx context.Context, _ string, r Redemption) (Redeemed, bool, error) {
	at, err := d.client.Redeemed(ctx, r.Code)
	return Redeemed{}, err == nil && at.IsZero(), fateOf(err)
}

// tickets brings in every ticket of a day, for the pre-warming.
func (d *octoDesk) tickets(ctx context.Context, day time.Time, keep func(t Ticket, shown ...string)) error {
	for _, p := range settingsOf(d.venue).Products {
		bookings, err := d.client.BookingsOn(ctx, day, p.ID)
		if err != nil {
			return fateOf(err)
		}
		for i := range bookings {
			b := &bookings[i]
			for k, t := range d.ticketsOf(b, b.UnitItems, "") {
				u := &b.UnitItems[k]
				shown := []string{b.SupplierReference, b.ResellerReference, u.SupplierReference, u.ResellerReference}
				keep(t, append(shown, append(values(u.Ticket), values(b.Voucher)...)...)...)
			}
		}
	}
	return nil
}

// values are what the delivered forms of a ticket hold.
func values(t *octo.Ticket) (all []string) {
	if t == nil {
		return nil
	}
	for _, d := range t.DeliveryOptions {
		all = append(all, d.Value)
	}
	return all
}

// isUnknown reports whether the supplier said that there is no such ticket.
func isUnknown(err error) bool {
	e, ok := errors.AsType[*octo.Error](err)
	return ok && e.Fate == octo.Refused && (e.Code == octo.CodeInvalidBooking || e.Code == octo.CodeUnprocessable)
}

// fateOf says in the engine's words what a failed call may have done.
func fateOf(err error) error {
	e, ok := errors.AsType[*octo.Error](err)
	if !ok {
		return err
	}
	switch {
	case e.Fate == octo.NotSent:
		return call.NotSent(err)
	case e.Fate != octo.Refused || e.Code == octo.CodeUnauthorized || e.Code == octo.CodeForbidden:
		return err
	case !e.RedeemedAt.IsZero():
		return call.Refuse(refusedUsed, usedAt(e.RedeemedAt))
	case e.Code == octo.CodeInvalidBooking:
		return call.Refuse(refusedUnknown, err)
	}
	return call.Refuse(refusedOther, err)
}
