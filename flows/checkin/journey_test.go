package checkin_test

import (
	"net/http"
	"testing"

	"github.com/warmgate/warmgate/flows/checkin/checkintest"
	"github.com/warmgate/warmgate/flows/flowtest"
)

const hotel = "lakeside"

type m = map[string]any

type checkedIn struct {
	Decision string `json:"decision"`
	Stay     string `json:"stay"`
	Room     struct {
		Number string `json:"number"`
	} `json:"room"`
	Keys struct {
		Count int `json:"count"`
	} `json:"keys"`
	Guests  int      `json:"guests"`
	Again   bool     `json:"again"`
	Pending []string `json:"pending"`
}

func in(t testing.TB, a flowtest.Answer) (c checkedIn) {
	t.Helper()
	if a.Status != http.StatusCreated {
		t.Fatalf("answer %d %s", a.Status, a.Text)
	}
	a.Into(t, &c)
	return c
}

func TestCheckInByConfirmation(t *testing.T) {
	t.Parallel()
	c := checkintest.Start(t, nil, checkintest.Hotel{ID: hotel})
	b := c.Book(hotel, "")
	got := in(t, c.CheckIn(hotel, b.Arrival("lobby-1")))
	if got.Room.Number == "" || got.Keys.Count != 1 || got.Guests != 1 || len(got.Pending) > 0 {
		t.Errorf("checked in %+v", got)
	}
}
