// Package twin is what the sandbox's twins share: a city of backends that speak their protocols over real sockets, with
// dials for latency and faults, books of what each of them believes has happened, and the city's own HTTP address.
//
// Every twin instance has a listener of its own, so that a refused connection is refused by the kernel. A twin is driven
// from a test through City, or from outside over the city's address:
//
//	GET  /twins                       the base URL of every instance
//	GET  /dials                       every dial as it stands
//	PUT  /dials/{backend}/{instance}  sets a Dial; {} clears it; instance "*" is all that have none of their own
//	GET  /books/{backend}             what the instances believe has happened
//	POST /make/{backend}/{instance}   lets the twin make something (a ticket); body and answer are the twin's own
//
// A twin that speaks another protocol as well (a Speaker: a broker) has a second address, which is listed and dialled under a
// kind of its own.
//
// Books and whatever else a twin knows survive a restart when a data folder is given: they are written at the end, after
// every make, and behind the answers every few seconds. A city that is killed may therefore forget its last seconds; it
// is the outside record for tests that kill the gateway, not one that is killed itself.
//
// The city trusts whoever can reach it. It belongs on the loopback interface and holds nobody's real data.
package twin

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"time"
)

// Backend is a twin of one outside system at one instance. All methods are safe for concurrent use. One that does something
// on its own is an io.Closer too: the city closes it after its last request and before its last Save.
type Backend interface {
	http.Handler
	// Books returns what the twin believes has happened, ready for JSON.
	Books() any
	// Make makes something new of the twin's own kind, as want (JSON) says, and returns what was made, ready for JSON.
	// An error is the caller's mistake and is shown to them.
	Make(want []byte) (any, error)
	// Changes grows whenever something that Save would write has changed.
	Changes() uint64
	// Save returns all that the twin knows; Restore takes it up again before the first request.
	Save() ([]byte, error)
	Restore(state []byte) error
}

// Troubled is a Backend that stands for many systems behind one address, some of which fail by themselves: where the dial says
// nothing about a request, Trouble does, by its path. It is safe for concurrent use.
type Troubled interface {
	Backend
	Trouble(path string) Dial
}

// Config says how a city is built.
type Config struct {
	Seed    uint64       // of the chance in Dial.Rate
	Listen  string       // the city's own address; "" is "127.0.0.1:0". Instances listen on the same host
	Socket  net.Listener // one that listens already, in place of Listen; nil: none
	DataDir string       // where the twins' knowledge is kept, mode 0600; "" keeps nothing
	Logger  *slog.Logger // nil: silent
}

// City runs the twins. It is safe for concurrent use.
type City struct {
	cfg     Config
	host    string
	log     *slog.Logger
	control *http.Server
	addr    string
	closed  chan struct{}
	tasks   sync.WaitGroup

	mu        sync.Mutex
	instances map[string]map[string]*instance
	doors     map[string]map[string]door // the addresses of them all, by kind, those of Speakers among them
	dials     map[string]map[string]Dial
	stopped   bool
	ports     map[string]int // "kind/instance" to the port it had, so that addresses survive a restart
}

