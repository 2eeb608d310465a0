package flow

import (
	"crypto/sha256"
	"fmt"
	"reflect"
	"sync"
)

// Common is what flows or connections have in common, such as a client. The zero value is ready; it is safe for concurrent
// use.
type Common struct {
	mu   sync.Mutex
	made map[thing]*shared
}

// thing tells what is shared from others.
type thing struct {
	kind reflect.Type
	key  [sha256.Size]byte
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
	return share(to.Common, thing{kind: reflect.TypeFor[T]()}, make, end)
}

// ShareAs is Share for all connections of the gateway that have the same key: thousands of hotels that are reached through
// their chain's system have one client, one token and connections in common, which also outlive a reload. key says, as
// fmt's %q does, all that tells a T from others, credentials included; of it a digest is kept.
func ShareAs[T any](to Connection, key []any, make func() (T, error), end func(T)) (value T, close func(), err error) {
	return share(to.All, thing{reflect.TypeFor[T](), sha256.Sum256(fmt.Appendf(nil, "%q", key))}, make, end)
}

func share[T any](c *Common, what thing, make func() (T, error), end func(T)) (value T, close func(), err error) {
	if c == nil {
		c = &Common{} // nobody else is bound to it
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.made[what]
	if s == nil {
		made, err := make()
		if err != nil {
			return value, nil, err
		}
		if c.made == nil {
			c.made = map[thing]*shared{}
		}
		s = &shared{value: made}
		c.made[what] = s
	}
	s.users++
	value = s.value.(T)
	return value, func() { c.leave(what, func() { end(value) }) }, nil
}

// leave takes a user away; end is called when it was the last.
func (c *Common) leave(what thing, end func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.made[what]
	if s.users--; s.users == 0 {
		delete(c.made, what)
		end()
	}
}
