package parking

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// ErrandReconcile is the errand that holds the books against the collectors' bills of a day.
const ErrandReconcile = "reconcile"

// ToReconcile is its argument.
type ToReconcile struct {
	Day   string `json:"day"`             // YYYY-MM-DD, of the collector's zone; over by now
	Venue string `json:"venue,omitempty"` // a lot, with those that share its account; "": every lot
}

// Reconciled is what has come of one account. The counts are of what was reached before Error, if there is one.
type Reconciled struct {
	Lots        []string `json:"lots"`
	Connector   string   `json:"connector"`
	Day         string   `json:"day"`
	Payments    int      `json:"payments"`          // in the bill
	Refunds     int      `json:"refunds"`           // likewise
	Settled     int      `json:"settled"`           // explained by asking the collector how they stand, and kept here
	Differences int      `json:"differences"`       // each is an assist
	Fresh       int      `json:"fresh"`             // of those, the ones that were not known from an earlier time
	Unasked     int      `json:"unasked,omitempty"` // not settled and no assist yet: the collector could not be asked
	Error       string   `json:"error,omitempty"`   // why it has not come to its end
}

// String says it in a line.
func (r Reconciled) String() string {
	return fmt.Sprintf("%s  %s of %s: %d payments and %d refunds in the bill, %d settled by asking, %d differences (%d of them new), each an assist",
		r.Day, r.Connector, strings.Join(r.Lots, ", "), r.Payments, r.Refunds, r.Settled, r.Differences, r.Fresh)
}

// Broken says why it has not come to its end; nil: it has.
func (r Reconciled) Broken() error {
	if r.Error == "" {
		return nil
	}
	return fmt.Errorf("cannot reconcile %s of %s: %s", r.Day, strings.Join(r.Lots, ", "), r.Error)
}

var (
	errNotReady   = errors.New("the collector's bill of this day is not ready yet")
	errReconciled = errors.New("a reconciliation is at work already")
)

// reconcileErrand holds the books of the lots against their collectors' bills. It may be done again, and goes on where it has
// broken off: what is explained stays so, and no difference is asked about twice.
func reconcileErrand(t *tills) flow.Errand {
	var one sync.Mutex
	return flow.Errand{Name: ErrandReconcile, Run: func(ctx context.Context, rt *flow.Runtime, arg []byte) (any, error) {
		var in ToReconcile
		if err := json.Unmarshal(arg, &in, json.RejectUnknownMembers(true)); err != nil {
			return nil, errors.New("the argument must be {\"day\": \"YYYY-MM-DD\", \"venue\": \"LOT\"}")
		}
		if !one.TryLock() {
			return nil, errReconciled
		}
		defer one.Unlock()
		accounts, err := accountsOf(t.list(), in.Venue)
		if err != nil {
			return nil, err
		}
		out := make([]Reconciled, 0, len(accounts))
		for _, of := range accounts {
			r := &reconciling{rt: rt, tills: of, day: in.Day, token: uuid.NewString()}
			for _, n := range of {
				r.out.Lots = append(r.out.Lots, n.venue.ID)
			}
			r.out.Connector, r.out.Day = of[0].connector, in.Day
			if err := r.run(ctx); err != nil {
				r.out.Error = err.Error()
			}
			out = append(out, r.out)
		}
		return out, nil
	}}
}

// accountsOf puts the tills together that have one bill of a day, each account's by the names of its lots.
func accountsOf(all []*till, venue string) (out [][]*till, err error) {
	slices.SortFunc(all, func(a, b *till) int {
		return cmp.Or(cmp.Compare(a.account, b.account), cmp.Compare(a.venue.ID, b.venue.ID))
	})
	for _, t := range all {
		switch last := len(out) - 1; {
		case t.bill == nil:
		case last >= 0 && out[last][0].account == t.account:
			out[last] = append(out[last], t)
		default:
			out = append(out, []*till{t})
		}
	}
	if venue == "" {
		return out, nil
	}
	out = slices.DeleteFunc(out, func(of []*till) bool {
		return !slices.ContainsFunc(of, func(t *till) bool { return t.venue.ID == venue })
	})
	if len(out) == 0 {
		err = fmt.Errorf("there is no lot %s whose collector makes a bill of a day", venue)
	}
	return out, err
}

// reconciling is one account's books against its collector's bill of one day.
type reconciling struct {
	rt    *flow.Runtime
	tills []*till // of one account, at least one
	day   string
	token string // of this reconciliation
	out   Reconciled
}

// entriesAtOnce are decided in one commit, so that no car waits long behind them.
const entriesAtOnce = 40

// run takes the bill entry by entry, and then what is paid here and was not in it.
func (r *reconciling) run(ctx context.Context) error {
	t := r.tills[0]
	begin, err := time.ParseInLocation(time.DateOnly, r.day, t.zone)
	if err != nil {
		return errors.New("the day must be YYYY-MM-DD")
	}
	end := begin.AddDate(0, 0, 1)
	if r.rt.Now().Before(end) {
		return fmt.Errorf("the day is not over before %s", end.Format(time.RFC3339))
	}
	var held []Entry
	err = t.bill(ctx, r.day, func(e Entry) error {
		if e.Refund {
			r.out.Refunds++
		} else {
			r.out.Payments++
		}
		if held = append(held, e); len(held) < entriesAtOnce {
			return nil
		}
		some := held
		held = held[:0]
		return r.take(ctx, some)
	})
	if err == nil {
		err = r.take(ctx, held)
	}
	if err != nil {
		return fmt.Errorf("cannot read the collector's bill: %w", err)
	}
	if err := r.missing(ctx, begin, end); err != nil {
		return err
	}
	if r.out.Unasked > 0 {
		return fmt.Errorf("the collector could not be asked how %d of them stand; have it done again", r.out.Unasked)
	}
	_, err = ledger.Do(ledger.Patient(ctx), r.rt.Ledger, endReconciling, r)
	return err
}

