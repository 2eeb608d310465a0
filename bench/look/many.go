package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/warmgate/warmgate/backends/ohip"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/limit"
)

// times are how many calls the plans make whose growth is measured.
func times() []int { return []int{1, 2, 4, 8} }

// many asks for the same booking several times in one plan: the calls share nothing, since this read has no key.
type many struct {
	booking *call.Read[Wish, Booking]
	plans   map[int]*journey.Live[Wish, []Booking]
}

func newMany() (*many, error) {
	m := &many{booking: call.NewRead("look.booking-again", call.ReadSpec[Wish, Booking]{}), plans: map[int]*journey.Live[Wish, []Booking]{}}
	for _, n := range times() {
		plan, err := journey.Define(m.name(n), func(b *journey.Builder, in journey.Ref[Wish]) journey.Ref[[]Booking] {
			all := journey.Check(b, "none", func(Wish) ([]Booking, error) { return make([]Booking, 0, n), nil }, in)
			for i := range n {
				one := journey.Ask(b, fmt.Sprintf("booking-%d", i+1), m.booking, in, journey.Refuse(silent))
				all = journey.Join(b, fmt.Sprintf("with-%d", i+1), all, one, func(some []Booking, x Booking) ([]Booking, error) { return append(some, x), nil })
			}
			return all
		})
		if err != nil {
			return nil, err
		}
		m.plans[n] = journey.NewLive(plan)
	}
	return m, nil
}

func (m *many) name(n int) string { return fmt.Sprintf("hotel-look-%d", n) }

func (m *many) bind(c *ohip.Client, in *call.Instance, b *call.Bindings) {
	call.BindRead(b, m.booking, in, func(ctx context.Context, w Wish) (Booking, error) { return booked(ctx, c, w) })
}

func (m *many) routes(rt *flow.Runtime) (all []edge.Route) {
	for _, n := range times() {
		plan := m.plans[n]
		all = append(all, edge.Route{Method: http.MethodGet, Path: fmt.Sprintf("/v1/hotels/{hotel}/look-%d", n), Name: m.name(n), Scope: "rooms:read",
			Venue: "hotel", VenueKind: kind, Query: wishes(), Journey: m.name(n), Priority: limit.Normal, Budget: plan.Budget, Shortest: plan.Shortest,
			Serve: flow.Serve(rt, plan, readWish, func(o journey.Outcome[[]Booking], _ string) flow.Said {
				return flow.Said{Status: http.StatusOK, Body: o.Value}
			})})
	}
	return all
}

// document is the part of the API's description that has the plans' calls.
func (m *many) document() (text []byte) {
	for _, n := range times() {
		text = fmt.Appendf(text, manyDocument, n, m.name(n))
	}
	return text
}

const manyDocument = `
  /v1/hotels/{hotel}/look-%d:
    get:
      operationId: %s
      summary: A booking, asked for several times
      security:
        - bearer: ["rooms:read"]
      parameters:
        - { name: hotel, in: path, required: true, schema: { type: string } }
        - { name: confirmation, in: query, required: true, schema: { type: string } }
        - { name: from, in: query, required: true, schema: { type: string } }
        - { name: to, in: query, required: true, schema: { type: string } }
        - { name: visit, in: query, required: true, schema: { type: string } }
      responses:
        default: { $ref: "#/components/responses/Problem" }
`
