package parking

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/flow"
)

// till is a collector as a lot reaches it, for what no journey of a barrier begins: to hear what it tells on its own, and to
// ask how a collection stands. Its functions are safe for concurrent use and end by their context's deadline.
type till struct {
	venue     *gateway.Venue
	connector string // as in the address of its notifications
	collector string // collectPayment or collectCity

	hear func(ctx context.Context, header func(name string) string, body []byte) (Heard, error)   // nil: it tells nothing over HTTP
	look func(ctx context.Context, c *collection, plate string, left time.Time) (*Verdict, error) // nil verdict: the collector does not know it
	back func(ctx context.Context, r Repayment) (Verdict, error)                                  // nil: it gives nothing back
	push func(ctx context.Context, hear func(ctx context.Context, h Heard) error) error           // nil: it pushes nothing

	account string         // whose books these are at the collector: the lots of one account have one bill of a day
	zone    *time.Location // of the account's days

	bill  func(ctx context.Context, day string, take func(Entry) error) error // everything of a day, in any order; nil: there is no such bill
	given func(ctx context.Context, number string) (*Verdict, error)          // how a refund stands; nil verdict: it does not know it
}

// Entry is one payment or one refund in a collector's bill of a day.
type Entry struct {
	Refund    bool
	Number    string // ours
	Reference string // the collector's own; "": it is not said
	Minor     int64
	State     string // collectionPaid, collectionFailed, or collectionAccepted: it was not decided when the bill was made
}

// tills are the collectors of every lot in the configuration that holds.
type tills struct {
	mu  sync.Mutex
	all []*till // of one lot and collector the last one counts
}

// add begins with a till in place of what was there for its lot and collector; stop ends exactly that one.
func (t *tills) add(n *till) (stop func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all = append(t.all, n)
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.all = slices.DeleteFunc(t.all, func(o *till) bool { return o == n })
	}
}

// find returns the till that fits; nil where there is none.
func (t *tills) find(fits func(*till) bool) *till {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, n := range slices.Backward(t.all) {
		if fits(n) {
			return n
		}
	}
	return nil
}

// of returns the till of a lot's collector; nil where there is none.
func (t *tills) of(venue, collector string) *till {
	return t.find(func(n *till) bool { return n.venue.ID == venue && n.collector == collector })
}

// list returns every till that counts.
func (t *tills) list() (all []*till) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, n := range slices.Backward(t.all) {
		if !slices.ContainsFunc(all, func(o *till) bool { return o.venue.ID == n.venue.ID && o.collector == n.collector }) {
			all = append(all, n)
		}
	}
	return all
}

// connectors bind the journey's operations, and note the tills that they make.
type connectors struct {
	operations
	tills   *tills
	signing func(work func()) // of requests that no car waits for: they leave it a processor
}

// inTurn returns what does work so many at once, n ≥ 1; the others wait for their turn.
func inTurn(n int) func(work func()) {
	places := make(chan struct{}, n)
	return func(work func()) {
		places <- struct{}{}
		defer func() { <-places }()
		work()
	}
}

// add gives every role the connectors that speak to a real system.
func (o connectors) add(roles map[string]map[string]flow.Connect) map[string]map[string]flow.Connect {
	roles["payment"]["wechatpay"] = o.connectWeChatPay
	roles["city"]["hangzhou"] = o.connectHangzhou
	return roles
}

// Heard is what a collector tells on its own. At most one of the pointers is not nil; all are nil where it is of no account.
type Heard struct {
	ID         string // the collector's own; the same whenever the same is told again
	Verdict    *Verdict
	Refund     *Verdict
	Permission *Permission // its Venue and Plate are empty where Stay says which car it is
	Stay       string      // of a Permission
	Subject    string      // what it is about: the number of a collection or a refund, or a visit
}
