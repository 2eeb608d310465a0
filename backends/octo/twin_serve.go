package octo

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// twinRequest is a request that has passed the checks that all have in common.
type twinRequest struct {
	*http.Request
	body  []byte
	query url.Values
	by    string // who had the effect, for the books
	now   time.Time
}

// twinProblem is an OCTO error.
type twinProblem struct {
	status  int
	code    string
	message string
	extra   map[string]any
}

func badRequest(format string, args ...any) *twinProblem {
	return &twinProblem{http.StatusBadRequest, CodeBadRequest, fmt.Sprintf(format, args...), nil}
}

func unprocessable(format string, args ...any) *twinProblem {
	return &twinProblem{http.StatusBadRequest, CodeUnprocessable, fmt.Sprintf(format, args...), nil}
}

func (p *twinProblem) with(name string, v any) *twinProblem {
	p.extra = map[string]any{name: v}
	return p
}

// twinRoute is one operation: its path with {} for a segment, and what it needs.
type twinRoute struct {
	method, path string
	query        []string // the parameters it knows
	hasBody      bool
	redemption   bool
	serve        func(*Twin, *twinRequest, string) (any, *twinProblem)
}

func twinRoutes() []twinRoute {
	return []twinRoute{
		{method: "GET", path: "/products/", serve: (*Twin).getProducts},
		{method: "GET", path: "/products/{}", serve: (*Twin).getProduct},
		{method: "POST", path: "/availability/", hasBody: true, serve: (*Twin).postAvailability},
		{method: "GET", path: "/bookings/", query: []string{"resellerReference", "supplierReference", "localDate",
			"localDateStart", "localDateEnd", "productId", "optionId"}, serve: (*Twin).getBookings},
		{method: "GET", path: "/bookings/{}", serve: (*Twin).getBooking},
		{method: "POST", path: "/bookings/{}/confirm", hasBody: true, serve: (*Twin).postConfirm},
		{method: "POST", path: "/bookings/{}/cancel", hasBody: true, serve: (*Twin).postCancel},
		{method: "GET", path: "/redemption/lookup", query: []string{"reference"}, redemption: true, serve: (*Twin).getLookup},
		{method: "POST", path: "/redemption/redeem", hasBody: true, redemption: true, serve: (*Twin).postRedeem},
		{method: "DELETE", path: "/redemption/redeem", hasBody: true, redemption: true, serve: (*Twin).deleteRedeem},
		{method: "POST", path: "/redemption/validate", hasBody: true, redemption: true, serve: (*Twin).postValidate},
	}
}

// match returns the path's segment for {}, "" when the route has none.
func (r *twinRoute) match(method, path string) (string, bool) {
	before, after, hasArg := strings.Cut(r.path, "{}")
	if method != r.method {
		return "", false
	}
	if !hasArg {
		return "", path == r.path
	}
	arg, ok := strings.CutPrefix(path, before)
	if ok {
		arg, ok = strings.CutSuffix(arg, after)
	}
	return arg, ok && arg != "" && !strings.Contains(arg, "/")
}

// ServeHTTP answers one OCTO request.
func (t *Twin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	routes := twinRoutes()
	for i := range routes {
		route := &routes[i]
		arg, ok := route.match(r.Method, r.URL.Path)
		if !ok {
			continue
		}
		out, problem := t.handle(route, r, arg)
		if problem != nil {
			writeProblem(w, problem)
			return
		}
		if names(r.Header.Get("Octo-Capabilities"), capability) {
			w.Header().Set("Octo-Capabilities", capability)
		} else {
			w.Header().Set("Octo-Capabilities", "")
		}
		writeJSON(w, http.StatusOK, out)
		return
	}
	writeProblem(w, &twinProblem{http.StatusNotFound, CodeBadRequest, "this supplier has no such operation", nil})
}

func (t *Twin) handle(route *twinRoute, r *http.Request, arg string) (any, *twinProblem) {
	req, problem := t.admit(route, r)
	if problem != nil {
		return nil, problem
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.requests++
	req.by = r.Header.Get("Traceparent")
	if req.by == "" || len(req.by) > 64 {
		req.by = strconv.FormatUint(t.requests, 10)
	}
	return route.serve(t, req, arg)
}

// admit checks what every operation demands: credential, capabilities, media type, query, deadline.
func (t *Twin) admit(route *twinRoute, r *http.Request) (*twinRequest, *twinProblem) {
	key, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case !bearer:
		return nil, &twinProblem{http.StatusUnauthorized, CodeUnauthorized, "a bearer credential is needed", nil}
	case key != t.cfg.APIKey:
		return nil, &twinProblem{http.StatusForbidden, CodeForbidden, "this credential is not known", nil}
	case r.Header.Values("Octo-Capabilities") == nil:
		return nil, badRequest("the header Octo-Capabilities is needed")
	case route.redemption && !names(r.Header.Get("Octo-Capabilities"), capability):
		return nil, badRequest("the header Octo-Capabilities does not ask for %s", capability)
	}
	if left := r.Header.Get("X-Request-Timeout-Ms"); left != "" {
		if ms, err := strconv.Atoi(left); err != nil || ms < 1 {
			return nil, badRequest("the header X-Request-Timeout-Ms is not a positive number of milliseconds")
		}
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, badRequest("the query is malformed")
	}
	for name, values := range query {
		if !slices.Contains(route.query, name) || len(values) != 1 || values[0] == "" {
			return nil, badRequest("the query parameter %s is unknown, empty or repeated", name)
		}
	}
	body, err := io.ReadAll(r.Body)
	switch {
	case err != nil:
		return nil, badRequest("the body is cut off")
	case !route.hasBody && len(body) > 0:
		return nil, badRequest("this operation takes no body")
	case route.hasBody:
		if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
			return nil, badRequest("the Content-Type is not application/json")
		}
	}
	return &twinRequest{Request: r, body: body, query: query, now: t.now()}, nil
}

// strict decodes a request body: a JSON object without unknown or duplicate members, each of its own type.
func (r *twinRequest) strict(out any) *twinProblem {
	err := json.Unmarshal(r.body, out, json.RejectUnknownMembers(true))
	if wrong, ok := errors.AsType[*json.SemanticError](err); ok {
		return badRequest("the body does not fit the schema at %s", wrong.JSONPointer)
	}
	if err != nil || !strings.HasPrefix(strings.TrimLeft(string(r.body), " \t\r\n"), "{") {
		return badRequest("the body is not one JSON object without duplicate members")
	}
	return nil
}

func writeProblem(w http.ResponseWriter, p *twinProblem) {
	out := map[string]any{"error": p.code, "errorMessage": p.message}
	maps.Copy(out, p.extra)
	writeJSON(w, p.status, out)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		http.Error(w, "the twin cannot write its answer", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
