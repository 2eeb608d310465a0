// Package police registers a hotel's guests with the public security bureau, as a hotel must for each of them: a client,
// and the sandbox twin of a bureau that speaks the same interface (NewTwin).
//
// There is no public specification of such an interface, so this one is ours; docs/interfaces.md has it in full, with
// an example of every call. In short:
//
//   - PUT /v1/registrations/{key} registers a guest under a key of the caller's. The same key with the same content is
//     the same registration, however often it is sent; with other content it is refused (CodeConflict), and after the
//     guest's departure it is refused whatever the content (CodeDeparted).
//   - GET /v1/registrations/{key} says whether that happened, and how things stand.
//   - PUT /v1/registrations/{key}/revisions/{revision} corrects the room or the name. Revisions are numbered by the caller,
//     1, 2, 3 …; the same number with the same content is the same correction.
//   - PUT /v1/registrations/{key}/departure says when the guest left. The same time again is the same departure.
//
// The key is an opaque identifier: it stands in an address, so it never holds anything about a person. Every answer
// is about the stay and says nothing about the guest.
//
// A bureau has notices that a guest must not learn of from a kiosk, nor a thief from the kiosk's logs. So there is one
// refusal, CodeSeeStaff, for whatever wants a person's eyes: a random check, a record being corrected, a document that
// was reported lost, a notice. They cannot be told apart, by word, status, sentence or field. A kiosk says "please see our
// staff", as it does for a crumpled passport; once somebody at the desk has seen guest and document, the registration
// is sent with SeenByStaff and is accepted like any other.
//
// The client does one attempt for each call: caching, retries and breakers belong to gateway/call. Every failure is a
// *wire.Error whose Fate says what may have been done and whose Code, of a refusal, is one of the Code constants.
package police

import (
	"crypto/x509"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/warmgate/warmgate/backends/identity/papers"
	"github.com/warmgate/warmgate/backends/wire"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/sockets"
)

// connector is the first word of every error's text.
const connector = "police"

// The bounds of what is sent, in bytes but for MaxRevision. The bureau refuses what is over them, and the client does not
// send it.
const (
	MinKey      = 16
	MaxKey      = 64
	MaxHotel    = 64
	MaxRoom     = 16
	MaxName     = papers.MaxName
	MaxNumber   = papers.MaxNumber
	MaxRevision = 1000
)

// The codes of refusals: wire.Error.Code where its Fate is wire.Refused. A bureau may send others.
const (
	CodeSeeStaff     = "see-staff"            // a person at the desk must look; the bureau never says why
	CodeBadDocument  = "bad-document"         // the number cannot be one of its type's, or it contradicts the birth date
	CodeElsewhere    = "registered-elsewhere" // this person is registered at another hotel and has not left it
	CodeHotelUnknown = "hotel-unknown"        // an operator's problem, never the guest's
	CodeConflict     = "conflict"             // the key, revision or departure exists with other content
	CodeDeparted     = "departed"             // the stay of this key has ended
	CodeBeforeStay   = "before-arrival"       // nobody leaves before having arrived
	CodeRevisionGap  = "revision-gap"         // the revision before this one is missing
	CodeNotFound     = "not-found"            // nothing is registered under this key
	CodeBadRequest   = "bad-request"          // the request does not fit the interface: a mistake of the caller's
	CodeUnauthorized = "unauthorized"         // our credential: an operator's problem
)

// Config says which bureau a Client speaks to. It is validated by New.
type Config struct {
	BaseURL  string         // "https://host[:port][/prefix]", no query; the only place an address comes from
	APIKey   string         // the bearer credential; 1 to 4096 visible ASCII characters
	Hotel    string         // the hotel's number at the bureau; 1 to MaxHotel visible ASCII characters
	MaxConns int            // connections at once, 1 to 10,000; 0: 64. Not less than the bulkhead above it
	MaxBody  int            // bytes of an answer, 1 KiB to 256 MiB; 0: 16 KiB
	Idle     time.Duration  // an unused connection is closed after this; 0: 4 s
	RootCAs  *x509.CertPool // for https; nil: the system's
	Sockets  *sockets.Share // as in wire.Config
}

// defaultMaxBody is ample: an answer has some 300 bytes.
const defaultMaxBody = 16 << 10

// Client registers the guests of one hotel. It is safe for concurrent use.
type Client struct {
	wire  *wire.Client
	hotel string
}

// New validates the configuration and returns a client; it does not connect. The error names the field at fault; of what
// stands in a venue's file it is a *gateway.FieldError at its name there: url, secrets.api_key, options.hotel.
func New(cfg Config) (*Client, error) {
	switch {
	case !wire.IsVisible(cfg.APIKey, 4096):
		return nil, wrong("secrets.api_key", "must be an api_key of 1 to 4096 visible ASCII characters, has %d bytes", len(cfg.APIKey))
	case !wire.IsVisible(cfg.Hotel, MaxHotel):
		return nil, wrong("options.hotel", "must be 1 to 64 visible ASCII characters, has %d bytes", len(cfg.Hotel))
	}
	if cfg.MaxBody == 0 {
		cfg.MaxBody = defaultMaxBody
	}
	c, err := wire.New(wire.Config{Connector: connector, BaseURL: cfg.BaseURL, MaxConns: cfg.MaxConns, MaxBody: cfg.MaxBody,
		Idle: cfg.Idle, RootCAs: cfg.RootCAs, Sockets: cfg.Sockets, Header: []wire.Header{{Name: "Authorization", Value: "Bearer " + cfg.APIKey}}})
	if err != nil {
		return nil, err
	}
	return &Client{wire: c, hotel: cfg.Hotel}, nil
}

