package config

import (
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// said returns what e says in words of the file: whoever mends it at night need not know Go.
func said(e yaml.Error) string {
	if t, ok := errors.AsType[*yaml.TypeError](e); ok {
		return fmt.Sprintf("must be %s, is %s", wanted(t.DstType), seen(t.SrcType))
	}
	if o, ok := errors.AsType[*yaml.OverflowError](e); ok {
		return fmt.Sprintf("must be %s, is %s", bounds(o.DstType), o.SrcNum)
	}
	if u, ok := errors.AsType[*yaml.UnexpectedNodeTypeError](e); ok {
		return fmt.Sprintf("must be %s, is %s", nodeWord(u.Expected), nodeWord(u.Actual))
	}
	return e.GetMessage()
}

// wanted says what a value of type t is written as.
func wanted(t reflect.Type) string {
	if t == reflect.TypeFor[time.Duration]() {
		return "a duration with its unit, such as 250ms, 30s or 10m"
	}
	return seen(t)
}

// seen says what stands there.
func seen(t reflect.Type) string {
	if t == nil {
		return "nothing"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return seen(t.Elem())
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Map, reflect.Struct:
		return "names and values"
	default:
		if whole(t) {
			return "a whole number"
		}
		return t.String()
	}
}

func whole(t reflect.Type) bool { return t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64 }

// bounds says which whole numbers t takes.
func bounds(t reflect.Type) string {
	switch {
	case !whole(t):
		return wanted(t)
	case t.Kind() >= reflect.Uint:
		return fmt.Sprintf("0 to %d", ^uint64(0)>>(64-t.Bits()))
	default:
		highest := int64(^uint64(0) >> (65 - t.Bits()))
		return fmt.Sprintf("%d to %d", -highest-1, highest)
	}
}

func nodeWord(t ast.NodeType) string {
	switch t {
	case ast.StringType, ast.LiteralType:
		return "text"
	case ast.BoolType:
		return "true or false"
	case ast.IntegerType:
		return "a whole number"
	case ast.FloatType, ast.InfinityType, ast.NanType:
		return "a number"
	case ast.SequenceType:
		return "a list"
	case ast.MappingType, ast.MappingValueType:
		return "names and values"
	case ast.NullType:
		return "nothing"
	default:
		return t.String()
	}
}
