package wechatpay

import (
	"context"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/warmgate/warmgate/backends/wire"
)

// How the provider's keys are kept.
const (
	refetchAfter    = time.Second // an unknown serial asks for the list again, but not more often than this
	maxCertificates = 32
	lingers         = 10 * time.Second // an answer that was signed before its key left the list may still be on its way
)

var (
	errSerial  = errors.New("the provider's key is unknown")
	errExpired = errors.New("the provider's key does not hold at this time")
)

// platform are the provider's keys. They are fetched when an answer or a notification names a key that is unknown, and
// again in the background. There is one fetch at a time, under its own time limit, and one a second at the most; whoever
// waits for it leaves at its own deadline. Safe for concurrent use.
type platform struct {
	ask     func(context.Context) (map[string]*platformKey, error)
	timeout time.Duration
	every   time.Duration
	now     func() time.Time

	ctx    context.Context // ends with close
	cancel context.CancelFunc
	tasks  sync.WaitGroup

	mu       sync.Mutex
	keys     map[string]*platformKey // by canonical serial or key id
	fetching *keyFetch
	began    time.Time // the last fetch
	failed   error     // of the last fetch that has ended
	renewal  *time.Timer
	closed   bool
}

// keyFetch is one fetch under way.
type keyFetch struct {
	done  chan struct{}
	asked bool  // the provider has been asked: what it does from now on may not be in its answer
	err   error // after done
}

func newPlatform(cfg Config, known map[string]*platformKey, ask func(context.Context) (map[string]*platformKey, error)) *platform {
	p := &platform{ask: ask, timeout: cfg.KeyTimeout, every: cfg.RenewEvery, now: cfg.Clock, keys: known}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	for _, k := range known {
		if k.fetched {
			p.renewal = time.AfterFunc(p.every, p.renew)
			break
		}
	}
	return p
}

// find returns the key of a serial, or waits until ctx ends for the list that may have it. Who is patient waits even when
// the list was fetched a moment ago: not for what anybody can send.
func (p *platform) find(ctx context.Context, serial string, patient bool) (*rsa.PublicKey, error) {
	if !isHex(serial) && !isKeyID(serial) {
		return nil, errSerial
	}
	serial = canonical(serial)
	for {
		p.mu.Lock()
		key, err := p.known(serial)
		if err == nil {
			p.mu.Unlock()
			return key, nil
		}
		f, failed := p.join(patient), p.failed
		early := f != nil && f.asked
		p.mu.Unlock()
		switch {
		case f == nil && failed != nil:
			return nil, fmt.Errorf("%w: %w", err, failed)
		case f == nil:
			return nil, err
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", errSerial, ctx.Err())
		}
		p.mu.Lock()
		key, err = p.known(serial)
		p.mu.Unlock()
		switch {
		case err != nil && f.err != nil:
			return nil, fmt.Errorf("%w: %w", err, f.err)
		case err == nil || !patient || !early: // a list that was asked for before the key was met need not have it
			return key, err
		}
	}
}

// known returns the key of a canonical serial. The caller holds mu.
func (p *platform) known(serial string) (*rsa.PublicKey, error) {
	k, now := p.keys[serial], p.now()
	switch {
	case k == nil, !k.left.IsZero() && now.Sub(k.left) > lingers:
		return nil, errSerial
	case !k.until.IsZero() && (now.Before(k.from) || now.After(k.until)):
		return nil, errExpired
	}
	return k.key, nil
}

// join joins the fetch that is under way, or begins one. nil: there was one a moment ago, and the caller is not patient. The
// caller holds mu.
func (p *platform) join(patient bool) *keyFetch {
	if p.fetching != nil || p.closed {
		return p.fetching
	}
	pause := refetchAfter - time.Since(p.began)
	if pause <= 0 || patient {
		p.fetch(max(pause, 0))
	}
	return p.fetching
}

