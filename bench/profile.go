package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/pprof/profile"
)

type fetchedProfile struct {
	p   *profile.Profile
	err error
}

func fetchProfile(url string) fetchedProfile {
	res, err := (&http.Client{Timeout: time.Minute}).Get(url)
	if err != nil {
		return fetchedProfile{err: err}
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 300))
		return fetchedProfile{err: fmt.Errorf("no profile: %d %s", res.StatusCode, text)}
	}
	p, err := profile.Parse(res.Body)
	return fetchedProfile{p, err}
}

// mallocs returns how often a program has allocated, by its own count.
func mallocs(admin string) (float64, error) {
	res, err := http.Get("http://" + admin + "/debug/pprof/allocs?debug=1") // it ends with runtime.MemStats
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err
	}
	_, rest, found := strings.Cut(string(text), "\n# Mallocs = ")
	word, _, _ := strings.Cut(rest, "\n")
	if !found {
		return 0, errors.New("the program does not count its allocations")
	}
	return strconv.ParseFloat(word, 64)
}

// byRoom returns each room's share of a profile's values.
func byRoom(p *profile.Profile, value int) map[string]float64 {
	in, all := map[string]float64{}, 0.0
	for _, s := range p.Sample {
		var stack []string
		for _, l := range s.Location {
			for _, line := range l.Line {
				stack = append(stack, line.Function.Name)
			}
		}
		in[roomOf(stack)] += float64(s.Value[value])
		all += float64(s.Value[value])
	}
	for room := range in {
		in[room] /= max(all, 1)
	}
	return in
}

// housed says which functions are of which room, by how their names begin.
type housed struct {
	room      string
	functions []string
}

const (
	warmgate   = "github.com/warmgate/warmgate/"
	fasthttpIs = "github.com/valyala/fasthttp"
)

// houses are in the order in which they are reported. The first that fits counts.
func houses() []housed {
	return []housed{
		{"runtime: garbage collection", []string{"runtime.gcBgMarkWorker", "runtime.gcAssistAlloc", "runtime.bgsweep", "runtime.bgscavenge"}},
		{"runtime: scheduler", []string{"runtime.mcall", "runtime.schedule", "runtime.findRunnable", "runtime.mstart", "runtime.sysmon", "runtime.ready"}},
		{"auth", []string{warmgate + "gateway/auth", "github.com/golang-jwt/"}},
		{"limit", []string{warmgate + "gateway/limit"}},
		{"ledger", []string{warmgate + "gateway/ledger", warmgate + "gateway/outbox", warmgate + "gateway/seal", "modernc.org/"}},
		{"call: encoding and decoding", []string{warmgate + "backends/ohip", warmgate + "backends/octo", warmgate + "backends/wire.Answer.Decode"}},
		{"call: policy and cache", []string{warmgate + "gateway/call", warmgate + "gateway/cache", warmgate + "gateway/event", "github.com/sony/gobreaker", "github.com/failsafe-go", "github.com/maypok86/otter"}},
		{"call: HTTP to the systems", []string{warmgate + "backends/", warmgate + "gateway/sockets", fasthttpIs + ".(*HostClient)"}},
		{"plan: the journey's own", []string{warmgate + "flows/", "main."}},
		{"plan", []string{warmgate + "gateway/journey", warmgate + "gateway/flow"}},
		{"edge", []string{warmgate + "gateway/", fasthttpIs}},
	}
}

const elsewhere = "elsewhere"

func allRooms() (names []string) {
	for _, h := range houses() {
		names = append(names, h.room)
	}
	return append(names, elsewhere)
}

// roomOf says which room a stack is in, whose innermost function comes first.
func roomOf(stack []string) string {
	all := houses()
	for _, f := range stack {
		for _, h := range all {
			if slices.ContainsFunc(h.functions, func(begin string) bool { return strings.HasPrefix(f, begin) }) {
				return h.room
			}
		}
	}
	return elsewhere
}
