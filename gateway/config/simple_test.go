package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"pgregory.net/rapid"

	"github.com/warmgate/warmgate/gateway"
)

func environment(name string) (string, bool) {
	if name == "CITY" {
		return "http://127.0.0.1:1", true
	}
	return "", false
}

// inner and outer have a field of every kind that a simple file is read into.
type inner struct {
	Slice time.Duration     `yaml:"slice"`
	Words []string          `yaml:"words"`
	Names map[string]string `yaml:"names"`
	Name  gateway.Text      `yaml:"name"`
	Lat   *float64          `yaml:"lat"`
}

type base struct {
	Deep int16 `yaml:"deep"`
	Part inner `yaml:"part"`
}

type outer struct {
	Base   base             `yaml:"base"`
	Text   string           `yaml:"text"`
	Count  int64            `yaml:"count"`
	Small  uint8            `yaml:"small"`
	Share  float64          `yaml:"share"`
	Open   bool             `yaml:"open"`
	Wait   time.Duration    `yaml:"wait"`
	Part   *inner           `yaml:"part"`
	Parts  map[string]inner `yaml:"parts"`
	List   []inner          `yaml:"list"`
	Counts []int            `yaml:"counts"`
	Later  Section          `yaml:"later"`
}

// inlined has what is in another.
type inlined struct {
	Base base `yaml:",inline"`
	Text string
	Open bool `yaml:"open"`
}

// defaults is what is there before a file is read: a file keeps of it what it doesn't say.
func defaults() outer {
	lat := 1.5
	return outer{Text: "usual", Count: 7, Base: base{Deep: 3, Part: inner{Slice: 1, Words: []string{"usual"}}},
		Part: &inner{Slice: 9, Lat: &lat}, Parts: map[string]inner{"usual": {Slice: 2}}, Counts: []int{1, 2}}
}

// hold holds the two ways to read a file against each other, and reports whether the file is simple.
func hold(t interface {
	Helper()
	Fatalf(format string, args ...any)
}, file string) bool {
	t.Helper()
	quick, err := Read("a.yaml", []byte(file), environment)
	slow, slowErr := parse("a.yaml", []byte(file), environment)
	if fmt.Sprint(err) != fmt.Sprint(slowErr) {
		t.Fatalf("read: %v, parsed: %v\n%s", err, slowErr, file)
	}
	if err != nil || quick.tree == nil {
		return false
	}
	var all any
	if err := yaml.NodeToValue(slow.body, &all); err != nil {
		t.Fatalf("the parser's decoder says %v\n%s", err, file)
	}
	if got, want := quick.tree.any(0), plain(all); !reflect.DeepEqual(got, want) {
		t.Fatalf("read as %#v, parsed as %#v\n%s", got, want, file)
	}
	for at := range quick.tree {
		holdPlace(t, quick, at, slow.body, file)
	}
	parsed := &File{name: "a.yaml", parsed: quick.parsed}
	holdInto[outer](t, quick, parsed, defaults(), file)
	holdInto[inlined](t, quick, parsed, inlined{}, file)
	holdInto[map[string]string](t, quick, parsed, nil, file)
	return true
}

// holdPlace sees that every place is found again in the parser's tree.
func holdPlace(t interface{ Fatalf(string, ...any) }, quick *File, at int, body ast.Node, file string) {
	var there any
	if err := yaml.NodeToValue(follow(body, quick.tree.way(at)), &there); err != nil || !reflect.DeepEqual(plain(there), quick.tree.any(at)) {
		t.Fatalf("place %d is %#v, and %#v where it should be in the parser's tree: %v\n%s", at, quick.tree.any(at), there, err, file)
	}
}

// holdInto reads both into a T. They differ in sections alone, which are read from then.
func holdInto[T any](t interface{ Fatalf(string, ...any) }, quick, parsed *File, from T, file string) {
	x, y := from, from
	errX, errY := Join(quick.Decode(&x)), Join(parsed.Decode(&y))
	for _, all := range []*T{&x, &y} {
		if o, ok := any(all).(*outer); ok {
			o.Later = Section{}
		}
	}
	if fmt.Sprint(errX) != fmt.Sprint(errY) || errX == nil && !reflect.DeepEqual(x, y) {
		t.Fatalf("read %+v, %v\nparsed %+v, %v\n%s", x, errX, y, errY, file)
	}
}

// any is what is at a place, as far as its kind says what it is.
func (t tree) any(at int) any {
	switch l := t[at]; l.kind {
	case kindNames:
		all := map[string]any{}
		for i := at + 1; i < l.after; i = t[i].after {
			all[t[i].name] = t.any(i)
		}
		return all
	case kindList:
		all := []any{}
		for i := at + 1; i < l.after; i = t[i].after {
			all = append(all, t.any(i))
		}
		return all
	case kindSpan, kindText:
		return l.text
	default:
		var v any
		if l.kind == kindTruth {
			v = new(bool)
		} else if v = new(int64); l.kind == kindFraction {
			v = new(float64)
		}
		l.set(reflect.ValueOf(v).Elem())
		return reflect.ValueOf(v).Elem().Interface()
	}
}

