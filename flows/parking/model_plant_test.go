package parking

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// planted is a mistake in the journey, for the test of whoever is to find it.
type planted struct {
	mistake string
}

// The mistakes.
const (
	noUniqueExit   = "no unique key on the exit"
	hastyAnswer    = "an answer before the commit"
	chargeNoKey    = "a charge without its key"
	refundDisputed = "a refund that ignores a dispute"
	roundedBefore  = "rounding before the cap"
	silentEdit     = "a bill that is edited without the books"
	parkedDropped  = "a parked exit that is dropped"
	chargedWithout = "a charge of what was blocked"
	deafDispute    = "a dispute that does not stop the charge"
	lostIsNo       = "a lost answer that is taken for a no"
)

func mistakes() []string {
	return []string{noUniqueExit, hastyAnswer, chargeNoKey, refundDisputed, roundedBefore, silentEdit, parkedDropped, chargedWithout, deafDispute,
		lostIsNo}
}

// giveBack settles that a bill was paid too much.
func (p planted) giveBack(tx *ledger.Tx, rt *flow.Runtime, a flow.Opened) (any, error) {
	if p.mistake != refundDisputed {
		return giveBack(tx, rt, a, nil)
	}
	b, err := findBill(tx, a.Subject)
	if err != nil || b == nil || b.due() >= 0 {
		return nil, ProblemBillSettled.Error(sayRefund)
	}
	return refundOf(tx, b)
}

// withoutKeys is the migrations without what keeps a visit and an exit from having two bills.
func withoutKeys(t testing.TB, files fs.FS) fs.FS {
	t.Helper()
	all := fstest.MapFS{}
	names, err := fs.Glob(files, "*.sql")
	must(t, err)
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		must(t, err)
		changed := string(text)
		if name == "00001_parking.sql" {
			for _, key := range []string{"stay       TEXT   NOT NULL UNIQUE,", "    changed_at BIGINT NOT NULL,\n    UNIQUE (venue, exit)\n"} {
				without := strings.Replace(strings.Replace(key, " UNIQUE,", ",", 1), ",\n    UNIQUE (venue, exit)", "", 1)
				if !strings.Contains(changed, key) {
					t.Fatalf("the migrations have no key %q any more", key)
				}
				changed = strings.Replace(changed, key, without, 1)
			}
		}
		all[name] = &fstest.MapFile{Data: []byte(changed)}
	}
	return all
}

// hastyPlan answers an exit whether the commit stands or not.
func hastyPlan(o operations) (*journey.Plan[Passage, Decided], error) {
	told := &ledger.Decision[Passage, Decided]{Name: o.pass.Name, Run: func(tx *ledger.Tx, in Passage) (Decided, error) {
		in.Batch = true // what is refused is told with its event
		return o.pass.Run(tx, in)
	}}
	return journey.Define(planExit, func(b *journey.Builder, in journey.Ref[Passage]) journey.Ref[Decided] {
		decided := journey.Record(b, stepLeave, told, in, journey.Pivot(), journey.Without())
		return journey.When(b, "kept", journey.Check(b, "stands", func(d Decided) (bool, error) { return len(d.Results) > 0, nil }, decided),
			func(b *journey.Builder) journey.Ref[Decided] {
				o.tellOutside(b, decided)
				return journey.Check(b, "say", func(d Decided) (Decided, error) { return d, nil }, decided)
			},
			func(b *journey.Builder) journey.Ref[Decided] {
				return journey.Check(b, "say so", func(in Passage) (d Decided, err error) {
					for _, e := range in.Events {
						d.Results = append(d.Results, Result{Event: e.ID, Decision: decideOpen})
					}
					return d, nil
				}, in)
			})
	})
}

// plant changes what the journey decides.
func (m *mill) plant() {
	right := m.ops.pass
	after := func(f func(tx *ledger.Tx, in Passage, d *Decided) error) {
		m.ops.pass = &ledger.Decision[Passage, Decided]{Name: right.Name, Run: func(tx *ledger.Tx, in Passage) (Decided, error) {
			d, err := right.Run(tx, in)
			if err == nil {
				err = f(tx, in, &d)
			}
			return d, err
		}}
	}
	switch m.mistake {
	case noUniqueExit: // an exit that comes again is billed again
		after(billAgain)
	case silentEdit:
		after(func(tx *ledger.Tx, in Passage, _ *Decided) error {
			_, err := tx.Exec(`UPDATE parking_bills SET price = price - 1000 WHERE venue = $1 AND corrected > 0 AND price > 1000`, in.Lot)
			return err
		})
	case parkedDropped:
		after(func(tx *ledger.Tx, in Passage, _ *Decided) error {
			_, err := tx.Exec(`UPDATE parking_events SET state = 'settled' WHERE venue = $1 AND state = 'parked'`, in.Lot)
			return err
		})
	case chargedWithout:
		after(chargeAnyway)
	}
}

func billAgain(tx *ledger.Tx, _ Passage, d *Decided) error {
	for _, r := range d.Results {
		if !r.Again || r.Bill == nil {
			continue
		}
		b, err := findBill(tx, r.Bill.ID)
		if err != nil || b == nil {
			return err
		}
		b.id = strings.Repeat("0", 16) + fmt.Sprintf("%016x", tx.Now().UnixNano()+int64(len(r.Event)))
		b.paid, b.waived, b.refunded, b.tries, b.state = 0, 0, 0, 0, billBilled
		if err := issue(tx, b); err != nil {
			return err
		}
	}
	return nil
}

func chargeAnyway(tx *ledger.Tx, _ Passage, d *Decided) error {
	for _, out := range d.Left {
		b, err := findBill(tx, out.Bill)
		if err != nil || b == nil || b.collect != collectNobody || b.price == 0 {
			continue
		}
		d.Charges = append(d.Charges, Charge{By: collectPayment, Bill: out.Bill, Stay: out.Stay, Try: 1, Minor: out.Minor, Currency: out.Currency})
		if _, err := tx.Exec(`UPDATE parking_bills SET state = 'pay-pending', tries = 1 WHERE id = $1`, out.Bill); err != nil {
			return err
		}
	}
	return nil
}
