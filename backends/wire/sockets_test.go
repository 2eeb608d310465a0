package wire_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/wire"
	"github.com/warmgate/warmgate/gateway/sockets"
)

// crowd counts the connections that servers have, as they see them.
type crowd struct {
	open, most atomic.Int64
	end        chan struct{}
	ended      sync.Once
}

func newCrowd() *crowd { return &crowd{end: make(chan struct{})} }

func (c *crowd) track(_ net.Conn, s http.ConnState) {
	switch s {
	case http.StateNew:
		n := c.open.Add(1)
		for m := c.most.Load(); n > m && !c.most.CompareAndSwap(m, n); m = c.most.Load() {
		}
	case http.StateClosed, http.StateHijacked:
		c.open.Add(-1)
	}
}

// member is a client of its own server, with a part of all.
func (c *crowd) member(t *testing.T, all *sockets.Share, handle http.HandlerFunc) *wire.Client {
	t.Helper()
	server := httptest.NewUnstartedServer(handle)
	server.Config.ConnState = c.track
	server.Start()
	t.Cleanup(server.Close)
	t.Cleanup(func() { c.ended.Do(func() { close(c.end) }) }) // before it
	m, err := wire.New(wire.Config{Connector: "test", BaseURL: server.URL, MaxConns: 1000, Sockets: all})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

func fine(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{}`) }

// hang answers nothing until the test ends.
func (c *crowd) hang(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	select {
	case <-c.end:
	case <-r.Context().Done():
	}
}

// A system that hangs takes half of all connections and no more; every call to the others goes on, and what it asked beyond
// its share was not sent.
func TestASystemThatHangsLeavesTheOthersTheirs(t *testing.T) {
	const limit = 16
	all, seen := sockets.New(limit), newCrowd()
	well := []*wire.Client{seen.member(t, all, fine), seen.member(t, all, fine), seen.member(t, all, fine)}
	hog := seen.member(t, all, seen.hang)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	var calls sync.WaitGroup
	defer calls.Wait()
	defer cancel()
	refused := atomic.Int64{}
	for range 3 * limit {
		calls.Go(func() {
			if err := post(ctx, hog); err != nil && asError(t, err).Reason == wire.ReasonNoConn {
				refused.Add(1)
			}
		})
	}
	for all.Stats().Busy < limit/2 {
		select {
		case <-ctx.Done():
			t.Fatalf("%+v", all.Stats())
		case <-time.After(time.Millisecond):
		}
	}
	for i := range 60 {
		if err := post(within(t, 5*time.Second), well[i%len(well)]); err != nil {
			t.Fatalf("call %d beside it: %v", i, err)
		}
	}
	if n := refused.Load(); n > 5*limit/2 { // some may still be on their way
		t.Errorf("%d were refused", n)
	}
	if st := all.Stats(); st.Busy != limit/2 || st.Open > limit || seen.most.Load() > limit {
		t.Errorf("%+v; the servers saw %d", st, seen.most.Load())
	}
}

// Connections that are kept and idle make room: far more systems than there may be connections are asked one after the other.
func TestIdleConnectionsMakeRoom(t *testing.T) {
	const limit = 4
	all := sockets.New(limit)
	for range 3 {
		for range 3 * limit {
			m := newCrowd().member(t, all, fine)
			if err := post(within(t, 5*time.Second), m); err != nil {
				t.Fatal(err)
			}
		}
	}
	if st := all.Stats(); st.Open > limit || st.Evicted == 0 || st.Refused > 0 {
		t.Errorf("%+v", st)
	}
}

// Every place comes back: after a refused connection, a time-out, a call that nobody waits for, a stream and its end.
func TestEveryPlaceComesBack(t *testing.T) {
	all := sockets.New(8)
	seen := newCrowd()
	away, err := wire.New(wire.Config{Connector: "test", BaseURL: "http://127.0.0.1:1", Sockets: all})
	if err != nil {
		t.Fatal(err)
	}
	if err := post(within(t, time.Second), away); asError(t, err).Reason != wire.ReasonDial {
		t.Error(err)
	}
	late := seen.member(t, all, seen.hang)
	for try := 0; ; try++ { // on a busy machine a call may have no time to be sent
		err := post(within(t, 30*time.Millisecond), late)
		if asError(t, err).Reason == wire.ReasonTimeout {
			break
		} else if try == 50 {
			t.Fatal(err)
		}
	}
	left, leave := context.WithCancel(within(t, 200*time.Millisecond))
	go leave()
	if err := post(left, late); err == nil {
		t.Error("a call that nobody waits for succeeds")
	}
	streamed := seen.member(t, all, fine)
	a, err := streamed.Stream(within(t, time.Second), &wire.Request{Op: "Stream", Method: "GET", Path: "/"})
	if err != nil {
		t.Fatal(err)
	}
	if st := all.Stats(); st.Busy < 1 || st.Open < 1 {
		t.Errorf("during a stream: %+v", st)
	}
	a.Release()
	for end := time.Now().Add(5 * time.Second); all.Stats().Open+all.Stats().Busy > 0; {
		late.Close()
		streamed.Close()
		if time.Now().After(end) {
			t.Fatalf("what is left: %+v", all.Stats())
		}
		<-time.After(time.Millisecond)
	}
}
