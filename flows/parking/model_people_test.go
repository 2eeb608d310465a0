package parking

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// owning is a time in which a plate is a person's.
type owning struct {
	who, plate  string
	from, until time.Time
}

// staffName acts for the lot.
const staffName = "li"

func person(name string) *gateway.Principal {
	return &gateway.Principal{Issuer: "i", Subject: name, Tenant: "hangzhou", Venues: []string{"*"}}
}

// owns reports whether a plate was somebody's.
func (h *history) owns(who, plate string, at time.Time) bool {
	return slices.ContainsFunc(h.owned, func(o owning) bool {
		return o.who == who && o.plate == plate && !o.from.After(at) && o.until.After(at)
	})
}

// bills are those of the lot.
func (h *history) bills(ctx context.Context) (all []*bill) {
	h.excuse("reading bills", h.m.ledger.View(ctx, func(q ledger.Querier) (err error) {
		all, err = listOf(q, scanBill, `SELECT `+billColumns+` FROM parking_bills WHERE venue = $1 ORDER BY issued_at, id`, h.v.ID)
		return err
	}))
	return all
}

// plateOf is whose a bill is.
func (h *history) plateOf(b *bill) string {
	for _, p := range h.plates {
		if string(h.hashes[p]) == string(b.plate) {
			return p
		}
	}
	return ""
}

// citizen lets somebody do something about a bill, or say that a plate is theirs.
func (h *history) citizen(ctx context.Context) {
	who := []string{"zhang", "chen"}[h.r.IntN(2)]
	all := h.bills(ctx)
	if len(all) == 0 && h.chance(80) {
		return
	}
	if len(all) == 0 || h.chance(10) {
		h.bind(who, h.plates[h.r.IntN(len(h.plates))])
		return
	}
	b := all[h.r.IntN(len(all))]
	what := h.r.IntN(10)
	if i := slices.IndexFunc(all, func(b *bill) bool { return b.due() < 0 }); i >= 0 && h.chance(70) { // rare, and worth a dispute
		b, what = all[i], 8
	}
	for _, o := range h.owned { // mostly it is theirs
		if h.owns(o.who, h.plateOf(b), b.left) && h.chance(85) {
			who = o.who
		}
	}
	fault := h.fail()
	defer h.heal(fault)
	switch {
	case what < 5:
		h.pay(who, b)
	case what < 9:
		h.dispute(who, b)
	default:
		h.heal(fault) // whether it was kept has to be known
		h.waive(b)
	}
}

// pay has a bill collected by hand, at times with a wrong amount.
func (h *history) pay(who string, b *bill) {
	in := Paying{Bill: b.id, Amount: b.money(b.due()), owner: ledger.Subject(h.m.keys, person(who)), tenant: "hangzhou", collector: collectPayment, rt: h.m.rt}
	if h.chance(10) {
		in.Amount.Minor++
	}
	if h.chance(30) {
		in.collector = collectCity
	}
	var want *gateway.Problem
	switch {
	case !h.owns(who, h.plateOf(b), b.left):
		want = ProblemBillUnknown
	case b.state == billDisputed:
		want = ProblemBillDisputed
	case b.state == billPayPending:
		want = ProblemBillPending
	case b.due() <= 0:
		want = ProblemBillSettled
	case in.Amount.Minor != b.due():
		want = ProblemAmountWrong
	}
	o, err := runPlan(h.m, h.newID(), h.m.people.payments, person(who), in)
	h.told("paying", o.Err, err, want)
}

// dispute hands a bill to a person.
func (h *history) dispute(who string, b *bill) {
	id := h.newID()
	in := Disputing{Journey: id, Bill: b.id, owner: ledger.Subject(h.m.keys, person(who)), tenant: "hangzhou", reason: "not my car", venue: h.v, rt: h.m.rt}
	var want *gateway.Problem
	switch {
	case !h.owns(who, h.plateOf(b), b.left):
		want = ProblemBillUnknown
	case b.state == billDisputed:
		want = ProblemBillDisputed
	case b.price-b.waived <= 0 || b.state == billWaived || b.state == billRefunded || b.state == billCancelled:
		want = ProblemBillSettled
	}
	o, err := runPlan(h.m, id, h.m.people.disputes, person(who), in)
	h.told("disputing", o.Err, err, want)
}

