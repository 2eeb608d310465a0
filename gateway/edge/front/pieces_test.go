package front

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

// TestAnswersOfEveryLength: what waits for the rest of an answer goes with it, or alone where there is none, and comes whole to
// clients that stay, that leave, and that have asked for more meanwhile.
func TestAnswersOfEveryLength(t *testing.T) {
	r := start(t, testConfig(), func(ctx *fasthttp.RequestCtx) {
		n := ctx.QueryArgs().GetUintOrZero("n")
		ctx.SetBody(bytes.Repeat([]byte("0123456789"), n/10+1)[:n])
	})
	var lengths []int
	for _, around := range []int{0, pieceOfAnswer, 2 * pieceOfAnswer, 8 * pieceOfAnswer} {
		for n := max(around-400, 0); n < around+10; n++ { // the head is part of an answer
			lengths = append(lengths, n)
		}
	}
	ask := func(n int, how string) string { return fmt.Sprintf("GET /?n=%d HTTP/1.1\r\nHost: a\r\n%s\r\n", n, how) }
	whole := func(a answer, n int) bool {
		return a.status == 200 && a.body == strings.Repeat("0123456789", n/10+1)[:n]
	}
	c := r.dial(t)
	for _, n := range lengths {
		if c.send(ask(n, "")); !whole(c.answer("GET"), n) {
			t.Fatalf("%d bytes did not come whole", n)
		}
		if c.send(ask(n, "") + ask(n/2, "")); !whole(c.answer("GET"), n) || !whole(c.answer("GET"), n/2) {
			t.Fatalf("%d bytes and %d did not come whole", n, n/2)
		}
	}
	for _, n := range lengths[:len(lengths)/3] {
		last := r.dial(t)
		if last.send(ask(n, "Connection: close\r\n")); !whole(last.answer("GET"), n) || !last.ended() {
			t.Fatalf("%d bytes did not come whole before the end", n)
		}
		_ = last.Close()
	}
}
