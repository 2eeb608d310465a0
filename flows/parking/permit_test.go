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

// TestWhoMayCollect: the first source that a lot has chosen, whose last word while the car was inside is yes, up to what it said.
func TestWhoMayCollect(t *testing.T) {
	entered := time.UnixMilli(1_700_000_000_000)
	left := entered.Add(2 * time.Hour)
	yes := func(source string, after time.Duration, most int64) Permission {
		return Permission{Source: source, State: permitGranted, Most: most, At: entered.Add(after), Reference: source}
	}
	no := func(source string, after time.Duration) Permission {
		return Permission{Source: source, State: permitBlocked, At: entered.Add(after)}
	}
	const pay, city, hour = collectPayment, collectCity, time.Hour
	for what, c := range map[string]struct {
		said []Permission
		want string // who collects a bill of 20.00
	}{
		"nobody has said anything":            {nil, ""},
		"the provider, any amount":            {[]Permission{yes(pay, hour, 0)}, pay},
		"the provider, just as much":          {[]Permission{yes(pay, hour, 2000)}, pay},
		"the provider, less":                  {[]Permission{yes(pay, hour, 1999)}, ""},
		"the provider less, the city more":    {[]Permission{yes(pay, hour, 1999), yes(city, hour, 2001)}, city},
		"both: as the lot has them in order":  {[]Permission{yes(city, hour, 0), yes(pay, hour, 0)}, pay},
		"it takes its word back":              {[]Permission{yes(pay, hour, 0), no(pay, hour+time.Minute)}, ""},
		"and changes its mind again":          {[]Permission{yes(pay, hour, 0), no(pay, hour+time.Minute), yes(pay, hour+2*time.Minute, 0)}, pay},
		"it lowers what it permits":           {[]Permission{yes(pay, hour, 0), yes(pay, hour+time.Minute, 100)}, ""},
		"another's no is not the provider's":  {[]Permission{yes(pay, hour, 0), no(city, hour+time.Minute)}, pay},
		"of an earlier visit":                 {[]Permission{yes(pay, -hour, 0)}, ""},
		"of an earlier visit, and of this no": {[]Permission{yes(pay, -hour, 0), no(pay, hour)}, ""},
		"after the car has left":              {[]Permission{yes(pay, 3*hour, 0)}, ""},
		"its no comes after the car has left": {[]Permission{yes(pay, hour, 0), no(pay, 3*hour)}, pay},
		"as it comes in, by another clock":    {[]Permission{yes(pay, -time.Minute, 0)}, pay},
	} {
		t.Run(what, func(t *testing.T) {
			m, done := newMill(t, "", 1)
			defer done()
			for _, p := range c.said {
				p.Venue, p.Plate, p.By = "lot", []byte("p"), ledger.ActorGateway
				_, err := ledger.Do(context.Background(), m.ledger, permit, p)
				must(t, err)
			}
			got := ""
			must(t, m.ledger.View(context.Background(), func(q ledger.Querier) error {
				p, err := permitted(q, UsualSettings(), &stay{venue: "lot", plate: []byte("p"), entered: entered, left: left}, 2000)
				if p != nil {
					got = p.source
				}
				return err
			}))
			if got != c.want {
				t.Errorf("it is collected by %q, want %q", got, c.want)
			}
		})
	}
}
