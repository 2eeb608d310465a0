package octo

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/warmgate/warmgate/backends/twin"
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
	takes        string   // the media type of its body; "": none
	redemption   bool
	serve        func(*Twin, *twinRequest, string) (any, *twinProblem)
}

func twinRoutes() []twinRoute {
	return []twinRoute{
		{method: "GET", path: "/products/", serve: (*Twin).getProducts},
		{method: "GET", path: "/products/{}", serve: (*Twin).getProduct},
		{method: "POST", path: "/availability/", takes: twin.JSON, serve: (*Twin).postAvailability},
		{method: "GET", path: "/bookings/", query: []string{"resellerReference", "supplierReference", "localDate",
			"localDateStart", "localDateEnd", "productId", "optionId"}, serve: (*Twin).getBookings},
		{method: "GET", path: "/bookings/{}", serve: (*Twin).getBooking},
		{method: "POST", path: "/bookings/{}/confirm", takes: twin.JSON, serve: (*Twin).postConfirm},
		{method: "POST", path: "/bookings/{}/cancel", takes: twin.JSON, serve: (*Twin).postCancel},
		{method: "GET", path: "/redemption/lookup", query: []string{"reference"}, redemption: true, serve: (*Twin).getLookup},
		{method: "POST", path: "/redemption/redeem", takes: twin.JSON, redemption: true, serve: (*Twin).postRedeem},
		{method: "DELETE", path: "/redemption/redeem", takes: twin.JSON, redemption: true, serve: (*Twin).deleteRedeem},
		{method: "POST", path: "/redemption/validate", takes: twin.JSON, redemption: true, serve: (*Twin).postValidate},
	}
}

// ServeHTTP answers one OCTO request.
func (t *Twin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	routes := twinRoutes()
	for i := range routes {
		route := &routes[i]
		args, ok := twin.Match(route.path, r.URL.Path)
		if !ok || r.Method != route.method {
			continue
		}
		out, problem := t.handle(route, r, strings.Join(args, "")) // one, or none
		if problem != nil {
			writeProblem(w, problem)
			return
		}
		if names(r.Header.Get("Octo-Capabilities"), capability) {
			w.Header().Set("Octo-Capabilities", capability)
		} else {
			w.Header().Set("Octo-Capabilities", "")
		}
		twin.WriteJSON(w, http.StatusOK, twin.JSON, out)
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
	req.by = twin.By(r.Header.Get("Traceparent"), t.requests)
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
	if err := twin.CheckDeadline(r.Header); err != nil {
		return nil, badRequest("%v", err)
	}
	query, err := twin.ReadQuery(r.URL, route.query...)
	if err != nil {
		return nil, badRequest("%v", err)
	}
	body, err := twin.ReadBody(r, route.takes)
	if err != nil {
		return nil, badRequest("%v", err)
	}
	return &twinRequest{Request: r, body: body, query: query, now: t.now()}, nil
}

// strict decodes a request body: a JSON object without unknown or duplicate members, each of its own type.
func (r *twinRequest) strict(out any) *twinProblem {
	if _, err := twin.ReadObject(r.body, out); err != nil {
		return badRequest("%v", err)
	}
	return nil
}

func writeProblem(w http.ResponseWriter, p *twinProblem) {
	out := map[string]any{"error": p.code, "errorMessage": p.message}
	maps.Copy(out, p.extra)
	twin.WriteJSON(w, p.status, twin.JSON, out)
}
