// Package loadtest_test runs the k6 scripts of this folder against a whole gateway.
package loadtest_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/octo"
	"github.com/warmgate/warmgate/flows"
	"github.com/warmgate/warmgate/flows/flowtest"
	"github.com/warmgate/warmgate/gateway/serve"
	"github.com/warmgate/warmgate/loadtest/runner"
)

// TestEntryScript runs the script for scenic entry against a whole gateway, under the thresholds of its configuration.
func TestEntryScript(t *testing.T) {
	all, err := flows.All()
	if err != nil {
		t.Fatal(err)
	}
	c := flowtest.Start(t, all, flowtest.Spot{ID: "west-lake"})
	const rate, visitors = 30, 90
	made, err := c.Tickets["west-lake"].Issue(octo.Want{Count: visitors})
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, m := range made {
		codes = append(codes, m.Units[0].Code)
	}
	run := func(gates, thresholds string) (*runner.Summary, error) {
		t.Helper()
		list, err := json.Marshal(codes)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "tickets.json")
		if err := os.WriteFile(file, list, 0o600); err != nil {
			t.Fatal(err)
		}
		return runner.Run(t.Context(), runner.Config{
			Script: "entry.js", Scale: runner.Scale{Duration: lasting()},
			Env: map[string]string{
				"WARMGATE_URL": c.URL, "WARMGATE_TOKEN": c.Token("gate", "scenic:gate"), "WARMGATE_THRESHOLDS": thresholds,
				"WARMGATE_SPOT": "west-lake", "WARMGATE_GATE": gates, "WARMGATE_TICKETS": file, "WARMGATE_RATE": "30",
			},
		})
	}
	promised := thresholds(t, c)
	good, err := run("north-1,south-1", promised)
	if err != nil {
		t.Fatal(err)
	}
	if err := good.Err(); err != nil {
		t.Errorf("a good run crossed a threshold: %v", err)
	}
	if n := len(c.Tickets["west-lake"].ReadBooks().Redemptions); n < halfOf(rate) {
		t.Errorf("ticketing knows of %d redemptions, the script let in more than %d", n, halfOf(rate))
	}
	used, err := run("south-1,north-1", promised) // the same tickets at other gates let nobody in
	if err != nil {
		t.Fatal(err)
	}
	if err := used.Err(); err == nil || !strings.Contains(err.Error(), "checks") {
		t.Errorf("a run without an open gate crossed no threshold: %v", err)
	}
}

// lasting is how long a script runs: half as long in the short form.
func lasting() time.Duration {
	if testing.Short() {
		return time.Second
	}
	return 2 * time.Second
}

// halfOf is half of what begins at a rate while a script runs: so much has come through for certain.
func halfOf(rate int) int { return int(lasting().Seconds()) * rate / 2 }

// thresholds is what `warmgate check --k6` prints for the gateway's configuration.
func thresholds(t *testing.T, c *flowtest.City) string {
	t.Helper()
	g, err := serve.Check(filepath.Join(c.Folder, "gateway.yaml"), c.Flows(), c.Env(), true)
	if err != nil {
		t.Fatal(err)
	}
	var s strings.Builder
	if err := g.WriteThresholds(&s); err != nil {
		t.Fatal(err)
	}
	return s.String()
}
