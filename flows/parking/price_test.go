package parking_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/backends/wechatpay"
	"github.com/warmgate/warmgate/flows/flowtest"
	"github.com/warmgate/warmgate/flows/parking"
	"github.com/warmgate/warmgate/flows/parking/tariff"
	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/flow/worldtest"
)

// open puts another lot beside the garage, or another one in its place, and returns what sends it an event.
func (g *garage) open(id, tenant, zone string, s *parking.Settings) func(direction string, event m) said {
	g.t.Helper()
	at, err := time.LoadLocation(zone)
	if err == nil {
		err = s.Validate()
	}
	if err != nil {
		g.t.Fatal(err)
	}
	g.Put(&gateway.Venue{ID: id, Kind: parking.Kind, Tenant: tenant, Location: at, Settings: s})
	token := g.Token(gateway.Principal{Subject: "barrier-2", Tenant: tenant, Scopes: []string{"parking:gate"}, Venues: []string{id}})
	return func(direction string, event m) said {
		g.t.Helper()
		return g.send(worldtest.Call{Path: "/v1/parking-lots/" + id + "/" + direction, Token: token, Body: toJSON(g.t, event)})
	}
}

// byDay is a tariff that depends on all that a lot knows of a visit: 10.00 an hour by day and 1.00 by night, half of it for
// electric cars; large ones pay 30.00.
func byDay() *parking.Settings {
	s := parking.UsualSettings()
	all := func(name string, price int64, at ...tariff.Hours) tariff.Period {
		return tariff.Period{Name: gateway.Text{Zh: name, En: name}, At: at, Steps: []tariff.Step{{Each: time.Hour, Price: price}}}
	}
	s.Tariff = tariff.Settings{Electric: tariff.Electric{PercentOff: 50}, Vehicles: map[string]tariff.Rates{
		"car": {Periods: []tariff.Period{all("day", 1000, tariff.Hours{From: "08:00", To: "20:00"}),
			all("night", 100, tariff.Hours{To: "08:00"}, tariff.Hours{From: "20:00"})}},
		"large": {Periods: []tariff.Period{all("always", 3000)}},
	}}
	return s
}

// TestWhatIsPriced: the clock on the lot's own wall, and the vehicle as its plate and its barriers tell it.
func TestWhatIsPriced(t *testing.T) {
	for _, c := range []struct {
		what, zone, plate, in, out string
		want                       int64
	}{
		{"by day", "Asia/Shanghai", plateA, "", "", 2000},
		{"at the same moment, where it is night", "Europe/Berlin", plateA, "", "", 200},
		{"an electric car", "Asia/Shanghai", plateE, "", "", 1000},
		{"a hybrid", "Asia/Shanghai", "浙AF12345", "", "", 2000},
		{"a large one", "Asia/Shanghai", plateA, "large", "large", 6000},
		{"one that the exit alone has seen is large", "Asia/Shanghai", plateA, "", "large", 6000},
		{"one on which they differ: as it came in", "Asia/Shanghai", plateA, "car", "large", 2000},
		{"one that the lot has no prices for: as a car", "Asia/Shanghai", plateA, "motorcycle", "motorcycle", 2000},
	} {
		g := start(t, nil)
		send := g.open(lotID, "hangzhou", c.zone, byDay())
		from := time.Now().UTC().Truncate(24 * time.Hour).Add(-22 * time.Hour) // yesterday, 10:00 in Shanghai and 03:00 or 04:00 in Berlin
		in, out := g.event(c.plate, from), g.event(c.plate, from.Add(2*time.Hour))
		for e, vehicle := range map[*m]string{&in: c.in, &out: c.out} {
			if vehicle != "" {
				(*e)["vehicle"] = vehicle
			}
		}
		g.opens(send("entries", in))
		if left := g.opens(send("exits", out)); left.Bill == nil || left.Bill.Due.Minor != c.want {
			t.Errorf("%s: %s, want %d", c.what, left.Body, c.want)
		}
	}
}

