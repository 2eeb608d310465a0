package ohip

import (
	"errors"

	"github.com/warmgate/warmgate/backends/wire"
)

// Refusal is why a hotel says no, in our words. It is the cause of a *wire.Error of fate Refused; see RefusalOf.
type Refusal string

// The refusals.
const (
	RefusedUnknown     Refusal = "unknown"      // this hotel has no such reservation
	RefusedCancelled   Refusal = "cancelled"    // the reservation is cancelled
	RefusedNoShow      Refusal = "no-show"      // the guest did not come on the day; the front desk must revive it
	RefusedWrongDate   Refusal = "wrong-date"   // arrival or departure is not today
	RefusedTaken       Refusal = "taken"        // the room is another's
	RefusedNotClean    Refusal = "not-clean"    // the room is not ready
	RefusedNoSuchRoom  Refusal = "no-such-room" // the hotel has no such room, or it is out of order
	RefusedRoomType    Refusal = "room-type"    // the room is of another type than the one reserved
	RefusedNoRoom      Refusal = "no-room"      // the reservation holds no room, or another one than said
	RefusedAlreadyIn   Refusal = "already-in"   // checked in already
	RefusedAlreadyOut  Refusal = "already-out"  // checked out already
	RefusedNotIn       Refusal = "not-in"       // not checked in
	RefusedStatus      Refusal = "status"       // not in a state for it; Reservation says in which
	RefusedBalance     Refusal = "balance"      // something is still to be paid
	RefusedGone        Refusal = "gone"         // nothing of the type can be had for these nights under the plan
	RefusedPrice       Refusal = "price"        // the stay has another price than said
	RefusedInput       Refusal = "input"        // the hotel takes the request for malformed: our mistake or its settings
	RefusedCredentials Refusal = "credentials"  // it does not accept our credentials: an operator's matter, never the guest's
)

// ReasonToken is a reason of fate NotSent: no access token could be had. The cause is the token request's own *wire.Error.
const ReasonToken wire.Reason = "token"

// Error returns the refusal's word, so that it can be a cause.
func (r Refusal) Error() string { return string(r) }

func (r Refusal) known() bool {
	switch r {
	case RefusedUnknown, RefusedCancelled, RefusedNoShow, RefusedWrongDate, RefusedTaken, RefusedNotClean, RefusedNoSuchRoom,
		RefusedRoomType, RefusedNoRoom, RefusedAlreadyIn, RefusedAlreadyOut, RefusedNotIn, RefusedStatus, RefusedBalance,
		RefusedGone, RefusedPrice, RefusedInput, RefusedCredentials:
		return true
	}
	return false
}

// RefusalOf returns why the hotel refused, and false for every error that is no refusal.
func RefusalOf(err error) (Refusal, bool) {
	e, ok := errors.AsType[*wire.Error](err)
	if !ok || e.Fate != wire.Refused {
		return "", false
	}
	return errors.AsType[Refusal](err)
}

// The codes that the interface's documents name, all of them where they describe checking out.
const (
	codeMissing = "FOF00065" // hotel code or reservation id missing
	codeUnknown = "FOF00066" // no such reservation
	codeDate    = "FOF00107" // departure is not today
	codeBalance = "FOF00108" // a balance is open
	codeStatus  = "FOF00109" // not in a valid status
)

// The codes that the twin answers with where the documents name none. No hotel has them, and each says what it is.
const (
	standInCancelled  = "TWIN-CANCELLED"
	standInNoShow     = "TWIN-NO-SHOW"
	standInDate       = "TWIN-WRONG-DATE"
	standInTaken      = "TWIN-TAKEN"
	standInNotClean   = "TWIN-NOT-CLEAN"
	standInNoSuchRoom = "TWIN-NO-SUCH-ROOM"
	standInRoomType   = "TWIN-ROOM-TYPE"
	standInNoRoom     = "TWIN-NO-ROOM"
	standInAlreadyIn  = "TWIN-ALREADY-IN"
	standInAlreadyOut = "TWIN-ALREADY-OUT"
	standInNotIn      = "TWIN-NOT-IN"
	standInGone       = "TWIN-GONE"
	standInPrice      = "TWIN-PRICE"
	standInInput      = "TWIN-INPUT"
)

// publishedCodes returns what each known code says. The map is the caller's.
func publishedCodes() map[string]Refusal {
	return map[string]Refusal{
		codeMissing: RefusedInput, codeUnknown: RefusedUnknown, codeDate: RefusedWrongDate, codeBalance: RefusedBalance,
		codeStatus: RefusedStatus,

		standInCancelled: RefusedCancelled, standInNoShow: RefusedNoShow, standInDate: RefusedWrongDate,
		standInTaken: RefusedTaken, standInNotClean: RefusedNotClean, standInNoSuchRoom: RefusedNoSuchRoom,
		standInRoomType: RefusedRoomType, standInNoRoom: RefusedNoRoom, standInAlreadyIn: RefusedAlreadyIn,
		standInAlreadyOut: RefusedAlreadyOut, standInNotIn: RefusedNotIn, standInInput: RefusedInput,
		standInGone: RefusedGone, standInPrice: RefusedPrice,
	}
}

// problem is OHIP's error. Its sentences may echo input.
type problem struct {
	Type    string          `json:"type"`
	Title   string          `json:"title"`
	Detail  string          `json:"detail"`
	Code    string          `json:"o:errorCode"`
	Details []problemDetail `json:"o:errorDetails"`
}

type problemDetail struct {
	Detail string `json:"detail"`
	Code   string `json:"o:errorCode"`
}

// refusal judges a 4xx. Only OHIP's own error with a code that is known is a no; several codes must say the same. What
// remains is unknown, with the code for the operator.
func (c *Client) refusal(a wire.Answer) *wire.Error {
	var p problem
	switch status := a.Status(); {
	case status == 401 || status == 403:
		e := a.Refused("", "")
		e.Cause = RefusedCredentials
		return e
	case status != 400 && status != 404:
		return a.Unknown(wire.ReasonStatus)
	case !a.Decode(&p) || p.Type == "" || p.Title == "":
		return a.Unknown(wire.ReasonGarbage)
	}
	said, first, known := p.Code, Refusal(""), ""
	for _, code := range p.codes() {
		if said == "" {
			said = code
		}
		switch r, ok := c.codes[code]; {
		case !ok:
		case first == "":
			first, known = r, code
		case first != r:
			return c.unclear(a, said)
		}
	}
	if first == "" {
		return c.unclear(a, said)
	}
	e := a.Refused(known, p.Detail)
	e.Cause = first
	return e
}

// unclear is an error of the hotel's that says nothing certain.
func (c *Client) unclear(a wire.Answer, code string) *wire.Error {
	e := a.Refused(code, "")
	e.Fate, e.Reason = wire.Unknown, wire.ReasonStatus
	return e
}

func (p *problem) codes() []string {
	all := make([]string, 0, 1+len(p.Details))
	if p.Code != "" {
		all = append(all, p.Code)
	}
	for i := range p.Details {
		if p.Details[i].Code != "" {
			all = append(all, p.Details[i].Code)
		}
	}
	return all
}
