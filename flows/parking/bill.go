package parking

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/warmgate/warmgate/flows/parking/books"
	"github.com/warmgate/warmgate/flows/parking/tariff"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// The states of a bill.
const (
	billBilled     = "billed"      // owed, and nobody collects it at the moment
	billPayPending = "pay-pending" // a provider, the city or the citizen is about to pay it
	billPaid       = "paid"        // nothing is owed
	billWaived     = "waived"      // staff have let it go
	billRefunded   = "refunded"    // it was paid and the money was given back
	billDisputed   = "disputed"    // nobody collects it until a person has decided
	billArrears    = "arrears"     // collecting has failed
	billCancelled  = "cancelled"   // the visit that it was for turned out to be none
)

// Who collects a bill.
const (
	collectPayment = "payment" // the payment provider, by agreement
	collectCity    = "city"    // the city, by its scheme
	collectNobody  = "nobody"  // the citizen pays
)

// bill is what a visit costs.
type bill struct {
	id, tenant, venue string
	plate             []byte
	stay, exit, run   string
	state, currency   string
	price             int64 // the tariff's
	paid, waived      int64 // these three never go down
	refunded          int64
	lines             []tariff.Line
	collect           string
	tries             int64 // charges begun
	corrected         int64 // corrections so far
	entered, left     time.Time
	issued            time.Time
}

// due is what is owed in minor units; below zero: so much was paid too much and not given back. What was let go before a
// correction brought the price below it was never paid, and is not given back.
func (b *bill) due() int64 {
	due := b.price - b.paid - b.waived + b.refunded
	return max(due, min(0, b.refunded-b.paid))
}

const billColumns = `id, tenant, venue, plate, stay, exit, run, state, currency, price, paid, waived, refunded, lines, collect, tries, corrected,
	entered_at, left_at, issued_at`

func scanBill(row ledger.Row) (*bill, error) {
	b := &bill{}
	var lines string
	var entered, left, issued int64
	err := row.Scan(&b.id, &b.tenant, &b.venue, &b.plate, &b.stay, &b.exit, &b.run, &b.state, &b.currency, &b.price, &b.paid, &b.waived,
		&b.refunded, &lines, &b.collect, &b.tries, &b.corrected, &entered, &left, &issued)
	if err != nil {
		return b, err
	}
	b.entered, b.left, b.issued = time.UnixMilli(entered), time.UnixMilli(left), time.UnixMilli(issued)
	return b, json.Unmarshal([]byte(lines), &b.lines)
}

// findBill reads a bill; nil where there is none.
func findBill(q ledger.Querier, id string) (*bill, error) {
	return billBy(q, `id = $1`, id)
}

func billBy(q ledger.Querier, where string, args ...any) (*bill, error) {
	all, err := listOf(q, scanBill, `SELECT `+billColumns+` FROM parking_bills WHERE `+where, args...)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return all[0], nil
}

func (b *bill) movement(kind books.Kind, n int64, by string, postings []books.Posting) books.Movement {
	return books.Movement{
		ID: string(kind) + "/" + b.id + "/" + strconv.FormatInt(n, 10), Tenant: b.tenant, Venue: b.venue, Bill: b.id, Kind: kind,
		Currency: b.currency, By: by, Postings: postings,
	}
}

// errBooked says that a movement was there already which nobody can have made: the bill and the books have come apart.
var errBooked = errors.New("the books hold this movement already")

func post(tx *ledger.Tx, m books.Movement) error {
	posted, err := books.Post(tx, m)
	if err == nil && !posted {
		err = fmt.Errorf("cannot book %s: %w", m.Kind, errBooked)
	}
	return err
}

// issue keeps a bill that is new and books it. One of which nothing is owed is paid.
func issue(tx *ledger.Tx, b *bill) error {
	lines, err := json.Marshal(b.lines)
	if err != nil {
		return err
	}
	if b.due() <= 0 {
		b.state = billPaid
	}
	b.issued = tx.Now()
	n, err := tx.Exec(`INSERT INTO parking_bills (`+billColumns+`, changed_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21) ON CONFLICT DO NOTHING`,
		b.id, b.tenant, b.venue, b.plate, b.stay, b.exit, b.run, b.state, b.currency, b.price, b.paid, b.waived, b.refunded, string(lines),
		b.collect, b.tries, b.corrected, millis(b.entered), millis(b.left), millis(b.issued), tx.Now().UnixMilli())
	switch {
	case err != nil:
		return err
	case n == 0:
		return fmt.Errorf("exit %q of lot %s has a bill already", b.exit, b.venue)
	case b.price == 0:
		return nil
	}
	return post(tx, b.movement(books.Bill, 0, ledger.ActorGateway, books.Transfer(books.Fees, books.Owed, b.price)))
}

// correct gives a bill another price, through the books: what it was stays in parking_corrections. A bill never changes in
// silence, whatever its state: what is then owed, or was paid too much, follows from it.
func correct(tx *ledger.Tx, b *bill, p tariff.Price, why, by string) error {
	before, err := json.Marshal(b.lines)
	if err != nil {
		return err
	}
	lines, err := json.Marshal(p.Lines)
	if err != nil || p.Minor == b.price && string(lines) == string(before) {
		return err
	}
	b.corrected++
	if _, err := tx.Exec(`INSERT INTO parking_corrections (bill, n, why, made_by, made_at, price_before, price, lines_before)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, b.id, b.corrected, why, by, tx.Now().UnixMilli(), b.price, p.Minor, string(before)); err != nil {
		return err
	}
	if difference := p.Minor - b.price; difference != 0 {
		if err := post(tx, b.movement(books.Correct, b.corrected, by, books.Transfer(books.Fees, books.Owed, difference))); err != nil {
			return err
		}
	}
	b.price, b.lines = p.Minor, p.Lines
	b.state = b.afterCorrection()
	return nil
}

// afterCorrection is the state of a bill whose price has become another one. What is being paid, or disputed, stays so.
func (b *bill) afterCorrection() string {
	due := b.due()
	switch {
	case b.state == billPayPending || b.state == billDisputed:
		return b.state
	case due > 0 && b.state == billArrears:
		return billArrears
	case due > 0:
		return billBilled
	case b.state == billWaived || b.state == billRefunded || b.state == billCancelled:
		return b.state
	default:
		return billPaid
	}
}

// updateBill keeps a bill that is another one now.
func updateBill(tx *ledger.Tx, b *bill) error {
	lines, err := json.Marshal(b.lines)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`UPDATE parking_bills SET stay = $1, exit = $2, state = $3, price = $4, paid = $5, waived = $6, refunded = $7, lines = $8,
		collect = $9, tries = $10, corrected = $11, entered_at = $12, left_at = $13, plate = $14, changed_at = $15 WHERE id = $16`,
		b.stay, b.exit, b.state, b.price, b.paid, b.waived, b.refunded, string(lines), b.collect, b.tries, b.corrected,
		millis(b.entered), millis(b.left), b.plate, tx.Now().UnixMilli(), b.id)
	return err
}

// money is an amount of the bill's currency.
func (b *bill) money(minor int64) gateway.Money {
	return gateway.Money{Minor: minor, Currency: b.currency}
}
