package outbox

import (
	"context"
	"sort"
	"time"

	"github.com/warmgate/warmgate/gateway/ledger"
)

// share is how many messages of a venue may be leased now.
type share struct {
	venue string
	limit int
}

// dispatch leases ready messages and has them delivered, until the outbox stops.
func (o *Outbox) dispatch() {
	failing := false
	for {
		wait, err := o.round()
		if err != nil && !failing && o.life.Err() == nil {
			o.log.Warn("the outbox cannot read the ledger; it will try again", "error", err)
		}
		failing = err != nil
		timer := time.NewTimer(wait)
		select {
		case <-o.stop:
		case <-o.life.Done():
		case <-o.kick:
		case <-timer.C:
		}
		timer.Stop()
		if o.stopped() {
			return
		}
	}
}

func (o *Outbox) stopped() bool {
	select {
	case <-o.stop:
		return true
	default:
		return o.life.Err() != nil
	}
}

// round leases and starts what is ready and has room, and says how long nothing more will be: a delivery that ends kicks.
func (o *Outbox) round() (wait time.Duration, err error) {
	for {
		most := o.paced()
		if o.stopped() {
			return o.cfg.Poll, nil
		}
		ctx, cancel := context.WithTimeout(o.life, commitWait)
		n, next, err := o.leaseReady(ctx, most)
		cancel()
		if err != nil || o.stopped() {
			return o.cfg.Poll, err
		}
		if n == 0 {
			return min(o.cfg.Poll, max(next, time.Millisecond)), nil
		}
	}
}

// paced waits until the pace lets deliveries begin, and says how many may.
func (o *Outbox) paced() int {
	most, pause := o.pace.turn(o.ledger.Waited(), time.Now())
	if pause > 0 {
		timer := time.NewTimer(pause)
		defer timer.Stop()
		select {
		case <-o.stop:
		case <-o.life.Done():
		case <-timer.C:
		}
	}
	return most
}

// leaseReady is one look at the ledger, for at most so many deliveries. It returns how many it started, and in how long the
// next message with room will be ready.
func (o *Outbox) leaseReady(ctx context.Context, most int) (started int, next time.Duration, err error) {
	var venues []ledger.VenueQueue
	err = o.ledger.View(ctx, func(q ledger.Querier) (err error) {
		venues, err = ledger.WaitingVenues(q)
		return err
	})
	if err != nil {
		return 0, 0, err
	}
	now := o.ledger.Now()
	next = o.cfg.Poll
	var ready []string
	for _, v := range venues {
		if !v.Next.After(now) {
			ready = append(ready, v.Venue)
		} else {
			next = min(next, v.Next.Sub(now))
		}
	}
	shares := o.divide(ready, most)
	if len(shares) == 0 {
		return 0, next, nil
	}
	w := &lease{shares: shares, until: now.Add(o.cfg.Lease), now: now}
	if err = o.ledger.Commit(ctx, w); err != nil {
		return 0, next, err // where the leases were taken after all, they end
	}
	for _, m := range w.taken {
		o.begin(m)
	}
	return len(w.taken), next, nil
}

// lease is the commit that leases messages.
type lease struct {
	shares     []share
	now, until time.Time
	taken      []ledger.Message
}

// Apply takes the leases.
func (w *lease) Apply(tx *ledger.Tx) error {
	w.taken = nil
	for _, s := range w.shares {
		got, err := tx.LeaseMessages(s.venue, w.now, w.until, s.limit)
		if err != nil {
			return err
		}
		w.taken = append(w.taken, got...)
	}
	return nil
}

// String names the work in the ledger's log lines.
func (w *lease) String() string { return "outbox lease" }

// divide gives the free workers, at most so many, to the ready venues, one each in turn, as far as each has room. The turn
// goes on where it
// ended the last time, so that no venue waits for ever when there are fewer workers than venues.
func (o *Outbox) divide(ready []string, most int) []share {
	o.mu.Lock()
	defer o.mu.Unlock()
	free := min(o.cfg.Workers-o.total, most)
	from := sort.Search(len(ready), func(i int) bool { return ready[i] > o.turn })
	shares := make([]share, 0, len(ready))
	for i := range ready {
		shares = append(shares, share{venue: ready[(from+i)%len(ready)]})
	}
	for given := true; given && free > 0; {
		given = false
		for i := range shares {
			s := &shares[i]
			if free > 0 && o.inFlight[s.venue]+s.limit < o.cfg.PerVenue {
				s.limit++
				free--
				given = true
				o.turn = s.venue
			}
		}
	}
	used := shares[:0]
	for _, s := range shares {
		if s.limit > 0 {
			used = append(used, s)
		}
	}
	return used
}

// begin counts a delivery and starts it.
func (o *Outbox) begin(m ledger.Message) {
	o.mu.Lock()
	o.total++
	o.inFlight[m.Venue]++
	o.mu.Unlock()
	o.wg.Go(func() {
		defer o.end(m)
		o.deliver(m)
	})
}

// end counts a delivery out and has the dispatcher look for another.
func (o *Outbox) end(m ledger.Message) {
	o.mu.Lock()
	o.total--
	if o.inFlight[m.Venue]--; o.inFlight[m.Venue] == 0 {
		delete(o.inFlight, m.Venue)
	}
	o.mu.Unlock()
	o.Kick()
}
