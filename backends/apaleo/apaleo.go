// Package apaleo speaks the public API of Apaleo, a hotel system (PMS): a narrow client for check-in and check-out and
// for what is free, and the sandbox twin of a hotel that speaks the same interface (NewTwin).
//
// The client finds a reservation by its number, lists a day's arrivals and the units (rooms) with their condition, gives
// a reservation a unit, checks it in, takes a check-in back, and checks it out. It makes one attempt for each call:
// caching, retries and breakers belong to gateway/call. Every failure is a *wire.Error that says whether nothing was sent,
// the system definitely refused, or the outcome is unknown.
//
// # What the documentation says
//
// Read in the OpenAPI descriptions of the booking and inventory interfaces that Apaleo publishes with its open-source
// programs, in its connector for n8n, and in its developer guide (apaleo.dev):
//
//   - A token comes from POST /connect/token of the identity server (client_credentials, HTTP Basic; RFC 6749 §4.4).
//   - GET /booking/v1/reservations and /booking/v1/reservations/{id}; statuses Confirmed, InHouse, CheckedOut, Canceled,
//     NoShow. A list that is empty is a 204. textSearch looks for a text in the names and addresses of booker and guest,
//     in the external code, the reservation's id and the unit's name. No parameter looks for a document's number.
//   - expand=actions says of every action whether it is allowed, and if not, why, in words for machines.
//   - GET /inventory/v1/units: occupied or not, condition Clean, CleanToBeInspected or Dirty, and maintenance.
//     GET /availability/v1/reservations/{id}/units: those that a reservation can have for its stay.
//   - GET /booking/v1/offers: unit groups under rate plans, with how many are free and the gross amount of the whole stay.
//   - PUT /booking/v1/reservation-actions/{id}/… : assign-unit/{unitId} (200; an error, and nothing assigned, when the unit
//     is not available), unassign-units (204), checkin (204; from Confirmed with a unit for the whole stay, from the date
//     of arrival to the departure), revert-checkin, checkout (204; from InHouse, departure not later than tomorrow).
//   - 422 is every refusal, with {"messages": […]} for people and no code. 401 is the token, 403 a missing right, 404 an
//     unknown id, 400 a malformed request; they have no body. 429 means that too many have asked.
//
// # What follows from it
//
// There is no idempotency key for these actions (there is one for creating things), so an outcome that is unknown is
// settled by reading the reservation: Unit, Status, CheckedIn, CheckedOut. Nothing is repeated before that. A 422 has no
// code, so the client asks the reservation why the action is not allowed, in the same call, and puts the answer into
// Error.Code; if the reservation may be given a unit, it was the unit that is taken (CodeUnitTaken). A guest is found
// among the day's arrivals (Arrivals), because a name or a document's number never stands in an address here; a
// reservation's number does, because the interface wants it there. There are no keys and no way to revive a no-show: the
// client has no such calls.
//
// # What could not be verified
//
// The status and conditions of revert-checkin (it is newer than the descriptions that were read; 200 and 204 are taken for
// success); the shape of reservations whose stay is split over several units; whether a unit of another group is refused;
// the real sentences of 422. A body with 400, 401, 403 or 404 must be empty or a JSON object, else it is not Apaleo's.
package apaleo

import (
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/warmgate/warmgate/backends/wire"
	"github.com/warmgate/warmgate/gateway/sockets"
)

// The bounds and defaults of Config.
const (
	defaultMaxBody      = 8 << 20
	defaultTokenTimeout = 5 * time.Second
	maxTokenTimeout     = time.Minute
	maxID               = 64
)

// Config says which hotel a Client speaks to. It is validated by New.
type Config struct {
	BaseURL      string         // "https://api.apaleo.com"; no query
	IdentityURL  string         // "https://identity.apaleo.com"; "": BaseURL, as the twin has it
	ClientID     string         // OAuth's, visible ASCII without a colon
	ClientSecret string         // OAuth's, visible ASCII
	Property     string         // the hotel's id in its account: 3 to 10 letters, digits and underscores
	MaxConns     int            // connections at once, 1 to 10,000; 0: 64. Not less than the bulkhead above it
	MaxBody      int            // bytes of an answer, 1 KiB to 256 MiB; 0: 8 MiB. A day's arrivals must fit: some 3 KiB each
	Idle         time.Duration  // an unused connection is closed after this; 0: 4 s
	TokenTimeout time.Duration  // of a request for a token, at most a minute; 0: 5 s. Whoever waits leaves at its own deadline
	RootCAs      *x509.CertPool // for https; nil: the system's
	Sockets      *sockets.Share // as in wire.Config

	BreakfastRatePlans []string // codes of this hotel's rate plans that have breakfast in them: its offers do not say so
	AccessibleGroups   []string // codes of its unit groups for people who use a wheelchair: likewise
}

