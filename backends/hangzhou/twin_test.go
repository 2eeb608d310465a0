package hangzhou_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"pgregory.net/rapid"

	"github.com/warmgate/warmgate/backends/hangzhou"
	"github.com/warmgate/warmgate/backends/twin/twintest"
	"github.com/warmgate/warmgate/backends/wire"
)

// post sends a body and returns the answer.
func post(t testing.TB, to, body, kind string) (int, string) {
	t.Helper()
	resp, text := twintest.Ask(t, http.MethodPost, to, body, map[string]string{"Content-Type": kind})
	return resp.StatusCode, text
}

const anArrival = `{"data":{"uid":"riverside120260502120000","arriveID":"in-1","plateNo":"浙A12345","parkingCode":"riverside","entryNum":"1",` +
	`"gateNo":"无","operatorCode":"无","totalBerthNum":200,"openBerthNum":180,"freeBerthNum":17,"arriveTime":"2026-05-02 12:00:00",` +
	`"parkingType":1,"plateColor":1,"uploadTime":"2026-05-02 12:00:01"}}`

// TestTheTwinRefusesWhatDoesNotFit: a client that has drifted from the interface is seen.
func TestTheTwinRefusesWhatDoesNotFit(t *testing.T) {
	w := newWorld(t)
	both, err := keys()
	if err != nil {
		t.Fatal(err)
	}
	const in = "/api/v2/cp/uploadCarInData"
	with := func(old, now string) string {
		if !strings.Contains(anArrival, old) {
			t.Fatalf("nothing to change: %s", old)
		}
		return strings.Replace(anArrival, old, now, 1)
	}
	for _, test := range []struct{ name, plain, want string }{
		{"no data", `{}`, "400 data"},
		{"null", `null`, "400 data"},
		{"data of another kind", `{"data":"{}"}`, "400 data"},
		{"something beside it", `{"data":{},"v":2}`, "400 data"},
		{"a duplicate member", with(`"uid"`, `"plateNo":"浙A12345","uid"`), "400 data"},
		{"an unknown member", with(`"uid"`, `"floor":1,"uid"`), "400 member"},
		{"another case", with(`"uid"`, `"UID"`), "400 uid"},
		{"no plate", with(`"plateNo":"浙A12345",`, ``), "400 plateNo"},
		{"a null plate", with(`"浙A12345"`, `null`), "400 plateNo"},
		{"a number for a word", with(`"entryNum":"1"`, `"entryNum":1`), "400 entryNum"},
		{"a word for a number", with(`"plateColor":1`, `"plateColor":"1"`), "400 plateColor"},
		{"a color that is none", with(`"plateColor":1`, `"plateColor":6`), "400 plateColor"},
		{"a kind that is none", with(`"parkingType":1`, `"parkingType":0`), "400 parkingType"},
		{"a fraction", with(`"freeBerthNum":17`, `"freeBerthNum":17.0`), "400 freeBerthNum"},
		{"more free than open", with(`"freeBerthNum":17`, `"freeBerthNum":181`), "400 free"},
		{"another time's form", with(`"2026-05-02 12:00:01"`, `"2026-05-02T12:00:01+08:00"`), "400 uploadTime"},
		{"a day that is none", with(`"2026-05-02 12:00:01"`, `"2026-02-30 12:00:01"`), "400 uploadTime"},
		{"a number that is not the stay's", with(`riverside1`, `riverside2`), "400 uid"},
		{"another lot", strings.ReplaceAll(anArrival, "riverside", "hillside"), "403 parkingCode"},
	} {
		f, err := hangzhou.SealForm(both.Lot, lot, test.plain)
		if err != nil {
			t.Fatal(err)
		}
		answered(t, test.name, form(t, w, in, f), test.want)
	}
	good, err := hangzhou.SealForm(both.Lot, lot, anArrival)
	if err != nil {
		t.Fatal(err)
	}
	strange, err := hangzhou.SealForm(both.City, lot, anArrival)
	if err != nil {
		t.Fatal(err)
	}
	change := func(name string, values ...string) url.Values {
		f := url.Values{"accessID": good["accessID"], "cipher": good["cipher"], "sign": good["sign"]}
		f[name] = values
		return f
	}
	for name, test := range map[string]struct {
		form url.Values
		want string
	}{
		"another's key":        {strange, "401 signature"},
		"another's id":         {change("accessID", "hillside"), "401 access"},
		"no id":                {change("accessID"), "400 form"},
		"two ciphers":          {change("cipher", good.Get("cipher"), good.Get("cipher")), "400 form"},
		"something beside it":  {change("v", "2"), "400 form"},
		"another's cipher":     {change("cipher", strange.Get("cipher")), "401 signature"},
		"another's signature":  {change("sign", strange.Get("sign")), "401 signature"},
		"a signature of words": {change("sign", "signed"), "401 base64"},
	} {
		answered(t, name, form(t, w, in, test.form), test.want)
	}
	if status, body := post(t, w.URL+in, `{}`, "application/json"); status != 200 || !strings.Contains(body, "Content-Type") {
		t.Errorf("JSON: %d %s", status, body)
	}
	for _, path := range []string{"/api/v2/cp/uploadFee", "/", in + "/", in + "?x=1"} {
		if text := form(t, w, path, good); !strings.HasPrefix(text, "404 ") {
			t.Errorf("%s: %s", path, text)
		}
	}
	if b := w.twin.ReadBooks(); len(b.Stays) != 0 || b.Requests != 2 { // two had no fault but in what they said
		t.Errorf("books = %+v", b)
	}
	if text := form(t, w, in, good); !strings.Contains(text, `"resultCode":200`) {
		t.Error(text)
	}
}

