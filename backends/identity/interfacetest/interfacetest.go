// Package interfacetest keeps docs/interfaces.md true: its examples are what the twins said, and not what somebody meant.
package interfacetest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Recorder stands between a client and a twin and writes down what they say.
type Recorder struct {
	URL string // where it listens

	mu   sync.Mutex
	last string
}

// Record serves twin on a socket until the test ends.
func Record(t *testing.T, twin http.Handler) *Recorder {
	t.Helper()
	r := &Recorder{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		q.Body = io.NopCloser(bytes.NewReader(body))
		answer := httptest.NewRecorder()
		twin.ServeHTTP(answer, q)
		r.mu.Lock()
		r.last = fmt.Sprintf("%s %s\nAuthorization: Bearer …\nX-Request-Timeout-Ms: 800\n%s\n%d %s\n%s", q.Method, q.URL.Path, pretty(body),
			answer.Code, http.StatusText(answer.Code), pretty(answer.Body.Bytes()))
		r.mu.Unlock()
		w.Header().Set("Content-Type", answer.Header().Get("Content-Type"))
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	}))
	t.Cleanup(server.Close)
	r.URL = server.URL
	return r
}

// Last returns the last exchange.
func (r *Recorder) Last() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

// picture is base64 that nobody reads.
var picture = regexp.MustCompile(`"/9j/[A-Za-z0-9+/=]{32,}"`)

func pretty(body []byte) string {
	if len(body) == 0 {
		return ""
	}
	v := jsontext.Value(bytes.Clone(body))
	if err := v.Indent(jsontext.WithIndent("  ")); err != nil {
		return string(body)
	}
	return picture.ReplaceAllString("\n"+string(v)+"\n", `"/9j/…"`)
}

// Hold compares text with the example of that name in a document: the fenced block after a line that is an HTML comment with the
// name. An example that is not there is written, to be looked at and kept.
func Hold(t *testing.T, document, name, text string) {
	t.Helper()
	page, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	mark := "<!-- " + name + " -->\n"
	before, after, ok := strings.Cut(string(page), mark)
	if !ok {
		t.Errorf("%s has no example %s", document, name)
		return
	}
	want := "```http\n" + text + "```\n"
	if strings.HasPrefix(after, want) {
		return
	}
	if strings.HasPrefix(after, "```") {
		t.Errorf("the example %s has changed to:\n%s", name, want)
		return
	}
	t.Errorf("the example %s was missing and is written anew", name)
	if err := os.WriteFile(document, []byte(before+mark+want+after), 0o600); err != nil { //nolint:gosec // a document of this repository, named by its test
		t.Error(err)
	}
}

// Names reports the words that a document does not have between backticks.
func Names(t *testing.T, document string, words ...string) {
	t.Helper()
	page, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range words {
		if !strings.Contains(string(page), "`"+w+"`") {
			t.Errorf("%s does not name %s", document, w)
		}
	}
}

// Members returns the names of v's members as they are on the wire.
func Members(t *testing.T, v any) (names []string) {
	t.Helper()
	body, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]jsontext.Value
	if err := json.Unmarshal(body, &m); err != nil {
		t.Fatal(err)
	}
	for name := range m {
		names = append(names, name)
	}
	return names
}
