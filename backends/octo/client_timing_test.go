package octo_test

import (
	"bufio"
	"context"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/warmgate/warmgate/backends/octo"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
)

func decodeAny(t testing.TB, body []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Errorf("not JSON: %v", err)
	}
	return v
}

// prepared is a supplier that answers every request with the same bytes and allocates nothing for it.
func prepared(b testing.TB, body string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nOcto-Capabilities: octo/redemption\r\nContent-Length: " +
		strconv.Itoa(len(body)) + "\r\n\r\n" + body)
	serve := func(conn net.Conn) {
		defer conn.Close()
		in := bufio.NewReader(conn)
		for {
			for { // a GET has no body: the head ends the request
				line, err := in.ReadSlice('\n')
				if err != nil {
					return
				}
				if len(line) == 2 {
					break
				}
			}
			if _, err := conn.Write(answer); err != nil {
				return
			}
		}
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serve(conn)
		}
	}()
	return "http://" + l.Addr().String()
}

// BenchmarkLookup is one call over a kept connection, with a booking as large as the twin's.
func BenchmarkLookup(b *testing.B) {
	w := newWorld(b, nil)
	made := w.twin.Fresh()
	_, body := raw(b, w.URL, "GET", "/redemption/lookup?reference="+made.Units[0].Code, "", nil)
	if !strings.HasPrefix(body, "[{") {
		b.Fatal(body)
	}
	c, err := octo.New(octo.Config{BaseURL: prepared(b, body), APIKey: testKey, Supplier: "s"})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	attempt(b, func(ctx context.Context) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Lookup(ctx, "C1"); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// attempt runs f with a context such as calls come with: one that ends at its deadline and is not watched.
func attempt(t testing.TB, f func(ctx context.Context)) {
	t.Helper()
	in, err := call.NewInstance("octo/west-lake", "ticketing", call.InstanceConfig{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	read, b := call.NewRead("ticketing.test", call.ReadSpec[int, int]{}), call.NewBindings(&gateway.Venue{ID: "west-lake", Tenant: "hangzhou"})
	call.BindRead(b, read, in, func(ctx context.Context, _ int) (int, error) {
		f(ctx)
		return 0, nil
	})
	if _, _, err := read.Call(context.Background(), call.NewCaller(nil, nil, 1), b, call.Policy{Slice: time.Minute}, 0); err != nil {
		t.Fatal(err)
	}
}

// TestACallAllocatesLittle: 15 when this was written, nearly all of them the booking itself.
func TestACallAllocatesLittle(t *testing.T) {
	if raced {
		t.Skip("not under the race detector")
	}
	c, err := octo.New(octo.Config{BaseURL: prepared(t, "["+aBooking+"]"), APIKey: testKey, Supplier: "s"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	attempt(t, func(ctx context.Context) {
		allocs := testing.AllocsPerRun(200, func() {
			if _, err := c.Lookup(ctx, "C1"); err != nil {
				t.Error(err)
			}
		})
		if allocs > 16 {
			t.Errorf("%v allocations for one call", allocs)
		} else {
			t.Logf("%v allocations", allocs)
		}
	})
}

// BenchmarkTwin is a lookup and a redemption at the twin over a kept connection: what it costs to have the sandbox there.
func BenchmarkTwin(b *testing.B) {
	w := newWorld(b, nil)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		code := w.twin.Fresh().Units[0].Code
		if _, err := w.client.Lookup(ctx, code); err != nil {
			b.Fatal(err)
		}
		if _, err := w.client.Redeem(ctx, code); err != nil {
			b.Fatal(err)
		}
	}
}
