// Package sandbox is the whole product on one machine: a city of twins and the gateway before them, as two processes of
// the program itself, on the shipped configuration, with secrets of their own.
package sandbox

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/warmgate/warmgate/configs"
	"github.com/warmgate/warmgate/gateway/supervise"
)

// Config says how a sandbox is run.
type Config struct {
	Listen, Admin, City string // addresses; port 0 is a free one
	Data                string // "": a temporary folder, removed at the end
	Seed                uint64
	Hotels              int  // of the town, beside those of the shipped venues; 0: none
	JSON                bool // print an Up in place of words
	LogLevel            slog.Level
	Env                 []string // that the processes inherit
	Stdout, Stderr      io.Writer
	Now                 func() time.Time
}

// CityUp is what the city says when it is ready.
type CityUp struct {
	City  string                       `json:"city"`
	Twins map[string]map[string]string `json:"twins"` // by connector and venue
}

// Up is what the sandbox says when it is ready.
type Up struct {
	API      string             `json:"api"`
	Admin    string             `json:"admin"`
	City     string             `json:"city"`
	PIDs     PIDs               `json:"pids"`
	Tokens   map[string]string  `json:"tokens"`
	Examples map[string]Example `json:"examples"`
}

// PIDs are the two processes.
type PIDs struct {
	Serve int `json:"serve"`
	City  int `json:"city"`
}

const program = "warmgate"

const (
	readyWait = 20 * time.Second // for a process to become ready
	serveWait = 15 * time.Second // for it to end; more than it drains
	cityWait  = 5 * time.Second
)

// Run runs a sandbox until ctx ends; then all of it stops, and nil is returned if it did so well.
func Run(ctx context.Context, c Config) (err error) {
	s := &sandbox{Config: c, http: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
	if err := s.prepare(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	up, err := s.start(ctx)
	if ctx.Err() != nil {
		return nil // told to stop before all was ready
	}
	if err != nil {
		return err
	}
	if err := s.say(up); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// sandbox is one that runs.
type sandbox struct {
	Config
	self        string // the executable
	data        string
	lock        *os.File
	sockets     []*os.File
	city, serve *supervise.Child
	http        *http.Client
	abort       context.CancelCauseFunc // ends the start, with the reason

	out   sync.Mutex // guards Stdout and ready
	ready bool
}

// prepare makes the data folder with the configuration in it.
func (s *sandbox) prepare() (err error) {
	if s.self, err = os.Executable(); err != nil {
		return fmt.Errorf("cannot find the program itself: %w", err)
	}
	if s.Data == "" {
		s.data, err = os.MkdirTemp("", "warmgate-sandbox-*") // mode 0700
	} else if s.data, err = filepath.Abs(s.Data); err == nil {
		err = os.MkdirAll(s.data, 0o700)
	}
	if err == nil {
		err = s.take()
	}
	if err == nil {
		err = configs.Write(s.path("configs"))
	}
	if err == nil {
		err = WriteHotels(filepath.Join(s.path("configs"), "venues"), s.Hotels, s.Seed)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("cannot prepare the data folder: %w", err), s.close())
	}
	return nil
}

// take makes the sandbox the only one on its data folder, until the process ends.
func (s *sandbox) take() (err error) {
	if s.lock, err = os.OpenFile(s.path("sandbox.lock"), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return err
	}
	if err := syscall.Flock(int(s.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("another sandbox works on %s", s.data)
	}
	return nil
}

func (s *sandbox) path(name string) string { return filepath.Join(s.data, name) }

func (s *sandbox) configFile() string { return filepath.Join(s.path("configs"), configs.GatewayFile) }

// close stops what runs, the gateway first.
func (s *sandbox) close() error {
	stop := func(c *supervise.Child, within time.Duration) error {
		if c == nil {
			return nil
		}
		ctx, cancel := context.WithTimeout(context.Background(), within)
		defer cancel()
		return c.Stop(ctx)
	}
	err := errors.Join(stop(s.serve, serveWait), stop(s.city, cityWait))
	for _, f := range s.sockets {
		err = errors.Join(err, f.Close())
	}
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
	}
	if s.Data == "" && s.data != "" {
		err = errors.Join(err, os.RemoveAll(s.data))
	}
	return err
}

// start starts the city and the gateway and makes what a caller needs.
func (s *sandbox) start(ctx context.Context) (up Up, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, readyWait, fmt.Errorf("it took more than %s", readyWait))
	defer cancel()
	ctx, s.abort = context.WithCancelCause(ctx)
	defer s.abort(nil)
	if up.Tokens, err = tokens(s.data, s.Now()); err != nil {
		return up, err
	}
	addresses := map[string]string{}
	for _, l := range []struct{ flag, address string }{{"--listen", s.Listen}, {"--admin", s.Admin}, {"--city", s.City}} {
		if addresses[l.flag], err = s.open(l.flag, l.address); err != nil {
			return up, err
		}
	}
	up.API, up.Admin, up.City = "http://"+addresses["--listen"], "http://"+addresses["--admin"], "http://"+addresses["--city"]
	town, err := s.startCity(ctx)
	if err != nil {
		return up, err
	}
	if err := s.startServe(town, addresses); err != nil {
		return up, err
	}
	if err := s.await(ctx, up.Admin); err != nil {
		return up, err
	}
	m := &maker{http: s.http, api: up.API, city: up.City, tokens: up.Tokens, seed: s.Seed, now: s.Now}
	if up.Examples, err = m.examples(ctx); err != nil {
		return up, err
	}
	up.PIDs = PIDs{Serve: s.serve.PID(), City: s.city.PID()}
	return up, nil
}

// open opens a socket that outlives the processes which answer on it.
func (s *sandbox) open(flag, address string) (string, error) {
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return "", fmt.Errorf("cannot listen: %w; choose another address with %s (port 0: a free one)", err, flag)
	}
	defer ln.Close()
	tcp, ok := ln.(*net.TCPListener)
	if !ok {
		return "", fmt.Errorf("cannot hold %s: it is no TCP address", address)
	}
	file, err := tcp.File()
	if err != nil {
		return "", fmt.Errorf("cannot hold %s: %w", address, err)
	}
	s.sockets = append(s.sockets, file)
	return ln.Addr().String(), nil
}