// NewCity opens the city's address and serves it until Close.
func NewCity(cfg Config) (*City, error) {
	if cfg.Socket != nil {
		cfg.Listen = cfg.Socket.Addr().String()
	}
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	host, _, err := net.SplitHostPort(cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("cannot use city address %q: %w", cfg.Listen, err)
	}
	c := &City{cfg: cfg, host: host, log: cfg.Logger, closed: make(chan struct{}),
		instances: map[string]map[string]*instance{}, doors: map[string]map[string]door{}, dials: map[string]map[string]Dial{}, ports: map[string]int{}}
	if err := c.readPorts(); err != nil {
		return nil, err
	}
	l := cfg.Socket
	if l == nil {
		if l, err = net.Listen("tcp", cfg.Listen); err != nil {
			return nil, fmt.Errorf("cannot open the city: %w", err)
		}
	}
	c.addr = l.Addr().String()
	c.control = &http.Server{Handler: c.routes(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		ErrorLog: silent()}
	c.tasks.Go(func() { _ = c.control.Serve(l) })
	c.tasks.Go(c.saveBehind)
	return c, nil
}

// Address returns the base URL of the city itself.
func (c *City) Address() string { return "http://" + c.addr }

var nameShape = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// Add gives a twin an address and starts serving it. kind is the backend's name, instance usually a venue's id: lower-case
// letters, digits and dashes. What the twin knew before is restored first.
func (c *City) Add(kind, name string, b Backend) error {
	if !nameShape.MatchString(kind) || !nameShape.MatchString(name) {
		return fmt.Errorf("cannot add twin %q %q: want lower-case letters, digits and dashes", kind, name)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.stopped:
		return errors.New("cannot add a twin: the city is closed")
	case c.instances[kind][name] != nil:
		return fmt.Errorf("cannot add twin %s/%s: it is there already", kind, name)
	}
	if err := c.restore(kind, name, b); err != nil {
		return err
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(kind + "/" + name))
	i := newInstance(b, rand.New(rand.NewPCG(c.cfg.Seed, h.Sum64())), c.closed)
	i.saved = b.Changes()
	if err := c.open(kind, name, i); err != nil {
		return err
	}
	if c.instances[kind] == nil {
		c.instances[kind] = map[string]*instance{}
	}
	c.instances[kind][name] = i
	if s, ok := b.(Speaker); ok {
		if err := c.open(kind+"-"+s.Protocol(), name, newSocket(s, rand.New(rand.NewPCG(c.cfg.Seed, h.Sum64()+1)), c.closed)); err != nil {
			return err
		}
	}
	return c.writePorts()
}

// door is one address of a twin.
type door interface {
	bind(host string, port int) (int, error)
	url() string
	set(d Dial) error
	stop()
}

// open gives a door its port. The caller holds mu.
func (c *City) open(kind, name string, d door) error {
	port, err := d.bind(c.host, c.ports[kind+"/"+name])
	if err != nil {
		return fmt.Errorf("cannot add twin %s/%s: %w", kind, name, err)
	}
	if c.doors[kind] == nil {
		c.doors[kind], c.dials[kind] = map[string]door{}, map[string]Dial{}
	}
	c.doors[kind][name], c.ports[kind+"/"+name] = d, port
	return d.set(c.effective(kind, name))
}

// URL returns the base URL of an instance, without a slash at the end; "" if there is no such instance. The kind of a
// Speaker's second address is KIND-PROTOCOL.
func (c *City) URL(kind, name string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := c.doors[kind][name]
	if d == nil {
		return ""
	}
	return d.url()
}

// URLs returns every address, by kind and instance.
func (c *City) URLs() map[string]map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string]map[string]string{}
	for kind, all := range c.doors {
		out[kind] = map[string]string{}
		for name, d := range all {
			out[kind][name] = d.url()
		}
	}
	return out
}

// errNoTwin is what control answers with 404.
var errNoTwin = errors.New("there is no such twin")

// Dial sets the dial of an instance, or of all instances of a kind that have none of their own (name "*"). The zero Dial
// clears. It holds for every request that arrives after Dial returns; whoever hangs under the old dial is cut off.
func (c *City) Dial(kind, name string, d Dial) error {
	if err := d.Check(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.doors[kind] == nil || (name != "*" && c.doors[kind][name] == nil) {
		return fmt.Errorf("%w: %s/%s", errNoTwin, kind, name)
	}
	if d == (Dial{}) {
		delete(c.dials[kind], name)
	} else {
		c.dials[kind][name] = d
	}
	for each, door := range c.doors[kind] {
		if err := door.set(c.effective(kind, each)); err != nil {
			return err
		}
	}
	return nil
}

func (c *City) effective(kind, name string) Dial {
	if d, ok := c.dials[kind][name]; ok {
		return d
	}
	return c.dials[kind]["*"]
}

// Books returns what the instances of a kind believe has happened, by instance; nil if there are none.
func (c *City) Books(kind string) map[string]any {
	c.mu.Lock()
	all := maps.Clone(c.instances[kind])
	c.mu.Unlock()
	if all == nil {
		return nil
	}
	books := make(map[string]any, len(all))
	for name, i := range all {
		books[name] = i.backend.Books()
	}
	return books
}

// Close cuts every connection, writes down what the twins know and ends the city. It may be called more than once.
func (c *City) Close() error {
	c.mu.Lock()
	if c.stopped {
		c.mu.Unlock()
		return nil
	}
	c.stopped = true
	all := c.everyDoor()
	c.mu.Unlock()
	close(c.closed)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if c.control.Shutdown(ctx) != nil {
		_ = c.control.Close()
	}
	for _, d := range all {
		d.stop()
	}
	c.tasks.Wait()
	return c.saveAll()
}

// everyDoor returns the doors in a stable order. The caller holds mu.
func (c *City) everyDoor() []door {
	var all []door
	for _, kind := range slices.Sorted(maps.Keys(c.doors)) {
		for _, name := range slices.Sorted(maps.Keys(c.doors[kind])) {
			all = append(all, c.doors[kind][name])
		}
	}
	return all
}
