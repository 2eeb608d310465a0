package parking

import (
	"bytes"
	"context"
	"encoding/hex"
	"testing"
	"time"

	"github.com/warmgate/warmgate/gateway/ledger"
)

// TestWhatIsOwed: more is never given back than was paid and is not given back yet.
func TestWhatIsOwed(t *testing.T) {
	for _, c := range []struct {
		what                          string
		price, paid, waived, refunded int64
		due                           int64
	}{
		{"a new bill", 5000, 0, 0, 0, 5000},
		{"a part was let go", 5000, 0, 2000, 0, 3000},
		{"paid", 5000, 5000, 0, 0, 0},
		{"the price fell after it was paid", 2000, 5000, 0, 0, -3000},
		{"and the difference was given back", 2000, 5000, 0, 3000, 0},
		{"the price fell below what was let go", 1000, 0, 2000, 0, 0},
		{"and below what was let go and paid", 1000, 3000, 2000, 0, -3000},
		{"a part of which was given back", 1000, 3000, 2000, 1000, -2000},
		{"and then all of it", 1000, 3000, 2000, 3000, 0},
		{"too much was given back", 5000, 3000, 0, 3000, 5000},
	} {
		b := &bill{price: c.price, paid: c.paid, waived: c.waived, refunded: c.refunded}
		if due := b.due(); due != c.due {
			t.Errorf("%s: %d is owed, want %d", c.what, due, c.due)
		}
	}
}

// TestTheLedgerTakesNoSecondOne, whatever has gone wrong before: one open visit for each lot and plate, one bill for each visit and
// for each exit.
func TestTheLedgerTakesNoSecondOne(t *testing.T) {
	m, done := newMill(t, "", 1)
	defer done()
	inside := func(id, venue, plate, state string) *stay {
		return &stay{id: id, tenant: "hangzhou", venue: venue, plate: []byte(plate), state: state, dataKey: []byte{1}, sealed: []byte{1}, run: "r", entry: id, entered: m.now()}
	}
	owes := func(id, venue, stay, exit string) *bill {
		return &bill{id: id, tenant: "hangzhou", venue: venue, plate: []byte("a"), stay: stay, exit: exit, run: "r", state: billBilled, currency: "CNY",
			price: 1000, collect: collectNobody, entered: m.now(), left: m.now()}
	}
	for _, c := range []struct {
		what  string
		stay  *stay
		bill  *bill
		taken bool
	}{
		{"a car", inside("1", "lot", "a", stayOpen), nil, true},
		{"the same again", inside("2", "lot", "a", stayOpen), nil, false},
		{"another car", inside("3", "lot", "b", stayOpen), nil, true},
		{"at another lot", inside("4", "lot-2", "a", stayOpen), nil, true},
		{"an earlier visit of it", inside("5", "lot", "a", stayExited), nil, true},
		{"a bill", nil, owes("b1", "lot", "5", "x"), true},
		{"another of the visit", nil, owes("b2", "lot", "5", "y"), false},
		{"another of the exit", nil, owes("b3", "lot", "6", "x"), false},
		{"the exit's name at another lot", nil, owes("b4", "lot-2", "7", "x"), true},
	} {
		err := m.commit(context.Background(), func(tx *ledger.Tx) error {
			if c.stay != nil {
				return insertStay(tx, c.stay)
			}
			return issue(tx, c.bill)
		})
		if (err == nil) != c.taken {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}

// TestABillCannotBeGuessed: its id tells when it was made, and 80 bits of a hash over its journey's id, which is random. Whoever
// knows an id is still told nothing of another's bill: TestABillIsItsOwnersAlone.
func TestABillCannotBeGuessed(t *testing.T) {
	m, done := newMill(t, "", 1)
	defer done()
	id := func(run, seed string) (raw []byte) {
		must(t, m.commit(context.Background(), func(tx *ledger.Tx) (err error) {
			p := placing{tx: tx, run: run, seed: seed}
			raw, err = hex.DecodeString(p.newID())
			return err
		}))
		return raw
	}
	const run = "01a22e71-1737-7097-a7c3-2bdb896eec58"
	first := id(run, "e1")
	if len(first) != 16 || !bytes.Equal(first, id(run, "e1")) {
		t.Errorf("%x is not the same each time", first)
	}
	for what, other := range map[string][]byte{"the next journey": id("01a22e71-1737-7097-a7c3-2bdb896eec59", "e1"), "the next event": id(run, "e2")} {
		same := 0
		for i := 6; i < 16; i++ {
			if first[i] == other[i] {
				same++
			}
		}
		if !bytes.Equal(first[:6], other[:6]) || same > 3 {
			t.Errorf("%s: %x and %x have %d of ten bytes in common", what, first, other, same)
		}
	}
	m.pass(time.Hour)
	if later := id(run, "e1"); bytes.Compare(first, later) >= 0 {
		t.Errorf("%x is not before %x, made an hour later", first, later)
	}
}
