//go:build unix

package wire_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/wire"
)

// TestAKeptConnectionIsKept: that the deadline of an earlier call has passed says nothing about the connection.
func TestAKeptConnectionIsKept(t *testing.T) {
	var opened atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{}`)
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	c, err := wire.New(wire.Config{Connector: "test", BaseURL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 3 {
		ctx := within(t, 200*time.Millisecond)
		if err := post(ctx, c); err != nil {
			t.Fatal(err)
		}
		<-ctx.Done()
	}
	if n := opened.Load(); n != 1 {
		t.Errorf("%d connections for three calls", n)
	}
}

// TestARequestThatTheSocketDoesNotTakeAtOnce: whatever is not written at once follows, over a new connection and a kept one.
func TestARequestThatTheSocketDoesNotTakeAtOnce(t *testing.T) {
	sent := bytes.Repeat([]byte("all of it "), 1<<20)
	var came atomic.Int32
	c := client(t, nil, func(w http.ResponseWriter, r *http.Request) {
		if body, err := io.ReadAll(r.Body); err == nil && bytes.Equal(body, sent) {
			came.Add(1)
		}
		_, _ = io.WriteString(w, `{}`)
	})
	for range 2 {
		a, err := c.Do(within(t, 10*time.Second), &wire.Request{Op: "Send", Method: "POST", Path: "/", Raw: sent})
		if err != nil {
			t.Fatal(err)
		}
		a.Release()
	}
	if n := came.Load(); n != 2 {
		t.Errorf("%d of 2 came whole", n)
	}
}

// TestAConnectionThatWasClosedMeanwhile: a server closes kept connections when it likes, and no call is of unknown outcome for it.
func TestAConnectionThatWasClosedMeanwhile(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	closed := make(chan struct{})
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
			}
			_ = conn.Close()
			closed <- struct{}{}
		}
	}()
	c, err := wire.New(wire.Config{Connector: "test", BaseURL: "http://" + l.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 20 {
		a, err := c.Do(within(t, 5*time.Second), &wire.Request{Op: "Get", Method: "GET", Path: "/"})
		if err != nil {
			t.Fatal(err)
		}
		a.Release()
		<-closed
	}
}

func TestTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{}`)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	pool := server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	c, err := wire.New(wire.Config{Connector: "test", BaseURL: server.URL, RootCAs: pool})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for i := range 4 {
		if err := post(within(t, 5*time.Second), c); err != nil {
			t.Fatal(err)
		}
		if i == 1 { // the server closes what is kept
			server.CloseClientConnections()
		}
	}
	stranger, err := wire.New(wire.Config{Connector: "test", BaseURL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	err = post(within(t, 5*time.Second), stranger)
	if e := asError(t, err); e.Fate != wire.NotSent || e.Reason != wire.ReasonDial {
		t.Errorf("a certificate that nobody vouches for: %v", e)
	}
}

// TestADialThatHangs: a listener with a full queue neither accepts nor refuses.
func TestADialThatHangs(t *testing.T) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	addr := (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: name.(*syscall.SockaddrInet4).Port}).String()
	for range 4 { // fill the queue
		if c, err := net.DialTimeout("tcp", addr, 50*time.Millisecond); err == nil {
			defer c.Close()
		}
	}
	c, err := wire.New(wire.Config{Connector: "test", BaseURL: "http://" + addr})
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	err = post(within(t, 200*time.Millisecond), c)
	if e := asError(t, err); e.Fate != wire.NotSent || e.Reason != wire.ReasonDial || time.Since(begin) > time.Second {
		t.Errorf("%v after %s", e, time.Since(begin))
	}
}
