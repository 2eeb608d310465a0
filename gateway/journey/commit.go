package journey

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// errReplay leaves this run out of the commit: an earlier one holds the idempotency key.
var errReplay = errors.New("the idempotency key is already taken")

// needsLedger reports whether a queued step has to be begun in the ledger before anything else can happen.
func (r *run) needsLedger() bool {
	if r.stop != nil {
		return false // conclude sees to it
	}
	for _, i := range r.queued {
		if r.nodes[i].kind.effect() && r.at[i].items == nil {
			return true
		}
	}
	return false
}

// commit makes one ledger commit for everything that is due: what was noted, the records that are ready, the pure
// steps behind them, the beginnings of the commits behind those and, when nothing is left, the answer itself. So a plan
// pays one flush where its steps follow from one another without a call between them. A record that fails and is not
// kept costs the commit: it is made again without it.
func (r *run) commit() {
	for r.needsLedger() {
		w, err := r.submit(false)
		switch {
		case err == nil:
			return
		case errors.Is(err, errReplay):
			r.replay = w.replay
			return
		case w.failed == nil || ledgerFailed(err):
			r.failQueued(err)
			return
		}
		r.spoil(w.failed, err)
	}
}

// spoil gives a record's failure to the run, or leaves it for the next commit where the record is not at hand yet.
func (r *run) spoil(n *node, err error) {
	if i := slices.Index(r.queued, n.index); i >= 0 {
		r.queued = slices.Delete(r.queued, i, i+1)
		r.fail(n, err)
		r.advance()
		return
	}
	if r.spoiled == nil {
		r.spoiled = map[int]error{}
	}
	r.spoiled[n.index] = err
}

// submit commits what is due and moves the run to where the work has left it. With final nothing but the answer is left.
func (r *run) submit(final bool) (*work, error) {
	if err := r.openBox(); err != nil {
		return &work{}, err
	}
	ctx := &r.ends[0]
	w := &work{from: r.fork(), final: final}
	err := r.engine.ledger.Commit(ctx, w)
	if errors.Is(err, ledger.ErrUnknown) {
		if ctx.Err() != nil || !r.confirmed(ctx, w) { // past its context the work may still be running: it is not looked at
			r.unknown = true
			return &work{}, err
		}
		err = nil
	}
	if err != nil {
		return w, err
	}
	r.follow(w.r)
	r.begun, r.writes, r.firm = true, nil, false
	r.ended = r.open == 0 || r.stop != nil
	return w, nil
}

// follow moves the run to where its fork stands. Stations that had ended before are as they were, and those in flight are
// not a commit's to move: both are left alone, since calls in flight may be reading them.
func (r *run) follow(fork *run) {
	for i := range r.at {
		if r.at[i].progress == waiting {
			r.at[i] = fork.at[i]
		}
	}
	r.cursor, r.answer = fork.cursor, fork.answer
}

// failQueued gives the failure of a commit to the steps that needed it. What may go on without a record does, unless it
// is not known whether the record was kept.
func (r *run) failQueued(err error) {
	queued := r.queued
	r.queued = nil
	for _, i := range queued {
		n := r.nodes[i]
		goesOn := n.kind == kindRecord && !r.unknown && (n.onlyTried() || n.meaning.verdict == without)
		switch {
		case !n.kind.effect() || r.at[i].items != nil:
			r.queued = append(r.queued, i)
		case goesOn:
			r.fail(n, broken(err))
		default:
			r.halt(n, &stop{node: i, err: broken(err), cause: err})
		}
	}
}

// confirmed reads whether a commit whose fate is unknown took place, by what it would have left: the run itself, its end,
// or an operation.
func (r *run) confirmed(ctx context.Context, w *work) (yes bool) {
	err := r.engine.ledger.View(ctx, func(q ledger.Querier) error {
		run, found, err := ledger.FindRun(q, r.req.ID)
		switch {
		case err != nil || !found:
			return err
		case !r.begun:
			yes = true
		case w.r.stop != nil || w.r.open == 0:
			yes = run.State != ledger.RunRunning
		case len(w.r.keys) > 0:
			op, found, err := ledger.FindOperation(q, w.r.keys[0])
			yes = found && op.Run == r.req.ID
			return err
		}
		return nil
	})
	return err == nil && yes
}

