package wire

import (
	"strconv"
	"strings"

	"github.com/warmgate/warmgate/gateway"
)

// The bounds of an amount.
const (
	maxDigits = 30
	maxMinor  = int64(1e15)
)

// Money reads an amount that a system writes as a JSON number of whole units ("580", "580.5", "1.2E7"), and its currency
// (ISO 4217), as minor units. It is exact: no amount ever becomes a binary fraction. What is finer than the minor unit is
// rounded up, since a price must not be shown for less than is asked. The result is false for a negative amount, one past
// 10^15 minor units, and what is no number or no currency.
func Money(number, currency string) (gateway.Money, bool) {
	if !isCurrency(currency) {
		return gateway.Money{}, false
	}
	if minor, ok := usual(number, decimals(currency)); ok {
		return gateway.Money{Minor: minor, Currency: currency}, true
	}
	mantissa, exponent, has := strings.Cut(strings.ToLower(number), "e")
	shift := 0
	if has {
		var err error
		if shift, err = strconv.Atoi(exponent); err != nil || shift < -maxDigits || shift > maxDigits {
			return gateway.Money{}, false
		}
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := whole + fraction
	if whole == "" || len(digits) > maxDigits || strings.Trim(digits, "0123456789") != "" {
		return gateway.Money{}, false
	}
	minor, ok := scaled(digits, decimals(currency)+shift-len(fraction))
	if !ok {
		return gateway.Money{}, false
	}
	return gateway.Money{Minor: minor, Currency: currency}, true
}

func isCurrency(s string) bool {
	for i := range len(s) {
		if s[i] < 'A' || s[i] > 'Z' {
			return false
		}
	}
	return len(s) == 3
}

// usual reads an amount that is written as programs write them: few digits, and none beyond the minor unit.
func usual(number string, places int) (minor int64, ok bool) {
	if len(number) > 12 {
		return 0, false
	}
	point := -1
	for i := range len(number) {
		switch c := number[i]; {
		case c >= '0' && c <= '9':
			minor = 10*minor + int64(c-'0')
		case c == '.' && point < 0 && i > 0:
			point = i
		default:
			return 0, false
		}
	}
	if point < 0 {
		point = len(number) - 1 // its digits end there
	}
	left := places - (len(number) - 1 - point)
	if number == "" || left < 0 {
		return 0, false
	}
	for range left {
		minor *= 10
	}
	return minor, true
}

// Amount writes an amount as Money reads it: whole units of its currency, with the digits of its minor unit ("580.50"). It is ""
// for a negative amount, one past 10^15 minor units, and without a currency.
func Amount(m gateway.Money) string {
	if _, ok := Money("0", m.Currency); !ok || m.Minor < 0 || m.Minor > maxMinor {
		return ""
	}
	digits, places := strconv.FormatInt(m.Minor, 10), decimals(m.Currency)
	if places == 0 {
		return digits
	}
	if short := places + 1 - len(digits); short > 0 {
		digits = strings.Repeat("0", short) + digits
	}
	return digits[:len(digits)-places] + "." + digits[len(digits)-places:]
}

// scaled returns digits × 10^shift, rounded up.
func scaled(digits string, shift int) (int64, bool) {
	rest := ""
	if shift >= 0 {
		digits += strings.Repeat("0", shift)
	} else {
		cut := max(len(digits)+shift, 0)
		digits, rest = "0"+digits[:cut], digits[cut:]
	}
	digits = strings.TrimLeft(digits, "0")
	if len(digits) > 18 {
		return 0, false
	}
	n, err := strconv.ParseInt("0"+digits, 10, 64)
	if err != nil {
		return 0, false
	}
	if strings.Trim(rest, "0") != "" {
		n++
	}
	return n, n <= maxMinor
}

// decimals returns how many digits a currency's minor unit has: 2, but for those that ISO 4217 lists with none or three.
func decimals(currency string) int {
	switch currency {
	case "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF":
		return 0
	case "BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND":
		return 3
	}
	return 2
}
