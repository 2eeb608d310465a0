package parking

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/warmgate/warmgate/flows/parking/books"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// billBody is a bill as its owner sees it.
type billBody struct {
	ID        string         `json:"id"`
	Lot       string         `json:"lot"`
	State     string         `json:"state"`
	Entered   time.Time      `json:"entered_at"`
	Left      time.Time      `json:"left_at"`
	Issued    time.Time      `json:"issued_at"`
	Price     gateway.Money  `json:"price"`
	Due       gateway.Money  `json:"due"`
	Lines     []lineBody     `json:"lines"`
	Corrected int64          `json:"corrections"`
	Movements []movementBody `json:"movements,omitzero"` // of GET alone, as is what follows
	Reminders *remindersBody `json:"reminders,omitempty"`
	Receipt   *receiptBody   `json:"receipt,omitempty"`
}

type lineBody struct {
	Amount gateway.Money `json:"amount"`
	Text   string        `json:"text"`
}

type movementBody struct {
	Kind   string        `json:"kind"`
	Amount gateway.Money `json:"amount"` // what is owed changes by it
	At     time.Time     `json:"at"`
}

func sayBill(b *bill, at *gateway.Venue, lang string) billBody {
	body := billBody{ID: b.id, Lot: b.venue, State: b.state, Entered: flow.At(at, b.entered), Left: flow.At(at, b.left), Issued: flow.At(at, b.issued),
		Price: b.money(b.price), Due: b.money(max(b.due(), 0)), Lines: []lineBody{}, Corrected: b.corrected}
	for _, l := range b.lines {
		body.Lines = append(body.Lines, lineBody{Amount: b.money(l.Minor), Text: l.Text.In(lang)})
	}
	return body
}

// one tells a bill with everything that has become of it.
func (c *citizens) one(x *edge.Exchange, rt *flow.Runtime) error {
	var b *bill
	var booked []books.Booked
	var reminders *remindersBody
	var receipt *receiptBody
	err := flow.View(rt, x, func(q ledger.Querier) (err error) {
		if b, err = findOwnBill(q, ledger.Subject(rt.Ledger.Keys(), x.Principal()), x.Principal().Tenant, x.Param("id")); err != nil {
			return err
		}
		if booked, err = books.Of(q, b.id); err != nil {
			return err
		}
		at := rt.Venue(b.venue)
		if reminders, err = remindersOf(q, b, at); err != nil {
			return err
		}
		receipt, err = receiptOf(q, b, at, booked)
		return err
	})
	if err != nil {
		return err
	}
	at := rt.Venue(b.venue)
	body := sayBill(b, at, x.Lang())
	body.Movements, body.Reminders, body.Receipt = []movementBody{}, reminders, receipt
	for _, m := range booked {
		for _, p := range m.Postings {
			if p.Account == books.Owed {
				body.Movements = append(body.Movements, movementBody{Kind: string(m.Kind), Amount: b.money(p.Minor), At: flow.At(at, m.At)})
			}
		}
	}
	return x.JSON(http.StatusOK, body)
}

type searchBody struct {
	Plate  string `json:"plate"`
	Cursor string `json:"cursor"`
	Limit  int    `json:"limit"`
}

type foundBody struct {
	Bills []billBody `json:"bills"`
	Next  string     `json:"next,omitzero"`
}

// How many bills a page may have, and has where the caller does not say.
const (
	billsMost  = 50
	billsUsual = 20
)

// search lists the bills of a plate that were made out while it was the caller's, the latest first. Of another's plate there
// are none.
func (c *citizens) search(x *edge.Exchange, rt *flow.Runtime) error {
	var body searchBody
	if err := x.Decode(&body); err != nil {
		return err
	}
	p, err := readPlate("plate", body.Plate)
	if err != nil {
		return err
	}
	if body.Limit == 0 {
		body.Limit = billsUsual
	}
	if body.Limit < 1 || body.Limit > billsMost {
		return edge.FieldInvalid("limit", "须为 1 至 50 的整数。", "It must be a whole number from 1 to 50.")
	}
	issued, id, err := readCursor(body.Cursor)
	if err != nil {
		return err
	}
	keys, who := rt.Ledger.Keys(), x.Principal()
	var all []*bill
	err = flow.View(rt, x, func(q ledger.Querier) (err error) {
		all, err = listOf(q, scanBill, `SELECT `+billColumns+` FROM parking_bills b WHERE b.plate = $1 AND b.tenant = $2
			AND (b.issued_at < $3 OR b.issued_at = $3 AND b.id < $4) AND EXISTS (SELECT 1 FROM parking_vehicles v WHERE v.owner = $5 AND v.plate = b.plate
				AND v.from_at <= b.left_at AND v.until_at > b.left_at)
			ORDER BY b.issued_at DESC, b.id DESC LIMIT $6`,
			hashPlate(keys, who.Tenant, p), who.Tenant, issued, id, ledger.Subject(keys, who), body.Limit+1)
		return err
	})
	if err != nil {
		return err
	}
	out := foundBody{Bills: []billBody{}}
	for i, b := range all {
		if i == body.Limit {
			last := all[i-1]
			out.Next = strconv.FormatInt(last.issued.UnixMilli(), 36) + "." + last.id
			break
		}
		out.Bills = append(out.Bills, sayBill(b, rt.Venue(b.venue), x.Lang()))
	}
	return x.JSON(http.StatusOK, out)
}

// readCursor reads where a page begins; "" is the newest.
func readCursor(s string) (issued int64, id string, err error) {
	if s == "" {
		return 1 << 60, "", nil
	}
	at, id, ok := strings.Cut(s, ".")
	issued, err = strconv.ParseInt(at, 36, 64)
	if !ok || err != nil || len(id) != 32 {
		return 0, "", edge.FieldInvalid("cursor", "须为上一页的 next。", "It must be the next of the page before.")
	}
	return issued, id, nil
}
