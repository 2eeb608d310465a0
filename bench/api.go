package main

import (
	"fmt"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// admissionsOf returns the admissions that a 201 names, and whether they were there before.
func admissionsOf(a answer) (ids []string, again bool) {
	var body admitted
	if a.status != http.StatusCreated || json.Unmarshal(a.body, &body) != nil {
		return nil, false
	}
	for _, x := range body.Admissions {
		ids = append(ids, x.ID)
	}
	return ids, body.Again
}

// get reads a JSON answer of the API.
func get(w *world, serve *child, scope, path string, into any) error {
	token, err := w.mint("checker", scope)
	if err != nil {
		return err
	}
	api := newClient(serve.api.Addr().String(), 1)
	defer api.host.CloseIdleConnections()
	got, err := api.do(ask{method: http.MethodGet, path: path, token: token}, 5*time.Second)
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", path, err)
	}
	if got.status != http.StatusOK {
		return fmt.Errorf("cannot read %s: %d %s", path, got.status, got.problem)
	}
	return json.Unmarshal(got.body, into)
}

// insideNow asks how many people are inside.
func insideNow(w *world, serve *child) (int, error) {
	var body struct {
		Inside int `json:"inside"`
	}
	err := get(w, serve, "scenic:read", "/v1/attractions/"+spot+"/occupancy", &body)
	return body.Inside, err
}

// assistSeen is an assist as it is listed.
type assistSeen struct {
	ID      string `json:"id"`
	Journey string `json:"journey"`
	Kind    string `json:"kind"`
}

// listAssists returns the assists in a state.
func listAssists(w *world, serve *child, state string) (all []assistSeen, err error) {
	for after := int64(0); ; {
		var page struct {
			Assists []assistSeen `json:"assists"`
			Next    int64        `json:"next"`
		}
		if err := get(w, serve, "staff:assist", fmt.Sprintf("/v1/assists?state=%s&limit=100&after=%d", state, after), &page); err != nil {
			return nil, err
		}
		all = append(all, page.Assists...)
		if len(page.Assists) == 0 || page.Next <= after {
			return all, nil
		}
		after = page.Next
	}
}

// openAssists returns the kinds of the assists that are open, by journey.
func openAssists(w *world, serve *child) (map[string][]string, error) {
	all, err := listAssists(w, serve, "open")
	by := map[string][]string{}
	for _, a := range all {
		by[a.Journey] = append(by[a.Journey], a.Kind)
	}
	return by, err
}

// claimFacts claims an assist, as staff do, and returns what it tells them.
func claimFacts(w *world, serve *child, id string) (string, error) {
	token, err := w.mint("checker", "staff:assist")
	if err != nil {
		return "", err
	}
	api := newClient(serve.api.Addr().String(), 1)
	defer api.host.CloseIdleConnections()
	got, err := api.do(ask{method: http.MethodPost, path: "/v1/assists/" + id + "/claim", token: token, key: uuid.NewString(), body: []byte{}}, 5*time.Second)
	if err != nil || got.status != http.StatusCreated {
		return "", fmt.Errorf("cannot claim an assist: %s", got.word(err))
	}
	var one struct {
		Facts jsontext.Value `json:"facts"`
	}
	err = get(w, serve, "staff:assist", "/v1/assists/"+id, &one)
	return string(one.Facts), err
}
