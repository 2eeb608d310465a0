package parking_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/twin"
	"github.com/warmgate/warmgate/backends/wechatpay"
	"github.com/warmgate/warmgate/flows/flowtest"
	"github.com/warmgate/warmgate/flows/parking"
)

// yesterday is the provider's.
func yesterday() string {
	return time.Now().In(wechatpay.China()).AddDate(0, 0, -1).Format(time.DateOnly)
}

// reconcile has the books held against the bill of a day, over the second listener.
func (w *town) reconcile(day string) (r parking.Reconciled) {
	w.T.Helper()
	status, text := w.errand(fmt.Sprintf(`{"day":%q}`, day))
	var all []parking.Reconciled
	if status != 200 || json.Unmarshal([]byte(text), &all) != nil || len(all) != 1 {
		w.T.Fatalf("reconciling: %d %s", status, text)
	}
	return all[0]
}

func (w *town) errand(arg string) (int, string) {
	w.T.Helper()
	a, err := http.Post(w.Admin+"/errands/reconcile", "application/json", strings.NewReader(arg))
	if err != nil {
		w.T.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		w.T.Fatal(err)
	}
	return a.StatusCode, string(text)
}

// counts fails the test where a reconciliation has come to something else.
func (w *town) counts(r parking.Reconciled, payments, refunds, settled, differences, fresh int) {
	w.T.Helper()
	if r.Error != "" || r.Payments != payments || r.Refunds != refunds || r.Settled != settled || r.Differences != differences || r.Fresh != fresh {
		w.T.Errorf("reconciled %+v, want %d payments, %d refunds, %d settled, %d differences, %d fresh", r, payments, refunds, settled, differences, fresh)
	}
	if n := w.Number(`SELECT COUNT(*) FROM parking_differences d JOIN assists a ON a.id = d.assist`); n != w.Number(`SELECT COUNT(*) FROM parking_differences`) {
		w.T.Errorf("%d differences have an assist", n)
	}
}

// openYesterday opens a lot whose provider books everything on the day before.
func openYesterday(t *testing.T) *town {
	t.Helper()
	w := openTown(t)
	w.do(wechatpay.Want{What: wechatpay.MakeBehave, Behaviour: wechatpay.Behaviour{DaysAgo: 1}})
	return w
}

// bills has some cars leave, and their bills paid.
func (w *town) bills(n int) (all []string) {
	w.T.Helper()
	for i := range n {
		all = append(all, w.visit(fmt.Sprintf("浙A%05d", i), 3*time.Hour-time.Duration(i)*time.Second, time.Hour))
	}
	for _, b := range all {
		w.becomes(b, "paid")
	}
	return all
}

// number is what the provider knows the payment of a bill by.
func (w *town) number(bill string) (number string) {
	w.T.Helper()
	w.text(&number, `SELECT number FROM parking_collections WHERE bill = $1 ORDER BY try DESC LIMIT 1`, bill)
	return number
}

func TestABillThatAgreesHasNoDifferences(t *testing.T) {
	w := openYesterday(t)
	w.counts(w.reconcile(yesterday()), 0, 0, 0, 0, 0) // the provider has no bill of a day without payments
	w.bills(3)
	for range 2 {
		w.counts(w.reconcile(yesterday()), 3, 0, 0, 0, 0)
	}
	w.counts(w.reconcile(time.Now().In(wechatpay.China()).AddDate(0, 0, -2).Format(time.DateOnly)), 0, 0, 0, 0, 0)
	if n := w.Number(`SELECT COUNT(*) FROM assists`); n != 0 {
		t.Errorf("%d assists", n)
	}
}

// TestEveryDifferenceIsAnAssist, once, however often the day is reconciled.
func TestEveryDifferenceIsAnAssist(t *testing.T) {
	w := openYesterday(t)
	all := w.bills(4)
	alter := func(want wechatpay.Want) {
		want.What = wechatpay.MakeBill
		w.do(want)
	}
	alter(wechatpay.Want{Number: w.number(all[0]), Hide: true})
	alter(wechatpay.Want{Number: w.number(all[1]), Total: 1999})
	alter(wechatpay.Want{Number: "ghost", Total: 77, Day: yesterday(), Copies: 2})
	alter(wechatpay.Want{Number: w.number(all[2]), Copies: 3})
	alter(wechatpay.Want{Number: "ghost-back", Total: 7, Day: yesterday(), Refund: true})
	w.counts(w.reconcile(yesterday()), 7, 1, 0, 7, 7)
	w.has("unknown", 2)
	w.has("twice", 2)
	w.has("refund-unknown", 1)
	w.has("missing", 1)
	w.has("amount", 1)
	w.counts(w.reconcile(yesterday()), 7, 1, 0, 7, 0)
	for range 7 {
		w.settleOne("parking-bill-differs", "settled")
	}
	w.counts(w.reconcile(yesterday()), 7, 1, 0, 7, 0) // also once a person has settled them
	if n := w.Number(`SELECT COUNT(*) FROM assists WHERE kind = 'parking-bill-differs' AND state = 'resolved' AND reason IS NOT NULL`); n != 7 {
		t.Errorf("%d assists with a reason", n)
	}
	alter(wechatpay.Want{Number: w.number(all[1]), Total: 1998}) // another difference
	w.counts(w.reconcile(yesterday()), 7, 1, 0, 7, 1)
}

