package checkin_test

import (
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/apaleo"
	"github.com/warmgate/warmgate/backends/identity"
	"github.com/warmgate/warmgate/backends/ohip"
	"github.com/warmgate/warmgate/flows/checkin/checkintest"
	"github.com/warmgate/warmgate/flows/flowtest"
)

// problem is what a client reads of a refusal.
type problem struct {
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Field  string `json:"field"`
}

// said is a kiosk's call in a language.
func said(c *checkintest.Town, body m, lang string) flowtest.Answer {
	return c.Do(flowtest.Call{Method: http.MethodPost, Path: "/v1/hotels/" + hotel + "/check-ins", Token: c.Token("kiosk", "hotel:check-in"), Body: body,
		Header: map[string]string{"Accept-Language": lang}})
}

// TestEveryRefusalOfABooking holds each refusal against its problem, its status and its sentence in both languages, at both
// hotel systems; none of them leaves anything behind.
func TestEveryRefusalOfABooking(t *testing.T) {
	t.Parallel()
	for _, pms := range []string{checkintest.OHIP, checkintest.Apaleo} {
		c := start(t, pms)
		word := func(o ohip.Scenario, a apaleo.Scenario) string {
			if pms == checkintest.OHIP {
				return string(o)
			}
			return string(a)
		}
		mine := c.Person(hotel, identity.Want{})
		for _, x := range []struct {
			name, scenario string
			change         func(b *checkintest.Booked)
			status         int
			problem, field string
			en, zh         string
			detail         string
		}{
			{"tomorrow's", word(ohip.Tomorrow, apaleo.Tomorrow), nil, 422, "booking-wrong-day", "booking", "This booking is for another day", "这个预订不是今天的", `^It begins on \d{4}-\d\d-\d\d\.$`},
			{"cancelled", word(ohip.CancelledR, apaleo.Canceled), nil, 409, "booking-cancelled", "booking", "This booking was cancelled", "这个预订已取消", `^$`},
			{"over", word(ohip.HasLeft, apaleo.CheckedOut), nil, 409, "stay-over", "booking", "This stay is over", "这次住宿已经结束", `^$`},
			{"in house", word(ohip.StaysOn, apaleo.InHouse), nil, 409, "already-checked-in", "booking", "This booking was checked in at the front desk", "这个预订已在前台办理入住", `^$`},
			{"somebody else's", "", func(b *checkintest.Booked) { b.People = []identity.Made{mine} }, 404, "booking-unknown", "booking.confirmation", "We cannot find this booking; please check the number and the document", "没有找到这个预订，请核对确认号和证件", `^$`},
			{"unknown", "", func(b *checkintest.Booked) { b.Confirmation = "NOBODY99" }, 404, "booking-unknown", "booking.confirmation", "We cannot find this booking; please check the number and the document", "没有找到这个预订，请核对确认号和证件", `^$`},
		} {
			t.Run(pms+" "+x.name, func(t *testing.T) {
				b := c.Book(hotel, x.scenario)
				before := c.Truth(b)
				if x.change != nil {
					x.change(&b)
				}
				for lang, title := range map[string]string{"en": x.en, "zh-CN": x.zh} {
					a := said(c, b.Arrival("lobby-1"), lang)
					var p problem
					a.Into(t, &p)
					if a.Status != x.status || a.Problem() != x.problem || p.Field != x.field || p.Title != title {
						t.Errorf("%d %s", a.Status, a.Text)
					}
					if lang == "en" && !regexp.MustCompile(x.detail).MatchString(p.Detail) {
						t.Errorf("detail %q", p.Detail)
					}
				}
				if after := c.Truth(b); after.CheckIns != before.CheckIns || after.Room != before.Room || after.InHouse != before.InHouse {
					t.Errorf("the hotel had %+v and has %+v", before, after)
				}
				if n := c.Number(`SELECT count(*) FROM stays`); n != 0 {
					t.Errorf("%d stays are left behind", n)
				}
			})
		}
	}
}

// TestWhatAFrontDeskWouldLookAt: a person is called and nothing is done.
func TestWhatAFrontDeskWouldLookAt(t *testing.T) {
	t.Parallel()
	c := start(t, "")
	for _, x := range []struct {
		name     string
		want     identity.Want
		scenario ohip.Scenario
		change   func(m)
		kind     string
	}{
		{"another's face", identity.Want{Face: identity.Other}, "", nil, "identity-mismatch"},
		{"a printed face", identity.Want{Face: identity.Printed}, "", nil, "identity-mismatch"},
		{"liveness unsure", identity.Want{Face: identity.Unclear}, "", nil, "identity-mismatch"},
		{"a minor", identity.Want{Scenario: identity.Minor}, "", nil, "minor"},
		{"a child", identity.Want{Scenario: identity.YoungChild}, "", nil, "minor"},
		{"past its date", identity.Want{Scenario: identity.OldCard}, "", nil, "document-expired"},
		{"a foreign passport", identity.Want{Scenario: identity.ForeignPassport}, "", nil, "foreign-passport"},
		{"a no-show", identity.Want{}, ohip.MarkedGone, nil, "booking-past"},
		{"a no-show that stays on", identity.Want{}, ohip.Yesterday, nil, "booking-past"},
		{"a middle dot", identity.Want{Scenario: identity.MiddleDot}, "", nil, ""},
		{"somebody of Hong Kong", identity.Want{Scenario: identity.HongKong}, "", nil, ""},
		{"nobody's booking", identity.Want{}, "", func(body m) {
			delete(body, "booking")
			body["guests"] = []any{checkintest.Guest(c.Person(hotel, identity.Want{}))}
		}, "no-booking"},
		{"more guests than booked", identity.Want{}, "", func(body m) {
			body["guests"] = append(body["guests"].([]any), checkintest.Guest(c.Person(hotel, identity.Want{})))
		}, "extra-guest"},
		{"asks for a person", identity.Want{}, "", func(body m) { body["assist"] = "requested" }, "requested"},
	} {
		t.Run(x.name, func(t *testing.T) {
			b := c.Book(hotel, string(x.scenario), c.Person(hotel, x.want))
			body := b.Arrival("lobby-1")
			if x.change != nil {
				x.change(body)
			}
			a := c.CheckIn(hotel, body)
			want := "a person: " + x.kind
			switch x.kind {
			case "":
				want = "checked-in"
			case "booking-past":
				want = "422 booking-past"
			}
			if got := checkintest.Outcome(t, a); got != want {
				t.Fatalf("%s, want %s: %s", got, want, a.Text)
			}
			if x.kind != "" {
				if got := c.Truth(b); got.InHouse || got.Room != "" || got.CheckIns > 0 || len(got.Police) > 0 {
					t.Errorf("the systems have %+v", got)
				}
			}
		})
	}
}

