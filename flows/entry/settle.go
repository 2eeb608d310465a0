package entry

import (
	"errors"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// Admission is how an entry ended well: the gate opens for these people.
type Admission struct {
	Admitted
	Pending bool // a redemption is left to the outbox
}

// redemptions asks ticketing to redeem each ticket at its first visit. What was seen before is known by its operation,
// so asking again costs no call.
func redemptions(a Admitted) ([]Redemption, error) {
	var all []Redemption
	for _, p := range a.People {
		if p.Entry == 1 && p.Code != "" {
			all = append(all, Redemption{Supplier: p.Supplier, Unit: p.Unit, Code: p.Code, At: a.At})
		}
	}
	return all, nil
}

// outcomes is an admission with what ticketing said to each of its redemptions.
type outcomes struct {
	Admitted
	refused map[string]*gateway.Error // by unit
	pending bool
}

func outcome(a Admitted, redeemed []journey.Result[Redeemed]) (outcomes, error) {
	o := outcomes{Admitted: a, refused: map[string]*gateway.Error{}}
	asked, err := redemptions(a)
	if err != nil {
		return o, err
	}
	for i, r := range redeemed {
		o.pending = o.pending || r.Deferred
		if r.Err != nil {
			o.refused[asked[i].Unit] = sayRefused(r.Err, a.At.Location())
		}
	}
	return o, nil
}

// sayRefused puts ticketing's no into a problem, with times in the venue's zone.
func sayRefused(err error, where *time.Location) *gateway.Error {
	refused, ok := errors.AsType[*call.Refused](err)
	if !ok {
		return gateway.AsError(err)
	}
	if used, ok := errors.AsType[usedAt](refused.Detail); ok && refused.Reason == refusedUsed {
		return sayUsed(time.Time(used).In(where), "")
	}
	return problemOf(refused.Reason).Error(gateway.Text{}).WithCause(err)
}

// usedAt is when ticketing says that a ticket was used: the detail of a refusal.
type usedAt time.Time

// Error returns the time.
func (u usedAt) Error() string { return "used at " + time.Time(u).Format(time.RFC3339) }

// anyRefused reports whether a claim has to be released. Where none has, the gate opens on what the ledger holds already.
func anyRefused(o outcomes) (bool, error) { return len(o.refused) > 0, nil }

func letAllIn(o outcomes) (Admission, error) {
	return Admission{Admitted: o.Admitted, Pending: o.pending}, nil
}

// settle releases the claims that ticketing has refused. If none is left, nobody is let in.
var settle = &ledger.Decision[outcomes, Admission]{Name: "entry.settle", Run: func(tx *ledger.Tx, o outcomes) (Admission, error) {
	out := Admission{Admitted: o.Admitted, Pending: o.pending}
	out.People = nil
	var last *gateway.Error
	for _, p := range o.People {
		refusal := o.refused[p.Unit]
		if refusal == nil || p.Entry != 1 || p.Again {
			out.People = append(out.People, p)
			continue
		}
		last = refusal
		out.Refused = append(out.Refused, Refused{Unit: p.Unit, Problem: refusal.Problem.Type})
		gone, err := releasePerson(tx, o.Admitted, p)
		if err != nil {
			return out, err
		}
		out.Inside -= gone
	}
	if len(out.People) > 0 {
		return out, nil
	}
	if err := forgetScan(tx, o.Admitted); err != nil {
		return out, err
	}
	return out, ledger.Keep(last)
}}
