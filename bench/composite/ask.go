package main

import (
	"net/http"
	"sync"

	"github.com/valyala/fasthttp"
)

// composite asks every backend at once and splices what they answer: it checks nothing but that each has answered 200, and
// knows no token, cache, breaker or deadline. The client's trace goes on to the backends, as everywhere else.
func composite(urls []string) (fasthttp.RequestHandler, error) {
	backends := make([]*backend, len(urls))
	for i, u := range urls {
		uri := fasthttp.AcquireURI()
		if err := uri.Parse(nil, []byte(u)); err != nil {
			return nil, err
		}
		backends[i] = &backend{url: u, host: &fasthttp.HostClient{Addr: string(uri.Host()), MaxConns: 4096, ReadBufferSize: 16 << 10}}
		fasthttp.ReleaseURI(uri)
	}
	pool := sync.Pool{New: func() any { return make([]fasthttp.Response, len(urls)) }}
	return func(ctx *fasthttp.RequestCtx) {
		answers := pool.Get().([]fasthttp.Response)
		defer pool.Put(answers) //nolint:staticcheck // one small allocation beside three round trips
		trace := ctx.Request.Header.Peek("Traceparent")
		var rest sync.WaitGroup
		for i, b := range backends[1:] {
			rest.Go(func() { b.ask(trace, &answers[i+1]) })
		}
		backends[0].ask(trace, &answers[0])
		rest.Wait()
		splice(ctx, answers)
	}, nil
}

// backend is one of the systems.
type backend struct {
	url  string
	host *fasthttp.HostClient
}

// ask leaves the answer in into; a status of 0 says that there is none.
func (b *backend) ask(trace []byte, into *fasthttp.Response) {
	req := fasthttp.AcquireRequest()
	defer fasthttp.ReleaseRequest(req)
	req.SetRequestURI(b.url)
	req.Header.SetBytesV("Traceparent", trace)
	if err := b.host.Do(req, into); err != nil {
		into.Reset()
		into.SetStatusCode(http.StatusBadGateway)
	}
}

func splice(ctx *fasthttp.RequestCtx, answers []fasthttp.Response) {
	ctx.SetContentType("application/json")
	out := ctx.Response.BodyWriter()
	for i := range answers {
		if answers[i].StatusCode() != http.StatusOK {
			ctx.Response.ResetBody()
			ctx.SetStatusCode(http.StatusBadGateway)
			return
		}
		between := ","
		if i == 0 {
			between = "["
		}
		_, _ = out.Write([]byte(between)) // a body in memory takes everything
		_, _ = out.Write(answers[i].Body())
	}
	_, _ = out.Write([]byte("]"))
}
