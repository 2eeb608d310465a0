package entry_test

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/warmgate/warmgate/flows/entry/entrytest"
	"github.com/warmgate/warmgate/flows/flowtest"
	"github.com/warmgate/warmgate/gateway/auth"
)

// tables counts the rows of every table that a request could leave something in.
func tables(c *flowtest.City) map[string]int64 {
	c.T.Helper()
	n := map[string]int64{}
	for _, table := range []string{"runs", "operations", "idempotency", "messages", "assists", "audit_entries", "admissions", "scans", "occupancy"} {
		n[table] = c.Number("SELECT count(*) FROM " + table)
	}
	return n
}

// left fails where something was left behind.
func left(t testing.TB, c *flowtest.City, before map[string]int64) {
	t.Helper()
	if after := tables(c); !maps.Equal(before, after) {
		t.Errorf("something was left behind: %v became %v", before, after)
	}
}

func TestBadBodies(t *testing.T) {
	t.Parallel()
	signer, other := entrytest.NewSigner(t), entrytest.NewSigner(t)
	c := start(t, flowtest.DefaultSettings+signer.Settings())
	ticket := c.Tickets[spot].Fresh()
	signed := func(s entrytest.Signer, change func(jwt.MapClaims)) m {
		claims := entrytest.Claims(spot, ticket, 0)
		change(claims)
		return m{"signed": s.Sign(t, claims)}
	}
	entry := func(fields string) string { return `{"gate":"north-1","scan_id":"s1",` + fields + `}` }
	good := `"ticket":{"code":"x"}`
	wrongCheck := idNumber(1)[:17] + "0"
	if wrongCheck == idNumber(1) {
		wrongCheck = idNumber(1)[:17] + "1"
	}
	now := time.Now()
	before := tables(c)
	for _, x := range []struct {
		name    string
		body    any
		status  int
		problem string
		field   string
	}{
		{"malformed", `{"gate":`, 400, "body-malformed", ""},
		{"not an object", `[]`, 400, "field-invalid", ""},
		{"two values", entry(good) + `{}`, 400, "body-malformed", ""},
		{"no body", nil, 400, "body-malformed", ""},
		{"duplicate key", `{"gate":"north-1","gate":"south-1","scan_id":"s1",` + good + `}`, 400, "field-duplicate", "gate"},
		{"duplicate key inside", entry(`"ticket":{"code":"x","code":"y"}`), 400, "field-duplicate", "ticket.code"},
		{"deeply nested", entry(`"ticket":` + strings.Repeat("[", 200) + strings.Repeat("]", 200)), 400, "body-too-deep", ""},
		{"oversized", entry(`"ticket":{"code":"` + strings.Repeat("x", 70<<10) + `"}`), 413, "body-too-large", ""},
		{"unknown field", entry(good + `,"colour":"red"`), 400, "field-unknown", "colour"},
		{"unknown field inside", entry(`"ticket":{"code":"x","qr":"y"}`), 400, "field-unknown", "ticket.qr"},
		{"another case", entry(`"Ticket":{"code":"x"}`), 400, "field-unknown", "Ticket"},
		{"a number for a name", `{"gate":7,"scan_id":"s1",` + good + `}`, 400, "field-invalid", "gate"},
		{"a text for a number", entry(good + `,"people":"2"`), 400, "field-invalid", "people"},
		{"half a person", entry(good + `,"people":1.5`), 400, "field-invalid", "people"},
		{"nobody", entry(good + `,"people":0`), 400, "field-invalid", "people"},
		{"too many", entry(good + `,"people":21`), 400, "field-invalid", "people"},
		{"no gate", `{"scan_id":"s1",` + good + `}`, 400, "field-missing", "gate"},
		{"no scan", `{"gate":"north-1",` + good + `}`, 400, "field-missing", "scan_id"},
		{"a bad scan", `{"gate":"north-1","scan_id":"a b",` + good + `}`, 400, "field-invalid", "scan_id"},
		{"no ticket", `{"gate":"north-1","scan_id":"s1"}`, 400, "field-missing", "ticket"},
		{"an empty ticket", entry(`"ticket":{}`), 400, "field-missing", "ticket"},
		{"an empty code", entry(`"ticket":{"code":""}`), 400, "field-missing", "ticket.code"},
		{"two tickets", entry(`"ticket":{"code":"x","reference":"y"}`), 400, "field-invalid", "ticket"},
		{"a long code", entry(`"ticket":{"code":"` + strings.Repeat("x", 257) + `"}`), 400, "field-invalid", "ticket.code"},
		{"an unprintable code", entry(`"ticket":{"code":"a\u0007b"}`), 400, "field-invalid", "ticket.code"},
		{"an unknown gate", `{"gate":"west-9","scan_id":"s1",` + good + `}`, 404, "gate-unknown", "gate"},
		{"a wrong check digit", entry(`"ticket":{"id_number":"` + wrongCheck + `"}`), 422, "id-number-invalid", "ticket.id_number"},
		{"a short ID number", entry(`"ticket":{"id_number":"11010119900307"}`), 422, "id-number-invalid", "ticket.id_number"},
		{"not a token", entry(`"ticket":{"signed":"x.y.z"}`), 422, "ticket-signature-invalid", "ticket.signed"},
		{"a wrong key", m{"gate": "north-1", "scan_id": "s1", "ticket": signed(other, func(jwt.MapClaims) {})}, 422, "ticket-signature-invalid", "ticket.signed"},
		{"another issuer", m{"gate": "north-1", "scan_id": "s1", "ticket": signed(signer, func(m jwt.MapClaims) { m["iss"] = "them" })}, 422, "ticket-signature-invalid", "ticket.signed"},
		{"another spot", m{"gate": "north-1", "scan_id": "s1", "ticket": signed(signer, func(m jwt.MapClaims) { m["spot"] = "lingyin" })}, 422, "ticket-wrong-place", "ticket.signed"},
		{"without a time", m{"gate": "north-1", "scan_id": "s1", "ticket": signed(signer, func(m jwt.MapClaims) { delete(m, "exp") })}, 422, "ticket-signature-invalid", "ticket.signed"},
	} {
		t.Run(x.name, func(t *testing.T) {
			call := entering(c, "north-1", nil)
			call.Body, call.Invalid = x.body, true
			a := c.Do(call)
			if p := refused(t, a); a.Status != x.status || a.Problem() != x.problem || p.Field != x.field || p.Title == "" {
				t.Errorf("%d %s", a.Status, a.Text)
			}
			left(t, c, before)
		})
	}
	for name, days := range map[string]int{"yesterday": -1, "tomorrow": 1} { // the date is judged with every other ticket's
		call := entering(c, "north-1", signed(signer, func(m jwt.MapClaims) {
			m["sub"], m["booking"], m["code"] = uuid.NewString(), "", uuid.NewString()
			m["nbf"], m["exp"] = now.AddDate(0, 0, days).Unix(), now.AddDate(0, 0, days).Add(time.Hour).Unix()
		}))
		if a := c.Do(call); a.Problem() != "ticket-unknown" { // ticketing answers, and has never sold it
			t.Errorf("signed for %s: %d %s", name, a.Status, a.Text)
		}
	}
	before["audit_entries"] = 2 // ticketing has been told of both
	c.Eventually("both disclosures are on the trail", func() bool { return c.Number(`SELECT count(*) FROM audit_entries`) == 2 })
	left(t, c, before)
}

