package person_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/warmgate/warmgate/flows/person"
)

func TestNamesAsAFrontDeskComparesThem(t *testing.T) {
	for _, test := range []struct {
		booked, shown string // forms between |
		want          person.Likeness
	}{
		// case, order, spaces, hyphens, commas
		{"Yangli Jiayi", "YANGLI JIAYI", person.Same},
		{"Jiayi Yangli", "YANGLI JIAYI", person.Same},
		{"yangli jia yi", "YANGLI JIAYI", person.Same},
		{"Jia-Yi Yangli", "YANGLI JIAYI", person.Same},
		{"YangliJiayi", "JIAYI YANGLI", person.Same},
		{"Specimen, Alfa Bravo", "ALFA BRAVO SPECIMEN", person.Same},
		{"  Alfa   Specimen ", "ALFA SPECIMEN", person.Same},
		{"ALFA<BRAVO<<SPECIMEN", "Specimen Alfa Bravo", person.Same},
		{"Alfa Bravo Specimen", "BRAVO ALFA SPECIMEN", person.Perhaps}, // given names do not change places: a person looks
		{"O'Specimen Alfa", "OSPECIMEN ALFA", person.Same},
		{"O’Specimen Alfa", "O SPECIMEN ALFA", person.Same},
		{"Ａｌｆａ Ｓｐｅｃｉｍｅｎ", "ALFA SPECIMEN", person.Same},
		// marks
		{"Müster Greta", "MUSTER GRETA", person.Same},
		{"Müster Greta", "MUESTER GRETA", person.Same},
		{"Müster Greta", "MUXXSTER GRETA", person.Same},
		{"Mu\u0308ster Greta", "MÜSTER GRETA", person.Same},
		{"Jose Munoz", "JOSÉ MUÑOZ", person.Same},
		{"JOSE MUNXXOZ", "José Muñoz", person.Same},
		{"Soren Prove", "SØREN PRØVE", person.Same},
		{"Soeren Proeve", "SØREN PRØVE", person.Same},
		{"Groß Anna", "GROSS ANNA", person.Same},
		{"Łukasz Wzór", "LUKASZ WZOR", person.Same},
		{"Mẫu Đức", "MAU DUC", person.Same},
		{"İnci Işık", "INCI ISIK", person.Same},
		{"Yánglì Jiǎyǐ", "YANGLI JIAYI", person.Same},
		{"Lü Jia", "LYU JIA", person.Same},
		{"Lü Jia", "LV JIA", person.Same},
		{"Lǚ Jia", "LU JIA", person.Same},
		{"LV JIA", "LYU JIA", person.Same},
		// characters, and both
		{"样例甲", "样例甲|YANGLI JIA", person.Same},
		{"Yangli Jia", "样例甲|YANGLI JIA", person.Same},
		{"Jia Yangli", "样例甲|YANGLI JIA", person.Same},
		{"样例甲 (Yangli Jia)", "YANGLI JIA", person.Same},
		{"样 例 甲", "样例甲", person.Same},
		{"样例甲|Shili Yi", "样例甲|YANGLI JIA", person.Same}, // the best form decides, whichever comes first
		{"Shili Yi|样例甲", "样例甲|YANGLI JIA", person.Same},
		{"样例甲", "样例乙", person.Perhaps}, // one character: an older form of it, or a sibling
		{"样甲", "样乙", person.Different},
		{"甲样例", "样例甲", person.Different}, // characters have their order
		{"样例甲", "示例乙|SHILI YI", person.Different},
		{"Shili Yi", "样例甲|YANGLI JIA", person.Different},
		{"样例甲", "YANGLI JIA", person.Perhaps}, // nothing is known of how it is read
		{"Yangli Jia", "样例甲", person.Perhaps},
		// middle dots
		{"示例·甲乙", "示例•甲乙", person.Same},
		{"示例·甲乙", "示例・甲乙", person.Same},
		{"示例‧甲乙", "示例甲乙", person.Same},
		{"示例 甲乙", "示例·甲乙|SHILI JIAYI", person.Same},
		{"Shili·Jiayi", "示例·甲乙|SHILI JIAYI", person.Same},
		// other scripts
		{"Альфа Образец", "ОБРАЗЕЦ АЛЬФА", person.Same},
		{"Альфа Образец", "ALFA OBRAZETS", person.Perhaps},
		// a name more or less, initials, slips
		{"Alfa Specimen", "ALFA BRAVO SPECIMEN", person.Perhaps},
		{"A. Specimen", "ALFA SPECIMEN", person.Perhaps},
		{"Specimen", "ALFA SPECIMEN", person.Perhaps},
		{"Alfa Specimen", "ALFA SPECIMENN", person.Perhaps},
		{"Alfa Spezimen", "ALFA SPECIMEN", person.Perhaps},
		{"Spezimen Alfa", "ALFA SPECIMEN", person.Perhaps},
		{"A. B.", "ALFA BRAVO", person.Different},
		{"Li Na", "LI NI", person.Different}, // too short for a slip
		{"Alfa Specimen", "BRAVO SPECIMEN", person.Different},
		{"Alfa Specimen", "ALFA MUESTRA", person.Different},
		// nothing to compare
		{"", "ALFA SPECIMEN", person.Different},
		{"···", "样例甲", person.Different},
		{"", "", person.Different},
	} {
		got := person.Alike(strings.Split(test.booked, "|"), strings.Split(test.shown, "|"))
		if got != test.want {
			t.Errorf("%q and %q: %s, want %s", test.booked, test.shown, got, test.want)
		}
	}
}

