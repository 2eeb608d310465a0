package ohip_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/ohip"
	"github.com/warmgate/warmgate/backends/twin/twintest"
	"github.com/warmgate/warmgate/backends/wire"
	"github.com/warmgate/warmgate/gateway/call"
)

func TestMain(m *testing.M) { twintest.Main(m) }

const testSecret = "test-secret-9f3c"

// three is a moment on the afternoon of arrivals.
var three = time.Date(2026, 5, 2, 15, 0, 0, 0, twintest.Shanghai())

const today, tomorrow, yesterday = "2026-05-02", "2026-05-03", "2026-05-01"

// world is a city with one hotel, and a client of it.
type world struct {
	twintest.Site
	twin   *ohip.Twin
	client *ohip.Client
}

func newTwin(t testing.TB, change func(*ohip.TwinConfig)) *ohip.Twin {
	t.Helper()
	cfg := ohip.TwinConfig{HotelID: "LAKE1", ClientSecret: testSecret, Seed: 7, Location: twintest.Shanghai(),
		Clock: func() time.Time { return three }}
	if change != nil {
		change(&cfg)
	}
	hotel, err := ohip.NewTwin(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return hotel
}

func testConfig(url string) ohip.Config {
	return ohip.Config{GatewayURL: url, HotelID: "LAKE1", AppKey: ohip.SandboxAppKey, ClientID: ohip.SandboxClientID,
		ClientSecret: testSecret}
}

func newWorld(t testing.TB, change func(*ohip.Config)) world {
	t.Helper()
	return worldOf(t, newTwin(t, nil), change)
}

// worldOf is a city with that hotel, and a client of it.
func worldOf(t testing.TB, hotel *ohip.Twin, change func(*ohip.Config)) world {
	t.Helper()
	site := twintest.Open(t, "ohip", "lake", hotel)
	cfg := testConfig(site.URL)
	if change != nil {
		change(&cfg)
	}
	client, err := ohip.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return world{site, hotel, client}
}

func (w world) make(t testing.TB, want ohip.Want) ohip.Made {
	t.Helper()
	made, err := w.twin.Reserve(want)
	if err != nil {
		t.Fatal(err)
	}
	return made[0]
}

// wantRefusal fails unless err is that refusal, and nobody's name stands in its text.
func wantRefusal(t testing.TB, what string, err error, want ohip.Refusal) {
	t.Helper()
	got, refused := ohip.RefusalOf(err)
	if !refused || got != want {
		t.Errorf("%s: want a refusal %q, got %v", what, want, err)
	}
}

func fine(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func order(m ohip.Made, room string) ohip.KeyOrder {
	return ohip.KeyOrder{ReservationID: m.ID, RoomID: room, Count: 2, From: three, To: three.Add(21 * time.Hour)}
}

func TestAStayFromBookingToDeparture(t *testing.T) {
	w := newWorld(t, nil)
	ctx := twintest.Within(t, 10*time.Second)
	m := w.make(t, ohip.Want{Guests: []ohip.WantGuest{{}, {BirthDate: "2020-02-29"}}})
	r, err := w.client.Reservation(ctx, m.ID)
	fine(t, err)
	if r.ID != m.ID || r.Confirmation != m.Confirmation || r.State() != ohip.Expected || r.Computed != ohip.StatusDueIn ||
		r.Arrival != today || r.Departure != tomorrow || r.Adults != 1 || r.Children != 1 || r.RoomID != "" || len(r.Guests) != 2 ||
		!r.Guests[0].Primary || r.Guests[0].Alternate != m.Guests[0].Alternate || r.Guests[1].Surname != m.Guests[1].Surname {
		t.Fatalf("Reservation = %+v", r)
	}
	const room = "203"
	fine(t, w.client.AssignRoom(ctx, m.ID, room))
	if r, err = w.client.Reservation(ctx, m.ID); err != nil || r.RoomID != room || r.State() != ohip.Expected {
		t.Fatalf("assigned: %+v, %v", r, err)
	}
	if at, err := w.client.Room(ctx, room); err != nil || at.Free() || at.FrontOffice != ohip.Vacant ||
		!slices.Equal(at.Stays, []ohip.Stay{{ReservationID: m.ID, Status: "Arrival"}}) {
		t.Fatalf("Room = %+v, %v", at, err)
	}
	fine(t, w.client.CheckIn(ctx, m.ID, room))
	if r, err = w.client.Reservation(ctx, m.ID); err != nil || r.State() != ohip.InHouse || r.RoomID != room {
		t.Fatalf("in house: %+v, %v", r, err)
	}
	if keys, err := w.client.Keys(ctx, m.ID); err != nil || len(keys) != 0 {
		t.Fatalf("keys before any: %+v, %v", keys, err)
	}
	issued, err := w.client.IssueKeys(ctx, order(m, room))
	fine(t, err)
	keys, err := w.client.Keys(ctx, m.ID)
	if err != nil || len(keys) != 2 || keys[0].RoomID != room || keys[0].Track != issued.Track || !keys[0].From.Equal(three) || keys[0].Count != 1 {
		t.Fatalf("Keys = %+v, %v", keys, err)
	}
	wantRefusal(t, "leaving a day early", w.client.CheckOut(ctx, m.ID), ohip.RefusedWrongDate)
	for range 2 { // idempotent
		fine(t, w.client.RemoveKeys(ctx, m.ID, room))
	}
	if keys, err = w.client.Keys(ctx, m.ID); err != nil || len(keys) != 0 {
		t.Fatalf("keys after they were removed: %+v, %v", keys, err)
	}
	leaving := w.make(t, ohip.Want{Scenario: ohip.LeavesNow})
	fine(t, w.client.CheckOut(ctx, leaving.ID))
	if r, err = w.client.Reservation(ctx, leaving.ID); err != nil || r.State() != ohip.Left {
		t.Fatalf("left: %+v, %v", r, err)
	}
	if at, err := w.client.Room(ctx, leaving.RoomID); err != nil || !at.Free() || at.Housekeeping != ohip.Dirty {
		t.Fatalf("the room that was left: %+v, %v", at, err)
	}
	var ops []string
	for _, e := range w.twin.ReadBooks().Effects {
		ops = append(ops, e.Op)
	}
	if got := strings.Join(ops, " "); got != "assign check-in issue-keys remove-keys check-out" {
		t.Errorf("effects: %s", got)
	}
}

func TestWhatIsUndone(t *testing.T) {
	w := newWorld(t, nil)
	ctx := twintest.Within(t, 10*time.Second)
	m := w.make(t, ohip.Want{Scenario: ohip.Assigned})
	for range 2 { // idempotent in its result
		fine(t, w.client.UnassignRoom(ctx, m.ID))
	}
	if r, err := w.client.Reservation(ctx, m.ID); err != nil || r.RoomID != "" {
		t.Fatalf("%+v, %v", r, err)
	}
	for _, unassign := range []bool{false, true} {
		fine(t, w.client.AssignRoom(ctx, m.ID, m.RoomID))
		fine(t, w.client.CheckIn(ctx, m.ID, m.RoomID))
		wantRefusal(t, "unassigning in house", w.client.UnassignRoom(ctx, m.ID), ohip.RefusedAlreadyIn)
		fine(t, w.client.UndoCheckIn(ctx, m.ID, unassign))
		r, err := w.client.Reservation(ctx, m.ID)
		if err != nil || r.State() != ohip.Expected || (r.RoomID == "") != unassign {
			t.Fatalf("unassign %v: %+v, %v", unassign, r, err)
		}
		wantRefusal(t, "undoing twice", w.client.UndoCheckIn(ctx, m.ID, unassign), ohip.RefusedNotIn)
	}
}

func TestEveryEffectIsRefusedForItsReason(t *testing.T) {
	w := newWorld(t, nil)
	ctx := twintest.Within(t, 20*time.Second)
	in, err := w.twin.Occupy("")
	fine(t, err)
	fine(t, w.twin.Housekeep("210", ohip.Dirty))
	fine(t, w.twin.Housekeep("211", ohip.OutOfOrder))
	other := w.make(t, ohip.Want{Scenario: ohip.Assigned})
	for _, c := range []struct {
		scenario ohip.Scenario
		room     string
		assign   ohip.Refusal // "": done
		checkIn  ohip.Refusal
	}{
		{ohip.DueToday, "209", "", ""},
		{ohip.DueToday, in.RoomID, ohip.RefusedTaken, ohip.RefusedNoRoom},
		{ohip.DueToday, other.RoomID, ohip.RefusedTaken, ohip.RefusedNoRoom},
		{ohip.DueToday, "210", ohip.RefusedNotClean, ohip.RefusedNoRoom},
		{ohip.DueToday, "211", ohip.RefusedNoSuchRoom, ohip.RefusedNoRoom},
		{ohip.DueToday, "999", ohip.RefusedNoSuchRoom, ohip.RefusedNoRoom},
		{ohip.DueToday, "225", ohip.RefusedRoomType, ohip.RefusedNoRoom},
		{ohip.Tomorrow, "212", "", ohip.RefusedWrongDate},
		{ohip.Yesterday, "303", ohip.RefusedNoShow, ohip.RefusedNoShow},
		{ohip.MarkedGone, "303", ohip.RefusedNoShow, ohip.RefusedNoShow},
		{ohip.CancelledR, "303", ohip.RefusedCancelled, ohip.RefusedCancelled},
		{ohip.StaysOn, "303", ohip.RefusedAlreadyIn, ohip.RefusedAlreadyIn},
		{ohip.HasLeft, "303", ohip.RefusedAlreadyOut, ohip.RefusedAlreadyOut},
	} {
		m := w.make(t, ohip.Want{Scenario: c.scenario})
		what := string(c.scenario) + " " + c.room
		if err := w.client.AssignRoom(ctx, m.ID, c.room); c.assign != "" {
			wantRefusal(t, "assign "+what, err, c.assign)
		} else if err != nil {
			t.Errorf("assign %s: %v", what, err)
		}
		if err := w.client.CheckIn(ctx, m.ID, c.room); c.checkIn != "" {
			wantRefusal(t, "check in "+what, err, c.checkIn)
		} else if err != nil {
			t.Errorf("check in %s: %v", what, err)
		}
	}
	fine(t, w.twin.Housekeep(other.RoomID, ohip.Dirty))
	wantRefusal(t, "a room that became dirty", w.client.CheckIn(ctx, other.ID, other.RoomID), ohip.RefusedNotClean)
	_, err = w.client.IssueKeys(ctx, order(other, other.RoomID))
	wantRefusal(t, "keys before the check-in", err, ohip.RefusedNotIn)
	_, err = w.client.IssueKeys(ctx, order(in, "209"))
	wantRefusal(t, "keys for another room", err, ohip.RefusedNoRoom)
	wantRefusal(t, "undo next day", w.client.UndoCheckIn(ctx, w.make(t, ohip.Want{Scenario: ohip.StaysOn}).ID, false), ohip.RefusedWrongDate)
	wantRefusal(t, "leaving with a balance", w.client.CheckOut(ctx, w.make(t, ohip.Want{Scenario: ohip.OwesMoney}).ID), ohip.RefusedBalance)
	wantRefusal(t, "leaving twice", w.client.CheckOut(ctx, w.make(t, ohip.Want{Scenario: ohip.HasLeft}).ID), ohip.RefusedStatus)
}

func TestNobodysReservation(t *testing.T) {
	w := newWorld(t, nil)
	ctx := twintest.Within(t, 10*time.Second)
	m := w.twin.Fresh()
	nobody := ohip.Made{ID: "4711"}
	for what, call := range map[string]func() error{
		"Reservation":   func() error { _, err := w.client.Reservation(ctx, nobody.ID); return err },
		"VerifyCheckIn": func() error { _, err := w.client.VerifyCheckIn(ctx, nobody.ID); return err },
		"Keys":          func() error { _, err := w.client.Keys(ctx, nobody.ID); return err },
		"AssignRoom":    func() error { return w.client.AssignRoom(ctx, nobody.ID, "209") },
		"UnassignRoom":  func() error { return w.client.UnassignRoom(ctx, nobody.ID) },
		"CheckIn":       func() error { return w.client.CheckIn(ctx, nobody.ID, "209") },
		"UndoCheckIn":   func() error { return w.client.UndoCheckIn(ctx, nobody.ID, true) },
		"CheckOut":      func() error { return w.client.CheckOut(ctx, nobody.ID) },
		"IssueKeys":     func() error { _, err := w.client.IssueKeys(ctx, order(nobody, "209")); return err },
		"RemoveKeys":    func() error { return w.client.RemoveKeys(ctx, nobody.ID, "209") },
	} {
		wantRefusal(t, what, call(), ohip.RefusedUnknown)
	}
	_, err := w.client.Room(ctx, "999")
	wantRefusal(t, "Room", err, ohip.RefusedNoSuchRoom)
	if all, err := w.client.ByConfirmation(ctx, m.ID); err != nil || all == nil || len(all) != 0 {
		t.Errorf("ByConfirmation of an id: %+v, %v", all, err)
	}
}

func TestReservationsAreFound(t *testing.T) {
	w := newWorld(t, nil)
	ctx := twintest.Within(t, 10*time.Second)
	m := w.make(t, ohip.Want{Guests: []ohip.WantGuest{{Surname: "O'Brien-Łukasz", GivenName: "Zoë"}, {Surname: "吕"}}})
	w.make(t, ohip.Want{Scenario: ohip.Tomorrow, Guests: []ohip.WantGuest{{Surname: "O'Brien-Łukasz"}}})
	if all, err := w.client.ByConfirmation(ctx, m.Confirmation); err != nil || len(all) != 1 || all[0].ID != m.ID {
		t.Errorf("ByConfirmation = %+v, %v", all, err)
	}
	for _, c := range []struct {
		q    ohip.NameQuery
		want int
	}{
		{ohip.NameQuery{Surname: "O'Brien-Łukasz", From: today, To: today}, 1},
		{ohip.NameQuery{Surname: "O'Brien-Łukasz", From: today, To: tomorrow}, 2},
		{ohip.NameQuery{Surname: "o'brien-łukasz", GivenName: "zoë", From: yesterday, To: tomorrow}, 1},
		{ohip.NameQuery{Surname: "O'Brien-Łukasz", GivenName: "Ann", From: yesterday, To: tomorrow}, 0},
		{ohip.NameQuery{Surname: "吕", From: today, To: today}, 1}, // who comes along counts
		{ohip.NameQuery{Surname: "O'Brien-Łukasz", From: yesterday, To: yesterday}, 0},
	} {
		if all, err := w.client.ByName(ctx, c.q); err != nil || len(all) != c.want {
			t.Errorf("%+v: %d, %v", c.q, len(all), err)
		}
	}
	v, err := w.client.VerifyCheckIn(ctx, m.ID)
	fine(t, err)
	if v.ID != m.ID || v.Arrival != today || len(v.Guests) != 2 || !v.Guests[0].Primary || len(v.Guests[0].Documents) != 1 ||
		v.Guests[0].Documents[0].Number != m.Guests[0].Document.Number || v.Guests[0].Surname != "O'Brien-Łukasz" ||
		v.Guests[0].BirthDate != m.Guests[0].BirthDate || !slices.Equal(v.Warnings, []string{"TWIN-NO-ROOM"}) {
		t.Errorf("VerifyCheckIn = %+v", v)
	}
}

func TestRoomsWithBothStatuses(t *testing.T) {
	w := newWorld(t, nil)
	ctx := twintest.Within(t, 10*time.Second)
	all, err := w.client.AllRooms(ctx, ohip.RoomQuery{})
	if err != nil || len(all) != 200 || all[0].ID != "201" || all[0].Floor != "2" || !slices.Equal(all[0].Connecting, []string{"202"}) || !all[0].Free() {
		t.Fatalf("Rooms = %d %+v, %v", len(all), all[0], err)
	}
	fine(t, w.twin.Build(150, "STD")) // more than a page
	if all, err = w.client.AllRooms(ctx, ohip.RoomQuery{}); err != nil || len(all) != 350 {
		t.Fatalf("Rooms over two pages = %d, %v", len(all), err)
	}
	in, err := w.twin.Occupy("305")
	fine(t, err)
	fine(t, w.twin.Housekeep("306", ohip.Inspected))
	fine(t, w.twin.Housekeep("307", ohip.Dirty))
	held := w.make(t, ohip.Want{Scenario: ohip.Assigned})
	count := func(q ohip.RoomQuery) (int, []string) {
		t.Helper()
		rooms, err := w.client.AllRooms(ctx, q)
		fine(t, err)
		var ids []string
		for _, r := range rooms {
			ids = append(ids, r.ID)
		}
		return len(rooms), ids
	}
	ready := []ohip.Housekeeping{ohip.Clean, ohip.Inspected}
	if n, ids := count(ohip.RoomQuery{Types: []string{"STD"}, Floor: "3", Housekeeping: ready, FrontOffice: ohip.Vacant}); n != 10 || slices.Contains(ids, "305") || slices.Contains(ids, "307") {
		t.Errorf("ready on floor 3: %d %v", n, ids)
	}
	if n, ids := count(ohip.RoomQuery{FrontOffice: ohip.Occupied}); n != 1 || ids[0] != in.RoomID {
		t.Errorf("occupied: %v", ids)
	}
	if _, ids := count(ohip.RoomQuery{From: today, To: tomorrow}); slices.Contains(ids, held.RoomID) || slices.Contains(ids, "305") || !slices.Contains(ids, "307") {
		t.Errorf("free tonight: %v", ids)
	}
	if n, _ := count(ohip.RoomQuery{Types: []string{"DLX", "STE"}}); n != 40 {
		t.Errorf("of two types: %d", n)
	}
	if n, _ := count(ohip.RoomQuery{Types: []string{"XXX"}}); n != 0 {
		t.Errorf("of no type: %d", n)
	}
}

func TestNothingIsSent(t *testing.T) {
	w := newWorld(t, nil)
	ctx := twintest.Within(t, 5*time.Second)
	gone, cancel := context.WithCancel(ctx)
	cancel()
	long := strings.Repeat("9", 81)
	keys := func(o ohip.KeyOrder) func() error {
		return func() error { _, err := w.client.IssueKeys(ctx, o); return err }
	}
	good := ohip.KeyOrder{ReservationID: "1", RoomID: "1", Count: 1, From: three, To: three.Add(1)}
	with := func(change func(*ohip.KeyOrder)) ohip.KeyOrder { o := good; change(&o); return o }
	for what, c := range map[string]struct {
		reason wire.Reason
		call   func() error
	}{
		"no deadline": {wire.ReasonNoTime, func() error { return w.client.CheckIn(context.Background(), "1", "1") }},
		"no time":     {wire.ReasonNoTime, func() error { return w.client.CheckIn(twintest.Within(t, time.Nanosecond), "1", "1") }},
		"cancelled":   {wire.ReasonNoTime, func() error { return w.client.CheckIn(gone, "1", "1") }},
		"no id":       {wire.ReasonInput, func() error { _, err := w.client.Reservation(ctx, ""); return err }},
		"a long id":   {wire.ReasonInput, func() error { _, err := w.client.Keys(ctx, long); return err }},
		"a step up":   {wire.ReasonInput, func() error { return w.client.UndoCheckIn(ctx, "..", true) }},
		"a line":      {wire.ReasonInput, func() error { return w.client.AssignRoom(ctx, "1", "1\r\nx: y") }},
		"not UTF-8":   {wire.ReasonInput, func() error { _, err := w.client.ByConfirmation(ctx, "\xff"); return err }},
		"no name":     {wire.ReasonInput, func() error { _, err := w.client.ByName(ctx, ohip.NameQuery{From: today, To: today}); return err }},
		"no day":      {wire.ReasonInput, func() error { _, err := w.client.ByName(ctx, ohip.NameQuery{Surname: "a"}); return err }},
		"days backwards": {wire.ReasonInput, func() error {
			_, err := w.client.ByName(ctx, ohip.NameQuery{Surname: "a", From: tomorrow, To: today})
			return err
		}},
		"half the nights":  {wire.ReasonInput, func() error { _, err := w.client.AllRooms(ctx, ohip.RoomQuery{From: today}); return err }},
		"no nights":        {wire.ReasonInput, func() error { _, err := w.client.AllRooms(ctx, ohip.RoomQuery{From: today, To: today}); return err }},
		"no keys":          {wire.ReasonInput, keys(with(func(o *ohip.KeyOrder) { o.Count = 0 }))},
		"too many keys":    {wire.ReasonInput, keys(with(func(o *ohip.KeyOrder) { o.Count = 9 }))},
		"keys for no time": {wire.ReasonInput, keys(with(func(o *ohip.KeyOrder) { o.To = o.From }))},
		"a wrong encoder":  {wire.ReasonInput, keys(with(func(o *ohip.KeyOrder) { o.Encoder = long }))},
	} {
		if e := twintest.ErrorOf(t, c.call()); e.Fate != wire.NotSent || e.Reason != c.reason {
			t.Errorf("%s: want %s, got %v", what, c.reason, e)
		}
	}
	if b := w.twin.ReadBooks(); b.Requests != 0 || b.Tokens != 0 {
		t.Errorf("%d requests and %d token requests arrived", b.Requests, b.Tokens)
	}
}

func TestWhatIsSent(t *testing.T) {
	var got *http.Request
	var body string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		all, _ := io.ReadAll(r.Body)
		if strings.HasPrefix(r.URL.Path, "/v9/oauth") {
			user, secret, _ := r.BasicAuth()
			if user != ohip.SandboxClientID || secret != testSecret || r.Header.Get("enterpriseId") != "ENT1" ||
				string(all) != "grant_type=client_credentials&scope=urn%3Aopc%3Ahgbu%3Aws%3A__myscopes__" {
				t.Errorf("token: %v %s", r.Header, all)
			}
			_, _ = io.WriteString(w, `{"access_token":"T1"}`)
			return
		}
		got, body = r.Clone(context.Background()), string(all)
		w.WriteHeader(201)
		_, _ = io.WriteString(w, `{}`)
	}))
	defer server.Close()
	cfg := testConfig(server.URL + "/v9/")
	cfg.EnterpriseID = "ENT1"
	c, err := ohip.New(cfg)
	fine(t, err)
	defer c.Close()
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	fine(t, c.CheckIn(call.WithTrace(twintest.Within(t, 900*time.Millisecond), parent, "a=b"), "12/3", "203"))
	left := got.Header.Get("X-Request-Timeout-Ms")
	if got.Method != "POST" || got.URL.EscapedPath() != "/v9/fof/v1/hotels/LAKE1/reservations/12%2F3/checkIns" ||
		body != `{"reservation":{"roomId":"203","ignoreWarnings":false},"fetchReservationInstruction":["ReservationDetail"]}` ||
		got.Header.Get("Authorization") != "Bearer T1" || got.Header.Get("x-app-key") != ohip.SandboxAppKey ||
		got.Header.Get("x-hotelid") != "LAKE1" || got.Header.Get("Content-Type") != "application/json;charset=UTF-8" || len(left) != 3 ||
		got.Header.Get("Traceparent") != parent || got.Header.Get("Tracestate") != "a=b" {
		t.Errorf("%s %s %v %s", got.Method, got.URL, got.Header, body)
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	good := testConfig("https://opera.example/api")
	c, err := ohip.New(good)
	fine(t, err)
	c.Close()
	for want, change := range map[string]func(*ohip.Config){
		"base_url":      func(c *ohip.Config) { c.GatewayURL = "opera.example" },
		"hotel_id":      func(c *ohip.Config) { c.HotelID = strings.Repeat("H", 21) },
		"app_key":       func(c *ohip.Config) { c.AppKey = strings.ToUpper(ohip.SandboxAppKey) },
		"client_id":     func(c *ohip.Config) { c.ClientID = "a:b" },
		"client_secret": func(c *ohip.Config) { c.ClientSecret = "very secret" },
		"enterprise_id": func(c *ohip.Config) { c.EnterpriseID = "ent" },
		"username":      func(c *ohip.Config) { c.Password = "very secret" },
		"token_timeout": func(c *ohip.Config) { c.TokenTimeout = -1 },
		"codes":         func(c *ohip.Config) { c.Codes = map[string]ohip.Refusal{"FOF1": "perhaps"} },
		"max_conns":     func(c *ohip.Config) { c.MaxConns = -1 },
		"max_body":      func(c *ohip.Config) { c.MaxBody = 1 },
	} {
		cfg := good
		change(&cfg)
		if _, err := ohip.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		} else if strings.Contains(err.Error(), "very") {
			t.Errorf("%s: the error shows a secret: %v", want, err)
		}
	}
}
