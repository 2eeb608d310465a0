package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const tailEach = 1000 // requests of a subject in each round

// contest is the gateway and who does the same work, all of them up: three reads of a hotel in one answer.
type contest struct {
	run            *run
	world          *lookWorld
	gateway        *subject
	spliced        *subject // the floor
	nethttp, caddy *subject
	lua            *subject // nginx
	asks           work
}

// provesFloors measures the gateway against its floor alone: what continuous integration can hold.
func provesFloors(r *run) error { return measureContest(r, false) }

// provesPeers measures the gateway against its floor and against what else could do its work.
func provesPeers(r *run) error { return measureContest(r, true) }

func measureContest(r *run, peers bool) (err error) {
	b := &contest{run: r}
	defer func() { err = errors.Join(err, b.stop()) }()
	if err := b.start(); err != nil {
		return err
	}
	if peers {
		if err := b.startPeers(); err != nil {
			return err
		}
	}
	if err := b.compare(); err != nil {
		return err
	}
	return b.take()
}

func (b *contest) stop() error {
	err := stopAll(b.lua, b.caddy, b.nethttp, b.spliced, b.gateway)
	if b.world != nil {
		b.world.close()
	}
	return err
}

// start starts the gateway, has it ask the systems, and starts the floor.
func (b *contest) start() (err error) {
	if b.world, err = newLookWorld(b.run.dir, b.run.seed); err != nil {
		return err
	}
	if b.gateway, err = b.world.gateway(b.run); err != nil {
		return err
	}
	token, err := b.world.reader()
	if err != nil {
		return err
	}
	b.asks = work{title: "Three Asks, none of them known", target: target{b.world.look(false), token, true}}
	if _, err := newDriver(b.gateway, b.asks.target).once(); err != nil {
		return fmt.Errorf("the gateway: %w", err)
	}
	targets, sizes, err := b.world.targets()
	if err != nil {
		return err
	}
	b.run.report.note("bytes of what bookings, rooms and offers answer", "%d, %d, %d", sizes[0], sizes[1], sizes[2])
	module, err := moduleRoot()
	if err != nil {
		return err
	}
	program, err := b.run.build(module, "./bench/composite")
	if err != nil {
		return err
	}
	if b.spliced, err = startSubject(b.run, "fasthttp composite", program, targets[:]...); err != nil {
		return err
	}
	b.asks.floor, b.asks.rest = b.spliced, []*subject{b.gateway}
	return nil
}

// peerTags leave out what Caddy has for its certificates, which nobody asks of it here, and a licence that is not permissive.
const peerTags = "nobadger,nomysql,nopgx"

// startPeers starts the others. One that is not there, or does not come up, is left out, and the report says so.
func (b *contest) startPeers() error {
	module, err := moduleRoot()
	if err != nil {
		return err
	}
	targets, _, err := b.world.targets()
	if err != nil {
		return err
	}
	var args []string
	var systems []system
	for i, url := range targets {
		args, systems = append(args, lookRoles[i], url), append(systems, system{lookRoles[i], url})
	}
	ours := func(name, kind string) (*subject, error) {
		program, err := b.run.build(filepath.Join(module, "bench", "peers"), ".", "-tags", peerTags)
		if err != nil {
			return nil, err
		}
		return startSubject(b.run, name, program, append([]string{kind}, args...)...)
	}
	for _, one := range []struct {
		name  string
		into  **subject
		start func(name string) (*subject, error)
	}{
		{"net/http + errgroup", &b.nethttp, func(name string) (*subject, error) { return ours(name, "nethttp") }},
		{"Caddy", &b.caddy, func(name string) (*subject, error) { return ours(name, "caddy") }},
		{"nginx with Lua", &b.lua, func(name string) (*subject, error) { return startNginxLua(b.run, name, systems) }},
	} {
		s, err := one.start(one.name)
		if err == nil {
			if err = sameMerged(b.gateway, s, b.asks.target); err != nil {
				err = errors.Join(err, s.stop())
			}
		}
		if err != nil {
			b.run.report.absent(one.name, err)
			continue
		}
		*one.into, b.asks.rest = s, append(b.asks.rest, s)
	}
	b.run.report.version("nginx", "nginx", "-v")
	b.run.report.version("Caddy", "go", "-C", filepath.Join(module, "bench", "peers"), "list", "-m", "github.com/caddyserver/caddy/v2")
	return nil
}

// compare looks at what the gateway and the floor answer before anything is measured; the peers' answers are held against the
// gateway's, member for member, when they start. The floor, which splices, has to hold whole documents.
func (b *contest) compare() error {
	body, err := newDriver(b.gateway, b.asks.target).once()
	if err != nil {
		return fmt.Errorf("%s: %w", b.gateway.name, err)
	}
	var said struct {
		Booking struct {
			Confirmation string `json:"confirmation"`
		} `json:"booking"`
		Rooms   []jsontext.Value `json:"rooms"`
		Offers  []jsontext.Value `json:"offers"`
		Sources []struct {
			State string `json:"state"`
		} `json:"sources"`
	}
	if err := json.Unmarshal(body, &said); err != nil {
		return fmt.Errorf("%s: %w", b.gateway.name, err)
	}
	live := 0
	for _, s := range said.Sources {
		if s.State == "live" {
			live++
		}
	}
	if said.Booking.Confirmation != b.world.confirmed || len(said.Rooms) != lookRooms || len(said.Offers) == 0 || live != len(lookRoles) {
		return fmt.Errorf("%s does not say what its systems said: %s", b.gateway.name, body)
	}
	var parts []jsontext.Value
	if body, err = newDriver(b.spliced, b.asks.target).once(); err == nil {
		err = json.Unmarshal(body, &parts)
	}
	if err == nil && len(parts) != len(lookRoles) {
		err = fmt.Errorf("it answers %d documents", len(parts))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", b.spliced.name, err)
	}
	return nil
}

// sameMerged asks both and compares what they say but for the moments, which only have to be of now.
func sameMerged(a, b *subject, t target) error {
	var said [2]map[string]any
	for i, s := range []*subject{a, b} {
		body, err := newDriver(s, t).once()
		if err == nil {
			err = json.Unmarshal(body, &said[i])
		}
		if err == nil {
			err = timeless(said[i])
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	if !reflect.DeepEqual(said[0], said[1]) {
		return fmt.Errorf("%s and %s answer differently:\n%v\n%v", a.name, b.name, said[0], said[1])
	}
	return nil
}

// timeless takes the moments out of an answer's sources, and puts these in order: they come as they landed.
func timeless(said map[string]any) error {
	all, _ := said["sources"].([]any)
	for _, s := range all {
		source, _ := s.(map[string]any)
		text, _ := source["as_of"].(string)
		when, err := time.Parse(time.RFC3339, text)
		if err != nil || time.Since(when).Abs() > time.Minute {
			return fmt.Errorf("a source is as of %q", text)
		}
		delete(source, "as_of")
	}
	slices.SortFunc(all, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return nil
}
