package parking_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// what the lot has come to: its visits in order, each as its hours, state, price and how often its bill was corrected, and
// its exits that wait.
func (g *garage) becomes(zero time.Time) string {
	g.t.Helper()
	var all []string
	hour := func(ms int64) string { return fmt.Sprint(time.UnixMilli(ms).Sub(zero).Round(time.Minute).Hours()) }
	g.rows(`SELECT s.entered_at, s.left_at, s.state, COALESCE(b.price, -1) FROM parking_stays s LEFT JOIN parking_bills b ON b.stay = s.id
		WHERE s.state <> 'void' ORDER BY s.entered_at`, func(scan func(...any) error) error {
		var entered, left, price int64
		var state string
		err := scan(&entered, &left, &state, &price)
		line := hour(entered) + " " + state
		if state == "exited" {
			line += fmt.Sprintf(" %s: %d", hour(left), price)
		}
		all = append(all, line)
		return err
	})
	g.rows(`SELECT occurred_at FROM parking_events WHERE state = 'parked' ORDER BY occurred_at`, func(scan func(...any) error) error {
		var at int64
		err := scan(&at)
		all = append(all, "parked "+hour(at))
		return err
	})
	return strings.Join(all, "; ")
}

// TestWhatEventsComeTo: each row is what the package's comment says in words, and comes out the same in every order.
func TestWhatEventsComeTo(t *testing.T) {
	for _, c := range []struct {
		what   string
		events string // in order: i or o, and the hour; a minute behind a point
		want   string
	}{
		{"a visit", "i0 o3", "0 exited 3: 3000"},
		{"inside", "i0", "0 open"},
		{"an exit before its entry", "o3", "parked 3"},
		{"entry twice", "i0 i2", "0 unseen; 2 open"},
		{"entry twice, then out", "i0 i2 o3", "0 unseen; 2 exited 3: 1000"},
		{"exit twice", "i0 o2 o3", "0 exited 2: 2000; parked 3"},
		{"two visits read as one long stay, entry found", "i0 i4 o6", "0 unseen; 4 exited 6: 2000"},
		{"two visits read as one long stay, both found", "i0 o2 i4 o6", "0 exited 2: 2000; 4 exited 6: 2000"},
		{"read twice in passing", "i0 i0.01 o2 o2.01", "0 exited 2: 2000"},
		{"read again and again in passing", "i0 i0.01 i0.02 o2", "0 exited 2: 2000"},
		{"an earlier exit", "i0 o1 o5", "0 exited 1: 1000; parked 5"},
		{"a full day", "i0 o24", "0 exited 24: 6000"},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			words := strings.Fields(c.events)
			for _, order := range orders(len(words)) {
				g := start(t, nil)
				zero := ago(48 * time.Hour)
				for _, i := range order {
					var hour, minute int
					_, _ = fmt.Sscanf(words[i][1:], "%d.%d", &hour, &minute)
					at := zero.Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute)
					if words[i][0] == 'i' {
						g.enter(plateA, at)
					} else {
						g.leave(plateA, at)
					}
					g.verify()
				}
				if got := g.becomes(zero); got != c.want {
					t.Errorf("in the order %v: %s, want %s", order, got, c.want)
				}
			}
		})
	}
}

// orders are all orders of n things, or some of them where there are many.
func orders(n int) (all [][]int) {
	if n == 1 {
		return [][]int{{0}}
	}
	for _, o := range orders(n - 1) {
		for i := range n {
			all = append(all, slices.Insert(slices.Clone(o), i, n-1))
		}
	}
	if len(all) > 6 {
		step := len(all)/6 + 1
		for i := 0; i*step < len(all); i++ {
			all[i] = all[i*step]
		}
		all = all[:len(all)/step]
	}
	return all
}
