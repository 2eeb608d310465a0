package auth

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestMintedTokensAreAccepted(t *testing.T) {
	dir := t.TempDir()
	issuer, err := NewIssuer(dir, "https://sandbox.example", audience)
	if err != nil {
		t.Fatal(err)
	}
	v, err := New(Config{Audience: audience, Issuers: []IssuerConfig{issuer.Config()}}, quiet(), t0)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	grant := Grant{Subject: "gate-7", Tenant: "hangzhou", Scopes: []string{"scenic:read", "scenic:gate"}, Venues: []string{"west-lake"}, TTL: time.Hour}
	token, err := issuer.Mint(grant, t0)
	if err != nil {
		t.Fatal(err)
	}
	p, err := v.Verify([]byte(token), home, t0)
	if err != nil {
		t.Fatal(err)
	}
	if p.Subject != "gate-7" || p.Tenant != "hangzhou" || p.Issuer != "https://sandbox.example" ||
		!slices.Equal(p.Scopes, []string{"scenic:gate", "scenic:read"}) || !slices.Equal(p.Venues, []string{"west-lake"}) {
		t.Errorf("got %+v", p)
	}
	if _, err := v.Verify([]byte(token), home, t0.Add(time.Hour)); err == nil {
		t.Error("it is still good after its time")
	}
	again, err := NewIssuer(dir, "https://sandbox.example", audience) // the next start
	if err != nil {
		t.Fatal(err)
	}
	bare, err := again.Mint(Grant{Subject: "x", Tenant: "y", TTL: time.Minute}, t0)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := v.Verify([]byte(bare), home, t0); err != nil || len(p.Scopes)+len(p.Venues) != 0 {
		t.Errorf("a token without scopes after a new start: %+v, %v", p, err)
	}
	for _, g := range []Grant{{Tenant: "y", TTL: 1}, {Subject: "x", TTL: 1}, {Subject: "x", Tenant: "y"}} {
		if _, err := again.Mint(g, t0); err == nil {
			t.Errorf("minted %+v", g)
		}
	}
}

func TestIssuerKeyFiles(t *testing.T) {
	dir := t.TempDir()
	issuer, err := NewIssuer(dir, "i", "a")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, issuerKeyFile)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key has mode %v, %v", info.Mode(), err)
	}
	set, err := os.ReadFile(issuer.KeysFile())
	if err != nil || strings.Contains(string(set), `"d"`) || !strings.Contains(string(set), issuer.keyID) {
		t.Errorf("the JWK set is %s, %v", set, err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 2 {
		t.Errorf("the directory holds %v", entries)
	}
	for name, spoil := range map[string]func() error{
		"can be read by others":        func() error { return os.Chmod(path, 0o644) },
		"is not a PEM file":            func() error { return os.WriteFile(path, []byte("x"), 0o600) },
		"does not hold an Ed25519 key": func() error { return os.WriteFile(path, pkcs8(t, newEC("x").private), 0o600) },
		"no such file or directory":    func() error { return os.RemoveAll(dir) },
	} {
		t.Run(name, func(t *testing.T) {
			if name == "no such file or directory" {
				defer os.MkdirAll(dir, 0o700)
			} else {
				defer os.Remove(path)
				if _, err := NewIssuer(dir, "i", "a"); err != nil {
					t.Fatal(err)
				}
			}
			if err := spoil(); err != nil {
				t.Fatal(err)
			}
			if _, err := NewIssuer(dir, "i", "a"); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestIssuersThatStartAtOnceShareAKey(t *testing.T) {
	dir := t.TempDir()
	ids := make([]string, 16)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			issuer, err := NewIssuer(dir, "i", "a")
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = issuer.keyID
		})
	}
	wg.Wait()
	if slices.Sort(ids); ids[0] != ids[len(ids)-1] {
		t.Errorf("they have several keys: %v", slices.Compact(ids))
	}
}
