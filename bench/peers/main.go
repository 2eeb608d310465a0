// Command peers serves the same work as the gateway, as it would be written with other means. It is a module of its own, so
// that the product's go.mod knows none of them. It takes a socket that listens as its descriptor 3, and three pairs of a
// system's name and the whole address to ask: bookings, rooms and offers.
//
//	peers nethttp NAME URL NAME URL NAME URL
//	peers caddy NAME URL NAME URL NAME URL
package main

import (
	"errors"
	"fmt"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "peers: %v\n", err)
		os.Exit(1)
	}
}

// system is one of the three to ask.
type system struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

func run(args []string) error {
	if len(args) != 7 {
		return errors.New("usage: peers nethttp|caddy NAME URL NAME URL NAME URL")
	}
	var systems [3]system
	for i := range systems {
		systems[i] = system{args[1+2*i], args[2+2*i]}
	}
	switch args[0] {
	case "nethttp":
		return serveNetHTTP(systems)
	case "caddy":
		return serveCaddy(systems)
	}
	return fmt.Errorf("there is no peer %q", args[0])
}
