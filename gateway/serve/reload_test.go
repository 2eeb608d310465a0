package serve

import (
	"context"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/warmgate/warmgate/gateway/call"
)

func TestReloadReplacesWhatChangedAlone(t *testing.T) {
	w := newWorld(t)
	w.open()
	two, twoBindings := w.g.venue("two"), w.g.bindings("two")
	was, _ := w.stall.counts("two")
	w.edit("venues/one.yaml", "word: hello", "word: goodbye")
	if err := w.g.Reload(); err != nil {
		t.Fatal(err)
	}
	if got := w.word("one"); got != `200 {"word":"goodbye"}` {
		t.Errorf("the changed venue says %s", got)
	}
	if got := w.word("two"); got != `200 {"word":"hello"}` {
		t.Errorf("the other venue says %s", got)
	}
	if is, _ := w.stall.counts("two"); is != was || w.g.venue("two") != two || w.g.bindings("two") != twoBindings {
		t.Error("a venue that did not change was made anew: its breaker has forgotten")
	}
	// What the gateway's file says of all instances is a change of each venue.
	w.edit("gateway.yaml", "flows:\n", "instances: { max_in_flight: 7 }\nflows:\n")
	if err := w.g.Reload(); err != nil {
		t.Fatal(err)
	}
	if is, _ := w.stall.counts("two"); is != was+1 || w.g.bindings("two") == twoBindings {
		t.Error("the venue kept an instance that is configured differently now")
	}
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	for _, venue := range []string{"one", "two"} {
		if connected, closed := w.stall.counts(venue); connected != closed {
			t.Errorf("venue %s: %d connected, %d closed at the end", venue, connected, closed)
		}
	}
}

func TestVenuesComeAndGo(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.write("venues/three.yaml", strings.ReplaceAll(goodVenue, "NAME", "three"))
	if err := os.Remove(w.path("venues/two.yaml")); err != nil {
		t.Fatal(err)
	}
	if err := w.g.Reload(); err != nil {
		t.Fatal(err)
	}
	if got := w.word("three"); !strings.HasPrefix(got, "200 ") {
		t.Errorf("the new venue: %s", got)
	}
	if got := w.word("two"); !strings.HasPrefix(got, "404 ") {
		t.Errorf("the venue that went: %s", got)
	}
	if all := w.g.venuesOf("stall"); len(all) != 2 {
		t.Errorf("%d stalls", len(all))
	}
}

// One mistake anywhere, and nothing at all is taken: neither the other venue nor the timings, limits or keys.
func TestRefusedReloadChangesNothing(t *testing.T) {
	w := newWorld(t)
	w.open()
	for _, c := range []struct {
		name  string
		wrong func()
		want  string
	}{
		{"a venue", func() { w.edit("venues/two.yaml", "kind: stall", "kind: palace") }, "is not a kind of venue"},
		{"the keys", func() { w.write("keys/token-keys.json", "{") }, "token-keys.json"},
		{"a proof", func() { w.edit("gateway.yaml", "slice: 300ms", "slice: 600ms") }, "more than its machine budget"},
		{"no file", func() {
			if err := os.Remove(w.path("gateway.yaml")); err != nil {
				t.Fatal(err)
			}
		}, "cannot read the configuration"},
	} {
		t.Run(c.name, func(t *testing.T) {
			one := w.g.venue("one")
			before, _ := w.stall.counts("one")
			w.edit("venues/one.yaml", "word: hello", "word: goodbye")
			w.edit("gateway.yaml", "burst: 1000", "burst: 5")
			w.edit("gateway.yaml", "machine_budget: 500ms", "machine_budget: 550ms")
			c.wrong()
			err := w.g.Reload()
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if w.g.venue("one") != one || w.stall.plan.Budget() != 500*time.Millisecond || w.g.Config().Limit.Policies[0].Burst != 1000 {
				t.Error("something was taken")
			}
			if status, body, h := w.get(w.base+"/v1/stalls/one", w.issuer); status != 200 || !strings.Contains(h.Get("RateLimit-Policy"), "q=1000") {
				t.Errorf("now: %d %s %v", status, body, h)
			}
			after, closed := w.stall.counts("one")
			if after-closed != 1 {
				t.Errorf("of %d new connections not all were closed", after-before)
			}
			w.write("gateway.yaml", goodGateway)
			for _, venue := range []string{"one", "two"} {
				w.write("venues/"+venue+".yaml", strings.ReplaceAll(goodVenue, "NAME", venue))
			}
			w.issuer = w.newIssuer("keys", "one")
		})
	}
	if !w.metric(`warmgate_reloads_total{outcome="refused"} 4`) {
		t.Error("the refusals are not counted")
	}
	if err := w.g.Reload(); err != nil {
		t.Errorf("with all mended: %v", err)
	}
}

