package apaleo

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/warmgate/warmgate/backends/twin"
)

// twinRequest is a request that has passed the checks that all have in common.
type twinRequest struct {
	query url.Values
	by    string // who had the effect, for the books
	now   time.Time
}

// twinAnswer is a status and a body; nil: none.
type twinAnswer struct {
	status int
	body   any
}

// messages is the body of a 422.
type messages struct {
	Messages []string `json:"messages"`
}

func invalid(format string, args ...any) twinAnswer {
	return twinAnswer{http.StatusUnprocessableEntity, messages{[]string{fmt.Sprintf(format, args...)}}}
}

func notFound() twinAnswer { return twinAnswer{http.StatusNotFound, nil} }

// twinRoute is one operation: its path with {} for a segment, and the query parameters that it knows.
type twinRoute struct {
	method, path string
	query        []string
	serve        func(*Twin, *twinRequest, []string) twinAnswer
}

func twinRoutes() []twinRoute {
	const actions = "/booking/v1/reservation-actions/{}/"
	return []twinRoute{
		{"GET", "/booking/v1/reservations", []string{"bookingId", "propertyIds", "unitIds", "unitGroupIds", "status", "dateFilter",
			"from", "to", "externalCode", "textSearch", "pageNumber", "pageSize", "expand"}, (*Twin).getReservations},
		{"GET", "/booking/v1/reservations/{}", []string{"expand"}, (*Twin).getReservation},
		{"GET", "/booking/v1/offers", []string{"propertyId", "arrival", "departure", "adults", "childrenAges", "channelCode",
			"unitGroupIds"}, (*Twin).getOffers},
		{"GET", "/inventory/v1/units", []string{"propertyId", "unitGroupId", "isOccupied", "maintenanceType", "condition",
			"pageNumber", "pageSize", "expand"}, (*Twin).getUnits},
		{"GET", "/availability/v1/reservations/{}/units", []string{"unitCondition", "includeOutOfService", "pageNumber",
			"pageSize"}, (*Twin).getAvailable},
		{"PUT", actions + "assign-unit/{}", []string{"from", "to", "lockUnit"}, (*Twin).putAssign},
		{"PUT", actions + "unassign-units", nil, (*Twin).putUnassign},
		{"PUT", actions + "checkin", []string{"withCityTax"}, (*Twin).putCheckIn},
		{"PUT", actions + "revert-checkin", nil, (*Twin).putRevert},
		{"PUT", actions + "checkout", nil, (*Twin).putCheckOut},
	}
}

// ServeHTTP answers one request of the identity server or of the hotel's system.
func (t *Twin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/connect/token" {
		write(w, t.token(r))
		return
	}
	routes := twinRoutes()
	known := false
	for i := range routes {
		args, ok := twin.Match(routes[i].path, r.URL.Path)
		known = known || ok
		if ok && r.Method == routes[i].method {
			write(w, t.handle(&routes[i], r, args))
			return
		}
	}
	if known {
		write(w, twinAnswer{http.StatusMethodNotAllowed, nil})
		return
	}
	write(w, notFound())
}

func (t *Twin) handle(route *twinRoute, r *http.Request, args []string) twinAnswer {
	query, unfit := admit(route, r)
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.isAuthorized(r) {
		return twinAnswer{http.StatusUnauthorized, nil}
	}
	if unfit != nil {
		return invalid("%v", unfit)
	}
	t.requests++
	return route.serve(t, &twinRequest{query: query, by: twin.By(r.Header.Get("Traceparent"), t.requests), now: t.now()}, args)
}

// admit checks what every operation demands: query, deadline, and that there is no body.
func admit(route *twinRoute, r *http.Request) (url.Values, error) {
	if err := twin.CheckDeadline(r.Header); err != nil {
		return nil, err
	}
	query, err := twin.ReadQuery(r.URL, route.query...)
	if err != nil {
		return nil, err
	}
	_, err = twin.ReadBody(r, "")
	return query, err
}

func (t *Twin) isAuthorized(r *http.Request) bool {
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	ends, known := t.tokens[token]
	return bearer && known && t.cfg.Clock().Before(ends)
}

// oauthError is the body of a refused request for a token. RFC 6749, 5.2.
type oauthError struct {
	Error string `json:"error"`
}

// token gives an access token. RFC 6749, 4.4.
func (t *Twin) token(r *http.Request) twinAnswer {
	if r.Method != http.MethodPost {
		return twinAnswer{http.StatusMethodNotAllowed, nil}
	}
	body, err := twin.ReadBody(r, "application/x-www-form-urlencoded")
	form, formErr := url.ParseQuery(string(body))
	id, secret, basic := r.BasicAuth()
	switch {
	case err != nil || formErr != nil:
		return twinAnswer{http.StatusBadRequest, oauthError{"invalid_request"}}
	case !basic || id != t.cfg.ClientID || secret != t.cfg.ClientSecret:
		return twinAnswer{http.StatusBadRequest, oauthError{"invalid_client"}}
	case form.Get("grant_type") != "client_credentials":
		return twinAnswer{http.StatusBadRequest, oauthError{"unsupported_grant_type"}}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.cfg.Clock()
	for token, ends := range t.tokens {
		if !now.Before(ends) {
			delete(t.tokens, token)
		}
	}
	token := rand.Text()
	t.tokens[token] = now.Add(t.cfg.TokenLife)
	t.given++
	return twinAnswer{http.StatusOK, map[string]any{"access_token": token, "token_type": "Bearer",
		"expires_in": int64(t.cfg.TokenLife / time.Second)}}
}

// RevokeTokens ends every token that was given, as an operator does who withdraws a credential.
func (t *Twin) RevokeTokens() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.tokens)
}

func write(w http.ResponseWriter, a twinAnswer) {
	if a.body == nil {
		w.WriteHeader(a.status)
		return
	}
	twin.WriteJSON(w, a.status, twin.JSON, a.body)
}
