package assist_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/flow/worldtest"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// told is a journey as its caller sees it.
type told struct {
	ID        string         `json:"id"`
	Plan      string         `json:"plan"`
	Venue     string         `json:"venue"`
	State     string         `json:"state"`
	StartedAt string         `json:"started_at"`
	EndedAt   string         `json:"ended_at"`
	SettledAt string         `json:"settled_at"`
	Status    *int           `json:"status"`
	Answer    jsontext.Value `json:"answer"`
	Decision  string         `json:"decision"`
	Assists   []struct {
		ID         string `json:"id"`
		Kind       string `json:"kind"`
		State      string `json:"state"`
		Resolution string `json:"resolution"`
	} `json:"assists"`
}

func (p *place) journey(token, id string) (j told) {
	p.T.Helper()
	a := p.get(token, "/v1/journeys/"+id)
	if a.Status != http.StatusOK {
		p.T.Fatalf("journey: %d %s", a.Status, a.Body)
	}
	p.Into(a, &j)
	return j
}

func idOf(t testing.TB, p *place, a worldtest.Answer) string {
	t.Helper()
	var body struct {
		Journey  string `json:"journey"`
		Instance string `json:"instance"`
	}
	p.Into(a, &body)
	return strings.TrimPrefix(body.Journey+body.Instance, "/v1/journeys/")
}

func TestAJourneyTellsWhatHasBecomeOfIt(t *testing.T) {
	p := start(t)
	for do, c := range map[string]struct {
		state  string
		status int
	}{"done": {"done", 201}, "refuse": {"refused", 409}, "help": {"assist", 202}} {
		a := p.visit(do, "east")
		j := p.journey(p.citizen, idOf(t, p, a))
		if a.Status != c.status || j.State != c.state || j.Status == nil || *j.Status != c.status || string(j.Answer) != a.Body || j.Plan != "visit" || j.Venue != "east" {
			t.Errorf("%s: %d %s, then %+v", do, a.Status, a.Body, j)
		}
		for _, at := range []string{j.StartedAt, j.EndedAt} {
			if _, err := time.Parse(time.RFC3339, at); err != nil || !strings.HasSuffix(at, "+08:00") || len(at) > len("2026-11-24T22:00:00.000+08:00") {
				t.Errorf("%s: a time is %q", do, at)
			}
		}
		if want := do == "help"; want != (len(j.Assists) == 1) {
			t.Errorf("%s: assists %+v", do, j.Assists)
		}
	}
	run, id := p.stuck("help", "east")
	p.claim(p.li, id)
	if j := p.journey(p.citizen, run); j.State != "assist" || j.SettledAt != "" || j.Assists[0].ID != id || j.Assists[0].State != "claimed" || j.Decision != "wait" || j.Assists[0].Kind != "visitor-stuck" {
		t.Errorf("while somebody works on it: %+v", j)
	}
	p.resolve(p.li, id, "turn-away")
	if j := p.journey(p.citizen, run); j.State != "settled" || !strings.HasSuffix(j.SettledAt, "+08:00") || j.SettledAt < j.EndedAt || j.Decision != "closed" ||
		*j.Status != 202 || j.Assists[0].State != "resolved" || j.Assists[0].Resolution != "turn-away" {
		t.Errorf("once it is settled: %+v", j)
	}
	run, id = p.stuck("help", "east")
	p.claim(p.li, id)
	p.resolve(p.li, id, "admit")
	if j := p.journey(p.citizen, run); j.State != "settled" || j.Decision != "open" {
		t.Errorf("once the visitor is let in: %+v", j)
	}
}

// open opens an assist of a run, as something that comes late does.
func (p *place) open(run, kind string) {
	p.T.Helper()
	p.Write(func(tx *ledger.Tx) error {
		_, err := tx.OpenAssist(ledger.Assist{Run: run, Plan: "visit", Kind: kind, Tenant: "hangzhou", Venue: "east"})
		return err
	})
}

// A journey is settled once people have seen to everything that it left to them; one that the citizen saw end stays as it
// ended, whatever comes late.
func TestAJourneyIsSettledByPeople(t *testing.T) {
	p := start(t)
	run, id := p.stuck("help", "east")
	p.open(run, "visitor-lost")
	p.claim(p.li, id)
	p.resolve(p.li, id, "admit")
	if j := p.journey(p.citizen, run); j.State != "assist" || j.Decision != "wait" || j.SettledAt != "" || len(j.Assists) != 2 {
		t.Errorf("with one of two settled: %+v", j)
	}
	run = idOf(t, p, p.visit("done", "east"))
	p.open(run, "visitor-lost")
	if j := p.journey(p.citizen, run); j.State != "done" || j.Decision != "" || len(j.Assists) != 1 {
		t.Errorf("done, with something late: %+v", j)
	}
}

