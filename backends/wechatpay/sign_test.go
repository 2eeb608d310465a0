package wechatpay_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/twin/twintest"
	"github.com/warmgate/warmgate/backends/wechatpay"
	"github.com/warmgate/warmgate/backends/wire"
)

// TestRequestsAreSigned holds the Authorization header against its documented construction, written here once more.
func TestRequestsAreSigned(t *testing.T) {
	block, _ := pem.Decode([]byte(credentials().PrivateKey))
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	public := &parsed.(*rsa.PrivateKey).PublicKey
	shape := regexp.MustCompile(`^WECHATPAY2-SHA256-RSA2048 mchid="1900000001",nonce_str="([0-9A-Za-z]{16,32})",signature="([0-9A-Za-z+/=]+)",timestamp="(\d{10})",serial_no="` + wechatpay.TwinSerialNo + `"$`)
	nonces := map[string]bool{}
	seen := 0
	f := newFake(t, func(w http.ResponseWriter, r *http.Request, body []byte) {
		m := shape.FindStringSubmatch(r.Header.Get("Authorization"))
		if m == nil {
			t.Errorf("Authorization: %s", r.Header.Get("Authorization"))
			return
		}
		sum := sha256.Sum256([]byte(r.Method + "\n" + strings.TrimPrefix(r.RequestURI, "/prefix") + "\n" + m[3] + "\n" + m[1] + "\n" + string(body) + "\n"))
		raw, _ := base64.StdEncoding.DecodeString(m[2])
		if rsa.VerifyPKCS1v15(public, crypto.SHA256, sum[:], raw) != nil {
			t.Errorf("%s %s: the signature is not of the request", r.Method, r.RequestURI)
		}
		if nonces[m[1]] {
			t.Error("a nonce was used twice")
		}
		nonces[m[1]] = true
		seen++
		if r.Header.Get("User-Agent") == "" || r.Header.Get("Accept") != "application/json" ||
			r.Method == "POST" && r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("headers = %v", r.Header)
		}
		w.WriteHeader(500)
	})
	cfg := fakeConfig(f.url+"/prefix/", goodSigner())
	cfg.SubMchID, cfg.SubAppID = "1900000109", "wxsub"
	c := newClient(t, cfg)
	for _, call := range operations(c, stays{number: "n", plate: plateA, next: "m", other: plateB, parking: "5K1"}) {
		if err := call(twintest.Within(t, 10*time.Second)); err == nil {
			t.Error("a 500 was taken")
		}
	}
	if seen != 7 {
		t.Errorf("%d requests", seen)
	}
}

