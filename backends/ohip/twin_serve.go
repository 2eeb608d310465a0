package ohip

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/warmgate/warmgate/backends/twin"
)

// twinRequest is a request that has passed the checks that all have in common.
type twinRequest struct {
	*http.Request
	id    string // the path's reservation
	body  []byte
	query url.Values
	by    string // who had the effect, for the books
	now   time.Time
}

// twinProblem is an OHIP error.
type twinProblem struct {
	status int
	code   string
	detail string
	path   string // where in the request; "" when it has no place
}

func refuse(status int, code, format string, args ...any) *twinProblem {
	return &twinProblem{status: status, code: code, detail: fmt.Sprintf(format, args...)}
}

// unfit is what does not fit the schema.
func unfit(path, format string, args ...any) *twinProblem {
	p := refuse(http.StatusBadRequest, standInInput, format, args...)
	p.path = path
	return p
}

// twinRoute is one operation: its path below the hotel, {} for the reservation, and what it takes.
type twinRoute struct {
	method, module, path string
	query                map[string]func(string) bool
	takes                string // the media type of its body; "": none
	serve                func(*Twin, *twinRequest) (int, any, *twinProblem)
}

func twinRoutes() []twinRoute {
	const one = "/reservations/{}"
	return []twinRoute{
		{method: "GET", module: "rsv", path: "/reservations", query: searchParameters(), serve: (*Twin).getReservations},
		{method: "POST", module: "rsv", path: "/reservations", takes: twin.JSON, serve: (*Twin).postReservation},
		{method: "POST", module: "rsv", path: one + "/cancellations", takes: twin.JSON, serve: (*Twin).postCancellation},
		{method: "GET", module: "par", path: "/availability", query: availabilityParameters(), serve: (*Twin).getAvailability},
		{method: "GET", module: "fof", path: "/rooms", query: roomParameters(), serve: (*Twin).getRooms},
		{method: "GET", module: "fof", path: one + "/verifyCheckIns", query: map[string]func(string) bool{
			"verifyCheckinInstructions": oneOf("AuthorizationInfo", "ExcludeRoomSuggestion", "Keys", "Voucher", "ScheduledRoomMoves",
				"TotalCostOfStay", "TotalDepositPaid")}, serve: (*Twin).getVerify},
		{method: "GET", module: "fof", path: one + "/roomKeys", serve: (*Twin).getKeys},
		{method: "POST", module: "fof", path: one + "/roomKeys", takes: twin.JSON, serve: (*Twin).postKeys},
		{method: "POST", module: "fof", path: one + "/roomAssignments", takes: twin.JSON, serve: (*Twin).postAssignment},
		{method: "PUT", module: "fof", path: one + "/rooms", takes: twin.JSON, serve: (*Twin).putUnassignment},
		{method: "POST", module: "fof", path: one + "/checkIns", takes: twin.JSON, serve: (*Twin).postCheckIn},
		{method: "DELETE", module: "fof", path: one + "/checkIns", query: map[string]func(string) bool{
			"roomStatus":   oneOf("Clean", "Dirty", "Pickup", "Inspected", "OutOfOrder", "OutOfService"),
			"unassignRoom": oneOf("true", "false")}, serve: (*Twin).deleteCheckIn},
		{method: "POST", module: "csh", path: one + "/checkOuts", takes: twin.JSON, serve: (*Twin).postCheckOut},
	}
}

// match returns the reservation in the path, "" when the route has none.
func (r *twinRoute) match(hotel, method, path string) (string, bool) {
	if method != r.method {
		return "", false
	}
	args, ok := twin.Match("/"+r.module+"/v1/hotels/"+url.PathEscape(hotel)+r.path, path)
	if !ok || args == nil {
		return "", ok
	}
	id, err := url.PathUnescape(args[0])
	return id, err == nil
}

// ServeHTTP answers one request of OHIP or its token endpoint.
func (t *Twin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath()
	if path == "/oauth/v1/tokens" && r.Method == http.MethodPost {
		t.serveToken(w, r)
		return
	}
	routes := twinRoutes()
	for i := range routes {
		id, ok := routes[i].match(t.cfg.HotelID, r.Method, path)
		if !ok {
			continue
		}
		status, out, problem := t.handle(&routes[i], r, id)
		reply(w, status, out, problem)
		return
	}
	writeProblem(w, refuse(http.StatusNotFound, "", "this hotel has no such operation"))
}

func reply(w http.ResponseWriter, status int, out any, problem *twinProblem) {
	switch {
	case problem != nil:
		writeProblem(w, problem)
	case out == nil:
		w.WriteHeader(status)
	default:
		twin.WriteJSON(w, status, mediaType, out)
	}
}

func (t *Twin) handle(route *twinRoute, r *http.Request, id string) (int, any, *twinProblem) {
	req, problem := t.admit(route, r)
	if problem != nil {
		return 0, nil, problem
	}
	req.id = id
	t.mu.Lock()
	defer t.mu.Unlock()
	t.requests++
	req.by = twin.By(r.Header.Get("Traceparent"), t.requests)
	return route.serve(t, req)
}

