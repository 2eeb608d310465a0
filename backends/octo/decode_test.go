package octo_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/octo"
	"github.com/warmgate/warmgate/backends/twin/twintest"
	"github.com/warmgate/warmgate/backends/wire"
)

// FuzzAnswer: whatever a supplier sends, the client makes a whole booking or an error of it, and never a panic; and an
// error's text never holds what was sent.
func FuzzAnswer(f *testing.F) {
	booking := `{"uuid":"9f3c2a1e-0000-4000-8000-000000000001","status":"CONFIRMED","productId":"p","optionId":"o","unitItems":[` +
		`{"uuid":"u","status":"CONFIRMED","utcRedeemedAt":null,"ticket":{"deliveryOptions":[{"deliveryFormat":"QRCODE","deliveryValue":"v"}]}}]}`
	for _, body := range []string{booking, "[" + booking + "]", `{}`, `[]`, `null`, `[null]`, ``, `{"unitItems":[null]}`,
		`{"error":"BAD_REQUEST","errorMessage":"secret-9f3c","utcRedeemedAt":"2026-05-02T05:00:00Z"}`,
		`{"error":"secret-9f3c"}`, `{"availability":{"localDateTimeStart":"x"}}`, strings.Repeat(`[`, 20000)} {
		for _, status := range []int{200, 400, 429, 500} {
			f.Add(status, []byte(body))
		}
	}
	type answer struct {
		status int
		body   []byte
	}
	var next atomic.Pointer[answer]
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		a := next.Load()
		w.Header().Set("Octo-Capabilities", "octo/redemption")
		w.Header().Set("Content-Length", fmt.Sprint(len(a.body)))
		w.WriteHeader(a.status)
		_, _ = w.Write(a.body)
	}))
	f.Cleanup(server.Close)
	c, err := octo.New(octo.Config{BaseURL: server.URL, APIKey: testKey, Supplier: "s"})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(c.Close)
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		status = 200 + (status%400+400)%400
		next.Store(&answer{status, body})
		ctx := twintest.Within(t, 5*time.Second)
		one, err := c.Redeem(ctx, "C1")
		if err == nil && (status != 200 || len(one.UUID) != 36 || one.Status == "") {
			t.Errorf("status %d: %+v", status, one)
		}
		_, lookErr := c.Lookup(ctx, "C1")
		if lookErr == nil && status != 200 {
			t.Errorf("status %d is a success", status)
		}
		for _, err := range []error{err, lookErr} {
			if e, ok := err.(*wire.Error); err != nil && (!ok || e.Fate == wire.NotSent || len(e.Message) > 512 || strings.Contains(e.Error(), "secret")) {
				t.Errorf("%#v", err)
			}
		}
	})
}
