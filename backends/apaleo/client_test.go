package apaleo_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/apaleo"
	"github.com/warmgate/warmgate/backends/twin/twintest"
	"github.com/warmgate/warmgate/backends/wire"
	"github.com/warmgate/warmgate/gateway/call"
)

func TestMain(m *testing.M) { twintest.Main(m) }

const testSecret = "test-secret-9f3c"

// noon is a moment in the middle of a day at the twins' place.
var noon = time.Date(2026, 5, 2, 13, 0, 0, 0, twintest.Shanghai())

// world is a city with one hotel, and a client of it.
type world struct {
	twintest.Site
	twin   *apaleo.Twin
	client *apaleo.Client
}

func newWorld(t testing.TB, change func(*apaleo.Config)) world {
	t.Helper()
	hotel, err := apaleo.NewTwin(apaleo.TwinConfig{Property: "LAKE", ClientID: "WARM-GATE", ClientSecret: testSecret, Seed: 7,
		Clock: func() time.Time { return noon }, Location: twintest.Shanghai(), Floors: 3, PerFloor: 8})
	if err != nil {
		t.Fatal(err)
	}
	site := twintest.Open(t, "apaleo", "lake", hotel)
	cfg := apaleo.Config{BaseURL: site.URL, ClientID: "WARM-GATE", ClientSecret: testSecret, Property: "LAKE",
		TokenTimeout: 500 * time.Millisecond}
	if change != nil {
		change(&cfg)
	}
	client, err := apaleo.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return world{site, hotel, client}
}

func soon(t testing.TB) context.Context { return twintest.Within(t, 5*time.Second) }

func (w world) issue(t testing.TB, want apaleo.Want) apaleo.Made {
	t.Helper()
	made, err := w.twin.Issue(want)
	if err != nil {
		t.Fatal(err)
	}
	return made[0]
}

