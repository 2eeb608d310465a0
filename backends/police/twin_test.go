package police_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"pgregory.net/rapid"

	"github.com/warmgate/warmgate/backends/police"
	"github.com/warmgate/warmgate/backends/twin/twintest"
	"github.com/warmgate/warmgate/backends/wire"
)

// raw sends one request to the twin as it stands and returns the answer with its body.
func raw(t testing.TB, base, method, path, body string, header map[string]string) (*http.Response, string) {
	t.Helper()
	all := map[string]string{"Authorization": "Bearer " + testKey}
	maps.Copy(all, header)
	return twintest.Ask(t, method, base+path, body, all)
}

const aStay = `{"hotel":"lakeside","room":"1208","guest":{"name":"样例甲","latin_name":"YANGLI JIA","document_type":"resident-id",` +
	`"document_number":"990000199005020036","nationality":"CHN","birth_date":"1990-05-02","sex":"M"},` +
	`"arrived_at":"2026-05-02T19:30:00+08:00","expected_departure":"2026-05-04","seen_by":"kiosk"}`

func TestTheTwinRefusesWhatDoesNotFit(t *testing.T) {
	w := newWorld(t, nil)
	base := w.URL
	path := "/v1/registrations/" + key("one")
	with := func(old, now string) string {
		if !strings.Contains(aStay, old) {
			t.Fatalf("%s is not in a stay", old)
		}
		return strings.Replace(aStay, old, now, 1)
	}
	for _, test := range []struct {
		name, method, path, body string
		header                   map[string]string
		status                   int
		reason, field, says      string
	}{
		{"no credential", "GET", path, "", map[string]string{"Authorization": ""}, 401, "unauthorized", "", "bearer"},
		{"another scheme", "GET", path, "", map[string]string{"Authorization": "Basic x"}, 401, "unauthorized", "", "bearer"},
		{"another's credential", "GET", path, "", map[string]string{"Authorization": "Bearer x"}, 401, "unauthorized", "", "bearer"},
		{"no media type", "PUT", path, aStay, map[string]string{"Content-Type": ""}, 400, "bad-request", "", "application/json"},
		{"another media type", "PUT", path, aStay, map[string]string{"Content-Type": "text/json"}, 400, "bad-request", "", "application/json"},
		{"no time left", "PUT", path, aStay, map[string]string{"X-Request-Timeout-Ms": "0"}, 400, "bad-request", "", "X-Request-Timeout-Ms"},
		{"a query", "GET", path + "?name=x", "", nil, 400, "bad-request", "", "query"},
		{"a body for a read", "GET", path, "{}", nil, 400, "bad-request", "", "no body"},
		{"another method", "POST", path, aStay, nil, 404, "bad-request", "", "no such operation"},
		{"taking back", "DELETE", path, "", nil, 404, "bad-request", "", "no such operation"},
		{"a list", "GET", "/v1/registrations", "", nil, 404, "bad-request", "", "no such operation"},
		{"something else of it", "GET", path + "/guest", "", nil, 404, "bad-request", "", "no such operation"},
		{"reading a departure", "GET", path + "/departure", "", nil, 404, "bad-request", "", "no such operation"},
		{"another version", "PUT", "/v2/registrations/" + key("one"), aStay, nil, 404, "bad-request", "", "no such operation"},
		{"a short key", "PUT", "/v1/registrations/short", aStay, nil, 400, "bad-request", "", "opaque"},
		{"an encoded key", "PUT", "/v1/registrations/" + key("%61"), aStay, nil, 400, "bad-request", "", "opaque"},
		{"a key that is a number", "PUT", "/v1/registrations/990000199005020036", aStay, nil, 400, "bad-request", "", "opaque"},
		{"a key with the number", "PUT", "/v1/registrations/stay-990000199005020036", aStay, nil, 400, "bad-request", "", "number"},

		{"no body", "PUT", path, "", map[string]string{"Content-Type": "application/json"}, 400, "bad-request", "", "one JSON object"},
		{"not JSON", "PUT", path, "{", nil, 400, "bad-request", "", "one JSON object"},
		{"null", "PUT", path, "null", nil, 400, "bad-request", "", "one JSON object"},
		{"an array", "PUT", path, "[" + aStay + "]", nil, 400, "bad-request", "", "one JSON object"},
		{"two objects", "PUT", path, aStay + aStay, nil, 400, "bad-request", "", "one JSON object"},
		{"not UTF-8", "PUT", path, with("样例甲", "\xff"), nil, 400, "bad-request", "", "one JSON object"},
		{"a member twice", "PUT", path, with(`{`, `{"room":"1",`), nil, 400, "bad-request", "", "duplicate"},
		{"an unknown member", "PUT", path, with(`{`, `{"floor":12,`), nil, 400, "bad-request", "/floor", "unknown"},
		{"an unknown member of the guest", "PUT", path, with(`"guest":{`, `"guest":{"phone":"1",`), nil, 400, "bad-request", "/guest/phone", "unknown"},
		{"another case", "PUT", path, with(`"room"`, `"Room"`), nil, 400, "bad-request", "/Room", "unknown"},
		{"a wrong type", "PUT", path, with(`"1208"`, `1208`), nil, 400, "bad-request", "/room", "type"},
		{"a null member", "PUT", path, with(`"1208"`, `null`), nil, 400, "bad-request", "/room", "missing"},
		{"an empty hotel", "PUT", path, with(`"lakeside"`, `""`), nil, 400, "bad-request", "/hotel", "1 to 64"},
		{"a long room", "PUT", path, with(`"1208"`, `"`+strings.Repeat("1", 17)+`"`), nil, 400, "bad-request", "/room", "1 to 16"},
		{"no guest", "PUT", path, `{"hotel":"lakeside","room":"1208","arrived_at":"2026-05-02T19:30:00+08:00","expected_departure":"2026-05-04","seen_by":"kiosk"}`, nil, 400, "bad-request", "/guest", "missing"},
		{"a guest without a name", "PUT", path, with(`"name":"样例甲",`, ``), nil, 400, "bad-request", "/guest/name", "missing"},
		{"a name without letters", "PUT", path, with(`样例甲`, `...`), nil, 400, "bad-request", "/guest/name", "name"},
		{"an empty second name", "PUT", path, with(`YANGLI JIA`, ``), nil, 400, "bad-request", "/guest/latin_name", "name"},
		{"another kind of document", "PUT", path, with(`resident-id`, `library-card`), nil, 400, "bad-request", "/guest/document_type", "type"},
		{"a number in small letters", "PUT", path, with(`990000199005020036`, `x1`), nil, 400, "bad-request", "/guest/document_number", "capitals"},
		{"a nationality in two letters", "PUT", path, with(`CHN`, `CN`), nil, 400, "bad-request", "/guest/nationality", "three"},
		{"a birth date that is none", "PUT", path, with(`1990-05-02`, `1990-02-30`), nil, 400, "bad-request", "/guest/birth_date", "YYYY"},
		{"another sex", "PUT", path, with(`"M"`, `"male"`), nil, 400, "bad-request", "/guest/sex", "M, F"},
		{"an arrival without offset", "PUT", path, with(`19:30:00+08:00`, `19:30:00`), nil, 400, "bad-request", "/arrived_at", "RFC 3339"},
		{"a departure before the arrival", "PUT", path, with(`2026-05-04`, `2026-05-01`), nil, 400, "bad-request", "/expected_departure", "not before"},
		{"seen by nobody", "PUT", path, with(`kiosk`, `nobody`), nil, 400, "bad-request", "/seen_by", "kiosk"},
		{"an unknown hotel", "PUT", path, with(`lakeside`, `seaside`), nil, 422, "hotel-unknown", "", "hotel"},
		{"a number that cannot be", "PUT", path, with(`990000199005020036`, `990000199005020037`), nil, 422, "bad-document", "", "number"},

		{"revision none", "PUT", path + "/revisions/0", `{"room":"1"}`, nil, 400, "bad-request", "", "1 to 1000"},
		{"revision one, oddly", "PUT", path + "/revisions/01", `{"room":"1"}`, nil, 400, "bad-request", "", "1 to 1000"},
		{"a revision of nothing", "PUT", path + "/revisions/1", `{}`, nil, 400, "bad-request", "", "a room or a name"},
		{"a revision of something else", "PUT", path + "/revisions/1", `{"hotel":"hillside"}`, nil, 400, "bad-request", "/hotel", "unknown"},
		{"a revision to an odd room", "PUT", path + "/revisions/1", `{"room":""}`, nil, 400, "bad-request", "/room", "1 to 16"},
		{"a revision to no name", "PUT", path + "/revisions/1", `{"name":""}`, nil, 400, "bad-request", "/name", "name"},
		{"a revision without registration", "PUT", path + "/revisions/1", `{"room":"1"}`, nil, 404, "not-found", "", "nothing"},
		{"a departure at no time", "PUT", path + "/departure", `{}`, nil, 400, "bad-request", "/left_at", "missing"},
		{"a departure on a day", "PUT", path + "/departure", `{"left_at":"2026-05-04"}`, nil, 400, "bad-request", "/left_at", "RFC 3339"},
		{"a departure without registration", "PUT", path + "/departure", `{"left_at":"2026-05-04T10:05:00+08:00"}`, nil, 404, "not-found", "", "nothing"},
		{"nothing there", "GET", path, "", nil, 404, "not-found", "", "nothing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			resp, body := raw(t, base, test.method, test.path, test.body, test.header)
			var e struct {
				Reason  string `json:"reason"`
				Message string `json:"message"`
				Field   string `json:"field"`
			}
			if err := json.Unmarshal([]byte(body), &e, json.RejectUnknownMembers(true)); err != nil {
				t.Fatalf("%d %s", resp.StatusCode, body)
			}
			if resp.StatusCode != test.status || e.Reason != test.reason || e.Field != test.field || !strings.Contains(e.Message, test.says) {
				t.Errorf("want %d %s %q %q, got %d %s", test.status, test.reason, test.field, test.says, resp.StatusCode, body)
			}
			if strings.Contains(body, "99000") || strings.Contains(body, "样例") {
				t.Errorf("the answer repeats who was asked about: %s", body)
			}
		})
	}
	if r := w.twin.ReadBooks().Registrations; len(r) != 0 {
		t.Errorf("a refused request left something behind: %+v", r)
	}
}

