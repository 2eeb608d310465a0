// Package known keeps what hotels have told of their nights on their own: how many rooms of a kind are free, and at what
// price. It answers a stay from that alone where everything is there, and settles by time what contradicts a hotel's own
// answer. It is memory alone: it asks nobody, and what is lost is asked of the hotels again.
package known

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warmgate/warmgate/flows/rooms/offer"
	"github.com/warmgate/warmgate/gateway"
)

// The bounds of what is kept.
const (
	Ahead    = 400                                 // nights from today on
	MaxKinds = 64                                  // kinds of rooms of one hotel
	MaxFree  = 1<<16 - 1                           // rooms of a kind
	MaxPrice = 1<<32 - 1                           // minor units for one night
	blocks   = 3 << 15                             // of 32 nights of one kind, 576 bytes each, of all hotels: 54 MiB
	perBlock = 32                                  // nights
	soon     = 3 * perBlock                        // nights from today on, for which half of all blocks are kept free
	letters  = 'Z' - 'A' + 1                       // of a currency's code
	_        = uint16(letters*letters*letters + 1) // it fits a cell
)

// Night is what a hotel tells of one night and one kind of room.
type Night struct {
	Kind  string        // the hotel's code
	Night offer.Date    // of the evening
	Free  int           // rooms that can be had; 0 to MaxFree
	Price gateway.Money // of one room for this night, all taxes included; no currency: not told. 0 to MaxPrice
	At    time.Time     // when it was so; kept to the microsecond
}

// Fate is what became of a Night.
type Fate uint8

// The fates.
const (
	Taken Fate = iota // it counts
	Same              // it says what is known already
	Older             // what is known happened later; or at the same time, with fewer rooms or a higher price
	Full              // there is no room for it: it is not kept
)

// Known is what all hotels have told. Make it with New. Safe for concurrent use.
type Known struct {
	hotels sync.Map // by id: *slot
	epoch  atomic.Uint64
	deaf   atomic.Bool
	used   atomic.Int64 // blocks

	versions atomic.Uint64
}

// New returns an empty Known, which is whole.
func New() *Known { return &Known{} }

// slot is one hotel's place.
type slot struct {
	mu  sync.Mutex // of who changes it
	now atomic.Pointer[Hotel]
}

// Of returns what a hotel has told so far; nil: nothing. Later pushes do not change it.
func (k *Known) Of(hotel string) *Hotel {
	if s, there := k.hotels.Load(hotel); there {
		return s.(*slot).now.Load()
	}
	return nil
}

// Take takes what a hotel tells, and returns the hotel as it then is. Whatever the order, and however often, the latest of each night and kind counts in the
// end. today is the day at the hotel: the night must be of the Ahead nights from it on, and everything else within its
// bounds; else it panics.
func (k *Known) Take(hotel string, n Night, today offer.Date) (Fate, *Hotel) {
	if n.Kind == "" || n.Night < today || n.Night >= today+Ahead || n.Free < 0 || n.Free > MaxFree || n.Price.Minor < 0 || n.Price.Minor > MaxPrice {
		panic(fmt.Sprintf("BUG: a night is out of bounds: %+v", n))
	}
	at, there := k.hotels.Load(hotel)
	if !there {
		at, _ = k.hotels.LoadOrStore(hotel, &slot{})
	}
	s := at.(*slot)
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.now.Load()
	if kept := old.since(k, today); kept != old {
		s.now.Store(kept)
		old = kept
	}
	fate, next := old.with(k, n, today)
	if next == nil {
		return fate, old
	}
	s.now.Store(next)
	return fate, next
}

// Whole says whether everything that hotels tell comes here from now on. Whatever it says, some of what was told before may
// have been missed: what is known so far answers no stay any more, and still counts against what it is later than.
func (k *Known) Whole(whole bool) {
	if !whole {
		k.deaf.Store(true)
	}
	k.epoch.Add(1)
	if whole {
		k.deaf.Store(false)
	}
}

// Epoch grows with each call of Whole.
func (k *Known) Epoch() uint64 { return k.epoch.Load() }

// Sweep forgets the nights before today and the hotels that are gone.
func (k *Known) Sweep(today func(hotel string) (day offer.Date, there bool)) {
	k.hotels.Range(func(id, at any) bool {
		s := at.(*slot)
		day, there := today(id.(string))
		s.mu.Lock()
		defer s.mu.Unlock()
		old := s.now.Load()
		switch {
		case old == nil:
		case !there:
			old.since(k, math.MaxInt32)
			s.now.Store(nil)
		default:
			if next := old.since(k, day); next != old {
				s.now.Store(next)
			}
		}
		return true
	})
}

// Blocks returns how many blocks of 32 nights are kept, for metrics and tests.
func (k *Known) Blocks() int64 { return k.used.Load() }
