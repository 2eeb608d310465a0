package parking

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/warmgate/warmgate/flows/parking/plate"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// bank is a collector of a lot with books of its own: what it has taken and given back is the truth that the ledger is held
// against. It answers, loses answers, decides at once, later or never before it is asked, and tells what it has decided early,
// late, twice or not at all.
type bank struct {
	h         *history
	collector string
	taken     []*taking
	back      []*giving
	letters   []Heard // that it has still to tell
	told      []Heard
	n         int
	down      bool
	calm      bool // it answers, and decides at once
}

// taking is a charge at the bank.
type taking struct {
	number, bill, id string
	minor            int64
	state            string
}

// giving is a refund at the bank.
type giving struct {
	Repayment
	id, state string
}

var errNoMoney = errors.New("the account holds less")

func (b *bank) find(number string) *taking {
	for _, t := range b.taken {
		if t.number == number {
			return t
		}
	}
	return nil
}

func (t *taking) verdict() Verdict {
	v := Verdict{Number: t.number, State: t.state, Minor: t.minor}
	switch t.state {
	case collectionPaid:
		v.Reference = t.id
	case collectionFailed:
		v.Reason = "pay-fail"
	}
	return v
}

func (b *bank) id() string {
	b.n++
	return fmt.Sprintf("%s-%s-%d", b.h.v.ID, b.collector, b.n)
}

// unheard reports whether a request has not arrived.
func (b *bank) unheard() bool { return b.down || !b.calm && b.h.chance(15) }

// lost reports whether an answer is lost.
func (b *bank) lost() bool {
	if b.calm || !b.h.chance(15) {
		return false
	}
	b.h.m.counts["answer lost"]++
	return true
}

// decision is what becomes of a charge now.
func (b *bank) decision(or string) string {
	switch n := b.h.r.IntN(10); {
	case b.calm && n < 8, n < 4:
		return collectionPaid
	case b.calm, n < 6:
		b.h.m.counts["PAY_FAIL"]++
		return collectionFailed
	}
	return or
}

// collect takes the money of a bill, once for each number.
func (b *bank) collect(ctx context.Context, number string, c Charge, minor int64) (*taking, error) {
	if b.unheard() {
		return nil, errLostAnswer
	}
	t := b.find(number)
	switch {
	case t != nil && t.minor != minor:
		b.h.say("%s was asked to collect %d, and then %d", number, t.minor, minor)
	case t == nil && !b.calm && b.h.chance(8):
		b.h.m.counts["refused by the collector"]++
		return nil, errNoMoney
	case t == nil:
		if err := b.allowed(ctx, c); err != nil {
			return nil, err
		}
		t = &taking{number: number, bill: c.Bill, id: b.id(), minor: minor, state: b.decision(collectionAccepted)}
		b.taken = append(b.taken, t)
		if t.state != collectionAccepted {
			b.tell(Heard{Verdict: new(t.verdict()), Subject: number})
		}
		if b.h.chance(20) {
			b.h.m.counts["told before the answer"]++
			b.h.post(ctx)
		}
		if !b.calm && b.h.chance(2) {
			b.h.m.counts["killed between the charge and its record"]++
			b.h.m.kill()
		}
	}
	if b.lost() {
		return nil, errLostAnswer
	}
	return t, nil
}

// allowed holds that nobody is charged who must not be.
func (b *bank) allowed(ctx context.Context, c Charge) error {
	return b.h.m.ledger.View(ctx, func(q ledger.Querier) error {
		of, err := findBill(q, c.Bill)
		switch {
		case err != nil:
			return err
		case of == nil:
			b.h.say("a bill was charged that is not there")
		case of.state != billPayPending:
			b.h.say("a bill was charged that is %s", of.state)
		case of.collect == collectNobody:
			b.h.say("a bill was charged that nobody collects")
		}
		return nil
	})
}

