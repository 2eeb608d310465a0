package runner_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/warmgate/warmgate/loadtest/runner"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// target is what the scripts of testdata call.
func target(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(map[string]any{
			"method": r.Method, "body": string(body), "headers": r.Header, "query": r.URL.RawQuery, "host": r.Host,
		}); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("/status/{status}", func(w http.ResponseWriter, r *http.Request) {
		status, err := strconv.Atoi(r.PathValue("status"))
		if err != nil {
			t.Error(err)
		}
		w.WriteHeader(status)
	})
	mux.HandleFunc("/redirect", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/status/204", http.StatusFound)
	})
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://gateway.example/", http.StatusFound)
	})
	mux.HandleFunc("/close", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	mux.HandleFunc("/hang", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv.URL
}

// scripts are the files of a folder of testdata, each with what its first line wants.
func scripts(t *testing.T, folder string) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", folder, "*.js"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scripts in %s: %v", folder, err)
	}
	wants := map[string]string{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		first, _, _ := strings.Cut(string(text), "\n")
		wants[path], _ = strings.CutPrefix(first, "// want: ")
	}
	return wants
}

func TestScriptsThatWork(t *testing.T) {
	url := target(t)
	for path := range scripts(t, "works") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			sum, err := runner.Run(t.Context(), runner.Config{Script: path, Env: map[string]string{"URL": url}})
			if err != nil {
				t.Fatal(err)
			}
			if err := sum.Err(); err != nil {
				t.Error(err)
			}
			if len(sum.Thresholds) == 0 {
				t.Error("the script judges nothing")
			}
		})
	}
}

func TestScriptsThatAreBroken(t *testing.T) {
	url := target(t)
	for path, want := range scripts(t, "broken") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			_, err := runner.Run(t.Context(), runner.Config{Script: path, Env: map[string]string{"URL": url}})
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
}

func TestThresholdsThatAreCrossed(t *testing.T) {
	url := target(t)
	for path, want := range scripts(t, "crossed") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			sum, err := runner.Run(t.Context(), runner.Config{Script: path, Env: map[string]string{"URL": url}})
			if err != nil {
				t.Fatal(err)
			}
			if err := sum.Err(); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
}

func TestTheScriptsOwnSummary(t *testing.T) {
	sum, err := runner.Run(t.Context(), runner.Config{Script: "testdata/works/metrics.js"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := sum.Outputs["stdout"], `["default","time","counter",7,1.5]`; got != want {
		t.Errorf("stdout: got %s, want %s", got, want)
	}
	if got := sum.Outputs["kept.json"]; !strings.Contains(got, `"count==7":{"ok":true}`) {
		t.Errorf("kept.json: got %s", got)
	}
	if _, err := os.Stat("testdata/works/kept.json"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file was written: %v", err)
	}
}

func TestChecksAreCountedByGroup(t *testing.T) {
	sum, err := runner.Run(t.Context(), runner.Config{Script: "testdata/works/core.js"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[runner.Check]bool{
		{Group: "::outer::inner", Name: "always", Passes: 4}: true, {Name: "even", Passes: 8}: true,
		{Name: "bare", Passes: 8}: true, {Name: "odd", Fails: 4}: true, {Name: "more", Passes: 4}: true, {Name: "most", Passes: 4}: true,
	}
	for _, c := range sum.Checks {
		if !want[c] {
			t.Errorf("unexpected %+v", c)
		}
		delete(want, c)
	}
	if len(want) > 0 {
		t.Errorf("missing %v", want)
	}
}

func TestARunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errors.New("the test is over"))
	defer cancel()
	path := script(t, `export const options = { duration: '1h' };
export default () => { for (;;); };`)
	_, err := runner.Run(ctx, runner.Config{Script: path})
	if err == nil || !strings.Contains(err.Error(), "the test is over") {
		t.Errorf("got %v", err)
	}
}

// script writes one for a single test.
func script(t *testing.T, source string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "script.js")
	if err := os.WriteFile(path, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
