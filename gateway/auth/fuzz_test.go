package auth

import (
	"bytes"
	"strings"
	"testing"
)

// FuzzParse: whatever is parsed has exactly one text, and parsing never panics.
func FuzzParse(f *testing.F) {
	head, body := encode(goodHeader()), encode(goodClaims())
	for _, seed := range []string{
		b64(head) + "." + b64(body) + "." + b64(make([]byte, 64)),
		b64(head) + "." + b64(body) + ".", "..", "", "e30.e30.e30", "\n.\n.\n",
		b64([]byte(`{"alg":"none","alg":"EdDSA"}`)) + "." + b64(body) + ".AA",
		b64(head) + "." + b64(append(body, '}')) + ".AA",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, token []byte) {
		u, class := parse(token)
		if (u == nil) == (class == "") {
			t.Fatalf("both or neither of a token and a class: %v, %q", u, class)
		}
		if u == nil {
			return
		}
		h, c, _ := strings.Cut(u.signed, ".")
		dh, okH := decode([]byte(h))
		dc, okC := decode([]byte(c))
		if !okH || !okC || b64(dh)+"."+b64(dc)+"."+b64(u.signature) != string(token) {
			t.Fatalf("two texts for one token: %q", token)
		}
		if u.header.KeyID == "" || u.header.Algorithm == "" {
			t.Fatalf("accepted a header without kid or alg: %q", dh)
		}
		if scopes, ok := u.claims.scopes(); ok && strings.ContainsAny(strings.Join(scopes, ""), " \"\\\n") {
			t.Fatalf("a scope that breaks a header: %q", scopes)
		}
		u.claims.venues()
		moment(u.claims.Expires)
		u.claims.isFor(audience)
	})
}

// FuzzKeys: a JWK set never panics, and each of its keys is usable.
func FuzzKeys(f *testing.F) {
	f.Add(setOf(newEd("a"), newEC("b"), sharedRSA()))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","kid":"a","x":"AA","y":"AA"}]}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		keys, _, err := parseKeys(document, []string{"EdDSA", "ES256", "RS256", "PS256"})
		if err == nil && len(keys) == 0 {
			t.Fatal("neither keys nor an error")
		}
		for id, k := range keys {
			if id == "" || len(k.algorithms) == 0 || k.public == nil {
				t.Fatalf("an unusable key: %+v", k)
			}
			for _, a := range k.algorithms {
				if k.verify(a, "x", make([]byte, 64)) == "" {
					t.Fatalf("a signature of zeros is right for %q", bytes.TrimSpace(document))
				}
			}
		}
	})
}

// FuzzRevocations: the file's reader never panics.
func FuzzRevocations(f *testing.F) {
	f.Add("jti * a\n# b\n\nsub https://login.example x y\n")
	f.Fuzz(func(t *testing.T, text string) {
		if r, err := parseRevocations(strings.NewReader(text)); (r == nil) == (err == nil) {
			t.Fatalf("both or neither of a set and an error: %v", err)
		}
	})
}