func TestBadAddressesAndKeys(t *testing.T) {
	t.Parallel()
	c := start(t, "")
	before := tables(c)
	for _, x := range []struct {
		name    string
		change  func(*flowtest.Call)
		status  int
		problem string
		field   string
	}{
		{"no key", func(call *flowtest.Call) { call.Key = "-" }, 400, "idempotency-key-missing", "header Idempotency-Key"},
		{"a key without quotes", func(call *flowtest.Call) {
			call.Key, call.Header = "-", map[string]string{"Idempotency-Key": "bare"}
		}, 400, "header-invalid", "header Idempotency-Key"},
		{"an unknown spot", func(call *flowtest.Call) { call.Path = "/v1/attractions/east-lake/entries" }, 404, "venue-unknown", ""},
		{"an ID number in the query", func(call *flowtest.Call) { call.Path += "?id_number=" + idNumber(1) }, 400, "query-invalid", "query id_number"},
		{"another media type", func(call *flowtest.Call) { call.Header = map[string]string{"Content-Type": "text/plain"} }, 415, "media-type-unknown", "header Content-Type"},
		{"another method", func(call *flowtest.Call) { call.Method = http.MethodPut }, 405, "method-not-allowed", ""},
	} {
		t.Run(x.name, func(t *testing.T) {
			call := entering(c, "north-1", code("x"))
			call.Invalid = true
			x.change(&call)
			a := c.Do(call)
			if p := refused(t, a); a.Status != x.status || a.Problem() != x.problem || p.Field != x.field {
				t.Errorf("%d %s", a.Status, a.Text)
			}
			left(t, c, before)
		})
	}
	if strings.Contains(c.LogText(), idNumber(1)) {
		t.Error("an ID number of an address is in the log")
	}
}

