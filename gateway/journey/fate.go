package journey

import (
	"errors"
	"fmt"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// stop is why a plan ended early.
type stop struct {
	node     int
	err      *gateway.Error // a refusal, or
	handover *Handover      // a person
	cause    error
}

// fail gives a step's error its meaning.
func (r *run) fail(n *node, err error) {
	r.at[n.index].err = err
	if declared, ok := errors.AsType[Handover](err); ok {
		r.halt(n, &stop{node: n.index, handover: &declared, cause: err})
		return
	}
	m := n.meaning.under(r)
	switch {
	case n.onlyTried() && m.verdict != without:
		r.passPivot(n)
		r.end(n.index, failed)
	case n.meaning.refusals != nil && isRefused(err):
		r.halt(n, &stop{node: n.index, err: n.meaning.say(n, err), cause: err})
	case n.meaning.handed != nil && isRefused(err):
		h := n.meaning.handedTo(err)
		r.halt(n, &stop{node: n.index, handover: &h, cause: err})
	case m.verdict == without:
		r.at[n.index].value, r.at[n.index].lack, r.at[n.index].err = n.zero, err, nil
		r.passPivot(n)
		r.end(n.index, done)
	case !r.pivoted && isElsewhere(err):
		r.halt(n, &stop{node: n.index, err: gateway.AsError(err), cause: err})
	case m.verdict == assist || m.verdict == deferred && r.pivoted && r.forward[n.index]:
		r.halt(n, &stop{node: n.index, handover: &m.handover, cause: err})
	default:
		r.halt(n, &stop{node: n.index, err: m.say(n, err), cause: err})
	}
}

func isRefused(err error) bool {
	_, ok := errors.AsType[*call.Refused](err)
	return ok
}

// isElsewhere reports whether another run is about to bring the effect about: nobody has to help, only to wait.
func isElsewhere(err error) bool {
	e, ok := errors.AsType[*gateway.Error](err)
	return ok && e.Problem == ProblemStillRunning
}

// halt stops the plan. After the pivot there is no way back: a refusal that was not declared there is a person's.
func (r *run) halt(n *node, s *stop) {
	r.end(n.index, failed)
	if r.stop != nil {
		return
	}
	if r.pivoted && s.err != nil && (s.err.Problem.Kind == gateway.Internal || !r.forward[n.index]) {
		h := r.interruption()
		s.err, s.handover = nil, &h
	}
	r.stop = s
}

// interruptedKind is the kind of assist of a plan that has passed its pivot and cannot go on.
const interruptedKind = "interrupted"

// interruption is how a person takes over a plan that has passed its pivot and cannot go on.
func (p *plan) interruption() Handover {
	if p.interrupted != nil {
		return *p.interrupted
	}
	return Handover{Kind: interruptedKind, Hold: true, Next: gateway.Text{
		Zh: "办理过程中断，请人工完成剩余步骤", En: "The journey was interrupted; please finish the steps that are missing"}}
}

// handedTo returns who takes over after a backend's no.
func (m *meaning) handedTo(err error) Handover {
	if refused, ok := errors.AsType[*call.Refused](err); ok {
		if h, there := m.handed[refused.Reason]; there {
			return h
		}
	}
	return m.handed[""]
}

// dueAt is how long after now a deferral of the step is due at venue v.
func (m *meaning) dueAt(v *gateway.Venue) time.Duration {
	switch {
	case m.dueBy != nil && v != nil:
		if due := m.dueBy(v); due > 0 {
			return due
		}
		return m.due
	case m.due > 0:
		return m.due
	case m.verdict == assist:
		return handWithin
	}
	return deliverWithin
}

// say puts an error into the problem that the step declared for it.
func (m *meaning) say(n *node, err error) *gateway.Error {
	if declared, ok := errors.AsType[*gateway.Error](err); ok {
		return declared
	}
	if refused, ok := errors.AsType[*call.Refused](err); ok && m.refusals != nil {
		p := m.refusals[refused.Reason]
		if p == nil {
			p = m.refusals[""]
		}
		return p.Error(gateway.Text{}).WithCause(err)
	}
	if m.verdict == refuse {
		return m.problem.Error(gateway.Text{}).WithCause(err)
	}
	if ledgerFailed(err) {
		return ledgerUnavailable(err)
	}
	return gateway.AsError(fmt.Errorf("step %s: %w", n.name, err))
}

// under returns the meaning that the venue's policy chooses.
func (m *meaning) under(r *run) *meaning {
	if m.choose != nil && !m.choose(r) {
		return m.second
	}
	return m
}

// ledgerUnavailable is the answer when nothing could be kept.
func ledgerUnavailable(cause error) *gateway.Error {
	return gateway.ProblemLedgerUnavailable.Error(gateway.Text{}).WithCause(cause).WithRetryAfter(2 * time.Second)
}

func ledgerFailed(err error) bool {
	return errors.Is(err, ledger.ErrUnavailable) || errors.Is(err, ledger.ErrUnknown)
}

// broken is the answer where a commit has come to nothing: the ledger's failure, or a mistake in the plan.
func broken(err error) *gateway.Error {
	if ledgerFailed(err) {
		return ledgerUnavailable(err)
	}
	return gateway.AsError(err)
}