// TestWhatCannotBePriced opens all the same: the bill is of nothing, and a person looks at it.
func TestWhatCannotBePriced(t *testing.T) {
	g := start(t, func(s *parking.Settings) {
		car := s.Tariff.Vehicles["car"]
		car.Caps = tariff.Caps{}
		car.Periods[0].Steps[0].Price = 1<<53 - 1
		s.Tariff.Vehicles["car"] = car
	})
	g.enter(plateA, ago(3*time.Hour))
	if out := g.leave(plateA, ago(0)); out.State != "left" || out.Bill == nil || out.Bill.Due.Minor != 0 {
		t.Errorf("out: %s", out.Body)
	}
	if n := g.number(`SELECT COUNT(*) FROM assists WHERE kind = 'parking-unpriced'`); n != 1 {
		t.Errorf("%d persons look at it", n)
	}
}

// TestArrearsAreTheWholeCitys: what is owed at one lot is asked for at every lot of the tenant that has the same currency.
func TestArrearsAreTheWholeCitys(t *testing.T) {
	g := start(t, nil)
	g.enter(plateA, ago(5*time.Hour))
	g.leave(plateA, ago(2*time.Hour))
	lot := func(currency string) *parking.Settings {
		s := parking.UsualSettings()
		s.Currency, s.Arrears = currency, parking.Arrears{Over: 2000}
		return s
	}
	for what, c := range map[string]struct {
		id, tenant, currency, decision string
	}{
		"another lot":      {"station-lot", "hangzhou", "CNY", "payment-required"},
		"another currency": {"airport-lot", "hangzhou", "USD", "open"},
		"another city":     {"suzhou-lot", "suzhou", "CNY", "open"},
	} {
		send := g.open(c.id, c.tenant, "Asia/Shanghai", lot(c.currency))
		e := g.event(plateA, ago(0))
		if in := send("entries", e); in.Decision != c.decision || c.decision != "open" && in.Arrears.Due.Minor != 3000 {
			t.Errorf("%s: %d %s", what, in.Status, in.Body)
		}
		e = g.event(plateA, ago(0))
		if out := send("exits", e); out.Decision != "open" || !out.Recorded {
			t.Errorf("leaving %s: %d %s", what, out.Status, out.Body)
		}
	}
}

// TestABillSaysHowItCameAbout in the language of whoever reads it, and so does the barrier.
func TestABillSaysHowItCameAbout(t *testing.T) {
	w := openTown(t)
	zhang := w.person("zhang")
	w.own(zhang, plateA, time.Now().Add(-24*time.Hour))
	w.do(wechatpay.Want{What: wechatpay.MakePlate, Plate: plateA, Color: wechatpay.Blue, State: wechatpay.Blocked, BlockReason: wechatpay.BlockOut})
	bill := w.visit(plateA, 3*time.Hour, time.Hour)
	for lang, want := range map[string][]string{
		"zh-CN": {"停车1小时59分钟", "全天:每1小时10.00元,共2个1小时(不足1小时按1小时计)", "一路平安，停车费 ¥10.00 稍后结算"},
		"en":    {"Parked 1 h 59 min ", "All day: 2 × 1 h at CNY 10.00 per 1 h (a begun one counts)", "Have a safe journey; the fee of ¥10.00 is settled later"},
	} {
		header := map[string]string{"Accept-Language": lang}
		var b seenBill
		w.Do(flowtest.Call{Method: http.MethodGet, Path: "/v1/parking-bills/" + bill, Token: zhang, Header: header}).Into(t, &b)
		if len(b.Lines) != 2 || !strings.HasPrefix(b.Lines[0].Text, want[0]) || b.Lines[1].Text != want[1] {
			t.Errorf("%s: %+v", lang, b.Lines)
		}
		plate := map[string]string{"zh-CN": plateB, "en": plateE}[lang]
		w.pass("entries", plate, ago(50*time.Minute))
		var said struct {
			Message string `json:"message"`
		}
		w.Do(flowtest.Call{Method: http.MethodPost, Path: "/v1/parking-lots/" + lotID + "/exits", Token: w.Token("barrier", "parking:gate"), Header: header,
			Body: m{"gate": "north", "event_id": "out-" + lang, "plate": plate}}).Into(t, &said)
		if said.Message != want[2] {
			t.Errorf("%s: the barrier says %q", lang, said.Message)
		}
	}
}
