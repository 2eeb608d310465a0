package edge

import (
	"testing"
)

// TestAQueryIsLent: PeekQuery has what Query has, decoded, and RawQuery what was sent.
func TestAQueryIsLent(t *testing.T) {
	s, ctx := bare(t)
	raw, peeked, queried, has, hasOther := "", "", "", false, true
	for i := range s.router.root.literals["v1"].literals["things"].param.methods {
		rt := s.router.root.literals["v1"].literals["things"].param.methods[i].route
		rt.Query = []string{"near", "radius"}
		rt.Serve = func(x *Exchange) error {
			value, ok := x.PeekQuery("near")
			raw, peeked, has = string(x.RawQuery()), string(value), ok
			queried, _ = x.Query("near")
			_, hasOther = x.PeekQuery("radius")
			x.Raw(200, jsonMedia, []byte(`{}`))
			return nil
		}
	}
	ctx.Request.SetRequestURI("/v1/things/west-lake?near=30.2%2C120.1")
	s.handle(ctx)
	if raw != "near=30.2%2C120.1" || peeked != "30.2,120.1" || queried != peeked || !has || hasOther {
		t.Errorf("raw %q, peeked %q (%t), query %q; another is there: %t", raw, peeked, has, queried, hasOther)
	}
}

// TestSharedBytesAreNotChanged: they are answered as they are, and another answer in their place, also of a request that comes
// after, does not write into them.
func TestSharedBytesAreNotChanged(t *testing.T) {
	s, ctx := bare(t)
	rt := s.router.root.literals["v1"].literals["things"].param.methods[0].route
	shared := []byte(`{"a":"shared answer"}`)
	rt.Serve = func(x *Exchange) error { x.Shared(200, jsonMedia, shared); return nil }
	s.handle(ctx)
	if got := string(ctx.Response.Body()); got != `{"a":"shared answer"}` {
		t.Errorf("answered %s", got)
	}
	rt.Serve = func(x *Exchange) error {
		x.Shared(200, jsonMedia, shared)
		x.Raw(200, jsonMedia, []byte(`{"b":"another answer"}`))
		return nil
	}
	s.handle(ctx)
	if got := string(ctx.Response.Body()); got != `{"b":"another answer"}` || string(shared) != `{"a":"shared answer"}` {
		t.Errorf("answered %s, and what is shared is %s", got, shared)
	}
}
