package rooms

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/warmgate/warmgate/flows/rooms/offer"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/journey"
)

const (
	refreshers = 8   // orders that are carried out at once
	maxOrders  = 256 // that wait; more are dropped, and a hotel that is still stale then is ordered by the next search
)

// order is to ask hotels again behind an answer.
type order struct {
	city   *city
	stay   offer.Stay
	hotels []int32
}

// again has hotels asked for a stay once more. It doesn't wait, and keeps nothing of hotels.
func (r *rooms) again(c *city, stay offer.Stay, hotels []int32) {
	if len(hotels) == 0 {
		return
	}
	select {
	case r.behind <- order{c, stay, slices.Clone(hotels)}:
	default:
	}
}

// work carries out the orders until ctx ends. What has begun ends by its own budget.
func (r *rooms) work(ctx context.Context, rt *flow.Runtime) error {
	var all sync.WaitGroup
	r.hearMoves(rt)
	all.Go(func() { r.sweep(ctx, rt) })
	all.Go(func() { forgetter{rt}.run(ctx) })
	for range refreshers {
		all.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case o := <-r.behind:
					if err := r.carryOut(rt, o); err != nil {
						rt.Logger.Warn("cannot ask hotels again", "hotels", len(o.hotels), "error", err)
					}
				}
			}
		})
	}
	all.Wait()
	return nil
}

// unpushed puts what hotels have told of a stay, and returns the others.
func (r *rooms) unpushed(c *city, stay offer.Stay, hotels []int32, now time.Time) []int32 {
	return slices.DeleteFunc(hotels, func(ordinal int32) bool {
		v, m := c.hotels[ordinal], r.mark(c.Hotel(ordinal))
		f, ok := r.pushed(v.ID, settingsOf(v), stay, now)
		if ok {
			c.Put(stay, ordinal, f, now)
			r.unmoved(c, ordinal, stay, m)
		}
		return ok
	})
}

// marks are those of hotels, by their ordinals.
func (r *rooms) marks(c *city, hotels []int32) []mark {
	all := make([]mark, len(hotels))
	for i, ordinal := range hotels {
		all[i] = r.mark(c.Hotel(ordinal))
	}
	return all
}

// carryOut asks, and keeps what is heard.
func (r *rooms) carryOut(rt *flow.Runtime, o order) error {
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("cannot name a run: %w", err)
	}
	began := rt.Now()
	req := journey.Request{ID: id.String(), Arrived: began, Deadline: began.Add(r.refresh.Budget()),
		Principal: &gateway.Principal{Tenant: o.city.tenant}, Lang: gateway.LangEn}
	for hotels := range slices.Chunk(r.unpushed(o.city, o.stay, o.hotels, began), maxAsked) {
		marks := r.marks(o.city, hotels)
		_, err := r.refresh.Run(rt.Engine, req, r.asksOf(o.city, o.stay, hotels), func(out journey.Outcome[[]journey.Result[offer.Answer]]) journey.Answer {
			keep, now := r.searches.Policy(stepOffers).Cache, rt.Now()
			for i := range out.Value {
				found := foundBy(&out.Value[i], keep, now)
				r.resolve(o.city.hotels[hotels[i]], o.stay, &found)
				o.city.Put(o.stay, hotels[i], found, now)
				r.unmoved(o.city, hotels[i], o.stay, marks[i])
			}
			return journey.Answer{}
		})
		if err != nil {
			return err
		}
	}
	return nil
}
