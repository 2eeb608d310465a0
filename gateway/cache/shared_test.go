package cache

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/gateway/redis"
	"github.com/warmgate/warmgate/gateway/redis/redistest"
	"github.com/warmgate/warmgate/gateway/seal"
)

// replica is one gateway's part of the shared cache.
type replica struct {
	*Shared
	memory *Cache
	client *redis.Client
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
	return joinBy(t, redis.Config{Addresses: []string{s.Address}}, keys)
}

func joinBy(t *testing.T, cfg redis.Config, keys *seal.Keys) *replica {
	t.Helper()
	cfg.Timeout, cfg.Breaker.OpenFor = 200*time.Millisecond, 100*time.Millisecond
	client, err := redis.Open(cfg, redis.Credentials{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	r := &replica{client: client, memory: open(t, Config{})}
	if r.Shared, err = NewShared(client, keys, r.memory); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Close()
		client.Close()
	})
	redistest.Await(t, "it hears", func() bool { return client.Stats().Subscribed })
	return r
}

// set keeps a value and waits until it is there.
func (r *replica) set(t *testing.T, key, body string, k Kept) {
	t.Helper()
	before := r.Stats().Written
	r.Set(key, k, func() ([]byte, error) { return []byte(body), nil })
	redistest.Await(t, "it is written", func() bool { return r.Stats().Written > before })
}

const shape, within = 7, time.Second

func kept(age, keep time.Duration) Kept {
	return Kept{Shape: shape, AsOf: time.Now().Add(-age), Keep: keep}
}

// What one replica knows another one reads, with its age; and only in its place and shape.
func TestReplicasShare(t *testing.T) {
	s, keys := redistest.Start(t), newKeys(t)
	a, b := join(t, s, keys), join(t, s, keys)
	k := kept(2*time.Second, time.Minute)
	a.set(t, "key", "value", k)
	got, ok := b.Get("key", shape, within)
	if !ok || string(got.Body) != "value" || got.Absent || !got.AsOf.Equal(k.AsOf.Truncate(time.Microsecond)) {
		t.Errorf("got %+v, %t; asked at %v", got, ok, k.AsOf)
	}
	k.Absent = true
	a.set(t, "none", "", k)
	if got, ok := b.Get("none", shape, within); !ok || !got.Absent || len(got.Body) != 0 {
		t.Errorf("absent: got %+v, %t", got, ok)
	}
	if _, ok := b.Get("other", shape, within); ok {
		t.Error("another key has a value")
	}
	if _, ok := b.Get("key", shape+1, within); ok {
		t.Error("a value of another shape was read")
	}
	if _, ok := join(t, s, newKeys(t)).Get("key", shape, within); ok {
		t.Error("a gateway with other keys reads it")
	}
	if st := b.Stats(); st.Hits != 2 || st.Misses != 1 || st.Wrong != 1 {
		t.Errorf("stats %+v", st)
	}
}

// A cluster serves keys of many slots.
func TestClusterIsShared(t *testing.T) {
	cfg := redis.Config{Addresses: []string{redistest.StartCluster(t).Address}, Cluster: true}
	keys := newKeys(t)
	a, b := joinBy(t, cfg, keys), joinBy(t, cfg, keys)
	for n := range 20 {
		a.set(t, fmt.Sprint(n), fmt.Sprint("value ", n), kept(0, time.Minute))
	}
	for n := range 20 {
		if got, ok := b.Get(fmt.Sprint(n), shape, within); !ok || string(got.Body) != fmt.Sprint("value ", n) {
			t.Errorf("%d: got %+v, %t", n, got, ok)
		}
	}
	for n := range 20 {
		a.Forget(fmt.Sprint(n))
	}
	redistest.Await(t, "they have heard", func() bool { return b.Stats().Heard == 20 })
	if _, ok := b.Get("7", shape, within); ok {
		t.Error("it is still there")
	}
}

// Nothing of keys and values can be read in Redis.
func TestRedisLearnsNothing(t *testing.T) {
	s := redistest.Start(t)
	a := join(t, s, newKeys(t))
	a.set(t, "a-telling-key", "a-telling-value", kept(0, time.Minute))
	place := a.place("a-telling-key")
	value, err := a.client.Get(place, 1<<20, within)
	if err != nil || len(value) == 0 || bytes.Contains(value, []byte("telling")) || strings.Contains(place, "telling") {
		t.Errorf("%q: %q, %v", place, value, err)
	}
}

