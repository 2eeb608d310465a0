package main

import (
	"slices"
	"testing"

	"github.com/google/pprof/profile"
)

func TestSamplesBelongToTheInnermostRoom(t *testing.T) {
	server := "github.com/valyala/fasthttp.(*Server).serveConn"
	handle := "github.com/warmgate/warmgate/gateway/edge.(*Edge).Handle"
	for room, stack := range map[string][]string{
		"auth":                        {"crypto/sha256.Sum256", "github.com/warmgate/warmgate/gateway/auth.(*Verifier).Verify", handle, server},
		"edge":                        {"internal/poll.(*FD).Write", server},
		"plan":                        {"runtime.mallocgc", "github.com/warmgate/warmgate/gateway/journey.(*run).step", "github.com/warmgate/warmgate/gateway/call.(*Read).Do"},
		"call: HTTP to the systems":   {"syscall.write", "github.com/valyala/fasthttp.(*HostClient).Do", "github.com/warmgate/warmgate/gateway/call.(*Read).Do"},
		"plan: the journey's own":     {"main.offersOf", "github.com/warmgate/warmgate/backends/ohip.(*Client).Rooms"},
		"runtime: garbage collection": {"runtime.scanobject", "runtime.gcAssistAlloc", "runtime.mallocgc", handle},
		"ledger":                      {"modernc.org/sqlite/lib.Xsqlite3_step", "github.com/warmgate/warmgate/gateway/ledger.(*Ledger).Commit"},
		elsewhere:                     {"domain.main.go", "runtime.goexit"},
	} {
		if got := roomOf(stack); got != room {
			t.Errorf("%q is in %s, not in %s", stack, got, room)
		}
		if !slices.Contains(allRooms(), room) {
			t.Errorf("%s is not reported", room)
		}
	}
}

func TestARoomsShareIsOfItsSamples(t *testing.T) {
	sample := func(name string, value int64) *profile.Sample {
		return &profile.Sample{Value: []int64{1, value}, Location: []*profile.Location{{Line: []profile.Line{{Function: &profile.Function{Name: name}}}}}}
	}
	p := &profile.Profile{Sample: []*profile.Sample{
		sample("github.com/warmgate/warmgate/gateway/auth.Look", 30), sample("os.Open", 10), sample("github.com/warmgate/warmgate/gateway/auth.Take", 0)}}
	if got := byRoom(p, 1); got["auth"] != 0.75 || got[elsewhere] != 0.25 || len(got) != 2 {
		t.Errorf("%v", got)
	}
	if got := byRoom(&profile.Profile{}, 1); len(got) != 0 {
		t.Errorf("%v of nothing", got)
	}
}
