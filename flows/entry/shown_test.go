package entry_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/warmgate/warmgate/backends/octo"
	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/flows/entry/entrytest"
	"github.com/warmgate/warmgate/flows/flowtest"
	"github.com/warmgate/warmgate/gateway/auth"
	"github.com/warmgate/warmgate/gateway/ledger/ledgertest"
)

// signedSpot is a spot with an issuer whose signature admits, and how it signs a ticket.
func signedSpot(t testing.TB) (sign func(octo.Made) m, settings string) {
	t.Helper()
	signer := entrytest.NewSigner(t)
	return func(made octo.Made) m { return m{"signed": signer.Sign(t, entrytest.Claims(spot, made, 0))} },
		flowtest.DefaultSettings + signer.Settings()
}

func TestResidentComesInByTheirIDNumber(t *testing.T) {
	t.Parallel()
	for _, offline := range []bool{false, true} {
		id := idNumber(7)
		for n := 7; !strings.HasSuffix(id, "X"); n++ {
			id = idNumber(n)
		}
		c, family := warmStart(t, "", octo.Want{Reference: strings.ToLower(id), Units: 2})
		if offline {
			dial(c, twin.Dial{Fault: twin.Refuse})
		}
		show := m{"id_number": id}
		a := opened(t, scan(c, "north-1", "one", 1, show))
		want := "ticketing"
		if offline {
			want = "prewarmed"
		}
		if a.VerifiedBy != want || a.People != 1 || a.Inside != 1 {
			t.Errorf("offline %t: %+v", offline, a)
		}
		if a := opened(t, scan(c, "south-1", "two", 1, m{"reference": id})); a.Again || a.Inside != 2 {
			t.Errorf("offline %t, the other one, from a reader that types: %+v", offline, a)
		}
		if a := scan(c, "north-2", "three", 1, show); a.Problem() != "ticket-used" {
			t.Errorf("offline %t, a third: %d %s", offline, a.Status, a.Text)
		}
		if a := enter(c, "north-1", m{"id_number": idNumber(6)}); a.Problem() != "ticket-unknown" {
			t.Errorf("offline %t, a stranger: %d %s", offline, a.Status, a.Text)
		}
		dial(c, twin.Dial{})
		for _, u := range family.Units {
			c.Eventually("both are redeemed", func() bool { return effects(c, u.UUID) == 1 })
		}
	}
}

// TestOneTicketInEveryForm shows one ticket as a code, as a reference and signed: it lets one person in, and whichever
// form is shown at the exit ends the visit.
func TestOneTicketInEveryForm(t *testing.T) {
	t.Parallel()
	sign, settings := signedSpot(t)
	c, boat := warmStart(t, settings, octo.Want{Scenario: octo.OtherProduct}) // three entries
	ticket := c.Tickets[spot].Fresh()
	forms := []m{code(ticket.Units[0].Code), {"reference": ticket.SupplierReference}, {"reference": ticket.Units[0].SupplierReference}, sign(ticket)}
	opened(t, enter(c, "north-1", forms[0]))
	for i, form := range forms {
		if a := enter(c, "south-1", form); a.Problem() != "ticket-used" {
			t.Errorf("form %d: %d %s", i, a.Status, a.Text)
		}
	}
	opened(t, enter(c, "north-1", code(boat.Units[0].Code)))
	if a := leave(c, 1, m{"reference": boat.SupplierReference}); a.Status != 201 || inside(c) != 1 {
		t.Errorf("out as a reference: %d %s, %d inside", a.Status, a.Text, inside(c))
	}
	if a := leave(c, 1, m{"reference": boat.SupplierReference}); a.Status != 201 {
		t.Errorf("out again: %d %s", a.Status, a.Text)
	}
	if a := opened(t, enter(c, "south-1", m{"reference": boat.Units[0].SupplierReference})); a.Again {
		t.Errorf("in again: %+v", a)
	}
}

