package parking

import (
	"context"
	"testing"
	"time"

	"github.com/warmgate/warmgate/gateway/ledger"
)

// TestTwoWordsOfOneMomentBothCount: a provider's no that comes within the millisecond of its yes is not lost, nor is either
// kept twice.
func TestTwoWordsOfOneMomentBothCount(t *testing.T) {
	m, done := newMill(t, "", 1)
	defer done()
	at := time.UnixMilli(1_700_000_000_000)
	said := Permission{Venue: "lot", Plate: []byte("p"), Source: collectPayment, State: permitGranted, At: at, By: ledger.ActorGateway}
	no := said
	no.State = permitBlocked
	for _, p := range []Permission{said, no, said, no} {
		if _, err := ledger.Do(context.Background(), m.ledger, permit, p); err != nil {
			t.Fatal(err)
		}
	}
	var n int64
	var last string
	err := m.ledger.View(context.Background(), func(q ledger.Querier) error {
		return q.QueryRow(`SELECT (SELECT COUNT(*) FROM parking_permissions), (SELECT state FROM parking_permissions ORDER BY said_at DESC LIMIT 1)`).Scan(&n, &last)
	})
	if err != nil || n != 2 || last != permitBlocked {
		t.Errorf("%d words, the last is %s: %v", n, last, err)
	}
}
