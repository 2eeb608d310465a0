package parking

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/warmgate/warmgate/flows/parking/books"
	"github.com/warmgate/warmgate/flows/parking/plate"
	"github.com/warmgate/warmgate/gateway"

	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/ledger/ledgertest"
)

var (
	histories = flag.Int("parking.histories", 300, "random histories of the model test; 100000 is its full form")
	firstSeed = flag.Uint64("parking.seed", 1, "the seed of the first one; the others count up from it")
)

// The model's tariff: 15 minutes are free, then every hour that begins costs 10.50, within 24 hours at most 55.00; what
// comes of all that is rounded up to a whole unit.
const (
	modelHour = 1050
	modelCap  = 5500
	modelTo   = 100
	millSize  = 100 // histories on one ledger
)

// modelPrice prices a visit by counting its hours one by one.
func modelPrice(entered, left time.Time) (minor int64) {
	days := map[int]int64{}
	for at := entered.Add(15 * time.Minute); at.Before(left); at = at.Add(time.Hour) {
		days[int(at.Sub(entered)/(24*time.Hour))] += modelHour
	}
	for _, of := range days {
		minor += min(of, modelCap)
	}
	return (minor + modelTo - 1) / modelTo * modelTo
}

// fact is a car at a barrier, as it was.
type fact struct {
	id, kind string
	said     string // the plate that the barrier has read
	plate    string // as staff have corrected it
	at       time.Time
	heard    bool // the barrier was told that it is kept
	answer   Result
	gone     bool // staff have decided that nothing follows from it
}

// history is a random sequence of what happens at a lot, against a model of what has to come of it.
type history struct {
	m      *mill
	r      *rand.Rand
	v      *gateway.Venue
	plates []string
	facts  []*fact
	queue  []*fact // what the barriers have still to send, in the order in which they do
	wrong  []string
}

// run takes the history of a seed, and returns what is wrong with it.
func (m *mill) run(seed uint64, zone *time.Location) []string {
	h := &history{m: m, r: rand.New(rand.NewPCG(seed, 0x7061726b)), v: m.lot(fmt.Sprintf("lot-%d", seed), zone)}
	ctx := context.Background()
	for _, of := range "AB" {
		h.plates = append(h.plates, fmt.Sprintf("浙%c%05d", of, seed%100000))
	}
	h.happen()
	m.flaky = func(string) (before, after error) {
		switch h.r.IntN(6) {
		case 0:
			before = errLostAnswer
		case 1:
			after = errLostAnswer
		}
		return before, after
	}
	for len(h.queue) > 0 {
		h.step(ctx)
	}
	for range h.r.IntN(3) {
		h.staff(ctx)
	}
	m.flaky = nil
	if err := m.deliver(ctx, h.v.ID); err != nil {
		h.say("%v", err)
	}
	h.check(ctx)
	return h.wrong
}

func (h *history) say(format string, args ...any) {
	h.wrong = append(h.wrong, fmt.Sprintf(format, args...))
}

func (h *history) chance(percent int) bool { return h.r.IntN(100) < percent }

// happen makes up what has really happened, with what the barriers miss and misread, and when they send it.
func (h *history) happen() {
	start := time.Now().Add(-9 * 24 * time.Hour).Truncate(time.Second)
	for _, p := range h.plates {
		at := start.Add(time.Duration(h.r.IntN(600)) * time.Minute)
		for range 1 + h.r.IntN(3) {
			at = h.read(kindEntry, p, at.Add(time.Duration(h.r.IntN(36000))*time.Second))
			stay := time.Duration(h.r.IntN(14400)) * time.Second
			if h.chance(20) {
				stay *= 12
			}
			at = h.read(kindExit, p, at.Add(stay))
		}
	}
	type sent struct {
		f    *fact
		when time.Time
	}
	var all []sent
	for _, f := range h.facts {
		for range 1 + h.r.IntN(2) {
			late := time.Duration(0)
			if h.chance(40) {
				late = time.Duration(h.r.IntN(72*3600)) * time.Second
			}
			all = append(all, sent{f, f.at.Add(late)})
		}
	}
	slices.SortStableFunc(all, func(a, b sent) int { return a.when.Compare(b.when) })
	for _, s := range all {
		h.queue = append(h.queue, s.f)
	}
}

// read makes the readings of one passage: none, one, or more.
func (h *history) read(kind, p string, at time.Time) time.Time {
	if h.chance(12) {
		return at
	}
	if h.chance(8) {
		p = h.plates[h.r.IntN(len(h.plates))]
	}
	for {
		h.facts = append(h.facts, &fact{id: fmt.Sprintf("%s:%d", h.v.ID, len(h.facts)), kind: kind, said: p, plate: p, at: at})
		if !h.chance(15) {
			return at
		}
		at = at.Add(time.Duration(1+h.r.IntN(60)) * time.Second)
	}
}

