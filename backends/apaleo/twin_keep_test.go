package apaleo_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/warmgate/warmgate/backends/apaleo"
	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/backends/twin/twintest"
)

func TestTheTwinIsMadeFromItsSeedAndRemembers(t *testing.T) {
	hotel := func(seed uint64, name string) *apaleo.Twin {
		h, err := apaleo.NewTwin(apaleo.TwinConfig{Property: name, ClientID: "c", ClientSecret: "s", Seed: seed,
			Clock: func() time.Time { return noon }})
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	one := hotel(1, "MUC")
	first := one.Fresh()
	if got := hotel(1, "MUC").Fresh(); fmt.Sprint(got) != fmt.Sprint(first) {
		t.Errorf("the same seed: %v, %v", got, first)
	}
	if hotel(2, "MUC").Fresh().Reservation == first.Reservation || hotel(1, "BER").Fresh().Reservation == first.Reservation {
		t.Error("another seed or hotel must make other reservations")
	}
	changes := one.Changes()
	if _, err := one.Issue(apaleo.Want{Scenario: apaleo.InHouse}); err != nil {
		t.Fatal(err)
	}
	if _, err := one.Keep(apaleo.Want{Scenario: apaleo.ChangeUnit, Unit: "101", Condition: apaleo.Dirty}); err != nil {
		t.Fatal(err)
	}
	if one.Changes() < changes+2 {
		t.Error("a new reservation is a change, and so is a dirty unit")
	}
	state, err := one.Save()
	if err != nil {
		t.Fatal(err)
	}
	back := hotel(1, "MUC")
	if err := back.Restore(state); err != nil {
		t.Fatal(err)
	}
	if got, want := back.Fresh(), one.Fresh(); got.Reservation != want.Reservation || got.Reservation == first.Reservation {
		t.Error("a restored twin must go on where it stopped, with reservations that are new")
	}
	again, err := back.Save()
	if err != nil {
		t.Fatal(err)
	}
	if now, _ := one.Save(); string(again) != string(now) {
		t.Errorf("saved and restored differ:\n%s\n%s", again, now)
	}
	for _, bad := range []string{``, `{"units":[null]}`, `{"units":[]}`, `{"book":1}`, strings.Replace(string(state), "MUC-", "BER-", 1)} {
		if err := hotel(1, "MUC").Restore([]byte(bad)); err == nil {
			t.Errorf("%.60q was restored", bad)
		}
	}
	for _, bad := range []apaleo.TwinConfig{{Property: "M", ClientID: "c", ClientSecret: "s"}, {Property: "MUC", ClientSecret: "s"},
		{Property: "MUC", ClientID: "c"}, {Property: "MUC", ClientID: "c", ClientSecret: "s", Floors: 91},
		{Property: "MUC", ClientID: "c", ClientSecret: "s", PerFloor: -1}, {Property: "MUC", ClientID: "c", ClientSecret: "s", TokenLife: 1}} {
		if _, err := apaleo.NewTwin(bad); err == nil {
			t.Errorf("%+v was made", bad)
		}
	}
	for venue, want := range map[string]string{"lake": "LAKE", "lake-side-hotel": "LAKE_SIDE_", "x": "XXX"} {
		if got := apaleo.PropertyOf(venue); got != want {
			t.Errorf("PropertyOf(%s) = %s", venue, got)
		}
	}
}

// TestTheBooksOutliveTheCity: a checker that comes after a restart finds them, at the same address.
func TestTheBooksOutliveTheCity(t *testing.T) {
	dir := t.TempDir()
	open := func() (*twin.City, *apaleo.Twin) {
		city, err := twin.NewCity(twin.Config{DataDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		hotel, err := apaleo.NewTwin(apaleo.TwinConfig{Property: "LAKE", ClientID: "c", ClientSecret: "s", Location: twintest.Shanghai()})
		if err == nil {
			err = city.Add("apaleo", "lake", hotel)
		}
		if err != nil {
			t.Fatal(err)
		}
		return city, hotel
	}
	city, hotel := open()
	made, err := hotel.Issue(apaleo.Want{Scenario: apaleo.Assigned})
	if err != nil {
		t.Fatal(err)
	}
	at := city.URL("apaleo", "lake")
	c, err := apaleo.New(apaleo.Config{BaseURL: at, ClientID: "c", ClientSecret: "s", Property: "LAKE"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.CheckIn(soon(t), made[0].Reservation); err != nil {
		t.Fatal(err)
	}
	if err := city.Close(); err != nil {
		t.Fatal(err)
	}
	before := hotel.ReadBooks()
	city, hotel = open()
	defer func() { _ = city.Close() }()
	after := hotel.ReadBooks()
	was, errWas := json.Marshal(before.Stays)
	is, errIs := json.Marshal(after.Stays)
	if errWas != nil || errIs != nil || string(was) != string(is) || len(after.Stays) != 1 || after.Requests != before.Requests {
		t.Errorf("before %s, after %s", was, is)
	}
	// The client's token has ended with the city, which it does not notice.
	if r, err := c.Reservation(soon(t), made[0].Reservation); err != nil || r.Status != apaleo.StatusInHouse || city.URL("apaleo", "lake") != at {
		t.Errorf("%+v, %v", r, err)
	}
}
