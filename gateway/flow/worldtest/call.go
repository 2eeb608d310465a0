package worldtest

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/warmgate/warmgate/gateway/edge/edgetest"
)

// Call is one request. A POST without a Key gets a fresh one; "-" sends none.
type Call struct {
	Method, Path, Token, Key string
	Body                     string
	Header                   map[string]string
	Invalid                  bool // it is meant not to fit the document
}

// Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Body   string
	Took   time.Duration
}

// Into reads the body.
func (w *World) Into(a Answer, v any) {
	w.T.Helper()
	if err := json.Unmarshal([]byte(a.Body), v); err != nil {
		w.T.Fatalf("cannot read %q: %v", a.Body, err)
	}
}

// Problem returns the slug and the field of a problem; "" where the answer is none.
func (a Answer) Problem() (slug, field string) {
	var p struct {
		Type  string `json:"type"`
		Field string `json:"field"`
	}
	if a.Status < 400 || json.Unmarshal([]byte(a.Body), &p) != nil {
		return "", ""
	}
	return strings.TrimPrefix(p.Type, "/problems/"), p.Field
}

// Do sends a call. It may be called from any goroutine.
func (w *World) Do(c Call) Answer {
	r, err := http.NewRequestWithContext(context.Background(), c.Method, w.url+c.Path, strings.NewReader(c.Body))
	if err != nil {
		w.T.Error(err)
		return Answer{}
	}
	if c.Body == "" {
		r.Body = http.NoBody
	} else {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.Token != "" {
		r.Header.Set("Authorization", "Bearer "+c.Token)
	}
	if c.Key == "" {
		c.Key = uuid.NewString()
	}
	if c.Method == http.MethodPost && c.Key != "-" {
		r.Header.Set("Idempotency-Key", `"`+c.Key+`"`)
	}
	for name, value := range c.Header {
		r.Header.Set(name, value)
	}
	if c.Invalid {
		r = edgetest.Invalid(r)
	}
	from := time.Now()
	response, err := w.client.Do(r)
	if err != nil {
		w.T.Error(err)
		return Answer{}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		w.T.Error(err)
	}
	return Answer{Status: response.StatusCode, Header: response.Header, Body: string(body), Took: time.Since(from)}
}
