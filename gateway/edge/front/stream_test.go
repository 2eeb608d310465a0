package front

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// pipeBody answers with a body that goes on until write returns.
func pipeBody(ctx *fasthttp.RequestCtx, write func(w io.Writer)) {
	r, w := io.Pipe()
	ctx.SetBodyStream(r, -1)
	go func() {
		write(w)
		_ = w.Close()
	}()
}

// TestStreamsOutliveTheWriteTimeout: each part of a stream has its own time, and an answer that is none has one for all.
func TestStreamsOutliveTheWriteTimeout(t *testing.T) {
	cfg := testConfig()
	cfg.WriteTimeout = 50 * time.Millisecond
	for streams, whole := range map[bool]bool{true: true, false: false} {
		r := start(t, cfg, func(ctx *fasthttp.RequestCtx) {
			if streams {
				Streaming(ctx, cfg.WriteTimeout, func() {})
			}
			pipeBody(ctx, func(w io.Writer) {
				<-time.After(150 * time.Millisecond)
				_, _ = io.WriteString(w, "late")
			})
		})
		c := r.dial(t)
		c.send(get("/"))
		text, _ := io.ReadAll(c.r)
		if got := strings.HasSuffix(string(text), "late\r\n0\r\n\r\n"); got != whole {
			t.Errorf("streaming %v: got %q", streams, text)
		}
		if streams && !strings.Contains(string(text), "Connection: close") {
			t.Errorf("the connection goes on: %q", text)
		}
	}
}

// TestAClientThatDoesNotReadAStreamIsDropped although parts of it are sent all the time.
func TestAClientThatDoesNotReadAStreamIsDropped(t *testing.T) {
	cfg := testConfig()
	const patience = 100 * time.Millisecond
	stuck := make(chan time.Duration, 1)
	r := start(t, cfg, func(ctx *fasthttp.RequestCtx) {
		Streaming(ctx, patience, func() {})
		pipeBody(ctx, func(w io.Writer) {
			part, last := make([]byte, 32<<10), time.Now()
			for {
				if _, err := w.Write(part); err != nil {
					stuck <- time.Since(last)
					return
				}
				last = time.Now()
			}
		})
	})
	c := r.dial(t)
	c.send(get("/"))
	if d := <-stuck; d < patience/2 || d > patience+time.Second {
		t.Errorf("it was stuck for %v", d)
	}
}

// TestAStreamHearsThatItsClientHasGone while nothing is sent; what the client says meanwhile is no request.
func TestAStreamHearsThatItsClientHasGone(t *testing.T) {
	gone, served := make(chan struct{}), make(chan struct{}, 2)
	r := start(t, testConfig(), func(ctx *fasthttp.RequestCtx) {
		served <- struct{}{}
		Streaming(ctx, time.Minute, func() { close(gone) })
		pipeBody(ctx, func(w io.Writer) {
			_, _ = io.WriteString(w, "begin")
			<-gone
		})
	})
	c := r.dial(t)
	c.send(get("/"))
	<-served
	c.send(get("/"))
	select {
	case <-gone:
		t.Fatal("it was said to be gone")
	case <-time.After(50 * time.Millisecond):
	}
	_ = c.Close()
	select {
	case <-gone:
	case <-time.After(5 * time.Second):
		t.Fatal("nobody noticed")
	}
	if len(served) > 0 {
		t.Error("another request was served")
	}
}

// TestAfterStreamingNothingElseIsRead, even where the handler answers in another way after all: the bytes that come are
// those of the one who watches the client.
func TestAfterStreamingNothingElseIsRead(t *testing.T) {
	served := make(chan struct{}, 2)
	r := start(t, testConfig(), func(ctx *fasthttp.RequestCtx) {
		served <- struct{}{}
		Streaming(ctx, time.Minute, func() {})
		ctx.Response.Reset()
	})
	c := r.dial(t)
	c.send(get("/") + get("/"))
	if _, err := io.ReadAll(c.r); err != nil {
		t.Error(err)
	}
	if len(served) != 1 {
		t.Errorf("%d requests were served", len(served))
	}
}
