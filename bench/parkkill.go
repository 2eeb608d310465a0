package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"time"

	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/backends/wechatpay"
)

const (
	parkKillWithin    = 600 * time.Millisecond // of the program being ready
	parkKillsMost     = 4                      // in a block, before everything must have its answer
	killsPerGarage    = 50                     // then everything must be settled, and a new city and a new ledger begin
	silentFrom        = 20                     // kills in a city, from which its provider may tell nothing for a while
	parkAnswerWithin  = 45 * time.Second       // of the last restart: every event has its answer by then
	parkSettledWithin = 100 * time.Second      // of the last restart: what was not told is asked for after thirty seconds, then after sixty
)

// provesParkingKill kills the real program at random moments while cars come in and leave, and while the payment provider and
// the city fail at random: they hang, reset, answer 500 or garbage, take a charge and lose the answer, notify late, several
// times or not at all. What barriers were told is held against the systems' own books and the gateway's. Its ledger is on
// the disk, with every flush.
//
// A block is one to four kills in a row, the faults still on after the last restart; then they end, and every event goes on
// until its answer is final. What must not be even for a moment is looked for after each block, all the rest once every
// block of a city is over and what is left to the outbox has settled.
func provesParkingKill(r *run) error {
	t := &parkTotals{answers: map[string]int{}}
	for number := 0; t.kills < r.n; number++ {
		k := &parkKiller{run: r, totals: t, chance: rand.New(rand.NewPCG(r.seed, uint64(number))), seen: map[string]bool{}}
		if err := k.city(number, min(killsPerGarage, r.n-t.kills)); err != nil {
			return err
		}
	}
	t.say(r.report)
	return nil
}

// parkTotals is what all cities came to.
type parkTotals struct {
	kills, blocks, cities, cars, visits, events, attempts, unkept int
	answers, bills                                                map[string]int
	charged, collected, orders, assists, asked                    int
	bad                                                           [parkKinds]int
	slowest                                                       time.Duration
}

func (t *parkTotals) say(to *report) {
	to.note("kills / blocks / cities", "%d / %d / %d", t.kills, t.blocks, t.cities)
	to.note("cars / visits / events / attempts at them", "%d / %d / %d / %d", t.cars, t.visits, t.events, t.attempts)
	to.note("exits that opened the barrier though the ledger was unavailable, and were told again", "%d", t.unkept)
	for _, word := range slices.Sorted(maps.Keys(t.answers)) {
		to.note("final answer "+word, "%d", t.answers[word])
	}
	for _, word := range slices.Sorted(maps.Keys(t.bills)) {
		to.note("bills in the end: "+word, "%d", t.bills[word])
	}
	to.note("orders to collect / taken by the provider / by the city", "%d / %d / %d", t.orders, t.charged, t.collected)
	to.note("assists that wait for a person", "%d", t.assists)
	to.note("exits told again after the settling", "%d", t.asked)
	to.note("longest from the last restart to all settled", "%.1f s", t.slowest.Seconds())
	for what, name := range parkFaults() {
		to.exactly(name, t.bad[what], 0)
	}
}

// parkKiller works in one city.
type parkKiller struct {
	run     *run
	totals  *parkTotals
	chance  *rand.Rand
	garages *garages
	traffic *traffic
	peek    *peek
	silent  bool
	restart time.Time       // the last one
	seen    map[string]bool // what is counted already
}

// city builds a garage and kills before it, then settles.
func (k *parkKiller) city(number, kills int) (err error) {
	k.garages, err = newGarages(k.run, filepath.Join(k.run.dir, fmt.Sprint(number)), k.chance.Uint64(), 1, parkKillEdits()...)
	if err != nil {
		return err
	}
	defer k.garages.close()
	k.silent = kills >= silentFrom
	k.totals.cities++
	return k.garages.underServe(func() error {
		k.traffic = newTraffic(k.garages)
		if k.peek, err = openPeek(k.garages.world); err != nil {
			return err
		}
		defer k.peek.close()
		for done := 0; done < kills; {
			n := min(kills-done, 1+k.chance.IntN(parkKillsMost))
			if err := k.block(n); err != nil {
				return err
			}
			done += n
			fmt.Fprintf(k.run.progress, "parking-kill: %d of %d\n", k.totals.kills, k.run.n)
		}
		k.traffic.empty(k.restart.Add(parkAnswerWithin), k.chance)
		return k.settle()
	})
}

// parkKillEdits are how the shipped configuration differs: short leases, quick deliveries, all of them for
// the one garage.
func parkKillEdits() []edit {
	all := append(quickDeliveries(), edit{"gateway.yaml", `\n  attempt_timeout: \S+`, "\n  attempt_timeout: 1s"}, edit{"gateway.yaml", `\n  lease: \S+`, "\n  lease: 3s"},
		edit{"gateway.yaml", `\n  per_venue: \S+`, "\n  per_venue: 32"})
	for _, plan := range []string{"parking-entry", "parking-exit"} {
		all = append(all, edit{"gateway.yaml", `(  ` + plan + `:\n(?:    [a-z_]+: .*\n)*?)    lease: \S+`, "${1}    lease: " + killLease.String()})
	}
	return all
}

// block kills n times while cars come and go, and waits until each event has its answer.
func (k *parkKiller) block(n int) error {
	k.traffic.begin(k.chance.Uint64())
	killing := storm{run: k.run, serve: k.garages.serve, chance: k.chance, within: parkKillWithin, calm: 300 * time.Millisecond, faults: k.faults,
		back: func() error {
			k.totals.kills++
			k.restart = time.Now()
			return nil
		}}
	if err := killing.blow(n); err != nil {
		return errors.Join(err, k.traffic.end(time.Now()))
	}
	k.totals.blocks++
	if err := k.traffic.end(k.restart.Add(parkAnswerWithin)); err != nil {
		return err
	}
	return k.glance()
}

// faults turns the dials of the garage's systems, and how the provider notifies, until ctx ends; then all are well.
func (k *parkKiller) faults(ctx context.Context, chance *rand.Rand) (err error) {
	lot, kinds := k.traffic.lot, k.garages.kinds()
	for ctx.Err() == nil && err == nil {
		if at := chance.IntN(len(kinds) + 1); at < len(kinds) {
			err = k.garages.city.Dial(kinds[at], lot.id, drawDial(chance))
		} else {
			err = lot.provider.Do(wechatpay.Want{What: wechatpay.MakeBehave, Behaviour: drawBehaviour(chance, k.silent)})
		}
		_ = wait(ctx, time.Duration(30+chance.IntN(120))*time.Millisecond)
	}
	err = errors.Join(err, lot.provider.Do(wechatpay.Want{What: wechatpay.MakeBehave, Behaviour: wechatpay.Behaviour{RetryMS: 100}}))
	for _, kind := range kinds {
		err = errors.Join(err, k.garages.city.Dial(kind, lot.id, twin.Dial{}))
	}
	return err
}

// drawBehaviour draws how the provider decides and tells: late, before its answer, several times, or not at all.
func drawBehaviour(chance *rand.Rand, silent bool) wechatpay.Behaviour {
	b := wechatpay.Behaviour{DecideMS: chance.IntN(250), NotifyMS: chance.IntN(300), Copies: 1 + chance.IntN(3), GapMS: chance.IntN(80),
		Early: chance.IntN(3) == 0, RetryMS: 100}
	b.Mute = silent && chance.IntN(6) == 0
	return b
}