// waive lets a part of a bill go, or all of it.
func (h *history) waive(b *bill) {
	id, minor := h.newID(), b.due()
	in := Waiving{Journey: id, Bill: b.id, by: person(staffName), reason: []byte("a guest"), seal: sealWith(h.m.rt)}
	if in.Refund = h.chance(30); in.Refund {
		minor = b.price - b.waived
	}
	most := minor
	if h.chance(50) && most > 1 {
		minor = 1 + h.r.Int64N(most)
		in.Minor = minor
	}
	var want *gateway.Problem
	switch {
	case b.state == billDisputed:
		want = ProblemBillDisputed
	case b.state == billPayPending:
		want = ProblemBillPending
	case most <= 0:
		want = ProblemBillSettled
	}
	o, err := runPlan(h.m, id, h.m.people.waivers, person(staffName), in)
	what := "waiving"
	if in.Refund {
		what = "waiving, with a refund"
	}
	h.told(what, o.Err, err, want)
	if err == nil && o.Err == nil {
		h.waived[b.id] += minor
	}
}

// told holds what somebody was told against what they have to be.
func (h *history) told(what string, got *gateway.Error, err error, want *gateway.Problem) {
	switch {
	case err != nil:
		h.say("%s: %v", what, err)
	case got != nil && got.Problem == gateway.ProblemLedgerUnavailable:
	case got == nil && want != nil:
		h.say("%s went well, and is %s", what, want.Type)
	case got != nil && got.Problem != want:
		h.say("%s was refused with %v, not %v", what, got, want)
	case got == nil:
		h.m.counts[what]++
	}
}

// bind says that a plate is somebody's.
func (h *history) bind(who, p string) {
	id, now := h.newID(), h.m.now()
	in := Binding{Journey: id, Lot: h.v.ID, Plate: h.hashes[p], Owner: ledger.Subject(h.m.keys, person(who)), At: now, text: p, by: who, venue: h.v, rt: h.m.rt}
	o, err := runPlan(h.m, id, h.m.people.vehicles, person(who), in)
	h.told("binding", o.Err, err, nil)
	switch {
	case err != nil || o.Err != nil:
	case h.owns(who, p, now) != !o.Value.Until.IsZero():
		h.say("the plate is theirs: %v, and they hear %+v", h.owns(who, p, now), o.Value)
	case o.Value.Assist != "":
		h.asking[o.Value.Assist] = owning{who: who, plate: p}
	}
}

// staff look at what waits for them, and settle one thing.
func (h *history) staff(ctx context.Context) {
	if h.chance(35) {
		before := h.m.now().Add(-time.Duration(h.r.IntN(25)) * time.Hour)
		_, err := ledger.Do(ctx, h.m.ledger, askOverdue, overdue{h.m.rt, h.v, before})
		h.excuse("asking about exits", err)
	}
	open := h.assists(ctx, `state <> 'resolved'`)
	if len(open) == 0 {
		return
	}
	a := open[h.r.IntN(len(open))]
	if i := slices.IndexFunc(open, func(a flow.Opened) bool { return strings.HasPrefix(a.Kind, handOverpaid.Kind) }); i >= 0 && h.chance(50) {
		a = open[i]
	}
	switch {
	case strings.HasPrefix(a.Kind, handUnmatched.Kind):
		h.match(ctx, a)
	case strings.HasPrefix(a.Kind, handDispute.Kind):
		h.judge(ctx, a)
	case strings.HasPrefix(a.Kind, handOverpaid.Kind):
		h.repay(ctx, a)
	case strings.HasPrefix(a.Kind, handVehicle.Kind):
		h.verify(ctx, a)
	case h.chance(30):
		h.resolve(ctx, a, "settled", nil, nil)
	}
}

