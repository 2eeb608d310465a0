package parking

import (
	"bytes"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/seal"
)

// permitCar keeps a permission for a visit. False: there is no such visit (yet). Whoever the plate is known to belong to may
// ask what was told.
var permitCar = &ledger.Decision[Permission, bool]{Name: "parking.permit-car", Run: func(tx *ledger.Tx, p Permission) (bool, error) {
	all, err := listOf(tx, scanStay, `SELECT `+stayColumns+` FROM parking_stays WHERE id = $1 AND venue = $2`, p.Stay, p.Venue)
	if err != nil || len(all) == 0 {
		return false, err
	}
	p.Plate = all[0].plate
	if _, err := permit.Run(tx, p); err != nil {
		return false, err
	}
	return true, aboutOwner(tx, p.Plate, all[0].entered, all[0].run)
}}

// The states of a notice.
const (
	noticeSettled = "settled"
	noticeParked  = "parked" // what it is about is not known yet
	noticeAsked   = "asked"  // it never was, and a person looks
)

// sealedNotice is where a sealed notice belongs.
const sealedNotice = "parking.notice"

// Notice is something that a collector has told on its own, on its way into the ledger.
type Notice struct {
	Connector, Account string
	Heard              Heard
	Digest             []byte // keyed hash of what it says
	DataKey, Body      []byte // what it says, sealed
}

// newNotice seals what a collector has told.
func newNotice(keys *seal.Keys, connector, account string, h Heard) (n Notice, err error) {
	plain, err := json.Marshal(h)
	if err != nil {
		return n, fmt.Errorf("cannot keep a notice: a %T is no JSON", h)
	}
	box, err := keys.NewBox()
	if err != nil {
		return n, err
	}
	sum := keys.Hash("parking-notice", []byte(connector), []byte(account), plain)
	return Notice{Connector: connector, Account: account, Heard: h, Digest: sum[:], DataKey: box.Wrapped(),
		Body: box.Seal(plain, sealedNotice)}, nil
}

// take keeps a notice and does what it says, once: the same again changes nothing. One about something that the ledger does
// not know yet is parked, and counts as soon as that is there. The id of a notice with another content is refused.
var take = &ledger.Decision[Notice, string]{Name: "parking.take-notice", Run: func(tx *ledger.Tx, n Notice) (state string, err error) {
	rows, err := tx.Query(`SELECT digest, state FROM parking_notices WHERE connector = $1 AND account = $2 AND notice = $3`, n.Connector, n.Account, n.Heard.ID)
	type before struct {
		digest []byte
		state  string
	}
	earlier, err := ledger.List(rows, err, func(r ledger.Row) (b before, err error) { return b, r.Scan(&b.digest, &b.state) })
	switch {
	case err != nil:
		return "", err
	case len(earlier) > 0 && !bytes.Equal(earlier[0].digest, n.Digest):
		return "", ledger.Keep(ProblemNoticeChanged.Error(gateway.Text{}))
	case len(earlier) > 0 && earlier[0].state != noticeParked:
		return earlier[0].state, nil
	}
	if state, err = n.Heard.settle(tx, n.Account); err != nil {
		return "", err
	}
	_, err = tx.Exec(`INSERT INTO parking_notices (connector, account, notice, digest, subject, data_key, body, state, received_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (connector, account, notice) DO UPDATE SET state = excluded.state`,
		n.Connector, n.Account, n.Heard.ID, n.Digest, n.Heard.Subject, n.DataKey, n.Body, state, tx.Now().UnixMilli())
	return state, err
}}

// settle does what a notice says; it is parked where there is nothing that it could be about. What is told at one lot's
// address moves nothing at another lot.
func (h Heard) settle(tx *ledger.Tx, lot string) (string, error) {
	known := true
	var err error
	switch {
	case h.Verdict != nil:
		if known, err = isOf(tx, `SELECT venue FROM parking_collections WHERE number = $1`, h.Verdict.Number, lot); known && err == nil {
			_, err = settleCollection(tx, *h.Verdict)
		}
	case h.Refund != nil:
		if known, err = isOf(tx, `SELECT b.venue FROM parking_refunds r JOIN parking_bills b ON b.id = r.bill WHERE r.number = $1`, h.Refund.Number, lot); known && err == nil {
			_, err = settleRefund(tx, *h.Refund)
		}
	case h.Permission != nil && h.Stay != "":
		p := *h.Permission
		p.Stay = h.Stay
		known, err = permitCar.Run(tx, p)
	case h.Permission != nil:
		_, err = permit.Run(tx, *h.Permission)
	}
	if err != nil || known {
		return noticeSettled, err
	}
	return noticeParked, nil
}

func isOf(q ledger.Querier, query, number, lot string) (bool, error) {
	venues, err := listOf(q, func(r ledger.Row) (v string, err error) { return v, r.Scan(&v) }, query, number)
	return len(venues) > 0 && venues[0] == lot, err
}

// unparking is a look at what a till has told and nobody could place.
type unparking struct {
	rt        *flow.Runtime
	venue     *gateway.Venue
	connector string
}

const (
	unparkAtOnce = 20
	unparkWithin = time.Hour // then it is a person's
)

// unpark does what parked notices say about something that is there now, and hands those over that have waited too long.
var unpark = &ledger.Decision[unparking, int]{Name: "parking.unpark", Run: func(tx *ledger.Tx, u unparking) (int, error) {
	type parked struct {
		notice        string
		dataKey, body []byte
		received      int64
	}
	all, err := listOf(tx, func(r ledger.Row) (p parked, err error) {
		return p, r.Scan(&p.notice, &p.dataKey, &p.body, &p.received)
	},
		`SELECT notice, data_key, body, received_at FROM parking_notices WHERE account = $1 AND state = 'parked' AND connector = $2
		ORDER BY received_at LIMIT $3`, u.venue.ID, u.connector, unparkAtOnce)
	if err != nil {
		return 0, err
	}
	for _, p := range all {
		h, err := openNotice(u.rt.Ledger.Keys(), p.dataKey, p.body)
		if err != nil {
			return 0, err
		}
		state, err := h.settle(tx, u.venue.ID)
		if err != nil {
			return 0, err
		}
		if state == noticeParked {
			if tx.Now().UnixMilli()-p.received < unparkWithin.Milliseconds() {
				continue
			}
			state = noticeAsked
			if err := askAboutNotice(tx, u, p.notice); err != nil {
				return 0, err
			}
		}
		if _, err := tx.Exec(`UPDATE parking_notices SET state = $1 WHERE connector = $2 AND account = $3 AND notice = $4`,
			state, u.connector, u.venue.ID, p.notice); err != nil {
			return 0, err
		}
	}
	return len(all), nil
}}

func openNotice(keys *seal.Keys, dataKey, body []byte) (h Heard, err error) {
	box, err := keys.OpenBox(dataKey)
	if err != nil {
		return h, err
	}
	plain, err := box.Open(body, sealedNotice)
	if err != nil {
		return h, err
	}
	return h, json.Unmarshal(plain, &h)
}

// askAboutNotice hands a notice to a person that is about nothing that is known here. It belongs to no run.
func askAboutNotice(tx *ledger.Tx, u unparking, notice string) error {
	_, err := tx.OpenAssist(ledger.Assist{
		Run: "notice/" + u.connector + "/" + notice, Plan: planExit, Kind: kindNotice, Tenant: u.venue.Tenant, Venue: u.venue.ID,
		NextAction: handNotice, Tried: []string{"notice " + notice}, Subject: notice,
	})
	return err
}
