package parking_test

import (
	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// text reads one value.
func (w *town) text(into *string, query string, args ...any) {
	w.T.Helper()
	w.View(func(q ledger.Querier) error { return q.QueryRow(query, args...).Scan(into) })
}

// has fails the test where there is another number of differences of a kind.
func (w *town) has(what string, n int64) {
	w.T.Helper()
	if got := w.Number(`SELECT COUNT(*) FROM parking_differences WHERE what = $1`, what); got != n {
		w.T.Errorf("%d differences %s, want %d", got, what, n)
	}
}

// settleOne settles one of the unresolved assists of a kind.
func (w *town) settleOne(kind, word string) {
	w.T.Helper()
	var id string
	w.text(&id, `SELECT id FROM assists WHERE kind = $1 AND state <> 'resolved' ORDER BY id LIMIT 1`, kind)
	staff := w.Token("li", "staff:assist")
	wants(w.T, "claiming it", w.send(staff, "/v1/assists/"+id+"/claim", nil), 201, "")
	wants(w.T, "without a reason", w.send(staff, "/v1/assists/"+id+"/resolution", m{"resolution": word, "reason": " "}), 400, "field-missing")
	wants(w.T, "settling it", w.send(staff, "/v1/assists/"+id+"/resolution", m{"resolution": word, "reason": "asked them"}), 201, "")
}

// dial breaks the provider, or mends it.
func (w *town) dial(d twin.Dial) {
	w.T.Helper()
	if err := w.Twins.Dial("wechatpay", lotID, d); err != nil {
		w.T.Fatal(err)
	}
}
