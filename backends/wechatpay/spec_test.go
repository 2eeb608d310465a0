package wechatpay_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/go-json-experiment/json"

	"github.com/warmgate/warmgate/backends/twin/twintest"
	"github.com/warmgate/warmgate/backends/wechatpay"
)

// published is the documentation of the parking service's interface, beside the repository where that is at hand.
const published = "../../../shared/specs/wechatpay/go-sdk-docs"

// documented is a type of the documentation.
type documented map[string]struct {
	kind     string // "string", "int64", "time.Time", or another type's name
	optional bool
	many     bool
}

// line is a row of a type's table: the member, its type, and whether it may be missing.
var line = regexp.MustCompile(`(?m)^\*\*(\w+)\*\* \| (\[?\*\*(\[\]|\\\[\\\])?(\w+|time\.Time)\*\*[^|]*)\|.*\| *(\[可选\])? *$`)

// snake writes a name as JSON has it.
func snake(s string) string {
	var b strings.Builder
	for i, r := range s {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

func readDocs(t *testing.T) map[string]documented {
	if _, err := os.Stat(published); err != nil {
		t.Skipf("the published documentation is not here: %v", err)
	}
	files := must[[]string](t)(filepath.Glob(published + "/*.md"))
	types := map[string]documented{}
	for _, name := range files {
		text := string(must[[]byte](t)(os.ReadFile(name)))
		d := documented{}
		for _, m := range line.FindAllStringSubmatch(text, -1) {
			one := d[snake(m[1])]
			one.kind, one.optional, one.many = m[4], m[5] != "", m[3] != ""
			d[snake(m[1])] = one
		}
		if len(d) > 0 {
			types[strings.TrimSuffix(filepath.Base(name), ".md")] = d
		}
	}
	return types
}

// judge holds every exchange against the documentation.
type judge struct {
	t     *testing.T
	types map[string]documented

	mu   sync.Mutex
	seen map[string]int
}

// hold checks an object against a documented type.
func (j *judge) hold(where, kind string, v any) {
	d, ok := j.types[kind]
	object, isObject := v.(map[string]any)
	if !ok || !isObject {
		j.t.Errorf("%s: %s is no documented object: %v", where, kind, v)
		return
	}
	for name, value := range object {
		member, ok := d[name]
		if !ok {
			j.t.Errorf("%s: %s has no member %s", where, kind, name)
			continue
		}
		j.holdMember(where+"."+name, member.kind, value)
	}
	for name, member := range d {
		if _, there := object[name]; !there && !member.optional {
			j.t.Errorf("%s: %s lacks %s", where, kind, name)
		}
	}
}

func (j *judge) holdMember(where, kind string, v any) {
	switch kind {
	case "string":
		if _, ok := v.(string); !ok {
			j.t.Errorf("%s: %v is no string", where, v)
		}
	case "int64":
		if n, ok := v.(float64); !ok || n != float64(int64(n)) {
			j.t.Errorf("%s: %v is no integer", where, v)
		}
	case "time.Time":
		if s, _ := v.(string); !isStamp(s) {
			j.t.Errorf("%s: %v is no time", where, v)
		}
	case "PlateColor":
		if s, _ := v.(string); !slices.Contains([]string{"BLUE", "GREEN", "YELLOW", "BLACK", "WHITE", "LIMEGREEN"}, s) {
			j.t.Errorf("%s: %v is no colour", where, v)
		}
	default:
		j.hold(where, kind, v)
	}
}

func isStamp(s string) bool {
	t, err := time.Parse(time.RFC3339, s)
	return err == nil && t.Nanosecond() == 0 && !strings.HasSuffix(s, "Z") // the form has its offset in digits
}

func (j *judge) see(r *http.Request, body []byte, answer *httptest.ResponseRecorder) {
	types := map[string][2]string{ // of the request and of the answer
		"GET /v3/vehicle/parking/services/find":           {"QueryPlateServiceRequest", "PlateService"},
		"POST /v3/vehicle/parking/parkings":               {"CreateParkingRequest", "Parking"},
		"POST /v3/vehicle/transactions/parking":           {"CreateTransactionRequest", "Transaction"},
		"GET /v3/vehicle/transactions/out-trade-no/pay-1": {"", "Transaction"},
	}
	at := r.Method + " " + r.URL.Path
	if kinds, ok := types[at]; ok {
		j.mu.Lock()
		j.seen[at]++
		switch {
		case r.Method == "POST":
			j.hold(at, kinds[0], decoded(j.t, body))
		case kinds[0] != "":
			query := map[string]any{}
			for name, values := range r.URL.Query() {
				query[name] = values[0]
			}
			j.hold(at, kinds[0], query)
		}
		if answer.Code == 200 {
			j.hold(at, kinds[1], decoded(j.t, answer.Body.Bytes()))
		}
		j.mu.Unlock()
	}
}

func decoded(t testing.TB, body []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(body, &v); err != nil {
		t.Errorf("not JSON: %v", err)
	}
	return v
}

func TestAgainstThePublishedDocumentation(t *testing.T) {
	j := &judge{t: t, types: readDocs(t), seen: map[string]int{}}
	if len(j.types) < 11 || len(j.types["Transaction"]) < 18 || len(j.types["CreateTransactionRequest"]) != 12 || !j.types["Transaction"]["attach"].optional ||
		j.types["Transaction"]["payer"].kind != "Payer" {
		t.Fatalf("the documentation cannot be read: %+v", j.types)
	}
	for _, sub := range []string{"", "1900000109"} {
		w := newWorld(t, func(c *wechatpay.Config) {
			c.BaseURL, c.SubMchID = twintest.Between(t, c.BaseURL, j.see), sub
			if sub != "" {
				c.SubAppID = "wxsub"
			}
		})
		ctx := twintest.Within(t, 20*time.Second)
		must[*wechatpay.PlateService](t)(w.client.FindPlateService(ctx, wechatpay.PlateQuery{Plate: plateA, Color: wechatpay.Blue, OpenID: "o1"}))
		w.do(t, wechatpay.Want{What: wechatpay.MakePlate, Plate: plateB, Color: wechatpay.Blue, State: wechatpay.Blocked, BlockReason: wechatpay.BlockOut})
		must[*wechatpay.PlateService](t)(w.client.FindPlateService(ctx, wechatpay.PlateQuery{Plate: plateB, Color: wechatpay.Blue, OpenID: "o1"}))
		w.park(t, "in-2", plateB)
		w.paid(t, "pay-1", plateA, 990)
	}
	for _, want := range []string{"GET /v3/vehicle/parking/services/find", "POST /v3/vehicle/parking/parkings", "POST /v3/vehicle/transactions/parking",
		"GET /v3/vehicle/transactions/out-trade-no/pay-1"} {
		if j.seen[want] == 0 {
			t.Errorf("%s was not held against the documentation", want)
		}
	}
}
