package event

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/flow"
)

// FuzzParse holds that what is read is an event within its bounds, that it means the same however it is written, and that
// what is refused is told without what was sent.
func FuzzParse(f *testing.F) {
	const good = `{"specversion":"1.0","id":"1","source":"/s","type":"t","time":"2026-11-30T10:00:00.5+08:00","data":{"a":[1,2.50]}}`
	for _, s := range []string{good, "", "null", "[]", `{"id":1}`, `{"id":"1","id":"2"}`, strings.Replace(good, `"data"`, `"x":null,"data"`, 1),
		strings.Replace(good, `"data"`, `"subject":"\u0000","data"`, 1), strings.Replace(good, `"1"`, "\"\xff\"", 1),
		strings.Replace(good, "10:00:00.5+08:00", "10:00:00Z", 1), strings.Replace(good, `"data"`, `"data_base64"`, 1)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		e, wrong := parse(raw)
		if wrong != nil {
			if status, document := edge.RenderProblem(wrong, gateway.LangEn, ""); status != 400 || !utf8.Valid(document) {
				t.Errorf("%q: %d %q", raw, status, document)
			}
			if long := longest(raw); len(long) > 64 && strings.Contains(wrong.Error(), long) {
				t.Errorf("%q comes back: %v", raw, wrong)
			}
			return
		}
		for text, most := range map[string]int{e.ID: maxID, e.Source: maxText, e.Type: maxType} {
			if text == "" || len(text) > most || !isString(text) {
				t.Errorf("%q was read as %+v", raw, e)
			}
		}
		if _, err := time.Parse(time.RFC3339Nano, e.Time.Format(time.RFC3339Nano)); err != nil || len(e.Data) > 0 && !jsontext.Value(e.Data).IsValid() {
			t.Errorf("%q was read as %+v: %v", raw, e, err)
		}
		other := jsontext.Value(bytes.Clone(raw))
		if err := other.Format(jsontext.ReorderRawObjects(true), jsontext.Multiline(true)); err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		again, wrong := parse(other)
		if wrong != nil || keyOf("v", again) != keyOf("v", e) || contentOf(again) != contentOf(e) {
			t.Errorf("%q is not the same as %q: %v", raw, other, wrong)
		}
	})
}

// longest is the longest run without a quote.
func longest(raw []byte) (long string) {
	for part := range bytes.SplitSeq(raw, []byte(`"`)) {
		if len(part) > len(long) {
			long = string(part)
		}
	}
	return long
}

// TestNoTwoEventsHaveOneName: not even where the parts only look alike when they are put together.
func TestNoTwoEventsHaveOneName(t *testing.T) {
	names := map[key]string{}
	for _, n := range [][3]string{{"v", "s", "1"}, {"vs", "", "1"}, {"v", "s1", ""}, {"v", "", "s1"}, {"v", "s", "2"}, {"w", "s", "1"}} {
		k := keyOf(n[0], flow.Event{Source: n[1], ID: n[2]})
		if other, twice := names[k]; twice {
			t.Errorf("%q and %q have one name", n, other)
		}
		names[k] = fmt.Sprint(n)
	}
	at := time.Now()
	contents := map[[8]byte]bool{}
	for _, e := range []flow.Event{{Type: "a", Time: at}, {Type: "b", Time: at}, {Type: "a", Time: at.Add(1)}, {Type: "a", Time: at, Data: []byte("1")},
		{Type: "a", Time: at, Data: []byte("2")}} {
		contents[contentOf(e)] = true
	}
	if len(contents) != 5 {
		t.Errorf("5 contents are %d", len(contents))
	}
}

// TestEventsAreRememberedForAnHour and not for ever: by number and by time.
func TestEventsAreRememberedForAnHour(t *testing.T) {
	name := func(i int) key { return keyOf("v", flow.Event{ID: fmt.Sprint(i)}) }
	s, now := newSeen(), time.Now()
	s.add(name(0), [8]byte{7}, now)
	s.add(name(1), [8]byte{}, now.Add(keepFor-1))
	s.add(name(2), [8]byte{}, now.Add(keepFor))
	if content, known := s.find(name(0)); !known || content != [8]byte{7} {
		t.Errorf("after an hour: %v, %t", content, known)
	}
	s.add(name(3), [8]byte{}, now.Add(2*keepFor))
	if _, known := s.find(name(0)); known {
		t.Error("it is known after two hours")
	}
	if _, known := s.find(name(2)); !known {
		t.Error("it is forgotten after an hour")
	}
	s = newSeen()
	for i := range 3 * remember {
		s.add(name(i), [8]byte{}, now)
		if len(s.young)+len(s.old) > 2*remember {
			t.Fatalf("%d are remembered", len(s.young)+len(s.old))
		}
	}
	for i := 2 * remember; i < 3*remember; i++ {
		if _, known := s.find(name(i)); !known {
			t.Fatalf("number %d of %d is forgotten", i, 3*remember)
		}
	}
}
