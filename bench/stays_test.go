package main

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/identity"
	"github.com/warmgate/warmgate/backends/ohip"
	"github.com/warmgate/warmgate/backends/police"
	"github.com/warmgate/warmgate/flows/checkin/checkintest"
)

// madeUp is a hotel's books with one booking of two guests who are in house, all complete, and what they were told.
type madeUp struct {
	sight sight
	party *party
}

func newMadeUp() *madeUp {
	key := ohip.TwinKey{RoomID: "203"}
	m := &madeUp{party: &party{guests: guests{Booked: checkintest.Booked{Hotel: "h", ID: "1", People: make([]identity.Made, 2)}, persons: []string{"a", "b"}}}}
	m.sight.hotels = map[string]ohip.TwinBooks{"h": {Reservations: []ohip.TwinReservation{{ID: "1", Status: ohip.StatusInHouse, RoomID: "203",
		History: []ohip.TwinChange{{Op: "made", Status: ohip.StatusReserved}, {Op: "assign", Status: ohip.StatusReserved, RoomID: "203"},
			{Op: "check-in", Status: ohip.StatusInHouse, RoomID: "203"}, {Op: "issue-keys", Status: ohip.StatusInHouse, RoomID: "203"}},
		Keys: []ohip.TwinKey{key, key}}}}}
	m.sight.bureaus = map[string]police.Books{"h": {Registrations: []police.Booked{registered("a"), registered("b")}}}
	m.party.visits = []*visit{answered(http.StatusCreated, `{"journey":"j1","decision":"checked-in","room":{"number":"203"}}`)}
	return m
}

func registered(person string) police.Booked {
	return police.Booked{Registration: police.Registration{State: police.Registered}, Person: person}
}

func answered(status int, body string) *visit {
	return &visit{done: true, final: answer{status: status, body: []byte(body)}}
}

func (m *madeUp) stay() *ohip.TwinReservation { return &m.sight.hotels["h"].Reservations[0] }

func (m *madeUp) police(all ...police.Booked) {
	m.sight.bureaus["h"] = police.Books{Registrations: all}
}

// undone is as if nobody had ever come.
func (m *madeUp) undone() {
	*m.stay() = ohip.TwinReservation{ID: "1", Status: ohip.StatusReserved}
	m.police()
}

func (m *madeUp) handOver(kind string) {
	m.party.visits = []*visit{answered(http.StatusAccepted, `{"journey":"j1","decision":"wait","assist":{"kind":"`+kind+`"}}`)}
	m.sight.assists = []assistSeen{{ID: "a1", Journey: "j1", Kind: kind}}
}

// leave is as if they had left, all told.
func (m *madeUp) leave() {
	r := m.stay()
	r.Status = ohip.StatusCheckedOut
	r.History = append(r.History, ohip.TwinChange{Op: "check-out", Status: ohip.StatusCheckedOut, RoomID: "203"})
	for i := range r.Keys {
		r.Keys[i].Off = time.Unix(1, 0)
	}
	gone := func(p string) police.Booked {
		b := registered(p)
		b.State = police.Departed
		return b
	}
	m.police(gone("a"), gone("b"))
	v := answered(http.StatusCreated, `{"journey":"j2","decision":"checked-out"}`)
	v.leaving = true
	m.party.visits = append(m.party.visits, v)
}

