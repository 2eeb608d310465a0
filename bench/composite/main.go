// Command composite asks backends at once and answers with their bodies one after the other in one JSON array, by fasthttp and
// nothing else: what any answer that is made of those costs at least. File descriptor 3 is its socket, its arguments are the
// whole addresses to ask.
package main

import (
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/valyala/fasthttp"
)

func main() {
	if err := serve(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "composite: %v\n", err)
		os.Exit(1)
	}
}

func serve(urls []string) error {
	if len(urls) == 0 {
		return errors.New("usage: composite URL…")
	}
	handler, err := composite(urls)
	if err != nil {
		return err
	}
	l, err := net.FileListener(os.NewFile(3, "socket"))
	if err != nil {
		return err
	}
	server := &fasthttp.Server{Handler: handler, NoDefaultServerHeader: true, NoDefaultDate: true, WriteBufferSize: wholeAnswer}
	return server.Serve(l)
}

// wholeAnswer is enough for an answer to leave at once.
const wholeAnswer = 32 << 10
