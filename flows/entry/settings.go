package entry

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"slices"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/flow"
)

// Settings is the section settings of an attraction's file.
type Settings struct {
	Capacity int64    `yaml:"capacity"` // people inside at once
	Gates    []string `yaml:"gates"`    // the turnstiles, by the names that they send

	Products []Product `yaml:"products"` // what opens these gates; a ticket for anything else is for another place
	Early    Duration  `yaml:"early"`    // how long before its slot a ticket is let in
	Late     Duration  `yaml:"late"`     // how long after the end of its slot

	SameScan  Duration `yaml:"same_scan"`  // the same ticket at the same gate within it is the same admission
	MaxPeople int      `yaml:"max_people"` // with one scan

	// TicketingLate says what a redemption that is late means: "open" lets the visitor in on what is known and redeems
	// from the outbox; "ask" calls a person.
	TicketingLate string `yaml:"ticketing_late"`

	// Prewarm brings today's tickets into the ledger, so that gates work while ticketing doesn't.
	Prewarm Prewarm `yaml:"prewarm"`

	// Keep says how long the ledger keeps what it does not need any more.
	Keep Keep `yaml:"keep"`

	// Signed are the issuers whose signed tickets open the gates by their signature alone.
	Signed []Issuer `yaml:"signed"`
}

// Duration is written as "90s" or "1h30m".
type Duration = time.Duration

// Product is a product of ticketing that opens the gates.
type Product struct {
	ID      string `yaml:"id"`
	Entries int64  `yaml:"entries"` // how often one ticket lets its holder in; each after an exit
}

// Prewarm says how often today's tickets are brought in and how old they may be to admit on their own.
type Prewarm struct {
	Every  Duration `yaml:"every"`
	MaxAge Duration `yaml:"max_age"`
}

// Issuer signs tickets with Ed25519 (RFC 8037).
type Issuer struct {
	Name string `yaml:"issuer"`     // the claim iss
	Key  string `yaml:"public_key"` // 32 bytes, base64url without padding
}

const (
	lateOpen = "open"
	lateAsk  = "ask"

	maxPeopleLimit = 50 // also the most calls that one scan makes

	minKeepAdmissions = 72 * time.Hour // whoever is inside today stays, and who came late for a slot
	maxKeep           = 10 * 365 * 24 * time.Hour
)

// Validate reports every mistake as a *gateway.FieldError, joined.
func (s *Settings) Validate() error {
	var wrong flow.Mistakes
	wrong.Refuse(s.Capacity < 1, "capacity", "must be at least 1, is %d", s.Capacity)
	wrong.Refuse(len(s.Gates) == 0, "gates", "an attraction needs at least one gate")
	for i, g := range s.Gates {
		wrong.Refuse(!flow.IsName(g), fmt.Sprintf("gates[%d]", i), "%q is not 1 to 64 letters, digits, dots, dashes or underscores", g)
		wrong.Refuse(slices.Contains(s.Gates[:i], g), fmt.Sprintf("gates[%d]", i), "gate %q is there twice", g)
	}
	wrong.Refuse(len(s.Products) == 0, "products", "an attraction needs at least one product that opens its gates")
	for i, p := range s.Products {
		wrong.Refuse(p.ID == "", fmt.Sprintf("products[%d].id", i), "must not be empty")
		wrong.Refuse(s.product(p.ID) != &s.Products[i], fmt.Sprintf("products[%d].id", i), "product %q is there twice", p.ID)
		wrong.Refuse(p.Entries < 1 || p.Entries > 1000, fmt.Sprintf("products[%d].entries", i), "must be 1 to 1000, is %d", p.Entries)
	}
	wrong.Refuse(s.Early < 0 || s.Early > 24*time.Hour, "early", "must be 0s to 24h, is %s", s.Early)
	wrong.Refuse(s.Late < 0 || s.Late > 24*time.Hour, "late", "must be 0s to 24h, is %s", s.Late)
	wrong.Refuse(s.SameScan < time.Second || s.SameScan > 10*time.Minute, "same_scan", "must be 1s to 10m, is %s", s.SameScan)
	wrong.Refuse(s.MaxPeople < 1 || s.MaxPeople > maxPeopleLimit, "max_people", "must be 1 to %d, is %d", maxPeopleLimit, s.MaxPeople)
	wrong.Refuse(s.TicketingLate != lateOpen && s.TicketingLate != lateAsk, "ticketing_late", "must be %s or %s, is %q", lateOpen, lateAsk, s.TicketingLate)
	wrong.Refuse(s.Prewarm.Every < time.Second, "prewarm.every", "must be at least 1s, is %s", s.Prewarm.Every)
	wrong.Refuse(s.Prewarm.MaxAge < s.Prewarm.Every, "prewarm.max_age", "%s is less than prewarm.every, %s", s.Prewarm.MaxAge, s.Prewarm.Every)
	wrong.Refuse(s.Keep.Scans < time.Hour || s.Keep.Scans > maxKeep, "keep.scans", "must be 1h to %s, is %s", maxKeep, s.Keep.Scans)
	wrong.Refuse(s.Keep.Admissions < minKeepAdmissions || s.Keep.Admissions > maxKeep, "keep.admissions", "must be %s to %s, is %s",
		minKeepAdmissions, maxKeep, s.Keep.Admissions)
	wrong.Refuse(s.Keep.Known < s.Prewarm.MaxAge || s.Keep.Known > maxKeep, "keep.known", "must be prewarm.max_age, %s, to %s, is %s",
		s.Prewarm.MaxAge, maxKeep, s.Keep.Known)
	for i, issuer := range s.Signed {
		wrong.Refuse(issuer.Name == "", fmt.Sprintf("signed[%d].issuer", i), "must not be empty")
		twice := slices.ContainsFunc(s.Signed[:i], func(other Issuer) bool { return other.Name == issuer.Name })
		wrong.Refuse(twice, fmt.Sprintf("signed[%d].issuer", i), "issuer %q is there twice", issuer.Name)
		_, err := issuer.publicKey()
		wrong.Refuse(err != nil, fmt.Sprintf("signed[%d].public_key", i), "%v", err)
	}
	return wrong.Err()
}

func (i Issuer) publicKey() (ed25519.PublicKey, error) {
	b, err := base64.RawURLEncoding.DecodeString(i.Key)
	if err != nil || len(b) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("must be %d bytes in base64url without padding", ed25519.PublicKeySize)
	}
	return b, nil
}

// product returns what the attraction says of a product; nil: it opens no gate here.
func (s *Settings) product(id string) *Product {
	for i := range s.Products {
		if s.Products[i].ID == id {
			return &s.Products[i]
		}
	}
	return nil
}

// entries returns how often a ticket lets its holder in, by product.
func (s *Settings) entries() map[string]int64 {
	all := make(map[string]int64, len(s.Products))
	for _, p := range s.Products {
		all[p.ID] = p.Entries
	}
	return all
}

// settingsOf returns the settings of an attraction.
func settingsOf(v *gateway.Venue) *Settings { return v.Settings.(*Settings) }

// readSettings reads and checks the section. What is not said has the values of defaults.
func readSettings(decode func(into any) error) (any, error) {
	return flow.ReadSettings(&Settings{
		Early: 30 * time.Minute, Late: 30 * time.Minute, SameScan: time.Minute, MaxPeople: 20, TicketingLate: lateOpen,
		Prewarm: Prewarm{Every: 10 * time.Minute, MaxAge: 2 * time.Hour},
		Keep:    Keep{Scans: 48 * time.Hour, Admissions: 90 * 24 * time.Hour, Known: 48 * time.Hour},
	}, decode)
}
