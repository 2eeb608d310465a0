// Package books keeps the money of the lots in double entry: every movement is a set of postings that sum to zero.
package books

import (
	"errors"
	"fmt"
	"time"

	"github.com/warmgate/warmgate/gateway/ledger"
)

// Account is a heading of the books. A posting above zero is a debit.
type Account string

// The accounts. What a citizen owes is Owed: it goes up with a bill and down with everything that settles it.
const (
	Owed     Account = "owed"     // citizens owe it
	Fees     Account = "fees"     // parking fees earned
	Provider Account = "provider" // money that a payment provider has taken for the lot
	City     Account = "city"     // money that the city has taken for the lot
	Waived   Account = "waived"   // fees that staff have let go
	ByHand   Account = "by-hand"  // money that staff have given back otherwise than it came
	Till     Account = "till"     // money that the lot itself has taken, at its pay stations
	Advance  Account = "advance"  // what citizens have paid inside a lot and no bill has taken yet: the lot owes it
)

// Kind says what a movement is.
type Kind string

// The kinds of movements.
const (
	Bill    Kind = "bill"    // a bill is issued
	Correct Kind = "correct" // its price turned out to be another one
	Pay     Kind = "pay"     // it is paid, in whole or in part
	Waive   Kind = "waive"   // staff let it go, in whole or in part
	Refund  Kind = "refund"  // money is given back
	Prepay  Kind = "prepay"  // it is paid inside the lot, before there is a bill
	Return  Kind = "return"  // that is given back, since there never was one
)

// MaxMinor is the largest amount of money that is booked, in minor units: every JSON reader holds it exactly (RFC 7493, 2.2).
const MaxMinor = 1 << 53

// Posting is one side of a movement.
type Posting struct {
	Account Account
	Minor   int64 // above zero: debit
}

// Movement is money that moves from one account to others.
type Movement struct {
	ID       string // the natural key: the same movement has the same one
	Tenant   string
	Venue    string
	Bill     string // "": of Prepay and Return alone
	Kind     Kind
	Currency string
	// Reference is the provider's own id of the transaction, unique for the kind; "": none.
	Reference string
	By        string // who made it: "subject@issuer" or ledger.ActorGateway
	Postings  []Posting
}

// Transfer returns the postings that move minor from one account to another; a negative amount moves back.
func Transfer(from, to Account, minor int64) []Posting {
	return []Posting{{Account: to, Minor: minor}, {Account: from, Minor: -minor}}
}

// check refuses what is no movement.
func (m Movement) check() error {
	var sum int64
	seen := map[Account]bool{}
	for _, p := range m.Postings {
		switch {
		case p.Minor == 0:
			return fmt.Errorf("a posting of nothing to %s", p.Account)
		case p.Minor > MaxMinor || p.Minor < -MaxMinor:
			return fmt.Errorf("a posting of %d to %s is past %d", p.Minor, p.Account, int64(MaxMinor))
		case seen[p.Account]:
			return fmt.Errorf("two postings to %s", p.Account)
		}
		seen[p.Account] = true
		sum += p.Minor // of at most eight accounts: it cannot overflow
	}
	switch {
	case m.ID == "" || m.Kind == "" || m.By == "" || len(m.Currency) != 3:
		return errors.New("its id, kind, maker or currency is missing")
	case (m.Bill == "") != (m.Kind == Prepay || m.Kind == Return):
		return errors.New("it is of a bill unless it is about what no bill has taken")
	case len(m.Postings) < 2:
		return fmt.Errorf("%d postings are no movement", len(m.Postings))
	case sum != 0:
		return fmt.Errorf("its postings sum to %d", sum)
	}
	return nil
}

// Post books m. posted is false where m.ID, or its kind's Reference, is booked already: then nothing changes.
func Post(tx *ledger.Tx, m Movement) (posted bool, err error) {
	if err := m.check(); err != nil {
		return false, fmt.Errorf("cannot book a movement of kind %q: %w", m.Kind, err)
	}
	var reference any
	if m.Reference != "" {
		reference = m.Reference
	}
	n, err := tx.Exec(`INSERT INTO parking_movements (id, tenant, venue, bill, kind, currency, reference, made_by, made_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING`,
		m.ID, m.Tenant, m.Venue, m.Bill, string(m.Kind), m.Currency, reference, m.By, tx.Now().UnixMilli())
	if err != nil || n == 0 {
		return false, err
	}
	for _, p := range m.Postings {
		if _, err := tx.Exec(`INSERT INTO parking_postings (movement, account, minor) VALUES ($1, $2, $3)`,
			m.ID, string(p.Account), p.Minor); err != nil {
			return false, err
		}
	}
	return true, nil
}

// Balance returns what account holds of a bill, in minor units.
func Balance(q ledger.Querier, bill string, account Account) (minor int64, err error) {
	err = q.QueryRow(`SELECT CAST(COALESCE(SUM(p.minor), 0) AS BIGINT) FROM parking_movements m JOIN parking_postings p ON p.movement = m.id
		WHERE m.bill = $1 AND p.account = $2`, bill, string(account)).Scan(&minor)
	return minor, err
}

// Booked is one movement of a bill with its postings, for whoever asks what became of it.
type Booked struct {
	Movement
	At time.Time
}

// Of lists what is booked of a bill, the first first.
func Of(q ledger.Querier, bill string) (all []Booked, err error) {
	rows, err := q.Query(`SELECT m.id, m.tenant, m.venue, m.kind, m.currency, COALESCE(m.reference, ''), m.made_by, m.made_at, p.account, p.minor
		FROM parking_movements m JOIN parking_postings p ON p.movement = m.id WHERE m.bill = $1 ORDER BY m.made_at, m.id, p.account`, bill)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		b := Booked{Movement: Movement{Bill: bill}}
		var kind, account string
		var at int64
		var p Posting
		if err := rows.Scan(&b.ID, &b.Tenant, &b.Venue, &kind, &b.Currency, &b.Reference, &b.By, &at, &account, &p.Minor); err != nil {
			return nil, err
		}
		b.Kind, b.At, p.Account = Kind(kind), time.UnixMilli(at).UTC(), Account(account)
		if n := len(all); n > 0 && all[n-1].ID == b.ID {
			all[n-1].Postings = append(all[n-1].Postings, p)
			continue
		}
		b.Postings = []Posting{p}
		all = append(all, b)
	}
	return all, rows.Err()
}