// TestAnswersAreBelievedOnlyWithTheProvidersSignature is every way in which an answer may be somebody else's.
func TestAnswersAreBelievedOnlyWithTheProvidersSignature(t *testing.T) {
	now := time.Now()
	good := goodSigner()
	other := newSigner(t, 0xA1B2C3, now.Add(-time.Hour), now.Add(time.Hour)) // the same serial, another key
	stranger := newSigner(t, 0xBEEF, now.Add(-time.Hour), now.Add(time.Hour))
	with := func(s *signer, at time.Time, body string, change func(http.Header)) http.Header {
		h := s.headers(at, body)
		if change != nil {
			change(h)
		}
		return h
	}
	set := func(name, value string) func(http.Header) { return func(h http.Header) { h.Set(name, value) } }
	found := `{"code":"NOT_FOUND","message":"no"}`
	for _, test := range []struct {
		name   string
		status int
		header http.Header
		body   string
		reason wire.Reason // "": success
	}{
		{"as it should be", 200, with(good, now, aTransaction, nil), aTransaction, ""},
		{"the serial in small letters", 200, with(good, now, aTransaction, set("Wechatpay-Serial", "a1b2c3")), aTransaction, ""},
		{"the type said", 200, with(good, now, aTransaction, set("Wechatpay-Signature-Type", "WECHATPAY2-SHA256-RSA2048")), aTransaction, ""},
		{"nearly too old", 200, with(good, now.Add(-4*time.Minute), aTransaction, nil), aTransaction, ""},
		{"too old", 200, with(good, now.Add(-6*time.Minute), aTransaction, nil), aTransaction, wechatpay.ReasonSignature},
		{"of the future", 200, with(good, now.Add(6*time.Minute), aTransaction, nil), aTransaction, wechatpay.ReasonSignature},
		{"no time", 200, with(good, now, aTransaction, set("Wechatpay-Timestamp", "")), aTransaction, wechatpay.ReasonSignature},
		{"another time", 200, with(good, now, aTransaction, set("Wechatpay-Timestamp", "99999999999999999999")), aTransaction, wechatpay.ReasonSignature},
		{"another nonce", 200, with(good, now, aTransaction, set("Wechatpay-Nonce", "x")), aTransaction, wechatpay.ReasonSignature},
		{"no nonce", 200, with(good, now, aTransaction, set("Wechatpay-Nonce", "")), aTransaction, wechatpay.ReasonSignature},
		{"another type", 200, with(good, now, aTransaction, set("Wechatpay-Signature-Type", "WECHATPAY2-SM2-WITH-SM3")), aTransaction, wechatpay.ReasonSignature},
		{"another body", 200, with(good, now, strings.Replace(aTransaction, "SUCCESS", "PAY_FAIL", 1), nil), aTransaction, wechatpay.ReasonSignature},
		{"another key", 200, with(other, now, aTransaction, nil), aTransaction, wechatpay.ReasonSignature},
		{"an unknown serial", 200, with(stranger, now, aTransaction, nil), aTransaction, wechatpay.ReasonSignature},
		{"an odd serial", 200, with(good, now, aTransaction, set("Wechatpay-Serial", "../x")), aTransaction, wechatpay.ReasonSignature},
		{"a signature that is none", 200, with(good, now, aTransaction, set("Wechatpay-Signature", "WECHATPAY/SIGNTEST/abc")), aTransaction, wechatpay.ReasonSignature},
		{"not signed", 200, nil, aTransaction, wechatpay.ReasonSignature},
		{"a refusal that is signed", 404, with(good, now, found, nil), found, "absent"},
		{"a refusal of another body", 404, with(good, now, found+" ", nil), found, wechatpay.ReasonSignature},
		{"a refusal that is not signed", 404, nil, found, wechatpay.ReasonSignature},
		{"a proxy's 404", 404, nil, "<html>", wechatpay.ReasonSignature},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFake(t, func(w http.ResponseWriter, r *http.Request, _ []byte) {
				if r.URL.Path == "/v3/certificates" {
					w.WriteHeader(503)
					return
				}
				send(w, test.status, test.header, test.body)
			})
			c := newClient(t, fakeConfig(f.url, good))
			got, err := c.QueryTransaction(twintest.Within(t, 5*time.Second), "pay-1")
			switch test.reason {
			case "":
				if err != nil || got.ID != "4200000001" || got.BankType != wechatpay.BankAdvance || got.Repaid || got.Discount != 10 {
					t.Fatalf("got %+v, %v", got, err)
				}
				_, err := c.QueryTransaction(twintest.Within(t, 5*time.Second), "pay-1") // the very same answer once more
				if e := twintest.ErrorOf(t, err); e.Reason != wechatpay.ReasonSignature || !strings.Contains(e.Error(), "before") {
					t.Errorf("a replayed answer: %+v", e)
				}
			case "absent":
				if got != nil || err != nil {
					t.Fatalf("got %+v, %v", got, err)
				}
			default:
				if e := twintest.ErrorOf(t, err); e.Fate != wire.Unknown || e.Reason != test.reason || e.Status != test.status {
					t.Fatalf("want %s, got %+v", test.reason, e)
				}
			}
			if err != nil && strings.Contains(err.Error(), "html") {
				t.Errorf("the error shows the answer: %v", err)
			}
		})
	}
	f := newFake(t, func(w http.ResponseWriter, _ *http.Request, _ []byte) { send(w, 404, nil, found) })
	cfg := fakeConfig(f.url, good)
	cfg.UnsignedRefusals = true
	if got, err := newClient(t, cfg).QueryTransaction(twintest.Within(t, 5*time.Second), "pay-1"); got != nil || err != nil {
		t.Errorf("an unsigned refusal, as configured: %+v, %v", got, err)
	}
}

