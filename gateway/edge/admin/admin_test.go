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

func TestSecondListener(t *testing.T) {
	metrics := prometheus.NewRegistry()
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "warmgate_test_total", Help: "A test."})
	metrics.MustRegister(counter)
	counter.Inc()
	var ready, away atomic.Bool
	s := New(metrics, func(context.Context) error {
		if !ready.Load() {
			return errors.New("the ledger is being opened")
		}
		return nil
	}, func() []string {
		if away.Load() {
			return []string{"redis"}
		}
		return nil
	}, map[string]Errand{"count": func(_ context.Context, arg []byte) (any, error) {
		if len(arg) == 0 {
			return nil, errors.New("there is nothing to count")
		}
		return len(arg), nil
	}}, slog.New(slog.DiscardHandler))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	client := &http.Client{Transport: &http.Transport{}, Timeout: 5 * time.Second}
	check := func(path string, status int, holds string) {
		t.Helper()
		r, err := client.Get("http://" + ln.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		if r.StatusCode != status || !strings.Contains(string(body), holds) {
			t.Errorf("%s: %d %.200s, want %d with %q", path, r.StatusCode, body, status, holds)
		}
	}
	check("/livez", 200, `"state":"ok"`)
	check("/readyz", 503, "the ledger is being opened")
	ready.Store(true)
	check("/readyz", 200, `{"state":"ready"}`)
	away.Store(true)
	check("/readyz", 200, `{"state":"ready","degraded":["redis"]}`)
	check("/metrics", 200, "warmgate_test_total 1")
	check("/debug/pprof/", 200, "goroutine")
	check("/debug/pprof/goroutine?debug=1", 200, "goroutine profile")
	check("/", 404, "")
	for _, c := range []struct {
		name, kind, arg string
		status          int
		says            string
	}{
		{"count", "application/json", "{}", 200, "2"},
		{"count", "application/json", "", 409, `{"error":"there is nothing to count"}`},
		{"count", "text/plain", "{}", 415, "application/json"},
		{"count", "application/json", strings.Repeat(" ", argLimit+1), 413, "shorter"},
		{"lose", "application/json", "{}", 404, "no such errand"},
	} {
		r, err := client.Post("http://"+ln.Addr().String()+"/errands/"+c.name, c.kind, strings.NewReader(c.arg))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(r.Body)
		r.Body.Close()
		if r.StatusCode != c.status || !strings.Contains(string(body), c.says) {
			t.Errorf("%s of %s: %d %s", c.name, c.kind, r.StatusCode, body)
		}
	}
	check("/errands/count", 405, "")
	client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}
