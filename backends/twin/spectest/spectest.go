// Package spectest holds what a client and a twin say to each other against a published OpenAPI document. Tests alone use it.
package spectest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// Base is the address that the documents' servers must be under.
const Base = "http://spec.example"

// Judge holds exchanges against documents and counts them. It is safe for concurrent use.
type Judge struct {
	t testing.TB

	mu   sync.Mutex
	seen map[string]int
}

// NewJudge returns a judge that has seen nothing; what does not fit fails t.
func NewJudge(t testing.TB) *Judge { return &Judge{t: t, seen: map[string]int{}} }

// Count counts something that was held against a document.
func (j *Judge) Count(what string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.seen[what]++
}

// Want fails the test for each of these that was never counted: an operation is "GET /rooms/{id}".
func (j *Judge) Want(all ...string) {
	j.t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, what := range all {
		if j.seen[what] == 0 {
			j.t.Errorf("%s was not held against what is published", what)
		}
	}
}

// Hold holds an exchange against a document and counts its operation; false: the document has no such operation.
func (j *Judge) Hold(document routers.Router, r *http.Request, answer *httptest.ResponseRecorder) bool {
	at := r.Clone(context.Background())
	at.URL, _ = url.Parse(Base + r.URL.RequestURI())
	at.Host = at.URL.Host
	route, params, err := document.FindRoute(at)
	if err != nil {
		return false
	}
	in := &openapi3filter.RequestValidationInput{Request: at, PathParams: params, Route: route, Options: &openapi3filter.Options{
		AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, MultiError: true}}
	if err := openapi3filter.ValidateRequest(context.Background(), in); err != nil {
		j.t.Errorf("request %s %s: %.800v", r.Method, route.Path, err)
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: answer.Code, Header: answer.Header(),
		Options: &openapi3filter.Options{MultiError: true, IncludeResponseStatus: true}}
	out.SetBodyBytes(answer.Body.Bytes())
	if err := openapi3filter.ValidateResponse(context.Background(), out); err != nil {
		j.t.Errorf("answer %d to %s %s: %.800v\n%.400s", answer.Code, r.Method, route.Path, err, answer.Body)
	}
	j.Count(r.Method + " " + route.Path)
	return true
}

// HoldJSON holds a value against a schema of a document; what says where the value is from.
func (j *Judge) HoldJSON(schema *openapi3.Schema, what string, value any) {
	if err := schema.VisitJSON(value, openapi3.MultiErrors()); err != nil {
		j.t.Errorf("%s: %.800v", what, err)
	}
}
