package checkintest

import (
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/warmgate/warmgate/backends/apaleo"
	"github.com/warmgate/warmgate/backends/ohip"
	"github.com/warmgate/warmgate/backends/police"
	"github.com/warmgate/warmgate/flows/flowtest"
)

// Truth is what the town's systems believe of a booking: the outside record.
type Truth struct {
	InHouse  bool
	Left     bool
	Room     string // the one that the booking holds
	CheckIns int    // times that it was checked in, those taken back too
	Keys     int    // cards that open a door now
	KeySets  int    // times that cards were asked for and written
	Police   []police.Booked
}

// Truth reads the books about a booking. Registrations are those that were made at the hotel since the town began for the
// booking's people.
func (c *Town) Truth(b Booked) (x Truth) {
	c.T.Helper()
	if t := c.OHIP[b.Hotel]; t != nil {
		books := t.ReadBooks()
		for _, r := range books.Reservations {
			if r.ID != b.ID {
				continue
			}
			x.InHouse, x.Left, x.Room = r.Status == ohip.StatusInHouse, r.Status == ohip.StatusCheckedOut, r.RoomID
			for _, k := range r.Keys {
				if k.Off.IsZero() {
					x.Keys++
				}
			}
		}
		for _, e := range books.Effects {
			if e.ReservationID != b.ID {
				continue
			}
			switch e.Op {
			case "check-in":
				x.CheckIns++
			case "issue-keys":
				x.KeySets++
			}
		}
	}
	if t := c.Apaleo[b.Hotel]; t != nil {
		for _, s := range t.ReadBooks().Stays {
			if s.Reservation == b.ID {
				x.InHouse, x.Left, x.Room, x.CheckIns = s.Status == apaleo.StatusInHouse, s.Status == apaleo.StatusCheckedOut, s.UnitName, s.CheckIns
			}
		}
	}
	keys := c.registrations(b)
	for _, r := range c.Police[b.Hotel].ReadBooks().Registrations {
		if keys[r.Key] {
			x.Police = append(x.Police, r)
		}
	}
	return x
}

// registrations are the keys under which the ledger has the guests of a booking's stay.
func (c *Town) registrations(b Booked) map[string]bool {
	all := map[string]bool{}
	for _, key := range c.Words(`SELECT g.registration FROM stay_guests g JOIN stays s ON s.id = g.stay WHERE s.venue = $1 AND s.booking = $2`, b.Hotel, b.ID) {
		all[key] = true
	}
	return all
}

// Quiet waits until nothing is on its way any more.
func (c *Town) Quiet() {
	c.T.Helper()
	c.Eventually("the outbox is done", func() bool {
		return c.Number(`SELECT count(*) FROM messages WHERE state = 'waiting'`) == 0 &&
			c.Number(`SELECT count(*) FROM runs WHERE state IN ('running', 'recovering')`) == 0
	})
}

// Decision is what a good answer has decided, and what is pending behind it.
func Decision(t testing.TB, a flowtest.Answer) string {
	t.Helper()
	var body struct {
		Decision string   `json:"decision"`
		Pending  []string `json:"pending"`
	}
	a.Into(t, &body)
	if len(body.Pending) > 0 {
		return body.Decision + ", " + strings.Join(body.Pending, " ") + " pending"
	}
	return body.Decision
}

// Outcome says in a word what an answer told the guest.
func Outcome(t testing.TB, a flowtest.Answer) string {
	t.Helper()
	switch a.Status {
	case http.StatusCreated:
		return Decision(t, a)
	case http.StatusAccepted:
		var body struct {
			Assist struct {
				Kind string `json:"kind"`
			} `json:"assist"`
		}
		a.Into(t, &body)
		return "a person: " + body.Assist.Kind
	}
	return fmt.Sprintf("%d %s", a.Status, a.Problem())
}

// Files are what the gateway has on its disk, by name.
func (c *Town) Files() map[string][]byte {
	c.T.Helper()
	all := map[string][]byte{}
	root := os.DirFS(c.Folder)
	c.must(fs.WalkDir(root, "data", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		all[name], err = fs.ReadFile(root, name)
		return err
	}))
	return all
}
