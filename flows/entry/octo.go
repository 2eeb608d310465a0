package entry

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/warmgate/warmgate/backends/octo"
	"github.com/warmgate/warmgate/backends/wire"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// octoOptions are the connector's own settings in a venue's file.
type octoOptions struct {
	Supplier string `yaml:"supplier"` // whose tickets: half of a ticket's identity
	Option   string `yaml:"option"`   // of the products, for today's opening; "": DEFAULT
}

// redeemSkew is how much the clocks of ticketing and the gateway may differ when it is to be told whether a redemption
// is ours.
const redeemSkew = 2 * time.Minute

// maxList bounds the list of a day's bookings: OCTO has no pages, and a booking takes about 4 KiB.
const maxList = 256 << 20

// octoDesk is a supplier that speaks OCTO, as this journey needs it.
type octoDesk struct {
	client *octo.Client
	venue  *gateway.Venue
	ledger *ledger.Ledger
	option string
}

// connectOCTO binds the journey's operations to a supplier that speaks OCTO.
func connectOCTO(ops operations, warm *prewarmer, v *gateway.Venue, to flow.Connection, b *call.Bindings) (func(), error) {
	opts := octoOptions{Option: "DEFAULT"}
	if err := to.Options(&opts); err != nil {
		return nil, err
	}
	client, err := octo.New(octo.Config{BaseURL: to.URL, APIKey: to.Secrets["api_key"], Supplier: opts.Supplier,
		MaxConns: to.Instance.MaxInFlight(), Sockets: to.Sockets, MaxListBody: maxList})
	if err != nil {
		return nil, err
	}
	d := &octoDesk{client: client, venue: v, ledger: to.Ledger, option: opts.Option}
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
	var all []Ticket
	if len(aim.Bookings) == 0 {
		bookings, err := d.client.Lookup(ctx, aim.Reference)
		if err != nil && !isUnknown(err) {
			return nil, fateOf(err)
		}
		for i := range bookings {
			all = append(all, d.ticketsOf(&bookings[i], bookings[i].Shown(aim.Reference))...)
		}
	}
	for _, uuid := range aim.Bookings {
		b, err := d.client.Booking(ctx, uuid)
		if isUnknown(err) {
			continue
		}
		if err != nil {
			return nil, fateOf(err)
		}
		all = append(all, d.ticketsOf(b, b.UnitItems)...)
	}
	if len(aim.Units) > 0 {
		all = slices.DeleteFunc(all, func(t Ticket) bool { return !slices.Contains(aim.Units, t.Unit) })
	}
	return all, nil
}

func (d *octoDesk) ticketsOf(b *octo.Booking, units []octo.UnitItem) []Ticket {
	var all []Ticket
	for i := range units {
		u := &units[i]
		t := Ticket{Supplier: d.client.Supplier(), Unit: u.UUID, Booking: b.UUID, Product: b.ProductID, Code: u.Code(),
			Status: statusOf(b, u), UsedAt: u.UTCRedeemedAt, AsOf: time.Now()}
		if t.Code == "" {
			t.Code = u.SupplierReference
		}
		if b.Availability != nil {
			t.From, t.To = b.Availability.Start, b.Availability.End
		}
		for _, form := range formsOf(b, u) {
			t.forms = append(t.forms, hashShown(d.ledger.Keys(), d.venue.ID, form))
		}
		all = append(all, t)
	}
	return all
}

// formsOf lists everything that may be shown for a unit of a booking.
func formsOf(b *octo.Booking, u *octo.UnitItem) []string {
	forms := []string{b.SupplierReference, b.ResellerReference, u.SupplierReference, u.ResellerReference}
	forms = append(append(forms, values(u.Ticket)...), values(b.Voucher)...)
	forms = slices.DeleteFunc(forms, func(form string) bool { return form == "" })
	slices.Sort(forms)
	return slices.Compact(forms)
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
	if r.People > 0 {
		if err := d.standsFor(ctx, r); err != nil {
			return Redeemed{}, err
		}
	}
	b, err := d.client.Redeem(ctx, r.Code)
	if err != nil {
		return Redeemed{}, d.why(ctx, r, fateOf(err))
	}
	for _, u := range b.UnitItems {
		if u.UUID == r.Unit || r.People > 0 && !u.UTCRedeemedAt.IsZero() {
			return Redeemed{}, nil
		}
	}
	return Redeemed{}, errors.New("the redeemed booking does not hold the ticket")
}

