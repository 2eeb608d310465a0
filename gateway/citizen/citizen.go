// Package citizen is the citizens' own side of every journey: which system was told which of their fields, when and why,
// and what they thought of it. It answers for the caller's own journeys alone (ledger.Owner).
package citizen

import (
	_ "embed"
	"fmt"
	"maps"
	"net/http"
	"strconv"

	"github.com/google/uuid"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/edge"
	"github.com/warmgate/warmgate/gateway/flow"
	"github.com/warmgate/warmgate/gateway/journey"
	"github.com/warmgate/warmgate/gateway/ledger"
	"github.com/warmgate/warmgate/gateway/limit"
)

//go:embed openapi.yaml
var document []byte

// The problems of giving feedback.
var (
	ProblemFeedbackGiven = &gateway.Problem{Type: "feedback-given", Kind: gateway.Conflict, Title: gateway.Text{
		Zh: "您已评价过这次办理", En: "You have already said what you think of this journey"}}
	ProblemFeedbackEarly = &gateway.Problem{Type: "feedback-early", Kind: gateway.Conflict, Retryable: true, Title: gateway.Text{
		Zh: "这次办理尚未结束，请稍后再评价", En: "This journey has not ended yet; please say later what you think of it"}}
	ProblemFeedbackErased = &gateway.Problem{Type: "feedback-erased", Kind: gateway.Conflict, Title: gateway.Text{
		Zh: "这次办理的记录已删除，不能再评价", En: "What was kept of this journey has been erased; there is nothing left to comment on"}}
)

// New returns the citizens' side of flows as a flow of its own, named "citizen", with the plan journey-feedback.
func New(flows ...*flow.Flow) (*flow.Flow, error) {
	plan, err := journey.Define("journey-feedback", func(b *journey.Builder, in journey.Ref[given]) journey.Ref[given] {
		return journey.Record(b, "keep", keep, in)
	})
	if err != nil {
		return nil, fmt.Errorf("cannot declare the citizens' side: %w", err)
	}
	live := journey.NewLive(plan)
	purposes := map[string]gateway.Text{}
	for _, f := range flows {
		maps.Copy(purposes, f.Purposes)
	}
	return &flow.Flow{
		Name: "citizen", Plans: []flow.Plan{live}, Document: document,
		Problems: []*gateway.Problem{ProblemFeedbackGiven, ProblemFeedbackEarly, ProblemFeedbackErased},
		Routes: func(rt *flow.Runtime) []edge.Route {
			return []edge.Route{
				{Method: http.MethodGet, Name: "accesses", Path: "/v1/me/accesses", Query: accessQuery, Priority: limit.Low,
					Serve: func(x *edge.Exchange) error { return accesses(x, rt, purposes) }},
				{Method: http.MethodPost, Name: plan.Name(), Path: "/v1/journeys/{id}/feedback", Journey: plan.Name(), Idempotent: true,
					Looks: true, Priority: limit.Low, Budget: live.Budget, Shortest: live.Shortest,
					Serve: func(x *edge.Exchange) error { return feedback(x, rt, live) }},
			}
		},
	}, nil
}

// accessQuery are the parameters of the list.
var accessQuery = []string{"cursor", "limit"}

// How many journeys a page may have, and has where the caller does not say.
const (
	pageMost  = 100
	pageUsual = 20
)

// accesses lists what was told of the caller, journey by journey, the latest first, and for what, in the caller's language.
func accesses(x *edge.Exchange, rt *flow.Runtime, purposes map[string]gateway.Text) error {
	cursor, there := x.Query("cursor")
	if there && (uuid.Validate(cursor) != nil || len(cursor) != 36) {
		return edge.ProblemQueryInvalid.Error(gateway.Text{
			Zh: "须为上一页的 next。", En: "It must be the next of the page before."}).WithField("query cursor")
	}
	size, err := pageSize(x)
	if err != nil {
		return err
	}
	var all []ledger.Access
	body := accessesBody{Accesses: []accessBody{}}
	err = flow.View(rt, x, func(q ledger.Querier) (err error) {
		all, body.Next, err = ledger.ListAccesses(q, ledger.OwnerOf(rt.Ledger.Keys(), x.Principal()), cursor, size)
		return err
	})
	if err != nil {
		return err
	}
	for _, a := range all {
		body.Accesses = append(body.Accesses, sayAccess(a, rt.Venue(a.Venue), purposes, x.Lang()))
	}
	return x.JSON(http.StatusOK, body)
}

func pageSize(x *edge.Exchange) (int, error) {
	text, there := x.Query("limit")
	if !there {
		return pageUsual, nil
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n < 1 || n > pageMost {
		return 0, edge.ProblemQueryInvalid.Error(gateway.Text{
			Zh: fmt.Sprintf("须为 1 至 %d 的整数。", pageMost), En: fmt.Sprintf("It must be a whole number from 1 to %d.", pageMost),
		}).WithField("query limit")
	}
	return int(n), nil
}
