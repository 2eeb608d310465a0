// Package edgetest holds what tests send and get against the gateway's OpenAPI document.
package edgetest

import (
	"bytes"
	"context"
	"io"
	"mime"
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/go-json-experiment/json"
)

// Transport is an http.RoundTripper that holds every exchange against an OpenAPI 3.1 document (JSON Schema 2020-12) and
// fails the test where one differs. Safe for concurrent use until the test ends.
type Transport struct {
	t      testing.TB
	doc    *openapi3.T
	router routers.Router
	next   http.RoundTripper
}

// New returns a transport over next (nil: a transport of its own, closed with the test). A document that is not valid
// fails the test at once.
func New(t testing.TB, document []byte, next http.RoundTripper) *Transport {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(document)
	if err != nil {
		t.Fatalf("cannot read the OpenAPI document: %v", err)
	}
	if err := doc.Validate(context.Background(), openapi3.EnableSchemaPatternValidation(), openapi3.EnableExamplesValidation()); err != nil {
		t.Fatalf("the OpenAPI document is not valid: %v", err)
	}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatalf("cannot route by the OpenAPI document: %v", err)
	}
	if next == nil {
		own := &http.Transport{}
		t.Cleanup(own.CloseIdleConnections)
		next = own
	}
	return &Transport{t: t, doc: doc, router: router, next: next}
}

// Hold holds one JSON value, such as the data of an event of a stream, against a schema of the document's components.
func (tr *Transport) Hold(schema, data string) {
	tr.t.Helper()
	ref := tr.doc.Components.Schemas[schema]
	if ref == nil {
		tr.t.Errorf("the OpenAPI document has no schema %s", schema)
		return
	}
	var value any
	err := json.Unmarshal([]byte(data), &value)
	if err == nil {
		err = ref.Value.VisitJSON(value, openapi3.EnableJSONSchema2020())
	}
	if err != nil {
		tr.t.Errorf("%s differs from the schema %s of the OpenAPI document: %v", data, schema, err)
	}
}

type invalidKey struct{}

// Invalid marks a request that is meant to be wrong: only its answer is held against the document, and a path or a
// method that the document doesn't have is not a mistake of the test.
func Invalid(r *http.Request) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), invalidKey{}, true))
}

// RoundTrip sends the request and reports each difference from the document as a failure of the test. The answer's body
// is read whole, unless it is a stream.
func (tr *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	tr.t.Helper()
	invalid := r.Context().Value(invalidKey{}) != nil
	body, err := readBody(r)
	if err != nil {
		return nil, err
	}
	input, known := tr.input(r, body)
	if !known && !invalid {
		tr.t.Errorf("%s %s is not in the OpenAPI document", r.Method, r.URL.Path)
	}
	if known && !invalid {
		if err := openapi3filter.ValidateRequest(r.Context(), input); err != nil {
			tr.t.Errorf("request %s %s differs from the OpenAPI document: %v", r.Method, r.URL.Path, err)
		}
	}
	response, err := tr.next.RoundTrip(r)
	if err != nil || !known {
		return response, err
	}
	return response, tr.hold(input, response)
}

// readBody returns the request's body and leaves a fresh one in its place.
func readBody(r *http.Request) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body, nil
}

// input finds the operation of a request; the validation works on a copy of it.
func (tr *Transport) input(r *http.Request, body []byte) (*openapi3filter.RequestValidationInput, bool) {
	held := r.Clone(r.Context())
	held.Body = io.NopCloser(bytes.NewReader(body))
	if body == nil {
		held.Body = http.NoBody
	}
	if held.Method == http.MethodHead {
		held.Method = http.MethodGet
	}
	route, params, err := tr.router.FindRoute(held)
	if err != nil {
		return nil, false
	}
	return &openapi3filter.RequestValidationInput{
		Request: held, PathParams: params, Route: route,
		Options: &openapi3filter.Options{
			IncludeResponseStatus:             true,
			RejectWhenRequestBodyNotSpecified: true,
			SkipSettingDefaults:               true,
			AuthenticationFunc:                openapi3filter.NoopAuthenticationFunc,
			SchemaValidationOptions:           []openapi3.SchemaValidationOption{openapi3.EnableJSONSchema2020()},
		},
	}, true
}

// hold holds an answer against the operation.
func (tr *Transport) hold(input *openapi3filter.RequestValidationInput, response *http.Response) error {
	tr.t.Helper()
	media, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	options := *input.Options
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: input, Status: response.StatusCode,
		Header: response.Header, Options: &options}
	options.ExcludeResponseBody = !isJSON(media) || response.Request.Method == http.MethodHead
	if media != "text/event-stream" {
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil {
			return err
		}
		response.Body = io.NopCloser(bytes.NewReader(body))
		out.SetBodyBytes(body)
	}
	if err := openapi3filter.ValidateResponse(input.Request.Context(), out); err != nil {
		tr.t.Errorf("answer %d to %s %s differs from the OpenAPI document: %v", response.StatusCode, input.Request.Method, input.Request.URL.Path, err)
	}
	if !tr.declares(input, response.StatusCode, media) {
		tr.t.Errorf("answer %d to %s %s: the OpenAPI document has no %q there", response.StatusCode, input.Request.Method, input.Request.URL.Path, media)
	}
	return nil
}

// declares reports whether the document has the media type for the status. A status without content has none.
func (tr *Transport) declares(input *openapi3filter.RequestValidationInput, status int, media string) bool {
	responses := input.Route.Operation.Responses
	r := responses.Status(status)
	if r == nil {
		r = responses.Default()
	}
	if r == nil || r.Value == nil {
		return false
	}
	return len(r.Value.Content) == 0 || r.Value.Content.Get(media) != nil
}

func isJSON(media string) bool {
	return media == "application/json" || strings.HasSuffix(media, "+json")
}
