package ohip

import "sync"

// used keeps what answers are read into, for the next one: what a caller keeps of an answer is copied out of it. It is safe
// for concurrent use.
type used struct {
	rooms sync.Pool // of *roomPage
	sold  sync.Pool // of *wireAvailability
}

// muchUsed is the most that is kept, of a page's rooms or rates: a hotel may have answered more than it was asked for.
const muchUsed = 2 * pageSize

func (u *used) page() *roomPage {
	if p, ok := u.rooms.Get().(*roomPage); ok {
		return p
	}
	return new(roomPage)
}

func (u *used) giveBack(p *roomPage) {
	if p.reset(); cap(p.rooms) <= muchUsed {
		u.rooms.Put(p)
	}
}

func (u *used) availability() *wireAvailability {
	if w, ok := u.sold.Get().(*wireAvailability); ok {
		return w
	}
	return new(wireAvailability)
}

func (u *used) giveBackAvailability(w *wireAvailability) {
	if w.reset(); cap(w.rates) <= muchUsed {
		u.sold.Put(w)
	}
}
