package config

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// A simple file is written in the part of YAML that can be read in one way only: names and values by indentation, each on a
// line; braces and brackets that end on their line; words, numbers and texts in double quotes, without a backslash. Thousands
// of venues are written so, and a simple file is read here in a small part of the time that the parser takes. What isn't
// simple, and all that is wrong, is left to the parser, whose words alone a mistake is told in. Tests hold the two against
// each other: what is read here, the parser reads, and as the same.

// kind is what stands there.
type kind uint8

const (
	kindText     kind = iota + 1 // in quotes, or words that stand for nothing else
	kindWhole                    // a number
	kindFraction                 // a number with one
	kindTruth                    // true or false
	kindSpan                     // "1h30m": a duration, and else a text
	kindList
	kindNames // and their values
)

// leaf is a value with its name, or a list or names and values, which are followed by what is in them.
type leaf struct {
	name  string // "" in a list
	text  string // of a single value, the environment's part filled in
	kind  kind
	after int // the place in the tree of what follows it and all that is in it
}

// tree is a simple file, or nil: it isn't one. The first leaf holds all others.
type tree []leaf

// What a simple file has at most.
const (
	simpleBytes = 64 << 10
	simpleNames = 1024 // in one place
	simpleDepth = 16
)

// scanner reads a simple file.
type scanner struct {
	expand func(string) (string, error)
	leaves tree
	open   []block // the names that a line may belong to, innermost last
	empty  bool    // the last line has a name alone: what is in it follows, further in
	depth  int     // of braces and brackets
}

// block is names and values by indentation.
type block struct{ at, indent, names int }

// scan reads a simple file; nil: it isn't one. expand fills in the environment's part of a value.
func scan(file string, expand func(string) (string, error)) tree {
	if len(file) > simpleBytes || !utf8.ValidString(file) {
		return nil
	}
	s := scanner{expand: expand, leaves: make(tree, 1, 64), open: make([]block, 1, 8)}
	s.leaves[0].kind = kindNames
	for line := range strings.SplitSeq(file, "\n") {
		if !s.line(line) {
			return nil
		}
	}
	if s.empty || len(s.leaves) == 1 {
		return nil
	}
	for len(s.open) > 0 {
		s.close()
	}
	return s.leaves
}

// line reads a line; false: the file isn't simple.
func (s *scanner) line(line string) bool {
	rest := strings.TrimLeft(line, " ")
	switch {
	case rest == "":
		return line == ""
	case rest[0] == '#':
		return isPrint(rest)
	case !s.indent(len(line) - len(rest)):
		return false
	}
	in := &s.open[len(s.open)-1]
	rest, ok := s.name(in.at, rest)
	if in.names++; !ok || in.names > simpleNames {
		return false
	}
	if rest == "" {
		s.empty = true
		return true
	}
	if rest[0] != ' ' {
		return false
	}
	rest, ok = s.value(strings.TrimLeft(rest, " "), false)
	return ok && isEnd(rest)
}

// indent finds where a line belongs that has so many spaces before it.
func (s *scanner) indent(n int) bool {
	in := s.open[len(s.open)-1]
	if s.empty {
		s.empty = false
		at := len(s.leaves) - 1
		s.leaves[at].kind = kindNames
		s.open = append(s.open, block{at: at, indent: n})
		return n > in.indent && len(s.open) <= simpleDepth
	}
	for n < in.indent {
		s.close()
		in = s.open[len(s.open)-1]
	}
	return n == in.indent
}

// close ends the innermost names and values.
func (s *scanner) close() {
	last := len(s.open) - 1
	s.leaves[s.open[last].at].after = len(s.leaves)
	s.open = s.open[:last]
}

// name begins a value of those in at, and returns what follows the colon.
func (s *scanner) name(at int, rest string) (string, bool) {
	n := 0
	for n < len(rest) && (isLetter(rest[n]) || rest[n] == '_' || n > 0 && (isDigit(rest[n]) || rest[n] == '-')) {
		n++
	}
	if n == 0 || n == len(rest) || rest[n] != ':' || isReserved(rest[:n]) {
		return "", false
	}
	name := rest[:n]
	for i := at + 1; i < len(s.leaves); i = s.leaves[i].after {
		if s.leaves[i].name == name {
			return "", false
		}
	}
	s.leaves = append(s.leaves, leaf{name: name})
	return rest[n+1:], true
}

