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
	var ready atomic.Bool
	s := New(metrics, func(context.Context) error {
		if !ready.Load() {
			return errors.New("the ledger is being opened")
		}
		return nil
	}, slog.New(slog.DiscardHandler))
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
	check("/readyz", 200, `"state":"ready"`)
	check("/metrics", 200, "warmgate_test_total 1")
	check("/debug/pprof/", 200, "goroutine")
	check("/debug/pprof/goroutine?debug=1", 200, "goroutine profile")
	check("/", 404, "")
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
