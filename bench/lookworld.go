package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/warmgate/warmgate/backends/city"
	"github.com/warmgate/warmgate/backends/ohip"
	"github.com/warmgate/warmgate/gateway/auth"
)

const (
	lookedAt  = "lakeside" // the hotel
	lookRooms = 20         // that are ready and empty
)

// lookFlows is the section of the measured journey's plans: nothing may be known, and all may.
const lookFlows = `
  hotel-look:
    journey_budget: 10s
    machine_budget: 1500ms
    flush: 40ms
    overhead: 60ms
    lease: 3s
    steps:
      booking: { slice: 700ms, min: 20ms, attempts: 2, attempt_timeout: 340ms, backoff: 20ms }
      rooms: { slice: 700ms, min: 20ms, attempts: 2, attempt_timeout: 340ms, backoff: 20ms }
      offers: { slice: 700ms, min: 20ms, attempts: 2, attempt_timeout: 340ms, backoff: 20ms }
  hotel-look-known:
    journey_budget: 10s
    machine_budget: 1500ms
    flush: 40ms
    overhead: 60ms
    lease: 3s
    steps:
      booking: { slice: 700ms, cache: { fresh: 1h } }
      rooms: { slice: 700ms, cache: { fresh: 1h } }
      offers: { slice: 700ms, cache: { fresh: 1h } }
`

// lookVenue is the hotel's file.
const lookVenue = `id: ` + lookedAt + `
kind: looked-at-hotel
tenant: hangzhou
name: { zh: 湖畔酒店, en: Lakeside Hotel }
time_zone: Asia/Shanghai
connectors:
`

// lookWorld is a hotel whose bookings, rooms and offers are three systems, with the gateway's configuration for it.
type lookWorld struct {
	*world

	systems   *canned
	urls      [3]string // of bookings, rooms and offers
	from, to  string    // the stay that is looked for
	confirmed string    // the booking
}

var lookRoles = [3]string{"bookings", "rooms", "offers"}

// lookStep says which system a call is for.
func lookStep(method, path string) string {
	switch {
	case method != http.MethodGet:
		return "other"
	case strings.HasPrefix(path, "/rsv/"):
		return "bookings"
	case strings.HasPrefix(path, "/par/"):
		return "offers"
	}
	return "rooms"
}

// unlimited are how the shipped configuration differs: all load comes from one address and one client, so that the limits count
// it and never turn it away; and as many connections as a proof opens.
func unlimited() []edit {
	edits := []edit{{"gateway.yaml", `\n    connections: \d+`, "\n    connections: 20000"}, {"gateway.yaml", `connections_per_address: \d+`, "connections_per_address: 20000"}}
	for _, scope := range []string{"address", "principal", "venue"} {
		edits = append(edits, edit{"gateway.yaml", `scope: ` + scope + `, rate: \d+, per: 1s, burst: \d+`, "scope: " + scope + ", rate: 1000000, per: 1s, burst: 1000000"})
	}
	return edits
}

