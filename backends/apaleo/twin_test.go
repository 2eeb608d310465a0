package apaleo_test

import (
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"pgregory.net/rapid"

	"github.com/warmgate/warmgate/backends/apaleo"
	"github.com/warmgate/warmgate/backends/twin/twintest"
	"github.com/warmgate/warmgate/backends/wire"
)

// raw sends one request to the twin as it stands and returns the status and the body.
func raw(t testing.TB, base, method, path, body string, header map[string]string) (int, string) {
	t.Helper()
	resp, out := twintest.Ask(t, method, base+path, body, header)
	return resp.StatusCode, out
}

const form = "application/x-www-form-urlencoded"

// token gets one as a client does, without the client.
func token(t testing.TB, base string) string {
	t.Helper()
	status, body := raw(t, base, "POST", "/connect/token", "grant_type=client_credentials",
		map[string]string{"Authorization": twintest.Basic("WARM-GATE", testSecret), "Content-Type": form})
	var out struct {
		Token string `json:"access_token"`
		Life  int    `json:"expires_in"`
	}
	if err := json.Unmarshal([]byte(body), &out); err != nil || status != 200 || out.Token == "" || out.Life != 3600 {
		t.Fatalf("%d %s", status, body)
	}
	return out.Token
}

func TestTheTwinRefusesWhatDoesNotFit(t *testing.T) {
	w := newWorld(t, nil)
	made := w.issue(t, apaleo.Want{Scenario: apaleo.Assigned})
	id := made.Reservation
	bearer := map[string]string{"Authorization": "Bearer " + token(t, w.URL)}
	with := func(k, v string) map[string]string {
		return map[string]string{"Authorization": bearer["Authorization"], k: v}
	}
	act := "/booking/v1/reservation-actions/" + id
	for name, test := range map[string]struct {
		method, path, body string
		header             map[string]string
		status             int
		says               string
	}{
		"no token":                     {"GET", "/booking/v1/reservations/" + id, "", nil, 401, ""},
		"another's token":              {"GET", "/booking/v1/reservations/" + id, "", map[string]string{"Authorization": "Bearer x"}, 401, ""},
		"another scheme":               {"GET", "/booking/v1/reservations/" + id, "", map[string]string{"Authorization": "Basic x"}, 401, ""},
		"no token, and wrong besides":  {"GET", "/booking/v1/reservations?x=1", "", nil, 401, ""},
		"no such operation":            {"GET", "/booking/v1/bookings/" + id, "", bearer, 404, ""},
		"a slash at the end":           {"GET", "/booking/v1/reservations/", "", bearer, 404, ""},
		"another method":               {"POST", act + "/checkin", "", bearer, 405, ""},
		"a token by GET":               {"GET", "/connect/token", "", nil, 405, ""},
		"no time left":                 {"PUT", act + "/checkin", "", with("X-Request-Timeout-Ms", "0"), 422, "X-Request-Timeout-Ms"},
		"a body for an action":         {"PUT", act + "/checkin", "{}", bearer, 422, "no body"},
		"a body for a read":            {"GET", "/booking/v1/reservations/" + id, "{}", bearer, 422, "no body"},
		"an unknown parameter":         {"GET", "/booking/v1/reservations?lastName=x", "", bearer, 422, "lastName"},
		"another case":                 {"GET", "/booking/v1/reservations?TextSearch=x", "", bearer, 422, "TextSearch"},
		"a parameter twice":            {"GET", "/booking/v1/reservations?textSearch=x&textSearch=y", "", bearer, 422, "textSearch"},
		"an empty parameter":           {"GET", "/booking/v1/reservations?textSearch=", "", bearer, 422, "textSearch"},
		"a broken query":               {"GET", "/booking/v1/reservations?textSearch=%zz", "", bearer, 422, "query"},
		"an unknown status":            {"GET", "/booking/v1/reservations?status=Confirmed,Gone", "", bearer, 422, "Gone"},
		"an unknown date filter":       {"GET", "/booking/v1/reservations?dateFilter=Birth&from=2026-05-02T00:00:00Z", "", bearer, 422, "dateFilter"},
		"a date filter without dates":  {"GET", "/booking/v1/reservations?dateFilter=Arrival", "", bearer, 422, "from"},
		"dates without a date filter":  {"GET", "/booking/v1/reservations?from=2026-05-02T00:00:00Z", "", bearer, 422, "dateFilter"},
		"a date without a time":        {"GET", "/booking/v1/reservations?dateFilter=Arrival&from=2026-05-02", "", bearer, 422, "from"},
		"a date with a fraction":       {"GET", "/booking/v1/reservations?dateFilter=Arrival&from=2026-05-02T00:00:00.5Z", "", bearer, 422, "fraction"},
		"a range backwards":            {"GET", "/booking/v1/reservations?dateFilter=Arrival&from=2026-05-02T00:00:00Z&to=2026-05-01T00:00:00Z", "", bearer, 422, "larger"},
		"a page that is none":          {"GET", "/booking/v1/reservations?pageNumber=0&pageSize=1", "", bearer, 422, "pageNumber"},
		"a page size that is none":     {"GET", "/inventory/v1/units?pageNumber=1&pageSize=-1", "", bearer, 422, "pageSize"},
		"an unknown condition":         {"GET", "/inventory/v1/units?condition=Tidy", "", bearer, 422, "Tidy"},
		"an unknown maintenance":       {"GET", "/inventory/v1/units?maintenanceType=Broken", "", bearer, 422, "Broken"},
		"half occupied":                {"GET", "/inventory/v1/units?isOccupied=maybe", "", bearer, 422, "isOccupied"},
		"an unknown condition for one": {"GET", "/availability/v1/reservations/" + id + "/units?unitCondition=Tidy", "", bearer, 422, "Tidy"},
		"half out of service":          {"GET", "/availability/v1/reservations/" + id + "/units?includeOutOfService=1", "", bearer, 422, "includeOutOfService"},
		"a tax that is neither":        {"PUT", act + "/checkin?withCityTax=1", "", bearer, 422, "withCityTax"},
		"a lock that is neither":       {"PUT", act + "/assign-unit/" + made.Unit + "?lockUnit=1", "", bearer, 422, "lockUnit"},
		"a part of a stay":             {"PUT", act + "/assign-unit/" + made.Unit + "?from=2026-05-02", "", bearer, 422, "whole"},
		"an unknown reservation":       {"GET", "/booking/v1/reservations/NOBODY-1", "", bearer, 404, ""},
		"an unknown one to act on":     {"PUT", "/booking/v1/reservation-actions/NOBODY-1/checkout", "", bearer, 404, ""},

		"a token request in JSON":    {"POST", "/connect/token", `{}`, map[string]string{"Content-Type": "application/json"}, 400, "invalid_request"},
		"a token without credential": {"POST", "/connect/token", "grant_type=client_credentials", map[string]string{"Content-Type": form}, 400, "invalid_client"},
		"a wrong secret": {"POST", "/connect/token", "grant_type=client_credentials",
			map[string]string{"Content-Type": form, "Authorization": "Basic V0FSTS1HQVRFOng="}, 400, "invalid_client"},
		"another grant": {"POST", "/connect/token", "grant_type=password", map[string]string{"Content-Type": form,
			"Authorization": twintest.Basic("WARM-GATE", testSecret)}, 400, "unsupported_grant_type"},
	} {
		t.Run(name, func(t *testing.T) {
			status, body := raw(t, w.URL, test.method, test.path, test.body, test.header)
			if status != test.status || !strings.Contains(body, test.says) || (test.says == "") != (body == "") {
				t.Errorf("want %d %q, got %d %s", test.status, test.says, status, body)
			}
			if status == 422 && !strings.HasPrefix(body, `{"messages":["`) {
				t.Errorf("not the body of a 422: %s", body)
			}
		})
	}
	for _, s := range w.twin.ReadBooks().Stays {
		if len(s.By) > 0 {
			t.Errorf("a refused request left something behind: %+v", s)
		}
	}
}

