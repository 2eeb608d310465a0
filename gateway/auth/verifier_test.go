package auth

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/limit"
)

func TestAcceptedTokens(t *testing.T) {
	w := newWorld(t)
	v := w.open(t)
	rs := sharedRSA()
	for name, token := range map[string][]byte{
		"EdDSA":            w.token(goodHeader(), goodClaims()),
		"ES256":            sign(encode(with(goodHeader(), "alg", "ES256", "kid", "ec")), encode(goodClaims()), jwt.SigningMethodES256, w.ec.private),
		"RS256":            sign(encode(with(goodHeader(), "alg", "RS256", "kid", "rsa")), encode(goodClaims()), jwt.SigningMethodRS256, rs.private),
		"PS256":            sign(encode(with(goodHeader(), "alg", "PS256", "kid", "rsa")), encode(goodClaims()), jwt.SigningMethodPS256, rs.private),
		"full media type":  w.token(with(goodHeader(), "typ", "application/AT+JWT"), goodClaims()),
		"several aud":      w.token(goodHeader(), with(goodClaims(), "aud", []string{"x", audience})),
		"no iat":           w.token(goodHeader(), with(goodClaims(), "iat", nil)),
		"expired, leeway":  w.token(goodHeader(), with(goodClaims(), "exp", t0.Add(-9*time.Second).Unix())),
		"begins, leeway":   w.token(goodHeader(), with(goodClaims(), "nbf", t0.Add(9*time.Second).Unix())),
		"fraction of exp":  w.token(goodHeader(), with(goodClaims(), "exp", float64(t0.Unix())+0.5)),
		"unknown members":  w.token(with(goodHeader(), "x5t", "abc"), with(goodClaims(), "acr", "1")),
		"the other issuer": sign(encode(with(goodHeader(), "kid", "other")), encode(with(goodClaims(), "iss", issuerB, "tenant", nil)), jwt.SigningMethodEdDSA, w.other.private),
	} {
		t.Run(name, func(t *testing.T) {
			for _, which := range []string{"first", "remembered"} {
				given := bytes.Clone(token)
				p, err := v.Verify(given, home, t0)
				clear(given) // the caller's buffer is used again
				if err != nil {
					t.Fatalf("%s time: %v", which, err)
				}
				if !p.Has("scenic:gate") || !p.Has("scenic:read") || p.Has("scenic:") || !slices.Equal(p.Venues, []string{"west-lake"}) || p.Subject != "gate-7" {
					t.Errorf("%s time: got %+v", which, p)
				}
				if tenant := map[bool]string{true: "hotels", false: "hangzhou"}[p.Issuer == issuerB]; p.Tenant != tenant {
					t.Errorf("tenant %q, want %q", p.Tenant, tenant)
				}
				if v.memory.get(token) == nil {
					t.Errorf("%s time: it is not remembered", which)
				}
			}
		})
	}
}

