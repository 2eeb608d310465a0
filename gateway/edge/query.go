package edge

import (
	"bytes"
	"slices"

	"github.com/warmgate/warmgate/gateway"
)

// checkQuery refuses parameters that the route does not take: personal data in an address end in logs. A query that is written
// plainly is looked through as it was sent, since a search that is known needs nothing else of it.
func (x *Exchange) checkQuery() error {
	if x.plainQuery(x.RawQuery()) {
		return nil
	}
	return x.parsedQuery()
}

// parsedQuery refuses by what the parser makes of the query.
func (x *Exchange) parsedQuery() error {
	seen := 0
	for name := range x.ctx.QueryArgs().All() {
		if err := x.checkParameter(string(name), &seen); err != nil {
			return err
		}
	}
	return nil
}

// plainQuery reports whether raw is made of names that the route takes, each once, with values. Where it is not, a parser has to
// say what it is.
func (x *Exchange) plainQuery(raw []byte) bool {
	seen := 0
	for len(raw) > 0 {
		one, rest, more := bytes.Cut(raw, []byte{'&'})
		i := bytes.IndexByte(one, '=')
		if i < 0 || more && len(rest) == 0 {
			return false
		}
		n := slices.Index(x.route.Query, string(one[:i]))
		if n < 0 || seen&(1<<n) != 0 {
			return false
		}
		seen |= 1 << n
		raw = rest
	}
	return true
}

func (x *Exchange) checkParameter(name string, seen *int) error {
	i := slices.Index(x.route.Query, name)
	switch {
	case i < 0:
		return ProblemQueryInvalid.Error(gateway.Text{
			Zh: "此接口没有该查询参数。个人信息不得出现在网址中。",
			En: "This call has no such query parameter. Personal data must never be in an address."}).WithField("query " + SafeName(name))
	case *seen&(1<<i) != 0:
		return ProblemQueryInvalid.Error(gateway.Text{
			Zh: "该查询参数出现了两次。", En: "This query parameter is there twice."}).WithField("query " + x.route.Query[i])
	}
	*seen |= 1 << i
	return nil
}