// TestWhatTheListsFind: filters, pages, and every member that the published descriptions require.
func TestWhatTheListsFind(t *testing.T) {
	w := newWorld(t, nil)
	if _, err := w.twin.Issue(apaleo.Want{Count: 5, Adults: 2}); err != nil {
		t.Fatal(err)
	}
	inHouse := w.issue(t, apaleo.Want{Scenario: apaleo.InHouse, ExternalCode: "BK-77"})
	bearer := map[string]string{"Authorization": "Bearer " + token(t, w.URL)}
	for query, want := range map[string]int{"": 6, "status=InHouse": 1, "status=Confirmed,InHouse": 6, "bookingId=" + inHouse.Booking: 1,
		"externalCode=BK": 1, "externalCode=77": 0, "textSearch=bk-77": 1, "textSearch=" + url.QueryEscape(inHouse.Guests[0].LastName): 1,
		"unitIds=" + inHouse.Unit: 1, "unitGroupIds=LAKE-SGL": 1, "propertyIds=OTHER": 0, "pageNumber=2&pageSize=4": 2,
		"pageNumber=3&pageSize=4": 0, "dateFilter=Stay&from=2026-05-02T00:00:00Z&to=2026-05-02T06:00:00Z": 1,
		"dateFilter=Departure&from=2026-05-04T00:00:00%2B08:00": 5, "dateFilter=Creation&to=2026-05-02T00:00:00Z": 6} {
		status, body := raw(t, w.URL, "GET", "/booking/v1/reservations?"+query, "", bearer)
		var out struct {
			Count        int              `json:"count"`
			Reservations []map[string]any `json:"reservations"`
		}
		if status == 200 {
			if err := json.Unmarshal([]byte(body), &out); err != nil {
				t.Fatal(err)
			}
		}
		if len(out.Reservations) < want || want == 0 && status != 204 || query != "textSearch="+url.QueryEscape(inHouse.Guests[0].LastName) && len(out.Reservations) != want {
			t.Errorf("%s: want %d, got %d %s", query, want, status, body)
		}
		for _, r := range out.Reservations {
			for _, member := range []string{"adults", "arrival", "balance", "bookingId", "cancellationFee", "channelCode", "created", "departure",
				"guaranteeType", "hasCityTax", "id", "modified", "noShowFee", "primaryGuest", "property", "ratePlan", "status", "totalGrossAmount", "unitGroup"} {
				if r[member] == nil {
					t.Errorf("a reservation has no %s", member)
				}
			}
		}
	}
	for query, want := range map[string]int{"": 24, "isOccupied=true": 1, "isOccupied=false&unitGroupId=LAKE-SGL": 5, "condition=Dirty": 0,
		"maintenanceType=OutOfOrder": 0, "pageNumber=5&pageSize=5": 4, "propertyId=OTHER": 0} {
		status, body := raw(t, w.URL, "GET", "/inventory/v1/units?"+query, "", bearer)
		if got := strings.Count(body, `"isOccupied"`); got != want || (want == 0) != (status == 204) {
			t.Errorf("units %s: want %d, got %d of %d", query, want, status, got)
		}
	}
}

