package tariff_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/warmgate/warmgate/flows/parking/tariff"
)

const wordy = `
grace: 15m
rounding: { to: 100, way: down }
electric: { free: 2h, percent_off: 30 }
vehicles:
  car:
    free: { for: 15m, longer: forfeited }
    caps: { day: 6000, 24h: 7000, stay: 9000 }
    periods:
      - name: { zh: 白天, en: Day }
        at: [ { from: "08:00", to: "20:00" } ]
        steps:
          - { for: 1h, each: 15m, price: 250 }
          - { for: 2h, each: 30m, price: 600 }
          - { each: 30m, price: 1450, per: 1h }
      - name: { zh: 夜间, en: Night }
        at: [ { to: "08:00" }, { from: "20:00" } ]
        steps: [ { each: 2h, price: 300 } ]
        cap: 1000
`

// TestWords holds every kind of line, in both languages.
func TestWords(t *testing.T) {
	made := makeTariff(t, shanghai, "CNY", wordy)
	at := func(clock string) time.Time { return onWallIn(t, shanghai, clock) }
	long := tariff.Visit{Entered: at("2026-05-06 10:00"), Left: at("2026-05-08 12:30"),
		Passes: []tariff.Span{{From: at("2026-05-06 10:00"), To: at("2026-05-06 11:00")}}}
	holds(t, made, long, 9000, []string{
		"0|停车2天2小时30分钟(2026-05-06 10:00至2026-05-08 12:30)|Parked 2 d 2 h 30 min, from 2026-05-06 10:00 to 2026-05-08 12:30",
		"0|其中1小时在包月期内,不收费|1 h of it covered by a pass: free",
		"0|超过免费时长15分钟,自入场起计费|Longer than the free 15 min: charged from the start",
		"1000|白天,首1小时:每15分钟2.50元,共4个15分钟(不足15分钟按15分钟计)|Day, first 1 h: 4 × 15 min at CNY 2.50 per 15 min (a begun one counts)",
		"2400|白天,其后2小时:每30分钟6.00元,共4个30分钟(不足30分钟按30分钟计)|Day, next 2 h: 4 × 30 min at CNY 6.00 per 30 min (a begun one counts)",
		"32625|白天,3小时之后:每1小时14.50元,共45个30分钟(不足30分钟按30分钟计)|Day, after 3 h: 45 × 30 min at CNY 14.50 per 1 h (a begun one counts)",
		"3600|夜间:每2小时3.00元,共12个2小时(不足2小时按2小时计)|Night: 12 × 2 h at CNY 3.00 per 2 h (a begun one counts)",
		"-200|夜间每次最高10.00元|Night: at most CNY 10.00 each time",
		"-6700|每日最高60.00元(1天达到)|At most CNY 60.00 a day, reached on 1 day",
		"-2900|入场起每24小时最高70.00元(1次达到)|At most CNY 70.00 in each 24 hours since entry, reached 1 time",
		"-20825|一次停车最高90.00元|At most CNY 90.00 for a stay",
	})
	electric := tariff.Visit{Entered: at("2026-05-06 10:00"), Left: at("2026-05-06 13:10"), Electric: true, Paid: []tariff.Payment{{At: at("2026-05-06 13:00"), Minor: 900}}}
	holds(t, made, electric, 700, []string{
		"0|停车3小时10分钟(2026-05-06 10:00至2026-05-06 13:10)|Parked 3 h 10 min, from 2026-05-06 10:00 to 2026-05-06 13:10",
		"0|纯电动车入场后2小时内免费|The first 2 h are free for electric vehicles",
		"1000|白天,首1小时:每15分钟2.50元,共4个15分钟(不足15分钟按15分钟计)|Day, first 1 h: 4 × 15 min at CNY 2.50 per 15 min (a begun one counts)",
		"-300|纯电动车优惠30%|30 % off for electric vehicles",
		"0|计费至2026-05-06 13:00付款时;付款后10分钟离场,未超过15分钟,不再收费|Charged until paid at 2026-05-06 13:00; left 10 min later, within the 15 min allowed: nothing more",
	})
	electric.Paid = nil
	holds(t, made, electric, 1100, []string{
		"0|停车3小时10分钟(2026-05-06 10:00至2026-05-06 13:10)|Parked 3 h 10 min, from 2026-05-06 10:00 to 2026-05-06 13:10",
		"0|纯电动车入场后2小时内免费|The first 2 h are free for electric vehicles",
		"1000|白天,首1小时:每15分钟2.50元,共4个15分钟(不足15分钟按15分钟计)|Day, first 1 h: 4 × 15 min at CNY 2.50 per 15 min (a begun one counts)",
		"600|白天,其后2小时:每30分钟6.00元,共1个30分钟(不足30分钟按30分钟计)|Day, next 2 h: 1 × 30 min at CNY 6.00 per 30 min (a begun one counts)",
		"-480|纯电动车优惠30%|30 % off for electric vehicles",
		"-20|向下取整到1.00元|Rounded down to CNY 1.00",
	})
}

func TestWordsOfRoundingAndCurrencies(t *testing.T) {
	for _, c := range []struct{ currency, rounding, want string }{
		{"EUR", "{ to: 5 }", "2|四舍五入到0.05欧元|Rounded to the nearest EUR 0.05"},
		{"JPY", "{ to: 10, way: up }", "7|向上取整到10日元|Rounded up to JPY 10"},
		{"KWD", "{ to: 10, way: down }", "-3|向下取整到0.010 KWD|Rounded down to KWD 0.010"},
		{"HKD", "{ to: 10, way: down }", "-3|向下取整到0.10港元|Rounded down to HKD 0.10"},
	} {
		made := makeTariff(t, shanghai, c.currency, "units: whole\nrounding: "+c.rounding+"\n"+period("steps: [ { each: 1h, price: 13 } ]"))
		from := onWallIn(t, shanghai, "2026-05-06 10:00")
		p, err := made.Price(tariff.Visit{Entered: from, Left: from.Add(119 * time.Minute)})
		if err != nil {
			t.Fatal(err)
		}
		if got := line(p.Lines[len(p.Lines)-1]); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
		if whole := p.Lines[1].Text; !strings.Contains(whole.Zh, "不足1小时不计") || !strings.Contains(whole.En, "only full ones count") {
			t.Errorf("%s | %s", whole.Zh, whole.En)
		}
	}
}

func holds(t *testing.T, made *tariff.Tariff, v tariff.Visit, minor int64, want []string) {
	t.Helper()
	p, err := made.Price(v)
	if err != nil {
		t.Fatal(err)
	}
	checkPrice(t, p)
	var got []string
	for _, l := range p.Lines {
		got = append(got, line(l))
	}
	if p.Minor != minor || !slices.Equal(got, want) {
		t.Errorf("%d, want %d\n%s", p.Minor, minor, said(p))
	}
}

func line(l tariff.Line) string { return fmt.Sprintf("%d|%s|%s", l.Minor, l.Text.Zh, l.Text.En) }
