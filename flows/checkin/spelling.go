package checkin

import (
	"slices"
	"strings"
	"time"
	"unicode"
)

// saidByNumber reads a resident's identity number (GB 11643-1999): birth date and sex, if its check character is right.
func saidByNumber(s string) (born, sex string, ok bool) {
	if len(s) != 18 || !isDigits(s[:17]) || s[0] == '0' {
		return "", "", false
	}
	sum := 0
	for i := range 17 { // ISO 7064 MOD 11-2, by Horner's rule
		sum = (sum + int(s[i]-'0')) * 2 % 11
	}
	day, err := time.Parse("20060102", s[6:14])
	if err != nil || s[6:10] < "1900" || s[17] != "10X98765432"[sum] {
		return "", "", false
	}
	sex = "F"
	if (s[16]-'0')%2 == 1 {
		sex = "M"
	}
	return day.Format(time.DateOnly), sex, true
}

// sameName compares two full names whatever their order, case, spaces and middle dots. Characters and Latin letters cannot
// be compared with each other here: a person looks, unless the family name speaks against it.
func sameName(x, y string) same {
	a, b := wordsOf(x), wordsOf(y)
	if len(a) == 0 || len(b) == 0 {
		return sameNo
	}
	hanA, hanB := isHan(a), isHan(b)
	switch {
	case hanA && hanB:
		return near(strings.Join(a, ""), strings.Join(b, ""))
	case hanA:
		return acrossScripts(strings.Join(a, ""), b)
	case hanB:
		return acrossScripts(strings.Join(b, ""), a)
	}
	best := sameNo
	for i := range a {
		best = max(best, near(strings.Join(a[i:], "")+strings.Join(a[:i], ""), strings.Join(b, "")))
	}
	sortedA, sortedB := slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	if slices.Equal(sortedA, sortedB) {
		return sameYes
	}
	if best == sameNo && (within(a, b) || within(b, a)) {
		return sameMaybe // a name more or less
	}
	return best
}

// wordsOf splits a name into words: capitals without marks, whatever stood between them.
func wordsOf(s string) []string {
	folded := strings.Map(func(r rune) rune {
		switch {
		case r == '\'' || r == '’' || r == '-':
			return -1
		case unicode.IsLetter(r):
			return fold(unicode.ToUpper(r))
		}
		return ' '
	}, s)
	return strings.Fields(folded)
}

// fold takes the marks off a capital, as passports print it.
func fold(r rune) rune {
	const marked, plain = "ÀÁÂÃÄÅÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝŠŽĞİŞĆČĐŁŃŚŹŻŘŤĚŮ", "AAAAAACEEEEIIIINOOOOOOUUUUYSZGISCCDLNSZZRTEU"
	for i, m := range []rune(marked) {
		if m == r {
			return rune(plain[i])
		}
	}
	return r
}

func isHan(words []string) bool {
	for _, w := range words {
		for _, r := range w {
			if !unicode.Is(unicode.Han, r) {
				return false
			}
		}
	}
	return true
}

// near compares two spellings of three letters and more: one letter more, less or other may be a slip.
func near(x, y string) same {
	if x == y {
		return sameYes
	}
	a, b := []rune(x), []rune(y)
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > 1 || len(b) < 3 {
		return sameNo
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	rest := a[i:]
	if len(a) == len(b) {
		rest = a[i+1:]
	}
	if slices.Equal(rest, b[i+1:]) {
		return sameMaybe
	}
	return sameNo
}

// within reports whether every word of a, two at least, is one of b's.
func within(a, b []string) bool {
	return len(a) >= 2 && !slices.ContainsFunc(a, func(w string) bool { return !slices.Contains(b, w) })
}

// acrossScripts compares a name in characters with one in Latin letters by the family name, which has one spelling.
func acrossScripts(han string, latin []string) same {
	_, spelled := familyName(han)
	if spelled == "" || slices.ContainsFunc(latin, func(w string) bool {
		return w == spelled || spelled == "LU" && w == "LV" || spelled == "LU" && w == "LYU"
	}) {
		return sameMaybe
	}
	if strings.HasPrefix(strings.Join(latin, ""), spelled) || strings.HasSuffix(strings.Join(latin, ""), spelled) {
		return sameMaybe
	}
	return sameNo
}

// surnamesOf lists the spellings under which a hotel may have a guest's family name.
func surnamesOf(d Document) (all []string) {
	add := func(s string) {
		if s != "" && !slices.Contains(all, s) && len(all) < maxSurnames {
			all = append(all, s)
		}
	}
	for _, name := range []string{d.LatinName, d.Name} {
		words := strings.Fields(strings.ReplaceAll(name, ",", " "))
		switch {
		case len(words) == 0:
		case isHan(wordsOf(name)):
			family, spelled := familyName(strings.Join(wordsOf(name), ""))
			add(spelled)
			add(family)
		default:
			add(words[0])
			add(words[len(words)-1])
		}
	}
	return all
}

// maxSurnames bounds the searches of one check-in, which share one slice.
const maxSurnames = 2

// familyName splits the family name off a name in characters and spells it; "" where the spelling is not known.
func familyName(han string) (family, spelled string) {
	runes := []rune(han)
	for _, n := range []int{2, 1} {
		if len(runes) > n {
			if s := spellingOf(string(runes[:n])); s != "" {
				return string(runes[:n]), s
			}
		}
	}
	if len(runes) == 0 {
		return "", ""
	}
	return string(runes[:1]), ""
}

// spellings are the commonest family names, which nine of ten people have.
const spellings = "王WANG李LI张ZHANG刘LIU陈CHEN杨YANG黄HUANG赵ZHAO吴WU周ZHOU徐XU孙SUN马MA朱ZHU胡HU郭GUO何HE高GAO林LIN罗LUO郑ZHENG梁LIANG谢XIE宋SONG唐TANG" +
	"许XU韩HAN冯FENG邓DENG曹CAO彭PENG曾ZENG肖XIAO萧XIAO田TIAN董DONG袁YUAN潘PAN于YU蒋JIANG蔡CAI余YU杜DU叶YE程CHENG苏SU魏WEI吕LU丁DING任REN沈SHEN姚YAO卢LU" +
	"姜JIANG崔CUI钟ZHONG谭TAN陆LU汪WANG范FAN金JIN石SHI廖LIAO贾JIA夏XIA韦WEI付FU方FANG白BAI邹ZOU孟MENG熊XIONG秦QIN邱QIU江JIANG尹YIN薛XUE闫YAN段DUAN雷LEI侯HOU" +
	"龙LONG史SHI陶TAO黎LI贺HE顾GU毛MAO郝HAO龚GONG邵SHAO万WAN钱QIAN严YAN覃QIN武WU戴DAI莫MO孔KONG向XIANG汤TANG欧阳OUYANG司马SIMA诸葛ZHUGE上官SHANGGUAN慕容MURONG"

// spellingOf finds the spelling of a family name.
func spellingOf(family string) string {
	i := 0
	for {
		at := strings.Index(spellings[i:], family)
		if at < 0 {
			return ""
		}
		start := i + at + len(family)
		end := start
		for end < len(spellings) && spellings[end] < 0x80 {
			end++
		}
		before := []rune(spellings[:i+at])
		if end > start && (len(before) == 0 || before[len(before)-1] < 0x80) {
			return spellings[start:end]
		}
		i = start
	}
}
