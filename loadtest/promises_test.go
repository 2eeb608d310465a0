package loadtest_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/warmgate/warmgate/loadtest/runner"
)

// scripts are the journeys' scripts, each with the plans that it makes. guests.js prepares a run, and promises nothing.
func scripts() map[string][]string {
	all := map[string][]string{
		"entry.js": {"scenic-entry"}, "checkin.js": {"hotel-check-in"}, "rooms.js": {"rooms-search"}, "parking.js": {"parking-entry", "parking-exit"},
	}
	all["city.js"] = slices.Concat(slices.Collect(maps.Values(all))...)
	return all
}

// ownPromise is what a search promises beside its budget: how many may have a hotel missing, which is no time.
const ownPromise = "rooms_incomplete"

// TestEveryThresholdIsTheConfigurations: whatever `warmgate check --k6` prints about a script's journeys is what it promises, and it
// promises no more of its own. The promises here are ones that nobody would write down.
func TestEveryThresholdIsTheConfigurations(t *testing.T) {
	given := map[string][]string{}
	for i, plan := range append(scripts()["city.js"], "scenic-exit") {
		given["http_req_duration{journey:"+plan+"}"] = []string{fmt.Sprintf("p(99)<%d", 12_345+i)}
		given["checks{journey:"+plan+"}"] = []string{fmt.Sprintf("rate>0.%d", 777+i)}
	}
	text, err := json.Marshal(given)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "list.json")
	if err := os.WriteFile(file, []byte("[]"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{
		"WARMGATE_URL": "http://127.0.0.1:1", "WARMGATE_TOKEN": "none", "WARMGATE_THRESHOLDS": string(text), "WARMGATE_SPOT": "a", "WARMGATE_GATE": "a", "WARMGATE_TICKETS": file,
		"WARMGATE_HOTEL": "a", "WARMGATE_KIOSK": "a", "WARMGATE_GUESTS": file, "WARMGATE_LOT": "a", "WARMGATE_ENTRY": "a", "WARMGATE_EXIT": "a", "WARMGATE_NEAR": "30,120",
	}
	for script, plans := range scripts() {
		want := map[string][]string{}
		for _, plan := range plans {
			for _, series := range []string{"http_req_duration{journey:" + plan + "}", "checks{journey:" + plan + "}"} {
				want[series] = given[series]
			}
		}
		got, err := runner.Thresholds(t.Context(), runner.Config{Script: script, Env: env})
		if err != nil {
			t.Error(err)
			continue
		}
		if _, is := got[ownPromise]; is != slices.Contains(plans, "rooms-search") {
			t.Errorf("%s: %s is promised: %v", script, ownPromise, is)
		}
		delete(got, ownPromise)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s promises %v, want %v", script, got, want)
		}
		without := maps.Clone(env)
		delete(without, "WARMGATE_THRESHOLDS")
		if _, err := runner.Thresholds(t.Context(), runner.Config{Script: script, Env: without}); err == nil {
			t.Errorf("%s runs without any promise", script)
		}
	}
}

// TestScriptsShareALibraryAndAreExplained: every file of the folder is a script that is known here, the library or its helper; each
// takes what it shares from lib.js, and the README names it.
func TestScriptsShareALibraryAndAreExplained(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*.js")
	if err != nil {
		t.Fatal(err)
	}
	known := append(slices.Sorted(maps.Keys(scripts())), "guests.js", "lib.js")
	slices.Sort(known)
	if !slices.Equal(files, known) {
		t.Errorf("there are %q, known are %q", files, known)
	}
	for script := range scripts() {
		text, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "from './lib.js'") {
			t.Errorf("%s does not take what it shares from lib.js", script)
		}
		if !strings.Contains(string(readme), "loadtest/"+script) {
			t.Errorf("the README does not name %s", script)
		}
	}
}
