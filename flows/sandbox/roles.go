package sandbox

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/warmgate/warmgate/gateway/auth"
)

// The development issuer, as the shipped configuration names it, and the tenant of the shipped venues.
const (
	issuer   = "warmgate-development"
	audience = "warmgate"
	tenant   = "hangzhou"
)

// roles are who calls the gateway, and the scopes that they need for it. A new kind of caller is one line here.
func roles() []role {
	return []role{
		{"gate", []string{"scenic:gate"}},
		{"kiosk", []string{"hotel:check-in"}},
		{"barrier", []string{"parking:gate"}},
		{"driver", []string{"parking:pay"}},
		{"traveller", []string{"rooms:read", "rooms:book"}},
		{"staff", []string{"staff:assist", "scenic:read"}},
		{"reader", []string{"scenic:read"}},
	}
}

type role struct {
	name   string
	scopes []string
}

// ScopesOf returns the scopes of a role.
func ScopesOf(name string) ([]string, bool) {
	for _, r := range roles() {
		if r.name == name {
			return r.scopes, true
		}
	}
	return nil, false
}

// RoleNames returns the roles in words: "gate, kiosk, barrier, …".
func RoleNames() string {
	var names []string
	for _, r := range roles() {
		names = append(names, r.name)
	}
	return strings.Join(names, ", ")
}

// Issuer returns the development issuer whose key is in the folder data; both are made when absent, for their owner alone.
func Issuer(data string) (*auth.Issuer, error) {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the data folder: %w", err)
	}
	return auth.NewIssuer(data, issuer, audience)
}

// tokenTTL is how long a sandbox's tokens are valid.
const tokenTTL = 24 * time.Hour

// tokens mints one token for each role, for all venues of the sandbox's tenant.
func tokens(data string, now time.Time) (map[string]string, error) {
	i, err := Issuer(data)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(i.KeysFile(), 0o600); err != nil { // public, but nothing in a sandbox's folder is for others
		return nil, fmt.Errorf("cannot close the keys' file: %w", err)
	}
	all := map[string]string{}
	for _, r := range roles() {
		t, err := i.Mint(auth.Grant{Subject: "sandbox-" + r.name, Tenant: tenant, Scopes: r.scopes, Venues: []string{"*"}, TTL: tokenTTL}, now)
		if err != nil {
			return nil, err
		}
		all[r.name] = t
	}
	return all, nil
}
