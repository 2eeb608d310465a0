package entry

import (
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/warmgate/warmgate/flows/person"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/seal"
)

// Shown is what a visitor held to the gate, whatever its form.
type Shown struct {
	Form  Form   `json:"form"`
	Value string `json:"value"` // what was read; sealed wherever it is kept
	Hash  []byte `json:"-"`     // its keyed hash: how it is known in the ledger, and nothing for a person to see

	Signed *Ticket `json:"signed,omitempty"` // of a signed ticket: what its issuer vouches for
}

// hash finds the keyed hash of what was shown at a venue.
func (s *Shown) hash(keys *seal.Keys, venue string) {
	shown := s.Value
	if s.Signed != nil {
		shown = s.Signed.Code
	}
	s.Hash = hashShown(keys, venue, shown)
}

// Form is how a ticket is shown.
type Form string

// The forms.
const (
	FormCode      Form = "code"      // the value of a QR or bar code
	FormReference Form = "reference" // a booking reference, typed in
	FormSigned    Form = "signed"    // a JWS in compact form (RFC 7515)
	FormIDNumber  Form = "id_number" // a resident's identity number (GB 11643)
)

// Ticket is one person's place, the same whatever was shown for it: (Supplier, Unit) is its identity.
type Ticket struct {
	Supplier string    `json:"supplier"`
	Unit     string    `json:"unit"`
	Booking  string    `json:"booking"`
	Product  string    `json:"product"`
	Code     string    `json:"code"` // redeems it
	Status   Status    `json:"status"`
	From     time.Time `json:"from,omitzero"` // its slot; zero: any time the place is open
	To       time.Time `json:"to,omitzero"`
	UsedAt   time.Time `json:"used_at,omitzero"` // by ticketing's books
	AsOf     time.Time `json:"as_of"`

	forms [][]byte // the keyed hashes of all that may be shown for it, as far as they are known
}

// Status is a ticket's state in ticketing's books.
type Status string

// The states.
const (
	StatusValid     Status = "valid"
	StatusUsed      Status = "used"
	StatusCancelled Status = "cancelled"
	StatusOnHold    Status = "on-hold"
	StatusExpired   Status = "expired"
)

// idNumberLength is how long a resident's identity number is.
const idNumberLength = 18

// isIDNumber reports whether s is a resident's identity number. It is asked of what was shown as something else, too: a
// reader that types what it reads cannot say what it was.
func isIDNumber(s string) bool {
	_, err := person.ReadResident(s)
	return err == nil
}

// ticketClaims is a signed ticket: a JWT of type ticket+jwt.
type ticketClaims struct {
	jwt.RegisteredClaims        // iss, sub (the unit), nbf and exp (the slot)
	Supplier             string `json:"supplier"`
	Booking              string `json:"booking"`
	Product              string `json:"product"`
	Spot                 string `json:"spot"`
	Code                 string `json:"code"`
}

// verifySigned reads a signed ticket for venue v at now. Day and time are judged with every other ticket's.
func verifySigned(compact string, v *gateway.Venue, now time.Time) (*Ticket, error) {
	var claims ticketClaims
	parser := jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}), jwt.WithoutClaimsValidation(), jwt.WithStrictDecoding())
	token, err := parser.ParseWithClaims(compact, &claims, func(*jwt.Token) (any, error) {
		for _, issuer := range settingsOf(v).Signed {
			if issuer.Name == claims.Issuer {
				return issuer.publicKey()
			}
		}
		return nil, errors.New("the issuer is not known here")
	})
	forged := func(cause error) error {
		return ProblemTicketForged.Error(gateway.Text{}).WithField("ticket.signed").WithCause(cause)
	}
	switch {
	case err != nil:
		return nil, forged(errors.New("the signature does not hold")) // the library's text may hold claims
	case token.Header["typ"] != "ticket+jwt":
		return nil, forged(errors.New("it is not of type ticket+jwt"))
	case token.Header["crit"] != nil: // RFC 7515 §4.1.11: nothing critical is understood here
		return nil, forged(errors.New("it demands an extension"))
	case claims.Subject == "" || claims.Supplier == "" || claims.Code == "" || claims.NotBefore == nil || claims.ExpiresAt == nil:
		return nil, forged(errors.New("a claim is missing"))
	case claims.Spot != v.ID:
		return nil, ProblemTicketWrongPlace.Error(gateway.Text{}).WithField("ticket.signed")
	}
	return &Ticket{
		Supplier: claims.Supplier, Unit: claims.Subject, Booking: claims.Booking, Product: claims.Product, Code: claims.Code,
		Status: StatusValid, From: claims.NotBefore.Time, To: claims.ExpiresAt.Time, AsOf: now,
	}, nil
}