func TestScenariosAndWhatCheckInSays(t *testing.T) {
	w := newWorld(t, nil)
	for scenario, want := range map[apaleo.Scenario]struct {
		status apaleo.Status
		why    string
		unit   bool
		day    string
	}{
		apaleo.Today:      {apaleo.StatusConfirmed, apaleo.CodeCheckInNoUnit, false, "2026-05-02"},
		apaleo.Family:     {apaleo.StatusConfirmed, apaleo.CodeCheckInNoUnit, false, "2026-05-02"},
		apaleo.Tomorrow:   {apaleo.StatusConfirmed, apaleo.CodeCheckInEarly, false, "2026-05-03"},
		apaleo.Late:       {apaleo.StatusConfirmed, apaleo.CodeCheckInNoUnit, false, "2026-05-01"},
		apaleo.Past:       {apaleo.StatusConfirmed, apaleo.CodeCheckInLate, false, "2026-04-29"},
		apaleo.Canceled:   {apaleo.StatusCanceled, apaleo.CodeCheckInStatus, false, "2026-05-02"},
		apaleo.NoShow:     {apaleo.StatusNoShow, apaleo.CodeCheckInStatus, false, "2026-05-01"},
		apaleo.Assigned:   {apaleo.StatusConfirmed, "", true, "2026-05-02"},
		apaleo.InHouse:    {apaleo.StatusInHouse, apaleo.CodeCheckInStatus, true, "2026-05-01"},
		apaleo.Departing:  {apaleo.StatusInHouse, apaleo.CodeCheckInStatus, true, "2026-05-01"},
		apaleo.Staying:    {apaleo.StatusInHouse, apaleo.CodeCheckInStatus, true, "2026-05-01"},
		apaleo.CheckedOut: {apaleo.StatusCheckedOut, apaleo.CodeCheckInStatus, true, "2026-04-30"},
		apaleo.OtherHotel: {apaleo.StatusConfirmed, apaleo.CodeCheckInNoUnit, false, "2026-05-02"},
	} {
		t.Run(string(scenario), func(t *testing.T) {
			r := w.read(t, w.issue(t, apaleo.Want{Scenario: scenario}).Reservation)
			if r.Status != want.status || r.Why(apaleo.ActionCheckIn) != want.why || (r.Unit != "") != want.unit ||
				r.Arrival.Format(time.DateOnly) != want.day || (r.Property != "LAKE") != (scenario == apaleo.OtherHotel) {
				t.Errorf("%+v", r)
			}
		})
	}
	for _, bad := range []apaleo.Want{{Scenario: "free"}, {Count: 10_001}, {Count: -1}, {Nights: 31}, {Adults: 5}, {Group: "ABC"},
		{Guests: []apaleo.MadeGuest{{LastName: "A"}, {LastName: "B"}}}, {Guests: []apaleo.MadeGuest{{}}}, {ExternalCode: "a\nb"},
		{Scenario: apaleo.Assigned, Unit: "9999"}, {Scenario: apaleo.Assigned, Count: 10}} {
		if _, err := w.twin.Issue(bad); err == nil {
			t.Errorf("%+v was made", bad)
		}
	}
	for _, bad := range []string{``, `{"scenrio":"today"}`, `{"scenario":"unit","unit":"9999"}`, `{"scenario":"unit","unit":"101","condition":"Tidy"}`,
		`{"scenario":"unit","unit":"101","maintenance":"Broken"}`} {
		if _, err := w.twin.Make([]byte(bad)); err == nil {
			t.Errorf("%s was done", bad)
		}
	}
}

