package wechatpay_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"pgregory.net/rapid"

	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/backends/twin/twintest"
	"github.com/warmgate/warmgate/backends/wechatpay"
)

// signedRequest makes a request as the documents say, for what the client does not send.
func signedRequest(t testing.TB, base, method, path, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", authorization(t, method, path, body))
	r.Header.Set("Accept", "application/json")
	if method == "POST" {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

// answered sends a request and returns status and body.
func answered(t testing.TB, r *http.Request) (int, string) {
	t.Helper()
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text)
}

func TestTheTwinRefusesWhatDoesNotFit(t *testing.T) {
	w := newWorld(t, nil)
	base := w.URL
	p := w.park(t, "in-1", plateA)
	paid := w.paid(t, "paid-1", plateB, 500)
	anEntry := `{"out_parking_no":"in-2","plate_number":"测A12345","plate_color":"BLUE","notify_url":"https://x.example/n","start_time":"2026-05-02T08:00:00+08:00","parking_name":"p","free_duration":900}`
	aCharge := fmt.Sprintf(`{"appid":"wx1","description":"d","out_trade_no":"pay-1","trade_scene":"PARKING","notify_url":"https://x.example/n","amount":{"total":100,"currency":"CNY"},`+
		`"parking_info":{"parking_id":%q,"plate_number":%q,"plate_color":"BLUE","start_time":%q,"end_time":%q,"parking_name":"滨江停车场","charging_duration":3600,"device_id":"g"}}`,
		p.ID, plateA, atChina(came), atChina(came.Add(time.Hour)))
	aRefund := `{"out_trade_no":"paid-1","out_refund_no":"b-1","amount":{"refund":100,"total":500,"currency":"CNY"}}`
	with := func(body, old, now string) string {
		if !strings.Contains(body, old) {
			t.Fatalf("%q is not in %s", old, body)
		}
		return strings.Replace(body, old, now, 1)
	}
	const parkings, charges, refunds = "/v3/vehicle/parking/parkings", "/v3/vehicle/transactions/parking", "/v3/refund/domestic/refunds"
	for _, test := range []struct {
		name, method, path, body string
		status                   int
		code, field              string
	}{
		{"no such operation", "GET", "/v3/vehicle", "", 404, "INVALID_REQUEST", ""},
		{"the method of another", "GET", parkings, "", 404, "INVALID_REQUEST", ""},
		{"a body where none is", "GET", "/v3/certificates", "{}", 400, "PARAM_ERROR", ""},
		{"a query where none is", "GET", "/v3/certificates?a=1", "", 400, "PARAM_ERROR", ""},
		{"no JSON", "POST", parkings, "{", 400, "PARAM_ERROR", ""},
		{"a duplicate", "POST", parkings, `{"parking_name":"p",` + anEntry[1:], 400, "PARAM_ERROR", ""},
		{"an unknown member", "POST", parkings, `{"colour":"red",` + anEntry[1:], 400, "PARAM_ERROR", "/colour"},
		{"another type", "POST", parkings, with(anEntry, `900`, `"900"`), 400, "PARAM_ERROR", "/free_duration"},
		{"no plate", "POST", parkings, with(anEntry, `测A12345`, ``), 400, "PARAM_ERROR", "/plate_number"},
		{"a plate with a dot", "POST", parkings, with(anEntry, `测A`, `测A·`), 400, "PARAM_ERROR", "/plate_number"},
		{"another colour", "POST", parkings, with(anEntry, `BLUE`, `RED`), 400, "PARAM_ERROR", "/plate_color"},
		{"http", "POST", parkings, with(anEntry, `https`, `http`), 400, "PARAM_ERROR", "/notify_url"},
		{"a letter for an offset", "POST", parkings, with(anEntry, `+08:00`, `Z`), 400, "PARAM_ERROR", "/start_time"},
		{"a day", "POST", parkings, with(anEntry, `T08:00:00+08:00`, ``), 400, "PARAM_ERROR", "/start_time"},
		{"no name", "POST", parkings, with(anEntry, `"parking_name":"p",`, ``), 400, "PARAM_ERROR", "/parking_name"},
		{"no free time", "POST", parkings, with(anEntry, `,"free_duration":900`, ``), 400, "PARAM_ERROR", "/free_duration"},
		{"the entry of another car", "POST", parkings, with(anEntry, `in-2`, `in-1`), 400, "ALREADY_EXISTS", ""},

		{"no amount", "POST", charges, with(aCharge, `"amount":{"total":100,"currency":"CNY"},`, ``), 400, "PARAM_ERROR", "/amount/total"},
		{"nothing", "POST", charges, with(aCharge, `100`, `0`), 400, "PARAM_ERROR", "/amount/total"},
		{"a fraction", "POST", charges, with(aCharge, `100`, `1.5`), 400, "PARAM_ERROR", "/amount/total"},
		{"another currency", "POST", charges, with(aCharge, `CNY`, `USD`), 400, "PARAM_ERROR", "/amount/currency"},
		{"another scene", "POST", charges, with(aCharge, `"PARKING"`, `"ETC"`), 400, "PARAM_ERROR", "/trade_scene"},
		{"an end before", "POST", charges, with(aCharge, atChina(came.Add(time.Hour)), "2020-01-01T00:00:00+08:00"), 400, "PARAM_ERROR", "/parking_info/end_time"},
		{"an end to come", "POST", charges, with(aCharge, atChina(came.Add(time.Hour)), "2099-01-01T00:00:00+08:00"), 400, "PARAM_ERROR", "/parking_info/end_time"},
		{"no device", "POST", charges, with(aCharge, `,"device_id":"g"`, ``), 400, "PARAM_ERROR", "/parking_info/device_id"},
		{"no such entry", "POST", charges, with(aCharge, p.ID, "5K0"), 400, "INVALID_REQUEST", ""},
		{"another plate than came in", "POST", charges, with(aCharge, plateA, "测A99999"), 400, "INVALID_REQUEST", ""},
		{"another lot", "POST", charges, with(aCharge, "滨江", "江滨"), 400, "INVALID_REQUEST", ""},
		{"a number that is used", "POST", charges, with(aCharge, "pay-1", "paid-1"), 403, "OUT_TRADE_NO_USED", ""},
		{"no such charge", "GET", "/v3/vehicle/transactions/out-trade-no/none", "", 404, "NOT_FOUND", ""},

		{"too much back", "POST", refunds, with(aRefund, `100`, `501`), 403, "NOT_ENOUGH", ""},
		{"another total", "POST", refunds, with(aRefund, `500`, `499`), 400, "INVALID_REQUEST", ""},
		{"back of nothing", "POST", refunds, with(aRefund, `paid-1`, `none`), 404, "RESOURCE_NOT_EXISTS", ""},
		{"no currency", "POST", refunds, with(aRefund, `,"currency":"CNY"`, ``), 400, "PARAM_ERROR", "/amount/currency"},
		{"both numbers", "POST", refunds, `{"transaction_id":"1",` + aRefund[1:], 400, "PARAM_ERROR", "/out_trade_no"},
		{"no such refund", "GET", refunds + "/none", "", 404, "RESOURCE_NOT_EXISTS", ""},

		{"no day", "GET", "/v3/bill/tradebill", "", 400, "PARAM_ERROR", "/bill_date"},
		{"an empty day", "GET", "/v3/bill/tradebill?bill_date=" + time.Now().AddDate(0, -1, 0).Format(time.DateOnly), "", 400, "NO_STATEMENT_EXIST", ""},
		{"a day to come", "GET", "/v3/bill/tradebill?bill_date=2099-01-01", "", 400, "INVALID_REQUEST", ""},
		{"no such file", "GET", "/v3/billdownload/file?token=x", "", 400, "INVALID_REQUEST", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, body := answered(t, signedRequest(t, base, test.method, test.path, test.body))
			var e struct {
				Code    string `json:"code"`
				Message string `json:"message"`
				Detail  struct {
					Field    string `json:"field"`
					Location string `json:"location"`
					Issue    string `json:"issue"`
				} `json:"detail"`
			}
			if err := json.Unmarshal([]byte(body), &e, json.RejectUnknownMembers(true)); err != nil {
				t.Fatalf("%d %s", status, body)
			}
			if status != test.status || e.Code != test.code || e.Detail.Field != test.field || e.Message == "" {
				t.Errorf("want %d %s %q, got %d %s", test.status, test.code, test.field, status, body)
			}
			if strings.Contains(body, "12345") {
				t.Errorf("the answer repeats what was sent: %s", body)
			}
		})
	}
	byID := fmt.Sprintf(`{"transaction_id":%q,"out_refund_no":"b-2","amount":{"refund":100,"total":500,"currency":"CNY"}}`, paid.ID)
	if status, body := answered(t, signedRequest(t, base, "POST", refunds, byID)); status != 200 {
		t.Errorf("a refund by the provider's number: %d %s", status, body)
	}
	if b := w.twin.ReadBooks(); len(b.Entries) != 2 || len(b.Charges) != 1 || len(b.Refunds) != 1 {
		t.Errorf("a refused request left something behind: %+v", b)
	}
}