// TestAKeyHoldsInItsTime: a certificate that has ended, or not begun, proves nothing.
func TestAKeyHoldsInItsTime(t *testing.T) {
	now := time.Now()
	for name, s := range map[string]*signer{"ended": newSigner(t, 1, now.Add(-2*time.Hour), now.Add(-time.Hour)),
		"not begun": newSigner(t, 2, now.Add(time.Hour), now.Add(2*time.Hour))} {
		f := newFake(t, func(w http.ResponseWriter, r *http.Request, _ []byte) {
			body := aTransaction
			if r.URL.Path == "/v3/certificates" {
				body = certificates(credentials().APIv3Key, s)
			}
			send(w, 200, s.headers(now, body), body)
		})
		_, err := newClient(t, fakeConfig(f.url, s)).QueryTransaction(twintest.Within(t, 5*time.Second), "pay-1")
		if e := twintest.ErrorOf(t, err); e.Reason != wechatpay.ReasonSignature {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

// TestThePublicKeyOfTheProvider: the other way in which a merchant may know the provider.
func TestThePublicKeyOfTheProvider(t *testing.T) {
	s := *goodSigner()
	s.serial = "PUB_KEY_ID_0119000000012026"
	f := newFake(t, func(w http.ResponseWriter, r *http.Request, _ []byte) {
		if r.Header.Get("Wechatpay-Serial") != s.serial {
			t.Errorf("the request does not ask for the key: %v", r.Header)
		}
		send(w, 200, s.headers(time.Now(), aTransaction), aTransaction)
	})
	cfg := fakeConfig(f.url, &s)
	cfg.PlatformKeys, cfg.PlatformKeyID = s.public, s.serial
	if got, err := newClient(t, cfg).QueryTransaction(twintest.Within(t, 5*time.Second), "pay-1"); err != nil || got.State != wechatpay.Success {
		t.Errorf("%+v, %v", got, err)
	}
	for name, change := range map[string]func(*wechatpay.Config){
		"no key":              func(c *wechatpay.Config) { c.PlatformKeys = "" },
		"no identifier":       func(c *wechatpay.Config) { c.PlatformKeyID = "" },
		"two keys":            func(c *wechatpay.Config) { c.PlatformKeys = s.public + s.public },
		"a private key":       func(c *wechatpay.Config) { c.PlatformKeys = credentials().PrivateKey },
		"half a certificate":  func(c *wechatpay.Config) { c.PlatformKeys = strings.Replace(s.certificate, "MII", "", 1) },
		"something behind it": func(c *wechatpay.Config) { c.PlatformKeys = s.public + "x" },
	} {
		bad := cfg
		change(&bad)
		if _, err := wechatpay.New(bad); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

// TestAnswersAreJudged: what is signed may still be nothing that callers can rely on.
func TestAnswersAreJudged(t *testing.T) {
	without := func(old, now string) string { return strings.Replace(aTransaction, old, now, 1) }
	for _, test := range []struct {
		name   string
		status int
		body   string
		fate   wire.Fate // 0: success
		reason wire.Reason
	}{
		{"accepted", 200, without(`"SUCCESS"`, `"ACCEPTED"`), 0, ""},
		{"a state that is new", 200, without(`"SUCCESS"`, `"REVOKED"`), 0, ""},
		{"another's charge", 200, without(`pay-1`, `pay-2`), wire.Unknown, wire.ReasonGarbage},
		{"another merchant's", 200, without(`1900000001`, `1900000002`), wire.Unknown, wire.ReasonGarbage},
		{"another currency", 200, without(`CNY`, `USD`), wire.Unknown, wire.ReasonGarbage},
		{"paid and without a number", 200, without(`4200000001`, ``), wire.Unknown, wire.ReasonGarbage},
		{"paid and never", 200, without(`2026-05-02T10:00:03+08:00`, ``), wire.Unknown, wire.ReasonGarbage},
		{"no time", 200, without(`2026-05-02T10:00:03+08:00`, `yesterday`), wire.Unknown, wire.ReasonGarbage},
		{"no state", 200, without(`SUCCESS`, ``), wire.Unknown, wire.ReasonGarbage},
		{"a state that is no word", 200, without(`"SUCCESS"`, `"paid 测A12345"`), wire.Unknown, wire.ReasonGarbage},
		{"a fraction", 200, without(`"total":100`, `"total":100.5`), wire.Unknown, wire.ReasonGarbage},
		{"less than nothing", 200, without(`"total":100`, `"total":-100`), wire.Unknown, wire.ReasonGarbage},
		{"too much", 200, without(`"total":100`, `"total":9007199254740993`), wire.Unknown, wire.ReasonGarbage},
		{"more paid than asked for", 200, without(`"payer_total":90`, `"payer_total":101`), wire.Unknown, wire.ReasonGarbage},
		{"a duplicate member", 200, `{"trade_state":"SUCCESS",` + aTransaction[1:], wire.Unknown, wire.ReasonGarbage},
		{"an empty object", 200, `{}`, wire.Unknown, wire.ReasonGarbage},
		{"null", 200, ` null`, wire.Unknown, wire.ReasonGarbage},
		{"nothing", 200, ``, wire.Unknown, wire.ReasonGarbage},
		{"accepted for later", 202, aTransaction, wire.Unknown, wire.ReasonStatus},
		{"a redirect", 302, aTransaction, wire.Unknown, wire.ReasonStatus},
		{"too often, in its own words", 429, `{"code":"FREQUENCY_LIMITED","message":"m"}`, wire.Refused, wire.ReasonRefused},
		{"too often, in other words", 429, `{"code":"WHATEVER","message":"m"}`, wire.Unknown, wire.ReasonRateLimited},
		{"a limit", 403, `{"code":"RULE_LIMIT","message":"m"}`, wire.Refused, wire.ReasonRefused},
		{"a code that is not known", 403, `{"code":"NEVER_HEARD","message":"m"}`, wire.Unknown, wire.ReasonStatus},
		{"a code that is no word", 403, `{"code":"no 测A12345","message":"m"}`, wire.Unknown, wire.ReasonGarbage},
		{"no code", 403, `{"message":"m"}`, wire.Unknown, wire.ReasonGarbage},
		{"its own failure", 500, `{"code":"SYSTEM_ERROR","message":"m"}`, wire.Unknown, wire.ReasonStatus},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFake(t, func(w http.ResponseWriter, _ *http.Request, _ []byte) {
				send(w, test.status, goodSigner().headers(time.Now(), test.body), test.body)
			})
			got, err := newClient(t, fakeConfig(f.url, goodSigner())).QueryTransaction(twintest.Within(t, 5*time.Second), "pay-1")
			if test.fate == 0 {
				if err != nil || got.OutTradeNo != "pay-1" {
					t.Fatalf("got %+v, %v", got, err)
				}
				return
			}
			if e := twintest.ErrorOf(t, err); e.Fate != test.fate || e.Reason != test.reason || strings.Contains(e.Error(), "12345") {
				t.Fatalf("want %s (%s), got %v", test.fate, test.reason, e)
			}
		})
	}
	odd := newFake(t, func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		body := `{"code":"PARAM_ERROR","message":"m","detail":{"field":"plate 测A12345"}}`
		send(w, 400, goodSigner().headers(time.Now(), body), body)
	})
	if _, err := newClient(t, fakeConfig(odd.url, goodSigner())).QueryTransaction(twintest.Within(t, 5*time.Second), "pay-1"); strings.Contains(err.Error(), "12345") {
		t.Errorf("the error shows what was sent: %v", err)
	}
	f := newFake(t, func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		body := `{"code":"PARAM_ERROR","message":"测A12345","detail":{"field":"/amount/total","value":"测A12345"}}`
		send(w, 400, goodSigner().headers(time.Now(), body), body)
	})
	for name, body := range map[string]string{"another amount": aTransaction, "another number": strings.Replace(aTransaction, "pay-1", "pay-2", 1)} {
		f := newFake(t, func(w http.ResponseWriter, _ *http.Request, _ []byte) {
			send(w, 200, goodSigner().headers(time.Now(), body), body)
		})
		_, err := newClient(t, fakeConfig(f.url, goodSigner())).CreateTransaction(twintest.Within(t, 5*time.Second), charge("pay-1", plateA, "5K1", 101))
		if e := twintest.ErrorOf(t, err); e.Reason != wire.ReasonGarbage {
			t.Errorf("a charge of %s: %+v", name, e)
		}
	}
	_, err := newClient(t, fakeConfig(f.url, goodSigner())).CreateTransaction(twintest.Within(t, 5*time.Second), charge("pay-1", plateA, "5K1", 100))
	refusedWith(t, err, wechatpay.RefusedInput, "PARAM_ERROR")
	if !strings.HasSuffix(err.Error(), "input at /amount/total") || strings.Contains(err.Error(), "12345") {
		t.Errorf("the error says %v", err)
	}
	if wechatpay.RefusalOf(errors.New("x")) != "" || wechatpay.RefusalOf(context.Canceled) != "" {
		t.Error("what is no refusal is none")
	}
}
