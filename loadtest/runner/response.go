package runner

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/dop251/goja"
)

// timing are the moments of a request. Its trace may still run after the request has ended, so it is locked.
type timing struct {
	mu                                       sync.Mutex
	asked, got, connecting, connected        time.Time
	shaking, shaken, written, firstByte, end time.Time
}

// trace notes the moments. After a redirect the last request's stand.
func (t *timing) trace(ctx context.Context) context.Context {
	note := func(at *time.Time) {
		t.mu.Lock()
		defer t.mu.Unlock()
		*at = time.Now()
	}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:              func(string) { note(&t.asked) },
		GotConn:              func(httptrace.GotConnInfo) { note(&t.got) },
		ConnectStart:         func(string, string) { note(&t.connecting) },
		ConnectDone:          func(string, string, error) { note(&t.connected) },
		TLSHandshakeStart:    func() { note(&t.shaking) },
		TLSHandshakeDone:     func(tls.ConnectionState, error) { note(&t.shaken) },
		WroteRequest:         func(httptrace.WroteRequestInfo) { note(&t.written) },
		GotFirstResponseByte: func() { note(&t.firstByte) },
	})
}

// parts are k6's timings in milliseconds; duration is sending, waiting and receiving.
func (t *timing) parts() map[string]float64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	between := func(from, to time.Time) float64 {
		if from.IsZero() || to.Before(from) {
			return 0
		}
		return milliseconds(to.Sub(from))
	}
	return map[string]float64{
		"blocked": between(t.asked, t.got), "connecting": between(t.connecting, t.connected),
		"tls_handshaking": between(t.shaking, t.shaken), "sending": between(t.got, t.written),
		"waiting": between(t.written, t.firstByte), "receiving": between(t.firstByte, t.end),
		"duration": between(t.got, t.end),
	}
}

// response is what a script sees of an exchange.
func (v *vu) response(ex *exchange) goja.Value {
	obj, headers := v.rt.NewObject(), v.rt.NewObject()
	fields := map[string]any{
		"status": ex.status(), "status_text": "", "body": nil, "headers": headers, "url": ex.req.URL.String(), "error": "",
		"timings": ex.timing.parts(), "json": func(path string) goja.Value { return v.responseJSON(ex, path) },
	}
	if ex.err != nil {
		fields["error"] = ex.err.Error()
	}
	if a := ex.answer; a != nil {
		fields["status_text"], fields["url"] = a.statusText, a.url
		for name, values := range a.header {
			mustSet(headers, name, strings.Join(values, ", "))
		}
		if a.body != nil {
			fields["body"] = string(a.body)
		}
	}
	for name, value := range fields {
		mustSet(obj, name, value)
	}
	return loud(v.rt, "Response", obj)
}

// responseJSON parses the body, and follows a path of names and numbers with dots between; what is not there is
// undefined.
func (v *vu) responseJSON(ex *exchange, path string) goja.Value {
	if ex.answer == nil || ex.answer.body == nil {
		v.throw(fmt.Errorf("the answer of %s has no body to parse as JSON", ex.req.URL.Path))
	}
	value, err := v.json("parse", v.rt.ToValue(string(ex.answer.body)))
	if err != nil {
		v.throw(fmt.Errorf("the body of %s is no JSON: %w", ex.req.URL.Path, err))
	}
	if path == "" {
		return value
	}
	if strings.ContainsAny(path, `#*?|@\`) {
		v.throw(fmt.Errorf("the path %s of Response.json is not known to this runner; it has names and numbers", strconv.Quote(path)))
	}
	for part := range strings.SplitSeq(path, ".") {
		obj, ok := value.(*goja.Object)
		if !ok {
			return goja.Undefined()
		}
		if value = obj.Get(part); value == nil {
			return goja.Undefined()
		}
	}
	return value
}
