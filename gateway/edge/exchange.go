package edge

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/journey"
)

const jsonMedia = "application/json"

// Exchange is one request and its answer. It belongs to the goroutine that runs Serve and ends with it: neither it nor
// the bytes that Body lent may be used after that.
type Exchange struct {
	server *Server
	ctx    *fasthttp.RequestCtx
	route  *route
	params [maxParams]param
	n      int // of params

	id        uuid.UUID
	lang      string
	trace     traceparent
	addr      netip.Addr
	arrived   time.Time
	begun     time.Time // when it came to the edge: what lets it in looks at the clock once
	budget    time.Duration
	deadline  time.Time
	elapsed   time.Duration
	principal *gateway.Principal
	venue     *gateway.Venue
	idem      *journey.Idempotency

	cacheControl string // of the answer; "": no-store
	answered     bool
	served       bool   // Serve was called
	journey      string // the run that the answer is about
	replayed     bool
	problem      *gateway.Error
	timings      []byte
	limits       []byte
}

// Body returns the request's body as it was sent.
func (x *Exchange) Body() []byte { return x.ctx.PostBody() }

// Param returns the path parameter name, "" where the route has none of that name.
func (x *Exchange) Param(name string) string {
	for i := range x.n {
		if x.params[i].name == name {
			return x.params[i].value
		}
	}
	return ""
}

// Query returns the query parameter name, and whether it is there. The route must declare it.
func (x *Exchange) Query(name string) (value string, ok bool) {
	args := x.ctx.QueryArgs()
	if !args.Has(name) {
		return "", false
	}
	return string(args.Peek(name)), true
}

// PeekQuery is Query without a copy: the value is lent, as Body's is.
func (x *Exchange) PeekQuery(name string) (value []byte, ok bool) {
	args := x.ctx.QueryArgs()
	return args.Peek(name), args.Has(name)
}

// RawQuery returns the query as it was sent, without its question mark. It is lent, as Body's is.
func (x *Exchange) RawQuery() []byte { return x.ctx.URI().QueryString() }

// Header returns the value of a request header, "" where there is none, or more than one of that name.
func (x *Exchange) Header(name string) string {
	all := x.ctx.Request.Header.PeekAll(name)
	if len(all) != 1 {
		return ""
	}
	return string(all[0])
}

// Accepts reports whether the client names a media type in its Accept header. What it doesn't name is answered in JSON
// all the same.
func (x *Exchange) Accepts(mediaType string) bool {
	for item := range bytes.SplitSeq(x.ctx.Request.Header.Peek("Accept"), []byte(",")) {
		name, _, _ := bytes.Cut(item, []byte(";"))
		if bytes.EqualFold(bytes.TrimSpace(name), []byte(mediaType)) {
			return true
		}
	}
	return false
}

// Decode reads the body as strict JSON into a pointer. The error is a problem that names the field by its path and
// never holds the value.
func (x *Exchange) Decode(into any) error { return decode(x.Body(), into) }

// Principal is who asks; nil on a public route.
func (x *Exchange) Principal() *gateway.Principal { return x.principal }

// Venue is the venue of the call; nil where the route names none.
func (x *Exchange) Venue() *gateway.Venue { return x.venue }

// Lang is the language to answer people in: zh-CN or en.
func (x *Exchange) Lang() string { return x.lang }

// Arrived is when the request's head was complete; its budget runs from then.
func (x *Exchange) Arrived() time.Time { return x.arrived }

// Deadline is when what Serve waits for has to be there: the answer is due at Arrived and the machine budget, or before,
// where the client prefers so, and Config.Overhead of that is left for the answer itself.
func (x *Exchange) Deadline() time.Time { return x.deadline.Add(-x.server.config.Overhead) }

// untilDeadline returns a context that ends at Deadline. Contexts know no clock but the process's.
func (x *Exchange) untilDeadline() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), x.Deadline().Sub(x.server.deps.Now()))
}

// JourneyID is the request's UUIDv7, which is also the id of the run that it begins.
func (x *Exchange) JourneyID() string { return x.id.String() }

// instance names the request as the occurrence of a problem, where no journey has begun.
func (x *Exchange) instance() string { return "urn:uuid:" + x.id.String() }

// SetHeader sets a response header, in place of one of the same name.
func (x *Exchange) SetHeader(name, value string) { x.ctx.Response.Header.Set(name, value) }

// JSON answers with a value.
func (x *Exchange) JSON(status int, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("cannot encode the answer: %w", err)
	}
	x.Raw(status, jsonMedia, body)
	return nil
}

// Raw answers with bytes that are encoded already; they are copied.
func (x *Exchange) Raw(status int, mediaType string, body []byte) {
	x.head(status, mediaType)
	x.ctx.Response.SetBody(body)
}

// Shared is Raw without a copy, for bytes that are never changed again: they are sent after Serve has returned.
func (x *Exchange) Shared(status int, mediaType string, body []byte) {
	x.head(status, mediaType)
	x.ctx.Response.SetBodyRaw(body)
}

func (x *Exchange) head(status int, mediaType string) {
	x.answered = true
	x.ctx.Response.SetStatusCode(status)
	x.ctx.Response.Header.SetContentType(mediaType)
}

// serverTiming adds an entry to Server-Timing: a name in token characters, such as a step's.
func (x *Exchange) serverTiming(name string, d time.Duration) {
	x.timings = appendTiming(x.timings, name, d)
}

// Unchanged sets the ETag of what is about to be answered, quotes included, and lets the client keep it, to ask each time
// whether it still holds (RFC 9111 §5.2.2.4). True: the client has it already and is answered so, with 304.
func (x *Exchange) Unchanged(etag string) bool {
	x.SetHeader("ETag", etag)
	x.cacheControl = "private, no-cache"
	if !noneMatch(string(x.ctx.Request.Header.Peek("If-None-Match")), etag) {
		return false
	}
	x.Raw(fasthttp.StatusNotModified, jsonMedia, nil)
	return true
}

// Sources says in Cache-Status (RFC 9211) where the parts of the answer come from.
func (x *Exchange) Sources(of []gateway.Source) {
	if len(of) > 0 {
		var room [160]byte
		x.ctx.Response.Header.SetBytesV("Cache-Status", appendCacheStatus(room[:0], of))
	}
}

// answerProblem answers with a problem document, over whatever was answered before.
func (x *Exchange) answerProblem(e *gateway.Error) {
	x.problem, x.cacheControl = e, ""
	status, body := RenderProblem(e, x.lang, x.instance())
	x.Raw(status, problemMedia, body)
	h := &x.ctx.Response.Header
	h.Set("Content-Language", x.lang)
	h.Set("Vary", "Accept-Language")
	if e.RetryAfter > 0 {
		h.Set("Retry-After", retryAfter(e.RetryAfter))
	}
}