// step lets one thing happen: a barrier sends, the city or the provider say something, the outbox delivers, staff decide.
func (h *history) step(ctx context.Context) {
	switch n := h.r.IntN(20); {
	case n < 13:
		h.send()
	case n < 15:
		h.permit(ctx)
	case n < 17:
		if err := h.m.deliver(ctx, h.v.ID); err != nil {
			h.say("%v", err)
		}
	case n < 18:
		h.lie()
	default:
		h.staff(ctx)
	}
}

// send sends the next events, one or several of a kind, while the ledger may fail.
func (h *history) send() {
	batch := []*fact{h.queue[0]}
	for _, f := range h.queue[1:] {
		if len(batch) > 4 || f.kind != batch[0].kind || h.chance(60) {
			break
		}
		batch = append(batch, f)
	}
	h.queue = h.queue[len(batch):]
	fault := h.fail()
	results, recorded, err := h.pass(batch, len(batch) > 1 || h.chance(10))
	h.heal(fault)
	switch {
	case err != nil:
		h.say("event %s: %v", batch[0].id, err)
	case !recorded: // the barrier has kept them
		h.queue = append(h.queue, batch...)
	}
	for i, r := range results {
		h.hear(batch[i], r)
	}
}

// hear notes what a barrier was told of an event: the same each time.
func (h *history) hear(f *fact, r Result) {
	if r.Problem != nil || r.Decision != decideOpen {
		h.say("event %s: %+v", f.id, r)
		return
	}
	was, now := f.answer, r
	was.Again, now.Again = false, false
	if f.heard && fmt.Sprintf("%+v", was) != fmt.Sprintf("%+v", now) && fmt.Sprint(was.Stay, was.State) != fmt.Sprint(now.Stay, now.State) {
		h.say("event %s was answered %+v and then %+v", f.id, was, now)
	}
	f.heard, f.answer = true, r
}

var faults = []map[ledgertest.Point]ledgertest.Fault{
	{ledgertest.AtBegin: ledgertest.Full}, {ledgertest.AtExec: ledgertest.Full}, {ledgertest.AtCommit: ledgertest.Full},
	{ledgertest.AtCommit: ledgertest.Lost}, {ledgertest.AtCommit: ledgertest.Lost, ledgertest.AtView: ledgertest.Full},
}

func (h *history) fail() map[ledgertest.Point]ledgertest.Fault {
	if !h.chance(15) {
		return nil
	}
	fault := faults[h.r.IntN(len(faults))]
	for at, f := range fault {
		h.m.fault.Set(at, f)
	}
	return fault
}

func (h *history) heal(fault map[ledgertest.Point]ledgertest.Fault) {
	for at := range fault {
		h.m.fault.Set(at, ledgertest.None)
	}
}

// passage is what a barrier sends of facts.
func (h *history) passage(all []*fact, batch bool) (Passage, error) {
	in := Passage{Journey: uuid.Must(uuid.NewV7()).String(), Lot: h.v.ID, Kind: all[0].kind, Batch: batch, Received: time.Now(), venue: h.v, keys: h.m.ledger.Keys()}
	for _, f := range all {
		at := f.at.Format(time.RFC3339)
		e, err := in.readEvent(eventBody{Gate: "north", EventID: f.id, OccurredAt: &at, Plate: f.said})
		if err != nil {
			return in, err
		}
		in.Events = append(in.Events, e)
	}
	return in, nil
}

// pass runs the plan on facts.
func (h *history) pass(all []*fact, batch bool) (results []Result, recorded bool, err error) {
	in, err := h.passage(all, batch)
	if err != nil {
		return nil, false, err
	}
	var outcome journey.Outcome[Decided]
	req := journey.Request{ID: in.Journey, Arrived: time.Now(), Deadline: time.Now().Add(20 * time.Second), Venue: h.v, Bindings: h.m.bound(h.v.ID),
		Principal: &gateway.Principal{Issuer: "i", Subject: "barrier", Tenant: "hangzhou"}, Lang: "en"}
	_, err = h.m.plans["parking-"+in.Kind].Run(h.m.engine, req, in, func(o journey.Outcome[Decided]) journey.Answer {
		outcome = o
		return journey.Answer{Status: 201, Body: []byte("{}")}
	})
	switch {
	case err != nil:
		return nil, false, err
	case outcome.Err != nil && outcome.Err.Problem == gateway.ProblemLedgerUnavailable:
		return nil, false, nil
	case outcome.Err != nil:
		return nil, false, outcome.Err
	}
	return outcome.Value.Results, true, nil
}