// names draws a name in words of letters.
func names(rt *rapid.T, label string) []string {
	word := rapid.StringOfN(rapid.RuneFrom([]rune("ABCDEÄÖÜÑØŁ")), 2, 6, -1)
	return rapid.SliceOfN(word, 1, 4).Draw(rt, label)
}

// TestWritingANameAnotherWay never makes it another name, whichever side of the comparison it is on.
func TestWritingANameAnotherWay(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		words := names(rt, "name")
		turn := rapid.IntRange(0, len(words)-1).Draw(rt, "turn")
		turned := append(append([]string{}, words[turn:]...), words[:turn]...)
		other := strings.Join(turned, rapid.SampledFrom([]string{" ", "-", "·", "•", "・", ", ", "<", "\u3000"}).Draw(rt, "between"))
		if rapid.Bool().Draw(rt, "lower") {
			other = strings.ToLower(other)
		}
		if rapid.Bool().Draw(rt, "marks") {
			other = strings.NewReplacer("Ä", "AE", "Ö", "OE", "Ü", "UE", "Ø", "OE", "ä", "ae", "ö", "oe", "ü", "ue", "ø", "oe", "Ł", "L", "ł", "l").Replace(other)
		}
		a, b := []string{strings.Join(words, " ")}, []string{other}
		if person.Alike(a, b) != person.Same || person.Alike(b, a) != person.Same {
			rt.Fatalf("%q and %q: %s, %s", a, b, person.Alike(a, b), person.Alike(b, a))
		}
	})
}

// TestLikenessHasNoSides: and a further form never makes two names less alike where it is of a script that was compared.
func TestLikenessHasNoSides(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		a, b, c := []string{strings.Join(names(rt, "a"), " ")}, []string{strings.Join(names(rt, "b"), " ")}, strings.Join(names(rt, "c"), " ")
		if x, y := person.Alike(a, b), person.Alike(b, a); x != y {
			rt.Fatalf("%q and %q: %s, and %s", a, b, x, y)
		}
		if x, y := person.Alike(a, b), person.Alike(a, append(b, c)); y < x {
			rt.Fatalf("%q and %q: %s, with %q %s", a, b, x, c, y)
		}
	})
}

func FuzzAlike(f *testing.F) {
	for _, s := range []string{"Müster Greta", "样例·甲", "LV JIA", "İ", "ﬀ ß", "\u0308a", "A. B. C. D. E. F. G. H. I. J. K. L. M. N.", "\xff", strings.Repeat("ab ", 200)} {
		f.Add(s, "ALFA SPECIMEN")
		f.Add("样例甲 Yangli", s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		x, y := person.Alike([]string{a}, []string{b}), person.Alike([]string{b}, []string{a})
		if x != y {
			t.Errorf("%q and %q: %s, and %s", a, b, x, y)
		}
		if self := person.Alike([]string{a}, []string{a}); self == person.Perhaps || self == person.Different && x != person.Different {
			t.Errorf("%q and itself: %s; and %q: %s", a, self, b, x)
		}
	})
}