// answered judges an answer by its resultCode and a word of its sentence.
func answered(t *testing.T, name, text, want string) {
	t.Helper()
	code, word, _ := strings.Cut(want, " ")
	if !strings.HasPrefix(text, `200 {"resultCode":`+code+`,`) || !strings.Contains(text, word) {
		t.Errorf("%s: want %s, got %s", name, want, text)
	}
	if strings.Contains(text, "12345") {
		t.Errorf("%s: the answer repeats the plate: %s", name, text)
	}
}

// TestContradictionsAreRefused: the same again is not one, and leaves nothing behind.
func TestContradictionsAreRefused(t *testing.T) {
	w := newWorld(t)
	ctx := twintest.Within(t, 10*time.Second)
	all := operations(w, 1)
	for _, op := range []string{"Depart", "ApplyPayment", "Pay"} {
		refusedWith(t, all[op](ctx), hangzhou.CodeUnknown)
	}
	for _, op := range []string{"Arrive", "Depart", "ApplyPayment", "Pay"} {
		if err := all[op](ctx); err != nil {
			t.Fatal(err)
		}
	}
	s := stay()
	s.Entry = "1"
	before, err := w.twin.Save()
	if err != nil {
		t.Fatal(err)
	}
	arrive := func(change func(*hangzhou.Arrival)) error {
		a := arrival()
		a.Stay = s
		change(&a)
		return w.client.Arrive(ctx, a)
	}
	leave := func(change func(*hangzhou.Departure)) error {
		d := departure()
		d.Stay = s
		change(&d)
		return w.client.Depart(ctx, d)
	}
	apply := func(change func(*hangzhou.Charge)) error {
		b := charge()
		change(&b)
		return w.client.ApplyPayment(ctx, b)
	}
	pay := func(change func(*hangzhou.Payment)) error {
		p := payment()
		change(&p)
		return w.client.Pay(ctx, p)
	}
	for name, err := range map[string]error{
		"another plate":           arrive(func(a *hangzhou.Arrival) { a.Plate = "浙A54321" }),
		"another color":           arrive(func(a *hangzhou.Arrival) { a.Color = hangzhou.Green }),
		"another event":           arrive(func(a *hangzhou.Arrival) { a.ID = "in-2" }),
		"another kind":            arrive(func(a *hangzhou.Arrival) { a.Parking = hangzhou.Monthly }),
		"another plate leaves":    leave(func(d *hangzhou.Departure) { d.Plate = "浙A54321" }),
		"leaves at another time":  leave(func(d *hangzhou.Departure) { d.Left = evening.Add(time.Second) }),
		"leaves by another exit":  leave(func(d *hangzhou.Departure) { d.Exit = "3" }),
		"another amount":          apply(func(b *hangzhou.Charge) { b.Due = 3001 }),
		"another plate's bill":    apply(func(b *hangzhou.Charge) { b.Plate = "浙A54321" }),
		"another payment":         pay(func(p *hangzhou.Payment) { p.Paid = 1 }),
		"another means":           pay(func(p *hangzhou.Payment) { p.Means = hangzhou.Cash }),
		"another plate's payment": pay(func(p *hangzhou.Payment) { p.Plate = "浙A54321" }),
	} {
		t.Run(name, func(t *testing.T) { refusedWith(t, err, hangzhou.CodeConflict) })
	}
	if err := arrive(func(a *hangzhou.Arrival) { a.Berths.Free = 3 }); err != nil {
		t.Errorf("how full the lot is, is no part of an arrival: %v", err)
	}
	if err := w.twin.Restore(before); err != nil {
		t.Fatal(err)
	}
	b := w.twin.ReadBooks()
	if len(b.Stays) != 1 || len(b.Bills) != 1 || b.Bills[0].Due != 3000 || len(b.Payments) != 1 || b.Payments[0].Paid != 3000 {
		t.Errorf("books = %+v", b)
	}
}

