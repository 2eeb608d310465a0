package serve

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/auth"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/limit"
)

// grace is how long what a reload has replaced stays open for the requests that began with it: longer than any budget.
const grace = time.Minute

// settle is how long the files must be quiet before they are read again: an editor writes several times.
const settle = 200 * time.Millisecond

// Reload reads the configuration again. The new generation takes over as a whole, or not at all: an error changes
// nothing. A request in flight ends on the generation that it began with.
func (g *Gateway) Reload() error {
	g.reload.Lock()
	defer g.reload.Unlock()
	old, seen := g.current.Load(), &seen{}
	next, err := g.prepare(old, seen)
	if err != nil {
		g.read = g.loader.fingerprint(&old.Config, seen)
		g.reloads.WithLabelValues("refused").Inc()
		return fmt.Errorf("cannot take the new configuration, the old one holds: %w", err)
	}
	g.limiter.replace(next.Config.Limit, g.opts.Now())
	g.read = next.read
	g.replace(old, next)
	g.sayFixed(&next.Config)
	g.reloads.WithLabelValues("taken").Inc()
	g.retire(old, next)
	return nil
}

// prepare proves a new generation with all that it needs. Only the last step changes something, and it does so as a
// whole or not at all.
func (g *Gateway) prepare(old *Generation, seen *seen) (next *Generation, err error) {
	if next, err = g.loader.load(old, seen); err != nil {
		return nil, err
	}
	if files := g.started.Edge.Front.TLS; files.Enabled() {
		if _, err = tls.LoadX509KeyPair(files.Certificate, files.Key); err != nil {
			err = fmt.Errorf("cannot load the TLS certificate: %w", err)
		}
	}
	if err == nil {
		err = g.tokens.replace(next.Config.Auth)
	}
	if err == nil && g.started.Edge.Front.TLS.Enabled() {
		err = g.edge.Front().Reload()
	}
	if err != nil {
		next.closeAll(old)
		return nil, err
	}
	return next, nil
}

// retire closes what next does not share with old, once nobody can be using it any more. Only what closes it is kept until
// then, not thousands of venues.
func (g *Gateway) retire(old, next *Generation) {
	stops := old.closers(next)
	g.behind.Go(func() {
		select {
		case <-g.life.Done():
		case <-time.After(grace):
		}
		for _, stop := range stops {
			stop()
		}
	})
}

// take makes a generation the current one.
func (g *Gateway) take(next *Generation) {
	for _, adopt := range next.adopt {
		adopt(g.engine)
	}
	for _, f := range g.opts.Flows {
		if f.Venues != nil && f.Venues.Taken != nil {
			f.Venues.Taken(next.servedBy(f.Venues))
		}
	}
	g.current.Store(next)
}