// fetch begins a fetch after a pause. The caller holds mu.
func (p *platform) fetch(pause time.Duration) {
	f := &keyFetch{done: make(chan struct{})}
	p.fetching = f
	p.tasks.Go(func() {
		timer := time.NewTimer(pause)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-p.ctx.Done():
		}
		p.mu.Lock()
		p.began, f.asked = time.Now(), true
		p.mu.Unlock()
		ctx, cancel := context.WithTimeout(p.ctx, p.timeout)
		defer cancel()
		list, err := p.ask(ctx)
		p.settle(f, list, err)
	})
}

// settle takes over what a fetch brought. The list replaces what was fetched before, which lingers; a key that the
// configuration has under its own identifier stays.
func (p *platform) settle(f *keyFetch, list map[string]*platformKey, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		now := p.now()
		for serial, k := range p.keys {
			switch {
			case !k.fetched:
				list[serial] = k
			case list[serial] != nil, !k.left.IsZero() && now.Sub(k.left) > lingers:
			case k.left.IsZero():
				gone := *k
				gone.left = now
				list[serial] = &gone
			default:
				list[serial] = k
			}
		}
		p.keys = list
	}
	f.err, p.failed, p.fetching = err, err, nil
	if p.renewal != nil {
		p.renewal.Stop()
	}
	if !p.closed && (err == nil || p.renewal != nil) {
		next := p.every
		if err != nil {
			next = min(p.every, p.timeout+refetchAfter)
		}
		p.renewal = time.AfterFunc(next, p.renew)
	}
	close(f.done)
}

// renew is what the timer calls.
func (p *platform) renew() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed && p.fetching == nil {
		p.fetch(0)
	}
}

// close ends a fetch that is under way, and every one after it.
func (p *platform) close() {
	p.mu.Lock()
	p.closed = true
	if p.renewal != nil {
		p.renewal.Stop()
	}
	p.mu.Unlock()
	p.cancel()
	p.tasks.Wait()
}

// wireCertificates is the answer of /v3/certificates.
type wireCertificates struct {
	Data []struct {
		SerialNo  string   `json:"serial_no"`
		Encrypted resource `json:"encrypt_certificate"`
	} `json:"data"`
}

// certificates fetches the provider's list. It proves itself: only the provider can encrypt with the APIv3 key, and the
// answer has to be signed with a key of the list or with one that is known.
func (c *Client) certificates(ctx context.Context) (map[string]*platformKey, error) {
	const op, path = "Certificates", "/v3/certificates"
	a, err := c.sendBy(ctx, &exchange{op: op, method: "GET", path: path}, c.office.Do)
	if err != nil {
		return nil, err
	}
	defer a.Release()
	if e := a.Unclear(); e != nil {
		return nil, e
	}
	var out wireCertificates
	if a.Status() != 200 || !a.Decode(&out) || len(out.Data) == 0 || len(out.Data) > maxCertificates {
		return nil, a.Unknown(wire.ReasonGarbage)
	}
	list := map[string]*platformKey{}
	for i := range out.Data {
		plain, err := out.Data[i].Encrypted.open(c.cfg.APIv3Key)
		if err != nil {
			return nil, unproven(a, err)
		}
		block, _ := pem.Decode(plain)
		if block == nil || block.Type != "CERTIFICATE" {
			return nil, a.Unknown(wire.ReasonGarbage)
		}
		serial, key, err := parseCertificate(block.Bytes)
		if err != nil || serial != canonical(out.Data[i].SerialNo) {
			return nil, a.Unknown(wire.ReasonGarbage)
		}
		key.fetched = true
		list[serial] = key
	}
	if err := c.provesItself(a, list); err != nil {
		return nil, unproven(a, err)
	}
	return list, nil
}

// provesItself reports why a list of certificates is not signed with one of its own keys, or with one known before.
func (c *Client) provesItself(a wire.Answer, list map[string]*platformKey) error {
	c.platform.mu.Lock()
	keys := maps.Clone(c.platform.keys)
	c.platform.mu.Unlock()
	maps.Copy(keys, list)
	own := platform{keys: keys, now: c.cfg.Clock}
	key, err := own.known(canonical(a.Header(headerSerial)))
	if err != nil {
		return err
	}
	return c.proves(key, a.Header, a.Body(), c.seen)
}
