package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// glance looks for what must not be even for a moment.
func (k *hotelKiller) glance() error {
	s, err := lookAround(k.place, k.serve)
	if err != nil {
		return err
	}
	for _, p := range k.lobby.present() {
		for _, what := range s.of(p.guests).always(len(p.People)) {
			k.found(p, what, &s, "much that is not over yet")
		}
	}
	return nil
}

// check waits until what every party was told agrees with the books, or the time is over, and counts what does not. What
// must not be even for a moment counts at once.
func (k *hotelKiller) check() error {
	deadline := k.restart.Add(settledWithin)
	for {
		s, err := lookAround(k.place, k.serve)
		if err != nil {
			return err
		}
		if err := k.askStaff(&s); err != nil {
			return err
		}
		late := time.Now().After(deadline)
		wrong := 0
		for _, p := range k.lobby.parties {
			x, t := s.of(p.guests), s.tale(p)
			always := x.always(len(p.People))
			for _, what := range x.settled(t, len(p.People)) {
				wrong++
				if late || slices.Contains(always, what) {
					k.found(p, what, &s, fmt.Sprintf("%s: %+v", p.words(), t))
				}
			}
		}
		if wrong == 0 || late {
			t := k.totals
			t.slowest = max(t.slowest, time.Since(k.restart))
			if wrong > 0 {
				t.late++
			}
			k.count(&s)
			return nil
		}
		if err := wait(k.run.ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// askStaff claims the assists of journeys that no kiosk was told of, since the gateway died before it could say so, and
// learns whose they are.
func (k *hotelKiller) askStaff(s *sight) error {
	known := map[string]bool{}
	for _, p := range k.lobby.parties {
		for _, v := range p.visits {
			known[toldBy(v.final).Journey] = true
		}
	}
	for _, a := range s.assists {
		if _, asked := k.facts[a.ID]; asked || known[a.Journey] {
			continue
		}
		text, err := claimFacts(k.place.world, k.serve, a.ID)
		if err != nil {
			return err
		}
		k.facts[a.ID] = text
		k.totals.claimed++
	}
	s.facts = k.facts
	return nil
}

// found counts a finding once, and says what is known of it.
func (k *hotelKiller) found(p *party, what int, s *sight, tale string) {
	key := fmt.Sprintf("%s %d", p.ID, what)
	if k.seen[key] {
		return
	}
	k.seen[key] = true
	k.totals.bad[what]++
	fmt.Fprintf(k.run.progress, "check-in-kill: block %d: %s: booking %s: %+v; told %s\n", k.totals.blocks, stayFaults()[what], p.ID,
		s.of(p.guests), tale)
}

// words are the answers to a party, once all its visits are over.
func (p *party) words() string {
	var all []string
	for _, v := range p.visits {
		all = append(all, strings.Join(v.heard, "; then ")+" "+toldBy(v.final).Assist.Kind)
	}
	return strings.Join(all, ", ")
}

// present are the parties that have come so far.
func (l *lobby) present() []*party {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.parties)
}

// count adds the block's parties to the totals.
func (k *hotelKiller) count(s *sight) {
	t := k.totals
	for _, p := range k.lobby.parties {
		x, told := s.of(p.guests), s.tale(p)
		t.parties++
		switch {
		case x.left:
			t.left++
		case x.in && len(told.open) > 0:
			t.in++
			t.handed++
		case x.in:
			t.in++
			t.complete++
		}
		for _, v := range p.visits {
			t.visits++
			t.attempts += v.attempts
			t.answers[v.word()]++
		}
	}
}

// word says in short what was asked and answered.
func (v *visit) word() string {
	what := "to a check-in: "
	switch {
	case v.leaving:
		what = "to a check-out: "
	case v.back:
		what = "to a check-in after leaving: "
	}
	last, _, _ := strings.Cut(v.last, " (replayed)")
	return strings.TrimSpace(what + last + " " + toldBy(v.final).Assist.Kind)
}
