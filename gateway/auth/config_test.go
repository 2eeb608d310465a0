package auth

import (
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/warmgate/warmgate/gateway"
)

func TestConfigMistakes(t *testing.T) {
	good := func() Config {
		return Config{Audience: "a", Issuers: []IssuerConfig{{Issuer: "i", Algorithms: []string{"EdDSA"}, KeysFile: "f"}}}
	}
	const url = "issuers[0].jwks_url: must be an https address without user or fragment, or http on a loopback address"
	at := func(u string) func(*Config) {
		return func(c *Config) { c.Issuers[0].KeysFile, c.Issuers[0].JWKSURL = "", u }
	}
	for _, row := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"good", func(*Config) {}, ""},
		{"https", at("https://login.example/keys?a=b"), ""},
		{"http here", at("http://127.0.0.1:8080/keys"), ""},
		{"http here, IPv6", at("http://[::1]/keys"), ""},
		{"http elsewhere", at("http://login.example/keys"), url},
		{"http almost here", at("http://127.0.0.1.example/keys"), url},
		{"http at another address", at("http://192.0.2.1/keys"), url},
		{"file", at("file:///etc/keys"), url},
		{"user", at("https://u:p@login.example/keys"), url},
		{"not a URL", at("://"), url},
		{"audience", func(c *Config) { c.Audience = "" }, "audience: must name who the tokens are for"},
		{"leeway", func(c *Config) { c.Leeway = 31 * time.Second }, "leeway: must be 0 to 30s, got 31s"},
		{"size", func(c *Config) { c.MaxTokenBytes = 5000 }, "max_token_bytes: must be 256 to 4096, got 5000"},
		{"remembered", func(c *Config) { c.Remembered = -1 }, "remembered: must not be negative, got -1"},
		{"first seen", func(c *Config) { c.FirstSeenPerAddress.Burst = 5 }, "first_seen_per_address.rate: must be at least 1, got 0\nfirst_seen_per_address.per: must be above 0, got 0s"},
		{"no issuer", func(c *Config) { c.Issuers = nil }, "issuers: must have at least one entry"},
		{"twice", func(c *Config) { c.Issuers = append(c.Issuers, c.Issuers[0]) }, `issuers[1].issuer: is used twice: "i"`},
		{"issuer", func(c *Config) { c.Issuers[0].Issuer = "" }, `issuers[0].issuer: must be the "iss" of the issuer's tokens`},
		{"no algorithm", func(c *Config) { c.Issuers[0].Algorithms = nil }, "issuers[0].algorithms: must name at least one of EdDSA, ES256, RS256, PS256"},
		{"algorithm", func(c *Config) { c.Issuers[0].Algorithms = []string{"HS256"} }, `issuers[0].algorithms: must be EdDSA, ES256, RS256 or PS256, got "HS256"`},
		{"none", func(c *Config) { c.Issuers[0].Algorithms = []string{"none"} }, `issuers[0].algorithms: must be EdDSA, ES256, RS256 or PS256, got "none"`},
		{"no keys", func(c *Config) { c.Issuers[0].KeysFile = "" }, "issuers[0]: needs either keys_file or jwks_url"},
		{"both", func(c *Config) { c.Issuers[0].JWKSURL = "https://login.example" }, "issuers[0]: needs either keys_file or jwks_url"},
		{"refresh", func(c *Config) { c.Issuers[0].Refresh = time.Second }, "issuers[0].refresh: must be at least 10s, got 1s"},
	} {
		c := good()
		row.change(&c)
		err := c.Validate()
		got := ""
		if err != nil {
			got = err.Error()
			for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
				if _, ok := e.(*gateway.FieldError); !ok {
					t.Errorf("%s: not a field error: %v", row.name, e)
				}
			}
		}
		if got != row.want {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
	}
}

func TestConfigIsReadFromYAML(t *testing.T) {
	var c Config
	err := yaml.UnmarshalWithOptions([]byte(`
audience: https://gate.city.example
leeway: 10s
max_token_bytes: 4096
issuers:
  - {issuer: a, tenant: hangzhou, algorithms: [EdDSA], keys_file: keys.json}
  - {issuer: b, algorithms: [ES256, PS256], jwks_url: https://login.example/keys, refresh: 5m}
revocations_file: revoked.txt
remembered: 1000
first_seen_per_address: {rate: 20, per: 1s, burst: 200}
`), &c, yaml.Strict())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	if c.Leeway != 10*time.Second || c.Issuers[1].Refresh != 5*time.Minute || c.FirstSeenPerAddress.Requests != 20 || c.Issuers[0].Tenant != "hangzhou" {
		t.Errorf("got %+v", c)
	}
}
