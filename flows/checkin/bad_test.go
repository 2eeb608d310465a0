package checkin_test

import (
	"bytes"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/warmgate/warmgate/backends/identity"
	"github.com/warmgate/warmgate/flows/checkin/checkintest"
	"github.com/warmgate/warmgate/flows/flowtest"
	"github.com/warmgate/warmgate/gateway/auth"
)

// tables counts the rows of every table that a request could leave something in, and the requests to every system.
func tables(c *checkintest.Town) map[string]int64 {
	c.T.Helper()
	n := map[string]int64{"pms": int64(c.OHIP[hotel].ReadBooks().Requests), "identity": int64(c.Identity[hotel].ReadBooks().Requests),
		"police": int64(c.Police[hotel].ReadBooks().Requests)}
	for _, table := range []string{"runs", "operations", "idempotency", "messages", "assists", "audit_entries", "stays", "room_nights", "stay_guests", "vouches"} {
		n[table] = c.Number("SELECT count(*) FROM " + table)
	}
	return n
}

// badBodies are changes of a good check-in, each with the problem and the field that it is refused for.
func badBodies(p identity.Made) []badBody {
	guest := func(change func(g, d m)) func(m) {
		return func(body m) {
			g := body["guests"].([]any)[0].(m)
			change(g, g["document"].(m))
		}
	}
	document := func(name string, v any) func(m) { return guest(func(_, d m) { d[name] = v }) }
	check := byte('0')
	if p.Document.Number[17] == '0' {
		check = '1'
	}
	jpeg := append([]byte{0xFF, 0xD8, 0xFF}, bytes.Repeat([]byte{1}, 37<<10)...)
	return []badBody{
		{"no kiosk", func(b m) { delete(b, "kiosk") }, 400, "field-missing", "kiosk"},
		{"an unknown kiosk", func(b m) { b["kiosk"] = "roof-1" }, 404, "kiosk-unknown", "kiosk"},
		{"an unknown member", func(b m) { b["room"] = "101" }, 400, "field-unknown", "room"},
		{"an empty confirmation", func(b m) { b["booking"] = m{"confirmation": " "} }, 400, "field-missing", "booking.confirmation"},
		{"a long confirmation", func(b m) { b["booking"] = m{"confirmation": strings.Repeat("1", 65)} }, 400, "field-invalid", "booking.confirmation"},
		{"an unprintable confirmation", func(b m) { b["booking"] = m{"confirmation": "1\u0007"} }, 400, "field-invalid", "booking.confirmation"},
		{"no guests", func(b m) { delete(b, "guests") }, 400, "field-missing", "guests"},
		{"too many guests", func(b m) {
			g := b["guests"].([]any)[0]
			b["guests"] = []any{g, g, g, g, g}
		}, 400, "field-invalid", "guests"},
		{"one guest twice", func(b m) { b["guests"] = []any{b["guests"].([]any)[0], b["guests"].([]any)[0]} }, 400, "field-invalid", "guests[1].document.number"},
		{"no face", guest(func(g, _ m) { delete(g, "face") }), 400, "field-missing", "guests[0].face"},
		{"a face that is none", guest(func(g, _ m) { g["face"] = "aGVsbG8gd29ybGQ=" }), 400, "field-invalid", "guests[0].face"},
		{"a face that is no base64", guest(func(g, _ m) { g["face"] = "***" }), 400, "field-invalid", "guests[0].face"},
		{"a face too large", guest(func(g, _ m) { g["face"] = jpeg }), 400, "field-invalid", "guests[0].face"},
		{"a body too large", guest(func(g, _ m) { g["face"] = bytes.Repeat(jpeg, 2) }), 413, "body-too-large", ""},
		{"no type", guest(func(_, d m) { delete(d, "type") }), 400, "field-missing", "guests[0].document.type"},
		{"an unknown type", document("type", "library-card"), 400, "field-invalid", "guests[0].document.type"},
		{"no number", guest(func(_, d m) { delete(d, "number") }), 400, "field-missing", "guests[0].document.number"},
		{"a wrong check digit", document("number", p.Document.Number[:17]+string(check)), 422, "document-invalid", "guests[0].document.number"},
		{"a short number", document("number", p.Document.Number[:15]), 422, "document-invalid", "guests[0].document.number"},
		{"a number with a dash", document("number", "9900-0000"), 422, "document-invalid", "guests[0].document.number"},
		{"another birth date", document("birth_date", "1980-01-01"), 422, "document-invalid", "guests[0].document.number"},
		{"no name", guest(func(_, d m) { delete(d, "name") }), 400, "field-missing", "guests[0].document.name"},
		{"a name of nothing", document("name", "\u0001"), 400, "field-invalid", "guests[0].document.name"},
		{"a date that is none", guest(func(_, d m) { d["type"], d["number"], d["birth_date"] = "passport", "P1234567", "1990-02-30" }), 400, "field-invalid", "guests[0].document.birth_date"},
		{"born tomorrow", guest(func(_, d m) { d["type"], d["number"], d["birth_date"] = "passport", "P1234567", "2999-01-01" }), 400, "field-invalid", "guests[0].document.birth_date"},
		{"a nation that is none", guest(func(_, d m) { d["nationality"] = "chn" }), 400, "field-invalid", "guests[0].document.nationality"},
		{"a sex that is none", guest(func(_, d m) { d["type"], d["number"], d["sex"] = "passport", "P1234567", "Q" }), 400, "field-invalid", "guests[0].document.sex"},
		{"an end that is none", document("expires_on", "soon"), 400, "field-invalid", "guests[0].document.expires_on"},
		{"an assist with a reason", func(b m) { b["assist"] = "because" }, 400, "field-invalid", "assist"},
		{"a long wish", func(b m) { b["wishes"] = m{"floor": strings.Repeat("9", 65)} }, 400, "field-invalid", "wishes.floor"},
	}
}