func TestReloadTakesTimingsLimitsAndIssuers(t *testing.T) {
	w := newWorld(t)
	w.open()
	second := w.newIssuer("keys2", "two")
	if status, body, _ := w.get(w.base+"/v1/stalls/one", second); status != 401 {
		t.Errorf("a foreign issuer: %d %s", status, body)
	}
	w.edit("gateway.yaml", "machine_budget: 500ms", "machine_budget: 550ms")
	w.edit("gateway.yaml", "burst: 1000", "burst: 5000")
	w.edit("gateway.yaml", "issuer: one", "issuer: two")
	w.edit("gateway.yaml", "keys/", "keys2/")
	if err := w.g.Reload(); err != nil {
		t.Fatal(err)
	}
	if got := w.stall.plan.Budget(); got != 550*time.Millisecond {
		t.Errorf("the budget is %s", got)
	}
	status, body, h := w.get(w.base+"/v1/stalls/one", second)
	if status != 200 || !strings.Contains(h.Get("RateLimit-Policy"), "q=5000") {
		t.Errorf("the new issuer: %d %s, policy %q", status, body, h.Get("RateLimit-Policy"))
	}
	if status, body, _ := w.get(w.base+"/v1/stalls/one", w.issuer); status != 401 {
		t.Errorf("the old issuer: %d %s", status, body)
	}
}

// A key that goes from the file of an issuer goes with the next reload, and so does who is revoked.
func TestReloadReadsKeysAndRevocationsAgain(t *testing.T) {
	w := newWorld(t)
	w.write("revoked", "# none yet\n")
	w.edit("gateway.yaml", "  issuers:\n", "  revocations_file: revoked\n  issuers:\n")
	w.open()
	if got := w.word("one"); !strings.HasPrefix(got, "200 ") {
		t.Fatalf("before: %s", got)
	}
	w.write("revoked", "sub one tester\n")
	if err := w.g.Reload(); err != nil {
		t.Fatal(err)
	}
	if got := w.word("one"); !strings.HasPrefix(got, "401 ") {
		t.Errorf("revoked: %s", got)
	}
}

// What only a restart can do is said, against what runs and not against the last file.
func TestFixedSettingsAreSaid(t *testing.T) {
	w := newWorld(t)
	w.open()
	said := func(section string) bool {
		return strings.Contains(w.log.String(), `msg="this change needs a restart" section=`+section+"\n")
	}
	w.edit("gateway.yaml", "data: data", "data: elsewhere")
	w.edit("gateway.yaml", "limit:\n", "outbox: { workers: 3, per_venue: 2 }\nledger: { batch: 9 }\nlimit:\n  gate: { in_flight: 3 }\n")
	if err := w.g.Reload(); err != nil {
		t.Fatal(err)
	}
	for _, section := range []string{"data", "outbox", "ledger", "limit.gate"} {
		if !said(section) {
			t.Errorf("%s is not said:\n%s", section, w.log)
		}
	}
	if said("listen") || said("cache") {
		t.Errorf("what did not change is said:\n%s", w.log)
	}
	n := strings.Count(w.log.String(), "needs a restart")
	w.write("gateway.yaml", goodGateway)
	if err := w.g.Reload(); err != nil {
		t.Fatal(err)
	}
	if again := strings.Count(w.log.String(), "needs a restart"); again != n {
		t.Errorf("what is as it runs was said:\n%s", w.log)
	}
}

// watch runs Watch until the test ends.
func (w *world) watch(hangUp <-chan os.Signal) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); w.g.Watch(ctx, hangUp) }()
	w.t.Cleanup(func() { cancel(); <-done })
}