func (h *history) assists(ctx context.Context, where string) (all []flow.Opened) {
	h.excuse("reading assists", h.m.ledger.View(ctx, func(q ledger.Querier) (err error) {
		all, err = listOf(q, func(r ledger.Row) (a flow.Opened, err error) {
			a.Venue, a.By, a.Tenant = h.v, "li@i", "hangzhou"
			return a, r.Scan(&a.ID, &a.Run, &a.Kind, &a.Subject)
		}, `SELECT id, run, kind, subject FROM assists WHERE venue = $1 AND `+where+` ORDER BY seq`, h.v.ID)
		return err
	}))
	return all
}

// resolve settles an assist as a person says, in one commit. It reports whether it stands.
func (h *history) resolve(ctx context.Context, a flow.Opened, word string, run func(tx *ledger.Tx) error, want *gateway.Problem) bool {
	err := h.m.commit(ctx, func(tx *ledger.Tx) error {
		if run != nil {
			if err := run(tx); err != nil {
				return err
			}
		}
		_, err := tx.SettleAssist(h.v.ID, a.Kind, a.Subject, word)
		return err
	})
	e, refused := errors.AsType[*gateway.Error](err)
	switch {
	case err == nil && want != nil:
		h.say("%s went well, and is %s", word, want.Type)
	case refused && want != nil && e.Problem == want:
	case refused && want == nil && e.Problem != gateway.ProblemInternal: // such as a plate that it has already
	case err != nil:
		h.excuse(word, err)
	default:
		h.m.counts["staff: "+word]++
	}
	return err == nil
}

// match gives an exit that waits its entry, its plate, or lets it go.
func (h *history) match(ctx context.Context, a flow.Opened) {
	i := slices.IndexFunc(h.facts, func(f *fact) bool { return f.id == a.Subject })
	if i < 0 {
		h.say("staff were asked about an exit that never was")
		return
	}
	word, run, details, then := "let-go", letGo, any(nil), func() { h.facts[i].gone = true }
	switch h.r.IntN(4) {
	case 0:
		other := h.plates[h.r.IntN(len(h.plates))]
		word, run, details, then = "plate", rereadExit, map[string]any{"plate": other}, func() { h.facts[i].plate = other }
	case 1:
		if f := h.facts[h.r.IntN(len(h.facts))]; f.kind == kindEntry && f.heard {
			word, run, details = "plate", rereadExit, map[string]any{"plate": h.facts[i].plate, "entry_event_id": f.id}
			then = func() { f.plate = h.facts[i].plate }
		}
	case 2:
		at := h.facts[i].at.Add(-time.Duration(1+h.r.IntN(7200)) * time.Second)
		word, run, details = "entered", enterByHand, map[string]any{"entered_at": at}
		then = func() {
			h.facts = append(h.facts, &fact{id: "by-hand:" + a.ID, kind: kindEntry, plate: h.facts[i].plate, at: at, heard: true})
		}
	}
	text, _ := json.Marshal(details)
	if details == nil {
		text = nil
	}
	if h.resolve(ctx, a, word, func(tx *ledger.Tx) error { _, err := run(tx, h.m.rt, a, text); return err }, nil) {
		then()
	}
}

// billOf reads the bill that an assist is about.
func (h *history) billOf(ctx context.Context, a flow.Opened) *bill {
	all := h.bills(ctx)
	if i := slices.IndexFunc(all, func(b *bill) bool { return b.id == a.Subject }); i >= 0 {
		return all[i]
	}
	return nil
}

