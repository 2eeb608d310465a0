// Command bench takes the figures that Warmgate promises, each by a proof that takes its scale as -n.
//
//	go run ./bench                 lists the proofs
//	go run ./bench NAME -n N       takes one, at any scale
//	go run ./bench all             takes all of them at their full scale
//	go run ./bench report          takes those of bench/RESULTS.md and writes it, with its plots
//	go run ./bench systems         serves the three systems that the peers are measured with, until it is stopped
//
// A figure that misses its target ends the command with 1. The short forms run in `go test ./bench`.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

// proof is one promise and how it is held.
type proof struct {
	name, what  string
	scale       string // what -n counts
	short, full int    // a short one of 0: `go test` does not take it
	run         func(r *run) error
}

func proofs() []proof {
	return []proof{
		{"added", "time that the gateway adds to an entry, open loop at 500 entries/s, flush included", "entries", 1500, 30_000, provesAdded},
		{"ledger", "one-row commits of 32 writers against a raw append-and-flush of the same bytes", "pairs", 9, 21, provesLedger},
		{"admission", "a real admission's first commit, 32 writers, grouped against ungrouped", "pairs", 9, 21, provesAdmission},
		{"engine", "the plan engine alone, instant backends, a plan of six calls", "benchmark runs", 1, 9, provesEngine},
		{"ticket", "one ticket tried many times at once, many gates, each try under its own credential", "tries", 1000, 1000, provesTicket},
		{"kill", "kill -9 of serve at random moments under load, with faults at random", "kills", 5, 500, provesKill},
		{"check-ins", "time that the gateway adds to a check-in, open loop at 200 check-ins/s, flushes included", "check-ins", 1200, 6000, provesCheckIns},
		{"check-in-kill", "kill -9 of serve at random moments under check-ins and check-outs, with faults at random at every system", "kills", 4, 1000, provesCheckInKill},
		{"kiosks", "one booking at two kiosks at once, again and again", "races", 50, 1000, provesKiosks},
		{"matrix", "somebody through each fault of each system of every journey, and of the ledger", "1: some of the fields, 2: all", 1, 2, provesMatrix},
		{"overload", "five times the capacity, open loop", "seconds", 2, 20, provesOverload},
		{"start", "serve: ready, and idle memory, also after kill -9 with many rows", "rows", 10_000, 100_000, provesStart},
		{"hotels", "serve on the files of a town of hotels: ready, memory, and read again while it is asked", "hotels", 1000, 10_000, provesHotels},
		{"ledger-tail", "how long one-row commits take at 500 a second, against a raw append-and-flush of the same bytes", "rounds", 0, 15, provesLedgerTail},
		{"floors", "three uncached Asks, decoded, against a composite that does nothing else", "rounds", 1, 9, provesFloors},
		{"peers", "the same beside what else could do it: net/http, Caddy, nginx with Lua", "rounds", 0, 21, provesPeers},
		{"caches", "the same warm search for rooms beside nginx's cache and Varnish", "rounds", 0, 21, provesCaches},
		{"growth", "processor time of a request with more and more idle connections, and with more and more calls in a plan", "rounds", 0, 15, provesGrowth},
		{"breakdown", "where a request's time and allocations go, room by room", "seconds", 0, 10, provesBreakdown},
		{"parking-kill", "kill -9 of serve at random moments under parking entries and exits, with faults at random at the payment provider and the city", "kills", 4, 1000, provesParkingKill},
		{"exits", "server's time of a parking exit, open loop at 300 exits/s, flush included, with systems that are well and that hang", "exits", 1050, 17_100, provesExits},
		{"parkings", "what a parking exit costs with a hundredth of the stays in the ledger and with all of them; memory; ready after kill -9", "stays", 20_000, 1_000_000, provesParkings},
		{"booking-kill", "kill -9 of serve at random moments while rooms are booked and called off, with faults at random at the hotel's system", "kills", 3, 500, provesBookingKill},
		{"rooms", "a search of a town of which everything is known, against a bare handler that answers the same bytes; its tail", "requests in a stretch", 300, 10_000, provesRooms},
		{"rooms-cold", "a search of which nothing is known, while some hotels hang and some refuse", "searches", 8, 100, provesRoomsCold},
		{"rooms-growth", "the same circle of hotels in cities of 100 to 100,000, the whole request", "searches in a stretch", 300, 3000, provesRoomsGrowth},
		{"rooms-memory", "memory of serve when all that the search keeps of a town is full", "seconds of searching", 1, 10, provesRoomsMemory},
		{"morning", "each journey by itself at a steady rate, and a city's morning: all of them at once", "seconds of each", 1, 20, provesMorning},
	}
}

