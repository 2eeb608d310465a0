package sandbox

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
)

// say prints what a caller needs to know.
func (s *sandbox) say(up Up) error {
	text, err := s.words(up)
	if s.JSON {
		text, err = jsonLine(up)
	}
	if err != nil {
		return fmt.Errorf("cannot say what is up: %w", err)
	}
	s.out.Lock()
	defer s.out.Unlock()
	s.ready = true
	_, err = fmt.Fprint(s.Stdout, text)
	return err
}

func jsonLine(up Up) (string, error) {
	b, err := json.Marshal(up, json.Deterministic(true))
	return string(b) + "\n", err
}

func (s *sandbox) words(up Up) (string, error) {
	var w strings.Builder
	fmt.Fprintf(&w, "The sandbox is up.\n\n")
	fmt.Fprintf(&w, "  API    %s  (serve, pid %d)  read %s/docs\n", up.API, up.PIDs.Serve, up.API)
	fmt.Fprintf(&w, "  admin  %s  /livez /readyz /metrics /debug/pprof\n", up.Admin)
	fmt.Fprintf(&w, "  city   %s  (city, pid %d)  the twins: their dials and their books\n", up.City, up.PIDs.City)
	fmt.Fprintf(&w, "  data   %s", s.data)
	if s.Data == "" {
		fmt.Fprint(&w, "  (removed at the end; keep one with --data)")
	}
	fmt.Fprintf(&w, "\n         a change to %s or a file of its venues holds at once\n\nTokens, for %s:\n", s.configFile(), tokenTTL)
	for _, r := range roles() {
		fmt.Fprintf(&w, "  %-10s%s\n            %s\n", r.name, strings.Join(r.scopes, " "), up.Tokens[r.name])
	}
	for _, name := range slices.Sorted(maps.Keys(up.Examples)) {
		e := up.Examples[name]
		curl, err := e.curl(up.API)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&w, "\n%s (%s):\n%s\n", e.about, name, curl)
	}
	fmt.Fprintf(&w, "\nHow many people are inside:\ncurl -sS '%s/v1/attractions/west-lake/occupancy' \\\n  -H 'Authorization: Bearer %s'\n", up.API, up.Tokens["reader"])
	fmt.Fprintf(&w, "\nWho was told of the driver's cars:\ncurl -sS '%s/v1/me/accesses' \\\n  -H 'Authorization: Bearer %s' \\\n  -H 'Accept-Language: en'\n", up.API, up.Tokens["driver"])
	fmt.Fprintf(&w, "\nWhat waits for staff:\ncurl -sS '%s/v1/assists?state=open' \\\n  -H 'Authorization: Bearer %s' \\\n  -H 'Accept-Language: en'\n", up.API, up.Tokens["staff"])
	fmt.Fprintf(&w, "\nAnother ticket:\ncurl -sS -X POST '%s/make/octo/west-lake' -d '{}'\n", up.City)
	fmt.Fprintf(&w, "\nA fault at ticketing: PUT %s/dials/octo/west-lake with {\"fault\": \"hang\"}, and {} to end it.\n", up.City)
	fmt.Fprint(&w, "The payment provider of the garage is wechatpay/west-garage, the city of the station's lot hangzhou/station-lot.\n")
	fmt.Fprintf(&w, "\nCtrl-C stops it all.\n")
	return w.String(), nil
}
