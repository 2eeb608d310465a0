package person

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Likeness is how sure a front desk would be that two names are one person's.
type Likeness uint8

// The likenesses, in order. Perhaps means that a person should look: one name more, an initial, a slip of one letter, or
// two scripts of which nothing can be said.
const (
	Different Likeness = iota
	Perhaps
	Same
)

// String returns the likeness in a word.
func (l Likeness) String() string {
	switch l {
	case Same:
		return "same"
	case Perhaps:
		return "perhaps"
	default:
		return "different"
	}
}

// Bounds of what is compared: anything longer is cut, as a name on a document has 39 characters.
const (
	maxNameRunes = 128
	maxWords     = 12
)

// Alike compares the name of a booking with that of a document, each in all the forms that are known of it: in characters,
// in Latin letters, or both, in one string or several. Forms of one script are compared with each other, and the best of
// them decides; where no script is on both sides, the answer is Perhaps. An empty name is Different from all.
//
// Order, case, marks, spaces, hyphens, apostrophes and middle dots (U+00B7, U+2022, U+2027, U+30FB and the like) make no
// difference, nor do the ways in which passports, hotels and pinyin write letters with marks: MÜLLER is MULLER, MUELLER and
// MUXXLLER, LÜ is LV and LYU. Order means that family and given names may change places; within each it counts.
func Alike(booked, shown []string) Likeness {
	a, b := formsOf(booked), formsOf(shown)
	if len(a) == 0 || len(b) == 0 {
		return Different
	}
	best, comparable := Different, false
	for _, x := range a {
		for _, y := range b {
			if x.script == y.script {
				comparable = true
				best = max(best, x.alike(y))
			}
		}
	}
	if !comparable {
		return Perhaps
	}
	return best
}

// script is what a form is written in.
type script uint8

const (
	latin script = iota
	han
	other
)

// form is one name in one script, in all the ways in which its letters may be written; each has the same number of words.
type form struct {
	script script
	ways   [][]string
}

func formsOf(names []string) (out []form) {
	for _, name := range names {
		var parts [3][]string
		for _, w := range split(name) {
			s := scriptOf(w)
			parts[s] = append(parts[s], w)
		}
		for s, words := range parts {
			if len(words) > 0 {
				out = append(out, newForm(script(s), words[:min(len(words), maxWords)]))
			}
		}
	}
	return out
}

// split returns the words of a name in composed capitals. A word also ends where the script changes.
func split(name string) (out []string) {
	var word []rune
	last := latin
	end := func() {
		if len(word) > 0 {
			out, word = append(out, string(word)), nil
		}
	}
	n := 0
	for _, r := range norm.NFKC.String(strings.ToUpper(norm.NFKC.String(name))) {
		if n++; n > maxNameRunes {
			break
		}
		switch {
		case unicode.IsLetter(r):
			if s := scriptOfRune(r); s != last {
				end()
				last = s
			}
			word = append(word, r)
		case unicode.IsMark(r) && len(word) > 0:
			word = append(word, r)
		case unicode.IsMark(r), isApostrophe(r):
		default:
			end()
		}
	}
	end()
	return out
}

// isApostrophe: O'BRIEN is OBRIEN, whichever apostrophe, prime or letter it is.
func isApostrophe(r rune) bool { return strings.ContainsRune("'`´‘’′＇", r) }

func scriptOfRune(r rune) script {
	switch {
	case unicode.Is(unicode.Han, r):
		return han
	case unicode.Is(unicode.Latin, r):
		return latin
	}
	return other
}

func scriptOf(word string) script {
	for _, r := range word {
		return scriptOfRune(r)
	}
	return other
}

// spellings are the ways to write letters with marks without them, each a table of pairs; what a way does not name loses its
// marks. The second and third are ICAO 9303 part 3 section 6, the last two pinyin's.
func spellings() [5]*strings.Replacer {
	return [...]*strings.Replacer{
		strings.NewReplacer("Ø", "O", "Æ", "AE", "ẞ", "SS"),
		strings.NewReplacer("Ä", "AE", "Ö", "OE", "Ü", "UE", "Å", "AA", "Ø", "OE"),
		strings.NewReplacer("Ä", "AE", "Ö", "OE", "Ü", "UXX", "Ñ", "NXX", "Å", "AA", "Ø", "OE"),
		strings.NewReplacer("Ü", "YU", "Ǖ", "YU", "Ǘ", "YU", "Ǚ", "YU", "Ǜ", "YU"),
		strings.NewReplacer("Ü", "V", "Ǖ", "V", "Ǘ", "V", "Ǚ", "V", "Ǜ", "V"),
	}
}

