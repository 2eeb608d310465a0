package parking

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/warmgate/warmgate/backends/wechatpay"
	"github.com/warmgate/warmgate/backends/wire"
	"github.com/warmgate/warmgate/flows/parking/plate"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// wechatOptions are the connector's own settings in a lot's file.
type wechatOptions struct {
	MchID            string `yaml:"mchid"`             // the merchant's number
	AppID            string `yaml:"appid"`             // the account that the merchant is bound to
	SubMchID         string `yaml:"sub_mchid"`         // where mchid is a service provider's
	SubAppID         string `yaml:"sub_appid"`         //
	SerialNo         string `yaml:"serial_no"`         // of the merchant's certificate
	PlatformKeyID    string `yaml:"platform_key_id"`   // where secrets.platform_keys is a public key
	NotifyURL        string `yaml:"notify_url"`        // https://…/v1/webhooks/wechatpay/LOT, as the provider reaches it
	ParkingName      string `yaml:"parking_name"`      // on the payer's bill; "": the lot's Chinese name
	UnsignedRefusals bool   `yaml:"unsigned_refusals"` // see wechatpay.Config
}

// wechatTill is a merchant of WeChat Pay's parking service, as this journey needs it.
type wechatTill struct {
	client *wechatpay.Client
	venue  *gateway.Venue
	ledger *ledger.Ledger
	name   string
}

// connectWeChatPay binds what the payment provider does for a lot to WeChat Pay.
func (o connectors) connectWeChatPay(v *gateway.Venue, to flow.Connection, b *call.Bindings) (func(), error) {
	var opts wechatOptions
	if err := to.Options(&opts); err != nil {
		return nil, err
	}
	if v.Settings.(*Settings).Currency != "CNY" {
		return nil, &gateway.FieldError{Path: "connector", Message: "wechatpay collects CNY alone"}
	}
	client, err := wechatpay.New(wechatpay.Config{BaseURL: to.URL, MchID: opts.MchID, AppID: opts.AppID, SubMchID: opts.SubMchID,
		SubAppID: opts.SubAppID, SerialNo: opts.SerialNo, PrivateKey: to.Secrets["private_key"], APIv3Key: to.Secrets["api_v3_key"],
		PlatformKeys: to.Secrets["platform_keys"], PlatformKeyID: opts.PlatformKeyID, NotifyURL: opts.NotifyURL,
		Unread: to.Unread, UnsignedRefusals: opts.UnsignedRefusals, MaxConns: to.Instance.MaxInFlight(), Sockets: to.Sockets, Signing: o.signing})
	if err != nil {
		return nil, err
	}
	name := []rune(cmp.Or(opts.ParkingName, v.Name.Zh, v.ID))
	w := &wechatTill{client: client, venue: v, ledger: to.Ledger, name: string(name[:min(len(name), wechatpay.MaxParkingName)])}
	call.BindWrite(b, o.announce, to.Instance, call.Effect[CarIn, Told]{Do: w.announce, Find: askAgain[CarIn]})
	call.BindWrite(b, o.charge, to.Instance, call.Effect[Charge, Told]{Do: w.charge, Find: w.charged})
	stop := o.tills.add(&till{venue: v, connector: "wechatpay", collector: collectPayment, hear: w.hear, look: w.look, back: w.back,
		account: "wechatpay/" + to.URL + "/" + opts.MchID + "/" + opts.SubMchID, zone: wechatpay.China(), bill: w.bill, given: w.given})
	return func() { stop(); client.Close() }, nil
}

// askAgain is for an effect that is idempotent at its system and cannot be asked for: it is done again.
func askAgain[A any](context.Context, string, A) (none Told, happened bool, err error) {
	return none, false, nil
}

