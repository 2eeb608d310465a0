package edge

import (
	"bytes"
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/auth"
	"github.com/warmgate/warmgate/gateway/edge/front"
	"github.com/warmgate/warmgate/gateway/limit"
)

// handle answers one request that the front let in.
func (s *Server) handle(ctx *fasthttp.RequestCtx) {
	x := s.exchange()
	defer x.release()
	x.ctx, x.addr = ctx, front.ClientAddr(ctx)
	now := time.Now()
	x.begun = s.deps.Now()
	x.arrived = x.begun.Add(-now.Sub(front.HeadAt(ctx))) // by the clock that everything behind the edge goes by
	h := &ctx.Request.Header
	x.lang = language(h.Peek("Accept-Language"), s.config.Language)
	x.trace = trace(h.PeekAll("traceparent"))
	x.id = s.ids.next(now)
	if err := x.run(); err != nil {
		x.answerProblem(problemOf(err))
		if challenge := auth.Challenge(err); challenge != "" {
			x.SetHeader("WWW-Authenticate", challenge)
		}
	}
	x.finish()
}

// exchange returns an empty Exchange, with room for headers.
func (s *Server) exchange() *Exchange {
	x, _ := s.exchanges.Get().(*Exchange)
	if x == nil {
		x = &Exchange{server: s}
	}
	return x
}

// release gives x back for another request: nothing of this one is left in it.
func (x *Exchange) release() {
	*x = Exchange{server: x.server, timings: x.timings[:0], limits: x.limits[:0]}
	x.server.exchanges.Put(x)
}

// run lets the request pass the stations in their order. A panic on the way is an internal error.
func (x *Exchange) run() (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = x.panicked(v)
		}
	}()
	if err := x.identify(); err != nil {
		return err
	}
	limited := x.route.Priority != limit.NeverShed
	if limited {
		if err := x.take(limit.Who{Address: x.addr}); err != nil {
			return err
		}
	}
	if err := x.checkQuery(); err != nil {
		return err
	}
	budget, shortest := x.server.timing(x.route)
	if err := x.clock(budget); err != nil {
		return err
	}
	if err := x.authorize(limited); err != nil {
		return err
	}
	if err := x.checkMedia(); err != nil {
		return err
	}
	slot, err := x.server.deps.Gate.Acquire(x.route.Priority, x.begun, x.deadline, shortest)
	if err != nil {
		return err
	}
	defer slot.Release()
	if x.route.Idempotent {
		if err := x.readIdempotency(); err != nil {
			return err
		}
		if !x.route.Looks {
			if replayed, err := x.earlier(); replayed || err != nil {
				return err
			}
		}
	}
	x.served = true
	if err := x.route.Serve(x); err != nil {
		return x.orEarlier(err)
	}
	if !x.answered {
		return fmt.Errorf("route %s returned without an answer", x.route.Name)
	}
	return nil
}

// identify finds the route.
func (x *Exchange) identify() error {
	path := x.ctx.Request.Header.RequestURI()
	if i := bytes.IndexByte(path, '?'); i >= 0 {
		path = path[:i]
	}
	rt, n, allow := x.server.router.find(x.ctx.Method(), path, &x.params)
	switch {
	case rt != nil:
		x.route, x.n = rt, n
		return nil
	case allow != "":
		x.SetHeader("Allow", allow)
		return ProblemMethodNotAllowed.Error(gateway.Text{
			Zh: "可用的方法：" + allow + "。", En: "It takes " + allow + "."})
	}
	return ProblemRouteUnknown.Error(gateway.Text{
		Zh: "所有接口见 /openapi.json。", En: "All that there is stands in /openapi.json."})
}

// clock sets the request's deadline and reads the citizen's clock.
func (x *Exchange) clock(budget time.Duration) error {
	h := &x.ctx.Request.Header
	x.budget = budget
	x.deadline = x.arrived.Add(budget)
	if wait := preferredWait(h.PeekAll("Prefer")); wait > 0 {
		x.deadline = x.arrived.Add(min(budget, wait))
		x.SetHeader("Preference-Applied", "wait="+strconv.Itoa(int(wait/time.Second)))
	}
	var err error
	x.elapsed, err = journeyElapsed(h.PeekAll("Journey-Elapsed"))
	return err
}

