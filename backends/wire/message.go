package wire

import (
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

// A call is written in one piece, and its connection is told its deadline once: fasthttp's own Do makes an address, a header and
// a writer of each request.

// isFraming reports whether a header field is the transport's own: a connector sets none of them.
func isFraming(name string) bool {
	for _, own := range [...]string{"Host", "Connection", "Content-Length", "Transfer-Encoding", "Expect", "Upgrade", "Te", "Trailer"} {
		if sameName(name, own) {
			return true
		}
	}
	return false
}

func sameName(a, b string) bool { return len(a) == len(b) && strings.EqualFold(a, b) }

func isThere(name string, in []Header) bool {
	for i := range in {
		if sameName(in[i].Name, name) {
			return true
		}
	}
	return false
}

// fields returns what every request of a client has in its head, but for what the configuration says otherwise.
func fields(cfg []Header) (all []Header) {
	for _, h := range []Header{{"User-Agent", "warmgate"}, {fasthttp.HeaderAccept, "application/json"}} {
		if !isThere(h.Name, cfg) {
			all = append(all, h)
		}
	}
	return append(all, cfg...)
}

// appendMessage appends a request to dst, head and body.
func (c *Client) appendMessage(dst []byte, r *Request, s *sending) []byte {
	field := func(name, value string) {
		dst = append(append(append(append(dst, name...), ": "...), value...), "\r\n"...)
	}
	dst = append(append(append(dst, r.Method...), ' '), c.prefix...)
	dst = append(append(dst, r.Path...), " HTTP/1.1\r\n"...)
	field("Host", c.authority)
	for i := range c.header {
		if !isThere(c.header[i].Name, r.Header) {
			field(c.header[i].Name, c.header[i].Value)
		}
	}
	for i := range r.Header {
		if s.kind == "" || !sameName(r.Header[i].Name, fasthttp.HeaderContentType) {
			field(r.Header[i].Name, r.Header[i].Value)
		}
	}
	dst = append(strconv.AppendInt(append(dst, "X-Request-Timeout-Ms: "...), s.left.Milliseconds(), 10), "\r\n"...)
	if s.parent != "" {
		field("Traceparent", s.parent)
		if s.state != "" {
			field("Tracestate", s.state)
		}
	}
	if s.kind != "" {
		field(fasthttp.HeaderContentType, s.kind)
	}
	if s.kind != "" || r.Method != fasthttp.MethodGet {
		dst = append(strconv.AppendInt(append(dst, "Content-Length: "...), int64(len(s.body)), 10), "\r\n"...)
	}
	return append(append(dst, "\r\n"...), s.body...)
}

// exchange sends a message over a connection of the client's and reads the answer.
func (c *Client) exchange(message []byte, resp *fasthttp.Response, deadline time.Time) error {
	left := time.Until(deadline)
	if left <= 0 {
		return fasthttp.ErrTimeout
	}
	kept, err := c.host.AcquireConn(left, false)
	if err != nil {
		return err
	}
	conn := kept.Conn()
	if err = conn.SetDeadline(deadline); err == nil {
		err = ask(conn, message)
	}
	if err != nil {
		c.host.CloseConn(kept)
		return err
	}
	br := c.host.AcquireReader(conn)
	err = resp.ReadLimitBody(br, c.to.maxBody)
	more := br.Buffered() > 0 // than one answer: nothing to build the next call on
	c.host.ReleaseReader(br)
	if err != nil || more || resp.ConnectionClose() {
		c.host.CloseConn(kept)
		return err
	}
	c.host.ReleaseConn(kept)
	return nil
}