func TestReloadDropsNobody(t *testing.T) {
	c := start(t, "")
	count := 200
	if testing.Short() {
		count = 60
	}
	tickets, err := c.Tickets[spot].Issue(octo.Want{Count: count})
	if err != nil {
		t.Fatal(err)
	}
	work := make(chan octo.Made)
	done := make(chan int, 4)
	for w := range 4 {
		go func() {
			bad := 0
			for made := range work {
				if a := scan(c, "north-1", made.UUID, 0, code(made.Code)); a.Status != 201 {
					bad++
					t.Errorf("worker %d: %d %s", w, a.Status, a.Text)
				}
			}
			done <- bad
		}()
	}
	for i, made := range tickets {
		work <- made
		switch i % 20 {
		case 5:
			c.WriteSpot(flowtest.Spot{ID: spot, Settings: strings.Replace(flowtest.DefaultSettings, "capacity: 1000", fmt.Sprintf("capacity: %d", 1000+i), 1)})
			if err := c.Gateway.Reload(); err != nil {
				t.Errorf("reload: %v", err)
			}
		case 15:
			c.WriteSpot(flowtest.Spot{ID: spot, Settings: "  capacity: none\n"})
			if err := c.Gateway.Reload(); err == nil || !strings.Contains(err.Error(), spot+".yaml:") {
				t.Errorf("a broken file: %v", err)
			}
		}
	}
	close(work)
	for range 4 {
		<-done
	}
	if n := inside(c); n != int64(len(tickets)) {
		t.Errorf("%d inside, want %d", n, len(tickets))
	}
	warm(c) // the pre-warming goes on under the configuration that holds
}

// TestNothingPersonalIsToldOrKept sends known values through successes and failures and looks for them everywhere.
func TestNothingPersonalIsToldOrKept(t *testing.T) {
	t.Parallel()
	sign, settings := signedSpot(t)
	id, unknown := idNumber(21), idNumber(22)
	c, byID := warmStart(t, settings, octo.Want{Reference: id})
	secrets := []string{id, unknown, strings.ToLower(id), byID.SupplierReference, "Zhang San"}
	var bodies strings.Builder
	note := func(ticket m) flowtest.Answer {
		call := entering(c, "north-1", ticket)
		secrets = append(secrets, call.Token)
		for _, v := range ticket {
			secrets = append(secrets, v.(string))
		}
		a := c.Do(call)
		if a.Status >= 400 {
			bodies.WriteString(a.Text)
		}
		return a
	}
	note(m{"id_number": id})
	note(m{"id_number": unknown})
	note(m{"id_number": unknown[:17] + "?"})
	note(code("nobody-sold-" + unknown))
	for _, s := range []octo.Scenario{octo.Today, octo.Cancelled, octo.Tomorrow, octo.Redeemed, octo.OnHold} {
		made := issue(c, octo.Want{Scenario: s})
		note(code(made.Units[0].Code))
		note(sign(made))
		note(m{"reference": made.SupplierReference})
	}
	for _, fault := range twin.Faults() {
		for _, path := range []string{"", "/redemption/redeem"} {
			dial(c, twin.Dial{Fault: fault, Path: path})
			note(code(c.Tickets[spot].Fresh().Units[0].Code))
			if testing.Short() {
				break
			}
		}
	}
	dial(c, twin.Dial{})
	for _, fault := range []ledgertest.Fault{ledgertest.Full, ledgertest.ReadOnly} {
		c.Ledger.Set(ledgertest.AtExec, fault)
		note(code(c.Tickets[spot].Fresh().Units[0].Code))
		c.Ledger.Set(ledgertest.AtExec, ledgertest.None)
	}
	staff(c, "li", "/v1/attractions/"+spot+"/occupancy", m{"inside": 3, "reason": "Zhang San has counted"})
	for _, open := range waiting(c) {
		path := "/v1/assists/" + open.ID
		staff(c, "li", path+"/claim", nil)
		staff(c, "li", path+"/resolution", m{"resolution": "admit", "reason": "Zhang San knows them"})
	}
	note(m{"signed": "not-a-token-of-" + unknown})
	secret := c.Mint(auth.Grant{Subject: "x", Tenant: "hangzhou", Scopes: []string{"scenic:read"}, TTL: 1})
	secrets = append(secrets, secret)
	call := entering(c, "north-1", code("x"))
	call.Token = secret
	bodies.WriteString(c.Do(call).Text)
	places := map[string]string{"the log": c.LogText(), "the metrics": metrics(t, c), "the problems": bodies.String()}
	for _, name := range ledgerFiles(t, c) {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		places[filepath.Base(name)] = string(b)
	}
	if len(places) < 4 || len(c.LogText()) == 0 {
		t.Fatalf("nothing to look through: %d places", len(places))
	}
	for place, text := range places {
		for _, s := range secrets {
			if s != "x" && strings.Contains(text, s) {
				t.Errorf("%s holds %q", place, s)
			}
		}
	}
}

func metrics(t testing.TB, c *flowtest.City) string {
	t.Helper()
	res, err := http.Get(c.Admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || !strings.Contains(string(text), "warmgate_") {
		t.Fatalf("metrics: %v", err)
	}
	return string(text)
}

// ledgerFiles are the database and what lies beside it, but for the keys.
func ledgerFiles(t testing.TB, c *flowtest.City) (files []string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(c.Folder, "data"), func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("the ledger's files: %v", err)
	}
	return files
}