// judge decides about a dispute.
func (h *history) judge(ctx context.Context, a flow.Opened) {
	b := h.billOf(ctx, a)
	if b == nil {
		h.say("a bill is disputed that is not there")
		return
	}
	if h.chance(50) || b.price-b.waived <= 0 {
		h.resolve(ctx, a, "stands", func(tx *ledger.Tx) error { _, err := letStand(tx, h.m.rt, a, nil); return err }, nil)
		return
	}
	minor, details := b.price-b.waived, []byte(nil)
	if h.chance(50) {
		minor = 1 + h.r.Int64N(minor)
		details, _ = json.Marshal(map[string]any{"minor": minor})
	}
	if h.resolve(ctx, a, "waive", func(tx *ledger.Tx) error { _, err := letDisputedGo(tx, h.m.rt, a, details); return err }, nil) {
		h.waived[b.id] += minor
	}
}

// repay gives back what was paid too much; not while that is disputed.
func (h *history) repay(ctx context.Context, a flow.Opened) {
	b := h.billOf(ctx, a)
	if b == nil {
		return
	}
	var want *gateway.Problem
	switch {
	case b.due() >= 0:
		want = ProblemBillSettled
	case b.state == billDisputed:
		want = ProblemBillDisputed
	}
	if !h.chance(30) {
		h.resolve(ctx, a, "refund", func(tx *ledger.Tx) error { _, err := h.m.giveBack(tx, h.m.rt, a); return err }, want)
		return
	}
	under := int64(0) // way
	h.excuse("reading refunds", h.m.ledger.View(ctx, func(q ledger.Querier) error {
		return q.QueryRow(`SELECT COALESCE(SUM(minor), 0) FROM parking_refunds WHERE bill = $1 AND state IN ('ordered', 'accepted')`, b.id).Scan(&under)
	}))
	if want == nil && -b.due() <= under {
		want = ProblemBillSettled
	}
	if h.resolve(ctx, a, "settled", func(tx *ledger.Tx) error { _, err := gaveByHand(tx, h.m.rt, a, nil); return err }, want) {
		h.byHand[b.id] += -b.due() - under
	}
}

// verify makes a plate somebody's from some time on, and nobody else's.
func (h *history) verify(ctx context.Context, a flow.Opened) {
	asked, known := h.asking[a.ID]
	if !known || h.chance(20) {
		h.resolve(ctx, a, "refused", nil, nil)
		return
	}
	from := h.m.now().Add(-time.Duration(h.r.IntN(9*24)) * time.Hour)
	if h.resolve(ctx, a, "verified", h.verified(a, asked, from), nil) {
		h.bound(asked, from)
	}
}

func (h *history) verified(a flow.Opened, asked owning, from time.Time) func(tx *ledger.Tx) error {
	a.Facts, _ = json.Marshal(vehicleFacts{Plate: asked.plate, By: asked.who, Owner: ledger.Subject(h.m.keys, person(asked.who))})
	details, _ := json.Marshal(map[string]any{"from": from})
	return func(tx *ledger.Tx) error { _, err := verify(tx, h.m.rt, a, details); return err }
}

// bound notes that a plate is somebody's from some time on, and nobody else's.
func (h *history) bound(asked owning, from time.Time) {
	for i := range h.owned {
		if o := &h.owned[i]; o.plate == asked.plate && o.until.After(from) {
			o.until = from
		}
	}
	h.owned = append(h.owned, owning{who: asked.who, plate: asked.plate, from: from, until: h.m.now().Add(bindFor)})
}

// grant makes a plate somebody's before anything has happened.
func (h *history) grant(ctx context.Context, p string) {
	asked, from := owning{who: []string{"zhang", "chen"}[h.r.IntN(2)], plate: p}, h.m.now().Add(-time.Hour)
	a := flow.Opened{By: "li@i", Venue: h.v}
	a.ID, a.Run, a.Tenant = h.newID(), h.newID(), "hangzhou"
	if err := h.m.commit(ctx, h.verified(a, asked, from)); err != nil {
		h.say("a binding: %v", err)
		return
	}
	h.bound(asked, from)
}