// work is a run's item in a group commit.
type work struct {
	from   *run // where the run stood; never changed
	final  bool // nothing but the answer is left
	r      *run // where the work has left it
	failed *node
	replay *ledger.Idempotency
}

// Apply works on a fork of the run, since it may run again.
func (w *work) Apply(tx *ledger.Tx) error {
	r := w.from.fork()
	r.keys = nil
	w.r, w.failed, w.replay = r, nil, nil
	if !r.begun {
		if err := w.begin(tx); err != nil {
			return err
		}
	}
	for _, write := range r.writes {
		if err := write(r, tx); err != nil {
			return err
		}
	}
	r.writes, r.firm = nil, false
	for !w.final && r.needsLedger() { // what is known at once may lead to the next record
		if err := w.records(tx); err != nil {
			return err
		}
		if r.stop != nil {
			break
		}
		if err := r.beginCommits(tx); err != nil {
			return err
		}
		r.advanceKnown()
	}
	if r.stop != nil || r.open == 0 {
		return r.finish(tx)
	}
	if err := r.provePivot(tx); err != nil {
		return err
	}
	return r.keepDraft(tx)
}

// String names the plan in the ledger's log lines.
func (w *work) String() string { return "plan " + w.from.name }

// begin enters the run and its idempotency key.
func (w *work) begin(tx *ledger.Tx) error {
	r := w.r
	lease := r.req.Deadline.Add(r.timing.Lease)
	row := ledger.Run{
		ID: r.req.ID, Plan: r.name, Tenant: r.req.Venue.Tenant, Venue: r.req.Venue.ID, Principal: ledger.Actor(r.req.Principal),
		Lang: r.req.Lang, State: ledger.RunRunning, Key: r.box.Wrapped(), StartedAt: r.req.Arrived, LeaseUntil: lease,
		Place: r.place(),
	}
	if i := r.req.Idempotency; i != nil {
		row.IdemScope = i.Scope[:]
		existing, begun, err := tx.BeginIdempotency(ledger.Idempotency{
			Scope: i.Scope[:], Payload: i.Payload[:], Run: r.req.ID, LeaseUntil: lease,
			ExpiresAt: tx.Now().Add(r.engine.keep), Key: r.box.Wrapped(),
		})
		if err != nil {
			return err
		}
		if !begun && string(existing.Payload) == string(i.Payload[:]) {
			if awaits, err := r.awaitsRecovery(tx, existing); awaits || err != nil {
				w.replay = &existing
				return cmp.Or(err, errReplay)
			}
			if begun, err = tx.AdoptIdempotency(i.Scope[:], r.req.ID, lease, r.box.Wrapped()); err != nil {
				return err
			}
		}
		if !begun {
			w.replay = &existing
			return errReplay
		}
	}
	return tx.BeginRun(row)
}

// awaitsRecovery reports whether the run that holds the key has died and recovery is still to say what becomes of it: it may
// have answered, with its draft, and what it has left would refuse a retry. Nobody takes the key over before recovery has had
// another lease's time.
func (r *run) awaitsRecovery(q ledger.Querier, held ledger.Idempotency) (bool, error) {
	if held.Ended || r.engine.now().After(held.LeaseUntil.Add(r.timing.Lease)) {
		return false, nil
	}
	dead, found, err := ledger.FindRun(q, held.Run)
	return found && (dead.State == ledger.RunRunning || dead.State == ledger.RunRecovering), err
}

func (r *run) openBox() (err error) {
	if r.boxed {
		return nil
	}
	if r.box, err = r.engine.ledger.Keys().NewBox(); err != nil {
		return fmt.Errorf("cannot make the run's data key: %w", err)
	}
	r.boxed = true
	return nil
}