func TestBadTokens(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	revoked := filepath.Join(folder, "revoked")
	if err := os.WriteFile(revoked, []byte("sub * thief\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := flowtest.Options{Gateway: func(file string) string {
		return strings.Replace(file, "  leeway: 5s\n", "  leeway: 5s\n  revocations_file: "+revoked+"\n", 1)
	}}.Start(t, flows(t), flowtest.Spot{ID: spot}, flowtest.Spot{ID: "lingyin"})
	foreign, err := auth.NewIssuer(folder, "https://id.elsewhere.example", "warmgate")
	if err != nil {
		t.Fatal(err)
	}
	imposter, err := auth.NewIssuer(t.TempDir(), "https://id.city.example", "warmgate")
	if err != nil {
		t.Fatal(err)
	}
	grant := func(change func(*auth.Grant)) auth.Grant {
		g := auth.Grant{Subject: "gate", Tenant: "hangzhou", Scopes: []string{"scenic:gate"}, Venues: []string{"*"}, TTL: time.Hour}
		change(&g)
		return g
	}
	same := func(*auth.Grant) {}
	mint := func(i *auth.Issuer, now time.Time) string {
		token, err := i.Mint(grant(same), now)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	good := c.Mint(grant(same))
	parts := strings.Split(good, ".")
	head := func(change func(m)) string {
		h := m{"typ": "at+jwt", "alg": "EdDSA", "kid": kidOf(t, parts[0])}
		change(h)
		return base64.RawURLEncoding.EncodeToString(marshal(t, h))
	}
	hs256 := func() string {
		unsigned := head(func(h m) { h["alg"] = "HS256" }) + "." + parts[1]
		mac := hmac.New(sha256.New, publicKey(t, c.Folder))
		mac.Write([]byte(unsigned))
		return unsigned + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}
	before := tables(c)
	for _, x := range []struct {
		name, token string
		status      int
		problem     string
	}{
		{"none", "", 401, "token-missing"},
		{"not a token", "abc", 401, "token-invalid"},
		{"expired", c.MintAt(grant(same), time.Now().Add(-2*time.Hour)), 401, "token-expired"},
		{"not yet valid", c.MintAt(grant(same), time.Now().Add(time.Hour)), 401, "token-invalid"},
		{"foreign", mint(foreign, time.Now()), 401, "token-invalid"},
		{"of an imposter", mint(imposter, time.Now()), 401, "token-invalid"},
		{"wrongly signed", parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2])), 401, "token-invalid"},
		{"unsigned", head(func(h m) { h["alg"] = "none" }) + "." + parts[1] + ".", 401, "token-invalid"},
		{"signed with the public key as a secret", hs256(), 401, "token-invalid"},
		{"revoked", c.Mint(grant(func(g *auth.Grant) { g.Subject = "thief" })), 401, "token-revoked"},
		{"of another venue", c.Mint(grant(func(g *auth.Grant) { g.Venues = []string{"lingyin"} })), 403, "venue-not-yours"},
		{"of another tenant", c.Mint(grant(func(g *auth.Grant) { g.Tenant = "suzhou" })), 404, "venue-unknown"},
		{"without the scope", c.Mint(grant(func(g *auth.Grant) { g.Scopes = []string{"scenic:read"} })), 403, "scope-missing"},
	} {
		t.Run(x.name, func(t *testing.T) {
			call := entering(c, "north-1", code("x"))
			call.Token = x.token
			a := c.Do(call)
			if a.Status != x.status || a.Problem() != x.problem {
				t.Errorf("%d %s", a.Status, a.Text)
			}
			if (a.Status == 401) != (a.Header.Get("WWW-Authenticate") != "") && a.Status != 403 {
				t.Errorf("WWW-Authenticate %q", a.Header.Get("WWW-Authenticate"))
			}
			left(t, c, before)
		})
	}
	if a := c.Do(flowtest.Call{Method: http.MethodPost, Path: "/v1/attractions/" + spot + "/entries", Token: good,
		Body: m{"gate": "north-1", "scan_id": "s", "ticket": code(c.Tickets[spot].Fresh().Code)}}); a.Status != 201 {
		t.Errorf("the good one: %d %s", a.Status, a.Text)
	}
}

// idNumber makes the n-th identity number with a right check digit, by the definition of ISO 7064 MOD 11-2.
func idNumber(n int) string {
	digits := fmt.Sprintf("11010119900307%03d", n%1000)
	for _, check := range "0123456789X" {
		p := 0
		for _, c := range digits + string(check) {
			v := int(c - '0')
			if c == 'X' {
				v = 10
			}
			p = (p*2 + v) % 11
		}
		if p == 1 {
			return digits + string(check)
		}
	}
	panic("BUG: one of eleven digits is always right")
}

func publicKey(t testing.TB, folder string) ed25519.PublicKey {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "token-keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	var set struct {
		Keys []struct {
			X string `json:"x"`
		} `json:"keys"`
	}
	unmarshal(t, text, &set)
	key, err := base64.RawURLEncoding.DecodeString(set.Keys[0].X)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func kidOf(t testing.TB, head string) string {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		t.Fatal(err)
	}
	var h struct {
		Kid string `json:"kid"`
	}
	unmarshal(t, text, &h)
	return h.Kid
}
