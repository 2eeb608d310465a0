package edge

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/warmgate/warmgate/gateway"
)

// maxDepth is how many arrays and objects may be inside one another in a body.
const maxDepth = 32

// decode reads one strict JSON value (RFC 8259, RFC 7493): every field known and there once, in its own case, of the
// right type, not deeper than 32 levels, nothing behind it. A *gateway.Error that a field's own UnmarshalJSON or
// UnmarshalText returns is kept, with the field's path. No error holds anything of the value.
func decode(body []byte, into any) error {
	if err := checkDepth(body); err != nil {
		return err
	}
	if err := json.Unmarshal(body, into, json.RejectUnknownMembers(true)); err != nil {
		return decodeProblem(err)
	}
	return nil
}

// Decode is Exchange.Decode for a value that stands inside a body; paths begin at the value.
func Decode(value []byte, into any) error { return decode(value, into) }

// canonicalBody returns a body in the form that is the same for all ways to write the same value: without spaces,
// fields by name, each string in its shortest form. Integers keep every digit. It refuses what decode would for its
// syntax. An empty body stays empty.
func canonicalBody(body []byte) ([]byte, error) {
	if len(body) == 0 {
		return nil, nil
	}
	if err := checkDepth(body); err != nil {
		return nil, err
	}
	v := jsontext.Value(bytes.Clone(body))
	if err := v.Format(jsontext.ReorderRawObjects(true), jsontext.CanonicalizeRawFloats(true)); err != nil {
		return nil, decodeProblem(err)
	}
	return v, nil
}

// checkDepth refuses a body that is nested too deeply, before anything is built of it.
func checkDepth(body []byte) error {
	depth, quoted := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return ProblemBodyTooDeep.Error(gateway.Text{Zh: "最多 32 层。", En: "At most 32 levels are taken."}).With("limit", maxDepth)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// decodeProblem says what is wrong with a body. The decoder's own words are dropped: they quote the value.
func decodeProblem(err error) error {
	if e, ok := errors.AsType[*gateway.Error](err); ok {
		if s, ok := errors.AsType[*json.SemanticError](err); ok && e.Field == "" {
			return e.WithField(fieldPath(s.JSONPointer))
		}
		return e
	}
	if s, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		if errors.Is(s.Err, jsontext.ErrDuplicateName) {
			return ProblemFieldDuplicate.Error(gateway.Text{
				Zh: "同一对象中该字段出现了两次。", En: "The object names this field twice."}).WithField(fieldPath(s.JSONPointer))
		}
		return ProblemBodyMalformed.Error(gateway.Text{
			Zh: "应为一个符合 RFC 8259 的 JSON 值。", En: "It must be one JSON value as RFC 8259 has it, in UTF-8.",
		}).With("offset", s.ByteOffset)
	}
	if s, ok := errors.AsType[*json.SemanticError](err); ok {
		path := fieldPath(s.JSONPointer)
		if errors.Is(s.Err, json.ErrUnknownName) {
			return ProblemFieldUnknown.Error(gateway.Text{
				Zh: "此接口没有该字段。", En: "This call has no such field."}).WithField(path)
		}
		want := expected(s.GoType)
		return ProblemFieldInvalid.Error(gateway.Text{
			Zh: "类型或格式不符，应为" + want.Zh + "。", En: "It must be " + want.En + "."}).WithField(path)
	}
	return ProblemBodyMalformed.Error(gateway.Text{Zh: "内容不完整。", En: "It ends too early."})
}

// expected says in words what a Go type takes from JSON.
func expected(t reflect.Type) gateway.Text {
	if t == nil {
		return gateway.Text{Zh: "另一种值", En: "another value"}
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == reflect.TypeFor[time.Time]() {
		return gateway.Text{Zh: "带时区的时间（RFC 3339）", En: "a time with its offset (RFC 3339)"}
	}
	switch t.Kind() {
	case reflect.String:
		return gateway.Text{Zh: "字符串", En: "a string"}
	case reflect.Bool:
		return gateway.Text{Zh: "true 或 false", En: "true or false"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return gateway.Text{Zh: "范围内的整数", En: "an integer within its bounds"}
	case reflect.Float32, reflect.Float64:
		return gateway.Text{Zh: "数字", En: "a number"}
	case reflect.Slice, reflect.Array:
		return gateway.Text{Zh: "数组", En: "an array"}
	case reflect.Struct, reflect.Map:
		return gateway.Text{Zh: "对象", En: "an object"}
	}
	return gateway.Text{Zh: "另一种值", En: "another value"}
}

// fieldPath writes a JSON pointer as people do: a.b[0].c. Names that a client made up are told only as far as they
// look like names.
func fieldPath(p jsontext.Pointer) string {
	var b strings.Builder
	for token := range p.Tokens() {
		if isIndex(token) {
			b.WriteString("[" + token + "]")
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(SafeName(token))
	}
	return b.String()
}

func isIndex(s string) bool {
	return s != "" && len(s) <= 5 && strings.Trim(s, "0123456789") == ""
}

// SafeName returns a name that a client sent where it looks like one, and "?" where it could be a value in the wrong
// place: an ID number, a plate or a ticket code must not come back in an answer.
func SafeName(s string) string {
	digits := 0
	for i := range len(s) {
		if s[i] >= '0' && s[i] <= '9' {
			digits++
		}
	}
	if !plainName(s) || len(s) > 40 || digits > 3 || s[0] >= '0' && s[0] <= '9' {
		return "?"
	}
	return s
}

// asProblem returns err as a *gateway.Error, and whether it is one.
func asProblem(err error) (*gateway.Error, bool) { return errors.AsType[*gateway.Error](err) }