// servedBy returns the venues that a flow serves, in the order of their ids.
func (g *Generation) servedBy(kind *flow.VenueKind) (all []*gateway.Venue) {
	for _, v := range g.venues {
		if v.Kind == kind.Kind && v.Section(kind.SectionName()) != nil {
			all = append(all, v.Venue)
		}
	}
	slices.SortFunc(all, func(a, b *gateway.Venue) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// sayFixed logs what the new file says and only a restart can do.
func (g *Gateway) sayFixed(next *Config) {
	old := &g.started
	for name, changed := range map[string]bool{
		"listen": old.Listen != next.Listen, "admin": old.Admin != next.Admin, "data": old.Data != next.Data,
		"edge":   !reflect.DeepEqual(old.Edge, next.Edge),
		"ledger": !reflect.DeepEqual(old.Ledger, next.Ledger), "outbox": old.Outbox != next.Outbox,
		"cache": old.Cache != next.Cache, "sockets": old.Sockets != next.Sockets, "redis": !reflect.DeepEqual(old.Redis, next.Redis), "limit.gate": old.Limit.Gate != next.Limit.Gate,
	} {
		if changed {
			g.opts.Logger.Warn("this change needs a restart", "section", name)
		}
	}
}

// Watch reads the configuration again whenever the gateway's file or one of the venues' has changed, and with all files
// that they name at each signal of hangUp (SIGHUP; nil: none), until ctx ends. Where files cannot be watched it says so,
// and the signal still works.
func (g *Gateway) Watch(ctx context.Context, hangUp <-chan os.Signal) {
	f := g.watchFiles()
	defer f.close()
	quiet := time.NewTimer(settle) // what changed since it was read is found at once
	defer quiet.Stop()
	for {
		f.follow(filepath.Dir(g.loader.path), g.loader.beside(g.Config().Venues)) // a reload may name another folder
		select {
		case <-ctx.Done():
			return
		case e := <-f.events:
			if !e.Has(fsnotify.Chmod) {
				quiet.Reset(settle)
			}
		case err := <-f.errors:
			g.opts.Logger.Warn("an event about the configuration's files was lost", "error", err)
			quiet.Reset(settle)
		case <-quiet.C:
			if g.changed() {
				g.reloadAndSay("the files changed")
				quiet.Reset(settle) // what changes between the reading and the watching of a new folder tells of nothing
			}
		case <-hangUp:
			g.reloadAndSay("SIGHUP")
			quiet.Reset(settle)
		}
	}
}

// files are the folders that are watched.
type files struct {
	watcher *fsnotify.Watcher // nil: the system gives none
	events  chan fsnotify.Event
	errors  chan error
	logger  *slog.Logger
	failing map[string]bool
}

func (g *Gateway) watchFiles() *files {
	f := &files{logger: g.opts.Logger, failing: map[string]bool{}}
	w, err := fsnotify.NewWatcher()
	if err != nil {
		f.logger.Warn("cannot watch the configuration; SIGHUP reads it again", "error", err)
		return f
	}
	f.watcher, f.events, f.errors = w, w.Events, w.Errors
	return f
}

// follow watches folders, those that it watches already included: one that was made anew is another.
func (f *files) follow(folders ...string) {
	if f.watcher == nil {
		return
	}
	for _, folder := range folders {
		err := f.watcher.Add(folder)
		if err != nil && !f.failing[folder] {
			f.logger.Warn("cannot watch a folder of the configuration; SIGHUP reads it again", "folder", folder, "error", err)
		}
		f.failing[folder] = err != nil
	}
}

func (f *files) close() {
	if f.watcher != nil {
		_ = f.watcher.Close()
	}
}

// changed reports whether the files differ from those that were read last: an event may be about another file, or the
// folder of a mounted configuration may have been swapped as a whole.
func (g *Gateway) changed() bool {
	g.reload.Lock()
	defer g.reload.Unlock()
	return g.loader.fingerprint(&g.current.Load().Config, &seen{}) != g.read
}

// reloadAndSay is Reload for those who cannot be answered.
func (g *Gateway) reloadAndSay(why string) {
	if err := g.Reload(); err != nil {
		g.opts.Logger.Error("the configuration was not taken", "why", why, "error", err)
		return
	}
	g.opts.Logger.Info("the configuration was taken", "why", why)
}

// liveLimiter counts against the newest policies.
type liveLimiter struct {
	cfg     limit.Config
	hash    limit.Hasher // nil: nobody else counts
	current atomic.Pointer[limit.Limiter]
}

func newLiveLimiter(c limit.Config, now time.Time, hash limit.Hasher) *liveLimiter {
	l := &liveLimiter{cfg: c, hash: hash}
	l.current.Store(l.make(now))
	return l
}

func (l *liveLimiter) make(now time.Time) *limit.Limiter {
	if l.hash == nil {
		return limit.New(l.cfg, now)
	}
	return limit.NewShared(l.cfg, now, l.hash)
}

// replace keeps the counts where the policies are what they were.
func (l *liveLimiter) replace(c limit.Config, now time.Time) {
	if reflect.DeepEqual(l.cfg, c) {
		return
	}
	l.cfg = c
	l.current.Store(l.make(now))
}

// Take counts a request.
func (l *liveLimiter) Take(who limit.Who, now time.Time) limit.Decision {
	return l.current.Load().Take(who, now)
}

// PolicyHeader returns the policies in words.
func (l *liveLimiter) PolicyHeader() string { return l.current.Load().PolicyHeader() }

// liveVerifier verifies by the newest issuers.
type liveVerifier struct {
	cfg     auth.Config
	logger  *slog.Logger
	now     func() time.Time
	current atomic.Pointer[auth.Verifier]
}

func newLiveVerifier(c auth.Config, logger *slog.Logger, now func() time.Time) (*liveVerifier, error) {
	v, err := auth.New(c, logger, now())
	if err != nil {
		return nil, err
	}
	l := &liveVerifier{cfg: c, logger: logger, now: now}
	l.current.Store(v)
	return l, nil
}

// replace reads keys and revocations again, or begins anew where the issuers have changed.
func (l *liveVerifier) replace(c auth.Config) error {
	if reflect.DeepEqual(l.cfg, c) {
		return l.current.Load().Reload()
	}
	v, err := auth.New(c, l.logger, l.now())
	if err != nil {
		return err
	}
	old := l.current.Swap(v)
	l.cfg = c
	old.Close() // ends its refreshes; who is verifying goes on
	return nil
}

// Verify says who holds a token.
func (l *liveVerifier) Verify(token []byte, addr netip.Addr, now time.Time) (*gateway.Principal, error) {
	return l.current.Load().Verify(token, addr, now)
}

func (l *liveVerifier) close() { l.current.Load().Close() }

// defaults are the sections whose zero value is not one.
func defaults() Config {
	return Config{Listen: "127.0.0.1:8080", Admin: "127.0.0.1:8081", Data: "data", Venues: "venues", Sockets: 4096, Edge: edge.Defaults()}
}
