package wechatpay_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/backends/twin/twintest"
	"github.com/warmgate/warmgate/backends/wechatpay"
	"github.com/warmgate/warmgate/backends/wire"
)

// TestKeysChangeInTheMiddleOfLoad: not one call and not one notification is lost over it.
func TestKeysChangeInTheMiddleOfLoad(t *testing.T) {
	w := newWorld(t, nil)
	w.do(t, wechatpay.Want{What: wechatpay.MakeBehave, Behaviour: wechatpay.Behaviour{RetryMS: 100}})
	const workers, each = 6, 25
	var wg sync.WaitGroup
	var done, failed atomic.Int32
	for i := range workers {
		wg.Go(func() {
			for j := range each {
				number := strings.Join([]string{"pay", string(rune('a' + i)), string(rune('a' + j))}, "-")
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				p, err := w.client.CreateParking(ctx, entry("in-"+number, "测B"+strings.ToUpper(number[4:5]+number[6:])))
				if err == nil {
					_, err = w.client.CreateTransaction(ctx, charge(number, "测B"+strings.ToUpper(number[4:5]+number[6:]), p.ID, 100))
				}
				cancel()
				if err != nil {
					failed.Add(1)
					t.Error(err)
				}
				done.Add(1)
			}
		})
	}
	for n := range 3 {
		before := done.Load() // each key is met before the next one comes
		until(t, func() bool { return done.Load() >= before+workers*each/5 || failed.Load() > 0 })
		if err := w.twin.Rotate(n == 2); err != nil { // the last time the former keys are taken back
			t.Fatal(err)
		}
	}
	wg.Wait()
	told := map[string]bool{}
	for begin := time.Now(); len(told) < workers*each; {
		select {
		case d := <-w.inbox.got:
			if d.err == nil {
				told[d.read.Transaction.OutTradeNo] = true
			}
		case <-time.After(10*time.Second - time.Since(begin)):
			t.Fatalf("%d were told of %d", len(told), workers*each)
		}
	}
	if b := w.twin.ReadBooks(); len(b.Keys) != 4 || len(b.Charges) != workers*each {
		t.Errorf("%d keys, %d charges", len(b.Keys), len(b.Charges))
	}
}

// keyServer is a provider whose list of keys is counted, and waits.
type keyServer struct {
	*fake
	asked atomic.Int32
	wait  chan struct{} // nil: answered at once
	list  func() []*signer
	by    atomic.Pointer[signer] // signs everything
}

func newKeyServer(t *testing.T, by *signer) *keyServer {
	k := &keyServer{list: func() []*signer { return []*signer{by} }}
	k.by.Store(by)
	k.fake = newFake(t, func(w http.ResponseWriter, r *http.Request, _ []byte) {
		body := aTransaction
		if r.URL.Path == "/v3/certificates" {
			k.asked.Add(1)
			if k.wait != nil {
				select {
				case <-k.wait:
				case <-r.Context().Done():
					return
				}
			}
			body = certificates(credentials().APIv3Key, k.list()...)
		}
		send(w, 200, k.by.Load().headers(time.Now(), body), body)
	})
	return k
}

// TestOneFetchForAll: many calls meet a key that is unknown at the same time.
func TestOneFetchForAll(t *testing.T) {
	k := newKeyServer(t, goodSigner())
	k.wait = make(chan struct{})
	cfg := fakeConfig(k.url, goodSigner())
	cfg.PlatformKeys = "" // the first list proves itself by the APIv3 key
	c := newClient(t, cfg)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if got, err := c.QueryTransaction(twintest.Within(t, 10*time.Second), "pay-1"); err != nil || got == nil {
				t.Error(err)
			}
		})
	}
	until(t, func() bool { return k.asked.Load() > 0 })
	close(k.wait)
	wg.Wait()
	if n := k.asked.Load(); n != 1 {
		t.Errorf("the list was asked for %d times", n)
	}
}

// TestAHangingListHoldsNobody: whoever meets an unknown key leaves at its own deadline, with an unknown outcome.
func TestAHangingListHoldsNobody(t *testing.T) {
	k := newKeyServer(t, goodSigner())
	k.wait = make(chan struct{})
	cfg := fakeConfig(k.url, goodSigner())
	cfg.PlatformKeys, cfg.KeyTimeout = "", 1500*time.Millisecond
	c := newClient(t, cfg)
	begin := time.Now()
	_, err := c.QueryTransaction(twintest.Within(t, 150*time.Millisecond), "pay-1")
	if e := twintest.ErrorOf(t, err); e.Fate != wire.Unknown || e.Reason != wechatpay.ReasonSignature || time.Since(begin) > 900*time.Millisecond {
		t.Errorf("after %s: %+v", time.Since(begin), e)
	}
	header := goodSigner().headers(time.Now(), "{}")
	if _, err := c.Notification(twintest.Within(t, 100*time.Millisecond), header.Get, []byte("{}")); !errors.Is(err, wechatpay.ErrUnverified) {
		t.Errorf("a notification that cannot be verified now: %v", err)
	}
	if n := k.asked.Load(); n != 1 {
		t.Errorf("the list was asked for %d times", n)
	}
}

