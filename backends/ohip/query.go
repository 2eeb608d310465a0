package ohip

import (
	"bytes"
	"net/url"
)

// query is the path of an address with its query, as they are sent.
type query []byte

// asking returns the path of what belongs to the hotel, module "fof", rest "/rooms", for parameters to follow.
func (c *Client) asking(module, rest string) query {
	q := make(query, 0, 256)
	return append(append(append(append(append(q, '/'), module...), hotels...), c.escaped...), rest...)
}

// with returns the query with a parameter more, once for each value.
func (q query) with(name string, values ...string) query {
	for _, v := range values {
		between := byte('&')
		if bytes.IndexByte(q, '?') < 0 {
			between = '?'
		}
		q = append(append(append(append(q, between), name...), '='), url.QueryEscape(v)...)
	}
	return q
}
