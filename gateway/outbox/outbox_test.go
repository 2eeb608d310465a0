package outbox_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/outbox"
)

var quick = outbox.Config{Workers: 4, PerVenue: 2, AttemptTimeout: time.Second, Lease: 4 * time.Second,
	BackoffMin: 100 * time.Millisecond, BackoffMax: 2 * time.Second, MaxAttempts: 50, GiveUpAfter: time.Hour, Poll: time.Minute}

func TestKickDeliversAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, quick)
		defer w.close()
		synctest.Wait()
		began := time.Now()
		w.enqueue("a", "v", 0, "ok")
		w.box.Kick()
		synctest.Wait()
		if m, _ := w.state("a"); m.State != ledger.MessageDone || time.Since(began) != 0 {
			t.Errorf("after %v: %+v", time.Since(began), m)
		}
	})
}

func TestPollFindsWhatNobodyKicked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, quick)
		defer w.close()
		synctest.Wait()
		w.enqueue("a", "v", 0, "ok")
		time.Sleep(quick.Poll + time.Second)
		if m, _ := w.state("a"); m.State != ledger.MessageDone {
			t.Errorf("%+v", m)
		}
	})
}

func TestFailuresAreTriedAgainUntilTheyAreDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, quick)
		defer w.close()
		w.enqueue("a", "v", 0, "fail", "panic", "hang", "fail", "slow")
		w.box.Kick()
		time.Sleep(30 * time.Second)
		m, assists := w.state("a")
		if _, successes := w.tried("a"); m.State != ledger.MessageDone || m.Attempts != 5 || successes != 1 || assists != 0 {
			t.Errorf("%+v after %d successes, %d assists", m, successes, assists)
		}
		s, err := w.box.Stats(context.Background())
		if err != nil || s.Delivered != 1 || s.Failed != 4 || s.Panicked != 1 || s.InFlight != 0 || s.Waiting != 0 {
			t.Errorf("stats %+v, %v", s, err)
		}
	})
}

func TestDeadLettersBecomeOneAssistEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := quick
		cfg.MaxAttempts, cfg.GiveUpAfter = 5, 20*time.Second
		w := newWorld(t, cfg)
		defer w.close()
		w.enqueue("final", "v", 0, "fail", "dead")
		w.enqueue("often", "v", 0, "fail")
		w.enqueue("due", "v", 700*time.Millisecond, "fail")
		err := w.ledger.Commit(context.Background(), doing(func(tx *ledger.Tx) error {
			return tx.Enqueue(ledger.Message{Key: "odd", Kind: "nobody knows", Run: "run-odd", Venue: "v"})
		}))
		if err != nil {
			t.Error(err)
		}
		w.box.Kick()
		time.Sleep(time.Minute)
		for key, attempts := range map[string]int{"final": 2, "often": 5, "due": 0, "odd": 5} {
			m, assists := w.state(key)
			if m.State != ledger.MessageDead || assists != 1 || attempts > 0 && m.Attempts != attempts {
				t.Errorf("%s: %+v with %d assists", key, m, assists)
			}
		}
		if m, _ := w.state("due"); !m.NextAt.Equal(m.DueAt) { // its last attempt was made when it was due
			t.Errorf("died at %v, was due at %v", m.NextAt, m.DueAt)
		}
		if s, err := w.box.Stats(context.Background()); err != nil || s.Dead != 4 || s.Killed != 4 || s.Overdue != 0 {
			t.Errorf("stats %+v, %v", s, err)
		}
	})
}

func TestMessageIsGivenUpWhenItIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := quick
		cfg.GiveUpAfter = 20 * time.Second
		w := newWorld(t, cfg)
		defer w.close()
		w.enqueue("due", "v", 700*time.Millisecond, "fail")
		w.enqueue("old", "v", 0, "fail") // names no due time
		w.box.Kick()
		time.Sleep(time.Minute)
		for key, most := range map[string]int{"due": 7, "old": 30} { // back-offs of 50 to 100 ms, doubled up to 2 s
			m, assists := w.state(key)
			if m.State != ledger.MessageDead || assists != 1 || m.Attempts < 3 || m.Attempts > most {
				t.Errorf("%s: %+v with %d assists", key, m, assists)
			}
		}
		if m, _ := w.state("old"); !m.NextAt.Equal(m.QueuedAt.Add(cfg.GiveUpAfter)) {
			t.Errorf("died at %v, was queued at %v", m.NextAt, m.QueuedAt)
		}
	})
}

