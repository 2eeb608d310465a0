package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/flows"
	"github.com/warmgate/warmgate/flows/flowtest"
	"github.com/warmgate/warmgate/flows/sandbox/sandboxtest"
	"github.com/warmgate/warmgate/gateway/auth"
)

// counter is a city whose ticketing hangs, so that every visitor needs a person.
type counter struct {
	*flowtest.City
	folder string
}

func openCounter(t *testing.T) *counter {
	t.Helper()
	journeys, err := flows.All()
	if err != nil {
		t.Fatal(err)
	}
	c := &counter{City: flowtest.Start(t, journeys, flowtest.Spot{ID: "west-lake"}), folder: t.TempDir()}
	c.ticketing(twin.Hang)
	t.Cleanup(func() { c.ticketing("") })
	return c
}

// ticketing dials a fault, "" for none.
func (c *counter) ticketing(fault twin.Fault) {
	c.T.Helper()
	if err := c.Twins.Dial("octo", "west-lake", twin.Dial{Fault: fault}); err != nil {
		c.T.Fatal(err)
	}
}

// visitor sends somebody to the gate whom a person has to look at, and returns the assist's id.
func (c *counter) visitor() string {
	c.T.Helper()
	a := c.Do(flowtest.Call{Method: http.MethodPost, Path: "/v1/attractions/west-lake/entries", Token: c.Token("gate", "scenic:gate"),
		Body: fmt.Sprintf(`{"gate":"north-1","scan_id":"%d","ticket":{"code":"A-TICKET-OF-NOBODY-%[1]d"}}`, time.Now().UnixNano())})
	var body struct{ Assist struct{ ID string } }
	if a.Status != http.StatusAccepted || json.Unmarshal([]byte(a.Text), &body) != nil {
		c.T.Fatalf("%d %s", a.Status, a.Text)
	}
	return body.Assist.ID
}

// file keeps a token in a file, as staff do.
func (c *counter) file(name, token string) string {
	c.T.Helper()
	path := filepath.Join(c.folder, name)
	if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
		c.T.Fatal(err)
	}
	return path
}

