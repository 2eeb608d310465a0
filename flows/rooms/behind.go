package rooms

import (
	"context"
	"fmt"
	"slices"
	"sync"

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

// carryOut asks, and keeps what is heard.
func (r *rooms) carryOut(rt *flow.Runtime, o order) error {
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("cannot name a run: %w", err)
	}
	began := rt.Now()
	req := journey.Request{ID: id.String(), Arrived: began, Deadline: began.Add(r.refresh.Budget()),
		Principal: &gateway.Principal{Tenant: o.city.tenant}, Lang: gateway.LangEn}
	for hotels := range slices.Chunk(o.hotels, maxAsked) {
		_, err := r.refresh.Run(rt.Engine, req, asksOf(o.city, o.stay, hotels), func(out journey.Outcome[[]journey.Result[offer.Answer]]) journey.Answer {
			keep, now := r.searches.Policy(stepOffers).Cache, rt.Now()
			for i := range out.Value {
				o.city.Put(o.stay, hotels[i], foundBy(&out.Value[i], keep, now), now)
			}
			return journey.Answer{}
		})
		if err != nil {
			return err
		}
	}
	return nil
}