// TestRefusedTokens is the table of RFC 8725: each row is a way to get in that must not work.
func TestRefusedTokens(t *testing.T) {
	w := newWorld(t)
	w.write(t, "revoked", "# a comment\n\njti * stolen\nkid "+issuerA+" ec\nsub "+issuerA+" a b\nsub "+issuerB+" gate-7\n")
	v := w.open(t)
	rs := sharedRSA()
	edPublic := w.ed.private.Public().(ed25519.PublicKey)
	der, err := x509.MarshalPKIXPublicKey(rs.private.Public())
	if err != nil {
		t.Fatal(err)
	}
	rsaPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	good := string(w.token(goodHeader(), goodClaims()))
	parts := strings.Split(good, ".")
	head, body := string(encode(goodHeader())), string(encode(goodClaims()))
	ed := func(h, c string) []byte { return sign([]byte(h), []byte(c), jwt.SigningMethodEdDSA, w.ed.private) }
	evil := newEd("ed")
	invalid := ProblemTokenInvalid

	rows := []struct {
		name    string
		token   []byte
		problem *gateway.Problem
		class   Class
	}{
		{"empty", nil, invalid, ClassMalformed},
		{"no dots", []byte("abc"), invalid, ClassMalformed},
		{"two parts", []byte(parts[0] + "." + parts[1]), invalid, ClassMalformed},
		{"four parts", []byte(good + ".x"), invalid, ClassMalformed},
		{"empty signature", []byte(parts[0] + "." + parts[1] + "."), invalid, ClassMalformed},
		{"alg none", []byte(b64(encode(with(goodHeader(), "alg", "none"))) + "." + parts[1] + "." + parts[2]), invalid, ClassAlgorithm},
		{"alg none, unsigned", []byte(b64(encode(with(goodHeader(), "alg", "none"))) + "." + parts[1] + "."), invalid, ClassMalformed},
		{"alg None", ed(string(encode(with(goodHeader(), "alg", "None"))), body), invalid, ClassAlgorithm},
		{"HS256 with the Ed25519 key", sign(encode(with(goodHeader(), "alg", "HS256")), []byte(body), jwt.SigningMethodHS256, []byte(edPublic)), invalid, ClassAlgorithm},
		{"HS256 with the RSA key", sign(encode(with(goodHeader(), "alg", "HS256", "kid", "rsa")), []byte(body), jwt.SigningMethodHS256, rsaPEM), invalid, ClassAlgorithm},
		{"alg of another type of key", sign(encode(with(goodHeader(), "alg", "RS256")), []byte(body), jwt.SigningMethodRS256, rs.private), invalid, ClassAlgorithm},
		{"RS384", sign(encode(with(goodHeader(), "alg", "RS384", "kid", "rsa")), []byte(body), jwt.SigningMethodRS384, rs.private), invalid, ClassAlgorithm},
		{"PS256 said, RS256 signed", sign(encode(with(goodHeader(), "alg", "PS256", "kid", "rsa")), []byte(body), jwt.SigningMethodRS256, rs.private), invalid, ClassSignature},
		{"alg lower case", ed(string(encode(with(goodHeader(), "alg", "eddsa"))), body), invalid, ClassAlgorithm},
		{"no alg", ed(string(encode(with(goodHeader(), "alg", nil))), body), invalid, ClassHeader},
		{"typ JWT", w.token(with(goodHeader(), "typ", "JWT"), goodClaims()), invalid, ClassHeader},
		{"no typ", w.token(with(goodHeader(), "typ", nil), goodClaims()), invalid, ClassHeader},
		{"typ id", w.token(with(goodHeader(), "typ", "id+jwt"), goodClaims()), invalid, ClassHeader},
		{"no kid", w.token(with(goodHeader(), "kid", nil), goodClaims()), invalid, ClassHeader},
		{"unknown kid", w.token(with(goodHeader(), "kid", "new"), goodClaims()), invalid, ClassKey},
		{"kid of another issuer", sign(encode(with(goodHeader(), "kid", "other")), []byte(body), jwt.SigningMethodEdDSA, w.other.private), invalid, ClassKey},
		{"kid is a path", w.token(with(goodHeader(), "kid", "../../dev/null"), goodClaims()), invalid, ClassKey},
		{"crit", w.token(with(goodHeader(), "crit", []string{"exp"}), goodClaims()), invalid, ClassHeader},
		{"crit null", ed(strings.Replace(head, "{", `{"crit":null,`, 1), body), invalid, ClassHeader},
		{"jwk", sign(encode(with(goodHeader(), "jwk", object{"kty": "OKP", "crv": "Ed25519", "x": evil.public.X})), []byte(body), jwt.SigningMethodEdDSA, evil.private), invalid, ClassHeader},
		{"jku", w.token(with(goodHeader(), "jku", "https://evil.example/keys"), goodClaims()), invalid, ClassHeader},
		{"x5u", w.token(with(goodHeader(), "x5u", "https://evil.example/chain"), goodClaims()), invalid, ClassHeader},
		{"x5c", w.token(with(goodHeader(), "x5c", []string{"MII"}), goodClaims()), invalid, ClassHeader},
		{"another's signature", sign([]byte(head), []byte(body), jwt.SigningMethodEdDSA, evil.private), invalid, ClassSignature},
		{"changed claims", []byte(parts[0] + "." + b64(encode(with(goodClaims(), "venues", []string{"*"}))) + "." + parts[2]), invalid, ClassSignature},
		{"oversize", w.token(goodHeader(), with(goodClaims(), "x", strings.Repeat("x", 4096))), invalid, ClassOversize},
		{"padding", []byte(parts[0] + "=." + parts[1] + "." + parts[2]), invalid, ClassMalformed},
		{"standard base64", []byte(parts[0] + "+/." + parts[1] + "." + parts[2]), invalid, ClassMalformed},
		{"line break inside", []byte(good[:20] + "\n" + good[20:]), invalid, ClassMalformed},
		{"line break in the signature", []byte(good[:len(good)-9] + "\n" + good[len(good)-9:]), invalid, ClassMalformed},
		{"exp true", ed(head, strings.Replace(body, `"exp":`, `"exp":true,"x":`, 1)), invalid, ClassClaims},
		{"space before", []byte(" " + good), invalid, ClassMalformed},
		{"loose last bits", []byte(loosen(good)), invalid, ClassMalformed},
		{"duplicate header member", ed(strings.Replace(head, "{", `{"alg":"none",`, 1), body), invalid, ClassMalformed},
		{"duplicate claim", ed(head, strings.Replace(body, "{", `{"sub":"root",`, 1)), invalid, ClassMalformed},
		{"claim in capitals", ed(head, strings.Replace(body, `"exp"`, `"EXP"`, 1)), invalid, ClassClaims},
		{"trailing garbage", ed(head, body+"{}"), invalid, ClassMalformed},
		{"trailing header", ed(head+" x", body), invalid, ClassMalformed},
		{"claims not an object", ed(head, `"x"`), invalid, ClassMalformed},
		{"bad UTF-8", ed(head, strings.Replace(body, "gate-7", "gate-\xff", 1)), invalid, ClassMalformed},
		{"deep", ed(head, strings.Repeat("[", 1000)), invalid, ClassMalformed},
		{"wrong iss", w.token(goodHeader(), with(goodClaims(), "iss", issuerA+"/")), invalid, ClassIssuer},
		{"no iss", w.token(goodHeader(), with(goodClaims(), "iss", nil)), invalid, ClassIssuer},
		{"wrong aud", w.token(goodHeader(), with(goodClaims(), "aud", "https://other.example")), invalid, ClassAudience},
		{"no aud", w.token(goodHeader(), with(goodClaims(), "aud", nil)), invalid, ClassAudience},
		{"aud object", w.token(goodHeader(), with(goodClaims(), "aud", object{audience: audience})), invalid, ClassAudience},
		{"no exp", w.token(goodHeader(), with(goodClaims(), "exp", nil)), invalid, ClassClaims},
		{"exp text", w.token(goodHeader(), with(goodClaims(), "exp", "9999999999")), invalid, ClassClaims},
		{"exp huge", ed(head, strings.Replace(body, `"exp":`, `"exp":1e300,"x":`, 1)), invalid, ClassClaims},
		{"exp negative", w.token(goodHeader(), with(goodClaims(), "exp", -1)), invalid, ClassClaims},
		{"expired", w.token(goodHeader(), with(goodClaims(), "exp", t0.Add(-10*time.Second).Unix())), ProblemTokenExpired, ClassExpired},
		{"nbf", w.token(goodHeader(), with(goodClaims(), "nbf", t0.Add(11*time.Second).Unix())), invalid, ClassNotYetValid},
		{"iat", w.token(goodHeader(), with(goodClaims(), "iat", t0.Add(11*time.Second).Unix())), invalid, ClassNotYetValid},
		{"nbf null", ed(head, strings.Replace(body, "{", `{"nbf":null,`, 1)), invalid, ClassClaims},
		{"no sub", w.token(goodHeader(), with(goodClaims(), "sub", nil)), invalid, ClassClaims},
		{"no jti", w.token(goodHeader(), with(goodClaims(), "jti", nil)), invalid, ClassClaims},
		{"no tenant", w.token(goodHeader(), with(goodClaims(), "tenant", nil)), invalid, ClassTenant},
		{"another's tenant", sign(encode(with(goodHeader(), "kid", "other")), encode(with(goodClaims(), "iss", issuerB)), jwt.SigningMethodEdDSA, w.other.private), invalid, ClassTenant},
		{"scope list", w.token(goodHeader(), with(goodClaims(), "scope", []string{"scenic:gate"})), invalid, ClassMalformed},
		{"two spaces in scope", w.token(goodHeader(), with(goodClaims(), "scope", "a  b")), invalid, ClassClaims},
		{"quote in scope", w.token(goodHeader(), with(goodClaims(), "scope", `a"b`)), invalid, ClassClaims},
		{"venue in capitals", w.token(goodHeader(), with(goodClaims(), "venues", []string{"West-Lake"})), invalid, ClassClaims},
		{"revoked jti", w.token(goodHeader(), with(goodClaims(), "jti", "stolen")), ProblemTokenRevoked, ClassRevoked},
		{"revoked kid", sign(encode(with(goodHeader(), "alg", "ES256", "kid", "ec")), []byte(body), jwt.SigningMethodES256, w.ec.private), ProblemTokenRevoked, ClassRevoked},
		{"revoked sub", w.token(goodHeader(), with(goodClaims(), "sub", "a b")), ProblemTokenRevoked, ClassRevoked},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			for range 2 { // a refusal is not remembered as anything else
				p, err := v.Verify(row.token, home, t0)
				wantRefusal(t, p, err, row.problem, row.class)
			}
		})
	}
	if _, err := v.Verify([]byte(good), home, t0); err != nil {
		t.Errorf("the token that all of these were made from is refused itself: %v", err)
	}
}

