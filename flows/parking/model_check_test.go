package parking

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// expected is what has to come of the facts.
func (h *history) expected() (all []string) {
	for _, p := range h.plates {
		var of []*fact
		for _, f := range h.facts {
			if f.plate == p && f.heard && !f.gone {
				of = append(of, f)
			}
		}
		slices.SortFunc(of, func(a, b *fact) int {
			return errorsOr(a.at.Compare(b.at), strings.Compare(a.kind, b.kind), strings.Compare(a.id, b.id))
		})
		var heads []*fact
		for i, f := range of {
			if i == 0 || f.kind != of[i-1].kind || f.at.Sub(of[i-1].at) > time.Minute {
				heads = append(heads, f)
			}
		}
		for i, f := range heads {
			var next *fact
			if i+1 < len(heads) {
				next = heads[i+1]
			}
			switch {
			case f.kind == kindExit && (i == 0 || heads[i-1].kind == kindExit):
				all = append(all, h.line("parked", f.at, time.Time{}, 0))
			case f.kind == kindExit:
			case next == nil:
				all = append(all, h.line(stayOpen, f.at, time.Time{}, 0))
			case next.kind == kindExit:
				all = append(all, h.line(stayExited, f.at, next.at, modelPrice(f.at, next.at)))
			default:
				all = append(all, h.line(stayUnseen, f.at, time.Time{}, 0))
			}
		}
	}
	slices.Sort(all)
	return all
}

func errorsOr(all ...int) int {
	for _, n := range all {
		if n != 0 {
			return n
		}
	}
	return 0
}

func (h *history) line(state string, entered, left time.Time, price int64) string {
	s := entered.UTC().Format(time.DateTime) + " " + state
	if state == stayExited {
		s += fmt.Sprintf(" %s: %d", left.UTC().Format(time.DateTime), price)
	}
	return s
}

// got is what has come of them.
func (h *history) got(q ledger.Querier) (all []string, err error) {
	stays, err := listOf(q, scanStay, `SELECT `+stayColumns+` FROM parking_stays WHERE venue = $1 AND state <> 'void'`, h.v.ID)
	if err != nil {
		return nil, err
	}
	for _, s := range stays {
		var price int64
		if s.state == stayExited {
			bills, err := listOf(q, scanBill, `SELECT `+billColumns+` FROM parking_bills WHERE stay = $1`, s.id)
			if err != nil {
				return nil, err
			}
			if len(bills) != 1 {
				h.say("a visit has %d bills", len(bills))
				continue
			}
			price = bills[0].price
			if !bills[0].entered.Equal(s.entered) || !bills[0].left.Equal(s.left) {
				h.say("the bill of a visit is for another time")
			}
		}
		all = append(all, h.line(s.state, s.entered, s.left, price))
	}
	parked, err := listOf(q, scanReading, `SELECT `+readingColumns+` FROM parking_events WHERE venue = $1 AND state IN ('parked', 'asked')`, h.v.ID)
	if err != nil {
		return nil, err
	}
	inOrder(parked)
	slices.SortStableFunc(parked, func(a, b *reading) int { return bytes.Compare(a.plate, b.plate) })
	for i, r := range parked { // read again and again in passing: it is one
		if i == 0 || string(parked[i-1].plate) != string(r.plate) || r.at.Sub(parked[i-1].at) > time.Minute {
			all = append(all, h.line("parked", r.at, time.Time{}, 0))
		}
	}
	slices.Sort(all)
	return all, nil
}