// assists runs the command as who.
func (c *counter) assists(who string, args ...string) (code int, out, errs string) {
	c.T.Helper()
	var stdout, stderr strings.Builder
	file := c.file(who, c.Token(who, "staff:assist"))
	code = run(append([]string{"assists", "--api", c.URL, "--token-file", file, "--lang", "en"}, args...), &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

// TestStaffSettleAssistsInATerminal is the whole way of one assist, in both languages, with what is refused on it.
func TestStaffSettleAssistsInATerminal(t *testing.T) {
	c := openCounter(t)
	if code, out, _ := c.assists("li"); code != 0 || out != "Nobody waits for help.\n" {
		t.Errorf("%d %s", code, out)
	}
	id := c.visitor()
	end := id[len(id)-8:]
	secret := "A-TICKET-OF-NOBODY"
	for _, s := range []struct {
		who  string
		args string
		code int
		says []string
	}{
		{"li", "", 0, []string{"ID        WAITS   STATE     BY          VENUE", "\n" + end + "  ", "  open  ", "look at the ticket itself"}},
		{"li", "list --lang zh_CN.UTF-8", 0, []string{"编号      已等    状态      处理人      地点", "  待处理  ", "请查验票证原件"}},
		{"li", "show " + end, 0, []string{id, "not done     Count the visitor in\n", "done         nothing\n", "tried        find: no answer\n", "settle as    admit  Let the visitor in\n", "claim it to see them"}},
		{"li", "release " + end, 1, []string{"warmgate: Claim this before you settle it\n"}},
		{"li", "claim " + end, 0, []string{"STATE        claimed\n", secret}},
		{"wang", "claim " + end + " --lang zh", 1, []string{"warmgate: 已有同事在处理这条求助\n"}},
		{"wang", "show " + end, 0, []string{"li@https://id.city.example"}},
		{"li", "resolve " + end + " burn --reason=why", 1, []string{"warmgate: This cannot be settled in that way (resolution)\n"}},
		{"li", "resolve " + end + " admit --reason=", 1, []string{"warmgate: A field is missing (reason)\n"}},
		{"li", "resolve " + end + " admit", 2, []string{"missing flags: --reason"}},
		{"li", "resolve " + end + ` admit --reason=seen --details={"people":0}`, 1, []string{"(details.people)\n"}},
		{"li", "resolve " + end + ` admit --reason=seen --details={`, 1, []string{"warmgate: the details are not JSON"}},
		{"li", "resolve " + end + ` admit --reason=seen --details={"people":2}`, 0, []string{"STATE        resolved\n", "settle as    admit\n", `"inside": 2`}},
		{"li", "show " + end, 1, []string{"a resolved one needs its whole id"}},
		{"li", "claim " + id, 1, []string{"warmgate: This is already settled\n"}},
		{"li", "list --state=resolved", 0, []string{end, "resolved  li "}},
		{"li", "show no-such", 1, []string{"no unresolved assist"}},
		{"li", "list --state=lost", 2, []string{"--state must be one of"}},
		{"li", "list --watch --state=all", 2, []string{"--watch tells of every change"}},
	} {
		code, out, errs := c.assists(s.who, strings.Fields(s.args)...)
		for _, want := range s.says {
			if code != s.code || !strings.Contains(out+errs, want) || (code == 0) != (errs == "") {
				t.Errorf("%s %s: %d\n%s%s\nwant %d %s", s.who, s.args, code, out, errs, s.code, want)
			}
		}
		if told := strings.Contains(out+errs, secret); told != strings.HasPrefix(s.args, "claim "+end) && code == 0 {
			t.Errorf("%s %s: what was shown at the gate is told: %v", s.who, s.args, told)
		}
	}
	if n := c.Number(`SELECT inside FROM occupancy`); n != 2 {
		t.Errorf("%d are inside", n)
	}
}

// TestAssistsSurviveARestart as they are: open ones, claimed ones, and their facts.
func TestAssistsSurviveARestart(t *testing.T) {
	c := openCounter(t)
	first, second := c.visitor(), c.visitor()
	c.assists("li", "claim", second)
	code, before, _ := c.assists("li", "--json")
	_, facts, _ := c.assists("li", "--json", "show", second)
	if code != 0 || strings.Count(before, "\n") != 2 || !strings.Contains(before, first) || !strings.Contains(facts, `"facts":{`) {
		t.Fatalf("%d %s\n%s", code, before, facts)
	}
	c.ticketing("")
	c.Stop()
	c.Run()
	if _, after, errs := c.assists("li", "--json"); after != before {
		t.Errorf("before\n%safter\n%s%s", before, after, errs)
	}
	if _, after, errs := c.assists("li", "--json", "show", second); after != facts {
		t.Errorf("before\n%safter\n%s%s", facts, after, errs)
	}
	if code, out, errs := c.assists("li", "resolve", second, "turn-away", "--reason=nobody is there"); code != 0 {
		t.Errorf("%d %s%s", code, out, errs)
	}
}

// TestStaffWatchAssists in a process of its own, until it is interrupted, and until the token expires.
func TestStaffWatchAssists(t *testing.T) {
	c := openCounter(t)
	box := sandboxtest.New(t)
	id := c.visitor()
	watch := box.Process([]string{"WARMGATE_API=" + c.URL, "WARMGATE_TOKEN=" + c.Token("li", "staff:assist")}, "assists", "list", "--watch", "--json")
	next := func(event, id string) {
		t.Helper()
		var got struct {
			Event  string
			Assist struct{ ID string }
		}
		line := watch.Line("")
		if err := json.Unmarshal([]byte(line), &got); err != nil || got.Event != event || got.Assist.ID != id {
			t.Fatalf("%s, want %s of %s", line, event, id)
		}
	}
	next("opened", id)
	c.assists("li", "claim", id)
	next("claimed", id)
	c.assists("wang", "release", id)
	next("released", id)
	other := c.visitor()
	next("opened", other)
	watch.End()

	grant := auth.Grant{Subject: "li", Tenant: "hangzhou", Scopes: []string{"staff:assist"}, Venues: []string{"*"}, TTL: time.Second}
	file := c.file("short", c.MintAt(grant, time.Now().Add(-4*time.Second))) // the leeway is 5 s
	out, err := sandboxtest.Command(t, "assists", "--api", c.URL, "--token-file", file, "--lang=en", "list", "--watch").CombinedOutput()
	if err == nil || !strings.HasPrefix(string(out), "ID ") || !strings.Contains(string(out), other[len(other)-8:]) ||
		!strings.HasSuffix(string(out), "warmgate: The access token has expired: Please get a new access token.\n") {
		t.Errorf("%v: %s", err, out)
	}
}
