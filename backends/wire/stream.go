package wire

import (
	"context"
	"io"
	"time"

	"github.com/valyala/fasthttp"
)

// maxShort is how many bytes are read of an answer that should have been a stream and is an error.
const maxShort = 64 << 10

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
	return &Body{ctx: ctx, answer: a, deadline: deadline, left: a.client.host.MaxResponseBodySize + 1}
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
	e := b.answer.client.classify(b.answer.op, err, b.deadline)
	e.Status = b.answer.Status()
	return n, e
}

// Waited returns how long Read has waited for bytes so far: what a reader that rests after its work leaves out of it.
func (b *Body) Waited() time.Duration { return b.waited }
