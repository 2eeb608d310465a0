package twin_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/warmgate/warmgate/backends/twin"
)

func TestPathsAreMatched(t *testing.T) {
	for _, test := range []struct {
		pattern, path string
		args          []string
		fits          bool
	}{
		{"/products/", "/products/", nil, true},
		{"/products/", "/products", nil, false},
		{"/products", "/products/", nil, false},
		{"/products/", "/products/a", nil, false},
		{"/products/{}", "/products/a", []string{"a"}, true},
		{"/products/{}", "/products/", nil, false},
		{"/products/{}", "/products/a/b", nil, false},
		{"/a/{}/b/{}", "/a/1/b/2", []string{"1", "2"}, true},
		{"/a/{}/b", "/a/1/c", nil, false},
		{"/a/{}/b", "/a//b", nil, false},
		{"/a", "/A", nil, false},
	} {
		if args, ok := twin.Match(test.pattern, test.path); ok != test.fits || !slices.Equal(args, test.args) {
			t.Errorf("Match(%q, %q) = %q, %t", test.pattern, test.path, args, ok)
		}
	}
}

func TestQueriesAreRead(t *testing.T) {
	for raw, says := range map[string]string{"": "", "a=1": "", "a=1&b=2": "", "a=%zz": "malformed", "c=1": " c ", "a=": " a ", "a=1&a=2": " a "} {
		query, err := twin.ReadQuery(&url.URL{RawQuery: raw}, "a", "b")
		if (says == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", raw, err)
		}
		if err == nil && raw != "" && query.Get("a") != "1" {
			t.Errorf("%q: %v", raw, query)
		}
	}
}

func TestBodiesAreRead(t *testing.T) {
	for _, test := range []struct{ body, kind, want, says string }{
		{"", "", "", ""},
		{"{}", "", "", "no body"},
		{"{}", "application/json; charset=utf-8", "application/json", ""},
		{"{}", "text/plain", "application/json", "not application/json"},
		{"{}", "", "application/json", "not application/json"},
	} {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(test.body))
		r.Header.Set("Content-Type", test.kind)
		body, err := twin.ReadBody(r, test.want)
		if (test.says == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), test.says) || err == nil && string(body) != test.body {
			t.Errorf("%+v: %q, %v", test, body, err)
		}
		if errors.Is(err, twin.ErrMediaType) != strings.Contains(test.says, "json") {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

func TestObjectsAreRead(t *testing.T) {
	for _, test := range []struct{ body, field, says string }{
		{` {"a":{"b":"c"}}`, "", ""},
		{`{"a":{"b":1}}`, "/a/b", "schema at /a/b"},
		{`{"a":{"x":"c"}}`, "/a/x", "schema at /a/x"},
		{`{"a":{"b":"c","b":"c"}}`, "", "one JSON object"},
		{`{"a":{"b":"` + "\xff" + `"}}`, "", "one JSON object"},
		{`{}{}`, "", "one JSON object"},
		{`[{}]`, "", "one JSON object"},
		{`null`, "", "one JSON object"},
		{``, "", "one JSON object"},
	} {
		var out struct {
			A struct {
				B string `json:"b"`
			} `json:"a"`
		}
		field, err := twin.ReadObject([]byte(test.body), &out)
		if field != test.field || (test.says == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %q, %v", test.body, field, err)
		}
		if err == nil && out.A.B != "c" {
			t.Errorf("%s: %+v", test.body, out)
		}
	}
}

func TestDeadlinesAreChecked(t *testing.T) {
	for left, fits := range map[string]bool{"": true, "1": true, "0": false, "-1": false, "soon": false} {
		if err := twin.CheckDeadline(http.Header{"X-Request-Timeout-Ms": {left}}); (err == nil) != fits {
			t.Errorf("%q: %v", left, err)
		}
	}
}

func TestBooksNameRequestsAndHideWhatTheyAreOf(t *testing.T) {
	for parent, want := range map[string]string{"": "7", "00-ab-cd-01": "00-ab-cd-01", strings.Repeat("a", 65): "7"} {
		if by := twin.By(parent, 7); by != want {
			t.Errorf("By(%q) = %q", parent, by)
		}
	}
	seed := twin.Seed(1, "lakeside")
	hash := twin.Hash(seed, "key", "ab", "c")
	for _, other := range []string{twin.Hash(seed, "key", "a", "bc"), twin.Hash(seed, "kex", "ab", "c"), twin.Hash(twin.Seed(1, "hillside"), "key", "ab", "c"),
		twin.Hash(twin.Seed(2, "lakeside"), "key", "ab", "c")} {
		if len(hash) != 32 || hash == other || hash != twin.Hash(seed, "key", "ab", "c") {
			t.Errorf("%s, %s", hash, other)
		}
	}
}