// TestThePermissionDecides: who may leave first, and up to which amount; and what becomes of a collection.
func TestThePermissionDecides(t *testing.T) {
	w := newWorld(t)
	ctx := twintest.Within(t, 10*time.Second)
	ear := w.listen(t, w.settings(), nil)
	arrive(t, w, 1)
	ear.next()
	make := func(want string) error { _, err := w.twin.Make([]byte(want)); return err }
	for _, want := range []string{`{"plate":"浙A12345","policy":{"no_sense":false,"leave_first":true,"limit":9000}}`,
		`{"policy":{"no_sense":true,"leave_first":false,"limit":9000}}`, `{"plate":"浙A12345","policy":{"no_sense":true,"leave_first":true,"limit":2999}}`} {
		if err := make(want); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(want, `{"policy"`) { // the others' does not touch this one
			ear.next()
		}
		refusedWith(t, operations(w, 1)["ApplyPayment"](ctx), hangzhou.CodeForbidden)
	}
	if err := make(`{"plate":"浙A12345","policy":{"no_sense":true,"leave_first":true,"limit":3000,"collect":"hold"}}`); err != nil {
		t.Fatal(err)
	}
	if p := ear.next(); !p.Departure.Allows(3000) || p.Departure.Allows(3001) {
		t.Errorf("push = %+v", p.Departure)
	}
	if err := operations(w, 1)["ApplyPayment"](ctx); err != nil {
		t.Fatal(err)
	}
	if bills, err := w.client.DailyBills(ctx, "2026-05-02", ""); err != nil || len(bills) != 1 || bills[0].Status != hangzhou.Pending || bills[0].Paid != 0 {
		t.Errorf("DailyBills = %+v, %v", bills, err)
	}
	if err := make(`{"settle":"bill-1","failed":true}`); err != nil {
		t.Fatal(err)
	}
	if p := ear.next(); p.Result.Status != hangzhou.Failed || p.Result.Paid != 0 || p.Result.Order != "" {
		t.Errorf("push = %+v", p.Result)
	}
	if err := operations(w, 1)["ApplyPayment"](ctx); err != nil { // tried again
		t.Fatal(err)
	}
	if err := make(`{"settle":"bill-1"}`); err != nil {
		t.Fatal(err)
	}
	if p := ear.next(); p.Result.Status != hangzhou.Paid || p.Result.Paid != 3000 || p.Result.Order == "" {
		t.Errorf("push = %+v", p.Result)
	}
	for _, bad := range []string{``, `{}`, `{"settle":"bill-1"}`, `{"settle":"none"}`, `{"fee":"浙A00000"}`, `{"policy":{"limit":-1}}`, `{"policy":{"collect":"steal"}}`,
		`{"policy":{"delay_ms":-1}}`, `{"plate":"浙A12345"}`, `{"who":1}`, `{"plate":"浙A12345\n","policy":{}}`} {
		if err := make(bad); err == nil || strings.Contains(err.Error(), "浙A") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	w.await(t, "all acknowledged", func(b hangzhou.Books) bool { return allConfirmed(len(b.Pushes))(b) })
}

// TestTheTwinAgainstItsModel: whatever comes in whatever order, and however often, answers and books agree with a few lines.
func TestTheTwinAgainstItsModel(t *testing.T) {
	w := newWorld(t)
	serial := 0
	rapid.Check(t, func(rt *rapid.T) {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		serial++
		s := stay()
		s.Entry = strconv.Itoa(serial)
		bill := "bill-" + s.Entry
		first := map[string]int{} // what was told first, by operation
		for range rapid.IntRange(1, 10).Draw(rt, "steps") {
			op := rapid.SampledFrom([]string{"arrive", "depart", "apply", "pay"}).Draw(rt, "operation")
			n := rapid.IntRange(1, 2).Draw(rt, "content")
			var err error
			switch op {
			case "arrive":
				err = w.client.Arrive(ctx, hangzhou.Arrival{Stay: s, ID: strconv.Itoa(n), Parking: hangzhou.Casual, Berths: berths()})
			case "depart":
				err = w.client.Depart(ctx, hangzhou.Departure{Stay: s, ID: "x", Exit: "1", Left: evening.Add(time.Duration(n) * time.Minute), Parking: hangzhou.Casual, Berths: berths()})
			case "apply":
				err = w.client.ApplyPayment(ctx, hangzhou.Charge{Stay: s, BillID: bill, BilledAt: evening, Left: evening, Due: int64(n)})
			case "pay":
				err = w.client.Pay(ctx, hangzhou.Payment{Stay: s, BillID: bill, Price: 9, Due: int64(n), Paid: int64(n), BilledAt: evening, PaidAt: evening, Means: hangzhou.WeChat, Way: hangzhou.PayLater})
			}
			want := ""
			switch {
			case op != "arrive" && first["arrive"] == 0:
				want = hangzhou.CodeUnknown
			case first[op] != 0 && first[op] != n, op == "pay" && first[op] == 0 && first["apply"] != 0 && first["apply"] != n:
				want = hangzhou.CodeConflict
			case first[op] == 0:
				first[op] = n
			}
			got := ""
			if e, ok := errors.AsType[*wire.Error](err); ok {
				got = e.Code
			} else if err != nil {
				rt.Fatal(err)
			}
			if got != want {
				rt.Fatalf("%s %d after %v: want %q, got %v", op, n, first, want, err)
			}
		}
		b, uid := w.twin.ReadBooks(), w.client.UID(s.Entry, s.Entered)
		for op, name := range map[string]string{"arrive": "Arrive", "depart": "Depart", "apply": "ApplyPayment", "pay": "Pay"} {
			if got := effects(b, name, uid, bill); got != min(first[op], 1) {
				rt.Fatalf("%s happened %d times, %v", op, got, first)
			}
		}
	})
}

// TestManyCopiesOfOneBill: the twin itself must count right, or its books prove nothing.
func TestManyCopiesOfOneBill(t *testing.T) {
	w := newWorld(t)
	arrive(t, w, 1)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if err := operations(w, 1)["ApplyPayment"](twintest.Within(t, 10*time.Second)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	b := w.twin.ReadBooks()
	if len(b.Bills) != 1 || b.Bills[0].Asked != 50 || len(b.Pushes) != 2 {
		t.Errorf("books = %+v", b)
	}
}

func TestTheTwinRemembers(t *testing.T) {
	w := newWorld(t)
	for _, op := range []string{"Arrive", "Depart", "ApplyPayment", "Pay", "Heartbeat"} {
		if err := operations(w, 1)[op](twintest.Within(t, 5*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	refusedWith(t, operations(w, 2)["Depart"](twintest.Within(t, 5*time.Second)), hangzhou.CodeUnknown)
	state, err := w.twin.Save()
	if err != nil {
		t.Fatal(err)
	}
	back := newTwin(t, 7)
	if err := back.Restore(state); err != nil {
		t.Fatal(err)
	}
	again, err := back.Save()
	if err != nil || string(again) != string(state) {
		t.Errorf("saved and restored differ, %v:\n%s\n%s", err, again, state)
	}
	if fmt.Sprint(back.ReadBooks()) != fmt.Sprint(w.twin.ReadBooks()) {
		t.Error("the books differ")
	}
	for _, bad := range []string{``, `{"stays":[null]}`, `{"book":1}`, `{"stays":"浙A12345"}`} {
		if err := newTwin(t, 1).Restore([]byte(bad)); err == nil || strings.Contains(err.Error(), "12345") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	both, err := keys()
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []hangzhou.TwinConfig{{Password: "p", Keys: both}, {Name: "a", Keys: both}, {Name: "a", Password: "p"}, {Name: "a", Password: "p", Keys: hangzhou.Keys{Lot: both.Lot}}} {
		if _, err := hangzhou.NewTwin(bad); err == nil || strings.Contains(err.Error(), "MII") {
			t.Errorf("made, or the error shows a key: %v", err)
		}
	}
}

// TestBooksShowNoPlate: they are there to be read by whoever checks.
func TestBooksShowNoPlate(t *testing.T) {
	w := newWorld(t)
	for _, op := range []string{"Arrive", "Depart", "ApplyPayment", "Pay"} {
		if err := operations(w, 1)[op](twintest.Within(t, 5*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	text, err := json.Marshal(w.twin.Books())
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "12345") {
		t.Errorf("the books show the plate: %s", text)
	}
	for _, member := range []string{`"uid"`, `"plate"`, `"in_asked"`, `"bill"`, `"due"`, `"confirmed"`, `"refused"`} {
		if !strings.Contains(string(text), member) {
			t.Errorf("the books lack %s: %s", member, text)
		}
	}
}

// FuzzTwin: whatever is in an envelope, the twin answers with JSON, and takes only what is whole.
func FuzzTwin(f *testing.F) {
	both, err := keys()
	if err != nil {
		f.Fatal(err)
	}
	f.Add("/api/v2/cp/uploadCarInData", anArrival)
	f.Add("/api/v2/cp/uploadCarOutData", `{"data":{}}`)
	f.Add("/api/v2/cp/applyPayment", `{"data":null}`)
	f.Add("/api/v2/cp/uploadPayRecord", `[]`)
	f.Add("/api/v2/cp/checkDailyBill", `{"data":{"parkingCode":"riverside","plateNo":"","checkBillTime":"2026-05-02"}}`)
	f.Add("/api/v2/cp/confirmPayResult", `{"data":{"requestId":"R1","success":true,"params":{}}}`)
	brain := newTwin(f, 7)
	f.Fuzz(func(t *testing.T, path, plain string) {
		if len(plain) == 0 || len(plain) > 4096 || !strings.HasPrefix(path, "/api/") {
			return
		}
		sealed, err := hangzhou.SealForm(both.Lot, lot, plain)
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequest(http.MethodPost, "http://city"+path, strings.NewReader(sealed.Encode()))
		if err != nil {
			return
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer := httptest.NewRecorder()
		brain.ServeHTTP(answer, r)
		if answer.Code == http.StatusNotFound {
			return
		}
		var out map[string]any
		if err := json.Unmarshal(answer.Body.Bytes(), &out); err != nil || answer.Code != http.StatusOK || out["resultCode"] == nil {
			t.Errorf("%d %s", answer.Code, answer.Body)
		}
		for _, s := range brain.ReadBooks().Stays {
			if !strings.HasPrefix(s.UID, lot) || s.Entered == "" || s.Left != "" && s.Left < s.Entered {
				t.Errorf("half a stay: %+v", s)
			}
		}
	})
}
