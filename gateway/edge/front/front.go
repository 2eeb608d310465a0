// Package front is the strict HTTP/1.1 front: it accepts connections, judges the raw bytes of every request's head
// before anything else reads them, keeps the clients' time, and hands what is lawful to one handler. It knows no
// route and no journey.
package front

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/warmgate/warmgate/gateway"
)

// Problem writes e as a problem document (RFC 9457) into ctx's response, in the language of ctx's Accept-Language.
// The request that it sees is a harmless stand-in for the refused one, of which only Accept-Language is left (and
// HEAD, if that was its method). It must not block.
type Problem func(ctx *fasthttp.RequestCtx, e *gateway.Error)

// Front serves HTTP on any number of listeners. Make it with New; its methods are safe for concurrent use.
type Front struct {
	cfg      Config
	log      *slog.Logger
	handler  fasthttp.RequestHandler
	problem  Problem
	refusals *refusals
	stats    *Stats
	server   *fasthttp.Server
	cert     *certificate // nil: plain HTTP
	tls      *tls.Config
	table    table
	buffers  sync.Pool     // of []byte, each as long as the longest head and more
	pieces   sync.Pool     // of *piece
	turning  chan struct{} // connections being turned away

	draining atomic.Bool
	stopping chan struct{} // closed when draining begins
	mu       sync.Mutex    // guards listeners and the start of draining
	lns      []net.Listener

	warned atomic.Int64 // Unix seconds of the last line about a missing PROXY header
}

// New returns a front that gives every lawful request to handler and answers every other one itself through problem.
// It validates cfg and loads the TLS files. Log lines hold no byte of any request. Handlers must not hijack connections.
func New(cfg Config, log *slog.Logger, handler fasthttp.RequestHandler, problem Problem) (*Front, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("cannot make the HTTP front: %w", err)
	}
	if cfg.TrustedProxies.Header == "" {
		cfg.TrustedProxies.Header = HeaderNone
	}
	f := &Front{
		cfg: cfg, log: log, handler: handler, problem: problem,
		refusals: newRefusals(cfg),
		stats:    newStats(),
		turning:  make(chan struct{}, turningAtOnce),
		stopping: make(chan struct{}),
		table:    table{limit: cfg.ConnectionsPerAddress, conns: map[*conn]struct{}{}, addrs: map[netip.Addr]int{}},
	}
	f.buffers.New = func() any { return make([]byte, cfg.HeadLimit+spare) }
	if cfg.TLS.Enabled() {
		f.cert = &certificate{files: cfg.TLS}
		if err := f.cert.load(); err != nil {
			return nil, err
		}
		f.tls = f.cert.config()
	}
	f.server = f.newServer()
	return f, nil
}

// spare is what a buffer holds beyond the longest head: an empty line before it, a byte too much, and small bodies.
const spare = 1024

// pieceOfAnswer is what fasthttp hands on at a time of an answer, until what is left of the body stands alone: see conn.Write.
// Every open connection that has been answered has as much.
const pieceOfAnswer = 4 << 10

func (f *Front) newServer() *fasthttp.Server {
	return &fasthttp.Server{
		Handler:      f.serve,
		ErrorHandler: f.failed,
		Logger:       quiet{f.log},
		ConnState:    f.release,

		Concurrency:        2*f.cfg.Connections + 16, // the front's own bound comes first, and answers
		ReadBufferSize:     f.cfg.HeadLimit + spare,
		WriteBufferSize:    pieceOfAnswer,
		MaxRequestBodySize: max(f.cfg.BodyLimit, 1), // 0 would mean fasthttp's default
		ReadTimeout:        f.cfg.ReadTimeout,
		WriteTimeout:       f.cfg.WriteTimeout,
		IdleTimeout:        f.cfg.IdleTimeout,

		NoDefaultServerHeader:        true,
		SecureErrorLogMessage:        true,
		DisablePreParseMultipartForm: true,
	}
}

// Serve accepts connections from ln until Shutdown, then returns nil. It closes ln.
func (f *Front) Serve(ln net.Listener) error {
	f.mu.Lock()
	if f.draining.Load() {
		f.mu.Unlock()
		return ln.Close()
	}
	f.lns = append(f.lns, ln)
	f.mu.Unlock()
	if err := f.server.Serve(&listener{Listener: ln, front: f}); err != nil {
		return fmt.Errorf("cannot accept connections: %w", err)
	}
	return nil
}

// Shutdown stops accepting, closes the idle connections, and waits for the requests that are being read or answered.
// When ctx ends first, it closes their connections under them and returns an error that says how many they were.
// Nothing is served afterwards.
func (f *Front) Shutdown(ctx context.Context) error {
	f.mu.Lock()
	if !f.draining.Swap(true) {
		close(f.stopping)
	}
	for _, ln := range f.lns {
		_ = ln.Close()
	}
	f.mu.Unlock()
	f.table.each((*conn).drain)
	err := f.server.ShutdownWithContext(ctx)
	if errors.Is(err, net.ErrClosed) {
		err = nil // of a listener that was closed above
	}
	if err != nil {
		n := f.stats.Open()
		f.table.each((*conn).kill)
		return fmt.Errorf("cannot finish %d connections in time: %w", n, err)
	}
	return f.closed(ctx)
}

