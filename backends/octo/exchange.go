package octo

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/valyala/fasthttp"
	"github.com/warmgate/warmgate/gateway/call"
)

// exchange is one request and where its answer goes.
type exchange struct {
	op         string
	method     string
	path       string // below the base URL, with its query
	body       any
	list       bool        // over the connections for long lists
	redemption bool        // the answer must name the capability
	out        any         // filled from a 200
	whole      func() bool // whether out holds what callers rely on; nil: nothing to check
}

// do makes one attempt within the context's deadline. The error, if any, is an *Error.
func (c *Client) do(ctx context.Context, x *exchange) error {
	deadline, ok := ctx.Deadline()
	left := time.Until(deadline)
	switch {
	case ctx.Err() != nil:
		return notSent(x.op, ReasonNoTime, ctx.Err())
	case !ok || left < time.Millisecond:
		return notSent(x.op, ReasonNoTime, context.DeadlineExceeded)
	}
	body, err := encode(x.body)
	if err != nil {
		return notSent(x.op, ReasonInput, nil)
	}
	req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(resp)
	req.SetRequestURI(c.base + x.path)
	req.Header.SetMethod(x.method)
	req.Header.Set(fasthttp.HeaderAuthorization, c.auth)
	req.Header.Set(fasthttp.HeaderAccept, "application/json")
	req.Header.Set("Octo-Capabilities", capability)
	req.Header.Set("X-Request-Timeout-Ms", strconv.FormatInt(left.Milliseconds(), 10))
	if parent, state := call.Trace(ctx); parent != "" {
		req.Header.Set("Traceparent", parent)
		if state != "" {
			req.Header.Set("Tracestate", state)
		}
	}
	if body != nil {
		req.Header.SetContentType("application/json")
		req.SetBodyRaw(body)
	}
	if err := c.send(x, req, resp, deadline); err != nil {
		return classify(x.op, err, deadline)
	}
	return x.read(resp)
}

// send does the call. A stale kept connection is the one thing tried again: nothing was sent over it.
func (c *Client) send(x *exchange, req *fasthttp.Request, resp *fasthttp.Response, deadline time.Time) error {
	hc := c.calls
	if x.list {
		hc = c.lists
	}
	err := hc.DoDeadline(req, resp, deadline)
	if errors.Is(err, errStale) {
		hc.CloseIdleConnections() // the others were most likely closed with it
		err = hc.DoDeadline(req, resp, deadline)
	}
	return err
}

// classify gives a transport error its fate. Texts of fasthttp errors can hold bytes of the answer, so none is kept.
func classify(op string, err error, deadline time.Time) *Error {
	var timeout interface{ Timeout() bool }
	if dial, ok := errors.AsType[*dialError](err); ok {
		return notSent(op, ReasonDial, dial.err)
	}
	switch {
	case errors.Is(err, errStale):
		return notSent(op, ReasonDial, errStale)
	case errors.Is(err, fasthttp.ErrNoFreeConns):
		return notSent(op, ReasonNoConn, nil)
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		return unknown(op, ReasonTooLarge, 0)
	case errors.Is(err, fasthttp.ErrTimeout), errors.As(err, &timeout) && timeout.Timeout(), !time.Now().Before(deadline):
		return unknown(op, ReasonTimeout, 0)
	default:
		return unknown(op, ReasonReset, 0)
	}
}

// read turns an answer into the exchange's result or into an error.
func (x *exchange) read(resp *fasthttp.Response) error {
	status, body := resp.StatusCode(), resp.Body()
	switch {
	case status == fasthttp.StatusTooManyRequests:
		e := unknown(x.op, ReasonRateLimited, status)
		e.RetryAfter = retryAfter(resp)
		return e
	case status >= 400 && status < 500 && status != fasthttp.StatusRequestTimeout:
		return refusal(x.op, status, body)
	case status != fasthttp.StatusOK:
		e := unknown(x.op, ReasonStatus, status)
		e.RetryAfter = retryAfter(resp)
		return e
	case x.redemption && !names(string(resp.Header.Peek("Octo-Capabilities")), capability):
		return unknown(x.op, ReasonGarbage, status)
	}
	if !decode(body, x.out) || (x.whole != nil && !x.whole()) {
		return unknown(x.op, ReasonGarbage, status)
	}
	return nil
}

// decode fills out from body. Unknown members are allowed, as OCTO adds to its answers; duplicates are not.
// A null where an object or array must be is not an answer.
func decode(body []byte, out any) bool {
	return json.Unmarshal(body, out) == nil && strings.TrimLeft(string(body[:min(len(body), 64)]), " \t\r\n") != "null"
}

// wireError is the body of an OCTO error.
type wireError struct {
	Code       string    `json:"error"`
	Message    string    `json:"errorMessage"`
	RedeemedAt time.Time `json:"utcRedeemedAt"`
}

// refusal reads a 4xx. Only an OCTO error is a refusal; OCTO puts INTERNAL_SERVER_ERROR under 400, and that says nothing.
func refusal(op string, status int, body []byte) *Error {
	var w wireError
	if !decode(body, &w) || !isCode(w.Code) {
		return unknown(op, ReasonGarbage, status)
	}
	e := &Error{Op: op, Fate: Refused, Reason: ReasonRefused, Status: status, Code: w.Code, RedeemedAt: w.RedeemedAt}
	if w.Code == codeInternal {
		e.Fate, e.Reason = Unknown, ReasonStatus
	}
	e.Message = strings.ToValidUTF8(w.Message[:min(len(w.Message), 512)], "")
	return e
}

// isCode reports whether s is 1 to 64 capitals, digits and underscores, so that it can stand in a log line.
func isCode(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c != '_' && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

func retryAfter(resp *fasthttp.Response) time.Duration {
	n, err := strconv.Atoi(string(resp.Header.Peek(fasthttp.HeaderRetryAfter)))
	if err != nil || n < 0 {
		return 0
	}
	return min(time.Duration(min(n, 3600))*time.Second, time.Hour)
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
