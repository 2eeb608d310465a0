package config

import (
	"reflect"
	"strconv"
	"strings"
	"time"
)

// read reads what is at place at into the value that into points to, as the parser's decoder would; false: it doesn't fit,
// and into is what it was.
func (t tree) read(at int, into any) bool {
	return t.readApart(at, into, func(int) bool { return false })
}

// readApart is read but for the names at the top that apart takes, which into has no place for.
func (t tree) readApart(at int, into any, apart func(at int) bool) bool {
	v := reflect.ValueOf(into).Elem()
	next := reflect.New(v.Type()).Elem() // what is reached through a map or a pointer is made anew, so this is copy enough
	next.Set(v)
	if next.Kind() == reflect.Struct && !readsItself(next.Type()) {
		if t[at].kind != kindNames || !t.fields(at, next, apart) {
			return false
		}
	} else if !t.set(at, next) {
		return false
	}
	v.Set(next)
	return true
}

// set sets v; false: what is at place at doesn't fit.
func (t tree) set(at int, v reflect.Value) bool {
	l := &t[at]
	switch p := v.Addr().Interface().(type) {
	case *Section:
		*p = Section{tree: t, at: at}
		return true
	case *time.Duration:
		d, err := time.ParseDuration(l.text)
		*p = d
		return err == nil && (l.kind == kindSpan || l.kind == kindText)
	case *string:
		*p = strings.Clone(l.text) // of the file nothing else is kept
		return l.kind == kindText
	}
	if typ := v.Type(); typ.PkgPath() != "" && readsItself(typ) {
		return false
	}
	switch v.Kind() {
	case reflect.Struct:
		return l.kind == kindNames && t.fields(at, v, func(int) bool { return false })
	case reflect.Map:
		return l.kind == kindNames && t.entries(at, v)
	case reflect.Slice:
		return l.kind == kindList && t.items(at, v)
	case reflect.Pointer:
		made := reflect.New(v.Type().Elem())
		if !v.IsNil() {
			made.Elem().Set(v.Elem())
		}
		v.Set(made)
		return t.set(at, made.Elem())
	default:
		return l.set(v)
	}
}

// set sets v to a single value.
func (l *leaf) set(v reflect.Value) bool {
	switch k := v.Kind(); {
	case k == reflect.String && l.kind == kindText:
		v.SetString(strings.Clone(l.text))
	case k == reflect.Bool && l.kind == kindTruth:
		v.SetBool(l.text == "true")
	case k == reflect.Float64 && l.kind == kindFraction:
		f, err := strconv.ParseFloat(l.text, 64)
		v.SetFloat(f)
		return err == nil
	case v.CanInt() && l.kind == kindWhole:
		n, err := strconv.ParseInt(l.text, 10, v.Type().Bits())
		v.SetInt(n)
		return err == nil
	case v.CanUint() && l.kind == kindWhole:
		n, err := strconv.ParseUint(l.text, 10, v.Type().Bits())
		v.SetUint(n)
		return err == nil
	default:
		return false
	}
	return true
}

// fields sets the fields of a struct to the values that have their names. What isn't named keeps its value.
func (t tree) fields(at int, v reflect.Value, apart func(at int) bool) bool {
	for i := at + 1; i < t[at].after; i = t[i].after {
		switch field, found := fieldNamed(v, t[i].name); {
		case found == 0 && apart(i):
		case found != 1 || !t.set(i, field):
			return false
		}
	}
	return true
}

// fieldNamed returns the field of v, or of what is inlined there, that has the name in its yaml tag, and how many have. It
// counts too many where a tag says more than that.
func fieldNamed(v reflect.Value, name string) (field reflect.Value, found int) {
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		tag, rest, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case rest == "inline" && tag == "" && f.Type.Kind() == reflect.Struct && f.IsExported():
			inner, n := fieldNamed(v.Field(i), name)
			if found += n; n > 0 {
				field = inner
			}
		case rest != "":
			found += 2
		case f.IsExported() && tag == "" && strings.EqualFold(f.Name, name):
			found += 2 // its name is the parser's matter
		case f.IsExported() && tag == name && tag != "-":
			field, found = v.Field(i), found+1
		}
	}
	return field, found
}

// entries makes a map of the names and values.
func (t tree) entries(at int, v reflect.Value) bool {
	typ := v.Type()
	if typ.Key().Kind() != reflect.String || typ.Key().PkgPath() != "" {
		return false
	}
	made := reflect.MakeMap(typ)
	for i := at + 1; i < t[at].after; i = t[i].after {
		value := reflect.New(typ.Elem()).Elem()
		if !t.set(i, value) {
			return false
		}
		made.SetMapIndex(reflect.ValueOf(strings.Clone(t[i].name)), value)
	}
	v.Set(made)
	return true
}

// items makes a list.
func (t tree) items(at int, v reflect.Value) bool {
	made := reflect.MakeSlice(v.Type(), 0, 4)
	for i := at + 1; i < t[at].after; i = t[i].after {
		value := reflect.New(v.Type().Elem()).Elem()
		if !t.set(i, value) {
			return false
		}
		made = reflect.Append(made, value)
	}
	v.Set(made)
	return true
}

// way returns how at is reached from the top: the how-manieth it is of those at its level, for each level.
func (t tree) way(at int) (steps []int) {
	for in := 0; in != at; {
		step, i := 0, in+1
		for ; t[i].after <= at; i = t[i].after {
			step++
		}
		steps, in = append(steps, step), i
	}
	return steps
}
