package runner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dop251/goja"
)

// maxBody is the largest answer that a script may be given, in bytes.
const maxBody = 16 << 20

// errForeign ends the run: it is a mistake of whoever configured it, not an answer of the target.
var errForeign = errors.New("not a loopback address: this runner loads the machine that it runs on, and no other")

// loopbackClient is base, or a client with room for many connections, which refuses every other host.
func loopbackClient(base *http.Client) *http.Client {
	client := &http.Client{Transport: &http.Transport{
		MaxIdleConns: 1024, MaxIdleConnsPerHost: 1024, DisableCompression: true, IdleConnTimeout: time.Minute,
	}}
	if base != nil {
		*client = *base
	}
	return client
}

// loopback refuses a host that is not this machine.
func loopback(u *url.URL) error {
	if ip := net.ParseIP(u.Hostname()); u.Hostname() == "localhost" || (ip != nil && ip.IsLoopback()) {
		return nil
	}
	return fmt.Errorf("%s: %w", u.Host, errForeign)
}

// httpModule is `k6/http`.
func httpModule(v *vu) *goja.Object {
	obj := v.rt.NewObject()
	for name, method := range map[string]string{"get": "GET", "head": "HEAD"} {
		mustSet(obj, name, func(target string, params *goja.Object) goja.Value {
			return v.request(method, target, nil, params)
		})
	}
	for name, method := range map[string]string{
		"post": "POST", "put": "PUT", "patch": "PATCH", "del": "DELETE", "options": "OPTIONS",
	} {
		mustSet(obj, name, func(target string, body goja.Value, params *goja.Object) goja.Value {
			return v.request(method, target, body, params)
		})
	}
	mustSet(obj, "request", v.request)
	mustSet(obj, "expectedStatuses", v.expectedStatuses)
	mustSet(obj, "setResponseCallback", func(s *statusSet) { v.statuses = s })
	return obj
}

// params are the fourth argument of a request; another member is refused by name.
type params struct {
	headers     map[string]string
	tags        map[string]string
	timeout     time.Duration
	redirects   int
	expected    *statusSet
	discardBody bool
}

func (v *vu) params(obj *goja.Object) *params {
	p := &params{timeout: time.Minute, redirects: 10, expected: v.statuses}
	if obj == nil {
		return p
	}
	for _, name := range obj.Keys() {
		value := obj.Get(name)
		var err error
		switch name {
		case "headers":
			err = v.rt.ExportTo(value, &p.headers)
		case "tags":
			err = v.rt.ExportTo(value, &p.tags)
		case "timeout":
			var text string
			if text, err = v.stringify(value); err == nil {
				err = (*duration)(&p.timeout).UnmarshalJSON([]byte(text))
			}
		case "redirects":
			p.redirects = int(value.ToInteger())
		case "responseCallback":
			err = v.rt.ExportTo(value, &p.expected)
		case "responseType":
			if p.discardBody = value.String() == "none"; !p.discardBody && value.String() != "text" {
				err = fmt.Errorf("%q is not known to this runner", value)
			}
		default:
			err = errors.New("the parameter is not known to this runner")
		}
		if err != nil {
			v.throw(fmt.Errorf("k6/http: params.%s: %w", name, err))
		}
	}
	return p
}

// request makes one request and records it. A target that does not answer is a response with status 0 and an error.
func (v *vu) request(method, target string, body goja.Value, raw *goja.Object) goja.Value {
	if v.ctx == nil || !v.ready {
		v.throw(errors.New("k6/http: no request belongs to the init code"))
	}
	p := v.params(raw)
	content, contentType := v.body(body)
	ctx, cancel := context.WithTimeout(v.ctx, p.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, strings.ToUpper(method), target, bytes.NewReader(content))
	if err != nil {
		v.throw(err)
	}
	if len(content) == 0 {
		req.Body, req.ContentLength = http.NoBody, 0
	}
	req.Header.Set("User-Agent", v.t.options.userAgent)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for name, value := range p.headers {
		if strings.EqualFold(name, "Host") {
			req.Host = value
			continue
		}
		req.Header.Set(name, value)
	}
	ex := v.exchange(req, p)
	if errors.Is(ex.err, errForeign) {
		v.t.abort(ex.err)
	}
	if v.ctx.Err() != nil {
		v.throw(errInterrupted)
	}
	v.record(ex, len(content), p)
	return v.response(ex)
}