func TestOneBrokenVenueDoesNotHoldUpOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, quick)
		defer w.close()
		for i := range 60 {
			w.enqueue(fmt.Sprint("broken", i), "broken", 0, "hang")
		}
		time.Sleep(10 * time.Second)
		began := time.Now()
		for i := range 40 {
			w.enqueue(fmt.Sprint("sound", i), "sound", 0, "ok")
		}
		w.box.Kick()
		synctest.Wait()
		for i := range 40 {
			if m, _ := w.state(fmt.Sprint("sound", i)); m.State != ledger.MessageDone {
				t.Errorf("after %v: %+v", time.Since(began), m)
			}
		}
		w.box.Kick()
	})
}

func TestEveryVenueHasItsTurnWhenWorkersAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, quick)
		defer w.close()
		const venues = 12 // three times as many as workers, all hanging
		for v := range venues {
			for i := range 9 {
				w.enqueue(fmt.Sprint("m", v, "-", i), fmt.Sprint("v", v), 0, "hang")
			}
		}
		w.enqueue("sound", "z", 0, "ok")
		w.box.Kick()
		time.Sleep((venues/4 + 2) * quick.AttemptTimeout)
		if m, _ := w.state("sound"); m.State != ledger.MessageDone {
			t.Errorf("the last venue waits: %+v", m)
		}
	})
}

func TestCrashedDeliveryComesBackWhenItsLeaseEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, quick)
		defer w.close()
		w.enqueue("a", "v", 0, "slow", "ok")
		w.box.Kick()
		synctest.Wait() // in flight
		w.crash()
		w.start()
		time.Sleep(quick.Lease - time.Millisecond)
		tries, _ := w.tried("a")
		if m, _ := w.state("a"); m.State != ledger.MessageWaiting || tries != 1 {
			t.Errorf("before the lease has ended: %+v, %d tries", m, tries)
		}
		time.Sleep(10 * time.Millisecond)
		if m, _ := w.state("a"); m.State != ledger.MessageDone || m.Attempts != 2 {
			t.Errorf("after the lease: %+v", m)
		}
	})
}

func TestMessageThatKillsTheProcessIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := quick
		cfg.MaxAttempts = 3
		w := newWorld(t, cfg)
		defer w.close()
		w.enqueue("a", "v", 0, "hang")
		for range 4 {
			w.box.Kick()
			synctest.Wait()
			w.crash()
			time.Sleep(cfg.Lease)
			w.start()
		}
		time.Sleep(time.Second)
		tries, _ := w.tried("a")
		if m, assists := w.state("a"); m.State != ledger.MessageDead || assists != 1 || tries != 3 {
			t.Errorf("%+v, %d assists after %d tries", m, assists, tries)
		}
	})
}

func TestCloseWaitsForDeliveriesAndCancelsThemInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, quick)
		w.enqueue("a", "v", 0, "slow")
		w.box.Kick()
		synctest.Wait()
		if err := w.box.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if m, _ := w.state("a"); m.State != ledger.MessageDone {
			t.Errorf("not waited for: %+v", m)
		}
		w.start()
		w.enqueue("b", "v", 0, "hang", "ok")
		w.box.Kick()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		began := time.Now()
		if err := w.box.Close(ctx); err != nil || time.Since(began) != 100*time.Millisecond {
			t.Errorf("closed after %v: %v", time.Since(began), err)
		}
		m, _ := w.state("b")
		if m.State != ledger.MessageWaiting || m.NextAt.After(time.Now().Add(quick.BackoffMin)) {
			t.Errorf("not put back: %+v", m)
		}
		w.start()
		time.Sleep(time.Second)
		if m, _ := w.state("b"); m.State != ledger.MessageDone {
			t.Errorf("not delivered by the next process: %+v", m)
		}
		w.close()
	})
}

// step is one thing that happens to an outbox.
type step struct {
	Act    string // enqueue, pass, kick, crash, restart
	Key    int
	Venue  int
	Due    time.Duration
	Script []string
	Pass   time.Duration
}

func drawStep(t *rapid.T) step {
	acts := []string{"ok", "ok", "slow", "fail", "hang", "panic", "dead"}
	return step{
		Act:    rapid.SampledFrom([]string{"enqueue", "enqueue", "enqueue", "pass", "pass", "kick", "crash", "restart"}).Draw(t, "act"),
		Key:    rapid.IntRange(0, 9).Draw(t, "key"),
		Venue:  rapid.IntRange(0, 2).Draw(t, "venue"),
		Due:    time.Duration(rapid.SampledFrom([]int{0, 0, 1, 500, 5000, 60000}).Draw(t, "due")) * time.Millisecond,
		Script: rapid.SliceOfN(rapid.SampledFrom(acts), 1, 5).Draw(t, "script"),
		Pass:   time.Duration(rapid.SampledFrom([]int{1, 50, 300, 1000, 5000}).Draw(t, "pass")) * time.Millisecond,
	}
}

