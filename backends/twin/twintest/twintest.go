// Package twintest holds a connector's client to what every client must say of a call that failed. Tests alone use it.
package twintest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/backends/wire"
)

const (
	// patience is for what is noticed at once, on a busy machine too.
	patience = 10 * time.Second
	// grace is how long after its deadline a call may still return.
	grace = 700 * time.Millisecond
)

// City returns a city of twins that is closed at the test's end.
func City(t testing.TB) *twin.City {
	t.Helper()
	city, err := twin.NewCity(twin.Config{Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := city.Close(); err != nil {
			t.Error(err)
		}
	})
	return city
}

// Within returns a context that ends after d, or with the test.
func Within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// ErrorOf returns err as what a client makes of a failed call; another error, or none, ends the test.
func ErrorOf(t testing.TB, err error) *wire.Error {
	t.Helper()
	e, ok := errors.AsType[*wire.Error](err)
	if !ok {
		t.Fatalf("want a *wire.Error, got %v", err)
	}
	return e
}

// Fates returns what a call comes to under each fault: the client's half of the budget matrix.
func Fates() map[twin.Fault]wire.Error {
	return map[twin.Fault]wire.Error{
		twin.Hang:    {Fate: wire.Unknown, Reason: wire.ReasonTimeout},
		twin.Slow:    {Fate: wire.Unknown, Reason: wire.ReasonTimeout},
		twin.Refuse:  {Fate: wire.NotSent, Reason: wire.ReasonDial},
		twin.Reset:   {Fate: wire.Unknown, Reason: wire.ReasonReset},
		twin.Status5: {Fate: wire.Unknown, Reason: wire.ReasonStatus, Status: 500},
		twin.Status4: {Fate: wire.Unknown, Reason: wire.ReasonRateLimited, Status: 429},
		twin.Garbage: {Fate: wire.Unknown, Reason: wire.ReasonGarbage, Status: 200},
		twin.Endless: {Fate: wire.Unknown, Reason: wire.ReasonTooLarge},
	}
}

// Meet has do called under a fault that comes to want: with fate, reason and status, its Op where want names one, and in
// time. The deadline is for a fault that nothing else ends.
func Meet(t testing.TB, want wire.Error, deadline time.Duration, do func(context.Context) error) {
	t.Helper()
	limit := patience
	if want.Reason == wire.ReasonTimeout {
		limit = deadline
	}
	begin := time.Now()
	err := do(Within(t, limit))
	took := time.Since(begin)
	got := ErrorOf(t, err)
	if got.Fate != want.Fate || got.Reason != want.Reason || got.Status != want.Status || want.Op != "" && got.Op != want.Op {
		t.Errorf("want %+v, got %+v", want, got)
	}
	if took > limit+grace {
		t.Errorf("took %s, the deadline was %s", took, limit)
	}
	if (got.Reason == wire.ReasonTimeout) != errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v: context.DeadlineExceeded belongs to a timeout, and to it alone", err)
	}
}

// Losses returns every dial that loses an answer after its effect: one that comes too late, and each fault that there can be.
func Losses() []twin.Dial {
	all := []twin.Dial{{LatencyMS: 400, AfterEffect: true}}
	for _, f := range []twin.Fault{twin.Hang, twin.Reset, twin.Status5, twin.Status4, twin.Garbage, twin.Endless} {
		all = append(all, twin.Dial{Fault: f, AfterEffect: true})
	}
	return all
}

// Lose has do called under a dial of Losses: nobody may know whether it happened.
func Lose(t testing.TB, d twin.Dial, do func(context.Context) error) {
	t.Helper()
	limit := patience
	if d.LatencyMS > 0 || d.Fault == twin.Hang {
		limit = 200 * time.Millisecond
	}
	if e := ErrorOf(t, do(Within(t, limit))); e.Fate != wire.Unknown {
		t.Errorf("under %+v: %v", d, e)
	}
}

// Answer is one prepared answer.
type Answer struct {
	Status int
	Header map[string]string
	Body   string
}

// ServeHTTP reads the request and gives the answer.
func (a Answer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	for k, v := range a.Header {
		w.Header().Set(k, v)
	}
	w.WriteHeader(a.Status)
	_, _ = io.WriteString(w, a.Body)
}

// Serve serves h until the test's end and returns its base URL.
func Serve(t testing.TB, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}
