package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/flows/sandbox/sandboxtest"
)

// told is what one system was told in a journey, as the caller sees it.
type told struct {
	System, Purpose string
	Fields          []string
}

// TestEveryJourneyIsTheCallersToFollow: what has become of it, which system was told which of its fields and why, and what the
// caller thought of it. It is nobody else's.
func TestEveryJourneyIsTheCallersToFollow(t *testing.T) {
	t.Parallel()
	b := sandboxtest.Start(t)
	as := func(role string) map[string]string {
		return map[string]string{"Authorization": "Bearer " + b.Tokens[role], "Accept-Language": "en", "Content-Type": "application/json",
			"Idempotency-Key": fmt.Sprintf(`"%d"`, time.Now().UnixNano())}
	}
	for _, c := range []struct {
		example, role string
		told          []string // system: fields: purpose
	}{
		{"scenic-entry", "gate", []string{"ticketing: ticket.code: Find the ticket", "ticketing: ticket.code: Redeem the ticket"}},
		{"hotel-check-in", "kiosk", []string{"pms: guest.name guest.document: Find the booking",
			"identity: guest.name guest.document guest.face: Compare the face with the document",
			"police: guest.name guest.document guest.birth_date guest.nationality: Register the guest"}},
		{"rooms-booking", "traveller", []string{"pms: guest.name: Book the room"}},
		{"parking-exit", "barrier", []string{"payment: plate: Collect a parking bill"}},
	} {
		var begun struct{ Journey string }
		if status, text := b.Example(c.example); status/100 != 2 || json.Unmarshal([]byte(text), &begun) != nil || begun.Journey == "" {
			t.Fatalf("%s: %d %s", c.example, status, text)
		}
		var text string
		var seen []string
		sandboxtest.Await(t, 10*time.Second, c.example+" has told everybody", func() bool {
			seen, text = tellings(t, b, as(c.role), begun.Journey)
			return len(seen) >= len(c.told)
		})
		slices.Sort(c.told)
		if !slices.Equal(seen, c.told) {
			t.Errorf("%s has told %q, want %q", c.example, seen, c.told)
		}
		for _, secret := range []string{"浙", "样例", "9900"} { // of plates, names and documents
			if strings.Contains(text, secret) {
				t.Errorf("%s: a value is shown: %s", c.example, text)
			}
		}
		at := b.API + "/v1/journeys/" + begun.Journey
		var now struct{ ID, State string }
		if status, text := b.Do("GET", at, as(c.role), nil); status != 200 || json.Unmarshal([]byte(text), &now) != nil || now.ID != begun.Journey || now.State != "done" {
			t.Errorf("%s: %d %s", c.example, status, text)
		}
		for _, want := range []int{201, 409} {
			if status, text := b.Do("POST", at+"/feedback", as(c.role), []byte(`{"rating":5,"text":"quick"}`)); status != want {
				t.Errorf("the feedback on %s: %d %s", c.example, status, text)
			}
		}
		if status, text := b.Do("GET", at, as("reader"), nil); status != 404 {
			t.Errorf("%s is another's: %d %s", c.example, status, text)
		}
		if status, text := b.Do("POST", at+"/feedback", as("reader"), []byte(`{"rating":1}`)); status != 404 {
			t.Errorf("another's feedback on %s: %d %s", c.example, status, text)
		}
	}
}

// tellings are what a journey has told whom and why, in order, and the answer that says it.
func tellings(t *testing.T, b *sandboxtest.Box, as map[string]string, journey string) (all []string, text string) {
	t.Helper()
	_, text = b.Do("GET", b.API+"/v1/me/accesses", as, nil)
	var page struct {
		Accesses []struct {
			Journey string
			Told    []told
		}
	}
	if err := json.Unmarshal([]byte(text), &page); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	for _, a := range page.Accesses {
		for _, x := range a.Told {
			if a.Journey == journey {
				all = append(all, x.System+": "+strings.Join(x.Fields, " ")+": "+x.Purpose)
			}
		}
	}
	slices.Sort(all)
	return all, text
}
