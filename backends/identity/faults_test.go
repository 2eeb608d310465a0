package identity_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/warmgate/warmgate/backends/identity"
	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/backends/twin/twintest"
	"github.com/warmgate/warmgate/backends/wire"
)

// TestEveryFaultHasItsFate is the client's half of the budget matrix, before the service has looked and after.
func TestEveryFaultHasItsFate(t *testing.T) {
	w := newWorld(t, nil)
	made := w.someone(t, identity.Resident, identity.Own)
	verify := func(ctx context.Context) error { _, err := w.client.Verify(ctx, request(made)); return err }
	for fault, want := range twintest.Fates() {
		for _, after := range []bool{false, fault != twin.Refuse} {
			t.Run(fmt.Sprintf("%s after=%t", fault, after), func(t *testing.T) {
				w.Dial(t, twin.Dial{Fault: fault, AfterEffect: after})
				twintest.Meet(t, want, 200*time.Millisecond, verify)
				w.Dial(t, twin.Dial{})
				if v, err := w.client.Verify(twintest.Within(t, 5*time.Second), request(made)); err != nil || v.Score < 0.95 {
					t.Errorf("asked again: %+v, %v", v, err)
				}
			})
		}
	}
}

const aVerification = `{"verification":"V-1","score":0.97,"liveness":"passed","document":"valid","birth_date":"1990-05-02","age_band":"adult",` +
	`"at":"2026-05-02T19:30:00+08:00","new":[1]}`

func answerer(t testing.TB, answer http.Handler) *identity.Client {
	t.Helper()
	c, err := identity.New(identity.Config{BaseURL: twintest.Serve(t, answer) + "/service/", APIKey: testKey, MaxBody: 4096})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestAnswersAreJudged(t *testing.T) {
	made := newWorld(t, nil).someone(t, identity.Resident, identity.Own)
	without := func(old, now string) string { return strings.Replace(aVerification, old, now, 1) }
	for _, test := range []struct {
		name   string
		status int
		body   string
		fate   wire.Fate // 0: success
		reason wire.Reason
	}{
		{"an answer with members that are new", 200, aVerification, 0, ""},
		{"a word that is new", 200, without(`"valid"`, `"stolen"`), 0, ""},
		{"no score", 200, without(`"score":0.97,`, ``), 0, ""}, // 0: the caller's threshold refuses it
		{"a score above one", 200, without(`0.97`, `1.01`), wire.Unknown, wire.ReasonGarbage},
		{"a score below none", 200, without(`0.97`, `-0.1`), wire.Unknown, wire.ReasonGarbage},
		{"a score in words", 200, without(`0.97`, `"0.97"`), wire.Unknown, wire.ReasonGarbage},
		{"no liveness", 200, without(`passed`, ``), wire.Unknown, wire.ReasonGarbage},
		{"no standing", 200, without(`valid`, ``), wire.Unknown, wire.ReasonGarbage},
		{"no age band", 200, without(`adult`, ``), wire.Unknown, wire.ReasonGarbage},
		{"a birth date that is none", 200, without(`1990-05-02`, `1990-02-30`), wire.Unknown, wire.ReasonGarbage},
		{"no number", 200, without(`V-1`, ``), wire.Unknown, wire.ReasonGarbage},
		{"no time", 200, without(`"at"`, `"on"`), wire.Unknown, wire.ReasonGarbage},
		{"null", 200, `null`, wire.Unknown, wire.ReasonGarbage},
		{"nothing", 200, ``, wire.Unknown, wire.ReasonGarbage},
		{"a duplicate member", 200, `{"score":1,` + aVerification[1:], wire.Unknown, wire.ReasonGarbage},
		{"another 2xx", 201, aVerification, wire.Unknown, wire.ReasonStatus},
		{"a redirect", 302, aVerification, wire.Unknown, wire.ReasonStatus},
		{"a refusal", 422, `{"reason":"several-faces","message":"no"}`, wire.Refused, wire.ReasonRefused},
		{"an internal error under 400", 400, `{"reason":"internal","message":"no"}`, wire.Unknown, wire.ReasonStatus},
		{"a proxy's 413", 413, `<html>`, wire.Unknown, wire.ReasonGarbage},
		{"a word that is none", 422, `{"reason":"no such 99000019900502001X"}`, wire.Unknown, wire.ReasonGarbage},
		{"a large body", 200, `[` + strings.Repeat(" ", 8192) + `]`, wire.Unknown, wire.ReasonTooLarge},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := answerer(t, twintest.Answer{Status: test.status, Body: test.body})
			v, err := c.Verify(twintest.Within(t, 5*time.Second), request(made))
			if test.fate == 0 {
				if err != nil || v.ID != "V-1" {
					t.Fatalf("got %+v, %v", v, err)
				}
				return
			}
			if e := twintest.ErrorOf(t, err); v != nil || e.Fate != test.fate || e.Reason != test.reason {
				t.Fatalf("want %s (%s), got %v", test.fate, test.reason, e)
			}
		})
	}
}

