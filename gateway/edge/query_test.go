package edge

import (
	"testing"

	"github.com/valyala/fasthttp"
)

// FuzzQuery: what is let through as it was sent is what the parser would have let through.
func FuzzQuery(f *testing.F) {
	for _, raw := range []string{"", "near=1", "near=1&to=2", "near=1&near=2", "near", "near=&", "&near=1", "ne%61r=1&near=2", "near=1&x=2", "near=a=b", "to=%26near%3d1", "near=1;to=2", "+near=1"} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		ctx := &fasthttp.RequestCtx{}
		ctx.QueryArgs().Parse(raw)
		x := &Exchange{ctx: ctx, route: &route{Route: Route{Query: []string{"near", "to"}}}}
		plain := x.plainQuery([]byte(raw))
		if err := x.parsedQuery(); plain && err != nil {
			t.Errorf("%q is let through: %v", raw, err)
		}
		if raw == "near=1&to=2" && !plain {
			t.Errorf("%q needs the parser", raw)
		}
	})
}
