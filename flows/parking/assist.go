package parking

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/ledger"
)

// The ways in which staff settle an assist of this journey.
var (
	sayPlate   = gateway.Text{Zh: "更正车牌", En: "Give the exit its right plate"}
	sayEntered = gateway.Text{Zh: "补录入场时间", En: "Say when it came in"}
	sayLetGo   = gateway.Text{Zh: "不予收费", En: "Let it go"}
	saySettled = gateway.Text{Zh: "已处理", En: "Settled"}
)

// wordMatched is how the gateway itself settles an exit whose entry has come after all.
const wordMatched = "matched"

func assists() []flow.Assist {
	settled := []flow.Resolution{{Word: "settled", Name: saySettled}}
	return []flow.Assist{
		{Kind: handUnmatched.Kind, Resolutions: []flow.Resolution{
			{Word: "plate", Name: sayPlate, Run: rereadExit},
			{Word: "entered", Name: sayEntered, Run: enterByHand},
			{Word: "let-go", Name: sayLetGo, Run: letGo},
		}},
		{Kind: handReport.Kind, Resolutions: settled},
		{Kind: handCharge.Kind, Resolutions: settled},
		{Kind: handUnpriced.Kind, Resolutions: settled},
	}
}

// openAbout opens an assist about a.Subject, also where a.Run has one of that kind about something else: then under the kind
// with a number behind it, which is settled in the same ways.
func openAbout(tx *ledger.Tx, a ledger.Assist) error {
	kind := a.Kind
	for n := 2; ; n++ {
		there, err := tx.OpenAssist(a)
		if err != nil || there.Subject == a.Subject && there.State != ledger.AssistResolved {
			return err
		}
		a.Kind = kind + "-" + strconv.Itoa(n)
	}
}

// settleAbout settles for the gateway what openAbout has opened.
func settleAbout(tx *ledger.Tx, venue, kind, subject, word string) error {
	name := kind
	for n := 2; n <= maxEvents+1; n++ {
		done, err := tx.SettleAssist(venue, name, subject, word)
		if err != nil || done {
			return err
		}
		name = kind + "-" + strconv.Itoa(n)
	}
	return nil
}

// exitFacts is what a person sees of an exit that has no entry.
type exitFacts struct {
	Event    string    `json:"event_id"`
	Plate    string    `json:"plate"`
	Gate     string    `json:"gate"`
	Occurred time.Time `json:"occurred_at"`
}

// overdue asks a person about exits of a lot whose entries have not come.
type overdue struct {
	rt     *flow.Runtime
	venue  *gateway.Venue
	before time.Time
}

const overdueAtOnce = 50 // in one commit, so that no car waits long behind it

var askOverdue = &ledger.Decision[overdue, int]{Name: "parking.ask-overdue", Run: func(tx *ledger.Tx, o overdue) (int, error) {
	due, err := listOf(tx, scanReading, `SELECT `+readingColumns+` FROM parking_events WHERE venue = $1 AND state = 'parked' AND received_at <= $2
		ORDER BY received_at LIMIT $3`, o.venue.ID, o.before.UnixMilli(), overdueAtOnce)
	if err != nil {
		return 0, err
	}
	for _, r := range due {
		plate, err := openPlate(o.rt.Ledger.Keys(), r.dataKey, r.sealed)
		if err != nil {
			return 0, err
		}
		facts, err := o.rt.Engine.SealFacts(tx, r.run, exitFacts{Event: r.id, Plate: plate, Gate: r.gate, Occurred: flow.At(o.venue, r.at)})
		if err != nil {
			return 0, err
		}
		err = openAbout(tx, ledger.Assist{
			Run: r.run, Plan: planExit, Kind: handUnmatched.Kind, Tenant: o.venue.Tenant, Venue: o.venue.ID, NextAction: handUnmatched.Next,
			Done: []string{taskExit}, NotDone: []string{taskBill}, Facts: facts, Subject: r.id, Place: r.gate,
		})
		if err != nil {
			return 0, err
		}
		r.state = readAsked
		if err := keepReadings(tx, o.venue.ID, []*reading{r}); err != nil {
			return 0, err
		}
	}
	return len(due), nil
}}

const watchEvery = time.Minute