// standsFor refuses a code that lets in more people than staff have let in with it: it would use up the others' tickets.
func (d *octoDesk) standsFor(ctx context.Context, r Redemption) error {
	tickets, err := d.find(ctx, Aim{Reference: r.Code})
	switch {
	case err != nil:
		return call.NotSent(err) // whatever the look-up met, nothing was redeemed
	case len(tickets) == 0:
		return call.Refuse(refusedUnknown, nil)
	case len(tickets) > r.People:
		return call.Refuse(refusedOther, errors.New("the code is for more people than were let in"))
	}
	return nil
}

// why asks for the reason of a no that came without one.
func (d *octoDesk) why(ctx context.Context, r Redemption, err error) error {
	refused, ok := errors.AsType[*call.Refused](err)
	if !ok || refused.Reason != refusedOther {
		return err
	}
	tickets, lookErr := d.find(ctx, Aim{Reference: r.Code})
	if lookErr != nil {
		return err
	}
	for _, t := range tickets {
		switch t.Status {
		case StatusCancelled:
			return call.Refuse(refusedCancelled, refused.Detail)
		case StatusOnHold:
			return call.Refuse(refusedOnHold, refused.Detail)
		case StatusExpired:
			return call.Refuse(refusedExpired, refused.Detail)
		case StatusValid, StatusUsed:
		}
	}
	return err
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
	return Redeemed{}, true, nil
}

func (d *octoDesk) unredeem(ctx context.Context, _ string, r Redemption) (Redeemed, error) {
	_, err := d.client.Unredeem(ctx, r.Code)
	return Redeemed{}, fateOf(err)
}

func (d *octoDesk) unredeemed(ctx context.Context, _ string, r Redemption) (Redeemed, bool, error) {
	at, err := d.client.Redeemed(ctx, r.Code)
	return Redeemed{}, err == nil && at.IsZero(), fateOf(err)
}

// tickets brings in every ticket of a day as it comes, for the pre-warming.
func (d *octoDesk) tickets(ctx context.Context, day time.Time, keep func(Ticket) error) error {
	var wrong error // of a product whose list was not whole; the others are listed all the same
	for _, p := range settingsOf(d.venue).Products {
		var unkept error
		err := d.client.BookingsOn(ctx, day, p.ID, func(b *octo.Booking) error {
			for _, t := range d.ticketsOf(b, b.UnitItems) {
				if unkept = keep(t); unkept != nil {
					return unkept
				}
			}
			return nil
		})
		if unkept != nil {
			return unkept
		}
		wrong = errors.Join(wrong, err)
	}
	return wrong
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
	e, ok := errors.AsType[*wire.Error](err)
	return ok && e.Fate == wire.Refused && (e.Code == octo.CodeInvalidBooking || e.Code == octo.CodeUnprocessable)
}

// fateOf says in the engine's words what a failed call may have done.
func fateOf(err error) error {
	e, ok := errors.AsType[*wire.Error](err)
	if !ok {
		return err
	}
	used, isUsed := errors.AsType[octo.RedeemedAt](err)
	switch {
	case e.Fate == wire.NotSent:
		return call.NotSent(err)
	case e.Fate != wire.Refused || e.Code == octo.CodeUnauthorized || e.Code == octo.CodeForbidden:
		return err
	case isUsed:
		return call.Refuse(refusedUsed, usedAt(used))
	case e.Code == octo.CodeInvalidBooking:
		return call.Refuse(refusedUnknown, err)
	}
	return call.Refuse(refusedOther, err)
}