type badBody struct {
	name    string
	change  func(m)
	status  int
	problem string
	field   string
}

// TestBadInput: a clear problem that names the field, nothing left behind, and nobody asked.
func TestBadInput(t *testing.T) {
	t.Parallel()
	c := start(t, "")
	b := c.Book(hotel, "")
	before := tables(c)
	for _, x := range badBodies(b.People[0]) {
		t.Run(x.name, func(t *testing.T) {
			body := b.Arrival("lobby-1")
			x.change(body)
			a := c.Do(flowtest.Call{Method: http.MethodPost, Path: "/v1/hotels/" + hotel + "/check-ins", Token: c.Token("kiosk", "hotel:check-in"), Body: body, Invalid: true})
			var p problem
			a.Into(t, &p)
			if a.Status != x.status || a.Problem() != x.problem || p.Field != x.field || p.Title == "" {
				t.Errorf("%d %s", a.Status, a.Text)
			}
			if after := tables(c); !maps.Equal(before, after) {
				t.Errorf("something was left behind: %v became %v", before, after)
			}
		})
	}
}

// TestBadAddresses: the wrong hotel, token or scope, and a check-out that is none.
func TestBadAddresses(t *testing.T) {
	t.Parallel()
	c := checkintest.Start(t, nil, checkintest.Hotel{ID: hotel}, checkintest.Hotel{ID: "another"})
	b := c.Book(hotel, "")
	before := tables(c)
	one := c.Mint(auth.Grant{Subject: "kiosk", Tenant: "hangzhou", Scopes: []string{"hotel:check-in"}, Venues: []string{"another"}, TTL: 1 << 40})
	for _, x := range []struct {
		name, path, token string
		body              any
		status            int
		problem           string
	}{
		{"an unknown hotel", "/v1/hotels/nowhere/check-ins", c.Token("kiosk", "hotel:check-in"), b.Arrival("lobby-1"), 404, "venue-unknown"},
		{"another hotel's token", "/v1/hotels/" + hotel + "/check-ins", one, b.Arrival("lobby-1"), 403, "venue-not-yours"},
		{"another scope", "/v1/hotels/" + hotel + "/check-ins", c.Token("gate", "scenic:gate"), b.Arrival("lobby-1"), 403, "scope-missing"},
		{"no document", "/v1/hotels/" + hotel + "/check-outs", c.Token("kiosk", "hotel:check-in"), m{"kiosk": "lobby-1"}, 400, "field-missing"},
		{"a bad document", "/v1/hotels/" + hotel + "/check-outs", c.Token("kiosk", "hotel:check-in"), m{"kiosk": "lobby-1", "document": m{"type": "passport", "number": "1"}}, 422, "document-invalid"},
	} {
		a := c.Do(flowtest.Call{Method: http.MethodPost, Path: x.path, Token: x.token, Body: x.body, Invalid: true})
		if a.Status != x.status || a.Problem() != x.problem {
			t.Errorf("%s: %d %s", x.name, a.Status, a.Text)
		}
	}
	if after := tables(c); !maps.Equal(before, after) {
		t.Errorf("something was left behind: %v became %v", before, after)
	}
}

// TestFacesAndNamesAreNotKept: no face, name or number of a document is in the ledger, the log or an assist in the clear.
func TestFacesAndNamesAreNotKept(t *testing.T) {
	t.Parallel()
	c := start(t, "")
	b := c.Book(hotel, "")
	in(t, c.CheckIn(hotel, b.Arrival("lobby-1")))
	other := c.Book(hotel, "", c.Person(hotel, identity.Want{Face: identity.Other}))
	c.CheckIn(hotel, other.Arrival("lobby-1"))
	c.Quiet()
	c.Stop()
	for _, secret := range []string{b.People[0].Document.Number, b.People[0].Document.Name, string(b.People[0].Face[:64]), other.People[0].Document.Number} {
		if strings.Contains(c.LogText(), secret) {
			t.Error("the log holds it")
		}
		for name, text := range c.Files() {
			if bytes.Contains(text, []byte(secret)) {
				t.Errorf("%s holds it", name)
			}
		}
	}
}
