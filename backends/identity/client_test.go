package identity_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/identity"
	"github.com/warmgate/warmgate/backends/twin/twintest"
	"github.com/warmgate/warmgate/backends/wire"
)

func TestMain(m *testing.M) { twintest.Main(m) }

const testKey = "test-key-9f3c"

var evening = time.Date(2026, 5, 2, 19, 30, 0, 0, time.FixedZone("CST", 8*3600))

// world is a city with one service, and a client of it.
type world struct {
	twintest.Site
	twin   *identity.Twin
	client *identity.Client
}

func newWorld(t testing.TB, change func(*identity.Config)) world {
	t.Helper()
	service := newTwin(t, 7)
	site := twintest.Open(t, "identity", "lakeside", service)
	cfg := identity.Config{BaseURL: site.URL, APIKey: testKey}
	if change != nil {
		change(&cfg)
	}
	client, err := identity.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return world{site, service, client}
}

func newTwin(t testing.TB, seed uint64) *identity.Twin {
	t.Helper()
	service, err := identity.NewTwin(identity.TwinConfig{Name: "lakeside", APIKey: testKey, Seed: seed,
		Clock: func() time.Time { return evening }, Location: evening.Location()})
	if err != nil {
		t.Fatal(err)
	}
	return service
}

// someone makes one person up.
func (w world) someone(t testing.TB, s identity.Scenario, f identity.Face) identity.Made {
	t.Helper()
	made, err := w.twin.MakeUp(identity.Want{Scenario: s, Face: f})
	if err != nil {
		t.Fatal(err)
	}
	return made[0]
}

func request(m identity.Made) identity.Request {
	return identity.Request{Document: m.Document, Face: m.Face, Purpose: "hotel-check-in"}
}

func refusedWith(t testing.TB, err error, code string) {
	t.Helper()
	if e := twintest.ErrorOf(t, err); e.Fate != wire.Refused || e.Reason != wire.ReasonRefused || e.Code != code || e.Connector != "identity" {
		t.Errorf("want a refusal %s, got %+v", code, e)
	}
}

func TestPeopleWhomAFrontDeskMeets(t *testing.T) {
	w := newWorld(t, nil)
	for _, test := range []struct {
		scenario identity.Scenario
		standing identity.Standing
		band     identity.AgeBand
	}{
		{identity.Resident, identity.Valid, identity.Adult},
		{identity.Minor, identity.Valid, identity.Youth},
		{identity.YoungChild, identity.Valid, identity.Child},
		{identity.OldCard, identity.Expired, identity.Adult},
		{identity.MiddleDot, identity.Valid, identity.Adult},
		{identity.ForeignPassport, identity.Valid, identity.Adult},
		{identity.OldPassport, identity.Expired, identity.Adult},
		{identity.HongKong, identity.Valid, identity.Adult},
		{identity.Taiwan, identity.Valid, identity.Adult},
		{identity.PermanentCard, identity.Valid, identity.Adult},
		{identity.Stranger, identity.NotKnown, identity.Adult},
	} {
		t.Run(string(test.scenario), func(t *testing.T) {
			for range 20 {
				made := w.someone(t, test.scenario, identity.Own)
				v, err := w.client.Verify(twintest.Within(t, 5*time.Second), request(made))
				if err != nil {
					t.Fatal(err)
				}
				if v.Document != test.standing || v.AgeBand != test.band || v.Liveness != identity.LivenessPassed || v.Score < 0.95 ||
					v.BirthDate != made.Document.BirthDate || !v.At.Equal(evening) || v.ID == "" {
					t.Errorf("got %+v", v)
				}
				if len(made.Face) > 8<<10 {
					t.Errorf("a face has %d bytes: too many for a kiosk's request", len(made.Face))
				}
			}
		})
	}
	if len(identity.Scenarios()) != 11 {
		t.Errorf("scenarios = %v", identity.Scenarios())
	}
}

