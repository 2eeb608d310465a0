package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/wechatpay"
	"github.com/warmgate/warmgate/flows"
	"github.com/warmgate/warmgate/flows/flowtest"
)

const reconciledLot = `id: riverside
kind: parking-lot
tenant: hangzhou
name: { zh: 停车库, en: A garage }
time_zone: Asia/Shanghai
connectors:
  city: { connector: none }
  payment:
    connector: wechatpay
    url: %s
    secrets: { private_key: { file: private_key }, api_v3_key: { file: api_v3_key } }
    options: { mchid: "%s", appid: wx0000000000000001, serial_no: %s, notify_url: "http://127.0.0.1:9/notify" }
settings:
  gates: [north]
  collect: [payment]
  tariff: { vehicles: { car: { periods: [{ name: { zh: 全天, en: All day }, steps: [{ each: 1h, price: 1000 }] }] } } }
`

// TestReconcile from the command line, while a gateway works on the ledger and while none does.
func TestReconcile(t *testing.T) {
	journeys, err := flows.All()
	if err != nil {
		t.Fatal(err)
	}
	credentials, err := wechatpay.MakeCredentials()
	if err != nil {
		t.Fatal(err)
	}
	provider, err := wechatpay.NewTwin(wechatpay.TwinConfig{Name: "riverside", Seed: 1, Credentials: credentials})
	if err != nil {
		t.Fatal(err)
	}
	c := flowtest.Options{Before: func(c *flowtest.City) {
		if err := c.Twins.Add("wechatpay", "riverside", provider); err != nil {
			t.Fatal(err)
		}
		c.Write("private_key", credentials.PrivateKey)
		c.Write("api_v3_key", credentials.APIv3Key)
		c.Write("venues/riverside.yaml", fmt.Sprintf(reconciledLot, c.Twins.URL("wechatpay", "riverside"), wechatpay.MchIDOf("riverside"), wechatpay.TwinSerialNo))
	}}.Start(t, journeys)
	day := time.Now().In(wechatpay.China()).AddDate(0, 0, -1).Format(time.DateOnly)
	want := wechatpay.Want{What: wechatpay.MakeBill, Number: "ghost", Total: 77, Day: day}
	behave := wechatpay.Want{What: wechatpay.MakeBehave, Behaviour: wechatpay.Behaviour{NotReady: true}}
	say := func(w wechatpay.Want) {
		if err := provider.Do(w); err != nil {
			t.Fatal(err)
		}
	}
	say(want)
	config := c.Folder + "/gateway.yaml"
	admin := strings.TrimPrefix(c.Admin, "http://")
	reconcile := func(code int, says string, args ...string) {
		t.Helper()
		var stdout, stderr strings.Builder
		got := run(append([]string{"reconcile", "-c", config}, args...), &stdout, &stderr)
		if out := stdout.String() + stderr.String(); got != code || !strings.Contains(out, says) {
			t.Errorf("%v: %d\n%s\nwant %d %s", args, got, out, code, says)
		}
	}
	t.Setenv("OCTO_KEY", flowtest.APIKey)
	reconcile(2, "missing flags: --day")
	reconcile(2, "--day must be YYYY-MM-DD", "--day", "today")
	reconcile(1, "in use by process", "--day", day) // the file does not say where this gateway listens
	reconcile(1, "no gateway listens there", "--day", day, "--admin", "127.0.0.1:1")
	reconcile(1, "is no gateway, or an older one", "--day", day, "--admin", strings.TrimPrefix(c.Twins.URL("wechatpay", "riverside"), "http://"))
	reconcile(1, "there is no lot elsewhere", "--day", day, "--admin", admin, "--venue", "elsewhere")
	say(behave)
	reconcile(1, "is not ready yet", "--day", day, "--admin", admin)
	say(wechatpay.Want{What: wechatpay.MakeBehave})
	reconcile(0, "wechatpay of riverside: 1 payments and 0 refunds in the bill, 0 settled by asking, 1 differences (1 of them new)", "--day", day, "--admin", admin)
	reconcile(0, `"differences":1,"fresh":0`, "--day", day, "--admin", admin, "--venue", "riverside", "--json")
	a := c.Do(flowtest.Call{Method: http.MethodGet, Path: "/v1/assists", Token: c.Token("li", "staff:assist")})
	if strings.Count(a.Text, `"kind":"parking-bill-differs"`) != 1 {
		t.Errorf("the assists: %s", a.Text)
	}
	c.Stop()
	reconcile(0, "1 differences (0 of them new)", "--day", day)
	c.Run()
}