func (w world) read(t testing.TB, id string) *apaleo.Reservation {
	t.Helper()
	r, err := w.client.Reservation(soon(t), id)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// free returns the units that a reservation can be given.
func (w world) free(t testing.TB, id string) []apaleo.Unit {
	t.Helper()
	units, err := w.client.UnitsFor(soon(t), id)
	if err != nil || len(units) == 0 {
		t.Fatalf("UnitsFor = %+v, %v", units, err)
	}
	return units
}

func isRefused(t testing.TB, err error, code string) {
	t.Helper()
	if e := twintest.ErrorOf(t, err); e.Fate != wire.Refused || e.Reason != wire.ReasonRefused || e.Code != code {
		t.Errorf("want it refused with %s, got %v", code, e)
	}
}

func TestAGuestComesAndGoes(t *testing.T) {
	w := newWorld(t, nil)
	ctx := soon(t)
	made := w.issue(t, apaleo.Want{Scenario: apaleo.Family, ExternalCode: "812864414|369"})
	for _, number := range []string{made.Reservation, made.Booking, strings.ToLower(made.Booking), "812864414", "812864414|369"} {
		found, err := w.client.ByNumber(ctx, number)
		if err != nil || len(found) != 1 || found[0].ID != made.Reservation || found[0].Status != apaleo.StatusConfirmed {
			t.Fatalf("ByNumber(%q) = %+v, %v", number, found, err)
		}
	}
	r := w.read(t, made.Reservation)
	if r.Property != "LAKE" || r.Unit != "" || r.UnitGroup != "LAKE-FAM" || r.Adults != 2 || len(r.ChildrenAges) != 1 ||
		len(r.Guests) != 3 || r.Guests[0].LastName != made.Guests[0].LastName ||
		r.Guests[2].DocumentNumber != made.Guests[2].DocumentNumber || !r.Arrival.Equal(made.Arrival) ||
		r.Why(apaleo.ActionCheckIn) != apaleo.CodeCheckInNoUnit {
		t.Fatalf("Reservation = %+v", r)
	}
	unit := w.free(t, made.Reservation)[0]
	if unit.Condition != apaleo.Clean || unit.Occupied || unit.Group != "LAKE-FAM" || unit.MaxPersons != 4 || len(unit.Attributes) != 1 {
		t.Fatalf("UnitsFor = %+v", unit)
	}
	if err := w.client.AssignUnit(ctx, r.ID, unit.ID); err != nil {
		t.Fatal(err)
	}
	if r = w.read(t, r.ID); r.Unit != unit.ID || r.UnitName != unit.Name || r.Why(apaleo.ActionCheckIn) != "" {
		t.Fatalf("after AssignUnit: %+v", r)
	}
	if err := w.client.CheckIn(ctx, r.ID); err != nil {
		t.Fatal(err)
	}
	if r = w.read(t, r.ID); r.Status != apaleo.StatusInHouse || !r.CheckedIn.Equal(noon) {
		t.Fatalf("after CheckIn: %+v", r)
	}
	units, err := w.client.Units(ctx)
	if err != nil || len(units) != 24 {
		t.Fatalf("Units = %d, %v", len(units), err)
	}
	for _, u := range units {
		if u.Occupied != (u.ID == unit.ID) {
			t.Errorf("%+v", u)
		}
	}
	if err := w.client.CheckOut(ctx, r.ID); err != nil {
		isRefused(t, err, apaleo.CodeCheckOutEarly) // two nights: the day after tomorrow
	} else {
		t.Error("a guest who stays on was checked out")
	}
}

func TestACheckInIsTakenBack(t *testing.T) {
	w := newWorld(t, nil)
	ctx := soon(t)
	made := w.issue(t, apaleo.Want{Scenario: apaleo.Assigned})
	for _, step := range []func(context.Context, string) error{w.client.CheckIn, w.client.RevertCheckIn, w.client.UnassignUnits,
		w.client.UnassignUnits} { // the last changes nothing
		if err := step(ctx, made.Reservation); err != nil {
			t.Fatal(err)
		}
	}
	r := w.read(t, made.Reservation)
	if r.Status != apaleo.StatusConfirmed || !r.CheckedIn.IsZero() || r.Unit != "" {
		t.Errorf("%+v", r)
	}
	s := w.twin.ReadBooks().Stays
	if len(s) != 1 || s[0].CheckIns != 1 || s[0].Reverts != 1 || s[0].Unassigned != 1 || s[0].Attempts != 4 || len(s[0].By) != 3 ||
		!slices.Equal(s[0].Into, []apaleo.Condition{apaleo.Clean}) {
		t.Errorf("books = %+v", s)
	}
}

func TestAGuestLeaves(t *testing.T) {
	w := newWorld(t, nil)
	made := w.issue(t, apaleo.Want{Scenario: apaleo.Departing})
	if err := w.client.CheckOut(soon(t), made.Reservation); err != nil {
		t.Fatal(err)
	}
	if r := w.read(t, made.Reservation); r.Status != apaleo.StatusCheckedOut || !r.CheckedOut.Equal(noon) {
		t.Errorf("after CheckOut: %+v", r)
	}
	units, err := w.client.Units(soon(t))
	i := slices.IndexFunc(units, func(u apaleo.Unit) bool { return u.ID == made.Unit })
	if err != nil || i < 0 || units[i].Condition != apaleo.Dirty || units[i].Occupied {
		t.Errorf("the room after its guest: %+v, %v", units, err)
	}
	isRefused(t, w.client.CheckOut(soon(t), made.Reservation), apaleo.CodeCheckOutStatus)
	isRefused(t, w.client.CheckIn(soon(t), made.Reservation), apaleo.CodeCheckInStatus)
}

func TestAGuestIsFoundAmongTheArrivals(t *testing.T) {
	w := newWorld(t, nil)
	midnight := time.Date(2026, 5, 2, 0, 0, 0, 0, twintest.Shanghai())
	none, err := w.client.Arrivals(soon(t), midnight, midnight.AddDate(0, 0, 1))
	if err != nil || none == nil || len(none) != 0 {
		t.Fatalf("no arrivals = %#v, %v", none, err)
	}
	guest := apaleo.MadeGuest{FirstName: "Grace", LastName: "Hopper", DocumentType: "PassportNumber", DocumentNumber: "X0000001"}
	made := w.issue(t, apaleo.Want{Guests: []apaleo.MadeGuest{guest}})
	for _, s := range []apaleo.Scenario{apaleo.Tomorrow, apaleo.Late, apaleo.Canceled, apaleo.OtherHotel, apaleo.Today} {
		w.issue(t, apaleo.Want{Scenario: s})
	}
	all, err := w.client.Arrivals(soon(t), midnight, midnight.AddDate(0, 0, 1))
	if err != nil || len(all) != 3 { // the canceled one among them: the guest is to be told
		t.Fatalf("Arrivals = %d, %v", len(all), err)
	}
	i := slices.IndexFunc(all, func(r apaleo.Reservation) bool { return r.Guests[0].DocumentNumber == "X0000001" })
	if i < 0 || all[i].ID != made.Reservation || all[i].Guests[0].LastName != "Hopper" {
		t.Errorf("Arrivals = %+v", all)
	}
	found, err := w.client.ByNumber(soon(t), "HOPPER") // a name is not a number, though the search finds it
	if err != nil || len(found) != 0 {
		t.Errorf("ByNumber of a name = %+v, %v", found, err)
	}
}

func TestWhatIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	ctx := soon(t)
	c := w.client
	of := func(s apaleo.Scenario) string { return w.issue(t, apaleo.Want{Scenario: s}).Reservation }
	inHouse, today := w.issue(t, apaleo.Want{Scenario: apaleo.InHouse, Adults: 2}), w.issue(t, apaleo.Want{Adults: 2})
	free := w.free(t, today.Reservation)[0].ID
	late := w.issue(t, apaleo.Want{Scenario: apaleo.Assigned, Adults: 2})
	for name, test := range map[string]struct {
		err  error
		code string
	}{
		"an unknown reservation":         {func() error { _, err := c.Reservation(ctx, "NOBODY-1"); return err }(), apaleo.CodeNotFound},
		"units for an unknown one":       {func() error { _, err := c.UnitsFor(ctx, "NOBODY-1"); return err }(), apaleo.CodeNotFound},
		"a unit that is occupied":        {c.AssignUnit(ctx, today.Reservation, inHouse.Unit), apaleo.CodeUnitTaken},
		"a unit that is promised":        {c.AssignUnit(ctx, today.Reservation, late.Unit), apaleo.CodeUnitTaken},
		"an unknown unit":                {c.AssignUnit(ctx, today.Reservation, "LAKE-000"), apaleo.CodeNotFound},
		"a unit for an unknown":          {c.AssignUnit(ctx, "NOBODY-1", free), apaleo.CodeNotFound},
		"a unit for a canceled stay":     {c.AssignUnit(ctx, of(apaleo.Canceled), free), apaleo.CodeAssignStatus},
		"a unit for a stay that is over": {c.AssignUnit(ctx, of(apaleo.Past), free), apaleo.CodeAssignPast},
		"another hotel's reservation":    {c.AssignUnit(ctx, of(apaleo.OtherHotel), free), apaleo.CodeNotFound},
		"check-in without a unit":        {c.CheckIn(ctx, today.Reservation), apaleo.CodeCheckInNoUnit},
		"check-in of tomorrow's":         {c.CheckIn(ctx, of(apaleo.Tomorrow)), apaleo.CodeCheckInEarly},
		"check-in of yesterday's":        {c.CheckIn(ctx, of(apaleo.Past)), apaleo.CodeCheckInLate},
		"check-in of a canceled stay":    {c.CheckIn(ctx, of(apaleo.Canceled)), apaleo.CodeCheckInStatus},
		"check-in of a no-show":          {c.CheckIn(ctx, of(apaleo.NoShow)), apaleo.CodeCheckInStatus},
		"check-in of somebody inside":    {c.CheckIn(ctx, inHouse.Reservation), apaleo.CodeCheckInStatus},
		"check-in of somebody who left":  {c.CheckIn(ctx, of(apaleo.CheckedOut)), apaleo.CodeCheckInStatus},
		"check-in of nobody":             {c.CheckIn(ctx, "NOBODY-1"), apaleo.CodeNotFound},
		"a revert without a check-in":    {c.RevertCheckIn(ctx, today.Reservation), apaleo.CodeRejected},
		"a revert for nobody":            {c.RevertCheckIn(ctx, "NOBODY-1"), apaleo.CodeNotFound},
		"a unit taken from a guest":      {c.UnassignUnits(ctx, inHouse.Reservation), apaleo.CodeUnassignStatus},
		"a unit taken from nobody":       {c.UnassignUnits(ctx, "NOBODY-1"), apaleo.CodeNotFound},
		"check-out before check-in":      {c.CheckOut(ctx, today.Reservation), apaleo.CodeCheckOutStatus},
		"check-out of a long stay":       {c.CheckOut(ctx, of(apaleo.Staying)), apaleo.CodeCheckOutEarly},
		"check-out of nobody":            {c.CheckOut(ctx, "NOBODY-1"), apaleo.CodeNotFound},
	} {
		t.Run(name, func(t *testing.T) { isRefused(t, test.err, test.code) })
	}
	for _, s := range w.twin.ReadBooks().Stays {
		if len(s.By) > 0 {
			t.Errorf("a refused request left something behind: %+v", s)
		}
	}
}

