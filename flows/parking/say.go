package parking

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/journey"
)

// passedBody is the answer to one event.
type passedBody struct {
	Journey  string   `json:"journey"`
	Recorded bool     `json:"recorded"`
	Message  string   `json:"message"`
	Event    string   `json:"event_id"`
	Decision string   `json:"decision"`
	State    string   `json:"state,omitempty"`
	Stay     string   `json:"stay,omitempty"`
	Bill     *Billed  `json:"bill,omitempty"`
	Arrears  *Arrear  `json:"arrears,omitempty"`
	Again    bool     `json:"again,omitzero"`
	Pending  []string `json:"pending,omitempty"`
}

// batchAnswer is the answer to several events.
type batchAnswer struct {
	Journey  string   `json:"journey"`
	Recorded bool     `json:"recorded"` // always true
	Events   []Result `json:"events"`
	Pending  []string `json:"pending,omitempty"`
}

// unkeptBody is the answer to an exit that could not be kept: the barrier opens, keeps the event and sends it again.
type unkeptBody struct {
	Decision string `json:"decision"` // always "open"
	Recorded bool   `json:"recorded"` // always false
	Message  string `json:"message"`
}

var (
	sayWelcome = gateway.Text{Zh: "欢迎光临", En: "Welcome"}
	sayPayDue  = gateway.Text{Zh: "请先支付欠费 %s，共 %d 笔", En: "Please pay %s first, which is owed for %d visits"}
	sayBye     = gateway.Text{Zh: "一路平安", En: "Have a safe journey"}
	sayOwed    = gateway.Text{Zh: "一路平安，停车费 %s 稍后结算", En: "Have a safe journey; the fee of %s is settled later"}
)

func sayEntry(o journey.Outcome[Decided], lang string) flow.Said {
	return sayPassed(o, func(r Result) string {
		if r.Arrears != nil {
			return fmt.Sprintf(sayPayDue.In(lang), amount(r.Arrears.Due), r.Arrears.Bills)
		}
		return sayWelcome.In(lang)
	})
}

func sayExit(o journey.Outcome[Decided], lang string) flow.Said {
	return sayPassed(o, func(r Result) string {
		if r.Bill != nil && r.Bill.Due.Minor > 0 {
			return fmt.Sprintf(sayOwed.In(lang), amount(r.Bill.Due))
		}
		return sayBye.In(lang)
	})
}

func sayPassed(o journey.Outcome[Decided], message func(r Result) string) flow.Said {
	results := o.Value.Results
	if o.Value.Batch {
		return flow.Said{Status: http.StatusCreated, Body: batchAnswer{Journey: o.ID, Recorded: true, Events: results, Pending: o.Pending}}
	}
	r, status := results[0], http.StatusCreated
	if r.Decision == decidePayment {
		status = http.StatusOK // nobody has come in
	}
	return flow.Said{Status: status, Body: passedBody{
		Journey: o.ID, Recorded: true, Message: message(r), Event: r.Event, Decision: r.Decision, State: r.State, Stay: r.Stay, Bill: r.Bill,
		Arrears: r.Arrears, Again: r.Again, Pending: o.Pending,
	}}
}

// sayUnkept opens without the ledger. Several events that a barrier had kept open nothing: it keeps them.
func sayUnkept(in Passage, lang string) (flow.Said, bool) {
	return flow.Said{Status: http.StatusOK, Body: unkeptBody{Decision: decideOpen, Message: sayBye.In(lang)}}, !in.Batch
}

// amount writes an amount of money as its currency is written: 1250 CNY is "¥12.50".
func amount(m gateway.Money) string {
	sign, digits := m.Currency+" ", 2
	switch m.Currency {
	case "CNY":
		sign = "¥"
	case "JPY", "KRW":
		digits = 0
	}
	if digits == 0 {
		return fmt.Sprintf("%s%d", sign, m.Minor)
	}
	return strings.TrimSpace(fmt.Sprintf("%s%d.%02d", sign, m.Minor/100, m.Minor%100))
}
