package checkin_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/warmgate/warmgate/backends/identity"
	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/flows/checkin/checkintest"
	"github.com/warmgate/warmgate/flows/flowtest"
)

// TestTheSameRequestAgain: a request that is sent again under its key is answered as it was, whatever has changed since and
// whether or not the hotel's systems answer, and nothing more is done. (What is refused before anything is recorded is judged
// anew.)
func TestTheSameRequestAgain(t *testing.T) {
	t.Parallel()
	c := start(t, "")
	post := func(last, key string, body any) flowtest.Answer {
		return c.Do(flowtest.Call{Method: http.MethodPost, Path: "/v1/hotels/" + hotel + "/" + last, Token: c.Token("kiosk", "hotel:check-in"), Key: key, Body: body})
	}
	b, other := c.Book(hotel, ""), c.Book(hotel, "")
	stranger := c.Book(hotel, "", c.Person(hotel, identity.Want{Face: identity.Other}))
	leaving := func(b checkintest.Booked) m {
		d := b.People[0].Document
		return m{"kiosk": "lobby-1", "document": m{"type": d.Type, "number": d.Number}}
	}
	sent := []struct {
		last, key string
		body      any
		status    int
		first     flowtest.Answer
	}{
		{last: "check-ins", key: "in", body: b.Arrival("lobby-1"), status: http.StatusCreated},
		{last: "check-ins", key: "stranger", body: stranger.Arrival("lobby-1"), status: http.StatusAccepted},
		{last: "check-outs", key: "out", body: leaving(b), status: http.StatusCreated},
		{last: "check-outs", key: "nobody", body: leaving(other), status: http.StatusNotFound},
	}
	for i := range sent {
		if i == 2 {
			c.Tomorrow()
		}
		if sent[i].first = post(sent[i].last, sent[i].key, sent[i].body); sent[i].first.Status != sent[i].status {
			t.Fatalf("%s: %d %s", sent[i].key, sent[i].first.Status, sent[i].first.Text)
		}
	}
	c.Quiet()
	same := func(when string) {
		t.Helper()
		for _, x := range sent {
			a := post(x.last, x.key, x.body)
			if a.Status != x.first.Status || a.Text != x.first.Text || a.Header.Get("Idempotent-Replayed") != "true" {
				t.Errorf("%s, %s again: %d %s, replayed %q; at first %d %s", when, x.key, a.Status, a.Text, a.Header.Get("Idempotent-Replayed"), x.first.Status, x.first.Text)
			}
		}
	}
	before := c.Number(`SELECT count(*) FROM operations`) + c.Number(`SELECT count(*) FROM assists`) + c.Number(`SELECT count(*) FROM stays`)
	same("all is well")
	for _, system := range []string{"pms", "identity", "police"} {
		c.Dial(hotel, system, twin.Dial{Fault: twin.Refuse})
	}
	same("nothing answers")
	if n := c.Number(`SELECT count(*) FROM operations`) + c.Number(`SELECT count(*) FROM assists`) + c.Number(`SELECT count(*) FROM stays`); n != before {
		t.Errorf("%d rows became %d", before, n)
	}
	if x := c.Truth(b); x.CheckIns != 1 || x.KeySets != 1 || !x.Left || len(x.Police) != 1 {
		t.Errorf("the systems have %+v", x)
	}
	if a := post("check-ins", "in", other.Arrival("lobby-1")); a.Problem() != "idempotency-key-reused" || strings.Contains(a.Text, b.Confirmation) {
		t.Errorf("another request under the key: %d %s", a.Status, a.Text)
	}
}

// TestAsMuchAtOnceAsTheBulkheadLetsThrough: a hotel's clients have the connections that their bulkheads promise, also for
// parties whose faces are all compared at once.
func TestAsMuchAtOnceAsTheBulkheadLetsThrough(t *testing.T) {
	t.Parallel()
	c := checkintest.Start(t, nil, checkintest.Hotel{ID: hotel, Rooms: rooms(120), Instance: "{ max_in_flight: 12 }"})
	c.Dial(hotel, "identity", twin.Dial{LatencyMS: 80})
	answers := make(chan string, 8) // each asks the hotel for its booking, and one of them for the rooms
	for range cap(answers) {
		b := c.Book(hotel, "", c.Person(hotel, identity.Want{}), c.Person(hotel, identity.Want{}), c.Person(hotel, identity.Want{}))
		go func() { answers <- checkintest.Outcome(c.T, c.CheckIn(hotel, b.Arrival("lobby-1"))) }()
	}
	for range cap(answers) {
		if got := <-answers; !strings.HasPrefix(got, "checked-in") {
			t.Errorf("%s", got)
		}
	}
}
