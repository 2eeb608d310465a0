package rooms_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/warmgate/warmgate/flows/rooms/roomstest"
)

// TestBadInput: what is not right is named, with what it may be, in the language of whoever asks; no hotel is asked for it.
func TestBadInput(t *testing.T) {
	c := roomstest.Start(t, nil, four()[:1]...)
	good := func() url.Values { return url.Values{"near": {"30.25,120.15"}, "check_in": {roomstest.Day(1)}} }
	for _, bad := range []struct{ what, name, value, allowed string }{
		{"no centre", "near", "", "such as 30.2431,120.1502"},
		{"half a centre", "near", "30.25", "LATITUDE,LONGITUDE"},
		{"a centre with a third part", "near", "30.25,120.15,9", "LATITUDE,LONGITUDE"},
		{"a centre in words", "near", "West Lake", "LATITUDE,LONGITUDE"},
		{"no number at all", "near", "NaN,120.15", "LATITUDE,LONGITUDE"},
		{"an endless latitude", "near", "Inf,120.15", "LATITUDE,LONGITUDE"},
		{"an exponent", "near", "3e1,120.15", "LATITUDE,LONGITUDE"},
		{"a long number", "near", "30." + strings.Repeat("1", 30) + ",120.15", "LATITUDE,LONGITUDE"},
		{"a latitude out of range", "near", "90.1,12.15", "latitude -90 to 90"},
		{"a longitude out of range", "near", "30.25,180.1", "longitude -180 to 180"},
		{"swapped coordinates", "near", "120.15,30.25", "seem to be swapped"},
		{"no circle", "radius", "0", "1 to 50000"},
		{"a negative radius", "radius", "-3000", "1 to 50000"},
		{"a planetary radius", "radius", "6371000", "1 to 50000"},
		{"a radius past all numbers", "radius", "99999999999999999999", "1 to 50000"},
		{"a radius with a fraction", "radius", "3000.5", "1 to 50000"},
		{"a radius in hexadecimal", "radius", "0x10", "1 to 50000"},
		{"an empty radius", "radius", "", "1 to 50000"},
		{"a plus", "radius", "+3000", "1 to 50000"},
		{"no day", "check_in", "", "a day of " + roomstest.Day(0)},
		{"no date", "check_in", "tomorrow", "a day of " + roomstest.Day(0)},
		{"a day that the calendar lacks", "check_in", "2027-02-30", "a day of " + roomstest.Day(0)},
		{"a day in the past", "check_in", roomstest.Day(-1), "a day of " + roomstest.Day(0)},
		{"a day years ahead", "check_in", roomstest.Day(800), "to " + roomstest.Day(365)},
		{"the day after the last", "check_in", roomstest.Day(366), "to " + roomstest.Day(365)},
		{"dates reversed", "check_out", roomstest.Day(0), "after check_in"},
		{"a departure on the day of arrival", "check_out", roomstest.Day(1), "after check_in"},
		{"a departure much later", "check_out", roomstest.Day(92), "a day of " + roomstest.Day(2) + " to " + roomstest.Day(91)},
		{"no night", "nights", "0", "1 to 90"},
		{"ten thousand nights", "nights", "10000", "1 to 90"},
		{"nights against the departure", "nights", "3&check_out=" + roomstest.Day(2), "It must be 1, as check_out says"},
		{"nobody", "guests", "0", "1 to 20"},
		{"a crowd", "guests", "21", "1 to 20"},
		{"for nothing", "max_price", "0", "1 to 1000000000"},
		{"a price with a fraction", "max_price", "100.50", "1 to 1000000000"},
		{"a maybe", "accessible", "maybe", "true or false"},
		{"a one", "breakfast", "1", "true or false"},
		{"an unknown sort", "sort", "stars", "distance or price"},
		{"no hotel", "limit", "0", "1 to 50"},
		{"every hotel", "limit", "100000", "1 to 50"},
		{"a cursor of another's making", "cursor", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "the cursor of an earlier answer"},
		{"an empty cursor", "cursor", "", "the cursor of an earlier answer"},
		{"a long cursor", "cursor", strings.Repeat("A", 300), "the cursor of an earlier answer"},
		{"a cursor that is no base64", "cursor", "%%%", "the cursor of an earlier answer"},
		{"a parameter of another call", "plate", "A12345", "no such query parameter"},
	} {
		t.Run(bad.what, func(t *testing.T) {
			q := good()
			value, more, _ := strings.Cut(bad.value, "&")
			q.Set(bad.name, value)
			a := c.AskBadly(strings.TrimSuffix(q.Encode()+"&"+more, "&"))
			var said struct {
				Field  string `json:"field"`
				Detail string `json:"detail"`
			}
			if a.Into(t, &said); a.Status != 400 || a.Problem() != "query-invalid" || said.Field != "query "+bad.name || !strings.Contains(said.Detail, bad.allowed) {
				t.Errorf("%d %s", a.Status, a.Text)
			}
		})
	}
	q := good()
	q.Set("radius", "0")
	if a := c.Do(zh(c.TokenOf("hangzhou", "rooms:read", "*"), q.Encode())); !strings.Contains(a.Text, "须为 1 至 50000 的整数") {
		t.Errorf("in Chinese: %s", a.Text)
	}
	if n := c.OHIP["zero"].ReadBooks().Requests; n != 0 {
		t.Errorf("the hotel was asked %d times", n)
	}
	for name, value := range map[string]string{"near": "-0.5,-120", "radius": "50000", "check_in": roomstest.Day(365), "nights": "90", "guests": "20",
		"check_out": roomstest.Day(91), "limit": "50", "sort": "distance", "accessible": "false"} {
		q := good()
		q.Set(name, value)
		if a := c.Ask(q.Encode(), nil); a.Status != 200 {
			t.Errorf("%s=%s: %d %s", name, value, a.Status, a.Text)
		}
	}
}