// newLookWorld builds the hotel. edits are of the gateway's file, beside those that lift the limits.
func newLookWorld(dir string, seed uint64, edits ...edit) (*lookWorld, error) {
	w := &lookWorld{world: &world{dir: dir}}
	err := w.found(seed, append(unlimited(), edits...))
	if err == nil {
		err = w.open(seed)
	}
	if err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (w *lookWorld) open(seed uint64) error {
	secret, err := city.Key(w.path("secrets"), city.Place{Kind: "ohip", Instance: lookedAt})
	if err != nil {
		return err
	}
	rooms := ohip.DefaultRooms()[:lookRooms]
	hotel, err := ohip.NewTwin(ohip.TwinConfig{HotelID: lookedAt, ClientSecret: secret, Seed: seed, Rooms: rooms, TokenLife: 24 * time.Hour})
	if err != nil {
		return err
	}
	made, err := hotel.Reserve(ohip.Want{Guests: make([]ohip.WantGuest, 2), Nights: 2})
	if err != nil {
		return err
	}
	w.confirmed, w.from, w.to = made[0].Confirmation, made[0].Arrival, made[0].Departure
	w.systems = newCanned(hotel, lookStep)
	venue := lookVenue
	for i, role := range lookRoles {
		if w.urls[i], err = w.systems.serve(); err != nil {
			return err
		}
		venue += fmt.Sprintf("  %s:\n    connector: ohip\n    url: %s\n    secrets: { client_secret: { file: %q } }\n    options: { hotel_id: %s }\n",
			role, w.urls[i], w.path("secrets/ohip-"+lookedAt), lookedAt)
	}
	if err := os.WriteFile(w.path("configs/venues/"+lookedAt+".yaml"), []byte(venue+"settings: {}\n"), 0o600); err != nil {
		return err
	}
	flows := lookFlows
	for _, n := range callsInPlan() {
		flows += manyFlow(n)
	}
	return w.edit(edit{"gateway.yaml", `\nflows:\n`, "\nflows:" + flows})
}

func (w *lookWorld) close() {
	if w.systems != nil {
		_ = w.systems.close()
	}
	w.world.close()
}

// look is the path of a look at the hotel, from the systems or from memory, up to the number of the visit: looks of different
// visits have nothing in common.
func (w *lookWorld) look(known bool) string {
	last := "look"
	if known {
		last = "known-look"
	}
	return "/v1/hotels/" + lookedAt + "/" + last + "?confirmation=" + w.confirmed + "&from=" + w.from + "&to=" + w.to + "&visit="
}

// lookTimes is the path of a look that asks for the booking n times.
func (w *lookWorld) lookTimes(n int) string {
	return strings.Replace(w.look(false), "/look?", fmt.Sprintf("/look-%d?", n), 1)
}

// manyFlow is the section of a plan that asks n times.
func manyFlow(n int) string {
	text := fmt.Sprintf("  hotel-look-%d:\n    journey_budget: 10s\n    machine_budget: 1500ms\n    flush: 40ms\n    overhead: 60ms\n    lease: 3s\n    steps:\n", n)
	for i := range n {
		text += fmt.Sprintf("      booking-%d: { slice: 700ms, min: 20ms, attempts: 2, attempt_timeout: 340ms, backoff: 20ms }\n", i+1)
	}
	return text
}

// reader returns a token that may look.
func (w *lookWorld) reader() (string, error) {
	return w.token.Mint(auth.Grant{Subject: "app", Tenant: "hangzhou", Scopes: []string{"rooms:read"}, Venues: []string{"*"}, TTL: 12 * time.Hour}, time.Now())
}

// targets are the whole addresses that the gateway has asked, in the order of the roles: what the others ask as well.
func (w *lookWorld) targets() (all [3]string, sizes [3]int, err error) {
	for i, role := range lookRoles {
		target, size := w.systems.target(role)
		if target == "" {
			return all, sizes, errors.New("the gateway has not asked " + role)
		}
		all[i], sizes[i] = w.urls[i]+target, size
	}
	return all, sizes, nil
}

// build builds a program of a module, once for each, into the run's folder.
func (r *run) build(module, path string, flags ...string) (string, error) {
	to := filepath.Join(r.dir, "programs", filepath.Base(filepath.Join(module, path)))
	if _, err := os.Stat(to); err == nil {
		return to, nil
	}
	args := append(append([]string{"build", "-trimpath", "-ldflags", "-s -w", "-o", to}, flags...), path)
	build := exec.CommandContext(r.ctx, "go", args...) //nolint:gosec // paths of our own making
	build.Dir = module
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot build %s: %w\n%s", path, err, bytes.TrimSpace(text))
	}
	return to, nil
}

// gateway starts the gateway with the measured journey.
func (w *lookWorld) gateway(r *run) (*subject, error) {
	module, err := moduleRoot()
	if err != nil {
		return nil, err
	}
	program, err := r.build(module, "./bench/look")
	if err != nil {
		return nil, err
	}
	serve, err := newChild(w.world, program)
	if err != nil {
		return nil, err
	}
	if _, err := serve.start(); err != nil {
		return nil, err
	}
	return subjectOf(serve), nil
}

// subjectOf is the gateway as something that is measured.
func subjectOf(serve *child) *subject {
	return &subject{name: "Warmgate", address: serve.api.Addr().String(), admin: serve.admin.Addr().String(), root: serve.process.Process.Pid, stop: serve.stop}
}

// moduleRoot returns the folder of the product's go.mod.
func moduleRoot() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/warmgate/warmgate").Output()
	if err != nil {
		return "", fmt.Errorf("cannot find the module: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}
