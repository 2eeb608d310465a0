// Package checkin gives a hotel's guests their room and key, within 30 seconds of the first touch, and lets them leave.
//
// # How a check-in ends
//
//	checked in     201  a room, its key and, now or from the outbox, every guest's registration with the police
//	refused        4xx  one problem for each reason; nothing is left behind
//	a person       202  before the guest is in house: nothing is done, or is being undone, but what is said here
//	                    check-in-unclear: the room is held and assigned, and it is not known whether the guest is in house
//	                    key: in house and registered, without a key from the kiosk
//	                    registration-refused: in house, with a key; the police want a person to look
//	                    check-in-interrupted: in house; the gateway died before it could do the rest
//	not recorded   503  the ledger is unavailable; recovery undoes what was begun, or finishes it as after a crash
//
// A booking is (hotel, reservation), however it was found. It has one stay in the ledger, for ever, and each room and night
// has one stay: two kiosks with one booking get one outcome, two bookings never one room, and a stay that is over is never
// begun again. The room is held in the ledger before the hotel's system is asked for it, so no key can be ahead of its
// check-in: assign, mark in house (the pivot), and only then key and registration. Before the pivot everything is undone;
// after it nothing is: what is missing is delivered or a person's. A stay whose run has died is settled by recovery alone.
//
// # How a check-out ends
//
//	left           201  the key is off and the police know, now or from the outbox
//	refused        4xx  nothing is changed
//	a person       202  check-out-refused: nothing is changed; check-out-unclear: it is not known whether the hotel's
//	                    system has it, and nobody can check in or out meanwhile
//	not recorded   503  the ledger is unavailable
package checkin

