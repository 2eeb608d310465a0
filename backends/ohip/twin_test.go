package ohip_test

import (
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"pgregory.net/rapid"

	"github.com/warmgate/warmgate/backends/ohip"
	"github.com/warmgate/warmgate/backends/twin/twintest"
	"github.com/warmgate/warmgate/backends/wire"
)

// raw sends one request to the twin as it stands and returns the status and the body.
func raw(t testing.TB, base, method, path, body string, header map[string]string) (int, string) {
	t.Helper()
	resp, out := twintest.Ask(t, method, base+path, body, header)
	return resp.StatusCode, out
}

// token gets an access token from the twin.
func token(t testing.TB, base string) string {
	t.Helper()
	resp, body := twintest.Ask(t, "POST", base+"/oauth/v1/tokens", "grant_type=client_credentials&scope=x", map[string]string{
		"Authorization": twintest.Basic(ohip.SandboxClientID, testSecret), "Content-Type": "application/x-www-form-urlencoded", "x-app-key": ohip.SandboxAppKey})
	var out struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(body), &out); err != nil || out.Token == "" {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	return out.Token
}

func TestTheTwinRefusesWhatDoesNotFit(t *testing.T) {
	w := newWorld(t, nil)
	base := w.URL
	bearer := token(t, base)
	m := w.make(t, ohip.Want{Scenario: ohip.Assigned})
	const rooms, rsv = "/fof/v1/hotels/LAKE1/rooms", "/rsv/v1/hotels/LAKE1/reservations"
	at := func(rest string) string { return "/fof/v1/hotels/LAKE1/reservations/" + m.ID + rest }
	ids := `"reservationIdList":[{"id":"` + m.ID + `","type":"Reservation"}]`
	assign := `{"criteria":{` + ids + `,"roomId":"209"}}`
	keys := `{` + ids + `,"roomNumber":"` + m.RoomID + `","keyType":"New","noOfKeys":1,"keyValidityStart":"2026-05-02T15:00:00+08:00","keyValidityEnd":"2026-05-03T12:00:00+08:00"}`
	without := func(body, part string) string { return strings.Replace(body, part, "", 1) }
	for _, c := range []struct {
		name, method, path, body string
		header                   map[string]string
		status                   int
		says                     string
	}{
		{"no token", "GET", rooms, "", map[string]string{"Authorization": ""}, 401, "access token"},
		{"another's token", "GET", rooms, "", map[string]string{"Authorization": "Bearer x"}, 401, "access token"},
		{"another scheme", "GET", rooms, "", map[string]string{"Authorization": "Basic " + bearer}, 401, "access token"},
		{"no app key", "GET", rooms, "", map[string]string{"x-app-key": ""}, 400, "x-app-key"},
		{"no key at all", "GET", rooms, "", map[string]string{"x-app-key": "key"}, 400, "x-app-key"},
		{"another's app key", "GET", rooms, "", map[string]string{"x-app-key": "41ecd082-8997-4c69-af34-2f72b83645ff"}, 403, "application"},
		{"no hotel", "GET", rooms, "", map[string]string{"x-hotelid": ""}, 400, "x-hotelid"},
		{"another hotel", "GET", rooms, "", map[string]string{"x-hotelid": "HILL2"}, 403, "another hotel"},
		{"another hotel in the path", "GET", "/fof/v1/hotels/HILL2/rooms", "", nil, 404, "no such operation"},
		{"a request id that is none", "GET", rooms, "", map[string]string{"x-request-id": "7"}, 400, "x-request-id"},
		{"no time left", "GET", rooms, "", map[string]string{"X-Request-Timeout-Ms": "0"}, 400, "X-Request-Timeout-Ms"},
		{"another module", "GET", "/rsv/v1/hotels/LAKE1/rooms", "", nil, 404, "no such operation"},
		{"another method", "PATCH", at("/checkIns"), assign, nil, 404, "no such operation"},
		{"no reservation in the path", "GET", "/fof/v1/hotels/LAKE1/reservations//roomKeys", "", nil, 404, "no such operation"},
		{"a body for a read", "GET", rooms, "{}", nil, 400, "no body"},
		{"an unknown parameter", "GET", rooms + "?clean=true", "", nil, 400, "clean"},
		{"a parameter in another case", "GET", rooms + "?roomtype=STD", "", nil, 400, "roomtype"},
		{"an unknown room status", "GET", rooms + "?hotelRoomStatus=clean", "", nil, 400, "hotelRoomStatus"},
		{"an unknown front office status", "GET", rooms + "?hotelFORoomStatus=Empty", "", nil, 400, "hotelFORoomStatus"},
		{"a limit that is none", "GET", rooms + "?limit=many", "", nil, 400, "limit"},
		{"a day that is none", "GET", rooms + "?hotelRoomStartDate=2026-02-30&hotelRoomEndDate=2026-03-01", "", nil, 400, "hotelRoomStartDate"},
		{"half the nights", "GET", rooms + "?hotelRoomStartDate=2026-05-02", "", nil, 400, "hotelRoomEndDate"},
		{"a broken query", "GET", rooms + "?floor=%zz", "", nil, 400, "query"},
		{"an unknown instruction", "GET", rsv + "?fetchInstructions=Everything", "", nil, 400, "fetchInstructions"},
		{"a document to search by", "GET", rsv + "?idNumber=330106", "", nil, 400, "idNumber"},
		{"an unknown check", "GET", at("/verifyCheckIns?verifyCheckinInstructions=All"), "", nil, 400, "verifyCheckinInstructions"},
		{"an undo that asks too much", "DELETE", at("/checkIns?unassignRoom=yes"), "", nil, 400, "unassignRoom"},
		{"an undo with a body", "DELETE", at("/checkIns"), "{}", nil, 400, "no body"},

		{"no media type", "POST", at("/roomAssignments"), assign, map[string]string{"Content-Type": ""}, 415, "Content-Type"},
		{"another media type", "POST", at("/roomAssignments"), assign, map[string]string{"Content-Type": "text/json"}, 415, "Content-Type"},
		{"no body", "POST", at("/roomAssignments"), "", map[string]string{"Content-Type": "application/json"}, 400, "one JSON object"},
		{"not JSON", "POST", at("/roomAssignments"), "{", nil, 400, "one JSON object"},
		{"null", "POST", at("/roomAssignments"), "null", nil, 400, "one JSON object"},
		{"an unknown member", "POST", at("/roomAssignments"), strings.Replace(assign, `"roomId"`, `"room":1,"roomId"`, 1), nil, 400, "/criteria/room"},
		{"another case", "POST", at("/roomAssignments"), strings.Replace(assign, `"roomId"`, `"RoomId"`, 1), nil, 400, "RoomId"},
		{"a member twice", "POST", at("/roomAssignments"), strings.Replace(assign, `"roomId"`, `"roomId":"1","roomId"`, 1), nil, 400, "one JSON object"},
		{"a wrong type", "POST", at("/roomAssignments"), strings.Replace(assign, `"209"`, `209`, 1), nil, 400, "roomId"},
		{"no room", "POST", at("/roomAssignments"), without(assign, `,"roomId":"209"`), nil, 400, "roomId"},
		{"a long room", "POST", at("/roomAssignments"), strings.Replace(assign, "209", strings.Repeat("9", 21), 1), nil, 400, "roomId"},
		{"no reservation", "POST", at("/roomAssignments"), without(assign, ids+","), nil, 400, "FOF00065"},
		{"another reservation", "POST", at("/roomAssignments"), strings.Replace(assign, m.ID, "1", 1), nil, 400, "another reservation"},
		{"no type of id", "POST", at("/roomAssignments"), without(assign, `,"type":"Reservation"`), nil, 400, "type"},
		{"another hotel in the body", "POST", at("/roomAssignments"), strings.Replace(assign, `"criteria":{`, `"criteria":{"hotelId":"HILL2",`, 1), nil, 400, "FOF00066"},

		{"no check-in", "POST", at("/checkIns"), `{}`, nil, 400, "reservation"},
		{"something else to fetch", "POST", at("/checkIns"), `{"reservation":{},"fetchReservationInstruction":["All"]}`, nil, 400, "fetched"},
		{"an unknown wish", "POST", at("/checkIns"), `{"reservation":{"hurry":true}}`, nil, 400, "hurry"},
		{"a time that is none", "POST", at("/checkIns"), `{"reservation":{"checkOutTime":"noon"}}`, nil, 400, "checkOutTime"},
		{"a wish that is no flag", "POST", at("/checkIns"), `{"reservation":{"ignoreWarnings":"false"}}`, nil, 400, "ignoreWarnings"},
		{"an unknown unassignment", "PUT", at("/rooms"), `{"roomId":"209"}`, nil, 400, "roomId"},

		{"no key type", "POST", at("/roomKeys"), without(keys, `"keyType":"New",`), nil, 400, "keyType"},
		{"an unknown key type", "POST", at("/roomKeys"), strings.Replace(keys, "New", "Old", 1), nil, 400, "keyType"},
		{"no room for the key", "POST", at("/roomKeys"), without(keys, `"roomNumber":"`+m.RoomID+`",`), nil, 400, "roomNumber"},
		{"no keys", "POST", at("/roomKeys"), strings.Replace(keys, `"noOfKeys":1`, `"noOfKeys":0`, 1), nil, 400, "keys"},
		{"keys in words", "POST", at("/roomKeys"), strings.Replace(keys, `"noOfKeys":1`, `"noOfKeys":"1"`, 1), nil, 400, "noOfKeys"},
		{"keys that end before they begin", "POST", at("/roomKeys"), strings.Replace(keys, "05-03T12", "05-01T12", 1), nil, 400, "validity"},
		{"keys without a day", "POST", at("/roomKeys"), strings.Replace(keys, "2026-05-03T12:00:00+08:00", "noon", 1), nil, 400, "keyValidityEnd"},
		{"keys of another hotel", "POST", at("/roomKeys"), strings.Replace(keys, `{`, `{"resort":"HILL2",`, 1), nil, 400, "another hotel"},

		{"no departure", "POST", "/csh/v1/hotels/LAKE1/reservations/" + m.ID + "/checkOuts", `{}`, nil, 400, "FOF00065"},
		{"a departure of nobody", "POST", "/csh/v1/hotels/LAKE1/reservations/" + m.ID + "/checkOuts", `{"reservation":{}}`, nil, 400, "FOF00065"},
		{"an unknown departure", "POST", "/csh/v1/hotels/LAKE1/reservations/" + m.ID + "/checkOuts", `{"reservation":{` + ids + `,"now":true}}`, nil, 400, "now"},
	} {
		t.Run(c.name, func(t *testing.T) {
			header := map[string]string{"Authorization": "Bearer " + bearer, "x-app-key": ohip.SandboxAppKey, "x-hotelid": "LAKE1"}
			maps.Copy(header, c.header)
			status, body := raw(t, base, c.method, c.path, c.body, header)
			var e struct {
				Type   string `json:"type"`
				Title  string `json:"title"`
				Status int    `json:"status"`
			}
			if err := json.Unmarshal([]byte(body), &e); err != nil {
				t.Fatalf("%d %s", status, body)
			}
			if status != c.status || e.Type == "" || e.Title == "" || e.Status != status || !strings.Contains(body, c.says) {
				t.Errorf("want %d %q, got %d %s", c.status, c.says, status, body)
			}
		})
	}
	if b := w.twin.ReadBooks(); len(b.Effects) != 0 {
		t.Errorf("a refused request had an effect: %+v", b.Effects)
	}
}

