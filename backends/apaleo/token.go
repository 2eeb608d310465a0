package apaleo

import (
	"context"
	"net/url"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/warmgate/warmgate/backends/wire"
)

// ReasonToken is the reason when no token could be had, and so nothing was sent. The cause says how the identity server
// failed.
const ReasonToken wire.Reason = "token"

// tokens is the client's access token, and how it is asked for.
type tokens struct {
	*wire.Token
	identity *wire.Client
}

func newTokens(identity *wire.Client, timeout time.Duration) *tokens {
	t := &tokens{identity: identity}
	t.Token = wire.NewToken(timeout, t.ask)
	return t
}

// get returns a token that is valid now, waiting for one at most until the context ends. The error is a *wire.Error.
func (t *tokens) get(ctx context.Context, op string) (string, error) {
	value, err := t.Get(ctx)
	switch {
	case err == nil:
		return value, nil
	case ctx.Err() != nil:
		return "", t.identity.NotSent(op, wire.ReasonNoTime, ctx.Err())
	}
	return "", t.identity.NotSent(op, ReasonToken, err)
}

func (t *tokens) close() {
	t.Close()
	t.identity.Close()
}

// ask makes one request. RFC 6749, 4.4 and 5.
func (t *tokens) ask(ctx context.Context) (string, time.Duration, error) {
	answer, err := t.identity.Do(ctx, &wire.Request{Op: "Token", Method: fasthttp.MethodPost, Path: "/connect/token",
		Form: url.Values{"grant_type": {"client_credentials"}}})
	if err != nil {
		return "", 0, err
	}
	defer answer.Release()
	if e := answer.Unclear(); e != nil {
		return "", 0, e
	}
	return readToken(answer)
}

// readToken reads the answer of the identity server.
func readToken(answer wire.Answer) (string, time.Duration, error) {
	var out struct {
		Value string `json:"access_token"`
		Type  string `json:"token_type"`
		Life  int64  `json:"expires_in"`
		Error string `json:"error"`
	}
	ok := answer.Decode(&out)
	switch status := answer.Status(); {
	case ok && status >= 400 && out.Error != "":
		return "", 0, answer.Refused(out.Error, "")
	case status != fasthttp.StatusOK:
		return "", 0, answer.Unknown(wire.ReasonStatus)
	case !ok || !wire.IsVisible(out.Value, 6<<10) || !isBearer(out.Type) || out.Life < 1 || out.Life > 1<<31:
		return "", 0, answer.Unknown(wire.ReasonGarbage)
	}
	return out.Value, time.Duration(out.Life) * time.Second, nil
}

// isBearer compares as RFC 6749, 5.1 wants it: without regard to case.
func isBearer(s string) bool { return s == "Bearer" || s == "bearer" || s == "BEARER" }
