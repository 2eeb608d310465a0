package wechatpay

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// isDigits reports whether s is 1 to limit digits.
func isDigits(s string, limit int) bool {
	return s != "" && len(s) <= limit && strings.Trim(s, "0123456789") == ""
}

// isHex reports whether s can be the serial number of a certificate.
func isHex(s string) bool {
	return s != "" && len(s) <= maxSerial && strings.Trim(s, "0123456789ABCDEFabcdef") == ""
}

// isKeyID reports whether s can be the identifier of a public key of the provider's.
func isKeyID(s string) bool {
	rest, ok := strings.CutPrefix(s, keyIDPrefix)
	return ok && isDigits(rest, maxSerial-len(keyIDPrefix))
}

// isKey reports whether s is 1 to limit letters, digits, dashes and underscores: what the provider takes for a number of
// the merchant's and what stands in an address as it is. (It allows an asterisk too, which does not.)
func isKey(s string, limit int) bool {
	if s == "" || len(s) > limit {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

// isText reports whether s is 1 to limit characters of UTF-8, none of them a control character.
func isText(s string, limit int) bool {
	return s != "" && utf8.ValidString(s) && utf8.RuneCountInString(s) <= limit && strings.IndexFunc(s, unicode.IsControl) < 0
}

// isPlate reports whether s can be a plate: letters and digits, as the provider wants no separators.
func isPlate(s string) bool {
	return s != "" && len(s) <= maxPlate && utf8.ValidString(s) &&
		strings.IndexFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && (r < '0' || r > '9') }) < 0
}

// isTotal reports whether n is an amount that can be charged, in fen.
func isTotal(n int64) bool { return n > 0 && n < MaxTotal }