// letters are those that do not fall apart into a letter and a mark.
func letters() *strings.Replacer {
	return strings.NewReplacer("Ø", "O", "Æ", "AE", "Œ", "OE", "ẞ", "SS", "ß", "SS", "Þ", "TH", "Ð", "D", "Đ", "D", "Ł", "L", "ı", "I", "Ŋ", "N", "Ħ", "H",
		"Ŧ", "T", "Ĳ", "IJ")
}

func newForm(s script, words []string) form {
	if s != latin {
		return form{script: s, ways: [][]string{words}}
	}
	plain := letters()
	f := form{script: s}
	for _, spelling := range spellings() {
		way := make([]string, len(words))
		for i, w := range words {
			way[i] = bare(plain.Replace(spelling.Replace(rounded(w))))
		}
		if !slices.ContainsFunc(f.ways, func(have []string) bool { return slices.Equal(have, way) }) {
			f.ways = append(f.ways, way)
		}
	}
	return f
}

// rounded gives a word that begins with one of pinyin's spellings of LÜ or NÜ that letter back, so that they are all one.
func rounded(w string) string {
	for _, p := range [...][2]string{{"LYU", "LÜ"}, {"LV", "LÜ"}, {"NYU", "NÜ"}, {"NV", "NÜ"}} {
		if rest, ok := strings.CutPrefix(w, p[0]); ok {
			return p[1] + rest
		}
	}
	return w
}

// bare takes the marks off.
func bare(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsMark(r) {
			return -1
		}
		return r
	}, norm.NFKD.String(s))
}

func (f form) alike(g form) Likeness {
	best := Different
	for _, x := range f.ways {
		for _, y := range g.ways {
			best = max(best, alikeWords(f.script, x, y))
		}
	}
	return best
}

func alikeWords(s script, x, y []string) Likeness {
	a, b := strings.Join(x, ""), strings.Join(y, "")
	switch {
	case a == b:
		return Same
	case s == han:
		if slip(a, b, 3, true) {
			return Perhaps
		}
		return Different
	case turns(x, b) || turns(y, a):
		return Same
	case within(x, y) || within(y, x), slips(x, b) || slips(y, a):
		return Perhaps
	}
	return Different
}

// turns reports whether whole is the words in another order of family and given names: some from the front put last.
func turns(words []string, whole string) bool {
	for i := range words {
		if strings.Join(words[i:], "")+strings.Join(words[:i], "") == whole {
			return true
		}
	}
	return false
}

// slips is turns, but for one letter.
func slips(words []string, whole string) bool {
	for i := range words {
		if slip(strings.Join(words[i:], "")+strings.Join(words[:i], ""), whole, 5, false) {
			return true
		}
	}
	return false
}

// slip reports whether a and b differ in one letter: another one, or (unless sameLength) one more. Names of fewer than
// least letters are too short for a slip.
func slip(x, y string, least int, sameLength bool) bool {
	a, b := []rune(x), []rune(y)
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(a) < least || len(b)-len(a) > 1 || sameLength && len(a) != len(b) {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	if len(a) == len(b) {
		return i < len(a) && slices.Equal(a[i+1:], b[i+1:])
	}
	return slices.Equal(a[i:], b[i+1:])
}

// within reports whether every word of few is one of many's, or the initial of one, each for itself, and one at least is
// a whole word of two letters or more.
func within(few, many []string) bool {
	left := slices.Clone(many)
	whole := false
	take := func(is func(string) bool) bool {
		i := slices.IndexFunc(left, is)
		if i >= 0 {
			left = slices.Delete(left, i, i+1)
		}
		return i >= 0
	}
	var initials []string
	for _, w := range few {
		switch {
		case take(func(m string) bool { return m == w }):
			whole = whole || len(w) > 1
		case len(w) == 1:
			initials = append(initials, w)
		default:
			return false
		}
	}
	for _, w := range initials {
		if !take(func(m string) bool { return strings.HasPrefix(m, w) }) {
			return false
		}
	}
	return whole
}