// loosen changes the unused bits of the last character: lenient decoders read the same bytes.
func loosen(token string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, token[len(token)-1])
	return token[:len(token)-1] + string(alphabet[last^1])
}

func TestRememberedTokenIsDropped(t *testing.T) {
	fresh := func(t *testing.T) (*world, *Verifier, []byte) {
		w := newWorld(t)
		v := w.open(t)
		token := w.token(goodHeader(), goodClaims())
		if _, err := v.Verify(token, home, t0); err != nil {
			t.Fatal(err)
		}
		if v.memory.get(token) == nil {
			t.Fatal("a verified token is not remembered")
		}
		return w, v, token
	}
	check := func(t *testing.T, v *Verifier, token []byte, now time.Time, problem *gateway.Problem, class Class) {
		t.Helper()
		p, err := v.Verify(token, home, now)
		wantRefusal(t, p, err, problem, class)
		if v.memory.get(token) != nil {
			t.Error("it is still remembered")
		}
	}
	t.Run("at exp and leeway", func(t *testing.T) {
		_, v, token := fresh(t)
		end := t0.Add(time.Hour + 10*time.Second)
		if _, err := v.Verify(token, home, end.Add(-time.Nanosecond)); err != nil {
			t.Errorf("just before its end: %v", err)
		}
		check(t, v, token, end, ProblemTokenExpired, ClassExpired)
	})
	for _, line := range []string{"jti * token-1", "kid " + issuerA + " ed", "sub " + issuerA + " gate-7"} {
		t.Run("revoked "+line[:3], func(t *testing.T) {
			w, v, token := fresh(t)
			w.write(t, "revoked", line)
			if err := v.Reload(); err != nil {
				t.Fatal(err)
			}
			check(t, v, token, t0, ProblemTokenRevoked, ClassRevoked)
		})
	}
	t.Run("its key is gone", func(t *testing.T) {
		w, v, token := fresh(t)
		w.publish(t, "a.json", w.ec)
		if err := v.Reload(); err != nil {
			t.Fatal(err)
		}
		check(t, v, token, t0, ProblemTokenInvalid, ClassKey)
	})
	t.Run("another key has its kid", func(t *testing.T) {
		w, v, token := fresh(t)
		w.publish(t, "a.json", newEd("ed"))
		if err := v.Reload(); err != nil {
			t.Fatal(err)
		}
		check(t, v, token, t0, ProblemTokenInvalid, ClassSignature)
	})
	t.Run("its key was gone and is back", func(t *testing.T) {
		w, v, token := fresh(t)
		for _, keys := range [][]pair{{w.ec}, {w.ed}} {
			w.publish(t, "a.json", keys...)
			if err := v.Reload(); err != nil {
				t.Fatal(err)
			}
		}
		known := v.memory.get(token)
		if _, err := v.Verify(token, home, t0); err != nil || v.memory.get(token) == known {
			t.Errorf("it was not verified again with the key that is there: %v", err)
		}
	})
	t.Run("not by another's revocation or a reload of the same", func(t *testing.T) {
		w, v, token := fresh(t)
		w.write(t, "revoked", "sub "+issuerB+" gate-7\njti * token-2\n")
		if err := v.Reload(); err != nil {
			t.Fatal(err)
		}
		known := v.memory.get(token)
		if _, err := v.Verify(token, home, t0); err != nil || v.memory.get(token) != known {
			t.Errorf("it was verified again: %v", err)
		}
	})
	t.Run("a broken file changes nothing", func(t *testing.T) {
		w, v, token := fresh(t)
		w.write(t, "revoked", "jti * token-1")
		w.write(t, "a.json", "{")
		if err := v.Reload(); err == nil {
			t.Error("a broken key file was loaded")
		}
		if _, err := v.Verify(token, home, t0); err != nil {
			t.Errorf("half of a reload took place: %v", err)
		}
	})
}

