package runner_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/warmgate/warmgate/loadtest/runner"
)

// gates stands in for the gateway: it opens for each ticket once, and notes what does not look like an entry.
type gates struct {
	t  *testing.T
	mu sync.Mutex
	// seen values, each of which must be new
	keys, scans, tickets map[string]bool
	byGate               map[string]int
	refuse               bool
}

func newGates(t *testing.T) *gates {
	return &gates{t: t, keys: map[string]bool{}, scans: map[string]bool{}, tickets: map[string]bool{}, byGate: map[string]int{}}
}

var keySyntax = regexp.MustCompile(`^"[a-z0-9-]+"$`)

func (g *gates) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r.Method != http.MethodPost || r.URL.String() != "/v1/attractions/west-lake/entries" {
		g.t.Errorf("got %s %s", r.Method, r.URL)
	}
	if got := r.Header.Get("Authorization"); got != "Bearer the-token" {
		g.t.Errorf("Authorization: %s", got)
	}
	if got := r.Header.Get("Content-Type"); got != "application/json" {
		g.t.Errorf("Content-Type: %s", got)
	}
	key := r.Header.Get("Idempotency-Key")
	if !keySyntax.MatchString(key) {
		g.t.Errorf("Idempotency-Key: %s is no RFC 8941 string", key)
	}
	var body struct {
		Gate   string `json:"gate"`
		ScanID string `json:"scan_id"`
		Ticket struct {
			Code string `json:"code"`
		} `json:"ticket"`
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&body); err != nil || body.ScanID == "" {
		g.t.Errorf("body: %+v, %v", body, err)
	}
	for value, seen := range map[string]map[string]bool{key: g.keys, body.ScanID: g.scans, body.Ticket.Code: g.tickets} {
		if seen[value] {
			g.t.Errorf("%q came twice", value)
		}
		seen[value] = true
	}
	g.byGate[body.Gate]++
	g.answer(w)
}

func (g *gates) answer(w http.ResponseWriter) {
	if g.refuse {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusConflict)
		_, _ = w.Write([]byte(`{"type":"/problems/ticket-used"}`))
		return
	}
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write([]byte(`{"sources":[]}`))
}

const promises = `{"http_req_duration{journey:scenic-entry}":["p(99)<5000"],"checks{journey:scenic-entry}":["rate>0.99"],` +
	`"http_req_duration{journey:rooms-search}":["p(99)<1"]}`

// entry runs loadtest/entry.js against g.
func entry(t *testing.T, g *gates, env map[string]string) (*runner.Summary, error) {
	t.Helper()
	srv := httptest.NewServer(g)
	defer srv.Close()
	all := map[string]string{
		"WARMGATE_URL": srv.URL + "/", "WARMGATE_TOKEN": "the-token", "WARMGATE_THRESHOLDS": promises,
		"WARMGATE_SPOT": "west-lake", "WARMGATE_GATE": "north,south", "WARMGATE_TICKETS": "T-{n}",
	}
	maps.Copy(all, env)
	return runner.Run(t.Context(), runner.Config{
		Script: "../entry.js", Env: all, Scale: runner.Scale{Rate: 2, Duration: 500 * time.Millisecond},
	})
}

func TestEntryScript(t *testing.T) {
	g := newGates(t)
	sum, err := entry(t, g, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := sum.Err(); err != nil {
		t.Error(err)
	}
	if got := len(sum.Thresholds); got != 2 {
		t.Errorf("%d thresholds, want the journey's own two", got)
	}
	if len(g.tickets) < 45 || len(g.byGate) != 2 {
		t.Errorf("%d tickets at the gates %v; want most of the 50 of half a second at 100/s, at two gates", len(g.tickets), g.byGate)
	}
	if !strings.Contains(sum.Outputs["stdout"], "kept  rate>0.99") {
		t.Errorf("summary: %s", sum.Outputs["stdout"])
	}
}

func TestEntryScriptWithFiles(t *testing.T) {
	dir := t.TempDir()
	list := make([]string, 60)
	for i := range list {
		list[i] = "L-" + strings.Repeat("x", i)
	}
	text, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{}
	for name, content := range map[string]string{"WARMGATE_TICKETS": string(text), "WARMGATE_THRESHOLDS": promises} {
		env[name] = filepath.Join(dir, name+".json")
		if err := os.WriteFile(env[name], []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	g := newGates(t)
	sum, err := entry(t, g, env)
	if err != nil {
		t.Fatal(err)
	}
	if err := sum.Err(); err != nil {
		t.Error(err)
	}
	if !g.tickets["L-"] || !g.tickets["L-x"] {
		t.Errorf("the first tickets of the list were not shown: %v", g.tickets)
	}
	env["WARMGATE_RATE"] = "100"
	if _, err := entry(t, newGates(t), env); err == nil || !strings.Contains(err.Error(), "WARMGATE_TICKETS has 60 tickets") {
		t.Errorf("after the last ticket: got %v", err)
	}
}

func TestEntryScriptReportsRefusals(t *testing.T) {
	g := newGates(t)
	g.refuse = true
	sum, err := entry(t, g, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := sum.Err(); err == nil || !strings.Contains(err.Error(), "checks{journey:scenic-entry}") {
		t.Errorf("a closed gate crosses no threshold: %v", err)
	}
	if got := sum.Metrics["problems"].Values["count"]; got == 0 || got != sum.Metrics["http_reqs"].Values["count"] {
		t.Errorf("%v problems", got)
	}
}

func TestEntryScriptNamesWhatIsNotSet(t *testing.T) {
	for _, name := range []string{
		"WARMGATE_URL", "WARMGATE_TOKEN", "WARMGATE_THRESHOLDS", "WARMGATE_SPOT", "WARMGATE_GATE", "WARMGATE_TICKETS",
	} {
		_, err := entry(t, newGates(t), map[string]string{name: ""})
		if err == nil || !strings.Contains(err.Error(), name+" is not set") {
			t.Errorf("without %s: got %v", name, err)
		}
	}
	_, err := entry(t, newGates(t), map[string]string{"WARMGATE_THRESHOLDS": `{"checks{journey:other}":["rate>0"]}`})
	if err == nil || !strings.Contains(err.Error(), "promises nothing about scenic-entry") {
		t.Errorf("without a promise: got %v", err)
	}
}
