package checkin

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/journey"
)

var zone = time.FixedZone("Asia/Shanghai", 8*60*60)

// theHotel is a hotel with the settings of defaults, changed.
func theHotel(change func(s *Settings)) *gateway.Venue {
	s, err := readSettings(func(into any) error {
		into.(*Settings).Kiosks = []string{"lobby-1"}
		return nil
	})
	if err != nil {
		panic(err)
	}
	if change != nil {
		change(s.(*Settings))
	}
	return &gateway.Venue{ID: "lakeside", Kind: Kind, Tenant: "hangzhou", Location: zone, Settings: s}
}

// party is one guest at a kiosk of v.
func party(v *gateway.Venue, at time.Time) Arrival {
	d := Document{Type: residentID, Number: "990000199001010018", Name: "样例甲乙", LatinName: "YANGLI JIAYI", Nationality: "CHN", BirthDate: "1990-01-01", Sex: "M"}
	return Arrival{Journey: "j1", Hotel: v.ID, Kiosk: "lobby-1", At: at, Day: dayOf(v, at), Confirmation: "1001", venue: v,
		Guests: []Guest{{Hash: []byte{1}, Document: d}}}
}

func word(err error) string {
	if h, ok := errors.AsType[journey.Handover](err); ok {
		return "a person: " + h.Kind
	}
	if e, ok := errors.AsType[*gateway.Error](err); ok {
		return e.Problem.Type
	}
	return fmt.Sprint(err)
}

func TestPickABooking(t *testing.T) {
	noon := time.Date(2026, 6, 10, 12, 0, 0, 0, zone)
	night := time.Date(2026, 6, 11, 2, 30, 0, 0, zone) // still the evening of the 10th
	me := []Booked{{Name: "YANGLI JIAYI", Other: "样例甲乙"}}
	booking := func(change func(b *Booking)) Booking {
		b := Booking{ID: "b1", Hotel: true, State: stateDue, Arrival: "2026-06-10", Leaves: "2026-06-12", People: 1, RoomType: "STD", Guests: me}
		if change != nil {
			change(&b)
		}
		return b
	}
	state := func(s State) Booking { return booking(func(b *Booking) { b.State = s }) }
	days := func(from, to string) Booking { return booking(func(b *Booking) { b.Arrival, b.Leaves = from, to }) }
	named := func(name string) Booking { return booking(func(b *Booking) { b.Guests = []Booked{{Name: name}} }) }
	for _, x := range []struct {
		name  string
		at    time.Time
		found []Booking
		want  string // with a number
		doc   string // by document; "": the same
	}{
		{"today's", noon, []Booking{booking(nil)}, "b1", ""},
		{"none", noon, nil, "booking-unknown", "a person: no-booking"},
		{"tomorrow's", noon, []Booking{days("2026-06-11", "2026-06-12")}, "booking-wrong-day", ""},
		{"today's, after midnight", night, []Booking{booking(nil)}, "b1", ""},
		{"tomorrow's, after midnight", night, []Booking{days("2026-06-11", "2026-06-12")}, "b1", ""},
		{"yesterday's", noon, []Booking{days("2026-06-09", "2026-06-12")}, "a person: no-show", ""},
		{"last week's", noon, []Booking{days("2026-06-01", "2026-06-03")}, "booking-past", ""},
		{"one that ends today", noon, []Booking{days("2026-06-09", "2026-06-10")}, "booking-past", ""},
		{"cancelled", noon, []Booking{state(stateCancelled)}, "booking-cancelled", ""},
		{"over", noon, []Booking{state(stateLeft)}, "stay-over", ""},
		{"in house", noon, []Booking{state(stateInHouse)}, "b1", ""},
		{"a no-show", noon, []Booking{state(stateNoShow)}, "a person: no-show", ""},
		{"waitlisted", noon, []Booking{state(stateOther)}, "a person: booking-unclear", ""},
		{"another hotel's", noon, []Booking{booking(func(b *Booking) { b.Hotel = false })}, "booking-wrong-hotel", ""},
		{"somebody else's", noon, []Booking{named("MEIER ANNA")}, "booking-unknown", "a person: no-booking"},
		{"in another order", noon, []Booking{named("Jiayi Yangli")}, "b1", ""},
		{"in one word, another case", noon, []Booking{named("yangli jia-yi")}, "b1", ""},
		{"in characters with a dot", noon, []Booking{named("样例·甲乙")}, "b1", ""},
		{"a slip of a letter", noon, []Booking{named("YANGLI JIAYII")}, "a person: name-mismatch", "a person: no-booking"},
		{"the name, another birthday", noon, []Booking{booking(func(b *Booking) { b.Guests = []Booked{{Name: "YANGLI JIAYI", Birthday: "1970-05-05"}} })}, "a person: name-mismatch", "a person: no-booking"},
		{"another name, the number", noon, []Booking{booking(func(b *Booking) { b.Guests = []Booked{{Name: "MEIER", Number: "990000199001010018"}} })}, "b1", ""},
		{"two rooms for today", noon, []Booking{booking(nil), booking(func(b *Booking) { b.ID = "b2" })}, "booking-ambiguous", ""},
		{"one in house, one due", noon, []Booking{state(stateInHouse), booking(func(b *Booking) { b.ID = "b2" })}, "b2", ""},
		{"one cancelled, one due", noon, []Booking{state(stateCancelled), booking(func(b *Booking) { b.ID = "b2" })}, "b2", ""},
	} {
		a := party(theHotel(nil), x.at)
		for _, byDocument := range []bool{false, true} {
			want := x.want
			if byDocument {
				a.Confirmation = ""
				want = orElse(x.doc, want)
			}
			b, err := pick(a, x.found)
			got := b.ID
			if err != nil {
				got = word(err)
			}
			if got != want {
				t.Errorf("%s, by document %t: %s, want %s", x.name, byDocument, got, want)
			}
		}
	}
}

