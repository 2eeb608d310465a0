package auth

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/limit"
)

const firstSeenKeys = 16_384 // addresses whose first-seen tokens are counted

// Verifier turns access tokens into principals. Safe for concurrent use.
type Verifier struct {
	config    Config
	issuers   map[string]*issuer
	revoked   atomic.Pointer[revocations]
	memory    *memory
	keyer     limit.Keyer
	firstSeen *limit.Table

	reload sync.Mutex
	stop   context.CancelFunc
	done   sync.WaitGroup
}

// New returns a verifier for a valid configuration, with the keys and revocations of its files. Keys behind an address
// are fetched in the background from now on: until they arrive, tokens of that issuer get token-keys-unavailable.
// Start is the present by the clock whose times Verify will be given. Close it after use.
func New(c Config, logger *slog.Logger, start time.Time) (*Verifier, error) {
	c = c.withDefaults()
	v := &Verifier{config: c, issuers: make(map[string]*issuer), memory: newMemory(c.Remembered),
		keyer: limit.NewKeyer(), firstSeen: limit.NewTable(c.FirstSeenPerAddress, firstSeenKeys, start)}
	for _, is := range c.Issuers {
		v.issuers[is.Issuer] = newIssuer(is, logger)
	}
	if err := v.Reload(); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	v.stop = stop
	for _, is := range v.issuers {
		if is.config.JWKSURL != "" {
			v.done.Go(func() { is.run(ctx) })
		}
	}
	return v, nil
}

// Close ends the background refreshes and returns when they have ended. Verify still works with the keys it has.
func (v *Verifier) Close() {
	v.stop()
	v.done.Wait()
}

// Reload reads the key files and the revocations again, and asks for a refresh of keys behind addresses. Where one
// file is wrong nothing changes.
func (v *Verifier) Reload() error {
	v.reload.Lock()
	defer v.reload.Unlock()
	revoked, err := loadRevocations(v.config.RevocationsFile)
	errs := []error{err}
	read := make(map[*issuer]map[string]*key)
	for _, is := range v.issuers {
		if is.config.KeysFile != "" {
			keys, err := is.readFile()
			read[is], errs = keys, append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	v.revoked.Store(revoked)
	for _, is := range v.issuers {
		if keys, ok := read[is]; ok {
			is.replace(keys)
		} else {
			is.want()
		}
	}
	return nil
}

// Verify returns who holds token (as FromHeader returns it), which came from addr. The principal is shared and must not
// be changed; nothing of token is kept that the caller owns. Errors are *gateway.Error: token-invalid, token-expired
// and token-revoked with a Class as their cause, token-keys-unavailable, and rate-limited when addr shows too many
// tokens that were not seen before. A token that is remembered costs no allocation.
func (v *Verifier) Verify(token []byte, addr netip.Addr, now time.Time) (*gateway.Principal, error) {
	if len(token) > v.config.MaxTokenBytes {
		return nil, refused(ClassOversize)
	}
	if known := v.memory.get(token); known != nil {
		c := v.still(known, now)
		if c == "" {
			return known.principal, nil
		}
		v.memory.drop(known)
		if c != ClassKey { // its key may have come back in the meantime: that is for a new verification to say
			return nil, refused(c)
		}
	}
	return v.first(token, addr, now)
}

// still checks what can have changed since a token was verified; "" where it is still good.
func (v *Verifier) still(known *verified, now time.Time) Class {
	if !now.Before(known.expires) {
		return ClassExpired
	}
	if known.key.gone.Load() {
		return ClassKey
	}
	if revoked := v.revoked.Load(); known.checked.Load() != revoked {
		if revoked.hold(known.principal.Issuer, known.id, known.key.id, known.principal.Subject) {
			return ClassRevoked
		}
		known.checked.Store(revoked)
	}
	return ""
}

// first verifies a token at full cost and remembers it. Whatever is cheap is checked before the address pays for the
// signature, so that a device with an expired token doesn't spend what its neighbours need; until the signature is
// right the only answers are refusals.
func (v *Verifier) first(token []byte, addr netip.Addr, now time.Time) (*gateway.Principal, error) {
	t, class := parse(token)
	if class != "" {
		return nil, refused(class)
	}
	is := v.issuers[t.claims.Issuer]
	if is == nil {
		return nil, refused(ClassIssuer)
	}
	k, loaded := is.find(t.header.KeyID)
	if !loaded {
		return nil, keysUnavailable()
	}
	if k == nil {
		return nil, refused(ClassKey)
	}
	known, class := v.accept(&t.claims, is, now)
	if class != "" {
		return nil, refused(class)
	}
	if r := v.firstSeen.Take(v.keyer.Address(addr), now); !r.Allowed {
		return nil, limit.RateLimited(r.Retry)
	}
	if class := k.verify(t.header.Algorithm, t.signed, t.signature); class != "" {
		return nil, refused(class)
	}
	known.key, known.token = k, bytes.Clone(token)
	if class := v.still(known, now); class != "" {
		return nil, refused(class)
	}
	v.memory.put(known)
	return known.principal, nil
}

// accept checks the claims and returns what will be remembered if the signature is right too.
func (v *Verifier) accept(c *claims, is *issuer, now time.Time) (*verified, Class) {
	if !c.isFor(v.config.Audience) {
		return nil, ClassAudience
	}
	exp, ok := moment(c.Expires)
	if !ok || c.Subject == "" || c.ID == "" {
		return nil, ClassClaims
	}
	expires := exp.Add(v.config.Leeway)
	if !now.Before(expires) {
		return nil, ClassExpired
	}
	for _, m := range [...]jsontext.Value{c.NotBefore, c.IssuedAt} {
		if m == nil {
			continue
		}
		begins, ok := moment(m)
		if !ok {
			return nil, ClassClaims
		}
		if begins.After(now.Add(v.config.Leeway)) {
			return nil, ClassNotYetValid
		}
	}
	tenant := is.config.Tenant
	if tenant == "" {
		tenant = c.Tenant
	}
	if tenant == "" || c.Tenant != "" && c.Tenant != tenant {
		return nil, ClassTenant
	}
	scopes, okScopes := c.scopes()
	venues, okVenues := c.venues()
	if !okScopes || !okVenues {
		return nil, ClassClaims
	}
	p := &gateway.Principal{Issuer: c.Issuer, Subject: c.Subject, Tenant: tenant, Scopes: scopes, Venues: venues}
	return &verified{principal: p, id: c.ID, expires: expires}, ""
}