// announce tells the provider of a car, and keeps whether it may pay later.
func (w *wechatTill) announce(ctx context.Context, _ string, c CarIn) (none Told, err error) {
	p, err := plate.Parse(c.Plate)
	if err != nil {
		return none, err
	}
	parking, err := w.client.CreateParking(ctx, wechatpay.Entry{OutParkingNo: c.Stay, Plate: c.Plate, Color: wechatColor(colorOf(p, c.Vehicle)),
		EnteredAt: c.At.In(w.venue.Location), ParkingName: w.name})
	permission := Permission{Venue: w.venue.ID, Plate: hashPlate(w.ledger.Keys(), w.venue.Tenant, p), Source: collectPayment,
		State: permitBlocked, By: ledger.ActorGateway, At: w.ledger.Now(), Stay: c.Stay}
	switch {
	case err != nil && !wechatSaysNo(err):
		return none, wechatFate(err)
	case err == nil:
		permission.Reference = parking.ID
		if parking.State == wechatpay.Normal {
			permission.State = permitGranted
		}
	}
	_, err = ledger.Do(ledger.Patient(ctx), w.ledger, permitCar, permission)
	return none, err
}

// charge asks the provider to collect a bill, and keeps what it says. Accepted is not paid: that is told, or asked for, later.
func (w *wechatTill) charge(ctx context.Context, _ string, c Charge) (none Told, err error) {
	o, err := ledger.Do(ledger.Patient(ctx), w.ledger, orderOf, c)
	switch {
	case err != nil:
		return none, err
	case o.Look:
		return none, errStopped
	case !o.Ask:
		return none, nil
	}
	order, err := w.order(c, o)
	if err != nil {
		return none, err
	}
	var t *wechatpay.Transaction
	if c.Try == 1 && c.Reference != "" {
		order.ParkingID = c.Reference
		if t, err = w.client.CreateTransaction(ctx, order); err == nil {
			_, err = ledger.Do(ledger.Patient(ctx), w.ledger, settle, wechatVerdict(t))
			return none, err
		}
		if wechatpay.RefusalOf(err) != wechatpay.RefusedState {
			return none, w.refused(ctx, o.Number, err)
		}
	}
	// The entry cannot be charged (any more), or there is none: the provider charges one entry once. The charge gets its own.
	entry, err := w.client.CreateParking(ctx, wechatpay.Entry{OutParkingNo: o.Number, Plate: order.Plate, Color: order.Color,
		EnteredAt: order.EnteredAt, ParkingName: order.ParkingName})
	if err == nil {
		order.ParkingID = entry.ID
		t, err = w.client.CreateTransaction(ctx, order)
	}
	if err != nil {
		return none, w.refused(ctx, o.Number, err)
	}
	_, err = ledger.Do(ledger.Patient(ctx), w.ledger, settle, wechatVerdict(t))
	return none, err
}

// order is a charge in the provider's words, but for its entry. It is the same each time that it is made.
func (w *wechatTill) order(c Charge, o Ordered) (wechatpay.Charge, error) {
	p, err := plate.Parse(c.Plate)
	entered, left := c.Entered.In(w.venue.Location).Truncate(time.Second), c.Left.In(w.venue.Location).Truncate(time.Second)
	if !left.After(entered) {
		left = entered.Add(time.Second)
	}
	return wechatpay.Charge{OutTradeNo: o.Number, Description: "停车费", Total: o.Minor, Plate: c.Plate, Color: wechatColor(colorOf(p, o.Visit.Vehicle)),
		EnteredAt: entered, LeftAt: left, ParkingName: w.name, Charged: left.Sub(entered), DeviceID: deviceOf(o.Visit.Exit)}, err
}

// refused keeps a definite no of the provider's: the bill falls into arrears. A no that is our own mistake is a person's. Before
// it is believed that a number was used otherwise, the provider is asked.
func (w *wechatTill) refused(ctx context.Context, number string, err error) error {
	switch kind := wechatpay.RefusalOf(err); kind {
	case wechatpay.RefusedLimit, wechatpay.RefusedNotFound, wechatpay.RefusedPayer, wechatpay.RefusedState:
		_, err := ledger.Do(ledger.Patient(ctx), w.ledger, settle, Verdict{Number: number, State: collectionFailed, Reason: string(kind)})
		return err
	case wechatpay.RefusedOtherUse:
		t, asked := w.client.QueryTransaction(ctx, number)
		if asked != nil {
			return wechatFate(asked)
		}
		if t != nil {
			_, err := ledger.Do(ledger.Patient(ctx), w.ledger, settle, wechatVerdict(t))
			return err
		}
		return call.Refuse(string(kind), err)
	}
	return wechatFate(err)
}

