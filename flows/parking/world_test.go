package parking_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/warmgate/warmgate/flows/parking"
	"github.com/warmgate/warmgate/flows/parking/books"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/assist"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/flow/worldtest"
	"github.com/warmgate/warmgate/gateway/ledger"
)

type m = map[string]any

const lotID = "west-garage"

// garage is one lot behind a real edge and ledger, with systems outside that note what they are told.
type garage struct {
	*worldtest.World
	t     *testing.T
	token string
	out   *parking.Outside

	mu sync.Mutex
	n  int
}

func start(t *testing.T, change func(s *parking.Settings)) *garage {
	t.Helper()
	f, out, err := parking.NewOutside()
	if err != nil {
		t.Fatal(err)
	}
	door, err := assist.New([]*flow.Flow{f})
	if err != nil {
		t.Fatal(err)
	}
	g := &garage{t: t, out: out}
	g.World = worldtest.Setup{Bind: out.Bind}.Start(t, f, door)
	s := parking.UsualSettings()
	if change != nil {
		change(s)
	}
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	g.Put(&gateway.Venue{ID: lotID, Kind: parking.Kind, Tenant: "hangzhou", Location: zone, Settings: s})
	g.token = g.Token(gateway.Principal{Subject: "barrier-1", Tenant: "hangzhou", Scopes: []string{"parking:gate"}, Venues: []string{lotID}})
	t.Cleanup(g.verify)
	return g
}

// verify holds the books after every test.
func (g *garage) verify() {
	g.Heal()
	err := g.Ledger.View(context.Background(), func(q ledger.Querier) error {
		r, err := books.Verify(context.Background(), q)
		if len(r.Mismatches) > 0 {
			g.t.Errorf("the books: %v", r.Mismatches)
		}
		return err
	})
	if err != nil {
		g.t.Error(err)
	}
}

// said is what a barrier hears.
type said struct {
	worldtest.Answer
	Journey  string `json:"journey"`
	Recorded bool   `json:"recorded"`
	Message  string `json:"message"`
	parking.Result
	Pending []string         `json:"pending"`
	Events  []parking.Result `json:"events"`
}

func (g *garage) post(direction string, body any) said {
	g.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		g.t.Fatal(err)
	}
	return g.send(worldtest.Call{Path: "/v1/parking-lots/" + lotID + "/" + direction, Body: string(text)})
}

func (g *garage) send(c worldtest.Call) (s said) {
	g.t.Helper()
	c.Method = http.MethodPost
	if c.Token == "" {
		c.Token = g.token
	}
	if c.Header == nil {
		c.Header = map[string]string{"Accept-Language": "en"}
	}
	s.Answer = g.Do(c)
	if s.Status < 300 {
		g.Into(s.Answer, &s)
	}
	return s
}

func (g *garage) event(plate string, at time.Time) m {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.n++
	e := m{"gate": "north", "event_id": fmt.Sprintf("e%d", g.n), "plate": plate}
	if !at.IsZero() {
		e["occurred_at"] = at.Format(time.RFC3339Nano)
	}
	return e
}

// enter and leave send one car and expect the barrier to open.
func (g *garage) enter(plate string, at time.Time) said {
	g.t.Helper()
	return g.opens(g.post("entries", g.event(plate, at)))
}

func (g *garage) leave(plate string, at time.Time) said {
	g.t.Helper()
	return g.opens(g.post("exits", g.event(plate, at)))
}

func (g *garage) opens(s said) said {
	g.t.Helper()
	if s.Status != 201 || !s.Recorded || s.Decision != "open" {
		g.t.Fatalf("the barrier heard %d %s", s.Status, s.Body)
	}
	return s
}

func (g *garage) number(query string, args ...any) (n int64) {
	g.t.Helper()
	err := g.Ledger.View(context.Background(), func(q ledger.Querier) error { return q.QueryRow(query, args...).Scan(&n) })
	if err != nil {
		g.t.Fatal(err)
	}
	return n
}

// ago is a moment of the recent past, to the second.
func ago(d time.Duration) time.Time { return time.Now().Add(-d).Truncate(time.Second) }

const (
	plateA = "浙A12345"
	plateB = "浙A54321"
	plateE = "浙AD12345" // new energy
)

func toJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// rows reads rows.
func (g *garage) rows(query string, each func(scan func(...any) error) error) {
	g.t.Helper()
	err := g.Ledger.View(context.Background(), func(q ledger.Querier) error {
		rows, err := q.Query(query)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			if err := each(rows.Scan); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	if err != nil {
		g.t.Fatal(err)
	}
}
