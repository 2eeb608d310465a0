package auth

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// events is a log handler that passes on each message, so that a test can wait for one.
type events struct{ messages chan string }

func newEvents() events { return events{make(chan string, 1000)} }

func (e events) Enabled(context.Context, slog.Level) bool { return true }
func (e events) WithAttrs([]slog.Attr) slog.Handler       { return e }
func (e events) WithGroup(string) slog.Handler            { return e }
func (e events) Handle(_ context.Context, r slog.Record) error {
	e.messages <- r.Message
	return nil
}

func (e events) wait(t *testing.T, message string) {
	t.Helper()
	timeout := time.After(10 * time.Second)
	for {
		select {
		case m := <-e.messages:
			if m == message {
				return
			}
		case <-timeout:
			t.Fatalf("no %q in the log", message)
		}
	}
}

// swap is a server whose handler can be changed while it runs.
type swap struct {
	*httptest.Server
	handler atomic.Pointer[http.HandlerFunc]
}

func newSwap(t *testing.T, h http.HandlerFunc) *swap {
	s := &swap{}
	s.set(h)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*s.handler.Load())(w, r) }))
	t.Cleanup(s.Close)
	return s
}

func (s *swap) set(h http.HandlerFunc) { s.handler.Store(&h) }

func serve(body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) }
}

// TestKeysFromAnAddress: a verifier before, with and after keys, and while their server hangs.
func TestKeysFromAnAddress(t *testing.T) {
	w := newWorld(t)
	hold := make(chan struct{})
	server := newSwap(t, func(rw http.ResponseWriter, r *http.Request) {
		<-hold
		serve(setOf(w.ed))(rw, r)
	})
	w.config.Issuers[0].KeysFile, w.config.Issuers[0].JWKSURL = "", server.URL+"/keys"
	if err := w.config.Validate(); err != nil {
		t.Fatal(err)
	}
	log := newEvents()
	v, err := New(w.config, slog.New(log), t0)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	token := w.token(goodHeader(), goodClaims())
	_, err = v.Verify(token, home, t0) // while the server hangs
	wantRefusal(t, nil, err, ProblemTokenKeysUnavailable, "")
	log.wait(t, "token keys changed") // issuer B's file
	close(hold)
	log.wait(t, "token keys changed")
	if _, err := v.Verify(token, home, t0); err != nil {
		t.Fatalf("with keys: %v", err)
	}

	server.set(serve(setOf(w.ec))) // rotated
	is := v.issuers[issuerA]
	if err := is.fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	p, err := v.Verify(token, home, t0)
	wantRefusal(t, p, err, ProblemTokenInvalid, ClassKey)
	if _, err := v.Verify(sign(encode(with(goodHeader(), "kid", "ec", "alg", "ES256")), encode(goodClaims()), jwt.SigningMethodES256, w.ec.private), home, t0); err != nil {
		t.Errorf("with the new key: %v", err)
	}
}

func TestOldKeysStayWhenARefreshFails(t *testing.T) {
	ed, ec := newEd("ed"), newEC("ec")
	elsewhere := newSwap(t, serve(setOf(ec)))
	private := ed
	private.public.Private = []byte(`"c2VjcmV0"`)
	done := make(chan struct{})
	t.Cleanup(func() { close(done) })
	for name, h := range map[string]http.HandlerFunc{
		"500":       func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500); _, _ = w.Write(setOf(ec)) },
		"redirects": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) },
		"garbage":   serve([]byte("<html>")),
		"duplicate": serve([]byte(`{"keys":[],"keys":[]}`)),
		"empty":     serve([]byte(`{"keys":[]}`)),
		"trailing":  serve(append(setOf(ec), '{')),
		"private":   serve(setOf(private)),
		"endless": func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := io.WriteString(w, strings.Repeat(" ", 1<<16)); err != nil {
					return
				}
			}
		},
		"huge head": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 64<<10))
			_, _ = w.Write(setOf(ec))
		},
		"hangs": func(w http.ResponseWriter, r *http.Request) { wait(r, done) },
		"hangs in the body": func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write(setOf(ec)[:20])
			w.(http.Flusher).Flush()
			wait(r, done)
		},
		"resets": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			server := newSwap(t, serve(setOf(ed)))
			is := newIssuer(IssuerConfig{Issuer: issuerA, JWKSURL: server.URL, Algorithms: []string{"EdDSA", "ES256"}}, quiet())
			is.client.Timeout = 200 * time.Millisecond
			if err := is.fetch(t.Context()); err != nil {
				t.Fatal(err)
			}
			server.set(h)
			if err := is.fetch(t.Context()); err == nil {
				t.Error("no error")
			}
			if k, _ := is.find("ed"); k == nil || k.gone.Load() {
				t.Error("the old key is gone")
			}
			if k, _ := is.find("ec"); k != nil {
				t.Error("a key came from what must not be believed")
			}
		})
	}
}

