package journey

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// finish keeps how the run ended: what is taken back, who takes over, and the answer, all in the commit of tx.
func (r *run) finish(tx *ledger.Tx) error {
	state := ledger.RunDone
	if r.stop != nil {
		state = ledger.RunRefused
		if r.stop.handover != nil {
			state = ledger.RunAssist
		}
		if err := r.unwind(tx); err != nil {
			return err
		}
	}
	if state == ledger.RunAssist {
		opened, err := r.handOver(tx)
		if err != nil {
			return err
		}
		r.handed = &opened
	}
	r.begun = true
	r.answer = r.render(r)
	body := r.seal(r.answer.Body, sealedAnswer)
	if err := tx.EndRun(r.req.ID, state, r.pivoted, r.answer.Status, body); err != nil {
		return err
	}
	if i := r.req.Idempotency; i != nil {
		return tx.EndIdempotency(i.Scope[:], r.req.ID, r.answer.Status, body, tx.Now().Add(r.engine.keep))
	}
	return nil
}

// unwind takes back what a stopped plan has done, in reverse, where its pivot has not settled; what stays unknown is
// watched until it is known.
func (r *run) unwind(tx *ledger.Tx) error {
	held := r.stop.handover != nil && r.stop.handover.Hold
	back := !r.pivoted && !held
	direct := true // no call has to be taken back before this record
	for k := len(r.effects) - 1; k >= 0; k-- {
		n := r.nodes[r.effects[k]]
		if n.kind == kindRecord {
			if err := r.unwindRecord(tx, n, back, direct); err != nil {
				return err
			}
			continue
		}
		taken, err := r.unwindCalls(tx, n, back)
		if err != nil {
			return err
		}
		direct = direct && !taken
	}
	if direct {
		return nil
	}
	return tx.Enqueue(ledger.Message{
		Key: kindUndo + ":" + r.req.ID, Kind: kindUndo, Run: r.req.ID, Venue: r.req.Venue.ID, Payload: []byte(r.req.ID),
		NextAt: r.engine.now().Add(r.longest() + r.timing.Flush),
	})
}

// longest is the longest slice of the plan's effects: after it no call of this run is in flight.
func (r *run) longest() (d time.Duration) {
	for _, i := range r.effects {
		d = max(d, r.policies[i].Slice)
	}
	return d
}

func (r *run) unwindRecord(tx *ledger.Tx, n *node, back, direct bool) error {
	if !back {
		return nil
	}
	for _, rec := range r.records {
		if rec.node != n.index {
			continue
		}
		to := ledger.OpUndoing
		if direct {
			to = ledger.OpUndone
			if err := n.undo.fresh(tx, rec.value); err != nil {
				return fmt.Errorf("cannot take back step %s: %w", n.name, err)
			}
		}
		_, err := tx.SettleOperation(r.recordKey(n), []ledger.OpState{ledger.OpDone}, to, nil, "")
		return err
	}
	return nil
}

func (r *run) recordKey(n *node) string { return r.req.ID + "/" + n.name }

// unwindCalls marks the calls of a step for the outbox to take back, or to watch. It reports whether any is taken back.
func (r *run) unwindCalls(tx *ledger.Tx, n *node, back bool) (taken bool, err error) {
	for i := range r.at[n.index].items {
		it := &r.at[n.index].items[i]
		inFlight := r.at[n.index].progress == flying
		if !it.begun || it.known || !inFlight && neverHappened(it.err) {
			continue
		}
		if back && n.undo.name != "" {
			from := []ledger.OpState{ledger.OpBegun, ledger.OpDone, ledger.OpDeferred}
			changed, err := tx.SettleOperation(it.key, from, ledger.OpUndoing, nil, "")
			if err != nil {
				return taken, err
			}
			taken = taken || changed
			continue
		}
		if inFlight || it.err != nil {
			if err := tx.Enqueue(r.message(tx, kindSettle, n, it.key, r.quiet(n), 0)); err != nil {
				return taken, err
			}
		}
	}
	return taken, nil
}

func neverHappened(err error) bool {
	outcome := call.OutcomeOf(err)
	return outcome == call.RefusedOutcome || outcome == call.NotSentOutcome
}

