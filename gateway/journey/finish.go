package journey

import (
	"cmp"
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
	if r.ended { // the answer is out
		return r.fulfil(tx)
	}
	r.answer = r.render(r)
	body := r.seal(r.answer.Body, sealedAnswer)
	if err := tx.EndRun(r.req.ID, state, r.pivoted, r.answer.Status, body); err != nil {
		return err
	}
	i := r.req.Idempotency
	switch {
	case i == nil:
		return nil
	case r.stop != nil && r.stop.err != nil && r.stop.err.Problem.Retryable: // to be tried again under the same key
		return tx.DropIdempotency(i.Scope[:], r.req.ID)
	}
	return tx.EndIdempotency(i.Scope[:], r.req.ID, r.answer.Status, body, tx.Now().Add(r.engine.keep))
}

// fulfil ends a run that has answered what its draft says.
func (r *run) fulfil(tx *ledger.Tx) error {
	if err := tx.FulfilRun(r.req.ID, r.pivoted); err != nil || r.req.Idempotency == nil {
		return err
	}
	body := r.seal(r.answer.Body, sealedAnswer)
	return tx.EndIdempotency(r.req.Idempotency.Scope[:], r.req.ID, r.answer.Status, body, tx.Now().Add(r.engine.keep))
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
		if r.at[n.index].progress == waiting && !it.adopted { // begun in this very commit: it will not be called
			_, err := tx.SettleOperation(it.key, []ledger.OpState{ledger.OpBegun}, ledger.OpRefused, nil, "not begun")
			if err == nil {
				err = n.disclose.audit(tx, auditWithhold, r.req.ID, r.req.Bindings.System(n.effect.name()))
			}
			if err != nil {
				return taken, err
			}
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
		if inFlight || it.err != nil || r.at[n.index].progress == waiting {
			if err := tx.Enqueue(r.message(tx, kindSettle, it.key, r.quiet(n), 0)); err != nil {
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

// LeftToOutbox follows a step's name in an assist's NotDone where the outbox still brings it about.
const LeftToOutbox = ": left to the outbox"

// handOver opens the assist that holds everything that is known.
func (r *run) handOver(tx *ledger.Tx) (ledger.Assist, error) {
	a := ledger.Assist{
		ID: r.engine.newID(), Run: r.req.ID, Plan: r.name, Kind: r.stop.handover.Kind, Tenant: r.req.Venue.Tenant,
		Venue: r.req.Venue.ID, NextAction: r.stop.handover.Next,
		Subject: r.stop.handover.Subject, Place: cmp.Or(r.stop.handover.Place, r.place()),
	}
	facts := map[string]any{"input": r.at[0].value}
	for _, n := range r.nodes[1:] {
		r.tell(n, &a, facts)
	}
	if n := r.nodes[r.stop.node]; n.kind.pure() {
		a.Tried = append(a.Tried, n.name+": "+word(r.stop.cause))
	}
	a.Facts = r.seal(encodeFacts(facts), sealedFacts)
	return tx.OpenAssist(a)
}

// place is where the citizen waits, as far as the plan says.
func (r *run) place() string {
	if r.waitsAt == nil {
		return ""
	}
	return r.waitsAt(r)
}

// tell notes for staff how a step has ended and what it has brought.
func (r *run) tell(n *node, a *ledger.Assist, facts map[string]any) {
	s := &r.at[n.index]
	if n.kind.pure() || s.progress == skipped {
		return
	}
	happened := s.progress == done && !s.later && s.lack == nil
	if s.progress == done && s.lack == nil {
		facts[n.name] = s.value
	}
	for _, err := range []error{s.err, s.lack} {
		if err != nil {
			a.Tried = append(a.Tried, n.name+": "+word(err))
		}
	}
	for _, it := range s.items {
		if n.kind == kindCommitEach && it.err != nil && s.progress == done {
			a.Tried, happened = append(a.Tried, n.name+": "+word(it.err)), false
		}
	}
	switch {
	case !n.kind.effect():
	case happened:
		a.Done = append(a.Done, n.name)
	case s.later:
		a.NotDone = append(a.NotDone, n.name+LeftToOutbox)
	default:
		a.NotDone = append(a.NotDone, n.name)
	}
}

// encodeFacts encodes what is known. A value that cannot be encoded is left out: an assist is never lost to it.
func encodeFacts(facts map[string]any) []byte {
	if plain, err := json.Marshal(facts); err == nil {
		return plain
	}
	whole := map[string]any{}
	for name, v := range facts {
		if _, err := json.Marshal(v); err == nil {
			whole[name] = v
		}
	}
	plain, _ := json.Marshal(whole) // every part of it has just been encoded
	return plain
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
	if r.replay == nil && !r.begun && r.stop != nil && r.stop.err != nil && r.req.Idempotency != nil {
		var failed error
		if r.replay, failed = r.heldKey(&r.ends[0]); failed != nil { // what it is refused for may be what an earlier run has done
			r.stop = &stop{node: r.stop.node, err: ledgerUnavailable(failed), cause: failed}
		}
	}
	switch {
	case r.replay != nil:
		return r.repeat()
	case r.ended:
	case !r.begun && (r.stop == nil || r.stop.handover == nil):
		r.answer = r.render(r) // nothing was promised: nothing is kept
	case r.unknown:
		r.unkept(ledger.ErrUnknown) // nothing is written over what may stand there
	default:
		answer, certain := r.certain()
		if certain {
			r.answer = answer
			r.keepLater()
			break
		}
		w, err := r.submit(true)
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

// certain returns the run's answer where recovery would come to the very same, so that it need not wait for a flush: every
// effect has happened and was begun in the ledger before, the pivot among them, nothing that the next commit would keep is
// known to the ledger alone, and the answer is the draft.
func (r *run) certain() (answer Answer, certain bool) {
	if r.stop != nil || r.open > 0 || r.firm || r.inFlight > 0 || r.draft == nil {
		return answer, false
	}
	for _, i := range r.effects {
		if n := r.nodes[i]; n.kind != kindRecord && len(n.guards) == 0 && len(r.at[i].items) == 0 {
			return answer, false // recovery cannot tell it from a step that was never come to
		}
	}
	if happened, _ := r.pivotStands(); !happened {
		return answer, false
	}
	if r.cameAsExpected() {
		return *r.draft, true
	}
	answer = r.render(r)
	return answer, r.drafted(answer)
}

// keepLater answers first. The ledger is told with the next flush, and recovery finds out should that never be.
func (r *run) keepLater() {
	r.ended = true
	names := []string{r.req.ID}
	if i := r.req.Idempotency; i != nil {
		names = append(names, string(i.Scope[:]))
	}
	w := &work{from: r.fork(), final: true}
	r.writes = nil
	e, plan, id := r.engine, r.name, r.req.ID
	e.ledger.CommitBehind(w, func(err error) {
		if err != nil {
			e.unsettled(plan, id, err)
		}
	}, names...)
}

// unsettled says that a run's end is not in the ledger.
func (e *Engine) unsettled(plan, id string, err error) {
	e.logger.Warn("cannot keep how a run ended; recovery will", "plan", plan, "journey", id, "error", err)
}

// heldKey looks for an earlier run that holds the idempotency key.
func (r *run) heldKey(ctx context.Context) (held *ledger.Idempotency, err error) {
	r.looked = true
	scope := r.req.Idempotency.Scope[:]
	if err := r.engine.ledger.Settled(ctx, string(scope)); err != nil {
		return nil, err
	}
	err = r.engine.ledger.View(ctx, func(q ledger.Querier) error {
		i, found, err := ledger.FindIdempotency(q, scope)
		if err != nil || !found {
			return err
		}
		now := r.engine.now()
		counts := i.Ended && i.ExpiresAt.After(now) || !i.Ended && i.LeaseUntil.After(now)
		if !i.Ended && !counts {
			counts, err = r.awaitsRecovery(q, i)
		}
		if counts {
			held = &i
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return held, nil
}

// unkept answers although the last commit failed. What was begun stands in the ledger and recovery will settle it: only
// what recovery is certain to come to is told as it is. Nothing else can be promised without the ledger.
func (r *run) unkept(err error) {
	r.engine.unsettled(r.name, r.req.ID, err)
	done, possible := r.pivotStands()
	certain := r.stop == nil && done || r.stop != nil && r.stop.handover == nil && !possible && !r.pivoted && !r.unknown
	if !certain {
		at := 0
		if r.stop != nil {
			at = r.stop.node
		}
		r.stop = &stop{node: at, err: broken(err), cause: err}
	}
	r.handed = nil
	r.answer = r.render(r)
}

// pivotStands reports whether the pivot has certainly happened, in the ledger or at its backend, and whether it may have.
func (r *run) pivotStands() (certain, possible bool) {
	for _, i := range r.effects {
		n := r.nodes[i]
		if !n.pivot {
			continue
		}
		if n.kind == kindRecord {
			return r.at[i].progress == done, r.at[i].progress == done || r.unknown
		}
		for _, it := range r.at[i].items {
			happened := it.err == nil && it.value != nil && !it.deferred || it.known
			certain = certain || happened
			possible = possible || happened || it.begun && (r.at[i].progress == flying || !neverHappened(it.err))
		}
	}
	return certain, possible
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
	if r.inFlight == 0 && len(r.writes) == 0 {
		r.cancel()
		r.recycle()
		return
	}
	r.behind = true
	r.engine.behind.Go(func() {
		for r.inFlight > 0 {
			r.land(<-r.landed)
		}
		r.cancel()
		r.keepBehind()
	})
}

// cancel frees what the run's contexts hold. Nothing is in flight any more.
func (r *run) cancel() {
	for i := range r.ends {
		_ = r.ends[i].End(context.Canceled)
	}
}

// keepBehind commits what was noted after the answer. Where that fails the outbox finds out by asking.
func (r *run) keepBehind() {
	err := r.openBox()
	if len(r.writes) > 0 && err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), r.timing.Lease)
		defer cancel()
		err = r.engine.ledger.Commit(ctx, applied(func(tx *ledger.Tx) error {
			for _, write := range r.writes {
				if err := write(r, tx); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	if err != nil {
		r.engine.logger.Warn("cannot keep what came after the answer", "plan", r.name, "journey", r.req.ID, "error", err)
	}
}

// applied is a ledger.Work made of a function.
type applied func(tx *ledger.Tx) error

// Apply calls the function.
func (f applied) Apply(tx *ledger.Tx) error { return f(tx) }
