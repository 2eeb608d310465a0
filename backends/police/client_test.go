package police_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/police"
	"github.com/warmgate/warmgate/backends/twin/twintest"
	"github.com/warmgate/warmgate/backends/wire"
)

func TestMain(m *testing.M) { twintest.Main(m) }

const testKey = "test-key-9f3c"

var (
	china   = time.FixedZone("CST", 8*3600)
	evening = time.Date(2026, 5, 2, 19, 30, 0, 0, china)
	morning = time.Date(2026, 5, 4, 10, 5, 0, 0, china)
)

// world is a city with one bureau, and a client of it.
type world struct {
	twintest.Site
	twin   *police.Twin
	client *police.Client
}

func newWorld(t testing.TB, change func(*police.Config)) world {
	t.Helper()
	bureau := newTwin(t, 7)
	site := twintest.Open(t, "police", "lakeside", bureau)
	cfg := police.Config{BaseURL: site.URL, APIKey: testKey, Hotel: "lakeside"}
	if change != nil {
		change(&cfg)
	}
	client, err := police.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return world{site, bureau, client}
}

func newTwin(t testing.TB, seed uint64) *police.Twin {
	t.Helper()
	bureau, err := police.NewTwin(police.TwinConfig{Name: "lakeside", Hotels: []string{"lakeside", "hillside"}, APIKey: testKey, Seed: seed,
		Clock: func() time.Time { return evening }})
	if err != nil {
		t.Fatal(err)
	}
	return bureau
}

func refusedWith(t testing.TB, err error, code string) {
	t.Helper()
	if e := twintest.ErrorOf(t, err); e.Fate != wire.Refused || e.Reason != wire.ReasonRefused || e.Code != code || e.Connector != "police" {
		t.Errorf("want a refusal %s, got %+v", code, e)
	}
}

// key makes an opaque key that is easy to read in a failing test.
func key(name string) string { return "stay-" + name + "-0123456789" }

// guest is nobody: the area 990000 has never been issued.
func guest() police.Guest {
	return police.Guest{Name: "样例甲", LatinName: "YANGLI JIA", DocumentType: police.ResidentID, DocumentNumber: "990000199005020036",
		Nationality: "CHN", BirthDate: "1990-05-02", Sex: police.Male}
}

func stay() police.Stay {
	return police.Stay{Room: "1208", Guest: guest(), ArrivedAt: evening, ExpectedDeparture: "2026-05-04"}
}

func TestAStayFromArrivalToDeparture(t *testing.T) {
	w := newWorld(t, nil)
	ctx := twintest.Within(t, 5*time.Second)
	k := key("one")
	if r, err := w.client.Find(ctx, k); r != nil || err != nil {
		t.Fatalf("Find before = %+v, %v", r, err)
	}
	first, err := w.client.Register(ctx, k, stay())
	if err != nil {
		t.Fatal(err)
	}
	if first.Key != k || first.State != police.Registered || first.Room != "1208" || first.Hotel != "lakeside" || first.Number == "" ||
		!first.ArrivedAt.Equal(evening) || !first.RegisteredAt.Equal(evening) || first.ExpectedDeparture != "2026-05-04" || !first.LeftAt.IsZero() {
		t.Fatalf("Register = %+v", first)
	}
	if again, err := w.client.Register(ctx, k, stay()); err != nil || *again != *first {
		t.Fatalf("Register again = %+v, %v", again, err)
	}
	elsewhen := stay()
	elsewhen.ArrivedAt = evening.UTC() // the same instant, written differently
	if again, err := w.client.Register(ctx, k, elsewhen); err != nil || *again != *first {
		t.Fatalf("Register again in UTC = %+v, %v", again, err)
	}
	for range 2 {
		if r, err := w.client.Correct(ctx, k, 1, police.Correction{Room: "1210"}); err != nil || r.Room != "1210" || r.Revision != 1 {
			t.Fatalf("Correct the room = %+v, %v", r, err)
		}
	}
	if r, err := w.client.Correct(ctx, k, 2, police.Correction{Name: "样例乙", LatinName: "YANGLI YI"}); err != nil || r.Room != "1210" || r.Revision != 2 {
		t.Fatalf("Correct the name = %+v, %v", r, err)
	}
	if r, err := w.client.Correct(ctx, k, 1, police.Correction{Room: "1210"}); err != nil || r.Revision != 2 {
		t.Fatalf("a late copy of the first correction = %+v, %v", r, err)
	}
	if r, err := w.client.Register(ctx, k, stay()); err != nil || r.Room != "1210" || r.Number != first.Number {
		t.Fatalf("a late copy of the registration = %+v, %v", r, err)
	}
	for range 2 {
		if r, err := w.client.Depart(ctx, k, morning); err != nil || r.State != police.Departed || !r.LeftAt.Equal(morning) {
			t.Fatalf("Depart = %+v, %v", r, err)
		}
	}
	if r, err := w.client.Find(ctx, k); err != nil || r.State != police.Departed || r.Number != first.Number || r.Revision != 2 {
		t.Fatalf("Find = %+v, %v", r, err)
	}
	b := w.twin.ReadBooks()
	if len(b.Registrations) != 1 || b.Registrations[0].Asked != (police.Asked{Register: 4, Find: 1, Correct: 4, Depart: 2}) ||
		len(b.Registrations[0].Revisions) != 2 || b.Registrations[0].Revisions[0].Asked != 3 || b.Registrations[0].SeenBy != "kiosk" {
		t.Errorf("books = %+v", b)
	}
}

