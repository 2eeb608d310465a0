package edge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/auth"
	"github.com/warmgate/warmgate/gateway/edge/front"
	"github.com/warmgate/warmgate/gateway/limit"
)

// route is a Route with what is known of it once all are.
type route struct {
	Route
	counters *routeCounters
}

// Server answers the API through a strict front. Make it with New. Safe for concurrent use.
type Server struct {
	config  Config
	deps    Deps
	router  router
	metrics *metrics
	log     *slog.Logger
	logged  atomic.Uint64 // answers that count for sampling
	streams streams
	front   *front.Front

	ids       ids
	exchanges sync.Pool // of *Exchange that no request uses
}

// New builds the edge for a valid configuration. It refuses routes that are wrong by themselves, clash with one another
// or differ from the OpenAPI document, and problems that share a type; all mistakes at once.
func New(cfg Config, deps Deps, routes []Route) (*Server, error) {
	if err := errors.Join(cfg.Validate(), deps.validate()); err != nil {
		return nil, err
	}
	s := &Server{config: cfg, deps: deps, log: deps.Logger}
	s.streams.init(cfg.Streams)
	catalogue, err := newCatalogue(slices.Concat(gateway.Problems(), Problems(), front.Problems(), auth.Problems(), limit.Problems(), deps.Problems))
	if err != nil {
		return nil, fmt.Errorf("cannot build the edge: %w", err)
	}
	pages, err := s.pages(catalogue)
	if err != nil {
		return nil, fmt.Errorf("cannot build the edge: %w", err)
	}
	if s.metrics, err = newMetrics(deps.Metrics); err != nil {
		return nil, fmt.Errorf("cannot build the edge: %w", err)
	}
	all := slices.Concat(routes, pages.described, pages.plain)
	var wrong []error
	names := make(map[string]bool)
	for _, r := range all {
		if err := r.check(); err != nil {
			wrong = append(wrong, err)
			continue
		}
		if names[r.Name] {
			wrong = append(wrong, fmt.Errorf("two routes are called %s", r.Name))
		}
		names[r.Name] = true
		if r.Consumes == "" {
			r.Consumes = jsonMedia
		}
		wrong = append(wrong, s.router.add(&route{r, s.metrics.forRoute(&r)}))
	}
	wrong = append(wrong, checkDocument(deps.Document, slices.Concat(routes, pages.described)))
	if err := errors.Join(wrong...); err != nil {
		return nil, fmt.Errorf("cannot build the edge: %w", err)
	}
	if s.front, err = front.New(cfg.Front, deps.Logger, s.handle, s.refuse); err != nil {
		return nil, err
	}
	return s, nil
}

// Serve answers requests from ln until Shutdown, then returns nil. It closes ln.
func (s *Server) Serve(ln net.Listener) error { return s.front.Serve(ln) }

// Shutdown stops accepting, ends the open streams, and waits for the requests in flight. When ctx ends first it closes
// their connections and returns an error that says how many they were.
func (s *Server) Shutdown(ctx context.Context) error {
	s.streams.stop()
	return s.front.Shutdown(ctx)
}

// Front returns the strict front, for its counters and to reload its certificate.
func (s *Server) Front() *front.Front { return s.front }

// timing returns the machine budget of a route and its shortest path.
func (s *Server) timing(r *route) (budget, shortest time.Duration) {
	if r.Budget == nil {
		return s.config.Budget, 0
	}
	return r.Budget(), r.Shortest()
}

// refuse answers for the front, where a request did not become one.
func (s *Server) refuse(ctx *fasthttp.RequestCtx, e *gateway.Error) {
	lang := language(ctx.Request.Header.Peek("Accept-Language"), s.config.Language)
	status, body := RenderProblem(e, lang, "")
	ctx.Response.SetStatusCode(status)
	ctx.Response.SetBody(body)
	h := &ctx.Response.Header
	h.SetContentType(problemMedia)
	h.Set("Content-Language", lang)
	h.Set("Cache-Control", "no-store")
	if e.RetryAfter > 0 {
		h.Set("Retry-After", retryAfter(e.RetryAfter))
	}
	s.metrics.refused(e)
}