// TestNothingIsLost runs drawn histories, crashes included, in virtual time and holds what remains against the model:
// every message enqueued is in the end either delivered at least once, or dead with exactly one assist.
func TestNothingIsLost(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(rapid.Custom(drawStep), 1, 15).Draw(rt, "steps")
		var wrong []string
		synctest.Test(t, func(t *testing.T) { wrong = history(t, steps) })
		if len(wrong) > 0 {
			rt.Fatal(strings.Join(wrong, "\n"))
		}
	})
}

// history runs steps and returns what came out differently from the model.
func history(t *testing.T, steps []step) []string {
	cfg := quick
	cfg.MaxAttempts = 12
	w := newWorld(t, cfg)
	defer w.close()
	crashes := 0
	keys := map[string]bool{}
	for _, s := range steps {
		switch s.Act {
		case "enqueue":
			key := fmt.Sprint("k", s.Key)
			keys[key] = true
			w.enqueue(key, fmt.Sprint("v", s.Venue), s.Due, s.Script...)
		case "pass":
			time.Sleep(s.Pass)
		case "kick":
			w.box.Kick()
			synctest.Wait()
		case "crash":
			crashes++
			w.crash()
			w.start()
		case "restart":
			if err := w.box.Close(context.Background()); err != nil {
				t.Error(err)
			}
			w.start()
		}
	}
	time.Sleep(3 * time.Minute) // more than all attempts, back-offs and leases together
	w.mu.Lock()
	wrong := w.wrong
	w.mu.Unlock()
	for key := range keys {
		if fault := w.judge(key, crashes); fault != "" {
			wrong = append(wrong, fault)
		}
	}
	return wrong
}

// judge holds a message's end against the model; "" when it fits.
func (w *world) judge(key string, crashes int) string {
	m, assists := w.state(key)
	script := w.scripts[key]
	tries, successes := w.tried(key)
	say := func(format string, args ...any) string {
		return fmt.Sprintf("%s %v: ", key, script) + fmt.Sprintf(format, args...) +
			fmt.Sprintf(" (%+v, %d tries, %d delivered, %d assists, %d crashes)", m, tries, successes, assists, crashes)
	}
	good := func(act string) bool { return act == "ok" || act == "slow" }
	first := len(script) // the first attempt that delivers or ends it
	for i, act := range script {
		if good(act) || act == "dead" {
			first = i
			break
		}
	}
	switch m.State {
	case ledger.MessageDone:
		if successes == 0 || assists != 0 {
			return say("done, but")
		}
		if crashes == 0 && (successes != 1 || tries != first+1) {
			return say("delivered more often than needed")
		}
	case ledger.MessageDead:
		if assists != 1 {
			return say("dead without exactly one assist")
		}
		if crashes == 0 && successes != 0 {
			return say("dead, and delivered")
		}
		if crashes == 0 && m.DueAt.IsZero() && first < len(script) && good(script[first]) {
			return say("given up though it would have been delivered")
		}
	default:
		return say("lost")
	}
	return ""
}

func TestConfigNamesEveryMistake(t *testing.T) {
	if err := (outbox.Config{}).Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	for _, c := range []struct {
		cfg  outbox.Config
		want string
	}{
		{outbox.Config{Workers: -1}, "workers: -1 is not between 1 and 1024"},
		{outbox.Config{Workers: 4, PerVenue: 5}, "per_venue: 5 is not between 1 and workers (4)"},
		{outbox.Config{AttemptTimeout: time.Hour}, "attempt_timeout: 1h0m0s is not between 1ms and 10m"},
		{outbox.Config{Lease: 6 * time.Second}, "lease: 6s is shorter than attempt_timeout + 2s = 7s"},
		{outbox.Config{BackoffMin: time.Nanosecond}, "backoff_min: 1ns is less than 1ms"},
		{outbox.Config{BackoffMin: time.Second, BackoffMax: time.Millisecond}, "backoff_max: 1ms is not between backoff_min (1s) and 24h"},
		{outbox.Config{MaxAttempts: -1}, "max_attempts: -1 is not between 1 and 1000000"},
		{outbox.Config{GiveUpAfter: time.Millisecond}, "give_up_after: 1ms is less than 1s"},
		{outbox.Config{Poll: time.Hour}, "poll: 1h0m0s is not between 10ms and 1m"},
	} {
		if err := c.cfg.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %s", c.cfg, err, c.want)
		}
		if _, err := outbox.New(nil, c.cfg, nil, openAssist, nil, 0); err == nil {
			t.Errorf("%+v was taken", c.cfg)
		}
	}
	idle, err := outbox.New(nil, outbox.Config{}, nil, openAssist, nil, 0)
	if err != nil || idle.Close(t.Context()) != nil {
		t.Errorf("an outbox that was never started does not close: %v", err)
	}
	if _, err := outbox.New(nil, outbox.Config{}, nil, nil, nil, 0); err == nil {
		t.Error("an outbox without dead letters was made")
	}
}
