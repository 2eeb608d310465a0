package rooms_test

import (
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/flows/checkin/checkintest"
	"github.com/warmgate/warmgate/flows/flowtest"
	"github.com/warmgate/warmgate/flows/rooms/roomstest"
)

const usualCache = "fresh: 30s, stale_while_revalidate: 2m, stale_if_error: 10m"

// cached starts a town of one hotel, whose answers are kept as cache says.
func cached(t *testing.T, cache string) *roomstest.Town {
	t.Helper()
	return roomstest.Start(t, func(file string) string {
		return strings.NewReplacer(usualCache, cache, "fresh: 30s, stale_if_error: 10m", "fresh: 100ms, stale_if_error: 10m").Replace(file)
	}, four()[0])
}

// TestWhatIsTooOldIsMissing: a hotel that can't be asked is stale for as long as it may be, then missing: never full, never free.
func TestWhatIsTooOldIsMissing(t *testing.T) {
	c := cached(t, "fresh: 50ms, stale_if_error: 400ms")
	query := roomstest.Query(lat, lon)
	first := c.Search(query)
	if len(first.Hotels) != 1 {
		t.Fatalf("%s", first.Text)
	}
	if err := c.Twins.Dial(roomstest.OHIP, "zero", twin.Dial{Fault: twin.Status5}); err != nil {
		t.Fatal(err)
	}
	stale := 0
	c.Eventually("it is missing", func() bool {
		began := time.Now()
		a := c.Search(query)
		switch {
		case len(a.Missing) == 1:
			if age := time.Since(first.Hotels[0].AsOf); a.Complete || len(a.Hotels) != 0 || a.Missing[0].Reason != "failed" || age < 440*time.Millisecond {
				t.Errorf("after %v: %s", age, a.Text)
			}
			return true
		case len(a.Hotels) != 1 || !a.Hotels[0].AsOf.Equal(first.Hotels[0].AsOf) || began.Sub(first.Hotels[0].AsOf) > 470*time.Millisecond:
			t.Errorf("meanwhile: %s", a.Text)
			return true
		case a.Hotels[0].State == "stale":
			stale++
			if a.Header.Get("Cache-Status") != "pms;hit;detail=stale" {
				t.Errorf("Cache-Status: %s", a.Header.Get("Cache-Status"))
			}
		}
		return false
	})
	if stale == 0 {
		t.Error("it never was stale")
	}
	if err := c.Twins.Dial(roomstest.OHIP, "zero", twin.Dial{}); err != nil {
		t.Fatal(err)
	}
	c.Eventually("it is back", func() bool { return c.Search(query).Complete })
}

// TestWhatIsStaleIsAskedForAgainBehindTheAnswer: nobody waits for it, and soon a newer answer is there.
func TestWhatIsStaleIsAskedForAgainBehindTheAnswer(t *testing.T) {
	c := cached(t, "fresh: 100ms, stale_while_revalidate: 10m, stale_if_error: 10m")
	query := roomstest.Query(lat, lon)
	first := c.Search(query).Hotels[0].AsOf
	if err := c.Twins.Dial(roomstest.OHIP, "zero", twin.Dial{LatencyMS: 300}); err != nil {
		t.Fatal(err)
	}
	stale := false
	c.Eventually("there is a newer answer", func() bool {
		a := c.Search(query)
		if len(a.Hotels) != 1 || !a.Complete {
			t.Fatalf("%s", a.Text)
		}
		h := a.Hotels[0]
		stale = stale || h.State == "stale" && h.AsOf.Equal(first)
		if strings.Contains(a.Header.Get("Server-Timing"), "offers") {
			t.Errorf("somebody waited: %s", a.Header.Get("Server-Timing"))
		}
		return h.AsOf.After(first)
	})
	if !stale {
		t.Error("it never was stale")
	}
}

// TestAHotelThatIsOnlyFoundHasNoKiosk: two journeys serve hotels, each those that have its section.
func TestAHotelThatIsOnlyFoundHasNoKiosk(t *testing.T) {
	hotels := four()[1:3]
	hotels[0].Beside = `  identity: { connector: identity, url: "http://127.0.0.1:1", secrets: { api_key: { env: OCTO_KEY } } }
  police: { connector: police, url: "http://127.0.0.1:1", secrets: { api_key: { env: OCTO_KEY } } }
settings: { kiosks: [lobby-1], keys: staff }
`
	c := roomstest.StartWith(t, checkintest.WithDoor(t, checkintest.Flows(t)[0], roomstest.Flows(t)[0]), nil, hotels...)
	if a := c.Search(roomstest.Query(lat, lon)); len(a.Hotels) != 2 {
		t.Errorf("%s", a.Text)
	}
	for hotel, want := range map[string]string{"one": "kiosk-unknown", "two": "venue-unknown"} {
		a := c.Do(flowtest.Call{Method: "POST", Path: "/v1/hotels/" + hotel + "/check-ins", Token: c.TokenOf("hangzhou", "hotel:check-in", "*"),
			Body: map[string]any{"kiosk": "cellar", "assist": "requested"}})
		if a.Problem() != want {
			t.Errorf("%s: %d %s", hotel, a.Status, a.Text)
		}
	}
}