// Client speaks to one hotel. It is safe for concurrent use. A call holds its connection until its answer or its deadline:
// cancelling the context does not free it sooner.
type Client struct {
	api        *wire.Client
	tokens     *tokens
	property   string
	breakfast  []string
	accessible []string
}

// New validates the configuration and returns a client; it does not connect. The error names the field at fault.
func New(cfg Config) (*Client, error) {
	const connector = "apaleo"
	switch {
	case !isClientID(cfg.ClientID):
		return nil, fmt.Errorf("cannot use apaleo client_id: want 1 to 256 visible ASCII characters and no colon")
	case !wire.IsVisible(cfg.ClientSecret, 1024):
		return nil, fmt.Errorf("cannot use apaleo client_secret: want 1 to 1024 visible ASCII characters, got %d bytes",
			len(cfg.ClientSecret))
	case !isProperty(cfg.Property):
		return nil, fmt.Errorf("cannot use apaleo property: want 3 to 10 letters, digits and underscores, got %q", cfg.Property)
	case cfg.TokenTimeout < 0 || cfg.TokenTimeout > maxTokenTimeout:
		return nil, fmt.Errorf("cannot use apaleo token_timeout: want 0 to %s, got %s", maxTokenTimeout, cfg.TokenTimeout)
	}
	body, err := wire.Within(connector, "max_body", cfg.MaxBody, defaultMaxBody, wire.MinBody, wire.MaxBody)
	if err != nil {
		return nil, err
	}
	api, err := wire.New(wire.Config{Connector: connector, BaseURL: cfg.BaseURL, MaxConns: cfg.MaxConns, MaxBody: body,
		Idle: cfg.Idle, RootCAs: cfg.RootCAs, Sockets: cfg.Sockets})
	if err != nil {
		return nil, err
	}
	at, timeout := cfg.IdentityURL, cfg.TokenTimeout
	if at == "" {
		at = cfg.BaseURL
	}
	if timeout == 0 {
		timeout = defaultTokenTimeout
	}
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(cfg.ClientID+":"+cfg.ClientSecret))
	identity, err := wire.New(wire.Config{Connector: connector, BaseURL: at, MaxConns: 2, MaxBody: 64 << 10, Idle: cfg.Idle,
		RootCAs: cfg.RootCAs, Sockets: cfg.Sockets, Header: []wire.Header{{Name: "Authorization", Value: basic}}})
	if err != nil {
		return nil, fmt.Errorf("cannot use apaleo identity_url: %w", err)
	}
	return &Client{api: api, tokens: newTokens(identity, timeout), property: cfg.Property,
		breakfast: slices.Clone(cfg.BreakfastRatePlans), accessible: slices.Clone(cfg.AccessibleGroups)}, nil
}

// Property returns the hotel's id in its account. A reservation with another one is another hotel's.
func (c *Client) Property() string { return c.property }

// Close closes the idle connections. Calls in flight end by themselves at their deadlines.
func (c *Client) Close() {
	c.api.Close()
	c.tokens.close()
}

func isClientID(s string) bool { return wire.IsVisible(s, 256) && !strings.Contains(s, ":") }

// isProperty reports whether s has the form of a property's code.
func isProperty(s string) bool {
	return len(s) >= 3 && len(s) <= 10 && isWord(s, "_")
}

// isID reports whether s can be the id of a reservation or a unit, and so a part of a path.
func isID(s string) bool { return s != "" && len(s) <= maxID && isWord(s, "_-") }

// isWord reports whether s is made of ASCII letters, digits and the characters of more.
func isWord(s, more string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte(more, c) >= 0:
		default:
			return false
		}
	}
	return true
}
