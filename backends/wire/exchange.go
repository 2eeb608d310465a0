package wire

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/valyala/fasthttp"

	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/sockets"
)

// Header is one header field: a name (RFC 9110 token) and a value of printable ASCII.
// What frames a message, and Host, is not a connector's to set.
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

	Lane *sockets.Share // of Client.Lane: whose call it is, of many over the same connections; nil: the client's
}

// Do makes one attempt within the context's deadline, which it must have. The answer is the caller's until it calls
// Release, which it must. An error is an *Error: nothing was sent, or the outcome is unknown. Do returns at once when the
// context is cancelled; the connection is in use until the answer or the deadline.
func (c *Client) Do(ctx context.Context, r *Request) (Answer, error) {
	s, failed := c.check(ctx, r)
	if failed != nil {
		return Answer{}, failed
	}
	message := c.message()
	*message = c.appendMessage((*message)[:0], r, &s)
	resp := fasthttp.AcquireResponse()
	var err error
	if call.EndsOnTime(ctx) {
		err = c.send(c.laneOf(r), *message, resp, s.deadline)
	} else if err = c.watch(ctx, c.laneOf(r), message, resp, s.deadline); errors.Is(err, errLeft) {
		return Answer{}, c.left(ctx, r.Op)
	}
	c.messages.Put(message)
	if err != nil {
		fasthttp.ReleaseResponse(resp)
		return Answer{}, c.classify(ctx, r.Op, err, s.deadline)
	}
	return Answer{client: c, op: r.Op, resp: resp}, nil
}

// message returns room for a request.
func (c *Client) message() *[]byte {
	m, _ := c.messages.Get().(*[]byte)
	if m == nil {
		m = new([]byte)
	}
	return m
}

// sending is what a call has beside its Request.
type sending struct {
	deadline      time.Time
	left          time.Duration // until then
	body          []byte
	kind          string // the body's media type; "": there is none
	parent, state string // of the trace
}

// check says what is sent, or why nothing is.
func (c *Client) check(ctx context.Context, r *Request) (s sending, failed *Error) {
	var ok bool
	s.deadline, ok = ctx.Deadline()
	s.left = time.Until(s.deadline)
	switch {
	case ctx.Err() != nil:
		return s, c.NotSent(r.Op, ReasonNoTime, ctx.Err())
	case !ok || s.left < time.Millisecond:
		return s, c.NotSent(r.Op, ReasonNoTime, context.DeadlineExceeded)
	case !IsVisible(r.Method, 16) || !isPath(r.Path) || !areSendable(r.Header):
		return s, c.NotSent(r.Op, ReasonInput, nil)
	}
	var err error
	if s.body, s.kind, err = r.encode(); err != nil {
		return s, c.NotSent(r.Op, ReasonInput, nil) // its text may hold what could not be encoded
	}
	if s.parent, s.state = call.Trace(ctx); !isValue(s.parent) || !isValue(s.state) {
		s.parent, s.state = "", ""
	}
	return s, nil
}

// prepare makes the request and the place for its answer, or says why nothing is sent.
func (c *Client) prepare(ctx context.Context, r *Request) (*fasthttp.Request, *fasthttp.Response, time.Time, *Error) {
	s, failed := c.check(ctx, r)
	if failed != nil {
		return nil, nil, s.deadline, failed
	}
	req := fasthttp.AcquireRequest()
	req.SetRequestURI(c.base + r.Path)
	req.Header.SetMethod(r.Method)
	for _, all := range [2][]Header{c.header, r.Header} {
		for i := range all {
			req.Header.Set(all[i].Name, all[i].Value)
		}
	}
	req.Header.Set("X-Request-Timeout-Ms", strconv.FormatInt(s.left.Milliseconds(), 10))
	if s.parent != "" {
		req.Header.Set("Traceparent", s.parent)
		if s.state != "" {
			req.Header.Set("Tracestate", s.state)
		}
	}
	if s.kind != "" {
		req.Header.SetContentType(s.kind)
		req.SetBodyRaw(s.body)
	}
	return req, fasthttp.AcquireResponse(), s.deadline, nil
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

// laneOf returns the share that a call counts for.
func (c *Client) laneOf(r *Request) *sockets.Share {
	if r.Lane != nil {
		return r.Lane
	}
	return c.share
}

// send does the call. A stale kept connection is the one thing tried again: nothing was sent over it.
func (c *Client) send(lane *sockets.Share, message []byte, resp *fasthttp.Response, deadline time.Time) error {
	if !lane.Enter() {
		return errNoPlace
	}
	defer lane.Leave()
	err := c.exchange(message, resp, deadline)
	if err != nil && errors.Is(err, errStale) {
		c.host.CloseIdleConnections() // the others were most likely closed with it
		err = c.exchange(message, resp, deadline)
	}
	return err
}

// errLeft: whoever asked did not wait for the answer.
var errLeft = errors.New("the context was cancelled")

// watch is send for a context that may be cancelled: then it returns errLeft at once, and message and response are
// given back when the call has landed. That the deadline has passed is left to the call, which knows what was sent.
func (c *Client) watch(ctx context.Context, lane *sockets.Share, message *[]byte, resp *fasthttp.Response, deadline time.Time) error {
	var settled atomic.Bool // landed, or left
	landed := make(chan error, 1)
	go func() {
		err := c.send(lane, *message, resp, deadline)
		if settled.CompareAndSwap(false, true) {
			landed <- err
			return
		}
		c.messages.Put(message)
		fasthttp.ReleaseResponse(resp)
	}()
	select {
	case err := <-landed:
		return err
	case <-ctx.Done():
	}
	if !isCancelled(ctx) || !settled.CompareAndSwap(false, true) {
		return <-landed
	}
	return errLeft
}

// isCancelled reports whether ctx has ended before its time.
func isCancelled(ctx context.Context) bool {
	err := ctx.Err()
	return err != nil && !errors.Is(err, context.DeadlineExceeded)
}

// left is the error of a call whose answer nobody waited for.
func (c *Client) left(ctx context.Context, op string) *Error {
	e := c.unknown(op, ReasonTimeout, 0)
	e.Cause = ctx.Err()
	return e
}

// classify gives a transport error its fate. Texts of fasthttp errors can hold bytes of the answer, so none is kept.
func (c *Client) classify(ctx context.Context, op string, err error, deadline time.Time) *Error {
	var timeout interface{ Timeout() bool }
	if dial, ok := errors.AsType[*dialError](err); ok {
		return c.NotSent(op, ReasonDial, dial.err)
	}
	if isCancelled(ctx) {
		return c.left(ctx, op)
	}
	switch {
	case errors.Is(err, errStale):
		return c.NotSent(op, ReasonDial, errStale)
	case errors.Is(err, fasthttp.ErrNoFreeConns), errors.Is(err, errNoPlace):
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
		if isFraming(all[i].Name) || !isValue(all[i].Value) {
			return false
		}
	}
	return true
}

// isValue reports whether s can be the value of a header field: printable ASCII.
func isValue(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