func TestBelieveFaces(t *testing.T) {
	good := Verified{Score: 0.9, Live: true, Valid: true, Adult: true}
	with := func(change func(v *Verified)) []Verified {
		v := good
		change(&v)
		return []Verified{v}
	}
	for _, x := range []struct {
		name    string
		seen    []Verified
		err     error
		vouched bool
		want    string
	}{
		{"good", []Verified{good}, nil, false, "<nil>"},
		{"just enough", with(func(v *Verified) { v.Score = 0.8 }), nil, false, "<nil>"},
		{"too little", with(func(v *Verified) { v.Score = 0.7999 }), nil, false, "a person: identity-mismatch"},
		{"not alive", with(func(v *Verified) { v.Live = false }), nil, false, "a person: identity-mismatch"},
		{"not valid", with(func(v *Verified) { v.Valid = false }), nil, false, "a person: identity-mismatch"},
		{"expired, says the issuer", with(func(v *Verified) { v.Valid, v.Expired = false, true }), nil, false, "a person: document-expired"},
		{"a minor, says the issuer", with(func(v *Verified) { v.Adult = false }), nil, false, "a person: minor"},
		{"no answer", nil, call.ErrBreakerOpen, false, "a person: identity-unreachable"},
		{"half an answer", []Verified{}, nil, false, "a person: identity-unreachable"},
		{"two faces", []Verified{{Refused: severalFaces}}, nil, false, "face-unreadable"},
		{"no face", []Verified{{Refused: faceUnreadable}}, nil, false, "face-unreadable"},
		{"no such number", []Verified{{Refused: numberInvalid}}, nil, false, "document-invalid"},
		{"a portrait that nobody can read", []Verified{{Refused: documentUnclear}}, nil, false, "a person: identity-mismatch"},
		{"seen by staff, no answer", nil, call.ErrBreakerOpen, true, "<nil>"},
		{"seen by staff, a mismatch", with(func(v *Verified) { v.Score = 0 }), nil, true, "<nil>"},
	} {
		f := facing{Arrival: party(theHotel(nil), time.Now().In(zone)), seen: journey.Result[[]Verified]{Value: x.seen, Err: x.err}}
		f.Guests[0].Vouched = x.vouched
		if got := word(believeFaces(f)); got != x.want {
			t.Errorf("%s: %s, want %s", x.name, got, x.want)
		}
	}
}

