package ohip

import (
	"context"
	"errors"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/warmgate/warmgate/backends/wire"
	"github.com/warmgate/warmgate/backends/wire/jsonread"
)

// exchange is one request and where its answer goes.
type exchange struct {
	op     string
	method string
	path   string // escaped, with its query
	body   any
	out    any         // filled from the answer: a readable reads itself, anything else is read by reflection
	whole  func() bool // whether out holds what callers rely on; nil: nothing to check
	absent func()      // a read: called for a 204, which is "nothing found"; nil: a 204 is no answer
}

// readable is what reads itself out of an answer.
type readable interface{ read(r *jsonread.Reader) }

// do makes one attempt within the context's deadline. A token that the hotel does not accept any more is replaced and the
// attempt made again: a request that was not authorized had no effect. The error, if any, is a *wire.Error.
func (c *Client) do(ctx context.Context, x *exchange) error {
	body, err := encode(x.body)
	if err != nil {
		return c.badInput(x.op, "what cannot be written as JSON") // its text may hold it
	}
	for again := true; ; again = false {
		bearer, err := c.bearer(ctx, x.op)
		if err != nil {
			return err
		}
		a, err := c.wire.Do(ctx, &wire.Request{Op: x.op, Method: x.method, Path: x.path, Raw: body, Type: mediaType, Lane: c.lane,
			Header: []wire.Header{{Name: "Authorization", Value: "Bearer " + bearer}, {Name: "x-hotelid", Value: c.hotel}}})
		if err != nil {
			return err
		}
		if a.Status() == 401 && c.token.Drop(bearer) && again {
			a.Release()
			continue
		}
		err = c.read(x, a)
		a.Release()
		return err
	}
}

// mediaType is what the interface says and wants to be told of bodies.
const mediaType = "application/json;charset=UTF-8"

// encode returns the request body, nil when there is none.
func encode(body any) ([]byte, error) {
	if body == nil {
		return nil, nil
	}
	return json.Marshal(body)
}

// bearer returns the access token. What keeps it from being had keeps the call from being sent.
func (c *Client) bearer(ctx context.Context, op string) (string, error) {
	deadline, ok := ctx.Deadline()
	if err := ctx.Err(); err != nil {
		return "", c.wire.NotSent(op, wire.ReasonNoTime, err)
	}
	if !ok || time.Until(deadline) < time.Millisecond {
		return "", c.wire.NotSent(op, wire.ReasonNoTime, context.DeadlineExceeded)
	}
	value, err := c.token.Get(ctx)
	if err != nil {
		return "", c.wire.NotSent(op, ReasonToken, err)
	}
	return value, nil
}

// read turns an answer into the exchange's result or into an error.
func (c *Client) read(x *exchange, a wire.Answer) error {
	if e := a.Unclear(); e != nil {
		return e
	}
	switch status := a.Status(); {
	case status >= 400:
		return c.refusal(a)
	case status == 204 && x.absent != nil:
		x.absent()
		return nil
	case status != 200 && status != 201:
		return a.Unknown(wire.ReasonStatus)
	case !decode(a, x.out) || (x.whole != nil && !x.whole()):
		return a.Unknown(wire.ReasonGarbage)
	}
	return nil
}

func decode(a wire.Answer, out any) bool {
	if own, ok := out.(readable); ok {
		return a.ReadBy(own.read)
	}
	return a.Decode(out)
}

// get makes a read.
func (c *Client) get(ctx context.Context, op, path string, out any, whole func() bool) error {
	return c.do(ctx, &exchange{op: op, method: "GET", path: path, out: out, whole: whole, absent: func() {}})
}

// notFound is the refusal of a read that found nothing where something must be.
func (c *Client) notFound(op string, r Refusal) *wire.Error {
	return &wire.Error{Connector: connector, Op: op, Fate: wire.Refused, Reason: wire.ReasonRefused, Cause: r}
}

// badInput is the error of an argument that is not sent.
func (c *Client) badInput(op, what string) *wire.Error {
	return c.wire.NotSent(op, wire.ReasonInput, errors.New(what))
}
