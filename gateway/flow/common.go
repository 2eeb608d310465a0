package flow

import (
	"reflect"
	"sync"
)

// Common is what the flows of one connection have in common, such as its client. The zero value is ready; it is safe for
// concurrent use.
type Common struct {
	mu   sync.Mutex
	made map[reflect.Type]*shared
}

// shared is one thing with how many use it.
type shared struct {
	value any
	users int
}

// Share returns what the first flow of the connection to has made as a T, and makes it where it is the first. A T is made
// once at a time: it must say all that tells it from others. close is to be called once; end is called by the last one.
// An error leaves nothing behind.
func Share[T any](to Connection, make func() (T, error), end func(T)) (value T, close func(), err error) {
	c := to.Common
	if c == nil {
		c = &Common{} // nobody else is bound to it
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	kind := reflect.TypeFor[T]()
	s := c.made[kind]
	if s == nil {
		made, err := make()
		if err != nil {
			return value, nil, err
		}
		if c.made == nil {
			c.made = map[reflect.Type]*shared{}
		}
		s = &shared{value: made}
		c.made[kind] = s
	}
	s.users++
	value = s.value.(T)
	return value, func() { c.leave(kind, func() { end(value) }) }, nil
}

// leave takes a user away; end is called when it was the last.
func (c *Common) leave(kind reflect.Type, end func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.made[kind]
	if s.users--; s.users == 0 {
		delete(c.made, kind)
		end()
	}
}
