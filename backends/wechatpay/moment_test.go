package wechatpay

import (
	"context"
	"crypto/rsa"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// keyList is a provider's list of keys that answers what held when it was asked, a second later.
type keyList struct{ now map[string]*platformKey }

func (l *keyList) hold(serials ...string) {
	l.now = map[string]*platformKey{}
	for _, s := range serials {
		l.now[s] = &platformKey{key: &rsa.PublicKey{}, fetched: true}
	}
}

func (l *keyList) ask(context.Context) (map[string]*platformKey, error) {
	held := l.now
	time.Sleep(time.Second)
	return held, nil
}

func (l *keyList) platform(t *testing.T) *platform {
	p := newPlatform(Config{KeyTimeout: time.Minute, RenewEvery: 24 * time.Hour, Clock: time.Now}, nil, l.ask)
	t.Cleanup(p.close)
	return p
}

// TestAListFromBeforeTheKey: the key that signed an answer came while the list was on its way, which does not have it.
func TestAListFromBeforeTheKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &keyList{}
		l.hold("A")
		p := l.platform(t)
		go func() { _, _ = p.find(t.Context(), "A", true) }()
		synctest.Wait() // the list is asked for
		l.hold("A", "B")
		if _, err := p.find(t.Context(), "B", false); !errors.Is(err, errSerial) {
			t.Errorf("for what anybody can send, no list more is asked for: %v", err)
		}
		p.mu.Lock()
		p.fetch(0)
		p.mu.Unlock()
		synctest.Wait()
		l.hold("A", "B", "C")
		if _, err := p.find(t.Context(), "C", true); err != nil {
			t.Errorf("an answer that is signed by the new key: %v", err)
		}
		if _, err := p.find(t.Context(), "D", true); !errors.Is(err, errSerial) {
			t.Errorf("a key that no list has: %v", err)
		}
	})
}

// TestAKeyLingers: what it signed just before the provider took it back is believed, and soon nothing more.
func TestAKeyLingers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &keyList{}
		l.hold("A")
		p := l.platform(t)
		for _, serial := range []string{"A", "B"} {
			if _, err := p.find(t.Context(), serial, true); err != nil {
				t.Fatal(err)
			}
			l.hold("B")
		}
		time.Sleep(lingers)
		if _, err := p.find(t.Context(), "A", false); err != nil {
			t.Errorf("its last answers: %v", err)
		}
		time.Sleep(time.Nanosecond)
		if _, err := p.find(t.Context(), "A", true); !errors.Is(err, errSerial) {
			t.Errorf("afterwards: %v", err)
		}
		if p.mu.Lock(); len(p.keys) != 1 {
			t.Errorf("%d keys are kept", len(p.keys))
		}
		p.mu.Unlock()
	})
}
