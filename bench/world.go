package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/warmgate/warmgate/backends/city"
	"github.com/warmgate/warmgate/backends/octo"
	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/configs"
	"github.com/warmgate/warmgate/gateway/auth"
)

// The venue that the proofs go through, and the one beside it in the shipped configuration.
const (
	spot   = "west-lake"
	beside = "lingyin"
)

// world is a city in this process and what a gateway in front of it needs: the shipped configuration, credentials, tokens.
type world struct {
	dir   string
	city  *twin.City
	desk  *octo.Twin // the spot's ticketing
	url   string     // where the gateway finds it
	token *auth.Issuer
}

// edit replaces what a pattern finds in a shipped file, exactly once, so that a proof says how it differs.
type edit struct{ file, old, new string }

// newWorld builds a city. behind, where it is not nil, serves the spot's desk at an address of its own.
func newWorld(dir string, seed uint64, behind func(http.Handler) (url string, err error), edits ...edit) (*world, error) {
	w := &world{dir: dir}
	if err := w.build(seed, behind, edits); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (w *world) build(seed uint64, behind func(http.Handler) (url string, err error), edits []edit) (err error) {
	if err := w.found(seed, edits, spot, beside); err != nil {
		return err
	}
	if w.desk, err = w.addDesk(spot, seed); err != nil {
		return err
	}
	if _, err := w.addDesk(beside, seed); err != nil {
		return err
	}
	w.url = w.city.URL("octo", spot)
	if behind != nil {
		w.url, err = behind(w.desk)
	}
	return err
}

// found writes the shipped configuration, of its venues those that will have a twin here, and opens a city without twins.
func (w *world) found(seed uint64, edits []edit, venues ...string) (err error) {
	if err := configs.Write(w.path("configs")); err != nil {
		return err
	}
	if err := w.keep(venues); err != nil {
		return err
	}
	for _, e := range edits {
		if err := w.edit(e); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(w.path("tokens"), 0o700); err != nil {
		return err
	}
	if w.token, err = auth.NewIssuer(w.path("tokens"), "warmgate-development", "warmgate"); err != nil {
		return err
	}
	w.city, err = twin.NewCity(twin.Config{Seed: seed})
	return err
}

// keep leaves these of the shipped venues.
func (w *world) keep(venues []string) error {
	files, err := filepath.Glob(w.path("configs/venues/*.yaml"))
	for _, f := range files {
		if !slices.Contains(venues, strings.TrimSuffix(filepath.Base(f), ".yaml")) {
			err = errors.Join(err, os.Remove(f))
		}
	}
	return err
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

func (w *world) edit(e edit) error {
	name := filepath.Join(w.path("configs"), filepath.FromSlash(e.file))
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	old := regexp.MustCompile(e.old)
	if n := len(old.FindAllIndex(text, -1)); n != 1 {
		return fmt.Errorf("cannot change the shipped %s: %q is there %d times, not once", e.file, e.old, n)
	}
	return os.WriteFile(name, old.ReplaceAll(text, []byte(e.new)), 0o600) //nolint:gosec // below the folder of this run
}

func (w *world) addDesk(venue string, seed uint64) (*octo.Twin, error) {
	key, err := city.Key(w.path("secrets"), city.Place{Kind: "octo", Instance: venue})
	if err != nil {
		return nil, err
	}
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		return nil, err
	}
	desk, err := octo.NewTwin(octo.TwinConfig{Supplier: venue, APIKey: key, Seed: seed, Location: zone})
	if err != nil {
		return nil, err
	}
	return desk, w.city.Add("octo", venue, desk)
}

func (w *world) close() {
	if w.city != nil {
		_ = w.city.Close()
	}
}

// env is what the shipped configuration reads from the environment.
func (w *world) env() map[string]string {
	return map[string]string{
		"WARMGATE_OHIP_TOWN": w.city.URL("ohip", "town"), // none but where there are thousands of hotels
		"WARMGATE_LISTEN":    "127.0.0.1:0", "WARMGATE_ADMIN": "127.0.0.1:0", "WARMGATE_DATA": w.path("data"),
		"WARMGATE_TOKEN_KEYS": w.token.KeysFile(), "WARMGATE_SECRETS": w.path("secrets"),
		"WARMGATE_OCTO_WEST_LAKE": w.url, "WARMGATE_OCTO_LINGYIN": w.city.URL("octo", beside), // none where hotels are
	}
}

// mint returns a token of the city's tenant for every venue.
func (w *world) mint(subject string, scopes ...string) (string, error) {
	return w.token.Mint(auth.Grant{Subject: subject, Tenant: "hangzhou", Scopes: scopes, Venues: []string{"*"}, TTL: 12 * time.Hour}, time.Now())
}

// issue makes n tickets for today, each for so many people.
func (w *world) issue(n, people int) ([]octo.Made, error) {
	var all []octo.Made
	for len(all) < n {
		made, err := w.desk.Issue(octo.Want{Count: min(n-len(all), 10_000), Units: people})
		if err != nil {
			return nil, err
		}
		all = append(all, made...)
	}
	return all, nil
}

// shown is what the visitors of a booking hold to the gate: their ticket's code, or the voucher for all of them.
func shown(m octo.Made) string {
	if len(m.Units) == 1 {
		return m.Units[0].Code
	}
	return m.Code
}

// booksOf reads the books of a kind of twins, by instance, from outside: at the city's address.
func booksOf[B any](w *world, kind string) (all map[string]B, err error) {
	res, err := http.Get(w.city.Address() + "/books/" + kind)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	return all, json.Unmarshal(text, &all)
}

// books reads what ticketing has redeemed, by unit.
func (w *world) books() (map[string]octo.TwinRedemption, error) {
	all, err := booksOf[octo.TwinBooks](w, "octo")
	if err != nil {
		return nil, err
	}
	by := map[string]octo.TwinRedemption{}
	for _, r := range all[spot].Redemptions {
		by[r.UnitUUID] = r
	}
	return by, nil
}

// listen opens an address of the loopback interface.
func listen() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }
