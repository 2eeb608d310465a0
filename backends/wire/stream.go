package wire

import (
	"context"
	"io"
	"net"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/warmgate/warmgate/gateway/sockets"
)

// maxShort is how many bytes are read of an answer that should have been a stream and is an error.
const maxShort = 64 << 10

// Stream is Do for an answer that is longer than memory should be: the body of a 2xx is left to Answer.Read. Of any other
// answer 64 KiB are read. It has a connection of its own, until Release, and there are as many of them at once as
// Config.MaxConns says, beside those of Do. When the context is cancelled the connection is closed, and whoever waits for
// it is free at once.
func (c *Client) Stream(ctx context.Context, r *Request) (Answer, error) {
	if c.streams.Add(1) > int32(c.to.maxConns) {
		c.streams.Add(-1)
		return Answer{}, c.NotSent(r.Op, ReasonNoConn, nil)
	}
	lane := c.laneOf(r)
	if !lane.Enter() {
		c.streams.Add(-1)
		return Answer{}, c.NotSent(r.Op, ReasonNoConn, nil)
	}
	s := &stream{client: c, lane: lane}
	a, err := s.open(ctx, r)
	if err != nil {
		s.end()
	}
	return a, err
}

// stream is one connection with one answer.
type stream struct {
	client *Client
	lane   *sockets.Share
	unbind func() bool // from the context; nil: never connected
}

func (s *stream) open(ctx context.Context, r *Request) (Answer, error) {
	c := s.client
	req, resp, deadline, failed := c.prepare(ctx, r)
	if failed != nil {
		return Answer{}, failed
	}
	defer fasthttp.ReleaseRequest(req)
	req.SetConnectionClose()
	resp.StreamBody = true
	host := c.to.host(func(addr string, timeout time.Duration) (net.Conn, error) {
		return c.to.connect(ctx, addr, timeout, func(raw net.Conn) {
			s.unbind = context.AfterFunc(ctx, func() { _ = raw.Close() })
		})
	})
	err := host.DoDeadline(req, resp, deadline)
	if status := resp.StatusCode(); err == nil && (status < 200 || status > 299) {
		err = readShort(resp)
	}
	if err != nil {
		fasthttp.ReleaseResponse(resp)
		return Answer{}, c.classify(ctx, r.Op, err, deadline)
	}
	return Answer{client: c, op: r.Op, resp: resp, stream: s}, nil
}

// end gives the stream's place to another, once its connection is closed.
func (s *stream) end() {
	if s.unbind != nil {
		s.unbind()
	}
	s.lane.Leave()
	s.client.streams.Add(-1)
}

// readShort reads what a streamed answer says instead of its body.
func readShort(resp *fasthttp.Response) error {
	body, err := io.ReadAll(io.LimitReader(resp.BodyStream(), maxShort))
	if err == nil {
		resp.SetBodyRaw(body)
	}
	return err
}

// Body reads a streamed answer piece by piece, for one goroutine. Its errors are io.EOF at the whole end, and *Error: over
// the bound of Config.MaxBody, late, broken off, or the context has ended.
type Body struct {
	ctx      context.Context
	answer   Answer
	deadline time.Time
	left     int // one more than may be read still
	waited   time.Duration
}

// Read returns the body of an answer of Client.Stream whose status is a 2xx. It must not be used after Release.
func (a Answer) Read(ctx context.Context) *Body {
	deadline, _ := ctx.Deadline()
	return &Body{ctx: ctx, answer: a, deadline: deadline, left: a.client.to.maxBody + 1}
}

// Read reads up to len(p) bytes.
func (b *Body) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		e := b.answer.Unknown(ReasonTimeout)
		e.Cause = err
		return 0, e
	}
	begin := time.Now()
	n, err := b.answer.resp.BodyStream().Read(p[:min(len(p), b.left)])
	b.waited += time.Since(begin)
	b.left -= n
	switch {
	case b.left == 0:
		return 0, b.answer.Unknown(ReasonTooLarge)
	case err == nil || err == io.EOF:
		return n, err
	}
	e := b.answer.client.classify(b.ctx, b.answer.op, err, b.deadline)
	e.Status = b.answer.Status()
	return n, e
}

// Waited returns how long Read has waited for bytes so far: what a reader that rests after its work leaves out of it.
func (b *Body) Waited() time.Duration { return b.waited }
