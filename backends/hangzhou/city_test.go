package hangzhou_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/city"
	"github.com/warmgate/warmgate/backends/hangzhou"
	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/backends/twin/twintest"
)

// TestTheSandboxHandsOverItsKeys: a client that knows the city's addresses and the files of its secrets is believed, and
// hears; after a restart of the city as well.
func TestTheSandboxHandsOverItsKeys(t *testing.T) {
	data, secrets := t.TempDir(), filepath.Join(t.TempDir(), "secrets")
	var before string
	for round := range 2 {
		town, err := city.Build(twin.Config{Seed: 7, DataDir: data}, []city.Place{{Kind: "hangzhou", Instance: lot, Location: china}}, secrets)
		if err != nil {
			t.Fatal(err)
		}
		secret := func(name string) string {
			file := filepath.Join(secrets, "hangzhou-"+lot+"."+name)
			info, err := os.Stat(file)
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v, %v", name, info, err)
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			return strings.TrimSpace(string(text)) // as the gateway reads it
		}
		c := newClient(t, town.URL("hangzhou", lot), func(c *hangzhou.Config) {
			c.PrivateKey, c.CityKey = secret("private_key"), secret("city_key")
		})
		w := world{Site: twintest.Site{City: town}, client: c, log: &log{}}
		s := w.settings()
		s.Password = secret("password")
		ear := w.listen(t, s, nil)
		a := arrival()
		a.Entry = strconv.Itoa(round)
		if err := c.Arrive(twintest.Within(t, 5*time.Second), a); err != nil {
			t.Fatal(err)
		}
		if p := ear.next(); p.Departure == nil {
			t.Errorf("push = %+v", p)
		}
		if round == 0 {
			before = town.URL("hangzhou-mqtt", lot) + secret("twin_key")
		} else if town.URL("hangzhou-mqtt", lot)+secret("twin_key") != before {
			t.Error("a restart has changed address or key")
		}
		ear.close()
		if err := town.Close(); err != nil {
			t.Error(err)
		}
	}
}