func TestTheTokenOfficeRefusesWhatDoesNotFit(t *testing.T) {
	w := newWorld(t, nil)
	base := w.URL
	const good = "grant_type=client_credentials&scope=x"
	for _, c := range []struct {
		name, form string
		header     map[string]string
		status     int
	}{
		{"a grant", good, nil, 200},
		{"a password grant", "grant_type=password&username=u&password=p", nil, 200},
		{"no grant", "scope=x", nil, 400},
		{"another grant", "grant_type=refresh_token&scope=x", nil, 400},
		{"no scope", "grant_type=client_credentials", nil, 400},
		{"half a password grant", "grant_type=password&username=u", nil, 400},
		{"an unknown field", good + "&hotel=LAKE1", nil, 400},
		{"a field twice", good + "&scope=y", nil, 400},
		{"an empty field", "grant_type=client_credentials&scope=", nil, 400},
		{"JSON", `{}`, map[string]string{"Content-Type": "application/json"}, 415},
		{"no client", good, map[string]string{"Authorization": ""}, 401},
		{"another secret", good, map[string]string{"Authorization": twintest.Basic(ohip.SandboxClientID, "x")}, 401},
		{"another client", good, map[string]string{"Authorization": twintest.Basic("x", testSecret)}, 401},
		{"another application", good, map[string]string{"x-app-key": "x"}, 403},
	} {
		header := map[string]string{"Content-Type": "application/x-www-form-urlencoded", "x-app-key": ohip.SandboxAppKey,
			"Authorization": twintest.Basic(ohip.SandboxClientID, testSecret)}
		maps.Copy(header, c.header)
		if status, body := raw(t, base, "POST", "/oauth/v1/tokens", c.form, header); status != c.status {
			t.Errorf("%s: %d %s", c.name, status, body)
		}
	}
}

func TestAnAccessTokenEnds(t *testing.T) {
	now := three
	var mu sync.Mutex
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	w := newWorld(t, nil)
	hotel := newTwin(t, func(c *ohip.TwinConfig) { c.Clock, c.TokenLife = clock, time.Minute })
	fine(t, w.City.Add("ohip", "hill", hotel))
	base := w.City.URL("ohip", "hill")
	header := map[string]string{"Authorization": "Bearer " + token(t, base), "x-app-key": ohip.SandboxAppKey, "x-hotelid": "LAKE1"}
	if status, body := raw(t, base, "GET", "/fof/v1/hotels/LAKE1/rooms", "", header); status != 200 {
		t.Error(status, body)
	}
	mu.Lock()
	now = now.Add(time.Minute)
	mu.Unlock()
	if status, _ := raw(t, base, "GET", "/fof/v1/hotels/LAKE1/rooms", "", header); status != 401 {
		t.Error(status)
	}
}

// TestOneRoomManyGuests: the twin itself must give a room once, or its books prove nothing.
func TestOneRoomManyGuests(t *testing.T) {
	w := newWorld(t, nil)
	guests, err := w.twin.Reserve(ohip.Want{Count: 50})
	fine(t, err)
	var wg sync.WaitGroup
	var mu sync.Mutex
	in := 0
	for _, m := range guests {
		wg.Go(func() {
			ctx := twintest.Within(t, 10*time.Second)
			if err := w.client.AssignRoom(ctx, m.ID, "207"); err != nil {
				wantRefusal(t, "assign", err, ohip.RefusedTaken)
				return
			}
			if err := w.client.CheckIn(ctx, m.ID, "207"); err != nil {
				t.Error(err)
			}
			mu.Lock()
			in++
			mu.Unlock()
		})
	}
	wg.Wait()
	if in != 1 {
		t.Errorf("%d guests in one room", in)
	}
	for _, r := range w.twin.ReadBooks().Rooms {
		if r.ID == "207" && (len(r.HeldBy) != 1 || r.FrontOffice != ohip.Occupied) {
			t.Errorf("%+v", r)
		}
	}
}

