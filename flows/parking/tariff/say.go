package tariff

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/warmgate/warmgate/gateway"
)

func (t *Tariff) sayStay(entered, left int64) Line {
	from, to, d := t.moment(entered), t.moment(left), long(left-entered)
	return Line{Text: gateway.Text{
		Zh: fmt.Sprintf("停车%s(%s至%s)", d.Zh, from, to),
		En: fmt.Sprintf("Parked %s, from %s to %s", d.En, from, to),
	}}
}

// moment writes a moment by the lot's clock.
func (t *Tariff) moment(at int64) string {
	return time.Unix(at, 0).In(t.zone).Format("2006-01-02 15:04")
}

func (b *bill) sayFree(free freeTime) {
	if free.covered > 0 {
		d := long(free.covered)
		b.add(0, gateway.Text{Zh: fmt.Sprintf("其中%s在包月期内,不收费", d.Zh), En: d.En + " of it covered by a pass: free"})
	}
	if free.forfeited > 0 {
		d := long(free.forfeited)
		b.add(0, gateway.Text{Zh: fmt.Sprintf("超过免费时长%s,自入场起计费", d.Zh), En: fmt.Sprintf("Longer than the free %s: charged from the start", d.En)})
	}
	if free.minutes > 0 {
		d := long(free.minutes)
		text := gateway.Text{Zh: fmt.Sprintf("入场后%s内免费", d.Zh), En: fmt.Sprintf("The first %s are free", d.En)}
		if free.electric {
			text = gateway.Text{Zh: fmt.Sprintf("纯电动车入场后%s内免费", d.Zh), En: fmt.Sprintf("The first %s are free for electric vehicles", d.En)}
		}
		b.add(0, text)
	}
}

func (b *bill) sayUnits(n *count) {
	for i := range b.r.periods {
		p := &b.r.periods[i]
		for j := range p.steps {
			if units := n.units[p.first+j]; units > 0 {
				b.add(units*p.steps[j].cost, b.t.sayStep(p, j, units))
			}
		}
	}
}

func (t *Tariff) sayStep(p *period, j int, units int64) gateway.Text {
	s := &p.steps[j]
	zh, en := p.name.Zh, p.name.En
	switch {
	case s.said.For > 0 && s.from == 0:
		d := long(seconds(s.said.For))
		zh, en = zh+",首"+d.Zh, en+", first "+d.En
	case s.said.For > 0:
		d := long(seconds(s.said.For))
		zh, en = zh+",其后"+d.Zh, en+", next "+d.En
	case s.from > 0:
		d := long(seconds(s.from))
		zh, en = zh+","+d.Zh+"之后", en+", after "+d.En
	}
	each, per, price := long(s.each), long(s.each), t.money.say(s.said.Price)
	if s.said.Per > 0 {
		per = long(seconds(s.said.Per))
	}
	counts := gateway.Text{Zh: "按" + each.Zh + "计", En: "a begun one counts"}
	if t.units == unitsWhole {
		counts = gateway.Text{Zh: "不计", En: "only full ones count"}
	}
	return gateway.Text{
		Zh: fmt.Sprintf("%s:每%s%s,共%d个%s(不足%s%s)", zh, per.Zh, price.Zh, units, each.Zh, each.Zh, counts.Zh),
		En: fmt.Sprintf("%s: %d × %s at %s per %s (%s)", en, units, each.En, price.En, per.En, counts.En),
	}
}

func (b *bill) sayCaps(n *count) {
	for i, saved := range n.saidCaps {
		if saved > 0 {
			p := &b.r.periods[i]
			most := b.t.money.say(p.cap / b.r.parts)
			b.add(-saved, gateway.Text{
				Zh: fmt.Sprintf("%s每次最高%s", p.name.Zh, most.Zh),
				En: fmt.Sprintf("%s: at most %s each time", p.name.En, most.En),
			})
		}
	}
	if saved := n.saved[capDay]; saved > 0 {
		most := b.t.money.say(b.r.caps[capDay] / b.r.parts)
		b.add(-saved, gateway.Text{
			Zh: fmt.Sprintf("每日最高%s(%d天达到)", most.Zh, n.hit[capDay]),
			En: fmt.Sprintf("At most %s a day, reached on %s", most.En, several(n.hit[capDay], "day")),
		})
	}
	if saved := n.saved[cap24h]; saved > 0 {
		most := b.t.money.say(b.r.caps[cap24h] / b.r.parts)
		b.add(-saved, gateway.Text{
			Zh: fmt.Sprintf("入场起每24小时最高%s(%d次达到)", most.Zh, n.hit[cap24h]),
			En: fmt.Sprintf("At most %s in each 24 hours since entry, reached %s", most.En, several(n.hit[cap24h], "time")),
		})
	}
	if saved := n.saved[capStay]; saved > 0 {
		most := b.t.money.say(b.r.caps[capStay] / b.r.parts)
		b.add(-saved, gateway.Text{Zh: "一次停车最高" + most.Zh, En: fmt.Sprintf("At most %s for a stay", most.En)})
	}
}

