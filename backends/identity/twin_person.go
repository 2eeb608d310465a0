package identity

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/warmgate/warmgate/backends/identity/papers"
)

// stemNames count people: the ten heavenly stems, as 甲乙丙丁 is A, B, C, D.
func stemNames() [10][2]string {
	return [...][2]string{{"甲", "JIA"}, {"乙", "YI"}, {"丙", "BING"}, {"丁", "DING"}, {"戊", "WU"}, {"己", "JI"}, {"庚", "GENG"},
		{"辛", "XIN"}, {"壬", "REN"}, {"癸", "GUI"}}
}

// nation is a country of the twin's foreigners: the word there for a specimen is their family name.
type nation struct{ code, family string }

func nations() []nation {
	return []nation{{"DEU", "MÜSTER"}, {"FRA", "SPÉCIMEN"}, {"GBR", "SPECIMEN"}, {"JPN", "MIHON"}, {"POL", "WZÓR"}, {"ESP", "MUESTRA"},
		{"NOR", "PRØVE"}, {"VNM", "MẪU"}}
}

// spelling counts foreigners, as radio operators do.
func spelling() []string {
	return []string{"ALFA", "BRAVO", "CHARLIE", "DELTA", "ECHO", "FOXTROT", "GOLF", "HOTEL", "INDIA", "JULIETT", "KILO", "LIMA", "MIKE"}
}

// invent makes one person up who is not in the registry yet. The caller holds mu.
func (t *Twin) invent(s Scenario) (*twinPerson, error) {
	for {
		p := &twinPerson{Serial: t.serial}
		r := t.chance("person", t.serial)
		t.serial++
		if err := t.shape(p, s, r); err != nil {
			return nil, err
		}
		if t.byPaper[paper(p.Type, p.Number)] == nil {
			return p, nil
		}
	}
}

// shape makes p the scenario's.
func (t *Twin) shape(p *twinPerson, s Scenario, r *rand.Rand) error {
	today := t.now()
	born := today.AddDate(-20-r.IntN(40), 0, -1-r.IntN(365))
	p.ExpiresOn = today.AddDate(1+r.IntN(8), 0, r.IntN(365)).Format(time.DateOnly)
	p.Sex = string("MF"[r.IntN(2)])
	switch s {
	case "", Resident:
		p.resident(born, r)
	case Minor:
		p.resident(today.AddDate(-15, -6, 0), r)
	case YoungChild:
		p.resident(today.AddDate(-8, -6, 0), r)
	case OldCard:
		p.resident(born, r)
		p.ExpiresOn = today.AddDate(0, 0, -1).Format(time.DateOnly)
	case MiddleDot:
		p.resident(born, r)
		p.Name = strings.Replace(p.Name, "样例", "示例·", 1)
		p.LatinName = strings.Replace(p.LatinName, "YANGLI", "SHILI", 1)
	case ForeignPassport:
		p.foreigner(Passport, fmt.Sprintf("%c%08d", 'A'+rune(r.IntN(26)), r.IntN(100_000_000)), born, r)
	case OldPassport:
		p.foreigner(Passport, fmt.Sprintf("%c%08d", 'A'+rune(r.IntN(26)), r.IntN(100_000_000)), born, r)
		p.ExpiresOn = today.AddDate(0, -2, 0).Format(time.DateOnly)
	case Stranger:
		p.foreigner(Passport, fmt.Sprintf("ZZ%07d", r.IntN(10_000_000)), born, r)
		p.Stranger = true
	case HongKong:
		p.compatriot(HKMacaoPermit, fmt.Sprintf("%c%08d", "HM"[r.IntN(2)], r.IntN(100_000_000)), born, r)
	case Taiwan:
		p.compatriot(TaiwanPermit, fmt.Sprintf("%08d", r.IntN(100_000_000)), born, r)
	case PermanentCard:
		p.foreigner(ForeignersCard, residentNumber(born, p.Sex, r), born, r)
	default:
		return fmt.Errorf("scenario: there is no %q", s)
	}
	return nil
}

// residentNumber returns a number of the area that is never issued.
func residentNumber(born time.Time, sex string, r *rand.Rand) string {
	serial := r.IntN(500) * 2 // odd for men (GB 11643)
	if sex == "M" {
		serial++
	}
	digits := fmt.Sprintf("990000%s%03d", born.Format("20060102"), serial)
	return digits + string(papers.ResidentCheck(digits))
}

func (p *twinPerson) resident(born time.Time, r *rand.Rand) {
	p.compatriot(ResidentID, residentNumber(born, p.Sex, r), born, r)
	p.Nationality = "CHN"
}

// compatriot gives p a name in characters and in Latin letters.
func (p *twinPerson) compatriot(kind DocumentType, number string, born time.Time, r *rand.Rand) {
	stems := stemNames()
	a, b := stems[r.IntN(len(stems))], stems[r.IntN(len(stems))]
	p.Type, p.Number, p.BirthDate, p.Nationality = kind, number, born.Format(time.DateOnly), "CHN"
	p.Name, p.LatinName = "样例"+a[0]+b[0], "YANGLI "+a[1]+b[1]
}

func (p *twinPerson) foreigner(kind DocumentType, number string, born time.Time, r *rand.Rand) {
	all, names := nations(), spelling()
	n := all[r.IntN(len(all))]
	p.Type, p.Number, p.BirthDate, p.Nationality = kind, number, born.Format(time.DateOnly), n.code
	p.Name = n.family + " " + names[r.IntN(len(names))] + " " + names[r.IntN(len(names))]
}

// symbols returns n characters that are hard to misread.
func symbols(r *rand.Rand, n int) string {
	const alphabet = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
	out := make([]byte, n)
	for i := range out {
		out[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(out)
}
