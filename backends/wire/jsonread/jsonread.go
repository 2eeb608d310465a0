// Package jsonread reads a JSON document member by member, for answers that are read often: without reflection, and nothing
// is kept of what nobody asks for.
//
// It takes what go-json-experiment takes by default and refuses what that refuses (RFC 8259 and RFC 7493): text that is no
// UTF-8, half a surrogate pair, a name that is there twice in an object, anything behind the document, a value of another
// kind than is asked for. Names are case-sensitive. null stands for nothing: no members, no elements, "", 0, false.
//
// A mistake ends everything: from then on there are no members and no elements, values are nothing, and End says so.
package jsonread

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	maxData  = 1 << 30 // bytes of a document
	maxDepth = 10_000  // objects and arrays within one another, as jsontext has it
	textAt   = 256     // bytes of room for strings, made at once
)

// Reader reads one document. The zero value is ready for Reset; it may be used again and again, by one goroutine at a time.
type Reader struct {
	data  []byte
	at    int
	wrong bool
	some  bool            // an object or an array was opened
	open  []level         // objects and arrays, the innermost last
	name  []byte          // of the member that Next went on to last
	names []span          // in data, of the objects that are open, those of the innermost last
	odd   [][]byte        // names that are written with escapes
	text  strings.Builder // of the strings that String returned, several in one piece of memory
}

// level is an object or an array that is open.
type level struct {
	names int    // of the objects around this one
	seen  uint64 // a bit for each name that was there, which others may share
	begun bool
}

// span is where a name stands; from below zero: its number in odd.
type span struct{ from, to int32 }

// Reset begins a document, of at most 1 GiB. data is read until the next Reset, and not changed.
func (r *Reader) Reset(data []byte) {
	*r = Reader{data: data, open: r.open[:0], names: r.names[:0], wrong: len(data) > maxData}
}

// End reports whether the document was read to its end, without a mistake.
func (r *Reader) End() bool {
	r.space()
	return !r.wrong && len(r.open) == 0 && r.at == len(r.data)
}

// Nothing reports whether no object and no array has begun: of a document that is read as one of them, whether it was null.
func (r *Reader) Nothing() bool { return !r.some && !r.wrong }

// Object begins the members of the object that comes. Read each member's value before the next member.
//
//	for o := r.Object(); o.Next(); {
//		switch string(o.Name()) {
//		case "id":
//			id = r.String()
//		default:
//			r.Skip()
//		}
//	}
func (r *Reader) Object() Object {
	if r.null() || !r.enter('{') {
		return Object{}
	}
	return Object{r}
}

// Object goes through the members of an object. The zero value has none.
type Object struct{ r *Reader }

// Name returns the member's name, until the next member of any object.
func (o Object) Name() []byte { return o.r.name }

// Next goes on to the next member and reports whether there is one. After the last one it must not be called again.
func (o Object) Next() bool {
	r := o.r
	if r == nil {
		return false
	}
	return r.usualMember() || r.member()
}

// usualMember goes on to a member that is written as programs write them: a plain name in ASCII, no space before or behind it,
// and none like it before. It reports false, and has done nothing, where the next one is not.
func (r *Reader) usualMember() bool {
	if r.wrong {
		return false
	}
	l := &r.open[len(r.open)-1]
	data, i := r.data, r.at
	if l.begun {
		if i >= len(data) || data[i] != ',' {
			return false
		}
		i++
	}
	if i >= len(data) || data[i] != '"' {
		return false
	}
	from, to := i+1, ordinaryTo(data, i+1)
	if to+1 >= len(data) || data[to] != '"' || data[to+1] != ':' {
		return false
	}
	name := data[from:to]
	bit := mark(name)
	if l.seen&bit != 0 {
		return false
	}
	l.seen, l.begun, r.name, r.at = l.seen|bit, true, name, to+2
	r.names = append(r.names, span{int32(from), int32(to)})
	return true
}

// member goes on to any member.
func (r *Reader) member() bool {
	if r.wrong || r.over('}') {
		return false
	}
	quoted, plain := r.quoted()
	if r.wrong {
		return false
	}
	at := span{int32(r.at - len(quoted) + 1), int32(r.at - 1)}
	r.name = quoted[1 : len(quoted)-1]
	if !plain && !r.unquote(quoted, &at) {
		return false
	}
	if r.space(); r.at == len(r.data) || r.data[r.at] != ':' || r.again() {
		r.fail()
		return false
	}
	r.at++
	r.names = append(r.names, at)
	return true
}

