package person

import (
	"slices"
	"strings"
	"unicode"
)

// FamilyNames lists the spellings under which a hotel may have somebody's family name, the likeliest first, two at most:
// name is as the document has it, latin the same in Latin letters where it is known, else "". Of a name in characters it is
// the spelling in pinyin, where the family name is one of the commonest, and the characters.
func FamilyNames(name, latin string) (all []string) {
	add := func(s string) {
		if s != "" && !slices.Contains(all, s) && len(all) < maxFamilyNames {
			all = append(all, s)
		}
	}
	for _, n := range []string{latin, name} {
		words := strings.FieldsFunc(n, func(r rune) bool { return r == ',' || r == '·' || r == '・' || unicode.IsSpace(r) })
		switch {
		case len(words) == 0:
		case allHan(words):
			family, spelled := familyName(strings.Join(words, ""))
			add(spelled)
			add(family)
		default:
			add(words[0])
			add(words[len(words)-1])
		}
	}
	return all
}

// maxFamilyNames bounds the searches that are made with them, which share the time of one.
const maxFamilyNames = 2

func allHan(words []string) bool {
	for _, w := range words {
		for _, r := range w {
			if !unicode.Is(unicode.Han, r) {
				return false
			}
		}
	}
	return true
}

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

// familySpellings are the commonest family names, which nine of ten people have.
const familySpellings = "王WANG李LI张ZHANG刘LIU陈CHEN杨YANG黄HUANG赵ZHAO吴WU周ZHOU徐XU孙SUN马MA朱ZHU胡HU郭GUO何HE高GAO林LIN罗LUO郑ZHENG梁LIANG谢XIE宋SONG唐TANG" +
	"许XU韩HAN冯FENG邓DENG曹CAO彭PENG曾ZENG肖XIAO萧XIAO田TIAN董DONG袁YUAN潘PAN于YU蒋JIANG蔡CAI余YU杜DU叶YE程CHENG苏SU魏WEI吕LU丁DING任REN沈SHEN姚YAO卢LU" +
	"姜JIANG崔CUI钟ZHONG谭TAN陆LU汪WANG范FAN金JIN石SHI廖LIAO贾JIA夏XIA韦WEI付FU方FANG白BAI邹ZOU孟MENG熊XIONG秦QIN邱QIU江JIANG尹YIN薛XUE闫YAN段DUAN雷LEI侯HOU" +
	"龙LONG史SHI陶TAO黎LI贺HE顾GU毛MAO郝HAO龚GONG邵SHAO万WAN钱QIAN严YAN覃QIN武WU戴DAI莫MO孔KONG向XIANG汤TANG欧阳OUYANG司马SIMA诸葛ZHUGE上官SHANGGUAN慕容MURONG"

// spellingOf finds the spelling of a family name.
func spellingOf(family string) string {
	i := 0
	for {
		at := strings.Index(familySpellings[i:], family)
		if at < 0 {
			return ""
		}
		start := i + at + len(family)
		end := start
		for end < len(familySpellings) && familySpellings[end] < 0x80 {
			end++
		}
		before := []rune(familySpellings[:i+at])
		if end > start && (len(before) == 0 || before[len(before)-1] < 0x80) {
			return familySpellings[start:end]
		}
		i = start
	}
}
