package call

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/cache"
)

// testKeys is a Hasher with a fixed key.
type testKeys struct{}

func (testKeys) Hash(domain string, parts ...[]byte) [32]byte {
	m := hmac.New(sha256.New, []byte("test"))
	m.Write([]byte(domain))
	for _, p := range parts {
		m.Write([]byte{0})
		m.Write(p)
	}
	return [32]byte(m.Sum(nil))
}

var errDown = errors.New("backend answers 500")

// world is one read bound at one venue, with a backend that a test scripts.
type world struct {
	caller *Caller
	in     *Instance
	b      *Bindings
	read   *Read[string, int]
	serve  func(ctx context.Context, n int, a string) (int, error) // n counts from 1
	calls  atomic.Int64
}

func newWorld(t testing.TB, cfg InstanceConfig) *world {
	t.Helper()
	c, err := cache.New(cache.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	w := &world{caller: NewCaller(c, testKeys{}, 1)}
	w.in = newInstance(t, "octo/west-lake", cfg)
	w.b = NewBindings(&gateway.Venue{ID: "west-lake", Tenant: "hangzhou"})
	w.read = NewRead("tickets.lookup", ReadSpec[string, int]{
		Key:    func(k *Key, a string) { k.Personal([]byte(a)) },
		Absent: func(o int) bool { return o == 0 },
	})
	w.serve = func(context.Context, int, string) (int, error) { return 7, nil }
	BindRead(w.b, w.read, w.in, w.backend)
	if err := w.b.Err(); err != nil {
		t.Fatal(err)
	}
	return w
}

func newInstance(t testing.TB, name string, cfg InstanceConfig) *Instance {
	t.Helper()
	in, err := NewInstance(name, "ticketing", cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func (w *world) backend(ctx context.Context, a string) (int, error) {
	return w.serve(ctx, int(w.calls.Add(1)), a)
}

func (w *world) call(p Policy) (int, gateway.Source, error) {
	return w.read.Call(context.Background(), w.caller, w.b, p, "ticket-1")
}

// hold answers v after d, or the context's error at its deadline.
func hold(ctx context.Context, d time.Duration, v int, err error) (int, error) {
	select {
	case <-time.After(d):
		return v, err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func containsAll(s string, parts ...string) bool {
	for _, p := range parts {
		if !strings.Contains(s, p) {
			return false
		}
	}
	return true
}