func TestMemoryIsBoundedAndComparesWholeTokens(t *testing.T) {
	w := newWorld(t)
	w.config.Remembered = 64
	v := w.open(t)
	for i := range 500 {
		token := w.token(goodHeader(), with(goodClaims(), "jti", fmt.Sprint(i)))
		if _, err := v.Verify(token, home, t0); err != nil {
			t.Fatal(err)
		}
	}
	kept := 0
	for i := range v.memory.shard {
		kept += len(v.memory.shard[i].tokens)
	}
	if kept > 64 || kept < 48 {
		t.Errorf("%d tokens remembered, want about 64 and no more", kept)
	}
	// A place found by an equal hash must not be enough.
	token := w.token(goodHeader(), goodClaims())
	if _, err := v.Verify(token, home, t0); err != nil {
		t.Fatal(err)
	}
	known := v.memory.get(token)
	known.token[len(known.token)-1] ^= 1
	if v.memory.get(token) != nil {
		t.Error("a token with another last byte was taken for it")
	}
}

func TestSameComparesEveryByte(t *testing.T) {
	for n := range 40 {
		a := bytes.Repeat([]byte("x"), n)
		if !same(a, bytes.Clone(a)) || same(a, append(bytes.Clone(a), 0)) {
			t.Fatalf("length %d: equal ones differ or a longer one is equal", n)
		}
		for i := range n {
			for bit := range 8 {
				b := bytes.Clone(a)
				b[i] ^= 1 << bit
				if same(a, b) {
					t.Fatalf("length %d: bit %d of byte %d makes no difference", n, bit, i)
				}
			}
		}
	}
}

