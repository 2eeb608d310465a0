package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"sync/atomic"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/golang-jwt/jwt/v5"
)

// The algorithms that an issuer may use (RFC 7518 §3.1, RFC 8037 §3.1).
const (
	algEdDSA = "EdDSA"
	algES256 = "ES256"
	algRS256 = "RS256"
	algPS256 = "PS256"
)

const (
	minRSABits = 2048
	maxRSABits = 8192 // a longer one makes each verification cost too much
)

// key is one public key of an issuer.
type key struct {
	id         string
	public     crypto.PublicKey // ed25519.PublicKey, *ecdsa.PublicKey on P-256, or *rsa.PublicKey
	algorithms []string         // what it may be used with: by its type, its own "alg" and its issuer's entry
	gone       atomic.Bool      // its issuer no longer publishes it: what was verified with it is forgotten
}

// verify checks a signature. The method comes from the key's own list, never from the token alone.
func (k *key) verify(algorithm, signed string, signature []byte) Class {
	if !slices.Contains(k.algorithms, algorithm) {
		return ClassAlgorithm
	}
	var method jwt.SigningMethod
	switch algorithm {
	case algEdDSA:
		method = jwt.SigningMethodEdDSA
	case algES256:
		method = jwt.SigningMethodES256
	case algRS256:
		method = jwt.SigningMethodRS256
	case algPS256:
		method = jwt.SigningMethodPS256
	}
	if method.Verify(signed, signature, k.public) != nil {
		return ClassSignature
	}
	return ""
}

// same reports whether o is the same key for the same use.
func (k *key) same(o *key) bool {
	public, ok := k.public.(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(o.public) && slices.Equal(k.algorithms, o.algorithms)
}

// jwk is one entry of a JWK set (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2).
type jwk struct {
	Type       string         `json:"kty"`
	ID         string         `json:"kid,omitzero"`
	Use        string         `json:"use,omitzero"`
	Operations []string       `json:"key_ops,omitzero"`
	Algorithm  string         `json:"alg,omitzero"`
	Curve      string         `json:"crv,omitzero"`
	X          string         `json:"x,omitzero"`
	Y          string         `json:"y,omitzero"`
	N          string         `json:"n,omitzero"`
	E          string         `json:"e,omitzero"`
	Private    jsontext.Value `json:"d,omitzero"` // must not be there
}

type jwkSet struct {
	Keys []jwk `json:"keys"`
}

// errNotForUs marks a key that is fine but not for verifying this issuer's tokens.
var errNotForUs = errors.New("not a key for this issuer's tokens")

// parseKeys reads a JWK set. Keys for other purposes (encryption, other algorithms) are left out in silence; each
// defective key is left out with an error that names its kid. A set without a usable key is an error.
func parseKeys(document []byte, allowed []string) (keys map[string]*key, defects []error, err error) {
	var set jwkSet
	if err := json.Unmarshal(document, &set); err != nil {
		return nil, nil, fmt.Errorf("cannot read the JWK set: %w", err)
	}
	keys = make(map[string]*key)
	seen := make(map[string]bool)
	for _, j := range set.Keys {
		k, err := j.key(allowed)
		if errors.Is(err, errNotForUs) {
			continue
		}
		if err == nil && seen[j.ID] {
			delete(keys, j.ID)
			err = errors.New("its kid is used twice, so neither can be used")
		}
		seen[j.ID] = true
		if err != nil {
			defects = append(defects, fmt.Errorf("key %q: %w", j.ID, err))
			continue
		}
		keys[j.ID] = k
	}
	if len(keys) == 0 {
		return nil, defects, errors.Join(append(defects, fmt.Errorf("no usable key among the %d of the JWK set", len(set.Keys)))...)
	}
	return keys, defects, nil
}

// key checks one entry and returns its key.
func (j *jwk) key(allowed []string) (*key, error) {
	if j.Use != "" && j.Use != "sig" || j.Operations != nil && !slices.Contains(j.Operations, "verify") {
		return nil, errNotForUs
	}
	var algorithms []string
	switch j.Type + " " + j.Curve {
	case "OKP Ed25519":
		algorithms = []string{algEdDSA}
	case "EC P-256":
		algorithms = []string{algES256}
	case "RSA ":
		algorithms = []string{algRS256, algPS256}
	}
	algorithms = slices.DeleteFunc(algorithms, func(a string) bool {
		return j.Algorithm != "" && j.Algorithm != a || !slices.Contains(allowed, a)
	})
	if len(algorithms) == 0 {
		return nil, errNotForUs
	}
	if j.Private != nil {
		return nil, errors.New("it holds its private part and must be replaced at its issuer")
	}
	if j.ID == "" {
		return nil, errors.New("it has no kid")
	}
	public, err := j.public()
	if err != nil {
		return nil, err
	}
	return &key{id: j.ID, public: public, algorithms: algorithms}, nil
}

func (j *jwk) public() (crypto.PublicKey, error) {
	switch j.Type {
	case "OKP":
		x, err := base64.RawURLEncoding.DecodeString(j.X)
		if err != nil || len(x) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("x must be %d bytes in base64url", ed25519.PublicKeySize)
		}
		return ed25519.PublicKey(x), nil
	case "EC":
		x, errX := base64.RawURLEncoding.DecodeString(j.X)
		y, errY := base64.RawURLEncoding.DecodeString(j.Y)
		if errX != nil || errY != nil || len(x) != 32 || len(y) != 32 {
			return nil, errors.New("x and y must be 32 bytes each in base64url")
		}
		public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, x, y))
		if err != nil {
			return nil, fmt.Errorf("not a point on P-256: %w", err)
		}
		return public, nil
	}
	return j.rsa()
}

func (j *jwk) rsa() (crypto.PublicKey, error) {
	n, errN := base64.RawURLEncoding.DecodeString(j.N)
	e, errE := base64.RawURLEncoding.DecodeString(j.E)
	if errN != nil || errE != nil || len(e) == 0 || len(e) > 4 {
		return nil, errors.New("n and e must be base64url, e of at most 4 bytes")
	}
	public := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
	if bits := public.N.BitLen(); bits < minRSABits || bits > maxRSABits {
		return nil, fmt.Errorf("an RSA key has %d to %d bits, got %d", minRSABits, maxRSABits, bits)
	}
	if public.N.Bit(0) == 0 || public.E < 65537 || public.E%2 == 0 || public.E > 1<<31-1 {
		return nil, errors.New("an RSA key has an odd modulus and an odd exponent of 65537 to 2^31-1")
	}
	return public, nil
}
