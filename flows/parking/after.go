package parking

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/warmgate/warmgate/flows/parking/books"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// When collectors are asked how things stand, and when a bill in arrears is collected again.
const (
	lookEvery    = time.Second
	lookFirst    = 30 * time.Second
	lookLast     = 6 * time.Hour
	lookTimeout  = 10 * time.Second
	lookAtOnce   = 20
	lookGivenUp  = chargeWithin + time.Hour // at a charge that was not answered: the outbox has given it up by then
	decideWithin = 72 * time.Hour           // then a person is asked too
	remindAfter  = 24 * time.Hour           // after the first failure; doubled each time
	maxTries     = 5                        // by the gateway itself; the citizen may pay at any time
)

// lookAfter is how long after the n-th look the next one comes.
func lookAfter(n int64) time.Duration {
	if n > 16 {
		return lookLast
	}
	return min(lookFirst<<n, lookLast)
}

// clerk looks after what collectors have not decided, gives money back, and tries again what is in arrears, each till beside
// the others: a collector that hangs delays nobody else's.
type clerk struct {
	tills *tills
	every time.Duration // between two looks

	mu      sync.Mutex
	busy    map[string]bool // by lot and collector
	pushing map[*till]context.CancelFunc
}

// run works until ctx ends.
func (c *clerk) run(ctx context.Context, rt *flow.Runtime) {
	var all sync.WaitGroup
	defer all.Wait()
	tick := time.NewTicker(c.every)
	defer tick.Stop()
	c.busy, c.pushing = map[string]bool{}, map[*till]context.CancelFunc{}
	for {
		now := c.tills.list()
		c.listen(ctx, rt, now, &all)
		for _, t := range now {
			if c.begin(t) {
				all.Go(func() { defer c.end(t); c.once(ctx, rt, t) })
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (c *clerk) begin(t *till) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	name := t.venue.ID + "/" + t.collector
	if c.busy[name] {
		return false
	}
	c.busy[name] = true
	return true
}

func (c *clerk) end(t *till) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.busy, t.venue.ID+"/"+t.collector)
}

// listen takes the pushes of every till that has some, and ends with those that are gone.
func (c *clerk) listen(ctx context.Context, rt *flow.Runtime, now []*till, all *sync.WaitGroup) {
	there := map[*till]bool{}
	for _, t := range now {
		there[t] = true
		if t.push == nil || c.pushing[t] != nil {
			continue
		}
		listening, stop := context.WithCancel(ctx)
		c.pushing[t] = stop
		all.Go(func() {
			err := t.push(listening, func(ctx context.Context, h Heard) error { return takeNotice(ctx, rt.Ledger, t, h) })
			if err != nil {
				rt.Logger.Error("a collector's pushes cannot be taken", "venue", t.venue.ID, "connector", t.connector, "error", err)
			}
		})
	}
	for t, stop := range c.pushing {
		if !there[t] {
			stop()
			delete(c.pushing, t)
		}
	}
}

// once does what is due at a till.
func (c *clerk) once(ctx context.Context, rt *flow.Runtime, t *till) {
	w := &round{rt: rt, till: t, city: c.tills.of(t.venue.ID, collectCity) != nil}
	for _, do := range []func(context.Context) error{w.late, w.collections, w.stations, w.refunds, w.parked} {
		if err := do(ctx); err != nil && ctx.Err() == nil {
			rt.Logger.Warn("a collector's account cannot be looked after; it will be tried again", "venue", t.venue.ID, "connector", t.connector, "error", err)
		}
	}
}

// round is one look at a till.
type round struct {
	rt   *flow.Runtime
	till *till
	city bool // the lot reports to one
}

// late has bills collected that a permission has come too late for.
func (w *round) late(ctx context.Context) error {
	waiting := false
	err := w.rt.Ledger.View(ctx, func(q ledger.Querier) error {
		all, err := listOf(q, func(r ledger.Row) (at int64, err error) { return at, r.Scan(&at) },
			`SELECT said_at FROM parking_permissions WHERE venue = $1 AND source = $2 AND late = 1 LIMIT 1`, w.till.venue.ID, w.till.collector)
		waiting = len(all) > 0
		return err
	})
	if err == nil && waiting {
		_, err = ledger.Do(ledger.Patient(ctx), w.rt.Ledger, collectLate, lateCollecting{rt: w.rt, venue: w.till.venue, by: w.till.collector})
	}
	return err
}

// due is a collection whose time has come, with what asking for it needs.
type due struct {
	*collection
	plate   string
	left    time.Time
	givenUp bool // it is not sent any more
}

// collections asks how those stand that are not decided, and tries those again that have failed.
func (w *round) collections(ctx context.Context) error {
	var all []due
	err := w.rt.Ledger.View(ctx, func(q ledger.Querier) (err error) {
		all, err = w.dueCollections(q)
		return err
	})
	if err != nil {
		return err
	}
	for _, d := range all {
		if d.state == collectionPaid {
			if _, err := ledger.Do(ledger.Patient(ctx), w.rt.Ledger, tellReceived, again{number: d.number, rt: w.rt, city: w.city}); err != nil {
				return err
			}
			continue
		}
		if d.state == collectionFailed {
			if _, err := ledger.Do(ledger.Patient(ctx), w.rt.Ledger, tryAgain, again{number: d.number, rt: w.rt}); err != nil {
				return err
			}
			continue
		}
		if err := w.look(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

func (w *round) dueCollections(q ledger.Querier) (out []due, err error) {
	all, err := listOf(q, scanCollection, `SELECT `+collectionColumns+` FROM parking_collections
		WHERE venue = $1 AND look_at > 0 AND look_at <= $2 AND collector = $3 ORDER BY look_at LIMIT $4`,
		w.till.venue.ID, w.rt.Now().UnixMilli(), w.till.collector, lookAtOnce)
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		d := due{collection: c}
		if err := d.read(q, w.rt); err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

// read reads what asking for a collection needs.
func (d *due) read(q ledger.Querier, rt *flow.Runtime) error {
	b, err := findBill(q, d.bill)
	if err != nil {
		return err
	}
	if b == nil {
		return fmt.Errorf("bill %s of a collection is not there", d.bill)
	}
	d.left = b.left
	if d.state == collectionOrdered {
		if d.givenUp, err = d.isGivenUp(q); err != nil {
			return err
		}
	}
	d.plate, err = plateOf(q, rt, b.stay)
	return err
}

// plateOf reads the plate of a visit; "" where it has gone, or has been forgotten.
func plateOf(q ledger.Querier, rt *flow.Runtime, stay string) (string, error) {
	all, err := listOf(q, scanStay, `SELECT `+stayColumns+` FROM parking_stays WHERE id = $1`, stay)
	if err != nil || len(all) == 0 || len(all[0].dataKey) == 0 {
		return "", err
	}
	return openPlate(rt.Ledger.Keys(), all[0].dataKey, all[0].sealed)
}

// look asks how one collection stands, and puts the next look off where that is not decided. One that was given up, and that
// the collector does not have, has failed: the citizen may pay, and it is tried again like every other.
func (w *round) look(ctx context.Context, d due) error {
	asking, cancel := context.WithTimeout(ctx, lookTimeout)
	v, err := w.till.look(asking, d.collection, d.plate, d.left)
	cancel()
	if err == nil && v == nil && d.givenUp {
		v = &Verdict{Number: d.number, State: collectionFailed, Reason: "undelivered"}
	}
	if err == nil && v != nil && v.State != collectionAccepted {
		_, err = ledger.Do(ledger.Patient(ctx), w.rt.Ledger, settle, *v)
		return err
	}
	l := look{table: "parking_collections", number: d.number, looks: d.looks + 1, bill: d.bill, late: w.rt.Now().Sub(d.ordered) > decideWithin}
	_, kept := ledger.Do(ledger.Patient(ctx), w.rt.Ledger, lookLater, l)
	if kept != nil {
		return kept
	}
	return err
}

// look is one that has found nothing new.
type look struct {
	table, number, bill string
	looks               int64
	late                bool
}

// lookLater puts the next look off. Where nothing is decided for days a person is asked too.
var lookLater = &ledger.Decision[look, struct{}]{Name: "parking.look-later", Run: func(tx *ledger.Tx, l look) (none struct{}, err error) {
	_, err = tx.Exec(`UPDATE `+l.table+` SET looks = $1, look_at = $2 WHERE number = $3 AND state IN ('ordered', 'accepted')`,
		l.looks, tx.Now().Add(lookAfter(l.looks)).UnixMilli(), l.number)
	if err != nil || !l.late {
		return none, err
	}
	b, err := findBill(tx, l.bill)
	if err != nil || b == nil {
		return none, err
	}
	asked, err := listOf(tx, func(r ledger.Row) (id string, err error) { return id, r.Scan(&id) },
		`SELECT id FROM assists WHERE run = $1 AND kind = $2`, b.run, handUndecided.Kind)
	if err != nil || len(asked) > 0 {
		return none, err
	}
	return none, openFor(tx, b, handUndecided, fmt.Sprintf("asked %d times", l.looks))
}}

// refunds has money given back.
func (w *round) refunds(ctx context.Context) error {
	if w.till.back == nil {
		return nil
	}
	type owed struct {
		*refund
		total int64
	}
	var all []owed
	err := w.rt.Ledger.View(ctx, func(q ledger.Querier) error {
		found, err := listOf(q, scanRefund, `SELECT `+refundColumns+` FROM parking_refunds WHERE look_at > 0 AND look_at <= $1
			AND EXISTS (SELECT 1 FROM parking_bills b WHERE b.id = parking_refunds.bill AND b.venue = $2) ORDER BY look_at LIMIT $3`, w.rt.Now().UnixMilli(), w.till.venue.ID, lookAtOnce)
		if err != nil {
			return err
		}
		all = nil
		for _, r := range found {
			c, err := collectionBy(q, `number = $1`, r.collection)
			switch {
			case err != nil:
				return err
			case c == nil:
				return fmt.Errorf("cannot give refund %s: its payment is not there", r.number)
			}
			all = append(all, owed{r, c.minor})
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, r := range all {
		if err := w.back(ctx, r.refund, r.total); err != nil {
			return err
		}
	}
	return nil
}

// back asks for one refund, or how it stands.
func (w *round) back(ctx context.Context, r *refund, total int64) error {
	asking, cancel := context.WithTimeout(ctx, lookTimeout)
	v, err := w.till.back(asking, Repayment{Number: r.number, Collection: r.collection, Minor: r.minor, Total: total})
	cancel()
	if call.OutcomeOf(err) == call.RefusedOutcome {
		v, err = Verdict{Number: r.number, State: collectionFailed, Reason: "refused"}, nil
	}
	if err == nil {
		if _, err := ledger.Do(ledger.Patient(ctx), w.rt.Ledger, settleBack, v); err != nil || v.State != collectionAccepted {
			return err
		}
	}
	l := look{table: "parking_refunds", number: r.number, looks: r.looks + 1, bill: r.bill, late: w.rt.Now().Sub(r.ordered) > decideWithin}
	if _, kept := ledger.Do(ledger.Patient(ctx), w.rt.Ledger, lookLater, l); kept != nil {
		return kept
	}
	return err
}

var settleBack = &ledger.Decision[Verdict, Settled]{Name: "parking.settle-refund", Run: settleRefund}

// parked does what notices say whose subject has come since. One that has waited for an hour is a person's.
func (w *round) parked(ctx context.Context) error {
	waiting := false
	err := w.rt.Ledger.View(ctx, func(q ledger.Querier) error {
		all, err := listOf(q, func(r ledger.Row) (id string, err error) { return id, r.Scan(&id) },
			`SELECT notice FROM parking_notices WHERE account = $1 AND state = 'parked' AND connector = $2 LIMIT 1`, w.till.venue.ID, w.till.connector)
		waiting = len(all) > 0
		return err
	})
	if err == nil && waiting {
		_, err = ledger.Do(ledger.Patient(ctx), w.rt.Ledger, unpark, unparking{rt: w.rt, venue: w.till.venue, connector: w.till.connector})
	}
	return err
}

// again is a collection that is to be tried again.
type again struct {
	number string // of the one that has failed
	rt     *flow.Runtime
	city   bool // the lot reports to one
}

// tryAgain collects a bill in arrears once more, where nobody has taken it over meanwhile.
var tryAgain = &ledger.Decision[again, bool]{Name: "parking.try-again", Run: func(tx *ledger.Tx, a again) (bool, error) {
	c, err := collectionBy(tx, `number = $1`, a.number)
	if err != nil || c == nil {
		return false, err
	}
	if _, err := tx.Exec(`UPDATE parking_collections SET look_at = 0 WHERE number = $1`, a.number); err != nil {
		return false, err
	}
	b, err := findBill(tx, c.bill)
	if err != nil || b == nil || b.state != billArrears || b.tries != c.try || b.due() <= 0 {
		return false, err
	}
	gone, err := erased(tx, b.run)
	if err != nil {
		return false, err
	}
	if gone || c.try >= maxTries {
		return false, openArrears(tx, a.rt, b)
	}
	inside, err := listOf(tx, func(r ledger.Row) (id string, err error) { return id, r.Scan(&id) },
		`SELECT id FROM parking_stays WHERE plate = $1 AND state = 'open' LIMIT 1`, b.plate)
	if err != nil {
		return false, err
	}
	if len(inside) > 0 { // a provider has one entry of a car at a time: the one that is inside comes first
		_, err := tx.Exec(`UPDATE parking_collections SET look_at = $1 WHERE number = $2`, tx.Now().Add(lookLast).UnixMilli(), a.number)
		return false, err
	}
	return true, collectAgain(tx, a.rt, b, c.collector)
}}

// collectAgain begins another try of a bill, in the name of the run that it came from, unless one is not decided yet.
func collectAgain(tx *ledger.Tx, rt *flow.Runtime, b *bill, collector string) error {
	all, err := listOf(tx, scanStay, `SELECT `+stayColumns+` FROM parking_stays WHERE id = $1`, b.stay)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return fmt.Errorf("cannot collect bill %s: its visit is not there", b.id)
	}
	s := all[0]
	undecided, err := collectionBy(tx, `bill = $1 AND state IN ('ordered', 'accepted') ORDER BY try DESC`, b.id)
	if err != nil {
		return err
	}
	if undecided != nil { // it may be paid yet: nothing is charged beside it
		b.state, b.tries, b.collect = billPayPending, undecided.try, undecided.collector
		return updateBill(tx, b)
	}
	plate, err := openPlate(rt.Ledger.Keys(), s.dataKey, s.sealed)
	if err != nil {
		return err
	}
	references, err := listOf(tx, func(r ledger.Row) (ref string, err error) { return ref, r.Scan(&ref) },
		`SELECT reference FROM parking_permissions WHERE venue = $1 AND plate = $2 AND source = $3
		AND (stay = $6 OR stay = '' AND said_at >= $4 AND said_at <= $5) ORDER BY CASE stay WHEN '' THEN 1 ELSE 0 END, said_at DESC LIMIT 1`,
		s.venue, s.plate, collector, s.entered.Add(-time.Hour).UnixMilli(), s.left.Add(time.Hour).UnixMilli(), s.id)
	if err != nil {
		return err
	}
	b.tries++
	b.state, b.collect = billPayPending, collector
	if err := updateBill(tx, b); err != nil {
		return err
	}
	c := Charge{By: collector, Bill: b.id, Stay: s.id, Try: b.tries, Plate: plate, Minor: b.due(), Currency: b.currency, Entered: s.entered, Left: s.left}
	if len(references) > 0 {
		c.Reference = references[0]
	}
	step := stepCharge
	if collector == collectCity {
		step = stepApply
	}
	return rt.Engine.Begin(tx, b.run, step, c, chargeWithin)
}

// handNotice is for what a collector has told of something that is not known here.
var handNotice = gateway.Text{
	Zh: "收款方通知了一笔本系统没有的业务，请与其核对", En: "A collector has told of something that is not known here: settle it with them"}

const kindNotice = "parking-notice-unmatched"

// accountOf is where money lies that a collector has taken.
func accountOf(collector string) books.Account {
	if collector == collectCity {
		return books.City
	}
	return books.Provider
}
