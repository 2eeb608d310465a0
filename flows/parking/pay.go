package parking

import (
	"context"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/warmgate/warmgate/flows/parking/books"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// The states of a collection.
const (
	collectionOrdered  = "ordered"  // nobody knows whether the collector has taken it; the outbox finds out, and then the clerk
	collectionAccepted = "accepted" // it has, and has not decided
	collectionPaid     = "paid"
	collectionFailed   = "failed" // it was not paid, and will not be under this number
)

// collection is an order to collect a bill. It is kept before it is sent, so that whatever is told of it later finds it, and
// so that sending it again sends the same.
type collection struct {
	number, bill, venue, collector string
	try, minor                     int64
	state                          string
	ordered                        time.Time
	looks                          int64
}

const collectionColumns = `number, bill, try, venue, collector, minor, state, ordered_at, looks`

func scanCollection(row ledger.Row) (*collection, error) {
	c := &collection{}
	var ordered int64
	err := row.Scan(&c.number, &c.bill, &c.try, &c.venue, &c.collector, &c.minor, &c.state, &ordered, &c.looks)
	c.ordered = time.UnixMilli(ordered)
	return c, err
}

func collectionBy(q ledger.Querier, where string, args ...any) (*collection, error) {
	all, err := listOf(q, scanCollection, `SELECT `+collectionColumns+` FROM parking_collections WHERE `+where, args...)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return all[0], nil
}

// numberOf is what a collector knows the try of a bill by: at most 32 letters, digits and a dash, the same each time.
func numberOf(bill string, try int64) (string, error) {
	raw, err := hex.DecodeString(bill)
	if err != nil || len(raw) != 16 {
		return "", fmt.Errorf("cannot number the collection of a bill: its id has %d characters, not 32 hexadecimal digits", len(bill))
	}
	id := strings.ToLower(base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(raw))
	return id + "-" + strconv.FormatInt(try, 36), nil
}

// Ordered is what a collector is to be asked for.
type Ordered struct {
	Number string
	Minor  int64
	Ask    bool // it is to be asked for
	Look   bool // it may have been asked for, and is not to be any more: only how it stands
	Visit  Visited
}

// Visited is what collectors want to know of a visit.
type Visited struct {
	Entry, Exit string // the gates
	Vehicle     string
	Entered     time.Time
}

// orderOf keeps that a charge is about to be sent. What is owed is looked at here, once: a charge that is sent again asks for
// the same. One that another has overtaken, or of a bill that nobody is to collect any more, such as one that is disputed, asks
// for nothing.
var orderOf = &ledger.Decision[Charge, Ordered]{Name: "parking.order", Run: func(tx *ledger.Tx, c Charge) (o Ordered, err error) {
	before, err := collectionBy(tx, `bill = $1 AND try = $2`, c.Bill, c.Try)
	if err != nil {
		return o, err
	}
	b, err := findBill(tx, c.Bill)
	if err != nil {
		return o, err
	}
	if b == nil {
		return o, fmt.Errorf("cannot collect bill %s: it is not there", c.Bill)
	}
	if o.Visit, err = visited(tx, c.Stay); err != nil {
		return o, err
	}
	wanted := b.state == billPayPending && b.tries == c.Try
	if before != nil {
		o.Number, o.Minor = before.number, before.minor
		o.Ask, o.Look = wanted && before.state == collectionOrdered, !wanted && before.state == collectionOrdered
		return o, nil
	}
	if !wanted {
		return o, nil
	}
	if b.due() <= 0 {
		b.state = billPaid
		return o, updateBill(tx, b)
	}
	if o.Number, err = numberOf(b.id, c.Try); err != nil {
		return o, err
	}
	o.Minor, o.Ask = b.due(), true
	billed := int64(0)
	if c.By == collectCity { // its bills go by when a car has left
		billed = c.Left.UnixMilli()
	}
	_, err = tx.Exec(`INSERT INTO parking_collections (`+collectionColumns+`, reason, reference, changed_at, look_at, billed_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, '', '', $8, $9, $10)`,
		o.Number, b.id, c.Try, b.venue, c.By, o.Minor, collectionOrdered, tx.Now().UnixMilli(), tx.Now().Add(lookGivenUp).UnixMilli(), billed)
	if err != nil {
		return o, err
	}
	return o, aboutOwner(tx, b.plate, b.left, b.run)
}}

// visited reads a visit; the zero value where it has gone.
func visited(q ledger.Querier, id string) (Visited, error) {
	all, err := listOf(q, scanStay, `SELECT `+stayColumns+` FROM parking_stays WHERE id = $1`, id)
	if err != nil || len(all) == 0 {
		return Visited{}, err
	}
	return Visited{Entry: all[0].gate, Exit: all[0].exitGate, Vehicle: all[0].vehicle, Entered: all[0].entered}, nil
}

// errStopped says that a charge is not to be sent any more that may have been: the next attempt asks how it stands.
var errStopped = errors.New("the bill is not to be collected any more; it is asked whether it was")

// isGivenUp reports whether nobody sends a charge any more: the outbox has handed it to a person.
func (c *collection) isGivenUp(q ledger.Querier) (bool, error) {
	op, found, err := ledger.FindOperation(q, Charge{Bill: c.bill, Try: c.try}.key())
	return found && (op.State == ledger.OpAssist || op.State == ledger.OpRefused), err
}

// stopped keeps that a charge was not sent, and is not to be.
func stopped(number string) Verdict {
	return Verdict{Number: number, State: collectionFailed, Reason: "stopped"}
}

// collected asks a collector whether it has the collection of a bill, and keeps how it stands. look asks, and returns nil where
// there is none; fate says what its error means.
func collected(ctx context.Context, l *ledger.Ledger, c Charge,
	look func(ctx context.Context, of *collection, plate string, left time.Time) (*Verdict, error), fate func(error) error) (happened bool, err error) {
	o, err := ledger.Do(ledger.Patient(ctx), l, orderOf, c)
	switch {
	case err != nil:
		return false, err
	case !o.Ask && !o.Look: // there is nothing to ask for, or it is known how it stands
		return true, nil
	}
	v, err := look(ctx, &collection{number: o.Number}, c.Plate, c.Left)
	switch {
	case err != nil:
		return false, fate(err)
	case v == nil && !o.Look:
		return false, nil
	case v == nil:
		v = new(stopped(o.Number))
	}
	_, err = ledger.Do(ledger.Patient(ctx), l, settle, *v)
	return err == nil, err
}

// Verdict is how a collector says that a collection stands.
type Verdict struct {
	Number    string
	State     string // collectionAccepted, collectionPaid or collectionFailed
	Minor     int64  // what was paid
	Reference string // the collector's own id of the payment, unique at the collector
	Reason    string // why it failed, in the collector's word

	// At is the moment by which it stands in the collector's bill of a day; zero: that is not said.
	At time.Time `json:",omitzero"`
}

// Settled is what a verdict has led to.
type Settled struct {
	Unknown bool // no collection has this number (yet)
	Bill    string
	State   string // of the bill
}

// settle keeps how a collection stands. It may be told any number of times, in any order: a payment is booked once, and what
// was paid stays paid.
var settle = &ledger.Decision[Verdict, Settled]{Name: "parking.settle", Run: settleCollection}

func settleCollection(tx *ledger.Tx, v Verdict) (Settled, error) {
	c, err := collectionBy(tx, `number = $1`, v.Number)
	if err != nil || c == nil {
		return Settled{Unknown: true}, err
	}
	b, err := findBill(tx, c.bill)
	if err != nil {
		return Settled{}, err
	}
	if b == nil {
		return Settled{}, fmt.Errorf("cannot settle a collection of bill %s: it is not there", c.bill)
	}
	switch {
	case c.state == collectionPaid:
	case v.State == collectionPaid:
		err = c.paid(tx, b, v)
	case v.State == collectionAccepted && c.state == collectionOrdered:
		err = c.move(tx, collectionAccepted, "", "", tx.Now().Add(lookFirst))
	case v.State == collectionFailed && c.state != collectionFailed:
		err = c.failed(tx, b, v.Reason)
	}
	return Settled{Bill: b.id, State: b.state}, err
}

// move keeps that a collection stands elsewhere now.
func (c *collection) move(tx *ledger.Tx, state, reason, reference string, look time.Time) error {
	_, err := tx.Exec(`UPDATE parking_collections SET state = $1, reason = $2, reference = $3, changed_at = $4, look_at = $5 WHERE number = $6`,
		state, reason, reference, tx.Now().UnixMilli(), millis(look), c.number)
	c.state = state
	return err
}

// failed lets a bill fall into arrears, unless another try of it, or a person, has taken over.
func (c *collection) failed(tx *ledger.Tx, b *bill, reason string) error {
	again := time.Time{}
	if b.state == billPayPending && b.tries == c.try {
		again = tx.Now() // then it is a person's
		if c.try < maxTries {
			again = again.Add(remindAfter << (c.try - 1))
		}
	}
	if err := c.move(tx, collectionFailed, reason, "", again); err != nil {
		return err
	}
	if b.state != billPayPending || b.tries != c.try {
		return nil
	}
	if b.state = billArrears; b.due() <= 0 {
		b.state = billPaid
	}
	return updateBill(tx, b)
}

// paid books what a collector has taken. That is a fact: it is booked whatever the bill has become, and what was taken too
// much, or differs from what was asked for, is a person's.
func (c *collection) paid(tx *ledger.Tx, b *bill, v Verdict) error {
	m := b.movement(books.Pay, c.try, ledger.ActorGateway, books.Transfer(books.Owed, accountOf(c.collector), v.Minor))
	if v.Reference != "" {
		m.Reference = c.collector + "/" + v.Reference
	}
	posted, err := books.Post(tx, m)
	if err != nil {
		return err
	}
	if !posted { // its reference is another bill's: whoever is wrong, it is not to be counted twice
		return openFor(tx, b, handDiffers, "the payment's reference is booked for another bill already")
	}
	look := time.Time{}
	if c.collector != collectCity { // the city may want to hear of it
		look = tx.Now()
	}
	if err := c.move(tx, collectionPaid, "", v.Reference, look); err != nil {
		return err
	}
	if c.collector != collectCity {
		if err := standsIn(tx, "parking_collections", c.number, v.At); err != nil {
			return err
		}
	}
	b.paid += v.Minor
	b.state = b.afterPayment(c.try)
	if err := updateBill(tx, b); err != nil {
		return err
	}
	if err := noArrears(tx, b, wordPaid); err != nil {
		return err
	}
	if v.Minor != c.minor {
		return openFor(tx, b, handDiffers, fmt.Sprintf("asked for %d, paid %d", c.minor, v.Minor))
	}
	if b.due() < 0 {
		return openFor(tx, b, handOverpaid, "")
	}
	return nil
}

// standsIn keeps by which moment a payment or a refund stands in one of the collector's daily bills.
func standsIn(tx *ledger.Tx, table, number string, at time.Time) error {
	if at.IsZero() {
		at = tx.Now()
	}
	_, err := tx.Exec(`UPDATE `+table+` SET billed_at = $1 WHERE number = $2`, at.UnixMilli(), number)
	return err
}

// afterPayment is the state of a bill after a payment by its try. A dispute goes on: a person decides about the money.
func (b *bill) afterPayment(try int64) string {
	switch {
	case b.state == billDisputed, b.state == billCancelled, b.state == billRefunded, b.state == billWaived:
		return b.state
	case b.due() <= 0:
		return billPaid
	case b.state == billPayPending && b.tries == try: // the price has risen since it was ordered
		return billArrears
	}
	return b.state
}

// handDiffers is for what a collector tells otherwise than the books have it.
var handDiffers = journey.Handover{Kind: "parking-payment-differs", Next: gateway.Text{
	Zh: "收款方的记录与账单不一致，请逐项核对后处理", En: "A collector's record differs from the bill: compare the two and settle the difference"}}

// handUndecided is for a collection that its collector does not decide.
var handUndecided = journey.Handover{Kind: "parking-payment-undecided", Next: gateway.Text{
	Zh: "收款方迟迟没有给出扣款结果，请向其查询", En: "A collector has not decided about a charge for days: ask them how it stands"}}

// openFor hands a bill to a person.
func openFor(tx *ledger.Tx, b *bill, h journey.Handover, tried string) error {
	a := ledger.Assist{Run: b.run, Plan: planExit, Kind: h.Kind, Tenant: b.tenant, Venue: b.venue, NextAction: h.Next, Subject: b.id}
	if tried != "" {
		a.Tried = []string{tried}
	}
	return openAbout(tx, a)
}
