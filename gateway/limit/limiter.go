package limit

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/warmgate/warmgate/gateway"
)

// Limiter holds the rate policies of a gateway. It counts and decides in this process; see Fleet for what replicas make of
// that together. Safe for concurrent use.
type Limiter struct {
	keyer    Keyer
	policies []policy
	header   string
	exchange time.Duration // between two exchanges with the other replicas
	hash     Hasher        // of the names under which they know a key; nil: there are none
}

type policy struct {
	name  string
	scope Scope
	table *Table
	sums  *sums // nil: nobody else is told
}

// New returns a limiter for a valid configuration. Start is the present by the clock whose times Take will be given.
func New(c Config, start time.Time) *Limiter {
	l := &Limiter{keyer: NewKeyer(), exchange: c.Exchange}
	setDefault(&l.exchange, defaultExchange)
	var header []string
	for _, p := range c.Policies {
		t := NewTable(p.Rate, c.Keys, start)
		l.policies = append(l.policies, policy{name: p.Name, scope: p.Scope, table: t})
		header = append(header, policyItem(p.Name, t))
	}
	l.header = strings.Join(header, ", ")
	return l
}

// NewShared is New where a Fleet tells other replicas what is let through. hash names keys to them: they need the same.
func NewShared(c Config, start time.Time, hash Hasher) *Limiter {
	l := New(c, start)
	l.hash = hash
	for i := range l.policies {
		l.policies[i].sums = newSums(c.Keys, start)
	}
	return l
}

// Who is what is known of a request. What is not known yet is left zero, and the policies by it are not counted: ask
// once with the address before the token is read, and once with principal and venue after it.
type Who struct {
	Address   netip.Addr
	Principal *gateway.Principal
	Venue     *gateway.Venue
}

// Decision is how a request stands with the policies that were counted for it. It is a value: copying it is fine.
type Decision struct {
	limiter *Limiter
	n       int
	refused int // 1 + the index in counted of the policy that refused; 0: none did
	counted [maxPolicies]counted
}

type counted struct {
	policy int
	Result
}

// Take counts a request against each policy that applies to who, in the order of the configuration, and stops at the
// first that refuses. Policies before that one have counted the request. It does not allocate for a known key.
func (l *Limiter) Take(who Who, now time.Time) Decision {
	d := Decision{limiter: l}
	for i := range l.policies {
		p := &l.policies[i]
		k, ok := l.key(p.scope, who)
		if !ok {
			continue
		}
		d.counted[d.n] = counted{i, p.table.Take(k, now)}
		d.n++
		if !d.counted[d.n-1].Allowed {
			d.refused = d.n
			break
		}
		if p.sums != nil {
			p.sums.add(k, l, p, &who)
		}
	}
	return d
}

func (l *Limiter) key(s Scope, who Who) (Key, bool) {
	switch {
	case s == ByAddress && who.Address.IsValid():
		return l.keyer.Address(who.Address), true
	case s == ByPrincipal && who.Principal != nil:
		return l.keyer.Principal(who.Principal), true
	case s == ByVenue && who.Venue != nil:
		return l.keyer.Venue(who.Venue), true
	}
	return 0, false
}

// Err returns nil where the request may go on, and otherwise a rate-limited *gateway.Error that names the policy and
// says when to try again.
func (d *Decision) Err() error {
	if d.refused == 0 {
		return nil
	}
	c := &d.counted[d.refused-1]
	name := d.limiter.policies[c.policy].name
	return RateLimited(c.Retry).With("policy", name)
}

// RateLimited returns a rate-limited error for a client that may ask again after retry.
func RateLimited(retry time.Duration) *gateway.Error {
	s := strconv.FormatInt(seconds(retry), 10)
	return ProblemRateLimited.Error(gateway.Text{
		Zh: "请在 " + s + " 秒后再试。", En: "Please try again in " + s + " s.",
	}).WithRetryAfter(time.Duration(seconds(retry)) * time.Second)
}

// PolicyHeader returns the value of RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers §3): every policy, in the
// order of the configuration; empty where there is none.
func (l *Limiter) PolicyHeader() string { return l.header }

// AppendHeader appends the value of RateLimit (draft-ietf-httpapi-ratelimit-headers §4) to dst: for each policy that
// was counted, what remains and the seconds until the whole quota is there again. A dst that isn't empty holds the
// items of an earlier decision about the same request.
func (d *Decision) AppendHeader(dst []byte) []byte {
	for i := range d.n {
		c := &d.counted[i]
		if len(dst) > 0 {
			dst = append(dst, ", "...)
		}
		dst = append(dst, '"')
		dst = append(dst, d.limiter.policies[c.policy].name...)
		dst = append(dst, `";r=`...)
		dst = strconv.AppendInt(dst, int64(c.Remaining), 10)
		dst = append(dst, `;t=`...)
		dst = strconv.AppendInt(dst, seconds(c.Reset), 10)
	}
	return dst
}

// policyItem publishes a table as quota and window in whole seconds. The window is the shortest that is no shorter
// than the burst's; the quota is what is earned in it, so their ratio is the long-run rate and a burst fits.
func policyItem(name string, t *Table) string {
	w := seconds(t.window)
	q := time.Duration(w) * time.Second / t.interval
	return `"` + name + `";q=` + strconv.FormatInt(int64(q), 10) + `;w=` + strconv.FormatInt(w, 10)
}

// seconds rounds up to whole seconds, at least 1.
func seconds(d time.Duration) int64 { return int64(max(1, (d+time.Second-1)/time.Second)) }
