// Package papers holds what the interfaces of backends/police and backends/identity agree on about identity documents:
// their types, the shape of what is sent of them, and when a number cannot be one of its type's.
package papers

import (
	"time"
	"unicode"
	"unicode/utf8"
)

// Type is what a person identifies with.
type Type string

// The document types.
const (
	ResidentID     Type = "resident-id"     // 18 characters, GB 11643; residence permits of that form as well
	Passport       Type = "passport"        // ICAO 9303
	HKMacaoPermit  Type = "hk-macao-permit" // mainland travel permit for Hong Kong and Macao residents
	TaiwanPermit   Type = "taiwan-permit"   // mainland travel permit for Taiwan residents
	ForeignersCard Type = "foreigners-card" // permanent residence of foreigners
)

// The bounds of what is sent, in bytes.
const (
	MaxName   = 128
	MaxNumber = 32
)

// IsType reports whether t is one of the types above.
func IsType(t Type) bool {
	switch t {
	case ResidentID, Passport, HKMacaoPermit, TaiwanPermit, ForeignersCard:
		return true
	default:
		return false
	}
}

// IsNumber reports whether s is 1 to MaxNumber capitals and digits.
func IsNumber(s string) bool {
	return s != "" && len(s) <= MaxNumber && all(s, func(c byte) bool { return isDigit(c) || isCapital(c) })
}

// IsNation reports whether s has the form of a nationality: three capitals.
func IsNation(s string) bool { return len(s) == 3 && all(s, isCapital) }

// IsName reports whether s is 1 to MaxName bytes of UTF-8, without control characters and with a letter in it.
func IsName(s string) bool {
	if s == "" || len(s) > MaxName || !utf8.ValidString(s) {
		return false
	}
	letters := 0
	for _, r := range s {
		if unicode.IsControl(r) {
			return false
		}
		if unicode.IsLetter(r) {
			letters++
		}
	}
	return letters > 0
}

// IsDate reports whether s is a day of the calendar, written YYYY-MM-DD.
func IsDate(s string) bool {
	_, err := time.Parse(time.DateOnly, s)
	return err == nil
}

// CanBe reports whether number can be one of type t's, of somebody born on that day (YYYY-MM-DD). It knows forms, dates and
// check characters; whether the document was issued only its issuer knows.
func CanBe(t Type, number, born string) bool {
	n := len(number)
	switch t {
	case ResidentID:
		return isResident(number) && number[6:10]+"-"+number[10:12]+"-"+number[12:14] == born
	case Passport:
		return n >= 6 && n <= 9 && IsNumber(number)
	case HKMacaoPermit: // H or M, then the holder's eight digits, then two for the renewal on older ones
		return (n == 9 || n == 11) && (number[0] == 'H' || number[0] == 'M') && all(number[1:], isDigit)
	case TaiwanPermit:
		return n == 8 && all(number, isDigit)
	case ForeignersCard: // since 2023 as long as a resident's, and begins with 9; before, three letters and twelve digits
		if n == 15 {
			return all(number[:3], isCapital) && all(number[3:], isDigit)
		}
		return isResident(number) && number[0] == '9' && number[6:10]+"-"+number[10:12]+"-"+number[12:14] == born
	default:
		return false
	}
}

// residentLength is how many characters a resident's identity number has (GB 11643-1999).
const residentLength = 18

// isResident reports whether s has the form of a resident's identity number: digits, a day of the calendar from 1900 on,
// and the right check character.
func isResident(s string) bool {
	if len(s) != residentLength || !all(s[:17], isDigit) || s[0] == '0' || s[6:10] < "1900" {
		return false
	}
	_, err := time.Parse("20060102", s[6:14])
	return err == nil && s[17] == ResidentCheck(s[:17])
}

// ResidentCheck returns the check character of the first 17 digits of a resident's identity number: ISO 7064 MOD 11-2, by
// Horner's rule, so that no weights have to be listed.
func ResidentCheck(digits string) byte {
	sum := 0
	for i := range len(digits) {
		sum = (sum + int(digits[i]-'0')) * 2 % 11
	}
	return "10X98765432"[sum]
}

func all(s string, is func(byte) bool) bool {
	for i := range len(s) {
		if !is(s[i]) {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool   { return c >= '0' && c <= '9' }
func isCapital(c byte) bool { return c >= 'A' && c <= 'Z' }