// permit lets the city or the provider say something of a car.
func (h *history) permit(ctx context.Context) {
	p, err := plate.Parse(h.plates[h.r.IntN(len(h.plates))])
	if err != nil {
		h.say("%v", err)
		return
	}
	source, state := collectPayment, permitGranted
	if h.chance(50) {
		source = collectCity
	}
	if h.chance(25) {
		state = permitBlocked
	}
	at := h.facts[h.r.IntN(max(len(h.facts), 1))].at.Add(time.Minute)
	_, err = ledger.Do(ctx, h.m.ledger, permit, Permission{Venue: h.v.ID, Plate: hashPlate(h.m.ledger.Keys(), "hangzhou", p), Source: source, State: state,
		Most: []int64{0, 2000, 100000}[h.r.IntN(3)], Reference: "ref", At: at, By: ledger.ActorGateway})
	if err != nil {
		h.say("permit: %v", err)
	}
}

// lie sends what a barrier may not: a time to come, a time long gone, an id with another content.
func (h *history) lie() {
	f := *h.facts[h.r.IntN(len(h.facts))]
	if h.chance(50) {
		f.id, f.at = f.id+"-clock", time.Now().Add(time.Hour)
		if h.chance(50) {
			f.at = time.Now().Add(-241 * time.Hour)
		}
		_, err := h.passage([]*fact{&f}, false)
		if e := gateway.AsError(cmp.Or(err, errLostAnswer)); e.Problem != ProblemClockWrong || e.Field != "occurred_at" {
			h.say("a wrong clock: %v", err)
		}
		return
	}
	if !f.heard || f.said == "" {
		return
	}
	f.at = f.at.Add(time.Second)
	results, recorded, err := h.pass([]*fact{&f}, false)
	told := len(results) == 1 && results[0].Problem != nil && results[0].Problem.Type == ProblemEventReused.Type
	if e := gateway.AsError(cmp.Or(err, errLostAnswer)); e.Problem != ProblemEventReused && !told {
		h.say("an id with another content: %v, %v, %v", results, recorded, err)
	}
}

// TestModel takes random histories. -parking.seed replays one of them, with -parking.histories 1.
func TestModel(t *testing.T) {
	zone := shanghai(t)
	var wg sync.WaitGroup
	next, mu := *firstSeed, sync.Mutex{}
	end := next + uint64(*histories)
	take := func() (from, to uint64) {
		mu.Lock()
		defer mu.Unlock()
		from, to = next, min(next+millSize, end)
		next = to
		return from, to
	}
	for range 2 {
		wg.Go(func() {
			for from, to := take(); from < to; from, to = take() {
				for _, w := range grind(t, "", from, to, zone, false) {
					t.Error(w)
				}
			}
		})
	}
	wg.Wait()
}

func shanghai(t testing.TB) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Asia/Shanghai")
	must(t, err)
	return zone
}

// grind runs the histories of some seeds on a ledger of their own and returns what is wrong; with one, only until then.
func grind(t testing.TB, mistake string, from, to uint64, zone *time.Location, one bool) (wrong []string) {
	m, done := newMill(t, mistake)
	defer done()
	for seed := from; seed < to && (!one || len(wrong) == 0); seed++ {
		for _, w := range m.run(seed, zone) {
			wrong = append(wrong, fmt.Sprintf("seed %d: %s", seed, w))
		}
	}
	err := m.ledger.View(context.Background(), func(q ledger.Querier) error {
		r, err := books.Verify(context.Background(), q)
		for _, w := range r.Mismatches {
			wrong = append(wrong, fmt.Sprintf("seeds %d to %d: the books: %s", from, to, w))
		}
		return err
	})
	if err != nil {
		wrong = append(wrong, err.Error())
	}
	return wrong
}

// TestMistakesAreFound plants mistakes in the journey: the histories that find nothing in it find each of them.
func TestMistakesAreFound(t *testing.T) {
	for _, mistake := range []string{noUniqueExit, hastyAnswer, roundedBefore, chargeNoKey, silentEdit, parkedDropped, chargedWithout} {
		t.Run(mistake, func(t *testing.T) {
			t.Parallel()
			wrong := grind(t, mistake, 1, 200, shanghai(t), true)
			if len(wrong) == 0 {
				t.Error("not found in 200 histories")
				return
			}
			t.Log(strings.Join(wrong[:1], "\n"))
		})
	}
}