func TestRefusals(t *testing.T) {
	w := newWorld(t, nil)
	ctx := twintest.Within(t, 10*time.Second)
	k, left := key("held"), key("left")
	for _, each := range []string{k, left} {
		if _, err := w.client.Register(ctx, each, stay()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.client.Depart(ctx, left, morning); err != nil {
		t.Fatal(err)
	}
	register := func(key string, change func(*police.Stay)) func() error {
		return func() error {
			s := stay()
			change(&s)
			_, err := w.client.Register(ctx, key, s)
			return err
		}
	}
	for name, test := range map[string]struct {
		code string
		call func() error
	}{
		"another room":             {police.CodeConflict, register(k, func(s *police.Stay) { s.Room = "1209" })},
		"another arrival":          {police.CodeConflict, register(k, func(s *police.Stay) { s.ArrivedAt = evening.Add(time.Second) })},
		"another departure":        {police.CodeConflict, register(k, func(s *police.Stay) { s.ExpectedDeparture = "2026-05-05" })},
		"another name":             {police.CodeConflict, register(k, func(s *police.Stay) { s.Guest.Name = "样例乙" })},
		"another sex":              {police.CodeConflict, register(k, func(s *police.Stay) { s.Guest.Sex = police.Unspecified })},
		"another form of the name": {police.CodeConflict, register(k, func(s *police.Stay) { s.Guest.LatinName = "" })},
		"back after leaving":       {police.CodeDeparted, register(left, func(*police.Stay) {})},
		"other, after leaving":     {police.CodeDeparted, register(left, func(s *police.Stay) { s.Room = "1" })},
		"a wrong check character":  {police.CodeBadDocument, register(key("a"), func(s *police.Stay) { s.Guest.DocumentNumber = "990000199005020037" })},
		"a day that is none":       {police.CodeBadDocument, register(key("a"), func(s *police.Stay) { s.Guest.DocumentNumber = "990000199002300032" })},
		"another birth date":       {police.CodeBadDocument, register(key("a"), func(s *police.Stay) { s.Guest.BirthDate = "1990-05-03" })},
		"a permit's number":        {police.CodeBadDocument, register(key("a"), func(s *police.Stay) { s.Guest.DocumentType = police.HKMacaoPermit })},
		"nothing to correct": {police.CodeNotFound, func() error {
			_, err := w.client.Correct(ctx, key("none"), 1, police.Correction{Room: "1"})
			return err
		}},
		"nobody to leave": {police.CodeNotFound, func() error { _, err := w.client.Depart(ctx, key("none"), morning); return err }},
		"a revision too far": {police.CodeRevisionGap, func() error {
			_, err := w.client.Correct(ctx, k, 2, police.Correction{Room: "1"})
			return err
		}},
		"a correction after leaving": {police.CodeDeparted, func() error {
			_, err := w.client.Correct(ctx, left, 1, police.Correction{Room: "1"})
			return err
		}},
		"gone before coming": {police.CodeBeforeStay, func() error { _, err := w.client.Depart(ctx, k, evening.Add(-time.Second)); return err }},
		"gone at another time": {police.CodeConflict, func() error {
			_, err := w.client.Depart(ctx, left, morning.Add(time.Second))
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) { refusedWith(t, test.call(), test.code) })
	}
	if _, err := w.client.Correct(ctx, k, 1, police.Correction{Room: "1"}); err != nil {
		t.Fatal(err)
	}
	_, err := w.client.Correct(ctx, k, 1, police.Correction{Room: "2"})
	refusedWith(t, err, police.CodeConflict)
	for name, change := range map[string]func(*police.Config){
		police.CodeUnauthorized: func(c *police.Config) { c.APIKey = "another" },
		police.CodeHotelUnknown: func(c *police.Config) { c.Hotel = "seaside" },
	} {
		cfg := police.Config{BaseURL: w.URL, APIKey: testKey, Hotel: "lakeside"}
		change(&cfg)
		c, err := police.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Register(ctx, key("b"), stay())
		refusedWith(t, err, name)
		c.Close()
	}
	if r := w.twin.ReadBooks().Registrations; len(r) != 2 || r[0].State != police.Registered || r[0].Room != "1" {
		t.Errorf("a refusal left something behind: %+v", r)
	}
}

// TestAGuestStaysAtOneHotel: and may have two rooms there.
func TestAGuestStaysAtOneHotel(t *testing.T) {
	w := newWorld(t, nil)
	ctx := twintest.Within(t, 5*time.Second)
	other, err := police.New(police.Config{BaseURL: w.URL, APIKey: testKey, Hotel: "hillside"})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := other.Register(ctx, key("hill"), stay()); err != nil {
		t.Fatal(err)
	}
	_, err = w.client.Register(ctx, key("lake"), stay())
	refusedWith(t, err, police.CodeElsewhere)
	if _, err := other.Depart(ctx, key("hill"), morning); err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{key("lake"), key("lake2")} {
		if _, err := w.client.Register(ctx, k, stay()); err != nil {
			t.Fatalf("after leaving the other hotel: %v", err)
		}
	}
	b := w.twin.ReadBooks().Registrations
	if len(b) != 3 || b[1].Person != b[2].Person || b[0].Person != b[1].Person || b[1].Content == b[0].Content || b[1].Content != b[2].Content {
		t.Errorf("the books cannot tell that one person is there twice: %+v", b)
	}
}

func TestNothingIsSent(t *testing.T) {
	w := newWorld(t, nil)
	ctx := twintest.Within(t, 5*time.Second)
	register := func(key string, change func(*police.Stay)) func(context.Context) error {
		return func(ctx context.Context) error {
			s := stay()
			change(&s)
			_, err := w.client.Register(ctx, key, s)
			return err
		}
	}
	correct := func(key string, n int, c police.Correction) func(context.Context) error {
		return func(ctx context.Context) error { _, err := w.client.Correct(ctx, key, n, c); return err }
	}
	find := func(key string) func(context.Context) error {
		return func(ctx context.Context) error { _, err := w.client.Find(ctx, key); return err }
	}
	same := func(*police.Stay) {}
	k := key("one")
	for _, test := range []struct {
		says string
		ctx  context.Context
		call func(context.Context) error
	}{
		{"no-time", context.Background(), register(k, same)},
		{"no-time", twintest.Within(t, time.Nanosecond), find(k)},
		{"key", ctx, register("short", same)},
		{"key", ctx, find("../v1/registrations/" + k)},
		{"key", ctx, find("stay 0123456789 0123456789")},
		{"key", ctx, find("990000199005020036")},
		{"key", ctx, find("99000019900502001X")},
		{"key", ctx, find(strings.Repeat("k", 65))},
		{"key: it holds the number", ctx, register("stay-990000199005020036", same)},
		{"key", ctx, correct("", 1, police.Correction{Room: "1"})},
		{"key", ctx, func(ctx context.Context) error { _, err := w.client.Depart(ctx, "", morning); return err }},
		{"left_at", ctx, func(ctx context.Context) error { _, err := w.client.Depart(ctx, k, time.Time{}); return err }},
		{"room", ctx, register(k, func(s *police.Stay) { s.Room = "" })},
		{"room", ctx, register(k, func(s *police.Stay) { s.Room = "12 08" })},
		{"arrived_at", ctx, register(k, func(s *police.Stay) { s.ArrivedAt = time.Time{} })},
		{"expected_departure", ctx, register(k, func(s *police.Stay) { s.ExpectedDeparture = "2026-05-01" })},
		{"expected_departure", ctx, register(k, func(s *police.Stay) { s.ExpectedDeparture = "4 May" })},
		{"name", ctx, register(k, func(s *police.Stay) { s.Guest.Name = "" })},
		{"name", ctx, register(k, func(s *police.Stay) { s.Guest.Name = "a\xff" })},
		{"name", ctx, register(k, func(s *police.Stay) { s.Guest.Name = "a\nb" })},
		{"name", ctx, register(k, func(s *police.Stay) { s.Guest.Name = "—" })},
		{"name", ctx, register(k, func(s *police.Stay) { s.Guest.LatinName = strings.Repeat("a", 129) })},
		{"document_type", ctx, register(k, func(s *police.Stay) { s.Guest.DocumentType = "library-card" })},
		{"document_number", ctx, register(k, func(s *police.Stay) { s.Guest.DocumentNumber = "9900 00" })},
		{"nationality", ctx, register(k, func(s *police.Stay) { s.Guest.Nationality = "CN" })},
		{"birth_date", ctx, register(k, func(s *police.Stay) { s.Guest.BirthDate = "1990-02-30" })},
		{"sex", ctx, register(k, func(s *police.Stay) { s.Guest.Sex = "" })},
		{"revision", ctx, correct(k, 0, police.Correction{Room: "1"})},
		{"revision", ctx, correct(k, 1001, police.Correction{Room: "1"})},
		{"correction", ctx, correct(k, 1, police.Correction{})},
		{"room", ctx, correct(k, 1, police.Correction{Room: "/"})},
		{"name", ctx, correct(k, 1, police.Correction{Name: "\x00"})},
	} {
		e := twintest.ErrorOf(t, test.call(test.ctx))
		if e.Fate != wire.NotSent || !strings.Contains(e.Error(), test.says) {
			t.Errorf("want %q, got %v", test.says, e)
		}
		if strings.Contains(e.Error(), "990000") || strings.Contains(e.Error(), "样例") {
			t.Errorf("the error shows the guest: %v", e)
		}
	}
	if n := w.twin.ReadBooks().Requests; n != 0 {
		t.Errorf("%d requests arrived", n)
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	good := police.Config{BaseURL: "https://police.example", APIKey: "k", Hotel: "h"}
	for want, change := range map[string]func(*police.Config){
		"":          func(*police.Config) {},
		"base_url":  func(c *police.Config) { c.BaseURL = "police.example" },
		"api_key":   func(c *police.Config) { c.APIKey = "a b" },
		"hotel":     func(c *police.Config) { c.Hotel = "" },
		"max_conns": func(c *police.Config) { c.MaxConns = -1 },
		"max_body":  func(c *police.Config) { c.MaxBody = 1 },
		"idle":      func(c *police.Config) { c.Idle = -1 },
	} {
		cfg := good
		change(&cfg)
		if _, err := police.New(cfg); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
}
