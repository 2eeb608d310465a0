// Package ohip speaks the property interface of Oracle OPERA Cloud (OHIP) for one hotel's front desk and for whoever looks
// for a room there, and holds the sandbox twin of a hotel that speaks the same protocol (NewTwin).
//
// The client does one attempt for each call: caching, retries, hedges and breakers belong to gateway/call. Every failure
// is a *wire.Error that says whether nothing was sent, the hotel definitely refused, or the outcome is unknown. OAuth is
// the client's own business: one token for everybody, renewed in the background before it ends (see token).
//
// # What is asked, what is done, and how each effect is asked for
//
// OHIP has no idempotency key, so after an unknown outcome the state is read before anything is repeated. None of the
// reads below may then be answered from a cache.
//
//	read              request
//	Reservation       GET  /rsv/v1/hotels/{h}/reservations?reservationIdList=
//	ByConfirmation    GET  /rsv/v1/hotels/{h}/reservations?confirmationNumberList=
//	ByReference       GET  /rsv/v1/hotels/{h}/reservations?externalReferenceIds=&externalSystemCodes=
//	ByName            GET  /rsv/v1/hotels/{h}/reservations?surname=&givenName=&arrivalStartDate=&arrivalEndDate=
//	VerifyCheckIn     GET  /fof/v1/hotels/{h}/reservations/{r}/verifyCheckIns
//	Rooms, Room       GET  /fof/v1/hotels/{h}/rooms
//	Keys              GET  /fof/v1/hotels/{h}/reservations/{r}/roomKeys                                          (*)
//	Availability      GET  /par/v1/hotels/{h}/availability?roomStayStartDate=&roomStayEndDate=&adults=&children=
//
//	effect            request                                                has it happened?
//	AssignRoom        POST /fof/v1/hotels/{h}/reservations/{r}/roomAssignments  Reservation: RoomID is the room
//	UnassignRoom      PUT  /fof/v1/hotels/{h}/reservations/{r}/rooms       (*)  Reservation: RoomID is empty
//	CheckIn           POST /fof/v1/hotels/{h}/reservations/{r}/checkIns         Reservation: State is InHouse, RoomID the room
//	UndoCheckIn       DELETE /fof/v1/hotels/{h}/reservations/{r}/checkIns       Reservation: State is Expected
//	CheckOut          POST /csh/v1/hotels/{h}/reservations/{r}/checkOuts   (*)  Reservation: State is Left
//	IssueKeys         POST /fof/v1/hotels/{h}/reservations/{r}/roomKeys         Keys: there are keys for the room
//	RemoveKeys        POST the same with keyType Remove                         Keys: there are none
//	Book              POST /rsv/v1/hotels/{h}/reservations                 (*)  ByReference: there is one, and it is not cancelled
//	CancelBooking     POST /rsv/v1/hotels/{h}/reservations/{r}/cancellations (*) Reservation: State is Cancelled
//
// Those marked (*) are published operations that are not part of the documents which the tests hold the client against:
// their paths and members are known, some details of their answers are not, so the client asks little of those answers. What
// Book sends and reads of a reservation is a type that the documents do have (hotelReservationType).
//
// # What the interface does not allow
//
// A reservation cannot be searched by the number of an identity document. It can be found by name and day of arrival;
// VerifyCheckIn then shows the documents that the guests' profiles hold, where they hold any. Names in a query are the
// protocol's, and nothing here logs an address.
//
// The interface publishes no error codes for assigning, checking in and keys, and a few for checking out. A code that is
// not known means an unknown outcome, never a refusal; Config.Codes adds what a hotel is known to say. Without it a room
// that was given away shows itself in Room (another's stay) and Reservation (no room), not in the error, and a room that
// cannot be booked any more in Availability.
//
// A reservation has one external reference for each external system, which a hotel has to have set up (Sales). Whether a
// hotel refuses a reference that it has already is not documented: it is not relied on.
package ohip

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"time"

	"github.com/warmgate/warmgate/backends/wire"
	"github.com/warmgate/warmgate/gateway/sockets"
)

// connector is the first word of every error.
const connector = "ohip"

// DefaultScope is the OAuth scope that OHIP's documentation gives for the client credentials grant.
const DefaultScope = "urn:opc:hgbu:ws:__myscopes__"

// The bounds of what is sent and of Config.
const (
	maxID               = 80 // of a reservation, as the schema bounds identifiers
	maxRoomID           = 20
	maxName             = 80
	defaultTokenTimeout = 5 * time.Second
)

// Config says which hotel a Client speaks for. It is validated by New.
type Config struct {
	GatewayURL   string             // "https://host[:port][/prefix]", no query; the only place an address comes from
	HotelID      string             // the hotel's code in OPERA, 1 to 20 visible ASCII characters
	AppKey       string             // the application key: a lower-case UUID
	ClientID     string             // of OAuth, 1 to 256 visible ASCII characters without a colon
	ClientSecret string             // of OAuth, 1 to 4096 visible ASCII characters
	Scope        string             // of the client credentials grant; "": DefaultScope
	EnterpriseID string             // 1 to 8 capitals and digits, where the scope belongs to an enterprise; "": none
	Username     string             // the integration user: turns the grant into the password grant; "": none
	Password     string             // the integration user's
	Codes        map[string]Refusal // error codes that this hotel is known to answer with, beside the published ones
	TokenTimeout time.Duration      // for one token request, whoever waits; 0: 5 s
	MaxConns     int                // connections at once, 1 to 10,000; 0: 64. Not less than the bulkhead above it
	MaxBody      int                // bytes of an answer, 1 KiB to 256 MiB; 0: 1 MiB. A page of rooms takes some 100 KiB
	Idle         time.Duration      // an unused connection is closed after this; 0: 4 s
	RootCAs      *x509.CertPool     // for https; nil: the system's
	Sockets      *sockets.Share     // as in wire.Config

	AccessibleFeatures []string // codes of room features that this hotel gives to rooms for people who use a wheelchair
	BreakfastPackages  []string // codes of packages that are breakfast here, beside the meal plans that say so themselves
	Sales              Sales    // how our reservations are written down
}