func TestAJourneyThatHasNotEndedHasNoAnswer(t *testing.T) {
	p := start(t)
	begin := func(venue string, state ledger.RunState) string {
		id := uuid.NewString()
		box, err := p.Ledger.Keys().NewBox()
		if err != nil {
			t.Fatal(err)
		}
		p.Write(func(tx *ledger.Tx) error {
			begun := ledger.RunRunning
			if state == ledger.RunRecovering {
				begun = state
			}
			err := tx.BeginRun(ledger.Run{ID: id, Plan: "visit", Tenant: "hangzhou", Venue: venue, Principal: "citizen@i", State: begun,
				Key: box.Wrapped(), StartedAt: time.Now(), LeaseUntil: time.Now().Add(time.Hour)})
			if err != nil || state == begun {
				return err
			}
			return tx.EndRun(id, state, false, 503, box.Seal([]byte(`{"status":503}`), "answer"))
		})
		return id
	}
	for _, state := range []ledger.RunState{ledger.RunRunning, ledger.RunRecovering} {
		j := p.journey(p.citizen, begin("east", state))
		if j.State != string(state) || j.Status != nil || j.Answer != nil || j.EndedAt != "" || j.StartedAt == "" || j.Assists == nil {
			t.Errorf("%s: %+v", state, j)
		}
	}
	j := p.journey(p.citizen, begin("a-place-that-has-gone", ledger.RunUndone))
	if j.State != "undone" || j.Status == nil || *j.Status != 503 || string(j.Answer) != `{"status":503}` || !strings.HasSuffix(j.EndedAt, "Z") {
		t.Errorf("undone: %+v", j)
	}
}

func TestAJourneyIsItsCallersAlone(t *testing.T) {
	p := start(t)
	run := idOf(t, p, p.visit("done", "east"))
	for who, g := range map[string]gateway.Principal{
		"another subject":           {Subject: "other", Tenant: "hangzhou", Venues: []string{"*"}},
		"the subject of another":    {Subject: "citizen", Issuer: "j", Tenant: "hangzhou", Venues: []string{"*"}},
		"the subject at its tenant": {Subject: "citizen", Tenant: "suzhou", Venues: []string{"*"}},
		"staff":                     {Subject: "boss", Tenant: "hangzhou", Scopes: []string{"staff:assist"}, Venues: []string{"*"}},
	} {
		want(t, who, p.get(p.Token(g), "/v1/journeys/"+run), 404, "journey-unknown")
	}
	want(t, "no such journey", p.get(p.citizen, "/v1/journeys/"+uuid.NewString()), 404, "journey-unknown")
	want(t, "no id", p.get(p.citizen, "/v1/journeys/x'--"), 404, "journey-unknown")
	want(t, "nobody", p.get("", "/v1/journeys/"+run), 401, "token-missing")
	same := p.Token(gateway.Principal{Subject: "citizen", Tenant: "hangzhou"}) // another token of the same person, for no venue
	if j := p.journey(same, run); j.State != "done" {
		t.Errorf("the same person: %+v", j)
	}
}

func TestAnErasedJourneyKeepsItsStateAndHasNoAnswer(t *testing.T) {
	p := start(t)
	run, _ := p.stuck("help", "east")
	p.erase(run)
	j := p.journey(p.citizen, run)
	if j.State != "assist" || j.Answer != nil || *j.Status != 202 || len(j.Assists) != 1 {
		t.Errorf("erased: %+v", j)
	}
}

func TestTimesInAListHaveTheirVenuesOffset(t *testing.T) {
	p := start(t)
	p.Put(&gateway.Venue{ID: "west", Kind: "place", Tenant: "hangzhou", Location: time.FixedZone("", -5*3600)})
	p.stuck("help", "east")
	p.stuck("help", "west")
	var zones []string
	for _, a := range p.list(p.li, "").Assists {
		zones = append(zones, a.OpenedAt[len(a.OpenedAt)-6:])
	}
	if fmt.Sprint(zones) != "[+08:00 -05:00]" {
		t.Errorf("offsets: %v", zones)
	}
}