// handOver opens the assist that holds everything that is known.
func (r *run) handOver(tx *ledger.Tx) (ledger.Assist, error) {
	a := ledger.Assist{
		ID: r.engine.newID(), Run: r.req.ID, Plan: r.name, Kind: r.stop.handover.Kind, Tenant: r.req.Venue.Tenant,
		Venue: r.req.Venue.ID, NextAction: r.stop.handover.Next,
	}
	facts := map[string]any{"input": r.at[0].value}
	for _, n := range r.nodes[1:] {
		s := &r.at[n.index]
		if n.kind.pure() {
			continue
		}
		switch s.progress {
		case done:
			facts[n.name] = s.value
			if n.kind.effect() {
				a.Done = append(a.Done, n.name)
			}
		case failed:
			a.Tried = append(a.Tried, n.name+": "+word(s.err))
			fallthrough
		case waiting, flying:
			if n.kind.effect() {
				a.NotDone = append(a.NotDone, n.name)
			}
		case skipped:
		}
	}
	if r.nodes[r.stop.node].kind.pure() {
		a.Tried = append(a.Tried, r.nodes[r.stop.node].name+": "+word(r.stop.cause))
	}
	plain, err := json.Marshal(facts)
	if err != nil {
		return a, fmt.Errorf("cannot keep what is known for the assist: %w", err)
	}
	a.Facts = r.seal(plain, sealedFacts)
	return tx.OpenAssist(a)
}

// word says of an error what staff may read: its class, never its text, which may hold what a backend said of a person.
func word(err error) string {
	if refused, ok := errors.AsType[*call.Refused](err); ok {
		return "refused: " + refused.Reason
	}
	if h, ok := errors.AsType[Handover](err); ok {
		return h.Kind
	}
	if e, ok := errors.AsType[*gateway.Error](err); ok {
		return e.Problem.Type
	}
	switch call.OutcomeOf(err) {
	case call.NotSentOutcome:
		return "not sent"
	case call.Done:
		return "done"
	default:
		return "no answer"
	}
}

// conclude sees to it that the answer is kept where something was promised, and put into words.
func (r *run) conclude() (err error) {
	switch {
	case r.replay != nil:
		return r.repeat()
	case r.ended:
	case !r.begun && (r.stop == nil || r.stop.handover == nil):
		r.answer = r.render(r) // nothing was promised: nothing is kept
	default:
		w, err := r.submit(r.ctx, true)
		if w.replay != nil {
			r.replay = w.replay
			return r.repeat()
		}
		if err != nil {
			r.unkept(err)
		}
	}
	r.answer.ID, r.answer.Sources, r.answer.Steps = r.req.ID, r.sources, r.steps
	r.answer.Assisted = r.handed != nil
	return nil
}

// unkept answers although the last commit failed. What was begun stands in the ledger and recovery will settle it, so a
// done journey is told as it is. A person cannot be promised without a ledger that holds the assist.
func (r *run) unkept(err error) {
	r.broken = true
	r.engine.logger.Warn("cannot keep how a run ended; recovery will", "plan", r.name, "journey", r.req.ID, "error", err)
	if r.stop != nil && r.stop.handover != nil {
		r.stop = &stop{node: r.stop.node, err: ledgerUnavailable(err), cause: err}
	}
	r.handed = nil
	r.answer = r.render(r)
}

// repeat answers as the run that holds the idempotency key has.
func (r *run) repeat() error {
	held := r.replay
	switch {
	case string(held.Payload) != string(r.req.Idempotency.Payload[:]):
		return ErrKeyReused
	case !held.Ended:
		return ErrKeyRunning
	}
	body, err := OpenAnswer(r.engine.ledger.Keys(), held.Key, held.Body)
	if err != nil {
		return fmt.Errorf("cannot repeat the answer of journey %s: %w", held.Run, err)
	}
	r.answer = Answer{Status: held.Status, Body: body, ID: held.Run, Replayed: true}
	return nil
}

// leave ends the owner's part. Calls that are still in flight land behind the answer, and what they bring is kept.
func (r *run) leave() {
	if r.inFlight == 0 && (len(r.writes) == 0 || r.broken) {
		r.cancel()
		return
	}
	r.engine.behind.Go(func() {
		for r.inFlight > 0 {
			r.land(<-r.landed)
		}
		r.cancel()
		r.keepBehind()
	})
}

// keepBehind commits what was noted after the answer. Where that fails the outbox finds out by asking.
func (r *run) keepBehind() {
	writes := r.writes
	if len(writes) == 0 || r.openBox() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), r.timing.Lease)
	defer cancel()
	err := r.engine.ledger.Commit(ctx, applied(func(tx *ledger.Tx) error {
		for _, write := range writes {
			if err := write(r, tx); err != nil {
				return err
			}
		}
		return nil
	}))
	if err != nil {
		r.engine.logger.Warn("cannot keep what came after the answer", "plan", r.name, "journey", r.req.ID, "error", err)
	}
}

// applied is a ledger.Work made of a function.
type applied func(tx *ledger.Tx) error

// Apply calls the function.
func (f applied) Apply(tx *ledger.Tx) error { return f(tx) }
