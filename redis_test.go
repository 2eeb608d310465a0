package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/warmgate/warmgate/flows/sandbox/sandboxtest"
	"github.com/warmgate/warmgate/gateway/redis/redistest"
)

// fleet is a city with several gateways of one configuration, each with a ledger of its own, and the same keys.
type fleet struct {
	*sandboxtest.Box
	t      *testing.T
	folder string
	env    []string
	made   int
}

func newFleet(t *testing.T, edits ...string) *fleet {
	t.Helper()
	f := &fleet{Box: sandboxtest.New(t), t: t, folder: t.TempDir()}
	if err := os.CopyFS(filepath.Join(f.folder, "configs"), os.DirFS("configs")); err != nil {
		t.Fatal(err)
	}
	config := f.config()
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(edits); i += 2 {
		if !bytes.Contains(text, []byte(edits[i])) {
			t.Fatalf("the configuration has no %q", edits[i])
		}
		text = bytes.Replace(text, []byte(edits[i]), []byte(edits[i+1]), 1)
	}
	if err := os.WriteFile(config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	city := filepath.Join(f.folder, "city")
	for _, role := range []string{"gate"} {
		out, err := sandboxtest.Command(t, "token", "--data="+city, "--role="+role).Output()
		if err != nil {
			t.Fatal(err)
		}
		f.Tokens[role] = strings.TrimSpace(string(out))
	}
	town := f.Process(nil, "city", "-c", config, "--listen=127.0.0.1:0", "--data="+city+"/books", "--secrets="+city+"/secrets")
	f.City = strings.TrimSuffix(town.Line("# The city answers at "), ". Its twins, for the environment of serve:")
	f.env = []string{"WARMGATE_LISTEN=127.0.0.1:0", "WARMGATE_ADMIN=127.0.0.1:0",
		"WARMGATE_SECRETS=" + city + "/secrets", "WARMGATE_TOKEN_KEYS=" + city + "/token-keys.json"}
	for range 11 { // see TestCityAndServeByHand
		f.env = append(f.env, town.Line("export "))
	}
	return f
}

func (f *fleet) config() string { return filepath.Join(f.folder, "configs", "gateway.yaml") }

// member is one gateway of a fleet.
type member struct{ api, admin string }

// serve starts another gateway.
func (f *fleet) serve() *member {
	f.t.Helper()
	f.made++
	data := filepath.Join(f.folder, fmt.Sprint("data-", f.made))
	if f.made > 1 {
		keys, err := os.ReadFile(filepath.Join(f.folder, "data-1", "seal.keys"))
		if err != nil {
			f.t.Fatal(err)
		}
		if err := os.MkdirAll(data, 0o700); err != nil {
			f.t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(data, "seal.keys"), keys, 0o600); err != nil {
			f.t.Fatal(err)
		}
	}
	p := f.Process(append([]string{"WARMGATE_DATA=" + data}, f.env...), "serve", "-c", f.config())
	var serving struct{ API, Admin string }
	sandboxtest.Await(f.t, 10*time.Second, "serving", func() bool {
		for line := range strings.SplitSeq(p.Log.String(), "\n") {
			if strings.Contains(line, `"msg":"serving"`) && json.Unmarshal([]byte(line), &serving) == nil {
				return true
			}
		}
		return false
	})
	return &member{"http://" + serving.API, "http://" + serving.Admin}
}

// tickets makes tickets in the city.
func (f *fleet) tickets(n int) (codes []string) {
	f.t.Helper()
	for range n {
		_, made := f.Do("POST", f.City+"/make/octo/west-lake", nil, []byte("{}"))
		var tickets []struct{ Units []struct{ Code string } }
		if err := json.Unmarshal([]byte(made), &tickets); err != nil {
			f.t.Fatal(err)
		}
		codes = append(codes, tickets[0].Units[0].Code)
	}
	return codes
}

// source is where a part of an answer comes from.
type source struct {
	System string
	AsOf   time.Time `json:"as_of"`
	State  string
}

// enter shows a ticket to a gate, and returns what the answer says of today at ticketing, and how long it took.
func (f *fleet) enter(m *member, code string) (sources []source, took time.Duration, err error) {
	began := time.Now()
	status, text, err := f.Try("POST", m.api+"/v1/attractions/west-lake/entries", map[string]string{
		"Authorization": "Bearer " + f.Tokens["gate"], "Content-Type": "application/json", "Idempotency-Key": `"` + code + `"`,
	}, []byte(`{"gate":"north-1","scan_id":"`+code+`","ticket":{"code":"`+code+`"}}`))
	took = time.Since(began)
	if err != nil {
		return nil, took, err
	}
	var answer struct {
		Decision string
		Sources  []source
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil || status != http.StatusCreated || answer.Decision != "open" {
		return nil, took, fmt.Errorf("%d %s", status, text)
	}
	return answer.Sources, took, nil
}

// cached returns the sources that nobody was asked for.
func cached(all []source) (some []source) {
	for _, s := range all {
		if s.State == "cached" {
			some = append(some, s)
		}
	}
	return some
}

// A gateway that has just started knows from another one, through Redis, what today is like at an attraction: it does not ask
// ticketing, and says as of when it knows. Without Redis it asks; nobody is turned away, and it says that it is degraded.
func TestColdGatewayWarmsFromRedis(t *testing.T) {
	s := redistest.Start(t)
	f := newFleet(t, "addresses: []", "addresses: ["+s.Address+"]", "second_level: 20ms", "second_level: 100ms")
	codes := f.tickets(3)
	first := f.serve()
	sources, _, err := f.enter(first, codes[0])
	if err != nil || len(cached(sources)) != 0 {
		t.Fatalf("the first one: %+v, %v", sources, err)
	}
	asked := time.Now()
	sandboxtest.Await(t, 5*time.Second, "it is written", func() bool {
		_, body := f.Do("GET", first.admin+"/metrics", nil, nil)
		return strings.Contains(body, `warmgate_cache_shared_writes_total{outcome="written"} 1`)
	})
	second := f.serve()
	sources, _, err = f.enter(second, codes[1])
	if known := cached(sources); err != nil || len(known) != 1 || known[0].AsOf.After(asked) {
		t.Errorf("the second one: %+v, %v; the first one had asked before %v", sources, err, asked)
	}
	if _, body := f.Do("GET", second.admin+"/readyz", nil, nil); body != `{"state":"ready"}` {
		t.Errorf("it says %s", body)
	}
	s.Kill()
	third := f.serve()
	sources, _, err = f.enter(third, codes[2])
	if err != nil || len(cached(sources)) != 0 {
		t.Errorf("without Redis: %+v, %v", sources, err)
	}
	sandboxtest.Await(t, 10*time.Second, "it says so", func() bool {
		status, body := f.Do("GET", third.admin+"/readyz", nil, nil)
		return status == http.StatusOK && body == `{"state":"ready","degraded":["redis"]}`
	})
}

// Whatever Redis does while visitors come in, all of them get in, within the machine budget.
func TestRedisFailsWhileVisitorsComeIn(t *testing.T) {
	s := redistest.Start(t)
	// Today is asked for anew by nearly every scan, so that nearly every scan would like to know it from Redis.
	f := newFleet(t, "addresses: []", "addresses: ["+s.Address+"]",
		"{ fresh: 60s, stale_while_revalidate: 10m, stale_if_error: 12h, second_level: 20ms }", "{ fresh: 1ms, second_level: 20ms }")
	m := f.serve()
	const workers, budget = 2, 800 * time.Millisecond
	codes := make(chan string, 64)
	stop := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		defer close(codes)
		for {
			for _, code := range f.tickets(8) {
				select {
				case codes <- code:
				case <-stop:
					return
				}
			}
		}
	})
	var in, slow atomic.Int64
	for range workers {
		all.Go(func() {
			for code := range codes {
				_, took, err := f.enter(m, code)
				if err != nil {
					t.Errorf("after %v: %v", took, err)
				}
				if took > budget {
					slow.Add(1)
				}
				in.Add(1)
			}
		})
	}
	for _, fault := range []struct {
		name string
		do   func()
	}{
		{"nothing", func() {}}, {"emptied", s.Flush}, {"hangs", s.Pause}, {"goes on", s.Resume}, {"killed", s.Kill}, {"restarted", s.Restart},
	} {
		fault.do()
		before := in.Load()
		sandboxtest.Await(t, 20*time.Second, "visitors come in: Redis: "+fault.name, func() bool { return in.Load() >= before+40 })
	}
	close(stop)
	all.Wait()
	t.Logf("%d came in, %d of them late", in.Load(), slow.Load())
	// A moment in which the machine stands still makes those late who are on their way; a Redis that is waited for, all.
	if slow.Load() > 5*workers && !sandboxtest.Race {
		t.Errorf("%d of %d waited for longer than %v", slow.Load(), in.Load(), budget)
	}
}