func TestTheTwinRefusesWhatDoesNotFit(t *testing.T) {
	w := newWorld(t, nil)
	made := w.someone(t, identity.Resident, identity.Own)
	good, err := json.Marshal(map[string]any{"document": made.Document, "face": made.Face, "purpose": "hotel-check-in"}, json.Deterministic(true))
	if err != nil {
		t.Fatal(err)
	}
	with := func(old, now string) string {
		if !strings.Contains(string(good), old) {
			t.Fatalf("%s is not in a request", old)
		}
		return strings.Replace(string(good), old, now, 1)
	}
	const path = "/v1/verifications"
	for _, test := range []struct {
		name, method, path, body string
		header                   map[string]string
		status                   int
		reason, field, says      string
	}{
		{"no credential", "POST", path, string(good), map[string]string{"Authorization": ""}, 401, "unauthorized", "", "bearer"},
		{"another's credential", "POST", path, string(good), map[string]string{"Authorization": "Bearer x"}, 401, "unauthorized", "", "bearer"},
		{"another media type", "POST", path, string(good), map[string]string{"Content-Type": "image/jpeg"}, 400, "bad-request", "", "application/json"},
		{"no time left", "POST", path, string(good), map[string]string{"X-Request-Timeout-Ms": "-1"}, 400, "bad-request", "", "X-Request-Timeout-Ms"},
		{"a query", "POST", path + "?name=x", string(good), nil, 400, "bad-request", "", "query"},
		{"another method", "GET", path, "", nil, 404, "bad-request", "", "no such operation"},
		{"another path", "POST", path + "/1", string(good), nil, 404, "bad-request", "", "no such operation"},
		{"no body", "POST", path, "", map[string]string{"Content-Type": "application/json"}, 400, "bad-request", "", "one JSON object"},
		{"an array", "POST", path, "[" + string(good) + "]", nil, 400, "bad-request", "", "one JSON object"},
		{"a member twice", "POST", path, with(`{`, `{"purpose":"x",`), nil, 400, "bad-request", "", "duplicate"},
		{"an unknown member", "POST", path, with(`{`, `{"threshold":0.9,`), nil, 400, "bad-request", "/threshold", "unknown"},
		{"an unknown member of the document", "POST", path, with(`"document":{`, `"document":{"sex":"M",`), nil, 400, "bad-request", "/document/sex", "unknown"},
		{"no document", "POST", path, `{"face":"","purpose":"x"}`, nil, 400, "bad-request", "/document", "missing"},
		{"no purpose", "POST", path, with(`"purpose":"hotel-check-in"`, `"purpose":null`), nil, 400, "bad-request", "/purpose", "missing"},
		{"an odd purpose", "POST", path, with(`hotel-check-in`, `Check in!`), nil, 400, "bad-request", "/purpose", "lower-case"},
		{"a face that is no base64", "POST", path, with(`"face":"`, `"face":"*`), nil, 400, "bad-request", "/face", "type"},
		{"a face that is a number", "POST", path, `{"document":null,"face":1}`, nil, 400, "bad-request", "/face", "type"},
		{"another type of document", "POST", path, with(`resident-id`, `library-card`), nil, 400, "bad-request", "/document/type", "type"},
		{"a document without a number", "POST", path, with(`"number"`, `"latin_name"`), nil, 400, "bad-request", "", "duplicate"},
		{"a name without letters", "POST", path, with(made.Document.Name, `...`), nil, 400, "bad-request", "/document/name", "name"},
		{"a birth date that is none", "POST", path, with(made.Document.BirthDate, `1990-02-30`), nil, 400, "bad-request", "/document/birth_date", "YYYY"},
		{"a last day that is none", "POST", path, with(made.Document.ExpiresOn, `long`), nil, 400, "bad-request", "/document/expires_on", "YYYY"},
		{"a nationality in small letters", "POST", path, with(`CHN`, `chn`), nil, 400, "bad-request", "/document/nationality", "three"},
		{"a face that is missing", "POST", path, `{` + strings.SplitN(with(`{`, ``), `,"face"`, 2)[0] + `,"purpose":"x"}`, nil, 422, "face-missing", "", "no picture"},
	} {
		t.Run(test.name, func(t *testing.T) {
			header := map[string]string{"Authorization": "Bearer " + testKey}
			maps.Copy(header, test.header)
			resp, body := twintest.Ask(t, test.method, w.URL+test.path, test.body, header)
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
			if strings.Contains(body, "990000") || strings.Contains(body, "样例") {
				t.Errorf("the answer repeats who was asked about: %s", body)
			}
		})
	}
}

