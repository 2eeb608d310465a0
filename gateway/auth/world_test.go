package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/golang-jwt/jwt/v5"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/limit"
)

const (
	issuerA  = "https://login.city.example"
	issuerB  = "https://login.hotels.example"
	audience = "https://gate.city.example"
)

var (
	t0   = time.Date(2026, 5, 1, 9, 0, 0, 0, time.UTC)
	home = netip.MustParseAddr("192.0.2.7")
)

// pair is a private key with the entry that publishes it.
type pair struct {
	private crypto.Signer
	public  jwk
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func newEd(kid string) pair {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return pair{private, jwk{Type: "OKP", Curve: "Ed25519", ID: kid, X: b64(public)}}
}

func newEC(kid string) pair {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	point, err := private.PublicKey.Bytes()
	if err != nil {
		panic(err)
	}
	return pair{private, jwk{Type: "EC", Curve: "P-256", ID: kid, X: b64(point[1:33]), Y: b64(point[33:])}}
}

func newRSA(kid string, bits int) pair {
	private, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return pair{private, jwk{Type: "RSA", ID: kid, N: b64(private.N.Bytes()), E: b64(big.NewInt(int64(private.E)).Bytes())}}
}

// sharedRSA is made once: it is slow.
var sharedRSA = sync.OnceValue(func() pair { return newRSA("rsa", 2048) })

type object = map[string]any

// goodHeader and goodClaims make a token of issuer A that is accepted at t0.
func goodHeader() object { return object{"typ": "at+jwt", "alg": "EdDSA", "kid": "ed"} }

func goodClaims() object {
	return object{"iss": issuerA, "aud": audience, "sub": "gate-7", "jti": "token-1", "exp": t0.Add(time.Hour).Unix(),
		"iat": t0.Unix(), "scope": "scenic:read scenic:gate", "venues": []string{"west-lake"}, "tenant": "hangzhou"}
}

// with returns o with members set, or left out where the value is nil.
func with(o object, members ...any) object {
	for i := 0; i < len(members); i += 2 {
		if members[i+1] == nil {
			delete(o, members[i].(string))
		} else {
			o[members[i].(string)] = members[i+1]
		}
	}
	return o
}

func encode(v any) []byte {
	b, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		panic(err)
	}
	return b
}

// sign makes a token of a header and claims, which may be any text, with a golang-jwt method.
func sign(h, c []byte, method jwt.SigningMethod, private any) []byte {
	text := b64(h) + "." + b64(c)
	signature, err := method.Sign(text, private)
	if err != nil {
		panic(err)
	}
	return []byte(text + "." + b64(signature))
}

// world is two issuers' keys in files and a configuration that accepts both.
type world struct {
	dir           string
	ed, ec, other pair
	config        Config
}

func newWorld(t testing.TB) *world {
	w := &world{dir: t.TempDir(), ed: newEd("ed"), ec: newEC("ec"), other: newEd("other")}
	w.config = Config{Audience: audience, Leeway: 10 * time.Second,
		RevocationsFile:     filepath.Join(w.dir, "revoked"),
		FirstSeenPerAddress: limit.Rate{Requests: 1000, Per: time.Second, Burst: 100_000},
		Issuers: []IssuerConfig{
			{Issuer: issuerA, Algorithms: []string{"EdDSA", "ES256", "RS256", "PS256"}, KeysFile: filepath.Join(w.dir, "a.json")},
			{Issuer: issuerB, Tenant: "hotels", Algorithms: []string{"EdDSA"}, KeysFile: filepath.Join(w.dir, "b.json")},
		}}
	w.publish(t, "a.json", w.ed, w.ec, sharedRSA())
	w.publish(t, "b.json", w.other)
	w.write(t, "revoked", "")
	return w
}

func (w *world) write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func setOf(pairs ...pair) []byte {
	var set jwkSet
	for _, p := range pairs {
		set.Keys = append(set.Keys, p.public)
	}
	return encode(set)
}

func (w *world) publish(t testing.TB, name string, pairs ...pair) {
	t.Helper()
	w.write(t, name, string(setOf(pairs...)))
}

func (w *world) open(t testing.TB) *Verifier {
	t.Helper()
	if err := w.config.Validate(); err != nil {
		t.Fatal(err)
	}
	v, err := New(w.config, quiet(), t0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

func (w *world) token(h, c object) []byte {
	return sign(encode(h), encode(c), jwt.SigningMethodEdDSA, w.ed.private)
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// wantRefusal fails unless err is the problem with the class as its cause, and says nothing of the class to a client.
func wantRefusal(t *testing.T, p *gateway.Principal, err error, problem *gateway.Problem, class Class) {
	t.Helper()
	if p != nil {
		t.Fatalf("got a principal: %+v", p)
	}
	e, ok := errors.AsType[*gateway.Error](err)
	if !ok || e.Problem != problem {
		t.Fatalf("got %v, want %s", err, problem.Type)
	}
	if c, _ := errors.AsType[Class](err); c != class {
		t.Fatalf("got class %q, want %q", c, class)
	}
	if e.Detail.En == "" || e.Detail.Zh == "" {
		t.Errorf("%s has no detail for people", problem.Type)
	}
}

func pkcs8(t *testing.T, private crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}