// tell leaves a notification to the post, or forgets it.
func (b *bank) tell(n Heard) {
	if b.h.chance(20) {
		b.h.m.counts["notification never sent"]++
		return
	}
	n.ID = "n-" + b.id()
	b.letters = append(b.letters, n)
}

// decide decides about something that waits for it.
func (b *bank) decide() {
	for _, t := range b.taken {
		if t.state == collectionAccepted && (b.calm || b.h.chance(50)) {
			if t.state = b.decision(collectionPaid); !b.calm {
				b.tell(Heard{Verdict: new(t.verdict()), Subject: t.number})
			}
			break
		}
	}
	for _, g := range b.back {
		if g.state == collectionAccepted && (b.calm || b.h.chance(50)) {
			g.state = b.decision(collectionPaid)
			b.tell(Heard{Refund: new(g.verdict()), Subject: g.Number})
			break
		}
	}
}

func (g *giving) verdict() Verdict {
	v := Verdict{Number: g.Number, State: g.state, Minor: g.Minor, Reference: g.id}
	if g.state == collectionFailed {
		v.Reason = "abnormal"
	}
	return v
}

// refund gives money back, once for each number, and never more than was taken.
func (b *bank) refund(_ context.Context, r Repayment) (Verdict, error) {
	if b.unheard() {
		return Verdict{}, errLostAnswer
	}
	var g *giving
	back := r.Minor
	for _, of := range b.back {
		if of.Number == r.Number {
			g = of
		}
		if of.Collection == r.Collection && of.state != collectionFailed && of.Number != r.Number {
			back += of.Minor
		}
	}
	t := b.find(r.Collection)
	switch {
	case t == nil || t.state != collectionPaid || back > t.minor:
		b.h.say("%d are to be given back of %+v", back, t)
		return Verdict{}, call.Refuse("state", errNoMoney)
	case g == nil && !b.calm && b.h.chance(8):
		return Verdict{}, call.Refuse("state", errNoMoney)
	case g == nil:
		g = &giving{Repayment: r, id: b.id(), state: b.decision(collectionAccepted)}
		b.back = append(b.back, g)
		if g.state != collectionAccepted {
			b.tell(Heard{Refund: new(g.verdict()), Subject: g.Number})
		}
	}
	if b.lost() {
		return Verdict{}, errLostAnswer
	}
	return g.verdict(), nil
}

// till is the bank as the lot reaches it.
func (b *bank) till() *till {
	t := &till{venue: b.h.v, connector: "model-" + b.collector, collector: b.collector}
	t.look = func(_ context.Context, c *collection, _ string, _ time.Time) (*Verdict, error) {
		if b.unheard() || b.lost() {
			return nil, errLostAnswer
		}
		if of := b.find(c.number); of != nil {
			return new(of.verdict()), nil
		}
		return nil, nil
	}
	if b.collector == collectPayment {
		t.back = b.refund
	}
	return t
}

// collect is how the lot asks a bank to collect a bill.
func (m *mill) collect(ctx context.Context, _ string, c Charge) (none Told, err error) {
	o, err := ledger.Do(ctx, m.ledger, orderOf, c)
	switch {
	case err != nil:
		return none, err
	case o.Look && m.mistake != deafDispute:
		return none, errStopped
	case !o.Ask && !o.Look:
		return none, nil
	}
	number := o.Number
	if m.mistake == chargeNoKey {
		number = strings.Split(number, "-")[0] + fmt.Sprintf("-%x", m.h.r.Uint32())
	}
	t, err := m.h.bankOf(c.By).collect(ctx, number, c, o.Minor)
	switch {
	case errors.Is(err, errNoMoney), m.mistake == lostIsNo && errors.Is(err, errLostAnswer):
		_, err = ledger.Do(ctx, m.ledger, settle, Verdict{Number: o.Number, State: collectionFailed, Reason: "limit"})
		return none, err
	case err != nil:
		return none, err
	}
	v := t.verdict()
	v.Number = o.Number
	_, err = ledger.Do(ctx, m.ledger, settle, v)
	return none, err
}

