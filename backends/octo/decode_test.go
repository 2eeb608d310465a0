package octo

import (
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
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
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		for _, list := range []bool{false, true} {
			resp := fasthttp.AcquireResponse()
			defer fasthttp.ReleaseResponse(resp)
			resp.SetStatusCode(status)
			resp.SetBodyRaw(body)
			var one Booking
			var many []Booking
			x := &exchange{op: "Fuzz", out: &one, whole: one.whole}
			if list {
				x = &exchange{op: "Fuzz", out: &many}
			}
			err := x.read(resp)
			if err == nil && status != 200 {
				t.Errorf("status %d is a success", status)
			}
			if err == nil && !list && (!isUUID(one.UUID) || one.Status == "") {
				t.Errorf("half a booking: %+v", one)
			}
			if e, ok := err.(*Error); err != nil && (!ok || e.Fate == NotSent || len(e.Message) > 512 || strings.Contains(e.Error(), "secret")) {
				t.Errorf("%#v", err)
			}
		}
	})
}
