package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxKeysBytes  = 256 << 10       // of a JWK set
	fetchTimeout  = 5 * time.Second // for the whole of one fetch
	fetchInterval = 5 * time.Second // at least, between two fetches, however many unknown kids are seen
)

// issuer holds the keys of one entry of the configuration.
type issuer struct {
	config IssuerConfig
	logger *slog.Logger
	client *http.Client
	wanted chan struct{} // somebody saw a kid that isn't there

	mu   sync.Mutex // one change at a time
	keys atomic.Pointer[map[string]*key]
}

func newIssuer(c IssuerConfig, logger *slog.Logger) *issuer {
	return &issuer{config: c, logger: logger.With("issuer", c.Issuer), wanted: make(chan struct{}, 1),
		client: &http.Client{
			Timeout:   fetchTimeout,
			Transport: &http.Transport{DisableKeepAlives: true, MaxResponseHeaderBytes: 16 << 10, ForceAttemptHTTP2: true},
			CheckRedirect: func(*http.Request, []*http.Request) error {
				return errors.New("redirects are not followed")
			},
		}}
}

// find returns the key with an id. An unknown one asks for a refresh behind the answer and never waits for it.
// Loaded is false where no key has been had yet.
func (i *issuer) find(id string) (k *key, loaded bool) {
	keys := i.keys.Load()
	if keys != nil {
		k = (*keys)[id]
	}
	if k == nil {
		i.want()
	}
	return k, keys != nil
}

// want asks for a refresh soon; it never blocks.
func (i *issuer) want() {
	select {
	case i.wanted <- struct{}{}:
	default:
	}
}

// replace makes keys the issuer's keys. One that was there before stays as it is, so that what was verified with it is
// still remembered; one that is no longer there is gone.
func (i *issuer) replace(keys map[string]*key) {
	i.mu.Lock()
	defer i.mu.Unlock()
	var old map[string]*key
	if p := i.keys.Load(); p != nil {
		old = *p
	}
	changed := len(old) != len(keys)
	for id, k := range keys {
		if o := old[id]; o != nil && o.same(k) {
			keys[id] = o
		} else {
			changed = true
		}
	}
	i.keys.Store(&keys)
	for id, o := range old {
		if keys[id] != o {
			o.gone.Store(true)
		}
	}
	if changed {
		i.logger.Info("token keys changed", "kids", slices.Sorted(maps.Keys(keys)))
	}
}

// readFile returns the keys of the issuer's file. There a defective key is an error: the operator can mend it.
func (i *issuer) readFile() (map[string]*key, error) {
	f, err := os.Open(i.config.KeysFile)
	if err != nil {
		return nil, fmt.Errorf("cannot open the keys of issuer %q: %w", i.config.Issuer, err)
	}
	defer f.Close()
	keys, defects, err := i.read(f)
	if err = errors.Join(append([]error{err}, defects...)...); err != nil {
		return nil, fmt.Errorf("cannot use the keys of issuer %q in %s: %w", i.config.Issuer, i.config.KeysFile, err)
	}
	return keys, nil
}

// fetch makes the keys at the issuer's address its keys; on an error the old ones stay. A defective key there is left
// out and logged: one bad key among good ones must not stop a city.
func (i *issuer) fetch(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, i.config.JWKSURL, nil)
	if err != nil {
		return fmt.Errorf("cannot ask for keys: %w", err)
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	resp, err := i.client.Do(req)
	if err != nil {
		return fmt.Errorf("cannot fetch keys: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("cannot fetch keys: status %d", resp.StatusCode)
	}
	keys, defects, err := i.read(resp.Body)
	if err != nil {
		return err
	}
	for _, d := range defects {
		i.logger.Warn("a token key is left out", "error", d)
	}
	i.replace(keys)
	return nil
}

func (i *issuer) read(r io.Reader) (map[string]*key, []error, error) {
	document, err := io.ReadAll(io.LimitReader(r, maxKeysBytes+1))
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read the JWK set: %w", err)
	}
	if len(document) > maxKeysBytes {
		return nil, nil, fmt.Errorf("a JWK set has at most %d bytes", maxKeysBytes)
	}
	return parseKeys(document, i.config.Algorithms)
}

// run fetches the keys at once, then after every Refresh or soon after they were wanted, until ctx ends. After a
// failure it tries again after fetchInterval.
func (i *issuer) run(ctx context.Context) {
	for {
		select { // whatever was wanted before this fetch is answered by it
		case <-i.wanted:
		default:
		}
		pause := i.config.Refresh
		if err := i.fetch(ctx); err != nil && ctx.Err() == nil {
			i.logger.Warn("token keys not refreshed, the old ones stay", "error", err)
			pause = min(pause, fetchInterval)
		}
		if !sleep(ctx, fetchInterval, nil) || !sleep(ctx, pause-fetchInterval, i.wanted) {
			return
		}
	}
}

// sleep waits for d, or less if early has something; false when ctx has ended.
func sleep(ctx context.Context, d time.Duration, early <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
	case <-early:
	}
	return ctx.Err() == nil
}
