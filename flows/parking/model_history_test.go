package parking

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/warmgate/warmgate/flows/parking/plate"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/ledger/ledgertest"
)

// fact is a car at a barrier, as it was.
type fact struct {
	id, kind string
	said     string // the plate that the barrier has read
	plate    string // as staff have corrected it
	at       time.Time
	heard    bool // the barrier was told that it is kept
	answer   Result
	gone     bool // staff have decided that nothing follows from it
	turned   bool // the barrier stayed shut
}

// history is a random sequence of what happens at a lot, against a model of what has to come of it.
type history struct {
	m      *mill
	r      *rand.Rand
	v      *gateway.Venue
	plates []string
	hashes map[string][]byte // of the plates
	facts  []*fact
	queue  []sending // what the barriers have still to send, in the order in which they do
	banks  []*bank
	owned  []owning
	asking map[string]owning // by assist: who has said that which plate is theirs
	waived map[string]int64  // by bill
	byHand map[string]int64  // what staff have given back otherwise, by bill
	wrong  []string
}

// sending is an event on its way.
type sending struct {
	f    *fact
	when time.Time
}

// run takes the history of a seed, and returns what is wrong with it.
func (m *mill) run(seed uint64, zone *time.Location) []string {
	ctx := context.Background()
	h := &history{m: m, r: rand.New(rand.NewPCG(seed, 0x7061726b)), hashes: map[string][]byte{}, asking: map[string]owning{}, waived: map[string]int64{}, byHand: map[string]int64{}}
	h.v = m.lot(h, seed, zone)
	for _, of := range "AB" {
		text := fmt.Sprintf("浙%c%05d", of, seed%100000)
		p, err := plate.Parse(text)
		must(m.t, err)
		h.plates, h.hashes[text] = append(h.plates, text), hashPlate(m.keys, h.v.Tenant, p)
	}
	h.banks = []*bank{{h: h, collector: collectPayment}, {h: h, collector: collectCity}}
	h.happen()
	for _, p := range h.plates {
		if h.chance(75) {
			h.grant(ctx, p)
		}
	}
	for len(h.queue) > 0 {
		h.step(ctx)
		h.excuse("starting again", m.revive(ctx))
		m.pass(time.Duration(1+h.r.IntN(20000)) * time.Millisecond)
	}
	for range h.r.IntN(8) { // people are slower than cars
		m.pass(time.Duration(1+h.r.IntN(20000)) * time.Millisecond)
		if h.chance(50) {
			h.citizen(ctx)
		} else {
			h.staff(ctx)
		}
	}
	h.end(ctx)
	h.check(ctx)
	return h.wrong
}

// end lets everything come to its end: first, at times, after a long silence of the banks; then nothing fails any more, and
// nobody is asked about a charge any more.
func (h *history) end(ctx context.Context) {
	silent, asked := h.chance(6), h.chargesAsked(ctx)
	for range 400 {
		for _, b := range h.banks {
			b.calm, b.down = true, silent
			b.decide()
			for _, n := range b.letters {
				h.excuse("a notification", takeNotice(ctx, h.m.ledger, b.till(), n))
			}
			b.letters = nil
		}
		h.excuse("delivering", h.m.deliver(ctx))
		all := h.waiting(ctx)
		if len(all) == 0 {
			if n := h.chargesAsked(ctx) - asked; n > 0 {
				h.say("a person is asked about %d charges though every bank has answered", n)
			}
			return
		}
		if silent {
			silent = false
			h.m.counts["a silence of 80 hours"]++
			h.m.pass(80 * time.Hour)
			h.excuse("delivering", h.m.deliver(ctx)) // too late
			asked = h.chargesAsked(ctx)
			continue
		}
		h.m.clock.Store(max(all[0].ms, h.m.clock.Load()) + 1)
		if slices.ContainsFunc(all, func(w waiting) bool { return !strings.HasPrefix(w.what, "message") && w.ms <= h.m.clock.Load() }) {
			h.clerk(ctx)
		}
	}
	h.say("it does not come to an end: %v", h.waiting(ctx))
}

// chargesAsked is how many charges of the lot a person is, or was, asked about.
func (h *history) chargesAsked(ctx context.Context) (n int) {
	h.excuse("counting assists", h.m.ledger.View(ctx, func(q ledger.Querier) error {
		return q.QueryRow(`SELECT COUNT(*) FROM assists WHERE venue = $1 AND kind LIKE '`+handCharge.Kind+`%'`, h.v.ID).Scan(&n)
	}))
	return n
}

