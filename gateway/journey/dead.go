package journey

import (
	"errors"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// errErased says that what a run has sealed can never be read again.
var errErased = errors.New("cannot open an operation's data: its run has been erased")

// Dead opens the assist of a message that the outbox has given up, in the commit that kills it. Every operation that the
// message stood for is a person's from then on.
func (e *Engine) Dead(tx *ledger.Tx, m ledger.Message, cause string) error {
	run, found, err := ledger.FindRun(tx, m.Run)
	if err != nil || !found {
		return err
	}
	ops, err := standsFor(tx, m)
	if err != nil {
		return err
	}
	a := ledger.Assist{
		ID: e.newID(), Run: m.Run, Plan: run.Plan, Kind: "undelivered", Tenant: run.Tenant, Venue: run.Venue,
		Tried: []string{cause}, NextAction: gateway.Text{
			Zh: "系统未能完成此项操作，请人工核对并处理", En: "The system could not finish this; check by hand what stands and settle it"},
	}
	from := []ledger.OpState{ledger.OpDeferred, ledger.OpBegun, ledger.OpUndoing}
	for _, op := range ops {
		a.NotDone = append(a.NotDone, op.Step)
		if _, err := tx.SettleOperation(op.Key, from, ledger.OpAssist, nil, ""); err != nil {
			return err
		}
	}
	if len(ops) == 1 {
		a.Kind = ops[0].Step + "-undelivered"
		if _, n, err := e.step(ops[0]); err == nil && m.Kind == kindDeliver && n.meaning.handover.Kind != "" {
			a.Kind, a.NextAction = n.meaning.handover.Kind, n.meaning.handover.Next
			if n.meaning.verdict == assist { // not long ago: they would have been handed over at once
				a.Place = run.Place
			}
		}
	}
	if a.Facts, err = e.factsOf(tx, m.Run, ops); err != nil {
		return err
	}
	if err = openAnew(tx, a); err != nil || m.Kind != kindRecover || run.State != ledger.RunRecovering {
		return err
	}
	return e.endRecovery(tx, run, ledger.RunAssist, run.Pivot)
}

// openAnew opens an assist also where one of its kind has been settled for the run before, such as by having what failed
// sent again: then under a kind with a number behind it, which is settled in the same ways.
func openAnew(tx *ledger.Tx, a ledger.Assist) error {
	kind := a.Kind
	for n := 2; ; n++ {
		there, err := tx.OpenAssist(a)
		if err != nil || there.State != ledger.AssistResolved {
			return err
		}
		a.Kind = kind + "-" + strconv.Itoa(n)
	}
}

// standsFor returns the operations that a message was to settle and has not.
func standsFor(tx *ledger.Tx, m ledger.Message) (ops []ledger.Operation, err error) {
	if m.Kind == kindDeliver || m.Kind == kindSettle {
		op, found, err := ledger.FindOperation(tx, string(m.Payload))
		if err != nil || !found || op.Run != m.Run {
			return nil, err
		}
		return []ledger.Operation{op}, nil
	}
	state := ledger.OpBegun
	if m.Kind == kindUndo {
		state = ledger.OpUndoing
	}
	all, err := ledger.OperationsOf(tx, m.Run)
	for _, op := range all {
		if op.State == state {
			ops = append(ops, op)
		}
	}
	return ops, err
}

// factsOf seals for staff what the operations were asked to do. Of a run that has been erased nothing is known.
func (e *Engine) factsOf(q ledger.Querier, run string, ops []ledger.Operation) ([]byte, error) {
	facts := map[string][]jsontext.Value{}
	for _, op := range ops {
		sealed, what := op.Args, sealedArgs
		if op.Kind == ledger.OpRecord {
			sealed, what = op.Result, sealedResult
		}
		if len(sealed) == 0 {
			continue
		}
		plain, err := e.unseal(q, op, sealed, what)
		if errors.Is(err, errErased) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		facts[op.Step] = append(facts[op.Step], plain)
	}
	if len(facts) == 0 {
		return nil, nil
	}
	plain, err := json.Marshal(facts)
	if err != nil {
		return nil, err
	}
	return e.reseal(q, run, plain, sealedFacts)
}
