package plate_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/warmgate/warmgate/flows/parking/plate"
)

func TestPlates(t *testing.T) {
	for _, c := range []struct {
		in, out  string
		kind     plate.Kind
		electric bool
	}{
		{"浙A12345", "浙A12345", plate.Ordinary, false},
		{"浙a·12345", "浙A12345", plate.Ordinary, false},
		{" 浙Ａ－１２３４５ ", "浙A12345", plate.Ordinary, false},
		{"浙A 1B2C3", "浙A1B2C3", plate.Ordinary, false},
		{"京AB12C3", "京AB12C3", plate.Ordinary, false},
		{"京O12345", "京O12345", plate.Ordinary, false},
		{"苏EABC12", "苏EABC12", plate.Ordinary, false},
		{"浙AD12345", "浙AD12345", plate.NewEnergy, true},
		{"浙A·DA1234", "浙ADA1234", plate.NewEnergy, true},
		{"浙AF12345", "浙AF12345", plate.NewEnergy, false},
		{"浙AFD1234", "浙AFD1234", plate.NewEnergy, false}, // the D is of the serial number
		{"浙DF12345", "浙DF12345", plate.NewEnergy, false}, // the D is of Shaoxing
		{"粤BA12345", "粤BA12345", plate.NewEnergy, true},
		{"粤BE12345", "粤BE12345", plate.NewEnergy, true},
		{"粤BK12345", "粤BK12345", plate.NewEnergy, false},
		{"沪A12345D", "沪A12345D", plate.NewEnergy, true},
		{"沪A12345f", "沪A12345F", plate.NewEnergy, false},
		{"浙A1234挂", "浙A1234挂", plate.Trailer, false},
		{"浙AB123挂", "浙AB123挂", plate.Trailer, false},
		{"浙A1234学", "浙A1234学", plate.Training, false},
		{"浙A1234警", "浙A1234警", plate.Police, false},
		{"浙O1234警", "浙O1234警", plate.Police, false},
		{"使224578", "使224578", plate.Embassy, false},
		{"224·578使", "224578使", plate.Embassy, false},
		{"沪A0023领", "沪A0023领", plate.Consulate, false},
		{"粤Z·A123港", "粤ZA123港", plate.CrossBorder, false},
		{"粤ZABC1澳", "粤ZABC1澳", plate.CrossBorder, false},
		{"浙X1234应急", "浙X1234应急", plate.Rescue, false},
		{"川S0001应急", "川S0001应急", plate.Rescue, false},
		{"浙A12345临", "浙A12345临", plate.Temporary, false},
		{"浙A1234临", "浙A1234临", plate.Temporary, false},
		{"浙A1234试", "浙A1234试", plate.Temporary, false},
		{"浙A1234超", "浙A1234超", plate.Temporary, false},
		{"VA12345", "VA12345", plate.Military, false},
		{"军A12345", "军A12345", plate.Military, false},
		{"WJ12345", "WJ12345", plate.ArmedPolice, false},
		{"WJ1234X", "WJ1234X", plate.ArmedPolice, false},
		{"wj浙12345", "WJ浙12345", plate.ArmedPolice, false},
		{"WJ浙1234J", "WJ浙1234J", plate.ArmedPolice, false},
		{"民航A1234", "民航A1234", plate.Aviation, false},
		{"浙01·12345", "浙0112345", plate.Tractor, false},
	} {
		p, err := plate.Parse(c.in)
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		if p.String() != c.out || p.Kind() != c.kind || p.Electric() != c.electric {
			t.Errorf("%s is read as %s, %s, electric %v; want %s, %s, %v", c.in, p, p.Kind(), p.Electric(), c.out, c.kind, c.electric)
		}
	}
}

func TestNoPlates(t *testing.T) {
	for _, c := range []struct{ in, says string }{
		{"", "there is nothing"},
		{" ·- ", "there is nothing"},
		{strings.Repeat("浙", 40), "longer than 64 bytes"},
		{"浙", "it ends after character 1"},
		{"浙A", "it ends after character 2"},
		{"浙A1234", "it ends after character 6"},
		{"浙A123456", "character 8 of 8 cannot stand there, want nothing more"},
		{"浙A1234567", "character 8 of 9"},
		{"浙AD123456", "character 9 of 9 cannot stand there, want nothing more"},
		{"浙I12345", "character 2 of 7 cannot stand there, want a letter other than I"},
		{"浙A1234I", "character 7 of 7"},
		{"浙AO1234", "character 3 of 7 cannot stand there, want a digit, or a letter other than I and O"},
		{"浙AABCDE", "at least 2 digits"},
		{"浙AABCD1", "at least 2 digits"},
		{"台A12345", "character 1 of 7 cannot stand there, want a province"},
		{"港A12345", "character 1 of 7"},
		{"浙AL12345", "character 8 of 8 cannot stand there, want nothing more"},
		{"浙AD1234A", "character 8 of 8"},
		{"浙A12345L", "character 8 of 8"},
		{"浙A12345Z", "character 8 of 8"},
		{"浙A12挂34", "character 5 of 7"},
		{"浙ZA123港", "character 7 of 7"},
		{"粤ZABCD港", "at least 1 digit"},
		{"粤A1234港", "character 7 of 7"},
		{"浙A1234应急", "character 7 of 8"},
		{"使22457", "it ends after character 6"},
		{"使2245789", "character 8 of 8 cannot stand there, want nothing more"},
		{"使22457A", "character 7 of 7"},
		{"WJ123456", "character 8 of 8"},
		{"WJ港12345", "character 3 of 8"},
		{"VI12345", "character 2 of 7"},
		{"VA1234A", "character 7 of 7"},
		{"浙A12345\x00", "character 8 of 8"},
		{"\xff浙A12345", "character 1 of 8"},
		{"ABC", "character 3 of 3 cannot stand there, want a digit"},
		{"浙A12345浙A12345", "character 8 of 14"},
	} {
		p, err := plate.Parse(c.in)
		if err == nil {
			t.Errorf("%q is read as a plate of kind %s", c.in, p.Kind())
			continue
		}
		if !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: %v, want %q", c.in, err, c.says)
		}
		if p != (plate.Plate{}) {
			t.Errorf("%q is no plate, and yet something came back", c.in)
		}
	}
}

func TestKindsHaveNames(t *testing.T) {
	if plate.NewEnergy.String() != "new-energy" || plate.Tractor.String() != "tractor" || plate.Kind(200).String() != "unknown" {
		t.Errorf("names: %s, %s, %s", plate.NewEnergy, plate.Tractor, plate.Kind(200))
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"浙A12345", "浙AD12345", "浙A12345F", "粤ZA123港", "使224578", "224578使", "WJ浙1234J", "VA12345", "浙X1234应急",
		"浙0112345", "民航A1234", "浙A1234临", "浙Ａ·１２３４５", "浙A1234I", "", "\xff", "军A12345",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := plate.Parse(s)
		if err != nil {
			if p != (plate.Plate{}) || utf8.RuneCountInString(s) > 4 && strings.Contains(err.Error(), s) {
				t.Fatal("an error comes with a plate, or repeats what it was given")
			}
			return
		}
		again, err := plate.Parse(p.String())
		if err != nil || again != p {
			t.Fatalf("%q is read as %q and then as %q: %v", s, p, again, err)
		}
		if n := utf8.RuneCountInString(p.String()); n < 7 || n > 8 || p.Kind() == plate.Unknown || p.Electric() && p.Kind() != plate.NewEnergy {
			t.Fatalf("%q is read as %q, %d characters, kind %s", s, p, n, p.Kind())
		}
	})
}