// authorize finds out who asks, whether they may, and, where that is limited, whether they ask too often.
func (x *Exchange) authorize(limited bool) error {
	if x.route.Public {
		return nil
	}
	headers := x.ctx.Request.Header.PeekAll("Authorization")
	if len(headers) > 1 {
		return headerInvalid("Authorization", "只能出现一次。", "It must be there once.")
	}
	token, err := auth.FromHeader(x.ctx.Request.Header.Peek("Authorization"))
	if err != nil {
		return err
	}
	if x.principal, err = x.server.deps.Verifier.Verify(token, x.addr, x.begun); err != nil {
		return err
	}
	if x.route.Scope != "" {
		if err := auth.RequireScope(x.principal, x.route.Scope); err != nil {
			return err
		}
	}
	if err := x.findVenue(); err != nil {
		return err
	}
	if limited {
		return x.take(limit.Who{Principal: x.principal, Venue: x.venue})
	}
	return nil
}

// findVenue resolves the venue that the path names; one that the call's journey doesn't serve is as unknown as one of
// another tenant.
func (x *Exchange) findVenue() error {
	if x.route.Venue == "" {
		return nil
	}
	v := x.server.deps.Venues(x.Param(x.route.Venue))
	if v != nil && (v.Kind != x.route.VenueKind && x.route.VenueKind != AnyKind || x.route.VenueSection != "" && v.Section(x.route.VenueSection) == nil) {
		v = nil
	}
	if err := auth.RequireVenue(x.principal, v); err != nil {
		return err
	}
	x.venue = v
	return nil
}

// take counts the request against the rate policies that apply to who.
func (x *Exchange) take(who limit.Who) error {
	decision := x.server.deps.Limiter.Take(who, x.begun)
	x.limits = decision.AppendHeader(x.limits)
	return decision.Err()
}

// checkMedia refuses a body of another media type, and one that is coded (RFC 9110 §8.4).
func (x *Exchange) checkMedia() error {
	if len(x.Body()) == 0 {
		return nil
	}
	if coding := x.ctx.Request.Header.ContentEncoding(); len(coding) > 0 && !bytes.EqualFold(coding, []byte("identity")) {
		return ProblemMediaTypeUnknown.Error(gateway.Text{
			Zh: "请求内容不得压缩。", En: "The body must not be compressed."}).WithField("header Content-Encoding")
	}
	if x.route.Consumes == AnyMedia {
		return nil
	}
	media, _, _ := bytes.Cut(x.ctx.Request.Header.ContentType(), []byte(";"))
	if bytes.EqualFold(bytes.TrimSpace(media), []byte(x.route.Consumes)) {
		return nil
	}
	return ProblemMediaTypeUnknown.Error(gateway.Text{
		Zh: "应为 " + x.route.Consumes + "。", En: "It must be " + x.route.Consumes + "."}).WithField("header Content-Type")
}

// panicked turns a panic into an internal error.
func (x *Exchange) panicked(v any) error {
	x.server.metrics.panics.Inc()
	x.server.log.Error("a request panicked", "route", x.routeName(), "request", x.id.String(), "panic", panicText(v), "stack", string(debug.Stack()))
	return gateway.ProblemInternal.Error(gateway.Text{})
}

// panicText says what a panic was, for the log: what the runtime itself says, or else its type alone, since the value
// could hold what a citizen sent.
func panicText(v any) string {
	if e, ok := v.(runtime.Error); ok {
		return e.Error()
	}
	return fmt.Sprintf("a value of type %T", v)
}

const maxHeaderText = 64 // bytes of an id, or of a place in a trace

// finish writes the headers that every answer has, and tells the metrics and the log.
func (x *Exchange) finish() {
	took := x.server.deps.Now().Sub(x.arrived)
	h := &x.ctx.Response.Header
	var text [maxHeaderText]byte
	h.SetBytesV("Request-Id", appendID(text[:0], x.id))
	h.SetBytesV("traceparent", x.trace.append(text[:0]))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", cmp.Or(x.cacheControl, "no-store"))
	x.timings = appendTiming(x.timings, "total", took)
	h.SetBytesV("Server-Timing", x.timings)
	if len(x.limits) > 0 {
		h.SetBytesV("RateLimit", x.limits)
		h.Set("RateLimit-Policy", x.server.deps.Limiter.PolicyHeader()) // a reload may change it
	}
	x.server.metrics.observe(x, took)
	x.logAnswer(took)
}

// routeName is the route's name for logs and metrics; unknown paths share one.
func (x *Exchange) routeName() string {
	if x.route == nil {
		return "unknown"
	}
	return x.route.Name
}
