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
		n := x.parameter(one[:i])
		if n < 0 || seen&(1<<n) != 0 {
			return false
		}
		seen |= 1 << n
		raw = rest
	}
	return true
}

// parameter returns the place of a name among those that the route takes; -1: it does not.
func (x *Exchange) parameter(name []byte) int {
	return slices.IndexFunc(x.route.Query, func(one string) bool { return one == string(name) })
}

func (x *Exchange) checkParameter(name string, seen *int) error {
	i := x.parameter([]byte(name))
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