func TestFaces(t *testing.T) {
	w := newWorld(t, nil)
	for _, test := range []struct {
		face     identity.Face
		from, to float64
		liveness identity.Liveness
	}{
		{identity.Own, 0.95, 1, identity.LivenessPassed},
		{identity.Doubtful, 0.6, 0.95, identity.LivenessPassed},
		{identity.Other, 0, 0.6, identity.LivenessPassed},
		{identity.Printed, 0.95, 1, identity.LivenessFailed},
		{identity.Unclear, 0.95, 1, identity.LivenessUnsure},
	} {
		for _, s := range identity.Scenarios() {
			for range 20 {
				v, err := w.client.Verify(twintest.Within(t, 5*time.Second), request(w.someone(t, s, test.face)))
				if err != nil || v.Score < test.from || v.Score > test.to || v.Liveness != test.liveness {
					t.Errorf("%s %s: %+v, %v", test.face, s, v, err)
				}
			}
		}
	}
	a, b := w.someone(t, identity.Resident, identity.Own), w.someone(t, identity.Resident, identity.Own)
	a.Face = b.Face
	if v, err := w.client.Verify(twintest.Within(t, 5*time.Second), request(a)); err != nil || v.Score > 0.6 {
		t.Errorf("another guest's face: %+v, %v", v, err)
	}
	c := w.someone(t, identity.ForeignPassport, identity.Other)
	c.Document.Portrait = c.Face // a passport whose picture was replaced
	if v, err := w.client.Verify(twintest.Within(t, 5*time.Second), request(c)); err != nil || v.Score > 0.6 {
		t.Errorf("a replaced picture: %+v, %v", v, err)
	}
	c = w.someone(t, identity.ForeignPassport, identity.Own)
	c.Document.Portrait = b.Face // the holder, with somebody else's picture in the passport
	if v, err := w.client.Verify(twintest.Within(t, 5*time.Second), request(c)); err != nil || v.Score > 0.6 {
		t.Errorf("another picture in the passport: %+v, %v", v, err)
	}
	d := w.someone(t, identity.Stranger, identity.Own)
	d.Document.Portrait = nil
	if v, err := w.client.Verify(twintest.Within(t, 5*time.Second), request(d)); err != nil || v.Score != 0 || v.Document != identity.NotKnown {
		t.Errorf("nothing to compare with: %+v, %v", v, err)
	}
}

func TestAgeBandsEndOnBirthdays(t *testing.T) {
	w := newWorld(t, nil)
	made := w.someone(t, identity.Stranger, identity.Own) // whose birth date is as sent
	for born, want := range map[string]identity.AgeBand{"2012-05-03": identity.Child, "2012-05-02": identity.Youth, "2008-05-03": identity.Youth,
		"2008-06-01": identity.Youth, "2008-05-02": identity.Adult, "2008-02-29": identity.Adult, "2026-05-02": identity.Child} {
		made.Document.BirthDate = born
		if v, err := w.client.Verify(twintest.Within(t, 5*time.Second), request(made)); err != nil || v.AgeBand != want || v.BirthDate != born {
			t.Errorf("born %s: %+v, %v", born, v, err)
		}
	}
}

func TestADocumentThatContradictsItsIssuer(t *testing.T) {
	w := newWorld(t, nil)
	for name, change := range map[string]func(*identity.Document){
		"name":        func(d *identity.Document) { d.Name = "样例" },
		"latin name":  func(d *identity.Document) { d.LatinName = "" },
		"last day":    func(d *identity.Document) { d.ExpiresOn = "2036-01-01" },
		"no last day": func(d *identity.Document) { d.ExpiresOn = "" },
		"nation":      func(d *identity.Document) { d.Nationality = "UTO" },
	} {
		made := w.someone(t, identity.Resident, identity.Own)
		change(&made.Document)
		v, err := w.client.Verify(twintest.Within(t, 5*time.Second), request(made))
		if err != nil || v.Document != identity.Unreadable {
			t.Errorf("%s: %+v, %v", name, v, err)
		}
	}
	made := w.someone(t, identity.ForeignPassport, identity.Own)
	made.Document.BirthDate = "1900-01-01"
	v, err := w.client.Verify(twintest.Within(t, 5*time.Second), request(made))
	if err != nil || v.Document != identity.Unreadable || v.BirthDate == "1900-01-01" {
		t.Errorf("another birth date: %+v, %v", v, err)
	}
}