func TestAUnitUnderRepairIsTaken(t *testing.T) {
	w := newWorld(t, nil)
	made := w.twin.Fresh()
	unit := w.free(t, made.Reservation)[0]
	if _, err := w.twin.Make([]byte(`{"scenario":"unit","unit":"` + unit.Name + `","maintenance":"OutOfOrder","condition":"Dirty"}`)); err != nil {
		t.Fatal(err)
	}
	isRefused(t, w.client.AssignUnit(soon(t), made.Reservation, unit.ID), apaleo.CodeUnitTaken)
	units, err := w.client.Units(soon(t))
	i := slices.IndexFunc(units, func(u apaleo.Unit) bool { return u.ID == unit.ID })
	if err != nil || units[i].Maintenance != apaleo.OutOfOrder || units[i].Condition != apaleo.Dirty {
		t.Errorf("%+v, %v", units, err)
	}
	if _, err := w.twin.Make([]byte(`{"scenario":"housekeeping"}`)); err != nil {
		t.Fatal(err)
	}
	if err := w.client.AssignUnit(soon(t), made.Reservation, unit.ID); err != nil {
		t.Error(err)
	}
}

func TestNothingIsSent(t *testing.T) {
	w := newWorld(t, nil)
	w.read(t, w.twin.Fresh().Reservation) // the token is there
	before := w.twin.ReadBooks().Requests
	ctx := soon(t)
	gone, cancel := context.WithCancel(ctx)
	cancel()
	c := w.client
	long := strings.Repeat("x", 65)
	for name, test := range map[string]struct {
		err    error
		reason wire.Reason
	}{
		"no deadline":         {c.CheckIn(context.Background(), "A-1"), wire.ReasonNoTime},
		"no time":             {c.CheckIn(twintest.Within(t, time.Nanosecond), "A-1"), wire.ReasonNoTime},
		"cancelled":           {c.CheckIn(gone, "A-1"), wire.ReasonNoTime},
		"no id":               {c.CheckIn(ctx, ""), wire.ReasonInput},
		"a long id":           {c.CheckOut(ctx, long), wire.ReasonInput},
		"a path for an id":    {c.RevertCheckIn(ctx, "../units"), wire.ReasonInput},
		"a query in an id":    {c.UnassignUnits(ctx, "A-1?x=1"), wire.ReasonInput},
		"a path for a unit":   {c.AssignUnit(ctx, "A-1", "b/c"), wire.ReasonInput},
		"an id to read":       {func() error { _, err := c.Reservation(ctx, "A 1"); return err }(), wire.ReasonInput},
		"an id for its units": {func() error { _, err := c.UnitsFor(ctx, "Ä"); return err }(), wire.ReasonInput},
		"a short number":      {func() error { _, err := c.ByNumber(ctx, "abc"); return err }(), wire.ReasonInput},
		"a long number":       {func() error { _, err := c.ByNumber(ctx, long); return err }(), wire.ReasonInput},
		"a number with lines": {func() error { _, err := c.ByNumber(ctx, "ab\r\ncd"); return err }(), wire.ReasonInput},
		"no time to arrive":   {func() error { _, err := c.Arrivals(ctx, noon, noon); return err }(), wire.ReasonInput},
		"a quarter's":         {func() error { _, err := c.Arrivals(ctx, noon, noon.AddDate(0, 3, 0)); return err }(), wire.ReasonInput},
	} {
		if e := twintest.ErrorOf(t, test.err); e.Fate != wire.NotSent || e.Reason != test.reason {
			t.Errorf("%s: want %s, got %v", name, test.reason, e)
		}
	}
	if n := w.twin.ReadBooks().Requests; n != before {
		t.Errorf("%d requests arrived", n-before)
	}
}