func TestMemoryForgetsWhatEndsFirst(t *testing.T) {
	m := newMemory(16 * 10)
	put := func(n int, name string, expires time.Time) {
		for i := range n {
			m.put(&verified{token: fmt.Appendf(nil, "%s %d", name, i), expires: expires})
		}
	}
	put(80, "long", t0.Add(time.Hour))
	put(10_000, "short", t0.Add(time.Minute))
	kept := 0
	for i := range 80 {
		if m.get(fmt.Appendf(nil, "long %d", i)) != nil {
			kept++
		}
	}
	if kept < 50 {
		t.Errorf("%d of 80 tokens with an hour to live were kept, the others made room for ones with a minute", kept)
	}
}

func TestFirstSeenTokensAreLimitedByAddress(t *testing.T) {
	w := newWorld(t)
	w.config.FirstSeenPerAddress = limit.Rate{Requests: 1, Per: time.Second, Burst: 3}
	v := w.open(t)
	token := func(jti string) []byte { return w.token(goodHeader(), with(goodClaims(), "jti", jti)) }
	known := token("known")
	evil := newEd("ed")
	for i, tok := range [][]byte{known, token("2"), sign(encode(goodHeader()), encode(goodClaims()), jwt.SigningMethodEdDSA, evil.private)} {
		if _, err := v.Verify(tok, home, t0); (err != nil) != (i == 2) {
			t.Fatalf("token %d: %v", i, err)
		}
	}
	_, err := v.Verify(token("4"), home, t0)
	e := gateway.AsError(err)
	if e.Problem != limit.ProblemRateLimited || e.RetryAfter != time.Second {
		t.Fatalf("the fourth new token: %v, retry after %s", err, e.RetryAfter)
	}
	if _, err := v.Verify(known, home, t0); err != nil {
		t.Errorf("a remembered token was limited: %v", err)
	}
	if _, err := v.Verify(w.token(goodHeader(), with(goodClaims(), "exp", 1)), home, t0); gateway.AsError(err).Problem != ProblemTokenExpired {
		t.Errorf("a refusal that costs nothing was limited: %v", err)
	}
	if _, err := v.Verify(token("5"), netip.MustParseAddr("192.0.2.8"), t0); err != nil {
		t.Errorf("another address was limited: %v", err)
	}
	if _, err := v.Verify(token("4"), home, t0.Add(time.Second)); err != nil {
		t.Errorf("a second later: %v", err)
	}
}