// value reads the value of the last leaf, and returns what follows it. inside says that it is in braces or brackets.
func (s *scanner) value(rest string, inside bool) (string, bool) {
	switch {
	case rest == "":
		return "", false
	case rest[0] == '"':
		quoted, after, closed := strings.Cut(rest[1:], `"`)
		return after, closed && !strings.Contains(quoted, `\`) && isPrint(quoted) && s.single(kindText, quoted)
	case rest[0] == '{':
		return s.several(kindNames, rest[1:], '}')
	case rest[0] == '[':
		return s.several(kindList, rest[1:], ']')
	}
	if !inside {
		if n := address(rest); n > 0 {
			return rest[n:], s.single(kindText, rest[:n])
		}
	}
	if n := number(rest); n > 0 {
		what := numberKind(rest[:n])
		return rest[n:], what != 0 && s.single(what, rest[:n])
	}
	n := words(rest)
	switch said := rest[:n]; {
	case n == 0:
		return "", false
	case said == "true" || said == "false":
		return rest[n:], s.single(kindTruth, said)
	default:
		return rest[n:], !isReserved(said) && s.single(kindText, said)
	}
}

// single ends the last leaf with a single value.
func (s *scanner) single(what kind, said string) bool {
	if strings.Contains(said, "${") {
		var err error
		if said, err = s.expand(said); err != nil {
			return false // the parser says where
		}
	}
	last := len(s.leaves) - 1
	l := &s.leaves[last]
	l.kind, l.text, l.after = what, said, last+1
	return true
}

// several ends the last leaf with what is in braces or brackets; rest begins behind the opening one.
func (s *scanner) several(what kind, rest string, closing byte) (string, bool) {
	at := len(s.leaves) - 1
	s.leaves[at].kind = what
	if s.depth++; s.depth > simpleDepth {
		return "", false
	}
	for n := 1; n <= simpleNames; n++ {
		rest = strings.TrimLeft(rest, " ")
		var ok bool
		if what == kindList {
			s.leaves = append(s.leaves, leaf{})
		} else if rest, ok = s.name(at, rest); !ok || !strings.HasPrefix(rest, " ") {
			return "", false
		}
		if rest, ok = s.value(strings.TrimLeft(rest, " "), true); !ok {
			return "", false
		}
		switch rest = strings.TrimLeft(rest, " "); {
		case rest == "":
			return "", false
		case rest[0] == closing:
			s.depth--
			s.leaves[at].after = len(s.leaves)
			return rest[1:], true
		case !strings.HasPrefix(rest, ", "):
			return "", false
		}
		rest = rest[1:]
	}
	return "", false
}

// isEnd reports whether a line has nothing more to say.
func isEnd(rest string) bool {
	return rest == "" || rest[0] == ' ' && strings.HasPrefix(strings.TrimLeft(rest, " "), "#") && isPrint(rest)
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// isPrint reports whether s has nothing but spaces and what is seen.
func isPrint(s string) bool {
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// isReserved reports whether some reader of YAML takes a word for something else than text.
func isReserved(word string) bool {
	switch strings.ToLower(word) {
	case "null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf":
		return true
	}
	return false
}

// words returns how long the words are that s begins with: letters first, single spaces between them.
func words(s string) int {
	end, before := 0, ' '
	for i, r := range s {
		letter := r < utf8.RuneSelf && isLetter(byte(r)) || r >= utf8.RuneSelf && unicode.IsLetter(r)
		digit := r < utf8.RuneSelf && isDigit(byte(r))
		switch {
		case letter, digit && i > 0:
			end = i + utf8.RuneLen(r)
		case (r == '_' || r == '-' || r == '.') && before != ' ':
			end = i + 1
		case r == ' ' && before != ' ':
		default:
			return end
		}
		before = r
	}
	return end
}

// address returns the length of what s begins with up to a space, if it is an address, a path or a value of the environment;
// 0: it isn't.
func address(s string) int {
	end := strings.IndexByte(s, ' ')
	if end < 0 {
		end = len(s)
	}
	special, braces := false, 0
	for i := range end {
		switch c := s[i]; {
		case isLetter(c), i > 0 && (isDigit(c) || c == '_' || c == '-' || c == '.'):
		case c == '/' && i > 0, c == ':' && i > 0 && i+1 < end:
			special = true
		case c == '$' && strings.HasPrefix(s[i:end], "${"):
			special = true
		case c == '{' && i > 0 && s[i-1] == '$':
			braces++
		case c == '}' && braces > 0:
			braces--
		default:
			return 0
		}
	}
	if !special || braces > 0 {
		return 0
	}
	return end
}

// number returns the length of what s begins with, if that is a digit or a minus, up to what cannot belong to it.
func number(s string) (n int) {
	if s[0] != '-' && !isDigit(s[0]) {
		return 0
	}
	for n = 1; n < len(s) && (isDigit(s[n]) || isLetter(s[n]) || s[n] == '.'); n++ {
	}
	return n
}

// numberKind says what begins with a digit or a minus; 0: nothing simple.
func numberKind(s string) kind {
	digits := strings.TrimPrefix(s, "-")
	before, after, dot := strings.Cut(digits, ".")
	switch {
	case len(s) > 18 || digits == "" || !isDigit(digits[0]):
		return 0
	case isDigits(before) && (before == "0" || before[0] != '0'):
		if !dot {
			return kindWhole
		}
		if isDigits(after) {
			return kindFraction
		}
	case s == digits && !dot && isSpan(s):
		return kindSpan
	}
	return 0
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// isSpan reports whether s is digits and units in turn.
func isSpan(s string) bool {
	for s != "" {
		rest := strings.TrimLeft(s, "0123456789")
		unit := rest[:len(rest)-len(strings.TrimLeft(rest, "hmsu"))]
		switch unit {
		case "h", "m", "s", "ms", "us":
		default:
			return false
		}
		if len(rest) == len(s) {
			return false
		}
		s = rest[len(unit):]
	}
	return true
}