// closed waits until the last connections are closed, which fasthttp counts out a moment earlier, and those that are
// being turned away.
func (f *Front) closed(ctx context.Context) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for f.stats.Open() > 0 || len(f.turning) > 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			n := f.stats.Open()
			f.table.each((*conn).kill)
			return fmt.Errorf("cannot close %d connections in time: %w", n, ctx.Err())
		}
	}
	return nil
}

// Stats returns the front's counters.
func (f *Front) Stats() *Stats { return f.stats }

// serve is what fasthttp calls for every request that it has read.
func (f *Front) serve(ctx *fasthttp.RequestCtx) {
	c := connOf(ctx)
	if c.why != nil {
		f.refuse(ctx, c, c.why)
		return
	}
	if c.left != 0 || int64(len(ctx.Request.Body())) != c.length {
		f.refuse(ctx, c, f.refusals.framing) // fasthttp and the front do not agree where the request ends
		return
	}
	defer f.recovered(ctx)
	f.handler(ctx)
	if f.draining.Load() {
		ctx.SetConnectionClose()
	}
}

// failed is what fasthttp calls where it could not read a request. It closes the connection.
func (f *Front) failed(ctx *fasthttp.RequestCtx, err error) {
	c := connOf(ctx)
	if lang := c.language(); lang != nil { // fasthttp may have dropped the header already
		ctx.Request.Header.SetBytesV(fasthttp.HeaderAcceptLanguage, lang)
	}
	f.refuse(ctx, c, f.reason(c, err))
}

// reason maps fasthttp's errors to the front's refusals. The head has been judged before, so what is left is a body
// that does not come, and what fasthttp's own rules refuse beyond ours.
func (f *Front) reason(c *conn, err error) *gateway.Error {
	var small *fasthttp.ErrSmallBuffer
	switch {
	case isTimeout(err):
		return f.refusals.slow
	case errors.As(err, &small):
		return f.refusals.headSize
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		return f.refusals.bodySize
	case c.left > 0:
		return f.refusals.bodyIncomplete
	}
	return f.refusals.framing
}

// refuse answers with why and closes the connection.
func (f *Front) refuse(ctx *fasthttp.RequestCtx, c *conn, why *gateway.Error) {
	f.stats.refuse(why.Problem)
	f.render(ctx, why)
	ctx.SetConnectionClose()
	c.over = true
	c.linger.Store(true)
}

// recovered turns a panic of the handler into a 500 problem, a log line, and the end of the connection.
func (f *Front) recovered(ctx *fasthttp.RequestCtx) {
	value := recover()
	if value == nil {
		return
	}
	f.stats.panics.Add(1)
	logPanic(f.log, value)
	ctx.Response.Reset()
	f.render(ctx, f.refusals.internal)
	ctx.SetConnectionClose()
}

// render lets problem write the answer; if it panics, the answer is a bare 500.
func (f *Front) render(ctx *fasthttp.RequestCtx, why *gateway.Error) {
	defer func() {
		if value := recover(); value != nil {
			f.stats.panics.Add(1)
			logPanic(f.log, value)
			ctx.Response.Reset()
			ctx.Response.SetStatusCode(fasthttp.StatusInternalServerError)
		}
	}()
	f.problem(ctx, why)
}

// release takes back the buffer of a closed connection. fasthttp calls it on the goroutine that read into it.
func (f *Front) release(nc net.Conn, state fasthttp.ConnState) {
	if state != fasthttp.StateClosed {
		return
	}
	if c := asConn(nc); c != nil && c.buf != nil {
		f.buffers.Put(c.buf) //nolint:staticcheck // once a connection; the slice header may move to the heap
		c.buf, c.r, c.w, c.mark, c.over = nil, 0, 0, 0, true
	}
}

// owesHeader reports whether connections from peer begin with a PROXY header.
func (f *Front) owesHeader(peer netip.Addr) bool {
	return f.cfg.TrustedProxies.ProxyProtocol && f.cfg.TrustedProxies.trusts(peer)
}

// warnProxy tells the operator, at most once a minute, that a trusted proxy does not send what it should.
func (f *Front) warnProxy(peer netip.Addr, err error) {
	now, last := time.Now().Unix(), f.warned.Load()
	if now-last >= 60 && f.warned.CompareAndSwap(last, now) {
		f.log.Warn("closed a trusted proxy's connection", "proxy", peer, "error", err)
	}
}

// HeadAt returns the moment at which the request's head was complete: a journey's deadline counts from it. For a
// request that was sent before the answer to the one before it, that is when its turn came. Outside of a Front it is
// ctx.Time. It may be called in a handler only.
func HeadAt(ctx *fasthttp.RequestCtx) time.Time {
	if c := connOf(ctx); c != nil {
		return c.at
	}
	return ctx.Time()
}

// Streaming prepares the connection for an answer without an end, a body stream of unknown length: the client has d to
// take each of its writes, where any other answer has WriteTimeout as a whole. gone is called on a goroutine of its own
// once the client has closed its side or the connection is closed; it must not block. The connection serves no request
// after this one. Call it once, in the handler.
func Streaming(ctx *fasthttp.RequestCtx, d time.Duration, gone func()) {
	ctx.SetConnectionClose()
	if c := connOf(ctx); c != nil {
		c.stream(d, gone)
	}
}

// connOf returns the front's connection under ctx; nil where there is none, as in a test of a handler alone.
func connOf(ctx *fasthttp.RequestCtx) *conn { return asConn(ctx.Conn()) }

func asConn(nc net.Conn) *conn {
	switch c := nc.(type) {
	case *conn:
		return c
	case *secure:
		return c.conn
	}
	return nil
}
