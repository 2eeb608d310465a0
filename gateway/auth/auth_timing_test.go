package auth

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/warmgate/warmgate/gateway/limit"
)

func TestARememberedTokenCostsNoAllocation(t *testing.T) {
	w := newWorld(t)
	v := w.open(t)
	token := w.token(goodHeader(), goodClaims())
	header := append([]byte("Bearer "), token...)
	if n := testing.AllocsPerRun(1000, func() {
		token, err := FromHeader(header)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Verify(token, home, t0); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%g allocations", n)
	}
}

// TestConcurrentUse is for the race detector: verification, rotation, revocation and eviction at once.
func TestConcurrentUse(t *testing.T) {
	w := newWorld(t)
	w.config.Remembered = 32
	v := w.open(t)
	tokens := make([][]byte, 64)
	for i := range tokens {
		tokens[i] = w.token(goodHeader(), with(goodClaims(), "jti", fmt.Sprint(i)))
	}
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for g := range 4 {
		wg.Go(func() {
			for i := g; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				p, err := v.Verify(tokens[i%len(tokens)], home, t0)
				if err == nil && p.Subject != "gate-7" {
					t.Errorf("got %+v", p)
				}
			}
		})
	}
	for i := range 50 {
		w.write(t, "revoked", fmt.Sprintf("jti * %d", i))
		if i%2 == 0 {
			w.publish(t, "a.json", w.ed, w.ec)
		} else {
			w.publish(t, "a.json", w.ec)
		}
		if err := v.Reload(); err != nil {
			t.Error(err)
		}
		for j, token := range tokens {
			_, err := v.Verify(token, home, t0)
			if good := i%2 == 0 && i != j; good != (err == nil) {
				t.Errorf("round %d, token %d: %v", i, j, err)
			}
		}
	}
	close(stop)
	wg.Wait()
}

func benchWorld(b *testing.B) (*world, *Verifier) {
	w := newWorld(b)
	w.config.FirstSeenPerAddress = limit.Rate{Requests: 1_000_000, Per: time.Second, Burst: 1_000_000}
	w.config.Remembered = 1 // what is not benchmarked as a hit must not become one
	return w, w.open(b)
}

func BenchmarkVerifyHit(b *testing.B) {
	w, v := benchWorld(b)
	for _, pad := range []int{0, 2600} {
		token := w.token(goodHeader(), with(goodClaims(), "pad", strings.Repeat("x", pad)))
		b.Run(fmt.Sprintf("%dB", len(token)), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(token, home, t0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerifyMiss(b *testing.B) {
	w, v := benchWorld(b)
	rs := sharedRSA()
	body := encode(goodClaims())
	for name, token := range map[string][]byte{
		"EdDSA": w.token(goodHeader(), goodClaims()),
		"ES256": sign(encode(with(goodHeader(), "alg", "ES256", "kid", "ec")), body, jwt.SigningMethodES256, w.ec.private),
		"RS256": sign(encode(with(goodHeader(), "alg", "RS256", "kid", "rsa")), body, jwt.SigningMethodRS256, rs.private),
		"PS256": sign(encode(with(goodHeader(), "alg", "PS256", "kid", "rsa")), body, jwt.SigningMethodPS256, rs.private),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			now := t0
			for b.Loop() {
				now = now.Add(time.Microsecond)
				if _, err := v.first(token, home, now); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRefuseMalformed(b *testing.B) {
	w, v := benchWorld(b)
	token := w.token(with(goodHeader(), "typ", "JWT"), goodClaims())
	b.ReportAllocs()
	for b.Loop() {
		_, _ = v.Verify(token, home, t0)
	}
}