// charged asks whether the provider has a charge, and keeps how it stands.
func (w *wechatTill) charged(ctx context.Context, _ string, c Charge) (none Told, happened bool, err error) {
	happened, err = collected(ctx, w.ledger, c, w.look, wechatFate)
	return none, happened, err
}

// look asks how a collection stands.
func (w *wechatTill) look(ctx context.Context, c *collection, _ string, _ time.Time) (*Verdict, error) {
	t, err := w.client.QueryTransaction(ctx, c.number)
	if err != nil || t == nil {
		return nil, err
	}
	v := wechatVerdict(t)
	return &v, nil
}

// wechatVerdict is a charge of the provider's in this journey's words. A state that is not known is not decided.
func wechatVerdict(t *wechatpay.Transaction) Verdict {
	v := Verdict{Number: t.OutTradeNo, State: collectionAccepted, Minor: t.Total, Reference: t.ID, At: t.SucceededAt}
	switch t.State {
	case wechatpay.Success, wechatpay.Refunded:
		v.State = collectionPaid
	case wechatpay.PayFail:
		v.State, v.Reason = collectionFailed, "pay-fail"
	case wechatpay.Accepted:
	}
	return v
}

// hear reads a notification of the provider's.
func (w *wechatTill) hear(ctx context.Context, header func(name string) string, body []byte) (h Heard, err error) {
	n, err := w.client.Notification(ctx, header, body)
	if err != nil {
		return h, wechatHeard(err)
	}
	h.ID = n.ID
	switch {
	case n.Transaction != nil:
		v := wechatVerdict(n.Transaction)
		h.Verdict, h.Subject = &v, v.Number
	case n.Refund != nil:
		v := wechatRefund(n.Refund)
		h.Refund, h.Subject = &v, v.Number
	case n.Parking != nil:
		h.Permission = &Permission{Venue: w.venue.ID, Source: collectPayment, State: permitBlocked, Reference: n.Parking.ID,
			At: n.Parking.At, By: ledger.ActorGateway}
		if n.Parking.State == wechatpay.Normal {
			h.Permission.State = permitGranted
		}
		h.Stay, h.Subject = n.Parking.OutParkingNo, n.Parking.OutParkingNo
	}
	return h, nil
}

// wechatHeard is why a notification is not taken, as a problem.
func wechatHeard(err error) error {
	switch {
	case errors.Is(err, wechatpay.ErrUnverified):
		return ProblemNoticeUnverified.Error(gateway.Text{}).WithRetryAfter(time.Minute).WithCause(err)
	case errors.Is(err, wechatpay.ErrUnreadable):
		return ProblemNoticeUnreadable.Error(gateway.Text{}).WithCause(err)
	}
	return ProblemNoticeForged.Error(gateway.Text{}).WithCause(err)
}

// back gives money back, under the number of the repayment.
func (w *wechatTill) back(ctx context.Context, r Repayment) (Verdict, error) {
	found, err := w.client.QueryRefund(ctx, r.Number)
	if err == nil && found == nil {
		found, err = w.client.CreateRefund(ctx, wechatpay.RefundOrder{OutRefundNo: r.Number, OutTradeNo: r.Collection, Refund: r.Minor, Total: r.Total})
	}
	if err != nil {
		switch kind := wechatpay.RefusalOf(err); kind {
		case wechatpay.RefusedState, wechatpay.RefusedNotFound, wechatpay.RefusedPayer, wechatpay.RefusedOtherUse, wechatpay.RefusedInput:
			return Verdict{}, call.Refuse(string(kind), err)
		}
		return Verdict{}, wechatFate(err)
	}
	return wechatRefund(found), nil
}

