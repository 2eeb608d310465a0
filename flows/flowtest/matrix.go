package flowtest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/warmgate/warmgate/gateway/ledger/ledgertest"
)

// Row is one field of a journey's budget matrix: somebody is taken through one fault, and it is noted what came of it.
type Row struct {
	System string // what fails: a system, a part of it, several of them, or a part of the ledger
	Fault  string
	Case   string   // what there is to go by; "" where the matrix has one alone
	Want   []string // the outcomes that the journey declares
	Got    string
	Wrong  string        // what is not as it has to be in the end; "": nothing
	Took   time.Duration // at the client
	Budget
}

// Budget is how long the rows of a journey may take.
type Budget struct {
	Machine time.Duration // the journey's machine budget in the tests' configuration
	Slack   time.Duration // beyond it: the sockets, and the client's own scheduling on a busy machine
}

// Held reports whether the row is as it has to be.
func (r Row) Held() bool {
	return slices.Contains(r.Want, r.Got) && r.Took <= r.Machine+r.Slack && r.Wrong == ""
}

// stalled reports whether the row may be wrong only because the machine stood still: what goes wrong at once does not.
func (r Row) stalled() bool { return !r.Held() && r.Took > r.Machine/2 }

// Again lets a field happen, three times at most as long as a row of it may only have had bad luck with the machine. It
// happens to somebody else each time.
func Again(happen func() []Row) (rows []Row) {
	for range 3 {
		if rows = happen(); !slices.ContainsFunc(rows, Row.stalled) {
			break
		}
	}
	return rows
}

// Name says in words which row it is.
func (r Row) Name() string {
	if r.Case == "" {
		return r.System + ": " + r.Fault
	}
	return fmt.Sprintf("%s: %s (%s)", r.System, r.Fault, r.Case)
}

// Report fails a test for every row that does not hold.
func Report(t testing.TB, rows []Row) {
	t.Helper()
	for _, r := range rows {
		if !r.Held() {
			t.Errorf("%s: got %q after %v, want %q within %v; %s", r.Name(), r.Got, r.Took, r.Want, r.Machine, r.Wrong)
		}
	}
}

// EveryNth returns the first of all and every n-th after it: the short form of a matrix.
func EveryNth[F any](all []F, n int) (some []F) {
	for i := 0; i < len(all); i += n {
		some = append(some, all[i])
	}
	return some
}

// inParallel is how many fields of a matrix happen at once.
const inParallel = 4

// Rows lets every field happen, some beside each other, and returns the rows of all in their order.
func Rows[F any](fields []F, happen func(f F) []Row) (all []Row) {
	rows := make([][]Row, len(fields))
	var wg sync.WaitGroup
	room := make(chan struct{}, inParallel)
	for i, f := range fields {
		wg.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			rows[i] = happen(f)
		})
	}
	wg.Wait()
	return slices.Concat(rows...)
}

// LedgerFault is one way in which a ledger fails.
type LedgerFault struct {
	At    ledgertest.Point
	Fault ledgertest.Fault
}

// LedgerFaults returns every fault of the ledger at every point that a journey may meet; with short, one that hangs at the
// commit alone, since each takes the whole budget.
func LedgerFaults(short bool) (all []LedgerFault) {
	for _, at := range []ledgertest.Point{ledgertest.AtBegin, ledgertest.AtExec, ledgertest.AtCommit, ledgertest.AtView} {
		for _, fault := range []ledgertest.Fault{ledgertest.Hang, ledgertest.Full, ledgertest.ReadOnly} {
			if !short || fault != ledgertest.Hang || at == ledgertest.AtCommit {
				all = append(all, LedgerFault{at, fault})
			}
		}
	}
	return all
}

// Row begins the row of a fault of the ledger.
func (f LedgerFault) Row(budget Budget, want ...string) Row {
	return Row{System: "ledger " + string(f.At), Fault: string(f.Fault), Want: want, Budget: budget}
}

// During breaks the ledger for as long as do takes.
func (f LedgerFault) During(c *City, do func() Answer) Answer {
	c.Ledger.Set(f.At, f.Fault)
	defer c.Ledger.Set(f.At, ledgertest.None)
	return do()
}
