package serve

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/limit"
)

// fair is a second journey of the tests that serves stalls: those with a section fair.
type fair struct {
	mu        sync.Mutex
	instances map[string]*call.Instance
	shared    map[string]string
	taken     []string // the venues of each configuration
}

type fairSettings struct {
	Row int `yaml:"row"`
}

const fairDocument = `paths:
  /v1/stalls/{stall}/row:
    get:
      operationId: row
      summary: Where it stands
      security:
        - bearer: ["stall:read"]
      parameters:
        - { name: stall, in: path, required: true, schema: { type: string } }
      responses:
        default: { $ref: "#/components/responses/Problem" }
`

func (f *fair) flow() *flow.Flow {
	f.instances, f.shared = map[string]*call.Instance{}, map[string]string{}
	return &flow.Flow{Name: "fair", Document: []byte(fairDocument), Venues: &flow.VenueKind{
		Kind: "stall", Section: "fair",
		Settings: func(decode func(into any) error) (any, error) {
			set := &fairSettings{}
			if err := decode(set); err != nil {
				return nil, err
			}
			if set.Row < 1 {
				return nil, &gateway.FieldError{Path: "row", Message: "must be 1 or more"}
			}
			return set, nil
		},
		Roles: map[string]map[string]flow.Connect{"till": {"drawer": f.connect}},
		Taken: func(all []*gateway.Venue) {
			var ids []string
			for _, v := range all {
				ids = append(ids, fmt.Sprint(v.ID, v.Section("fair").(*fairSettings).Row))
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			f.taken = append(f.taken, strings.Join(ids, " "))
		},
	}, Routes: func(*flow.Runtime) []edge.Route {
		return []edge.Route{{Method: http.MethodGet, Path: "/v1/stalls/{stall}/row", Name: "row", Scope: "stall:read", Venue: "stall",
			VenueKind: "stall", Priority: limit.Normal, Serve: func(x *edge.Exchange) error {
				return x.JSON(200, x.Venue().Section("fair").(*fairSettings).Row)
			}}}
	}}
}

func (f *fair) connect(v *gateway.Venue, to flow.Connection, _ *call.Bindings) (func(), error) {
	var options struct {
		Drawer int `yaml:"drawer"`
	}
	if err := to.Options(&options); err != nil {
		return nil, err
	}
	word, stop, err := flow.Share(to, func() (string, error) { return "the fair's", nil }, func(string) {})
	f.mu.Lock()
	defer f.mu.Unlock()
	f.instances[v.ID], f.shared[v.ID] = to.Instance, word
	return stop, err
}

// newFair is a world of two journeys for stalls: one is served by both, two by the first, three by the second.
func newFair(t *testing.T) (*world, *fair) {
	t.Helper()
	w, f := newWorld(t), &fair{}
	w.also = []*flow.Flow{f.flow()}
	three := strings.ReplaceAll(goodVenue, "NAME", "three")
	w.write("venues/three.yaml", strings.Replace(three, "settings:\n  word: hello\n", "fair:\n  row: 3\n", 1))
	w.edit("venues/one.yaml", "settings:\n", "fair: { row: 1 }\nsettings:\n")
	return w, f
}

func TestTwoJourneysServeOneKindOfVenue(t *testing.T) {
	w, f := newFair(t)
	w.open()
	for path, want := range map[string]string{
		"one": `200 {"word":"hello"}`, "two": `200 {"word":"hello"}`, "three": "404", "one/row": "200 1", "two/row": "404", "three/row": "200 3",
	} {
		if got := w.word(path); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.taken) != 1 || f.taken[0] != "one1 three3" {
		t.Errorf("taken %q", f.taken)
	}
	one := w.g.current.Load().venues["one"]
	if len(one.instances) != 1 || f.instances["one"] != one.instances[0] || w.stall.bound("one") != one.instances[0] {
		t.Errorf("both journeys must bind to the one instance of %v: %v and %v", one.instances, f.instances["one"], w.stall.bound("one"))
	}
	if f.shared["one"] != "the stall's" || f.shared["three"] != "the fair's" {
		t.Errorf("shared: %v", f.shared)
	}
}

func TestAReloadTellsTheJourneysOfTheirVenues(t *testing.T) {
	w, f := newFair(t)
	w.open()
	w.edit("venues/three.yaml", "row: 3", "row: 4")
	if err := w.g.Reload(); err != nil {
		t.Fatal(err)
	}
	w.edit("venues/three.yaml", "row: 4", "row: 0")
	if err := w.g.Reload(); err == nil {
		t.Error("a row of 0 holds")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if strings.Join(f.taken, ", ") != "one1 three3, one1 three4" {
		t.Errorf("taken %q", f.taken)
	}
}

func TestMistakesOfVenuesOfTwoJourneys(t *testing.T) {
	for _, c := range []struct{ name, from, to, want string }{
		{"no section of any", "fair:\n  row: 3\n", "", "venues/three.yaml:2:7: kind: no journey serves this stall: it has none of the sections settings, fair"},
		{"a section's own check", "row: 3", "row: 0", "venues/three.yaml:15:8: fair.row: must be 1 or more"},
		{"an unknown name in a section", "row: 3", "rows: 3", "venues/three.yaml:15:3: fair: unknown field \"rows\""},
		{"an unknown section", "fair:\n", "fairs:\n", "venues/three.yaml:14:1: unknown field \"fairs\""},
		{"nothing: all that both need is there", "fair:\n", "settings: { word: hi }\nfair:\n", ""},
		{"a connector of the other alone", "connector: drawer", "connector: box",
			`venues/three.yaml:8:16: connectors.till.connector: "box" is not a connector for this role: drawer`},
		{"a role of nobody", "  till:\n", "  tills: { connector: drawer }\n  till:\n", "venues/three.yaml:7:12: connectors.tills: a venue of kind stall has no such role"},
		{"a role of the other alone", "  till:\n", "  scales: { connector: brass }\n  till:\n",
			"venues/three.yaml:7:13: connectors.scales: nothing needs this role here: a section is missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, _ := newFair(t)
			w.stall.scales = true
			for _, name := range []string{"one", "two"} {
				w.edit("venues/"+name+".yaml", "  till:\n", "  scales: { connector: brass, url: \"http://127.0.0.1:1\" }\n  till:\n")
			}
			w.edit("venues/three.yaml", c.from, c.to)
			if strings.Contains(c.to, "settings:") {
				w.edit("venues/three.yaml", "  till:\n", "  scales: { connector: brass }\n  till:\n")
			}
			got := ""
			if err := w.check(); err != nil {
				got = strings.ReplaceAll(err.Error(), w.folder+"/", "")
			}
			if got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}