// TestANoticeCannotBeToldFromACheck: whoever stands at the kiosk, or reads its logs, learns nothing.
func TestANoticeCannotBeToldFromACheck(t *testing.T) {
	w := newWorld(t, nil)
	ctx := twintest.Within(t, 5*time.Second)
	answers := map[police.Scenario]string{}
	for _, s := range []police.Scenario{police.Check, police.Notice} {
		want := fmt.Sprintf(`{"scenario":%q,"document_type":"resident-id","document_number":"990000199005020036"}`, s)
		if _, err := w.twin.Make([]byte(want)); err != nil {
			t.Fatal(err)
		}
		resp, body := raw(t, w.URL, "PUT", "/v1/registrations/"+key("one"), aStay, nil)
		resp.Header.Del("Date")
		answers[s] = fmt.Sprint(resp.Status, resp.Header, body)
		for _, word := range []string{"notice", "watch", "wanted", "check"} {
			if strings.Contains(strings.ToLower(answers[s]), word) {
				t.Errorf("the answer says %q: %s", word, answers[s])
			}
		}
		_, err := w.client.Register(ctx, key(string(s)), stay())
		refusedWith(t, err, police.CodeSeeStaff)
		if r, err := w.client.Find(ctx, key(string(s))); r != nil || err != nil {
			t.Errorf("after the refusal: %+v, %v", r, err)
		}
		seen := stay()
		seen.SeenByStaff = true
		first, err := w.client.Register(ctx, key(string(s)), seen)
		if err != nil {
			t.Fatalf("seen by staff: %v", err)
		}
		if again, err := w.client.Register(ctx, key(string(s)), stay()); err != nil || *again != *first { // a late copy from the kiosk
			t.Errorf("sent again: %+v, %v", again, err)
		}
	}
	if answers[police.Check] != answers[police.Notice] || !strings.Contains(answers[police.Notice], "see-staff") {
		t.Errorf("the answers differ:\n%s\n%s", answers[police.Check], answers[police.Notice])
	}
	if b := w.twin.ReadBooks().Registrations[0]; b.SeenBy != "staff" {
		t.Errorf("books = %+v", b)
	}
}

