// Command bare answers every request with one of some given answers, by fasthttp and nothing else: what any answer of those
// bytes costs at least. File descriptor 3 is its socket, its one argument a file of answers.
package main

import (
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/valyala/fasthttp"
)

// answer is what is answered, headers included.
type answer struct {
	Status int         `json:"status"`
	Header [][2]string `json:"header"`
	Body   []byte      `json:"body"`
}

func main() {
	if err := serve(); err != nil {
		fmt.Fprintf(os.Stderr, "bare: %v\n", err)
		os.Exit(1)
	}
}

func serve() error {
	if len(os.Args) != 2 {
		return fmt.Errorf("want one argument, a file of answers")
	}
	text, err := os.ReadFile(os.Args[1]) //nolint:gosec // whoever starts it says so
	if err != nil {
		return err
	}
	var answers []answer
	if err := json.Unmarshal(text, &answers); err != nil {
		return err
	}
	if len(answers) == 0 {
		return fmt.Errorf("%s has no answer", os.Args[1])
	}
	ln, err := net.FileListener(os.NewFile(3, "socket"))
	if err != nil {
		return err
	}
	var next atomic.Uint64
	server := &fasthttp.Server{NoDefaultServerHeader: true, ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second, IdleTimeout: time.Minute, Handler: func(ctx *fasthttp.RequestCtx) {
		a := &answers[next.Add(1)%uint64(len(answers))]
		ctx.SetStatusCode(a.Status)
		for i := range a.Header {
			ctx.Response.Header.Set(a.Header[i][0], a.Header[i][1])
		}
		ctx.SetBody(a.Body)
	}}
	return server.Serve(ln)
}
