// Warmgate is a low-latency citizen-service gateway. This file is its commands.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"github.com/go-json-experiment/json"

	"github.com/warmgate/warmgate/backends/city"
	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/flows"
	"github.com/warmgate/warmgate/flows/parking"
	"github.com/warmgate/warmgate/flows/parking/books"
	"github.com/warmgate/warmgate/flows/sandbox"
	"github.com/warmgate/warmgate/gateway/assist/desk"
	"github.com/warmgate/warmgate/gateway/auth"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/ledger/sqlite"
	"github.com/warmgate/warmgate/gateway/serve"
)

// The exit codes.
const (
	exitOK      = 0
	exitRefused = 1
	exitUsage   = 2
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// cli is the command line.
type cli struct {
	Sandbox   sandboxCmd   `cmd:"" help:"Run the whole product on this machine: the gateway, and a city of twins behind it."`
	Serve     serveCmd     `cmd:"" help:"Run the gateway."`
	City      cityCmd      `cmd:"" help:"Run the twins alone: one for every system that the venues are connected to."`
	Check     checkCmd     `cmd:"" help:"Validate a configuration and print the proof of every plan."`
	Assists   desk.Command `cmd:"" help:"List, watch, claim and settle what waits for staff."`
	Token     tokenCmd     `cmd:"" help:"Mint a token for development."`
	Ledger    ledgerCmd    `cmd:"" help:"Back up or restore a ledger."`
	Audit     auditCmd     `cmd:"" help:"Verify the audit trail."`
	Books     booksCmd     `cmd:"" help:"Verify the books of the parking lots."`
	Reconcile reconcileCmd `cmd:"" help:"Hold the books of the parking lots against the collectors' bills of a day."`
	Version   versionCmd   `cmd:"" help:"Print the version."`
}

// program is what every command works with.
type program struct {
	ctx            context.Context // ends with SIGINT or SIGTERM
	stdout, stderr io.Writer
}

// run is main without its process.
func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	var c cli
	left := -1 // --help has been answered
	parser, err := kong.New(&c, kong.Name("warmgate"), kong.UsageOnError(), kong.Writers(stdout, stderr),
		kong.Description("A low-latency citizen-service gateway: fast, and warm."),
		kong.Exit(func(code int) { left = code }), kong.Vars{"roles": sandbox.RoleNames()})
	if err != nil {
		panic("the command line is declared wrongly: " + err.Error())
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	if left >= 0 {
		return exitOK
	}
	if err != nil {
		fmt.Fprintf(stderr, "warmgate: %v\nwarmgate --help lists the commands\n", err)
		return exitUsage
	}
	if err := command.Run(&program{ctx: ctx, stdout: stdout, stderr: stderr}, &desk.Terminal{Ctx: ctx, Stdout: stdout, Stderr: stderr}); err != nil {
		fmt.Fprintf(stderr, "warmgate: %v\n", err)
		if errors.Is(err, errUsage) || errors.Is(err, desk.ErrUsage) {
			return exitUsage
		}
		return exitRefused
	}
	return exitOK
}

// errUsage marks what the command line should have said.
var errUsage = errors.New("see --help")

// configFlag names the gateway's file.
type configFlag struct {
	Config string `short:"c" placeholder:"FILE" default:"configs/gateway.yaml" help:"The gateway's file (${default})."`
}

// logFlag says how much is logged.
type logFlag struct {
	LogLevel slog.Level `default:"info" help:"debug, info, warn or error (${default})."`
}

func (l logFlag) logger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: l.LogLevel}))
}

// listener returns the inherited socket fd, or opens address where fd is 0.
func listener(fd int, address, flag string) (net.Listener, error) {
	if fd == 0 {
		ln, err := net.Listen("tcp", address)
		if err != nil {
			return nil, fmt.Errorf("cannot listen: %w", err)
		}
		return ln, nil
	}
	file := os.NewFile(uintptr(fd), flag)
	ln, err := net.FileListener(file)
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("cannot use descriptor %d of %s as a socket that listens: %w", fd, flag, err)
	}
	return ln, nil
}

type serveCmd struct {
	configFlag
	logFlag
	APIFD   int `name:"api-fd" placeholder:"N" help:"An inherited socket that listens, in place of the file's listen."`
	AdminFD int `name:"admin-fd" placeholder:"N" help:"Likewise, in place of the file's admin."`
}