// check holds the ledger and the provider's books against the model.
func (h *history) check(ctx context.Context) {
	err := h.m.ledger.View(ctx, func(q ledger.Querier) error {
		got, err := h.got(q)
		if err != nil {
			return err
		}
		if want := h.expected(); !slices.Equal(got, want) {
			h.say("it has come to\n\t%s\nand not to\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
		}
		return errors.Join(h.checkEvents(q), h.checkBills(q), h.checkOutbox(q))
	})
	if err != nil {
		h.say("%v", err)
	}
}

// checkEvents: whatever a barrier was told is kept, is.
func (h *history) checkEvents(q ledger.Querier) error {
	for _, f := range h.facts {
		r, err := findReading(q, h.v.ID, f.id)
		if err != nil {
			return err
		}
		if (r != nil) != f.heard {
			h.say("event %s: kept %v, and the barrier heard %v", f.id, r != nil, f.heard)
		}
	}
	return nil
}

// checkBills: no bill is negative, doubled or charged twice, and each stands as its money does.
func (h *history) checkBills(q ledger.Querier) error {
	bills, err := listOf(q, scanBill, `SELECT `+billColumns+` FROM parking_bills WHERE venue = $1`, h.v.ID)
	if err != nil {
		return err
	}
	for _, b := range bills {
		var taken int64
		h.m.mu.Lock()
		charges := len(h.m.provider[b.id])
		for _, minor := range h.m.provider[b.id] {
			taken += minor
		}
		h.m.mu.Unlock()
		var helped int64
		if err := q.QueryRow(`SELECT COUNT(*) FROM assists WHERE venue = $1 AND subject = $2`, h.v.ID, b.id).Scan(&helped); err != nil {
			return err
		}
		due := b.due()
		switch {
		case b.price < 0:
			h.say("a bill of %d", b.price)
		case taken != b.paid || int64(charges) > b.tries:
			h.say("bill %s was charged %d times, %d in all, and %d is booked of %d tries", b.id, charges, taken, b.paid, b.tries)
		case charges > 0 && b.collect == collectNobody:
			h.say("a bill was charged that nobody collects")
		case b.state == billPayPending && due != 0:
			h.say("a charge of %d was never delivered", due)
		case due < 0 && helped == 0:
			h.say("%d was paid too much and nobody gives it back", -due)
		case due > 0 && b.state != billBilled, due == 0 && b.state == billBilled:
			h.say("a bill that owes %d is %s", due, b.state)
		}
	}
	return nil
}

// checkOutbox: every message is delivered, or a person has it.
func (h *history) checkOutbox(q ledger.Querier) error {
	var waiting, open int64
	err := q.QueryRow(`SELECT COUNT(*) FROM messages WHERE venue = $1 AND state <> 'done'`, h.v.ID).Scan(&waiting)
	if err == nil {
		err = q.QueryRow(`SELECT COUNT(*) FROM operations WHERE venue = $1 AND kind = 'write' AND state <> 'done'`, h.v.ID).Scan(&open)
	}
	if waiting+open > 0 {
		h.say("%d messages wait, %d operations are open", waiting, open)
	}
	return err
}

// staff look at the exits that wait, and settle one of them.
func (h *history) staff(ctx context.Context) {
	if _, err := ledger.Do(ctx, h.m.ledger, askOverdue, overdue{h.m.rt, h.v, time.Now().Add(time.Hour)}); err != nil {
		h.say("%v", err)
		return
	}
	var asked []*reading
	opened := flow.Opened{Venue: h.v, By: "li@desk"}
	err := h.m.ledger.View(ctx, func(q ledger.Querier) (err error) {
		asked, err = listOf(q, scanReading, `SELECT `+readingColumns+` FROM parking_events WHERE venue = $1 AND state = 'asked' ORDER BY event`, h.v.ID)
		if err != nil || len(asked) == 0 {
			return err
		}
		asked = asked[h.r.IntN(len(asked)):][:1]
		return q.QueryRow(`SELECT id, run, subject FROM assists WHERE venue = $1 AND subject = $2 AND state <> 'resolved'`, h.v.ID, asked[0].id).
			Scan(&opened.ID, &opened.Run, &opened.Subject)
	})
	if err != nil {
		h.say("staff: %v", err)
		return
	}
	if len(asked) == 0 {
		return
	}
	h.resolve(ctx, opened, asked[0])
}

// resolve settles one assist in a random way, and tells the model of it.
func (h *history) resolve(ctx context.Context, a flow.Opened, exit *reading) {
	i := slices.IndexFunc(h.facts, func(f *fact) bool { return f.id == exit.id })
	if i < 0 {
		h.say("staff were asked about an exit that never was")
		return
	}
	run, details, then := letGo, map[string]any(nil), func() { h.facts[i].gone = true }
	switch h.r.IntN(4) {
	case 0:
		other := h.plates[h.r.IntN(len(h.plates))]
		run, details, then = rereadExit, map[string]any{"plate": other}, func() { h.facts[i].plate = other }
	case 1:
		k := h.r.IntN(len(h.facts))
		if f := h.facts[k]; f.kind == kindEntry && f.heard {
			run, details = rereadExit, map[string]any{"plate": h.facts[i].plate, "entry_event_id": f.id}
			then = func() { f.plate = h.facts[i].plate }
		}
	case 2:
		at := h.facts[i].at.Add(-time.Duration(1+h.r.IntN(7200)) * time.Second)
		run, details = enterByHand, map[string]any{"entered_at": at}
		then = func() {
			h.facts = append(h.facts, &fact{id: "by-hand:" + a.ID, kind: kindEntry, plate: h.facts[i].plate, at: at, heard: true})
		}
	}
	text, _ := json.Marshal(details)
	if details == nil {
		text = nil
	}
	err := h.m.commit(ctx, func(tx *ledger.Tx) error {
		if _, err := run(tx, h.m.rt, a, text); err != nil {
			return err
		}
		return settleAbout(tx, h.v.ID, handUnmatched.Kind, exit.id, "done")
	})
	if e, refused := errors.AsType[*gateway.Error](err); refused && e.Problem != gateway.ProblemInternal {
		return // it has that plate already
	}
	if err != nil {
		h.say("staff: %v", err)
		return
	}
	then()
}
