package serve

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/config"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/redis"
	"github.com/warmgate/warmgate/gateway/sockets"
)

// Generation is one state of the configuration that holds: every plan proved, every venue bound. It is immutable.
type Generation struct {
	Config Config
	Proofs []journey.Proof // in the order of the flows' plans

	venues map[string]*venue
	files  map[string]*venue // the same, by their files
	adopt  []func(*journey.Engine)
	redis  redis.Credentials
	read   [sha256.Size]byte // the fingerprint of its files
}

// venue is one venue of a generation.
type venue struct {
	*gateway.Venue
	from      source
	digest    [sha256.Size]byte   // of from and the credentials
	usual     call.InstanceConfig // what the gateway's file said of instances
	bindings  *call.Bindings
	instances []*call.Instance
	reached   []reached // those of them that are outside systems
	close     []func()
}

// loader reads generations.
type loader struct {
	path   string // of the gateway's file
	flows  []*flow.Flow
	env    func(string) (string, bool)
	logger *slog.Logger
	ledger *ledger.Ledger            // nil: nothing will be called
	shut   bool                      // credentials stay unread
	zones  map[string]*time.Location // of this generation so far: each is a file of the system's

	sockets *sockets.Share // all connections; made with the first generation
	secrets secretFiles    // of this generation so far
	common  flow.Common    // what connections share, of all generations
}

// secretFiles are what files of credentials hold, each read once: thousands of venues may share one.
type secretFiles struct {
	mu   sync.Mutex
	read map[string]func() ([]byte, error)
}

// text returns what a file holds.
func (s *secretFiles) text(path string) ([]byte, error) {
	s.mu.Lock()
	read := s.read[path]
	if read == nil {
		read = sync.OnceValues(func() ([]byte, error) { return os.ReadFile(path) })
		s.read[path] = read
	}
	s.mu.Unlock()
	return read()
}

// forget has every file read again.
func (s *secretFiles) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read = map[string]func() ([]byte, error){}
}

// Check reads the configuration at path and proves it, without opening anything. Credentials are read only if asked for:
// the machine that checks seldom has them.
func Check(path string, flows []*flow.Flow, env func(string) (string, bool), credentials bool) (*Generation, error) {
	l := &loader{path: path, flows: flows, env: env, logger: slog.New(slog.DiscardHandler), shut: !credentials}
	g, err := l.load(nil, &seen{})
	if err == nil {
		g.closeAll(nil)
	}
	return g, err
}

// load reads a new generation. Venues whose files are what they were in old are taken over, breakers and connections and
// all. Every mistake of every file is reported. What the files held is left in seen.
func (l *loader) load(old *Generation, seen *seen) (*Generation, error) {
	l.zones = map[string]*time.Location{}
	l.secrets.forget()
	text, err := seen.read(l.path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the configuration: %w", err)
	}
	f, err := config.Read(l.path, text, l.env)
	if err != nil {
		return nil, err
	}
	g := &Generation{venues: map[string]*venue{}, files: map[string]*venue{}, Config: defaults()}
	err = f.Decode(&g.Config)
	if err == nil {
		l.resolve(&g.Config)
		err = config.Join(g.Config.validate(f), l.prove(g, f), l.readRedis(g, f))
	}
	names, missing := seen.list(l, &g.Config)
	if err == nil {
		err = missing
	}
	if l.sockets == nil {
		l.sockets = sockets.New(max(g.Config.Sockets, 1))
	}
	if err = config.Join(err, l.loadVenues(names, g, old, seen)); err != nil {
		g.closeAll(old)
		return nil, err
	}
	g.read = l.fingerprint(&g.Config, seen)
	return g, nil
}

// prove holds every plan of every flow against its section.
func (l *loader) prove(g *Generation, f *config.File) error {
	var errs []error
	known := map[string]bool{}
	for _, flow := range l.flows {
		for _, plan := range flow.Plans {
			known[plan.Name()] = true
			timing, there := g.Config.Flows[plan.Name()]
			if !there {
				errs = append(errs, f.Place("flows", &gateway.FieldError{Path: plan.Name(), Message: "plan " + plan.Name() + " has no section"}))
				continue
			}
			proof, adopt, err := plan.Prove(timing)
			if err != nil {
				errs = append(errs, f.Place("flows."+plan.Name(), err))
				continue
			}
			g.Proofs = append(g.Proofs, proof)
			g.adopt = append(g.adopt, adopt)
		}
	}
	for name := range g.Config.Flows {
		if !known[name] {
			errs = append(errs, f.Place("flows", &gateway.FieldError{Path: name, Message: "there is no plan of this name"}))
		}
	}
	return errors.Join(errs...)
}