// Run runs the gateway until SIGTERM.
func (c *serveCmd) Run(p *program) error {
	logger := c.logger(p.stderr)
	journeys, err := flows.All()
	if err != nil {
		return err
	}
	hangUp := make(chan os.Signal, 1)
	signal.Notify(hangUp, syscall.SIGHUP)
	defer signal.Stop(hangUp)
	g, err := serve.Open(p.ctx, c.Config, serve.Options{
		Flows: journeys, Env: os.LookupEnv, Logger: logger, Now: time.Now,
		Fatal: func(err error) {
			logger.Error("the ledger cannot be trusted any more; the process ends", "error", err)
			os.Exit(exitRefused)
		},
	})
	if err != nil {
		if p.ctx.Err() != nil {
			return nil // told to stop before it was open
		}
		return err
	}
	g.BoundMemory()
	closing := func(err error) error { return errors.Join(err, g.Close(context.WithoutCancel(p.ctx))) }
	cfg := g.Config()
	api, err := listener(c.APIFD, cfg.Listen, "--api-fd")
	if err != nil {
		return closing(err)
	}
	second, err := listener(c.AdminFD, cfg.Admin, "--admin-fd")
	if err != nil {
		return closing(errors.Join(err, api.Close()))
	}
	watch, stopWatching := context.WithCancel(p.ctx)
	var watching sync.WaitGroup
	watching.Go(func() { g.Watch(watch, hangUp) })
	logger.Info("serving", "api", api.Addr().String(), "admin", second.Addr().String(), "pid", os.Getpid())
	err = g.Serve(p.ctx, api, second)
	stopWatching()
	watching.Wait()
	err = closing(err)
	logger.Info("stopped")
	return err
}

type cityCmd struct {
	configFlag
	logFlag
	Listen  string `default:"127.0.0.1:8082" placeholder:"ADDRESS" help:"The city's own address (${default}); port 0: a free one."`
	FD      int    `name:"fd" placeholder:"N" help:"An inherited socket that listens, in place of --listen."`
	Data    string `default:"data/city" placeholder:"DIR" help:"What the twins know is kept here (${default})."`
	Secrets string `default:"data/secrets" placeholder:"DIR" help:"The credentials that the twins accept; made at the first start (${default})."`
	Seed    uint64 `default:"1" help:"Of tickets, of hotels, and of the chance in dials (${default})."`
	Hotels  int    `default:"0" placeholder:"N" help:"A town of so many hotels behind one address, the twin ohip/town: up to 100000, of some 35 rooms each (${default})."`
	JSON    bool   `help:"Print the addresses as one JSON object."`
}

// Run runs the twins until SIGTERM.
func (c *cityCmd) Run(p *program) error {
	places, err := serve.Places(c.Config, os.LookupEnv, city.IsTownVenue)
	if err != nil {
		return err
	}
	cfg := twin.Config{Seed: c.Seed, Listen: c.Listen, DataDir: c.Data, Logger: c.logger(p.stderr)}
	if c.FD != 0 {
		if cfg.Socket, err = listener(c.FD, "", "--fd"); err != nil {
			return err
		}
	}
	at := make([]city.Place, 0, len(places))
	for _, place := range places {
		at = append(at, city.Place{Kind: place.Connector, Instance: place.Venue, Location: place.Location})
	}
	town, err := city.Build(cfg, at, c.Secrets)
	if err != nil {
		return err
	}
	if c.Hotels > 0 {
		err = city.AddTown(town, c.Hotels, c.Seed, c.Secrets)
	}
	if err == nil {
		err = c.say(p.stdout, town)
	}
	if err == nil {
		<-p.ctx.Done()
	}
	return errors.Join(err, town.Close())
}

// say prints the addresses.
func (c *cityCmd) say(w io.Writer, town *twin.City) error {
	out := sandbox.CityUp{City: town.Address(), Twins: town.URLs()}
	if c.JSON {
		if err := json.MarshalWrite(w, out, json.Deterministic(true)); err != nil {
			return fmt.Errorf("cannot print the addresses: %w", err)
		}
		fmt.Fprintln(w)
		return nil
	}
	fmt.Fprintf(w, "# The city answers at %s. Its twins, for the environment of serve:\n", out.City)
	for _, kind := range slices.Sorted(maps.Keys(out.Twins)) {
		for _, venue := range slices.Sorted(maps.Keys(out.Twins[kind])) {
			fmt.Fprintf(w, "export %s=%s\n", sandbox.Variable(kind, venue), out.Twins[kind][venue])
		}
	}
	return nil
}