func TestWatchTakesChanges(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.edit("venues/one.yaml", "word: hello", "word: early") // before anybody watches
	hangUp := make(chan os.Signal)
	w.watch(hangUp)
	w.await("the change from before", func() bool { return w.word("one") == `200 {"word":"early"}` })
	w.edit("venues/one.yaml", "word: early", "word: later")
	w.await("a change", func() bool { return w.word("one") == `200 {"word":"later"}` })

	// An editor writes beside and renames.
	w.write("venues/one.new", strings.ReplaceAll(strings.ReplaceAll(goodVenue, "NAME", "one"), "hello", "renamed"))
	if err := os.Rename(w.path("venues/one.new"), w.path("venues/one.yaml")); err != nil {
		t.Fatal(err)
	}
	w.await("a rename", func() bool { return w.word("one") == `200 {"word":"renamed"}` })

	// Another folder of venues is watched from then on.
	w.write("places/one.yaml", strings.ReplaceAll(strings.ReplaceAll(goodVenue, "NAME", "one"), "hello", "moved"))
	w.edit("gateway.yaml", "venues: venues", "venues: places")
	w.await("another folder", func() bool { return w.word("one") == `200 {"word":"moved"}` })
	w.edit("places/one.yaml", "word: moved", "word: there")
	w.await("a change in it", func() bool { return w.word("one") == `200 {"word":"there"}` })

	// The folder goes, is told once, and comes again.
	if err := os.RemoveAll(w.path("places")); err != nil {
		t.Fatal(err)
	}
	w.await("the loss", func() bool { return strings.Contains(w.log.String(), "cannot watch a folder") })
	w.write("places/one.yaml", strings.ReplaceAll(strings.ReplaceAll(goodVenue, "NAME", "one"), "hello", "back"))
	hangUp <- syscall.SIGHUP
	w.await("the folder's return", func() bool { return w.word("one") == `200 {"word":"back"}` })
	w.edit("places/one.yaml", "word: back", "word: there")
	w.await("a change in it again", func() bool { return w.word("one") == `200 {"word":"there"}` })

	// What names no file of the configuration is read again at SIGHUP.
	if err := os.WriteFile(w.path("keys/token-keys.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	hangUp <- syscall.SIGHUP
	w.await("the refusal", func() bool { return strings.Contains(w.log.String(), "token-keys.json") })
	if !w.metric(`warmgate_reloads_total{outcome="taken"} 7`) {
		t.Error("not every change was taken exactly once")
	}
	if got := w.word("one"); got != `200 {"word":"there"}` {
		t.Errorf("after the refusal: %s", got)
	}
}

// What changes after a folder was read and before it is watched tells of nothing, and is found all the same.
func TestWatchTakesWhatANewFolderTellsOfTooEarly(t *testing.T) {
	w := newWorld(t)
	w.open()
	hangUp := make(chan os.Signal)
	w.watch(hangUp)
	for folder, take := range map[string]func(){"found": func() {}, "signalled": func() { hangUp <- syscall.SIGHUP }} {
		w.write(folder+"/one.yaml", strings.ReplaceAll(strings.ReplaceAll(goodVenue, "NAME", "one"), "hello", "early"))
		w.stall.mu.Lock()
		w.stall.meanwhile = func() { w.edit(folder+"/one.yaml", "word: early", "word: "+folder) }
		w.stall.mu.Unlock()
		w.edit("gateway.yaml", "venues: "+w.g.Config().Venues, "venues: "+folder)
		take()
		w.await("what changed in "+folder, func() bool { return w.word("one") == `200 {"word":"`+folder+`"}` })
	}
}

// An instance lives on, with what it has been through, where a venue's file changes in nothing that it stands for.
func TestReloadKeepsAnInstanceThatIsReachedAsBefore(t *testing.T) {
	w := newWorld(t)
	w.open()
	instance := func() *call.Instance { return w.g.current.Load().venues["one"].instances[0] }
	for _, x := range []struct {
		file, from, to string
		kept           bool
	}{
		{"venues/one.yaml", "word: hello", "word: goodbye", true},
		{"venues/one.yaml", "en: A stall", "en: The stall", true},
		{"venues/one.yaml", "http://127.0.0.1:1}", "http://127.0.0.1:2}", false},
		{"venues/one.yaml", "connector: drawer", "connector: box", false},
		{"venues/one.yaml", "    options:", "    instance: { max_in_flight: 5 }\n    options:", false},
		{"gateway.yaml", "flows:\n", "instances: { max_in_flight: 7 }\nflows:\n", true}, // it has its own
	} {
		was, bindings := instance(), w.g.bindings("one")
		w.edit(x.file, x.from, x.to)
		if err := w.g.Reload(); err != nil {
			t.Fatal(err)
		}
		if (instance() == was) != x.kept || w.g.bindings("one") == bindings {
			t.Errorf("after %q: kept is %t, want %t; bound anew is %t", x.to, instance() == was, x.kept, w.g.bindings("one") != bindings)
		}
	}
}

// A second file of a venue is a mistake that leaves the first one's venue at work.
func TestAVenueThatIsThereTwiceIsNotClosed(t *testing.T) {
	w := newWorld(t)
	w.open()
	for _, text := range []string{strings.ReplaceAll(goodVenue, "NAME", "two"), strings.ReplaceAll(strings.ReplaceAll(goodVenue, "NAME", "two"), "hello", "bye")} {
		w.write("venues/again.yaml", text)
		if err := w.g.Reload(); err == nil || !strings.Contains(err.Error(), "venue two is there twice") {
			t.Fatalf("two files of one venue: %v", err)
		}
	}
	connected, closed := w.stall.counts("two")
	if got := w.word("two"); got != `200 {"word":"hello"}` || connected-closed != 1 {
		t.Errorf("it says %s; %d connected, %d closed", got, connected, closed)
	}
}

// A credential that has changed is a change of the venues that use it, whose files are as they were, and of no other.
func TestReloadSeesANewCredential(t *testing.T) {
	w := newWorld(t)
	w.write("one.key", "first")
	w.edit("venues/one.yaml", "key: { env: TILL_KEY }", "key: { file: one.key }")
	w.open()
	for text, changes := range map[string]bool{"first\n": false, "second": true} { // white space around it is no part of it
		one, two := w.g.bindings("one"), w.g.bindings("two")
		w.write("one.key", text)
		if err := w.g.Reload(); err != nil {
			t.Fatal(err)
		}
		if (w.g.bindings("one") != one) != changes || w.g.bindings("two") != two {
			t.Errorf("after %q: bound anew is %t, want %t; the other one too: %t", text, w.g.bindings("one") != one, changes, w.g.bindings("two") != two)
		}
		w.write("one.key", "first")
		if err := w.g.Reload(); err != nil {
			t.Fatal(err)
		}
	}
}
