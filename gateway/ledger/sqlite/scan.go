package sqlite

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"reflect"
)

// assign copies a value that the database gave into dest. It converts nothing but widths and names of types, so that a
// column has the same type in every database.
func assign(dest any, v driver.Value) error {
	switch d := dest.(type) {
	case *string:
		if s, ok := v.(string); ok {
			*d = s
			return nil
		}
	case *[]byte:
		switch b := v.(type) {
		case []byte:
			*d = present(b)
			return nil
		case nil:
			*d = nil
			return nil
		}
	case *int64:
		if n, ok := v.(int64); ok {
			*d = n
			return nil
		}
	case *int:
		if n, ok := v.(int64); ok {
			*d = int(n)
			return nil
		}
	case *bool:
		if n, ok := v.(int64); ok && (n == 0 || n == 1) { // SQLite has no type for it
			*d = n == 1
			return nil
		}
	case *any:
		*d = v
		return nil
	case sql.Scanner:
		return d.Scan(v)
	default:
		return assignNamed(dest, v)
	}
	return mismatch(dest, v)
}

// present tells empty bytes from NULL: the driver gives nil for both.
func present(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// assignNamed copies into a pointer to a named type, or to a pointer that is nil for NULL.
func assignNamed(dest any, v driver.Value) error {
	p := reflect.ValueOf(dest)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return fmt.Errorf("a %T is no pointer to scan into", dest)
	}
	e := p.Elem()
	if e.Kind() == reflect.Pointer {
		if v == nil {
			e.SetZero()
			return nil
		}
		fresh := reflect.New(e.Type().Elem())
		if err := assign(fresh.Interface(), v); err != nil {
			return err
		}
		e.Set(fresh)
		return nil
	}
	switch v := v.(type) {
	case int64:
		return assignInt(e, v)
	case string:
		if e.Kind() == reflect.String {
			e.SetString(v)
			return nil
		}
	case []byte:
		if e.Kind() == reflect.Slice && e.Type().Elem().Kind() == reflect.Uint8 {
			e.SetBytes(present(v))
			return nil
		}
	case nil:
		if e.Kind() == reflect.Slice && e.Type().Elem().Kind() == reflect.Uint8 {
			e.SetZero()
			return nil
		}
	}
	return mismatch(dest, v)
}

// assignInt copies a whole number into e, if it fits.
func assignInt(e reflect.Value, v int64) error {
	switch e.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if !e.OverflowInt(v) {
			e.SetInt(v)
			return nil
		}
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if v >= 0 && !e.OverflowUint(uint64(v)) {
			e.SetUint(uint64(v))
			return nil
		}
	case reflect.Bool:
		if v == 0 || v == 1 {
			e.SetBool(v == 1)
			return nil
		}
	}
	return mismatch(e.Addr().Interface(), v)
}

// mismatch says what does not fit, without the value: it may be personal.
func mismatch(dest any, v driver.Value) error {
	if v == nil {
		return fmt.Errorf("NULL does not fit into %T", dest)
	}
	return fmt.Errorf("a value of type %T does not fit into %T", v, dest)
}
