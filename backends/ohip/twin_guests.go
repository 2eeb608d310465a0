package ohip

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// spelled is a name in Latin letters and in Chinese ones.
type spelled struct{ latin, chinese string }

func surnames() []spelled {
	return []spelled{{"Wang", "王"}, {"Li", "李"}, {"Zhang", "张"}, {"Liu", "刘"}, {"Chen", "陈"}, {"Yang", "杨"}, {"Zhao", "赵"},
		{"Huang", "黄"}, {"Zhou", "周"}, {"Wu", "吴"}, {"Xu", "徐"}, {"Sun", "孙"}, {"Ouyang", "欧阳"}, {"Lü", "吕"}}
}

func givenNames() []spelled {
	return []spelled{{"Xiaoming", "小明"}, {"Wei", "伟"}, {"Fang", "芳"}, {"Na", "娜"}, {"Xiuying", "秀英"}, {"Min", "敏"}, {"Jing", "静"},
		{"Lei", "磊"}, {"Yang", "洋"}, {"Yan", "艳"}, {"Jie", "杰"}, {"Tao", "涛"}, {"Chao", "超"}, {"Ping", "平"}, {"Gang", "刚"}}
}

// madeUp fills what is empty in a guest: somebody with a resident identity card.
func madeUp(g WantGuest, r *rand.Rand) WantGuest {
	surname, given := surnames()[r.IntN(len(surnames()))], givenNames()[r.IntN(len(givenNames()))]
	birth := time.Date(1950+r.IntN(55), time.Month(1+r.IntN(12)), 1+r.IntN(28), 0, 0, 0, 0, time.UTC)
	serial := r.IntN(1000)
	if g.Surname == "" && g.GivenName == "" && g.Alternate == "" {
		g.Alternate = surname.chinese + given.chinese
	}
	if g.Surname == "" {
		g.Surname = surname.latin
	}
	if g.GivenName == "" {
		g.GivenName = given.latin
	}
	if g.BirthDate == "" {
		g.BirthDate = birth.Format(time.DateOnly)
	}
	if g.Nationality == "" {
		g.Nationality = "CN"
	}
	if g.Document.Type == "" {
		g.Document.Type = "ID"
	}
	if g.Document.Number == "" {
		g.Document.Number = residentNumber("330106", g.BirthDate, serial)
	}
	if g.Document.Country == "" {
		g.Document.Country = g.Nationality
	}
	if g.Document.Expires == "" {
		g.Document.Expires = "2040-12-31"
	}
	return g
}

// residentNumber returns a number of 18 characters with its check character (GB 11643, ISO 7064 MOD 11-2).
func residentNumber(region, birth string, serial int) string {
	digits := fmt.Sprintf("%s%s%s%s%03d", region, birth[:4], birth[5:7], birth[8:10], serial)
	sum := 0
	for i := range len(digits) {
		sum += int(digits[i]-'0') * (1 << (17 - i) % 11)
	}
	return digits + string("10X98765432"[sum%11])
}

// addYears returns the same day years later, "2006-01-02".
func addYears(day string, n int) string {
	d, err := time.Parse(time.DateOnly, day)
	if err != nil {
		panic("BUG: not a day: " + day)
	}
	return d.AddDate(n, 0, 0).Format(time.DateOnly)
}