func TestRefusals(t *testing.T) {
	w := newWorld(t, nil)
	passport := w.someone(t, identity.ForeignPassport, identity.Own)
	two := w.someone(t, identity.Resident, identity.Two)
	for name, test := range map[string]struct {
		code string
		made identity.Made
		then func(*identity.Request)
	}{
		"no face":              {code: identity.CodeFaceMissing, then: func(r *identity.Request) { r.Face = nil }},
		"a large face":         {code: identity.CodeFaceTooLarge, then: func(r *identity.Request) { r.Face = make([]byte, identity.MaxFace+1) }},
		"the largest, no JPEG": {code: identity.CodeFaceUnreadable, then: func(r *identity.Request) { r.Face = make([]byte, identity.MaxFace) }},
		"half a JPEG":          {code: identity.CodeFaceUnreadable, then: func(r *identity.Request) { r.Face = r.Face[:len(r.Face)/2] }},
		"nobody":               {code: identity.CodeFaceUnreadable, made: w.someone(t, identity.Resident, identity.Blank)},
		"two faces":            {code: identity.CodeSeveralFaces, made: two},
		"no portrait":          {code: identity.CodeDocumentUnreadable, made: passport, then: func(r *identity.Request) { r.Document.Portrait = []byte("GIF89a") }},
		"two portraits":        {code: identity.CodeDocumentUnreadable, made: passport, then: func(r *identity.Request) { r.Document.Portrait = two.Face }},
		"a check character": {code: identity.CodeNumberInvalid, then: func(r *identity.Request) {
			last := len(r.Document.Number) - 1
			other := byte('1')
			if r.Document.Number[last] == other {
				other = '2'
			}
			r.Document.Number = r.Document.Number[:last] + string(other)
		}},
		"a birth date that is not the number's": {code: identity.CodeNumberInvalid, then: func(r *identity.Request) { r.Document.BirthDate = "1900-01-01" }},
		"a passport's number on a card":         {code: identity.CodeNumberInvalid, then: func(r *identity.Request) { r.Document.Number = "E12345678" }},
	} {
		made := test.made
		if made.Face == nil {
			made = w.someone(t, identity.Resident, identity.Own)
		}
		r := request(made)
		if test.then != nil {
			test.then(&r)
		}
		_, err := w.client.Verify(twintest.Within(t, 5*time.Second), r)
		t.Run(name, func(t *testing.T) { refusedWith(t, err, test.code) })
		if strings.Contains(err.Error(), r.Document.Number) || strings.Contains(err.Error(), r.Document.Name) {
			t.Errorf("%s: the error shows the person: %v", name, err)
		}
	}
	c, err := identity.New(identity.Config{BaseURL: w.URL, APIKey: "another"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = c.Verify(twintest.Within(t, 5*time.Second), request(passport))
	refusedWith(t, err, identity.CodeUnauthorized)
}

// TestItIsARead: asked twice, it answers the same but for its own number, and nothing is different afterwards.
func TestItIsARead(t *testing.T) {
	w := newWorld(t, nil)
	made := w.someone(t, identity.Resident, identity.Doubtful)
	first, err := w.client.Verify(twintest.Within(t, 5*time.Second), request(made))
	if err != nil {
		t.Fatal(err)
	}
	again, err := w.client.Verify(twintest.Within(t, 5*time.Second), request(made))
	if err != nil || again.ID == first.ID {
		t.Fatalf("again: %+v, %v", again, err)
	}
	again.ID = first.ID
	if *again != *first {
		t.Errorf("%+v and then %+v", first, again)
	}
	b := w.twin.ReadBooks()
	if len(b.Asked) != 1 || b.Requests != 2 {
		t.Errorf("books = %+v", b)
	}
	for who, n := range b.Asked {
		if n != 2 || strings.Contains(who, made.Document.Number) {
			t.Errorf("books = %+v", b)
		}
	}
}

func TestNothingIsSent(t *testing.T) {
	w := newWorld(t, nil)
	ctx := twintest.Within(t, 5*time.Second)
	for _, test := range []struct {
		says string
		ctx  context.Context
		then func(*identity.Request)
	}{
		{"no-time", context.Background(), func(*identity.Request) {}},
		{"no-time", twintest.Within(t, time.Nanosecond), func(*identity.Request) {}},
		{"document.type", ctx, func(r *identity.Request) { r.Document.Type = "library-card" }},
		{"document.number", ctx, func(r *identity.Request) { r.Document.Number = "" }},
		{"document.number", ctx, func(r *identity.Request) { r.Document.Number = strings.Repeat("1", 33) }},
		{"document.number", ctx, func(r *identity.Request) { r.Document.Number = "99000x" }},
		{"document.name", ctx, func(r *identity.Request) { r.Document.Name = "" }},
		{"document.name", ctx, func(r *identity.Request) { r.Document.Name = "\xff" }},
		{"document.name", ctx, func(r *identity.Request) { r.Document.LatinName = "A\tB" }},
		{"document.birth_date", ctx, func(r *identity.Request) { r.Document.BirthDate = "19900502" }},
		{"document.expires_on", ctx, func(r *identity.Request) { r.Document.ExpiresOn = "long-term" }},
		{"document.nationality", ctx, func(r *identity.Request) { r.Document.Nationality = "cn" }},
		{"document.portrait", ctx, func(r *identity.Request) { r.Document.Portrait = make([]byte, identity.MaxFace+1) }},
		{"purpose", ctx, func(r *identity.Request) { r.Purpose = "" }},
		{"purpose", ctx, func(r *identity.Request) { r.Purpose = "Check In" }},
	} {
		r := request(w.someone(t, identity.Resident, identity.Own))
		test.then(&r)
		_, err := w.client.Verify(test.ctx, r)
		if e := twintest.ErrorOf(t, err); e.Fate != wire.NotSent || !strings.Contains(e.Error(), test.says) {
			t.Errorf("want %q, got %v", test.says, e)
		}
		if strings.Contains(err.Error(), "990000") || strings.Contains(err.Error(), "样例") {
			t.Errorf("the error shows the person: %v", err)
		}
	}
	if n := w.twin.ReadBooks().Requests; n != 0 {
		t.Errorf("%d requests arrived", n)
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	good := identity.Config{BaseURL: "https://identity.example", APIKey: "k"}
	for want, change := range map[string]func(*identity.Config){
		"":          func(*identity.Config) {},
		"base_url":  func(c *identity.Config) { c.BaseURL = "identity.example" },
		"api_key":   func(c *identity.Config) { c.APIKey = "a b" },
		"max_conns": func(c *identity.Config) { c.MaxConns = -1 },
		"max_body":  func(c *identity.Config) { c.MaxBody = 1 },
		"idle":      func(c *identity.Config) { c.Idle = -1 },
	} {
		cfg := good
		change(&cfg)
		if _, err := identity.New(cfg); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
}

func TestTheTwinIsMadeFromItsSeedAndRemembers(t *testing.T) {
	first := func(service *identity.Twin) string {
		made, err := service.Make([]byte(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(made)
	}
	one := newTwin(t, 1)
	a := first(one)
	if first(newTwin(t, 1)) != a || first(newTwin(t, 2)) == a {
		t.Error("a seed must make the same people, and another seed others")
	}
	state, err := one.Save()
	if err != nil {
		t.Fatal(err)
	}
	back := newTwin(t, 1)
	if err := back.Restore(state); err != nil {
		t.Fatal(err)
	}
	changes := back.Changes()
	if b := first(back); b == a || b != first(one) {
		t.Error("a restored twin must go on where it stopped, with people who are new")
	}
	if back.Changes() == changes {
		t.Error("a new person is a change")
	}
	x, errX := one.Save()
	y, errY := back.Save()
	if string(x) != string(y) || errX != nil || errY != nil {
		t.Errorf("saved and restored differ:\n%s\n%s", x, y)
	}
	if strings.Contains(string(x), "portrait") {
		t.Error("pictures are made when they are needed, and not kept")
	}
	for _, bad := range []string{``, `{"people":[null]}`, `{"book":1}`} {
		if err := newTwin(t, 1).Restore([]byte(bad)); err == nil {
			t.Errorf("%q was restored", bad)
		}
	}
	for _, bad := range []string{``, `{"scenario":"ghost"}`, `{"face":"mask"}`, `{"count":1001}`, `{"count":-1}`, `{"who":1}`} {
		if _, err := one.Make([]byte(bad)); err == nil {
			t.Errorf("%q was made", bad)
		}
	}
	for _, bad := range []identity.TwinConfig{{APIKey: "k"}, {Name: "s"}} {
		if _, err := identity.NewTwin(bad); err == nil {
			t.Errorf("%+v was made", bad)
		}
	}
}