// What waits at a lot, and until when. The bills of a car that is inside wait until it has left, and it may never.
const waitingQuery = `SELECT 'message ' || kind || ' ' || last_error AS what, next_at AS t FROM messages WHERE venue = $1 AND state = 'waiting'
	UNION ALL SELECT 'charge ' || number || ' ' || state, look_at FROM parking_collections c WHERE venue = $1 AND look_at > 0
		AND NOT (state = 'failed' AND EXISTS (SELECT 1 FROM parking_bills b JOIN parking_stays s ON s.plate = b.plate WHERE b.id = c.bill AND s.state = 'open'))
	UNION ALL SELECT 'refund ' || r.number || ' ' || r.state, r.look_at FROM parking_bills b JOIN parking_refunds r ON r.bill = b.id WHERE b.venue = $1 AND r.look_at > 0
	UNION ALL SELECT 'notice ' || notice, received_at + 3600000 FROM parking_notices WHERE account = $1 AND state = 'parked'`

type waiting struct {
	what string
	ms   int64
}

// waiting is what waits at the lot, the first one that is due first.
func (h *history) waiting(ctx context.Context) (all []waiting) {
	h.excuse("looking for what waits", h.m.ledger.View(ctx, func(q ledger.Querier) (err error) {
		all, err = listOf(q, func(r ledger.Row) (w waiting, err error) { return w, r.Scan(&w.what, &w.ms) }, waitingQuery+` ORDER BY t`, h.v.ID)
		return err
	}))
	return all
}

func (h *history) say(format string, args ...any) {
	h.wrong = append(h.wrong, fmt.Sprintf(format, args...))
}

// excuse takes what a ledger that fails, a process that is dead and a bank that is not heard bring; nothing else.
func (h *history) excuse(what string, err error) {
	if err == nil || errors.Is(err, errLostAnswer) || errors.Is(err, ledger.ErrUnavailable) || errors.Is(err, ledger.ErrUnknown) ||
		isProblem(err, gateway.ProblemLedgerUnavailable) {
		return
	}
	h.say("%s: %v", what, err)
}

func isProblem(err error, p *gateway.Problem) bool {
	e, ok := errors.AsType[*gateway.Error](err)
	return ok && e.Problem == p
}

func (h *history) chance(percent int) bool { return h.r.IntN(100) < percent }

// happen makes up what has really happened, with what the barriers miss and misread, and when they send it.
func (h *history) happen() {
	start := h.m.now().Truncate(time.Second)
	for i, p := range h.plates {
		at := start.Add(time.Duration(h.r.IntN(600)) * time.Minute)
		for range 1 + h.r.IntN(3-i) {
			at = h.read(kindEntry, p, at.Add(time.Duration(h.r.IntN(36000))*time.Second))
			stay := time.Duration(h.r.IntN(14400)) * time.Second
			if h.chance(20) {
				stay *= 12
			}
			at = h.read(kindExit, p, at.Add(stay))
		}
	}
	for _, f := range h.facts {
		for twice := true; twice; twice = h.chance(25) {
			late := time.Duration(h.r.IntN(60)) * time.Second
			if h.chance(40) {
				late = time.Duration(h.r.IntN(72*3600)) * time.Second
			}
			h.send(f, f.at.Add(late))
		}
	}
}