// errDeaf: the bank has no charge, and that the bill is not to be collected any more is not heard.
var errDeaf = errors.New("the bank has no such charge")

// collected is how the lot asks a bank whether it has a charge.
func (m *mill) collected(ctx context.Context, _ string, c Charge) (none Told, happened bool, err error) {
	b := m.h.bankOf(c.By)
	look := func(_ context.Context, of *collection, _ string, _ time.Time) (*Verdict, error) {
		if b.unheard() || b.lost() {
			return nil, errLostAnswer
		}
		if t := b.find(of.number); t != nil {
			return new(t.verdict()), nil
		}
		if m.mistake == deafDispute {
			return nil, errDeaf
		}
		return nil, nil
	}
	happened, err = collected(ctx, m.ledger, c, look, func(err error) error {
		if errors.Is(err, errDeaf) {
			return nil
		}
		return err
	})
	return none, happened, err
}

// announce is how the lot asks whether a car may pay later.
func (m *mill) announce(ctx context.Context, _ string, c CarIn) (none Told, err error) {
	b := m.h.bankOf(collectPayment)
	if b.unheard() {
		return none, errLostAnswer
	}
	p, err := plate.Parse(c.Plate)
	if err != nil {
		return none, err
	}
	said := Permission{Venue: m.venue.ID, Plate: hashPlate(m.keys, m.venue.Tenant, p), Source: collectPayment, State: permitGranted, At: m.now(), By: ledger.ActorGateway,
		Stay: c.Stay}
	if m.h.chance(25) {
		said.State = permitBlocked
	}
	if m.h.chance(30) { // it is told later, and perhaps twice
		b.tell(Heard{Permission: &said, Stay: c.Stay, Subject: c.Stay})
		return none, nil
	}
	_, err = ledger.Do(ctx, m.ledger, permitCar, said)
	return none, err
}

// post brings one notification: one that waits, or one that was brought before; and now and then one that changes its content,
// or one about nothing that is known here.
func (h *history) post(ctx context.Context) {
	b := h.banks[h.r.IntN(len(h.banks))]
	var n Heard
	switch k := h.r.IntN(20); {
	case k == 0:
		n = Heard{ID: "n-" + b.id(), Verdict: &Verdict{Number: "elsewhere", State: collectionPaid, Minor: 100}, Subject: "elsewhere"}
	case k < 5 && len(b.told) > 0:
		n = b.told[h.r.IntN(len(b.told))]
		h.m.counts["notification told again"]++
		if n.Verdict != nil && h.chance(20) {
			h.forge(ctx, b, n)
			return
		}
	case len(b.letters) > 0:
		i := h.r.IntN(len(b.letters))
		n = b.letters[i]
		b.letters = append(b.letters[:i:i], b.letters[i+1:]...)
	default:
		return
	}
	if err := takeNotice(ctx, h.m.ledger, b.till(), n); err == nil {
		b.told = append(b.told, n)
	} else { // the collector sends it again
		b.letters = append(b.letters, n)
		h.excuse("a notification", err)
	}
}

// forge brings a notification with another content.
func (h *history) forge(ctx context.Context, b *bank, n Heard) {
	v := *n.Verdict
	v.Minor++
	n.Verdict = &v
	err := takeNotice(ctx, h.m.ledger, b.till(), n)
	if err == nil {
		h.say("a notification that has changed was taken")
	}
	if !isProblem(err, ProblemNoticeChanged) {
		h.excuse("a notification that has changed", err)
	}
}

func (h *history) bankOf(collector string) *bank {
	for _, b := range h.banks {
		if b.collector == collector {
			return b
		}
	}
	return nil
}

// clerk looks after what the banks have not decided.
func (h *history) clerk(ctx context.Context) {
	for _, b := range h.banks {
		w := &round{rt: h.m.rt, till: b.till()}
		for _, do := range []func(context.Context) error{w.collections, w.refunds, w.parked} {
			h.excuse("a look at a collector", do(ctx))
		}
	}
}
