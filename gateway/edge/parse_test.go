package edge

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"pgregory.net/rapid"

	"github.com/warmgate/warmgate/gateway"
)

func TestStructuredString(t *testing.T) {
	for in, want := range map[string]string{
		`"a"`: "a", ` "a b" `: "a b", `"a\"b\\c"`: `a"b\c`, `""`: "", `"ä"`: "-", `a`: "-", `"a`: "-", `a"`: "-", `"a"b`: "-",
		`"a""b"`: "-", `"a\n"`: "-", `"a\`: "-", `"`: "-", ``: "-", "\"a\tb\"": "-", "\"a\x7f\"": "-", `'a'`: "-", `:YQ==:`: "-",
	} {
		got, ok := structuredString([]byte(in))
		if (want == "-") == ok || ok && string(got) != want {
			t.Errorf("%q: %q %t, want %q", in, got, ok, want)
		}
	}
}

// TestStructuredStringRoundTrip holds that whatever can be written as an sf-string is read back.
func TestStructuredStringRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := string(rapid.SliceOf(rapid.ByteRange(0x20, 0x7e)).Draw(t, "s"))
		in := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
		if got, ok := structuredString([]byte(in)); !ok || string(got) != s {
			t.Fatalf("%q: got %q %t", in, got, ok)
		}
	})
}

func FuzzStructuredString(f *testing.F) {
	for _, s := range []string{`"a"`, `"a\"b"`, `"a`, ` "" `, `"\`, "\"\x00\""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		got, ok := structuredString(in)
		if !ok {
			return
		}
		back := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(string(got)) + `"`
		if strings.Trim(string(in), " ") != back {
			t.Errorf("%q was read as %q", in, got)
		}
	})
}

func FuzzLanguage(f *testing.F) {
	for _, s := range []string{"zh-CN, en;q=0.5", "*", "en;q=0, *", ";;;", "zh;q=1.5"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, fallback := range []string{gateway.LangZh, gateway.LangEn} {
			if got := language(in, fallback); got != gateway.LangZh && got != gateway.LangEn {
				t.Errorf("%q: %q", in, got)
			}
		}
	})
}

