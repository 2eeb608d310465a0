// Package identity asks whether the person at a kiosk is the one on the document: a client, and the sandbox twin of a
// verification service that speaks the same interface (NewTwin).
//
// There is no public specification of such an interface, so this one is ours; docs/interfaces.md has it in full, with an
// example. It has one call:
//
//   - POST /v1/verifications takes what a document says and a picture of a face, and answers how alike they are (0 to 1),
//     whether the face was alive, what the issuer knows of the document, and the birth date and age band. It changes
//     nothing: it is a read, and may be asked again.
//
// The service measures, it does not decide. What score is enough belongs to the venue's configuration of the flow.
// Pictures and documents travel in the body alone, and the service keeps neither.
//
// The client does one attempt for each call: retries, hedges and breakers belong to gateway/call, and nothing of this may
// be cached. Every failure is a *wire.Error whose Fate says what may have been done and whose Code, of a refusal, is one
// of the Code constants.
package identity

import (
	"crypto/x509"
	"fmt"
	"time"

	"github.com/warmgate/warmgate/backends/identity/papers"
	"github.com/warmgate/warmgate/backends/wire"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/sockets"
)

// connector is the first word of every error's text.
const connector = "identity"

// The bounds of what is sent, in bytes.
const (
	MaxFace    = 256 << 10 // of a picture, before base64
	MaxName    = papers.MaxName
	MaxNumber  = papers.MaxNumber
	MaxPurpose = 32
)

// The codes of refusals: wire.Error.Code where its Fate is wire.Refused. Of the first seven, each is something that the
// person can mend or staff must look at. A service may send others.
const (
	CodeFaceMissing        = "face-missing"            // there is no picture of a face
	CodeFaceTooLarge       = "face-too-large"          // it is over MaxFace
	CodeFaceUnreadable     = "face-unreadable"         // it is no JPEG, or nobody is on it
	CodeSeveralFaces       = "several-faces"           // somebody looks over the guest's shoulder
	CodeDocumentUnreadable = "document-unreadable"     // the document's own picture is no JPEG, or nobody is on it
	CodeNumberInvalid      = "document-number-invalid" // the number cannot be one of its type's: a check digit, a date, a length
	CodeBadRequest         = "bad-request"             // the request does not fit the interface: a mistake of the caller's
	CodeUnauthorized       = "unauthorized"            // our credential: an operator's problem
)

// Config says which service a Client speaks to. It is validated by New.
type Config struct {
	BaseURL  string         // "https://host[:port][/prefix]", no query; the only place an address comes from
	APIKey   string         // the bearer credential; 1 to 4096 visible ASCII characters
	MaxConns int            // connections at once, 1 to 10,000; 0: 64. Not less than the bulkhead above it
	MaxBody  int            // bytes of an answer, 1 KiB to 256 MiB; 0: 16 KiB
	Idle     time.Duration  // an unused connection is closed after this; 0: 4 s
	RootCAs  *x509.CertPool // for https; nil: the system's
	Sockets  *sockets.Share // as in wire.Config
}

// defaultMaxBody is ample: an answer has some 250 bytes.
const defaultMaxBody = 16 << 10

// Client speaks to one service. It is safe for concurrent use.
type Client struct {
	wire *wire.Client
}

// New validates the configuration and returns a client; it does not connect. The error names the field at fault; of what
// stands in a venue's file it is a *gateway.FieldError at its name there: url, secrets.api_key.
func New(cfg Config) (*Client, error) {
	if !wire.IsVisible(cfg.APIKey, 4096) {
		return nil, &gateway.FieldError{Path: "secrets.api_key",
			Message: fmt.Sprintf("must be an api_key of 1 to 4096 visible ASCII characters, has %d bytes", len(cfg.APIKey))}
	}
	if cfg.MaxBody == 0 {
		cfg.MaxBody = defaultMaxBody
	}
	c, err := wire.New(wire.Config{Connector: connector, BaseURL: cfg.BaseURL, MaxConns: cfg.MaxConns, MaxBody: cfg.MaxBody,
		Idle: cfg.Idle, RootCAs: cfg.RootCAs, Sockets: cfg.Sockets, Header: []wire.Header{{Name: "Authorization", Value: "Bearer " + cfg.APIKey}}})
	if err != nil {
		return nil, err
	}
	return &Client{wire: c}, nil
}