// unquote takes a name that is written with escapes.
func (r *Reader) unquote(quoted []byte, at *span) bool {
	name, err := jsontext.AppendUnquote(nil, quoted)
	if err != nil {
		r.fail()
		return false
	}
	r.odd = append(r.odd, name)
	r.name, *at = name, span{from: -int32(len(r.odd))}
	return true
}

// again reports whether the innermost object has had a member of the name of this one.
func (r *Reader) again() bool {
	l := &r.open[len(r.open)-1]
	bit := mark(r.name)
	if l.seen&bit == 0 {
		l.seen |= bit
		return false
	}
	for _, at := range r.names[l.names:] {
		var other []byte
		if at.from < 0 {
			other = r.odd[-at.from-1]
		} else {
			other = r.data[at.from:at.to]
		}
		if bytes.Equal(other, r.name) {
			return true
		}
	}
	return false
}

// mark is a name's bit of those that say which ones were there.
func mark(name []byte) uint64 {
	sum := uint(len(name))
	if len(name) > 0 {
		sum += 7*uint(name[0]) + 31*uint(name[len(name)-1]) + 3*uint(name[len(name)/2])
	}
	return uint64(1) << (sum & 63)
}

// Array begins the elements of the array that comes. Read each element before the next one.
func (r *Reader) Array() Array {
	if r.null() || !r.enter('[') {
		return Array{}
	}
	return Array{r}
}

// Array goes through the elements of an array. The zero value has none.
type Array struct{ r *Reader }

// Next goes on to the next element and reports whether there is one. After the last one it must not be called again.
func (a Array) Next() bool { return a.r != nil && !a.r.wrong && !a.r.over(']') }

// String returns the string that comes. It is a copy.
func (r *Reader) String() string {
	if text, ok := r.usual(); ok {
		return r.keep(text)
	}
	if r.null() {
		return ""
	}
	quoted, plain := r.quoted()
	if r.wrong {
		return ""
	}
	if plain {
		return r.keep(quoted[1 : len(quoted)-1])
	}
	text, err := jsontext.AppendUnquote(nil, quoted)
	if err != nil {
		r.fail()
		return ""
	}
	return r.keep(text)
}

// usual takes a string that is written as programs write them: plain ASCII, no space before it. ok is false, and nothing is
// taken, where it is not.
func (r *Reader) usual() (text []byte, ok bool) {
	data, i := r.data, r.at
	if i >= len(data) || data[i] != '"' || r.wrong {
		return nil, false
	}
	from, to := i+1, ordinaryTo(data, i+1)
	if to >= len(data) || data[to] != '"' {
		return nil, false
	}
	r.at = to + 1
	return data[from:to], true
}

// keep copies text to where other strings are.
func (r *Reader) keep(text []byte) string {
	if len(text) == 0 {
		return ""
	}
	if r.text.Cap()-r.text.Len() < len(text) {
		if len(text) > textAt/4 {
			return string(text)
		}
		r.text = strings.Builder{}
		r.text.Grow(textAt)
	}
	from := r.text.Len()
	r.text.Write(text)
	return r.text.String()[from:]
}

// Int returns the whole number that comes. One that is written with a fraction or an exponent, or does not fit, is a mistake.
func (r *Reader) Int() int {
	if r.null() {
		return 0
	}
	number, whole := r.number()
	n, err := strconv.Atoi(string(number))
	if r.wrong || !whole || err != nil {
		r.fail()
		return 0
	}
	return n
}

// Bool returns the truth value that comes.
func (r *Reader) Bool() bool {
	if r.null() {
		return false
	}
	if r.literal("true") {
		return true
	}
	if !r.literal("false") {
		r.fail()
	}
	return false
}

// Null takes a null that comes, and reports whether there was one.
func (r *Reader) Null() bool { return r.null() }

// Raw returns the value that comes as it is written, until the next Reset.
func (r *Reader) Raw() []byte {
	r.space()
	from := r.at
	r.Skip()
	if r.wrong {
		return nil
	}
	return r.data[from:r.at]
}

// Skip leaves out the value that comes, which must be one nevertheless.
func (r *Reader) Skip() {
	r.space()
	if r.wrong || r.at == len(r.data) {
		r.fail()
		return
	}
	switch c := r.data[r.at]; {
	case c == '{':
		for o := r.Object(); o.Next(); {
			r.Skip()
		}
	case c == '[':
		for a := r.Array(); a.Next(); {
			r.Skip()
		}
	case c == '"':
		if _, ok := r.usual(); ok {
			return
		}
		if quoted, plain := r.quoted(); !plain && !r.wrong {
			if _, err := jsontext.AppendUnquote(nil, quoted); err != nil {
				r.fail()
			}
		}
	case c == '-' || c >= '0' && c <= '9':
		r.number()
	case r.literal("true") || r.literal("false") || r.literal("null"):
	default:
		r.fail()
	}
}