// body turns what a script gives into bytes, and names the type of a form.
func (v *vu) body(value goja.Value) (content []byte, contentType string) {
	if value == nil || goja.IsUndefined(value) || goja.IsNull(value) {
		return nil, ""
	}
	switch b := value.Export().(type) {
	case string:
		return []byte(b), ""
	case goja.ArrayBuffer:
		return b.Bytes(), ""
	case map[string]any:
		form := url.Values{}
		for name, field := range b {
			form.Set(name, fmt.Sprint(field))
		}
		return []byte(form.Encode()), "application/x-www-form-urlencoded"
	default:
		v.throw(fmt.Errorf("k6/http: a body of %T is not known to this runner", b))
		return nil, ""
	}
}

// exchange is one request with its answer and its times.
type exchange struct {
	req    *http.Request
	answer *answer // nil after an error
	err    error
	timing timing
	failed bool
}

// answer is what came back.
type answer struct {
	status     int
	statusText string
	url        string // after redirects
	header     http.Header
	body       []byte // nil when the script wants none
}

// exchange sends the request, reads the answer and takes the times.
func (v *vu) exchange(req *http.Request, p *params) *exchange {
	ex := &exchange{}
	if ex.err = loopback(req.URL); ex.err != nil {
		ex.req = req
		return ex
	}
	client := *v.t.client
	client.CheckRedirect = func(next *http.Request, via []*http.Request) error {
		if err := loopback(next.URL); err != nil {
			return err
		}
		if len(via) > p.redirects {
			return http.ErrUseLastResponse
		}
		return nil
	}
	ex.req = req.WithContext(ex.timing.trace(req.Context()))
	ex.answer, ex.err = fetch(&client, ex.req)
	ex.timing.end = time.Now()
	ex.failed = !p.expected.has(ex.status())
	if ex.answer != nil && p.discardBody {
		ex.answer.body = nil
	}
	return ex
}

// status is the answer's, or 0 without one.
func (ex *exchange) status() int {
	if ex.answer == nil {
		return 0
	}
	return ex.answer.status
}

// fetch returns the answer with its whole body, or an error.
func fetch(client *http.Client, req *http.Request) (*answer, error) {
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxBody {
		return nil, fmt.Errorf("the body is longer than %d bytes", maxBody)
	}
	return &answer{
		status: res.StatusCode, statusText: res.Status, url: res.Request.URL.String(), header: res.Header, body: body,
	}, nil
}

// record adds the request to k6's metrics, with k6's tags.
func (v *vu) record(ex *exchange, sent int, p *params) {
	tags := map[string]string{
		"method": ex.req.Method, "url": ex.req.URL.String(), "name": ex.req.URL.String(), "status": strconv.Itoa(ex.status()),
		"expected_response": strconv.FormatBool(!ex.failed),
	}
	tags = merged(tags, p.tags)
	times := ex.timing.parts()
	for _, name := range slices.Sorted(maps.Keys(times)) {
		v.sample("http_req_"+name, times[name], tags)
	}
	v.sample("http_reqs", 1, tags)
	v.sample("http_req_failed", truth(ex.failed), tags)
	v.sample("data_sent", float64(sent), tags)
	if ex.answer != nil {
		v.sample("data_received", float64(len(ex.answer.body)), tags)
	}
}

// statusSet is which statuses are no failures. Nil is k6's default, 200 to 399. It is immutable.
type statusSet struct{ ranges [][2]int }

func (s *statusSet) has(status int) bool {
	if s == nil {
		return status >= 200 && status < 400
	}
	return slices.ContainsFunc(s.ranges, func(r [2]int) bool { return r[0] <= status && status <= r[1] })
}

// expectedStatuses takes numbers and {min, max} objects.
func (v *vu) expectedStatuses(call goja.FunctionCall) goja.Value {
	s := &statusSet{}
	for _, arg := range call.Arguments {
		lowest, highest := arg, arg
		if obj, ok := arg.(*goja.Object); ok {
			lowest, highest = obj.Get("min"), obj.Get("max")
		}
		if lowest == nil || highest == nil {
			v.throw(errors.New("k6/http.expectedStatuses wants numbers and {min, max}"))
		}
		s.ranges = append(s.ranges, [2]int{int(lowest.ToInteger()), int(highest.ToInteger())})
	}
	return v.rt.ToValue(s)
}