// Close closes the idle connections. Calls in flight end by themselves at their deadlines.
func (c *Client) Close() { c.wire.Close() }

// DocumentType is what a person identifies with.
type DocumentType = papers.Type

// The document types of the interface.
const (
	ResidentID     = papers.ResidentID     // 18 characters, GB 11643; residence permits of that form as well
	Passport       = papers.Passport       // ICAO 9303
	HKMacaoPermit  = papers.HKMacaoPermit  // mainland travel permit for Hong Kong and Macao residents
	TaiwanPermit   = papers.TaiwanPermit   // mainland travel permit for Taiwan residents
	ForeignersCard = papers.ForeignersCard // permanent residence of foreigners
)

// Document is what the document says. It is personal data throughout: never log it.
type Document struct {
	Type        DocumentType `json:"type"`
	Number      string       `json:"number"`              // 1 to MaxNumber capitals and digits
	Name        string       `json:"name"`                // as printed, at most MaxName bytes of UTF-8
	LatinName   string       `json:"latin_name,omitzero"` // where the document has both; "" where not
	BirthDate   string       `json:"birth_date"`          // YYYY-MM-DD
	ExpiresOn   string       `json:"expires_on,omitzero"` // YYYY-MM-DD, the last day of validity; "": it does not expire
	Nationality string       `json:"nationality"`         // ISO 3166-1 alpha-3, or an ICAO 9303 code of three: "CHN"
	Portrait    []byte       `json:"portrait,omitzero"`   // a JPEG from the document's chip or page, at most MaxFace bytes; nil: none
}

// Request is one verification.
type Request struct {
	Document Document
	Face     []byte // a JPEG of one face, at most MaxFace bytes
	Purpose  string // what it is for, 1 to MaxPurpose lower-case letters and dashes: "hotel-check-in"
}

// Liveness says whether a picture is of a living person, and not of a picture.
type Liveness string

// The answers to it. Another one is passed on as it came: a caller accepts LivenessPassed alone.
const (
	LivenessPassed Liveness = "passed"
	LivenessFailed Liveness = "failed"
	LivenessUnsure Liveness = "unsure"
)

// Standing is what the issuer knows of a document.
type Standing string

// The standings. Another one is passed on as it came: a caller accepts Valid alone.
const (
	Valid      Standing = "valid"
	Expired    Standing = "expired"    // its last day is past
	Unreadable Standing = "unreadable" // what was read contradicts itself or the issuer: read it again, or by eye
	NotKnown   Standing = "unknown"    // the service cannot ask this issuer, or the issuer has no such document
)

// AgeBand is how old the person is on the service's day.
type AgeBand string

// The bands, by the age in whole years. Another one is passed on as it came.
const (
	Child AgeBand = "child" // under 14
	Youth AgeBand = "youth" // 14 to 17
	Adult AgeBand = "adult" // 18 and over
)

// Verification is what the service measured.
type Verification struct {
	ID        string    `json:"verification"` // for a person who has to ask the service; not personal
	Score     float64   `json:"score"`        // how alike face and document are, 0 to 1; 0 where there was nothing to compare with
	Liveness  Liveness  `json:"liveness"`
	Document  Standing  `json:"document"`
	BirthDate string    `json:"birth_date"` // YYYY-MM-DD, by the issuer's books where it is known, else as sent
	AgeBand   AgeBand   `json:"age_band"`
	At        time.Time `json:"at"` // by the service's clock
}