// Whatever stands in Redis, by accident or malice, is not there: altered, cut, moved from another key, of another kind, from
// the future.
func TestPoisonedValues(t *testing.T) {
	s, keys := redistest.Start(t), newKeys(t)
	a := join(t, s, keys)
	a.set(t, "k", "value", kept(0, time.Minute))
	a.set(t, "other", "its value", kept(0, time.Minute))
	good, err := a.client.Get(a.place("k"), 1<<20, within)
	if err != nil {
		t.Fatal(err)
	}
	others, err := a.client.Get(a.place("other"), 1<<20, within)
	if err != nil {
		t.Fatal(err)
	}
	poison := func(value any) {
		t.Helper()
		if err := a.client.Send(t.Context(), []redis.Command{{"SET", a.place("k"), value}}); err != nil {
			t.Fatal(err)
		}
	}
	values := [][]byte{others, {}, {0}, {1}, {2}, []byte("foreign"), bytes.Repeat([]byte{1}, 200), append(bytes.Clone(good), 0),
		a.seal(a.place("k"), Kept{Shape: shape, AsOf: time.Now().Add(time.Hour), Body: []byte("x")})}
	for n := range good {
		flipped := bytes.Clone(good)
		flipped[n] ^= 1
		values = append(values, good[:n], flipped)
	}
	for _, v := range values {
		poison(v)
		if got, ok := a.Get("k", shape, within); ok {
			t.Fatalf("read %+v from %x", got, v)
		}
	}
	poison(good)
	if got, ok := a.Get("k", shape, within); !ok || string(got.Body) != "value" {
		t.Errorf("the value itself: %+v %t", got, ok)
	}
	if err := a.client.Send(t.Context(), []redis.Command{{"DEL", a.place("k")}, {"RPUSH", a.place("k"), "a", "list"}}); err != nil {
		t.Fatal(err)
	}
	if got, ok := a.Get("k", shape, within); ok {
		t.Errorf("read %+v from a list", got)
	}
	a.set(t, "k", "anew", kept(0, time.Minute))
	if got, ok := a.Get("k", shape, within); !ok || string(got.Body) != "anew" {
		t.Errorf("written over: %+v %t", got, ok)
	}
	wrong := a.Stats().Wrong
	if err := a.client.Send(t.Context(), []redis.Command{{"PUBLISH", a.channel, "nonsense"}, {"PUBLISH", a.channel, good}}); err != nil {
		t.Fatal(err)
	}
	redistest.Await(t, "nonsense was heard", func() bool { return a.Stats().Wrong == wrong+2 })
}

// Values end with their time, and what is not worth it is not written at all.
func TestValuesEnd(t *testing.T) {
	s := redistest.Start(t)
	a := join(t, s, newKeys(t))
	a.set(t, "short", "value", kept(100*time.Millisecond, 400*time.Millisecond))
	redistest.Await(t, "its time is over", func() bool { _, ok := a.Get("short", shape, within); return !ok })
	for name, w := range map[string]struct {
		k      Kept
		encode func() ([]byte, error)
	}{
		"over":    {kept(time.Minute, time.Minute), nothing},
		"too old": {kept(writeWithin+time.Second, time.Hour), nothing},
		"large":   {kept(0, time.Hour), func() ([]byte, error) { return make([]byte, maxBody+1), nil }},
		"failing": {kept(0, time.Hour), func() ([]byte, error) { return nil, errors.New("no") }},
		"panics":  {kept(0, time.Hour), func() ([]byte, error) { panic("no") }},
	} {
		before := a.Stats().Dropped
		a.Set(name, w.k, w.encode)
		redistest.Await(t, name+" is left out", func() bool { return a.Stats().Dropped == before+1 })
	}
	if st := a.Stats(); st.Written != 1 {
		t.Errorf("stats %+v", st)
	}
}

func nothing() ([]byte, error) { return nil, nil }

// A value of the largest size is read whole.
func TestLargestValue(t *testing.T) {
	a := join(t, redistest.Start(t), newKeys(t))
	a.set(t, "k", string(bytes.Repeat([]byte{'x'}, maxBody)), kept(0, time.Minute))
	if got, ok := a.Get("k", shape, within); !ok || len(got.Body) != maxBody {
		t.Errorf("got %d bytes, %t", len(got.Body), ok)
	}
}