type sandboxCmd struct {
	Listen   string     `default:"127.0.0.1:8080" placeholder:"ADDRESS" help:"The API's address (${default}); port 0: a free one."`
	Admin    string     `default:"127.0.0.1:8081" placeholder:"ADDRESS" help:"The second listener's address (${default}); port 0: a free one."`
	City     string     `default:"127.0.0.1:8082" placeholder:"ADDRESS" help:"The city's address (${default}); port 0: a free one."`
	Data     string     `placeholder:"DIR" help:"Keep everything here across restarts. Without it a temporary folder is used, and removed at the end."`
	Seed     uint64     `default:"1" help:"Of tickets, of hotels, and of the chance in dials (${default})."`
	Hotels   int        `default:"200" placeholder:"N" help:"So many hotels behind one address, for who looks for a room: up to 100000, of some 35 rooms each (${default})."`
	JSON     bool       `help:"Once all is ready, print one JSON object with addresses, pids, tokens and examples."`
	LogLevel slog.Level `default:"warn" help:"Of the two processes' logs: debug, info, warn or error (${default})."`
}

// Run runs the sandbox until SIGTERM.
func (c *sandboxCmd) Run(p *program) error {
	return sandbox.Run(p.ctx, sandbox.Config{
		Listen: c.Listen, Admin: c.Admin, City: c.City, Data: c.Data, Seed: c.Seed, Hotels: c.Hotels, JSON: c.JSON, LogLevel: c.LogLevel,
		Env: os.Environ(), Stdout: p.stdout, Stderr: p.stderr, Now: time.Now,
	})
}

type versionCmd struct{}

// Run prints the version, from what the build has left in the program.
func (versionCmd) Run(p *program) error {
	version, commit := "unknown", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				commit = " " + s.Value
			}
		}
	}
	_, err := fmt.Fprintf(p.stdout, "warmgate %s%s\n", version, commit)
	return err
}

type checkCmd struct {
	configFlag
	Credentials bool `help:"Read every credential as well."`
	K6          bool `name:"k6" help:"Print the thresholds for loadtest/ instead."`
	Draw        bool `help:"Print the plans instead."`
}

// Run validates a configuration.
func (c *checkCmd) Run(p *program) error {
	journeys, err := flows.All()
	if err != nil {
		return err
	}
	g, err := serve.Check(c.Config, journeys, os.LookupEnv, c.Credentials)
	if err != nil {
		return fmt.Errorf("the configuration does not hold:\n%w", err)
	}
	switch {
	case c.K6:
		return g.WriteThresholds(p.stdout)
	case c.Draw:
		for _, f := range journeys {
			for _, plan := range f.Plans {
				fmt.Fprintln(p.stdout, plan.Draw())
			}
		}
		return nil
	}
	return g.WriteProofs(p.stdout)
}

type tokenCmd struct {
	Data    string        `default:"data" placeholder:"DIR" help:"Folder of the development issuer's key, which is made at the first call: a sandbox's --data (${default})."`
	Role    string        `placeholder:"ROLE" help:"Take the scopes of a role: ${roles}."`
	Scope   []string      `placeholder:"SCOPE" help:"Scopes, with commas between or one each; beside those of the role."`
	Venue   []string      `default:"*" placeholder:"ID" help:"Venues that it may act for; *: all of its tenant (${default})."`
	Tenant  string        `default:"hangzhou" help:"Its tenant (${default})."`
	Subject string        `placeholder:"NAME" help:"Whose token it is; without it: development-ROLE."`
	TTL     time.Duration `name:"ttl" default:"24h" help:"How long it is valid (${default})."`
}

// Run mints a token.
func (c *tokenCmd) Run(p *program) error {
	scopes := c.Scope
	if c.Role != "" {
		of, ok := sandbox.ScopesOf(c.Role)
		if !ok {
			return fmt.Errorf("there is no role %q, only %s: %w", c.Role, sandbox.RoleNames(), errUsage)
		}
		scopes = append(of, scopes...)
	}
	if len(scopes) == 0 {
		return fmt.Errorf("--role or --scope must say what the token is for: %w", errUsage)
	}
	if c.Subject == "" {
		c.Subject = "development-" + cmp.Or(c.Role, "token")
	}
	issuer, err := sandbox.Issuer(c.Data)
	if err != nil {
		return err
	}
	token, err := issuer.Mint(auth.Grant{Subject: c.Subject, Tenant: c.Tenant, Scopes: scopes, Venues: c.Venue, TTL: c.TTL}, time.Now())
	if err != nil {
		return err
	}
	fmt.Fprintln(p.stdout, token)
	return nil
}

