package edge

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func routerOf(t interface{ Fatal(...any) }, paths ...string) *router {
	var r router
	for _, p := range paths {
		method, path, _ := strings.Cut(p, " ")
		if err := r.add(&route{Route: Route{Method: method, Path: path, Name: p}}); err != nil {
			t.Fatal(err)
		}
	}
	return &r
}

func TestRouter(t *testing.T) {
	r := routerOf(t, "GET /v1/bills/{id}", "POST /v1/bills/search", "POST /v1/bills/{id}/payments", "GET /v1/a/{x}/b/{y}")
	for _, c := range []struct{ method, path, route, params, allow string }{
		{"GET", "/v1/bills/7", "GET /v1/bills/{id}", "id=7", ""},
		{"HEAD", "/v1/bills/7", "GET /v1/bills/{id}", "id=7", ""},
		{"POST", "/v1/bills/search", "POST /v1/bills/search", "", ""},
		{"GET", "/v1/bills/search", "", "", "POST"},
		{"DELETE", "/v1/bills/7", "", "", "GET, HEAD"},
		{"POST", "/v1/bills/7/payments", "POST /v1/bills/{id}/payments", "id=7", ""},
		{"GET", "/v1/a/west%2Dlake/b/%E8%A5%BF", "GET /v1/a/{x}/b/{y}", "x=west-lake y=西", ""},
		{"GET", "/", "", "", ""},
		{"GET", "", "", "", ""},
		{"GET", "v1/bills/7", "", "", ""},
		{"GET", "/v1/bills/7/", "", "", ""},
		{"GET", "/v1//7", "", "", ""},
		{"GET", "/v1/bills/", "", "", ""},
		{"GET", "/V1/bills/7", "", "", ""},
		{"GET", "/v1/bills/%zz", "", "", ""},
		{"GET", "/v1/bills/%ff", "", "", ""},
		{"GET", "/v1/bills/%0a", "", "", ""},
		{"GET", "/v1/bills/" + strings.Repeat("x", maxParam+1), "", "", ""},
		{"get", "/v1/bills/7", "", "", "GET, HEAD"},
	} {
		var params [maxParams]param
		rt, n, allow := r.find([]byte(c.method), []byte(c.path), &params)
		name, got := "", []string{}
		if rt != nil {
			name = rt.Name
			for _, p := range params[:n] {
				got = append(got, p.name+"="+p.value)
			}
		}
		if name != c.route || strings.Join(got, " ") != c.params || allow != c.allow {
			t.Errorf("%s %q: %q %v allow %q, want %q %s allow %q", c.method, c.path, name, got, allow, c.route, c.params, c.allow)
		}
	}
}

// TestRouterFindsWhatItWasGiven holds that any path made from a route's pattern finds a route, and its own where no
// literal of another one stands in the way.
func TestRouterFindsWhatItWasGiven(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r router
		var kept []string
		segment := rapid.SampledFrom([]string{"a", "b", "{p}"})
		for range rapid.IntRange(1, 8).Draw(t, "routes") {
			path := "/" + strings.Join(rapid.SliceOfN(segment, 1, 4).Draw(t, "path"), "/")
			path = strings.Replace(path, "{p}", "{p1}", 1) // names differ along a path and agree between them
			if strings.Contains(path, "{p}") {
				continue
			}
			if r.add(&route{Route: Route{Method: "GET", Path: path, Name: path}}) == nil {
				kept = append(kept, path)
			}
		}
		for _, path := range kept {
			var params [maxParams]param
			rt, n, _ := r.find([]byte("GET"), []byte(strings.ReplaceAll(path, "{p1}", "zz")), &params)
			if rt == nil || rt.Path != path || n != strings.Count(path, "{") {
				t.Fatalf("%s is not found among %v", path, kept)
			}
		}
	})
}

func FuzzRouter(f *testing.F) {
	r := routerOf(f, "GET /v1/bills/{id}", "POST /v1/bills/{id}/payments")
	f.Add("/v1/bills/7")
	f.Add("/v1/bills/%41%zz/payments")
	f.Fuzz(func(t *testing.T, path string) {
		var params [maxParams]param
		rt, n, _ := r.find([]byte("GET"), []byte(path), &params)
		if rt != nil && (n != 1 || params[0].value == "" || len(params[0].value) > maxParam || !strings.HasPrefix(path, "/v1/bills/")) {
			t.Errorf("%q: %v", path, params[:n])
		}
	})
}
