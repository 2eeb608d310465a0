package desk

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/warmgate/warmgate/gateway"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWidths(t *testing.T) {
	for s, want := range map[string]int{"": 0, "abc": 3, "售票系统": 8, "，。": 4, "ｱ": 1, "Ａ": 2, "e\u0301": 1, "한": 2, "…": 1, "👍": 2, "𠮷": 2} {
		if got := width(s); got != want {
			t.Errorf("%q is %d columns wide, want %d", s, got, want)
		}
	}
	for in, want := range map[string]string{"一二三四": "一二…", "abcdefg": "abcde…", "abc": "abc", "一二三": "一二三", "\x1b[31m": "·[31m", "a\u202eb": "a·b"} {
		if got := fit(in, 6); got != want {
			t.Errorf("fit %q: %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"let the visitor in": "let the|visitor|in", "请查验票证原件后决定": "请查验票|证原件后|决定", "abcdefghijkl": "abcdefghi|jkl",
		"": "", "请查验票，证": "请查验|票，证", "one 二三四五": "one 二三|四五",
	} {
		if got := strings.Join(wrap(in, 9), "|"); got != want {
			t.Errorf("wrap %q: %q, want %q", in, got, want)
		}
	}
}

// TestWhatIsPrintedFits: whatever the gateway says, no line is wider than a terminal, nothing moves its cursor, and the
// columns stand below one another.
func TestWhatIsPrintedFits(t *testing.T) {
	text := rapid.StringOf(rapid.OneOf(rapid.RuneFrom([]rune("ab 票证，\n\t\x1b\u202e\u0301👍")), rapid.Rune()))
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) string { return text.Draw(t, name) }
		a := Assist{ID: draw("id"), State: "claimed", Venue: draw("venue"), Place: draw("place"), Kind: draw("kind"), ClaimedBy: draw("by"),
			NextAction: draw("next"), Done: []Step{{Step: draw("step"), Name: draw("done")}}, NotDone: []Step{{Name: draw("not done"), Later: true}}, Tried: []string{draw("tried")}, Journey: draw("journey"),
			Resolutions: []Resolution{{draw("word"), draw("name")}}, OpenedAt: time.Unix(0, 0)}
		lang := rapid.SampledFrom([]string{gateway.LangZh, gateway.LangEn}).Draw(t, "lang")
		var out strings.Builder
		p := NewPrinter(&out, lang, func() time.Time { return time.Unix(rapid.Int64Range(-9, 1e9).Draw(t, "now"), 0) })
		p.List([]Assist{a})
		p.Event(&Event{Name: draw("event"), Assist: a})
		p.Show(&a)
		for line := range strings.SplitSeq(out.String(), "\n") {
			if width(line) > Columns || plain(line) != line {
				t.Fatalf("%d columns: %q", width(line), line)
			}
		}
	})
}

func TestAListIsAligned(t *testing.T) {
	now := time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)
	all := []Assist{
		{ID: "01a20fd8-483c-7653-8f39-f152abff3b7f", State: "open", Venue: "west-lake", Place: "north-1", Kind: "ticket-unverified",
			NextAction: "请查验票证原件后决定是否放行", OpenedAt: now.Add(-75 * time.Second)},
		{ID: "01a20fd8-483c-7653-8f39-f152abff3b80", State: "claimed", Venue: "grand", Kind: "key-missing", ClaimedBy: "李雷@https://id.example",
			NextAction: "Cut the key by hand.", OpenedAt: now.Add(-26 * time.Hour)},
	}
	var out strings.Builder
	NewPrinter(&out, gateway.LangZh, func() time.Time { return now }).List(all)
	const want = `编号      已等    状态      处理人      地点                  类型
abff3b7f  1m15s   待处理                west-lake north-1     ticket-unverified
          请查验票证原件后决定是否放行
abff3b80  1d02h   处理中    李雷        grand                 key-missing
          Cut the key by hand.
`
	if out.String() != want {
		t.Errorf("printed\n%swant\n%s", out.String(), want)
	}
	out.Reset()
	NewPrinter(&out, gateway.LangEn, func() time.Time { return now }).List(nil)
	if out.String() != "Nobody waits for help.\n" {
		t.Error(out.String())
	}
}

// serve returns a client of a handler over TLS.
func serve(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	s := httptest.NewTLSServer(h)
	s.Config.ErrorLog = nil
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := NewClient(s.URL, "a-token", gateway.LangEn, ca)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); s.CloseClientConnections(); s.Close() })
	return c
}

