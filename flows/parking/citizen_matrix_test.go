package parking_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/warmgate/warmgate/backends/wechatpay"
	"github.com/warmgate/warmgate/flows/flowtest"
	"github.com/warmgate/warmgate/gateway/ledger/ledgertest"
)

// TestCitizensMeetALedgerThatFails in every way that it can: they are told in time, nothing is done twice, and the same call
// under its key is done once the ledger works.
func TestCitizensMeetALedgerThatFails(t *testing.T) {
	w := openTown(t)
	zhang, staff := w.person("zhang"), w.Token("li", "staff:assist")
	w.do(wechatpay.Want{What: wechatpay.MakeBehave, Behaviour: wechatpay.Behaviour{Mute: true, DecideMS: 600_000}})
	n := 0
	owing := func() (plate, bill string) { // of a car that nobody collects from
		n++
		plate = fmt.Sprintf("浙A3%04d", n)
		w.own(zhang, plate, time.Now().Add(-24*time.Hour))
		w.do(wechatpay.Want{What: wechatpay.MakePlate, Plate: plate, Color: wechatpay.Blue, State: wechatpay.Blocked, BlockReason: wechatpay.BlockOut})
		return plate, w.visit(plate, 3*time.Hour, time.Hour)
	}
	rows := func(f flowtest.LedgerFault) (rows []flowtest.Row) {
		plate, bill := owing()
		at := "/v1/parking-bills/" + bill
		for _, c := range []struct {
			what, path, token string
			body              any // nil: a GET
			done              int
			reads             bool // it writes nothing
		}{
			{"a look at a bill", at, zhang, nil, 200, true},
			{"a search for bills", "/v1/parking-bills/search", zhang, m{"plate": plate}, 200, true},
			{"a search for visits", "/v1/parking-stays/search", zhang, m{"plate": plate}, 200, true},
			{"a plate", "/v1/me/vehicles", w.person("chen"), m{"plate": plate, "lot": lotID}, 202, false},
			{"a waiver", at + "/waivers", staff, m{"reason": "kind", "amount": m{"minor": 100, "currency": "CNY"}}, 201, false},
			{"a payment at a station", "/v1/parking-lots/" + lotID + "/payments", w.Token("station", "parking:gate"), m{"event_id": bill, "reference": bill, "bill": bill,
				"amount": m{"minor": 400, "currency": "CNY"}, "paid_at": ago(0).Format(time.RFC3339)}, 201, false},
			{"a payment", at + "/payments", zhang, amount(1500, "CNY"), 202, false},
			{"a dispute", at + "/disputes", zhang, m{"reason": "no"}, 202, false},
		} {
			call := flowtest.Call{Method: http.MethodPost, Path: c.path, Token: c.token, Body: c.body, Key: uuid.NewString()}
			if c.body == nil {
				call.Method, call.Key = http.MethodGet, "-"
			}
			row := f.Row(flowtest.Budget{Machine: flowtest.OneCommit, Slack: 2 * flowtest.OneCommit / 3}, "503 ledger-unavailable")
			switch row.Case = c.what; {
			case f.At == ledgertest.AtView && !c.reads: // not every one looks before it writes
				row.Want = append(row.Want, fmt.Sprintf("%d ", c.done))
			case f.At != ledgertest.AtView && c.reads:
				row.Want = []string{fmt.Sprintf("%d ", c.done)}
			}
			a := f.During(w.City, func() flowtest.Answer { return w.Do(call) })
			row.Got, row.Took = fmt.Sprintf("%d %s", a.Status, a.Problem()), a.Took
			w.Eventually(c.what+" under the same key", func() bool { return w.Do(call).Status == c.done })
			rows = append(rows, row)
		}
		for _, kind := range []string{"pay", "waive"} {
			if n := w.Number(`SELECT COUNT(*) FROM parking_movements WHERE bill = $1 AND kind = $2`, bill, kind); n != 1 {
				t.Errorf("%s %s: %d movements %s", f.At, f.Fault, n, kind)
			}
		}
		if n := w.Number(`SELECT COUNT(*) FROM parking_disputes WHERE bill = $1`, bill) + w.Number(`SELECT tries FROM parking_bills WHERE id = $1`, bill); n != 2 {
			t.Errorf("%s %s: disputed or charged more than once", f.At, f.Fault)
		}
		wants(t, "whose plate it is not", w.settle("parking-vehicle-unverified", "refused", nil), 201, "")
		return rows
	}
	for _, f := range flowtest.LedgerFaults(true) {
		flowtest.Report(t, flowtest.Again(func() []flowtest.Row { return rows(f) }))
	}
}
