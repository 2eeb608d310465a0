package wire_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/warmgate/warmgate/backends/wire"
	"github.com/warmgate/warmgate/backends/wire/jsonread"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
)

const canned = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 28\r\n\r\n" + `{"id":"B-1","state":"Clean"}`

// answering serves the same bytes again and again, and allocates nothing for it.
func answering(t testing.TB) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go answer(conn)
		}
	}()
	return "http://" + l.Addr().String()
}

func answer(conn net.Conn) {
	defer conn.Close()
	buf, said := make([]byte, 4096), []byte(canned)
	for {
		n, err := conn.Read(buf) // a request is written in one piece
		if err == nil && bytes.HasSuffix(buf[:n], []byte("\r\n\r\n")) {
			_, err = conn.Write(said)
		}
		if err != nil {
			return
		}
	}
}

type room struct{ id, state string }

func (x *room) read(r *jsonread.Reader) {
	for o := r.Object(); o.Next(); {
		switch string(o.Name()) {
		case "id":
			x.id = r.String()
		case "state":
			x.state = r.String()
		default:
			r.Skip()
		}
	}
}

// askOnce returns one uncached Ask: policy, breaker, bulkhead, deadline, a request over a socket, its answer decoded.
func askOnce(t testing.TB) func() {
	t.Helper()
	c, err := wire.New(wire.Config{Connector: "test", BaseURL: answering(t), Header: []wire.Header{{Name: "X-App-Key", Value: "k"}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	in, err := call.NewInstance("test/one", "test", call.InstanceConfig{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	read := call.NewRead("test.room", call.ReadSpec[string, room]{Key: func(k *call.Key, a string) { k.Text(a) }})
	b := call.NewBindings(&gateway.Venue{ID: "v", Tenant: "t"})
	call.BindRead(b, read, in, func(ctx context.Context, path string) (x room, err error) {
		a, err := c.Do(ctx, &wire.Request{Op: "Room", Method: "GET", Path: path, Header: []wire.Header{{Name: "Authorization", Value: "Bearer t"}}})
		if err != nil {
			return x, err
		}
		defer a.Release()
		if e := a.Unclear(); e != nil {
			return x, e
		}
		if !a.ReadBy(x.read) {
			return x, a.Unknown(wire.ReasonGarbage)
		}
		return x, nil
	})
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	caller := call.NewCaller(nil, nil, 1)
	ctx, policy := context.Background(), call.Policy{Slice: time.Second}
	return func() {
		x, _, err := read.Call(ctx, caller, b, policy, "/rooms/1")
		if err != nil || x.id != "B-1" {
			t.Fatal(x, err)
		}
	}
}

// bareOnce returns what an Ask cannot be cheaper than: fasthttp's client, and nothing decoded.
func bareOnce(t testing.TB) func() {
	t.Helper()
	url := answering(t)
	host := &fasthttp.HostClient{Addr: url[len("http://"):], Dial: func(addr string) (net.Conn, error) { return net.Dial("tcp", addr) }}
	t.Cleanup(host.CloseIdleConnections)
	return func() {
		req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
		defer fasthttp.ReleaseRequest(req)
		defer fasthttp.ReleaseResponse(resp)
		req.SetRequestURI(url + "/rooms/1")
		if err := host.Do(req, resp); err != nil || resp.StatusCode() != 200 {
			t.Fatal(resp, err)
		}
	}
}

func TestAnAskAllocatesLittle(t *testing.T) {
	if raced {
		t.Skip("the race detector allocates")
	}
	ask := askOnce(t)
	if n := testing.AllocsPerRun(500, ask); n > 9 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkAsk is an Ask beside a bare exchange of the same bytes.
func BenchmarkAsk(b *testing.B) {
	for _, x := range []struct {
		name string
		make func(testing.TB) func()
	}{{"through gateway/call", askOnce}, {"bare fasthttp", bareOnce}} {
		b.Run(x.name, func(b *testing.B) {
			once := x.make(b)
			b.ReportAllocs()
			for b.Loop() {
				once()
			}
		})
	}
}