func wait(r *http.Request, done <-chan struct{}) {
	select {
	case <-r.Context().Done():
	case <-done:
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestRefreshSchedule runs in virtual time, without sockets.
func TestRefreshSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var fetches []time.Duration
		var failing atomic.Bool
		failing.Store(true)
		set := string(setOf(newEd("ed")))
		is := newIssuer(IssuerConfig{Issuer: issuerA, JWKSURL: "https://keys.example", Algorithms: []string{"EdDSA"}, Refresh: time.Minute}, quiet())
		is.client.Transport = roundTrip(func(*http.Request) (*http.Response, error) {
			fetches = append(fetches, time.Since(began))
			if failing.Load() {
				return nil, errors.New("refused")
			}
			return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(set))}, nil
		})
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() { is.run(ctx); close(ended) }()
		until := func(d time.Duration) { time.Sleep(d - time.Since(began)); synctest.Wait() }

		until(7 * time.Second)
		failing.Store(false) // at 10 s it succeeds: the next is at 70 s
		until(80 * time.Second)
		for range 100 { // unknown kids ask for one refresh between them, and nobody waits for it
			is.find("unknown")
		}
		until(81 * time.Second)
		is.find("unknown") // too soon after the last: at 85 s
		until(140 * time.Second)
		want := []time.Duration{0, 5 * time.Second, 10 * time.Second, 70 * time.Second, 80 * time.Second, 85 * time.Second}
		if len(fetches) != len(want) {
			t.Fatalf("fetched at %v, want %v", fetches, want)
		}
		for i := range want {
			if fetches[i] != want[i] {
				t.Fatalf("fetched at %v, want %v", fetches, want)
			}
		}
		stop()
		<-ended
	})
}

func TestWhatWasWantedBeforeTheFirstFetchIsAnsweredByIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fetches := 0
		set := string(setOf(newEd("ed")))
		is := newIssuer(IssuerConfig{Issuer: issuerA, JWKSURL: "https://keys.example", Algorithms: []string{"EdDSA"}, Refresh: time.Minute}, quiet())
		is.client.Transport = roundTrip(func(*http.Request) (*http.Response, error) {
			fetches++
			return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(set))}, nil
		})
		is.want()
		ctx, stop := context.WithTimeout(t.Context(), 59*time.Second)
		defer stop()
		if is.run(ctx); fetches != 1 {
			t.Errorf("%d fetches in the first minute, want 1", fetches)
		}
	})
}

func TestAFetchEndsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := newIssuer(IssuerConfig{Issuer: issuerA, JWKSURL: "https://keys.example", Algorithms: []string{"EdDSA"}}, quiet())
		is.client.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		ctx, stop := context.WithTimeout(t.Context(), time.Hour)
		defer stop()
		began := time.Now()
		if err := is.fetch(ctx); err == nil || time.Since(began) != fetchTimeout {
			t.Errorf("got %v after %s, want an error after %s", err, time.Since(began), fetchTimeout)
		}
	})
}

// endless is a body without an end; it counts what is read of it.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	if e.read += len(p); e.read > 4*maxKeysBytes {
		return 0, errors.New("far too much was read")
	}
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestABodyIsReadUpToItsBound(t *testing.T) {
	is := newIssuer(IssuerConfig{Issuer: issuerA, Algorithms: []string{"EdDSA"}}, quiet())
	if _, _, err := is.read(&endless{}); err == nil || err.Error() != "a JWK set has at most 262144 bytes" {
		t.Errorf("got %v", err)
	}
}

