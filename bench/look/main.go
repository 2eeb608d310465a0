// Command look is the gateway with one journey more, for measuring: three reads of a hotel that a check-in or a room search
// makes, side by side in one answer. All that stands around a journey is the shipped program's: strict front, token, limits,
// plan, breakers, bulkheads, deadlines, cache, metrics.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/warmgate/warmgate/flows"
	"github.com/warmgate/warmgate/gateway/serve"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "look: %v\n", err)
		os.Exit(1)
	}
}

// run takes the arguments of `warmgate serve`.
func run(ctx context.Context, args []string) error {
	if len(args) == 0 || args[0] != "serve" {
		return errors.New("usage: look serve -c FILE --api-fd N --admin-fd N")
	}
	flags := flag.NewFlagSet("look serve", flag.ContinueOnError)
	file := flags.String("c", "", "the gateway's file")
	var level slog.Level
	flags.TextVar(&level, "log-level", slog.LevelWarn, "of the log")
	api := flags.Int("api-fd", 3, "an inherited socket that listens: the API's")
	admin := flags.Int("admin-fd", 4, "likewise, the second listener's")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	l, err := newLook()
	if err != nil {
		return err
	}
	journeys, err := flows.All()
	if err != nil {
		return err
	}
	g, err := serve.Open(ctx, *file, serve.Options{Flows: append(journeys, l.flow()), Env: os.LookupEnv, Now: time.Now,
		Logger: slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level}))})
	if err != nil {
		return err
	}
	g.BoundMemory()
	first, err := inherited(*api)
	if err != nil {
		return errors.Join(err, g.Close(ctx))
	}
	second, err := inherited(*admin)
	if err != nil {
		return errors.Join(err, first.Close(), g.Close(ctx))
	}
	return errors.Join(g.Serve(ctx, first, second), g.Close(context.WithoutCancel(ctx)))
}

// inherited returns the socket that listens at a descriptor.
func inherited(fd int) (net.Listener, error) {
	file := os.NewFile(uintptr(fd), "socket")
	l, err := net.FileListener(file)
	return l, errors.Join(err, file.Close())
}
