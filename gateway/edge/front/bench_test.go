package front

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

var reply = []byte("ok")

func plainHandler(ctx *fasthttp.RequestCtx) { ctx.SetBody(reply) }

// exchanger sends a request again and again and reads as long an answer, without allocating.
type exchanger struct {
	c   net.Conn
	req []byte
	buf []byte
}

func newExchanger(t testing.TB, addr string) *exchanger {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	body := strings.Repeat("b", 96)
	x := &exchanger{c: c, req: append(append([]byte{}, browserHead...), body...)}
	if _, err := c.Write(x.req); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(c) // the first answer says how long each one is
	n := 0
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if n += len(line); line == "\r\n" {
			break
		}
	}
	if _, err := r.Discard(len(reply)); err != nil {
		t.Fatal(err)
	}
	x.buf = make([]byte, n+len(reply))
	return x
}

func (x *exchanger) do(t testing.TB) {
	if _, err := x.c.Write(x.req); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(x.c, x.buf); err != nil {
		t.Fatal(err)
	}
}

// bare is fasthttp with the same settings and nothing of the front.
func bare(t testing.TB) string {
	f, err := New(testConfig(), discard(), plainHandler, testProblem)
	if err != nil {
		t.Fatal(err)
	}
	s := f.newServer()
	s.Handler, s.ErrorHandler, s.ConnState = plainHandler, nil, nil
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(ln) }()
	t.Cleanup(func() {
		_ = s.Shutdown()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return ln.Addr().String()
}

func TestAServedRequestAllocatesNothingMore(t *testing.T) {
	through, around := newExchanger(t, start(t, testConfig(), plainHandler).addr), newExchanger(t, bare(t))
	measure := func(x *exchanger) float64 { return testing.AllocsPerRun(2000, func() { x.do(t) }) }
	front, fast := measure(through), measure(around)
	_, _ = through.c.Close(), around.c.Close()
	if front > fast {
		t.Errorf("%v allocations a request, fasthttp alone has %v", front, fast)
	}
}

func BenchmarkRequest(b *testing.B) {
	for i, addr := range []func() string{
		func() string { return bare(b) },
		func() string { return start(b, testConfig(), plainHandler).addr },
	} {
		b.Run([]string{"fasthttp", "front"}[i], func(b *testing.B) {
			x := newExchanger(b, addr())
			b.ReportAllocs()
			for b.Loop() {
				x.do(b)
			}
			_ = x.c.Close()
		})
	}
}