// watchParked hands exits that have waited too long for their entries to a person, until ctx ends.
func watchParked(ctx context.Context, rt *flow.Runtime) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		for _, v := range rt.Venues(Kind) {
			for more := true; more; {
				n, err := ledger.Do(ledger.Patient(ctx), rt.Ledger, askOverdue, overdue{rt, v, rt.Now().Add(-settingsOf(v).ParkedFor)})
				if err != nil && ctx.Err() == nil {
					rt.Logger.Warn("cannot hand exits without an entry to a person; it will be tried again", "venue", v.ID, "error", err)
				}
				more = err == nil && n == overdueAtOnce
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// unmatched reads the exit that an assist is about, and takes it back from the person who settles that: where it has no
// entry afterwards either, it waits anew.
func unmatched(tx *ledger.Tx, a flow.Opened) (*reading, error) {
	r, err := findReading(tx, a.Venue.ID, a.Subject)
	switch {
	case err != nil:
		return nil, err
	case r == nil:
		return nil, fmt.Errorf("the exit of an assist is not there")
	case r.state != readAsked: // its entry has come meanwhile
		return nil, ledger.ProblemAssistResolved.Error(gateway.Text{})
	}
	r.state = readParked
	return r, keepReadings(tx, a.Venue.ID, []*reading{r})
}

// corrected is what a person's correction has led to; nothing of it is personal.
type corrected struct {
	State string  `json:"state"`
	Bill  *Billed `json:"bill,omitempty"`
}

// rereadExit gives the exit, or the entry that a person takes for its own, the plate that a person has read.
func rereadExit(tx *ledger.Tx, rt *flow.Runtime, a flow.Opened, details []byte) (any, error) {
	var said struct {
		Plate string `json:"plate"`
		Entry string `json:"entry_event_id"` // the entry that was misread; left out: the exit was
	}
	if err := json.Unmarshal(details, &said, json.RejectUnknownMembers(true)); err != nil || len(details) == 0 {
		return nil, edge.FieldInvalid("details", "须包含 plate", "It must hold plate, and may hold entry_event_id.")
	}
	exit, err := unmatched(tx, a)
	if err != nil {
		return nil, err
	}
	to, err := readPlate("details.plate", said.Plate)
	if err != nil {
		return nil, err
	}
	which := exit
	if said.Entry != "" {
		if which, err = findReading(tx, a.Venue.ID, said.Entry); err != nil {
			return nil, err
		}
		if which == nil || which.kind != kindEntry || !which.hasPart() {
			return nil, edge.FieldInvalid("details.entry_event_id", "没有这条入场记录", "There is no such entry.")
		}
	}
	c := correction{rt: rt, venue: a.Venue, run: a.Run, seed: a.ID, by: a.By, why: "plate-corrected"}
	if err := c.replate(tx, which, to); err != nil {
		return nil, err
	}
	return c.say(tx, exit)
}

// enterByHand makes the entry of an exit that nobody has read.
func enterByHand(tx *ledger.Tx, rt *flow.Runtime, a flow.Opened, details []byte) (any, error) {
	var said struct {
		At time.Time `json:"entered_at"`
	}
	if err := json.Unmarshal(details, &said, json.RejectUnknownMembers(true)); err != nil || said.At.IsZero() {
		return nil, edge.FieldInvalid("details", "须包含 entered_at", "It must hold entered_at, a time with its offset.")
	}
	exit, err := unmatched(tx, a)
	if err != nil {
		return nil, err
	}
	if at := said.At; !at.Before(exit.at) || at.Before(exit.at.Add(-maxOldest)) {
		return nil, edge.FieldInvalid("details.entered_at", "须早于出场时间", fmt.Sprintf("It must be before the exit, and not more than %s before it.", maxOldest))
	}
	entry := *exit
	entry.id, entry.kind, entry.at, entry.received = "by-hand:"+a.ID, kindEntry, said.At.Truncate(time.Millisecond), tx.Now()
	entry.run, entry.state, entry.stay, entry.keptState, entry.answer = a.Run, readCounted, "", "", "{}"
	c := correction{rt: rt, venue: a.Venue, run: a.Run, seed: a.ID, by: a.By, why: "entry-by-hand"}
	if err := c.place(tx, exit.plate, entry.at, &entry); err != nil {
		return nil, err
	}
	if _, err := insertReading(tx, a.Venue.ID, &entry); err != nil {
		return nil, err
	}
	return c.say(tx, exit)
}

// letGo settles that nothing follows from an exit.
func letGo(tx *ledger.Tx, _ *flow.Runtime, a flow.Opened, _ []byte) (any, error) {
	r, err := unmatched(tx, a)
	if err != nil {
		return nil, err
	}
	r.state = readSettled
	return corrected{State: r.state}, keepReadings(tx, a.Venue.ID, []*reading{r})
}
