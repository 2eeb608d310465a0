package ohip

import "net/url"

// query is the query of an address as it is sent. The zero value is empty.
type query []byte

// with returns the query with a parameter more, once for each value.
func (q query) with(name string, values ...string) query {
	if q == nil {
		q = make(query, 0, 256)
	}
	for _, v := range values {
		if len(q) > 0 {
			q = append(q, '&')
		}
		q = append(append(append(q, name...), '='), url.QueryEscape(v)...)
	}
	return q
}

// of returns a path with the query.
func (q query) of(path string) string { return path + "?" + string(q) }