func TestScenarios(t *testing.T) {
	w := newWorld(t, nil)
	mark := police.Want{Scenario: police.Elsewhere, DocumentType: police.ResidentID, DocumentNumber: "990000199005020036"}
	if err := w.twin.Mark(mark); err != nil {
		t.Fatal(err)
	}
	_, err := w.client.Register(twintest.Within(t, 5*time.Second), key("one"), stay())
	refusedWith(t, err, police.CodeElsewhere)
	mark.Scenario = ""
	if err := w.twin.Mark(mark); err != nil {
		t.Fatal(err)
	}
	if _, err := w.client.Register(twintest.Within(t, 5*time.Second), key("one"), stay()); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{``, `{"scenario":"arrest","document_type":"passport","document_number":"E1"}`, `{"document_type":"card","document_number":"E1"}`,
		`{"document_type":"passport","document_number":"e 1"}`, `{"who":1}`} {
		if _, err := w.twin.Make([]byte(bad)); err == nil {
			t.Errorf("%q was made", bad)
		}
	}
}

// TestManyCopiesOfOneRegistration: the twin itself must count right, or its books prove nothing.
func TestManyCopiesOfOneRegistration(t *testing.T) {
	w := newWorld(t, nil)
	var wg sync.WaitGroup
	numbers := make([]string, 50)
	for i := range numbers {
		wg.Go(func() {
			r, err := w.client.Register(twintest.Within(t, 10*time.Second), key("one"), stay())
			if err != nil {
				t.Error(err)
				return
			}
			numbers[i] = r.Number
		})
	}
	wg.Wait()
	for _, n := range numbers {
		if n != numbers[0] {
			t.Fatalf("numbers = %v", numbers)
		}
	}
	if b := w.twin.ReadBooks().Registrations; len(b) != 1 || b[0].Asked.Register != 50 {
		t.Errorf("books = %+v", b)
	}
}

