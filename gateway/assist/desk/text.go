package desk

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Columns is the width that everything printed for people fits.
const Columns = 80

// wide are the characters that a terminal shows two columns wide (Unicode Standard Annex #11: W and F), in ranges that take
// in what is unassigned between them.
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0x1100, 0x115f, 1}, {0x231a, 0x231b, 1}, {0x23e9, 0x23ec, 1}, {0x25fd, 0x25fe, 1}, {0x2614, 0x2615, 1}, {0x26a1, 0x26a1, 1},
		{0x2705, 0x2705, 1}, {0x274c, 0x274c, 1}, {0x2753, 0x2755, 1}, {0x2e80, 0x303e, 1}, {0x3041, 0x4dbf, 1}, {0x4e00, 0xa4cf, 1},
		{0xa960, 0xa97c, 1}, {0xac00, 0xd7a3, 1}, {0xf900, 0xfaff, 1}, {0xfe10, 0xfe19, 1}, {0xfe30, 0xfe6b, 1}, {0xff01, 0xff60, 1},
		{0xffe0, 0xffe6, 1},
	},
	R32: []unicode.Range32{
		{0x16fe0, 0x18cd5, 1}, {0x1b000, 0x1b2fb, 1}, {0x1f18e, 0x1f19a, 1}, {0x1f200, 0x1f64f, 1}, {0x1f680, 0x1f6fc, 1},
		{0x1f7e0, 0x1f7eb, 1}, {0x1f90c, 0x1f9ff, 1}, {0x1fa70, 0x1faf8, 1}, {0x20000, 0x3fffd, 1},
	},
}

// width is how many columns a terminal needs for s.
func width(s string) (n int) {
	for _, r := range s {
		n += columns(r)
	}
	return n
}

func columns(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case unicode.Is(wide, r):
		return 2
	}
	return 1
}

// plain is s without what would move the cursor, change colours or turn the direction of writing: what is printed may have
// been typed by anybody.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case r == utf8.RuneError, !unicode.IsPrint(r):
			return '·'
		}
		return r
	}, s)
}

// fit cuts s to n columns, and says where it did.
func fit(s string, n int) string {
	s = plain(s)
	if width(s) <= n {
		return s
	}
	used := 0
	for i, r := range s {
		if used += columns(r); used > n-1 {
			return s[:i] + "…"
		}
	}
	return s
}

// pad fills s with spaces up to n columns, cut where it is longer.
func pad(s string, n int) string {
	s = fit(s, n)
	return s + strings.Repeat(" ", n-width(s))
}

// wrap breaks s into lines of at most n columns: between words, and between wide characters where no word ends.
func wrap(s string, n int) (lines []string) {
	rest := plain(strings.TrimSpace(s))
	for width(rest) > n {
		used, cut := 0, 0
		for i, r := range rest {
			if r == ' ' || i > 0 && columns(r) == 2 && !strings.ContainsRune("，。；：！？、）》”’", r) {
				cut = i
			}
			if used += columns(r); used > n {
				if cut == 0 {
					cut = i
				}
				break
			}
		}
		lines, rest = append(lines, strings.TrimSpace(rest[:cut])), strings.TrimSpace(rest[cut:])
	}
	return append(lines, rest)
}
