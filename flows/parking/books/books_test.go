package books_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/flows/parking"
	"github.com/warmgate/warmgate/flows/parking/books"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/ledger/sqlite"
	"github.com/warmgate/warmgate/gateway/seal"
)

// shelf is a ledger with the journey's tables.
type shelf struct {
	*ledger.Ledger
	t *testing.T
}

func open(t *testing.T) shelf {
	t.Helper()
	store, err := sqlite.Open(filepath.Join(t.TempDir(), "ledger.db"), sqlite.Config{})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := seal.New(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f, err := parking.New()
	if err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(context.Background(), store, ledger.Config{}, keys, slog.New(slog.DiscardHandler), time.Now, f.Migrations...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return shelf{l, t}
}

// post books a movement in a commit of its own.
func (s shelf) post(m books.Movement) (posted bool, err error) {
	return ledger.Do(context.Background(), s.Ledger, &ledger.Decision[books.Movement, bool]{Name: "test", Run: books.Post}, m)
}

func (s shelf) view(f func(q ledger.Querier) error) {
	s.t.Helper()
	if err := s.View(context.Background(), f); err != nil {
		s.t.Fatal(err)
	}
}

// rows is how many movements and postings there are.
func (s shelf) rows() (n int64) {
	s.t.Helper()
	s.view(func(q ledger.Querier) error {
		return q.QueryRow(`SELECT (SELECT COUNT(*) FROM parking_movements) * 1000 + (SELECT COUNT(*) FROM parking_postings)`).Scan(&n)
	})
	return n
}

func movement(kind books.Kind, id string, from, to books.Account, minor int64) books.Movement {
	m := books.Movement{ID: id, Tenant: "t", Venue: "v", Bill: "b", Kind: kind, Currency: "CNY", By: "gateway", Postings: books.Transfer(from, to, minor)}
	if kind == books.Prepay || kind == books.Return {
		m.Bill = ""
	}
	return m
}

// TestEveryMovementSumsToZero: each kind moves money from one account to another, and what a bill owes is their sum.
func TestEveryMovementSumsToZero(t *testing.T) {
	s := open(t)
	owed := int64(0)
	for i, c := range []struct {
		kind     books.Kind
		from, to books.Account
		minor    int64
		owed     int64 // what it changes
	}{
		{books.Bill, books.Fees, books.Owed, 5000, 5000},
		{books.Correct, books.Fees, books.Owed, -1000, -1000},
		{books.Pay, books.Owed, books.Provider, 1500, -1500},
		{books.Pay, books.Owed, books.City, 500, -500},
		{books.Prepay, books.Advance, books.Till, 700, 0},
		{books.Pay, books.Owed, books.Advance, 700, -700},
		{books.Waive, books.Owed, books.Waived, 1300, -1300},
		{books.Refund, books.Provider, books.Owed, 200, 200},
		{books.Prepay, books.Advance, books.Till, 1, 0},
		{books.Return, books.Till, books.Advance, 1, 0},
		{books.Bill, books.Fees, books.Owed, books.MaxMinor, books.MaxMinor},
		{books.Correct, books.Fees, books.Owed, -books.MaxMinor, -books.MaxMinor},
	} {
		m := movement(c.kind, fmt.Sprint("m", i), c.from, c.to, c.minor)
		if posted, err := s.post(m); !posted || err != nil {
			t.Fatalf("%s of %d: %v, %v", c.kind, c.minor, posted, err)
		}
		owed += c.owed
		s.view(func(q ledger.Querier) error {
			got, err := books.Balance(q, "b", books.Owed)
			if got != owed {
				t.Errorf("after %s of %d the bill owes %d, want %d", c.kind, c.minor, got, owed)
			}
			var sum int64
			if err := q.QueryRow(`SELECT SUM(minor) FROM parking_postings`).Scan(&sum); err != nil || sum != 0 {
				t.Errorf("after %s of %d all accounts sum to %d, %v", c.kind, c.minor, sum, err)
			}
			return err
		})
	}
	s.view(func(q ledger.Querier) error {
		all, err := books.Of(q, "b")
		if err != nil || len(all) != 9 {
			t.Errorf("the bill has %d movements, %v", len(all), err)
		}
		for _, b := range all {
			if len(b.Postings) != 2 || b.Postings[0].Minor != -b.Postings[1].Minor || b.At.IsZero() {
				t.Errorf("%s has postings %v at %v", b.ID, b.Postings, b.At)
			}
		}
		return nil
	})
}

// TestNoMovement: what is none is refused, and nothing of it is booked.
func TestNoMovement(t *testing.T) {
	s := open(t)
	post := func(minor ...int64) (all []books.Posting) {
		accounts := []books.Account{books.Owed, books.Fees, books.Provider, books.City, books.Waived}
		for i, n := range minor {
			all = append(all, books.Posting{Account: accounts[i], Minor: n})
		}
		return all
	}
	for what, c := range map[string]struct {
		change func(m *books.Movement)
		says   string
	}{
		"it does not sum to zero": {func(m *books.Movement) { m.Postings = post(100, -99) }, "sum to 1"},
		"three that do not":       {func(m *books.Movement) { m.Postings = post(100, -60, -60) }, "sum to -20"},
		"one side":                {func(m *books.Movement) { m.Postings = post(100) }, "no movement"},
		"no side":                 {func(m *books.Movement) { m.Postings = nil }, "no movement"},
		"nothing moves":           {func(m *books.Movement) { m.Postings = books.Transfer(books.Fees, books.Owed, 0) }, "posting of nothing"},
		"from and to itself":      {func(m *books.Movement) { m.Postings = books.Transfer(books.Owed, books.Owed, 5) }, "two postings to owed"},
		"past 2^53":               {func(m *books.Movement) { m.Postings = books.Transfer(books.Fees, books.Owed, books.MaxMinor+1) }, "is past"},
		"far below":               {func(m *books.Movement) { m.Postings = books.Transfer(books.Fees, books.Owed, -books.MaxMinor-1) }, "is past"},
		"amounts that wrap around": {func(m *books.Movement) {
			m.Postings = post(math.MaxInt64, math.MaxInt64, 2)
		}, "is past"},
		"the least of all": {func(m *books.Movement) { m.Postings = post(math.MinInt64, math.MinInt64) }, "is past"},
		"no id":            {func(m *books.Movement) { m.ID = "" }, "missing"},
		"no kind":          {func(m *books.Movement) { m.Kind = "" }, "missing"},
		"nobody made it":   {func(m *books.Movement) { m.By = "" }, "missing"},
		"no currency":      {func(m *books.Movement) { m.Currency = "CN" }, "missing"},
		"no bill":          {func(m *books.Movement) { m.Bill = "" }, "of a bill"},
		"a prepayment of a bill": {func(m *books.Movement) {
			m.Kind = books.Prepay
		}, "of a bill"},
	} {
		m := movement(books.Bill, "m", books.Fees, books.Owed, 100)
		c.change(&m)
		if posted, err := s.post(m); posted || err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, %v", what, posted, err)
		}
	}
	if n := s.rows(); n != 0 {
		t.Errorf("%d rows are left behind", n)
	}
}

// TestAMovementIsBookedOnce: by its id, and by its kind's reference, whatever else it says.
func TestAMovementIsBookedOnce(t *testing.T) {
	s := open(t)
	first := movement(books.Pay, "m1", books.Owed, books.Provider, 100)
	first.Reference = "payment/420000"
	if posted, err := s.post(first); !posted || err != nil {
		t.Fatal(posted, err)
	}
	other := func(change func(m *books.Movement)) books.Movement {
		m := first
		change(&m)
		return m
	}
	for what, m := range map[string]books.Movement{
		"the same again":                                  first,
		"the id of another amount":                        other(func(m *books.Movement) { m.Reference = ""; m.Postings = books.Transfer(books.Owed, books.Provider, 7) }),
		"the reference under another id, of another bill": other(func(m *books.Movement) { m.ID, m.Bill = "m2", "b2" }),
		"the reference from another lot":                  other(func(m *books.Movement) { m.ID, m.Venue, m.Tenant = "m3", "v2", "t2" }),
	} {
		if posted, err := s.post(m); posted || err != nil {
			t.Errorf("%s: %v, %v", what, posted, err)
		}
	}
	if n := s.rows(); n != 1002 {
		t.Errorf("%d rows", n)
	}
	for what, m := range map[string]books.Movement{
		"the reference of another kind": other(func(m *books.Movement) { m.ID, m.Kind = "m4", books.Refund }),
		"no reference":                  other(func(m *books.Movement) { m.ID, m.Reference = "m5", "" }),
		"no reference, once more":       other(func(m *books.Movement) { m.ID, m.Reference = "m6", "" }),
	} {
		if posted, err := s.post(m); !posted || err != nil {
			t.Errorf("%s: %v, %v", what, posted, err)
		}
	}
}

// TestVerifyFindsWhatBreaksTheBooks: each rule finds its own.
func TestVerifyFindsWhatBreaksTheBooks(t *testing.T) {
	for says, query := range map[string]string{
		"do not sum to zero":           `INSERT INTO parking_postings (movement, account, minor) VALUES ('m', 'waived', 1)`,
		"fewer than two":               `DELETE FROM parking_postings WHERE account = 'fees'`,
		"belongs to no movement":       `INSERT INTO parking_postings (movement, account, minor) VALUES ('gone', 'owed', 1)`,
		"belongs to no bill":           `UPDATE parking_movements SET bill = 'none'`,
		"paid in advance":              `UPDATE parking_postings SET account = 'advance' WHERE account = 'fees'`,
		"owes another amount":          `UPDATE parking_postings SET minor = minor * 2`,
		"not what is booked as ear":    `UPDATE parking_postings SET minor = minor * 3`,
		"what a bill says of payments": `UPDATE parking_movements SET kind = 'pay'`,
		"a payment inside a lot is not booked": `INSERT INTO parking_prepayments (venue, event, tenant, digest, plate, data_key, sealed, currency, minor, reference, asked_at,
			paid_at, received_at, run, made_by, bill, state) VALUES ('v', 'e', 't', 'd', 'p', 'k', 's', 'CNY', 5, 'r', 1, 1, 1, 'r', 'b', '', 'returned')`,
	} {
		s := open(t)
		_, err := ledger.Do(context.Background(), s.Ledger, &ledger.Decision[int, int]{Name: "test", Run: func(tx *ledger.Tx, _ int) (int, error) {
			if _, err := tx.Exec(`INSERT INTO parking_bills (id, tenant, venue, plate, stay, exit, run, state, currency, price, paid, waived, refunded, lines, collect,
				tries, corrected, entered_at, left_at, issued_at, changed_at)
				VALUES ('b', 't', 'v', 'p', 'none/b', 'none/b', 'r', 'billed', 'CNY', 100, 0, 0, 0, '[]', 'nobody', 0, 0, 1, 2, 3, 3)`); err != nil {
				return 0, err
			}
			if _, err := books.Post(tx, movement(books.Bill, "m", books.Fees, books.Owed, 100)); err != nil {
				return 0, err
			}
			_, err := tx.Exec(query)
			return 0, err
		}}, 0)
		if err != nil {
			t.Fatalf("%s: %v", says, err)
		}
		s.view(func(q ledger.Querier) error {
			r, err := books.Verify(context.Background(), q)
			if !strings.Contains(strings.Join(r.Mismatches, "\n"), says) {
				t.Errorf("%q is not among what was found: %v", says, r.Mismatches)
			}
			return err
		})
	}
}