var requestIDShape = regexp.MustCompile(`^~*[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$`)

// admit checks what every operation demands: headers, token, media type, query.
func (t *Twin) admit(route *twinRoute, r *http.Request) (*twinRequest, *twinProblem) {
	bearer, isBearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	id := r.Header.Get("x-request-id")
	switch key := r.Header.Get("x-app-key"); {
	case !appKeyShape.MatchString(key):
		return nil, unfit("x-app-key", "the header x-app-key is missing or is no key")
	case key != t.cfg.AppKey:
		return nil, refuse(http.StatusForbidden, "", "this application is not known")
	case !isBearer || !t.accepts(bearer):
		return nil, refuse(http.StatusUnauthorized, "", "an access token that is still good is needed")
	case r.Header.Get("x-hotelid") == "":
		return nil, unfit("x-hotelid", "the header x-hotelid is needed")
	case r.Header.Get("x-hotelid") != t.cfg.HotelID:
		return nil, refuse(http.StatusForbidden, "", "the header x-hotelid names another hotel")
	case id != "" && !requestIDShape.MatchString(id):
		return nil, unfit("x-request-id", "the header x-request-id is no id")
	}
	if err := twin.CheckDeadline(r.Header); err != nil {
		return nil, unfit("X-Request-Timeout-Ms", "%v", err)
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, unfit("", "the query is malformed")
	}
	for name, values := range query {
		fits := route.query[name]
		if fits == nil || slices.ContainsFunc(values, func(v string) bool { return !fits(v) }) {
			return nil, unfit(name, "the query parameter %s is unknown here or does not fit", name)
		}
	}
	body, problem := readBody(r, route.takes)
	if problem != nil {
		return nil, problem
	}
	return &twinRequest{Request: r, body: body, query: query, now: t.now()}, nil
}

func readBody(r *http.Request, kind string) ([]byte, *twinProblem) {
	body, err := twin.ReadBody(r, kind)
	switch {
	case errors.Is(err, twin.ErrMediaType):
		return nil, refuse(http.StatusUnsupportedMediaType, "", "%v", err)
	case err != nil:
		return nil, unfit("", "%v", err)
	}
	return body, nil
}

// accepts reports whether an access token is one of ours and still good.
func (t *Twin) accepts(bearer string) bool {
	if t.gate != nil {
		return t.gate.accepts(bearer)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	until, ok := t.tokens[bearer]
	return ok && t.cfg.Clock().Before(until)
}

// serveToken issues access tokens.
func (t *Twin) serveToken(w http.ResponseWriter, r *http.Request) {
	body, problem := readBody(r, "application/x-www-form-urlencoded")
	if problem != nil {
		writeProblem(w, problem)
		return
	}
	user, secret, basic := r.BasicAuth()
	form, err := url.ParseQuery(string(body))
	switch {
	case !basic || user != t.cfg.ClientID || secret != t.cfg.ClientSecret:
		writeProblem(w, refuse(http.StatusUnauthorized, "", "this client is not known"))
		return
	case r.Header.Get("x-app-key") != t.cfg.AppKey:
		writeProblem(w, refuse(http.StatusForbidden, "", "this application is not known"))
		return
	case err != nil || !isGrant(form):
		writeProblem(w, unfit("grant_type", "the form is not that of a grant"))
		return
	}
	value := rand.Text()
	t.mu.Lock()
	now := t.cfg.Clock()
	for old, until := range t.tokens {
		if !now.Before(until) {
			delete(t.tokens, old)
		}
	}
	t.tokens[value] = now.Add(t.cfg.TokenLife)
	t.issued++
	t.changes++
	t.mu.Unlock()
	twin.WriteJSON(w, http.StatusOK, mediaType, map[string]any{"access_token": value, "token_type": "Bearer",
		"expires_in": int64(t.cfg.TokenLife / time.Second)})
}

func isGrant(form url.Values) bool {
	for name, values := range form {
		if !slices.Contains([]string{"grant_type", "scope", "username", "password"}, name) || len(values) != 1 || values[0] == "" {
			return false
		}
	}
	switch form.Get("grant_type") {
	case "client_credentials":
		return form.Has("scope") && !form.Has("username")
	case "password":
		return form.Has("username") && form.Has("password")
	}
	return false
}

// ForgetTokens makes every access token worthless, as an administrator can.
func (t *Twin) ForgetTokens() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.tokens)
}

// strict decodes a request body: a JSON object without unknown or duplicate members, each of its own type.
func (r *twinRequest) strict(out any) *twinProblem {
	if at, err := twin.ReadObject(r.body, out); err != nil {
		return unfit(at, "%v", err)
	}
	return nil
}

func writeProblem(w http.ResponseWriter, p *twinProblem) {
	out := map[string]any{"type": "about:blank", "title": http.StatusText(p.status), "status": p.status, "detail": p.detail}
	if p.code != "" {
		out["o:errorCode"] = p.code
	}
	if p.path != "" {
		out["o:errorPath"] = p.path
	}
	twin.WriteJSON(w, p.status, mediaType, out)
}