// records decides every record that is ready, and those that become ready by it.
func (w *work) records(tx *ledger.Tx) error {
	r := w.r
	for r.stop == nil {
		i := slices.IndexFunc(r.queued, func(i int) bool { return r.nodes[i].kind == kindRecord })
		if i < 0 {
			return nil
		}
		n := r.nodes[r.queued[i]]
		r.queued = slices.Delete(r.queued, i, i+1)
		if err := r.spoiled[n.index]; err != nil {
			r.fail(n, err)
			r.advance()
			continue
		}
		v, err := r.guarded(n, func() (any, error) { return n.apply(tx, r) })
		if err != nil {
			isKept, outcome := ledger.IsKept(err)
			if !isKept {
				w.failed = n
				return err
			}
			r.fail(n, outcome)
			r.advance()
			continue
		}
		r.at[n.index].value = v
		if err := r.remember(tx, n, v); err != nil {
			return err
		}
		r.passPivot(n)
		r.end(n.index, done)
		r.advance()
	}
	return nil
}

// remember keeps what an undo of the record would need.
func (r *run) remember(tx *ledger.Tx, n *node, v any) error {
	if n.undo.name == "" {
		if n.pivot {
			r.unproved = n.index
		}
		return nil
	}
	r.records = append(r.records, recorded{node: n.index, value: v})
	plain, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("cannot keep the value of step %s: %w", n.name, err)
	}
	return r.beginRecord(tx, n, r.seal(plain, sealedResult))
}

// provePivot leaves behind that a Record was the pivot, where the run goes on and may die: recovery must know.
func (r *run) provePivot(tx *ledger.Tx) error {
	if r.unproved == 0 {
		return nil
	}
	n := r.nodes[r.unproved]
	r.unproved = 0
	return r.beginRecord(tx, n, nil)
}

func (r *run) beginRecord(tx *ledger.Tx, n *node, result []byte) error {
	r.keys = append(r.keys, r.recordKey(n))
	_, _, err := tx.BeginOperation(ledger.Operation{
		Key: r.recordKey(n), Run: r.req.ID, Plan: r.name, Step: n.name, Name: n.name, Venue: r.req.Venue.ID,
		Ord: n.index, Kind: ledger.OpRecord, State: ledger.OpDone, Pivot: n.pivot, Result: result,
		Undo: n.undo.name, BegunAt: tx.Now(), SettledAt: tx.Now(),
	})
	return err
}

// beginCommits begins the operations of every commit that is ready.
func (r *run) beginCommits(tx *ledger.Tx) error {
	for _, i := range r.queued {
		n := r.nodes[i]
		if n.effect == nil || r.at[i].items != nil {
			continue
		}
		args := n.args(r)
		if n.kind == kindChoose && len(args) > 0 {
			args = args[r.at[i].try : r.at[i].try+1]
		}
		items := make([]item, len(args))
		for k, arg := range args {
			if err := r.beginItem(tx, n, &items[k], arg); err != nil {
				return err
			}
		}
		r.at[i].items = items
	}
	return nil
}

func (r *run) beginItem(tx *ledger.Tx, n *node, it *item, arg any) error {
	plain, err := n.effect.encode(arg)
	if err != nil {
		return fmt.Errorf("cannot keep the argument of step %s: %w", n.name, err)
	}
	it.arg, it.key = arg, n.effect.key(arg)
	m := n.meaning.under(r)
	state := ledger.OpBegun
	if n.later {
		state = ledger.OpDeferred
	}
	existing, begun, err := tx.BeginOperation(ledger.Operation{
		Key: it.key, Run: r.req.ID, Plan: r.name, Step: n.name, Name: n.effect.name(), Venue: r.req.Venue.ID, Ord: n.index,
		Kind: ledger.OpWrite, State: state, Pivot: n.pivot, Args: r.seal(plain, sealedArgs),
		Undo: n.undo.name, Meaning: m.verdict.String(), BegunAt: tx.Now(),
	})
	it.begun = true
	r.keys = append(r.keys, it.key)
	if err == nil && !begun {
		err = r.meet(tx, n, it, existing)
	}
	if err != nil || !it.flies() {
		return err
	}
	if n.later {
		return r.leaveLater(tx, it, m, !begun)
	}
	if r.req.Bindings.Silent(n.effect.name()) {
		return nil
	}
	return n.disclose.audit(tx, auditDisclose, r.req.ID, r.req.Bindings.System(n.effect.name())) // before anything is told
}