// TestCheckerSeesEveryForbiddenState makes the books up, right ones and wrong ones: each mistake is found, under its name,
// and nothing is found where nothing is wrong.
func TestCheckerSeesEveryForbiddenState(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(m *madeUp)
		want []int
	}{
		{"complete", func(*madeUp) {}, nil},
		{"left", func(m *madeUp) { m.leave() }, nil},
		{"with a person, nothing done", func(m *madeUp) { m.undone(); m.handOver("hotel-unreachable") }, nil},
		{"with a person, the room held", func(m *madeUp) { m.undone(); m.handOver("check-in-unclear"); m.stay().RoomID = "203" }, nil},
		{"in house, the key a person's", func(m *madeUp) { m.handOver("key"); m.stay().Keys = nil }, nil},
		{"in house, a registration a person's", func(m *madeUp) {
			m.police(registered("a"))
			m.sight.assists = []assistSeen{{Journey: "j1", Kind: "registration-late"}}
		}, nil},
		{"refused, and a person has it whom no kiosk was told of", func(m *madeUp) {
			m.party.visits[0].final.status = http.StatusConflict
			m.stay().Keys = nil
			m.sight.assists, m.sight.facts = []assistSeen{{ID: "a1", Journey: "j9", Kind: "check-in-interrupted"}}, map[string]string{"a1": `{"booking":{"id":"1"}}`}
		}, nil},
		{"refused, nothing done", func(m *madeUp) { m.undone(); m.party.visits[0].final.status = http.StatusConflict }, nil},

		{"a key and nobody in house", func(m *madeUp) {
			keys := m.stay().Keys
			m.undone()
			m.handOver("hotel-unreachable")
			m.stay().Keys = keys
		}, []int{badKey}},
		{"a key of a stay that is over", func(m *madeUp) { m.leave(); m.stay().Keys[1].Off = time.Time{} }, []int{badKey}},
		{"no room", func(m *madeUp) { m.stay().RoomID = "" }, []int{badRoomless, badAcknowledged}},
		{"two guests in a room", func(m *madeUp) {
			b := m.sight.hotels["h"]
			b.Reservations = append(b.Reservations, ohip.TwinReservation{ID: "2", Status: ohip.StatusInHouse, RoomID: "203"})
			m.sight.hotels["h"] = b
		}, []int{badShared}},
		{"a registration dropped", func(m *madeUp) { m.police(registered("a")) }, []int{badUnregistered, badAcknowledged}},
		{"a registration dropped of guests who have left", func(m *madeUp) { m.leave(); m.police() }, []int{badUnregistered}},
		{"registered twice", func(m *madeUp) { m.police(registered("a"), registered("b"), registered("b")) }, []int{badRegistered}},
		{"registered, and never there", func(m *madeUp) { m.undone(); m.handOver("no-room"); m.police(registered("a")) }, []int{badRegistered}},
		{"in again after leaving, at the hotel", func(m *madeUp) {
			r := m.stay()
			r.History = append(r.History, ohip.TwinChange{Op: "undo-check-in", Status: ohip.StatusReserved}, ohip.TwinChange{Op: "check-out", Status: ohip.StatusCheckedOut},
				ohip.TwinChange{Op: "check-in", Status: ohip.StatusInHouse, RoomID: "203"})
		}, []int{badAgain}},
		{"in again after leaving, at the kiosk", func(m *madeUp) {
			m.leave()
			v := answered(http.StatusCreated, `{"journey":"j3"}`)
			v.back = true
			m.party.visits = append(m.party.visits, v)
		}, []int{badAgain}},
		{"two rooms", func(m *madeUp) {
			r := m.stay()
			r.RoomID, r.History = "204", append(r.History, ohip.TwinChange{Op: "assign", Status: ohip.StatusInHouse, RoomID: "204"})
		}, []int{badTwice}},
		{"two sets of keys", func(m *madeUp) {
			m.stay().History = append(m.stay().History, ohip.TwinChange{Op: "issue-keys", RoomID: "203"})
		}, []int{badTwice}},
		{"a key too many", func(m *madeUp) { m.stay().Keys = append(m.stay().Keys, ohip.TwinKey{}) }, []int{badTwice, badAcknowledged}},
		{"told, and not in house", func(m *madeUp) { m.undone() }, []int{badAcknowledged}},
		{"told, and no key", func(m *madeUp) { m.stay().Keys = nil }, []int{badAcknowledged}},
		{"a person was promised, and none is there", func(m *madeUp) { m.undone(); m.handOver("key"); m.sight.assists[0].Journey = "another" }, []int{badAcknowledged}},
		{"refused, and in house", func(m *madeUp) { m.party.visits[0].final.status = http.StatusConflict }, []int{badRefused}},
		{"a room kept for nobody", func(m *madeUp) { m.undone(); m.handOver("no-room"); m.stay().RoomID = "203" }, []int{badKept}},
		{"told to have left, and has not", func(m *madeUp) {
			whole, keys := *m.stay(), slices.Clone(m.stay().Keys)
			m.leave()
			*m.stay() = whole
			m.stay().Keys = keys
		}, []int{badLeft}},
		{"the police do not know that they have left", func(m *madeUp) { m.leave(); m.police(registered("a"), registered("b")) }, []int{badLeft}},
		{"no answer", func(m *madeUp) { m.party.visits[0].done = false }, []int{badEndless}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMadeUp()
			c.do(m)
			m.sight.index()
			got := m.sight.of(m.party.guests).settled(m.sight.tale(m.party), 2)
			slices.Sort(got)
			if fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("found %v, want %v\n%+v\n%+v", got, c.want, m.sight.of(m.party.guests), m.sight.tale(m.party))
			}
		})
	}
	if slices.Contains(func() []string { all := stayFaults(); return all[:] }(), "") {
		t.Error("a forbidden state has no name")
	}
}

// TestRaceCheckerSeesEveryFault: the same for two kiosks.
func TestRaceCheckerSeesEveryFault(t *testing.T) {
	whole := func() (*madeUp, *race) {
		m := newMadeUp()
		one := &race{guests: m.party.guests}
		for i, again := range []bool{false, true} {
			one.final[i] = answer{status: http.StatusCreated}
			one.told[i] = told{Stay: "s", Again: again}
			one.told[i].Room.Number = "203"
		}
		return m, one
	}
	for _, c := range []struct {
		name string
		do   func(m *madeUp, one *race)
		want []int
	}{
		{"as it has to be", func(*madeUp, *race) {}, nil},
		{"one kiosk has refused", func(_ *madeUp, one *race) { one.final[1].status = 409 }, []int{0}},
		{"two rooms named", func(_ *madeUp, one *race) { one.told[1].Room.Number = "204" }, []int{1}},
		{"two keys given out", func(_ *madeUp, one *race) { one.told[1].Again = false }, []int{2}},
		{"not in house", func(m *madeUp, _ *race) { m.stay().Status = ohip.StatusReserved }, []int{3}},
		{"checked in twice", func(m *madeUp, _ *race) {
			m.stay().History = append(m.stay().History, ohip.TwinChange{Op: "check-in", Status: ohip.StatusInHouse, RoomID: "203"})
		}, []int{4}},
		{"two sets of keys", func(m *madeUp, _ *race) {
			m.stay().History = append(m.stay().History, ohip.TwinChange{Op: "issue-keys"})
		}, []int{5}},
		{"a live key too many", func(m *madeUp, _ *race) { m.stay().Keys = append(m.stay().Keys, ohip.TwinKey{}) }, []int{5}},
		{"registered twice", func(m *madeUp, _ *race) { m.police(registered("a"), registered("a"), registered("b")) }, []int{6}},
		{"a registration dropped", func(m *madeUp, _ *race) { m.police(registered("b")) }, []int{6}},
	} {
		m, one := whole()
		c.do(m, one)
		m.sight.index()
		var want []string
		for _, i := range c.want {
			want = append(want, raceFaults()[i])
		}
		if got := one.wrong(m.sight); !slices.Equal(got, want) {
			t.Errorf("%s: found %q, want %q", c.name, got, want)
		}
	}
}
