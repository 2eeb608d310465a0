package jsonread_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/warmgate/warmgate/backends/wire/jsonread"
)

// thing is read by hand and by reflection, and both have to say the same.
type thing struct {
	Name  string         `json:"name"`
	Count int            `json:"count"`
	Is    bool           `json:"is"`
	Raw   jsontext.Value `json:"raw"`
	Words []string       `json:"words"`
	Inner *thing         `json:"inner"`
}

func read(r *jsonread.Reader) (t thing) {
	for o := r.Object(); o.Next(); {
		switch string(o.Name()) {
		case "name":
			t.Name = r.String()
		case "count":
			t.Count = r.Int()
		case "is":
			t.Is = r.Bool()
		case "raw":
			t.Raw = slices.Clone(r.Raw())
		case "words":
			for a := r.Array(); a.Next(); {
				t.Words = append(t.Words, r.String())
			}
		case "inner":
			if r.Null() {
				t.Inner = nil
				continue
			}
			inner := read(r)
			t.Inner = &inner
		default:
			r.Skip()
		}
	}
	return t
}

func same(a, b *thing) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Name == b.Name && a.Count == b.Count && a.Is == b.Is && string(a.Raw) == string(b.Raw) && slices.Equal(a.Words, b.Words) && same(a.Inner, b.Inner)
}

// documents are good and bad ones; fuzzing begins with them.
func documents() []string {
	return []string{
		`{}`, ` { } `, ``, ` `, `null`, `[]`, `{`, `}`, `{"name"}`, `{"name":}`, `{"name":"a"`, `{"name":"a",}`, `{,}`, `{"name":"a"}}`, `{"name":"a"} x`,
		`{"name":"a","count":7,"is":true,"raw":{"a":[1,2,{"b":null}]},"words":["x","y"],"inner":{"name":"b"}}`,
		`{"name":null,"count":null,"is":null,"raw":null,"words":null,"inner":null}`,
		`{"words":[]}`, `{"words":[,]}`, `{"words":["a",]}`, `{"words":["a" "b"]}`, `{"words":[null]}`, `{"words":"a"}`, `{"words":{}}`,
		`{"name":"a","name":"b"}`, `{"name":"a","n\u0061me":"b"}`, `{"x":1,"x":2}`, `{"x":{"y":1,"y":2}}`, `{"x":{"y":1},"z":{"y":2}}`, `{"":1,"":2}`, `{"ab":1,"ba":2}`,
		`{"name":"\u4e2d\n\"\\\/\b\f\r\t"}`, `{"name":"中"}`, `{"name":"\ud83d\ude00"}`, `{"name":"\ud83d"}`, `{"name":"\ude00\ud83d"}`, `{"name":"\x"}`, `{"name":"\u12"}`,
		"{\"name\":\"a\nb\"}", "{\"name\":\"\xff\"}", "{\"\xff\":1}", "{\"x\":\"\xc0\x80\"}", "{\"x\":\"\\ud800\"}", "{\"name\":\"a\x7f\"}", `{"name":"a\`, `{"name":"\"}`,
		`{"count":-0}`, `{"count":-}`, `{"count":01}`, `{"count":1.0}`, `{"count":1e2}`, `{"count":9223372036854775807}`, `{"count":9223372036854775808}`, `{"count":"1"}`,
		`{"raw":1.5e+10}`, `{"raw":1.}`, `{"raw":.5}`, `{"raw":1e}`, `{"raw":-1.25}`, `{"raw":+1}`, `{"raw": [ 1 , 2 ] }`, `{"raw":tru}`, `{"raw":truex}`, `{"raw":nul}`,
		`{"is":1}`, `{"is":"true"}`, `{"is":false}`, `{"Name":"other case"}`, `{"name":1}`, `{"name":{}}`, `{"inner":[]}`, `{"inner":{"inner":{"count":3}}}`,
		`{"x":` + strings.Repeat("[", 9_998) + strings.Repeat("]", 9_998) + `}`, `{"x":` + strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001) + `}`,
		`{,"name":"a","count":7}`, `{"words":[,"a"]}`, `{"name" : "a", "count":7}`, `{"name"x"a","count":7}`, `{"name""a","count":7}`, `{"name":"a""count":7}`,
		"\ufeff{}", "{\"name\":\"" + strings.Repeat("long ", 400) + "\"}", "{\"a\":1\v}", "{\"x\":\"\\ud83d\\u0041\"}",
	}
}

func check(t *testing.T, r *jsonread.Reader, document string) {
	t.Helper()
	var want thing
	err := json.Unmarshal([]byte(document), &want)
	data := []byte(document)
	r.Reset(data)
	got := read(r)
	whole := r.End()
	if whole != (err == nil) {
		t.Errorf("%.200q is read: %v; by reflection: %v", document, whole, err)
	}
	clear(data) // strings are copies
	if raw := got.Raw; whole && err == nil && (!same(&got, &want) || raw == nil != (want.Raw == nil)) {
		t.Errorf("%.200q is read as %+v, by reflection as %+v", document, got, want)
	}
}

func TestReadsWhatReflectionReads(t *testing.T) {
	var r jsonread.Reader
	for _, d := range documents() {
		check(t, &r, d)
	}
}

func FuzzReadsWhatReflectionReads(f *testing.F) {
	for _, d := range documents() {
		f.Add(d)
	}
	f.Fuzz(func(t *testing.T, document string) {
		var r jsonread.Reader
		check(t, &r, document)
	})
}

func TestNothingIsReadAfterAMistake(t *testing.T) {
	var r jsonread.Reader
	r.Reset([]byte(`[1,"a",{"b":true}]`))
	a := r.Array()
	if !a.Next() || r.String() != "" || a.Next() || r.Int() != 0 || r.Bool() || r.Raw() != nil || r.End() {
		t.Error("a number that was taken for a string is no mistake")
	}
	if o := r.Object(); o.Next() {
		t.Error("there are members after a mistake")
	}
}

func TestEveryPrefixOfADocumentIsNone(t *testing.T) {
	whole := documents()[15]
	var r jsonread.Reader
	for n := range len(whole) {
		r.Reset([]byte(whole[:n]))
		if read(&r); r.End() {
			t.Errorf("%s is taken for a document", whole[:n])
		}
	}
}

func TestStringsShareMemory(t *testing.T) {
	document := []byte(`["one","two","three","four","five","six","seven","eight","nine","ten"]`)
	var r jsonread.Reader
	kept := make([]string, 0, 10)
	if n := testing.AllocsPerRun(100, func() {
		r.Reset(document)
		kept = kept[:0]
		for a := r.Array(); a.Next(); {
			kept = append(kept, r.String())
		}
	}); n > 1 {
		t.Errorf("%v allocations", n)
	}
	if strings.Join(kept, " ") != "one two three four five six seven eight nine ten" {
		t.Error(kept)
	}
}
