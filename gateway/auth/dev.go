package auth

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

const (
	issuerKeyFile = "token-key.pem" // PKCS #8, mode 0600
	issuerSetFile = "token-keys.json"
)

// Issuer mints tokens for development and the sandbox. Its key lies in a directory and is made at the first start; a
// city's own issuer takes its place in production. Safe for concurrent use.
type Issuer struct {
	name     string
	audience string
	keysFile string
	keyID    string
	private  ed25519.PrivateKey
}

// Grant is what a minted token says.
type Grant struct {
	Subject string
	Tenant  string
	Scopes  []string
	Venues  []string // "*": all of the tenant's
	TTL     time.Duration
}

// NewIssuer returns the issuer called name ("iss") for an audience, whose key is in dir (it must exist). A missing key
// is made; one that others can read is refused. The public half is written beside it as a JWK set, see KeysFile.
func NewIssuer(dir, name, audience string) (*Issuer, error) {
	private, err := issuerKey(filepath.Join(dir, issuerKeyFile))
	if err != nil {
		return nil, fmt.Errorf("cannot set up the token issuer: %w", err)
	}
	x := base64.RawURLEncoding.EncodeToString(private.Public().(ed25519.PublicKey))
	// The thumbprint of RFC 7638 §3, so that the same key has the same id everywhere.
	sum := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + x + `"}`))
	i := &Issuer{name: name, audience: audience, private: private, keysFile: filepath.Join(dir, issuerSetFile),
		keyID: base64.RawURLEncoding.EncodeToString(sum[:])}
	set, err := json.Marshal(jwkSet{Keys: []jwk{{Type: "OKP", Curve: "Ed25519", ID: i.keyID, Use: "sig", Algorithm: algEdDSA, X: x}}})
	if err != nil {
		return nil, fmt.Errorf("cannot encode the token issuer's keys: %w", err)
	}
	if err := writeWhole(i.keysFile, set, 0o644, os.Rename); err != nil {
		return nil, fmt.Errorf("cannot write the token issuer's keys: %w", err)
	}
	return i, nil
}

// KeysFile returns the path of the public JWK set, for IssuerConfig.KeysFile.
func (i *Issuer) KeysFile() string { return i.keysFile }

// Config returns the entry by which a verifier accepts this issuer's tokens.
func (i *Issuer) Config() IssuerConfig {
	return IssuerConfig{Issuer: i.name, Algorithms: []string{algEdDSA}, KeysFile: i.keysFile}
}

// Mint returns a signed token (RFC 9068) that is valid from now for g.TTL (> 0).
func (i *Issuer) Mint(g Grant, now time.Time) (string, error) {
	if g.Subject == "" || g.Tenant == "" || g.TTL <= 0 {
		return "", errors.New("cannot mint a token: it needs a subject, a tenant and a lifetime")
	}
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("cannot mint a token: %w", err)
	}
	venues := g.Venues
	if venues == nil {
		venues = []string{}
	}
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{
		"iss": i.name, "aud": i.audience, "sub": g.Subject, "client_id": g.Subject, "jti": id.String(),
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(g.TTL).Unix(),
		"scope": strings.Join(g.Scopes, " "), "venues": venues, "tenant": g.Tenant,
	})
	token.Header["typ"], token.Header["kid"] = "at+jwt", i.keyID
	text, err := token.SignedString(i.private)
	if err != nil {
		return "", fmt.Errorf("cannot sign a token: %w", err)
	}
	return text, nil
}

// issuerKey reads the key at path, or makes it. Of two processes that make it at once, one wins and both use its key.
func issuerKey(path string) (ed25519.PrivateKey, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		_, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		der, err := x509.MarshalPKCS8PrivateKey(private)
		if err != nil {
			return nil, err
		}
		text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
		if err := writeWhole(path, text, 0o600, os.Link); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s can be read by others (mode %04o, must be 0600)", path, info.Mode().Perm())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s is not a PEM file", path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	private, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s does not hold an Ed25519 key", path)
	}
	return private, nil
}

// writeWhole writes a file so that no reader ever sees half of it. Place moves it there: os.Rename replaces what is
// there, os.Link refuses to.
func writeWhole(path string, content []byte, mode fs.FileMode, place func(from, to string) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600 from the start
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(content)
	if err := errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	return place(f.Name(), path)
}