func (l *loader) loadVenues(names []string, g, old *Generation, seen *seen) error {
	if old == nil {
		defer roomy(len(names))()
	}
	var errs []error
	for name, read := range l.ahead(names, g, old) {
		seen.add(name, sum{read.from.raw, read.unread})
		v, err := l.loadVenue(read, g, old)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if twin := g.venues[v.ID]; twin != nil {
			errs = append(errs, &config.Mistake{File: name, Message: fmt.Sprintf("venue %s is there twice", v.ID)})
			if old == nil || old.venues[v.ID] != v {
				v.release()
			}
			continue
		}
		g.venues[v.ID], g.files[name] = v, v
	}
	return errors.Join(errs...)
}

// beside returns a path of the gateway's file, which is relative to the file.
func (l *loader) beside(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(l.path), path)
}

// resolve makes the paths of files absolute or relative to where the process stands.
func (l *loader) resolve(c *Config) {
	tls := &c.Redis.TLS
	for _, path := range []*string{&c.Auth.RevocationsFile, &c.Edge.Front.TLS.Certificate, &c.Edge.Front.TLS.Key,
		&tls.Authority, &tls.Certificate, &tls.Key} {
		if *path != "" {
			*path = l.beside(*path)
		}
	}
	for i := range c.Auth.Issuers {
		if path := &c.Auth.Issuers[i].KeysFile; *path != "" {
			*path = l.beside(*path)
		}
	}
}

// readSecrets reads every credential of a venue; none of them is ever in an error.
func (l *loader) readSecrets(f *config.File, file *venueFile) (map[string]map[string]string, error) {
	all := map[string]map[string]string{}
	var wrong []error
	for _, w := range file.wanted() {
		value, err := l.readSecret(w.at)
		if err != nil {
			wrong = append(wrong, f.Place("connectors."+w.role+".secrets."+w.name, err))
		}
		put(all, w.role, w.name, value)
	}
	return all, errors.Join(wrong...)
}

// wanted lists the credentials of a venue.
func (file *venueFile) wanted() []wanted {
	var all []wanted
	for role, c := range file.Connectors {
		for name, at := range c.Secrets {
			all = append(all, wanted{role: role, name: name, at: at})
		}
	}
	return all
}

// readRedis reads the credentials of Redis, where there are any.
func (l *loader) readRedis(g *Generation, f *config.File) error {
	var wrong []error
	for name, to := range map[string]struct {
		from secret
		into *string
	}{
		"password":          {g.Config.Redis.Password, &g.redis.Password},
		"sentinel_password": {g.Config.Redis.SentinelPassword, &g.redis.SentinelPassword},
	} {
		if to.from == (secret{}) || !g.Config.Redis.Enabled() {
			continue
		}
		value, err := l.readSecret(to.from)
		if err != nil {
			wrong = append(wrong, f.Place("redis."+name, err))
		}
		*to.into = value
	}
	return errors.Join(wrong...)
}

func (l *loader) readSecret(s secret) (string, error) {
	if (s.Env == "") == (s.File == "") {
		return "", &gateway.FieldError{Message: "needs exactly one of env and file"}
	}
	if l.shut {
		return "unread", nil
	}
	if s.Env != "" {
		value, there := l.env(s.Env)
		if !there || value == "" {
			return "", &gateway.FieldError{Path: "env", Message: "the environment has no " + s.Env}
		}
		return value, nil
	}
	text, err := l.secrets.text(l.beside(s.File))
	if err != nil {
		return "", &gateway.FieldError{Path: "file", Message: "cannot be read"}
	}
	return strings.TrimSpace(string(text)), nil
}

// release ends what the venue holds open.
func (v *venue) release() {
	for _, stop := range v.close {
		stop()
	}
}

// closers are what ends everything that venues hold open which kept, or nil, does not share.
func (g *Generation) closers(kept *Generation) (all []func()) {
	for id, v := range g.venues {
		if kept == nil || kept.venues[id] != v {
			all = append(all, v.close...)
		}
	}
	return all
}

// closeAll releases every venue that kept does not share.
func (g *Generation) closeAll(kept *Generation) {
	for _, stop := range g.closers(kept) {
		stop()
	}
}

func isSlug(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
