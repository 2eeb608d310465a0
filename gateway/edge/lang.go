package edge

import (
	"bytes"
	"strings"

	"github.com/warmgate/warmgate/gateway"
)

// language returns the language to answer in, zh-CN or en, for an Accept-Language (RFC 9110 §12.5.4): the range with
// the greatest weight that we speak, the first of equals; fallback where there is none, or for "*". Any kind of
// Chinese or English is answered with the one that we have. Ill-formed parts are passed over.
func language(header []byte, fallback string) string {
	best, bestWeight := fallback, 0
	refused := ""
	for rest := header; len(rest) > 0; {
		var item []byte
		item, rest, _ = bytes.Cut(rest, []byte(","))
		tag, params, _ := bytes.Cut(item, []byte(";"))
		weight, ok := quality(string(params))
		if !ok {
			continue
		}
		lang := spoken(string(bytes.TrimSpace(tag)), fallback)
		switch {
		case lang == "":
		case weight == 0:
			refused = lang
		case weight > bestWeight:
			best, bestWeight = lang, weight
		}
	}
	if bestWeight == 0 && refused == fallback { // the client wants anything but our usual one
		return other(fallback)
	}
	return best
}

func other(lang string) string {
	if lang == gateway.LangZh {
		return gateway.LangEn
	}
	return gateway.LangZh
}

// spoken returns our language for a language range, "" where we have none.
func spoken(tag, fallback string) string {
	primary, _, _ := strings.Cut(tag, "-")
	switch {
	case tag == "*":
		return fallback
	case strings.EqualFold(primary, "zh"):
		return gateway.LangZh
	case strings.EqualFold(primary, "en"):
		return gateway.LangEn
	}
	return ""
}

// quality returns the weight in thousandths (RFC 9110 §12.4.2): 1000 where there is none; false where it is ill-formed.
func quality(params string) (int, bool) {
	params = strings.TrimSpace(params)
	if params == "" {
		return 1000, true
	}
	value, ok := strings.CutPrefix(params, "q=")
	if !ok {
		if value, ok = strings.CutPrefix(params, "Q="); !ok {
			return 0, false
		}
	}
	whole, fraction, dotted := strings.Cut(value, ".")
	if (whole != "0" && whole != "1") || len(fraction) > 3 || strings.Trim(fraction, "0123456789") != "" {
		return 0, false
	}
	if whole == "1" {
		return 1000, !dotted || strings.Trim(fraction, "0") == ""
	}
	weight := 0
	for i := range 3 {
		weight *= 10
		if i < len(fraction) {
			weight += int(fraction[i] - '0')
		}
	}
	return weight, true
}