// Forgetting reaches Redis and the memories of all; and what is written a moment later, since it was asked for before,
// does not stay.
func TestForgettingReachesAll(t *testing.T) {
	s, keys := redistest.Start(t), newKeys(t)
	a, b, c := join(t, s, keys), join(t, s, keys), join(t, s, keys)
	stranger := join(t, s, newKeys(t))
	all := []*replica{a, b, c, stranger}
	for _, r := range all {
		r.memory.Set("k", &Entry{Value: 1, AsOf: time.Now(), Keep: time.Hour})
		r.memory.Set("other", &Entry{Value: 1, AsOf: time.Now(), Keep: time.Hour})
	}
	a.set(t, "k", "old", kept(0, time.Minute))
	a.Forget("k")
	redistest.Await(t, "they have heard", func() bool { return b.Stats().Heard == 1 && c.Stats().Heard == 1 && stranger.Stats().Wrong == 1 })
	for n, r := range all {
		_, there := r.memory.Get("k")
		if want := r == a || r == stranger; there != want { // a forgets in its memory before it tells the others
			t.Errorf("replica %d: it is there: %t", n, there)
		}
		if _, ok := r.memory.Get("other"); !ok {
			t.Errorf("replica %d has forgotten another key", n)
		}
	}
	b.set(t, "k", "late", kept(time.Second, time.Minute))
	if got, ok := c.Get("k", shape, within); ok {
		t.Errorf("read %+v, which was asked for before it was forgotten", got)
	}
	if st := a.Stats(); st.Forgotten != 1 || st.Heard != 0 || st.Waiting != 0 {
		t.Errorf("stats %+v", st)
	}
}

// What cannot be forgotten now, since Redis is gone, is forgotten once it is back; and what may have been said meanwhile
// makes the memory doubt what it has.
func TestForgettingOutlastsAnOutage(t *testing.T) {
	s, keys := redistest.Start(t), newKeys(t)
	a, b := join(t, s, keys), join(t, s, keys)
	entry := &Entry{Value: 1, AsOf: time.Now(), Keep: time.Hour}
	b.memory.Set("k", entry)
	s.Pause()
	a.Forget("k")
	a.Forget("k")
	redistest.Await(t, "all notice", func() bool {
		return !a.client.Ready() && !b.client.Ready() && !b.client.Stats().Subscribed && a.Stats().Waiting == 1
	})
	if b.memory.Doubted(entry) {
		t.Error("doubted before anything can have been heard")
	}
	a.Set("x", kept(0, time.Hour), nothing)
	if st := a.Stats(); st.Dropped != 1 {
		t.Errorf("a write waits for a Redis that is away: %+v", st)
	}
	s.Resume()
	redistest.Await(t, "the memory doubts", func() bool { return b.memory.Doubted(entry) })
	redistest.Await(t, "it is forgotten", func() bool { return a.Stats().Waiting == 0 && a.Stats().Forgotten == 1 })
	if value, err := a.client.Get(a.place("k"), 10, within); err != nil || !bytes.Equal(value, []byte{markForgotten}) {
		t.Errorf("in Redis there is %x, %v", value, err)
	}
}

// Neither queue grows without bound.
func TestQueuesAreBounded(t *testing.T) {
	s := redistest.Start(t)
	a := join(t, s, newKeys(t))
	s.Pause()
	defer s.Resume()
	for n := range maxForgets + maxBatch + 10 {
		a.Forget(fmt.Sprint(n))
	}
	if st := a.Stats(); st.Unforgotten < 10 || st.Waiting > maxForgets {
		t.Errorf("stats %+v", st)
	}
	for range 3 * maxQueue {
		a.Set("k", kept(0, time.Hour), nothing)
	}
	if st := a.Stats(); st.Dropped < maxQueue {
		t.Errorf("stats %+v", st)
	}
}

// The end has forgotten what still waits for it.
func TestTheEndForgets(t *testing.T) {
	s, keys := redistest.Start(t), newKeys(t)
	a, b := join(t, s, keys), join(t, s, keys)
	a.Close()
	a.mu.Lock()
	a.forgets["k"] = struct{}{} // at the last moment
	a.mu.Unlock()
	a.work()
	redistest.Await(t, "it is heard", func() bool { return b.Stats().Heard == 1 })
}