// several writes a number of things.
func several(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.FormatInt(n, 10) + " " + what + "s"
}

func (b *bill) sayElectric(is bool) {
	if !is || b.t.electric.PercentOff == 0 || b.exact == 0 {
		return
	}
	off := b.t.electric.PercentOff
	b.add(-b.exact/100*off, gateway.Text{Zh: fmt.Sprintf("纯电动车优惠%d%%", off), En: fmt.Sprintf("%d %% off for electric vehicles", off)})
}

func (t *Tariff) sayRounding() gateway.Text {
	to := t.money.say(t.rounding.To)
	return map[string]gateway.Text{
		wayNearest: {Zh: "四舍五入到" + to.Zh, En: "Rounded to the nearest " + to.En},
		wayUp:      {Zh: "向上取整到" + to.Zh, En: "Rounded up to " + to.En},
		wayDown:    {Zh: "向下取整到" + to.Zh, En: "Rounded down to " + to.En},
	}[t.rounding.Way]
}

func (t *Tariff) sayGrace(paid, left int64) Line {
	at, d, grace := t.moment(paid), long(left-paid), long(t.grace)
	return Line{Text: gateway.Text{
		Zh: fmt.Sprintf("计费至%s付款时;付款后%s离场,未超过%s,不再收费", at, d.Zh, grace.Zh),
		En: fmt.Sprintf("Charged until paid at %s; left %s later, within the %s allowed: nothing more", at, d.En, grace.En),
	}}
}

// long writes seconds as days, hours, minutes and seconds.
func long(s int64) gateway.Text {
	var zh, en []string
	for _, u := range []struct {
		seconds int64
		zh, en  string
	}{{day, "天", " d"}, {3600, "小时", " h"}, {60, "分钟", " min"}, {1, "秒", " s"}} {
		if n := s / u.seconds; n > 0 || u.seconds == 1 && len(zh) == 0 {
			zh, en = append(zh, strconv.FormatInt(n, 10)+u.zh), append(en, strconv.FormatInt(n, 10)+u.en)
			s %= u.seconds
		}
	}
	return gateway.Text{Zh: strings.Join(zh, ""), En: strings.Join(en, " ")}
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

// currency is how amounts are written.
type currency struct {
	code   string
	zh     string // behind the amount
	digits int    // of the minor unit (ISO 4217)
}

// currencyOf returns how amounts in an ISO 4217 currency are written.
func currencyOf(code string) (currency, error) {
	if len(code) != 3 || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return currency{}, fmt.Errorf("cannot make a tariff: a currency is three capitals (ISO 4217), is %q", code)
	}
	c := currency{code: code, digits: 2}
	switch code {
	case "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF":
		c.digits = 0
	case "BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND":
		c.digits = 3
	}
	switch code {
	case "CNY":
		c.zh = "元"
	case "HKD":
		c.zh = "港元"
	case "MOP":
		c.zh = "澳门元"
	case "EUR":
		c.zh = "欧元"
	case "USD":
		c.zh = "美元"
	case "GBP":
		c.zh = "英镑"
	case "JPY":
		c.zh = "日元"
	default:
		c.zh = " " + code
	}
	return c, nil
}

// say writes an amount that is not negative.
func (c currency) say(minor int64) gateway.Text {
	amount := strconv.FormatInt(minor, 10)
	if c.digits > 0 {
		amount = fmt.Sprintf("%0*d", c.digits+1, minor)
		amount = amount[:len(amount)-c.digits] + "." + amount[len(amount)-c.digits:]
	}
	return gateway.Text{Zh: amount + c.zh, En: c.code + " " + amount}
}