// TestOneUnitManyKiosks: the twin itself must count right, or its books prove nothing.
func TestOneUnitManyKiosks(t *testing.T) {
	w := newWorld(t, nil)
	made, err := w.twin.Issue(apaleo.Want{Count: 20, Adults: 2})
	if err != nil {
		t.Fatal(err)
	}
	unit := w.free(t, made[0].Reservation)[0].ID
	var wg sync.WaitGroup
	var mu sync.Mutex
	var winner string
	for _, m := range made {
		for range 3 { // of the same booking
			wg.Go(func() {
				ctx := twintest.Within(t, 10*time.Second)
				if err := w.client.AssignUnit(ctx, m.Reservation, unit); err != nil {
					isRefused(t, err, apaleo.CodeUnitTaken)
					return
				}
				err := w.client.CheckIn(ctx, m.Reservation)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil && winner == "":
					winner = m.Reservation
				case err == nil:
					t.Errorf("%s and %s are both in %s", winner, m.Reservation, unit)
				default:
					isRefused(t, err, apaleo.CodeCheckInStatus)
				}
			})
		}
	}
	wg.Wait()
	for _, s := range w.twin.ReadBooks().Stays {
		if want := s.Reservation == winner; want != (s.CheckIns == 1) || want != (s.Unit == unit) || s.CheckIns > 1 {
			t.Errorf("%+v, the winner was %s", s, winner)
		}
	}
}

