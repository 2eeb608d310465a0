package tariff_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/warmgate/warmgate/flows/parking/tariff"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/config"
)

// FuzzSettings: whatever a file says, it is either refused, or stays have prices that sum up and never fall.
func FuzzSettings(f *testing.F) {
	f.Add(lot)
	f.Add(car(allDay))
	f.Add(period("cap: 500, steps: [ { for: 1h, each: 15m, price: 250, per: 7m }, { each: 1s, price: 1 } ]"))
	f.Add("vehicles: { car: { periods: ! x } }")
	files, err := filepath.Glob("testdata/cities/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, ok := settingsIn(text)
		if !ok {
			return
		}
		made, err := tariff.New(s, berlin, "EUR")
		if err != nil {
			for _, m := range mistakes(t, err) {
				if m == "" {
					t.Fatal("a mistake says nothing")
				}
			}
			return
		}
		last := int64(0)
		from := time.Date(2026, 3, 28, 20, 7, 31, 0, berlin)
		for _, long := range []time.Duration{0, time.Second, 20 * time.Minute, 7 * time.Hour, 80 * time.Hour} {
			p, err := made.Price(tariff.Visit{Entered: from, Left: from.Add(long)})
			if errors.Is(err, tariff.ErrAmount) {
				return
			}
			if err != nil || p.Minor < last {
				t.Fatalf("%s: %d after %d: %v", long, p.Minor, last, err)
			}
			last = p.Minor
			checkPrice(t, p)
		}
	})
}

// settingsIn reads a section tariff, or a city's file with one.
func settingsIn(text string) (s tariff.Settings, ok bool) {
	f, err := config.Read("tariff.yaml", []byte(text), func(string) (string, bool) { return "", false })
	if err != nil {
		return s, false
	}
	var c city
	if f.Decode(&c) == nil {
		return c.Tariff, true
	}
	return s, f.Decode(&s) == nil
}

// TestFieldErrors: every mistake is a *gateway.FieldError with a path, so that the file's line can be named.
func TestFieldErrors(t *testing.T) {
	err := (&tariff.Settings{Units: "x"}).Validate()
	e, ok := errors.AsType[*gateway.FieldError](err)
	if !ok || e.Path != "units" {
		t.Errorf("%v", err)
	}
}
