package apaleo

import (
	"context"
	"net/url"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/warmgate/warmgate/backends/wire"
)

// ReasonToken is the reason when no token could be had, and so nothing was sent. The cause says how the identity server
// failed.
const ReasonToken wire.Reason = "token"

// tokens keeps the access token. It is fetched by one request however many wait, and anew behind the calls when a fifth of
// its life is left.
type tokens struct {
	identity *wire.Client
	timeout  time.Duration

	mu     sync.Mutex
	value  string
	renew  time.Time // from then on a new one is fetched while this one is used
	ends   time.Time // from then on this one is not used
	flight *flight   // the request under way; nil: none
}

// flight is a request for a token; value and err are set when done is closed.
type flight struct {
	done  chan struct{}
	value string
	err   error
}

// get returns a token that is valid now, waiting for one at most until the context ends. The error is a *wire.Error.
func (t *tokens) get(ctx context.Context, op string) (string, error) {
	now := time.Now()
	t.mu.Lock()
	value, usable := t.value, t.value != "" && now.Before(t.ends)
	if usable && now.Before(t.renew) {
		t.mu.Unlock()
		return value, nil
	}
	f := t.flight
	if f == nil {
		f = &flight{done: make(chan struct{})}
		t.flight = f
		go t.fetch(context.WithoutCancel(ctx), f)
	}
	t.mu.Unlock()
	if usable {
		return value, nil
	}
	select {
	case <-f.done:
	case <-ctx.Done():
		return "", t.identity.NotSent(op, wire.ReasonNoTime, ctx.Err())
	}
	if f.err != nil {
		return "", t.identity.NotSent(op, ReasonToken, f.err)
	}
	return f.value, nil
}

// drop forgets a token that was not accepted.
func (t *tokens) drop(value string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.value == value {
		t.value = ""
	}
}

// fetch asks for a token. It belongs to nobody's call: whoever began it may have left.
func (t *tokens) fetch(ctx context.Context, f *flight) {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	began := time.Now()
	value, life, err := t.ask(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	f.value, f.err = value, err
	t.flight = nil
	if err == nil {
		t.value = value
		t.renew = began.Add(life * 4 / 5)
		t.ends = began.Add(life - min(life/10, 5*time.Second))
	} else {
		t.renew = time.Now().Add(time.Second) // the old one may last a while
	}
	close(f.done)
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