func wechatRefund(r *wechatpay.Refund) Verdict {
	v := Verdict{Number: r.OutRefundNo, State: collectionAccepted, Minor: r.Refund, Reference: r.ID, At: r.CreatedAt}
	switch r.State {
	case wechatpay.RefundSuccess:
		v.State = collectionPaid
	case wechatpay.RefundClosed, wechatpay.RefundAbnormal:
		v.State, v.Reason = collectionFailed, strings.ToLower(string(r.State))
	case wechatpay.RefundProcessing:
	}
	return v
}

// given asks how a refund stands.
func (w *wechatTill) given(ctx context.Context, number string) (*Verdict, error) {
	r, err := w.client.QueryRefund(ctx, number)
	if err != nil || r == nil {
		return nil, err
	}
	v := wechatRefund(r)
	return &v, nil
}

// billWithin is how long a day's bill may take to come. Deciding about what it says has no such bound.
const billWithin = 10 * time.Minute

// bill reads the merchant's bill of a day.
func (w *wechatTill) bill(ctx context.Context, day string, take func(Entry) error) error {
	ctx, cancel := context.WithTimeout(ctx, billWithin)
	defer cancel()
	_, err := w.client.TradeBill(ctx, day, func(r *wechatpay.BillRow) error { return take(wechatEntry(r)) })
	switch wechatpay.RefusalOf(err) {
	case wechatpay.RefusedNoBill: // nothing was paid or refunded on that day
		return nil
	case wechatpay.RefusedNotReady:
		return fmt.Errorf("%w: it makes a day's bill on the next day, by ten in the morning", errNotReady)
	}
	return err
}

// wechatEntry is a row of the provider's in this journey's words.
func wechatEntry(r *wechatpay.BillRow) Entry {
	e := Entry{Number: r.OutTradeNo, Reference: r.TransactionID, Minor: r.Total, State: collectionFailed}
	switch {
	case r.OutRefundNo != "":
		e = Entry{Refund: true, Number: r.OutRefundNo, Reference: r.RefundID, Minor: r.RefundAsked, State: collectionFailed}
		switch wechatpay.RefundState(r.RefundState) {
		case wechatpay.RefundSuccess:
			e.State = collectionPaid
		case wechatpay.RefundProcessing:
			e.State = collectionAccepted
		case wechatpay.RefundClosed, wechatpay.RefundAbnormal:
		}
	case r.State == wechatpay.RowPaid:
		e.State = collectionPaid
	}
	return e
}

// wechatSaysNo reports whether the provider has definitely said that a car cannot pay later.
func wechatSaysNo(err error) bool {
	switch wechatpay.RefusalOf(err) {
	case wechatpay.RefusedLimit, wechatpay.RefusedNotFound, wechatpay.RefusedState, wechatpay.RefusedPayer, wechatpay.RefusedOtherUse, wechatpay.RefusedInput:
		return true
	}
	return false
}

// wechatFate says what an error of the client means for the effect. Whoever asks too often, and whose credentials are not
// accepted, tries again: nothing is decided by that.
func wechatFate(err error) error {
	e, ok := errors.AsType[*wire.Error](err)
	switch {
	case !ok:
		return err
	case e.Fate == wire.NotSent:
		return call.NotSent(err)
	}
	if kind := wechatpay.RefusalOf(err); kind == wechatpay.RefusedInput {
		return call.Refuse(string(kind), err)
	}
	return err
}

// wechatColor is a plate's colour in the interface's words, which has one more for a large car of new energy.
func wechatColor(c color) wechatpay.PlateColor {
	return [...]wechatpay.PlateColor{blue: wechatpay.Blue, yellow: wechatpay.Yellow, white: wechatpay.White, black: wechatpay.Black,
		green: wechatpay.Green, yellowGreen: wechatpay.LimeGreen}[c]
}

// deviceOf is a gate as the interface takes it: 1 to 32 visible characters.
func deviceOf(gate string) string {
	if gate == "" {
		return "exit"
	}
	return gate[:min(len(gate), 32)]
}
