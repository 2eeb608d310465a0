package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// says is a subject that always says the same.
func says(t *testing.T, body string) *subject {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }))
	t.Cleanup(s.Close)
	return &subject{name: body, address: strings.TrimPrefix(s.URL, "http://")}
}

func TestMergedAnswersAreTheSameButForTheirMoments(t *testing.T) {
	answer := func(free int, first, second string, at time.Time) string {
		return fmt.Sprintf(`{"offers":[{"free":%d}],"sources":[{"system":%q,"as_of":%q,"state":"live"},{"system":%q,"as_of":%q,"state":"live"}]}`,
			free, first, at.Format(time.RFC3339Nano), second, at.Format(time.RFC3339))
	}
	now := time.Now()
	one := says(t, answer(11, "rooms", "offers", now))
	if err := sameMerged(one, says(t, answer(11, "offers", "rooms", now.Add(time.Second))), target{path: "/"}); err != nil {
		t.Error(err)
	}
	for what, other := range map[string]string{
		"another number":  answer(12, "offers", "rooms", now),
		"another system":  answer(11, "offers", "bookings", now),
		"an old answer":   answer(11, "offers", "rooms", now.Add(-time.Hour)),
		"a member more":   strings.Replace(answer(11, "offers", "rooms", now), `"free"`, `"rest":1,"free"`, 1),
		"no document":     "nothing",
		"a source fewer":  strings.Replace(answer(11, "offers", "rooms", now), `,{"system":"rooms"`, `,{"other":"rooms"`, 1),
		"another state":   strings.Replace(answer(11, "offers", "rooms", now), `"live"`, `"cached"`, 1),
		"something empty": "{}",
	} {
		if err := sameMerged(one, says(t, other), target{path: "/"}); err == nil {
			t.Errorf("%s is taken for the same", what)
		}
	}
}

func TestAFewWrongAnswersAreCounted(t *testing.T) {
	for every, ok := range map[int64]bool{10: false, 1 << 40: true, 300: true} {
		var n atomic.Int64
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if n.Add(1)%every == every-1 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		}))
		s := &subject{name: "a server", address: strings.TrimPrefix(server.URL, "http://"), root: os.Getpid()}
		got, err := newDriver(s, target{path: "/"}).saturate(&run{ctx: t.Context()}, s)
		server.Close()
		if (err == nil) != ok || ok && (got.rate <= 0 || got.wrong > 0 != (every == 300)) {
			t.Errorf("one of %d is wrong: %+v, %v", every, got, err)
		}
	}
}

// TestReadersConfigurationAsksWhatIsMeasured holds the file for KrakenD against the addresses that `bench systems` serves.
func TestReadersConfigurationAsksWhatIsMeasured(t *testing.T) {
	text, err := os.ReadFile("peers/krakend.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range systemsAt {
		if !strings.Contains(string(text), `"http://`+at+`"`) {
			t.Errorf("%s is not in krakend.json", at)
		}
	}
	for _, target := range []string{"/rsv/v1/hotels/", "/fof/v1/hotels/", "/par/v1/hotels/"} {
		if !strings.Contains(string(text), target) {
			t.Errorf("%s is not in krakend.json", target)
		}
	}
}
