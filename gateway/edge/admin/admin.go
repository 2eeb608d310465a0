// Package admin is the second listener: what an operator and their machines ask about the process. It is plain
// net/http, has no tokens, and belongs on loopback or a closed network.
package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Bounds of the listener. A profile takes up to 30 s by itself, so its write has longer.
const (
	readTimeout  = 5 * time.Second
	writeTimeout = 90 * time.Second
	idleTimeout  = 30 * time.Second
	headLimit    = 8 << 10
	scrapes      = 4 // at once
)

// Server answers /livez, /readyz, /metrics, /debug/pprof and /errands. Make it with New.
type Server struct {
	http *http.Server
}

// New returns a server. Ready says why the process cannot take requests: nil when it can. Degraded names what is away that
// it can do without; nil: it is not asked. Neither may block for long; ready's context ends with the request. What they say
// is shown to whoever asks, so it holds nothing personal. Errands are by their names.
func New(metrics prometheus.Gatherer, ready func(context.Context) error, degraded func() []string, errands map[string]Errand,
	logger *slog.Logger) *Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "ok", "", nil) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := ready(r.Context()); err != nil {
			answer(w, http.StatusServiceUnavailable, "not ready", err.Error(), nil)
			return
		}
		var away []string
		if degraded != nil {
			away = degraded()
		}
		answer(w, http.StatusOK, "ready", "", away)
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{
		MaxRequestsInFlight: scrapes, ErrorLog: errorLog{logger}, Timeout: readTimeout,
	}))
	mux.HandleFunc("POST /errands/{name}", func(w http.ResponseWriter, r *http.Request) { run(w, r, errands[r.PathValue("name")]) })
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return &Server{&http.Server{Handler: mux, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: headLimit, ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelWarn)}}
}

// Serve answers requests from ln until Shutdown, then returns nil. It closes ln.
func (s *Server) Serve(ln net.Listener) error {
	if err := s.http.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("cannot accept connections on the second listener: %w", err)
	}
	return nil
}

// Shutdown stops accepting and waits for the requests in flight, at most until ctx ends; then it closes them.
func (s *Server) Shutdown(ctx context.Context) error {
	if err := s.http.Shutdown(ctx); err != nil {
		_ = s.http.Close()
		return fmt.Errorf("cannot finish the second listener's requests in time: %w", err)
	}
	return nil
}

// answer writes a state as JSON.
func answer(w http.ResponseWriter, status int, state, reason string, degraded []string) {
	write(w, status, struct {
		State    string   `json:"state"`
		Reason   string   `json:"reason,omitempty"`
		Degraded []string `json:"degraded,omitempty"`
	}{state, reason, degraded})
}

// errorLog lets promhttp speak through slog.
type errorLog struct{ log *slog.Logger }

// Println logs what a scrape could not gather.
func (l errorLog) Println(v ...any) { l.log.Error("cannot gather metrics", "error", fmt.Sprint(v...)) }
