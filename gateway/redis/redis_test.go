package redis

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/warmgate/warmgate/gateway/redis/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const ms = time.Millisecond

func open(t *testing.T, cfg Config, cr Credentials) *Client {
	t.Helper()
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	c, err := Open(cfg, cr, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// put keeps a value.
func put(t *testing.T, c *Client, key, value string) {
	t.Helper()
	if err := c.Send(t.Context(), []Command{{"SET", key, value}}); err != nil {
		t.Fatal(err)
	}
}

// works holds that everything of the client works: values, scripts known and unknown, and the channel.
func works(t *testing.T, c *Client) {
	t.Helper()
	key := c.Key("a", "1")
	put(t, c, key, "value")
	if got, err := c.Get(key, 100, time.Second); string(got) != "value" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := c.Get(key, 3, time.Second); string(got) != "val" || err != nil {
		t.Errorf("three bytes: got %q, %v", got, err)
	}
	if got, err := c.Get(c.Key("a", "2"), 3, time.Second); len(got) != 0 || err != nil {
		t.Errorf("nothing: got %q, %v", got, err)
	}
	add := NewScript(`return {redis.call('INCRBY', KEYS[1], ARGV[1]), redis.call('INCRBY', KEYS[2], ARGV[1])}`)
	keys := []string{c.Tagged("g", "1"), c.Tagged("g", "2")}
	for n := range int64(2) {
		if got, err := c.Run(t.Context(), add, keys, 7); err != nil || fmt.Sprint(got) != fmt.Sprint([]int64{7 * (n + 1), 7 * (n + 1)}) {
			t.Errorf("run %d: got %v, %v", n, got, err)
		}
	}
	begun, said := make(chan struct{}, 8), make(chan string, 8)
	c.Listen(c.Key("news"), Ear{Gap: func() { begun <- struct{}{} }, Heard: func(m []byte) { said <- string(m) }})
	<-begun
	if err := c.Send(t.Context(), []Command{{"PUBLISH", c.Key("news"), "hello"}}); err != nil {
		t.Fatal(err)
	}
	if got := <-said; got != "hello" {
		t.Errorf("heard %q", got)
	}
}

func TestOneServer(t *testing.T) {
	s := redistest.Start(t)
	works(t, open(t, Config{Addresses: []string{s.Address}, Database: 2}, Credentials{}))
}

func TestCluster(t *testing.T) {
	s := redistest.StartCluster(t)
	works(t, open(t, Config{Addresses: []string{s.Address}, Cluster: true}, Credentials{}))
}

func TestSentinel(t *testing.T) {
	s := redistest.StartSentinel(t, redistest.Start(t))
	c := open(t, Config{Addresses: []string{s.Address}, Sentinel: "master"}, Credentials{})
	redistest.Await(t, "the master is known", func() bool { return c.Send(t.Context(), []Command{{"PING"}}) == nil })
	works(t, c)
}

// A wrong password is a Redis that does not work; the right one opens it. Neither is in what is logged.
func TestPassword(t *testing.T) {
	s := redistest.Start(t, "--requirepass", "correct-horse")
	works(t, open(t, Config{Addresses: []string{s.Address}}, Credentials{Password: "correct-horse"}))
	log := &bytes.Buffer{}
	c, err := Open(Config{Addresses: []string{s.Address}}, Credentials{Password: "wrong-horse"}, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	redistest.Await(t, "it is left alone", func() bool { return !c.Ready() })
	_, err = c.Get("x", 1, time.Second)
	c.Close()
	if !errors.Is(err, ErrUnavailable) || strings.Contains(err.Error()+log.String(), "horse") {
		t.Errorf("said %v, %s", err, log)
	}
}

// What stands there and is no text is nothing, and no failure.
func TestAnotherKind(t *testing.T) {
	s := redistest.Start(t)
	c := open(t, Config{Addresses: []string{s.Address}, Breaker: BreakerConfig{Consecutive: 1}}, Credentials{})
	if err := c.Send(t.Context(), []Command{{"RPUSH", "list", "x"}}); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Get("list", 10, time.Second); len(got) != 0 || err == nil || !c.Ready() {
		t.Errorf("got %q, %v, ready %t", got, err, c.Ready())
	}
}

// A server that hangs costs a request its slice and no more, and soon nothing at all; a ping finds it back.
func TestHangs(t *testing.T) {
	s := redistest.Start(t)
	c := open(t, Config{Addresses: []string{s.Address}, Timeout: 100 * ms, Breaker: BreakerConfig{OpenFor: 200 * ms}}, Credentials{})
	put(t, c, "k", "v")
	s.Pause()
	defer s.Resume()
	// Who waited on would do so each time; the machine may stand still in some of them.
	const slice, slack = 20 * ms, 150 * ms
	var waits []time.Duration
	redistest.Await(t, "it is left alone", func() bool {
		began := time.Now()
		_, err := c.Get("k", 10, slice)
		if err == nil {
			t.Fatal("it hangs, and there is an answer")
		}
		waits = append(waits, time.Since(began))
		return errors.Is(err, ErrUnavailable)
	})
	// The last one was not asked any more.
	if asked := waits[:len(waits)-1]; len(asked) > 0 && slices.Min(asked) > slice+slack {
		t.Errorf("the requests waited for %v", waits)
	}
	waits = nil
	opened := c.Stats().Opened
	redistest.Await(t, "pings have tried it again", func() bool {
		began := time.Now()
		for range 1000 { // no request is the one that tries
			if _, err := c.Get("k", 10, slice); !errors.Is(err, ErrUnavailable) {
				t.Fatalf("said %v", err)
			}
		}
		waits = append(waits, time.Since(began))
		return c.Stats().Opened >= opened+2
	})
	if slices.Min(waits) > slack {
		t.Errorf("1000 requests each waited for %v while the breaker was open", waits)
	}
	if err := c.Send(context.Background(), []Command{{"PING"}}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("said %v", err)
	}
	s.Resume()
	redistest.Await(t, "it is back without a request", c.Ready)
	if got, err := c.Get("k", 10, time.Second); string(got) != "v" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if st := c.Stats(); st.Opened == 0 || st.Breaker != "closed" {
		t.Errorf("stats %+v", st)
	}
}

// Requests that ask are bounded: one more is told so at once.
func TestBusy(t *testing.T) {
	s := redistest.Start(t)
	c := open(t, Config{Addresses: []string{s.Address}, Connections: 2, Breaker: BreakerConfig{Consecutive: 1000}}, Credentials{})
	put(t, c, "k", "v")
	s.Pause()
	defer s.Resume()
	for range 2 {
		if _, err := c.Get("k", 10, ms); err == nil {
			t.Fatal("a server that hangs has answered")
		}
	}
	c.asking.Add(2) // as if the two had not landed
	if _, err := c.Get("k", 10, ms); !errors.Is(err, ErrBusy) {
		t.Errorf("said %v", err)
	}
	c.asking.Add(-2)
}

// Killed and started again, a server is found by ping and listener alike, and the listener says that it missed something.
func TestRestarted(t *testing.T) {
	s := redistest.Start(t)
	c := open(t, Config{Addresses: []string{s.Address}, Timeout: 200 * ms, Breaker: BreakerConfig{OpenFor: 100 * ms}}, Credentials{})
	begun, said := make(chan struct{}, 8), make(chan string, 8)
	c.Listen("news", Ear{Gap: func() { begun <- struct{}{} }, Heard: func(m []byte) { said <- string(m) }})
	<-begun
	s.Kill()
	redistest.Await(t, "it is left alone, and nothing is heard", func() bool { return !c.Ready() && !c.Stats().Subscribed })
	if _, err := c.Get("k", 1, time.Second); !errors.Is(err, ErrUnavailable) {
		t.Errorf("said %v", err)
	}
	s.Restart()
	<-begun
	redistest.Await(t, "it is back", c.Ready)
	put(t, c, "k", "v")
	if err := c.Send(t.Context(), []Command{{"PUBLISH", "news", "again"}}); err != nil || <-said != "again" {
		t.Errorf("after the restart: %v", err)
	}
	if c.Stats().Lost != 1 {
		t.Errorf("stats %+v", c.Stats())
	}
}

// A listener whose server hangs notices: nothing ends the connection.
func TestHungSubscription(t *testing.T) {
	s := redistest.Start(t)
	c := open(t, Config{Addresses: []string{s.Address}, Timeout: 200 * ms}, Credentials{})
	begun, lost := make(chan struct{}, 8), make(chan struct{}, 8)
	ear := Ear{Gap: func() { begun <- struct{}{} }, Lost: func() { lost <- struct{}{} }, Heard: func([]byte) {}}
	c.Listen("news", ear)
	<-begun
	c.Listen("weather", ear)
	<-begun
	redistest.Await(t, "both are heard", func() bool { return c.Stats().Subscribed })
	s.Pause()
	<-lost
	<-lost // one that is answered in time goes on as before
	redistest.Await(t, "nothing is heard", func() bool { return !c.Stats().Subscribed })
	s.Resume()
	<-begun
	<-begun
	redistest.Await(t, "both are heard again", func() bool { return c.Stats().Subscribed })
}
