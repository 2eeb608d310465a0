package octo

import (
	"context"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/warmgate/warmgate/backends/wire"
)

// exchange is one request and where its answer goes.
type exchange struct {
	op         string
	method     string
	path       string // below the base URL, with its query
	body       any
	redemption bool        // the answer must name the capability
	out        any         // filled from a 200
	whole      func() bool // whether out holds what callers rely on; nil: nothing to check
}

// do makes one attempt within the context's deadline. The error, if any, is a *wire.Error.
func (c *Client) do(ctx context.Context, x *exchange) error {
	answer, err := c.calls.Do(ctx, &wire.Request{Op: x.op, Method: x.method, Path: x.path, JSON: x.body})
	if err != nil {
		return err
	}
	defer answer.Release()
	if e := x.read(answer); e != nil {
		return e
	}
	return nil
}

// read turns an answer into the exchange's result or into an error.
func (x *exchange) read(a wire.Answer) *wire.Error {
	if e := judge(a); e != nil {
		return e
	}
	if x.redemption && !names(a.Header("Octo-Capabilities"), capability) || !a.Decode(x.out) || x.whole != nil && !x.whole() {
		return a.Unknown(wire.ReasonGarbage)
	}
	return nil
}

// judge returns the error of an answer's status, nil for the only one that is a success in OCTO.
func judge(a wire.Answer) *wire.Error {
	if e := a.Unclear(); e != nil {
		return e
	}
	switch status := a.Status(); {
	case status >= 400:
		return refusal(a)
	case status != fasthttp.StatusOK:
		return a.Unknown(wire.ReasonStatus)
	}
	return nil
}

// names reports whether a comma-separated header value lists want.
func names(list, want string) bool {
	for part := range strings.SplitSeq(list, ",") {
		if strings.TrimSpace(part) == want {
			return true
		}
	}
	return false
}
