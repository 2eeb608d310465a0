package main

import (
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttpadaptor"
)

// canned answers for a twin with the bytes that the twin gave to the same request before, so that what stands in front of it
// is measured and not the twin. It serves three addresses, one for each of a hotel's systems, and can be slow; then it keeps,
// for each call, the time from the first byte at the socket to the last, by its trace.
type canned struct {
	twin    fasthttp.RequestHandler
	latency atomic.Int64 // nanoseconds of each call but those for tokens; 0: answered at once, and no times are kept
	times   *sockets
	servers []*fasthttp.Server

	mu    sync.RWMutex
	known map[string]*fasthttp.Response // by method and target
	asked []string                      // targets of the GETs, in the order of their first coming
}

// newCanned remembers what a twin answers. step says which step a target belongs to.
func newCanned(twin http.Handler, step func(method, path string) string) *canned {
	return &canned{twin: fasthttpadaptor.NewFastHTTPHandler(twin), times: newSockets(0, step), known: map[string]*fasthttp.Response{}}
}

// serve opens one more address.
func (c *canned) serve() (url string, err error) {
	l, err := listen()
	if err != nil {
		return "", err
	}
	c.serveAt(l)
	return "http://" + l.Addr().String(), nil
}

// serveAt serves at a socket that listens, until close.
func (c *canned) serveAt(l net.Listener) {
	s := &fasthttp.Server{Handler: c.answer, WriteBufferSize: 128 << 10, NoDefaultServerHeader: true} // an answer leaves in one piece
	c.servers = append(c.servers, s)
	go func() { _ = s.Serve(timedListener{l}) }()
}

func (c *canned) close() error {
	var all []error
	for _, s := range c.servers {
		all = append(all, s.Shutdown())
	}
	return errors.Join(all...)
}

func (c *canned) answer(ctx *fasthttp.RequestCtx) {
	key := string(ctx.Method()) + " " + string(ctx.RequestURI())
	if late := time.Duration(c.latency.Load()); late > 0 && ctx.IsGet() {
		c.expect(ctx)
		pause(late)
	}
	c.mu.RLock()
	known := c.known[key]
	c.mu.RUnlock()
	if known == nil {
		known = c.learn(ctx, key)
	}
	known.CopyTo(&ctx.Response)
}

// learn asks the twin. What it does not answer well is not kept.
func (c *canned) learn(ctx *fasthttp.RequestCtx, key string) *fasthttp.Response {
	c.twin(ctx)
	known := &fasthttp.Response{}
	ctx.Response.CopyTo(known)
	if known.StatusCode() != http.StatusOK {
		return known
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known[key] == nil && ctx.IsGet() {
		c.asked = append(c.asked, string(ctx.RequestURI()))
	}
	c.known[key] = known
	return known
}

// expect has the call's time kept when its answer leaves.
func (c *canned) expect(ctx *fasthttp.RequestCtx) {
	conn, ok := ctx.Conn().(*timedConn)
	parts := strings.Split(string(ctx.Request.Header.Peek("Traceparent")), "-")
	if !ok || len(parts) != 4 {
		return
	}
	step := c.times.step(string(ctx.Method()), string(ctx.Path()))
	conn.expect(func(took time.Duration) { c.times.keep(parts[1], step, took) })
}

// target returns the one target of a step that was asked for, and the bytes of its answer.
func (c *canned) target(step string) (target string, size int) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, t := range c.asked {
		path, _, _ := strings.Cut(t, "?")
		if c.times.step(http.MethodGet, path) == step {
			return t, len(c.known["GET "+t].Body())
		}
	}
	return "", 0
}