func TestKeySets(t *testing.T) {
	ed, ec, weak := newEd("k"), newEC("k"), newRSA("k", 1024)
	rs := sharedRSA()
	entry := func(p pair, change func(*jwk)) []byte {
		change(&p.public)
		return setOf(p)
	}
	all := []string{"EdDSA", "ES256", "RS256", "PS256"}
	for _, row := range []struct {
		name    string
		set     []byte
		allowed []string
		want    string // of the algorithms of the only key; or the error, after "!"
	}{
		{"Ed25519", setOf(ed), all, "EdDSA"},
		{"P-256", setOf(ec), all, "ES256"},
		{"RSA", setOf(rs), all, "RS256 PS256"},
		{"RSA where one is allowed", setOf(rs), []string{"PS256"}, "PS256"},
		{"RSA with alg", entry(rs, func(k *jwk) { k.Algorithm = "RS256" }), all, "RS256"},
		{"sig, verify", entry(ed, func(k *jwk) { k.Use, k.Operations = "sig", []string{"verify"} }), all, "EdDSA"},
		{"not allowed", setOf(ed), []string{"RS256"}, "!no usable key among the 1"},
		{"alg of another type", entry(ed, func(k *jwk) { k.Algorithm = "RS256" }), all, "!no usable key"},
		{"alg HS256", entry(rs, func(k *jwk) { k.Algorithm = "HS256" }), all, "!no usable key"},
		{"use enc", entry(ed, func(k *jwk) { k.Use = "enc" }), all, "!no usable key"},
		{"key_ops sign", entry(ed, func(k *jwk) { k.Operations = []string{"sign"} }), all, "!no usable key"},
		{"key_ops empty", []byte(strings.Replace(string(setOf(ed)), "{\"kty", "{\"key_ops\":[],\"kty", 1)), all, "!no usable key"},
		{"oct", []byte(`{"keys":[{"kty":"oct","kid":"k","k":"c2VjcmV0"}]}`), all, "!no usable key"},
		{"P-384", entry(ec, func(k *jwk) { k.Curve = "P-384" }), all, "!no usable key"},
		{"private", entry(ed, func(k *jwk) { k.Private = []byte(`"x"`) }), all, `!key "k": it holds its private part`},
		{"no kid", entry(ed, func(k *jwk) { k.ID = "" }), all, `!key "": it has no kid`},
		{"kid twice", setOf(ed, ec), all, `!key "k": its kid is used twice`},
		{"short x", entry(ed, func(k *jwk) { k.X = k.X[:40] }), all, "!x must be 32 bytes"},
		{"off the curve", entry(ec, func(k *jwk) { k.X = k.Y }), all, "!not a point on P-256"},
		{"short coordinate", entry(ec, func(k *jwk) { k.X = k.X[:40] }), all, "!x and y must be 32 bytes"},
		{"weak RSA", setOf(weak), all, "!an RSA key has 2048 to 8192 bits, got 1024"},
		{"RSA with e of 3", entry(rs, func(k *jwk) { k.E = "Aw" }), all, "!exponent of 65537"},
		{"RSA with even e", entry(rs, func(k *jwk) { k.E = "AQAC" }), all, "!exponent of 65537"},
		{"RSA with a long e", entry(rs, func(k *jwk) { k.E = "AQAAAAAB" }), all, "!e of at most 4 bytes"},
		{"not JSON", []byte("{"), all, "!cannot read the JWK set"},
	} {
		t.Run(row.name, func(t *testing.T) {
			keys, _, err := parseKeys(row.set, row.allowed)
			if text, bad := strings.CutPrefix(row.want, "!"); bad {
				if err == nil || !strings.Contains(err.Error(), text) {
					t.Errorf("got %v, want %q", err, text)
				}
				return
			}
			if err != nil || len(keys) != 1 {
				t.Fatalf("got %v, %v", keys, err)
			}
			for _, k := range keys {
				if got := strings.Join(k.algorithms, " "); got != row.want {
					t.Errorf("got %s, want %s", got, row.want)
				}
			}
		})
	}
	if keys, defects, err := parseKeys(setOf(ed, weakAs(weak, "weak")), all); err != nil || len(keys) != 1 || len(defects) != 1 {
		t.Errorf("a weak key beside a good one: %v, %v, %v", keys, defects, err)
	}
}

func weakAs(p pair, kid string) pair { p.public.ID = kid; return p }

func TestFilesAreRefused(t *testing.T) {
	for name, change := range map[string]func(*world){
		"no keys file":        func(w *world) { w.config.Issuers[0].KeysFile += ".gone" },
		"weak key in a file":  func(w *world) { w.publish(t, "a.json", w.ed, newRSA("weak", 1024)) },
		"huge file":           func(w *world) { w.write(t, "a.json", strings.Repeat(" ", 300_000)) },
		"no revocations file": func(w *world) { w.config.RevocationsFile += ".gone" },
		"revocation kind":     func(w *world) { w.write(t, "revoked", "# x\nuser * somebody") },
		"revocation short":    func(w *world) { w.write(t, "revoked", "jti somebody") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			change(w)
			v, err := New(w.config, quiet(), t0)
			if err == nil {
				v.Close()
				t.Fatal("it starts")
			}
			if strings.Contains(err.Error(), "somebody") {
				t.Errorf("the error tells what is revoked: %v", err)
			}
		})
	}
}
