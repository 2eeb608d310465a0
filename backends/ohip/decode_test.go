package ohip

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/wire"
)

// FuzzAnswer: whatever a hotel sends, the client makes whole things or an error of it, and never a panic; and an error's
// text never holds what was sent.
func FuzzAnswer(f *testing.F) {
	info := `{"reservationIdList":[{"id":"1","type":"Reservation"}],"reservationStatus":"Reserved","roomStay":{"arrivalDate":"2026-05-02","departureDate":"2026-05-03"}}`
	for _, body := range []string{`{"reservations":{"reservationInfo":[` + info + `],"hasMore":false}}`, `{"reservation":[` + info + `],"warnings":[{"code":"secret"}]}`,
		`{"hotelRoomsDetails":{"room":[{"roomId":"1","roomType":{"roomType":"STD"},"housekeeping":{"roomStatus":{"roomStatus":"Clean","frontOfficeStatus":"Vacant"}}}]}}`,
		`{"hotelAvailability":[{"hotelId":"H","hasMore":true,"pagingKey":"A,R","roomStays":[{"roomRates":[{"roomType":"A","ratePlanCode":"R","numberOfUnits":3,"total":{"amountAfterTax":5.8e2,"currencyCode":"CNY"}}]}]}]}`,
		`{"roomKeysInfoList":[{"roomId":"1","keyCount":"x","keyStartDate":"never"}]}`, `{}`, `[]`, `null`, ``, `{"reservations":null}`,
		`{"type":"t","title":"secret","detail":"secret","o:errorCode":"FOF00066"}`, `{"type":"t","title":"t","o:errorCode":"secret secret"}`,
		`{"type":"t","title":"t","o:errorDetails":[{"o:errorCode":"FOF00107"},null]}`, strings.Repeat(`[`, 20000)} {
		for _, status := range []int{200, 201, 204, 400, 401, 404, 429, 500} {
			f.Add(status, []byte(body))
		}
	}
	var status int
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/oauth") {
			_, _ = io.WriteString(w, `{"access_token":"t"}`)
			return
		}
		w.WriteHeader(status)
		_, _ = w.Write(body)
	}))
	f.Cleanup(server.Close)
	c, err := New(Config{GatewayURL: server.URL, HotelID: "H", AppKey: SandboxAppKey, ClientID: "c", ClientSecret: "s", MaxBody: 64 << 10})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(c.Close)
	f.Fuzz(func(t *testing.T, s int, b []byte) {
		if s < 200 || s > 599 {
			return
		}
		status, body = s, b
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		found, err1 := c.ByConfirmation(ctx, "1")
		for _, r := range found {
			if r.ID == "" || r.Status == "" || !isDay(r.Arrival) {
				t.Errorf("half a reservation: %+v", r)
			}
		}
		v, err2 := c.VerifyCheckIn(ctx, "1")
		if err2 == nil && (v.ID == "" || v.Status == "") {
			t.Errorf("half a reservation: %+v", v)
		}
		rooms, err3 := c.AllRooms(ctx, RoomQuery{})
		for _, r := range rooms {
			if r.ID == "" || r.Housekeeping == "" || r.FrontOffice == "" {
				t.Errorf("half a room: %+v", r)
			}
		}
		_, err4 := c.Keys(ctx, "1")
		err5 := c.CheckIn(ctx, "1", "2")
		has, err6 := c.Availability(ctx, StayQuery{From: "2026-05-02", To: "2026-05-04", Adults: 1})
		for i := 0; err6 == nil && i < len(has.Offers); i++ {
			if o := &has.Offers[i]; o.RoomType == "" || o.RatePlan == "" || o.Free < 0 || o.Price.Minor < 0 || o.Price.Minor > 0 && len(o.Price.Currency) != 3 {
				t.Errorf("half an offer: %+v", o)
			}
		}
		for _, err := range []error{err1, err2, err3, err4, err5, err6} {
			e, ok := err.(*wire.Error)
			if err != nil && (!ok || e.Fate == wire.NotSent && s != 204 || strings.Contains(err.Error(), "secret secret")) {
				t.Errorf("%v", err)
			}
			if err == nil && s != 200 && s != 201 && s != 204 {
				t.Errorf("status %d is a success", s)
			}
		}
	})
}