// model is what a registration must be, kept apart from the twin.
type model struct {
	there, left bool
	room        string
	rooms       []string // by revision
}

// TestTheTwinAgainstItsModel: whatever comes in whatever order, and however often, answers and books agree with a few lines.
func TestTheTwinAgainstItsModel(t *testing.T) {
	w := newWorld(t, nil)
	serial := 0
	code := func(err error) string {
		if e, ok := errors.AsType[*wire.Error](err); ok {
			return e.Code
		}
		return ""
	}
	rapid.Check(t, func(rt *rapid.T) {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		serial++
		k := key(fmt.Sprintf("model-%d", serial))
		var m model
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			var err error
			want := ""
			room := rapid.SampledFrom([]string{"101", "102"}).Draw(rt, "room")
			switch rapid.SampledFrom([]string{"register", "correct", "depart"}).Draw(rt, "operation") {
			case "register":
				s := stay()
				s.Room = room
				_, err = w.client.Register(ctx, k, s)
				switch {
				case m.left:
					want = police.CodeDeparted
				case m.there && m.rooms[0] != room:
					want = police.CodeConflict
				case !m.there:
					m = model{there: true, room: room, rooms: []string{room}}
				}
			case "correct":
				n := rapid.IntRange(1, 4).Draw(rt, "revision")
				_, err = w.client.Correct(ctx, k, n, police.Correction{Room: room})
				switch {
				case !m.there:
					want = police.CodeNotFound
				case n < len(m.rooms) && m.rooms[n] != room:
					want = police.CodeConflict
				case n < len(m.rooms):
				case m.left:
					want = police.CodeDeparted
				case n > len(m.rooms):
					want = police.CodeRevisionGap
				default:
					m.room, m.rooms = room, append(m.rooms, room)
				}
			case "depart":
				_, err = w.client.Depart(ctx, k, morning)
				if !m.there {
					want = police.CodeNotFound
				} else {
					m.left = true
				}
			}
			if code(err) != want {
				rt.Fatalf("want %q, got %v", want, err)
			}
			r, err := w.client.Find(ctx, k)
			if err != nil || (r != nil) != m.there {
				rt.Fatalf("Find = %+v, %v, model %+v", r, err, m)
			}
			if r != nil && (r.Room != m.room || r.Revision != len(m.rooms)-1 || (r.State == police.Departed) != m.left) {
				rt.Fatalf("Find = %+v, model %+v", r, m)
			}
		}
	})
}

