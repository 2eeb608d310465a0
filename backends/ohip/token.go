package ohip

import (
	"context"
	"encoding/base64"
	"net/url"
	"strings"
	"time"

	"github.com/warmgate/warmgate/backends/wire"
)

// What a token may be.
const (
	unsaidLife   = 5 * time.Minute // where the answer does not say how long it lasts
	longestLife  = 24 * time.Hour
	maxToken     = 16 << 10
	maxTokenBody = 64 << 10
)

// token is the client's access token, and how it is asked for.
type token struct {
	*wire.Token
	office *wire.Client
	form   wire.Request
}

func newToken(cfg Config) (*token, error) {
	w, err := wire.New(wire.Config{Connector: connector, BaseURL: cfg.GatewayURL, MaxConns: 2, MaxBody: maxTokenBody,
		Idle: cfg.Idle, RootCAs: cfg.RootCAs, Sockets: cfg.Sockets})
	if err != nil {
		return nil, err
	}
	if cfg.TokenTimeout == 0 {
		cfg.TokenTimeout = defaultTokenTimeout
	}
	t := &token{office: w, form: tokenRequest(cfg)}
	t.Token = wire.NewToken(cfg.TokenTimeout, t.request)
	return t, nil
}

func tokenRequest(cfg Config) wire.Request {
	scope := cfg.Scope
	if scope == "" {
		scope = DefaultScope
	}
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {scope}}
	if cfg.Username != "" {
		form = url.Values{"grant_type": {"password"}, "username": {cfg.Username}, "password": {cfg.Password}}
	}
	header := []wire.Header{{Name: "x-app-key", Value: cfg.AppKey}, {Name: "Authorization", Value: "Basic " +
		base64.StdEncoding.EncodeToString([]byte(cfg.ClientID+":"+cfg.ClientSecret))}}
	if cfg.EnterpriseID != "" {
		header = append(header, wire.Header{Name: "enterpriseId", Value: cfg.EnterpriseID})
	}
	return wire.Request{Op: "Token", Method: "POST", Path: "/oauth/v1/tokens", Header: header, Form: form}
}

// request makes one token request.
func (t *token) request(ctx context.Context) (string, time.Duration, error) {
	r := t.form
	a, err := t.office.Do(ctx, &r)
	if err != nil {
		return "", 0, err
	}
	defer a.Release()
	if e := a.Unclear(); e != nil {
		return "", 0, e
	}
	if a.Status() != 200 {
		e := a.Refused("", "")
		e.Cause = RefusedCredentials
		return "", 0, e
	}
	var out tokenAnswer
	if !a.Decode(&out) || !out.whole() {
		return "", 0, a.Unknown(wire.ReasonGarbage)
	}
	return out.Token, out.life(), nil
}

func (t *token) close() {
	t.Close()
	t.office.Close()
}

// tokenAnswer is what the token endpoint answers.
type tokenAnswer struct {
	Token   string `json:"access_token"`
	Expires *int64 `json:"expires_in"` // seconds; nil where it is not said
	Type    string `json:"token_type"`
}

func (a *tokenAnswer) whole() bool {
	return wire.IsVisible(a.Token, maxToken) && (a.Type == "" || strings.EqualFold(a.Type, "Bearer")) &&
		(a.Expires == nil || *a.Expires > 0)
}

func (a *tokenAnswer) life() time.Duration {
	if a.Expires == nil {
		return unsaidLife
	}
	return time.Duration(min(*a.Expires, int64(longestLife/time.Second))) * time.Second
}

// isBasicUser reports whether s can be the user of Basic authentication (RFC 7617).
func isBasicUser(s string) bool { return !strings.Contains(s, ":") }
