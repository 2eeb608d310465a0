package apaleo_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/apaleo"
	"github.com/warmgate/warmgate/backends/twin/twintest"
	"github.com/warmgate/warmgate/backends/wire"
)

// FuzzAnswer: whatever a hotel sends, the client makes something whole or an error of it, and never a panic; and an
// error's text never holds what was sent.
func FuzzAnswer(f *testing.F) {
	unit := `{"id":"U-1","name":"101","status":{"isOccupied":false,"condition":"Clean","maintenance":{"type":"OutOfOrder"}},` +
		`"maxPersons":2,"unitGroup":{"id":"G"},"attributes":[{"name":"Floor 1"}]}`
	for _, body := range []string{aReservation, `{"reservations":[` + aReservation + `],"count":1}`, `{"units":[` + unit + `],"count":1}`,
		`{"property":{"id":"MUC"},"offers":[{"unitGroup":{"id":"G"},"ratePlan":{"id":"R"},"availableUnits":3,"totalGrossAmount":{"amount":1.5e2,"currency":"EUR"}}]}`,
		`{"unit":{"id":"U-1"}}`, `{"messages":["secret-9f3c"]}`, `{"messages":null}`, `{}`, `[]`, `null`, ``, `{"reservations":[null]}`,
		`{"id":"A-1","actions":[{"action":"CheckIn","reasons":[{"code":"secret-9f3c"}]}]}`, strings.Repeat(`[`, 3000)} {
		for _, status := range []int{200, 204, 400, 401, 404, 422, 429, 500} {
			f.Add(status, []byte(body))
		}
	}
	var status int
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/connect/token" {
			_, _ = w.Write([]byte(`{"access_token":"T","token_type":"Bearer","expires_in":3600}`))
			return
		}
		w.WriteHeader(status)
		_, _ = w.Write(body)
	}))
	f.Cleanup(server.Close)
	c, err := apaleo.New(apaleo.Config{BaseURL: server.URL, ClientID: "c", ClientSecret: "s", Property: "MUC"})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(c.Close)
	f.Fuzz(func(t *testing.T, answered int, sent []byte) {
		if answered < 200 || answered > 599 {
			t.Skip("net/http sends no such status")
		}
		status, body = answered, sent
		ctx := twintest.Within(t, 10*time.Second)
		one, errOne := c.Reservation(ctx, "A-1")
		if errOne == nil && (one.ID != "A-1" || one.Status == "" || one.Property == "" || !one.Departure.After(one.Arrival)) {
			t.Errorf("half a reservation: %+v", one)
		}
		list, errList := c.ByNumber(ctx, "A-1x")
		units, errUnits := c.Units(ctx)
		for _, u := range units {
			if u.ID == "" || u.Condition == "" {
				t.Errorf("half a unit: %+v", u)
			}
		}
		if errList == nil && list == nil || errUnits == nil && units == nil {
			t.Error("an empty list is nil")
		}
		offers, errOffers := c.Offers(ctx, apaleo.StayQuery{Arrival: "2026-05-02", Departure: "2026-05-04", Adults: 1})
		for i := 0; errOffers == nil && i < len(offers.All); i++ {
			if o := &offers.All[i]; o.Group == "" || o.RatePlan == "" || o.Free < 0 || o.Price.Minor < 0 || len(o.Price.Currency) != 3 {
				t.Errorf("half an offer: %+v", o)
			}
		}
		for _, err := range []error{errOne, errList, errUnits, errOffers, c.AssignUnit(ctx, "A-1", "U-1"), c.CheckIn(ctx, "A-1"),
			c.RevertCheckIn(ctx, "A-1")} {
			if err == nil {
				if answered != 200 && answered != 204 {
					t.Errorf("status %d is a success", answered)
				}
				continue
			}
			e := twintest.ErrorOf(t, err)
			if e.Fate == wire.NotSent || len(e.Message) > 512 || strings.Contains(e.Error(), "secret-9f3c ") ||
				e.Fate == wire.Refused && (answered < 400 || answered >= 500) {
				t.Errorf("%d: %v", answered, e)
			}
		}
	})
}