// TestARequestIsRepeatedUnderItsKey where no answer comes, and where it may succeed in a moment.
func TestARequestIsRepeatedUnderItsKey(t *testing.T) {
	var keys []string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		keys = append(keys, r.Header.Get("Idempotency-Key")+" "+r.Header.Get("Authorization")+" "+r.Header.Get("Accept-Language"))
		body, _ := io.ReadAll(r.Body)
		switch len(keys) {
		case 1:
			panic(http.ErrAbortHandler)
		case 2:
			w.WriteHeader(http.StatusConflict)
			fmt.Fprint(w, `{"title":"It is running","status":409,"retryable":true,"retry_after":1}`)
		default:
			fmt.Fprintf(w, `{"id":"1","reason":%s}`, body)
		}
	})
	if a, err := c.Resolve(t.Context(), "1", "admit", "seen", []byte(`{"people":2}`)); err != nil || a.ID != "1" {
		t.Errorf("%+v, %v", a, err)
	}
	if len(keys) != 3 || keys[0] != keys[1] || keys[1] != keys[2] || !strings.HasSuffix(keys[0], `" Bearer a-token en`) || keys[0][0] != '"' {
		t.Errorf("%q", keys)
	}
}

func TestWhatIsRefusedIsSaidInASentence(t *testing.T) {
	answers := map[string]string{
		"/v1/assists/1/claim":   `{"type":"/problems/assist-claimed","title":"A colleague is already working on this","status":409,"retryable":true}`,
		"/v1/assists/1/release": `<html>`, "/v1/assists/1": "",
	}
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if answers[r.URL.Path] == "" {
			http.Redirect(w, r, "https://elsewhere.example/", http.StatusFound)
			return
		}
		w.WriteHeader(http.StatusConflict)
		fmt.Fprint(w, answers[r.URL.Path])
	})
	_, claim := c.Claim(t.Context(), "1")
	_, release := c.Release(t.Context(), "1")
	_, get := c.Get(t.Context(), "1")
	for want, err := range map[string]error{
		"A colleague is already working on this": claim, "the gateway answered 409, and no problem document": release,
		"cannot reach the gateway: the gateway never sends one elsewhere": get,
	} {
		if err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	p := Problem{Title: "A field is not right", Detail: "It has\x1b[2J too much.", Field: "reason"}
	if p.Error() != "A field is not right: It has·[2J too much. (reason)" {
		t.Error(p.Error())
	}
	for _, bad := range []string{"", "gateway", "ftp://a", "https://u:p@a", "http://a?x=1", "http:///x"} {
		if _, err := NewClient(bad, "t", "en", ""); err == nil {
			t.Errorf("%q is taken for an address", bad)
		}
	}
	if _, err := NewClient("https://a", "t", "en", "nowhere.pem"); err == nil {
		t.Error("authorities that are not there are taken")
	}
}

// TestWatchGoesOnWhereItWas: after a stream that ends, one that breaks off in the middle of an event, and refusals that
// pass; not after one that stays.
func TestWatchGoesOnWhereItWas(t *testing.T) {
	var asked []string
	streams := []string{
		"retry: 1\n\nid: 4\nevent: opened\ndata: {\"id\":\"a\",\"seq\":4}\n\nid: 7\n\n",
		":\n\nid: 9\nevent: claimed\ndata: {\"id\":\"a\",\"se",
		"busy", "event: reset\ndata: {}\n\n", "id: 9\nevent: claimed\ndata: {\"id\":\"a\",\"seq\":9}\n\n", "expired",
	}
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Header.Get("Last-Event-ID"))
		switch text := streams[len(asked)-1]; text {
		case "busy":
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, `{"title":"Busy","retryable":true}`)
		case "expired":
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"title":"The access token has expired","retryable":false}`)
		default:
			fmt.Fprint(w, text)
		}
	})
	var told, lost []string
	err := c.Watch(t.Context(), func(e Event) error {
		told = append(told, fmt.Sprint(e.Name, e.Assist.Seq))
		return nil
	}, func(err error) { lost = append(lost, err.Error()) })
	if err == nil || err.Error() != "The access token has expired" {
		t.Error(err)
	}
	if got := strings.Join(told, " "); got != "opened4 reset0 claimed9" {
		t.Errorf("told %s", got)
	}
	if got := strings.Join(asked, ","); got != ",7,7,7,7,9" {
		t.Errorf("came back with %s", got)
	}
	if len(lost) != 1 || lost[0] != "Busy" {
		t.Errorf("lost: %q", lost)
	}
}

func TestWatchEndsWithItsContextAndWithWhoIsTold(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "id: 4\nevent: opened\ndata: {}\n\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	if err := c.Watch(ctx, func(Event) error { cancel(); return nil }, func(error) {}); err != nil {
		t.Error(err)
	}
	full := errors.New("the disk is full")
	if err := c.Watch(t.Context(), func(Event) error { return full }, func(error) {}); !errors.Is(err, full) {
		t.Error(err)
	}
}