func TestPreferredWait(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"wait=10": 10 * time.Second, "WAIT=3": 3 * time.Second, `wait="5"`: 5 * time.Second, "wait = 4": 4 * time.Second,
		"respond-async, wait=7; x=1": 7 * time.Second, `foo="a,wait=9", wait=2`: 2 * time.Second, "wait=2, wait=9": 2 * time.Second,
		"": 0, "wait": 0, "wait=": 0, "wait=-1": 0, "wait=1.5": 0, "wait=99999999999999999999": 0, "wait=0": 0, "await=3": 0, "wait=86401": 0,
	} {
		if got := preferredWait([][]byte{[]byte(in)}); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

func FuzzPrefer(f *testing.F) {
	for _, s := range []string{"wait=10", `a="b,\"c", wait=1`, `"`, `\`, "wait=1;wait=2"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if got := preferredWait([][]byte{in}); got < 0 || got > maxWait*time.Second || got%time.Second != 0 {
			t.Errorf("%q: %s", in, got)
		}
		if got, err := journeyElapsed([][]byte{in}); err == nil && (got < 0 || got > maxElapsed) {
			t.Errorf("%q: %s", in, got)
		}
	})
}

func TestJourneyElapsed(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"0": 0, "4": 4 * time.Second, "4.5": 4500 * time.Millisecond, "0.001": time.Millisecond, "86400": 24 * time.Hour, "012": 12 * time.Second,
		"": -1, "-1": -1, "+1": -1, "4.": -1, ".5": -1, "1e3": -1, "4,5": -1, " 4": -1, "4.1234": -1, "86400.001": -1, "99999": -1, "NaN": -1, "０": -1,
	} {
		got, err := journeyElapsed([][]byte{[]byte(in)})
		if (want < 0) != (err != nil) || err == nil && got != want {
			t.Errorf("%q: %s %v, want %s", in, got, err, want)
		}
	}
	if _, err := journeyElapsed([][]byte{[]byte("1"), []byte("2")}); err == nil {
		t.Error("two headers must be refused")
	}
}

func TestTraceparent(t *testing.T) {
	const good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for in, kept := range map[string]bool{
		good: true, "cc" + good[2:] + "-what-comes": true, "cc" + good[2:]: true, good + "-x": false, "ff" + good[2:]: false,
		strings.ToUpper(good): false, "00-00000000000000000000000000000000-00f067aa0ba902b7-01": false,
		"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01": false, good[:54]: false, "": false, "cc" + good[2:] + "x": false,
	} {
		got := trace([][]byte{[]byte(in)}).String()
		if (got[3:35] == good[3:35]) != kept || got[36:52] == good[36:52] || len(got) != 55 {
			t.Errorf("%q became %q", in, got)
		}
		if _, ok := parseTraceparent([]byte(got)); !ok {
			t.Errorf("ours is not valid: %q", got)
		}
	}
	if got := trace([][]byte{[]byte(good), []byte(good)}).String(); got[3:35] == good[3:35] {
		t.Error("two headers are not a valid one")
	}
}

func FuzzTraceparent(f *testing.F) {
	f.Add([]byte("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"))
	f.Add([]byte("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-"))
	f.Fuzz(func(t *testing.T, in []byte) {
		p, ok := parseTraceparent(in)
		if ok && !bytes.Equal([]byte(p.String()[3:52]), in[3:52]) {
			t.Errorf("%q was read as %s", in, p)
		}
		if out := trace([][]byte{in}); out.span == p.span && ok {
			t.Errorf("%q: the caller's span is not ours", in)
		}
	})
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{"scan_id":"s"}`, `{"a":1,"a":2}`, `[[[[`, `{"tickets":[{"code":7}]}`, `{"at":"x"}`, "\xff", `{"scan_id":"\ud800"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var in entryIn
		err := decode(body, &in)
		canonical, canonicalErr := canonicalBody(body)
		if err == nil && len(body) > 0 && canonicalErr != nil {
			t.Errorf("%q can be decoded but has no canonical form: %v", body, canonicalErr)
		}
		if err != nil {
			e, ok := asProblem(err)
			if !ok {
				t.Fatalf("%q: %v is no problem", body, err)
			}
			if _, document := RenderProblem(e, gateway.LangEn, ""); !utf8.Valid(document) {
				t.Errorf("%q: %q", body, document)
			}
			return
		}
		var again entryIn
		if err := decode(canonical, &again); err != nil || !reflect.DeepEqual(in, again) {
			t.Errorf("%q is not the same as its canonical form %q: %v", body, canonical, err)
		}
	})
}

func TestCanonicalBody(t *testing.T) {
	same := []string{`{"a":"b","n":[1,2.50]}`, ` { "n" : [ 1, 2.5 ], "\u0061":"\u0062" } `, "{\"n\":[1,25e-1],\n\"a\":\"b\"}"}
	first, err := canonicalBody([]byte(same[0]))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range same {
		if got, err := canonicalBody([]byte(s)); err != nil || !bytes.Equal(got, first) {
			t.Errorf("%s became %s (%v), not %s", s, got, err, first)
		}
	}
	a, _ := canonicalBody([]byte(`9007199254740993`))
	b, _ := canonicalBody([]byte(`9007199254740992`))
	if bytes.Equal(a, b) {
		t.Error("two big integers must not become one")
	}
}

// ownField has its own idea of what is right.
type ownField struct{}

func (*ownField) UnmarshalText([]byte) error {
	return ProblemFieldInvalid.Error(gateway.Text{En: "The check digit is wrong."})
}

func TestDecodeKeepsAFieldsOwnProblem(t *testing.T) {
	var in struct {
		People []struct {
			ID ownField `json:"id_number"`
		} `json:"people"`
	}
	err := decode([]byte(`{"people":[{"id_number":"11010519491231002X"}]}`), &in)
	e, ok := asProblem(err)
	if !ok || e.Field != "people[0].id_number" || e.Detail.En != "The check digit is wrong." || strings.Contains(e.Error(), "1949") {
		t.Errorf("got %v", err)
	}
}

func TestRenderProblem(t *testing.T) {
	e := problemUsed.Error(gateway.Text{En: "At gate 3.", Zh: "三号闸机。"}).WithField("ticket.code").WithRetryAfter(1200*time.Millisecond).
		With("used_at", "2026-01-01T08:00:00+08:00").With("gate", "<3>").With("status", 1).With("odd", func() {})
	status, body := RenderProblem(e, gateway.LangEn, "/v1/journeys/x")
	want := `{"type":"/problems/test-used","title":"Used","status":409,"detail":"At gate 3.","instance":"/v1/journeys/x","field":"ticket.code",` +
		`"retryable":false,"retry_after":2,"gate":"<3>","used_at":"2026-01-01T08:00:00+08:00"}`
	if status != 409 || string(body) != want {
		t.Errorf("%d %s\nwant %s", status, body, want)
	}
	_, body = RenderProblem(gateway.ProblemInternal.Error(gateway.Text{}).WithCause(e), gateway.LangZh, "")
	var document map[string]any
	if err := json.Unmarshal(body, &document); err != nil || strings.Contains(string(body), "gate 3") {
		t.Errorf("%s: %v", body, err)
	}
}
