package twin_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/twin"
)

// parrot is the smallest Speaker: it says every line again.
type parrot struct{ counter }

func (*parrot) Protocol() string { return "echo" }

func (*parrot) Speak(conn net.Conn) {
	lines := bufio.NewReader(conn)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		if _, err := io.WriteString(conn, line); err != nil {
			return
		}
	}
}

// say sends a line over a new connection and returns the answer, "" where there is none within d.
func say(t *testing.T, url, line string, d time.Duration) (string, error) {
	t.Helper()
	addr, ok := strings.CutPrefix(url, "echo://")
	if !ok {
		t.Fatalf("address %q", url)
	}
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(d)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, line); err != nil {
		return "", err
	}
	got, err := io.ReadAll(io.LimitReader(conn, int64(len(line))))
	return string(got), err
}

func TestASpeakerHasASecondAddress(t *testing.T) {
	data := t.TempDir()
	begin := func() *twin.City {
		c, err := twin.NewCity(twin.Config{Seed: 7, DataDir: data})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Add("bird", "one", &parrot{}); err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := begin()
	defer c.Close()
	url := c.URL("bird-echo", "one")
	if c.URLs()["bird-echo"]["one"] != url || c.URLs()["bird"]["one"] != c.URL("bird", "one") || c.Books("bird-echo") != nil {
		t.Errorf("addresses = %v", c.URLs())
	}
	const line = "good morning\n"
	if got, err := say(t, url, line, 5*time.Second); got != line || err != nil {
		t.Fatalf("got %q, %v", got, err)
	}
	for fault, want := range map[twin.Fault]func(got string, err error) bool{
		twin.Hang:    func(got string, err error) bool { return got == "" && isTimeout(err) },
		twin.Slow:    func(got string, err error) bool { return got != "" && strings.HasPrefix(line, got) && isTimeout(err) },
		twin.Refuse:  func(_ string, err error) bool { return errors.Is(err, syscall.ECONNREFUSED) },
		twin.Reset:   func(got string, err error) bool { return errors.Is(err, syscall.ECONNRESET) },
		twin.Status5: func(got string, err error) bool { return got == "" && !isTimeout(err) },
		twin.Status4: func(got string, err error) bool { return got == "" && !isTimeout(err) },
		twin.Garbage: func(got string, err error) bool { return strings.HasPrefix(got, "<html>") },
		twin.Endless: func(got string, err error) bool { return strings.Trim(got, " ") == "" && got != "" },
	} {
		if err := c.Dial("bird-echo", "one", twin.Dial{Fault: fault}); err != nil {
			t.Fatal(err)
		}
		limit := 5 * time.Second
		if fault == twin.Hang || fault == twin.Slow {
			limit = 250 * time.Millisecond
		}
		if got, err := say(t, url, line, limit); !want(got, err) {
			t.Errorf("%s: got %q, %v", fault, got, err)
		}
		if err := c.Dial("bird-echo", "*", twin.Dial{}); err != nil {
			t.Fatal(err)
		}
		if err := c.Dial("bird-echo", "one", twin.Dial{}); err != nil {
			t.Fatal(err)
		}
		if got, err := say(t, url, line, 5*time.Second); got != line {
			t.Fatalf("after %s: got %q, %v", fault, got, err)
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	again := begin()
	defer again.Close()
	if again.URL("bird-echo", "one") != url {
		t.Errorf("the address has changed: %s, %s", url, again.URL("bird-echo", "one"))
	}
}

// What is connected when the dial changes is cut, and so is what waits under the old dial.
func TestAChangedDialCutsWhatIsConnected(t *testing.T) {
	c, err := twin.NewCity(twin.Config{Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Add("bird", "one", &parrot{}); err != nil {
		t.Fatal(err)
	}
	for _, dials := range [][2]twin.Dial{{{}, {Fault: twin.Hang}}, {{Fault: twin.Endless}, {}}, {{LatencyMS: 1}, {Fault: twin.Refuse}}} {
		if err := c.Dial("bird-echo", "one", dials[0]); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", strings.TrimPrefix(c.URL("bird-echo", "one"), "echo://"))
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "there?\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); err != nil { // it is served under the old dial
			t.Fatal(err)
		}
		cut := make(chan error, 1)
		go func() {
			_, err := io.Copy(io.Discard, conn)
			cut <- err
		}()
		if err := c.Dial("bird-echo", "one", dials[1]); err != nil {
			t.Fatal(err)
		}
		select {
		case <-cut:
		case <-time.After(5 * time.Second):
			t.Errorf("%+v to %+v: still connected", dials[0], dials[1])
		}
		_ = conn.Close()
	}
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}
