package wechatpay

import (
	"context"
	"crypto/rsa"
	"errors"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/valyala/fasthttp"

	"github.com/warmgate/warmgate/backends/wire"
)

// exchange is one request and where its answer goes.
type exchange struct {
	op     string
	method string
	path   string // below the base URL, with its query: what is signed
	body   any
	out    any         // filled from a 200
	whole  func() bool // whether out holds what callers rely on
}

// What keeps an answer or a notification from being believed.
var (
	errUnsigned  = errors.New("it is not signed")
	errStale     = errors.New("it is too old, or of the future")
	errSignature = errors.New("its signature is wrong")
	errReplayed  = errors.New("it was answered before")
)

// errUnread: see Config.Unread.
var errUnread = errors.New("the credentials were not read")

// send signs a request and makes one attempt.
func (c *Client) send(ctx context.Context, x *exchange) (wire.Answer, error) {
	return c.sendBy(ctx, x, c.calls.Do)
}

// sendBy is send over the way that do is.
func (c *Client) sendBy(ctx context.Context, x *exchange, do func(context.Context, *wire.Request) (wire.Answer, error)) (wire.Answer, error) {
	if c.key == nil {
		return wire.Answer{}, c.calls.NotSent(x.op, wire.ReasonInput, errUnread)
	}
	var body []byte
	if x.body != nil {
		var err error
		if body, err = json.Marshal(x.body, json.Deterministic(true)); err != nil {
			return wire.Answer{}, c.calls.NotSent(x.op, wire.ReasonInput, nil) // its text may hold what could not be encoded
		}
	}
	authorization, err := c.authorize(x.method, x.path, body)
	if err != nil {
		return wire.Answer{}, c.calls.NotSent(x.op, wire.ReasonInput, err)
	}
	return do(ctx, &wire.Request{Op: x.op, Method: x.method, Path: x.path, Raw: body,
		Header: []wire.Header{{Name: "Authorization", Value: authorization}}})
}

// do makes one attempt within the context's deadline. The error, if any, is a *wire.Error.
func (c *Client) do(ctx context.Context, x *exchange) error {
	a, err := c.send(ctx, x)
	if err != nil {
		return err
	}
	defer a.Release()
	if e := c.read(ctx, x, a); e != nil {
		return e
	}
	return nil
}

// read turns an answer into the exchange's result or into an error.
func (c *Client) read(ctx context.Context, x *exchange, a wire.Answer) *wire.Error {
	if e := c.judge(ctx, a); e != nil {
		return e
	}
	if !a.Decode(x.out) || !x.whole() {
		return a.Unknown(wire.ReasonGarbage)
	}
	return nil
}

// judge returns the error of an answer that is no proven success.
func (c *Client) judge(ctx context.Context, a wire.Answer) *wire.Error {
	status := a.Status()
	if e := a.Unclear(); e != nil {
		if status != fasthttp.StatusTooManyRequests || c.proven(ctx, a) != nil {
			return e
		}
		if r := refusal(a); RefusalOf(r) == RefusedBusy { // in its own words: it was not done
			return r
		}
		return e
	}
	unsigned := a.Header(headerSign) == ""
	if err := c.proven(ctx, a); err != nil && !(status >= 400 && unsigned && c.cfg.UnsignedRefusals) {
		return unproven(a, err)
	}
	switch {
	case status >= 400:
		return refusal(a)
	case status != fasthttp.StatusOK:
		return a.Unknown(wire.ReasonStatus)
	}
	return nil
}

// proven returns nil if an answer is signed by the provider, now, and was not answered before. It may wait for the
// provider's keys until ctx ends.
func (c *Client) proven(ctx context.Context, a wire.Answer) error {
	if a.Header(headerSign) == "" {
		return errUnsigned
	}
	if err := c.isNow(a.Header(headerTime)); err != nil {
		return err
	}
	key, err := c.platform.find(ctx, a.Header(headerSerial), true)
	if err != nil {
		return err
	}
	return c.proves(key, a.Header, a.Body(), c.seen)
}

// proves checks the signature over a body; seen is nil where the same may come again.
func (c *Client) proves(key *rsa.PublicKey, header func(string) string, body []byte, seen *memory) error {
	timestamp, nonce, signature := header(headerTime), header(headerNonce), header(headerSign)
	if kind := header(headerType); kind != "" && kind != scheme || nonce == "" || len(nonce) > maxNonce {
		return errUnsigned
	}
	if err := c.isNow(timestamp); err != nil {
		return err
	}
	if !verify(key, answerText(timestamp, nonce, body), signature) {
		return errSignature
	}
	if seen != nil && !seen.first(signature, c.cfg.Clock()) {
		return errReplayed
	}
	return nil
}

// isNow holds a timestamp, in seconds, against the clock.
func (c *Client) isNow(timestamp string) error {
	at, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || len(timestamp) > 12 {
		return errStale
	}
	if leeway := int64(c.cfg.Leeway.Seconds()); at < c.cfg.Clock().Unix()-leeway || at > c.cfg.Clock().Unix()+leeway {
		return errStale
	}
	return nil
}