// take decides about entries in one commit, and asks the collector about those that this does not explain.
func (r *reconciling) take(ctx context.Context, some []Entry) error {
	all := make([]asked, 0, len(some))
	for _, e := range some {
		all = append(all, asked{Entry: e})
	}
	open, err := r.decide(ctx, all)
	if err != nil {
		return err
	}
	for _, e := range open {
		if e.verdict, err = r.ask(ctx, e.Refund, e.Number); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			r.out.Unasked++
			continue
		}
		e.asked = true
		if err := r.settle(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// decide commits, and gives the ledger to the gates for as long as that has taken.
func (r *reconciling) decide(ctx context.Context, all []asked) ([]asked, error) {
	begin := time.Now()
	m, err := ledger.Do(ledger.Patient(ctx), r.rt.Ledger, matchEntries, matching{r: r, entries: all})
	if err != nil {
		return nil, err
	}
	r.out.Settled += m.settled
	r.out.Differences += m.differences
	r.out.Fresh += m.fresh
	if !flow.Rest(ctx, time.Since(begin)) {
		return nil, ctx.Err()
	}
	return m.open, nil
}

// settle keeps what the collector has said of an entry, and decides about it with that.
func (r *reconciling) settle(ctx context.Context, e asked) error {
	if v := e.verdict; v != nil {
		d := settle
		if e.Refund {
			d = settleBack
		}
		if _, err := ledger.Do(ledger.Patient(ctx), r.rt.Ledger, d, *v); err != nil {
			return err
		}
	}
	_, err := r.decide(ctx, []asked{e})
	return err
}

// ask asks the collector how a payment or a refund of ours stands; nil: it does not know it.
func (r *reconciling) ask(ctx context.Context, isRefund bool, number string) (*Verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	if isRefund {
		return r.tills[0].given(ctx, number)
	}
	var d due
	err := r.rt.Ledger.View(ctx, func(q ledger.Querier) (err error) {
		if d.collection, err = collectionBy(q, `number = $1`, number); err != nil || d.collection == nil {
			return err
		}
		return d.read(q, r.rt)
	})
	if err != nil || d.collection == nil {
		return nil, err
	}
	return r.tills[0].look(ctx, d.collection, d.plate, d.left)
}

// missing looks at what is paid here, by its moment on that day, and was not in the bill.
func (r *reconciling) missing(ctx context.Context, begin, end time.Time) error {
	for _, isRefund := range []bool{false, true} {
		for _, t := range r.tills {
			for last, more := "", true; more; {
				var all []asked
				err := r.rt.Ledger.View(ctx, func(q ledger.Querier) (err error) {
					all, err = r.unfound(q, t, isRefund, begin, end, last)
					return err
				})
				if err == nil {
					err = r.miss(ctx, all)
				}
				if err != nil {
					return err
				}
				if more = len(all) == entriesAtOnce; more {
					last = all[len(all)-1].Number
				}
			}
		}
	}
	return nil
}

// miss asks the collector about some that were not in the bill, and decides about each.
func (r *reconciling) miss(ctx context.Context, all []asked) (err error) {
	for _, e := range all {
		if e.verdict, err = r.ask(ctx, e.Refund, e.Number); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			r.out.Unasked++
			continue
		}
		if _, err := r.decide(ctx, []asked{e}); err != nil {
			return err
		}
	}
	return nil
}

// unfound lists some of what is paid here and was not in the bill, behind the number last. What another day's bill has is not
// missed here.
func (r *reconciling) unfound(q ledger.Querier, t *till, isRefund bool, begin, end time.Time, last string) ([]asked, error) {
	query := `SELECT number, reference, minor FROM parking_collections WHERE venue = $1 AND collector = $2 AND state = 'paid' AND billed_at >= $3
		AND billed_at < $4 AND reconciled_in <> $5 AND reconciled_day IN ('', $6) AND number > $7 ORDER BY number LIMIT $8`
	if isRefund {
		if t.given == nil {
			return nil, nil
		}
		query = `SELECT r.number, '', r.minor FROM parking_refunds r JOIN parking_collections c ON c.number = r.collection WHERE c.venue = $1
			AND c.collector = $2 AND r.state = 'paid' AND r.billed_at >= $3 AND r.billed_at < $4 AND r.reconciled_in <> $5
			AND r.reconciled_day IN ('', $6) AND r.number > $7 ORDER BY r.number LIMIT $8`
	}
	return listOf(q, func(row ledger.Row) (e asked, err error) {
		e.Refund, e.missed, e.asked = isRefund, true, true
		return e, row.Scan(&e.Number, &e.Reference, &e.Minor)
	}, query, t.venue.ID, t.collector, begin.UnixMilli(), end.UnixMilli(), r.token, r.day, last, entriesAtOnce)
}
