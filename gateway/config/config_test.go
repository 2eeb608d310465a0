package config_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/config"
)

type part struct {
	Slice time.Duration `yaml:"slice"`
	Names []string      `yaml:"names"`
}

type document struct {
	URL   string          `yaml:"url"`
	Count int64           `yaml:"count"`
	Small uint8           `yaml:"small"`
	Share float64         `yaml:"share"`
	On    bool            `yaml:"on"`
	Wait  time.Duration   `yaml:"wait"`
	Parts map[string]part `yaml:"parts"`
	List  []part          `yaml:"list"`
	Later config.Section  `yaml:"later"`
}

func env(name string) (string, bool) {
	if name == "CITY" {
		return "http://127.0.0.1:1", true
	}
	return "", false
}

func TestGoodFile(t *testing.T) {
	f, err := config.Read("a.yaml", []byte("url: ${CITY}/x/${NONE:-y}\nparts:\n  a-b:\n    slice: 250ms\nlater:\n  slice: 1s\n"), env)
	if err != nil {
		t.Fatal(err)
	}
	var d document
	if err := f.Decode(&d); err != nil {
		t.Fatal(err)
	}
	var later part
	if err := f.DecodeSection("later", d.Later, &later); err != nil {
		t.Fatal(err)
	}
	if d.URL != "http://127.0.0.1:1/x/y" || d.Parts["a-b"].Slice != 250*time.Millisecond || later.Slice != time.Second {
		t.Errorf("read %+v, later %+v", d, later)
	}
}

func TestMistakesNameFileLineAndColumn(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"unknown name", "url: x\nparts:\n  a:\n    slize: 1s\n", `a.yaml:4:5: unknown field "slize"`},
		{"unknown names", "url: x\nparts:\n  a:\n    slize: 1s\n    slice: soon\nlast: {a: 1}\nlater:\n  anything: goes\n",
			"a.yaml:4:5: unknown field \"slize\"\na.yaml:5:12: time: invalid duration \"soon\"\na.yaml:6:1: unknown field \"last\""},
		{"unknown behind an anchor", "url: x\nparts:\n  a: &p { slice: 1s, odd: 1 }\n  b: *p\n", `a.yaml:3:22: unknown field "odd"`},
		{"a part's name in a list", "url: x\nlist:\n  - { slice: 1s }\n  - { slice: 1s, size: 2 }\n", `a.yaml:4:18: unknown field "size"`},
		{"name twice", "url: x\nurl: y\n", `a.yaml:2:1: mapping key "url" already defined at [1:1]`},
		{"wrong type", "url: x\nparts:\n  a:\n    slice: soon\n", `a.yaml:4:12: time: invalid duration "soon"`},
		{"list for a text", "url: [x]\n", "a.yaml:1:6: must be text, is a list"},
		{"text for a number", "url: x\ncount: many\n", "a.yaml:2:8: must be a whole number, is text"},
		{"fraction for a whole number", "count: 1.5\n", "a.yaml:1:8: must be a whole number, is a number with a fraction"},
		{"number out of bounds", "small: 256\n", "a.yaml:1:8: must be 0 to 255, is 256"},
		{"text for a share", "share: half\n", "a.yaml:1:8: must be a number, is text"},
		{"text for a switch", "on: 1\n", "a.yaml:1:5: must be true or false, is a whole number"},
		{"duration without a unit", "wait: 30\n", "a.yaml:1:7: must be a duration with its unit, such as 250ms, 30s or 10m, is a whole number"},
		{"text for a part", "parts:\n  a: x\n", "a.yaml:2:6: must be names and values, is text"},
		{"text for a list", "list: x\n", "a.yaml:1:7: must be a list, is text"},
		{"not YAML", "url: [x\n", "a.yaml:1:6: sequence end token ']' not found"},
		{"nothing in it", "# only a comment\n", "a.yaml: must hold one document, and holds nothing"},
		{"nothing at all", "", "a.yaml: must hold one document, and holds nothing"},
		{"two documents", "url: x\n---\nurl: y\n", "a.yaml: must hold one document, not 2"},
		{"a list", "- x\n", "a.yaml:1:1: must begin with names and values"},
		{"environment", "url: ${NOBODY}\n", "a.yaml:1:6: the environment has no NOBODY, and no default is given"},
		{"a tag before a text that should be a list", "list: ! x\n", `a.yaml:1:7: tags have no meaning here; leave "!" out`},
		{"a tag", "url: !!str x\n", `a.yaml:1:6: tags have no meaning here; leave "!!str" out`},
		{"open brace", "url: ${NOBODY\n", "a.yaml:1:6: ${ has no closing brace"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := config.Read("a.yaml", []byte(c.text), env)
			if err == nil {
				err = config.Join(f.Decode(&document{}))
			}
			if err == nil || err.Error() != c.want {
				t.Errorf("error %v\nwant  %s", err, c.want)
			}
		})
	}
}

func TestSectionsMistakesArePlaced(t *testing.T) {
	f, err := config.Read("a.yaml", []byte("url: x\nparts:\n  a-b:\n    slice: 1s\n    names:\n      - x\n      - y\n"), env)
	if err != nil {
		t.Fatal(err)
	}
	err = config.Join(errors.New("elsewhere"), f.Place("parts.a-b", errors.Join(
		&gateway.FieldError{Path: "names[1]", Message: "is bad"},
		&gateway.FieldError{Path: "slice", Message: "is short"},
		&gateway.FieldError{Path: "missing.deep", Message: "must be there"})))
	want := "a.yaml:4:5: parts.a-b.missing.deep: must be there\na.yaml:4:12: parts.a-b.slice: is short\na.yaml:7:9: parts.a-b.names[1]: is bad\nelsewhere"
	if err == nil || err.Error() != want {
		t.Errorf("error\n%v\nwant\n%s", err, want)
	}
}

// TestDecodeApart: what others read later is set aside by name; what nobody knows is a mistake all the same.
func TestDecodeApart(t *testing.T) {
	f, err := config.Read("a.yaml", []byte("url: x\nrooms:\n  slice: 1s\nlast: 1\n"), env)
	if err != nil {
		t.Fatal(err)
	}
	var d document
	sections, err := f.DecodeApart(&d, func(name string) bool { return name == "rooms" || name == "url" })
	if d.URL != "x" || len(sections) != 1 || err == nil || err.Error() != `a.yaml:4:1: unknown field "last"` {
		t.Errorf("%+v, apart %v, %v", d, sections, err)
	}
	var p part
	if err := f.DecodeSection("rooms", sections["rooms"], &p); err != nil || p.Slice != time.Second {
		t.Errorf("the section: %+v, %v", p, err)
	}
}

// What stands behind an alias is held to the place where it is used as well.
func TestAnUnknownNameBehindAnAlias(t *testing.T) {
	for text, unknown := range map[string]bool{
		"url: x\nlater: &x { slice: 1s }\nparts: { a: *x }\n":         false,
		"url: x\nlater: &x { odd: 1 }\nparts: { a: *x }\n":            true,
		"url: x\nlater: &x { odd: 1 }\nparts:\n  a:\n    <<: *x\n":    true,
		"url: x\nlater: &x { slice: 1s }\nparts:\n  a:\n    <<: *x\n": false,
	} {
		f, err := config.Read("a.yaml", []byte(text), env)
		if err == nil {
			err = f.Decode(&document{})
		}
		if (err != nil) != unknown || unknown && !strings.Contains(err.Error(), "odd") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
