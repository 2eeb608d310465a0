package main

import (
	"fmt"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
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
		return err
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

// openAssists returns the kinds of the assists that are open, by journey.
func openAssists(w *world, serve *child) (map[string]string, error) {
	all := map[string]string{}
	for after := int64(0); ; {
		var page struct {
			Assists []struct {
				Journey string `json:"journey"`
				Kind    string `json:"kind"`
			} `json:"assists"`
			Next int64 `json:"next"`
		}
		if err := get(w, serve, "staff:assist", fmt.Sprintf("/v1/assists?state=open&limit=100&after=%d", after), &page); err != nil {
			return nil, err
		}
		for _, a := range page.Assists {
			all[a.Journey] = a.Kind
		}
		if len(page.Assists) == 0 || page.Next <= after {
			return all, nil
		}
		after = page.Next
	}
}
