package runner

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// threshold is one expression over one series, as k6 writes them: "p(95)<800" over "http_req_duration{journey:x}".
type threshold struct {
	series string // as the script names it, with its tags
	source string
	value  func(*series, float64) float64 // of a series, after so many seconds
	op     string
	limit  float64
}

var (
	thresholdSyntax  = regexp.MustCompile(`^\s*([a-z]+|p\(\s*[0-9.]+\s*\))\s*(<=|>=|===|==|!=|<|>)\s*(-?[0-9]+(?:\.[0-9]+)?)\s*$`)
	percentileSyntax = regexp.MustCompile(`^p\(\s*([0-9.]+)\s*\)$`)
)

// parseThreshold reads an expression for a metric of kind k.
func parseThreshold(seriesName, source string, k kind) (*threshold, error) {
	m := thresholdSyntax.FindStringSubmatch(source)
	if m == nil {
		return nil, fmt.Errorf("threshold %q of %s: want AGGREGATE OPERATOR NUMBER, such as p(95)<800", source, seriesName)
	}
	value, err := aggregate(k, m[1])
	if err != nil {
		return nil, fmt.Errorf("threshold %q of %s: %w", source, seriesName, err)
	}
	limit, err := strconv.ParseFloat(m[3], 64)
	if err != nil {
		return nil, fmt.Errorf("threshold %q of %s: %w", source, seriesName, err)
	}
	return &threshold{series: seriesName, source: source, value: value, op: m[2], limit: limit}, nil
}

// aggregate finds the named number of a series of kind k.
func aggregate(k kind, name string) (func(*series, float64) float64, error) {
	if k == trend {
		if m := percentileSyntax.FindStringSubmatch(name); m != nil {
			pct, err := strconv.ParseFloat(m[1], 64)
			if err != nil || pct > 100 {
				return nil, fmt.Errorf("%s is no percentile from 0 to 100", name)
			}
			return func(s *series, _ float64) float64 { return s.percentile(pct) }, nil
		}
	}
	if !slices.Contains(k.aggregates(), name) {
		return nil, fmt.Errorf("%s is not known for a %s; it has %s", name, k, strings.Join(k.aggregates(), ", "))
	}
	return func(s *series, seconds float64) float64 { return s.aggregate(k, name, seconds) }, nil
}

// judge says whether the series keeps the threshold after so many seconds, and with which value.
func (t *threshold) judge(k kind, s *series, seconds float64) (value float64, ok bool) {
	if s.count == 0 && (k == trend || k == rate) {
		return math.NaN(), false
	}
	value = t.value(s, seconds)
	switch t.op {
	case "<":
		ok = value < t.limit
	case "<=":
		ok = value <= t.limit
	case ">":
		ok = value > t.limit
	case ">=":
		ok = value >= t.limit
	case "!=":
		ok = value != t.limit
	default: // == and ===
		ok = value == t.limit
	}
	return value, ok
}

// parseSeries splits "name{tag:value,tag:value}".
func parseSeries(key string) (name string, tags map[string]string, err error) {
	name, rest, tagged := strings.Cut(key, "{")
	name = strings.TrimSpace(name)
	if !tagged {
		return name, nil, nil
	}
	rest, closed := strings.CutSuffix(strings.TrimSpace(rest), "}")
	if !closed {
		return "", nil, fmt.Errorf("threshold of %q: the tags have no closing brace", key)
	}
	tags = map[string]string{}
	for pair := range strings.SplitSeq(rest, ",") {
		tag, value, ok := strings.Cut(pair, ":")
		if !ok {
			return "", nil, fmt.Errorf("threshold of %q: want tag:value, not %q", key, pair)
		}
		tags[strings.TrimSpace(tag)] = strings.Trim(strings.TrimSpace(value), `"'`)
	}
	return name, tags, nil
}
