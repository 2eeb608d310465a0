package admin

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// opened is a second listener that is open until the test's end.
type opened struct {
	*testing.T
	base   string
	client *http.Client
}

func open(t *testing.T, s *Server) opened {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	client := &http.Client{Transport: &http.Transport{}, Timeout: 5 * time.Second}
	t.Cleanup(func() {
		client.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return opened{t, "http://" + ln.Addr().String(), client}
}

// answers fails unless a request is answered with that status and a body that holds that.
func (o opened) answers(method, path, kind, body string, status int, holds string) {
	o.Helper()
	r, err := http.NewRequest(method, o.base+path, strings.NewReader(body))
	if err != nil {
		o.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	a, err := o.client.Do(r)
	if err != nil {
		o.Fatal(err)
	}
	defer a.Body.Close()
	got, err := io.ReadAll(a.Body)
	if err != nil {
		o.Fatal(err)
	}
	if a.StatusCode != status || !strings.Contains(string(got), holds) {
		o.Errorf("%s %s: %d %.200s, want %d with %q", method, path, a.StatusCode, got, status, holds)
	}
}

func TestSecondListener(t *testing.T) {
	metrics := prometheus.NewRegistry()
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "warmgate_test_total", Help: "A test."})
	metrics.MustRegister(counter)
	counter.Inc()
	var ready, away atomic.Bool
	o := open(t, New(metrics, func(context.Context) error {
		if !ready.Load() {
			return errors.New("the ledger is being opened")
		}
		return nil
	}, func() []string {
		if away.Load() {
			return []string{"redis"}
		}
		return nil
	}, nil, slog.New(slog.DiscardHandler)))
	get := func(path string, status int, holds string) {
		t.Helper()
		o.answers(http.MethodGet, path, "", "", status, holds)
	}
	get("/livez", 200, `"state":"ok"`)
	get("/readyz", 503, "the ledger is being opened")
	ready.Store(true)
	get("/readyz", 200, `{"state":"ready"}`)
	away.Store(true)
	get("/readyz", 200, `{"state":"ready","degraded":["redis"]}`)
	get("/metrics", 200, "warmgate_test_total 1")
	get("/debug/pprof/", 200, "goroutine")
	get("/debug/pprof/goroutine?debug=1", 200, "goroutine profile")
	get("/", 404, "")
}

func TestErrands(t *testing.T) {
	count := func(_ context.Context, arg []byte) (any, error) {
		if len(arg) == 0 {
			return nil, errors.New("there is nothing to count")
		}
		return len(arg), nil
	}
	o := open(t, New(prometheus.NewRegistry(), func(context.Context) error { return nil }, nil, map[string]Errand{"count": count}, slog.New(slog.DiscardHandler)))
	o.answers(http.MethodPost, "/errands/count", "application/json", "{}", 200, "2")
	o.answers(http.MethodPost, "/errands/count", "application/json", "", 409, `{"error":"there is nothing to count"}`)
	o.answers(http.MethodPost, "/errands/count", "text/plain", "{}", 415, "application/json")
	o.answers(http.MethodPost, "/errands/count", "application/json", strings.Repeat(" ", argLimit+1), 413, "shorter")
	o.answers(http.MethodPost, "/errands/lose", "application/json", "{}", 404, "no such errand")
	o.answers(http.MethodGet, "/errands/count", "", "", 405, "")
}