// leaveLater gives an item to the outbox before it was ever called; one that was taken over stands as begun until then.
func (r *run) leaveLater(tx *ledger.Tx, it *item, m *meaning, adopted bool) error {
	it.known, it.deferred = true, true
	if adopted {
		if _, err := tx.SettleOperation(it.key, []ledger.OpState{ledger.OpBegun}, ledger.OpDeferred, nil, ""); err != nil {
			return err
		}
	}
	due := m.dueAt(r.req.Venue)
	if err := tx.PromiseOperation(it.key, tx.Now().Add(due)); err != nil {
		return err
	}
	return tx.Enqueue(r.message(tx, kindDeliver, it.key, tx.Now(), due))
}

// meet decides what an operation that an earlier run began means for this one.
func (r *run) meet(tx *ledger.Tx, n *node, it *item, existing ledger.Operation) error {
	switch existing.State {
	case ledger.OpDone:
		it.known = true
		if existing.Result == nil {
			return nil // by a person
		}
		plain, err := r.engine.unseal(tx, existing, existing.Result, sealedResult)
		if err != nil {
			return err
		}
		it.value, err = n.effect.decodeValue(plain)
		return err
	case ledger.OpDeferred:
		it.known, it.deferred = true, true // that run's promise, not ours to take back
		return nil
	case ledger.OpBegun:
		earlier, found, err := ledger.FindRun(tx, existing.Run)
		if err != nil {
			return err
		}
		quiet := existing.BegunAt.Add(r.policies[n.index].Slice + r.timing.Flush) // its call may be in flight until then
		if found && earlier.State == ledger.RunRunning && earlier.LeaseUntil.After(quiet) {
			quiet = earlier.LeaseUntil
		}
		if tx.Now().Before(quiet) {
			r.elsewhere(it, quiet.Sub(tx.Now()).Round(time.Second)+time.Second)
			return nil
		}
		it.adopted = true
	case ledger.OpUndone, ledger.OpRefused:
	default:
		r.elsewhere(it, 2*time.Second)
		return nil
	}
	return r.adopt(tx, it, existing)
}

// elsewhere says that somebody else is about to bring the item about.
func (r *run) elsewhere(it *item, wait time.Duration) {
	it.begun = false
	it.err = ProblemStillRunning.Error(gateway.Text{}).WithRetryAfter(wait)
	r.keys = r.keys[:len(r.keys)-1]
}

// adopt takes an operation over from the run that began it.
func (r *run) adopt(tx *ledger.Tx, it *item, existing ledger.Operation) error {
	plain, err := json.Marshal(it.arg)
	if err != nil {
		return err
	}
	changed, err := tx.AdoptOperation(existing.Key, existing.State, r.req.ID, r.seal(plain, sealedArgs))
	if err == nil && !changed {
		err = fmt.Errorf("cannot take over an operation of step %s: it has changed inside its own commit", existing.Step)
	}
	return err
}

// advanceKnown ends commits whose every call is already known, so that what follows may share the commit.
func (r *run) advanceKnown() {
	for _, i := range slices.Clone(r.queued) {
		n := r.nodes[i]
		items := r.at[i].items
		if r.stop != nil || items == nil || slices.ContainsFunc(items, func(it item) bool { return it.flies() }) {
			continue
		}
		r.queued = slices.DeleteFunc(r.queued, func(k int) bool { return k == i })
		if len(items) == 0 && n.kind != kindCommitEach {
			r.fail(n, &call.Refused{Reason: NoCandidate})
			continue
		}
		r.landAll(n, items)
	}
	r.advance()
}

// seal encrypts with the run's data key. Before openBox there is nothing to seal.
func (r *run) seal(plain []byte, what string) []byte {
	if len(plain) == 0 {
		return nil
	}
	return r.box.Seal(plain, what)
}