func (r *Reader) fail() { r.wrong = true }

func (r *Reader) space() {
	if r.at < len(r.data) && r.data[r.at] > ' ' {
		return
	}
	for r.at < len(r.data) {
		switch r.data[r.at] {
		case ' ', '\n', '\r', '\t':
			r.at++
		default:
			return
		}
	}
}

// enter goes into an object or an array.
func (r *Reader) enter(bracket byte) bool {
	if r.wrong || r.at == len(r.data) || r.data[r.at] != bracket || len(r.open) == maxDepth {
		r.fail()
		return false
	}
	r.at++
	r.open = append(r.open, level{names: len(r.names)})
	r.some = true
	return true
}

// over reports whether the innermost object or array ends here, behind which it goes on then, or was wrong. Between two of its
// members there is a comma.
func (r *Reader) over(bracket byte) bool {
	l := &r.open[len(r.open)-1]
	r.space()
	switch {
	case r.at == len(r.data):
		r.fail()
	case r.data[r.at] == bracket:
		r.at++
		r.names = r.names[:l.names]
		r.open = r.open[:len(r.open)-1]
		return true
	case l.begun && r.data[r.at] == ',':
		r.at++
		r.space()
	case l.begun:
		r.fail()
	}
	l.begun = true
	return r.wrong
}

func (r *Reader) null() bool {
	r.space()
	return r.at < len(r.data) && r.data[r.at] == 'n' && r.literal("null")
}

func (r *Reader) literal(word string) bool {
	if r.wrong || len(r.data)-r.at < len(word) || string(r.data[r.at:r.at+len(word)]) != word {
		return false
	}
	r.at += len(word)
	return true
}

// quoted takes a string with its quotation marks. plain: what is between them is the text, in good order.
func (r *Reader) quoted() (quoted []byte, plain bool) {
	r.space()
	if r.wrong || r.at == len(r.data) || r.data[r.at] != '"' {
		r.fail()
		return nil, false
	}
	data, ascii := r.data[r.at:], true
	plain = true
	for i := 1; i < len(data); i++ {
		if i = ordinaryTo(data, i); i == len(data) {
			break
		}
		switch c := data[i]; {
		case c == '"':
			r.at += i + 1
			if quoted = data[:i+1]; plain && !ascii && !utf8.Valid(quoted) {
				r.fail()
			}
			return quoted, plain
		case c == '\\':
			plain = false
			i++ // what it is for is the reader's of the text
		case c < ' ':
			r.fail()
			return nil, false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	r.fail()
	return nil, false
}

// ordinaryTo returns where the ordinary bytes from i on end. It looks at eight at a time, so that the last seven of a document
// end it at once.
func ordinaryTo(data []byte, i int) int {
	for i+8 <= len(data) {
		ordinary := ordinaryIn(binary.LittleEndian.Uint64(data[i:]))
		if i += ordinary; ordinary < 8 {
			return i
		}
	}
	return i
}

// ordinaryIn returns how many of eight bytes, the lowest first, come before a quotation mark, a backslash, a control character or
// one beyond ASCII. A byte that is less than another borrows from the next, which is why only the lowest such byte counts.
func ordinaryIn(word uint64) int {
	const each, high = 0x0101010101010101, 0x8080808080808080
	quote, slash := word^each*'"', word^each*'\\'
	odd := (word | (word - each*' ') | (quote - each) | (slash - each)) & high
	return bits.TrailingZeros64(odd) / 8
}

// number takes a number. whole: it has neither fraction nor exponent.
func (r *Reader) number() (text []byte, whole bool) {
	r.space()
	data, from := r.data, r.at
	first := from
	if first < len(data) && data[first] == '-' {
		first++
	}
	i := digitsTo(data, first)
	if i == first || data[first] == '0' && i > first+1 {
		r.fail()
		return nil, false
	}
	whole = true
	if i < len(data) && data[i] == '.' {
		begin := i + 1
		if i, whole = digitsTo(data, begin), false; i == begin {
			r.fail()
			return nil, false
		}
	}
	if i < len(data) && (data[i] == 'e' || data[i] == 'E') {
		begin := i + 1
		if begin < len(data) && (data[begin] == '+' || data[begin] == '-') {
			begin++
		}
		if i, whole = digitsTo(data, begin), false; i == begin {
			r.fail()
			return nil, false
		}
	}
	r.at = i
	return data[from:i], whole
}

// digitsTo returns where the digits from i on end.
func digitsTo(data []byte, i int) int {
	for i < len(data) && data[i] >= '0' && data[i] <= '9' {
		i++
	}
	return i
}
