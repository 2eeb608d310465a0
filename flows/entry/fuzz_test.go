package entry

import (
	"crypto/ed25519"
	"encoding/base64"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/warmgate/warmgate/gateway"
)

// isIDNumberSlowly is ISO 7064 MOD 11-2 by its definition: the whole, read with base 2 modulo 11, is 1.
func isIDNumberSlowly(s string) bool {
	if len(s) != 18 || strings.Trim(s[:17], "0123456789") != "" || !strings.Contains("0123456789Xx", s[17:]) {
		return false
	}
	p := 0
	for _, c := range strings.ToUpper(s) {
		v := strings.IndexRune("0123456789X", c)
		p = (p*2 + v) % 11
	}
	return p == 1
}

func FuzzIsIDNumber(f *testing.F) {
	for _, s := range []string{"", "11010519491231002X", "11010519491231002x", "110105194912310021", "440524188001010014", "440524188001010015",
		"44052418800101001", "4405241880010100140", "４４０524188001010014", "11010519491231002 "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if isIDNumber(s) && !isIDNumberSlowly(s) {
			t.Errorf("%q is taken for an identity number", s)
		}
	})
}

// TestEveryCheckDigit goes through all check characters of many numbers: one is right each time.
func TestEveryCheckDigit(t *testing.T) {
	for _, start := range []string{"11010519491231002", "44052419800101001"} {
		right := 0
		for _, check := range "0123456789X" {
			s := start + string(check)
			if isIDNumber(s) != isIDNumberSlowly(s) {
				t.Errorf("isIDNumber(%q) = %t", s, isIDNumber(s))
			}
			if isIDNumber(s) {
				right++
			}
		}
		if right != 1 {
			t.Errorf("%s: %d check characters are right", start, right)
		}
	}
}

// fuzzIssuer is a fixed key: what the fuzzer finds has to be found again.
func fuzzIssuer() (ed25519.PrivateKey, *gateway.Venue) {
	private := ed25519.NewKeyFromSeed([]byte("a seed of thirty-two bytes ......"[:ed25519.SeedSize]))
	key := base64.RawURLEncoding.EncodeToString(private.Public().(ed25519.PublicKey))
	return private, &gateway.Venue{ID: "west-lake", Location: shanghai, Settings: &Settings{Signed: []Issuer{{Name: "city", Key: key}}}}
}

func signTicket(t testing.TB, key any, method jwt.SigningMethod, header map[string]any, change func(jwt.MapClaims)) string {
	t.Helper()
	claims := jwt.MapClaims{"iss": "city", "sub": "u1", "supplier": "s", "booking": "b", "product": "p", "spot": "west-lake", "code": "c",
		"nbf": 1_780_000_000, "exp": 1_780_003_600}
	change(claims)
	token := jwt.NewWithClaims(method, claims)
	token.Header["typ"] = "ticket+jwt"
	maps.Copy(token.Header, header)
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestSignedTicketsThatAreNone goes through the ways to forge one that a fuzzer will not find.
func TestSignedTicketsThatAreNone(t *testing.T) {
	private, venue := fuzzIssuer()
	same := func(jwt.MapClaims) {}
	good := signTicket(t, private, jwt.SigningMethodEdDSA, nil, same)
	ticket, err := verifySigned(good, venue, time.Now())
	if err != nil || ticket.Unit != "u1" || ticket.Supplier != "s" || ticket.Code != "c" || ticket.From.Unix() != 1_780_000_000 {
		t.Fatalf("%+v: %v", ticket, err)
	}
	public := []byte(private.Public().(ed25519.PublicKey))
	for name, text := range map[string]string{
		"unsigned":              signTicket(t, jwt.UnsafeAllowNoneSignatureType, jwt.SigningMethodNone, nil, same),
		"the key as a secret":   signTicket(t, public, jwt.SigningMethodHS256, nil, same),
		"an extension":          signTicket(t, private, jwt.SigningMethodEdDSA, map[string]any{"crit": []string{"b64"}, "b64": false}, same),
		"another type":          signTicket(t, private, jwt.SigningMethodEdDSA, map[string]any{"typ": "JWT"}, same),
		"no unit":               signTicket(t, private, jwt.SigningMethodEdDSA, nil, func(m jwt.MapClaims) { delete(m, "sub") }),
		"no code":               signTicket(t, private, jwt.SigningMethodEdDSA, nil, func(m jwt.MapClaims) { delete(m, "code") }),
		"no supplier":           signTicket(t, private, jwt.SigningMethodEdDSA, nil, func(m jwt.MapClaims) { m["supplier"] = "" }),
		"no beginning":          signTicket(t, private, jwt.SigningMethodEdDSA, nil, func(m jwt.MapClaims) { delete(m, "nbf") }),
		"a changed signature":   good[:strings.LastIndexByte(good, '.')+1] + strings.Repeat("A", 86),
		"another's header":      "eyJhbGciOiJub25lIn0" + good[strings.IndexByte(good, '.'):],
		"a part more":           good + ".x",
		"padding":               good + "=",
		"another's spot":        signTicket(t, private, jwt.SigningMethodEdDSA, nil, func(m jwt.MapClaims) { m["spot"] = "lingyin" }),
		"a spot in other words": signTicket(t, private, jwt.SigningMethodEdDSA, nil, func(m jwt.MapClaims) { delete(m, "spot"); m["SPOT"] = "lingyin" }),
	} {
		if ticket, err := verifySigned(text, venue, time.Now()); err == nil {
			t.Errorf("%s: accepted as %+v", name, ticket)
		}
	}
}

// FuzzVerifySigned looks for a text that is accepted and is not the one that was signed, and for an error that tells
// what was in it.
func FuzzVerifySigned(f *testing.F) {
	private, venue := fuzzIssuer()
	good := signTicket(f, private, jwt.SigningMethodEdDSA, nil, func(jwt.MapClaims) {})
	for _, s := range []string{good, "", ".", "..", "x.y.z", good + ".", strings.Replace(good, ".", "..", 1), good[1:], strings.ToLower(good)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ticket, err := verifySigned(s, venue, time.Unix(1_780_000_000, 0))
		if err == nil && s != good {
			t.Errorf("accepted %q as %+v", s, ticket)
		}
		if err != nil && len(s) > 12 && strings.Contains(err.Error(), s) {
			t.Errorf("the error tells the ticket: %v", err)
		}
	})
}