// TestForgedSerialsAskSeldom: whoever sends serials that do not exist makes the client ask no more than once a second.
func TestForgedSerialsAskSeldom(t *testing.T) {
	k := newKeyServer(t, goodSigner())
	c := newClient(t, fakeConfig(k.url, goodSigner()))
	stranger := newSigner(t, 0xBAD, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	begin := time.Now()
	for range 50 {
		header := stranger.headers(time.Now(), "{}")
		if _, err := c.Notification(twintest.Within(t, 5*time.Second), header.Get, []byte("{}")); !errors.Is(err, wechatpay.ErrForged) {
			t.Fatal(err)
		}
	}
	if n := k.asked.Load(); n > 1+int32(time.Since(begin)/time.Second) {
		t.Errorf("the list was asked for %d times", n)
	}
	if _, err := c.QueryTransaction(twintest.Within(t, 5*time.Second), "pay-1"); err != nil {
		t.Errorf("what is known is known still: %v", err)
	}
}

// TestTheListIsBelievedOnlyFromTheProvider: it is what everything else is believed by.
func TestTheListIsBelievedOnlyFromTheProvider(t *testing.T) {
	now := time.Now()
	next := newSigner(t, 0xD00D, now.Add(-time.Hour), now.Add(time.Hour))
	for _, test := range []struct {
		name string
		list string
		by   *signer
		good bool
	}{
		{"signed by the key that is known", certificates(credentials().APIv3Key, goodSigner(), next), goodSigner(), true},
		{"signed by the key that it brings", certificates(credentials().APIv3Key, next), next, true},
		{"encrypted with another key", certificates(strings.Repeat("x", 32), next), next, false},
		{"signed by nobody that it has", certificates(credentials().APIv3Key, next), newSigner(t, 7, now.Add(-time.Hour), now.Add(time.Hour)), false},
		{"signed by another key of a serial that it has", certificates(credentials().APIv3Key, next), &signer{serial: next.serial, key: goodSigner().key}, false},
		{"another serial than the certificate's", strings.Replace(certificates(credentials().APIv3Key, next), next.serial, "BEEF", 1), next, false},
		{"empty", `{"data":[]}`, next, false},
		{"no list", `{"data":{}}`, next, false},
		{"no JSON", `<html>`, next, false},
	} {
		f := newFake(t, func(w http.ResponseWriter, r *http.Request, _ []byte) {
			if r.URL.Path == "/v3/certificates" {
				send(w, 200, test.by.headers(time.Now(), test.list), test.list)
				return
			}
			send(w, 200, next.headers(time.Now(), aTransaction), aTransaction)
		})
		_, err := newClient(t, fakeConfig(f.url, goodSigner())).QueryTransaction(twintest.Within(t, 5*time.Second), "pay-1")
		if (err == nil) != test.good {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// TestKeysAreRenewedBehind: nobody waits for a key that changes in time.
func TestKeysAreRenewedBehind(t *testing.T) {
	k := newKeyServer(t, goodSigner())
	cfg := fakeConfig(k.url, goodSigner())
	cfg.RenewEvery = time.Second
	c := newClient(t, cfg)
	until(t, func() bool { return k.asked.Load() >= 2 })
	if _, err := c.QueryTransaction(twintest.Within(t, 5*time.Second), "pay-1"); err != nil {
		t.Error(err)
	}
}

// TestTheListHasFaults: whatever it answers, what is known goes on, and what is unknown is unknown.
func TestTheListHasFaults(t *testing.T) {
	for _, fault := range twin.Faults() {
		w := newWorld(t, func(c *wechatpay.Config) { c.KeyTimeout = 100 * time.Millisecond })
		w.Dial(t, twin.Dial{Fault: fault, Path: "/v3/certificates"})
		begin := time.Now()
		_, err := w.client.QueryTransaction(twintest.Within(t, 10*time.Second), "pay-1")
		if e := twintest.ErrorOf(t, err); e.Reason != wechatpay.ReasonSignature || time.Since(begin) > 2*time.Second {
			t.Errorf("%s after %s: %+v", fault, time.Since(begin), e)
		}
	}
}
