package parking

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/warmgate/warmgate/flows/parking/books"
	"github.com/warmgate/warmgate/gateway/ledger"
)

var (
	histories = flag.Int("parking.histories", 300, "random histories of the model test; 100000 is its full form")
	firstSeed = flag.Uint64("parking.seed", 1, "the seed of the first one; the others count up from it")
)

// The model's tariff: 15 minutes are free, then every hour that begins costs 10.50, within 24 hours at most 55.00; what
// comes of all that is rounded up to a whole unit.
const (
	modelHour = 1050
	modelCap  = 5500
	modelTo   = 100
	millSize  = 100 // histories on one ledger

	mistakeWithin = 1000 // histories find each mistake, most of them in the first few
)

// modelPrice prices a visit by counting its hours one by one.
func modelPrice(entered, left time.Time) (minor int64) {
	days := map[int]int64{}
	for at := entered.Add(15 * time.Minute); at.Before(left); at = at.Add(time.Hour) {
		days[int(at.Sub(entered)/(24*time.Hour))] += modelHour
	}
	for _, of := range days {
		minor += min(of, modelCap)
	}
	return (minor + modelTo - 1) / modelTo * modelTo
}

// TestHistories takes random histories; its full form is -parking.histories 100000 -timeout 30m. What is wrong is told with the
// seed of its history, which -parking.histories 1 -parking.seed SEED replays.
func TestHistories(t *testing.T) {
	if testing.Short() {
		*histories = min(*histories, 40)
	}
	held := tallies{all: map[string]int{}}
	if n := runtime.GOMAXPROCS(0); n > 1 && *histories >= shareFrom {
		inShares(t, n, &held)
	} else {
		inThisProgram(t, &held)
	}
	if *share != "" {
		must(t, held.leave(*share))
	}
	t.Logf("%d histories:\n%s", *histories, strings.Join(held.say(), "\n"))
}

// inThisProgram takes the histories on some ledgers at a time.
func inThisProgram(t *testing.T, held *tallies) {
	t.Helper()
	zone := shanghai(t)
	var wg sync.WaitGroup
	next, mu := *firstSeed, sync.Mutex{}
	end := next + uint64(*histories)
	take := func() (from, to uint64) {
		mu.Lock()
		defer mu.Unlock()
		from, to = next, min(next+millSize, end)
		next = to
		return from, to
	}
	for range runtime.GOMAXPROCS(0) + 1 { // a history waits for its ledger's writer now and then
		wg.Go(func() {
			for from, to := take(); from < to && !t.Failed(); from, to = take() {
				for _, w := range grind(t, "", from, to, zone, false, held) {
					t.Error(w)
				}
			}
		})
	}
	wg.Wait()
}

func shanghai(t testing.TB) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Asia/Shanghai")
	must(t, err)
	return zone
}

// grind runs the histories of some seeds on a ledger of their own and returns what is wrong; with one, only until then.
func grind(t testing.TB, mistake string, from, to uint64, zone *time.Location, one bool, held *tallies) (wrong []string) {
	m, done := newMill(t, mistake, from)
	defer done()
	for seed := from; seed < to && (!one || len(wrong) == 0); seed++ {
		for _, w := range m.run(seed, zone) {
			wrong = append(wrong, fmt.Sprintf("seed %d: %s", seed, w))
		}
	}
	err := m.ledger.View(context.Background(), func(q ledger.Querier) error {
		r, err := books.Verify(context.Background(), q)
		for _, w := range r.Mismatches {
			wrong = append(wrong, fmt.Sprintf("seeds %d to %d: the books: %s", from, to-1, w))
		}
		left, lerr := leftBehind(q)
		wrong = append(wrong, left...)
		return errors.Join(err, lerr)
	})
	if err == nil && held != nil {
		err = m.census()
		held.add(m.counts)
	}
	if err != nil {
		wrong = append(wrong, err.Error())
	}
	return wrong
}

// TestMistakesAreFound plants mistakes in the journey: the histories that find nothing in it find each of them.
func TestMistakesAreFound(t *testing.T) {
	all := mistakes()
	if testing.Short() {
		all = all[:3] // what the first histories find
	}
	for _, mistake := range all {
		t.Run(mistake, func(t *testing.T) {
			t.Parallel()
			var wrong []string
			for from := uint64(1); from < mistakeWithin && len(wrong) == 0; from += millSize {
				wrong = grind(t, mistake, from, from+millSize, shanghai(t), true, nil)
			}
			if len(wrong) == 0 {
				t.Errorf("not found in %d histories", mistakeWithin)
				return
			}
			t.Log(strings.Join(wrong[:1], "\n"))
		})
	}
}
