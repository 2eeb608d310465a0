package main

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"time"
)

const (
	killWorkers   = 10                     // visitors at the gates at once
	killWithin    = 700 * time.Millisecond // of the program being ready
	killsAtMost   = 4                      // in a block, before everything must be settled
	killBetween   = 10 * time.Millisecond  // two visitors of one worker
	killStock     = 200                    // tickets sold before a block
	killsPerWorld = 48                     // then a new city and a new ledger
	settledWithin = 30 * time.Second       // of the last restart
	killLease     = time.Second            // of a run, so that a block's recovery is soon
)

// provesKill kills the real program at random moments while visitors come through the gates and ticketing fails at random,
// and holds what visitors were told against the twin's books. Its ledger is on the disk, with every flush.
//
// A block is one to four kills in a row, the faults still on after the last restart; then they end, every visitor goes on
// as a turnstile does (same scan, same key) until the answer is final, but for some who leave when there
// is none; and all must be settled within 30 s of the restart. Whoever is inside has had their ticket redeemed.
func provesKill(r *run) error {
	t := &killTotals{answers: map[string]int{}}
	for world := 0; t.kills < r.n; world++ {
		k := &killer{run: r, totals: t, chance: rand.New(rand.NewPCG(r.seed, uint64(world)))}
		if err := k.world(world, min(killsPerWorld, r.n-t.kills)); err != nil {
			return err
		}
	}
	t.say(r.report)
	return nil
}

// killTotals is what all blocks came to.
type killTotals struct {
	kills, blocks, scans, people, replays, attempts, keys, pending, prewarmed, left int
	answers                                                                         map[string]int
	lost, endless, doubled, wrong, twice, forgotten, miscounted, late               int
	slowest                                                                         time.Duration
}

func (t *killTotals) say(to *report) {
	to.note("kills / blocks", "%d / %d", t.kills, t.blocks)
	to.note("scans / attempts at them", "%d / %d", t.scans, t.attempts)
	to.note("keys changed, since the old one repeats a retryable refusal", "%d", t.keys)
	to.note("visitors who left without an answer", "%d", t.left)
	for _, word := range slices.Sorted(maps.Keys(t.answers)) {
		to.note("final answer "+word, "%d", t.answers[word])
	}
	to.note("people let in", "%d", t.people)
	to.note("gates opened before ticketing was told / on the day's list alone", "%d / %d", t.pending, t.prewarmed)
	to.note("answers asked for again, after the settling", "%d", t.replays)
	to.note("longest from the last restart to all settled", "%.1f s", t.slowest.Seconds())
	to.exactly("tickets redeemed twice", t.twice, 0)
	to.exactly("tickets with two admissions", t.doubled, 0)
	to.exactly("admissions without a redemption or an assist", t.wrong, 0)
	to.exactly("visitors refused though nobody came in on their ticket", t.lost, 0)
	to.exactly("visitors without a final answer 30 s after the restart", t.endless, 0)
	to.exactly("answers that changed when asked for again", t.forgotten, 0)
	to.exactly("blocks whose count of people inside is wrong", t.miscounted, 0)
	to.exactly("blocks not settled within 30 s of the restart", t.late, 0)
}

// killer works in one city.
type killer struct {
	run     *run
	totals  *killTotals
	chance  *rand.Rand
	city    *world
	serve   *child
	visits  *visits
	restart time.Time // the last one
	before  int       // people inside from earlier blocks
}

func (k *killer) world(number, kills int) (err error) {
	k.city, err = newWorld(filepath.Join(k.run.dir, fmt.Sprint(number)), k.chance.Uint64(), nil, killEdits("scenic-entry")...)
	if err != nil {
		return err
	}
	defer k.city.close()
	if k.serve, err = k.run.started(k.city); err != nil {
		return err
	}
	if k.visits, err = newVisits(k.city, k.serve); err != nil {
		return err
	}
	err = k.run.inBlocks("kill", &k.totals.kills, kills, killsAtMost, k.chance, k.block)
	return errors.Join(err, k.serve.stop())
}

// block kills n times and then holds everything to the books.
func (k *killer) block(n int) error {
	k.visits.begin(k.chance.Uint64())
	dials := turning{k.city.city, spot, []string{"octo"}, 50 * time.Millisecond, 250 * time.Millisecond}
	killing := storm{run: k.run, serve: k.serve, chance: k.chance, within: killWithin, calm: 300 * time.Millisecond, faults: dials.faults,
		back: func() error {
			k.totals.kills++
			k.restart = time.Now()
			return nil
		}}
	if err := killing.blow(n); err != nil {
		return err
	}
	k.totals.blocks++
	k.visits.end(k.restart.Add(settledWithin))
	return k.check()
}
