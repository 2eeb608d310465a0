package entry

import (
	"net/http"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/journey"
)

// admissionBody is the answer to an entry: the gate opens.
type admissionBody struct {
	Journey    string           `json:"journey"`
	Decision   string           `json:"decision"` // always "open"
	Message    string           `json:"message"`
	People     int              `json:"people"`
	Admissions []personBody     `json:"admissions"`
	Refused    []Refused        `json:"refused,omitempty"`
	Again      bool             `json:"again,omitzero"`
	AdmittedAt time.Time        `json:"admitted_at"`
	VerifiedBy string           `json:"verified_by"`
	Inside     int64            `json:"inside"`
	Capacity   int64            `json:"capacity"`
	Pending    []string         `json:"pending,omitempty"`
	Sources    []gateway.Source `json:"sources"`
}

type personBody struct {
	ID    string `json:"id"`
	Unit  string `json:"unit"`
	Entry int64  `json:"entry"`
}

var welcome = gateway.Text{Zh: "请入园，祝您游玩愉快", En: "Please come in, and enjoy your visit"}

func sayAdmission(o journey.Outcome[Admission], lang string) flow.Said {
	a := o.Value
	body := admissionBody{
		Journey: o.ID, Decision: "open", Message: welcome.In(lang), People: len(a.People), Refused: a.Refused, Again: a.Again,
		AdmittedAt: a.At.Truncate(time.Millisecond), VerifiedBy: a.How, Inside: a.Inside, Capacity: a.Capacity, Pending: o.Pending, Sources: o.Sources,
	}
	for _, p := range a.People {
		body.Admissions = append(body.Admissions, personBody{ID: p.Admission, Unit: p.Unit, Entry: p.Entry})
	}
	return flow.Said{Status: http.StatusCreated, Body: body}
}

// leftBody is the answer to an exit.
type leftBody struct {
	Journey  string `json:"journey"`
	Decision string `json:"decision"` // always "open"
	Message  string `json:"message"`
	People   int64  `json:"people"`
	Again    bool   `json:"again,omitzero"`
	Inside   int64  `json:"inside"`
}

var farewell = gateway.Text{Zh: "再见，欢迎再来", En: "Goodbye, and come again"}

func sayLeft(o journey.Outcome[Left], lang string) flow.Said {
	return flow.Said{Status: http.StatusCreated, Body: leftBody{
		Journey: o.ID, Decision: "open", Message: farewell.In(lang), People: o.Value.People, Again: o.Value.Again, Inside: o.Value.Inside,
	}}
}

// occupancyBody is the answer to GET …/occupancy.
type occupancyBody struct {
	Inside    int64     `json:"inside"`
	Capacity  int64     `json:"capacity"`
	AsOf      time.Time `json:"as_of"`
	ChangedAt time.Time `json:"changed_at,omitzero"`
}

// correctedBody is the answer to staff's correction.
type correctedBody struct {
	Journey  string `json:"journey"`
	Before   int64  `json:"before"`
	Inside   int64  `json:"inside"`
	Capacity int64  `json:"capacity"`
}

func sayCorrected(o journey.Outcome[Corrected], _ string) flow.Said {
	return flow.Said{Status: http.StatusCreated, Body: correctedBody{
		Journey: o.ID, Before: o.Value.Before, Inside: o.Value.Inside, Capacity: o.Value.Capacity,
	}}
}

// stepWords are the effects of the journey's plans, as staff read them.
func stepWords() map[string]gateway.Text {
	return map[string]gateway.Text{
		stepAdmit:   {Zh: "计入在园", En: "Count the visitor in"},
		stepRedeem:  {Zh: "在售票系统核销门票", En: "Redeem the ticket at ticketing"},
		stepSettle:  {Zh: "撤销被拒门票", En: "Release refused tickets"},
		stepLeave:   {Zh: "计出园", En: "Count the visitor out"},
		stepCorrect: {Zh: "更正在园人数", En: "Correct the number inside"},
	}
}

// purposes are what systems are told of a citizen for, in the citizen's words.
func purposes() map[string]gateway.Text {
	return map[string]gateway.Text{
		"find the ticket":   {Zh: "查找门票", En: "Find the ticket"},
		"redeem the ticket": {Zh: "核销门票", En: "Redeem the ticket"},
	}
}
