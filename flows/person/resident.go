package person

import (
	"errors"
	"time"
)

// Resident is what a resident's identity number says of its holder (GB 11643-1999).
type Resident struct {
	Area  string // the six digits of the place of registration; "990000" is the sandbox's, and nobody's
	Born  string // YYYY-MM-DD
	Sex   string // M or F
	Check byte   // the check character, '0' to '9' or 'X'
}

const residentDigits = 17

// Why a number is none. The texts say nothing of the number.
var (
	errResidentForm  = errors.New("cannot read a resident's number: want 17 digits and a digit or X")
	errResidentArea  = errors.New("cannot read a resident's number: no province has these digits")
	errResidentBorn  = errors.New("cannot read a resident's number: its day of birth is none, or before 1900")
	errResidentCheck = errors.New("cannot read a resident's number: the check character is another one")
)

// ReadResident reads a resident's identity number of 18 characters; a small x is read as X. It takes the numbers of
// residence permits for people from Hong Kong, Macao and Taiwan (81, 82, 83) and of foreigners with permanent residence (9
// and the province) as well. Numbers of 15 digits have not been valid since 2013. Whether the day of birth is past is
// for those who know the day: see Age.
func ReadResident(number string) (Resident, error) {
	if len(number) != residentDigits+1 || !digits(number[:residentDigits]) {
		return Resident{}, errResidentForm
	}
	check := number[residentDigits]
	if check == 'x' {
		check = 'X'
	}
	born, err := time.Parse("20060102", number[6:14])
	switch {
	case check != 'X' && (check < '0' || check > '9'):
		return Resident{}, errResidentForm
	case !isArea(number[:6]):
		return Resident{}, errResidentArea
	case err != nil || born.Year() < 1900:
		return Resident{}, errResidentBorn
	case check != ResidentCheck(number[:residentDigits]):
		return Resident{}, errResidentCheck
	}
	sex := "F"
	if (number[16]-'0')%2 == 1 {
		sex = "M"
	}
	return Resident{Area: number[:6], Born: born.Format(time.DateOnly), Sex: sex, Check: check}, nil
}

// ResidentCheck returns the check character of the first 17 digits of a resident's number (ISO 7064 MOD 11-2). Anything but
// digits gives a character that means nothing.
func ResidentCheck(first string) byte {
	sum := 0
	for i := range len(first) {
		weight := 1
		for range len(first) - i {
			weight = weight * 2 % 11
		}
		sum += int(first[i]-'0') * weight
	}
	return "10X98765432"[sum%11]
}

// isArea reports whether the six digits begin with a province (GB/T 2260), or with what has been put in its place since.
func isArea(area string) bool {
	if area == "990000" {
		return true
	}
	two := area[:2]
	if area[0] == '9' { // foreigners: 9, the province, the country
		two = area[1:3]
	}
	switch two[0] {
	case '1':
		return two[1] >= '1' && two[1] <= '5'
	case '2':
		return two[1] >= '1' && two[1] <= '3'
	case '3':
		return two[1] >= '1' && two[1] <= '7'
	case '4':
		return two[1] >= '1' && two[1] <= '6'
	case '5':
		return two[1] <= '4'
	case '6':
		return two[1] >= '1' && two[1] <= '5'
	case '7':
		return two[1] == '1'
	case '8':
		return two[1] >= '1' && two[1] <= '3'
	}
	return false
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