// TestTheTwinAgainstItsModel: whatever is done in whatever order, by callers and by hand, no room has two guests and the
// reservations are as a small model says.
func TestTheTwinAgainstItsModel(t *testing.T) {
	w := newWorld(t, nil)
	rapid.Check(t, func(rt *rapid.T) {
		fine(t, w.twin.Vacate("*"))
		ctx := twintest.Within(t, 20*time.Second)
		var guests []ohip.Made
		for range 3 {
			guests = append(guests, w.twin.Fresh())
		}
		rooms := []string{"203", "204"}
		type model struct {
			room string
			in   bool
			keys int
		}
		all := map[string]*model{}
		for _, m := range guests {
			all[m.ID] = &model{}
		}
		holder := func(room string) string {
			for id, g := range all {
				if g.room == room {
					return id
				}
			}
			return ""
		}
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			id := guests[rapid.IntRange(0, 2).Draw(rt, "guest")].ID
			room := rooms[rapid.IntRange(0, 1).Draw(rt, "room")]
			g := all[id]
			var err error
			var want bool
			switch op := rapid.SampledFrom([]string{"assign", "unassign", "in", "undo", "keys", "remove"}).Draw(rt, "op"); op {
			case "assign":
				err = w.client.AssignRoom(ctx, id, room)
				if want = !g.in && (holder(room) == "" || holder(room) == id); want {
					g.room = room
				}
			case "unassign":
				err = w.client.UnassignRoom(ctx, id)
				if want = !g.in; want {
					g.room = ""
				}
			case "in":
				err = w.client.CheckIn(ctx, id, room)
				if want = !g.in && g.room == room; want {
					g.in = true
				}
			case "undo":
				err = w.client.UndoCheckIn(ctx, id, false)
				want = g.in
				g.in = false
			case "keys":
				_, err = w.client.IssueKeys(ctx, order(ohip.Made{ID: id}, room))
				if want = g.in && g.room == room; want {
					g.keys = 2
				}
			case "remove":
				err = w.client.RemoveKeys(ctx, id, room)
				want = true
				if keys, kerr := w.client.Keys(ctx, id); kerr == nil {
					g.keys = len(keys)
				}
			}
			if (err == nil) != want {
				rt.Fatalf("%s %s: want success %v, got %v", id, room, want, err)
			}
			if e, ok := err.(*wire.Error); err != nil && (!ok || e.Fate != wire.Refused) {
				rt.Fatal(err)
			}
			r, err := w.client.Reservation(ctx, id)
			if err != nil || (r.State() == ohip.InHouse) != g.in || r.RoomID != g.room {
				rt.Fatalf("%+v, model %+v, %v", r, g, err)
			}
			if keys, err := w.client.Keys(ctx, id); err != nil || len(keys) != g.keys {
				rt.Fatalf("%d keys, model %+v, %v", len(keys), g, err)
			}
		}
	})
	for _, r := range w.twin.ReadBooks().Rooms {
		if len(r.HeldBy) > 1 {
			t.Errorf("%+v", r)
		}
	}
}