func TestTheTwinIsMadeFromItsSeedAndRemembers(t *testing.T) {
	register := func(bureau *police.Twin, k string) string {
		w := newWorld(t, nil)
		if err := w.City.Add("police", "other", bureau); err != nil {
			t.Fatal(err)
		}
		c, err := police.New(police.Config{BaseURL: w.City.URL("police", "other"), APIKey: testKey, Hotel: "lakeside"})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		r, err := c.Register(twintest.Within(t, 5*time.Second), k, stay())
		if err != nil {
			t.Fatal(err)
		}
		return r.Number
	}
	one := newTwin(t, 1)
	first := register(one, key("one"))
	if got := register(newTwin(t, 1), key("one")); got != first {
		t.Errorf("the same seed: %s, %s", got, first)
	}
	if register(newTwin(t, 2), key("one")) == first {
		t.Error("another seed must give other numbers")
	}
	if err := one.Mark(police.Want{Scenario: police.Check, DocumentType: police.Passport, DocumentNumber: "E00000001"}); err != nil {
		t.Fatal(err)
	}
	changes := one.Changes()
	state, err := one.Save()
	if err != nil {
		t.Fatal(err)
	}
	back := newTwin(t, 1)
	if err := back.Restore(state); err != nil {
		t.Fatal(err)
	}
	if again, err := back.Save(); err != nil || string(again) != string(state) {
		t.Errorf("saved and restored differ, %v:\n%s\n%s", err, again, state)
	}
	if got := register(back, key("one")); got != first {
		t.Errorf("a restored twin has forgotten a registration: %s, %s", got, first)
	}
	if got := register(back, key("two")); got == first {
		t.Error("a restored twin must go on where it stopped, with numbers that are new")
	}
	register(one, key("one"))
	if one.Changes() == changes {
		t.Error("how often a registration was asked for is a change")
	}
	for _, bad := range []string{``, `{"stays":[null]}`, `{"book":1}`} {
		if err := newTwin(t, 1).Restore([]byte(bad)); err == nil {
			t.Errorf("%q was restored", bad)
		}
	}
	for _, bad := range []police.TwinConfig{{APIKey: "k"}, {Name: "s"}, {Name: "s", APIKey: "k", Hotels: []string{""}}} {
		if _, err := police.NewTwin(bad); err == nil {
			t.Errorf("%+v was made", bad)
		}
	}
}

// TestBooksShowNoGuest: they are there to be read by whoever checks.
func TestBooksShowNoGuest(t *testing.T) {
	w := newWorld(t, nil)
	if _, err := w.client.Register(twintest.Within(t, 5*time.Second), key("one"), stay()); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(w.twin.Books())
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"样例", "YANGLI", "990000", "1990"} {
		if strings.Contains(string(text), part) {
			t.Errorf("the books show %s: %s", part, text)
		}
	}
	for _, member := range []string{`"key"`, `"number"`, `"content"`, `"person"`, `"revisions"`, `"asked"`, `"refused"`} {
		if !strings.Contains(string(text), member) {
			t.Errorf("the books lack %s: %s", member, text)
		}
	}
}

// FuzzTwin: whatever is sent to the twin, it answers with JSON, and registers only what is whole.
func FuzzTwin(f *testing.F) {
	bureau := newTwin(f, 7)
	for _, seed := range []struct{ method, path, body string }{
		{"PUT", key("one"), aStay}, {"GET", key("one"), ""}, {"PUT", key("one") + "/revisions/1", `{"room":"1"}`},
		{"PUT", key("one") + "/departure", `{"left_at":"2026-05-04T10:05:00+08:00"}`}, {"PUT", "x", `{"guest":null}`}, {"PUT", key("two"), `{"guest":{}}`},
	} {
		f.Add(seed.method, seed.path, []byte(seed.body))
	}
	f.Fuzz(func(t *testing.T, method, path string, body []byte) {
		r, err := http.NewRequest(method, "http://bureau/v1/registrations/"+path, strings.NewReader(string(body)))
		if err != nil {
			return
		}
		r.Header = http.Header{"Authorization": {"Bearer " + testKey}, "Content-Type": {"application/json"}}
		answer := &recorder{header: http.Header{}}
		bureau.ServeHTTP(answer, r)
		var out map[string]any
		if err := json.Unmarshal(answer.body, &out); err != nil || answer.status < 200 || answer.status >= 500 {
			t.Errorf("%d %s", answer.status, answer.body)
		}
		for _, b := range bureau.ReadBooks().Registrations {
			if b.Number == "" || b.Room == "" || b.ArrivedAt.IsZero() || b.State == police.Departed && b.LeftAt.Before(b.ArrivedAt) {
				t.Errorf("half a registration: %+v", b)
			}
		}
	})
}

type recorder struct {
	header http.Header
	status int
	body   []byte
}

func (a *recorder) Header() http.Header         { return a.header }
func (a *recorder) WriteHeader(status int)      { a.status = status }
func (a *recorder) Write(p []byte) (int, error) { a.body = append(a.body, p...); return len(p), nil }
