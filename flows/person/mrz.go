package person

import (
	"errors"
	"strings"
	"time"
)

// MRZ is what the machine-readable zone of a passport says (ICAO 9303 part 4, TD3). Names are as printed there: capitals
// without marks.
type MRZ struct {
	Issuer      string // the issuing state, one to three capitals
	Surname     string // "" where the holder has but one name, which is then Given
	Given       string // names between spaces; it may be cut off where the line ends
	Number      string // capitals and digits
	Nationality string // one to three capitals: Germany has "D"
	Born        string // YYYY-MM-DD
	Sex         string // M, F or X
	ExpiresOn   string // YYYY-MM-DD
}

const mrzLine = 44

// Why a zone cannot be read. The texts say nothing of the zone.
var (
	errMRZForm  = errors.New("cannot read a machine-readable zone: want two lines of 44 capitals, digits and <, the first beginning with P")
	errMRZCheck = errors.New("cannot read a machine-readable zone: a check digit is another one")
	errMRZDate  = errors.New("cannot read a machine-readable zone: a date is none")
	errMRZName  = errors.New("cannot read a machine-readable zone: it has no name")
)

// MRZCheck returns the check digit of a part of a machine-readable zone (ICAO 9303 part 3, 4.9): weights 7, 3, 1. ok is false
// where s has a character that a zone cannot have.
func MRZCheck(s string) (digit byte, ok bool) {
	sum := 0
	for i := range len(s) {
		v := 0
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			v = int(c - '0')
		case c >= 'A' && c <= 'Z':
			v = int(c-'A') + 10
		case c == '<':
		default:
			return 0, false
		}
		sum += v * [3]int{7, 3, 1}[i%3]
	}
	return byte('0' + sum%10), true
}

// checks reports whether the character after s is s's check digit.
func checks(s string, after byte) bool {
	digit, ok := MRZCheck(s)
	return ok && digit == after
}

// ReadMRZ reads the two lines of a passport's zone, all check digits included. A year of two digits is that of the last
// hundred years for a birth, and between 50 years ago and 50 years ahead for the last day, as seen on the day today.
func ReadMRZ(line1, line2 string, today time.Time) (MRZ, error) {
	_, ok1 := MRZCheck(line1)
	_, ok2 := MRZCheck(line2)
	if len(line1) != mrzLine || len(line2) != mrzLine || !ok1 || !ok2 || line1[0] != 'P' {
		return MRZ{}, errMRZForm
	}
	personal := line2[28:42]
	whole := line2[0:10] + line2[13:20] + line2[21:43]
	personalOK := checks(personal, line2[42]) || line2[42] == '<' && strings.Trim(personal, "<") == ""
	if !checks(line2[0:9], line2[9]) || !checks(line2[13:19], line2[19]) || !checks(line2[21:27], line2[27]) || !personalOK ||
		!checks(whole, line2[43]) {
		return MRZ{}, errMRZCheck
	}
	born, ok := mrzDate(line2[13:19], today.Year())
	if ok && born > today.Format(time.DateOnly) {
		born, ok = mrzDate(line2[13:19], today.Year()-1)
	}
	expires, ok2 := mrzDate(line2[21:27], today.Year()+50)
	if !ok || !ok2 {
		return MRZ{}, errMRZDate
	}
	out := MRZ{Issuer: strings.TrimRight(line1[2:5], "<"), Number: strings.TrimRight(line2[0:9], "<"), Born: born, ExpiresOn: expires,
		Nationality: strings.TrimRight(line2[10:13], "<"), Sex: string(line2[20])}
	if out.Sex == "<" {
		out.Sex = "X"
	}
	surname, given, _ := strings.Cut(line1[5:], "<<")
	out.Surname, out.Given = words(surname), words(given)
	switch {
	case out.Sex != "M" && out.Sex != "F" && out.Sex != "X", out.Number == "", strings.Contains(out.Number, "<"), out.Issuer == "", out.Nationality == "":
		return MRZ{}, errMRZForm
	case out.Surname == "" && out.Given == "":
		return MRZ{}, errMRZName
	case out.Given == "": // ICAO 9303 part 3, 4.6: who has but one name
		out.Surname, out.Given = "", out.Surname
	}
	return out, nil
}

// mrzDate reads YYMMDD as the day of that form in the hundred years that end with the year last.
func mrzDate(s string, last int) (string, bool) {
	if !digits(s) {
		return "", false
	}
	two := int(s[0]-'0')*10 + int(s[1]-'0')
	year := last - (last-two)%100
	day := time.Date(year, time.Month((s[2]-'0')*10+s[3]-'0'), int((s[4]-'0')*10+s[5]-'0'), 0, 0, 0, 0, time.UTC)
	return day.Format(time.DateOnly), day.Format("060102") == s
}

// words turns fillers into spaces.
func words(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '<' }), " ")
}
