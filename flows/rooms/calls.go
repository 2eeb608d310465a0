package rooms

import (
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/warmgate/warmgate/flows/rooms/offer"
	"github.com/warmgate/warmgate/flows/rooms/sheet"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/auth"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/limit"
)

// system is the word for the hotels' systems, as their role is called.
const system = "pms"

const jsonMedia = "application/json"

// refusedStay is a hotel's definite no to a stay.
const refusedStay = "stay-refused"

func (r *rooms) routes(rt *flow.Runtime) []edge.Route {
	r.moves.fleet = rt.Fleet
	s := &search{rooms: r, rt: rt}
	return []edge.Route{{
		Method: http.MethodGet, Path: "/v1/rooms", Name: searchPlan, Scope: "rooms:read", Query: queryNames(), Journey: searchPlan,
		Priority: limit.Low, Budget: r.searches.Budget, Shortest: r.searches.Shortest, Serve: s.serve,
	}}
}

// search answers searches.
type search struct {
	*rooms
	rt    *flow.Runtime
	spare sync.Pool // of *desk
}

// desk is what one search needs beside its page.
type desk struct {
	key []byte
	due []int32
}

// serve answers one search: with what was answered before while nothing has changed, with what is known, or with what the
// hotels say.
func (s *search) serve(x *edge.Exchange) error {
	who := x.Principal()
	if !slices.Contains(who.Venues, "*") {
		return auth.ProblemVenueNotYours.Error(gateway.Text{
			Zh: "查询涵盖全城酒店：访问令牌须适用于所有地点。", En: "A search is of the whole city: the token must be for every venue."})
	}
	c, now := s.city(who.Tenant), s.rt.Now()
	d, _ := s.spare.Get().(*desk)
	if d == nil {
		d = &desk{}
	}
	defer s.spare.Put(d)
	d.key = append(append(append(d.key[:0], x.Lang()...), '?'), x.RawQuery()...)
	if w := c.Kept(d.key, now); w != nil {
		if d.due = c.Due(d.due[:0], w, now); len(d.due) > 0 {
			if q, err := s.read(x, c, now); err == nil {
				s.again(c, q.Stay, d.due)
			}
		}
		if !announce(x, w.ETag, w.Count) {
			x.Shared(http.StatusOK, jsonMedia, w.Body)
		}
		return nil
	}
	return s.find(x, c, d, now)
}

// find answers a search that was not answered before, or for which something has changed since.
func (s *search) find(x *edge.Exchange, c *city, d *desk, now time.Time) error {
	q, err := s.read(x, c, now)
	if err != nil {
		return err
	}
	page := c.Look(&q, now)
	defer page.Release()
	if len(page.Open) > 0 {
		if err := s.ask(x, c, page, q.Stay); err != nil {
			return err
		}
	}
	body := page.Write(func(dst []byte, last sheet.Position) []byte {
		return appendCursor(dst, s.rt.Ledger.Keys(), c.tenant, &q, last)
	})
	c.Keep(d.key, page)
	if !announce(x, page.ETag, page.Count) {
		x.Raw(http.StatusOK, jsonMedia, body)
	}
	s.again(c, q.Stay, page.Due)
	return nil
}

// ask takes the hotels of which nothing is known through the plan.
func (s *search) ask(x *edge.Exchange, c *city, page *sheet.Page, stay offer.Stay) error {
	open, marks := page.Open, s.marks(c, page.Open)
	ask, from := s.ahead(c, page, stay) // from: the places of ask in open
	if len(ask) == 0 {
		return nil
	}
	heard, err := flow.Look(s.rt, x, s.searches, s.asksOf(c, stay, ask))
	if err != nil {
		return err
	}
	keep := s.searches.Policy(stepOffers).Cache
	now := s.rt.Now()
	for i, k := range from[:len(heard)] {
		found := foundBy(&heard[i], keep, now)
		s.resolve(c.hotels[open[k]], stay, &found)
		page.Found(k, found)
		s.unmoved(c, open[k], stay, marks[k])
	}
	return nil
}

// ahead answers those open hotels of a page that have told of the stay themselves, and returns the others that are to be asked,
// with their places in page.Open.
func (s *search) ahead(c *city, page *sheet.Page, stay offer.Stay) (ask []int32, from []int) {
	now := s.rt.Now()
	for k, ordinal := range page.Open {
		v, m := c.hotels[ordinal], s.mark(c.Hotel(ordinal))
		if f, ok := s.pushed(v.ID, settingsOf(v), stay, now); ok {
			page.Found(k, f)
			s.unmoved(c, ordinal, stay, m)
		} else if len(ask) < maxAsked {
			ask, from = append(ask, ordinal), append(from, k)
		}
	}
	return ask, from
}

// asksOf are the questions to hotels, by their ordinals.
func (r *rooms) asksOf(c *city, stay offer.Stay, hotels []int32) []Ask {
	all := make([]Ask, len(hotels))
	for i, ordinal := range hotels {
		hotel := c.Hotel(ordinal)
		all[i] = Ask{Hotel: hotel, Stay: stay, Moved: r.moves.of(hotel, stay).count}
	}
	return all
}

// foundBy says what a hotel's answer is worth, under the policy by which it was asked.
func foundBy(r *journey.Result[offer.Answer], keep call.CachePolicy, now time.Time) sheet.Found {
	if r.Err != nil {
		return sheet.Found{Reason: r.Why(), Usable: now.Add(askAgain)}
	}
	fresh := r.Source.AsOf.Add(keep.Fresh)
	f := sheet.Found{Answer: &r.Value, State: r.Source.State, Fresh: fresh, Usable: fresh.Add(keep.StaleWhileRevalidate)}
	if f.State == gateway.Stale && f.Fresh.After(now) { // it was doubted
		f.Fresh = now
	}
	return f
}

// announce says what is answered: from where it comes, and by which ETag it goes. True: the client has it, and is told so.
func announce(x *edge.Exchange, etag string, n sheet.Count) (unchanged bool) {
	var room [4]gateway.Source
	sources := room[:0]
	for _, s := range [...]struct {
		state gateway.State
		of    int
	}{{gateway.Live, n.Live}, {gateway.Cached, n.Cached}, {gateway.Stale, n.Stale}, {gateway.Missing, n.Missing}} {
		if s.of > 0 {
			sources = append(sources, gateway.Source{System: system, State: s.state})
		}
	}
	x.Sources(sources)
	x.SetHeader("Vary", "Accept-Language")
	return x.Unchanged(etag)
}
