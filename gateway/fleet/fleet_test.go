package fleet

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/warmgate/warmgate/gateway/redis"
	"github.com/warmgate/warmgate/gateway/redis/redistest"
	"github.com/warmgate/warmgate/gateway/seal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// replica is one gateway, and what it has heard of the topic "news".
type replica struct {
	*Fleet
	client *redis.Client

	mu    sync.Mutex
	heard []string // "whole" and "deaf" among the messages
}

func newKeys(t *testing.T) *seal.Keys {
	t.Helper()
	keys, err := seal.New(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func join(t *testing.T, s *redistest.Server, keys *seal.Keys) *replica {
	t.Helper()
	cfg := redis.Config{Addresses: []string{s.Address}, Timeout: 200 * time.Millisecond, Breaker: redis.BreakerConfig{OpenFor: 100 * time.Millisecond}}
	client, err := redis.Open(cfg, redis.Credentials{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	r := &replica{client: client}
	if r.Fleet, err = New(client, keys); err != nil {
		t.Fatal(err)
	}
	r.Hear("news", func(whole bool) { r.note(map[bool]string{true: "whole", false: "deaf"}[whole]) }, func(m []byte) { r.note(string(m)) })
	t.Cleanup(func() {
		r.Close()
		client.Close()
	})
	r.await(t, "deaf whole")
	return r
}

func (r *replica) note(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.heard = append(r.heard, what)
}

func (r *replica) all() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.heard, " ")
}

func (r *replica) await(t *testing.T, want string) {
	t.Helper()
	redistest.Await(t, want, func() bool { return r.all() == want })
}

// What one tells the others hear, in its order, and not itself; another topic is another matter.
func TestReplicasHearOneAnother(t *testing.T) {
	s, keys := redistest.Start(t), newKeys(t)
	a, b, c := join(t, s, keys), join(t, s, keys), join(t, s, keys)
	a.Tell("weather", []byte("rain"))
	want := "deaf whole"
	for i := range 300 {
		a.Tell("news", fmt.Appendf(nil, "n%d", i))
		want += fmt.Sprintf(" n%d", i)
	}
	b.await(t, want)
	c.await(t, want)
	b.Tell("news", []byte("back"))
	a.await(t, "deaf whole back")
	if n := a.Stats(); n.Told != 301 || n.Dropped != 0 || n.Waiting != 0 {
		t.Errorf("%+v", n)
	}
}

// Who has other keys, or puts a message of one topic into another, is not heard, and reads nothing.
func TestStrangersAreNotHeard(t *testing.T) {
	s, keys := redistest.Start(t), newKeys(t)
	a, b, stranger := join(t, s, keys), join(t, s, keys), join(t, s, newKeys(t))
	stranger.Tell("news", []byte("forged"))
	moved := a.enclose("weather", markMessage, []byte("moved"))
	for _, m := range [][]byte{moved, []byte("x"), nil, append(a.enclose("news", markMessage, []byte("cut"))[:60], 0)} {
		if err := a.client.Send(t.Context(), []redis.Command{{"PUBLISH", a.channel("news"), m}}); err != nil {
			t.Fatal(err)
		}
	}
	redistest.Await(t, "all came", func() bool { return b.Stats().Wrong == 5 })
	a.Tell("news", []byte("true"))
	b.await(t, "deaf whole true")
	redistest.Await(t, "it came to the stranger too", func() bool { return stranger.Stats().Wrong == 5 })
	if got := stranger.all(); got != "deaf whole" {
		t.Errorf("a stranger heard %q", got)
	}
	if strings.Contains(string(a.enclose("news", markMessage, []byte("a secret"))), "secret") {
		t.Error("it can be read on the way")
	}
}

// Who is deaf knows it, and what was told meanwhile comes once Redis is back, behind the word that some was missed.
func TestRedisIsGoneForAWhile(t *testing.T) {
	s, keys := redistest.Start(t), newKeys(t)
	a, b := join(t, s, keys), join(t, s, keys)
	s.Kill()
	b.await(t, "deaf whole deaf")
	redistest.Await(t, "it is left alone", func() bool { return !a.client.Ready() })
	a.Tell("news", []byte("late"))
	redistest.Await(t, "it waits", func() bool { return a.Stats().Waiting == 1 })
	s.Restart()
	redistest.Await(t, "nothing waits", func() bool { return a.Stats().Waiting == 0 })
	redistest.Await(t, "it is heard again", func() bool { return strings.HasPrefix(b.all(), "deaf whole deaf whole") })
}

// A server that hangs makes whoever listens deaf, and they know it.
func TestRedisHangs(t *testing.T) {
	s, keys := redistest.Start(t), newKeys(t)
	a := join(t, s, keys)
	s.Pause()
	a.await(t, "deaf whole deaf")
	s.Resume()
	a.await(t, "deaf whole deaf whole")
}

// More than may wait is left out, and whoever hears is told that something is missing, behind what is not.
func TestWhatCannotWaitIsSaidToBeMissing(t *testing.T) {
	s, keys := redistest.Start(t), newKeys(t)
	a, b := join(t, s, keys), join(t, s, keys)
	a.Fleet.mu.Lock()
	a.size = maxBytes - 3
	a.Fleet.mu.Unlock()
	a.Tell("news", []byte("one"))
	a.Tell("news", []byte("left out, since it is too long"))
	redistest.Await(t, "it is heard", func() bool { return strings.Contains(b.all(), "one") })
	b.await(t, "deaf whole one whole")
	if n := a.Stats(); n.Dropped != 1 || n.Told != 1 {
		t.Errorf("%+v", n)
	}
	for range 2 * maxWaiting {
		a.Tell("news", nil)
	}
	redistest.Await(t, "all is sent", func() bool { return a.Stats().Waiting == 0 })
}

// What waits when a replica ends is told.
func TestTheLastWords(t *testing.T) {
	s, keys := redistest.Start(t), newKeys(t)
	a, b := join(t, s, keys), join(t, s, keys)
	for range 200 {
		a.Tell("news", []byte("x"))
	}
	a.Close()
	b.await(t, "deaf whole"+strings.Repeat(" x", 200))
}
