package checkintest

import (
	"net/http"
	"strings"

	"github.com/warmgate/warmgate/flows/flowtest"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/ledger/ledgertest"
)

// Assist is an assist as staff see it.
type Assist struct {
	ID      string   `json:"id"`
	Kind    string   `json:"kind"`
	State   string   `json:"state"`
	Place   string   `json:"place"`
	Done    []Step   `json:"done"`
	NotDone []Step   `json:"not_done"`
	Tried   []string `json:"tried"`
	Next    string   `json:"next_action"`
}

// Step is something that the journey changes.
type Step struct {
	Step  string `json:"step"`
	Name  string `json:"name"`
	Later bool   `json:"later"`
}

// Steps lists steps by their names.
func Steps(all []Step) string {
	var names []string
	for _, s := range all {
		names = append(names, s.Step)
	}
	return strings.Join(names, " ")
}

// Waiting lists the assists that nobody has settled.
func (c *Town) Waiting() (open []Assist) {
	c.T.Helper()
	var list struct {
		Assists []Assist `json:"assists"`
	}
	c.Do(flowtest.Call{Method: http.MethodGet, Path: "/v1/assists", Token: c.Token("li", "staff:assist")}).Into(c.T, &list)
	for _, a := range list.Assists {
		if a.State != "resolved" {
			open = append(open, a)
		}
	}
	return open
}

// Staff does something as a member of staff.
func (c *Town) Staff(path string, body any) flowtest.Answer {
	c.T.Helper()
	return c.Do(flowtest.Call{Method: http.MethodPost, Path: path, Token: c.Token("li", "staff:assist"), Body: body})
}

// Resolve claims the only open assist of a kind and settles it.
func (c *Town) Resolve(kind, word string, details any) flowtest.Answer {
	c.T.Helper()
	var found []Assist
	for _, a := range c.Waiting() {
		if a.Kind == kind {
			found = append(found, a)
		}
	}
	if len(found) != 1 {
		c.T.Fatalf("want one open assist of kind %s, have %+v", kind, c.Waiting())
	}
	return c.Settle(found[0], word, details)
}

// Settle claims an assist and settles it.
func (c *Town) Settle(one Assist, word string, details any) flowtest.Answer {
	c.T.Helper()
	path := "/v1/assists/" + one.ID
	if a := c.Staff(path+"/claim", nil); a.Status != http.StatusCreated {
		c.T.Fatalf("claim %d %s", a.Status, a.Text)
	}
	body := map[string]any{"resolution": word, "reason": "seen by eye"}
	if details != nil {
		body["details"] = details
	}
	return c.Staff(path+"/resolution", body)
}

// Words reads a column of text from the ledger.
func (c *Town) Words(query string, args ...any) (all []string) {
	c.T.Helper()
	c.View(func(q ledger.Querier) (err error) {
		all, err = ledgertest.Texts(q, query, args...)
		return err
	})
	return all
}
