package checkin

import (
	"net/http"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/journey"
)

// checkedInBody is the answer to a check-in: room and key are the guest's.
type checkedInBody struct {
	Journey     string           `json:"journey"`
	Decision    string           `json:"decision"` // always "checked-in"
	Message     string           `json:"message"`
	Stay        string           `json:"stay"`
	Room        roomBody         `json:"room"`
	Keys        keysBody         `json:"keys"`
	Guests      int              `json:"guests"`
	Arrival     string           `json:"arrival"`
	Departure   string           `json:"departure"`
	Again       bool             `json:"again,omitzero"`
	CheckedInAt time.Time        `json:"checked_in_at"`
	Pending     []string         `json:"pending,omitempty"`
	Sources     []gateway.Source `json:"sources"`
}

type roomBody struct {
	Number string `json:"number"`
	Floor  string `json:"floor,omitempty"`
}

type keysBody struct {
	Count int        `json:"count"`
	Until *time.Time `json:"until,omitempty"`
	Data  string     `json:"data,omitempty"`
	PIN   string     `json:"pin,omitempty"`
}

var (
	welcomeText = gateway.Text{Zh: "欢迎入住，请取走房卡", En: "Welcome: please take your key"}
	backText    = gateway.Text{Zh: "您已办理入住", En: "You are checked in already"}
)

func sayCheckedIn(o journey.Outcome[CheckedIn], lang string) flow.Said {
	c := o.Value
	body := checkedInBody{
		Journey: o.ID, Decision: "checked-in", Message: welcomeText.In(lang), Stay: c.Stay, Room: roomBody{Number: c.Room.Number, Floor: c.Room.Floor},
		Keys: keysBody{Count: c.Key.Count, Data: c.Key.Data, PIN: c.Key.PIN}, Guests: len(c.Guests), Arrival: c.Booking.Arrival,
		Departure: c.Booking.Leaves, Again: c.Again, CheckedInAt: c.At.Truncate(time.Millisecond), Pending: o.Pending, Sources: o.Sources,
	}
	if c.Again {
		body.Message = backText.In(lang)
	}
	if !c.KeysEnd.IsZero() {
		body.Keys.Until = &c.KeysEnd
	}
	return flow.Said{Status: http.StatusCreated, Body: body}
}

// checkedOutBody is the answer to a check-out.
type checkedOutBody struct {
	Journey      string    `json:"journey"`
	Decision     string    `json:"decision"` // always "checked-out"
	Message      string    `json:"message"`
	Stay         string    `json:"stay"`
	Room         roomBody  `json:"room"`
	Again        bool      `json:"again,omitzero"`
	CheckedOutAt time.Time `json:"checked_out_at"`
	Pending      []string  `json:"pending,omitempty"`
}

var farewellText = gateway.Text{Zh: "退房完成，欢迎再次光临", En: "You are checked out: goodbye, and come again"}

func sayCheckedOut(o journey.Outcome[Leave], lang string) flow.Said {
	l := o.Value
	return flow.Said{Status: http.StatusCreated, Body: checkedOutBody{
		Journey: o.ID, Decision: "checked-out", Message: farewellText.In(lang), Stay: l.Stay, Room: roomBody{Number: l.Door},
		Again: l.Again, CheckedOutAt: l.At.Truncate(time.Millisecond), Pending: o.Pending,
	}}
}

// stepWords are the effects of the journey's plans, as staff read them.
func stepWords() map[string]gateway.Text {
	return map[string]gateway.Text{
		stepHold:       {Zh: "为预订保留客房", En: "Hold a room for the booking"},
		stepAssign:     {Zh: "在酒店系统分房", En: "Assign the room at the hotel's system"},
		stepRoom:       {Zh: "确定客房", En: "Settle the room"},
		stepCheckIn:    {Zh: "在酒店系统办理入住", En: "Check in at the hotel's system"},
		stepArrive:     {Zh: "记为在住", En: "Note the guest as in house"},
		stepRegister:   {Zh: "向公安登记", En: "Register with the police"},
		stepKey:        {Zh: "制作房卡", En: "Cut the key"},
		stepLeave:      {Zh: "开始退房", En: "Begin the check-out"},
		stepCheckOut:   {Zh: "在酒店系统办理退房", En: "Check out at the hotel's system"},
		stepGone:       {Zh: "记为离店", En: "Note the guest as gone"},
		stepKeyOff:     {Zh: "注销房卡", En: "Switch the keys off"},
		stepDepartures: {Zh: "向公安报告离店", En: "Tell the police of the departure"},
	}
}

// purposes are what systems are told of a citizen for, in the citizen's words.
func purposes() map[string]gateway.Text {
	return map[string]gateway.Text{
		"find the booking":                   {Zh: "查找预订", En: "Find the booking"},
		"compare the face with the document": {Zh: "核对人脸与证件", En: "Compare the face with the document"},
		"register the guest":                 {Zh: "办理住客登记", En: "Register the guest"},
	}
}