// send puts an event on its way.
func (h *history) send(f *fact, when time.Time) {
	i, _ := slices.BinarySearchFunc(h.queue, when, func(s sending, when time.Time) int {
		if s.when.After(when) {
			return 1
		}
		return -1
	})
	h.queue = slices.Insert(h.queue, i, sending{f, when})
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

// step lets one thing happen: a barrier sends, the outbox delivers, a collector says or decides something, a citizen or staff
// act.
func (h *history) step(ctx context.Context) {
	switch n := h.r.IntN(48); {
	case n < 16:
		h.arrive(ctx)
	case n < 23:
		h.excuse("delivering", h.m.deliver(ctx))
	case n < 25:
		h.clerk(ctx)
	case n < 28:
		h.post(ctx)
	case n < 30:
		h.banks[h.r.IntN(2)].decide()
	case n < 31 && len(h.facts) > 0:
		f := h.facts[h.r.IntN(len(h.facts))]
		h.permit(ctx, f.plate, f.at.Add(time.Minute))
	case n < 32:
		h.lie()
	case n < 41:
		h.citizen(ctx)
	default:
		h.staff(ctx)
	}
	if h.chance(10) {
		h.m.pass(time.Duration(h.r.IntN(3600)) * time.Second)
	}
}

// arrive lets the next events come, one or several of a kind, while the ledger may fail, or the process be killed.
func (h *history) arrive(ctx context.Context) {
	batch, rest := []*fact{h.queue[0].f}, h.queue[1:]
	h.m.clock.Store(max(h.m.clock.Load(), h.queue[0].when.UnixMilli()))
	for len(rest) > 0 && len(batch) < 5 && rest[0].f.kind == batch[0].kind && h.chance(40) {
		batch, rest = append(batch, rest[0].f), rest[1:]
	}
	h.queue = rest
	for _, f := range batch { // several come once the last of them has taken place
		h.m.clock.Store(max(h.m.clock.Load(), f.at.UnixMilli()))
	}
	kill := h.chance(1)
	if kill {
		h.m.counts["killed after a commit"]++
		h.m.store.left.Store(1 + h.r.Int64N(5))
	}
	fault := h.fail()
	several := len(batch) > 1 || h.chance(10)
	owed := h.owes(ctx, batch, several)
	results, recorded, err := h.pass(batch, several)
	h.heal(fault)
	switch {
	case err != nil:
		h.say("event %s: %v", batch[0].id, err)
	case !recorded: // the barrier has kept them
		h.m.counts["not recorded"]++
		for _, f := range batch {
			h.send(f, h.m.now().Add(time.Duration(1+h.r.IntN(600))*time.Second))
		}
	}
	for i, r := range results {
		h.hear(batch[i], r, owed)
	}
	if batch[0].kind == kindEntry && h.chance(40) {
		h.permit(ctx, batch[0].said, h.m.now())
	}
	for i := 0; kill && i < 4 || i < 1 && h.chance(40); i++ { // a killed process is at work until it is dead
		h.excuse("delivering", h.m.deliver(ctx))
	}
}

// owes says whether the one car that comes has to be turned away: "yes", "no", or "" where that is not to be said.
func (h *history) owes(ctx context.Context, batch []*fact, several bool) string {
	s, f := settingsOf(h.v), batch[0]
	if several || f.kind != kindEntry {
		return ""
	}
	before, now, due := (*reading)(nil), h.m.now(), int64(0)
	err := h.m.ledger.View(ctx, func(q ledger.Querier) (err error) {
		before, err = findReading(q, h.v.ID, f.id)
		return err
	})
	if err != nil || before != nil {
		return ""
	}
	for _, b := range h.bills(ctx) {
		if owed := b.state == billBilled || b.state == billPayPending || b.state == billArrears; owed && h.plateOf(b) == f.said &&
			b.due() > 0 && now.Sub(b.issued) >= s.Arrears.Older {
			due += b.due()
		}
	}
	if s.Arrears.Over >= 0 && due > s.Arrears.Over && now.Sub(f.at) <= s.Leeway {
		return "yes"
	}
	return "no"
}

// hear notes what a barrier was told of an event: the same each time. A car that was turned away may come again.
func (h *history) hear(f *fact, r Result, owed string) {
	turned := r.Decision == decidePayment
	switch {
	case r.Problem != nil || r.Decision != decideOpen && (!turned || f.kind != kindEntry):
		h.say("event %s: %+v", f.id, r)
		return
	case owed != "" && turned != (owed == "yes"):
		h.say("a car that has to pay first: %q; the barrier heard %+v", owed, r)
	}
	was, now := f.answer, r
	was.Again, now.Again = false, false
	if f.heard && fmt.Sprintf("%+v", was) != fmt.Sprintf("%+v", now) && fmt.Sprint(was.Stay, was.State) != fmt.Sprint(now.Stay, now.State) {
		h.say("event %s was answered %+v and then %+v", f.id, was, now)
	}
	if turned && !f.heard && h.chance(70) {
		at := h.m.now().Add(time.Duration(1+h.r.IntN(7200)) * time.Second).Truncate(time.Second)
		again := &fact{id: fmt.Sprintf("%s:%d", h.v.ID, len(h.facts)), kind: f.kind, said: f.said, plate: f.said, at: at}
		h.facts = append(h.facts, again)
		h.send(again, again.at)
	}
	f.heard, f.turned, f.answer = true, turned, r
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
		h.m.store.Set(at, f)
	}
	return fault
}

func (h *history) heal(fault map[ledgertest.Point]ledgertest.Fault) {
	for at := range fault {
		h.m.store.Set(at, ledgertest.None)
	}
}

// passage is what a barrier sends of facts.
func (h *history) passage(all []*fact, batch bool) (Passage, error) {
	in := Passage{Journey: h.newID(), Lot: h.v.ID, Kind: all[0].kind, Batch: batch, Received: h.m.now(), venue: h.v, keys: h.m.keys}
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
	outcome, err := runPlan(h.m, in.Journey, h.m.gates[in.Kind], person("barrier"), in)
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
func (h *history) permit(ctx context.Context, p string, at time.Time) {
	source, state := collectPayment, permitGranted
	if h.chance(50) {
		source = collectCity
	}
	if h.chance(25) {
		state = permitBlocked
	}
	_, err := ledger.Do(ctx, h.m.ledger, permit, Permission{Venue: h.v.ID, Plate: h.hashes[p], Source: source, State: state,
		Most: []int64{0, 2000, 100000}[h.r.IntN(3)], Reference: "ref", At: at, By: ledger.ActorGateway})
	h.excuse("permitting", err)
}

// lie sends what a barrier may not: a time to come, a time long gone, an id with another content.
func (h *history) lie() {
	f := *h.facts[h.r.IntN(len(h.facts))]
	if h.chance(50) {
		f.id, f.at = f.id+"-clock", h.m.now().Add(time.Hour)
		if h.chance(50) {
			f.at = h.m.now().Add(-241 * time.Hour)
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
