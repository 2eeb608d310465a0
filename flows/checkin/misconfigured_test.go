package checkin_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/warmgate/warmgate/flows/checkin/checkintest"
)

// TestMisconfiguredHotel: a hotel whose connector has the wrong credential, the wrong hotel or no address that answers. A
// guest is sent to a person within the budget, and nothing is left behind; the operator sees which system it is; and a
// hotel beside it is not concerned.
func TestMisconfiguredHotel(t *testing.T) {
	t.Parallel()
	const nobody = "http://127.0.0.1:1" // nothing listens there
	for _, x := range []struct {
		name, pms string
		change    func(file string) string
		answers   bool // of no hotel: no failure of the system, which has no room there
	}{
		{"a wrong credential", checkintest.OHIP, swap("client_secret: { env: OCTO_KEY }", "client_secret: { file: wrong-key }"), false},
		{"a wrong credential of another system", checkintest.Apaleo, swap("client_secret: { env: OCTO_KEY }", "client_secret: { file: wrong-key }"), false},
		{"a wrong hotel", checkintest.OHIP, swap("hotel_id: wrong", "hotel_id: nowhere"), false},
		{"a wrong hotel of another system", checkintest.Apaleo, swap("property: WRONG", "property: NOWHERE"), true},
		{"nobody answers", checkintest.OHIP, func(file string) string { return readdress(file, nobody) }, false},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			c := checkintest.Start(t, func(c *checkintest.Town) { c.Write("wrong-key", "another-key") }, checkintest.Hotel{ID: "wrong", PMS: x.pms, File: x.change}, checkintest.Hotel{ID: hotel})
			b, good := c.Book("wrong", ""), c.Book(hotel, "")
			for range 6 { // past the breaker
				a := c.CheckIn("wrong", b.Arrival("lobby-1"))
				if got := checkintest.Outcome(t, a); got != "a person: hotel-unreachable" || a.Took > checkintest.Budget {
					t.Errorf("%s after %v: %s", got, a.Took, a.Text)
				}
			}
			if got := checkintest.Outcome(t, c.CheckIn(hotel, good.Arrival("lobby-1"))); got != "checked-in" {
				t.Errorf("the hotel beside it: %s", got)
			}
			if y := c.Truth(b); y.InHouse || y.Room != "" || len(y.Police) > 0 || c.Number(`SELECT count(*) FROM stays WHERE venue = 'wrong'`) > 0 {
				t.Errorf("something was left behind: %+v", y)
			}
			seen := metrics(t, c)
			if n := series(seen, `warmgate_backend_breaker_open{instance="`+x.pms+`/wrong"}`); (n == "1") == x.answers {
				t.Errorf("the breaker of the wrong one is %q in\n%s", n, grep(seen, "breaker_open"))
			}
			if n := series(seen, `warmgate_backend_breaker_open{instance="ohip/`+hotel+`"}`); n != "0" {
				t.Errorf("the breaker of the hotel beside it is %q", n)
			}
			if n := series(seen, `warmgate_handed_over_total{route="hotel-check-in"}`); n != "6" {
				t.Errorf("%q were handed over in\n%s", n, grep(seen, "handed_over"))
			}
			if !x.answers && !strings.Contains(c.LogText(), `"msg":"breaker changed","instance":"`+x.pms+`/wrong"`) {
				t.Errorf("the log does not name it:\n%s", grep(c.LogText(), "WARN"))
			}
			if len(c.Waiting()) != 1 { // one guest, one person, however often
				t.Errorf("%d assists", len(c.Waiting()))
			}
		})
	}
}

func swap(from, to string) func(string) string {
	return func(file string) string { return strings.Replace(file, from, to, 1) }
}

// readdress gives the hotel's own system, the first of the file, another address.
func readdress(file, url string) string {
	head, rest, _ := strings.Cut(file, "url: ")
	_, rest, _ = strings.Cut(rest, "\n")
	return head + "url: " + url + "\n" + rest
}

// metrics are those of the second listener.
func metrics(t *testing.T, c *checkintest.Town) string {
	t.Helper()
	a := get(t, c.Admin+"/metrics")
	if !strings.Contains(a, "warmgate_") {
		t.Fatalf("no metrics: %s", a)
	}
	return a
}

func get(t *testing.T, url string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var s strings.Builder
	if err := res.Write(&s); err != nil {
		t.Fatal(err)
	}
	return s.String()
}

// series is the value of one series; "" where it is not there.
func series(all, name string) string {
	for line := range strings.Lines(all) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+" "); ok {
			return value
		}
	}
	return ""
}

func grep(all, word string) string {
	var s strings.Builder
	for line := range strings.Lines(all) {
		if strings.Contains(line, word) {
			s.WriteString(line)
		}
	}
	return s.String()
}