// plain has the parser's whole numbers alike.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = plain(v[k])
		}
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	case uint64:
		return int64(v)
	}
	return v
}

// What thousands of files say is simple, and so is all that their neighbours do.
func TestSimpleFiles(t *testing.T) {
	for _, file := range []string{
		"text: x", "text: x\n", "# why\n\ntext: \"a # b: c\" # why\n", "text: West Lake 2.0-b\ncount: 1\nsmall: 255\nshare: 0.85\nopen: true\nwait: 1h30m\n",
		"text: ${CITY}/x/${NONE:-y}\n", "text: \"${CITY}\"\nlater:\n  slice: 1s\n", "text: Asia/Shanghai\n", "text: a:b\n", "text: \"${NONE:-5}\"\n",
		"part: { slice: 250ms, words: [a, \"b, c\" , d], name: { zh: 城西, en: \"West\" }, lat: -30.25 }\n",
		"part:\n    slice: 1s\n    # deep\n  # shallow\n    words: [a]\nparts:\n  a-b:\n    slice: 1s\n  c: { slice: 2s }\nopen: false\n",
		"base: { deep: -3, part: { words: [x] } }\n", "deep: 4\nopen: true\n", "deep: 4\nText: x\n", "deep: 4\ntext: x\n", "list: [{ slice: 1s }, { lat: 1.5 }]\ncounts: [3, 4]\n",
		"parts: { a: { names: { STD: Room, b_1: x } } }\n", "wait: 0s\n", "text: \"\"\n", "part: { lat: 30 }\n", "share: 1\n", "count: 1.5\n",
		"small: 256\n", "small: -1\n", "count: -99999999999999999\n", "later: x\n", "text: 30s\n", "wait: \"2s\"\n", "wait: soon\n", "odd: 1\n", "parts: { a: { odd: 1 } }\n",
		"parts: x\n", "list: x\n", "text: [x]\n", "part: [x]\n", "later: [a, { b: c }]\nwait: 1\n",
	} {
		if !hold(t, file) {
			t.Errorf("not simple:\n%s", file)
		}
	}
}

// What readers of YAML may take in several ways, or refuse, is the parser's.
func TestFilesThatAreNotSimple(t *testing.T) {
	for _, file := range []string{
		"", "\n", "# x\n", "text: 'x'\n", "text: \"a\\n\"\n", "text: x\r\n", "text:\tx\n", "text: &a x\n", "text: *a\n", "text: !x y\n", "text: |\n  x\n", "text: >\n  x\n",
		"- x\n", "list:\n  - { slice: 1s }\n", "text: x\ntext: y\n", "part: { lat: 1.0, lat: 2.0 }\n", "text:\n", "text: \n", "text: x\n  y\n", "text: null\n", "text: ~\n", "text: Yes\n", "text: off\n", "yes: x\n", "on: x\n",
		"text: x\n---\ntext: y\n", "---\ntext: x\n", "%YAML 1.2\n---\ntext: x\n", "\ufefftext: x\n", "text: x\u2028y\n", "text: \"x\u0085y\"\n", "text: \"\xff\"\n", "text: x # \x00\n",
		"count: 0x10\n", "count: 010\n", "count: 1_000\n", "count: 1e3\n", "count: +1\n", "share: .5\n", "share: 1.\n", "share: .inf\n", "text: 2026-11-30\n", "text: 1.2.3\n", "text: 12:30:45\n",
		"text: a: b\n", "text: a:\n", "text: {}\n", "counts: []\n", "counts: [1,2]\n", "counts: [1, 2\n", "counts: [1, 2]]\n", "counts: [1, 2] x\n", "counts: [1,\n  2]\n", "part: { lat }\n", "part: {lat:1}\n", "text: ${NONE}\n", "text: ${NONE\n", "text: x y: z\n",
		" text: x\n", "part:\n  lat: 1.0\n   slice: 1s\n", "part:\n  lat: 1.0\n slice: 1s\n", "part:\n", "? text\n: x\n", "<<: x\n", "text: x #\u200b\n", "1a: x\n", "\"text\": x\n", "text : x\n", "text: x \n", "text: @x\n", "text: `x\n", "text: a, b\n", "text: a [b]\n", "text: a {b}\n",
		strings.Repeat("x", simpleBytes) + ": y\n", "text: " + strings.Repeat("[ ", simpleDepth+1) + "x" + strings.Repeat("]", simpleDepth+1) + "\n",
	} {
		if hold(t, file) {
			t.Errorf("simple:\n%s", file)
		}
	}
}

