// Package entrytest goes through everything that can fail under an entry and says what came of it: the budget matrix of
// the journey, for its tests and for whoever prints it.
package entrytest

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/warmgate/warmgate/backends/octo"
	"github.com/warmgate/warmgate/flows/entry"
	"github.com/warmgate/warmgate/flows/flowtest"
	"github.com/warmgate/warmgate/gateway/assist"
	"github.com/warmgate/warmgate/gateway/flow"
)

// Flows returns the journey and the human door.
func Flows(t testing.TB) []*flow.Flow {
	t.Helper()
	e, err := entry.New()
	if err != nil {
		t.Fatal(err)
	}
	door, err := assist.New([]*flow.Flow{e})
	if err != nil {
		t.Fatal(err)
	}
	return []*flow.Flow{e, door}
}

// Signer signs tickets as their issuer does.
type Signer struct {
	public  ed25519.PublicKey
	private ed25519.PrivateKey
}

// NewSigner returns an issuer with a fresh key.
func NewSigner(t testing.TB) Signer {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return Signer{public, private}
}

// Settings is the section signed of a venue's file: it trusts s under the name "city".
func (s Signer) Settings() string {
	return "  signed:\n    - { issuer: city, public_key: " + base64.RawURLEncoding.EncodeToString(s.public) + " }\n"
}

// Claims are those of unit i of a ticket that was made at spot: good from an hour ago until in an hour.
func Claims(spot string, made octo.Made, i int) jwt.MapClaims {
	now := time.Now()
	return jwt.MapClaims{"iss": "city", "sub": made.Units[i].UUID, "supplier": spot + "-tickets", "booking": made.UUID, "product": "entry",
		"spot": spot, "code": made.Units[i].Code, "nbf": now.Add(-time.Hour).Unix(), "exp": now.Add(time.Hour).Unix()}
}

// Sign returns a signed ticket in compact form.
func (s Signer) Sign(t testing.TB, claims jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims)
	token.Header["typ"] = "ticket+jwt"
	text, err := token.SignedString(s.private)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Warm waits until a pre-warming has ended that began after now.
func Warm(c *flowtest.City, spots ...string) {
	c.T.Helper()
	now := time.Now().UnixMilli()
	for _, spot := range spots {
		c.Eventually("today's tickets of "+spot+" are brought in", func() bool {
			return c.Number(`SELECT count(*) FROM prewarms WHERE venue = $1 AND as_of >= $2`, spot, now) == 1
		})
	}
}

// Warmed waits until the first pre-warming of a spot has ended: that of the tickets that were there at the start.
func Warmed(c *flowtest.City, spot string) {
	c.T.Helper()
	c.Eventually("the tickets of "+spot+" are brought in", func() bool {
		return c.Number(`SELECT count(*) FROM prewarms WHERE venue = $1 AND as_of > 0`, spot) == 1
	})
}

// Effects is how often ticketing believes a ticket to be redeemed now: 0 or 1, or there is a mistake.
func Effects(c *flowtest.City, spot, unit string) (n int) {
	for _, r := range c.Tickets[spot].ReadBooks().Redemptions {
		if r.UnitUUID == unit {
			n += r.Effects - r.Undone
		}
	}
	return n
}

// Show holds a ticket to a gate.
func Show(c *flowtest.City, spot, gate, scan string, ticket map[string]any) flowtest.Answer {
	c.T.Helper()
	return c.Do(flowtest.Call{Method: http.MethodPost, Path: "/v1/attractions/" + spot + "/entries",
		Token: c.Token("gate-"+gate, "scenic:gate"), Body: map[string]any{"gate": gate, "scan_id": scan, "ticket": ticket}})
}

// outcome says in a word what an answer told the visitor.
func outcome(t testing.TB, a flowtest.Answer) string {
	t.Helper()
	switch a.Status {
	case http.StatusCreated:
		var body struct {
			VerifiedBy string   `json:"verified_by"`
			Pending    []string `json:"pending"`
		}
		a.Into(t, &body)
		said := "open by " + body.VerifiedBy
		if len(body.Pending) > 0 {
			said += ", " + strings.Join(body.Pending, " ") + " pending"
		}
		return said
	case http.StatusAccepted:
		var body struct {
			Assist struct {
				Kind string `json:"kind"`
			} `json:"assist"`
		}
		a.Into(t, &body)
		return "a person: " + body.Assist.Kind
	}
	return fmt.Sprintf("%d %s", a.Status, a.Problem())
}

func newScan() string { return uuid.NewString() }
