package person_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/warmgate/warmgate/backends/identity/papers"
	"github.com/warmgate/warmgate/flows/person"
)

func TestAge(t *testing.T) {
	for _, test := range []struct {
		born, on string
		want     int // -1: an error
	}{
		{"1990-05-02", "2026-05-01", 35}, {"1990-05-02", "2026-05-02", 36}, {"2026-05-02", "2026-05-02", 0},
		{"2008-02-29", "2026-02-28", 17}, {"2008-02-29", "2026-03-01", 18}, {"2008-02-29", "2024-02-29", 16},
		{"2026-05-03", "2026-05-02", -1}, {"1990-02-30", "2026-05-02", -1}, {"", "2026-05-02", -1}, {"1990-05-02", "today", -1},
	} {
		got, err := person.Age(test.born, test.on)
		if (err != nil) != (test.want < 0) || err == nil && got != test.want {
			t.Errorf("%s on %s: %d, %v", test.born, test.on, got, err)
		}
	}
}

func TestReadResident(t *testing.T) {
	for number, want := range map[string]person.Resident{
		"990000199005020036": {Area: "990000", Born: "1990-05-02", Sex: "M", Check: '6'},
		"99000019900502001X": {Area: "990000", Born: "1990-05-02", Sex: "M", Check: 'X'},
		"99000019900502001x": {Area: "990000", Born: "1990-05-02", Sex: "M", Check: 'X'},
		"990000199005020028": {Area: "990000", Born: "1990-05-02", Sex: "F", Check: '8'},
	} {
		if got, err := person.ReadResident(number); err != nil || got != want {
			t.Errorf("%s: %+v, %v", number, got, err)
		}
	}
	valid := func(first string) string { return first + string(person.ResidentCheck(first)) }
	for number, says := range map[string]string{
		"":                              "17 digits",
		"990000900502003":               "17 digits", // of fifteen
		"9900001990050200368":           "17 digits",
		"99000O199005020036":            "17 digits",
		"99000019900502003A":            "17 digits",
		"９９0000199005":                  "17 digits",
		"990000199005020037":            "check character",
		"990000199005020063":            "check character", // two digits changed places
		valid("99000018990502003"):      "day of birth",
		valid("99000019900230003"):      "day of birth",
		valid("99000019901302003"):      "day of birth",
		valid("00000019900502003"):      "province",
		valid("16000019900502003"):      "province",
		valid("990001199005020" + "03"): "province",
	} {
		_, err := person.ReadResident(number)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: want %q, got %v", number, says, err)
		}
	}
}

// TestEveryProvinceIsKnown: those of GB/T 2260, permits for residents of the other side, and foreigners in a province.
func TestEveryProvinceIsKnown(t *testing.T) {
	known := 0
	for two := range 90 {
		first := fmt.Sprintf("%02d000119900502001", two)
		if _, err := person.ReadResident(first + string(person.ResidentCheck(first))); err == nil {
			known++
		}
	}
	if known != 5+3+7+6+5+5+1+3 {
		t.Errorf("%d provinces", known)
	}
	first := "93300119900502001" // 9, Zhejiang, a country
	if _, err := person.ReadResident(first + string(person.ResidentCheck(first))); err != nil {
		t.Error(err)
	}
}

// TestAWrongCharacterIsSeen: MOD 11-2 finds each single error and each two neighbours that changed places.
func TestAWrongCharacterIsSeen(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		first := fmt.Sprintf("%s%s%03d", "990000", time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, rapid.IntRange(0, 45000).Draw(rt, "day")).Format("20060102"),
			rapid.IntRange(0, 999).Draw(rt, "serial"))
		number := []byte(first + string(person.ResidentCheck(first)))
		r, err := person.ReadResident(string(number))
		if err != nil || strings.ReplaceAll(r.Born, "-", "") != first[6:14] {
			rt.Fatalf("%s: %+v, %v", number, r, err)
		}
		if !papers.CanBe(papers.ResidentID, string(number), r.Born) {
			rt.Fatalf("the twins' arithmetic is another one: %s", number)
		}
		i := rapid.IntRange(0, 16).Draw(rt, "place")
		other := byte('0' + rapid.IntRange(0, 9).Draw(rt, "digit"))
		if rapid.Bool().Draw(rt, "swap") {
			i, other = min(i, 15), number[min(i, 15)+1]
			if other == number[i] {
				return
			}
			number[i], number[i+1] = number[i+1], number[i]
		} else {
			if other == number[i] {
				return
			}
			number[i] = other
		}
		if _, err := person.ReadResident(string(number)); err == nil {
			rt.Fatalf("%s passes for a number", number)
		}
	})
}

func FuzzResident(f *testing.F) {
	for _, s := range []string{"990000199005020036", "99000019900502001x", "", "990000190002290000", "X90000199005020036"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := person.ReadResident(s)
		if err != nil {
			if len(s) > 5 && strings.Contains(err.Error(), s) {
				t.Errorf("the error shows the number: %v", err)
			}
			return
		}
		if _, err := time.Parse(time.DateOnly, r.Born); err != nil || r.Sex != "M" && r.Sex != "F" || len(r.Area) != 6 || len(s) != 18 {
			t.Errorf("%q: %+v", s, r)
		}
		if !papers.CanBe(papers.ResidentID, strings.ToUpper(s), r.Born) {
			t.Errorf("the twins refuse %q", s)
		}
	})
}
