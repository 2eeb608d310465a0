// Package plate reads Chinese number plates: whether something can be one, of which kind it is, and its one way to be
// written. It is pure: it asks nobody, keeps nothing, and none of its errors repeats what it was given.
package plate

import (
	"errors"
	"fmt"
	"strings"
)

// Kind is what a plate says of its vehicle.
type Kind uint8

// The kinds. The forms are those of GA 36-2018 (civil plates) with its later amendments for new energy and rescue
// vehicles, of the military's and the armed police's series of 2012, and of NY 345.1 for tractors. · stands for no
// character: it is never part of a plate here.
const (
	Unknown     Kind = iota // the zero Plate's alone
	Ordinary                // 浙A·12345: cars, lorries and motorcycles
	NewEnergy               // 浙A·D12345 small, 浙A·12345D large
	Trailer                 // 浙A·1234挂
	Training                // 浙A·1234学: learners
	Police                  // 浙A·1234警
	Embassy                 // 224578使; until 2018 使224578
	Consulate               // 沪A·0023领
	CrossBorder             // 粤Z·A123港, 粤Z·A123澳: of Hong Kong and Macao, let into the mainland
	Rescue                  // 浙X·1234应急: fire brigades (X) and forest fire brigades (S)
	Temporary               // 浙A·12345临, with 4 or 5 before it; 试 a vehicle on trial, 超 one out of size
	Military                // VA·12345; until 2013 军A·12345
	ArmedPolice             // WJ·12345 headquarters, WJ浙·12345 a province; the last may be a letter of its branch
	Aviation                // 民航·A1234: on airports
	Tractor                 // 浙01·12345
)

const kindNames = "unknown ordinary new-energy trailer training police embassy consulate cross-border rescue temporary military armed-police aviation tractor"

// String returns the kind in lower-case English.
func (k Kind) String() string {
	names := strings.Fields(kindNames)
	if int(k) < len(names) {
		return names[k]
	}
	return names[Unknown]
}

// Plate is a number plate that Parse has read. Two plates are the same vehicle's if they are ==. The zero value is none.
type Plate struct {
	text     string
	kind     Kind
	electric bool
}

// String returns the plate as it is kept: capitals, no separators. It is personal: not for logs, errors or addresses.
func (p Plate) String() string { return p.text }

// Kind returns what the plate says of its vehicle.
func (p Plate) Kind() Kind { return p.kind }

// Electric reports whether the plate says that its vehicle drives on a battery alone: letters A, B, C, D, E of the new
// energy plates. F, G, H, J, K are hybrids and others that are not purely electric. A vehicle whose plate says nothing
// (a police car, a motorcycle) may be electric all the same.
func (p Plate) Electric() bool { return p.electric }

const (
	provinces = "京津冀晋蒙辽吉黑沪苏浙皖闽赣鲁豫鄂湘粤桂琼渝川贵云藏陕甘青宁新"
	regions   = "军海空北沈兰济南广成" // the military's letters until 2013
	maxBytes  = 64           // far more than a plate with separators; what is longer is not looked at
)

// Why a text is no plate. The texts say nothing of it.
var (
	errEmpty = errors.New("cannot read a plate: there is nothing")
	errLong  = fmt.Errorf("cannot read a plate: it is longer than %d bytes", maxBytes)
)

// Parse reads a plate in any of the forms of Kind. It takes small and full-width letters and digits, and leaves out
// spaces, dots (· • . and their like) and dashes between the characters. Letters I and O are on no plate, since they look
// like 1 and 0; O alone may be the second character, where provinces' public security bodies have had it. Whether the
// issuing office exists (浙A, 浙B, …) and whether the plate has ever been given out are not looked at. An error names the
// place of the first character that cannot be there, counted from 1 without separators, and never the character.
func Parse(s string) (Plate, error) {
	if len(s) > maxBytes {
		return Plate{}, errLong
	}
	chars := fold(s)
	if len(chars) == 0 {
		return Plate{}, errEmpty
	}
	best := mismatch{want: "a province, 使, 民航, WJ or a military letter"}
	for _, f := range forms {
		wrong, ok := f.match(chars)
		if ok {
			return Plate{text: string(chars), kind: f.kind, electric: f.electric(chars)}, nil
		}
		if wrong.at > best.at {
			best = wrong
		}
	}
	return Plate{}, best.error(len(chars))
}

// fold returns the characters of s that count, in capitals.
func fold(s string) []rune {
	chars := make([]rune, 0, 10)
	for _, c := range s {
		if c >= '！' && c <= '～' { // full-width forms (Unicode FF01 to FF5E)
			c -= '！' - '!'
		}
		switch {
		case c >= 'a' && c <= 'z':
			c -= 'a' - 'A'
		case strings.ContainsRune(" \u3000\u00a0\t·•‧・．｡.-‐–—_", c):
			continue
		}
		chars = append(chars, c)
	}
	return chars
}
