package auth

import (
	"errors"
	"strings"
	"time"

	"github.com/warmgate/warmgate/gateway"
)

// The problems of this package. Values are never changed.
var (
	// ProblemTokenMissing: no bearer token came with the request.
	ProblemTokenMissing = &gateway.Problem{Type: "token-missing", Kind: gateway.Unauthenticated, Title: gateway.Text{
		Zh: "请求缺少访问令牌", En: "An access token is needed"}}
	// ProblemTokenInvalid: the token is not one that this gateway accepts.
	ProblemTokenInvalid = &gateway.Problem{Type: "token-invalid", Kind: gateway.Unauthenticated, Title: gateway.Text{
		Zh: "访问令牌无效", En: "The access token is not valid"}}
	// ProblemTokenExpired: the token was valid.
	ProblemTokenExpired = &gateway.Problem{Type: "token-expired", Kind: gateway.Unauthenticated, Title: gateway.Text{
		Zh: "访问令牌已过期", En: "The access token has expired"}}
	// ProblemTokenRevoked: the token, its key or its subject was revoked.
	ProblemTokenRevoked = &gateway.Problem{Type: "token-revoked", Kind: gateway.Unauthenticated, Title: gateway.Text{
		Zh: "访问令牌已被撤销", En: "The access token has been revoked"}}
	// ProblemTokenKeysUnavailable: the issuer is known, but none of its keys could be had yet.
	ProblemTokenKeysUnavailable = &gateway.Problem{Type: "token-keys-unavailable", Kind: gateway.Unavailable, Retryable: true, Title: gateway.Text{
		Zh: "暂时无法核验访问令牌，请联系现场工作人员", En: "Access tokens cannot be checked at the moment; please see a member of staff"}}
	// ProblemScopeMissing: the token is good, but not for this.
	ProblemScopeMissing = &gateway.Problem{Type: "scope-missing", Kind: gateway.Forbidden, Title: gateway.Text{
		Zh: "访问令牌没有此操作的权限", En: "The access token does not allow this"}}
	// ProblemVenueNotYours: the token is good, but for other venues.
	ProblemVenueNotYours = &gateway.Problem{Type: "venue-not-yours", Kind: gateway.Forbidden, Title: gateway.Text{
		Zh: "访问令牌不适用于此地点", En: "The access token is not for this place"}}
)

// Problems returns the catalogue entries of this package.
func Problems() []*gateway.Problem {
	return []*gateway.Problem{ProblemTokenMissing, ProblemTokenInvalid, ProblemTokenExpired, ProblemTokenRevoked,
		ProblemTokenKeysUnavailable, ProblemScopeMissing, ProblemVenueNotYours}
}

// Class says why a token was refused. It is the Cause of the error, for the log and a metric's label; a client is not
// told. It holds nothing of the token.
type Class string

// The classes of refused tokens.
const (
	ClassOversize    Class = "oversize"
	ClassMalformed   Class = "malformed"     // not three base64url parts of strict JSON
	ClassHeader      Class = "header"        // another typ, a crit, or a key that came along
	ClassIssuer      Class = "issuer"        // not in the configuration
	ClassKey         Class = "key"           // its issuer has no such kid
	ClassAlgorithm   Class = "algorithm"     // not what its key is for
	ClassSignature   Class = "signature"     // wrong
	ClassAudience    Class = "audience"      // for somebody else
	ClassNotYetValid Class = "not-yet-valid" // nbf or iat is in the future
	ClassClaims      Class = "claims"        // one is missing or ill-formed
	ClassTenant      Class = "tenant"        // not its issuer's, or none
	ClassExpired     Class = "expired"
	ClassRevoked     Class = "revoked"
)

// Error makes a Class the cause of an error.
func (c Class) Error() string { return "token refused: " + string(c) }

// refused returns the error for a class.
func refused(c Class) *gateway.Error {
	switch c {
	case ClassExpired:
		return ProblemTokenExpired.Error(gateway.Text{Zh: "请获取新的访问令牌。", En: "Please get a new access token."}).WithCause(c)
	case ClassRevoked:
		return ProblemTokenRevoked.Error(gateway.Text{Zh: "请联系令牌的签发方。", En: "Please ask the issuer of the token."}).WithCause(c)
	case ClassOversize, ClassMalformed, ClassHeader, ClassClaims:
		return ProblemTokenInvalid.Error(gateway.Text{
			Zh: "令牌不是格式正确的 at+jwt 访问令牌。", En: "It is not a well-formed access token of the type at+jwt."}).WithCause(c)
	case ClassNotYetValid:
		return ProblemTokenInvalid.Error(gateway.Text{Zh: "令牌尚未生效。", En: "It is not valid yet."}).WithCause(c)
	}
	return ProblemTokenInvalid.Error(gateway.Text{
		Zh: "此网关不接受该令牌。", En: "It is not one that this gateway accepts."}).WithCause(c)
}

// keysUnavailable returns the error for an issuer whose keys have not arrived.
func keysUnavailable() *gateway.Error {
	return ProblemTokenKeysUnavailable.Error(gateway.Text{
		Zh: "签发方的密钥尚未取得。", En: "The keys of its issuer have not been fetched yet."}).WithRetryAfter(time.Second)
}

// RequireScope returns nil where p holds scope, and otherwise a scope-missing error that names it.
func RequireScope(p *gateway.Principal, scope string) error {
	if p.Has(scope) {
		return nil
	}
	return ProblemScopeMissing.Error(gateway.Text{
		Zh: "需要权限 " + scope + "。", En: "The scope " + scope + " is needed."}).With("scope", scope)
}

// RequireVenue returns nil where p may act for v. Of its own tenant's other venues it is told that they are not its
// own; another tenant's do not exist for it, no more than an unknown one (nil).
func RequireVenue(p *gateway.Principal, v *gateway.Venue) error {
	switch {
	case p.ActsFor(v):
		return nil
	case v == nil || v.Tenant != p.Tenant:
		return gateway.ProblemVenueUnknown.Error(gateway.Text{})
	}
	return ProblemVenueNotYours.Error(gateway.Text{})
}

// Challenge returns the value of WWW-Authenticate (RFC 6750 §3) that goes with err, or "" where none does.
func Challenge(err error) string {
	e, ok := errors.AsType[*gateway.Error](err)
	if !ok {
		return ""
	}
	const scheme = `Bearer realm="warmgate"`
	switch e.Problem {
	case ProblemTokenMissing:
		return scheme
	case ProblemTokenInvalid, ProblemTokenExpired, ProblemTokenRevoked:
		return scheme + `, error="invalid_token"`
	case ProblemScopeMissing:
		scope, _ := e.Extra["scope"].(string)
		return scheme + `, error="insufficient_scope", scope="` + scope + `"`
	}
	return ""
}

// FromHeader returns the token in the value of an Authorization header (RFC 6750 §2.1), as a part of header. Without
// a bearer token the error is token-missing.
func FromHeader(header []byte) ([]byte, error) {
	const scheme = "Bearer "
	if len(header) < len(scheme) || !strings.EqualFold(string(header[:len(scheme)]), scheme) {
		return nil, ProblemTokenMissing.Error(gateway.Text{
			Zh: "请使用请求头 Authorization: Bearer。", En: "Send it in the header Authorization: Bearer."})
	}
	return header[len(scheme):], nil
}