// The shipped files are read as they are parsed, some of them without the parser.
func TestShippedFiles(t *testing.T) {
	files, err := filepath.Glob("../../configs/*/*.yaml")
	if more, _ := filepath.Glob("../../configs/*.yaml"); err != nil || len(files) < 5 || len(more) == 0 {
		t.Fatal(files, more, err)
	}
	simple := 0
	for _, name := range files {
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if hold(t, string(file)) {
			simple++
		}
	}
	if simple == 0 {
		t.Error("none of the shipped files is simple")
	}
}

// pieces are what files are made of here: what is simple, and what is nearly so.
var pieces = []string{ //nolint:gochecknoglobals // what a test draws from
	"text", "count", "small", "share", "open", "wait", "part", "parts", "list", "counts", "later", "base", "deep", "slice", "words", "names", "name", "lat", "zh", "en", "odd", "STD", "a-b",
	": ", ": ", ": ", ":", ":\n", ":\n  ", ":\n    ", "\n", "\n", "\n  ", "\n    ", "\n ", ", ", ",", " ", "  ", "{ ", " }", "{", "}", "[", "]", "[ ", " ]",
	"x", "West Lake", "城西", "\"", "\"a b\"", "\"\"", "'a'", "true", "false", "null", "yes", "1", "0", "-1", "256", "1.5", "-0.25", "30s", "1h30m", "10m", "07", "1e3", "0x1", "1_0", "2026-11-30",
	"${CITY}", "${NONE:-x}", "${NONE}", "$", "http://a:80/b", "Asia/Shanghai", "a:b", "# why", " # why", "#", "- ", "-", ".", "/", "_", "&a ", "*a", "!", "|", ">", "~", "?", "%", "\\", "\t", "\r", "\u00a0", "\ufeff",
}

// drawn makes a file that is simple but for a few places at most.
func drawn(t *rapid.T) string {
	name := rapid.SampledFrom(pieces[:23])
	single := rapid.SampledFrom([]string{"x", "West Lake", "城西 2", `"a b"`, `"# : {"`, "true", "1", "-12", "1.5", "30s", "${CITY}", `"${NONE:-x}/y"`, "http://a:80/b", "Asia/Shanghai", "a-b.c_d"})
	var inside func(depth int) string
	inside = func(depth int) string {
		kind := rapid.IntRange(0, 5).Draw(t, "kind")
		if depth == 0 || kind < 4 {
			return single.Draw(t, "value")
		}
		var all []string
		for range rapid.IntRange(1, 3).Draw(t, "how many") {
			item := inside(depth - 1)
			if kind == 4 {
				item = name.Draw(t, "name") + ": " + item
			}
			all = append(all, item)
		}
		return [2][2]string{{"{ ", " }"}, {"[", "]"}}[kind-4][0] + strings.Join(all, ", ") + [2][2]string{{"{ ", " }"}, {"[", "]"}}[kind-4][1]
	}
	var b strings.Builder
	var lines func(indent, depth int)
	lines = func(indent, depth int) {
		for range rapid.IntRange(1, 4).Draw(t, "lines") {
			if rapid.IntRange(0, 9).Draw(t, "comment") == 0 {
				b.WriteString(strings.Repeat(" ", rapid.IntRange(0, 8).Draw(t, "before")) + "# why: { [\n")
			}
			b.WriteString(strings.Repeat(" ", indent) + name.Draw(t, "name") + ":")
			if depth > 0 && rapid.IntRange(0, 3).Draw(t, "nested") == 0 {
				b.WriteString("\n")
				lines(indent+rapid.IntRange(1, 4).Draw(t, "further in"), depth-1)
				continue
			}
			b.WriteString(" " + inside(2) + rapid.SampledFrom([]string{"", "", "", " # why", "  "}).Draw(t, "end") + "\n")
		}
	}
	lines(0, 3)
	text := b.String()
	for range rapid.IntRange(0, 2).Draw(t, "odd places") {
		runes := []rune(text)
		from := rapid.IntRange(0, len(runes)).Draw(t, "from")
		to := min(len(runes), from+rapid.IntRange(0, 2).Draw(t, "so many"))
		text = string(runes[:from]) + rapid.SampledFrom(append(pieces, "")).Draw(t, "piece") + string(runes[to:])
	}
	return text
}

// What is simple, the parser reads, and as the same; in whatever else the file is, it has the last word.
func TestSimpleIsWhatTheParserSays(t *testing.T) {
	simple, all := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		all++
		if hold(t, drawn(t)) {
			simple++
		}
	})
	if t.Logf("%d of %d were simple", simple, all); simple < all/50 {
		t.Error("too few of them are simple to say anything")
	}
}

func FuzzSimple(f *testing.F) {
	for _, seed := range []string{"text: x\n", "part: { slice: 1s, words: [a, \"b\"] } # why\nparts:\n  a:\n    lat: 1.5\ntext: ${CITY}/x\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, file string) { hold(t, file) })
}