func wrong(path, format string, size int) error {
	return &gateway.FieldError{Path: path, Message: fmt.Sprintf(format, size)}
}

// Close closes the idle connections. Calls in flight end by themselves at their deadlines.
func (c *Client) Close() { c.wire.Close() }

// DocumentType is what a guest identifies with.
type DocumentType = papers.Type

// The document types of the interface.
const (
	ResidentID     = papers.ResidentID     // 18 characters, GB 11643; residence permits of that form as well
	Passport       = papers.Passport       // ICAO 9303
	HKMacaoPermit  = papers.HKMacaoPermit  // mainland travel permit for Hong Kong and Macao residents
	TaiwanPermit   = papers.TaiwanPermit   // mainland travel permit for Taiwan residents
	ForeignersCard = papers.ForeignersCard // permanent residence of foreigners
)

// Sex is as a document has it (ICAO 9303: X where it says neither).
type Sex string

// The sexes of a document.
const (
	Male        Sex = "M"
	Female      Sex = "F"
	Unspecified Sex = "X"
)

// Guest is who stays: what the document says. It is personal data throughout: never log it.
type Guest struct {
	Name           string       `json:"name"`                // as printed, at most MaxName bytes of UTF-8
	LatinName      string       `json:"latin_name,omitzero"` // where the document has both; "" where not
	DocumentType   DocumentType `json:"document_type"`
	DocumentNumber string       `json:"document_number"` // 1 to MaxNumber capitals and digits
	Nationality    string       `json:"nationality"`     // ISO 3166-1 alpha-3, or an ICAO 9303 code of three: "CHN", "XXA"
	BirthDate      string       `json:"birth_date"`      // YYYY-MM-DD
	Sex            Sex          `json:"sex"`
}

// Stay is one guest's registration as it is sent. A retry must send what was sent before.
type Stay struct {
	Room              string    // 1 to MaxRoom letters, digits and dashes
	Guest             Guest     //
	ArrivedAt         time.Time // sent to the second, with its offset
	ExpectedDeparture string    // YYYY-MM-DD, not before the day of arrival
	SeenByStaff       bool      // a person compared guest and document: CodeSeeStaff is then not answered any more
}

// State is how a registration stands.
type State string

// The states.
const (
	Registered State = "registered"
	Departed   State = "departed"
)

// Registration is what the bureau has of a stay. It holds nothing about the guest.
type Registration struct {
	Key               string    `json:"key"`
	Number            string    `json:"number"` // the bureau's own, for a person who has to ask them
	State             State     `json:"state"`
	Hotel             string    `json:"hotel"`
	Room              string    `json:"room"`               // after the last correction
	Revision          int       `json:"revision"`           // of the last correction; 0: none
	RegisteredAt      time.Time `json:"registered_at"`      // when it was first accepted
	ArrivedAt         time.Time `json:"arrived_at"`         // as registered
	ExpectedDeparture string    `json:"expected_departure"` // YYYY-MM-DD
	LeftAt            time.Time `json:"left_at,omitzero"`   // zero while State is Registered
}

// Correction changes a registration. At least one member is set; what is empty stays as it is.
type Correction struct {
	Room      string `json:"room,omitzero"`
	Name      string `json:"name,omitzero"`
	LatinName string `json:"latin_name,omitzero"`
}

// whole reports whether the answer is one about key that callers can rely on.
func (r *Registration) whole(key string) bool {
	return r.Key == key && r.Number != "" && r.Hotel != "" && r.Room != "" && r.Revision >= 0 &&
		!r.RegisteredAt.IsZero() && !r.ArrivedAt.IsZero() &&
		(r.State == Registered && r.LeftAt.IsZero() || r.State == Departed && !r.LeftAt.Before(r.ArrivedAt))
}

// IsKey reports whether s can be a registration's key: MinKey to MaxKey letters, digits, dashes, dots and underscores, at
// least one of them a letter other than a final X, so that no document's number passes for one by mistake.
func IsKey(s string) bool {
	if len(s) < MinKey || len(s) > MaxKey {
		return false
	}
	letters := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
			letters++
		case c >= '0' && c <= '9', c == '-', c == '.', c == '_':
		default:
			return false
		}
	}
	if last := s[len(s)-1]; last == 'x' || last == 'X' {
		letters--
	}
	return letters > 0
}

// pathOf returns the address of a registration, below the base URL.
func pathOf(key string) string { return "/v1/registrations/" + key }

func revisionPath(key string, n int) string {
	return pathOf(key) + "/revisions/" + strconv.Itoa(n)
}

// holds reports whether the key has the guest's document number in it.
func holds(key, number string) bool {
	return number != "" && strings.Contains(strings.ToUpper(key), strings.ToUpper(number))
}