// TestWhatIsForgottenIsReconciled all the same: a difference says what is left to say.
func TestWhatIsForgottenIsReconciled(t *testing.T) {
	w := openYesterday(t)
	all := w.bills(2)
	w.do(wechatpay.Want{What: wechatpay.MakeBill, Number: w.number(all[0]), Hide: true})
	w.do(wechatpay.Want{What: wechatpay.MakeBill, Number: w.number(all[1]), Total: 1999})
	w.forget()
	w.counts(w.reconcile(yesterday()), 1, 0, 0, 2, 2)
	w.has("missing", 1)
	w.has("amount", 1)
}

// TestAStateThatDiffersIsAnAssist: the provider has taken money, and says so when it is asked, that the books do not take as paid.
func TestAStateThatDiffersIsAnAssist(t *testing.T) {
	w := openYesterday(t)
	all := w.bills(2)
	w.change(`UPDATE parking_collections SET state = 'failed' WHERE bill = $1`, all[0])
	w.counts(w.reconcile(yesterday()), 2, 0, 0, 1, 1)
	w.has("state", 1)
	w.counts(w.reconcile(yesterday()), 2, 0, 0, 1, 0)
}

// TestRefundsAreReconciled like payments.
func TestRefundsAreReconciled(t *testing.T) {
	w := openYesterday(t)
	zhang := w.person("zhang")
	w.own(zhang, "浙A00000", time.Now().Add(-24*time.Hour))
	w.own(zhang, "浙A00001", time.Now().Add(-24*time.Hour))
	all := w.bills(2)
	for _, b := range all {
		wants(t, "a dispute", w.send(zhang, "/v1/parking-bills/"+b+"/disputes", m{"reason": "I have a pass"}), 202, "")
		wants(t, "letting it go", w.settle("parking-bill-disputed", "waive", nil), 201, "")
		w.becomes(b, "refunded")
	}
	w.counts(w.reconcile(yesterday()), 2, 2, 0, 0, 0)
	w.do(wechatpay.Want{What: wechatpay.MakeBill, Number: w.number(all[0]) + "-r1", Hide: true})
	w.do(wechatpay.Want{What: wechatpay.MakeBill, Number: w.number(all[1]) + "-r1", Total: 5})
	w.counts(w.reconcile(yesterday()), 2, 1, 0, 2, 2)
	w.has("refund-missing", 1)
	w.has("refund-amount", 1)
}

// TestWhatIsOnItsWayIsSettled: the provider's bill comes before its notification.
func TestWhatIsOnItsWayIsSettled(t *testing.T) {
	w := openTown(t)
	w.do(wechatpay.Want{What: wechatpay.MakeBehave, Behaviour: wechatpay.Behaviour{DaysAgo: 1, Mute: true, DecideMS: 50}})
	bill := w.visit(plateA, 3*time.Hour, time.Hour)
	w.Eventually("it is charged", func() bool { n, _ := w.charged(); return n == 1 })
	w.Eventually("it is accepted", func() bool { return w.Number(`SELECT COUNT(*) FROM parking_collections WHERE state = 'accepted'`) == 1 })
	w.change(`UPDATE parking_collections SET look_at = $1`, time.Now().Add(time.Hour).UnixMilli())
	w.dial(twin.Dial{Fault: twin.Reset, Path: "/v3/vehicle/transactions/out-trade-no/"})
	if r := w.reconcile(yesterday()); r.Unasked != 1 || !strings.Contains(r.Error, "could not be asked how 1 of them stand") || r.Differences != 0 {
		t.Errorf("while the provider cannot be asked: %+v", r)
	}
	w.dial(twin.Dial{})
	w.counts(w.reconcile(yesterday()), 1, 0, 1, 0, 0)
	if s := w.state(bill); s != "paid" {
		t.Errorf("it is %s", s)
	}
	w.counts(w.reconcile(yesterday()), 1, 0, 0, 0, 0)
}

