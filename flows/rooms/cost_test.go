package rooms_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/ohip"
	"github.com/warmgate/warmgate/flows/flowtest"
	"github.com/warmgate/warmgate/flows/rooms/roomstest"
	"github.com/warmgate/warmgate/gateway/auth"
)

const (
	costHotels = 200  // all of them in the circle
	costRound  = 1000 // searches that are counted together; the best of some rounds counts, since others work meanwhile
	costRounds = 5
)

// TestASearchAllocatesLittle counts what the whole program allocates for a warm search, from the request's bytes to those of
// its answer: front, token, limits, metrics, search and answer; answers are not logged. The client allocates nothing.
func TestASearchAllocatesLittle(t *testing.T) {
	if raced {
		t.Skip("the race detector allocates")
	}
	c := dial(t, costTown(t))
	same := func(int) string { return costQuery(0) }
	different := func(i int) string { return costQuery(i + 1) }
	for end := time.Now().Add(20 * time.Second); !bytes.Contains(c.get(t, same(0)), []byte(`{"complete":true,`)); {
		if time.Now().After(end) {
			t.Fatal("not every hotel is known")
		}
	}
	for name, x := range map[string]struct {
		query func(i int) string
		most  float64
	}{"the same search again": {same, 2}, "searches none of which comes twice": {different, 10}} {
		if n := c.allocations(t, x.query); n >= x.most+1 { // another one each: less than that is of what others do meanwhile
			t.Errorf("%s: %.2f allocations each, at most %.0f are right", name, n, x.most)
		} else {
			t.Logf("%s: %.2f allocations each", name, n)
		}
	}
}

// costQuery is a search of which the n-th has not been there before.
func costQuery(n int) string {
	return fmt.Sprintf("near=%.7f,120.169&radius=50000&check_in=%s&nights=2&guests=2", 30.255+float64(n)*1e-7, roomstest.Day(14))
}

// costTown starts a gateway in front of hotels behind one address, and works for nobody else.
func costTown(t *testing.T) *flowtest.City {
	t.Helper()
	change := func(file string) string {
		file = strings.Replace(file, "poll: 50ms", "poll: 1m", 1)
		file = strings.Replace(file, "fresh: 30s", "fresh: 1h", 1)
		return file + "limit:\n  policies:\n    - { name: address, scope: address, rate: 1000000, per: 1s, burst: 1000000 }\n" +
			"    - { name: client, scope: principal, rate: 1000000, per: 1s, burst: 1000000 }\n"
	}
	return flowtest.Options{Gateway: change, Quiet: true, Before: func(c *flowtest.City) {
		town, err := ohip.NewTown(ohip.TownConfig{Hotels: costHotels, ClientSecret: flowtest.APIKey, Seed: 1, Location: roomstest.Zone()})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Twins.Add(roomstest.OHIP, "town", town); err != nil {
			t.Fatal(err)
		}
		for i := range costHotels {
			h := town.HotelAt(i)
			c.Write("venues/"+strings.ToLower(h.ID)+".yaml", fmt.Sprintf("id: %s\nkind: hotel\ntenant: hangzhou\nname: { zh: %q, en: %q }\ntime_zone: Asia/Shanghai\n"+
				"rooms:\n  at: { lat: %v, lon: %v }\nconnectors:\n  pms:\n    connector: ohip\n    url: %s\n    secrets: { client_secret: { env: OCTO_KEY } }\n    options: { hotel_id: %s }\n",
				strings.ToLower(h.ID), h.NameZh, h.NameEn, h.Lat, h.Lon, c.Twins.URL(roomstest.OHIP, "town"), h.ID))
		}
	}}.Start(t, roomstest.Flows(t))
}

// wire is a client with one connection, which allocates nothing for a search.
type wire struct {
	conn net.Conn
	in   *bufio.Reader
	head string
	out  []byte
	body []byte
}

func dial(t *testing.T, c *flowtest.City) *wire {
	t.Helper()
	address := strings.TrimPrefix(c.URL, "http://")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	token := c.Mint(auth.Grant{Subject: "an app", Tenant: "hangzhou", Scopes: []string{"rooms:read"}, Venues: []string{"*"}, TTL: time.Hour})
	return &wire{conn: conn, in: bufio.NewReaderSize(conn, 64<<10), head: " HTTP/1.1\r\nHost: " + address + "\r\nAuthorization: Bearer " + token + "\r\n\r\n"}
}

// get searches and returns the body of the answer, which has to be 200. It is good until the next one.
func (w *wire) get(t *testing.T, query string) []byte {
	w.out = append(append(append(w.out[:0], "GET /v1/rooms?"...), query...), w.head...)
	if _, err := w.conn.Write(w.out); err != nil {
		t.Fatal(err)
	}
	length := 0
	for first := true; ; first = false {
		line, err := w.in.ReadSlice('\n')
		if err != nil || first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200")) {
			t.Fatalf("%s, %v", line, err)
		}
		if value, is := bytes.CutPrefix(line, []byte("Content-Length: ")); is {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				t.Fatal(err)
			}
		}
		if len(line) == 2 {
			break
		}
	}
	w.body = slices.Grow(w.body[:0], length)[:length]
	for n := 0; n < length; {
		some, err := w.in.Read(w.body[n:])
		if err != nil {
			t.Fatal(err)
		}
		n += some
	}
	return w.body
}

// allocations returns how often all of this process allocates for a search.
func (w *wire) allocations(t *testing.T, query func(i int) string) float64 {
	least := -1.0
	var before, after runtime.MemStats
	for round := range costRounds + 1 {
		queries := make([]string, costRound)
		for i := range queries {
			queries[i] = query(round*costRound + i)
		}
		runtime.ReadMemStats(&before)
		for _, q := range queries {
			w.get(t, q)
		}
		runtime.ReadMemStats(&after)
		if n := float64(after.Mallocs-before.Mallocs) / costRound; round > 0 && (least < 0 || n < least) { // everything grows warm in the first
			least = n
		}
	}
	return least
}