import (
	"embed"
	"io/fs"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

//go:embed openapi.yaml
var document []byte

// Kind is the kind of venue that this journey serves.
const Kind = "hotel"

// operations are what the journey needs of other systems, in its own words, and what it decides by itself.
type operations struct {
	hold          *ledger.Decision[Claim, Held]
	release       *ledger.Decision[Held, int64]
	registrations func(Held, Entered) ([]Registration, error)
	entering      []journey.Option // what a failure means of the check-in at the hotel's system, and of the key
	cutting       []journey.Option

	recall *call.Read[Arrival, Recalled]
	find   *call.Read[Arrival, []Booking]
	rooms  *call.Read[Arrival, Rooms]
	verify *call.Read[Arrival, []Verified]

	assign   *call.Write[Assignment, Assigned]
	unassign *call.Write[Assignment, Assigned]
	enter    *call.Write[Entrance, Entered]
	unenter  *call.Write[Entrance, Entered]
	register *call.Write[Registration, Done]
	issue    *call.Write[KeyOrder, Keys]

	leave  *call.Write[Departure, Done]
	keyOff *call.Write[Departure, Done]
	depart *call.Write[Farewell, Done]
}

func newOperations() operations {
	o := operations{
		hold: holdAfter(freeTonight), release: release, registrations: registrationsOf,
		cutting: []journey.Option{journey.Assist(handKey), journey.Expect(keysCut)},

		recall: call.NewRead("check-in.recall", call.ReadSpec[Arrival, Recalled]{}),
		find:   call.NewRead("hotel.find", call.ReadSpec[Arrival, []Booking]{}),
		rooms: call.NewRead("hotel.rooms", call.ReadSpec[Arrival, Rooms]{
			Key:  func(k *call.Key, a Arrival) { k.Text(a.Day) },
			Size: func(rooms Rooms) int { return 64 + 192*len(rooms) },
		}),
		verify: call.NewRead("identity.verify", call.ReadSpec[Arrival, []Verified]{}),

		assign:   call.NewWrite[Assignment, Assigned]("hotel.assign", call.WriteSpec[Assignment]{Key: Assignment.key}),
		unassign: call.NewWrite[Assignment, Assigned]("hotel.unassign", call.WriteSpec[Assignment]{Key: Assignment.key}),
		enter:    call.NewWrite[Entrance, Entered]("hotel.check-in", call.WriteSpec[Entrance]{Key: Entrance.key}),
		unenter:  call.NewWrite[Entrance, Entered]("hotel.undo-check-in", call.WriteSpec[Entrance]{Key: Entrance.key}),
		register: call.NewWrite[Registration, Done]("police.register", call.WriteSpec[Registration]{Key: Registration.key}),
		issue:    call.NewWrite[KeyOrder, Keys]("hotel.key", call.WriteSpec[KeyOrder]{Key: KeyOrder.key}),

		leave:  call.NewWrite[Departure, Done]("hotel.check-out", call.WriteSpec[Departure]{Key: Departure.leaveKey}),
		keyOff: call.NewWrite[Departure, Done]("hotel.key-off", call.WriteSpec[Departure]{Key: Departure.keyOffKey}),
		depart: call.NewWrite[Farewell, Done]("police.depart", call.WriteSpec[Farewell]{Key: Farewell.key}),
	}
	o.entering = []journey.Option{journey.Pivot(), journey.Undo(o.unenter), journey.Assist(handUnclear), journey.Interrupted(handInterrupted),
		journey.RefusedAssist(map[string]journey.Handover{"": handCheckInRefused})}
	return o
}

// The steps that change something.
const (
	planName     = "hotel-check-in"
	stepHold     = "hold"
	stepAssign   = "assign"
	stepRoom     = "room"
	stepCheckIn  = "check-in"
	stepArrive   = "arrive"
	stepRegister = "register"
	stepKey      = "key"
)

// plan declares the journey.
func (o operations) plan() (*journey.Plan[Arrival, CheckedIn], error) {
	return journey.Define(planName, func(b *journey.Builder, in journey.Ref[Arrival]) journey.Ref[CheckedIn] {
		journey.Waits(b, in, func(a Arrival) string { return a.Kiosk })
		known := journey.Try(b, journey.Ask(b, "recall", o.recall, in))
		party := journey.Join(b, "screen", in, known, screen)
		found := journey.Try(b, journey.Ask(b, "booking", o.find, party,
			journey.Disclose("find the booking", "guest.name", "guest.document")))
		seen := journey.Try(b, journey.Ask(b, "identity", o.verify, party,
			journey.Disclose("compare the face with the document", "guest.name", "guest.document", "guest.face")))
		rooms := journey.Try(b, journey.Ask(b, "rooms", o.rooms, party))

		desk := journey.Join(b, "desk", found, rooms, atDesk)
		faces := journey.Join(b, "faces", party, seen, withFaces)
		claim := journey.Join(b, "judge", faces, desk, judge)
		held := journey.Record(b, stepHold, o.hold, claim, journey.UndoRecord(o.release))
		return journey.When(b, "answer", journey.Check(b, "again", isAgain, held),
			func(b *journey.Builder) journey.Ref[CheckedIn] {
				return journey.Check(b, "welcome back", welcomeBack, held)
			},
			func(b *journey.Builder) journey.Ref[CheckedIn] { return o.enterHotel(b, held) })
	})
}

// enterHotel is the part of the plan that changes something outside.
func (o operations) enterHotel(b *journey.Builder, held journey.Ref[Held]) journey.Ref[CheckedIn] {
	offers := journey.Check(b, "offers", offersOf, held)
	given := journey.Choose(b, stepAssign, o.assign, offers, maxOffers, journey.Undo(o.unassign),
		journey.Assist(handHotelDown), journey.RefusedAssist(map[string]journey.Handover{"": handRoomRefused, journey.Taken: handNoRoom, journey.NoCandidate: handNoRoom}))
	roomed := journey.Record(b, stepRoom, settleRoom, journey.Join(b, "given", held, given, giveRoom), journey.UndoRecord(o.release))

	entered := journey.Commit(b, stepCheckIn, o.enter, journey.Check(b, "entrance", entranceOf, roomed), o.entering...)
	inHouse := journey.Record(b, stepArrive, arrive, journey.Join(b, "in house", roomed, entered, enteredAs))
	registered := journey.CommitEach(b, stepRegister, o.register, journey.Join(b, "registrations", roomed, entered, o.registrations), maxGuestsLimit,
		journey.DeferBy(registrationDue, handRegistrationLate),
		journey.Disclose("register the guest", "guest.name", "guest.document", "guest.birth_date", "guest.nationality"))
	keys := journey.Commit(b, stepKey, o.issue, journey.Join(b, "key order", roomed, entered, keyOrderOf), o.cutting...)

	done := journey.Join(b, "done", inHouse, registered, heardPolice)
	return journey.Join(b, "welcome", done, keys, welcome)
}

// New returns the journey for the program.
func New() (*flow.Flow, error) {
	return newOperations().flow()
}

func (o operations) flow() (*flow.Flow, error) {
	in, err := o.plan()
	if err != nil {
		return nil, err
	}
	out, err := o.checkOutPlan()
	if err != nil {
		return nil, err
	}
	c := &calls{checkIns: journey.NewLive(in), checkOuts: journey.NewLive(out)}
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return nil, err
	}
	bound := func(connect func(operations, *gateway.Venue, flow.Connection, *call.Bindings) (func(), error)) flow.Connect {
		return func(v *gateway.Venue, to flow.Connection, b *call.Bindings) (func(), error) {
			return connect(o, v, to, b)
		}
	}
	return &flow.Flow{
		Name: "checkin", Plans: []flow.Plan{c.checkIns, c.checkOuts}, Problems: problems(), Document: document,
		Migrations: []ledger.Migrations{{Name: "checkin", FS: files}},
		Venues: &flow.VenueKind{Kind: Kind, Settings: readSettings, Roles: map[string]map[string]flow.Connect{
			"pms":      {"ohip": bound(connectOHIP), "apaleo": bound(connectApaleo)},
			"identity": {"identity": bound(connectIdentity)},
			"police":   {"police": bound(connectPolice)},
		}},
		Routes: c.routes, Assists: assists(), Steps: stepWords(), Purposes: purposes(),
	}, nil
}
