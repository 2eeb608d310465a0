package serve

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/gateway/ledger"
)

func TestReadiness(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.await("ready", func() bool {
		status, body, _ := w.get(w.admin+"/readyz", nil)
		return status == 200 && body == `{"state":"ready"}`
	})
	select {
	case v := <-w.stall.worked:
		if v == nil || v.ID != "one" {
			t.Errorf("a flow's work began without its venues: %v", v)
		}
	case <-time.After(5 * time.Second):
		t.Error("a flow's work has not begun")
	}
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	if err := w.g.Ready(context.Background()); err == nil {
		t.Error("ready after the end")
	}
}

// Every room is seen at the second listener.
func TestFigures(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.word("one")
	_, body, _ := w.get(w.admin+"/metrics", nil)
	for _, name := range []string{
		`warmgate_backend_attempts_total{instance="drawer/one",outcome="ok"}`, `warmgate_backend_breaker_open{instance="drawer/two"}`,
		`warmgate_backend_in_flight{instance="drawer/two"}`, `warmgate_backend_seconds_count{instance="drawer/one"}`,
		"warmgate_ledger_commits_total", "warmgate_ledger_flush_seconds_count", "warmgate_ledger_wal_bytes", "warmgate_ledger_refusing",
		"warmgate_outbox_waiting", "warmgate_assists_waiting", "warmgate_assists_oldest_seconds",
		`warmgate_outbox_attempts_total{outcome="failed"}`, "warmgate_cache_entries", "warmgate_requests_in_flight", "warmgate_requests_waiting",
		"warmgate_connections_open", "warmgate_connections_total", `warmgate_requests_total{class="2xx",route="stall"}`, "go_goroutines",
	} {
		if !slices.ContainsFunc(strings.Split(body, "\n"), func(line string) bool { return strings.HasPrefix(line, name+" ") }) {
			t.Errorf("no %s", name)
		}
	}
}

// Work that does not end when it is told to holds up no end: it is named, and everything else is closed.
func TestTheEndIsBounded(t *testing.T) {
	w := newWorld(t)
	w.stall.stubborn = make(chan struct{})
	defer close(w.stall.stubborn)
	w.open()
	<-w.stall.worked
	began := time.Now()
	err := w.end()
	if took := time.Since(began); err == nil || !strings.Contains(err.Error(), "cannot end the work beside the requests within 4s") || took > 2*closeFor {
		t.Errorf("after %s: %v", took, err)
	}
	w.end = func() error { return nil } // it was expected
	if connected, closed := w.stall.counts("one"); connected != closed {
		t.Errorf("%d connected, %d closed", connected, closed)
	}
	soon, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := w.g.ledger.View(soon, func(ledger.Querier) error { return nil }); err == nil {
		t.Error("the ledger is still open")
	}
}

// A second gateway on the same data is refused, says why, and leaves nothing open.
func TestOneLedgerOneGateway(t *testing.T) {
	w := newWorld(t)
	w.open()
	_, err := Open(t.Context(), w.path("gateway.yaml"), Options{Flows: w.flows(), Env: w.env, Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "is in use by process") {
		t.Errorf("got %v", err)
	}
}

func TestAuditOfARunningGateway(t *testing.T) {
	w := newWorld(t)
	w.open()
	report, err := VerifyAudit(t.Context(), w.path("data"))
	if err != nil || report.Mismatch != "" {
		t.Errorf("got %+v, %v", report, err)
	}
	left, err := filepath.Glob(w.path("data/.verify-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	if _, err := VerifyAudit(t.Context(), w.path("nowhere")); !os.IsNotExist(err) && err == nil {
		t.Error("a folder that is not there verifies")
	}
}

// The systems of all venues are known before their addresses and credentials are.
func TestPlaces(t *testing.T) {
	w := newWorld(t)
	w.edit("venues/two.yaml", "${TILL:-http://127.0.0.1:1}", "${TILL}")
	w.edit("venues/two.yaml", "Asia/Shanghai", "Asia/Urumqi")
	places, err := Places(w.path("gateway.yaml"), w.env, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range places {
		got = append(got, p.Venue+" "+p.Connector+" "+p.Location.String())
	}
	if want := []string{"one drawer Asia/Shanghai", "two drawer Asia/Urumqi"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	w.edit("venues/two.yaml", "Asia/Urumqi", "Asia/Nowhere")
	but := func(venue string) bool { return venue == "two" }
	if some, err := Places(w.path("gateway.yaml"), w.env, but); err != nil || len(some) != 1 || some[0].Venue != "one" {
		t.Errorf("without one that is left out: %v, %v", some, err)
	}
	if _, err := Places(w.path("gateway.yaml"), w.env, nil); err == nil || !strings.Contains(err.Error(), `two.yaml:5:12: time_zone: "Asia/Nowhere"`) {
		t.Errorf("got %v", err)
	}
}