// atChina writes a time as the client does.
func atChina(t time.Time) string { return t.In(time.FixedZone("", 8*3600)).Format(time.RFC3339) }

func TestTheTwinVerifiesRequests(t *testing.T) {
	w := newWorld(t, nil)
	base := w.URL
	const path = "/v3/vehicle/transactions/out-trade-no/pay-1"
	good := authorization(t, "GET", path, "")
	if status, body := answered(t, signedRequest(t, base, "GET", path, "")); status != 404 {
		t.Fatalf("%d %s", status, body)
	}
	for name, header := range map[string]string{
		"none":             "",
		"another scheme":   strings.Replace(good, "RSA2048", "SM2", 1),
		"another merchant": strings.Replace(good, wechatpay.MchIDOf("riverside"), "1900000001", 1),
		"another serial":   strings.Replace(good, wechatpay.TwinSerialNo, "BEEF", 1),
		"another request":  authorization(t, "GET", path+"2", ""),
		"another body":     authorization(t, "GET", path, "{}"),
		"a part twice":     good + `,mchid="1"`,
		"a part missing":   strings.Replace(good, `,serial_no="`+wechatpay.TwinSerialNo+`"`, "", 1),
		"no quotes":        strings.ReplaceAll(good, `"`, ""),
		"an old time":      authorizationAt(t, "GET", path, "", time.Now().Add(-6*time.Minute)),
	} {
		r := signedRequest(t, base, "GET", path, "")
		r.Header.Set("Authorization", header)
		if status, body := answered(t, r); status != 401 || !strings.Contains(body, "SIGN_ERROR") {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	r := signedRequest(t, base, "GET", path, "")
	r.Header.Set("Authorization", good)
	again := r.Clone(context.Background())
	if status, _ := answered(t, r); status != 404 {
		t.Errorf("the first time: %d", status)
	}
	if status, _ := answered(t, again); status != 401 {
		t.Errorf("replayed: %d", status)
	}
	for _, change := range []func(*http.Request){func(r *http.Request) { r.Header.Del("Accept") }, func(r *http.Request) { r.Header.Set("User-Agent", "") }} {
		r := signedRequest(t, base, "GET", path, "")
		change(r)
		if status, _ := answered(t, r); status != 400 {
			t.Errorf("headers %v: %d", r.Header, status)
		}
	}
	post := signedRequest(t, base, "POST", "/v3/vehicle/parking/parkings", "{}")
	post.Header.Set("Content-Type", "text/plain")
	if status, _ := answered(t, post); status != 400 {
		t.Errorf("no JSON: %d", status)
	}
}

func TestAnEntryIsChargedOnce(t *testing.T) {
	w := newWorld(t, nil)
	ctx := twintest.Within(t, 20*time.Second)
	p := w.park(t, "in-1", plateA)
	if _, err := w.client.CreateTransaction(ctx, charge("pay-1", plateA, p.ID, 100)); err != nil {
		t.Fatal(err)
	}
	_, err := w.client.CreateTransaction(ctx, charge("pay-2", plateA, p.ID, 100))
	refusedWith(t, err, wechatpay.RefusedState, "INVALID_REQUEST")
	_, err = w.client.CreateTransaction(ctx, charge("pay-1", plateA, p.ID, 101))
	refusedWith(t, err, wechatpay.RefusedOtherUse, "OUT_TRADE_NO_USED")
	old := w.park(t, "in-2", plateA)
	w.park(t, "in-3", plateA) // the car has come in again: the entry before it is over
	_, err = w.client.CreateTransaction(ctx, charge("pay-3", plateA, old.ID, 100))
	refusedWith(t, err, wechatpay.RefusedState, "INVALID_REQUEST")
}

func TestBadWishes(t *testing.T) {
	provider := newTwin(t, 7)
	for _, bad := range []string{``, `{}`, `{"what":"x"}`, `{"who":1}`, `{"what":"plate","plate_number":"a b","plate_color":"BLUE"}`,
		`{"what":"plate","plate_number":"A1","plate_color":"BLUE","state":"ODD"}`, `{"what":"plate","plate_number":"A1","plate_color":"BLUE","block_reason":"PAUSE"}`,
		`{"what":"plate","plate_number":"A1","plate_color":"BLUE","outcome":"REFUND"}`, `{"what":"plate","plate_number":"A1","plate_color":"BLUE","refuse":"no no"}`,
		`{"what":"behave","behaviour":{"decide_ms":-1}}`, `{"what":"behave","behaviour":{"copies":101}}`, `{"what":"resend","number":"none"}`,
		`{"what":"bill","number":"a b"}`, `{"what":"bill","number":"a","day":"x"}`, `{"what":"bill","number":"a","total":-1}`} {
		if made, err := provider.Make([]byte(bad)); err == nil {
			t.Errorf("%q was made: %+v", bad, made)
		}
	}
	for _, bad := range []wechatpay.TwinConfig{{}, {Name: "x"}, {Name: "x", Credentials: wechatpay.Credentials{PrivateKey: "x", APIv3Key: credentials().APIv3Key}},
		{Name: "x", Credentials: credentials(), MchID: "m"}} {
		if _, err := wechatpay.NewTwin(bad); err == nil {
			t.Errorf("%+v was made", bad)
		}
	}
}

// TestTheTwinRemembers: books, keys, what is not decided and what is not told.
func TestTheTwinRemembers(t *testing.T) {
	w := newWorld(t, nil)
	ctx := twintest.Within(t, 20*time.Second)
	w.paid(t, "pay-1", plateA, 100)
	w.inbox.next(t)
	w.do(t, wechatpay.Want{What: wechatpay.MakeBehave, Behaviour: wechatpay.Behaviour{DecideMS: 3_600_000}})
	p := w.park(t, "in-2", plateB)
	must[*wechatpay.Transaction](t)(w.client.CreateTransaction(ctx, charge("pay-2", plateB, p.ID, 200)))
	must[*wechatpay.Refund](t)(w.client.CreateRefund(ctx, wechatpay.RefundOrder{OutRefundNo: "b-1", OutTradeNo: "pay-1", Refund: 1, Total: 100}))
	w.do(t, wechatpay.Want{What: wechatpay.MakeBill, Number: "pay-1", Hide: true})
	state := must[[]byte](t)(w.twin.Save())
	later := time.Now().Add(2 * time.Hour)
	back := must[*wechatpay.Twin](t)(wechatpay.NewTwin(wechatpay.TwinConfig{Name: "riverside", Credentials: credentials(), Seed: 7,
		Clock: func() time.Time { return later }}))
	t.Cleanup(func() { _ = back.Close() })
	w.inbox.client = newClient(t, func() wechatpay.Config {
		cfg := w.cfg
		cfg.Clock = func() time.Time { return later }
		cfg.PlatformKeys = must[string](t)(w.twin.PlatformCertificates())
		return cfg
	}())
	if err := back.Restore(state); err != nil {
		t.Fatal(err)
	}
	for range 2 { // a charge and a refund are decided by now, and told
		if n := w.inbox.next(t).read; n.Event == wechatpay.EventPaid && n.Transaction.OutTradeNo != "pay-2" || n.Event == wechatpay.EventRefunded && n.Refund.OutRefundNo != "b-1" {
			t.Errorf("told %+v", n)
		}
	}
	a, b := w.twin.ReadBooks(), back.ReadBooks()
	if len(b.Charges) != 2 || b.Charges[0].Content != a.Charges[0].Content || b.Keys[0] != a.Keys[0] || b.Charges[1].State != wechatpay.Success ||
		b.Refunds[0].State != wechatpay.RefundSuccess || b.Charges[0].State != wechatpay.Refunded {
		t.Errorf("books = %+v, were %+v", b, a)
	}
	for _, bad := range []string{``, `{"charges":[null]}`, `{"plates":{"a":null}}`, `{"book":1}`, `{"keys":[{"key":"x"}]}`} {
		if err := newTwin(t, 1).Restore([]byte(bad)); err == nil {
			t.Errorf("%q was restored", bad)
		}
	}
	if w.twin.Changes() == 0 || back.Changes() == 0 {
		t.Error("changes are counted")
	}
}

// TestBooksShowNoPlate: they are there to be read by whoever checks.
func TestBooksShowNoPlate(t *testing.T) {
	w := newWorld(t, nil)
	w.paid(t, "pay-1", plateA, 100)
	text := must[[]byte](t)(json.Marshal(w.twin.Books()))
	if strings.Contains(string(text), "12345") || !strings.Contains(string(text), w.twin.Plate(plateA, wechatpay.Blue)) {
		t.Errorf("books = %s", text)
	}
}

// TestManyCopiesOfOneCharge: the twin itself must count right, or its books prove nothing.
func TestManyCopiesOfOneCharge(t *testing.T) {
	w := newWorld(t, nil)
	p := w.park(t, "in-1", plateA)
	var wg sync.WaitGroup
	for range 30 {
		wg.Go(func() {
			if _, err := w.client.CreateTransaction(twintest.Within(t, 10*time.Second), charge("pay-1", plateA, p.ID, 100)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if b := w.twin.ReadBooks().Charges; len(b) != 1 || b[0].Asked.Create != 30 {
		t.Errorf("books = %+v", b)
	}
}

// model is what the merchant's numbers must be, kept apart from the twin.
type model struct {
	total    map[string]int64 // by out_trade_no
	refunds  map[string]int64 // by out_refund_no
	refunded map[string]int64 // by out_trade_no
}

// TestTheTwinAgainstItsModel: whatever comes in whatever order, and however often, nothing is charged twice and no more is
// refunded than was paid.
func TestTheTwinAgainstItsModel(t *testing.T) {
	w := newWorld(t, nil)
	w.do(t, wechatpay.Want{What: wechatpay.MakeBehave, Behaviour: wechatpay.Behaviour{Mute: true}})
	serial := 0
	rapid.Check(t, func(rt *rapid.T) {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		serial++
		m := model{map[string]int64{}, map[string]int64{}, map[string]int64{}}
		number := func(kind string) string {
			return fmt.Sprintf("%s-%d-%d", kind, serial, rapid.IntRange(1, 2).Draw(rt, kind))
		}
		parkings := map[string]string{}
		for range rapid.IntRange(1, 10).Draw(rt, "steps") {
			pay := number("pay")
			switch rapid.SampledFrom([]string{"charge", "refund"}).Draw(rt, "operation") {
			case "charge":
				total := int64(rapid.IntRange(1, 2).Draw(rt, "total"))
				plate := "测C" + strings.ToUpper(strings.ReplaceAll(pay[4:], "-", "X"))
				if parkings[pay] == "" {
					p, err := w.client.CreateParking(ctx, entry("in-"+pay, plate))
					if err != nil {
						rt.Fatal(err)
					}
					parkings[pay] = p.ID
				}
				_, err := w.client.CreateTransaction(ctx, charge(pay, plate, parkings[pay], total))
				if known, there := m.total[pay]; (err == nil) != (!there || known == total) {
					rt.Fatalf("%s %d, known %d: %v", pay, total, known, err)
				} else if !there {
					m.total[pay] = total
				}
			case "refund":
				back, sum := number("back"), int64(rapid.IntRange(1, 2).Draw(rt, "refund"))
				total := max(m.total[pay], 1)
				if sum > total {
					continue
				}
				_, err := w.client.CreateRefund(ctx, wechatpay.RefundOrder{OutRefundNo: back, OutTradeNo: pay, Refund: sum, Total: total})
				_, used := m.refunds[back]
				switch {
				case used: // the same or another: the sums below say whether it counted twice
				case m.total[pay] == 0 || m.refunded[pay]+sum > total:
					if err == nil {
						rt.Fatalf("%s of %s: %d was refunded of %d", back, pay, m.refunded[pay]+sum, m.total[pay])
					}
				case err != nil:
					rt.Fatal(err)
				default:
					m.refunds[back] = sum
					m.refunded[pay] += sum
				}
			}
		}
		charged, refunded := map[string]int64{}, map[string]int64{}
		for _, c := range w.twin.ReadBooks().Charges {
			if m.total[c.OutTradeNo] > 0 {
				charged[c.OutTradeNo] += c.Total
			}
		}
		for _, r := range w.twin.ReadBooks().Refunds {
			if m.total[r.OutTradeNo] > 0 {
				refunded[r.OutTradeNo] += r.Refund
			}
		}
		if fmt.Sprint(charged) != fmt.Sprint(m.total) || fmt.Sprint(refunded) != fmt.Sprint(m.refunded) {
			rt.Fatalf("the books have %v and %v, want %v and %v", charged, refunded, m.total, m.refunded)
		}
	})
}

// FuzzTwin: whatever is sent to the twin, it answers with JSON, and charges only what is whole.
func FuzzTwin(f *testing.F) {
	provider := newTwin(f, 7)
	for _, seed := range []struct{ path, body string }{
		{"/v3/vehicle/parking/parkings", `{"out_parking_no":"in-1"}`}, {"/v3/vehicle/transactions/parking", `{"amount":null,"parking_info":{}}`},
		{"/v3/vehicle/transactions/parking", `{"amount":{"total":1}}`}, {"/v3/refund/domestic/refunds", `{"amount":{"refund":1}}`}, {"/v3/refund/domestic/refunds", `{`}} {
		f.Add(seed.path, []byte(seed.body))
	}
	f.Fuzz(func(t *testing.T, path string, body []byte) {
		r, err := http.NewRequest("POST", "http://provider"+path, bytes.NewReader(body))
		if err != nil || r.URL.RequestURI() != path {
			return
		}
		r.Header = http.Header{"Authorization": {authorization(t, "POST", path, string(body))}, "Content-Type": {"application/json"},
			"Accept": {"application/json"}, "User-Agent": {"x"}}
		answer := httptest.NewRecorder()
		provider.ServeHTTP(answer, r)
		var out map[string]any
		if err := json.Unmarshal(answer.Body.Bytes(), &out); err != nil || answer.Code < 200 || answer.Code >= 500 || answer.Header().Get("Wechatpay-Signature") == "" {
			t.Errorf("%d %s", answer.Code, answer.Body)
		}
		for _, c := range provider.ReadBooks().Charges {
			if c.ID == "" || c.Total <= 0 {
				t.Errorf("half a charge: %+v", c)
			}
		}
	})
}

// TestTheCityDrivesTheTwin: as it is driven from outside.
func TestTheCityDrivesTheTwin(t *testing.T) {
	w := newWorld(t, nil)
	resp, err := http.Post(w.City.Address()+"/make/wechatpay/riverside", "application/json", strings.NewReader(`{"what":"rotate"}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 201 || len(w.twin.ReadBooks().Keys) != 2 {
		t.Errorf("%d, keys %v", resp.StatusCode, w.twin.ReadBooks().Keys)
	}
	var backend twin.Backend = w.twin
	if _, ok := backend.(io.Closer); !ok {
		t.Error("the city cannot close it")
	}
	http.DefaultClient.CloseIdleConnections()
}
