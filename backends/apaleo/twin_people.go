package apaleo

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// person makes somebody up: four of five have a resident identity card, the others a passport.
func person(r *rand.Rand, now time.Time, child bool) MadeGuest {
	years := 18 + r.IntN(60)
	if child {
		years = 7
	}
	born := time.Date(now.Year()-years-1, time.Month(1+r.IntN(12)), 1+r.IntN(28), 0, 0, 0, 0, time.UTC)
	g := MadeGuest{BirthDate: born.Format(time.DateOnly)}
	if r.IntN(5) > 0 {
		family := []string{"王", "李", "张", "刘", "陈", "杨", "欧阳"}
		given := []string{"伟", "芳", "娜", "秀英", "敏", "静", "丽", "强", "磊", "洋", "艳", "勇"}
		if g.LastName, g.FirstName = family[r.IntN(len(family))], given[r.IntN(len(given))]; r.IntN(12) == 0 {
			g.LastName, g.FirstName = "阿迪力·艾力", "" // as the card has it: one name with a middle dot
		}
		g.Nationality, g.DocumentType = "CN", "IdNumber"
		g.DocumentNumber = residentNumber(born, r.IntN(1000))
		return g
	}
	first := []string{"Anna", "Marco", "Yuki", "Olga", "Pierre", "Sofía", "Lars", "Amina"}
	last := []string{"Meier", "Rossi", "Tanaka", "O'Neill", "Dupont", "García López", "van der Berg", "Ivanova"}
	nations := []string{"DE", "IT", "JP", "IE", "FR", "ES", "NL", "KZ"}
	n := r.IntN(len(first))
	g.FirstName, g.LastName, g.Nationality, g.DocumentType = first[n], last[n], nations[n], "PassportNumber"
	g.DocumentNumber = fmt.Sprintf("%s%07d", letters(r, 1), r.IntN(10_000_000))
	return g
}

// residentNumber returns an identity card's number (GB 11643): region, birth, serial and the check digit of ISO 7064
// MOD 11-2. The region is not one that is in use.
func residentNumber(born time.Time, serial int) string {
	s := fmt.Sprintf("990199%s%03d", born.Format("20060102"), serial)
	sum := 0
	for i := range len(s) {
		weight := 1
		for range len(s) - i { // 2^(position from the right) mod 11
			weight = weight * 2 % 11
		}
		sum += int(s[i]-'0') * weight
	}
	return s + string("10X98765432"[sum%11])
}
