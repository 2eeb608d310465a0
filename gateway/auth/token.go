package auth

import (
	"bytes"
	"encoding/base64"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// unverified is a token taken apart. Nothing in it may be believed before its signature has been checked.
type unverified struct {
	header    header
	claims    claims
	signed    string // what the signature is over
	signature []byte
}

// header is the JOSE header (RFC 7515 §4). Members that carry a key, or that must be understood and aren't, are only
// here to be seen and refused.
type header struct {
	Algorithm string         `json:"alg"`
	Type      string         `json:"typ"`
	KeyID     string         `json:"kid"`
	Critical  jsontext.Value `json:"crit"`
	Key       jsontext.Value `json:"jwk"`
	KeyURL    jsontext.Value `json:"jku"`
	Chain     jsontext.Value `json:"x5c"`
	ChainURL  jsontext.Value `json:"x5u"`
}

// claims are the claims of RFC 9068 §2.2 that mean something here, and two of our own: venues and tenant.
type claims struct {
	Issuer    string         `json:"iss"`
	Subject   string         `json:"sub"`
	ID        string         `json:"jti"`
	Audience  jsontext.Value `json:"aud"` // a string, or several
	Expires   jsontext.Value `json:"exp"`
	NotBefore jsontext.Value `json:"nbf"`
	IssuedAt  jsontext.Value `json:"iat"`
	Scope     string         `json:"scope"`
	Venues    []string       `json:"venues"`
	Tenant    string         `json:"tenant"`
}

// parse takes a token apart, strictly: there is exactly one text for each header, claims and signature, and no JSON that
// two readers could understand differently (RFC 8725 §2.4). The class is "" for a good one.
func parse(token []byte) (*unverified, Class) {
	parts := bytes.Split(token, []byte("."))
	if len(parts) != 3 {
		return nil, ClassMalformed
	}
	var decoded [3][]byte
	for i, p := range parts {
		var ok bool
		if decoded[i], ok = decode(p); !ok {
			return nil, ClassMalformed
		}
	}
	u := &unverified{signed: string(token[:len(parts[0])+1+len(parts[1])]), signature: decoded[2]}
	if json.Unmarshal(decoded[0], &u.header) != nil || json.Unmarshal(decoded[1], &u.claims) != nil {
		return nil, ClassMalformed
	}
	if !u.header.acceptable() {
		return nil, ClassHeader
	}
	return u, ""
}

// decode reads base64url without padding. The standard decoder skips line breaks, which would give a token many texts.
func decode(part []byte) ([]byte, bool) {
	if len(part) == 0 || bytes.ContainsAny(part, "\r\n") {
		return nil, false
	}
	out := make([]byte, base64.RawURLEncoding.DecodedLen(len(part)))
	n, err := base64.RawURLEncoding.Strict().Decode(out, part)
	return out[:n], err == nil
}

// acceptable reports whether the header is an access token's (RFC 9068 §2.1: at+jwt, so that an ID token or another
// JWT of the same issuer is never taken for one), names its key, and brings none.
func (h *header) acceptable() bool {
	typ := strings.ToLower(h.Type)
	return (typ == "at+jwt" || typ == "application/at+jwt") && h.KeyID != "" && h.Algorithm != "" &&
		h.Critical == nil && h.Key == nil && h.KeyURL == nil && h.Chain == nil && h.ChainURL == nil
}

// isFor reports whether the audience is, or holds, audience.
func (c *claims) isFor(audience string) bool {
	switch c.Audience.Kind() {
	case '"':
		var one string
		return json.Unmarshal(c.Audience, &one) == nil && one == audience
	case '[':
		var several []string
		return json.Unmarshal(c.Audience, &several) == nil && slices.Contains(several, audience)
	}
	return false
}

// moment reads a NumericDate (RFC 7519 §2); false where it isn't one or lies outside the years 1970 to 9999.
func moment(v jsontext.Value) (time.Time, bool) {
	const year10000 = 253402300800
	s, err := strconv.ParseFloat(string(v), 64)
	if err != nil || s < 0 || s >= year10000 {
		return time.Time{}, false
	}
	whole, part := math.Modf(s)
	return time.Unix(int64(whole), int64(part*1e9)), true
}

// scopes returns the scopes, sorted, each once; false where one isn't a scope token (RFC 6749 §3.3).
func (c *claims) scopes() ([]string, bool) {
	if c.Scope == "" {
		return nil, true
	}
	list := strings.Split(c.Scope, " ")
	for _, s := range list {
		if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '"' || r == '\\' }) {
			return nil, false
		}
	}
	slices.Sort(list)
	return slices.Compact(list), true
}

// venues returns the venue ids, sorted, each once; false where one is neither an id nor "*".
func (c *claims) venues() ([]string, bool) {
	list := slices.Clone(c.Venues)
	for _, v := range list {
		if v != "*" && !validVenue(v) {
			return nil, false
		}
	}
	slices.Sort(list)
	return slices.Compact(list), true
}

func validVenue(id string) bool {
	return id != "" && !strings.ContainsFunc(id, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-')
	})
}
