package edge

import (
	"net/http"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/go-json-experiment/json"
	"github.com/warmgate/warmgate/gateway"
)

// problemMedia is the media type of a problem document (RFC 9457 §3).
const problemMedia = "application/problem+json"

// statusOf is the one place where a kind of problem becomes an HTTP status.
func statusOf(k gateway.Kind) int {
	switch k {
	case gateway.BadRequest:
		return http.StatusBadRequest
	case gateway.Unauthenticated:
		return http.StatusUnauthorized
	case gateway.Forbidden:
		return http.StatusForbidden
	case gateway.NotFound:
		return http.StatusNotFound
	case gateway.MethodUnknown:
		return http.StatusMethodNotAllowed
	case gateway.Timeout:
		return http.StatusRequestTimeout
	case gateway.Conflict:
		return http.StatusConflict
	case gateway.LengthRequired:
		return http.StatusLengthRequired
	case gateway.TooLarge:
		return http.StatusRequestEntityTooLarge
	case gateway.Unsupported:
		return http.StatusUnsupportedMediaType
	case gateway.Unprocessable:
		return http.StatusUnprocessableEntity
	case gateway.TooMany:
		return http.StatusTooManyRequests
	case gateway.HeadTooLarge:
		return http.StatusRequestHeaderFieldsTooLarge
	case gateway.NotImplemented:
		return http.StatusNotImplemented
	case gateway.Unavailable:
		return http.StatusServiceUnavailable
	case gateway.VersionUnknown:
		return http.StatusHTTPVersionNotSupported
	}
	return http.StatusInternalServerError
}

// problemMembers are the members of the document that an extension may not take.
var problemMembers = [...]string{"type", "title", "status", "detail", "instance", "field", "retryable", "retry_after"}

// RenderProblem returns e as a problem document (RFC 9457) in lang (zh-CN or en), with its status. Instance names the
// occurrence: "/v1/journeys/<id>", or "urn:uuid:<id>" of the request. The type is the path of the catalogue's page,
// relative to the gateway that answered (§3.1.1 lets a full path stand for the address), so that it is the same string
// behind every name of the gateway. Extension members come last, by name. The cause is never in it.
func RenderProblem(e *gateway.Error, lang, instance string) (status int, body []byte) {
	status = statusOf(e.Problem.Kind)
	enc := &objectWriter{dst: make([]byte, 0, 384)}
	enc.string("type", problemPath(e.Problem))
	enc.string("title", e.Problem.Title.In(lang))
	enc.value("status", status)
	if detail := e.Detail.In(lang); detail != "" {
		enc.string("detail", detail)
	}
	if instance != "" {
		enc.string("instance", instance)
	}
	if e.Field != "" {
		enc.string("field", e.Field)
	}
	enc.value("retryable", e.Problem.Retryable)
	if e.RetryAfter > 0 {
		enc.value("retry_after", wholeSeconds(e.RetryAfter))
	}
	names := make([]string, 0, len(e.Extra))
	for name := range e.Extra {
		if !slices.Contains(problemMembers[:], name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		enc.value(name, e.Extra[name])
	}
	return status, enc.end()
}

// problemPath is the type of a problem in its document, and the path of its page in the catalogue.
func problemPath(p *gateway.Problem) string { return "/problems/" + p.Type }

// wholeSeconds rounds up to whole seconds, at least 1: a client that comes back then is not too early.
func wholeSeconds(d time.Duration) int { return int(max(1, (d+time.Second-1)/time.Second)) }

// objectWriter writes one JSON object, member by member, in the order of the calls.
type objectWriter struct{ dst []byte }

func (w *objectWriter) name(name string) {
	if len(w.dst) == 0 {
		w.dst = append(w.dst, '{')
	} else {
		w.dst = append(w.dst, ',')
	}
	w.quote(name)
	w.dst = append(w.dst, ':')
}

// quote appends s as a JSON string; what is not UTF-8 in it becomes U+FFFD.
func (w *objectWriter) quote(s string) { w.dst, _ = jsontext.AppendQuote(w.dst, s) }

func (w *objectWriter) string(name, value string) {
	w.name(name)
	w.quote(value)
}

// value leaves out what cannot be JSON: a problem must be told even where a flow attached something odd to it.
func (w *objectWriter) value(name string, value any) {
	b, err := json.Marshal(value, json.Deterministic(true))
	if err != nil {
		return
	}
	w.name(name)
	w.dst = append(w.dst, b...)
}

func (w *objectWriter) end() []byte {
	if len(w.dst) == 0 {
		w.dst = append(w.dst, '{')
	}
	return append(w.dst, '}')
}