type ledgerCmd struct {
	Backup  backupCmd  `cmd:"" help:"Copy a ledger, also while a gateway works on it."`
	Restore restoreCmd `cmd:"" help:"Make a ledger from a backup; no gateway may work on it."`
}

type backupCmd struct {
	Ledger string `arg:"" placeholder:"FILE" help:"The ledger: ledger.db in the gateway's data folder."`
	Copy   string `arg:"" placeholder:"COPY" help:"The new file. The keys (seal.keys) are not in it: keep them apart."`
}

// Run backs a ledger up.
func (c *backupCmd) Run(p *program) error { return sqlite.Backup(p.ctx, c.Ledger, c.Copy) }

type restoreCmd struct {
	Copy   string `arg:"" placeholder:"COPY" help:"The backup."`
	Ledger string `arg:"" placeholder:"FILE" help:"The ledger that is made; nothing may be there."`
}

// Run restores a ledger.
func (c *restoreCmd) Run(p *program) error { return sqlite.Restore(p.ctx, c.Copy, c.Ledger) }

type auditCmd struct {
	Verify verifyCmd `cmd:"" help:"Hold the audit trail against its own chain and its anchors."`
}

type verifyCmd struct {
	Data string `default:"data" placeholder:"DIR" help:"The gateway's data folder (${default})."`
}

// Run verifies the audit trail.
func (c *verifyCmd) Run(p *program) error {
	report, err := serve.VerifyAudit(p.ctx, c.Data)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "%d chains, %d links, %d entries, %d anchors verified\n", report.Chains, report.Links, report.Entries, report.Anchors)
	if report.Mismatch != "" {
		return fmt.Errorf("the audit trail is not as it was sealed: %s", report.Mismatch)
	}
	return nil
}

type booksCmd struct {
	Verify booksVerifyCmd `cmd:"" help:"Hold the books against themselves, and the bills and visits against the books."`
}

type booksVerifyCmd struct {
	Data string `default:"data" placeholder:"DIR" help:"The gateway's data folder (${default})."`
}

// Run verifies the books.
func (c *booksVerifyCmd) Run(p *program) (err error) {
	var report books.Report
	err = serve.ViewCopy(p.ctx, c.Data, func(q ledger.Querier) error {
		report, err = books.Verify(p.ctx, q)
		return err
	})
	if err != nil {
		return fmt.Errorf("cannot verify the books: %w", err)
	}
	fmt.Fprintf(p.stdout, "%d bills, %d movements, %d postings verified\n", report.Bills, report.Movements, report.Postings)
	if len(report.Mismatches) > 0 {
		return fmt.Errorf("the books do not hold: %s", strings.Join(report.Mismatches, "; "))
	}
	return nil
}

type reconcileCmd struct {
	configFlag
	logFlag
	Day   string `required:"" placeholder:"YYYY-MM-DD" help:"The day, which must be over."`
	Venue string `placeholder:"ID" help:"One lot, with those that share its account; without it: every lot."`
	Admin string `placeholder:"ADDRESS" help:"The second listener of the gateway that runs; without it: as the gateway's file says."`
	JSON  bool   `help:"Print one JSON array."`
}

// Run has a day reconciled. The error says that a bill was not read to its end.
func (c *reconcileCmd) Run(p *program) error {
	if _, err := time.Parse(time.DateOnly, c.Day); err != nil {
		return fmt.Errorf("--day must be YYYY-MM-DD, is %q: %w", c.Day, errUsage)
	}
	arg, err := json.Marshal(parking.ToReconcile{Day: c.Day, Venue: c.Venue})
	if err != nil {
		return err
	}
	journeys, err := flows.All()
	if err != nil {
		return err
	}
	answer, err := serve.Have(p.ctx, c.Config, c.Admin, serve.Options{Flows: journeys, Env: os.LookupEnv, Logger: c.logger(p.stderr), Now: time.Now},
		parking.ErrandReconcile, arg)
	if err != nil {
		return fmt.Errorf("cannot reconcile %s: %w", c.Day, err)
	}
	var all []parking.Reconciled
	if err := json.Unmarshal(answer, &all); err != nil {
		return fmt.Errorf("cannot read what the gateway answers: %w", err)
	}
	switch {
	case c.JSON:
		fmt.Fprintf(p.stdout, "%s\n", answer)
	case len(all) == 0:
		fmt.Fprintln(p.stdout, "No lot's collector makes a bill of a day.")
	}
	var broken []error
	for _, r := range all {
		if !c.JSON {
			fmt.Fprintln(p.stdout, r)
		}
		broken = append(broken, r.Broken())
	}
	return errors.Join(broken...)
}
