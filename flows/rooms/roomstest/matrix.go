package roomstest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/flows/flowtest"
)

// The outcomes.
const (
	complete = "complete"
	without  = "without it, and said so"
	old      = "with what was known of it, and said so"
)

func budget() flowtest.Budget {
	return flowtest.Budget{Machine: 1500 * time.Millisecond, Slack: 300 * time.Millisecond}
}

// field is one fault of one hotel's system. A well hotel stands beside it.
type field struct {
	system string
	fault  twin.Fault
	well   Hotel
	ill    Hotel
}

// Matrix searches through every fault of a hotel's system, once while nothing is known of the hotel and once while something is,
// and through every fault of the ledger. The short form takes every fourth.
func Matrix(t testing.TB, short bool) []flowtest.Row {
	t.Helper()
	fields := fieldsOf()
	if short {
		fields = flowtest.EveryNth(fields, 4)
	}
	var hotels []Hotel
	for _, f := range fields {
		hotels = append(hotels, f.well, f.ill)
	}
	// What is known is old at once, and may stand in for a hotel that fails.
	c := Start(t, func(file string) string {
		return strings.NewReplacer("fresh: 30s, stale_while_revalidate: 2m", "fresh: 50ms").Replace(file)
	}, hotels...)
	rows := flowtest.Rows(fields, func(f field) []flowtest.Row { return []flowtest.Row{f.unknown(c), f.known(c)} })
	for _, f := range flowtest.LedgerFaults(short) { // a search needs no ledger
		r := f.Row(budget(), complete)
		at := fields[0]
		f.During(c.City, func() flowtest.Answer {
			a := c.Search(Query(at.well.Lat, at.well.Lon, "check_in", Day(3), "radius", "1000"))
			r.Got, r.Took = outcome(a, at.ill.ID, &r.Wrong), a.Took
			return a.Answer
		})
		rows = append(rows, r)
	}
	return rows
}

// fieldsOf gives every fault of every system a corner of the town.
func fieldsOf() (all []field) {
	for _, system := range []string{OHIP, Apaleo} {
		for i, fault := range twin.Faults() {
			lat, id := 30+float64(len(all))/10, fmt.Sprintf("%s%d", system[:2], i)
			all = append(all, field{system, fault, Hotel{ID: "well-" + id, Lat: lat, Lon: 120}, Hotel{ID: "ill-" + id, PMS: system, Lat: lat, Lon: 120.001}})
		}
	}
	return all
}

func (f field) row(of string, want ...string) flowtest.Row {
	return flowtest.Row{System: f.system, Fault: string(f.fault), Case: of, Want: want, Budget: budget()}
}

// unknown searches for a stay that nobody has asked for before.
func (f field) unknown(c *Town) flowtest.Row {
	r := f.row("nothing is known", without)
	f.dial(c, twin.Dial{Fault: f.fault})
	defer f.dial(c, twin.Dial{})
	a := f.search(c, 1)
	r.Got, r.Took = outcome(a, f.ill.ID, &r.Wrong), a.Took
	return r
}

// known searches again for a stay, once what is known of the hotel is not fresh any more.
func (f field) known(c *Town) flowtest.Row {
	r := f.row("something is known", old)
	var a Answer
	var first Answer
	c.Eventually("the hotel answers before the fault", func() bool { // what hung in the row before may still be under way
		var wrong string
		first = f.search(c, 2)
		return outcome(first, f.ill.ID, &wrong) == complete && wrong == ""
	})
	f.dial(c, twin.Dial{Fault: f.fault})
	defer f.dial(c, twin.Dial{})
	c.Eventually("what is known grows old", func() bool {
		a = f.search(c, 2)
		return !strings.Contains(a.Text, `"state":"cached"`)
	})
	r.Got, r.Took = outcome(a, f.ill.ID, &r.Wrong), a.Took
	for _, h := range a.Hotels {
		if was := asOf(first, h.Hotel); h.Hotel == f.ill.ID && !h.AsOf.Equal(was) {
			r.Wrong = fmt.Sprintf("it is said to be known as of %s, and was as of %s", h.AsOf, was)
		}
	}
	return r
}

func asOf(a Answer, hotel string) time.Time {
	for _, h := range a.Hotels {
		if h.Hotel == hotel {
			return h.AsOf
		}
	}
	return time.Time{}
}

func (f field) dial(c *Town, d twin.Dial) {
	if err := c.Twins.Dial(f.system, f.ill.ID, d); err != nil {
		c.T.Error(err)
	}
}

func (f field) search(c *Town, day int) Answer {
	return c.Search(Query(f.well.Lat, f.well.Lon, "check_in", Day(day), "radius", "1000"))
}

// outcome says what an answer came to for the hotel ill; wrong is set where the rest of it is not as it has to be.
func outcome(a Answer, ill string, wrong *string) string {
	if a.Status != http.StatusOK {
		return fmt.Sprintf("%d %s", a.Status, a.Text)
	}
	state := ""
	for _, h := range a.Hotels {
		if h.Hotel == ill {
			state = h.State
		} else if h.State == "stale" {
			*wrong = "the well hotel is " + h.State
		}
	}
	if well := len(a.Hotels); state == "" && well != 1 || state != "" && well != 2 {
		*wrong = fmt.Sprintf("the well hotel is not there: %s", a.Text)
	}
	switch {
	case len(a.Missing) == 1 && a.Missing[0].Hotel == ill && !a.Complete && state == "":
		return without
	case state == "stale" && a.Complete:
		return old
	case state != "" && a.Complete && len(a.Missing) == 0:
		return complete
	}
	return a.Text
}