// Client speaks for one hotel. It is safe for concurrent use.
type Client struct {
	hotel      string
	escaped    string // the hotel in a path
	wire       *wire.Client
	token      *token
	codes      map[string]Refusal
	accessible []string
	breakfast  []string
	sales      Sales
	borrowed   bool           // connections and token are another client's
	lane       *sockets.Share // of one that has borrowed them
	used       *used          // shared with those that have borrowed them
}

var (
	appKeyShape     = regexp.MustCompile(`^[a-f0-9]{8}-[a-f0-9]{4}-4[a-f0-9]{3}-[89aAbB][a-f0-9]{3}-[a-f0-9]{12}$`)
	enterpriseShape = regexp.MustCompile(`^[A-Z0-9]{1,8}$`)
)

// New validates the configuration and returns a client; it does not connect. The error names the field at fault and shows
// no secret. Close the client at the end.
func New(cfg Config) (*Client, error) {
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("cannot use ohip %w", err)
	}
	codes := publishedCodes()
	for code, refusal := range cfg.Codes {
		if !refusal.known() {
			return nil, fmt.Errorf("cannot use ohip codes: %q is no refusal", string(refusal))
		}
		codes[code] = refusal
	}
	calls, err := wire.New(wire.Config{Connector: connector, BaseURL: cfg.GatewayURL, MaxConns: cfg.MaxConns,
		MaxBody: cfg.MaxBody, Idle: cfg.Idle, RootCAs: cfg.RootCAs, Sockets: cfg.Sockets,
		Header: []wire.Header{{Name: "x-app-key", Value: cfg.AppKey}}})
	if err != nil {
		return nil, err
	}
	t, err := newToken(cfg)
	if err != nil {
		return nil, err
	}
	cfg.Sales.ExternalSystem = orElse(cfg.Sales.ExternalSystem, DefaultExternalSystem)
	return &Client{hotel: cfg.HotelID, wire: calls, token: t, codes: codes, accessible: slices.Clone(cfg.AccessibleFeatures),
		breakfast: slices.Clone(cfg.BreakfastPackages), sales: cfg.Sales, escaped: url.PathEscape(cfg.HotelID), used: new(used)}, nil
}

// At returns a client of another hotel behind the same gateway, one of a chain: with the same credential, token, connections
// (Config.MaxConns bounds them all together, and a hotel that hangs leaves the others theirs) and codes. It costs some hundred bytes. Close it or not; it lives as long as c.
func (c *Client) At(hotelID string) (*Client, error) {
	if !wire.IsVisible(hotelID, maxRoomID) {
		return nil, fmt.Errorf("cannot use ohip hotel_id: want 1 to %d visible ASCII characters, got %d bytes", maxRoomID, len(hotelID))
	}
	other := *c
	other.hotel, other.escaped, other.borrowed, other.lane = hotelID, url.PathEscape(hotelID), true, c.wire.Lane()
	return &other, nil
}

func (cfg *Config) check() error {
	switch {
	case !wire.IsVisible(cfg.HotelID, maxRoomID):
		return fmt.Errorf("hotel_id: want 1 to %d visible ASCII characters, got %d bytes", maxRoomID, len(cfg.HotelID))
	case !appKeyShape.MatchString(cfg.AppKey):
		return errors.New("app_key: want a lower-case UUID")
	case !wire.IsVisible(cfg.ClientID, 256) || !isBasicUser(cfg.ClientID):
		return errors.New("client_id: want 1 to 256 visible ASCII characters without a colon")
	case !wire.IsVisible(cfg.ClientSecret, 4096):
		return fmt.Errorf("client_secret: want 1 to 4096 visible ASCII characters, got %d bytes", len(cfg.ClientSecret))
	case cfg.EnterpriseID != "" && !enterpriseShape.MatchString(cfg.EnterpriseID):
		return errors.New("enterprise_id: want 1 to 8 capitals and digits")
	case (cfg.Username == "") != (cfg.Password == ""):
		return errors.New("username: it needs a password, and a password needs it")
	case cfg.TokenTimeout < 0:
		return fmt.Errorf("token_timeout: want 0 or more, got %s", cfg.TokenTimeout)
	case cfg.Sales.flaw() != "":
		return errors.New(cfg.Sales.flaw())
	}
	return nil
}

// HotelID returns the hotel's code.
func (c *Client) HotelID() string { return c.hotel }

// Close stops the renewal of the token and closes the idle connections. Calls in flight end at their deadlines. Of a client
// that At returned it does nothing.
func (c *Client) Close() {
	if c.borrowed {
		return
	}
	c.token.close()
	c.wire.Close()
}

// hotelPath returns the path of what belongs to the hotel: module "fof", rest "/rooms".
func (c *Client) hotelPath(module, rest string) string {
	return "/" + module + hotels + c.escaped + rest
}

const hotels = "/v1/hotels/"

// reservationPath returns the path of what belongs to one reservation of the hotel.
func (c *Client) reservationPath(module, id, rest string) string {
	return c.hotelPath(module, "/reservations/"+url.PathEscape(id)+rest)
}