// TestTheTwinAgainstItsModel: whatever is done in whatever order, reservations and rooms agree with a small model.
func TestTheTwinAgainstItsModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, nil)
		made, err := w.twin.Issue(apaleo.Want{Count: 3, Nights: 1})
		if err != nil {
			rt.Fatal(err)
		}
		units := w.free(t, made[0].Reservation)[:2]
		type state struct {
			status apaleo.Status
			unit   string
		}
		model := map[string]state{}
		for _, m := range made {
			model[m.Reservation] = state{apaleo.StatusConfirmed, ""}
		}
		ctx := twintest.Within(t, 20*time.Second)
		for range rapid.IntRange(1, 14).Draw(rt, "steps") {
			id := made[rapid.IntRange(0, 2).Draw(rt, "guest")].Reservation
			s, want := model[id], false
			next := s
			switch step := rapid.SampledFrom([]string{"assign", "unassign", "in", "revert", "out"}).Draw(rt, "step"); step {
			case "assign":
				u := units[rapid.IntRange(0, 1).Draw(rt, "unit")].ID
				want = s.status == apaleo.StatusConfirmed || s.status == apaleo.StatusInHouse
				for other, o := range model {
					want = want && (other == id || o.unit != u || o.status == apaleo.StatusCheckedOut)
				}
				next.unit = u
				err = w.client.AssignUnit(ctx, id, u)
			case "unassign":
				want, next.unit = s.status == apaleo.StatusConfirmed, ""
				err = w.client.UnassignUnits(ctx, id)
			case "in":
				want, next.status = s.status == apaleo.StatusConfirmed && s.unit != "", apaleo.StatusInHouse
				err = w.client.CheckIn(ctx, id)
			case "revert":
				want, next.status = s.status == apaleo.StatusInHouse, apaleo.StatusConfirmed
				err = w.client.RevertCheckIn(ctx, id)
			case "out":
				want, next.status = s.status == apaleo.StatusInHouse, apaleo.StatusCheckedOut
				err = w.client.CheckOut(ctx, id)
			}
			if want {
				model[id] = next
			}
			if (err == nil) != want || err != nil && twintest.ErrorOf(t, err).Fate != wire.Refused {
				rt.Fatalf("from %+v to %+v, want %v: %v", s, next, want, err)
			}
			if r := w.read(t, id); r.Status != model[id].status || r.Unit != model[id].unit {
				rt.Fatalf("%+v, the model has %+v", r, model[id])
			}
		}
	})
}

// TestATokenIsRevoked: the client gets another without its caller noticing.
func TestATokenIsRevoked(t *testing.T) {
	w := newWorld(t, nil)
	made := w.issue(t, apaleo.Want{Scenario: apaleo.Assigned})
	w.read(t, made.Reservation)
	w.twin.RevokeTokens()
	if err := w.client.CheckIn(soon(t), made.Reservation); err != nil {
		t.Fatal(err)
	}
	if b := w.twin.ReadBooks(); b.Tokens != 2 || b.Stays[0].CheckIns != 1 || b.Stays[0].Attempts != 1 {
		t.Errorf("%+v", b)
	}
}

// TestATokenEnds after the life that was promised.
func TestATokenEnds(t *testing.T) {
	now := noon
	hotel, err := apaleo.NewTwin(apaleo.TwinConfig{Property: "SEA", ClientID: "WARM-GATE", ClientSecret: testSecret, Clock: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, nil)
	if err := w.City.Add("apaleo", "sea", hotel); err != nil {
		t.Fatal(err)
	}
	at := w.City.URL("apaleo", "sea")
	bearer := map[string]string{"Authorization": "Bearer " + token(t, at)}
	for _, step := range []struct {
		passes time.Duration
		status int
	}{{time.Hour - time.Second, 200}, {time.Second, 401}} {
		now = now.Add(step.passes)
		if status, _ := raw(t, at, "GET", "/inventory/v1/units", "", bearer); status != step.status {
			t.Errorf("at %s: %d", now.Sub(noon), status)
		}
	}
}

// TestPeopleHaveDocuments whose check digit is right (ISO 7064 MOD 11-2).
func TestPeopleHaveDocuments(t *testing.T) {
	w := newWorld(t, nil)
	made, err := w.twin.Issue(apaleo.Want{Count: 200})
	if err != nil {
		t.Fatal(err)
	}
	cards, passports := 0, 0
	for _, m := range made {
		switch g := m.Guests[0]; g.DocumentType {
		case "IdNumber":
			cards++
			sum := 0
			for _, c := range g.DocumentNumber {
				v := int(c - '0')
				if c == 'X' {
					v = 10
				}
				sum = (sum*2 + v) % 11 // Horner's scheme over 2
			}
			if len(g.DocumentNumber) != 18 || sum != 1 || g.DocumentNumber[6:14] != strings.ReplaceAll(g.BirthDate, "-", "") {
				t.Errorf("%+v: %d", g, sum)
			}
		case "PassportNumber":
			passports++
		}
	}
	if cards < 100 || passports < 20 || cards+passports != 200 {
		t.Errorf("%d cards, %d passports", cards, passports)
	}
}
