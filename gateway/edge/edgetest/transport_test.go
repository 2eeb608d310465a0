package edgetest

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

const document = `{"openapi":"3.1.0","info":{"title":"t","version":"1"},"paths":{"/things/{id}":{"post":{
	"parameters":[{"name":"id","in":"path","required":true,"schema":{"type":"string"}},{"name":"Key","in":"header","required":true,"schema":{"type":"string"}}],
	"requestBody":{"required":true,"content":{"application/json":{"schema":{"type":"object","additionalProperties":false,"properties":{"n":{"type":"integer"}}}}}},
	"responses":{"201":{"description":"made","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Made"}}}}}}}},
	"components":{"schemas":{"Made":{"type":"object","required":["a"],"additionalProperties":false,"properties":{"a":{"const":"b"}}}}}}`

// told is a test that only takes note of its failures.
type told struct {
	testing.TB
	errors []string
}

func (t *told) Errorf(format string, args ...any) {
	t.errors = append(t.errors, fmt.Sprintf(format, args...))
}

func (t *told) Helper() {}

// answers is a server that always says the same.
type answers struct {
	status      int
	media, body string
}

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: a.status, Header: http.Header{"Content-Type": {a.media}}, Request: r,
		Body: io.NopCloser(strings.NewReader(a.body))}, nil
}

var good = answers{201, "application/json", `{"a":"b"}`}

// TestTransportTells holds that each way to differ from the document fails the test, and the right exchange doesn't.
func TestTransportTells(t *testing.T) {
	for _, c := range []struct {
		name, path, key, body string
		server                answers
		invalid               bool
		fails                 string
	}{
		{"right", "/things/1", "k", `{"n":1}`, good, false, ""},
		{"unknown path", "/other", "k", `{"n":1}`, good, false, "is not in the OpenAPI document"},
		{"unknown path on purpose", "/other", "k", `{"n":1}`, good, true, ""},
		{"missing header", "/things/1", "", `{"n":1}`, good, false, "request POST /things/1 differs"},
		{"wrong body", "/things/1", "k", `{"n":"x"}`, good, false, "request POST /things/1 differs"},
		{"unknown field", "/things/1", "k", `{"m":1}`, good, false, "request POST /things/1 differs"},
		{"wrong body on purpose", "/things/1", "k", `{"n":"x"}`, good, true, ""},
		{"answer without its member", "/things/1", "k", `{"n":1}`, answers{201, "application/json", `{}`}, false, "answer 201"},
		{"answer against 2020-12", "/things/1", "k", `{"n":1}`, answers{201, "application/json", `{"a":"c"}`}, false, "answer 201"},
		{"unknown member, request wrong on purpose", "/things/1", "k", `{}`, answers{201, "application/json", `{"a":"b","c":1}`}, true, "answer 201"},
		{"unknown status", "/things/1", "k", `{"n":1}`, answers{418, "application/json", `{"a":"b"}`}, false, "answer 418"},
		{"unknown media type", "/things/1", "k", `{"n":1}`, answers{201, "text/plain", `b`}, false, "answer 201"},
	} {
		note := &told{TB: t}
		transport := New(note, []byte(document), c.server)
		r, err := http.NewRequest("POST", "http://gateway"+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		if c.key != "" {
			r.Header.Set("Key", c.key)
		}
		if c.invalid {
			r = Invalid(r)
		}
		response, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err != nil || string(body) != c.server.body {
			t.Errorf("%s: the caller reads %q (%v)", c.name, body, err)
		}
		got := strings.Join(note.errors, "\n")
		if (c.fails == "") != (got == "") || !strings.Contains(got, c.fails) {
			t.Errorf("%s: told %q, want %q", c.name, got, c.fails)
		}
	}
}

func TestHoldTells(t *testing.T) {
	for _, c := range []struct{ schema, data, fails string }{
		{"Made", `{"a":"b"}`, ""}, {"Made", `{"a":"c"}`, "differs from the schema Made"}, {"Made", `{"a":"b","c":1}`, "differs"},
		{"Made", `{`, "differs"}, {"Other", `{}`, "has no schema Other"},
	} {
		note := &told{TB: t}
		New(note, []byte(document), good).Hold(c.schema, c.data)
		if got := strings.Join(note.errors, "\n"); (c.fails == "") != (got == "") || !strings.Contains(got, c.fails) {
			t.Errorf("%s: told %q, want %q", c.data, got, c.fails)
		}
	}
}