func TestWhatIsSent(t *testing.T) {
	var got []*http.Request
	var bodies []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got, bodies = append(got, r.Clone(context.Background())), append(bodies, string(body))
		if strings.HasSuffix(r.URL.Path, "/connect/token") {
			_, _ = io.WriteString(w, `{"access_token":"T1","token_type":"Bearer","expires_in":3600,"scope":"x"}`)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	defer server.Close()
	c, err := apaleo.New(apaleo.Config{BaseURL: server.URL + "/api/", IdentityURL: server.URL + "/identity", ClientID: "AB-WARM",
		ClientSecret: "s3cret", Property: "LAKE"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	if err := c.CheckIn(call.WithTrace(twintest.Within(t, 900*time.Millisecond), parent, "a=b"), "XPGMSXGF-1"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Arrivals(soon(t), noon, noon.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 {
		t.Fatalf("%d requests", len(got))
	}
	id, secret, _ := got[0].BasicAuth()
	if got[0].Method != "POST" || got[0].URL.Path != "/identity/connect/token" || bodies[0] != "grant_type=client_credentials" ||
		got[0].Header.Get("Content-Type") != "application/x-www-form-urlencoded" || id != "AB-WARM" || secret != "s3cret" {
		t.Errorf("token: %s %s %v %s", got[0].Method, got[0].URL, got[0].Header, bodies[0])
	}
	left := got[1].Header.Get("X-Request-Timeout-Ms")
	if got[1].Method != "PUT" || got[1].RequestURI != "/api/booking/v1/reservation-actions/XPGMSXGF-1/checkin" || bodies[1] != "" ||
		got[1].Header.Get("Authorization") != "Bearer T1" || len(left) != 3 || left[0] < '5' ||
		got[1].Header.Get("Traceparent") != parent || got[1].Header.Get("Tracestate") != "a=b" {
		t.Errorf("check-in: %s %s %v %s", got[1].Method, got[1].URL, got[1].Header, bodies[1])
	}
	if q := got[2].URL.Query(); q.Get("from") != "2026-05-02T05:00:00Z" || q.Get("to") != "2026-05-02T06:00:00Z" ||
		q.Get("dateFilter") != "Arrival" || q.Get("propertyIds") != "LAKE" || len(q) != 4 {
		t.Errorf("arrivals: %s", got[2].URL)
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	good := apaleo.Config{BaseURL: "https://api.apaleo.example", ClientID: "c", ClientSecret: "s", Property: "MUC"}
	if c, err := apaleo.New(good); err != nil || c.Property() != "MUC" {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*apaleo.Config){
		"base_url":      func(c *apaleo.Config) { c.BaseURL = "api.apaleo.example" },
		"no user":       func(c *apaleo.Config) { c.BaseURL = "http://u:p@api.apaleo.example" },
		"identity_url":  func(c *apaleo.Config) { c.IdentityURL = "ftp://x" },
		"client_id":     func(c *apaleo.Config) { c.ClientID = "a:b" },
		"client_secret": func(c *apaleo.Config) { c.ClientSecret = "" },
		"property":      func(c *apaleo.Config) { c.Property = "MU" },
		"letters":       func(c *apaleo.Config) { c.Property = "MU-C" },
		"max_conns":     func(c *apaleo.Config) { c.MaxConns = -1 },
		"max_body":      func(c *apaleo.Config) { c.MaxBody = 1 },
		"idle":          func(c *apaleo.Config) { c.Idle = -1 },
		"token_timeout": func(c *apaleo.Config) { c.TokenTimeout = time.Hour },
	} {
		cfg := good
		change(&cfg)
		if _, err := apaleo.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		} else if strings.Contains(err.Error(), "u:p") {
			t.Errorf("%s: the error shows a secret: %v", want, err)
		}
	}
}
