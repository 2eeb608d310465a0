package apaleo

import (
	"context"
	"errors"

	"github.com/valyala/fasthttp"

	"github.com/warmgate/warmgate/backends/wire"
)

// The codes of a refusal that the client makes of a status. CodeRejected is a 422 whose reason could not be found out.
const (
	CodeBadRequest   = "BadRequest"       // 400: ours, an operator's problem
	CodeUnauthorized = "Unauthorized"     // 401, with a new token too: our credential
	CodeForbidden    = "Forbidden"        // 403: a right that our credential lacks
	CodeNotFound     = "NotFound"         // 404: no such reservation or unit
	CodeRejected     = "Rejected"         // 422
	CodeUnitTaken    = "UnitNotAvailable" // 422 of AssignUnit, while the reservation may be given a unit: try another one
)

// The codes of Apaleo for what is not allowed, as far as check-in and check-out meet them. Others come as they are.
const (
	CodeCheckInStatus   = "CheckInNotAllowedForReservationNotInStatusConfirmed" // in house, gone, canceled or a no-show
	CodeCheckInEarly    = "CheckInNotAllowedBeforeArrivalDate"
	CodeCheckInLate     = "CheckInNotAllowedAfterDepartureDateTime"
	CodeCheckInNoUnit   = "CheckInNotAllowedWithoutUnitAssignedForWholeStay"
	CodeCheckOutStatus  = "CheckOutNotAllowedForReservationNotInStatusInHouse"
	CodeCheckOutEarly   = "CheckOutNotAllowedWithDepartureDateMoreThanOneDayInTheFuture"
	CodeAssignStatus    = "AssignUnitNotAllowedForReservationNotInStatusConfirmedOrInHouse"
	CodeAssignPast      = "AssignUnitNotAllowedForReservationInThePast"
	CodeUnassignStatus  = "UnassignUnitNotAllowedForReservationNotInStatusConfirmed"
	CodeUnassignPast    = "UnassignUnitNotAllowedForReservationInThePast"
	codeUnassignNothing = "UnassignUnitNotAllowedForReservationWithoutUnit"
)

// exchange is one request and where its answer goes.
type exchange struct {
	op     string
	method string
	path   string
	list   bool        // 204 is an empty list
	out    any         // filled from a 200; nil: 204 is success
	loose  bool        // without out: 200 is success too
	whole  func() bool // whether out holds what callers rely on
}

// do makes one attempt within the context's deadline. A token that is not accepted is replaced once: a 401 says that
// nothing was done. The error, if any, is a *wire.Error.
func (c *Client) do(ctx context.Context, x *exchange) error {
	switch _, ok := ctx.Deadline(); {
	case ctx.Err() != nil:
		return c.api.NotSent(x.op, wire.ReasonNoTime, ctx.Err())
	case !ok:
		return c.api.NotSent(x.op, wire.ReasonNoTime, context.DeadlineExceeded)
	}
	for again := true; ; again = false {
		token, err := c.tokens.get(ctx, x.op)
		if err != nil {
			return err
		}
		err = c.once(ctx, x, token)
		if e, ok := errors.AsType[*wire.Error](err); !again || !ok || e.Code != CodeUnauthorized {
			return err
		}
		c.tokens.Drop(token)
	}
}

func (c *Client) once(ctx context.Context, x *exchange, token string) error {
	answer, err := c.api.Do(ctx, &wire.Request{Op: x.op, Method: x.method, Path: x.path,
		Header: []wire.Header{{Name: "Authorization", Value: "Bearer " + token}}})
	if err != nil {
		return err
	}
	defer answer.Release()
	return x.read(answer)
}

// read turns an answer into the exchange's result or into an error.
func (x *exchange) read(answer wire.Answer) error {
	if e := answer.Unclear(); e != nil {
		return e
	}
	switch answer.Status() {
	case fasthttp.StatusOK:
		switch {
		case x.out == nil && !x.loose:
			return answer.Unknown(wire.ReasonStatus)
		case x.out == nil && !isPlain(answer), x.out != nil && (!answer.Decode(x.out) || !x.whole()):
			return answer.Unknown(wire.ReasonGarbage)
		}
		return nil
	case fasthttp.StatusNoContent:
		if x.out == nil || x.list {
			return nil
		}
		return answer.Unknown(wire.ReasonStatus)
	case fasthttp.StatusBadRequest:
		return plain(answer, CodeBadRequest)
	case fasthttp.StatusUnauthorized:
		return plain(answer, CodeUnauthorized)
	case fasthttp.StatusForbidden:
		return plain(answer, CodeForbidden)
	case fasthttp.StatusNotFound:
		return plain(answer, CodeNotFound)
	case fasthttp.StatusUnprocessableEntity:
		return rejected(answer)
	}
	return answer.Unknown(wire.ReasonStatus)
}

// isPlain reports whether an answer that is documented without a body has none, or an object. What a proxy puts there, a
// page for people, is not Apaleo's.
func isPlain(answer wire.Answer) bool {
	var object struct{}
	return len(answer.Body()) == 0 || answer.Decode(&object)
}

// plain reads a refusal that is documented without a body.
func plain(answer wire.Answer, code string) error {
	if !isPlain(answer) {
		return answer.Unknown(wire.ReasonGarbage)
	}
	return answer.Refused(code, "")
}

// rejected reads a 422.
func rejected(answer wire.Answer) error {
	var out struct {
		Messages []string `json:"messages"`
	}
	if !answer.Decode(&out) || len(out.Messages) == 0 {
		return answer.Unknown(wire.ReasonGarbage)
	}
	return answer.Refused(CodeRejected, out.Messages[0])
}

// act does an action. When it is rejected, the reservation is asked why: 422 itself has words for people only.
func (c *Client) act(ctx context.Context, x *exchange, id, action string) error {
	err := c.do(ctx, x)
	e, ok := errors.AsType[*wire.Error](err)
	if !ok || e.Code != CodeRejected {
		return err
	}
	r, lookErr := c.Reservation(ctx, id)
	if lookErr != nil {
		return err
	}
	switch allowed, why := r.allows(action); {
	case isID(why): // it stands in logs
		e.Code = why
	case allowed && action == actionAssign:
		e.Code = CodeUnitTaken
	}
	return e
}
