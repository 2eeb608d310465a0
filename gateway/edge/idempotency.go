package edge

import (
	"errors"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/journey"
)

const (
	maxKey       = 255         // characters of an Idempotency-Key
	runningRetry = time.Second // a request ends within its machine budget as a rule, long before its lease
)

// idempotencyKey reads an Idempotency-Key (draft-ietf-httpapi-idempotency-key-header-07 §2): a string of RFC 8941
// §3.3.3 without parameters, 1 to 255 characters long. The key itself is never told or kept.
func idempotencyKey(headers [][]byte) ([]byte, error) {
	const name = "Idempotency-Key"
	switch {
	case len(headers) == 0:
		return nil, ProblemKeyMissing.Error(gateway.Text{
			Zh: `每个请求请使用一个新的值，例如 "8e03978e-40d5-43dd-bc93-6894a57f9324"。`,
			En: `Send a fresh value with each request, such as "8e03978e-40d5-43dd-bc93-6894a57f9324".`}).WithField("header " + name)
	case len(headers) > 1:
		return nil, headerInvalid(name, "只能出现一次。", "It must be there once.")
	}
	key, ok := structuredString(headers[0])
	switch {
	case !ok:
		return nil, headerInvalid(name, "应为带双引号的字符串（RFC 8941）。", "It must be a string in double quotes (RFC 8941).")
	case len(key) == 0 || len(key) > maxKey:
		return nil, headerInvalid(name, "长度应为 1 至 255 个字符。", "It must have 1 to 255 characters.")
	}
	return key, nil
}

// structuredString reads an sf-string (RFC 8941 §3.3.3, §4.2.5), with nothing behind it but spaces.
func structuredString(h []byte) ([]byte, bool) {
	for len(h) > 0 && h[0] == ' ' {
		h = h[1:]
	}
	for len(h) > 0 && h[len(h)-1] == ' ' {
		h = h[:len(h)-1]
	}
	if len(h) < 2 || h[0] != '"' {
		return nil, false
	}
	s := make([]byte, 0, len(h))
	for i := 1; i < len(h); i++ {
		c := h[i]
		switch {
		case c == '"':
			return s, i == len(h)-1
		case c == '\\':
			if i++; i == len(h) || (h[i] != '"' && h[i] != '\\') {
				return nil, false
			}
			c = h[i]
		case c < 0x20 || c > 0x7e:
			return nil, false
		}
		s = append(s, c)
	}
	return nil, false
}

// readIdempotency reads the key, and the payload that it stands for.
func (x *Exchange) readIdempotency() error {
	key, err := idempotencyKey(x.ctx.Request.Header.PeekAll("Idempotency-Key"))
	if err != nil {
		return err
	}
	canonical, err := canonicalBody(x.Body())
	if err != nil {
		return err
	}
	d := &x.server.deps
	p := x.principal
	x.idem = &journey.Idempotency{
		Scope:   d.Hash("idempotency", []byte(p.Tenant), []byte(p.Issuer), []byte(p.Subject), []byte(x.route.Name), key),
		Payload: d.Hash("idempotency-payload", x.ctx.Request.Header.RequestURI(), canonical),
	}
	return nil
}

// earlier looks for an earlier request under the key. It reports true where that one has answered.
func (x *Exchange) earlier() (replayed bool, err error) {
	ctx, cancel := x.untilDeadline()
	defer cancel()
	earlier, found, err := x.server.deps.Earlier(ctx, x.idem.Scope)
	if err != nil {
		if _, ok := asProblem(err); ok {
			return false, err
		}
		return false, gateway.ProblemLedgerUnavailable.Error(gateway.Text{}).WithRetryAfter(time.Second).WithCause(err)
	}
	if !found {
		return false, nil
	}
	return x.replay(earlier)
}

// orEarlier says why a call that was not answered has failed, or answers as an earlier request under its key was: what it
// fails for may have changed since, or be what that one has done.
func (x *Exchange) orEarlier(err error) error {
	if x.idem == nil || !x.route.Looks || x.answered || errors.Is(err, journey.ErrKeyReused) || errors.Is(err, journey.ErrKeyRunning) {
		return err
	}
	switch replayed, held := x.earlier(); {
	case replayed:
		return nil
	case errors.Is(held, journey.ErrKeyReused) || errors.Is(held, journey.ErrKeyRunning):
		return held
	}
	return err
}

// replay answers like the earlier request did. A record whose lease is over is left to Serve: a crash lies between.
func (x *Exchange) replay(e Earlier) (bool, error) {
	switch {
	case e.Payload != x.idem.Payload:
		return false, journey.ErrKeyReused
	case e.Ended:
		x.repeat(e)
		return true, nil
	case x.server.deps.Now().Before(e.LeaseUntil):
		return false, journey.ErrKeyRunning
	}
	return false, nil
}

// problemOf returns err as a problem: its own, or those of an idempotency key, which a plan finds out too where two
// requests under one key arrive together. Anything else is internal.
func problemOf(err error) *gateway.Error {
	switch {
	case errors.Is(err, journey.ErrKeyReused):
		return ProblemKeyReused.Error(gateway.Text{
			Zh: "请为新的请求使用新的值。", En: "Use a fresh value for a new request."}).WithField("header Idempotency-Key")
	case errors.Is(err, journey.ErrKeyRunning):
		return ProblemKeyRunning.Error(gateway.Text{
			Zh: "请用同一个 Idempotency-Key 重试以取得结果。", En: "Send it again under the same Idempotency-Key for the outcome.",
		}).WithRetryAfter(runningRetry)
	}
	return gateway.AsError(err)
}
