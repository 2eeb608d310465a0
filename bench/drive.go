package main

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

const connections = 64 // of the closed loop: all are busy all the time

// target is a request that is sent to subjects again and again: to all of them the same bytes but for the trace and, where each is
// to be another one, a number at the path's end.
type target struct {
	path, token string
	another     bool
}

// driver sends a target to a subject.
type driver struct {
	target target
	host   *fasthttp.HostClient
	visits atomic.Int64
}

func newDriver(s *subject, t target) *driver {
	return &driver{target: t, host: &fasthttp.HostClient{Addr: s.address, MaxConns: 4 * connections, MaxIdemponentCallAttempts: 1,
		MaxIdleConnDuration: 20 * time.Second, ReadBufferSize: 16 << 10, RetryIfErr: func(*fasthttp.Request, int, error) (bool, bool) { return false, false }}}
}

// path returns the path of the next request.
func (d *driver) path() string {
	if d.target.another {
		return d.target.path + strconv.FormatInt(d.visits.Add(1), 10)
	}
	return d.target.path
}

// send asks once and leaves the answer in res.
func (d *driver) send(path, trace string, res *fasthttp.Response) error {
	req := fasthttp.AcquireRequest()
	defer fasthttp.ReleaseRequest(req)
	req.SetRequestURI("http://" + d.host.Addr + path)
	req.Header.Set("Authorization", "Bearer "+d.target.token)
	req.Header.Set("Accept-Language", "en")
	if trace != "" {
		req.Header.Set("Traceparent", trace)
	}
	return d.host.DoTimeout(req, res, 5*time.Second)
}

// once asks and returns the answer's body.
func (d *driver) once() ([]byte, error) {
	res := fasthttp.AcquireResponse()
	defer fasthttp.ReleaseResponse(res)
	if err := d.send(d.path(), "", res); err != nil {
		return nil, err
	}
	body := bytes.Clone(res.Body())
	if code := res.StatusCode(); code != http.StatusOK {
		return nil, fmt.Errorf("answered %d %s", code, strings.TrimSpace(string(body[:min(len(body), 300)])))
	}
	return body, nil
}

// fine asks once and wants 200.
func (d *driver) fine(path string) error {
	res := fasthttp.AcquireResponse()
	defer fasthttp.ReleaseResponse(res)
	err := d.send(path, "", res)
	if err == nil && res.StatusCode() != http.StatusOK {
		err = fmt.Errorf("answered %d %.300s", res.StatusCode(), res.Body())
	}
	return err
}

// saturation is what one stretch of a closed loop came to.
type saturation struct {
	cpu   time.Duration // of the subject, for each request
	rate  float64       // requests a second: the load generator and the backends share the cores
	wrong int64         // requests that were answered otherwise, or not at all
}

// tooManyWrong is how many answers of n may be wrong where the machine stood still for a moment. More say that something else is
// measured than was meant.
func tooManyWrong(n int64) int64 { return n / 100 }

// saturate keeps the connections busy for one stretch.
func (d *driver) saturate(r *run, s *subject) (saturation, error) {
	var done, wrong atomic.Int64
	var last atomic.Value // of what was wrong
	before, began := s.cpu(), time.Now()
	closedLoop(r.ctx, connections, stretchOf, func(int) {
		if err := d.fine(d.path()); err != nil {
			wrong.Add(1)
			last.Store(err.Error())
			return
		}
		done.Add(1)
	})
	took, used := time.Since(began), s.cpu()-before
	n := wrong.Load()
	if n > tooManyWrong(n+done.Load()) || done.Load() == 0 {
		return saturation{}, fmt.Errorf("%s has answered %d of %d requests otherwise or not at all, last: %v", s.name, n, n+done.Load(), last.Load())
	}
	return saturation{cpu: used / time.Duration(done.Load()), rate: float64(done.Load()) / took.Seconds(), wrong: n}, r.ctx.Err()
}