// FuzzAnswer: whatever a service sends, the client makes a whole verification or an error of it, and never a panic.
func FuzzAnswer(f *testing.F) {
	for _, body := range []string{aVerification, `{}`, `[]`, `null`, ``, `{"reason":"secret 9f3c"}`, `{"score":1e999}`, strings.Repeat(`[`, 20000)} {
		for _, status := range []int{200, 201, 413, 422, 429, 500} {
			f.Add(status, []byte(body))
		}
	}
	made := newWorld(f, nil).someone(f, identity.Resident, identity.Own)
	var status int
	var body []byte
	c := answerer(f, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write(body)
	}))
	f.Fuzz(func(t *testing.T, s int, b []byte) {
		status, body = 200+((s%400)+400)%400, b
		if status == 204 || status == 304 {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		v, err := c.Verify(ctx, request(made))
		switch {
		case err == nil && (status != 200 || v.ID == "" || !(v.Score >= 0 && v.Score <= 1) || v.AgeBand == ""):
			t.Errorf("%d: %+v", status, v)
		case err != nil && (v != nil || twintest.ErrorOf(t, err).Fate == wire.NotSent || strings.Contains(err.Error(), "secret ")):
			t.Errorf("%d: %v", status, err)
		}
	})
}

// FuzzPicture: whatever is sent as a picture, the twin answers within the interface.
func FuzzPicture(f *testing.F) {
	w := newWorld(f, nil)
	made := w.someone(f, identity.ForeignPassport, identity.Own)
	for _, face := range []identity.Face{identity.Own, identity.Blank, identity.Two, identity.Printed} {
		f.Add(w.someone(f, identity.Resident, face).Face)
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, picture []byte) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		for range 2 {
			r := request(made)
			r.Face = picture
			v, err := w.client.Verify(ctx, r)
			if err == nil && (v.Score < 0 || v.Score > 1) || err != nil && twintest.ErrorOf(t, err).Fate != wire.Refused {
				t.Errorf("%+v, %v", v, err)
			}
			made.Document.Portrait = nil
		}
	})
}
