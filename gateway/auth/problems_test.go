package auth

import (
	"errors"
	"strings"
	"testing"

	"github.com/warmgate/warmgate/gateway"
)

func TestScopesAndVenues(t *testing.T) {
	p := &gateway.Principal{Tenant: "hangzhou", Scopes: []string{"scenic:gate"}, Venues: []string{"west-lake"}}
	if err := RequireScope(p, "scenic:gate"); err != nil {
		t.Errorf("its scope: %v", err)
	}
	e := gateway.AsError(RequireScope(p, "staff:assist"))
	if e.Problem != ProblemScopeMissing || e.Extra["scope"] != "staff:assist" || !strings.Contains(e.Detail.Zh, "staff:assist") {
		t.Errorf("another scope: %+v", e)
	}
	all := &gateway.Principal{Tenant: "hangzhou", Venues: []string{"*"}}
	none := &gateway.Principal{Tenant: "hangzhou"}
	for _, row := range []struct {
		name  string
		p     *gateway.Principal
		venue *gateway.Venue
		want  *gateway.Problem
	}{
		{"its venue", p, &gateway.Venue{ID: "west-lake", Tenant: "hangzhou"}, nil},
		{"another venue", p, &gateway.Venue{ID: "lingyin", Tenant: "hangzhou"}, ProblemVenueNotYours},
		{"no venue at all", none, &gateway.Venue{ID: "west-lake", Tenant: "hangzhou"}, ProblemVenueNotYours},
		{"all of its tenant", all, &gateway.Venue{ID: "lingyin", Tenant: "hangzhou"}, nil},
		{"another tenant's", all, &gateway.Venue{ID: "bund", Tenant: "shanghai"}, gateway.ProblemVenueUnknown},
		{"another tenant's of the same name", p, &gateway.Venue{ID: "west-lake", Tenant: "fuzhou"}, gateway.ProblemVenueUnknown},
		{"unknown", all, nil, gateway.ProblemVenueUnknown},
	} {
		err := RequireVenue(row.p, row.venue)
		if row.want == nil && err != nil || row.want != nil && gateway.AsError(err).Problem != row.want {
			t.Errorf("%s: got %v", row.name, err)
		}
	}
}

func TestChallenges(t *testing.T) {
	for want, err := range map[string]error{
		`Bearer realm="warmgate"`:                                                  ProblemTokenMissing.Error(gateway.Text{}),
		`Bearer realm="warmgate", error="invalid_token"`:                           refused(ClassExpired),
		`Bearer realm="warmgate", error="insufficient_scope", scope="scenic:gate"`: RequireScope(&gateway.Principal{}, "scenic:gate"),
	} {
		if got := Challenge(err); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	for _, err := range []error{nil, errors.New("x"), ProblemVenueNotYours.Error(gateway.Text{}), keysUnavailable()} {
		if got := Challenge(err); got != "" {
			t.Errorf("%v: got %s", err, got)
		}
	}
}

func TestFromHeader(t *testing.T) {
	for header, want := range map[string]string{"Bearer a.b.c": "a.b.c", "bearer a.b.c": "a.b.c", "BEARER  a": " a", "Bearer ": ""} {
		if got, err := FromHeader([]byte(header)); err != nil || string(got) != want {
			t.Errorf("%q: got %q, %v", header, got, err)
		}
	}
	for _, header := range []string{"", "Bearer", "Basic YTpi", "a.b.c", "Bearera.b.c"} {
		if _, err := FromHeader([]byte(header)); gateway.AsError(err).Problem != ProblemTokenMissing {
			t.Errorf("%q: got %v", header, err)
		}
	}
}

func TestProblemsSpeakBothLanguages(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range Problems() {
		if p.Title.Zh == "" || p.Title.En == "" || seen[p.Type] {
			t.Errorf("%s lacks a title or is there twice", p.Type)
		}
		seen[p.Type] = true
	}
}
