package hangzhou_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/hangzhou"
	"github.com/warmgate/warmgate/backends/twin/twintest"
)

// TestWhatIsSpoken: every operation, member by member, whatever zone its times come in.
func TestWhatIsSpoken(t *testing.T) {
	both, err := keys()
	if err != nil {
		t.Fatal(err)
	}
	said := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		plain, err := hangzhou.OpenWith(both.Lot, r.FormValue("cipher"), r.FormValue("sign"))
		if err != nil || r.FormValue("accessID") != lot || r.Method != http.MethodPost {
			t.Errorf("%s %v", r.Method, err)
		}
		said <- r.URL.Path + " " + string(plain)
		_, _ = io.WriteString(w, `{"resultCode":200,"data":[]}`)
	}))
	defer server.Close()
	c := newClient(t, server.URL, func(c *hangzhou.Config) { c.Clock = func() time.Time { return evening.Add(2 * time.Second).UTC() } })
	s := stay()
	s.Entered = noon.UTC()
	const (
		who  = `"uid":"riverside120260502120000","plateNo":"浙A12345","plateColor":1,"parkingCode":"riverside","arriveTime":"2026-05-02 12:00:00"`
		full = `"totalBerthNum":200,"openBerthNum":180,"freeBerthNum":17`
		now  = `"uploadTime":"2026-05-02 19:30:07"`
	)
	a, d, b, p := arrival(), departure(), charge(), payment()
	a.Stay, d.Stay, b.Stay, p.Stay = s, s, s, s
	d.Left, b.Left, b.BilledAt = evening.UTC(), evening.UTC(), evening.Add(time.Second).UTC()
	p.BilledAt, p.PaidAt = b.BilledAt, evening.Add(time.Minute).UTC()
	byHand := p
	byHand.Way, byHand.Means = hangzhou.AtGate, hangzhou.Cash
	for _, test := range []struct {
		do   func(context.Context) error
		want string
	}{
		{func(ctx context.Context) error { return c.Arrive(ctx, a) }, `/api/v2/cp/uploadCarInData {"data":{"arriveID":"in-1",` + who +
			`,"entryNum":"1","gateNo":"无","operatorCode":"无","parkingType":1,` + full + `,` + now + `}}`},
		{func(ctx context.Context) error { return c.Depart(ctx, d) }, `/api/v2/cp/uploadCarOutData {"data":{"endID":"out-1",` + who +
			`,"entryNum":"1","gateNo":"南门","operatorCode":"甲","parkingType":1,` + full + `,"outNum":"2","endTime":"2026-05-02 19:30:05",` + now + `}}`},
		{func(ctx context.Context) error { return c.ApplyPayment(ctx, b) }, `/api/v2/cp/applyPayment {"data":{` + who +
			`,"billID":"bill-1","billTime":"2026-05-02 19:30:06","endTime":"2026-05-02 19:30:05","shouldPay":3000,"payStatus":0,"carStock":1}}`},
		{func(ctx context.Context) error { return c.Pay(ctx, p) }, `/api/v2/cp/uploadPayRecord {"data":{"billID":"bill-1","uid":"riverside120260502120000",` +
			`"plateNo":"浙A12345","parkingCode":"riverside","chargeFee":3500,"shouldPay":3000,"actualPay":3000,"billTime":"2026-05-02 19:30:06",` +
			`"dealTime":"2026-05-02 19:31:05","paidType":3,"payType":101,"billWay":1,` + now + `}}`},
		{func(ctx context.Context) error { return c.Pay(ctx, byHand) }, `/api/v2/cp/uploadPayRecord {"data":{"billID":"bill-1","uid":"riverside120260502120000",` +
			`"plateNo":"浙A12345","parkingCode":"riverside","chargeFee":3500,"shouldPay":3000,"actualPay":3000,"billTime":"2026-05-02 19:30:06",` +
			`"dealTime":"2026-05-02 19:31:05","paidType":1,"payType":103,"billWay":0,` + now + `}}`},
		{c.Heartbeat, `/api/v2/tcjg/uploadHeartbeat {"data":{"parkingCode":"riverside",` + now + `}}`},
		{func(ctx context.Context) error { return c.State(ctx, berths()) }, `/api/v2/cp/uploadParkingState {"data":{"parkingCode":"riverside",` + full + `,` + now + `}}`},
		{func(ctx context.Context) error { _, err := c.DailyBills(ctx, "2026-05-02", plate); return err },
			`/api/v2/cp/checkDailyBill {"data":{"parkingCode":"riverside","plateNo":"浙A12345","checkBillTime":"2026-05-02"}}`},
		{func(ctx context.Context) error { return c.ConfirmDeparture(ctx, "R1", []byte(`{"b":1.0, "a":"x"}`)) },
			`/api/v2/cp/confirmDeparturePayInfo {"data":{"requestId":"R1","success":true,"params":{"b":1.0,"a":"x"}}}`},
		{func(ctx context.Context) error { return c.ConfirmPayResult(ctx, "R1", []byte(`{}`)) },
			`/api/v2/cp/confirmPayResult {"data":{"requestId":"R1","success":true,"params":{}}}`},
	} {
		if err := test.do(twintest.Within(t, 5*time.Second)); err != nil {
			t.Fatal(err)
		}
		if got := <-said; got != test.want {
			t.Errorf("said\n%s\nwant\n%s", got, test.want)
		}
	}
}
