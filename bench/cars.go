package main

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/warmgate/warmgate/backends/hangzhou"
	"github.com/warmgate/warmgate/backends/wechatpay"
)

const (
	carsAtOnce  = 10
	betweenCars = 100 * time.Millisecond // of one worker
)

// car is a car with its visits. Its plate is nobody else's.
type car struct {
	plate  string
	visits []*carVisit
}

// carVisit is an entry and the exit after it, as two barriers tell of them. again is the exit told by another machine at the
// same time: the same event, under a key of its own.
type carVisit struct {
	entry, exit, again *carEvent
}

func (v *carVisit) events() []*carEvent {
	if v.again == nil {
		return []*carEvent{v.entry, v.exit}
	}
	return []*carEvent{v.entry, v.exit, v.again}
}

// carEvent is one passage of a car, sent until its answer is final.
type carEvent struct {
	passing
	ask      ask
	attempts int
	unkept   int // times that it was told to let the car out, and to tell again
	last     string

	mu    sync.Mutex
	final answer
	done  bool
}

// answered returns the final answer; false: there is none yet.
func (e *carEvent) answered() (passed, answer, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return passedBy(e.final), e.final, e.done
}

// traffic is cars that come to a garage and leave it, as its barriers speak for them: an event is sent again, the same in every
// byte, until its answer is final.
type traffic struct {
	garages *garages
	lot     *garage
	api     *client

	mu      sync.Mutex
	chance  *rand.Rand
	open    bool // for cars that come in
	until   time.Time
	cars    []*car      // of this world
	staying []*carVisit // that have come in, and leave in a later block
	leaving []*carVisit // that have stayed, and leave now
	failed  error
	workers sync.WaitGroup
}

func newTraffic(g *garages) *traffic {
	return &traffic{garages: g, lot: g.lots[0], api: newClient(g.serve.api.Addr().String(), 64)}
}

// begin lets cars come.
func (t *traffic) begin(seed uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.chance, t.open, t.until = rand.New(rand.NewPCG(seed, 5)), true, time.Time{}
	t.leaving, t.staying = append(t.leaving, t.staying...), nil
	for i := range carsAtOnce {
		chance := rand.New(rand.NewPCG(seed, uint64(20+i)))
		t.workers.Go(func() {
			for c, v := t.next(); c != nil || v != nil; c, v = t.next() {
				if v != nil {
					t.leave(v, chance)
				} else {
					t.drive(c, chance)
				}
				pause(betweenCars)
			}
		})
	}
}

// end lets no other car come in, and returns when every event has its final answer, or the time is over.
func (t *traffic) end(until time.Time) error {
	t.mu.Lock()
	t.open, t.until = false, until
	t.mu.Unlock()
	t.workers.Wait()
	return t.failed
}

func (t *traffic) over() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.until.IsZero() && time.Now().After(t.until)
}

// next makes a car, or returns a visit of one that has stayed long enough. Neither: nobody else comes.
func (t *traffic) next() (*car, *carVisit) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.open || t.failed != nil {
		return nil, nil
	}
	if n := len(t.leaving); n > 0 && t.chance.IntN(3) > 0 {
		v := t.leaving[n-1]
		t.leaving = t.leaving[:n-1]
		return nil, v
	}
	c := &car{plate: plateOf(len(t.cars))}
	if t.failed = t.decide(c.plate); t.failed != nil {
		return nil, nil
	}
	t.cars = append(t.cars, c)
	return c, nil
}

// empty lets everybody out who is inside, and returns when each has the final answer, or the time is over.
func (t *traffic) empty(until time.Time, chance *rand.Rand) {
	t.mu.Lock()
	all := slices.Concat(t.leaving, t.staying)
	t.leaving, t.staying, t.until = nil, nil, until
	t.mu.Unlock()
	for _, v := range all {
		t.leave(v, chance)
	}
}

// decide draws what the systems think of a car: who collects its bills, and whether they are paid.
func (t *traffic) decide(plate string) error {
	payer := [...]int{payerProvider, payerProvider, payerProvider, payerCity, payerCity, payerNobody}[t.chance.IntN(6)]
	if err := t.lot.admit(plate, payer); err != nil || t.chance.IntN(6) > 0 {
		return err
	}
	switch payer {
	case payerProvider:
		w := wechatpay.Want{What: wechatpay.MakePlate, Plate: plate, Color: wechatpay.Blue, Outcome: wechatpay.PayFail}
		if t.chance.IntN(3) == 0 {
			w.Refuse, w.Outcome = "RULE_LIMIT", ""
		}
		return t.lot.provider.Do(w)
	case payerCity:
		p := hangzhou.Policy{NoSense: true, LeaveFirst: true, Limit: hangzhou.DefaultLimit, DelayMS: t.chance.IntN(300)}
		if t.chance.IntN(2) == 0 {
			p.Collect = hangzhou.Fail
		}
		return t.lot.brain.Do(hangzhou.Want{Plate: plate, Policy: &p})
	}
	return nil
}