// errMissed says that a figure is not what was promised.
var errMissed = errors.New("a figure misses its target")

func command(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 {
		for _, p := range proofs() {
			fmt.Fprintf(out, "%-13s %s (-n: %s, short %d, full %d)\n", p.name, p.what, p.scale, p.short, p.full)
		}
		return nil
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	n := flags.Int("n", 0, "scale; 0: the full one")
	seed := flags.Uint64("seed", 1, "of everything that is random")
	binary := flags.String("warmgate", "", "a program that was built already; empty: build it")
	into := flags.String("into", "", "a folder to keep a proof's section of the report in; of report: where RESULTS.md is, empty: bench")
	scale := flags.Float64("scale", 1, "of report: times the scale of each of its proofs")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "warmgate-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	switch args[0] {
	case "report":
		return writeReport(ctx, reportArgs{into: cmp.Or(*into, "bench"), scale: *scale, seed: *seed, binary: *binary, dir: dir, within: sectionWithin, progress: os.Stderr}, out)
	case "systems":
		return serveSystems(ctx, dir, *seed, out)
	}
	found, missed := false, false
	for _, p := range proofs() {
		if args[0] != p.name && args[0] != "all" {
			continue
		}
		found = true
		r := &run{ctx: ctx, n: p.full, seed: *seed, dir: filepath.Join(dir, p.name), binary: *binary, progress: os.Stderr}
		if *n > 0 {
			r.n = *n
		}
		report, err := r.take(p)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		report.write(out)
		if *into != "" {
			if err := report.keep(*into); err != nil {
				return fmt.Errorf("%s: cannot keep its section: %w", p.name, err)
			}
		}
		missed = missed || report.missed()
	}
	switch {
	case !found:
		return fmt.Errorf("there is no proof %q", args[0])
	case missed:
		return errMissed
	}
	return nil
}

// run is one taking of a proof.
type run struct {
	ctx      context.Context
	n        int
	seed     uint64
	dir      string // made by take, the caller's to remove
	binary   string // of the program; "" until it is built
	progress io.Writer
	report   *report
}

// take runs a proof.
func (r *run) take(p proof) (*report, error) {
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return nil, err
	}
	r.report = &report{name: p.name, title: p.name + ": " + p.what, about: fmt.Sprintf("-n %d (%s), -seed %d", r.n, p.scale, r.seed), machine: machine(),
		command: fmt.Sprintf("%s -n %d -seed %d", p.name, r.n, r.seed)}
	began := time.Now()
	if err := p.run(r); err != nil {
		return nil, err
	}
	r.report.took = time.Since(began)
	return r.report, nil
}

// machine says where and on what the figures were taken.
func machine() string {
	commit := "unknown"
	if out, err := exec.Command("git", "rev-parse", "--short=12", "HEAD").Output(); err == nil {
		commit = strings.TrimSpace(string(out))
	}
	return fmt.Sprintf("commit %s, %s, %s %s/%s, %d cores", commit, time.Now().UTC().Format("2006-01-02 15:04Z"),
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
}

// program returns the path of the program, which is built at the first call.
func (r *run) program() (string, error) {
	if r.binary != "" {
		return r.binary, nil
	}
	to := filepath.Join(r.dir, "warmgate")
	build := exec.CommandContext( //nolint:gosec // a path of our own making
		r.ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", to, "github.com/warmgate/warmgate")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot build the program: %w\n%s", err, text)
	}
	r.binary = to
	return to, nil
}