// TestOffersAreReadyFreeAndOfTheKind: whatever the wishes, no room is offered that a front desk could not give; and wishes
// only change the order.
func TestOffersAreReadyFreeAndOfTheKind(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 12).Draw(t, "rooms")
		rooms := make([]Room, n)
		for i := range rooms {
			rooms[i] = Room{ID: fmt.Sprint("r", i), Number: fmt.Sprintf("%d%02d", 1+i/4, i), Type: rapid.SampledFrom([]string{"STD", "DLX"}).Draw(t, "type"),
				Floor: fmt.Sprint(1 + i/4), Ready: rapid.Bool().Draw(t, "ready"), Free: rapid.Bool().Draw(t, "free")}
			if rapid.Bool().Draw(t, "for") {
				rooms[i].For = []string{rapid.SampledFrom([]string{"b1", "b2"}).Draw(t, "whose")}
			}
		}
		v := theHotel(func(s *Settings) {
			s.Preassigned = rapid.SampledFrom([]string{keepRoom, moveRoom}).Draw(t, "preassigned")
		})
		a := party(v, time.Now().In(zone))
		b := Booking{ID: "b1", RoomType: rapid.SampledFrom([]string{"", "STD", "DLX"}).Draw(t, "kind")}
		if n > 0 && rapid.Bool().Draw(t, "holds") {
			b.Room = rooms[rapid.IntRange(0, n-1).Draw(t, "which")].ID
		}
		plain, err := offered(a, b, rooms)
		if err != nil && word(err) != "a person: room-not-ready" || err == nil && len(plain) == 0 {
			t.Fatalf("%v with %d rooms", err, len(plain))
		}
		a.Wishes = Wishes{Floor: rapid.SampledFrom([]string{"", "1", "2", "9"}).Draw(t, "floor"), Near: rapid.SampledFrom([]string{"", "101", "205", "x"}).Draw(t, "near")}
		wished, wishedErr := offered(a, b, rooms)
		if (err == nil) != (wishedErr == nil) || len(plain) != len(wished) {
			t.Fatalf("a wish stands in the way: %d rooms without it, %d with it", len(plain), len(wished))
		}
		for _, r := range wished {
			mine := slices.Contains(r.For, b.ID)
			if !r.Ready || !r.Free && !mine || b.RoomType != "" && r.Type != b.RoomType && r.ID != b.Room {
				t.Fatalf("offered %+v for %+v", r, b)
			}
			if b.Room != "" && v.Settings.(*Settings).Preassigned == keepRoom && r.ID != b.Room {
				t.Fatalf("another room than the one that is held: %+v", r)
			}
		}
		for _, r := range plain {
			if !slices.ContainsFunc(wished, func(w Room) bool { return w.ID == r.ID }) {
				t.Fatalf("the wish has lost room %s", r.ID)
			}
		}
	})
}

func TestNights(t *testing.T) {
	for _, x := range []struct{ day, arrival, leaves, want string }{
		{"2026-06-10", "2026-06-10", "2026-06-11", "[2026-06-10]"}, {"2026-06-10", "2026-06-10", "2026-06-13", "[2026-06-10 2026-06-11 2026-06-12]"},
		{"2026-02-27", "2026-02-27", "2026-03-02", "[2026-02-27 2026-02-28 2026-03-01]"}, {"2026-06-10", "2026-06-11", "2026-06-12", "[2026-06-11]"},
		{"2026-06-10", "2026-06-08", "2026-06-11", "[2026-06-10]"}, {"2026-06-10", "2026-06-08", "2026-06-10", "[]"}, {"never", "2026-06-10", "2026-06-11", "[]"},
	} {
		if got := fmt.Sprint(nightsOf(Booking{Arrival: x.arrival, Leaves: x.leaves}, x.day)); got != x.want {
			t.Errorf("%+v: %s", x, got)
		}
	}
}

func TestSettings(t *testing.T) {
	for field, change := range map[string]func(s *Settings){
		"kiosks": func(s *Settings) { s.Kiosks = nil }, "kiosks[0]": func(s *Settings) { s.Kiosks = []string{"a b"} },
		"kiosks[1]": func(s *Settings) { s.Kiosks = []string{"a", "a"} }, "encoders.x": func(s *Settings) { s.Encoders = map[string]string{"x": "E"} },
		"keys": func(s *Settings) { s.Keys = "magic" }, "night_ends": func(s *Settings) { s.NightEnds = 13 * time.Hour },
		"check_out_at": func(s *Settings) { s.CheckOutAt = 0 }, "face": func(s *Settings) { s.Face = 1.1 },
		"registration_due": func(s *Settings) { s.RegistrationDue = 0 }, "preassigned": func(s *Settings) { s.Preassigned = "" },
		"passports": func(s *Settings) { s.Passports = "" }, "max_guests": func(s *Settings) { s.MaxGuests = 7 },
	} {
		_, err := readSettings(func(into any) error {
			into.(*Settings).Kiosks = []string{"lobby-1"}
			change(into.(*Settings))
			return nil
		})
		if e, ok := errors.AsType[*gateway.FieldError](err); !ok || e.Path != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}
