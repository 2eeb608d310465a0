package wire

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/valyala/fasthttp"

	"github.com/warmgate/warmgate/gateway/call"
)

// Header is one header field: a name (RFC 9110 token) and a value of printable ASCII.
type Header struct{ Name, Value string }

// Request is one call. At most one of JSON, Form and Raw is set.
type Request struct {
	Op     string     // the connector's name of the call, for errors: "Redeem"
	Method string     // GET, POST, PUT, DELETE
	Path   string     // below the base URL, escaped, with its query: "/bookings/?date=…"; visible ASCII, sent as it is
	Header []Header   // beside those of Config and above them: a token that changes
	JSON   any        // the body, encoded by go-json-experiment; nil: none
	Form   url.Values // the body of application/x-www-form-urlencoded, as OAuth's token endpoints want it
	Raw    []byte     // the body as it is, where it has been signed; not changed before Do returns
	Type   string     // the media type of Raw; "": application/json
}

// Do makes one attempt within the context's deadline, which it must have. The answer is the caller's until it calls
// Release, which it must. An error is an *Error: nothing was sent, or the outcome is unknown.
func (c *Client) Do(ctx context.Context, r *Request) (Answer, error) { return c.do(ctx, r, false) }

// Stream is Do for an answer that is longer than memory should be: the body of a 2xx is left to Answer.Read, and its
// connection is in use until Release. Of any other answer 64 KiB are read.
func (c *Client) Stream(ctx context.Context, r *Request) (Answer, error) { return c.do(ctx, r, true) }

func (c *Client) do(ctx context.Context, r *Request, stream bool) (Answer, error) {
	deadline, ok := ctx.Deadline()
	left := time.Until(deadline)
	switch {
	case ctx.Err() != nil:
		return Answer{}, c.NotSent(r.Op, ReasonNoTime, ctx.Err())
	case !ok || left < time.Millisecond:
		return Answer{}, c.NotSent(r.Op, ReasonNoTime, context.DeadlineExceeded)
	case !isPath(r.Path) || !areSendable(r.Header):
		return Answer{}, c.NotSent(r.Op, ReasonInput, nil)
	}
	body, kind, err := r.encode()
	if err != nil {
		return Answer{}, c.NotSent(r.Op, ReasonInput, nil) // its text may hold what could not be encoded
	}
	req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	req.SetRequestURI(c.base + r.Path)
	req.Header.SetMethod(r.Method)
	req.Header.Set(fasthttp.HeaderAccept, "application/json")
	for _, all := range [2][]Header{c.header, r.Header} {
		for i := range all {
			req.Header.Set(all[i].Name, all[i].Value)
		}
	}
	req.Header.Set("X-Request-Timeout-Ms", strconv.FormatInt(left.Milliseconds(), 10))
	if parent, state := call.Trace(ctx); parent != "" {
		req.Header.Set("Traceparent", parent)
		if state != "" {
			req.Header.Set("Tracestate", state)
		}
	}
	if kind != "" {
		req.Header.SetContentType(kind)
		req.SetBodyRaw(body)
	}
	resp.StreamBody = stream
	err = c.send(req, resp, deadline)
	if status := resp.StatusCode(); err == nil && stream && (status < 200 || status > 299) {
		err = readShort(resp)
	}
	if err != nil {
		fasthttp.ReleaseResponse(resp)
		return Answer{}, c.classify(r.Op, err, deadline)
	}
	return Answer{client: c, op: r.Op, resp: resp}, nil
}

// encode returns the body and its media type, "" when there is none.
func (r *Request) encode() (body []byte, kind string, err error) {
	switch {
	case r.JSON != nil:
		body, err = json.Marshal(r.JSON)
		return body, "application/json", err
	case r.Form != nil:
		return []byte(r.Form.Encode()), "application/x-www-form-urlencoded", nil
	case r.Raw != nil && r.Type != "":
		return r.Raw, r.Type, nil
	case r.Raw != nil:
		return r.Raw, "application/json", nil
	}
	return nil, "", nil
}

// send does the call. A stale kept connection is the one thing tried again: nothing was sent over it.
func (c *Client) send(req *fasthttp.Request, resp *fasthttp.Response, deadline time.Time) error {
	err := c.host.DoDeadline(req, resp, deadline)
	if errors.Is(err, errStale) {
		c.host.CloseIdleConnections() // the others were most likely closed with it
		err = c.host.DoDeadline(req, resp, deadline)
	}
	return err
}

// classify gives a transport error its fate. Texts of fasthttp errors can hold bytes of the answer, so none is kept.
func (c *Client) classify(op string, err error, deadline time.Time) *Error {
	var timeout interface{ Timeout() bool }
	if dial, ok := errors.AsType[*dialError](err); ok {
		return c.NotSent(op, ReasonDial, dial.err)
	}
	switch {
	case errors.Is(err, errStale):
		return c.NotSent(op, ReasonDial, errStale)
	case errors.Is(err, fasthttp.ErrNoFreeConns):
		return c.NotSent(op, ReasonNoConn, nil)
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		return c.unknown(op, ReasonTooLarge, 0)
	case errors.Is(err, fasthttp.ErrTimeout), errors.As(err, &timeout) && timeout.Timeout(), !time.Now().Before(deadline):
		return c.unknown(op, ReasonTimeout, 0)
	default:
		return c.unknown(op, ReasonReset, 0)
	}
}

// isPath reports whether s can stand in a request line as it is.
func isPath(s string) bool {
	if s == "" || s[0] != '/' {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' || s[i] == '#' {
			return false
		}
	}
	return true
}

// areSendable reports whether no field can end its line or become another.
func areSendable(all []Header) bool {
	for i := range all {
		if !IsVisible(all[i].Name, 64) {
			return false
		}
		for j := range len(all[i].Name) {
			if all[i].Name[j] == ':' {
				return false
			}
		}
		for j := range len(all[i].Value) {
			if c := all[i].Value[j]; c < ' ' || c > '~' {
				return false
			}
		}
	}
	return true
}