// drive has a car come in and leave, once or, of eight, twice: the first visit was long ago then, and its barriers tell of it
// only now. Of ten, one is told of its exit first, three leave at once, and six in a later block.
func (t *traffic) drive(c *car, chance *rand.Rand) {
	if chance.IntN(8) == 0 {
		early := t.visit(c, -36*time.Hour)
		early.exit.OccurredAt = t.garages.base.Add(-30 * time.Hour).Format(time.RFC3339)
		early.exit.ask = t.garages.passAsk(t.lot, "exits", early.exit.passing)
		t.insist(early.entry)
		t.insist(early.exit)
	}
	v := t.visit(c, 0)
	switch chance.IntN(10) {
	case 0:
		t.insist(v.exit)
		t.insist(v.entry)
	case 1, 2, 3:
		t.insist(v.entry)
		pause(time.Duration(chance.IntN(400)) * time.Millisecond)
		t.leave(v, chance)
	default: // time enough, mostly, to hear whether it may pay later
		t.insist(v.entry)
		t.mu.Lock()
		t.staying = append(t.staying, v)
		t.mu.Unlock()
	}
}

// leave tells of an exit; of five, two machines do at once.
func (t *traffic) leave(v *carVisit, chance *rand.Rand) {
	var other sync.WaitGroup
	if chance.IntN(5) == 0 {
		again := &carEvent{passing: v.exit.passing, ask: t.garages.passAsk(t.lot, "exits", v.exit.passing)}
		t.mu.Lock()
		v.again = again
		t.mu.Unlock()
		other.Go(func() { t.insist(again) })
	}
	t.insist(v.exit)
	other.Wait()
}

// visit begins a visit of a car whose entry was so much before what it would be.
func (t *traffic) visit(c *car, before time.Duration) *carVisit {
	in := t.garages.came(t.lot, c.plate)
	if before != 0 {
		at, _ := time.Parse(time.RFC3339, in.OccurredAt) // as it was written
		in.OccurredAt = at.Add(before).Format(time.RFC3339)
	}
	out := in.gone()
	v := &carVisit{
		entry: &carEvent{passing: in, ask: t.garages.passAsk(t.lot, "entries", in)},
		exit:  &carEvent{passing: out, ask: t.garages.passAsk(t.lot, "exits", out)},
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	c.visits = append(c.visits, v)
	return v
}

// insist sends an event until its answer is final, or the time is over. An exit that could not be kept has let the car out,
// and is told again.
func (t *traffic) insist(e *carEvent) {
	for !t.over() {
		e.attempts++
		got, err := t.api.do(e.ask, 2*time.Second)
		e.last = got.word(err)
		switch {
		case err == nil && got.status == http.StatusOK && !passedBy(got).Recorded:
			e.unkept++
		case err == nil && !got.retry:
			e.mu.Lock()
			e.final, e.done = got, true
			e.mu.Unlock()
			return
		case got.replay: // "try again" will be said under this key for ever
			e.ask.key = uuid.NewString()
		}
		pause(20 * time.Millisecond)
	}
}

// all returns the visits so far, by car.
func (t *traffic) all() (cars []*car, visits map[*car][]*carVisit) {
	t.mu.Lock()
	defer t.mu.Unlock()
	visits = map[*car][]*carVisit{}
	for _, c := range t.cars {
		for _, v := range c.visits {
			seen := *v // again may be set meanwhile
			visits[c] = append(visits[c], &seen)
		}
	}
	return append([]*car(nil), t.cars...), visits
}

// again tells of every exit once more: in turn the same request, whose answer has to be the same in every byte, and the same
// event under a new key, whose answer has to tell of the same visit and bill. Where the ledger had not heard of an answer
// before its process died, the retry is told to wait until recovery has.
func (t *traffic) again() (asked, changed int, err error) {
	cars, _ := t.all()
	until := time.Now().Add(parkAnswerWithin)
	for i, c := range cars {
		for _, v := range c.visits {
			heard, final, done := v.exit.answered()
			if !done || final.status != http.StatusCreated {
				continue
			}
			a := v.exit.ask
			if i%2 == 1 {
				a.key = uuid.NewString()
			}
			asked++
			got, failed := t.api.do(a, 5*time.Second)
			for failed == nil && got.retry && time.Now().Before(until) {
				pause(50 * time.Millisecond)
				got, failed = t.api.do(a, 5*time.Second)
			}
			told := passedBy(got)
			same := got.status == final.status && told.Stay == heard.Stay && told.Bill == heard.Bill && told.State == heard.State
			if i%2 == 0 {
				same = got.status == final.status && string(got.body) == string(final.body)
			}
			if failed != nil {
				err = errors.Join(err, failed)
			} else if !same {
				changed++
			}
		}
	}
	return asked, changed, err
}
