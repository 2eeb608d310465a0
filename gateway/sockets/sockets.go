// Package sockets bounds the connections to outside systems in all, and shares them out so that no system which hangs, and no
// few of them, use them up.
//
// A Share is a part of what is bounded: all connections (New), those to one system (Part of it), or the calls of one of many
// that are reached over the same connections (Part of that). A call may begin while its share has fewer under way than are
// free of what it is a part of, at each level. So one share alone can take half, two a third each, and n leave 1/(n+1) to
// whoever comes next; nobody waits, and nothing is reserved for those who are idle. Connections that are kept and idle make
// room for new ones: there are never more than the bound, and a call that may begin finds a place for its connection.
package sockets

import "sync"

// Share is a part of the connections. A nil Share bounds nothing. Safe for concurrent use.
type Share struct {
	all    *all
	parent *Share // nil: it is all of them
	limit  int
	idle   func() // closes the connections that are idle

	busy, open int // guarded by all.mu
}

// all is what the shares of a tree have in common.
type all struct {
	mu      sync.Mutex
	holders map[*Share]struct{} // those with open connections
	refused uint64
	evicted uint64
}

// New returns the share that is all connections, limit of them at once, 1 or more.
func New(limit int) *Share {
	return &Share{all: &all{holders: map[*Share]struct{}{}}, limit: limit}
}

// Part returns a share that is a part of s, of limit at once. idle closes its idle connections, each of which says so by
// Closed; nil: it has none of its own. A part of a nil Share is a share of its own, whose parts share limit.
func (s *Share) Part(limit int, idle func()) *Share {
	if s == nil {
		own := New(limit)
		own.idle = idle
		return own
	}
	return &Share{all: s.all, parent: s, limit: limit, idle: idle}
}

// Enter begins a call and reports whether it may; then Leave is to be called at its end.
func (s *Share) Enter() bool {
	if s == nil {
		return true
	}
	s.all.mu.Lock()
	defer s.all.mu.Unlock()
	for at := s; at.parent != nil; at = at.parent {
		if at.busy >= at.parent.limit-at.parent.busy {
			s.all.refused++
			return false
		}
	}
	for at := s; at != nil; at = at.parent {
		at.busy++
	}
	return true
}

// Leave ends a call.
func (s *Share) Leave() {
	if s == nil {
		return
	}
	s.all.mu.Lock()
	defer s.all.mu.Unlock()
	for at := s; at != nil; at = at.parent {
		at.busy--
	}
}

// tries is how often room is made for a connection: others may take what was freed.
const tries = 8

// Open takes a place for a connection of s and reports whether there is one, if need be after closing idle connections;
// then Closed is to be called once the connection is closed.
func (s *Share) Open() bool {
	if s == nil {
		return true
	}
	for range tries {
		victim := s.take()
		if victim == nil {
			return true
		}
		if victim == s.root() {
			break
		}
		victim.idle()
	}
	s.all.mu.Lock()
	defer s.all.mu.Unlock()
	s.all.refused++
	return false
}

// take takes a place and returns nil, or returns the share whose idle connections should go, the root where there is none.
func (s *Share) take() *Share {
	s.all.mu.Lock()
	defer s.all.mu.Unlock()
	root := s.root()
	if root == s || root.open < root.limit { // one that is alone has its client's own bound
		for at := s; at != nil; at = at.parent {
			at.open++
		}
		s.all.holders[s] = struct{}{}
		return nil
	}
	victim, most := root, 0
	for at := range s.all.holders {
		if n := at.open - at.busy; at.idle != nil && n > most {
			victim, most = at, n
		}
	}
	if victim != root {
		s.all.evicted += uint64(most)
	}
	return victim
}

func (s *Share) root() *Share {
	for s.parent != nil {
		s = s.parent
	}
	return s
}

// Closed gives the place of a connection back.
func (s *Share) Closed() {
	if s == nil {
		return
	}
	s.all.mu.Lock()
	defer s.all.mu.Unlock()
	for at := s; at != nil; at = at.parent {
		at.open--
	}
	if s.open == 0 {
		delete(s.all.holders, s)
	}
}

// Stats is what a share has at the moment, and what happened to all of its tree since it was made.
type Stats struct {
	Limit, Open, Busy int    // Open: connections, those being made included; Busy: calls under way
	Refused           uint64 // calls and connections for which there was no room
	Evicted           uint64 // idle connections that were to make room
}

// Stats returns a snapshot.
func (s *Share) Stats() Stats {
	if s == nil {
		return Stats{}
	}
	s.all.mu.Lock()
	defer s.all.mu.Unlock()
	return Stats{Limit: s.limit, Open: s.open, Busy: s.busy, Refused: s.all.refused, Evicted: s.all.evicted}
}
