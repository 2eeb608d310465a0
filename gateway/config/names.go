package config

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// unknown returns a mistake for every name in node that a value of type t has no place for, and for every fraction where
// a whole number belongs, which decoding would cut off. What stands behind an alias is judged where it is anchored.
func (f *File) unknown(path string, node ast.Node, t reflect.Type) (wrong []error) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if readsItself(t) {
		return nil
	}
	switch n := node.(type) {
	case *ast.AnchorNode:
		return f.unknown(path, n.Value, t)
	case *ast.FloatNode:
		if whole(t) {
			line, column := start(n)
			return []error{&Mistake{File: f.name, Line: line, Column: column, Path: path,
				Message: fmt.Sprintf("must be %s, is a number with a fraction", wanted(t))}}
		}
	case *ast.SequenceNode:
		if t.Kind() == reflect.Slice {
			for _, v := range n.Values {
				wrong = append(wrong, f.unknown(path, v, t.Elem())...)
			}
		}
		return wrong
	case ast.MapNode:
		for entries := n.MapRange(); entries.Next(); {
			wrong = append(wrong, f.unknownEntry(path, entries.KeyValue(), t)...)
		}
	}
	return wrong
}

func (f *File) unknownEntry(path string, entry *ast.MappingValueNode, t reflect.Type) []error {
	if _, merge := entry.Key.(*ast.MergeKeyNode); merge {
		return nil
	}
	switch t.Kind() {
	case reflect.Map:
		return f.unknown(path, entry.Value, t.Elem())
	case reflect.Struct:
		token := entry.Key.GetToken()
		if field, ok := fieldOf(t, token.Value); ok {
			return f.unknown(path, entry.Value, field)
		}
		return []error{&Mistake{File: f.name, Line: token.Position.Line, Column: token.Position.Column, Path: path,
			Message: fmt.Sprintf("unknown field %q", token.Value)}}
	default:
		return nil // decoding says that the type is wrong
	}
}

// fieldOf returns the type of the field that has the name in its yaml tag, in t or in what is inlined there.
func fieldOf(t reflect.Type, name string) (reflect.Type, bool) {
	for field := range t.Fields() {
		tag, rest, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		if strings.Contains(rest, "inline") {
			if inner, ok := fieldOf(field.Type, name); ok {
				return inner, true
			}
		}
		if tag == "" {
			tag = strings.ToLower(field.Name)
		}
		if field.IsExported() && tag == name && tag != "-" {
			return field.Type, true
		}
	}
	return nil, false
}

// readsItself reports whether a type has its own way to be read.
func readsItself(t reflect.Type) bool {
	return slices.ContainsFunc([]reflect.Type{
		reflect.TypeFor[yaml.NodeUnmarshaler](), reflect.TypeFor[yaml.BytesUnmarshaler](),
		reflect.TypeFor[yaml.InterfaceUnmarshaler](), reflect.TypeFor[encoding.TextUnmarshaler](),
	}, reflect.PointerTo(t).Implements)
}