func TestWhatTheHotelDoesByHand(t *testing.T) {
	w := newWorld(t, nil)
	ctx := twintest.Within(t, 10*time.Second)
	state := func(id string) ohip.State {
		t.Helper()
		r, err := w.client.Reservation(ctx, id)
		fine(t, err)
		return r.State()
	}
	late := w.make(t, ohip.Want{Scenario: ohip.MarkedGone})
	fine(t, w.twin.ByHand(late.ID, ohip.StatusReserved, "")) // revived
	if r, err := w.client.Reservation(ctx, late.ID); err != nil || r.State() != ohip.Expected || r.Arrival != today || r.Departure != tomorrow {
		t.Errorf("revived: %+v, %v", r, err)
	}
	fine(t, w.twin.ByHand(late.ID, ohip.StatusInHouse, "208"))
	if state(late.ID) != ohip.InHouse {
		t.Error("marked in by hand")
	}
	other := w.twin.Fresh()
	if err := w.twin.ByHand(other.ID, ohip.StatusInHouse, "208"); err == nil {
		t.Error("one room was given twice")
	}
	if _, err := w.twin.Occupy("208"); err == nil {
		t.Error("one room was given twice")
	}
	fine(t, w.twin.ByHand(other.ID, ohip.StatusCancelled, ""))
	if state(other.ID) != ohip.Cancelled {
		t.Error("cancelled by hand")
	}
	fine(t, w.client.AssignRoom(ctx, w.twin.Fresh().ID, "207"))
	fine(t, w.twin.Vacate("*"))
	if state(late.ID) != ohip.Left {
		t.Error("vacated")
	}
	rooms, err := w.client.AllRooms(ctx, ohip.RoomQuery{From: today, To: tomorrow, Housekeeping: []ohip.Housekeeping{ohip.Clean}})
	if err != nil || len(rooms) != 200 {
		t.Errorf("%d rooms after all have left, %v", len(rooms), err)
	}
	for _, bad := range []string{`{"do":"burn"}`, `{"scenario":"king"}`, `{"count":10001}`, `{"count":-1}`, `{"nights":61}`, `{"room_type":"XXX"}`,
		`{"guests":[{},{},{},{},{},{},{},{},{}]}`, `{"guests":[{"birth_date":"1.1.1970"}]}`, `{"guests":[{"surname":"a\u0000"}]}`, `{"reservation":1}`,
		`{"do":"housekeep","room":"201","housekeeping":"Shiny"}`, `{"do":"housekeep","room":"999","housekeeping":"Clean"}`, `{"do":"occupy","room":"999"}`,
		`{"do":"vacate","room":"999"}`, `{"do":"by-hand","reservation":"1","status":"Reserved"}`,
		`{"do":"by-hand","reservation":"` + other.ID + `","status":"Waitlisted"}`, `{"do":"by-hand","reservation":"` + other.ID + `","status":"InHouse"}`,
		`{"do":"build","count":20000}`, ``, `[]`} {
		if made, err := w.twin.Make([]byte(bad)); err == nil {
			t.Errorf("%s: %+v", bad, made)
		}
	}
	for _, good := range []string{`{}`, `{"do":"reserve","scenario":"tomorrow","count":2}`, `{"do":"occupy"}`, `{"do":"housekeep","room":"*","housekeeping":"Dirty"}`,
		`{"do":"vacate","room":"201"}`, `{"do":"build","count":2,"room_type":"DLX"}`, `{"do":"by-hand","reservation":"` + other.ID + `","status":"Reserved"}`} {
		if _, err := w.twin.Make([]byte(good)); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
}

func TestTheTwinIsMadeFromItsSeedAndRemembers(t *testing.T) {
	seeded := func(seed uint64, name string) *ohip.Twin {
		return newTwin(t, func(c *ohip.TwinConfig) { c.Seed, c.HotelID = seed, name })
	}
	one, other := seeded(1, "A"), seeded(1, "A")
	first := one.Fresh()
	if got := other.Fresh(); fmt.Sprint(got) != fmt.Sprint(first) {
		t.Errorf("the same seed: %v, %v", got, first)
	}
	if g := first.Guests[0]; g.Document.Type != "ID" || len(g.Document.Number) != 18 || g.Alternate == "" || !strings.Contains(g.Document.Number, strings.ReplaceAll(g.BirthDate, "-", "")) {
		t.Errorf("a guest without papers: %+v", g)
	}
	if seeded(2, "A").Fresh().Confirmation == first.Confirmation || seeded(1, "B").Fresh().ID == first.ID {
		t.Error("another seed or hotel must make other reservations")
	}
	w := newWorld(t, nil)
	m := w.make(t, ohip.Want{Scenario: ohip.Assigned})
	ctx := twintest.Within(t, 5*time.Second)
	fine(t, w.client.CheckIn(ctx, m.ID, m.RoomID))
	_, err := w.client.IssueKeys(ctx, order(m, m.RoomID))
	fine(t, err)
	changes := w.twin.Changes()
	wantRefusal(t, "twice", w.client.CheckIn(ctx, m.ID, m.RoomID), ohip.RefusedAlreadyIn)
	if w.twin.Changes() == changes {
		t.Error("what was asked is a change of the books")
	}
	state, err := w.twin.Save()
	fine(t, err)
	back := newTwin(t, nil)
	fine(t, back.Restore(state))
	again, err := back.Save()
	fine(t, err)
	if string(again) != string(state) {
		t.Errorf("saved and restored differ:\n%s\n%s", again, state)
	}
	got, err := json.Marshal(back.Books())
	fine(t, err)
	want, err := json.Marshal(w.twin.Books())
	fine(t, err)
	if string(got) != string(want) {
		t.Error("the books of a restored twin differ")
	}
	if next := back.Fresh(); next.ID == m.ID || next.ID != w.twin.Fresh().ID {
		t.Error("a restored twin must go on where it stopped")
	}
	books := w.twin.ReadBooks()
	if a := books.Asked[0]; a.Op != "check-in" || a.Asked != 2 || a.Done != 1 || a.ReservationID != m.ID {
		t.Errorf("asked: %+v", books.Asked)
	}
	if h := books.Reservations[0].History; len(h) != 3 || h[1].Op != "check-in" || h[1].Status != ohip.StatusInHouse || !h[1].At.Equal(three) {
		t.Errorf("history: %+v", h)
	}
	for _, bad := range []string{``, `{"stays":[null]}`, `{"rooms":[null]}`, `{"book":1}`, `{"stays":[{"room":"1"}]}`} {
		if err := newTwin(t, nil).Restore([]byte(bad)); err == nil {
			t.Errorf("%q was restored", bad)
		}
	}
	for _, bad := range []ohip.TwinConfig{{ClientSecret: "s"}, {HotelID: "H"}, {HotelID: "H", ClientSecret: "s", AppKey: "k"},
		{HotelID: "H", ClientSecret: "s", Rooms: []ohip.TwinRoom{}}, {HotelID: "H", ClientSecret: "s", Rooms: []ohip.TwinRoom{{ID: "1"}}},
		{HotelID: "H", ClientSecret: "s", Rooms: []ohip.TwinRoom{{ID: "1", Type: "A"}, {ID: "1", Type: "A"}}},
		{HotelID: "H", ClientSecret: "s", TokenLife: time.Millisecond}} {
		if _, err := ohip.NewTwin(bad); err == nil {
			t.Errorf("%+v was made", bad)
		}
	}
}
