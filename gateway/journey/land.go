package journey

import (
	"errors"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// land books what a call has brought home and gives its failure the meaning that the step declared.
func (r *run) land(l landing) {
	r.inFlight--
	n := r.nodes[l.node]
	r.steps = append(r.steps, StepTime{Step: n.name, Took: l.took})
	if n.kind.reads() {
		r.landAsk(n, l)
		return
	}
	r.at[n.index].items = l.items
	r.at[n.index].spent += l.took
	for i := range l.items {
		if r.landItem(n, &l.items[i]) {
			return // a Choose goes on with its next candidate
		}
	}
	r.landAll(n, l.items)
}

func (r *run) landAsk(n *node, l landing) {
	if l.source.System != "" {
		r.sources = append(r.sources, l.source)
	}
	r.sources = append(r.sources, l.many...)
	if n.kind == kindAsk && l.source.State != gateway.Cached && call.OutcomeOf(l.err) != call.NotSentOutcome { // a stale answer was asked for again
		r.audit(n, auditDisclose, l.source.System)
	}
	if l.err != nil {
		r.fail(n, l.err)
		return
	}
	r.at[n.index].value = l.value
	r.end(n.index, done)
}

// landItem settles one call of an effect. It reports whether the step goes on with another candidate.
func (r *run) landItem(n *node, it *item) (again bool) {
	if !it.begun || it.known || it.deferred {
		return false
	}
	outcome := call.OutcomeOf(it.err)
	if outcome == call.NotSentOutcome && !r.req.Bindings.Silent(n.effect.name()) {
		r.audit(n, auditWithhold, r.req.Bindings.System(n.effect.name()))
	}
	switch outcome {
	case call.Done:
		r.settle(n, it, ledger.OpDone, "")
	case call.RefusedOutcome:
		refused, _ := errors.AsType[*call.Refused](it.err)
		r.settle(n, it, ledger.OpRefused, refused.Reason)
		if n.kind == kindChoose && refused.Reason == Taken && r.nextCandidate(n) {
			return true
		}
	default:
		r.landUnknown(n, it, outcome)
	}
	return false
}

// nextCandidate moves a Choose to its next candidate, if there is one.
func (r *run) nextCandidate(n *node) bool {
	if r.at[n.index].try+1 >= len(n.args(r)) {
		return false
	}
	r.at[n.index].try++
	r.at[n.index].progress = waiting
	r.queued = append(r.queued, n.index)
	r.at[n.index].items = nil
	return true
}

// landUnknown books a call whose effect did not come about in time, or may have.
func (r *run) landUnknown(n *node, it *item, outcome call.Outcome) {
	m := n.meaning.under(r)
	switch {
	case m.verdict == deferred:
		it.deferred = true
		it.err = nil
		r.postpone(it, m)
	case outcome == call.NotSentOutcome:
		r.settle(n, it, ledger.OpRefused, "not sent")
	case m.verdict == without || m.verdict == assist && m.handover.Hold || r.pivoted:
		r.watch(n, it)
	}
}

// landAll ends an effect's step once all its calls have been booked.
func (r *run) landAll(n *node, items []item) {
	var err error
	for i := range items {
		it := &items[i]
		r.at[n.index].later = r.at[n.index].later || it.deferred
		if it.err != nil && err == nil {
			err = it.err
		}
	}
	if r.at[n.index].later {
		r.pending = append(r.pending, n.name)
	}
	if n.kind == kindCommitEach {
		r.landEach(n, items)
		return
	}
	last := items[len(items)-1]
	if err != nil {
		r.fail(n, err)
		return
	}
	r.at[n.index].value = last.value
	if last.value == nil {
		r.at[n.index].value = n.zero
	}
	r.passPivot(n)
	r.end(n.index, done)
}

// landEach ends a CommitEach: refusals are data; an effect that is unknown and not deferred stops the plan.
func (r *run) landEach(n *node, items []item) {
	m := n.meaning.under(r)
	for i := range items {
		err := items[i].err
		if err == nil || call.OutcomeOf(err) == call.RefusedOutcome {
			continue
		}
		if m.verdict != without {
			r.fail(n, err)
			return
		}
	}
	r.at[n.index].value = n.gather(items)
	r.passPivot(n)
	r.end(n.index, done)
}

func (r *run) passPivot(n *node) { r.pivoted = r.pivoted || n.pivot }

// settle notes for the next commit how an operation has ended.
func (r *run) settle(n *node, it *item, as ledger.OpState, reason string) {
	var plain []byte
	if as == ledger.OpDone {
		var err error
		if plain, err = n.effect.encode(it.value); err != nil {
			r.engine.logger.Error("cannot keep an operation's result", "plan", r.name, "step", n.name, "error", err)
		}
	}
	key := it.key
	r.firm = r.firm || as != ledger.OpDone
	r.writes = append(r.writes, func(r *run, tx *ledger.Tx) error {
		_, err := r.move(tx, key, as, r.seal(plain, sealedResult), reason)
		return err
	})
}

// move settles an operation that this run has begun. Behind the answer another run may have taken it over.
func (r *run) move(tx *ledger.Tx, key string, to ledger.OpState, result []byte, reason string) (bool, error) {
	if r.behind {
		op, found, err := ledger.FindOperation(tx, key)
		if err != nil || !found || op.Run != r.req.ID {
			return false, err
		}
	}
	return tx.SettleOperation(key, []ledger.OpState{ledger.OpBegun}, to, result, reason)
}

// postpone leaves an operation to the outbox.
func (r *run) postpone(it *item, m *meaning) {
	key, due := it.key, m.dueAt(r.req.Venue)
	r.firm = true
	r.writes = append(r.writes, func(r *run, tx *ledger.Tx) error {
		changed, err := r.move(tx, key, ledger.OpDeferred, nil, "")
		if err != nil || !changed {
			return err
		}
		if err := tx.PromiseOperation(key, tx.Now().Add(due)); err != nil {
			return err
		}
		return tx.Enqueue(r.message(tx, kindDeliver, key, tx.Now(), due))
	})
}

// watch has the outbox find out what became of an operation. It waits until the call in flight must have ended.
func (r *run) watch(n *node, it *item) {
	key := it.key
	r.firm = true
	r.writes = append(r.writes, func(r *run, tx *ledger.Tx) error {
		return tx.Enqueue(r.message(tx, kindSettle, key, r.quiet(n), 0))
	})
}

// quiet is when a call of step n that is in flight now must have ended.
func (r *run) quiet(n *node) time.Time {
	return r.engine.now().Add(r.policies[n.index].Slice + r.timing.Flush)
}

func (r *run) message(tx *ledger.Tx, kind, key string, next time.Time, due time.Duration) ledger.Message {
	m := ledger.Message{Key: kind + ":" + r.req.ID + ":" + key, Kind: kind, Run: r.req.ID, Venue: r.req.Venue.ID, NextAt: next, Payload: []byte(key)}
	if due > 0 {
		m.DueAt = tx.Now().Add(due)
	}
	return m
}

// What the audit trail says of a disclosure. That of an effect is written with its beginning, before anything is told;
// where it then could not be sent, withhold takes that back.
const (
	auditDisclose = "disclose"
	auditWithhold = "withhold"
)

// audit notes for the next commit what was disclosed, or was not after all.
func (r *run) audit(n *node, action, system string) {
	if len(n.disclose.fields) == 0 {
		return
	}
	r.firm = true
	r.writes = append(r.writes, func(r *run, tx *ledger.Tx) error { return n.disclose.audit(tx, action, r.req.ID, system) })
}

// audit writes on the audit trail, where the step discloses anything.
func (d disclosure) audit(tx *ledger.Tx, action, run, system string) error {
	if len(d.fields) == 0 {
		return nil
	}
	return tx.Audit(ledger.AuditEntry{
		Run: run, Actor: ledger.ActorGateway, Action: action, System: system, Purpose: d.purpose, Fields: d.fields,
	})
}
