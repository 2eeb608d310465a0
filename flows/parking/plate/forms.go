package plate

import (
	"fmt"
	"slices"
	"strings"
)

// A form is written with one sign for each place:
//
//	p  a province          r  one of the military's characters until 2013
//	o  A to Z without I: the issuing office's letter
//	l  A to Z without I and O
//	9  a digit             x  a digit, or a letter without I and O
//	e  a letter of new energy vehicles
//	f  X or S, the fire brigades' letters
//	w  a digit, or the letter of a branch of the armed police
//
// Anything else stands for itself.
type form struct {
	kind   Kind
	signs  []rune
	digits int // how many digits the places x have at least
}

const (
	electricLetters = "ABCDE"
	hybridLetters   = "FGHJK"
	branchLetters   = "BDHJSTX"
)

// The forms that overlap stand in the order in which they are tried.
var forms = []form{
	{kind: Ordinary, signs: []rune("poxxxxx"), digits: 2},
	{kind: NewEnergy, signs: []rune("poex9999")},
	{kind: NewEnergy, signs: []rune("po99999e")},
	{kind: Trailer, signs: []rune("poxxxx挂"), digits: 2},
	{kind: Training, signs: []rune("poxxxx学"), digits: 2},
	{kind: Police, signs: []rune("poxxxx警"), digits: 2},
	{kind: CrossBorder, signs: []rune("粤Zxxxx港"), digits: 1},
	{kind: CrossBorder, signs: []rune("粤Zxxxx澳"), digits: 1},
	{kind: Consulate, signs: []rune("po9999领")},
	{kind: Rescue, signs: []rune("pf9999应急")},
	{kind: Temporary, signs: []rune("poxxxxx临"), digits: 2},
	{kind: Temporary, signs: []rune("poxxxx临"), digits: 2},
	{kind: Temporary, signs: []rune("poxxxx试"), digits: 2},
	{kind: Temporary, signs: []rune("poxxxx超"), digits: 2},
	{kind: Tractor, signs: []rune("p9999999")},
	{kind: Embassy, signs: []rune("999999使")},
	{kind: Embassy, signs: []rune("使999999")},
	{kind: ArmedPolice, signs: []rune("WJ9999w")},
	{kind: ArmedPolice, signs: []rune("WJp9999w")},
	{kind: Military, signs: []rune("ll99999")},
	{kind: Military, signs: []rune("rl99999")},
	{kind: Aviation, signs: []rune("民航xxxxx"), digits: 2},
}

// mismatch is the first place, from 0, at which a text leaves a form.
type mismatch struct {
	at   int
	want string
	all  bool // every place fits by itself, and all of them together do not
}

func (m mismatch) error(length int) error {
	switch {
	case m.all:
		return fmt.Errorf("cannot read a plate: %s", m.want)
	case m.at >= length:
		return fmt.Errorf("cannot read a plate: it ends after character %d, want %s", length, m.want)
	}
	return fmt.Errorf("cannot read a plate: character %d of %d cannot stand there, want %s", m.at+1, length, m.want)
}

// match reports whether chars have the form, or where they leave it.
func (f *form) match(chars []rune) (mismatch, bool) {
	digits := 0
	for i, sign := range f.signs {
		if i >= len(chars) || !fits(sign, chars[i]) {
			return mismatch{at: i, want: wanted(sign)}, false
		}
		if sign == 'x' && chars[i] <= '9' {
			digits++
		}
	}
	switch {
	case len(chars) > len(f.signs):
		return mismatch{at: len(f.signs), want: "nothing more"}, false
	case digits < f.digits:
		return mismatch{at: len(f.signs), want: fmt.Sprintf("at least %d digits after the issuing office", f.digits), all: true}, false
	}
	return mismatch{}, true
}

// electric reports whether chars, which have the form, say that the vehicle is purely electric.
func (f *form) electric(chars []rune) bool {
	at := slices.Index(f.signs, 'e')
	return at >= 0 && strings.ContainsRune(electricLetters, chars[at])
}

// fits reports whether c may stand where the form has sign.
func fits(sign, c rune) bool {
	digit := c >= '0' && c <= '9'
	letter := c >= 'A' && c <= 'Z' && c != 'I' && c != 'O'
	switch sign {
	case 'p':
		return strings.ContainsRune(provinces, c)
	case 'r':
		return strings.ContainsRune(regions, c)
	case 'o':
		return letter || c == 'O'
	case 'l':
		return letter
	case '9':
		return digit
	case 'x':
		return digit || letter
	case 'e':
		return strings.ContainsRune(electricLetters+hybridLetters, c)
	case 'f':
		return c == 'X' || c == 'S'
	case 'w':
		return digit || strings.ContainsRune(branchLetters, c)
	}
	return c == sign
}

// wanted says what fits a sign.
func wanted(sign rune) string {
	switch sign {
	case 'p':
		return "a province"
	case 'r':
		return "a military character"
	case 'o':
		return "a letter other than I"
	case 'l':
		return "a letter other than I and O"
	case '9':
		return "a digit"
	case 'x':
		return "a digit, or a letter other than I and O"
	case 'e':
		return "a letter of new energy vehicles"
	case 'f':
		return "X or S"
	case 'w':
		return "a digit, or the letter of a branch"
	}
	return string(sign)
}