// TestWhatIsPaidByTheBillAlone is asked about, and is a difference where that does not explain it.
func TestWhatIsPaidByTheBillAlone(t *testing.T) {
	w := openYesterday(t)
	all := w.bills(2)
	w.change(`UPDATE parking_collections SET reconciled_day = '2020-01-01', reconciled_in = 'x' WHERE bill = $1`, all[0])
	w.change(`UPDATE parking_collections SET reference = 'another' WHERE bill = $1`, all[1])
	w.counts(w.reconcile(yesterday()), 2, 0, 0, 2, 2)
	w.has("twice", 1)     // another day's bill has it too
	w.has("reference", 1) //
	w.counts(w.reconcile(yesterday()), 2, 0, 0, 2, 0)
}

// TestABillThatCannotBeRead says why, and leaves nothing behind.
func TestABillThatCannotBeRead(t *testing.T) {
	w := openYesterday(t)
	w.bills(1)
	w.do(wechatpay.Want{What: wechatpay.MakeBill, Number: "ghost", Total: 77, Day: yesterday()})
	w.do(wechatpay.Want{What: wechatpay.MakeBehave, Behaviour: wechatpay.Behaviour{NotReady: true}})
	if r := w.reconcile(yesterday()); !strings.Contains(r.Error, "not ready yet") {
		t.Errorf("%+v", r)
	}
	w.do(wechatpay.Want{What: wechatpay.MakeBehave})
	for _, fault := range []twin.Fault{twin.Refuse, twin.Garbage, twin.Reset} {
		w.dial(twin.Dial{Fault: fault, Path: "/v3/billdownload/"})
		if r := w.reconcile(yesterday()); !strings.Contains(r.Error, "cannot read the collector's bill") || r.Payments != 0 {
			t.Errorf("%s: %+v", fault, r)
		}
	}
	w.dial(twin.Dial{})
	if n := w.Number(`SELECT COUNT(*) FROM parking_differences`); n != 0 {
		t.Errorf("%d differences", n)
	}
	for arg, says := range map[string]string{
		`{"day":"yesterday"}`: "must be YYYY-MM-DD", `{"day":"2099-01-01"}`: "not over", `{"when":"now"}`: "the argument must be",
		fmt.Sprintf(`{"day":%q,"venue":"elsewhere"}`, yesterday()): "no lot elsewhere",
	} {
		if _, text := w.errand(arg); !strings.Contains(text, says) {
			t.Errorf("%s: %s", arg, text)
		}
	}
}

// TestTheCitysBillIsReconciled like the provider's, by when the cars left.
func TestTheCitysBillIsReconciled(t *testing.T) {
	w, _ := openCity(t)
	all := []string{w.visit(plateA, 30*time.Hour, 25*time.Hour), w.visit(plateB, 30*time.Hour-time.Minute, 25*time.Hour)}
	for _, b := range all {
		w.becomes(b, "paid")
	}
	day := time.Now().Add(-25 * time.Hour).In(wechatpay.China()).Format(time.DateOnly)
	w.counts(w.reconcile(day), 2, 0, 0, 0, 0)
	w.change(`UPDATE parking_collections SET number = 'x' || number WHERE bill = $1`, all[0])
	w.change(`UPDATE parking_collections SET reference = 'another' WHERE bill = $1`, all[1])
	w.counts(w.reconcile(day), 2, 0, 0, 3, 3)
	w.has("unknown", 1)
	w.has("missing", 1)
	w.has("reference", 1)
	w.counts(w.reconcile(day), 2, 0, 0, 3, 0)
}

// TestLotsOfOneMerchantHaveOneBill: what the one lot is paid is not unknown to the other.
func TestLotsOfOneMerchantHaveOneBill(t *testing.T) {
	const other = "east-garage"
	w := openTownWith(t, func(c *flowtest.City, file string) string {
		c.Write("venues/"+other+".yaml", strings.Replace(strings.ReplaceAll(file, "/"+lotID+"\"", "/"+other+"\""), "id: "+lotID, "id: "+other, 1))
		return file
	})
	w.do(wechatpay.Want{What: wechatpay.MakeBehave, Behaviour: wechatpay.Behaviour{DaysAgo: 1}})
	w.bills(2)
	r := w.reconcile(yesterday())
	w.counts(r, 2, 0, 0, 0, 0)
	if fmt.Sprint(r.Lots) != "[east-garage west-garage]" {
		t.Errorf("the lots are %v", r.Lots)
	}
}
