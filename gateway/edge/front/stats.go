package front

import (
	"iter"
	"sync/atomic"

	"github.com/warmgate/warmgate/gateway"
)

// Stats are the front's counters since it was made, for metrics to read. Safe for concurrent use.
type Stats struct {
	open, accepted, panics atomic.Int64
	problems               []*gateway.Problem // never changed
	refused                []atomic.Int64     // of the problem at the same index
}

func newStats() *Stats {
	p := Problems()
	return &Stats{problems: p, refused: make([]atomic.Int64, len(p))}
}

// Open returns how many connections are open now.
func (s *Stats) Open() int64 { return s.open.Load() }

// Accepted returns how many connections were accepted, those that were turned away included.
func (s *Stats) Accepted() int64 { return s.accepted.Load() }

// Panics returns how many handlers panicked.
func (s *Stats) Panics() int64 { return s.panics.Load() }

// Refused yields every problem of Problems with the number of requests and connections refused with it.
func (s *Stats) Refused() iter.Seq2[*gateway.Problem, int64] {
	return func(yield func(*gateway.Problem, int64) bool) {
		for i, p := range s.problems {
			if !yield(p, s.refused[i].Load()) {
				return
			}
		}
	}
}

func (s *Stats) refuse(p *gateway.Problem) {
	for i, q := range s.problems {
		if p == q {
			s.refused[i].Add(1)
			return
		}
	}
}