// The order of the sockets.
const (
	apiSocket = iota
	adminSocket
	citySocket
)

// startCity starts the twins and waits until they answer.
func (s *sandbox) startCity(ctx context.Context) (up CityUp, err error) {
	line := &firstLine{ready: make(chan []byte, 1)}
	s.city, err = supervise.Start(supervise.Spec{
		Name: "city", Path: s.self, Env: s.Env, Files: s.sockets[citySocket : citySocket+1], Stdout: line, Stderr: s.Stderr,
		Args: []string{program, "city", "-c", s.configFile(), "--fd", "3", "--data", s.path("city"), "--secrets", s.path("secrets"),
			"--seed", strconv.FormatUint(s.Seed, 10), "--hotels", strconv.Itoa(s.Hotels), "--json", "--log-level", s.LogLevel.String()},
		Started: s.started("city"), Ended: s.ended("city"),
	})
	if err != nil {
		return up, err
	}
	select {
	case text := <-line.ready:
		if err := json.Unmarshal(text, &up); err != nil {
			return up, fmt.Errorf("cannot read what the city says: %w", err)
		}
		return up, nil
	case <-ctx.Done():
		return up, fmt.Errorf("the city does not become ready: %w", context.Cause(ctx))
	}
}

// Variable is the environment's name for the address of a twin, as the shipped venues have it.
func Variable(connector, venue string) string {
	return "WARMGATE_" + strings.ToUpper(strings.ReplaceAll(connector+"_"+venue, "-", "_"))
}

// startServe starts the gateway on the shipped configuration, which takes addresses and folders from the environment.
func (s *sandbox) startServe(town CityUp, addresses map[string]string) (err error) {
	env := append([]string{}, s.Env...)
	env = append(env, "WARMGATE_DATA="+s.path("ledger"), "WARMGATE_SECRETS="+s.path("secrets"),
		"WARMGATE_TOKEN_KEYS="+s.path("token-keys.json"), "WARMGATE_LISTEN="+addresses["--listen"], "WARMGATE_ADMIN="+addresses["--admin"],
		"WARMGATE_PUBLIC=http://"+addresses["--listen"])
	for connector, venues := range town.Twins {
		for venue, url := range venues {
			env = append(env, Variable(connector, venue)+"="+url)
		}
	}
	s.serve, err = supervise.Start(supervise.Spec{
		Name: "serve", Path: s.self, Env: env, Files: s.sockets[apiSocket : adminSocket+1], Stdout: s.Stderr, Stderr: s.Stderr,
		Args:    []string{program, "serve", "-c", s.configFile(), "--api-fd", "3", "--admin-fd", "4", "--log-level", s.LogLevel.String()},
		Started: s.started("serve"), Ended: s.ended("serve"),
	})
	return err
}

// await waits until the gateway takes requests. Its socket listens already, so the question waits there for the answer.
func (s *sandbox) await(ctx context.Context, admin string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, admin+"/readyz", nil)
	if err != nil {
		return err
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return fmt.Errorf("the gateway does not become ready: %w", cmp.Or(context.Cause(ctx), err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the gateway is not ready: %s", resp.Status)
	}
	return nil
}

// ended ends the start of a sandbox whose process does not come up. Later it is started again.
func (s *sandbox) ended(name string) func(error) {
	return func(err error) {
		s.abort(fmt.Errorf("%s has ended: %w", name, cmp.Or(err, errors.New("without an error"))))
	}
}

// started says the new pid of a process that had died.
func (s *sandbox) started(name string) func(int) {
	return func(pid int) {
		s.out.Lock()
		defer s.out.Unlock()
		switch {
		case !s.ready:
		case s.JSON:
			fmt.Fprintf(s.Stdout, "{\"restarted\":%q,\"pid\":%d}\n", name, pid)
		default:
			fmt.Fprintf(s.Stdout, "%s had died and was started again, pid %d\n", name, pid)
		}
	}
}

// firstLine passes the first line of what is written to it on.
type firstLine struct {
	text  []byte
	said  bool
	ready chan []byte // holds one
}

// Write implements io.Writer.
func (f *firstLine) Write(p []byte) (int, error) {
	if !f.said {
		f.text = append(f.text, p...)
		if line, _, found := bytes.Cut(f.text, []byte("\n")); found {
			f.said, f.text = true, nil
			f.ready <- line
		}
	}
	return len(p), nil
}