// TestAskingForAPersonCallsNobodyElse: nothing else is needed, and no system is asked.
func TestAskingForAPersonCallsNobodyElse(t *testing.T) {
	t.Parallel()
	c := start(t, "")
	a := c.CheckIn(hotel, m{"kiosk": "lobby-1", "assist": "requested"})
	if got := checkintest.Outcome(t, a); got != "a person: requested" {
		t.Fatalf("%s %s", got, a.Text)
	}
	if n := c.OHIP[hotel].ReadBooks().Requests + c.Police[hotel].ReadBooks().Requests; n != 0 || c.Identity[hotel].ReadBooks().Requests != 0 {
		t.Errorf("%d requests to the hotel and the police", n)
	}
	open := c.Waiting()
	if len(open) != 1 || open[0].Kind != "requested" || len(open[0].Done) > 0 || open[0].Next == "" {
		t.Errorf("assists %+v", open)
	}
}

// TestRoomIsNotReady: whoever comes before a room is clean is told by a person; when one is clean they go on.
func TestRoomIsNotReady(t *testing.T) {
	t.Parallel()
	c := start(t, "")
	if err := c.OHIP[hotel].Housekeep("*", ohip.Dirty); err != nil {
		t.Fatal(err)
	}
	b, held := c.Book(hotel, ""), c.Book(hotel, "")
	if got := checkintest.Outcome(t, c.CheckIn(hotel, b.Arrival("lobby-1"))); got != "a person: room-not-ready" {
		t.Fatal(got)
	}
	untouched(t, c, b)
	if err := c.OHIP[hotel].Housekeep("205", ohip.Clean); err != nil {
		t.Fatal(err)
	}
	if a := c.Resolve("room-not-ready", "continue", nil); a.Status != http.StatusCreated {
		t.Errorf("continue: %d %s", a.Status, a.Text)
	}
	var got checkedIn
	c.Eventually("the clean room is known", func() bool { // the list of rooms may be some seconds old
		a := c.CheckIn(hotel, b.Arrival("lobby-1"))
		if a.Status == http.StatusCreated {
			a.Into(t, &got)
		}
		return a.Status == http.StatusCreated
	})
	if got.Room.Number != "205" {
		t.Errorf("room %+v", got)
	}
	complete(t, c, b)
	if got := checkintest.Outcome(t, c.CheckIn(hotel, held.Arrival("lobby-1"))); got != "a person: room-not-ready" && got != "a person: no-room" {
		t.Errorf("the next one: %s", got)
	}
}

// TestPreassigned: a booking that holds a room gets that one.
func TestPreassigned(t *testing.T) {
	t.Parallel()
	c := start(t, "")
	b := c.Book(hotel, string(ohip.Assigned))
	room := c.Truth(b).Room
	if got := in(t, c.CheckIn(hotel, b.Arrival("lobby-1"))); room == "" || got.Room.Number != room {
		t.Errorf("room %s was held, %s is given", room, got.Room.Number)
	}
	complete(t, c, b)
	dirty := c.Book(hotel, string(ohip.Assigned))
	room = c.Truth(dirty).Room
	if err := c.OHIP[hotel].Housekeep(room, ohip.Dirty); err != nil {
		t.Fatal(err)
	}
	c.Eventually("the room is known to be dirty", func() bool {
		a := c.CheckIn(hotel, dirty.Arrival("lobby-1"))
		return checkintest.Outcome(t, a) == "a person: room-not-ready" || a.Took > time.Minute
	})
	if x := c.Truth(dirty); x.InHouse || x.Room != room {
		t.Errorf("the hotel has %+v", x)
	}
}

// TestFaceThreshold: the venue says how alike face and document have to be.
func TestFaceThreshold(t *testing.T) {
	t.Parallel()
	c := checkintest.Start(t, nil, checkintest.Hotel{ID: hotel, Settings: "  face: 0.9\n"}, checkintest.Hotel{ID: "lenient", Settings: "  face: 0.65\n"})
	for at, want := range map[string]string{hotel: "a person: identity-mismatch", "lenient": "checked-in"} {
		b := c.Book(at, "", c.Person(at, identity.Want{Face: identity.Doubtful}))
		if got := checkintest.Outcome(t, c.CheckIn(at, b.Arrival("lobby-1"))); got != want {
			t.Errorf("%s: %s, want %s", at, got, want)
		}
	}
}
