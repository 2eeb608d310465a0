package wire

import (
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/valyala/fasthttp"

	"github.com/warmgate/warmgate/backends/wire/jsonread"
)

// Answer is what a system answered: whole, or the head of a stream. It must not be used after Release, nor what Body returned.
type Answer struct {
	client *Client
	op     string
	resp   *fasthttp.Response
	stream *stream // nil: the answer is whole
}

// Release gives the answer's memory back, and its connection if it is a stream.
func (a Answer) Release() {
	fasthttp.ReleaseResponse(a.resp)
	if a.stream != nil {
		a.stream.end()
	}
}

// Status returns the HTTP status.
func (a Answer) Status() int { return a.resp.StatusCode() }

// Header returns the value of a header field, the first one where there are several; "" where there is none.
func (a Answer) Header(name string) string { return string(a.resp.Header.Peek(name)) }

// Body returns the bytes of the body. They are valid until Release.
func (a Answer) Body() []byte { return a.resp.Body() }

// Decode fills out from the body and reports whether it could. Names are case-sensitive, unknown members are allowed, as
// interfaces grow, and duplicates are not. A null where an object or array must be is not an answer.
func (a Answer) Decode(out any) bool {
	body := a.Body()
	return json.Unmarshal(body, out) == nil && strings.TrimLeft(string(body[:min(len(body), 64)]), " \t\r\n") != "null"
}

// ReadBy is Decode for what is read by hand: read takes the whole document, and keeps nothing of the Reader.
func (a Answer) ReadBy(read func(r *jsonread.Reader)) bool {
	r, _ := a.client.readers.Get().(*jsonread.Reader)
	if r == nil {
		r = new(jsonread.Reader)
	}
	r.Reset(a.Body())
	read(r)
	whole := r.End() && !r.Nothing()
	r.Reset(nil)
	a.client.readers.Put(r)
	return whole
}

// Unclear returns the error of a status that says nothing about the effect, whatever the system: below 200, a redirect,
// 408, 429, 5xx. It returns nil for a 2xx, and for any other 4xx, which a connector judges by the body.
func (a Answer) Unclear() *Error {
	switch status := a.Status(); {
	case status == fasthttp.StatusTooManyRequests:
		return a.Unknown(ReasonRateLimited)
	case status < 200, status >= 300 && status < 400, status == fasthttp.StatusRequestTimeout, status >= 500:
		return a.Unknown(ReasonStatus)
	}
	return nil
}

// Unknown makes the error of an answer after which it is not known what was done.
func (a Answer) Unknown(r Reason) *Error {
	e := a.client.unknown(a.op, r, a.Status())
	e.RetryAfter = a.retryAfter()
	return e
}

// Refused makes the error of an answer that says, in the system's own words, that it was not done. A code that has other
// characters than letters, digits, dots, dashes and underscores, or more than 64, is left out, since it stands in logs;
// of message 512 bytes are kept.
func (a Answer) Refused(code, message string) *Error {
	if !isToken(code) {
		code = ""
	}
	return &Error{Connector: a.client.connector, Op: a.op, Fate: Refused, Reason: ReasonRefused, Status: a.Status(), Code: code,
		Message: strings.ToValidUTF8(message[:min(len(message), 512)], ""), RetryAfter: a.retryAfter()}
}

func (a Answer) retryAfter() time.Duration {
	n, err := strconv.Atoi(string(a.resp.Header.Peek(fasthttp.HeaderRetryAfter)))
	if err != nil || n < 0 {
		return 0
	}
	return time.Duration(min(n, 3600)) * time.Second
}

func isToken(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '-', c == '_':
		default:
			return false
		}
	}
	return len(s) <= 64
}
